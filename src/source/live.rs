//! A source that goes on for ever: what the engine needs of it, and what a run of it is.

use crate::error::Error;
use dataflows::clock::live::Partitions;
use dataflows::clock::{Policy, Record};
use std::sync::Arc;

/// A source of partitions.
pub trait Source: Send + Sync {
    /// As the person calls it: the name of the topic.
    fn name(&self) -> &str;
    /// The same of the one that says what is in stock, if there is one; its partitions are numbered from
    /// [`STOCK`](dataflows::clock::live::STOCK) on.
    fn stock(&self) -> Option<&str>;
    /// The reader of one worker, made on its thread.
    ///
    /// # Errors
    /// When it cannot be made.
    fn reader(&self, worker: usize) -> Result<Box<dyn Partitions>, Error>;
}

/// A live run.
#[derive(Clone)]
pub struct Live {
    /// What is read.
    pub source: Arc<dyn Source>,
    /// How it is bound.
    pub policy: Policy,
    /// Who keeps the bindings, on process 0.
    pub record: Option<Arc<dyn Record>>,
    /// A date so many milliseconds ahead of the broker's time is refused.
    pub max_future: i64,
}
