//! Where sales come from: each input is bytes and a name, nothing more.
//!
//! 1. What an input *is* is decided by its name and by what kind of file it is, so that all processes of a cluster agree
//!    on who reads it: a plain file of lines is read by all workers, block by block; everything else by one worker, from front
//!    to end. What has no copy elsewhere (standard input, pipes, generated sales) belongs to worker 0 of process 0.
//! 2. An input that cannot be read to its end is an error. It never looks as if it had ended: what would come after the
//!    watermark moved to the end would be wrong.
//! 3. A live source has no end, and is not a list of inputs: its partitions are found as the run goes on ([`live`], `kafka`),
//!    and what was read of them when is recorded ([`bindings`]).

mod file;
mod pipe;
mod generated;
pub mod live;
pub mod bindings;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "kafka")]
pub mod records;

pub use generated::Line;

use crate::cache::{Builder, Cache, Caches, Found};
use crate::error::Error;
use dataflows::clock::{Blocks, Feed, Format, Pull};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Opens an input on the worker that reads it.
type Opener = Box<dyn FnOnce() -> Result<Box<dyn Pull>, String> + Send>;

/// An input, ready to be read.
pub struct Input {
    /// As it was named.
    pub name: String,
    /// How its records are written.
    pub format: Format,
    /// Bytes stored, if known.
    pub size: Option<u64>,
    /// Whether its records say what is in stock, and are no sales.
    pub stock: bool,
    reading: Reading,
    /// Where what is decoded of it is written down.
    cache: Option<Arc<Builder>>,
}

enum Reading {
    /// By all workers, with nothing left to decode.
    Cache(Arc<Cache>),
    /// By all workers.
    Blocks(Arc<dyn Blocks>),
    /// By the worker whose turn it is, or by the first one.
    Front { opener: Mutex<Option<Opener>>, only_copy: bool },
}

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    None,
    Gzip,
    Zstd,
}

impl Packing {
    /// What it is called, if there is any.
    fn name(self) -> Option<&'static str> {
        match self {
            Packing::None => None,
            Packing::Gzip => Some("gzip"),
            Packing::Zstd => Some("zstd"),
        }
    }
}

impl Input {
    /// An input named on the command line: a path, or `-` for standard input. The format follows the name unless it is given.
    ///
    /// # Errors
    /// When it cannot be read, or its name does not say what it is.
    pub fn open(name: &str, format: Option<Format>) -> Result<Input, Error> {
        Input::open_with(name, format, None)
    }

    /// The same; a file that was decoded before is read from its cache, and one that was not gets a cache.
    ///
    /// # Errors
    /// When it cannot be read, or its name does not say what it is.
    pub fn open_with(name: &str, format: Option<Format>, caches: Option<&Caches>) -> Result<Input, Error> {
        let uncached = || {
            if caches.is_some() {
                tracing::warn!("no cache of {name}: only files have one");
            }
        };
        if name == "-" {
            uncached();
            let opener: Opener = Box::new(|| Ok(Box::new(pipe::Pipe::new(|| Ok(std::io::stdin())))));
            return Ok(Input::front(name, format.unwrap_or(Format::Json), None, opener, true));
        }
        let cannot = |problem: String| Error::Input(format!("cannot read {name}: {problem}"));
        let path = Path::new(name);
        let meta = std::fs::metadata(path).map_err(|e| cannot(e.to_string()))?;
        if meta.is_dir() {
            return Err(cannot("it is a directory; name the files in it".into()));
        }
        let (known, packing) = kind(name);
        let format = format.or(known).ok_or_else(|| cannot(UNKNOWN.into()))?;
        if !meta.is_file() {
            uncached();
            let path = path.to_owned();
            let opener: Opener = match packing {
                Packing::None => Box::new(move || Ok(Box::new(pipe::Pipe::new(move || std::fs::File::open(path))))),
                Packing::Gzip | Packing::Zstd => return Err(cannot("a compressed pipe: decompress it on the way".into())),
            };
            return Ok(Input::front(name, format, None, opener, true));
        }
        let file = std::fs::File::open(path).map_err(|e| cannot(e.to_string()))?;
        let size = meta.len();
        let found = caches.map(|caches| caches.look(name, &file, format, packing.name()));
        let cache = match found {
            Some(Found::Cache(cache)) => {
                let reading = Reading::Cache(cache);
                return Ok(Input { name: name.into(), format, size: Some(size), stock: false, reading, cache: None });
            }
            Some(Found::Builder(builder)) => Some(builder),
            Some(Found::Nothing) | None => None,
        };
        if packing == Packing::None && format == Format::Json {
            let reading = Reading::Blocks(Arc::new(file::Plain::new(file, size)));
            return Ok(Input { name: name.into(), format, size: Some(size), stock: false, reading, cache });
        }
        let opener: Opener = Box::new(move || file::packed(file, packing));
        Ok(Input { cache, ..Input::front(name, format, Some(size), opener, false) })
    }

    /// The file of `[stock]`, which is read beside the sales: like any input it holds the watermark back until it has ended or is
    /// ahead, so that what was in stock is known before the sales that follow.
    ///
    /// # Errors
    /// Those of [`Input::open`].
    pub fn stock(name: &str) -> Result<Input, Error> {
        Ok(Input { stock: true, ..Input::open(name, None)? })
    }

    /// Sales made by this program: JSON lines, each with its time of arrival in milliseconds. They come at that pace times
    /// `speed`, or as fast as they are taken.
    pub fn generated(name: &str, speed: Option<f64>, lines: impl Iterator<Item = Line> + Send + 'static) -> Input {
        let opener: Opener = Box::new(move || Ok(Box::new(generated::Generated::new(lines, speed))));
        Input::front(name, Format::Json, None, opener, true)
    }

    fn front(name: &str, format: Format, size: Option<u64>, opener: Opener, only_copy: bool) -> Input {
        let reading = Reading::Front { opener: Mutex::new(Some(opener)), only_copy };
        Input { name: name.into(), format, size, stock: false, reading, cache: None }
    }

    /// How one worker reads this input, the `i`-th.
    ///
    /// # Errors
    /// When it cannot be opened there.
    pub fn feed(&self, i: usize, worker: usize, peers: usize) -> Result<Feed, Error> {
        match &self.reading {
            Reading::Cache(cache) => {
                let kept = cache.worker().map_err(|e| Error::Input(format!("cannot read {}: {e}", self.name)))?;
                Ok(Feed::Kept(kept))
            }
            Reading::Blocks(file) => Ok(Feed::Blocks(file.clone())),
            Reading::Front { opener, only_copy } => {
                let owner = if *only_copy { 0 } else { i % peers };
                let opener = if owner == worker { opener.lock().ok().and_then(|mut opener| opener.take()) } else { None };
                let Some(opener) = opener else { return Ok(Feed::Other) };
                let pull = opener().map_err(|e| Error::Input(format!("cannot read {}: {e}", self.name)))?;
                Ok(Feed::Mine(pull))
            }
        }
    }

    /// Where what is decoded of it is written down, if it is.
    pub fn cache(&self) -> Option<&Arc<Builder>> {
        self.cache.as_ref()
    }

    /// Whether all workers read it; the same on all processes, or they would wait for each other.
    pub fn shared(&self) -> bool {
        matches!(self.reading, Reading::Blocks(_) | Reading::Cache(_))
    }
}

const UNKNOWN: &str = "its name does not say what it holds; known are .ndjson, .jsonl, .json and .csv, each also with .gz or \
                       .zst behind it; or give the format";

/// What a name says about a file.
fn kind(name: &str) -> (Option<Format>, Packing) {
    let name = name.to_ascii_lowercase();
    let (inner, packing) = match name.rsplit_once('.') {
        Some((inner, "gz")) => (inner, Packing::Gzip),
        Some((inner, "zst")) => (inner, Packing::Zstd),
        _ => (name.as_str(), Packing::None),
    };
    let format = match inner.rsplit_once('.').map(|(_, extension)| extension) {
        Some("ndjson" | "jsonl" | "json") => Some(Format::Json),
        Some("csv") => Some(Format::Csv),
        _ => None,
    };
    (format, packing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_files_hold() {
        assert_eq!(kind("a/b.ndjson"), (Some(Format::Json), Packing::None));
        assert_eq!(kind("B.JSONL.GZ"), (Some(Format::Json), Packing::Gzip));
        assert_eq!(kind("x.y.csv.zst"), (Some(Format::Csv), Packing::Zstd));
        assert_eq!(kind("sales.gz"), (None, Packing::Gzip));
        assert_eq!(kind("sales.xlsx"), (None, Packing::None));
        assert_eq!(kind("sales"), (None, Packing::None));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("sales.xlsx"), "x").expect("written");
        let problem = |name: &str| match Input::open(&path(name), None) {
            Ok(_) => panic!("{name} opened"),
            Err(e) => (e.exit_code(), e.to_string().replace(&path(name), "IT")),
        };
        assert_eq!(problem("missing.csv").0, 74);
        assert!(problem("missing.csv").1.starts_with("cannot read IT: "));
        assert!(problem("").1.ends_with("it is a directory; name the files in it"));
        assert!(problem("sales.xlsx").1.contains(".ndjson"));
        assert!(Input::open(&path("sales.xlsx"), Some(Format::Csv)).is_ok());
    }
}
