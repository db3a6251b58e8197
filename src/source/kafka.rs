//! Kafka as a source: the partitions of the topic of sales, and of the one of the stock, shared out over the workers by number.
//!
//! 1. Positions are ours: offsets come from the person, from recorded bindings or from a checkpoint, and each partition is read
//!    from there on without a consumer group. What the brokers remember of a group is for lag tools.
//! 2. Each partition has a queue of its own, filled by the client's threads, which wake the worker. A worker takes batches out of
//!    the queues when it has room; when it does not, the client stops to fetch for that partition, and only for that one.
//! 3. Data that the brokers have deleted is an error, never a jump. A broker that is away is none: reading goes on when it is
//!    back. A partition that stands still although there is more is started again.
//! 4. A partition is idle when it has stood at its end for the idle timeout **and** a broker has just said that this is the end:
//!    an outage of Kafka must not look like one of the shop.

mod queue;
mod message;
mod reader;
mod standing;
mod watch;
mod topic;

pub use topic::{From, Topic};

#[cfg(test)]
mod tests;
