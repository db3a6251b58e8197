//! Against the formulas applied to the final counts, pane by pane, with whole histories in maps and nothing kept up to date;
//! and the same sales in other orders of arrival, on other numbers of workers, through a restart.

mod naive;

use super::*;
use crate::detect::baskets::{self, Baskets};
use crate::detect::episodes::{Episodes, Row};
use crate::pane::heads::{Head, Heads, owner};
use crate::plan::{Announced, Plan, Spec};
use crate::row::event::{Episode, Kind, State};
use naive::Naive;
use proptest::prelude::*;

/// A sale: the tick at which it is released, and what it says.
type Sale = (u32, Head);

fn plan() -> Arc<Plan> {
    let mut spec = Spec::default();
    (spec.detect.enabled, spec.detect.false_alarms) = (true, 2_000.0);
    Arc::new(Plan::new(&spec).unwrap())
}

/// Panes in half a minute: what is sold is said by half minutes, and falls on their panes at random.
const HALF: u32 = MINUTE / 2;

/// Midnight of a Monday, in panes.
const START: u32 = 58_919_040 * HALF;

/// A generator of numbers for tests: splitmix.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 11
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

fn id(n: u64) -> Identity {
    [n, n.wrapping_mul(0x9E37_79B9_7F4A_7C15)]
}

/// Half minutes of a shop of three categories and seven sellers, with incidents in the last of them.
fn shop(seed: u64, halves: u32, step: u32) -> Vec<Head> {
    let (mut dice, mut heads) = (Dice(seed), vec![]);
    let incident = halves - 90 + dice.below(10) as u32;
    for p in 0..halves {
        let pane = |dice: &mut Dice| pane_of(p, dice) * step;
        let hot = (incident..incident + 12).contains(&p);
        let cold = (incident + 45..incident + 60).contains(&p);
        for category in 0..3u64 {
            let usual = 6 + 4 * category + u64::from(p % 2_880 > 1_400) * 4;
            let n = if cold && seed.is_multiple_of(2) { 0 } else { usual + dice.below(7) };
            let n = if hot && category == seed % 3 { 4 * n } else { n };
            for _ in 0..n {
                let (customer, seller) = (dice.below(900), category * 3 + dice.below(3) * dice.below(2));
                let customer = if customer < 30 { [0, 0] } else { id(10_000 + customer) };
                let lines = if dice.below(40) == 0 { -1 } else { 1 + dice.below(2) as i32 };
                let pane = pane(&mut dice);
                heads.push(Head { customer, seller: id(100 + seller), category: id(1 + category), pane, lines });
            }
        }
        if (incident + 70..incident + 76).contains(&p) {
            heads.push(Head { customer: id(7), seller: id(101), category: id(1), pane: pane(&mut dice), lines: 25 });
        }
    }
    heads
}

/// A pane of a half minute.
fn pane_of(half: u32, dice: &mut Dice) -> u32 {
    START + 1 + half * HALF + dice.below(HALF.into()) as u32
}

/// Each sale on time, or (one in eight) up to the allowed lateness after its pane.
fn arrive(heads: &[Head], late: u64, lateness: u32, step: u32) -> Vec<Sale> {
    let mut dice = Dice(late);
    let arrival = |head: &Head| match dice.below(8) {
        0 if late > 0 => head.pane + dice.below(u64::from(lateness) + 1) as u32,
        _ => head.pane - dice.below(u64::from(step)) as u32,
    };
    let released: Vec<u32> = heads.iter().map(arrival).collect();
    let mut sales: Vec<Sale> = released.into_iter().zip(heads.iter().copied()).collect();
    sales.sort_by_key(|(s, head)| (*s, dice_of(late, head)));
    sales
}

fn dice_of(seed: u64, head: &Head) -> u64 {
    Dice(seed ^ head.customer[0] ^ head.seller[0] << 32).next()
}

/// The detector from readers to rows, without timely: `restart` cuts behind a tick and goes on with another number of workers.
struct Run {
    plan: Arc<Plan>,
    workers: Vec<Baskets>,
    counts: Counts,
    episodes: Episodes,
    rows: Vec<Episode>,
}

impl Run {
    fn new(plan: &Arc<Plan>, peers: usize) -> Run {
        let workers = (0..peers).map(|_| Baskets::new(&plan.detect)).collect();
        let (mut counts, episodes) = (Counts::new(plan), Episodes::new(plan));
        for n in 1..200 {
            counts.name(Level::Category, id(n), format!("c{n}"));
            counts.name(Level::Seller, id(n), format!("s{n}"));
        }
        Run { plan: plan.clone(), workers, counts, episodes, rows: vec![] }
    }

    fn restart(&mut self, tick: u32, peers: usize) {
        let saved: Vec<baskets::Saved> = self.workers.iter().map(|worker| worker.save(tick)).collect();
        let bytes = postcard::to_stdvec(&(saved, self.counts.save(), self.episodes.save())).unwrap();
        let (saved, counts, episodes): (Vec<baskets::Saved>, Saved, _) = postcard::from_bytes(&bytes).unwrap();
        self.workers = (0..peers).map(|_| Baskets::new(&self.plan.detect)).collect();
        for (me, worker) in self.workers.iter_mut().enumerate() {
            worker.restore(saved.clone(), tick, me, peers);
        }
        self.counts = Counts::restore(&self.plan, counts);
        self.episodes = Episodes::restore(&self.plan, episodes);
    }

    fn learn(&mut self, tick: u32, sales: &[Sale]) {
        let peers = self.workers.len();
        for (me, worker) in self.workers.iter_mut().enumerate() {
            let of = |to: fn(&Head, usize) -> u32| {
                sales.iter().map(|sale| sale.1).filter(|head| to(head, peers) as usize == me).collect::<Vec<_>>()
            };
            let customers = of(|head, peers| head.counted_by(peers));
            let sellers = of(|head, peers| owner(head.seller, peers));
            worker.learn(Heads { to: me as u32, s: tick, customers, sellers, ..Heads::default() });
        }
    }

    /// All before tick `open` is complete.
    fn close(&mut self, open: u32, mut look: impl FnMut(&Counts, u32)) {
        loop {
            let workers = self.workers.iter().filter_map(Baskets::busy);
            let next = workers.chain(self.counts.busy()).chain(self.episodes.busy()).min();
            let Some(s) = next.filter(|s| *s < open) else { return };
            let (mut steps, mut signals) = (vec![], vec![]);
            for worker in self.workers.iter_mut().rev().filter(|worker| worker.busy() == Some(s)) {
                worker.close(s, |step| steps.push(step));
            }
            if !steps.is_empty() || self.counts.busy() == Some(s) {
                self.counts.close(s, steps, |signal| signals.push(signal));
                look(&self.counts, s);
            }
            let rows = &mut self.rows;
            self.episodes.close(s, signals, &|_| (0, 0), |row| {
                if let Row::Episode(episode) = row {
                    rows.push(*episode);
                }
            });
        }
    }

    /// The last that was said of each episode.
    fn truth(&self) -> BTreeMap<[u8; 16], Episode> {
        let mut truth = BTreeMap::new();
        for row in &self.rows {
            let mut last = row.clone();
            (last.event.revision, last.event.learned) = (0, 0);
            truth.insert(last.event.id, last);
        }
        truth.retain(|_, row| row.state.is_some());
        truth
    }
}

fn run(plan: &Arc<Plan>, sales: &[Sale], peers: usize, cut: Option<(usize, usize)>, mut look: impl FnMut(&Counts, u32)) -> Run {
    let mut run = Run::new(plan, peers);
    for (i, of_tick) in sales.chunk_by(|a, b| a.0 == b.0).enumerate() {
        let tick = of_tick[0].0;
        run.close(tick, &mut look);
        if let Some((_, peers)) = cut.filter(|cut| cut.0 == i) {
            run.restart(tick, peers);
        }
        run.learn(tick, of_tick);
    }
    let last = sales.last().map_or(0, |sale| sale.0) + 20 * HALF * plan.detect.step;
    run.close(last, look);
    run
}

/// Every window of every series, at every end once it is final, and what is frozen, against the formulas.
fn against_the_formulas(seed: u64, late: u64, halves: u32) {
    let plan = plan();
    let (step, lateness) = (plan.detect.step, plan.detect.lateness);
    let heads = shop(seed, halves, step);
    let sales = arrive(&heads, late, lateness, step);
    let mut naive = Naive::new(&plan, &heads);
    let mut compared = 0;
    run(&plan, &sales, 2, None, |counts, s| {
        let pane = s / step;
        naive.pass(pane);
        // once the lateness is over nothing can change the pane any more
        let last = pane + 1 - OPEN;
        for series in &counts.series {
            let windows = series.windows(last);
            assert_eq!(windows, naive.windows(series.level, series.key, last), "seed {seed} {:?} {last}", series.level);
            compared += windows.iter().flatten().count();
        }
        for (key, seller) in &counts.sellers {
            for what in [What::Baskets, What::Lines] {
                let windows = seller.windows(what, last, &counts.series);
                assert_eq!(windows, naive.of_seller(*key, what, last), "seed {seed} {what:?} {last}");
                compared += windows.iter().flatten().count();
            }
        }
    });
    assert!(compared > 1_000, "{compared}");
}

#[test]
fn windows_are_those_of_the_formulas() {
    against_the_formulas(2, 5, 3_200);
    against_the_formulas(7, 9, 400);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]
    #[test]
    fn the_last_word_does_not_depend_on_arrival_workers_or_restarts(
        seed in 0u64..1_000,
        late in 1u64..1_000,
        peers in prop::sample::select(vec![1usize, 2, 4]),
        cut in prop::option::of((9_000usize..11_000, 1usize..4)),
    ) {
        let plan = plan();
        let (step, lateness) = (plan.detect.step, plan.detect.lateness);
        let heads = shop(seed, 380, step);
        let expected = run(&plan, &arrive(&heads, 0, lateness, step), 1, None, |_, _| ()).truth();
        prop_assert!(expected.values().any(|row| row.event.subject.level == Level::Category), "{expected:?}");
        let other = run(&plan, &arrive(&heads, late, lateness, step), peers, cut, |_, _| ()).truth();
        prop_assert_eq!(expected, other);
    }
}

/// Episodes of the shop and its categories in a day and a bit of three categories, of which one sells four times as much for half an hour,
/// and within it nothing is sold anywhere for 5 minutes.
fn with_a_sale(announced: bool) -> Vec<(Level, Kind, u32)> {
    const SALE: std::ops::Range<u32> = 2_960..3_020;
    let mut spec = Spec::default();
    spec.detect.enabled = true;
    if announced {
        let at = |pane: u32| i64::from(START / HALF + pane) * 30_000;
        // it begins and ends within a half minute
        let (start, end) = (at(SALE.start) + 20_000, at(SALE.end) - 20_000);
        spec.detect.announced.push(Announced { start, end, category: Some("c1".into()) });
    }
    let plan = Arc::new(Plan::new(&spec).unwrap());
    let (step, mut dice, mut heads) = (plan.detect.step, Dice(5), vec![]);
    for p in 0..3_060 {
        for category in 1..4 {
            let usual = 12 + dice.below(5);
            let n = if category == 1 && SALE.contains(&p) { 4 * usual } else { usual };
            for _ in 0..if (2_995..3_005).contains(&p) { 0 } else { n } {
                let (customer, seller) = (id(10_000 + dice.below(1 << 40)), id(100 + category));
                let pane = pane_of(p, &mut dice) * step;
                heads.push(Head { customer, seller, category: id(category), pane, lines: 1 });
            }
        }
    }
    let truth = run(&plan, &arrive(&heads, 3, plan.detect.lateness, step), 2, None, |_, _| ()).truth();
    let told = truth.values().map(|row| &row.event).filter(|event| event.subject.level != Level::Seller);
    let told = told.map(|event| (event.subject.level, event.subject.kind, (event.end / 30_000) as u32 - START / HALF));
    // behind the last sale everything drops
    told.filter(|(.., end)| *end < 3_060).collect()
}

#[test]
fn an_announced_sale_of_one_category_is_no_news_and_hides_none_of_the_shop() {
    let (surprised, told) = (with_a_sale(false), with_a_sale(true));
    let spike = |of: &[(Level, Kind, u32)]| of.iter().any(|it| (it.0, it.1) == (Level::Category, Kind::ActivitySpike));
    assert!(spike(&surprised) && !spike(&told), "{surprised:?} {told:?}");
    let shop: Vec<_> = told.iter().filter(|it| it.0 == Level::Global).collect();
    assert!(matches!(shop[..], [(_, Kind::ActivityDrop, 2_996..=3_010)]), "{told:?}");
}

/// What is said of one category of three in a shop that is as usual for a day and a bit, then sells `factor(p)` times as much there,
/// `p` half minutes after that; late sales and all. Kinds in the order of their first ends.
fn of_one_category(factor: impl Fn(u32) -> u64) -> Vec<Kind> {
    const CALM: u32 = 3_000;
    let mut spec = Spec::default();
    (spec.detect.enabled, spec.signals.enabled) = (true, true);
    let plan = Arc::new(Plan::new(&spec).unwrap());
    let (step, mut dice, mut heads) = (plan.detect.step, Dice(11), vec![]);
    for p in 0..CALM + 110 {
        for category in 1..4 {
            let usual = 20 + dice.below(9);
            let n = if category == 1 && p >= CALM { usual * factor(p - CALM) / 100 } else { usual };
            for _ in 0..n {
                let (customer, seller) = (id(10_000 + dice.below(1 << 40)), id(100 + 10 * category + dice.below(9)));
                let pane = pane_of(p, &mut dice) * step;
                heads.push(Head { customer, seller, category: id(category), pane, lines: 1 });
            }
        }
    }
    let run = run(&plan, &arrive(&heads, 4, plan.detect.lateness, step), 2, None, |_, _| ());
    let truth = run.truth();
    // behind the last sale everything drops
    let last = i64::from(START / HALF + CALM + 110) * 30_000;
    let opened = run.rows.iter().filter(|row| row.state == Some(State::Opened) && row.event.end <= last);
    let told: BTreeMap<[u8; 16], (i64, Kind)> = opened
        .filter(|row| truth.contains_key(&row.event.id))
        .map(|row| (row.event.id, (row.event.end, row.event.subject.kind)))
        .collect();
    let mut told: Vec<(i64, Kind)> = told.into_values().collect();
    told.sort_by_key(|it| it.0);
    told.into_iter().map(|it| it.1).collect()
}

#[test]
fn what_grows_for_half_an_hour_is_a_trend_and_what_grows_at_once_a_spike() {
    assert_eq!(of_one_category(|p| 100 + u64::from(150 * p.min(60) / 60)), [Kind::CategoryTrend]);
    assert_eq!(of_one_category(|p| if p < 20 { 250 } else { 100 }), [Kind::ActivitySpike]);
    assert_eq!(of_one_category(|_| 100), []);
}

/// A seller whom one customer buys from for five minutes, then as many customers as lines for half an hour; late sales correct each end
/// until it is final.
#[test]
fn a_burst_keeps_its_name_when_its_oldest_open_end_is_corrected() {
    const CALM: u32 = 3_000;
    let mut spec = Spec::default();
    spec.detect.enabled = true;
    let plan = Arc::new(Plan::new(&spec).unwrap());
    let (step, mut dice, mut heads) = (plan.detect.step, Dice(21), vec![]);
    for p in 0..CALM + 70 {
        for category in 1..4 {
            for _ in 0..20 + dice.below(9) {
                let (customer, seller) = (id(10_000 + dice.below(1 << 40)), id(100 + 10 * category + dice.below(9)));
                let pane = pane_of(p, &mut dice) * step;
                heads.push(Head { customer, seller, category: id(category), pane, lines: 1 });
            }
        }
        for i in 0..if p < CALM { 0 } else { 20 } {
            let customer = if p < CALM + 10 { id(7) } else { id(1_000 + u64::from(p) * 100 + i) };
            let pane = pane_of(p, &mut dice) * step;
            heads.push(Head { customer, seller: id(113), category: id(1), pane, lines: 1 });
        }
    }
    let truth = run(&plan, &arrive(&heads, 4, plan.detect.lateness, step), 2, None, |_, _| ()).truth();
    let of_sellers = truth.values().map(|row| &row.event.subject).filter(|subject| subject.level == Level::Seller);
    let told: Vec<(Kind, &str)> = of_sellers.map(|subject| (subject.kind, &*subject.key)).collect();
    assert_eq!(told, [(Kind::FraudLikeBurst, "s113")]);
}
