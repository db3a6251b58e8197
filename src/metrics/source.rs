//! Numbers of live inputs: the partitions that are read here.

use dataflows::clock::live::STOCK;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// An input partition that is read here. Offsets as Kafka counts them.
#[derive(Debug, Default)]
pub struct Partition {
    /// The next offset to be read.
    pub position: AtomicI64,
    /// The last stable offset: what a reader of committed records can reach.
    pub end: AtomicI64,
    /// Whether it has stood at its end for the idle timeout.
    pub idle: AtomicBool,
}

impl Partition {
    /// Read up to this offset.
    pub fn at(&self, next: u64) {
        self.position.store(i64::try_from(next).unwrap_or(i64::MAX), Relaxed);
    }

    /// Records that could be read and have not been.
    pub fn lag(&self) -> i64 {
        (self.end.load(Relaxed) - self.position.load(Relaxed)).max(0)
    }
}

/// What a partition is called that is this input; those of the stock are told apart.
pub fn label(input: u32) -> String {
    match input.checked_sub(STOCK) {
        Some(number) => format!("stock-{number}"),
        None => input.to_string(),
    }
}

/// Reading live inputs.
#[derive(Debug, Default)]
pub struct Source {
    /// Whether inputs are live: without, nothing is asked of brokers and partitions.
    pub live: AtomicBool,
    /// Whether a broker answers.
    pub reachable: AtomicBool,
    /// The topic that says what is in stock.
    stock: OnceLock<String>,
    partitions: RwLock<BTreeMap<u32, Arc<Partition>>>,
}

impl Source {
    /// A topic says what is in stock.
    pub fn stocked(&self, topic: Option<&str>) {
        topic.into_iter().for_each(|topic| _ = self.stock.set(topic.to_owned()));
    }

    /// The number of a topic's first partition as an input.
    pub fn first(&self, topic: &str) -> u32 {
        if self.stock.get().is_some_and(|stock| stock == topic) { STOCK } else { 0 }
    }

    /// The numbers of an input that is read here; made at the first call.
    pub fn partition(&self, number: u32) -> Arc<Partition> {
        self.partitions.write().unwrap_or_else(PoisonError::into_inner).entry(number).or_default().clone()
    }

    /// A partition is no longer read here.
    pub fn forget(&self, number: u32) {
        self.partitions.write().unwrap_or_else(PoisonError::into_inner).remove(&number);
    }

    /// All partitions that are read here.
    pub fn partitions(&self) -> BTreeMap<u32, Arc<Partition>> {
        self.partitions.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
