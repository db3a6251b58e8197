//! The replay cache: what an earlier run decoded of a file, so that the next one need not.
//!
//! Decoding is most of a replay, and the same file is replayed again and again, with other windows or thresholds. So
//! `replay --cache` writes down what it decodes, and the next replay reads that instead, with the same rows, dead letters,
//! epochs and certificate. One cache a file, in one folder; a cache is written anew when anything about it is not as it should be,
//! and a line says why. A cache is a convenience: where none can be written, the run goes on without.
//!
//! | module | what it does |
//! |---|---|
//! | `image` | sales as they lie in memory; the one place for `unsafe` and `abomonation` |
//! | `head` | by what a cache is recognised: magic, version, layout, length, checksum, settings, source |
//! | `write` | writing one while a run decodes |
//! | `read` | reading one |

mod head;
mod image;
mod read;
mod write;

pub use read::Cache;
pub use write::Builder;

use dataflows::clock::Format;
use dataflows::dictionary::identity;
use dataflows::schema::Schema;
use head::{Made, Stamp};
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where caches lie, and what the decoding of this run depends on.
pub struct Caches {
    /// The folder.
    pub folder: PathBuf,
    /// How records become sales.
    pub schema: Schema,
    /// Length of a block.
    pub epoch_bytes: u64,
}

/// What there is for a file.
pub enum Found {
    /// A cache to be read.
    Cache(Arc<Cache>),
    /// A cache to be written.
    Builder(Arc<Builder>),
    /// Neither; a line has said why.
    Nothing,
}

impl Caches {
    /// Looks for the cache of a file, and begins one where there is none that can be used.
    pub fn look(&self, name: &str, file: &File, format: Format, packing: Option<&str>) -> Found {
        match self.find(name, file, format, packing) {
            Ok(found) => found,
            Err(e) => {
                tracing::warn!("no cache of {name} can be written in {}: {e}", self.folder.display());
                Found::Nothing
            }
        }
    }

    fn find(&self, name: &str, source: &File, format: Format, packing: Option<&str>) -> io::Result<Found> {
        let path = Path::new(name).canonicalize()?;
        let stamp = Stamp::of(&path, source)?;
        let made = Made::new(format, packing.unwrap_or("plain"), &self.schema, self.epoch_bytes);
        let at = self.path(&path);
        match File::open(&at) {
            Ok(file) => match Cache::open(file, source.try_clone()?, &made, &stamp) {
                Ok(cache) => {
                    tracing::info!("{name} is decoded already: {}", at.display());
                    return Ok(Found::Cache(Arc::new(cache)));
                }
                Err(why) => tracing::warn!("the cache of {name} is rebuilt: {why} ({})", at.display()),
            },
            Err(e) if e.kind() == io::ErrorKind::NotFound => tracing::info!("{name} is decoded into {}", at.display()),
            Err(e) => tracing::warn!("the cache of {name} is rebuilt: {e} ({})", at.display()),
        }
        fs::create_dir_all(&self.folder)?;
        stamp.settle();
        let builder = Builder::begin(source.try_clone()?, at, made, stamp, packing.is_some())?;
        if builder.is_none() {
            tracing::warn!("no cache of {name} is written: another run is writing it");
        }
        Ok(builder.map_or(Found::Nothing, |builder| Found::Builder(Arc::new(builder))))
    }

    /// The cache of the file at this path: named like the file, for a person who looks into the folder.
    fn path(&self, path: &Path) -> PathBuf {
        let hash = identity(path.as_os_str().as_bytes()) as u64;
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!("-{hash:016x}.sales"));
        self.folder.join(name)
    }
}
