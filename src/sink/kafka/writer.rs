//! The thread that writes: what was handed over becomes transactions of whole epochs.

use super::group::Group;
use super::letter::letter;
use super::progress::Progress;
use super::queue::{Item, Next};
use super::record::{self, ID, REVISION};
use super::reports::Reports;
use super::{REMEMBERED, Shared};
use crate::engine::Stop;
use crate::error::Error;
use crate::fault::Kill;
use crate::kafka::client::PATIENCE;
use dataflows::clock::Binding;
use dataflows::edge::Table;
use dataflows::message::Original;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use rdkafka::topic_partition_list::TopicPartitionList;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// Epochs without a row are committed after so long. Longer than the slide of a window of a second: a transaction that begins while
/// the brokers still end the one before is told to come back in 20 ms.
const AT_LEAST: Duration = Duration::from_secs(2);

/// While whole epochs wait, they go along, for at most so long and so many bytes.
const ALONG: (Duration, usize) = (Duration::from_millis(200), 16 << 20);

/// Between two looks at what takes its time.
const LOOK: Duration = Duration::from_millis(1);

/// See the [module](self).
pub(super) struct Writer {
    pub producer: ThreadedProducer<Reports>,
    pub shared: Arc<Shared>,
    pub stop: Stop,
    pub kill: Kill,
    pub exact: bool,
    pub topics: [String; Table::COUNT],
    pub progress_topic: String,
    pub me: Progress,
    pub group: Option<Group>,
}

/// What is written and not committed.
#[derive(Default)]
struct Open {
    begun: Option<Instant>,
    /// The first epoch that waits for a commit came then.
    since: Option<Instant>,
    bindings: Vec<Binding>,
    rows: u64,
    bytes: usize,
    cut: u64,
    /// Rows of an epoch that has not ended.
    within: bool,
}

impl Open {
    fn due(&self) -> bool {
        self.since.is_some_and(|since| since.elapsed() >= AT_LEAST)
    }
}

impl Writer {
    /// Writes until there is nothing more, or it fails.
    pub fn run(mut self) {
        let mut open = Open::default();
        if let Err(error) = self.work(&mut open) {
            self.abort(&open);
            self.shared.queue.fail(error);
            // Whoever hands over hears of it; when nothing is handed over, the stop is.
            self.stop.request();
        }
    }

    fn work(&mut self, open: &mut Open) -> Result<(), Error> {
        loop {
            // In the middle of an epoch there is nothing to commit.
            let deadline = open.since.filter(|_| !open.within).map(|since| since + AT_LEAST);
            match self.shared.queue.pop(deadline) {
                Next::Item(Item::Rows { table, lines }) => {
                    self.prepare(open)?;
                    self.rows(table, &lines, open)?;
                }
                Next::Item(Item::Letters { lines, originals }) => {
                    self.prepare(open)?;
                    self.letters(&lines, &originals, open)?;
                }
                Next::Item(Item::Epoch { binding, certificate }) => {
                    self.me.certificate = certificate;
                    self.group.iter_mut().for_each(|group| group.heard(&binding));
                    open.bindings.push(*binding);
                    open.since.get_or_insert_with(Instant::now);
                    open.within = false;
                    let along = self.shared.queue.has_epoch()
                        && open.begun.is_none_or(|begun| begun.elapsed() < ALONG.0)
                        && open.bytes < ALONG.1;
                    if open.due() || (self.exact && open.rows > 0 && !along) {
                        self.commit(open)?;
                    }
                }
                Next::Item(Item::Stop) | Next::Nothing => self.commit(open)?,
                Next::End(true) => return self.commit(open),
                Next::End(false) => {
                    self.abort(open);
                    return Ok(());
                }
            }
        }
    }

    /// Before rows are written.
    fn prepare(&mut self, open: &mut Open) -> Result<(), Error> {
        if !open.within && open.due() {
            self.commit(open)?;
        }
        open.within = true;
        self.begin(open)
    }

    fn begin(&self, open: &mut Open) -> Result<(), Error> {
        if open.begun.is_some() {
            return self.delivered(open);
        }
        open.begun = Some(Instant::now());
        if self.exact {
            self.producer.begin_transaction().map_err(|e| self.why(&e, open))?;
            self.kill.at("begin");
        }
        Ok(())
    }

    fn rows(&self, table: Table, lines: &[u8], open: &mut Open) -> Result<(), Error> {
        for line in record::lines(lines) {
            let row = record::record(table, line);
            let mut headers = OwnedHeaders::new().insert(Header { key: ID, value: Some(&row.id) });
            if let Some(revision) = row.revision {
                headers = headers.insert(Header { key: REVISION, value: Some(revision) });
            }
            let record = BaseRecord::to(&self.topics[table as usize]).key(row.key.as_slice()).headers(headers);
            let record = BaseRecord { payload: row.value, ..record };
            if let Err(e) = self.send(record) {
                return Err(self.why(&e, open));
            }
            open.rows += 1;
            self.kill.at("send");
        }
        open.bytes += lines.len();
        Ok(())
    }

    fn letters(&self, lines: &[u8], originals: &[Original], open: &mut Open) -> Result<(), Error> {
        for (i, line) in record::lines(lines).enumerate() {
            let letter = letter(&self.me.job, line, originals.get(i));
            let letter = letter.map_err(|e| Error::Bug(format!("a dead letter cannot be read back: {e}")))?;
            let sent = |letter: &super::letter::Letter, key: Option<&[u8]>, value: Option<&[u8]>| {
                let headers =
                    letter.headers.iter().fold(OwnedHeaders::new_with_capacity(letter.headers.len()), |all, (name, value)| {
                        all.insert(Header { key: name, value: value.as_deref() })
                    });
                let record: BaseRecord<'_, [u8], [u8]> =
                    BaseRecord::to(&self.topics[Table::DeadLetters as usize]).headers(headers);
                self.send(BaseRecord { key, payload: value, ..record })
            };
            match sent(&letter, letter.key.as_deref(), Some(&letter.value)) {
                // With our headers it is more than a record may have.
                Err(KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge)) => {
                    let letter = letter.cut();
                    sent(&letter, letter.key.as_deref(), None).map_err(|e| self.why(&e, open))?;
                    open.cut += 1;
                }
                sent => sent.map_err(|e| self.why(&e, open))?,
            }
            open.rows += 1;
            self.kill.at("send");
        }
        open.bytes += lines.len();
        Ok(())
    }

    /// Hands a record to the client; waits when that is full.
    fn send(&self, mut record: BaseRecord<'_, [u8], [u8]>) -> KafkaResult<()> {
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) if !self.shared.queue.given_up() => {
                    record = back;
                    std::thread::sleep(LOOK);
                }
                Err((error, _)) => return Err(error),
            }
        }
    }

    /// Says who we are: nobody who reads the topic up to here can miss what was committed before.
    pub fn announce(&mut self) -> Result<(), Error> {
        let mut open = Open::default();
        self.begin(&mut open)?;
        self.progress(std::slice::from_ref(&self.me), &open)?;
        self.wait(&open)?;
        self.end(&open)?;
        self.kill.at("incarnation");
        Ok(())
    }

    fn progress(&self, records: &[Progress], open: &Open) -> Result<(), Error> {
        for record in records {
            let text = serde_json::to_vec(record).map_err(|e| Error::Bug(format!("a binding is no JSON: {e}")))?;
            let record = BaseRecord::to(&self.progress_topic).key(self.me.job.as_bytes()).payload(text.as_slice()).partition(0);
            self.send(record).map_err(|e| self.why(&e, open))?;
        }
        Ok(())
    }

    /// Commits the epochs that have ended; the caller knows that no other one has begun.
    fn commit(&mut self, open: &mut Open) -> Result<(), Error> {
        if open.bindings.is_empty() {
            return Ok(());
        }
        let epoch = open.bindings.last().map(|binding| binding.epoch);
        let _span = tracing::debug_span!("transaction", epoch, exact = self.exact).entered();
        self.begin(open)?;
        let done = std::mem::take(&mut open.bindings);
        let (last, epochs) = (done.last().map(|binding| binding.epoch), done.len());
        if !self.exact {
            // What is on the progress topic is delivered.
            self.wait(open)?;
        }
        let metrics = self.shared.metrics.get();
        let told = if metrics.is_some() { done.clone() } else { vec![] };
        let records = self.me.of(done);
        self.progress(&records, open)?;
        self.kill.at("progress");
        if let Some(list) = self.group.as_mut().and_then(Group::due) {
            self.tell(&list, open)?;
            self.kill.at("offsets");
        }
        self.wait(open)?;
        self.kill.at("commit-before");
        self.kill.soon_after("commit-during");
        self.end(open)?;
        self.kill.at("commit-after");
        let Open { begun, rows, cut, .. } = std::mem::take(open);
        let took = begun.map_or(Duration::ZERO, |begun| begun.elapsed());
        if let Some(metrics) = metrics {
            metrics.sink.committed.fetch_add(1, Ordering::Relaxed);
            metrics.sink.transaction.observe(took.as_secs_f64());
            told.iter().for_each(|binding| metrics.left(binding));
        }
        tracing::debug!(epoch = last, epochs, rows, took_us = took.as_micros() as u64, "transaction committed");
        if let Some(last) = last {
            let mut records = self.shared.records.lock().unwrap_or_else(PoisonError::into_inner);
            records.push_back((last, self.producer.context().offset()));
            while records.len() > REMEMBERED {
                records.pop_front();
            }
        }
        let mut stats = self.shared.stats.lock().unwrap_or_else(PoisonError::into_inner);
        stats.rows += rows;
        stats.cut += cut;
        stats.transactions += 1;
        stats.epoch = last;
        stats.took = took.as_micros() as u64;
        Ok(())
    }

    /// Tells lag tools how far we are.
    fn tell(&self, list: &TopicPartitionList, open: &Open) -> Result<(), Error> {
        let Some(group) = &self.group else { return Ok(()) };
        match &group.metadata {
            Some(metadata) => self.retried(open, || self.producer.send_offsets_to_transaction(list, metadata, PATIENCE)),
            None => {
                group.tell(list);
                Ok(())
            }
        }
    }

    /// Waits until all is delivered. Not by `flush`, which looks in slices of 100 ms.
    fn wait(&self, open: &Open) -> Result<(), Error> {
        while self.producer.in_flight_count() > 0 {
            self.delivered(open)?;
            if self.shared.queue.given_up() && open.begun.is_some_and(|begun| begun.elapsed() > PATIENCE) {
                return Err(Error::Unavailable("given up while records were on their way".into()));
            }
            std::thread::sleep(LOOK);
        }
        self.delivered(open)
    }

    /// Whether every record so far was delivered or is on its way.
    fn delivered(&self, open: &Open) -> Result<(), Error> {
        self.producer.context().failed().map_or(Ok(()), |(_, error)| Err(self.why(&error, open)))
    }

    /// Commits, for ever. The caller has waited for what is on its way: the client would look for that in slices of 100 ms.
    fn end(&self, open: &Open) -> Result<(), Error> {
        if !self.exact {
            return Ok(());
        }
        self.retried(open, || self.producer.commit_transaction(PATIENCE))
    }

    fn retried(&self, open: &Open, attempt: impl Fn() -> KafkaResult<()>) -> Result<(), Error> {
        loop {
            match attempt() {
                Ok(()) => return Ok(()),
                Err(KafkaError::Transaction(e)) if e.is_retriable() && !e.is_fatal() && !e.txn_requires_abort() => {
                    tracing::warn!("Kafka: {e}; trying again");
                }
                Err(KafkaError::Flush(e)) => tracing::warn!("Kafka: {e}; trying again"),
                Err(e) => return Err(self.why(&e, open)),
            }
            if let Some(metrics) = self.shared.metrics.get() {
                metrics.sink.errors.fetch_add(1, Ordering::Relaxed);
            }
            if self.shared.queue.given_up() {
                return Err(Error::Unavailable("given up while a transaction was to be committed".into()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Gives up what is not committed, if the broker is there to hear it; else it finds out by itself.
    fn abort(&self, open: &Open) {
        if !self.exact || open.begun.is_none() {
            return;
        }
        match self.producer.abort_transaction(Duration::from_secs(5)) {
            Ok(()) => {
                if let Some(metrics) = self.shared.metrics.get() {
                    metrics.sink.aborted.fetch_add(1, Ordering::Relaxed);
                }
            }
            Err(e) => {
                tracing::info!("Kafka: {e}; the transaction is aborted by the brokers after its timeout, or by the next start");
            }
        }
    }

    fn why(&self, error: &KafkaError, open: &Open) -> Error {
        // A transaction that took longer than its timeout was ended by the brokers, in the same words.
        let long = open.begun.is_some_and(|begun| begun.elapsed() > PATIENCE);
        // Once the client has failed for good, or a record, all that is asked of it fails in the same general words.
        let failed = self.producer.context().failed();
        match (self.fatal(), failed) {
            (Some(fatal), _) => why(&fatal, &self.me.job, long),
            (None, Some((topic, error))) if !fenced(&error) => {
                Error::Unavailable(format!("a record could not be delivered to {topic}: {error}"))
            }
            _ => why(error, &self.me.job, long),
        }
    }

    /// Why the client has failed for good, if it has.
    fn fatal(&self) -> Option<KafkaError> {
        self.producer.client().fatal_error().map(|(code, _)| KafkaError::MessageProduction(code))
    }
}

fn fenced(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{Fenced, InvalidProducerEpoch, ProducerFenced};
    let code = match error {
        KafkaError::Transaction(e) => Some(e.code()),
        other => other.rdkafka_error_code(),
    };
    matches!(code, Some(Fenced | ProducerFenced | InvalidProducerEpoch))
}

/// Why the sink cannot go on. `long`: the transaction took so long that the brokers may have ended it.
pub(super) fn why(error: &KafkaError, job: &str, long: bool) -> Error {
    match fenced(error) {
        true if long => Error::Unavailable("Kafka: the brokers were away for longer than a transaction may last".into()),
        true => Error::Output(format!(
            "another run of the job {job:?} has taken over, so this one ends; runs at the same time need a [kafka] job and a \
             prefix of their own"
        )),
        false => Error::Unavailable(format!("Kafka: rows cannot be written: {error}")),
    }
}
