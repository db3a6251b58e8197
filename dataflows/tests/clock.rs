//! The clock against the same rule by hand: the bindings, and the stream of released records that they make.
//!
//! Four families: the policy alone under any order of reports, and at its boundaries; the dataflows on several workers, with sleeps thrown in,
//! against the oracle; and runs that are stopped, which give a prefix.

#[path = "clock/by_hand.rs"]
mod by_hand;
#[path = "clock/consume.rs"]
mod consume;
#[path = "clock/harness.rs"]
mod harness;
#[path = "clock/live.rs"]
mod live;
#[path = "clock/policies.rs"]
mod policies;

use by_hand::{Case, Epoch, by_hand};
use dataflows::clock::jump::Dates;
use dataflows::clock::policy::{Block, Clock, Order, Policy, Reached, Report, Rules};
use harness::{Shape, run};
use proptest::prelude::*;
use std::sync::Arc;

/// A line: how far time moves, what is special about it, how long it is.
fn line() -> impl Strategy<Value = (i64, u8, usize)> {
    (0i64..3_000, prop_oneof![12 => Just(0u8), 2 => Just(1), 1 => Just(2), 1 => Just(3), 1 => Just(4)], 0usize..30)
}

fn input(start: i64, lines: &[(i64, u8, usize)], unfinished: bool) -> Vec<u8> {
    let (mut at, mut text) = (start, String::new());
    for (dt, kind, pad) in lines {
        at += dt;
        let date = match kind {
            1 => at - 5_000 * (dt % 9), // late
            2 => at + 200_000,          // a wild date
            4 => {
                at += 150_000;
                at
            } // silence: a jump that the next record confirms
            _ => at,
        };
        match kind {
            3 => text += "broken",
            _ => text += &format!("{date},{}", dt % 97),
        }
        text += &"x".repeat(*pad);
        text += "\n";
    }
    if unfinished {
        text.pop();
    }
    text.into_bytes()
}

prop_compose! {
    fn case()(
        inputs in prop::collection::vec((0i64..120_000, prop::collection::vec(line(), 0..60), any::<bool>()), 1..5),
        block in prop_oneof![1u64..40, 40u64..400, Just(4_000u64)],
        max_drift in prop_oneof![Just(2_000i64), Just(60_000)],
        max_jump in prop_oneof![Just(None), Just(Some(100_000i64)), Just(Some(4_000))],
    ) -> Case {
        let inputs = inputs.iter().map(|(start, lines, unfinished)| input(50_000 + start, lines, *unfinished)).collect();
        Case { inputs, block, max_drift, max_jump }
    }
}

/// All blocks of a case as the clock hears of them.
fn reports(case: &Case) -> Vec<Block> {
    let mut blocks = vec![];
    for (i, bytes) in case.inputs.iter().enumerate() {
        let records = by_hand::records(bytes);
        let size = bytes.len() as u64;
        for start in (0..size.max(1)).step_by(case.block as usize) {
            let next = (start + case.block).min(size);
            let inside = records.iter().filter(|r| (start..next).contains(&r.offset));
            let dates = inside.clone().filter_map(|r| r.sale.map(|(at, _)| at)).collect::<Vec<_>>();
            let dates = Dates::of(dates.into_iter(), case.max_jump);
            let records = inside.count() as u64;
            blocks.push(Block {
                input: i as u32,
                start,
                next,
                records,
                bytes: next - start,
                dates,
                newest: None,
                ended: next == size,
            });
        }
    }
    blocks
}

fn rules(case: &Case, policy: Policy) -> Rules {
    Rules { policy, max_drift: case.max_drift, max_jump: case.max_jump, limit: 3, stride: case.block, checkpoints: None }
}

/// What the clock makes of reports in this order; `lag` epochs are unfinished at any time.
fn bindings(case: &Case, blocks: impl IntoIterator<Item = Block>, policy: Policy, lag: u64) -> Vec<Epoch> {
    let mut clock = Clock::new(Arc::new(by_hand::plan()), rules(case, policy), case.inputs.len());
    let mut made: Vec<Epoch> = vec![];
    let mut next = |clock: &mut Clock, lag: u64| {
        loop {
            let carried = (made.len() as u64).saturating_sub(lag);
            let system = if lag == 0 { u32::MAX } else { made.get(carried as usize).map_or(u32::MAX, |e| e.before + 1) };
            match clock.next(Reached { carried, system, handed: carried, wall: None }) {
                Some(Order::Bind(binding)) => made.push(Epoch::of(case, &binding)),
                Some(Order::Read { .. } | Order::Live) => (),
                None => break,
            }
        }
    };
    for block in blocks {
        clock.report(Report::Read(block));
        next(&mut clock, lag);
    }
    next(&mut clock, 0);
    assert!(clock.done());
    made
}

impl Epoch {
    /// A binding of one block, with the offsets of the records it refuses.
    fn of(case: &Case, binding: &dataflows::clock::Binding) -> Epoch {
        assert!(!binding.stop && binding.blocks.len() == 1);
        let block = &binding.blocks[0];
        let records = by_hand::records(&case.inputs[block.input as usize]);
        let sales: Vec<_> =
            records.iter().filter(|r| (block.start..block.upto).contains(&r.offset) && r.sale.is_some()).collect();
        let dates = sales.iter().filter_map(|r| r.sale.map(|(at, _)| at));
        let refused = case.max_jump.map(|j| block.settled.refused(dates, j)).unwrap_or_default();
        Epoch {
            input: block.input,
            start: block.start,
            upto: block.upto,
            before: binding.before,
            after: binding.after,
            refused: refused.into_iter().map(|k| sales[k].offset).collect(),
            last: binding.last,
        }
    }
}

proptest! {
    /// Whatever the order in which blocks are reported, the bindings are those of the rule.
    #[test]
    fn the_policy_is_a_function_of_the_files(case in case(), order in any::<u64>(), lag in 0u64..3) {
        let want = by_hand(&case);
        let mut blocks = reports(&case);
        let mut random = consume::Random(order);
        for i in (1..blocks.len()).rev() {
            blocks.swap(i, random.below(i as u64 + 1) as usize);
        }
        let got = bindings(&case, blocks, Policy::Files, lag);
        prop_assert_eq!(got, want);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// The dataflows release what the rule says, in every shape.
    #[test]
    fn released_records_are_those_of_the_rule(case in case(), seed in any::<u64>()) {
        let want = by_hand::output(&case);
        for workers in [1, 2, 4] {
            let got = run(&case, &Shape { workers, seed, sleep: 30, fronts: if workers == 1 { 0 } else { seed }, stop: None });
            prop_assert_eq!(&got.text, &want, "{} workers", workers);
            prop_assert_eq!(got.read, by_hand::read(&case));
        }
    }

    /// A run that is stopped gives the beginning of what the whole run gives, and no ending.
    #[test]
    fn a_stopped_run_gives_a_prefix(case in case(), seed in any::<u64>(), stop in 0u64..400, workers in 1usize..4) {
        let want = by_hand::output(&case);
        let got = run(&case, &Shape { workers, seed, sleep: 30, fronts: seed >> 7, stop: Some(stop) });
        prop_assert!(want.starts_with(&got.text), "{}\n---\n{}", got.text, want);
    }
}

#[test]
fn no_records_at_all() {
    for inputs in [vec![], vec![vec![]], vec![b"\n\n".to_vec(), vec![]]] {
        let case = Case { inputs, block: 100, max_drift: 1_000, max_jump: Some(1_000) };
        for workers in [1, 2] {
            let got = run(&case, &Shape { workers, seed: 1, sleep: 0, fronts: 1, stop: None });
            assert_eq!(got.text, "ending 0 0\n");
            assert_eq!(got.read, 0);
        }
    }
}
