//! The consumer group, where lag tools look. What stands there is never read back.

use crate::error::Error;
use crate::kafka::client::{self, Logged};
use crate::kafka::names::Names;
use crate::settings::kafka::Kafka;
use dataflows::clock::Binding;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerGroupMetadata};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How often lag tools are told: as often as a consumer that commits by itself would, because it makes the transaction longer.
const TELL: Duration = Duration::from_secs(5);

/// Where lag tools look: the consumer group.
pub(super) struct Group {
    names: Names,
    /// For offsets that belong to a transaction.
    pub metadata: Option<ConsumerGroupMetadata>,
    consumer: BaseConsumer<Logged>,
    /// By input: the next offset, of those that have moved since they were told.
    moved: BTreeMap<u32, u64>,
    told: Option<Instant>,
}

impl Group {
    pub fn new(kafka: &Kafka, exact: bool) -> Result<Group, Error> {
        let consumer: BaseConsumer<Logged> =
            client::consumer(kafka)?.create_with_context(Logged::default()).map_err(|e| client::cannot(&e))?;
        let metadata = if exact { consumer.group_metadata() } else { None };
        let names = Names::new(kafka);
        Ok(Group { names, metadata, consumer, moved: BTreeMap::new(), told: None })
    }

    /// An epoch is among those to be committed.
    pub fn heard(&mut self, binding: &Binding) {
        self.moved.extend(binding.blocks.iter().map(|block| (block.input, block.upto)));
    }

    /// What to tell, now and then.
    pub fn due(&mut self) -> Option<TopicPartitionList> {
        // A client that nobody asks gathers what it has to say.
        let _ = self.consumer.poll(Duration::ZERO);
        if self.moved.is_empty() || self.told.is_some_and(|told| told.elapsed() < TELL) {
            return None;
        }
        self.told = Some(Instant::now());
        let mut list = TopicPartitionList::new();
        for (input, next) in std::mem::take(&mut self.moved) {
            let (topic, partition) = self.names.of(input);
            // An offset that Kafka cannot have is not told; it is for show.
            let _ = list.add_partition_offset(topic, partition as i32, Offset::Offset(next as i64));
        }
        Some(list)
    }

    /// Tells without a transaction.
    pub fn tell(&self, list: &TopicPartitionList) {
        if let Err(e) = self.consumer.commit(list, CommitMode::Async) {
            tracing::info!("Kafka: offsets cannot be shown to lag tools: {e}");
        }
    }
}
