//! Runs the clock's dataflows on some workers, on inputs in memory.

use crate::by_hand::Case;
use crate::consume::{Random, consume};
use dataflows::clock::live::Batch;
use dataflows::clock::{
    self, Blocks, Context, Decode, Feed, Format, Input, Inputs, Policy, Progress, Pull, Pulled, RawBlock, Settings,
};
use dataflows::dictionary::Dictionaries;
use dataflows::sale::{Decoded, Fault, Op, Reject, Sale, Span};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use timely::CommunicationConfig;
use timely::scheduling::SyncActivator;

/// How to run.
pub struct Shape {
    pub workers: usize,
    pub seed: u64,
    /// Chance of a nap in each operator, in parts per thousand.
    pub sleep: u64,
    /// By input, as bits: whether it is read from front to end by one worker.
    pub fronts: u64,
    /// Ask for a stop after so many blocks were read.
    pub stop: Option<u64>,
}

/// What came of it.
pub struct Outcome {
    /// Lines `learned pane sales cents bad`, then `ending whole last`.
    pub text: String,
    /// Records read, over all workers.
    pub read: u64,
}

/// An input in memory; asks for the stop.
struct Memory {
    bytes: Vec<u8>,
    reads: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    stop_after: Option<u64>,
}

impl Blocks for Memory {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
    fn read(&self, at: u64, into: &mut [u8]) -> Result<(), String> {
        into.copy_from_slice(&self.bytes[at as usize..at as usize + into.len()]);
        self.counted();
        Ok(())
    }
}

impl Memory {
    fn counted(&self) {
        if Some(self.reads.fetch_add(1, Ordering::Relaxed)) == self.stop_after {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

/// The same input, from front to end, in pieces of any length and with pauses.
struct Trickle {
    memory: Arc<Memory>,
    at: usize,
    random: Random,
    wake: Option<SyncActivator>,
}

impl Pull for Trickle {
    fn pull(&mut self, into: &mut Vec<u8>) -> Result<Pulled, String> {
        let rest = &self.memory.bytes[self.at..];
        match self.random.below(8) {
            _ if rest.is_empty() => return Ok(Pulled::End),
            0 => return Ok(Pulled::Later(Duration::from_micros(self.random.below(200)))),
            1 => {
                let wake = self.wake.clone().expect("set before the first pull");
                std::thread::spawn(move || wake.activate().is_ok());
                return Ok(Pulled::Woken);
            }
            _ => (),
        }
        let n = rest.len().min(self.random.below(300) as usize + 1);
        into.extend_from_slice(&rest[..n]);
        self.at += n;
        self.memory.counted();
        Ok(Pulled::Some)
    }
    fn consumed(&self) -> u64 {
        self.at as u64
    }
    fn wake_by(&mut self, wake: SyncActivator) {
        self.wake = Some(wake);
    }
}

/// Decodes `ms,cents` lines.
pub struct Lines;

impl Decode for Lines {
    fn header(&mut self, _input: u32, _bytes: &[u8]) -> Result<(), String> {
        Ok(())
    }
    fn block(&mut self, _input: u32, _format: Format, raw: RawBlock, _names: &mut Dictionaries) -> Decoded {
        let RawBlock { bytes, base, from, until } = raw;
        let mut decoded = Decoded { base, ..Decoded::default() };
        let mut at = from;
        while at < bytes.len() && at < until {
            let end = bytes[at..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |p| at + p);
            line(&bytes, at..end, &mut decoded);
            at = end + 1;
        }
        decoded.bytes = bytes;
        decoded
    }
    fn messages(&mut self, _input: u32, batch: Batch, _names: &mut Dictionaries) -> Decoded {
        let mut decoded = Decoded::default();
        for (span, ..) in batch.messages.values(batch.bytes.len()) {
            line(&batch.bytes, span, &mut decoded);
        }
        (decoded.bytes, decoded.messages) = (batch.bytes, batch.messages);
        decoded
    }
}

fn line(bytes: &[u8], at: Range<usize>, decoded: &mut Decoded) {
    let text = std::str::from_utf8(&bytes[at.clone()]).expect("ascii").trim_end_matches('x');
    let span = Span { start: at.start as u32, end: at.end as u32 };
    if let Some((ms, cents)) = text.split_once(',') {
        let (at, price) = (ms.parse().expect("ms"), cents.parse().expect("cents"));
        let (seller, product, category, customer) = (0, 0, 0, [0, 0]);
        decoded.sales.push(Sale { at, customer, seller, product, category, price, quantity: 1, op: Op::Sale, payment: 0 });
        decoded.spans.push(span);
    } else if !at.is_empty() {
        let fault = Fault { code: "bad_json", field: None, message: String::new() };
        decoded.rejects.push(Reject { span, faults: vec![fault] });
    }
}

/// Runs a case.
pub fn run(case: &Case, shape: &Shape) -> Outcome {
    let (reads, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let files: Vec<Arc<Memory>> = (case.inputs.iter())
        .map(|bytes| {
            let (reads, stop) = (reads.clone(), stop.clone());
            Arc::new(Memory { bytes: bytes.clone(), reads, stop, stop_after: shape.stop })
        })
        .collect();
    let settings = Settings {
        plan: Arc::new(crate::by_hand::plan()),
        policy: Policy::Files,
        epoch_bytes: case.block,
        ahead: 2,
        delimiter: b',',
        max_drift: case.max_drift,
        max_jump: case.max_jump,
        checkpoint: None,
        stop,
        progress: Arc::new(Progress::default()),
        wall: None,
        record: None,
    };
    let sources: Arc<[String]> = (0..files.len()).map(|i| i.to_string()).collect();
    let text = Arc::new(Mutex::new(String::new()));
    let communication = match shape.workers {
        1 => CommunicationConfig::Thread,
        n => CommunicationConfig::Process(n),
    };
    let (out, chance, fronts) = (text.clone(), (shape.seed, shape.sleep), shape.fronts);
    let config = timely::Config { communication, worker: timely::WorkerConfig::default() };
    let guards = timely::execute(config, move |worker| {
        let context = Context::new(settings.plan.clone(), sources.clone(), None);
        let feed = |(i, file): (usize, &Arc<Memory>)| match (fronts >> i) & 1 {
            0 => Feed::Blocks(file.clone()),
            _ if i % worker.peers() != worker.index() => Feed::Other,
            _ => {
                let random = Random(chance.0 ^ 99);
                Feed::Mine(Box::new(Trickle { memory: file.clone(), at: 0, random, wake: None }))
            }
        };
        let inputs = files.iter().enumerate().map(|x| Input { format: Format::Json, feed: feed(x), keep: None }).collect();
        let out = out.clone();
        let mut running =
            clock::install(worker, &context, &settings, Inputs::Stored(inputs), Box::new(Lines), |scope, context, released| {
                consume(scope, context, released, out, chance)
            });
        while worker.has_dataflows() {
            worker.step_or_park(None);
            running.stepped();
        }
        assert_eq!(context.failure(), None);
        assert!(context.ending.borrow().is_none() || context.waiting.least().is_none());
        running.counts().iter().map(|c| c.read).sum::<u64>()
    })
    .expect("threads");
    let read = guards.join().into_iter().map(|r| r.expect("no panic")).sum();
    let text = std::mem::take(&mut *text.lock().expect("no panic"));
    Outcome { text, read }
}
