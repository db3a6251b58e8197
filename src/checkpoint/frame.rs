//! Frames: a file of values that notices when it was cut short or changed.
//!
//! ```text
//! file  = magic frame*
//! magic = "vitrine state 1\n"
//! frame = length u32, xxh3-64 of the bytes u64, bytes      integers little-endian
//! ```
//! The bytes are a value as `postcard` writes it.

use super::manifest::Piece;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

const MAGIC: &[u8; 16] = b"vitrine state 1\n";

/// No frame is longer: an open pane of a busy hour is far shorter.
const LONGEST: u32 = 1 << 30;

/// Writes frames, and hashes all that it has written.
pub struct Writer<W> {
    to: W,
    hash: Xxh3,
    /// Bytes written.
    pub bytes: u64,
    scratch: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// Those of the file.
    pub fn begin(to: W) -> std::io::Result<Writer<W>> {
        let mut writer = Writer { to, hash: Xxh3::new(), bytes: 0, scratch: vec![] };
        writer.put(MAGIC)?;
        Ok(writer)
    }

    fn put(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.to.write_all(bytes)?;
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Writes a value.
    ///
    /// # Errors
    /// Those of the file.
    pub fn frame<T: Serialize>(&mut self, value: &T) -> std::io::Result<()> {
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        let bytes = postcard::to_extend(value, bytes).map_err(std::io::Error::other)?;
        let length = u32::try_from(bytes.len()).ok().filter(|n| *n <= LONGEST);
        let length = length.ok_or_else(|| std::io::Error::other("a state of more than 1 GiB in one piece"))?;
        self.put(&length.to_le_bytes())?;
        self.put(&xxh3_64(&bytes).to_le_bytes())?;
        self.put(&bytes)?;
        self.scratch = bytes;
        Ok(())
    }

    /// The hash of all that was written, in hex, and the file.
    pub fn end(self) -> (String, W) {
        (digest(&self.hash), self.to)
    }
}

/// Reads frames.
pub struct Reader {
    path: PathBuf,
    from: BufReader<File>,
    left: u64,
    begun: bool,
    hash: Xxh3,
    expected: String,
}

impl Reader {
    /// For a file that a manifest names; what lies behind its length is not read.
    ///
    /// # Errors
    /// In words, when it cannot be opened or is shorter.
    pub fn open(path: &Path, piece: &Piece) -> Result<Reader, String> {
        let bytes = piece.bytes;
        let file = File::open(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        let length = file.metadata().map_err(|e| format!("cannot read {}: {e}", path.display()))?.len();
        if length < bytes {
            return Err(damaged(path, &format!("it has {length} bytes of {bytes}")));
        }
        Ok(Reader {
            path: path.to_path_buf(),
            from: BufReader::with_capacity(1 << 18, file),
            left: bytes,
            begun: false,
            hash: Xxh3::new(),
            expected: piece.hash.clone(),
        })
    }

    fn take(&mut self, n: usize) -> Result<Vec<u8>, String> {
        self.left = self.left.checked_sub(n as u64).ok_or_else(|| damaged(&self.path, "a frame goes beyond its end"))?;
        let mut bytes = vec![0; n];
        self.from.read_exact(&mut bytes).map_err(|e| format!("cannot read {}: {e}", self.path.display()))?;
        self.hash.update(&bytes);
        Ok(bytes)
    }

    /// The next value, `None` at the end.
    ///
    /// # Errors
    /// In words, when the file is damaged.
    pub fn read<T: DeserializeOwned>(&mut self) -> Result<Option<T>, String> {
        if !std::mem::replace(&mut self.begun, true) && self.take(MAGIC.len())? != MAGIC {
            return Err(damaged(&self.path, "it does not begin like one"));
        }
        if self.left == 0 {
            // Whole frames of another file would pass for ours otherwise.
            let whole = digest(&self.hash) == self.expected;
            return if whole { Ok(None) } else { Err(damaged(&self.path, "it is not the file that the manifest names")) };
        }
        let head = self.take(12)?;
        let length = u32::from_le_bytes(std::array::from_fn(|i| head[i]));
        let hash = u64::from_le_bytes(std::array::from_fn(|i| head[4 + i]));
        let bytes = self.take(length.min(LONGEST) as usize)?;
        if xxh3_64(&bytes) != hash {
            return Err(damaged(&self.path, "a checksum differs"));
        }
        postcard::from_bytes(&bytes).map(Some).map_err(|e| damaged(&self.path, &e.to_string()))
    }
}

fn digest(hash: &Xxh3) -> String {
    format!("{:016x}", hash.digest())
}

fn damaged(path: &Path, how: &str) -> String {
    format!("{} is damaged: {how}; remove the newest folder in checkpoints/ to go on from the one before", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, from: u32) -> Piece {
        let mut writer = Writer::begin(File::create(path).expect("a file")).expect("begun");
        (0..3_u32).for_each(|n| writer.frame(&vec![from + n; n as usize + 1]).expect("written"));
        let bytes = writer.bytes;
        Piece { file: String::new(), bytes, hash: writer.end().0 }
    }

    fn read(path: &Path, piece: &Piece) -> Result<Vec<Vec<u32>>, String> {
        let mut reader = Reader::open(path, piece)?;
        let mut all = vec![];
        while let Some(value) = reader.read()? {
            all.push(value);
        }
        Ok(all)
    }

    #[test]
    fn a_whole_file_that_is_another_one_is_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x");
        let piece = write(&path, 0);
        assert_eq!(write(&path, 5).bytes, piece.bytes);
        assert!(read(&path, &piece).is_err_and(|e| e.contains("not the file that the manifest names")));
    }

    #[test]
    fn values_come_back_and_damage_is_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x");
        let piece = &write(&path, 0);
        assert_eq!(read(&path, piece), Ok(vec![vec![0], vec![1, 1], vec![2, 2, 2]]));
        let whole = std::fs::read(&path).expect("bytes");
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 4;
            std::fs::write(&path, &changed).expect("written");
            let problem = read(&path, piece).expect_err("a flipped bit shows");
            assert!(problem.contains("is damaged"), "{problem}");
        }
        std::fs::write(&path, &whole[..whole.len() - 1]).expect("written");
        assert!(read(&path, piece).is_err_and(|e| e.contains("bytes of")));
        // What lies behind the length that the manifest knows was written later.
        std::fs::write(&path, [&whole[..], b"half a fra"].concat()).expect("written");
        assert_eq!(read(&path, piece).map(|all| all.len()), Ok(3));
    }
}
