//! The rules by hand, then what must be true of any sequence of corrections.

use super::*;
use crate::edge::Table;
use crate::plan::{Reference, Spec};
use crate::row::event::Event;
use proptest::prelude::*;
use std::collections::BTreeMap;

const NONE: &[Gate] = &[];
const FEW: &[Gate] = &[Gate::TotalSales];

fn plan_with(change: impl FnOnce(&mut Spec)) -> Plan {
    let mut spec = Spec::default();
    change(&mut spec);
    Plan::new(&spec).unwrap()
}

/// A window with so many sales and cents.
fn content(sales: i64, cents: i64) -> WindowColumns {
    WindowColumns { total_sales: sales, total_revenue: cents, ..Default::default() }
}

fn judged(columns: &WindowColumns) -> Judged<'_> {
    Judged { columns, failed: NONE }
}

fn findings(now: &WindowColumns, before: &WindowColumns) -> [Finding; 3] {
    let detector = Detector::new(&plan_with(|_| ()), 0).unwrap();
    detector.judge(Some(&judged(now)), &[judged(before)])
}

#[test]
fn which_rules_hold() {
    // (sales, cents) now, before -> spike, drop, surge at 50 %
    for (now, before, holds) in [
        ((15, 1_000), (10, 1_000), [true, false, false]),    // +50 % is enough
        ((14, 1_499), (10, 1_000), [false, false, false]),   // +40 %, +49.9 %
        ((149, 1_000), (100, 1_000), [false, false, false]), // +49 %
        ((14, 1_500), (10, 1_000), [false, false, true]),
        ((5, 1_000), (10, 1_000), [false, true, false]), // -50 % is enough
        ((51, 1_000), (100, 1_000), [false, false, false]),
        ((0, 0), (10, 1_000), [false, true, false]),
        ((-3, -10), (10, 1_000), [false, true, false]),
        ((5, 9_000), (10, 1_000), [false, true, true]), // fewer and dearer
        ((9, 9_000), (0, 0), [false, false, false]),    // nothing to compare with
        ((9, 9_000), (-1, 100), [false, false, true]),
        ((9, 9_000), (1, -100), [true, false, false]),
        ((i64::MAX, i64::MAX), (1, 1), [true, false, true]),
        ((i64::MIN, i64::MIN), (i64::MAX, i64::MAX), [false, true, false]),
    ] {
        let found = findings(&content(now.0, now.1), &content(before.0, before.1));
        assert_eq!(found.map(|it| it.holds), holds, "{now:?} against {before:?}");
        assert_eq!(found.map(|it| it.kind), Kind::GROWTH);
    }
}

#[test]
fn figures_and_severity_by_hand() {
    // 28 against 19: growth 9/19 = 47.368421 %, score 0.947368; revenue 3 x 800.00: growth 200 %, score 4
    let [spike, _, surge] = findings(&content(28, 240_000), &content(19, 80_000));
    assert_eq!((spike.value, spike.expected), (Figure::Count(28), Some(Figure::Millionths(19_000_000))));
    assert_eq!((spike.growth.unwrap().pct(), spike.score, spike.severity), (47_368_421, 947_368, Severity::Info));
    assert_eq!((surge.value, surge.expected), (Figure::Cents(240_000), Some(Figure::Cents(80_000))));
    assert_eq!((surge.growth.unwrap().pct(), surge.score, surge.severity), (200_000_000, 4_000_000, Severity::Critical));
    for (sales, severity) in [
        (174, Severity::Info),     // 74 / 50 = 1.48
        (175, Severity::Warning),  // 1.5
        (199, Severity::Warning),  // 1.98
        (200, Severity::Critical), // 2
    ] {
        assert_eq!(findings(&content(sales, 0), &content(100, 0))[0].severity, severity, "{sales}");
    }
    // a drop by 75 % scores 1.5, all of it 2
    let drop = |sales| findings(&content(sales, 0), &content(100, 0))[1];
    assert_eq!((drop(25).score, drop(25).severity, drop(25).growth.unwrap().pct()), (1_500_000, Severity::Warning, -75_000_000));
    assert_eq!((drop(0).score, drop(0).severity), (2_000_000, Severity::Critical));
    // at a threshold of 80 % an outage scores 1.25 and is critical all the same
    let strict = Detector::new(&plan_with(|spec| spec.events.drop_pct = 80.0), 0).unwrap();
    let outage = strict.judge(Some(&judged(&content(0, 0))), &[judged(&content(100, 1))])[1];
    assert_eq!((outage.holds, outage.score, outage.severity), (true, 1_250_000, Severity::Critical));
}

#[test]
fn gates_partial_windows_and_missing_references() {
    let detector = Detector::new(&plan_with(|_| ()), 0).unwrap();
    let holds = |now: Option<Judged>, references: &[Judged]| detector.judge(now.as_ref(), references).map(|it| it.holds);
    let (many, few) = (content(90, 9_000), content(10, 1_000));
    let failed = |columns| Judged { columns, failed: FEW };
    // spike and surge look at the window's gates, a drop at the reference's
    assert_eq!(holds(Some(judged(&many)), &[judged(&few)]), [true, false, true]);
    assert_eq!(holds(Some(failed(&many)), &[judged(&few)]), [false; 3]);
    assert_eq!(holds(Some(judged(&many)), &[failed(&few)]), [true, false, true]);
    assert_eq!(holds(Some(judged(&few)), &[judged(&many)]), [false, true, false]);
    assert_eq!(holds(Some(failed(&few)), &[judged(&many)]), [false, true, false]);
    assert_eq!(holds(Some(judged(&few)), &[failed(&many)]), [false; 3]);
    // no reference, no row, a partial window
    assert_eq!(holds(Some(judged(&many)), &[]), [false; 3]);
    assert_eq!(holds(None, &[judged(&many)]), [false; 3]);
    let partial = WindowColumns { partial: true, ..content(0, 0) };
    assert_eq!(holds(Some(judged(&partial)), &[judged(&many)]), [false; 3]);
}

#[test]
fn the_mean_of_several() {
    let plan = plan_with(|spec| spec.events.reference = Reference::Mean(3));
    let detector = Detector::new(&plan, 0).unwrap();
    let before = [content(10, 100), content(20, 101), content(16, 100)];
    let references: Vec<Judged> = before.iter().map(judged).collect();
    // mean 46/3 = 15.333333 sales, 301/3 = 1.00 money; 23 * 3 = 69 = 1.5 * 46: exactly +50 %
    let [spike, drop, _] = detector.judge(Some(&judged(&content(23, 100))), &references);
    assert!(spike.holds && !drop.holds);
    assert_eq!((spike.expected, spike.growth.unwrap().pct()), (Some(Figure::Millionths(15_333_333)), 50_000_000));
    assert!(!detector.judge(Some(&judged(&content(22, 100))), &references)[0].holds);
    // two of three are no reference
    assert!(!detector.judge(Some(&judged(&content(99, 100))), &references[1..])[0].holds);
    assert_eq!(detector.rule(Kind::RevenueSurge), "growth/total_revenue/mean-3");
}

#[test]
fn which_windows_are_compared() {
    // default windows: 60s/30s is 60/30 ticks, 15m/1s is 900/1 ticks
    let ends = |reference, window, end| {
        let plan = plan_with(|spec| spec.events.reference = reference);
        (reference_ends(&plan, window, end), Against::of(&plan, window).name())
    };
    assert_eq!(ends(Reference::Auto, 0, 120), (vec![90], "slide".into()));
    assert_eq!(ends(Reference::Auto, 1, 2_000), (vec![1_100], "size".into()));
    assert_eq!(ends(Reference::Slide, 1, 2_000), (vec![1_999], "slide".into()));
    assert_eq!(ends(Reference::Size, 0, 120), (vec![60], "size".into()));
    assert_eq!(ends(Reference::Mean(3), 0, 240), (vec![180, 120, 60], "mean-3".into()));
    assert_eq!(ends(Reference::Mean(0), 0, 240), (vec![180], "mean-1".into()));
    // one of them would begin before tick zero
    assert!(ends(Reference::Mean(3), 0, 210).0.is_empty());
    assert!(ends(Reference::Size, 0, 90).0.is_empty());
    assert!(ends(Reference::Auto, 0, 0).0.is_empty());
    assert!(ends(Reference::Mean(1_000), 0, 60_000).0.is_empty());
    assert_eq!(ends(Reference::Mean(1_000), 0, 60_060).0.len(), 1_000);
}

#[test]
fn settings_switch_rules_off() {
    assert!(Detector::new(&plan_with(|spec| spec.events.enabled = false), 0).is_none());
    let only = plan_with(|spec| spec.events.windows = vec!["15m/1s".into()]);
    assert!(Detector::new(&only, 0).is_none() && Detector::new(&only, 1).is_some());
    let never = Detector::new(&plan_with(|spec| spec.events.spike_pct = f64::INFINITY), 0).unwrap();
    assert!(!never.judge(Some(&judged(&content(1_000_000_000, 0))), &[judged(&content(1, 0))])[0].holds);
}

/// One engine over the first definition; windows a slide of 30 ticks apart, a tick is a second.
struct Bench {
    events: Events,
    said: Vec<(Table, Event)>,
}

impl Bench {
    fn new(change: impl FnOnce(&mut Spec)) -> Bench {
        Bench { events: Events::new(&plan_with(change)), said: vec![] }
    }

    /// Judges the window that ends at `end`; returns what it says as (kind, id and what it retracts told apart, revision).
    fn see(&mut self, (learned, end): (u32, u32), now: Option<&WindowColumns>, before: &WindowColumns) -> Vec<Event> {
        let at = At { learned, bindings: (0, u64::from(learned)), window: 0, end };
        let mut said = vec![];
        let now = now.map(judged);
        self.events.window(&at, now.as_ref(), &[judged(before)], |table, event| said.push((table, event)));
        self.said.extend(said.iter().cloned());
        said.into_iter().map(|(_, event)| event).collect()
    }
}

#[test]
fn an_event_by_hand() {
    let mut bench = Bench::new(|_| ());
    let now = WindowColumns {
        top_seller: Some(("Norte".into(), 14)),
        top_category: Some(("Books".into(), 10)),
        ..content(23, 284_750)
    };
    let said = bench.see((1_769_853_660, 1_769_853_660), Some(&now), &content(15, 120_000));
    // sales 8/15 = 53.333 %, score 1.067; revenue 1647.50/1200 = 137.29 %, score 2.746; drop: no
    let [spike, surge] = &said[..] else { panic!("{said:?}") };
    assert_eq!(spike.message, "Activity spike, +53.3 % against the window before, 23 sales, 2,847.50");
    // 14/23 = 60.87 %, 10/23 = 43.48 %; tickets 2847.50/23 = 123.80 and 1200/15 = 80.00: 1.55 times
    let rest = [
        "concentrated on one seller: Norte made 60.9 % of the sales",
        "leading category: Books with 43.5 % of the sales",
        "high average ticket: 123.80 against 80.00",
    ];
    assert_eq!(spike.insights, rest);
    assert_eq!((spike.severity, spike.score, spike.growth_pct), (Severity::Info, 1_066_667, Some(53_333_333)));
    assert_eq!((spike.start, spike.end, spike.learned), (1_769_853_600_000, 1_769_853_660_000, 1_769_853_660_000));
    assert_eq!((spike.revision, spike.suppressed_since_last, spike.cooldown, spike.retracts), (0, 0, Some(30_000), None));
    // the id of the contract's example in `row::event`
    assert_eq!(spike.id[..4], [0xcb, 0xbd, 0xbe, 0xcc]);
    assert_eq!((surge.severity, surge.score, surge.growth_pct), (Severity::Critical, 2_745_833, Some(137_291_667)));
    assert_eq!(surge.message, "Revenue surge, +137.3 % against the window before, 23 sales, 2,847.50");
    assert_eq!(surge.insights[0], "strong growth: 2.4 times the reference"); // 2847.5 / 1200 = 2.373
    assert_eq!(surge.insights[1..], rest);
}

#[test]
fn other_words() {
    let words = |now: &WindowColumns, before: &WindowColumns| {
        let mut bench = Bench::new(|spec| spec.events.reference = Reference::Size);
        let said = bench.see((120, 120), Some(now), before);
        said.into_iter().map(|it| (it.message, it.insights)).next().unwrap()
    };
    // 1 of 8: -87.5 %; tickets 1.00 and 100.00
    let (message, insights) = words(&content(1, 100), &content(8, 80_000));
    assert_eq!(message, "Activity drop, -87.5 % against the window one size before, 1 sale, 1.00");
    assert_eq!(insights, ["sharp fall: 12.5 % of the reference is left", "low average ticket: 1.00 against 100.00"]);
    let (message, insights) = words(&content(0, 0), &content(8, 80_000));
    assert_eq!(message, "Activity drop, -100.0 % against the window one size before, 0 sales, 0.00");
    assert_eq!(insights, ["standstill: no sales"]);
    let (message, insights) = words(&content(41_000, 123_456_789), &content(1_000, 3_000_000));
    assert_eq!(message, "Activity spike, +4,000.0 % against the window one size before, 41,000 sales, 1,234,567.89");
    assert_eq!(insights, ["explosive growth: 41.0 times the reference"]);
}

#[test]
fn the_life_of_an_event_under_corrections() {
    let mut bench = Bench::new(|_| ());
    let before = content(100, 100_000);
    let one = |said: Vec<Event>| {
        assert_eq!(said.len(), 1, "{said:?}");
        said.into_iter().next().unwrap()
    };
    let spike = one(bench.see((120, 120), Some(&content(160, 100_000)), &before));
    assert_eq!((spike.revision, spike.severity), (0, Severity::Info));
    // more of the same says nothing; more severe says it again; less severe says nothing
    assert!(bench.see((150, 120), Some(&content(165, 100_000)), &before).is_empty());
    let rise = one(bench.see((150, 120), Some(&content(180, 100_000)), &before));
    assert_eq!((rise.id, rise.revision, rise.severity, rise.cooldown), (spike.id, 1, Severity::Warning, Some(30_000)));
    assert!(bench.see((150, 120), Some(&content(160, 100_000)), &before).is_empty());
    assert!(bench.see((150, 120), Some(&content(181, 100_000)), &before).is_empty());
    // the ground goes
    let back = one(bench.see((180, 120), Some(&content(112, 100_000)), &before));
    assert_eq!((back.retracts, back.revision, back.severity), (Some(spike.id), 0, Severity::Warning));
    assert_eq!((back.cooldown, back.suppressed_since_last, &back.insights[..]), (None, 0, &[][..]));
    assert_eq!(
        back.message,
        "Activity spike retracted after a correction: +12.0 % against the window before, 112 sales, 1,000.00"
    );
    assert!(back.id != spike.id && bench.see((180, 120), None, &before).is_empty());
    // and returns, as info again, and goes for good with the row
    let again = one(bench.see((180, 120), Some(&content(150, 100_000)), &before));
    assert_eq!((again.id, again.revision, again.severity, again.retracts), (spike.id, 2, Severity::Info, None));
    let gone = one(bench.see((180, 120), None, &before));
    assert_eq!((gone.id, gone.revision, gone.retracts), (back.id, 1, Some(spike.id)));
    assert_eq!((gone.value, gone.expected, gone.growth_pct, gone.score), (Figure::Count(0), None, None, 0));
    assert_eq!(gone.message, "Activity spike retracted after a correction: 0 sales, 0.00");
}

#[test]
fn the_cooldown_sees_first_detections_only() {
    let mut bench = Bench::new(|spec| spec.events.write_suppressed = true);
    let (spike, calm, before) = (content(180, 100_000), content(100, 100_000), content(100, 100_000));
    bench.see((60, 60), Some(&spike), &before);
    bench.see((90, 90), Some(&spike), &before); // 30 <= 30: suppressed, quiet 60
    bench.see((90, 60), Some(&content(250, 100_000)), &before); // critical: passes
    bench.see((90, 60), Some(&calm), &before); // retraction: passes
    bench.see((90, 60), Some(&spike), &before); // back: passes
    bench.see((90, 90), Some(&calm), &before); // a suppressed one goes: nothing
    bench.see((90, 90), Some(&content(250, 100_000)), &before); // comes back, critical: it stays suppressed
    bench.see((120, 120), Some(&calm), &before);
    bench.see((150, 150), Some(&spike), &before); // 90 > 60: had anything else counted, this were suppressed
    let said: Vec<_> =
        bench.said.iter().map(|(table, it)| (*table, it.end / 1_000, it.revision, it.suppressed_since_last)).collect();
    let (out, quiet) = (Table::Events, Table::Suppressed);
    assert_eq!(said, [(out, 60, 0, 0), (quiet, 90, 0, 1), (out, 60, 1, 0), (out, 60, 0, 0), (out, 60, 2, 0), (out, 150, 0, 1)]);
    assert_eq!(
        bench.said.iter().map(|(_, it)| it.cooldown).collect::<Vec<_>>(),
        [
            Some(30_000), // sent at 60
            Some(60_000), // suppressed at 90
            Some(30_000), // as first sent
            None,         // retraction
            Some(30_000), // as first sent
            Some(60_000), // sent at 150: sending leaves quiet
        ]
    );
}

#[test]
fn two_definitions_with_one_end_are_one_detection() {
    let plan = plan_with(|spec| spec.events.write_suppressed = true);
    let mut events = Events::new(&plan);
    let (now, before) = (content(180, 100_000), content(100, 100_000));
    let mut said = vec![];
    for (window, end) in [(0, 3_600), (1, 3_600), (1, 3_631)] {
        let at = At { learned: end, bindings: (0, 0), window, end };
        events.window(&at, Some(&judged(&now)), &[judged(&before)], |table, it| {
            said.push((table, it.window, it.suppressed_since_last, it.cooldown.unwrap() / 1_000));
        });
    }
    // the second is not sent and does not double the quiet time: 31 s later is past it
    assert_eq!(said, [(Table::Events, 0, 0, 30), (Table::Suppressed, 1, 0, 30), (Table::Events, 1, 0, 30)]);
}

/// What the windows hold as known at each learned tick, for ends 60, 90, ...: `None` is no row.
type Story = Vec<Vec<Option<(i64, i64, bool)>>>;

/// Six learned ticks, 30 apart; at each, the truth of the three ends that corrections still reach.
fn story() -> impl Strategy<Value = Story> {
    let sales = prop_oneof![Just(0i64), 90..110i64, 140..210i64, 20..60i64];
    let window = prop::option::weighted(0.9, (sales, 1..4i64, prop::bool::weighted(0.1)));
    prop::collection::vec(prop::collection::vec(window, 3), 6..12)
}

/// What left, and what holds in the end for each (window end, kind).
type Told = (Vec<(Table, Event)>, BTreeMap<(u32, Kind), bool>);

/// Runs a story through one engine, going through a checkpoint wherever `reload` says so, saying all twice if `twice`.
fn told(story: &Story, reload: &[bool], twice: bool) -> Told {
    let plan = plan_with(|spec| {
        spec.events.write_suppressed = true;
        spec.cooldown.reset = 120_000;
    });
    let mut events = Events::new(&plan);
    let (mut said, mut truth) = (vec![], BTreeMap::new());
    let before = content(100, 10_000);
    for (i, ends) in story.iter().enumerate() {
        let learned = 120 + 30 * i as u32;
        for (k, window) in ends.iter().enumerate() {
            let end = learned - 60 + 30 * k as u32;
            let columns = window.map(|(sales, price, _)| content(sales, sales * price * 100));
            let failed = if window.is_some_and(|it| it.2) { FEW } else { NONE };
            let now = columns.as_ref().map(|columns| Judged { columns, failed });
            let at = At { learned, bindings: (0, 0), window: 0, end };
            for _ in 0..1 + usize::from(twice) {
                events.window(&at, now.as_ref(), &[judged(&before)], |table, it| said.push((table, it)));
            }
            for finding in Detector::new(&plan, 0).unwrap().judge(now.as_ref(), &[judged(&before)]) {
                truth.insert((end, finding.kind), finding.holds);
            }
        }
        events.forget(learned);
        if reload[i % reload.len()] {
            let saved = serde_json::to_string(&events.save()).unwrap();
            events = Events::restore(&plan, serde_json::from_str(&saved).unwrap());
        }
    }
    (said, truth)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn those_who_were_told_know_the_truth(story in story()) {
        let (said, truth) = told(&story, &[false], false);
        let mut revisions = BTreeMap::new();
        let mut known = BTreeMap::new();
        for (table, event) in said {
            // revisions of an id count from 0, and no event leaves both ways
            let (first, count) = revisions.entry(event.id).or_insert((table, 0));
            prop_assert_eq!((table, event.revision), (*first, *count));
            *count += 1;
            if table == Table::Events {
                known.insert((event.end as u32 / 1_000, event.subject.kind), event.retracts.is_none());
            }
            if let Some(id) = event.retracts {
                prop_assert!(revisions.contains_key(&id));
            }
        }
        for (event, holds) in known {
            prop_assert_eq!(truth[&event], holds, "{:?}", event);
        }
    }

    #[test]
    fn checkpoints_and_asking_twice_change_nothing(story in story(), reload in prop::collection::vec(any::<bool>(), 1..5)) {
        let (straight, _) = told(&story, &[false], false);
        prop_assert_eq!(&told(&story, &reload, false).0, &straight);
        prop_assert_eq!(&told(&story, &reload, true).0, &straight);
    }

    // Growth, threshold and score agree: whoever reads the columns comes to the same decision, up to rounding.
    #[test]
    fn the_columns_explain_the_decision(now in -50..400i64, before in 1..200i64) {
        let [spike, drop, _] = findings(&content(now, 0), &content(before, 1));
        let pct = spike.growth.unwrap().pct();
        prop_assert_eq!(spike.holds, 2 * now >= 3 * before);
        prop_assert_eq!(drop.holds, 2 * now <= before);
        prop_assert!((spike.score - pct / 50).abs() <= 1 && spike.score == -drop.score);
        prop_assert!(!spike.holds || spike.score >= 1_000_000);
        prop_assert!(!drop.holds || drop.score >= 1_000_000);
    }
}
