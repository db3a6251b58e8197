//! `--cache[=DIR]`: where what is decoded is written down, and read back the next time.

use super::{Failure, World};
use crate::cache::{Builder, Caches};
use crate::engine::Job;
use crate::settings::Settings;
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The flag.
#[derive(Debug, Args)]
pub struct CacheArgs {
    /// Write down what is decoded of each file, and read that the next time instead of decoding
    /// [default folder: vitrine in $XDG_CACHE_HOME or ~/.cache]
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true, conflicts_with = "processes")]
    #[cfg_attr(feature = "kafka", arg(conflicts_with = "kafka"))]
    cache: Option<Option<PathBuf>>,
}

impl CacheArgs {
    /// Where caches lie, if they are asked for.
    ///
    /// # Errors
    /// When no folder is named, and the environment names none.
    pub fn caches(&self, settings: &Settings, world: &World) -> Result<Option<Caches>, Failure> {
        let Some(named) = &self.cache else { return Ok(None) };
        let set = |name: &str| world.env.iter().find(|(known, value)| known == name && !value.is_empty()).map(|(_, value)| value);
        let home = || Some(Path::new(set("HOME")?).join(".cache"));
        let usual = || Some(set("XDG_CACHE_HOME").map(PathBuf::from).or_else(home)?.join("vitrine"));
        let nowhere = || Failure::Usage("no home folder for a cache; name one: --cache=DIR".into());
        let folder = named.clone().or_else(usual).ok_or_else(nowhere)?;
        Ok(Some(Caches { folder, schema: settings.schema.clone(), epoch_bytes: settings.epoch_bytes }))
    }
}

/// The caches that a run writes, by name of the input.
pub struct Written(Vec<(String, Arc<Builder>)>);

impl Written {
    /// Those of a job.
    pub fn by(job: &Job) -> Written {
        Written(job.inputs.iter().filter_map(|input| Some((input.name.clone(), input.cache()?.clone()))).collect())
    }

    /// The run has ended well.
    pub fn finish(self) {
        for (name, cache) in self.0 {
            cache.finish().unwrap_or_else(|why| tracing::warn!("no cache of {name} was written: {why}"));
        }
    }
}
