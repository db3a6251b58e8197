//! The policy: from reports to bindings. All that makes two runs differ is decided here, by one [`Clock`] on one worker.
//!
//! Plain structs, no timely: the operators of `control` carry the reports here and the bindings back.
//!
//! For files a binding takes one block of one input: the next input in turn that has not ended and does not sit out. Who read
//! the block, and when, does not show: the sequence of bindings is a pure function of the files. Live inputs are bound as
//! they come, which is the engine's only live decision; the bindings are data, so they can be kept and carried out again
//! ([`Policy::Recorded`]).
//!
//! The number of bound and unfinished epochs is limited. An epoch is finished when all workers have carried it out, its rows
//! and dead letters have been handed to the sink **and**, if it moved the watermark, the data dataflow has passed its old tick.
//! The dataflow's progress alone would deadlock: epochs that do not move the watermark share a tick.

mod live;
mod recorded;
mod saved;

pub use super::binding::{Binding, Block, Bound, Found, Order, Report};
pub use recorded::Recording;
pub use saved::Saved;

use super::checkpoint::Checkpoints;
use super::jump::{Dates, Jump, Settled};
use crate::plan::Plan;
use crate::snapshot::Kept;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// How bindings are made.
#[derive(Clone, Debug)]
pub enum Policy {
    /// One block of the next input in turn: a pure function of the inputs.
    Files,
    /// Whatever has come, of the inputs that do not sit out.
    Live(Live),
    /// These, in order; then live, or a stop.
    Recorded {
        /// What was bound before.
        bindings: Recording,
        /// How it goes on.
        then: Option<Live>,
    },
}

/// How live inputs are bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// When all inputs are idle, the watermark follows the wall clock at this distance (and that of the plan); `None` leaves
    /// it where it is.
    pub advance_when_idle: Option<i64>,
    /// Between two bindings lie at least so many milliseconds of the wall clock: an epoch has its price, however small it is. One
    /// that closes a tick does not wait, unless the one before closed one too.
    pub pace: i64,
    /// Stop when all is bound that stood in the inputs when the run began.
    pub until_caught_up: bool,
}

/// What the clock needs to know besides the plan.
#[derive(Clone, Debug)]
pub struct Rules {
    /// How bindings are made.
    pub policy: Policy,
    /// An input whose largest date is more than this many milliseconds ahead of the least one sits out.
    pub max_drift: i64,
    /// See [`jump`](super::jump); `None` when broker timestamps guard the dates instead.
    pub max_jump: Option<i64>,
    /// How many epochs may be bound and unfinished.
    pub limit: usize,
    /// How many bytes past what is missing an [`Order::Read`] asks for.
    pub stride: u64,
    /// When checkpoints are cut; `None` without a journal.
    pub checkpoints: Option<Checkpoints>,
}

/// How far the workers are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reached {
    /// All workers have carried out the epochs before this one.
    pub carried: u64,
    /// The data dataflow has completed what was learned before this system tick.
    pub system: u32,
    /// The epochs before this one have been handed to the sink.
    pub handed: u64,
    /// The wall clock in milliseconds, for live inputs.
    pub wall: Option<i64>,
}

#[derive(Default)]
struct Input {
    /// What it is called: its place in the list of files, or the number of a partition.
    id: u32,
    bound: u64,
    /// Where the rule stands after the bound blocks; nothing is pending there.
    jump: Jump,
    ended: bool,
    idle: bool,
    /// Where it ended when the run began.
    until: Option<u64>,
    /// Reported and not bound, by start.
    read: BTreeMap<u64, Block>,
    /// Up to where it was asked to be read.
    asked: u64,
}

/// The policy and its state.
pub struct Clock {
    plan: Arc<Plan>,
    rules: Rules,
    inputs: Vec<Input>,
    turn: usize,
    watermark: u32,
    first_watermark: u32,
    epoch: u64,
    /// A checkpoint is cut behind the last binding.
    cutting: bool,
    /// The binding behind which the last checkpoint was cut.
    cut: Option<Binding>,
    /// Durable parts of that checkpoint, all of them.
    complete: Option<Vec<Kept>>,
    wall: Option<i64>,
    /// Bound epochs, each with the system tick that completes it.
    unfinished: VecDeque<(u64, u32)>,
    /// Of the blocks taken for the next binding: records, bytes.
    weight: (u64, u64),
    /// Of the same blocks: the newest message, in the broker's time.
    newest: Option<i64>,
    stopping: bool,
    /// The wall clock when the stop was asked for.
    asked_to_stop: Option<i64>,
    done: bool,
    /// Live inputs that exist and are not among the inputs yet.
    found: BTreeMap<u32, Found>,
    /// The wall clock at the last live binding, and whether that moved the watermark.
    bound_at: Option<(i64, bool)>,
    /// Of recorded bindings: those whose blocks were asked for.
    asked: VecDeque<Binding>,
    /// Of these, the inputs with the ends of the blocks that were not asked for yet.
    cuts: VecDeque<(u32, u64)>,
    broken: Option<String>,
}

/// Why a block cannot be bound now.
enum Missing {
    /// The block itself was not reported yet.
    Block,
    /// A later block of the input must be known first; the first offset that is missing.
    Later(u64),
}

impl Clock {
    /// A clock for so many inputs.
    pub fn new(plan: Arc<Plan>, rules: Rules, inputs: usize) -> Clock {
        Clock {
            plan,
            rules,
            inputs: (0..inputs as u32).map(|id| Input { id, ..Input::default() }).collect(),
            turn: 0,
            watermark: 0,
            first_watermark: 0,
            epoch: 0,
            cutting: false,
            cut: None,
            complete: None,
            wall: None,
            unfinished: VecDeque::new(),
            weight: (0, 0),
            newest: None,
            stopping: false,
            asked_to_stop: None,
            done: false,
            found: BTreeMap::new(),
            bound_at: None,
            asked: VecDeque::new(),
            cuts: VecDeque::new(),
            broken: None,
        }
    }

    /// The parts of a checkpoint, once all workers have made theirs durable, and the binding behind which it was cut.
    pub fn complete(&mut self) -> Option<(Binding, Vec<Kept>)> {
        self.cut.take_if(|_| self.complete.is_some()).zip(self.complete.take())
    }

    /// Where an input stands among those that count.
    fn place(&self, id: u32) -> Option<usize> {
        let own = id as usize;
        let there = self.inputs.get(own).is_some_and(|input| input.id == id);
        if there { Some(own) } else { self.inputs.iter().position(|input| input.id == id) }
    }

    fn input(&mut self, id: u32) -> Option<&mut Input> {
        let place = self.place(id)?;
        self.inputs.get_mut(place)
    }

    /// Takes a report.
    pub fn report(&mut self, report: Report) {
        match report {
            Report::Read(block) => {
                let Some(input) = self.input(block.input) else { return };
                input.idle = false;
                input.read.insert(block.start, block);
            }
            Report::Found(found) => self.found(found),
            Report::Idle { input } => self.input(input).into_iter().for_each(|input| input.idle = true),
            Report::Awake { input } => self.input(input).into_iter().for_each(|input| input.idle = false),
            Report::Stop => self.stopping = true,
            Report::Kept(kept) => {
                self.complete = self.rules.checkpoints.as_mut().and_then(|all| all.kept(kept)).or(self.complete.take())
            }
        }
    }

    /// Whether the last binding was made.
    pub fn done(&self) -> bool {
        self.done
    }

    /// Why the clock cannot go on: a recorded binding that cannot be read.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// The next order, if one can be given now.
    pub fn next(&mut self, now: Reached) -> Option<Order> {
        if self.done || self.broken.is_some() {
            return None;
        }
        self.wall = now.wall;
        let finished = |(epoch, tick): &(u64, u32)| now.carried.min(now.handed) > *epoch && now.system >= *tick;
        while self.unfinished.front().is_some_and(finished) {
            self.unfinished.pop_front();
        }
        if self.cutting && !self.unfinished.is_empty() {
            return None;
        }
        self.stopping |= self.caught_up();
        if self.stopping {
            if self.rules.checkpoints.as_ref().is_some_and(Checkpoints::writing) {
                return None;
            }
            if self.lingers(now.wall) {
                return self.live(now.wall);
            }
            return Some(Order::Bind(self.bind(vec![], self.watermark, true)));
        }
        if self.unfinished.len() >= self.limit() {
            return None;
        }
        match self.rules.policy {
            Policy::Files => self.files(),
            Policy::Live(_) => self.live(now.wall),
            Policy::Recorded { then, .. } => self.recorded(then),
        }
    }

    /// One block of one input: the next in turn that has not ended and does not sit out.
    fn files(&mut self) -> Option<Order> {
        let inputs = self.inputs.len();
        let Some(turn) = (0..inputs).map(|k| (self.turn + k) % inputs).find(self.plays()) else {
            return Some(Order::Bind(self.bind(vec![], self.watermark, false))); // there is no input at all
        };
        match self.take(turn) {
            Ok(block) => {
                self.turn = (turn + 1) % inputs;
                let after = self.after();
                Some(Order::Bind(self.bind(vec![block], after, false)))
            }
            Err(missing) => self.ask(turn, missing),
        }
    }

    /// Whether an input has not ended and is not too far ahead of the least one.
    fn plays(&self) -> impl Fn(&usize) -> bool {
        let least = self.least().unwrap_or(Some(i64::MAX));
        let most = least.map(|t| t.saturating_add(self.rules.max_drift));
        move |i| {
            let input = &self.inputs[*i];
            !input.ended && input.jump.largest.is_none_or(|t| most.is_some_and(|most| t <= most))
        }
    }

    /// Takes the next block of an input, when it is known which of its dates count.
    fn take(&mut self, i: usize) -> Result<Bound, Missing> {
        let input = &mut self.inputs[i];
        let block = input.read.get(&input.bound).ok_or(Missing::Block)?;
        let before = input.jump.largest;
        let mut tail = false;
        match self.rules.max_jump {
            None => input.jump.largest = before.max(block.dates.largest()),
            Some(max_jump) => {
                let mut jump = input.jump;
                jump.block(&block.dates, max_jump);
                let (mut ended, mut at) = (block.ended, block.next);
                while jump.pending.is_some() {
                    let follower = if ended { None } else { Some(input.read.get(&at).ok_or(Missing::Later(at))?) };
                    match follower {
                        Some(b) if b.dates == Dates::None => (ended, at) = (b.ended, b.next),
                        _ => tail = jump.settle(follower.and_then(|b| b.dates.first()), max_jump) == Some(true),
                    }
                }
                input.jump = jump;
            }
        }
        let block = input.read.remove(&input.bound).ok_or(Missing::Block)?;
        (input.bound, input.ended) = (block.next, block.ended);
        self.weight = (self.weight.0 + block.records, self.weight.1 + block.bytes);
        Ok(Bound { input: block.input, start: block.start, upto: block.next, settled: Settled { largest: before, tail } })
    }

    /// Asks for the blocks without which the next one of an input cannot be bound, unless the read-ahead brings them anyway.
    fn ask(&mut self, i: usize, missing: Missing) -> Option<Order> {
        let Missing::Later(at) = missing else { return None };
        let input = &mut self.inputs[i];
        if input.asked > at {
            return None;
        }
        input.asked = at + self.rules.stride;
        Some(Order::Read { input: input.id, upto: input.asked })
    }

    /// The least of the largest dates over the counted inputs; `None` inside when one of them has no date yet.
    fn least(&self) -> Option<Option<i64>> {
        self.inputs.iter().filter(|i| !i.ended && !i.idle).map(|i| i.jump.largest).min()
    }

    /// The largest date over all inputs.
    fn largest(&self) -> Option<i64> {
        self.inputs.iter().filter_map(|i| i.jump.largest).max()
    }

    /// Where the watermark goes with what is taken now.
    fn after(&self) -> u32 {
        let date = if self.ended() { self.largest() } else { self.least().flatten() };
        self.watermark.max(date.map_or(0, |t| self.plan.watermark(t)))
    }

    /// Live inputs never end, not even when there is none.
    fn ended(&self) -> bool {
        matches!(self.rules.policy, Policy::Files) && self.inputs.iter().all(|i| i.ended)
    }

    fn bind(&mut self, blocks: Vec<Bound>, after: u32, stop: bool) -> Binding {
        let last = (!stop && self.ended()).then(|| self.largest().map_or(0, |t| self.plan.pane(t)));
        let (weight, newest) = (std::mem::take(&mut self.weight), self.newest.take());
        let (epoch, before) = (self.epoch, self.watermark);
        let mut binding = Binding { epoch, before, after, added: vec![], blocks, last, stop, checkpoint: false, weight, newest };
        self.keep(&mut binding);
        binding
    }

    /// Remembers a binding that goes out, and asks for a checkpoint behind it when it is time.
    fn keep(&mut self, binding: &mut Binding) {
        let (moves, checkpoints) = (binding.after > binding.before && !binding.closes(), &mut self.rules.checkpoints);
        self.cutting = moves && checkpoints.as_mut().is_some_and(|all| all.begin(binding.epoch, self.wall));
        binding.checkpoint = self.cutting;
        if self.cutting {
            self.cut = Some(binding.clone());
        }
        if self.first_watermark == 0 {
            self.first_watermark = binding.after;
        }
        let tick = if binding.after > binding.before { binding.after + 1 } else { 0 };
        self.unfinished.push_back((binding.epoch, tick));
        self.watermark = binding.after;
        self.epoch = binding.epoch + 1;
        self.done = binding.closes();
    }
}
