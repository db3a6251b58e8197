//! Inputs made by proptest: few names, few prices, times that like to fall on boundaries, so that ties and collisions
//! are the rule; and all that may go wrong on the way.

use super::params::{Cooldown, Events, Gates, HOUR, MINUTE, Params, Reference, Window};
use super::record::{Broken, Input, Line, Op, PAYMENTS, Record};
use proptest::prelude::*;

/// What is computed over which inputs.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub params: Params,
    pub inputs: Vec<Input>,
}

/// 2026-01-31T10:00:00Z, when the scenarios begin.
pub const START: i64 = 20_484 * 24 * HOUR + 10 * HOUR;

/// What the next record is.
#[derive(Clone, Copy, Debug)]
enum What {
    /// A sale, dated so many milliseconds before the scenario's clock.
    Sale(i64),
    /// The cancellation of an earlier sale, chosen among all so far.
    Cancel(prop::sample::Index),
    /// The cancellation of a sale that never came.
    Orphan(i64),
    Return(i64),
    /// An earlier record again.
    Duplicate(prop::sample::Index),
    /// A sale dated far ahead.
    Wild(i64),
    HalfJson,
    NotText,
    FreePrice,
    FreeAndTooMany,
    Blank,
}

/// One line of some input.
#[derive(Clone, Debug)]
struct Step {
    what: What,
    /// By how much the scenario's clock moves before it.
    pause: i64,
    input: usize,
    product: usize,
    seller: usize,
    customer: usize,
    price: usize,
    quantity: i64,
    /// Which earlier sale it cancels if it turns out to be a regret.
    of: prop::sample::Index,
}

/// How a scenario goes on.
#[derive(Clone, Copy, Debug)]
struct Mood {
    /// Pauses are so many times shorter.
    haste: i64,
    /// In the second half every other line cancels an earlier sale.
    regret: bool,
}

fn mood() -> impl Strategy<Value = Mood> {
    let haste = prop_oneof![Just(1_i64), Just(4)];
    (haste, prop::bool::weighted(0.3)).prop_map(|(haste, regret)| Mood { haste, regret })
}

const PRODUCTS: [(&str, &str); 5] =
    [("B01", "Livros"), ("B02", "Livros"), ("C01", "Café, \"forte\""), ("D01", "Casa\ne jardim"), ("E01", "Ágata")];
const SELLERS: [&str; 4] = ["Loja B", "Loja A", "Zé", "a"];
const CUSTOMERS: [Option<&str>; 4] = [None, Some("c1"), Some("c2"), Some("c3")];
const PRICES: [i64; 6] = [1, 1_000, 1_001, 4_999, 12_345, 40_000];

/// Pauses and delays: mostly short ones, and those that hit a boundary to the millisecond.
fn pause() -> impl Strategy<Value = i64> {
    prop_oneof![
        12 => 0..700_i64,
        6 => (0..5_i64).prop_map(|n| n * 500),
        2 => (1..4_i64).prop_map(|n| n * 3_000 - 1),
        1 => 0..40_000_i64,
    ]
}

fn delay() -> impl Strategy<Value = i64> {
    prop_oneof![
        12 => Just(0_i64),
        6 => 0..6_000_i64,
        4 => 0..20_000_i64,
        1 => 0..2 * MINUTE,
        1 => 0..3 * HOUR,
    ]
}

fn what() -> impl Strategy<Value = What> {
    let any = || any::<prop::sample::Index>();
    prop_oneof![
        24 => delay().prop_map(What::Sale),
        4 => any().prop_map(What::Cancel),
        1 => delay().prop_map(What::Orphan),
        2 => delay().prop_map(What::Return),
        2 => any().prop_map(What::Duplicate),
        1 => (20 * HOUR..40 * HOUR).prop_map(What::Wild),
        1 => prop_oneof![
            Just(What::HalfJson),
            Just(What::NotText),
            Just(What::FreePrice),
            Just(What::FreeAndTooMany),
            Just(What::Blank)
        ],
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let silence = prop_oneof![60 => Just(0_i64), 1 => (1..4_i64).prop_map(|h| h * HOUR + 17_000), 1 => Just(30_000)];
    let names = (0..PRODUCTS.len(), 0..SELLERS.len(), 0..CUSTOMERS.len());
    let input = prop_oneof![5 => Just(0_usize), 3 => Just(1_usize), 1 => Just(2_usize)];
    let price = prop_oneof![3 => 1..4_usize, 1 => 0..PRICES.len()];
    let of = any::<prop::sample::Index>();
    (what(), (pause(), silence), input, names, price, 1..4_i64, of).prop_map(
        |(what, (pause, silence), input, (product, seller, customer), price, quantity, of)| Step {
            what,
            pause: pause + silence,
            input,
            product,
            seller,
            customer,
            price,
            quantity,
            of,
        },
    )
}

/// Sets of windows: small ones, one without lateness, some whose lateness is no multiple of their slide, some whose slides
/// share no tick but the second, the defaults.
fn windows() -> impl Strategy<Value = Vec<Window>> {
    let w = Params::window;
    prop_oneof![
        3 => Just(vec![w(6, 3, 6), w(20, 1, 5)]),
        2 => Just(vec![w(60, 30, 60), w(4, 2, 0)]),
        2 => Just(vec![w(10, 10, 4), w(60, 30, 20)]),
        2 => Just(vec![w(14, 7, 10), w(15, 5, 20), w(3, 3, 1)]),
        1 => Just(Params::default().windows),
    ]
}

fn events() -> impl Strategy<Value = Events> {
    let reference = prop_oneof![2 => Just(Reference::Auto), 1 => (1..4_i64).prop_map(Reference::Mean)];
    let percent = || prop_oneof![Just(50_000_i64), Just(33_333), Just(12_500)];
    (reference, percent(), percent(), percent()).prop_map(|(reference, spike, drop, revenue)| Events {
        reference,
        spike,
        drop,
        revenue,
    })
}

fn params() -> impl Strategy<Value = Params> {
    let gates = prop_oneof![
        1 => Just(Params::default().gates),
        2 => (1..3_i64, 1..3_i64).prop_map(|(sales, sellers)| Gates { sales, revenue: 1_000, sellers, rejected: 200, bad_time: 200 }),
    ];
    let cooldown = prop_oneof![Just(Params::default().cooldown), Just(Cooldown { quiet: 5_000, most: 20_000, reset: 60_000 })];
    let slack = prop_oneof![Just(2_000_i64), Just(0), Just(700), Just(9_000)];
    let drift = prop_oneof![Just(MINUTE), Just(3_000_i64)];
    let features = prop_oneof![
        4 => Just((30_000_i64, MINUTE)),
        1 => Just((30_000, 0)),
        1 => Just((10_000, 45_000)),
        1 => Just((60_000, 2 * MINUTE)),
    ];
    let bytes = prop_oneof![4 => 1..400_u64, 3 => 400..2_000_u64, 1 => Just(1_u64 << 20)];
    let horizon = prop_oneof![3 => Just(0_i64), 1 => Just(5_000_i64), 1 => Just(10 * MINUTE)];
    (windows(), gates, cooldown, events(), (slack, drift, features, bytes, horizon)).prop_map(
        |(windows, gates, cooldown, events, (slack, max_drift, features, epoch_bytes, deduplicate))| Params {
            windows,
            features,
            slack,
            max_drift,
            deduplicate,
            epoch_bytes,
            gates,
            cooldown,
            events,
            ..Params::default()
        },
    )
}

/// The record of a step that happens at `at`.
fn record(step: &Step, n: usize, op: Op, at: i64) -> Record {
    let (product, category) = PRODUCTS[step.product];
    Record {
        op,
        id_sale: format!("s{n}"),
        product: product.into(),
        category: category.into(),
        seller: SELLERS[step.seller].into(),
        customer: CUSTOMERS[step.customer].map(String::from),
        price: PRICES[step.price],
        quantity: step.quantity,
        at,
        payment: PAYMENTS[n % PAYMENTS.len()],
    }
}

/// The lines that the steps come to, one list an input.
fn lines(steps: &[Step], mood: Mood) -> Vec<Vec<Line>> {
    let (mut clock, mut said, mut inputs) = (START, Vec::<Record>::new(), vec![vec![]; 3]);
    for (n, step) in steps.iter().enumerate() {
        clock += if step.pause < HOUR { step.pause / mood.haste } else { step.pause };
        let new = |op, delay: i64| Line::Good(record(step, n, op, clock - delay));
        let sale = record(step, n, Op::Sale, clock);
        let sales: Vec<&Record> = said.iter().filter(|r| r.op == Op::Sale).collect();
        let regret = mood.regret && 2 * n > steps.len() && n % 2 == 0;
        let line = match if regret { What::Cancel(step.of) } else { step.what } {
            What::Sale(delay) => new(Op::Sale, delay),
            What::Cancel(of) if !sales.is_empty() => Line::Good(Record { op: Op::Cancel, ..(*of.get(&sales)).clone() }),
            What::Cancel(_) => new(Op::Cancel, 0),
            What::Orphan(delay) => new(Op::Cancel, delay),
            What::Return(delay) => new(Op::Return, delay),
            What::Duplicate(of) if !said.is_empty() => Line::Good(of.get(&said).clone()),
            What::Duplicate(_) => new(Op::Sale, 0),
            What::Wild(ahead) => new(Op::Sale, -ahead),
            // CSV (input 1) knows only broken records that have all fields.
            What::HalfJson | What::NotText if step.input == 1 => Line::Blank,
            What::HalfJson => Line::Broken(Broken::HalfJson),
            What::NotText => Line::Broken(Broken::NotText),
            What::FreePrice => Line::Broken(Broken::FreePrice(sale)),
            What::FreeAndTooMany => Line::Broken(Broken::FreeAndTooMany(sale)),
            What::Blank => Line::Blank,
        };
        if let Line::Good(r) = &line {
            said.push(r.clone());
        }
        inputs[step.input].push(line);
    }
    inputs
}

/// One to three inputs of unequal length: NDJSON, CSV, NDJSON.
pub fn scenario(most: usize) -> impl Strategy<Value = Scenario> {
    let steps = prop::collection::vec(step(), 1..most);
    (params(), steps, mood(), 1..=3_usize, any::<bool>()).prop_map(|(params, mut steps, mood, n, ends_line)| {
        steps.iter_mut().for_each(|step| step.input %= n);
        if params.windows.iter().any(|w| w.size / w.slide > 100) {
            steps.truncate(16); // each record is in hundreds of windows
        }
        let sources = ["a.ndjson", "b.csv", "c.ndjson"].iter().zip(lines(&steps, mood)).take(n);
        let inputs = sources.map(|(source, lines)| Input { source: source.to_string(), ends_line, lines });
        Scenario { params, inputs: inputs.collect() }
    })
}

/// How long after its date a record may arrive and still count in every window and feature that holds it.
fn patience(params: &Params) -> i64 {
    let lateness = params.windows.iter().map(|w| w.lateness).chain([params.features.1]);
    lateness.min().expect("the features have a lateness") + params.slack
}

/// A scenario in which nothing is broken, wild or too late, and the same records in another order of arrival and other
/// epochs.
pub fn shuffled(most: usize) -> impl Strategy<Value = (Scenario, Scenario)> {
    let twice = (prop::collection::vec(any::<u32>(), most), prop::collection::vec(any::<u32>(), most));
    (scenario(most), twice, 50..2_000_u64).prop_map(|(mut base, (one, two), epoch_bytes)| {
        base.params.max_jump = 1_000 * HOUR;
        base.params.deduplicate = 0;
        let lines = base.inputs.iter().flat_map(|i| &i.lines);
        let good: Vec<Record> = lines.filter_map(|l| if let Line::Good(r) = l { Some(r.clone()) } else { None }).collect();
        let patience = patience(&base.params);
        let arrive = |jitter: &[u32]| {
            let late = |i: usize| i64::from(jitter[i % jitter.len()]) % (patience + 1);
            let mut order: Vec<(i64, usize)> = good.iter().enumerate().map(|(i, r)| (r.at + late(i), i)).collect();
            order.sort();
            Input::of("a.ndjson", order.into_iter().map(|(_, i)| good[i].clone()))
        };
        let other = Params { epoch_bytes, ..base.params.clone() };
        let (first, second) = (arrive(&one), arrive(&two));
        (Scenario { params: base.params, inputs: vec![first] }, Scenario { params: other, inputs: vec![second] })
    })
}
