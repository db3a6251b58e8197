//! The control dataflow, timed by epoch number: reports to the clock on worker 0, orders back to all. No rows in it.
//!
//! Rows that wait for a binding have no time yet; in the data dataflow they would pin its frontier at the minimum. So they
//! wait outside of any dataflow, in the raw queue, and only reports and bindings travel here.
//!
//! 1. `Read` decodes one block an activation, so that bindings get their turn, and reports it. Its capability says which
//!    epochs this worker has carried out: the frontier of the reports is "carried out by all".
//! 2. `Clock` makes bindings while it can, on worker 0. It sends each under its own capability, and moves that past the epoch.
//! 3. `Bind` hands each binding to the reader and to the source of its worker, and wakes them. One sender and one channel:
//!    bindings come in order.
//! 4. A binding that closes ends all three.

use super::checkpoint::Checkpoints;
use super::live::LiveReader;
use super::policy::{Clock, Order, Policy, Reached, Report, Rules};
use super::reader::{Decoding, ReadAhead, Reader, Stored};
use super::{Context, Failure, Feed, Inputs, Settings, Shared, State, least_system_tick};
use std::sync::atomic::Ordering;
use std::time::Duration;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::{Operator, source};
use timely::dataflow::{Scope, Stream};

type Built<D> = CapacityContainerBuilder<Vec<D>>;

/// An order and the worker it is for.
type Addressed = (u64, Order);

/// What a worker reads in `Read`.
pub(super) enum Reading {
    /// Blocks of files, as far ahead as may be.
    Files(Reader, ReadAhead),
    /// Partitions.
    Live(LiveReader),
}

impl Reading {
    /// That of one worker.
    pub(super) fn new(
        settings: &Settings,
        context: &Context,
        inputs: Inputs,
        (index, peers): (usize, usize),
    ) -> (Reading, Vec<super::Input>) {
        match inputs {
            Inputs::Stored(mut inputs) => {
                let mut files = vec![];
                for (i, input) in inputs.iter_mut().enumerate() {
                    match std::mem::replace(&mut input.feed, Feed::Other) {
                        Feed::Blocks(file) => files.push((i as u32, Stored::Plain(input.format, file))),
                        Feed::Kept(kept) => files.push((i as u32, Stored::Kept(kept))),
                        front => input.feed = front,
                    }
                }
                let bounds = bounds(context, inputs.len());
                let reader = Reader::new(settings.epoch_bytes, files, &bounds, index, peers);
                (Reading::Files(reader, ReadAhead::new(settings, &bounds, peers)), inputs)
            }
            Inputs::Live(partitions) => {
                (Reading::Live(LiveReader::new(partitions, live_bounds(context), (index, peers))), vec![])
            }
        }
    }

    fn hear(&mut self, order: &Order) -> Result<(), Failure> {
        match self {
            Reading::Files(_, ahead) => ahead.hear(order),
            Reading::Live(reader) => reader.hear(order)?,
        }
        Ok(())
    }

    /// One block; says whether there may be more.
    fn step(&mut self, decoding: &Decoding, state: &mut State, reports: &mut Vec<Report>) -> Result<bool, Failure> {
        match self {
            Reading::Files(reader, ahead) => {
                let block = reader.step(ahead, decoding, &mut state.raw)?;
                let more = block.is_some();
                reports.extend(block.map(Report::Read));
                Ok(more)
            }
            Reading::Live(reader) => reader.step(decoding, &mut state.raw, reports),
        }
    }
}

/// Builds the control dataflow.
pub(super) fn build(
    scope: Scope<'_, u64>,
    settings: &Settings,
    shared: &Shared,
    decoding: Decoding,
    reading: Reading,
    inputs: usize,
) {
    let context = decoding.context.clone();
    let reports = read(scope, settings, shared, decoding, reading);
    let orders = clock(reports, settings, shared, &context, inputs);
    bind(orders, shared, &context);
}

fn read<'s>(
    scope: Scope<'s, u64>,
    settings: &Settings,
    shared: &Shared,
    decoding: Decoding,
    mut reading: Reading,
) -> Stream<'s, u64, Vec<Report>> {
    let snapshots = decoding.context.snapshots.clone();
    let (shared, stop) = (shared.clone(), settings.stop.clone());
    source::<_, Built<Report>, _, _>(scope, "Read", move |cap, info| {
        let again = scope.activator_for(info.address.clone());
        shared.borrow_mut().wake.reader = Some(again.clone());
        shared.borrow_mut().reader = info.address.to_vec();
        if let Reading::Live(reader) = &mut reading {
            let begun = reader.begin(scope.worker().sync_activator_for(info.address.to_vec()));
            begun.unwrap_or_else(|failure| decoding.context.fail(failure));
        }
        let _ = snapshots.keeper(|keeper| {
            keeper.wake_by(scope.worker().sync_activator_for(info.address.to_vec()));
            Ok(())
        });
        let (mut cap, mut stopped) = (Some(cap), false);
        move |output| {
            let Some(held) = cap.as_mut() else { return };
            let shared = &mut *shared.borrow_mut();
            let mut closing = false;
            for order in shared.for_reader.drain(..) {
                if let Err(failure) = reading.hear(&order) {
                    decoding.context.fail(failure);
                }
                closing |= matches!(order, Order::Bind(binding) if binding.closes());
            }
            if shared.carried > *held.time() {
                held.downgrade(&shared.carried);
            }
            if closing || decoding.context.failure().is_some() {
                cap = None;
                return;
            }
            let mut reports = std::mem::take(&mut shared.decoded);
            match reading.step(&decoding, shared, &mut reports) {
                Ok(true) => again.activate(),
                Ok(false) => (),
                Err(failure) => decoding.context.fail(failure),
            }
            match snapshots.keeper(|keeper| keeper.kept()) {
                Ok(kept) => reports.extend(kept.map(Report::Kept)),
                Err(problem) => decoding.context.fail(Failure::Output(problem)),
            }
            if !stopped && stop.load(Ordering::Relaxed) {
                stopped = true;
                reports.push(Report::Stop);
            }
            if !reports.is_empty() {
                output.session(&*held).give_container(&mut reports);
            }
        }
    })
}

/// By input: what begins before this offset counts already.
pub(super) fn bounds(context: &Context, inputs: usize) -> Vec<u64> {
    let known = context.snapshots.resume(|resume| resume.clock.bounds().map(|bound| bound.1).collect());
    known.unwrap_or_else(|| vec![0; inputs])
}

/// The partitions that a checkpoint knows: what begins before this offset counts already.
fn live_bounds(context: &Context) -> Vec<(u32, u64)> {
    context.snapshots.resume(|resume| resume.clock.bounds().collect()).unwrap_or_default()
}

fn clock<'s>(
    reports: Stream<'s, u64, Vec<Report>>,
    settings: &Settings,
    shared: &Shared,
    context: &Context,
    inputs: usize,
) -> Stream<'s, u64, Vec<Addressed>> {
    let scope = reports.scope();
    let peers = scope.peers();
    let rules = Rules {
        policy: settings.policy.clone(),
        max_drift: settings.max_drift,
        max_jump: settings.max_jump,
        // One epoch of live inputs spans all workers, one of files is a block.
        limit: if matches!(settings.policy, Policy::Files) { settings.ahead as usize * peers } else { 2 },
        stride: settings.ahead * peers as u64 * settings.epoch_bytes,
        checkpoints: settings.checkpoint.filter(|_| context.snapshots.on()).map(|every| Checkpoints::new(every, peers)),
    };
    let resume = context.snapshots.resume(|resume| resume.clock.clone());
    let context = context.clone();
    let (shared, plan, clocked) = (shared.clone(), settings.plan.clone(), settings.progress.clone());
    let (wall, record) = (settings.wall.clone(), settings.record.clone());
    reports.unary_frontier::<Built<Addressed>, _, _, _>(Exchange::new(|_: &Report| 0), "Clock", move |mut cap, info| {
        let again = scope.activator_for(info.address.clone());
        shared.borrow_mut().wake.clock = Some(scope.activator_for(info.address));
        let mut alarmed: Option<i64> = None;
        let mut first = matches!(rules.policy, Policy::Live(_)).then_some(Order::Live);
        let mut clock = (scope.index() == 0).then(|| {
            let Some(saved) = resume else { return (Clock::new(plan.clone(), rules, inputs), cap) };
            cap.downgrade(&saved.epoch);
            (Clock::resume(plan.clone(), rules, &saved), cap)
        });
        move |(input, frontier), output| {
            input.for_each(|_, reports| {
                if let Some((clock, _)) = &mut clock {
                    reports.drain(..).for_each(|report| clock.report(report));
                }
            });
            let Some((policy, held)) = &mut clock else { return };
            if let Some((binding, parts)) = policy.complete()
                && let Err(problem) = context.snapshots.keeper(|keeper| keeper.complete(&binding, parts))
            {
                context.fail(Failure::Output(problem));
            }
            let carried = frontier.frontier().first().copied().unwrap_or(u64::MAX);
            let system = shared.borrow().probe.as_ref().map_or(0, least_system_tick);
            let now = Reached { carried, system, handed: context.handed.get(), wall: wall.as_ref().map(|wall| wall()) };
            while let Some(order) = first.take().or_else(|| policy.next(now)) {
                if let Order::Bind(binding) = &order {
                    clocked.bound(binding, &plan);
                    // On record before anything follows from it. A stop leaves no trace: the next run goes on there.
                    if policy.decides()
                        && !binding.stop
                        && let Some(record) = &record
                        && let Err(problem) = record.binding(binding)
                    {
                        context.fail(Failure::Output(problem));
                        clock = None;
                        return;
                    }
                    if binding.checkpoint {
                        context.snapshots.clock(policy.save());
                    }
                }
                output.session(&*held).give_iterator((0..peers as u64).map(|worker| (worker, order.clone())));
                if let Order::Bind(binding) = &order {
                    held.downgrade(&(binding.epoch + 1));
                }
            }
            if let Some(problem) = policy.broken() {
                context.fail(Failure::Input(problem.to_owned()));
            }
            if let Some((at, millis)) = now.wall.zip(policy.alarm(now))
                && alarmed.is_none_or(|alarm| alarm <= at || alarm > at.saturating_add_unsigned(millis))
            {
                alarmed = Some(at.saturating_add_unsigned(millis));
                again.activate_after(Duration::from_millis(millis));
            }
            if policy.done() {
                clock = None;
            }
        }
    })
}

fn bind(orders: Stream<'_, u64, Vec<Addressed>>, shared: &Shared, context: &Context) {
    let shared = shared.clone();
    let mut epochs = context.snapshots.resume(|resume| resume.clock.epoch).unwrap_or(0);
    orders.sink(Exchange::new(|order: &Addressed| order.0), "Bind", move |(input, _)| {
        let shared = &mut *shared.borrow_mut();
        input.for_each(|_, orders| {
            for (_, order) in orders.drain(..) {
                shared.for_reader.push(order.clone());
                if shared.wake.pull.is_some() {
                    shared.for_pull.push(order.clone());
                }
                if let Order::Bind(binding) = order {
                    assert_eq!(binding.epoch, epochs, "one sender and one channel: bindings come in order");
                    epochs += 1;
                    shared.for_source.push_back(binding);
                }
            }
            shared.wake.all();
        });
    });
}
