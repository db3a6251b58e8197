//! The policy alone, at its boundaries: drift, idleness, the limit, recorded bindings, stops.

use crate::by_hand;
use dataflows::clock::Binding;
use dataflows::clock::jump::Dates;
use dataflows::clock::policy::{Block, Clock, Live, Order, Policy, Reached, Recording, Report, Rules};
use proptest::prelude::*;
use std::sync::Arc;

const DONE: Reached = Reached { carried: u64::MAX, system: u32::MAX, handed: u64::MAX, wall: None };

fn clock(policy: Policy, inputs: usize, limit: usize) -> Clock {
    let rules = Rules { policy, max_drift: 60_000, max_jump: None, limit, stride: 10, checkpoints: None };
    Clock::new(Arc::new(by_hand::plan()), rules, inputs)
}

fn live(advance_when_idle: Option<i64>) -> Policy {
    Policy::Live(Live { advance_when_idle, ..Live::default() })
}

/// A recording of these, and what comes then.
fn again(bindings: &[Binding], then: Option<Live>) -> Policy {
    let bindings = bindings.to_vec();
    Policy::Recorded { bindings: Recording::new(bindings.into_iter().map(Ok)), then }
}

/// Ten records, `start..start + 10`, the largest at `date`.
fn read(input: u32, start: u64, date: i64) -> Report {
    let dates = Dates::of([date].into_iter(), None);
    Report::Read(Block { input, start, next: start + 10, records: 10, bytes: 10, dates, newest: None, ended: false })
}

fn bound(order: Option<Order>) -> Binding {
    match order {
        Some(Order::Bind(binding)) => binding,
        other => panic!("a binding, not {other:?}"),
    }
}

/// Inputs of a binding.
fn inputs(binding: &Binding) -> Vec<u32> {
    binding.blocks.iter().map(|b| b.input).collect()
}

#[test]
fn an_input_sits_out_beyond_the_drift_and_not_at_it() {
    for (ahead, next) in [(60_000, 0), (60_001, 1)] {
        let mut clock = clock(Policy::Files, 2, 9);
        // The turns: 0, 1, and then 0 again unless it is too far ahead of 1.
        for report in [read(0, 0, 100_000 + ahead), read(1, 0, 100_000), read(0, 10, 0), read(1, 10, 0)] {
            clock.report(report);
        }
        assert_eq!(inputs(&bound(clock.next(DONE))), [0]);
        assert_eq!(inputs(&bound(clock.next(DONE))), [1]);
        assert_eq!(inputs(&bound(clock.next(DONE))), [next]);
    }
}

#[test]
fn live_inputs_are_bound_as_they_come() {
    let mut clock = clock(live(None), 2, 9);
    clock.report(read(0, 0, 103_000));
    // Input 1 has no date yet: it is counted, so nothing moves, and input 0 sits out from now on.
    let first = bound(clock.next(DONE));
    assert_eq!((inputs(&first), first.before, first.after), (vec![0], 0, 0));
    clock.report(read(0, 10, 110_000));
    assert_eq!(clock.next(DONE), None);
    clock.report(read(1, 0, 109_000));
    let second = bound(clock.next(DONE));
    assert_eq!(inputs(&second), [1]);
    assert_eq!(second.after, 101, "the least is 103 s, less two seconds of slack");
    assert_eq!(inputs(&bound(clock.next(DONE))), [0]);
    // Once idle, input 1 is not counted.
    clock.report(read(0, 20, 120_000));
    assert_eq!(bound(clock.next(DONE)).after, 107);
    clock.report(Report::Idle { input: 1 });
    let alone = bound(clock.next(DONE));
    assert_eq!((inputs(&alone), alone.after), (vec![], 118));
    // It comes back with what is late by now: the watermark stays.
    clock.report(read(1, 10, 112_000));
    assert_eq!(bound(clock.next(DONE)).after, 118);
}

#[test]
fn when_all_are_idle_the_wall_clock_moves_the_watermark() {
    for (advance, after) in [(None, None), (Some(5_000), Some(193))] {
        let mut clock = clock(live(advance), 2, 9);
        clock.report(read(0, 0, 103_000));
        clock.report(Report::Idle { input: 1 });
        let wall = Reached { wall: Some(200_000), ..DONE };
        assert_eq!(bound(clock.next(wall)).after, 101, "input 0 is not idle");
        clock.report(Report::Idle { input: 0 });
        assert_eq!(clock.next(wall).map(|order| bound(Some(order)).after), after);
        assert_eq!(clock.next(wall), None, "no second binding for the same second");
    }
}

#[test]
fn no_more_are_bound_than_can_be_unfinished() {
    let mut clock = clock(Policy::Files, 1, 2);
    for (k, date) in [103_000, 103_000, 103_000, 109_000].into_iter().enumerate() {
        clock.report(read(0, 10 * k as u64, date));
    }
    let none = Reached::default();
    assert_eq!(bound(clock.next(none)).after, 101);
    assert_eq!(bound(clock.next(none)).after, 101);
    assert_eq!(clock.next(none), None);
    // The first moved the watermark: carried out is not enough, the dataflow must have passed the old tick.
    assert_eq!(clock.next(Reached { carried: 2, system: 101, handed: 3, wall: None }), None);
    // And what leaves must have been handed to the sink.
    assert_eq!(clock.next(Reached { carried: 2, system: 102, handed: 0, wall: None }), None);
    assert_eq!(bound(clock.next(Reached { carried: 2, system: 102, handed: 2, wall: None })).epoch, 2);
    // The third did not: carried out and handed over is all there is to wait for.
    assert_eq!(bound(clock.next(Reached { carried: 3, system: 102, handed: 3, wall: None })).epoch, 3);
}

#[test]
fn a_stop_comes_at_once_and_moves_nothing() {
    let mut clock = clock(Policy::Files, 1, 1);
    clock.report(read(0, 0, 103_000));
    clock.report(read(0, 10, 203_000));
    assert_eq!(bound(clock.next(Reached::default())).after, 101);
    clock.report(Report::Stop);
    let stop = bound(clock.next(Reached::default()));
    assert!(stop.stop && stop.blocks.is_empty() && stop.last.is_none());
    assert_eq!((stop.before, stop.after, clock.done()), (101, 101, true));
    assert_eq!(clock.next(DONE), None);
}

/// Takes all orders that come now.
fn drain(clock: &mut Clock, bindings: &mut Vec<Binding>, asked: &mut Vec<(u32, u64)>) {
    while let Some(order) = clock.next(DONE) {
        match order {
            Order::Bind(binding) => bindings.push(binding),
            Order::Read { input, upto } => asked.push((input, upto)),
            Order::Live => (),
        }
    }
}

proptest! {
    /// What was bound live is bound again from the recorded bindings, in whatever order the blocks are read this time.
    #[test]
    fn recorded_bindings_repeat_a_live_run(
        dates in prop::collection::vec((0u32..3, 100_000i64..300_000, any::<bool>()), 0..40),
        order in any::<u64>(),
    ) {
        let mut reports = vec![];
        let mut next = [0; 3];
        for (input, date, idle) in &dates {
            reports.push(read(*input, next[*input as usize], *date));
            next[*input as usize] += 10;
            if *idle {
                reports.push(Report::Idle { input: (*input + 1) % 3 });
            }
        }
        let (mut live, mut recorded, mut asked) = (clock(live(None), 3, 9), vec![], vec![]);
        for report in reports.iter().cloned().chain([Report::Stop]) {
            live.report(report);
            drain(&mut live, &mut recorded, &mut asked);
        }
        prop_assert!(asked.is_empty());

        let mut random = crate::consume::Random(order);
        for i in (1..reports.len()).rev() {
            reports.swap(i, random.below(i as u64 + 1) as usize);
        }
        let (mut again, mut got) = (clock(again(&recorded, None), 3, 9), vec![]);
        for report in reports {
            if let Report::Read(_) = report {
                drain(&mut again, &mut got, &mut asked);
                again.report(report);
            }
        }
        drain(&mut again, &mut got, &mut asked);
        prop_assert_eq!(&got, &recorded);
        prop_assert!(again.done());
        // What it waited for it asked for.
        prop_assert!(asked.iter().all(|(input, upto)| *upto <= next[*input as usize]));
    }
}
