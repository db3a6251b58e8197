//! The dataflows of one worker, installed and stepped.

use super::context::{Context, Counts};
use super::control::Reading;
use super::feed::{Decode, Inputs};
use super::reader::Decoding;
use super::tally::Tally;
use super::{Settings, Shared, State, Wake, bound, control, intake, least_system_tick, raw::Raw, tally};
use crate::release::Released;
use crate::time::Bi;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use timely::dataflow::operators::probe::Handle;
use timely::dataflow::{Scope, Stream};
use timely::scheduling::SyncActivator;
use timely::worker::Worker;

/// How timely's workers behave: differential may use some idle time to merge batches.
pub fn worker_config() -> timely::WorkerConfig {
    let mut config = timely::WorkerConfig::default();
    let differential = differential_dataflow::Config { idle_merge_effort: Some(1_000) };
    differential_dataflow::configure(&mut config, &differential);
    config
}

/// The dataflows of one worker.
///
/// They advance by `while worker.has_dataflows() { worker.step_or_park(None); running.stepped(); }`: no time-outs and no
/// polling, every wake-up has its own activation.
pub struct Running {
    shared: Shared,
    probe: Handle<Bi>,
    handed: Rc<Cell<u64>>,
    /// What the clock was last woken for.
    seen: (u32, u64),
    ended: bool,
    tally: Tally,
}

/// Installs the dataflows of one worker: data (`build` makes it from the released records and returns a probe on all of its
/// ends), control, intake and tally. All workers must install the same, in the same order.
pub fn install<B>(
    worker: &mut Worker,
    context: &Context,
    settings: &Settings,
    inputs: Inputs,
    decoder: Box<dyn Decode>,
    build: B,
) -> Running
where
    B: for<'s> FnOnce(Scope<'s, Bi>, &Context, Stream<'s, Bi, Vec<Released>>) -> Handle<Bi>,
{
    let (reading, mut inputs) = Reading::new(settings, context, inputs, (worker.index(), worker.peers()));
    let shared: Shared = Rc::new(RefCell::new(State {
        raw: Raw::default(),
        for_source: VecDeque::new(),
        for_reader: vec![],
        for_pull: vec![],
        decoded: vec![],
        carried: context.snapshots.resume(|resume| resume.clock.epoch).unwrap_or(0),
        closed: false,
        probe: None,
        reader: vec![],
        wake: Wake::default(),
    }));
    let keep = inputs.iter_mut().map(|input| input.keep.take()).collect();
    let decoding = Decoding {
        context: context.clone(),
        decoder: Rc::new(RefCell::new(decoder)),
        keep: Rc::new(RefCell::new(keep)),
        max_jump: settings.max_jump,
    };
    let probe = worker.dataflow_named::<Bi, _, _>("Data", |scope| {
        let released = bound::build(scope, context, &shared, settings.max_jump);
        build(scope, context, released)
    });
    shared.borrow_mut().probe = Some(probe.clone());
    let control = decoding.clone();
    worker.dataflow_named::<u64, _, _>("Control", |scope| {
        control::build(scope, settings, &shared, control, reading, inputs.len());
    });
    // Live inputs have no intake: each partition is read and decoded in one place.
    if !inputs.is_empty() {
        worker.dataflow_named::<u64, _, _>("Intake", |scope| intake::build(scope, settings, &shared, decoding, inputs));
    }
    let tally = worker.dataflow_named::<u64, _, _>("Tally", |scope| tally::build(scope, context, &shared));
    Running { shared, probe, handed: context.handed.clone(), seen: (0, 0), ended: false, tally }
}

impl Running {
    /// After each step of the worker: nothing activates an operator when the probe of another dataflow moves, or its edge.
    pub fn stepped(&mut self) {
        let seen = (least_system_tick(&self.probe), self.handed.get());
        let shared = self.shared.borrow();
        if seen != self.seen {
            self.seen = seen;
            Wake::activate(&shared.wake.clock);
            Wake::activate(&shared.wake.source);
        }
        if !self.ended && shared.ended() {
            self.ended = true;
            Wake::activate(&shared.wake.tally);
        }
    }

    /// The system tick before which the dataflow is complete, as of the last step.
    pub fn tick(&self) -> u32 {
        self.seen.0
    }

    /// Wakes this worker from another thread, so that it sees a stop.
    pub fn waker(&self, worker: &Worker) -> SyncActivator {
        worker.sync_activator_for(self.shared.borrow().reader.clone())
    }

    /// What each worker of all processes has counted, by its index, once no dataflow is left. Empty but on worker 0.
    pub fn counts(&self) -> Vec<Counts> {
        self.tally.borrow().iter().map(|(_, counts)| *counts).collect()
    }
}
