//! What must survive: checkpoints of a run, cut between two epochs, and how a run goes on from one.
//!
//! A checkpoint is cut at a tick T, where an epoch moved the watermark so that T is open. No binding follows until the whole
//! dataflow has completed what was learned before T, so every stage is at rest when it says what it holds.
//!
//! Most of the state is a function of what [`combine`](crate::pane::combine) has sent: the aggregates by (key, pane), each
//! learned at a tick. So each worker keeps a **journal** of just these ([`Entry`], one a tick), and a run that goes on sends the
//! entries of the last [`horizon`] again, at their own ticks, through the same dataflow; rows learned before T are dropped at
//! the edge. Stores, arrangements and the revisions of feature rows come to stand where they stood, on any number of workers,
//! and a cut costs no more with a million keys than with ten.
//!
//! What outlives the horizon or has not been sent yet is small, and is in the [`Part`] of each worker: sales in open panes,
//! the clock, what was said of the windows, the events and their cooldown, the certificate, the counts. Stages that remember
//! more than the journal replays deposit their whole state under a name of their own ([`Snapshots::stage`]); a run that goes on
//! gives each worker the deposits of all, of which it keeps the keys that it owns, and such a stage is deaf to the replay.
//!
//! No I/O here: the shell implements [`Keeper`] and hands out [`Resume`].

pub mod merge;

use crate::clock::{Binding, policy};
use crate::edge::collect;
use crate::pane::delta::{AmountDelta, Delta, Lump};
use crate::pane::fold;
use crate::pane::tally::{CategoryTally, Count, SellerTally};
use crate::plan::Plan;
use crate::window::operator;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use timely::scheduling::SyncActivator;

/// Where a checkpoint cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// The last epoch that is in it.
    pub epoch: u64,
    /// What was learned before this tick is in it, and nothing later.
    pub tick: u32,
}

/// What one worker sent to the owners of keys at one tick, in the journal. Ids are those of the worker that wrote it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Entry {
    /// The tick at which it was learned.
    pub s: u32,
    /// What ids mean from here on, of sellers, categories and products: before the first use of an id in a segment of the
    /// journal, and whenever it comes to mean another name.
    pub names: [Vec<(u32, String)>; 3],
    /// To the owners of sellers.
    pub sellers: Vec<Delta<SellerTally>>,
    /// To the owners of categories.
    pub categories: Vec<Delta<CategoryTally>>,
    /// To the owners of products.
    pub products: Vec<Delta<Count>>,
    /// To the owners of amounts.
    pub amounts: Vec<AmountDelta>,
    /// Sums over all.
    pub lumps: Vec<Lump>,
}

/// What a checkpoint holds of one worker.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Part {
    /// Records that it released.
    pub read: u64,
    /// Sales in panes that are open.
    pub open: fold::Saved,
    /// Ids that deduplication remembers here, each with the watermark tick at which it was met.
    pub ids: Vec<(u32, (u64, u64))>,
    /// What stages with a longer memory than the journal hold, by name, each in its own form.
    pub stages: BTreeMap<String, Vec<u8>>,
    /// What worker 0 alone knows.
    pub first: Option<First>,
}

/// What a checkpoint holds of worker 0.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct First {
    /// Where the clock stands.
    pub clock: policy::Saved,
    /// What was said of the windows, and the events.
    pub windows: operator::Saved,
    /// The certificate and the counts.
    pub edge: collect::Saved,
}

/// What a worker says of a part that is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The last epoch of the checkpoint.
    pub epoch: u64,
    /// The worker.
    pub worker: u64,
    /// For the manifest, in the shell's own words.
    pub said: String,
}

impl Cut {
    /// Behind a binding that asks for a checkpoint.
    pub fn behind(binding: &Binding) -> Cut {
        Cut { epoch: binding.epoch, tick: binding.after + 1 }
    }
}

/// Makes journal and checkpoints of one worker durable, without keeping the worker waiting. The shell implements it.
pub trait Keeper: Send {
    /// Takes an entry of the journal. Entries come in the order of their ticks.
    ///
    /// # Errors
    /// In words for a person: what failed and what to do. Also those of earlier entries.
    fn append(&mut self, entry: Entry) -> Result<(), String>;
    /// All entries before `tick` have been appended. Ids are explained anew from here on.
    ///
    /// # Errors
    /// As [`Keeper::append`].
    fn seal(&mut self, tick: u32) -> Result<(), String>;
    /// The last epoch of a checkpoint has been released: until [`Keeper::keep`] the worker takes in nothing new.
    fn begin(&mut self, cut: Cut);
    /// Takes the part of this worker. [`Keeper::kept`] says when it is durable, with the journal before the cut.
    ///
    /// # Errors
    /// As [`Keeper::append`].
    fn keep(&mut self, cut: Cut, part: Part) -> Result<(), String>;
    /// A part that has become durable, if one has.
    ///
    /// # Errors
    /// As [`Keeper::append`].
    fn kept(&mut self) -> Result<Option<Kept>, String>;
    /// How to wake the worker when [`Keeper::kept`] has something to say.
    fn wake_by(&mut self, wake: SyncActivator);
    /// The parts of all workers are durable: the checkpoint behind this binding is complete. Called on worker 0 only.
    ///
    /// # Errors
    /// As [`Keeper::append`].
    fn complete(&mut self, binding: &Binding, parts: Vec<Kept>) -> Result<(), String>;
}

/// The journal of one worker of an earlier run, read tick by tick.
pub trait Entries: Send {
    /// The next entries, all of one tick, later than those before; each with the number of the segment that explains its ids.
    /// `None` at the end.
    ///
    /// # Errors
    /// In words for a person: what failed and what to do.
    fn next(&mut self) -> Result<Option<Vec<(usize, Entry)>>, String>;
}

/// From where one worker goes on.
pub struct Resume {
    /// The cut of the checkpoint.
    pub cut: Cut,
    /// Where the clock stood.
    pub clock: Arc<policy::Saved>,
    /// On worker 0.
    pub first: Option<First>,
    /// Parts of the checkpoint that this worker takes up, without their `first`. Each is taken up by one worker.
    pub parts: Vec<Part>,
    /// All ids that are remembered, of all workers: each keeps those that it owns.
    pub ids: Vec<(u32, (u64, u64))>,
    /// What stages deposited, of all workers in their order: each keeps the keys that it owns.
    pub stages: Vec<Arc<BTreeMap<String, Vec<u8>>>>,
    /// The journals that this worker takes up, until they are taken.
    pub journal: Option<Box<dyn Entries>>,
}

/// How many ticks of the journal a run needs that goes on: what was learned earlier shows in no row that can still leave.
pub fn horizon(plan: &Plan) -> u32 {
    crate::pane::delta::hold(plan) / 2
}

/// What the stages of a worker deposit while a checkpoint is cut.
#[derive(Default)]
struct Deposits {
    cut: Option<Cut>,
    clock: Option<policy::Saved>,
    read: Option<u64>,
    open: Option<fold::Saved>,
    ids: Option<Vec<(u32, (u64, u64))>>,
    windows: Option<operator::Saved>,
    edge: Option<collect::Saved>,
    stages: BTreeMap<&'static str, Vec<u8>>,
}

/// Journal and checkpoints as the stages of one worker see them.
#[derive(Clone, Default)]
pub struct Snapshots {
    keeper: Rc<RefCell<Option<Box<dyn Keeper>>>>,
    deposits: Rc<RefCell<Deposits>>,
    resume: Rc<RefCell<Option<Resume>>>,
    /// Stages that deposit under a name: a part is complete when all of them have.
    stages: Rc<RefCell<Vec<&'static str>>>,
}

impl Snapshots {
    /// `keeper`: where journal and checkpoints go, if they are wanted; `resume`: from where the run goes on.
    pub fn new(keeper: Option<Box<dyn Keeper>>, resume: Option<Resume>) -> Snapshots {
        let (keeper, resume) = (Rc::new(RefCell::new(keeper)), Rc::new(RefCell::new(resume)));
        Snapshots { keeper, resume, ..Snapshots::default() }
    }

    /// While the dataflow is built: the stage of this name deposits on this worker, see [`Snapshots::stage`]. Gives the tick from
    /// which on it is to listen, 0 when the run begins anew, and what was deposited under its name on all workers of the run
    /// before.
    ///
    /// # Errors
    /// When a deposit cannot be read, and when another stage has the name: what one deposits would stand for both.
    pub fn join<T: DeserializeOwned>(&self, name: &'static str) -> Result<(u32, Vec<T>), String> {
        if self.stages.borrow().contains(&name) {
            return Err(format!("two stages of this program are called {name}"));
        }
        self.stages.borrow_mut().push(name);
        let read = |bytes: &Vec<u8>| {
            postcard::from_bytes(bytes).map_err(|e| format!("what the checkpoint holds of {name} cannot be read: {e}"))
        };
        self.resume(|resume| {
            let held = resume.stages.iter().filter_map(|stages| stages.get(name)).map(read);
            Ok((resume.cut.tick, held.collect::<Result<_, String>>()?))
        })
        .unwrap_or_else(|| Ok((0, vec![])))
    }

    /// Deposits what the stage of this name holds, when it is time: `open` is its open tick, and all before it is done.
    ///
    /// # Errors
    /// Those of the keeper.
    pub fn stage<T: Serialize>(&self, name: &'static str, open: u32, save: impl FnOnce() -> T) -> Result<(), String> {
        let due = |d: &Deposits| d.cut.is_some_and(|cut| cut.tick <= open) && !d.stages.contains_key(name);
        if !due(&self.deposits.borrow()) {
            return Ok(());
        }
        let bytes = postcard::to_stdvec(&save()).map_err(|e| format!("what {name} holds cannot be written: {e}"))?;
        self.deposits.borrow_mut().stages.insert(name, bytes);
        self.end()
    }

    /// Whether a journal is kept.
    pub fn on(&self) -> bool {
        self.keeper.borrow().is_some()
    }

    /// Takes what a stage needs of the run before; `None` when this one begins anew.
    pub fn resume<T>(&self, take: impl FnOnce(&mut Resume) -> T) -> Option<T> {
        self.resume.borrow_mut().as_mut().map(take)
    }

    /// Speaks to the keeper, if there is one.
    ///
    /// # Errors
    /// Those of the keeper.
    pub fn keeper<T: Default>(&self, speak: impl FnOnce(&mut Box<dyn Keeper>) -> Result<T, String>) -> Result<T, String> {
        self.keeper.borrow_mut().as_mut().map_or(Ok(T::default()), speak)
    }

    /// The clock has made a binding that asks for a checkpoint: where it stands. On worker 0.
    pub fn clock(&self, clock: policy::Saved) {
        self.deposits.borrow_mut().clock = Some(clock);
    }

    /// The source has released the last epoch of a checkpoint; `read` records so far. Ids are remembered where `deduplicates`.
    pub fn begin(&self, cut: Cut, read: u64, deduplicates: bool) {
        let mut deposits = self.deposits.borrow_mut();
        let (clock, ids) = (deposits.clock.take(), (!deduplicates).then(Vec::new));
        *deposits = Deposits { cut: Some(cut), clock, read: Some(read), ids, ..Deposits::default() };
        if let Some(keeper) = self.keeper.borrow_mut().as_mut() {
            keeper.begin(cut);
        }
    }

    /// Deposits the open sales, when it is time, and seals the journal; true when it did.
    ///
    /// # Errors
    /// Those of the keeper.
    pub fn open(&self, open: u32, save: impl FnOnce() -> fold::Saved) -> Result<bool, String> {
        let cut = self.deposit(open, |deposits| &mut deposits.open, save);
        let Some(cut) = cut else { return Ok(false) };
        self.keeper(|keeper| keeper.seal(cut.tick))?;
        self.end()?;
        Ok(true)
    }

    /// Deposits what deduplication remembers, when it is time.
    ///
    /// # Errors
    /// Those of the keeper.
    pub fn ids(&self, open: u32, save: impl FnOnce() -> Vec<(u32, (u64, u64))>) -> Result<(), String> {
        self.deposit(open, |deposits| &mut deposits.ids, save).map_or(Ok(()), |_| self.end())
    }

    /// Deposits what was said of the windows, when it is time.
    ///
    /// # Errors
    /// Those of the keeper.
    pub fn windows(&self, open: u32, save: impl FnOnce() -> operator::Saved) -> Result<(), String> {
        self.deposit(open, |deposits| &mut deposits.windows, save).map_or(Ok(()), |_| self.end())
    }

    /// Deposits the certificate and the counts, when it is time.
    ///
    /// # Errors
    /// Those of the keeper.
    pub fn edge(&self, open: u32, save: impl FnOnce() -> collect::Saved) -> Result<(), String> {
        self.deposit(open, |deposits| &mut deposits.edge, save).map_or(Ok(()), |_| self.end())
    }

    /// Fills a place that is empty, when a stage whose open tick is `open` has come to a cut; gives the cut when it did.
    fn deposit<T>(&self, open: u32, place: fn(&mut Deposits) -> &mut Option<T>, save: impl FnOnce() -> T) -> Option<Cut> {
        let mut deposits = self.deposits.borrow_mut();
        let cut = deposits.cut.filter(|cut| cut.tick <= open)?;
        let place = place(&mut deposits);
        if place.is_some() {
            return None;
        }
        *place = Some(save());
        Some(cut)
    }

    /// Hands the part over when all stages have deposited theirs.
    fn end(&self) -> Result<(), String> {
        let mut deposits = self.deposits.borrow_mut();
        let d = &mut *deposits;
        let stages = self.stages.borrow().iter().all(|name| d.stages.contains_key(name));
        let complete = stages && d.open.is_some() && d.ids.is_some() && d.windows.is_some() && d.edge.is_some();
        let Some(cut) = d.cut.filter(|_| complete) else { return Ok(()) };
        let Deposits { clock, read, open, ids, windows, edge, stages, .. } = std::mem::take(d);
        let first = clock.zip(windows.zip(edge)).map(|(clock, (windows, edge))| First { clock, windows, edge });
        let stages = stages.into_iter().map(|(name, bytes)| (name.to_string(), bytes)).collect();
        let (read, open, ids) = (read.unwrap_or_default(), open.unwrap_or_default(), ids.unwrap_or_default());
        let part = Part { read, open, ids, stages, first };
        drop(deposits);
        self.keeper(|keeper| keeper.keep(cut, part))
    }
}
