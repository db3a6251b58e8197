//! What stands at the front of a cache, and what it says of where the sales come from.
//!
//! ```text
//! cache = head, parts, table
//! head  = magic 16, version u32, 0 u32, layout u64, length u64, table u64, checksum u128, checksum of the head u64
//! parts = by block: records (images), ids (16 bytes each), rejects and carried texts (postcard), text (zstd); the table says where
//! table = postcard: what the cache is of, names, blocks                              integers little-endian
//! ```
//! The checksum is the xxh3-128 of all behind the head: it is there against accidents (a full disk, a copy that was cut short,
//! a bad sector), not against somebody who wants to deceive, who could as well change the sales themselves.

use super::image;
use dataflows::clock::Format;
use dataflows::dictionary::identity;
use dataflows::sale::Decoded;
use dataflows::schema::{Limits, Schema};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

const MAGIC: &[u8; 16] = b"vitrine: sales\r\n";

/// Goes up when caches are written in another way.
const VERSION: u32 = 1;

/// Bytes of the head: a multiple of the alignment of records.
pub const LENGTH: usize = 80;

/// The head of a whole file: its length, where the table begins, and the checksum of what lies behind the head.
pub fn head(length: u64, table: u64, checksum: u128) -> [u8; LENGTH] {
    let mut head = [0; LENGTH];
    head[..16].copy_from_slice(MAGIC);
    head[16..20].copy_from_slice(&VERSION.to_le_bytes());
    head[24..32].copy_from_slice(&image::layout().to_le_bytes());
    head[32..40].copy_from_slice(&length.to_le_bytes());
    head[40..48].copy_from_slice(&table.to_le_bytes());
    head[48..64].copy_from_slice(&checksum.to_le_bytes());
    let hash = xxh3_64(&head[..64]);
    head[64..72].copy_from_slice(&hash.to_le_bytes());
    head
}

/// Looks at a whole file, all of it; where its table begins.
///
/// # Errors
/// Why it is not to be read, in words.
pub fn check(bytes: &[u8]) -> Result<usize, String> {
    let u64_at = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
    if bytes.len() < LENGTH {
        return Err(format!("it was cut short: {} bytes", bytes.len()));
    }
    if &bytes[..16] != MAGIC {
        return Err("it is something else: it does not begin like a cache".into());
    }
    let version = u32::from_le_bytes(std::array::from_fn(|i| bytes[16 + i]));
    if version != VERSION {
        return Err(format!("it is written in version {version}, and this program reads version {VERSION}"));
    }
    if xxh3_64(&bytes[..64]) != u64_at(64) || bytes[20..24] != [0; 4] || bytes[72..LENGTH] != [0; 8] {
        return Err("its head is damaged".into());
    }
    if u64_at(24) != image::layout() {
        return Err("it was written where memory is laid out in another way".into());
    }
    if u64_at(32) != bytes.len() as u64 {
        return Err(format!("it was cut short or went on: {} bytes of {}", bytes.len(), u64_at(32)));
    }
    if xxh3_128(&bytes[LENGTH..]).to_le_bytes() != bytes[48..64] {
        return Err("its checksum is another one: it is damaged".into());
    }
    usize::try_from(u64_at(40)).ok().filter(|at| (LENGTH..=bytes.len()).contains(at)).ok_or_else(|| "its table is nowhere".into())
}

/// What decoding depends on besides the bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    program: String,
    format: String,
    epoch_bytes: u64,
    /// Of the schema without the limits of the date.
    schema: u128,
    /// The limits of the date: they follow from the windows, which a cache should outlive.
    time: (i64, i64),
}

impl Made {
    /// By this program, of records written in this way.
    pub fn new(format: Format, packing: &str, schema: &Schema, epoch_bytes: u64) -> Made {
        let (program, time) = (env!("CARGO_PKG_VERSION").into(), schema.limits.time);
        let timeless = Schema { limits: Limits { time: (0, 0), ..schema.limits.clone() }, ..schema.clone() };
        let schema = identity(format!("{timeless:?}").as_bytes());
        Made { program, format: format!("{format:?} {packing}"), epoch_bytes, schema, time }
    }

    /// Whether what was made `then`, with these dates, can stand for what would be made now.
    ///
    /// # Errors
    /// What differs.
    pub fn check(&self, then: &Made, dates: &Dates) -> Result<(), String> {
        let time = self.time == then.time || dates.stand(then.time, self.time);
        let differs = [
            (self.program != then.program, format!("vitrine {} decoded it, and this is {}", then.program, self.program)),
            (self.format != then.format, format!("it was read as {}", then.format.to_lowercase().trim_end())),
            (self.schema != then.schema, "other settings decoded it ([schema], [limits] or the zone of times)".into()),
            (!time, "it was decoded for other windows, and not all of its dates may be meant for these".into()),
            (self.epoch_bytes != then.epoch_bytes, format!("it was cut into epochs of {} bytes", then.epoch_bytes)),
        ];
        differs.into_iter().find(|(differs, _)| *differs).map_or(Ok(()), |(_, how)| Err(how))
    }
}

/// What is known of the dates in a file, for other limits than those under which it was decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dates {
    /// Least and greatest of those that were accepted.
    accepted: Option<(i64, i64)>,
    /// Whether any record was refused; its date is not known.
    refused: bool,
    /// Whether one was refused for its date.
    outside: bool,
}

impl Dates {
    /// Adds those of a block.
    pub fn add(&mut self, decoded: &Decoded) {
        for sale in &decoded.sales {
            let (least, greatest) = self.accepted.unwrap_or((sale.at, sale.at));
            self.accepted = Some((least.min(sale.at), greatest.max(sale.at)));
        }
        self.refused |= !decoded.rejects.is_empty();
        self.outside |= decoded.rejects.iter().flat_map(|reject| &reject.faults).any(|f| f.code == "sale_date_out_of_range");
    }

    /// Whether every record would meet the same fate under the limits `now`.
    fn stand(&self, then: (i64, i64), now: (i64, i64)) -> bool {
        let wider = now.0 <= then.0 && then.1 <= now.1;
        let within = self.accepted.is_none_or(|(least, greatest)| now.0 <= least && greatest <= now.1);
        within && !self.outside && (wider || !self.refused)
    }
}

/// How long a change of a file may not show in its times: the clock of the kernel ticks at least every 10 ms.
const GRAIN: Duration = Duration::from_millis(20);

/// Which file, and in which state.
///
/// The time of the last change of the inode (`ctime`) cannot be set by a program, so that whatever was done to a file shows:
/// new content with the old length and the old modification time, another file moved to its place, a copy with `cp -p`. A hash
/// of the content would say no more, and would cost a good part of what the cache saves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    path: Vec<u8>,
    pub size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    inode: (u64, u64),
}

impl Stamp {
    /// Of an open file that is known under a path.
    ///
    /// # Errors
    /// Those of the system.
    pub fn of(path: &Path, file: &File) -> io::Result<Stamp> {
        let (path, meta) = (path.as_os_str().as_bytes().to_vec(), file.metadata()?);
        let (modified, changed) = ((meta.mtime(), meta.mtime_nsec()), (meta.ctime(), meta.ctime_nsec()));
        Ok(Stamp { path, size: meta.len(), modified, changed, inode: (meta.dev(), meta.ino()) })
    }

    /// Whether nothing was done to the file, whatever it is called now.
    pub fn unchanged(&self, now: &Stamp) -> bool {
        (self.size, self.modified, self.changed, self.inode) == (now.size, now.modified, now.changed, now.inode)
    }

    /// Waits until the next change of the file would show in its times.
    pub fn settle(&self) {
        let changed = Duration::new(self.changed.0.unsigned_abs(), self.changed.1 as u32);
        if let Ok(since) = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + changed)
            && since < GRAIN
        {
            std::thread::sleep(GRAIN - since);
        }
    }

    /// Whether it still is the file that it was `then`.
    ///
    /// # Errors
    /// What differs.
    pub fn check(&self, then: &Stamp) -> Result<(), String> {
        if self.path != then.path {
            return Err(format!("it is of another file, {}", String::from_utf8_lossy(&then.path)));
        }
        if self.size != then.size {
            return Err(format!("the file has changed: it had {} bytes and has {}", then.size, self.size));
        }
        if self != then {
            return Err("the file has changed since, or another one stands in its place".into());
        }
        Ok(())
    }
}

/// What a cache is of, and where in it things lie.
#[derive(Debug, Serialize, Deserialize)]
pub struct Table {
    pub made: Made,
    pub stamp: Stamp,
    pub dates: Dates,
    /// Bytes of the input, decompressed.
    pub length: u64,
    /// By number: sellers, categories, products.
    pub names: [Vec<String>; 3],
    /// In order.
    pub blocks: Vec<Entry>,
}

/// Where a part of a file lies: from, and how many bytes.
pub type Part = (u64, u64);

/// A block of the input, and where its parts lie.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub start: u64,
    pub next: u64,
    pub ended: bool,
    /// Offset of the first of its bytes.
    pub base: u64,
    /// Bytes of the stored input that had been read for it.
    pub bytes: u64,
    /// Images of the sales.
    pub sales: Part,
    /// Their ids, when they are asked for.
    pub ids: Part,
    /// What was refused.
    pub rejects: Part,
    /// Texts of the sales, when they are asked for.
    pub carried: Part,
    /// The bytes of the records, where the file itself does not give them at any place.
    pub text: Option<Part>,
}

/// A fault as it is written: code, place of the field among those of the contract, message.
pub type Found = (String, Option<u32>, String);

/// A refused record as it is written: start, end, faults.
pub type Refused = (u32, u32, Vec<Found>);

#[cfg(test)]
mod tests {
    use super::*;
    use dataflows::sale::{self, Op, Reject, Sale, Span};

    #[test]
    fn what_was_changed_in_a_file_shows() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x");
        let stamp = |path: &Path| Stamp::of(path, &File::open(path).expect("there")).expect("a stamp");
        std::fs::write(&path, "one").expect("written");
        let then = stamp(&path);
        assert_eq!(then.check(&then), Ok(()));
        then.settle();
        // The same length, the same modification time.
        let time = std::fs::metadata(&path).and_then(|m| m.modified()).expect("a time");
        std::fs::write(&path, "two").expect("written");
        File::options().write(true).open(&path).and_then(|f| f.set_modified(time)).expect("set");
        assert!(stamp(&path).check(&then).is_err_and(|why| why.starts_with("the file has changed since")));
        std::fs::write(&path, "three").expect("written");
        assert!(stamp(&path).check(&then).is_err_and(|why| why.contains("it had 3 bytes and has 5")));
        let moved = folder.path().join("y");
        std::fs::rename(&path, &moved).expect("moved");
        assert!(stamp(&moved).check(&then).is_err_and(|why| why.contains("another file")));
    }

    #[test]
    fn other_limits_of_dates_do_when_every_record_meets_the_same_fate() {
        let sale = |at| Sale {
            at,
            customer: [0; 2],
            seller: 0,
            product: 0,
            category: 0,
            price: 1,
            quantity: 1,
            op: Op::Sale,
            payment: 0,
        };
        let reject = |code| Reject { span: Span::default(), faults: vec![sale::Fault { code, field: None, message: "".into() }] };
        let dates = |rejects: &[&'static str]| {
            let mut dates = Dates::default();
            let sales = [50, 20, 70].map(sale).to_vec();
            dates.add(&Decoded { sales, rejects: rejects.iter().map(|code| reject(code)).collect(), ..Decoded::default() });
            dates
        };
        let then = (0, 100);
        assert!(dates(&[]).stand(then, (0, 200)) && dates(&[]).stand(then, (20, 70)));
        assert!(!dates(&[]).stand(then, (21, 70)) && !dates(&[]).stand(then, (20, 69)));
        assert!(dates(&["bad_json"]).stand(then, (0, 200)) && !dates(&["bad_json"]).stand(then, (20, 70)));
        assert!(!dates(&["sale_date_out_of_range"]).stand(then, (0, 200)));
        assert!(Dates::default().stand(then, (5, 6)));
    }

    #[test]
    fn every_byte_of_a_file_counts() {
        let body = b"records and a table".to_vec();
        let length = (LENGTH + body.len()) as u64;
        let mut whole = head(length, LENGTH as u64 + 12, xxh3_128(&body)).to_vec();
        whole.extend(body);
        assert_eq!(check(&whole), Ok(LENGTH + 12));
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 16;
            assert!(check(&changed).is_err(), "byte {at}");
            assert!(check(&whole[..at]).is_err_and(|why| why.contains("cut short")), "{at} bytes");
        }
        assert!(check(&[whole.clone(), vec![0]].concat()).is_err_and(|why| why.contains("went on")));
        let mut other = whole;
        other[16] = 2;
        assert!(check(&other).is_err_and(|why| why.contains("version 2")));
    }
}
