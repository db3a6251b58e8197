//! A thread beside each worker that writes its journal and its parts of checkpoints.
//!
//! The worker hands values over a bounded channel and goes on; it waits only when the disk is far behind. What fails is told
//! the next time that the worker asks or hands over. What is half-written when the process dies is in no manifest.

use super::Store;
use super::frame::Writer as Frames;
use super::manifest::{self, KEPT, Manifest, Piece, Segment, VERSION};
use crate::engine::now;
use crate::source::bindings;
use dataflows::clock::Binding;
use dataflows::snapshot::{Cut, Entry, Keeper, Kept, Part, horizon};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use timely::scheduling::SyncActivator;

/// How many values may wait for the disk.
const WAITING: usize = 1 << 10;

enum Task {
    Entry(Box<Entry>),
    Seal,
    Keep(Cut, Box<Part>),
    Complete(Box<Binding>, Vec<Kept>),
}

/// What a worker says of its part, for the manifest.
#[derive(Serialize, Deserialize)]
struct Said {
    part: Piece,
    segments: Vec<Segment>,
}

type Told = Result<Kept, String>;

/// The worker's end.
pub struct Writer {
    tasks: Option<SyncSender<Task>>,
    told: Receiver<Told>,
    wake: Arc<Mutex<Option<SyncActivator>>>,
    failed: Option<String>,
    thread: Option<std::thread::JoinHandle<()>>,
    store: Store,
    first: bool,
    began: Option<Instant>,
}

impl Writer {
    /// Starts the thread of one worker.
    /// `kept`: the complete checkpoints, the one that the run goes on from last.
    pub fn start(store: &Store, worker: usize, kept: Vec<Manifest>) -> Writer {
        let (tasks, todo) = sync_channel(WAITING);
        let (tell, told) = channel();
        let wake: Arc<Mutex<Option<SyncActivator>>> = Arc::default();
        let segments = kept.last().map(|manifest| manifest.segments.clone()).unwrap_or_default();
        let lane = format!("{}-{worker}", store.run);
        let desk = Desk {
            store: store.clone(),
            worker: worker as u64,
            lane,
            number: 0,
            open: None,
            sealed: vec![],
            segments,
            kept: kept.into(),
            cut_at: Instant::now(),
            tell,
            wake: wake.clone(),
        };
        let thread = std::thread::Builder::new().name(format!("keeper-{worker}")).spawn(move || desk.work(&todo));
        let (thread, failed) = match thread {
            Ok(thread) => (Some(thread), None),
            Err(e) => (None, Some(format!("cannot start the thread that writes checkpoints: {e}"))),
        };
        let (store, first) = (store.clone(), worker == 0);
        Writer { tasks: Some(tasks), told, wake, failed, thread, store, first, began: None }
    }

    fn hand(&mut self, task: Task) -> Result<(), String> {
        self.check()?;
        let sent = self.tasks.as_ref().map(|tasks| tasks.send(task).is_ok());
        if sent == Some(true) {
            return Ok(());
        }
        // The thread has ended, and said why.
        let why = std::iter::from_fn(|| self.told.recv().ok()).find_map(Result::err);
        let why = why.unwrap_or_else(|| "the thread that writes checkpoints has ended".into());
        Err(self.failed.insert(why).clone())
    }

    fn check(&self) -> Result<(), String> {
        self.failed.clone().map_or(Ok(()), Err)
    }
}

impl Keeper for Writer {
    fn append(&mut self, entry: Entry) -> Result<(), String> {
        self.hand(Task::Entry(Box::new(entry)))
    }

    fn seal(&mut self, _tick: u32) -> Result<(), String> {
        self.hand(Task::Seal)
    }

    fn begin(&mut self, _cut: Cut) {
        self.began = Some(Instant::now());
    }

    fn keep(&mut self, cut: Cut, part: Part) -> Result<(), String> {
        self.hand(Task::Keep(cut, Box::new(part)))?;
        let (pause, first) = (self.began.take().map(|at| at.elapsed()).unwrap_or_default(), self.first);
        if let Some(metrics) = &self.store.metrics {
            metrics.checkpoint.pause.observe(pause.as_secs_f64());
        }
        self.store.note(|pace| {
            pace.longest_pause = pace.longest_pause.max(pause);
            if first {
                pace.pause = pause;
            }
        });
        Ok(())
    }

    fn kept(&mut self) -> Result<Option<Kept>, String> {
        self.check()?;
        match self.told.try_recv() {
            Ok(Ok(kept)) => Ok(Some(kept)),
            Ok(Err(problem)) => Err(self.failed.insert(problem).clone()),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => Ok(None),
        }
    }

    fn wake_by(&mut self, wake: SyncActivator) {
        *self.wake.lock().unwrap_or_else(PoisonError::into_inner) = Some(wake);
    }

    fn complete(&mut self, binding: &Binding, parts: Vec<Kept>) -> Result<(), String> {
        self.hand(Task::Complete(Box::new(binding.clone()), parts))
    }
}

/// What was handed over is written before the run ends.
impl Drop for Writer {
    fn drop(&mut self) {
        self.tasks = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // it has told what went wrong
        }
    }
}

/// A segment that is being written.
struct Open {
    frames: Frames<BufWriter<File>>,
    file: String,
    path: PathBuf,
    ticks: (u32, u32),
}

/// The thread's end.
struct Desk {
    store: Store,
    worker: u64,
    lane: String,
    number: u64,
    open: Option<Open>,
    /// Written since the last part.
    sealed: Vec<Segment>,
    /// On worker 0: the journal of all workers, as far as the checkpoints need it.
    segments: Vec<Segment>,
    /// On worker 0: the complete checkpoints, the newest last.
    kept: VecDeque<Manifest>,
    cut_at: Instant,
    tell: Sender<Told>,
    wake: Arc<Mutex<Option<SyncActivator>>>,
}

impl Desk {
    fn work(mut self, todo: &Receiver<Task>) {
        while let Ok(task) = todo.recv() {
            let done = match task {
                Task::Entry(entry) => self.entry(&entry).map(|()| None),
                Task::Seal => self.seal().map(|()| None),
                Task::Keep(cut, part) => self.keep(cut, &part).map(Some),
                Task::Complete(binding, parts) => self.complete(&binding, &parts).map(|()| None),
            };
            let Some(said) = done.transpose() else { continue };
            let failed = said.is_err();
            let _ = self.tell.send(said); // nobody listens when the run has ended
            if let Some(wake) = &*self.wake.lock().unwrap_or_else(PoisonError::into_inner) {
                let _ = wake.activate();
            }
            if failed {
                return;
            }
        }
    }

    fn entry(&mut self, entry: &Entry) -> Result<(), String> {
        let open = match &mut self.open {
            Some(open) => open,
            None => {
                let folder = manifest::journal(&self.store.state);
                manifest::make(&folder)?;
                let file = format!("{}-{:08}.journal", self.lane, self.number);
                let path = folder.join(&file);
                let frames = File::create(&path).and_then(|file| Frames::begin(BufWriter::with_capacity(1 << 18, file)));
                let frames = frames.map_err(|e| format!("cannot write {}: {e}", path.display()))?;
                self.open.insert(Open { frames, file, path, ticks: (entry.s, entry.s) })
            }
        };
        open.ticks.1 = entry.s;
        open.frames.frame(entry).map_err(|e| format!("cannot write {}: {e}", open.path.display()))?;
        self.store.kill.at("journal");
        Ok(())
    }

    fn seal(&mut self) -> Result<(), String> {
        self.cut_at = Instant::now();
        let Some(Open { frames, file, path, ticks }) = self.open.take() else { return Ok(()) };
        let bytes = frames.bytes;
        let (hash, mut to) = frames.end();
        let flushed = to.flush().and_then(|()| to.get_ref().sync_data());
        flushed.map_err(|e| format!("cannot write {}: {e}", path.display()))?;
        self.sealed.push(Segment { lane: self.lane.clone(), number: self.number, ticks, piece: Piece { file, bytes, hash } });
        self.number += 1;
        Ok(())
    }

    fn keep(&mut self, cut: Cut, part: &Part) -> Result<Kept, String> {
        let folder = manifest::folder(&self.store.state, cut.epoch);
        manifest::make(&folder)?;
        let file = format!("worker-{}.part", self.worker);
        let path = folder.join(&file);
        let written = File::create(&path).and_then(|to| {
            let mut frames = Frames::begin(BufWriter::new(to))?;
            frames.frame(part)?;
            let bytes = frames.bytes;
            let (hash, mut to) = frames.end();
            to.flush()?;
            to.get_ref().sync_data()?;
            Ok((bytes, hash))
        });
        let (bytes, hash) = written.map_err(|e| format!("cannot write {}: {e}", path.display()))?;
        if !self.sealed.is_empty() {
            manifest::sync(&manifest::journal(&self.store.state))?;
        }
        manifest::sync(&folder)?;
        let said = Said { part: Piece { file, bytes, hash }, segments: std::mem::take(&mut self.sealed) };
        let said = serde_json::to_string(&said).map_err(|e| e.to_string())?;
        self.store.kill.at("part");
        Ok(Kept { epoch: cut.epoch, worker: self.worker, said })
    }

    /// All parts are durable: the manifest, then what is no longer needed goes.
    fn complete(&mut self, binding: &Binding, parts: &[Kept]) -> Result<(), String> {
        let _span = tracing::info_span!("checkpoint", epoch = binding.epoch).entered();
        let Store { state, plan, fingerprint, .. } = &self.store;
        let cut = Cut::behind(binding);
        let mut pieces = vec![];
        for kept in parts {
            let said: Said = serde_json::from_str(&kept.said).map_err(|e| e.to_string())?;
            pieces.push(said.part);
            self.segments.extend(said.segments);
        }
        let since = cut.tick.saturating_sub(horizon(plan));
        self.segments.retain(|segment| segment.ticks.1 >= since);
        let made_at = now();
        let manifest = Manifest {
            version: VERSION,
            engine: concat!("vitrine ", env!("CARGO_PKG_VERSION")).into(),
            made_at,
            cut,
            event_time: plan.millis(cut.tick),
            workers: parts.len() as u64,
            fingerprint: fingerprint.clone(),
            binding: bindings::write(binding),
            parts: pieces,
            segments: self.segments.clone(),
        };
        manifest::write(state, &manifest, &self.store.kill)?;
        self.store.kill.at("checkpoint");
        let (took, bytes) = (self.cut_at.elapsed(), manifest.bytes());
        self.store.note(|pace| {
            (pace.complete, pace.took, pace.bytes, pace.at) = (pace.complete + 1, took, bytes, Some(made_at));
        });
        if let Some(metrics) = &self.store.metrics {
            metrics.checkpointed(took, bytes);
        }
        let pause = self.store.pace().pause;
        tracing::info!(epoch = cut.epoch, workers = parts.len(), bytes, ?pause, ?took, "checkpoint");
        self.forget(manifest)
    }

    /// Removes the checkpoints before the newest ones, and the journal that only they needed.
    fn forget(&mut self, manifest: Manifest) -> Result<(), String> {
        self.kept.push_back(manifest);
        while self.kept.len() > KEPT {
            let Some(old) = self.kept.pop_front() else { break };
            let files = |m: &Manifest| m.segments.iter().map(|s| s.piece.file.clone()).collect::<Vec<_>>();
            let needed: BTreeSet<String> = self.kept.iter().flat_map(files).collect();
            let gone = |path: &Path, e: std::io::Error| format!("cannot remove {}: {e}", path.display());
            let folder = manifest::folder(&self.store.state, old.cut.epoch);
            // The manifest first: what has none does not exist.
            std::fs::remove_file(folder.join(manifest::FILE)).map_err(|e| gone(&folder, e))?;
            std::fs::remove_dir_all(&folder).map_err(|e| gone(&folder, e))?;
            for file in files(&old).into_iter().filter(|file| !needed.contains(file)) {
                let path = manifest::journal(&self.store.state).join(file);
                std::fs::remove_file(&path).map_err(|e| gone(&path, e))?;
            }
        }
        Ok(())
    }
}
