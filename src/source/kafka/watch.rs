//! What a worker cannot do in between, on a thread of its own: ask the brokers, and wait for answers.
//!
//! - Whether a partition that stands at its end is idle: only a broker can say that nothing has come.
//! - Whether a partition that does not move is stuck, as happens after a broker was restarted.
//! - Whether there are new partitions. One worker of all does that.

use super::standing::{Standing, Standings, Word};
use crate::kafka::client::Logged;
use crate::kafka::names::Names;
use dataflows::clock::binding::Found;
use rdkafka::consumer::{BaseConsumer, Consumer};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use timely::scheduling::SyncActivator;

/// How often the watch looks.
const ROUND: Duration = Duration::from_millis(100);

/// How long a broker may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// What to look out for.
#[derive(Clone, Debug)]
pub struct Watching {
    /// A partition at its end for so long is idle.
    pub idle: Duration,
    /// A partition that does not move for so long is looked at.
    pub stuck: Duration,
    /// How often to look for new partitions, on the worker that does.
    pub discover: Option<Duration>,
    /// Partitions that are known at the start, on the same worker.
    pub known: Vec<Found>,
}

/// The thread.
pub struct Watch {
    inner: Arc<Inner>,
    thread: Option<JoinHandle<()>>,
}

struct Inner {
    client: Arc<BaseConsumer<Logged>>,
    names: Names,
    watching: Watching,
    standings: Arc<Standings>,
    wake: SyncActivator,
    /// Partitions that the worker has not heard of.
    found: Mutex<Vec<Found>>,
    ended: AtomicBool,
    /// No broker answers, and that was said.
    away: AtomicBool,
}

impl Watch {
    /// Starts it.
    pub fn start(
        client: Arc<BaseConsumer<Logged>>,
        names: Names,
        watching: Watching,
        standings: Arc<Standings>,
        wake: SyncActivator,
    ) -> Watch {
        let found = Mutex::new(watching.known.clone());
        let inner = Arc::new(Inner {
            client,
            names,
            watching,
            standings,
            wake,
            found,
            ended: AtomicBool::new(false),
            away: AtomicBool::new(false),
        });
        let watched = inner.clone();
        let thread = std::thread::Builder::new().name("kafka watch".into()).spawn(move || watched.watch());
        if let Err(e) = &thread {
            tracing::warn!("no thread to watch Kafka with ({e}): new partitions and idle ones will not be seen");
        }
        Watch { inner, thread: thread.ok() }
    }

    /// Partitions that were not told yet.
    pub fn found(&self) -> Vec<Found> {
        std::mem::take(&mut *self.inner.found.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.inner.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Not joined: it may wait for a broker. It keeps the client alive until it has its answer.
            thread.thread().unpark();
        }
    }
}

impl Inner {
    fn watch(&self) {
        let told = |first: u32| self.watching.known.iter().filter(|found| found.input >= first).count();
        let mut known: Vec<(&str, u32, usize)> = self.names.all().map(|(name, first)| (name, first, told(first))).collect();
        let mut looked = Instant::now();
        while !self.ended.load(Ordering::Relaxed) {
            // A client that is not polled keeps all that it has to say in memory.
            if let Some(Err(e)) = self.client.poll(Duration::ZERO) {
                tracing::debug!("Kafka: {e}");
            }
            if self.watching.discover.is_some_and(|every| looked.elapsed() >= every) {
                looked = Instant::now();
                known.iter_mut().for_each(|(name, first, known)| *known = self.discover(name, *first, *known));
            }
            let due: Vec<(u32, Standing)> =
                self.standings.all().iter().filter(|(_, s)| self.due(s)).map(|(p, s)| (*p, s.clone())).collect();
            for (partition, seen) in due {
                if self.ended.load(Ordering::Relaxed) {
                    return;
                }
                self.look(partition, &seen);
            }
            std::thread::park_timeout(ROUND);
        }
    }

    /// Whether there is reason to ask the broker about a partition.
    fn due(&self, standing: &Standing) -> bool {
        let over = |since: Instant, span: Duration| since.elapsed() >= span;
        if standing.word.is_some() {
            return false;
        }
        match (standing.idle, standing.end) {
            (Some(confirmed), _) => over(confirmed, self.watching.idle),
            (None, Some(end)) => over(end, self.watching.idle),
            (None, None) => standing.hungry && over(standing.moved, self.watching.stuck),
        }
    }

    fn look(&self, input: u32, seen: &Standing) {
        let (topic, partition) = self.names.of(input);
        let Ok(number) = i32::try_from(partition) else { return };
        // Asked with the isolation of the client: the end is the last stable offset.
        let end = match self.client.fetch_watermarks(topic, number, ANSWER) {
            Ok((_, end)) => {
                if self.away.swap(false, Ordering::Relaxed) {
                    tracing::warn!("Kafka answers again");
                }
                Some(u64::try_from(end).unwrap_or(0))
            }
            Err(e) => {
                if !self.away.swap(true, Ordering::Relaxed) {
                    tracing::warn!("Kafka does not answer ({e}): reading goes on when it does");
                }
                None
            }
        };
        let told = self.standings.with(input, |standing| {
            if standing.next != seen.next || standing.word.is_some() {
                return false; // it has moved meanwhile
            }
            let more = end.is_none_or(|end| end > standing.next);
            match (standing.idle, standing.end) {
                (Some(_), _) if more => standing.word = Some(Word::Awake),
                (Some(confirmed), _) => {
                    standing.idle = Some(confirmed.max(Instant::now()));
                    return false;
                }
                (None, Some(_)) if !more => standing.word = Some(Word::Idle),
                // At its end as far as we heard, and there is more: it comes, or it is stuck.
                _ if end.is_some() && more && standing.moved.elapsed() >= self.watching.stuck => {
                    standing.word = Some(Word::Restart);
                }
                _ => {
                    standing.end = standing.end.map(|_| Instant::now());
                    return false;
                }
            }
            true
        });
        if told == Some(true) {
            let _ = self.wake.activate(); // nobody to wake when the run is over
        }
    }

    /// Looks for new partitions of a topic, which are numbered from `first` on; how many are known now.
    fn discover(&self, topic: &str, first: u32, known: usize) -> usize {
        let count = match super::topic::partitions(&self.client, topic, ANSWER) {
            Ok(count) => count,
            Err(e) => {
                tracing::info!("Kafka does not say which partitions there are: {e}");
                return known;
            }
        };
        for partition in known..count {
            // What stands in it came after we began.
            let start = match self.client.fetch_watermarks(topic, partition as i32, ANSWER) {
                Ok((start, _)) => u64::try_from(start).unwrap_or(0),
                Err(_) => return partition,
            };
            tracing::info!(topic, partition, start, "new partition");
            let found = Found { input: first + partition as u32, start, until: None };
            self.found.lock().unwrap_or_else(PoisonError::into_inner).push(found);
            let _ = self.wake.activate(); // nobody to wake when the run is over
        }
        count.max(known)
    }
}
