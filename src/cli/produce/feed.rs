//! Records on their way to the producer: read, or generated, on a thread of their own, so that a pipe that says nothing cannot
//! keep Ctrl-C waiting.

use crate::error::Error;
use crate::generate::Generator;
use crate::source::records::{Key, Records};
use dataflows::schema::Schema;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Bytes handed over in one go.
const CHUNK: usize = 1 << 16;

/// Batches that wait for the producer.
const QUEUE: usize = 16;

/// Time between two looks whether to stop.
const LOOK: Duration = Duration::from_millis(50);

/// Records with their keys.
#[derive(Debug, Default)]
pub struct Batch {
    text: Vec<u8>,
    records: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    at: i64,
    end: usize,
    key: Option<String>,
}

impl Batch {
    /// When each record is due in milliseconds of any origin, its key, its value.
    pub fn records(&self) -> impl Iterator<Item = (i64, Option<&str>, &[u8])> {
        let starts = std::iter::once(0).chain(self.records.iter().map(|entry| entry.end));
        starts.zip(&self.records).map(|(start, entry)| (entry.at, entry.key.as_deref(), &self.text[start..entry.end]))
    }

    /// Takes in what was appended to the text behind the last record.
    fn close(&mut self, at: i64, key: &Key) {
        let start = self.records.last().map_or(0, |entry| entry.end);
        let key = key.of(&self.text[start..]).map(std::borrow::Cow::into_owned);
        self.records.push(Entry { at, end: self.text.len(), key });
    }
}

/// Batches of records.
pub struct Feed {
    batches: Receiver<Result<Batch, Error>>,
}

impl Feed {
    /// The records of a file.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn file(mut records: Records, schema: &Schema) -> Result<Feed, Error> {
        let eager = records.may_wait();
        Feed::start(schema, eager, move |text| Ok(records.next_into(text)?.then_some(0)))
    }

    /// Generated records.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn generated(mut generator: Generator, schema: &Schema) -> Result<Feed, Error> {
        let mut line = String::new();
        Feed::start(schema, false, move |text| {
            line.clear();
            let at = generator.next_into(&mut line);
            text.extend_from_slice(line.as_bytes());
            Ok(at)
        })
    }

    /// `next` appends a record to a text and says when it is due. An `eager` feed hands each record over before it asks for the
    /// next, which may not come for long.
    fn start(
        schema: &Schema,
        eager: bool,
        mut next: impl FnMut(&mut Vec<u8>) -> Result<Option<i64>, Error> + Send + 'static,
    ) -> Result<Feed, Error> {
        let (key, (sender, batches)) = (Key::new(schema), sync_channel(QUEUE));
        let work = move || {
            let mut batch = Batch::default();
            loop {
                match next(&mut batch.text) {
                    Ok(Some(at)) => {
                        batch.close(at, &key);
                        if (eager || batch.text.len() >= CHUNK) && !hand_over(&sender, &mut batch) {
                            return;
                        }
                    }
                    Ok(None) => {
                        hand_over(&sender, &mut batch);
                        return;
                    }
                    Err(e) => {
                        hand_over(&sender, &mut batch);
                        let _ = sender.send(Err(e)); // nobody listens when the command is over
                        return;
                    }
                }
            }
        };
        let thread = std::thread::Builder::new().name("records".into());
        thread.spawn(work).map_err(|e| Error::Input(format!("cannot start a thread: {e}")))?;
        Ok(Feed { batches })
    }

    /// The next batch; none at the end, or when `stopped`.
    ///
    /// # Errors
    /// When the rest cannot be read.
    pub fn next(&mut self, stopped: &dyn Fn() -> bool) -> Result<Option<Batch>, Error> {
        loop {
            match self.batches.recv_timeout(LOOK) {
                _ if stopped() => return Ok(None),
                Ok(batch) => return batch.map(Some),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

/// Hands a batch over; false when nobody wants it.
fn hand_over(sender: &SyncSender<Result<Batch, Error>>, batch: &mut Batch) -> bool {
    batch.records.is_empty() || sender.send(Ok(std::mem::take(batch))).is_ok()
}

/// When the next record may go.
pub enum Pace {
    /// At once.
    None,
    /// So many a second.
    Rate {
        /// Records a second.
        rate: f64,
        /// When the first went.
        began: Instant,
        /// How many have gone since.
        sent: u64,
    },
    /// When it is due; by when the first record went, and when it was due.
    Own(Option<(Instant, i64)>),
}

impl Pace {
    /// Waits until a record that is due at `at` may go; false when `stopped`.
    pub fn wait(&mut self, at: i64, mut stopped: impl FnMut() -> bool) -> bool {
        let due = match self {
            Pace::None => return !stopped(),
            Pace::Rate { rate, began, sent } => {
                let due = *began + Duration::from_secs_f64(*sent as f64 / *rate);
                *sent += 1;
                // What a pause of the broker held up is not made up for beyond a second.
                if due.elapsed() > Duration::from_secs(1) {
                    (*began, *sent) = (Instant::now(), 1);
                }
                due
            }
            Pace::Own(first) => {
                let (began, from) = *first.get_or_insert_with(|| (Instant::now(), at));
                began + Duration::from_millis((at - from).max(0).unsigned_abs())
            }
        };
        loop {
            if stopped() {
                return false;
            }
            // A sleep takes a millisecond too long at times: below that it is left out.
            match due.saturating_duration_since(Instant::now()) {
                left if left < Duration::from_millis(1) => return true,
                left => std::thread::sleep(left.min(LOOK)),
            }
        }
    }
}
