//! The partitions of one worker, as the clock reads them.

use super::message::Message;
use super::queue::{self, Queue};
use super::standing::Standings;
use super::watch::{Watch, Watching};
use crate::kafka::client::Logged;
use crate::kafka::names::Names;
use crate::metrics::{self, Metrics};
use dataflows::clock::Failure;
use dataflows::clock::binding::Found;
use dataflows::clock::live::{Batch, Partitions, Taken};
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::RDKafkaErrorCode as Code;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;
use timely::scheduling::SyncActivator;

/// Most messages of a batch, and most bytes before it ends.
const MOST: (usize, usize) = (8_192, 1 << 20);

/// A partition that is read.
struct Partition {
    /// Taken out of the queue and not handed on. Freed before the queue.
    held: VecDeque<Message>,
    queue: Queue,
    next: u64,
    /// How far it is, for whoever asks.
    told: Arc<metrics::Partition>,
}

/// See the [module](self).
pub struct Reader {
    /// Before the client, which must outlive them.
    partitions: BTreeMap<u32, Partition>,
    topics: BTreeMap<String, Rc<queue::Topic>>,
    names: Names,
    standings: Arc<Standings>,
    client: Arc<BaseConsumer<Logged>>,
    watching: Watching,
    watch: Option<Watch>,
    wake: Option<SyncActivator>,
    metrics: Option<Arc<Metrics>>,
}

impl Reader {
    /// Reads these topics; `watching` says what else it looks out for.
    ///
    /// # Errors
    /// The name that the client refuses.
    pub fn new(
        client: BaseConsumer<Logged>,
        names: &Names,
        watching: Watching,
        metrics: Option<Arc<Metrics>>,
    ) -> Result<Reader, String> {
        let client = Arc::new(client);
        let topic = |(name, _): (&str, u32)| {
            let topic = queue::Topic::new(client.clone(), name).ok_or_else(|| name.to_owned())?;
            Ok((name.to_owned(), Rc::new(topic)))
        };
        let topics = names.all().map(topic).collect::<Result<_, String>>()?;
        Ok(Reader {
            partitions: BTreeMap::new(),
            topics,
            names: names.clone(),
            standings: Arc::default(),
            client,
            watching,
            watch: None,
            wake: None,
            metrics,
        })
    }
}

impl Partition {
    /// Takes messages before `upto`, as many as make a batch. Says whether the partition stands at its end behind them.
    fn fill(&mut self, place: &Place, upto: u64, batch: &mut Batch) -> Result<bool, Failure> {
        let mut at_end = false;
        loop {
            if self.held.is_empty() {
                self.queue.take(MOST.0, &mut self.held);
            }
            let Some(message) = self.held.pop_front() else { return Ok(at_end) };
            let offset = u64::try_from(message.offset()).unwrap_or(0);
            if let Some((code, words)) = message.trouble() {
                at_end = place.judge(self.next, code, &words)?;
                if at_end {
                    // Behind the last message stand marks of transactions.
                    self.next = self.next.max(offset.min(upto));
                }
                continue;
            }
            if offset >= upto {
                self.next = upto;
                self.held.push_front(message);
                return Ok(false);
            }
            if offset < self.next {
                continue; // taken before it was started again
            }
            (self.next, at_end) = (offset + 1, false);
            push(&message, offset, batch);
            if batch.bytes.len() >= MOST.1 || self.next == upto {
                return Ok(false);
            }
        }
    }
}

/// Which partition of which topic, for whoever reads about it.
struct Place<'a> {
    topic: &'a str,
    partition: u32,
}

impl Place<'_> {
    /// What a word about a partition means: its end, trouble that passes, or the end of the run.
    fn judge(&self, next: u64, code: Code, words: &str) -> Result<bool, Failure> {
        let Place { topic, partition } = self;
        match code {
            Code::PartitionEOF => Ok(true),
            Code::AutoOffsetReset | Code::OffsetOutOfRange => Err(Failure::Input(format!(
                "partition {partition} of {topic} no longer has offset {next}, which comes next: the brokers have deleted it, or \
                 the topic was made anew; what is lost is lost. Start again with another --state and --from earliest or latest, \
                 and let the topic keep its sales for longer (retention.ms)"
            ))),
            Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => {
                Err(Failure::Input(format!("Kafka does not let us read {topic}: {words}; grant READ and DESCRIBE on it")))
            }
            Code::BadMessage | Code::InvalidMessage | Code::BadCompression | Code::InvalidMessageSize => {
                Err(Failure::Input(format!("partition {partition} of {topic} is damaged at offset {next}: {words}")))
            }
            code => {
                tracing::warn!(partition, next, "Kafka: {words} ({code:?}); trying again");
                Ok(false)
            }
        }
    }
}

fn push(message: &Message, offset: u64, to: &mut Batch) {
    // Values start at places of 4 bytes; one message is at most some megabytes.
    let start = to.bytes.len() as u32;
    to.messages.push(start, (offset, message.timestamp()), message.key(), message.headers());
    to.bytes.extend_from_slice(message.value().unwrap_or_default());
    to.bytes.push(b'\n');
}

impl Partitions for Reader {
    fn wake_by(&mut self, wake: SyncActivator) {
        let (client, names, watching) = (self.client.clone(), self.names.clone(), self.watching.clone());
        self.watch = Some(Watch::start(client, names, watching, self.standings.clone(), wake.clone()));
        self.wake = Some(wake);
    }

    fn found(&mut self) -> Vec<Found> {
        self.watch.as_ref().map(Watch::found).unwrap_or_default()
    }

    fn begin(&mut self, input: u32, start: u64) -> Result<(), Failure> {
        let (name, partition) = self.names.of(input);
        let refused = || Failure::Input(format!("cannot read partition {partition} of {name} from offset {start}"));
        let wake = self.wake.clone().ok_or_else(refused)?;
        let number = i32::try_from(partition).map_err(|_| refused())?;
        let topic = self.topics.get(name).cloned().ok_or_else(refused)?;
        let mut queue = Queue::new(topic, number, wake).ok_or_else(refused)?;
        if !queue.start(i64::try_from(start).map_err(|_| refused())?) {
            return Err(refused());
        }
        tracing::info!(topic = name, partition, start, "partition read");
        self.standings.add(input, start);
        // Where nobody asks, it is told to nobody.
        let told = self.metrics.as_ref().map(|metrics| metrics.source.partition(input)).unwrap_or_default();
        told.at(start);
        self.partitions.insert(input, Partition { held: VecDeque::new(), queue, next: start, told });
        Ok(())
    }

    fn take(&mut self, input: u32, upto: u64) -> Result<Taken, Failure> {
        let (topic, partition) = self.names.of(input);
        let Some(part) = self.partitions.get_mut(&input) else { return Ok(Taken::Nothing) };
        let before = part.next;
        let mut batch = Batch::default();
        let at_end = part.fill(&Place { topic, partition }, upto, &mut batch)?;
        let (next, now) = (part.next, Instant::now());
        self.standings.with(input, |standing| standing.read(next, at_end, now));
        if next > before {
            part.told.at(next);
            part.told.idle.store(false, Relaxed);
            batch.next = next;
            return Ok(Taken::Batch(batch));
        }
        let said = self.standings.with(input, |standing| standing.nothing(now));
        let (taken, again) = said.unwrap_or((Taken::Nothing, false));
        match taken {
            Taken::Idle => part.told.idle.store(true, Relaxed),
            Taken::Awake => part.told.idle.store(false, Relaxed),
            Taken::Batch(_) | Taken::Nothing => {}
        }
        if again {
            tracing::warn!(topic, partition, next, "there is more in the partition than comes: reading it again from here");
            part.held.clear();
            part.queue.start(i64::try_from(next).unwrap_or(i64::MAX));
        }
        Ok(taken)
    }
}
