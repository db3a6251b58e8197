//! Live inputs: the policy against the same rule by hand, and recorded bindings carried out again however messages are cut.

use crate::by_hand;
use crate::consume::Random;
use dataflows::clock::Binding;
use dataflows::clock::jump::Dates;
use dataflows::clock::policy::{Block, Clock, Found, Live, Order, Policy, Reached, Recording, Report, Rules};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Of a binding: the watermark before and after, what was added, and by partition what counts.
type Shape = (u32, u32, Vec<(u32, u64)>, BTreeMap<u32, (u64, u64)>);

const DRIFT: i64 = 60_000;
const IDLE: i64 = 5_000;

fn clock(policy: Policy) -> Clock {
    let rules = Rules { policy, max_drift: DRIFT, max_jump: None, limit: 2, stride: 1, checkpoints: None };
    Clock::new(Arc::new(by_hand::plan()), rules, 0)
}

fn done(wall: Option<i64>) -> Reached {
    Reached { carried: u64::MAX, system: u32::MAX, handed: u64::MAX, wall }
}

fn read(input: u32, (start, next): (u64, u64), date: Option<i64>) -> Report {
    let dates = Dates::of(date.into_iter(), None);
    Report::Read(Block { input, start, next, records: next - start, bytes: 1, dates, newest: None, ended: false })
}

/// What happens to a live run.
#[derive(Clone, Debug)]
enum Event {
    /// One more partition is found, beginning there.
    Found(u64),
    /// Messages came, up to so many offsets further; the largest date, or none that is valid.
    Read(u32, u64, Option<i64>),
    Idle(u32),
    Awake(u32),
    /// The wall clock goes on.
    Wall(i64),
}

fn event() -> impl Strategy<Value = Event> {
    let date = prop_oneof![1 => Just(None), 9 => (100_000i64..400_000).prop_map(Some)];
    prop_oneof![
        2 => (0u64..50).prop_map(Event::Found),
        12 => (0u32..4, 1u64..20, date).prop_map(|(p, n, date)| Event::Read(p, n, date)),
        4 => (0u32..4).prop_map(Event::Idle),
        1 => (0u32..4).prop_map(Event::Awake),
        2 => (0i64..30_000).prop_map(Event::Wall),
    ]
}

#[derive(Clone, Debug, Default)]
struct Partition {
    bound: u64,
    read: u64,
    largest: Option<i64>,
    pending: Option<i64>,
    idle: bool,
}

/// The rule in the words of the contract, for one partition after the other; each binding as its watermark and its ranges.
#[derive(Default)]
struct ByHand {
    partitions: Vec<Partition>,
    watermark: u32,
    bindings: Vec<Shape>,
}

impl ByHand {
    /// Makes bindings until none is due.
    fn bind(&mut self, mut added: Vec<(u32, u64)>, wall: i64) {
        let tick = |t: i64| ((t - 2_000).div_euclid(1_000)).max(0) as u32;
        loop {
            let counted = |p: &&Partition| !p.idle;
            let least = self.partitions.iter().filter(counted).map(|p| p.largest.unwrap_or(i64::MIN)).min();
            let mut ranges = BTreeMap::new();
            for (i, p) in self.partitions.iter_mut().enumerate() {
                let plays = p.largest.is_none_or(|t| least.is_none_or(|least| t <= least.saturating_add(DRIFT)));
                if plays && p.read > p.bound {
                    ranges.insert(i as u32, (p.bound, p.read));
                    (p.bound, p.largest) = (p.read, p.largest.max(p.pending.take()));
                }
            }
            let least = self.partitions.iter().filter(counted).map(|p| p.largest).min().flatten();
            let mut after = self.watermark.max(least.map_or(0, tick));
            let silent = self.partitions.iter().all(|p| p.idle && p.read == p.bound);
            if silent && self.partitions.iter().any(|p| p.largest.is_some()) {
                after = after.max(tick(wall - IDLE));
            }
            for (_, start) in &added {
                self.partitions.push(Partition { bound: *start, read: *start, ..Partition::default() });
            }
            if ranges.is_empty() && added.is_empty() && after == self.watermark {
                return;
            }
            self.bindings.push((self.watermark, after, std::mem::take(&mut added), ranges));
            self.watermark = after;
        }
    }
}

fn shape(binding: &Binding) -> Shape {
    let ranges = binding.blocks.iter().map(|b| (b.input, (b.start, b.upto))).collect();
    (binding.before, binding.after, binding.added.clone(), ranges)
}

fn live() -> Live {
    Live { advance_when_idle: Some(IDLE), ..Live::default() }
}

/// Runs events through the clock and through the rule; the bindings of the clock.
fn run(events: &[Event]) -> (Vec<Binding>, ByHand) {
    let (mut clock, mut hand) = (clock(Policy::Live(live())), ByHand::default());
    let (mut bindings, mut wall) = (vec![], 200_000);
    for event in events {
        let (mut added, count) = (vec![], hand.partitions.len() as u32);
        match event {
            Event::Found(start) if count < 4 => {
                clock.report(Report::Found(vec![Found { input: count, start: *start, until: None }]));
                added.push((count, *start));
            }
            Event::Read(p, n, date) if *p < count => {
                let p2 = &mut hand.partitions[*p as usize];
                clock.report(read(*p, (p2.read, p2.read + n), *date));
                (p2.read, p2.pending, p2.idle) = (p2.read + n, p2.pending.max(*date), false);
            }
            // A partition is idle when all that it holds was read, and it may sit out all the same.
            Event::Idle(p) if *p < count => {
                clock.report(Report::Idle { input: *p });
                hand.partitions[*p as usize].idle = true;
            }
            Event::Awake(p) if *p < count => {
                clock.report(Report::Awake { input: *p });
                hand.partitions[*p as usize].idle = false;
            }
            Event::Wall(ms) => wall += ms,
            _ => continue,
        }
        hand.bind(added, wall);
        while let Some(order) = clock.next(done(Some(wall))) {
            let Order::Bind(binding) = order else { panic!("{order:?}") };
            bindings.push(binding);
        }
    }
    (bindings, hand)
}

proptest! {
    /// Whatever comes in whatever order, the bindings are those of the rule.
    #[test]
    fn live_bindings_are_those_of_the_rule(events in prop::collection::vec(event(), 0..60)) {
        let (bindings, hand) = run(&events);
        prop_assert_eq!(bindings.iter().map(shape).collect::<Vec<_>>(), hand.bindings);
        prop_assert!(bindings.iter().map(|b| b.epoch).eq(0..bindings.len() as u64));
    }

    /// A recording is carried out as it was bound, however its ranges are cut into blocks this time; reading never passes the end
    /// of a range that it was asked for. After it the clock is live, and stands where the run stood.
    #[test]
    fn a_recording_is_repeated_however_it_is_cut_and_then_it_goes_on(
        events in prop::collection::vec(event(), 0..60),
        seed in any::<u64>(),
    ) {
        let (bindings, hand) = run(&events);
        let recorded = bindings.clone();
        let policy = Policy::Recorded { bindings: Recording::new(recorded.into_iter().map(Ok)), then: Some(live()) };
        let (mut again, mut random) = (clock(policy), Random(seed));
        let (mut got, mut went_live) = (vec![], false);
        let mut next: BTreeMap<u32, u64> = BTreeMap::new();
        let mut asked: Vec<(u32, u64)> = vec![];
        loop {
            while let Some(order) = again.next(done(None)) {
                match order {
                    Order::Bind(binding) => {
                        next.extend(binding.added.iter().copied());
                        got.push(binding);
                    }
                    Order::Read { input, upto } => asked.push((input, upto)),
                    Order::Live => went_live = true,
                }
            }
            if asked.is_empty() {
                break;
            }
            // One block of any partition, up to the end that was asked for first.
            let k = random.below(asked.len() as u64) as usize;
            let input = asked[k].0;
            let first = asked.iter().position(|(i, _)| *i == input).expect("one of them");
            let (start, upto) = (next[&input], asked[first].1);
            let end = start + 1 + random.below(upto - start);
            // The largest date of the range stands in its last block; the others have none that is larger.
            again.report(read(input, (start, end), None));
            next.insert(input, end);
            if end == upto {
                asked.remove(first);
            }
        }
        let shapes = |all: &[Binding]| all.iter().map(shape).collect::<Vec<_>>();
        prop_assert_eq!(shapes(&got), shapes(&bindings));
        prop_assert!(went_live && again.broken().is_none());
        // It goes on where each partition stands, counted from there.
        if let Some(p) = hand.partitions.first().filter(|p| p.read == p.bound) {
            again.report(read(0, (p.bound, p.bound + 5), Some(1_000)));
            let order = again.next(done(None));
            let Some(Order::Bind(binding)) = order else { panic!("{order:?}") };
            prop_assert_eq!(binding.epoch, bindings.len() as u64);
            prop_assert_eq!((binding.blocks[0].start, binding.blocks[0].upto), (p.bound, p.bound + 5));
        }
    }
}

#[test]
fn a_recording_that_does_not_fit_is_refused() {
    let binding = |epoch, before| Binding {
        epoch,
        before,
        after: before,
        added: vec![],
        blocks: vec![],
        last: None,
        stop: false,
        checkpoint: false,
        weight: (0, 0),
        newest: None,
    };
    for (second, good) in [(binding(1, 0), true), (binding(2, 0), false), (binding(1, 7), false)] {
        let bindings = [Ok(binding(0, 0)), Ok(second)];
        let mut clock = clock(Policy::Recorded { bindings: Recording::new(bindings.into_iter()), then: None });
        assert!(clock.next(done(None)).is_some());
        assert_eq!(clock.next(done(None)).is_some(), good);
        assert_eq!(clock.broken().is_none(), good);
    }
    let bad = Recording::new([Err("line 1: broken".to_owned())].into_iter());
    let mut clock = clock(Policy::Recorded { bindings: bad, then: None });
    assert_eq!((clock.next(done(None)), clock.broken()), (None, Some("line 1: broken")));
}

#[test]
fn a_run_that_is_to_end_when_caught_up_ends_there() {
    let mut clock = clock(Policy::Live(Live { until_caught_up: true, ..Live::default() }));
    assert_eq!(clock.next(done(None)), None, "nothing is known yet");
    let found = |input, start, until| Found { input, start, until: Some(until) };
    clock.report(Report::Found(vec![found(0, 0, 20), found(1, 7, 7)]));
    let Some(Order::Bind(first)) = clock.next(done(None)) else { panic!("a binding") };
    assert_eq!(first.added, [(0, 0), (1, 7)]);
    clock.report(read(0, (0, 10), Some(100_000)));
    assert!(matches!(clock.next(done(None)), Some(Order::Bind(binding)) if !binding.stop));
    assert_eq!(clock.next(done(None)), None);
    // Partition 1 has nothing, and could still have: partition 0 waits for it. More may have come than stood there at the start.
    clock.report(Report::Idle { input: 1 });
    clock.report(read(0, (10, 25), Some(100_000)));
    assert!(matches!(clock.next(done(None)), Some(Order::Bind(binding)) if !binding.stop));
    assert!(matches!(clock.next(done(None)), Some(Order::Bind(binding)) if binding.stop && binding.after == 98));
    assert!(clock.done());
}

#[test]
fn epochs_keep_their_distance_and_the_alarm_says_when_the_next_is_due() {
    let mut clock = clock(Policy::Live(Live { pace: 5, advance_when_idle: Some(IDLE), ..Live::default() }));
    let wall = |ms: i64| done(Some(1_000_000 + ms));
    clock.report(Report::Found(vec![Found { input: 0, start: 0, until: None }]));
    assert!(clock.next(wall(0)).is_some());
    assert_eq!((clock.next(wall(1)), clock.alarm(wall(1))), (None, None), "nothing waits");
    clock.report(read(0, (0, 10), Some(2_900)));
    assert_eq!((clock.next(wall(2)), clock.alarm(wall(2))), (None, Some(3)));
    assert!(clock.next(wall(5)).is_some());
    assert_eq!(clock.alarm(wall(6)), None);
    // All are idle: the wall clock alone moves the watermark, so that it must be looked at again.
    clock.report(Report::Idle { input: 0 });
    assert_eq!(clock.alarm(wall(20)), Some(1_000));
    let Some(Order::Bind(binding)) = clock.next(wall(20)) else { panic!("a binding") };
    assert_eq!(binding.after, 993);
    // A wall clock that is put back holds nothing up.
    clock.report(read(0, (10, 20), Some(100_000)));
    assert!(clock.next(wall(-500)).is_some());
}

#[test]
fn an_epoch_that_closes_a_tick_does_not_wait_but_behind_another_such() {
    let mut clock = clock(Policy::Live(Live { pace: 5, ..Live::default() }));
    let wall = |ms: i64| done(Some(1_000_000 + ms));
    let found = |input| Found { input, start: 0, until: None };
    clock.report(Report::Found(vec![found(0), found(1)]));
    assert!(clock.next(wall(0)).is_some());
    clock.report(read(0, (0, 10), Some(103_000)));
    assert_eq!((clock.next(wall(1)), clock.alarm(wall(1))), (None, Some(4)), "the other partition may have older sales");
    clock.report(read(1, (0, 10), Some(102_500)));
    assert!(matches!(clock.next(wall(2)), Some(Order::Bind(binding)) if binding.after == 100));
    clock.report(read(1, (10, 20), Some(103_000)));
    assert_eq!((clock.next(wall(3)), clock.alarm(wall(3))), (None, Some(4)), "a backlog would be read in crumbs");
    assert!(matches!(clock.next(wall(7)), Some(Order::Bind(binding)) if binding.after == 101));
}
