//! Episodes, and the features of days beside them: the same bytes on any number of workers and through restarts, in a shop with
//! an incident, stock that runs out, late sales and cancellations. Their definitions are tested where they are computed.

use super::engine::{Run, run_from};
use super::params::{MINUTE, Params};
use super::record::{Input, Line, Op, PAYMENTS, Record};
use super::restart;
use super::scenario::{START, Scenario};
use dataflows::edge::Table;
use dataflows::fault::Faults;
use proptest::prelude::*;

/// Two hours of two categories in two inputs; from the 80th minute on, one of them sells five times as much for six minutes,
/// in part to one customer. One sale in ten comes up to a minute late, one in thirty is cancelled. A third input says every few
/// minutes what is left of a product, now and then too late.
fn shop(seed: u64) -> Scenario {
    let mut state = seed;
    let mut below = |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    let mut inputs = [vec![], vec![]];
    for half in 0..240i64 {
        let hot = (160..172).contains(&half);
        for category in 0..2u64 {
            for _ in 0..(4 + below(4)) * if hot && category == 0 { 5 } else { 1 } {
                let at = START + half * MINUTE / 2 + below(30_000) as i64;
                let customer = if hot && below(3) == 0 { 7 } else { 10 + below(300) };
                let record = Record {
                    op: Op::Sale,
                    id_sale: format!("{half}-{}", below(1 << 30)),
                    product: format!("P{}", below(5)),
                    category: format!("C{category}"),
                    seller: format!("S{}", 2 * category + below(2)),
                    customer: (customer > 15).then(|| format!("K{customer}")),
                    price: 100 + below(50) as i64,
                    quantity: 1,
                    at,
                    payment: PAYMENTS[0],
                };
                let arrival = if below(10) == 0 { below(55_000) as i64 } else { 0 };
                let input = &mut inputs[below(2) as usize];
                if below(30) == 0 {
                    let cancel = Record { op: Op::Cancel, ..record.clone() };
                    input.push((at + arrival + below(50_000) as i64, Line::Good(cancel)));
                }
                input.push((at + arrival, Line::Good(record)));
            }
        }
    }
    let input = |(i, mut lines): (usize, Vec<(i64, Line)>)| {
        lines.sort_by_key(|line| line.0);
        let lines = lines.into_iter().map(|line| line.1).collect();
        Input { source: format!("{i}.ndjson"), ends_line: true, lines }
    };
    let mut stock: Vec<(i64, String)> = vec![];
    for minute in (0..120i64).step_by(4) {
        let (product, left, at) = (below(5), below(2_000) / (1 + minute as u64), START + minute * MINUTE + below(60_000) as i64);
        let arrival = if below(4) == 0 { below(120_000) as i64 } else { 0 };
        stock.push((at + arrival, format!("{{\"id_product\":\"P{product}\",\"stock\":{left},\"at\":{at}}}\n")));
    }
    stock.sort();
    let stock = stock.into_iter().map(|(_, line)| line).collect();
    let params = Params { epoch_bytes: 8_192, detect: true, profiles: true, stock, ..Params::default() };
    Scenario { params, inputs: inputs.into_iter().enumerate().map(input).collect() }
}

fn run(scenario: &Scenario, workers: usize, delay: u64) -> Run {
    let inputs: Vec<_> = scenario.inputs.iter().map(|i| (i.source.clone(), i.lay().0)).collect();
    run_from(&scenario.params, &inputs, workers, Faults { delay, lose: None }, None, None).unwrap()
}

/// The first line in which two runs differ says more than all lines of both.
fn same(one: &Run, other: &Run) -> Result<(), String> {
    match one.rows.iter().zip(&other.rows).find(|(a, b)| a != b) {
        Some((a, b)) => Err(format!("{a:?}\n{b:?}")),
        None if one.rows.len() != other.rows.len() => Err(format!("{} rows and {}", one.rows.len(), other.rows.len())),
        None => Ok(()),
    }
}

#[test]
fn an_incident_is_found_by_any_number_of_workers() {
    let scenario = shop(1);
    let one = run(&scenario, 1, 0);
    let found = |table: Table, word: &str| one.rows.iter().any(|row| row.1 == table && row.2.contains(word));
    assert!(found(Table::Episodes, r#""type":"activity_spike","level":"category","key":"C0""#));
    assert!(found(Table::Episodes, r#""type":"stock_depletion""#));
    assert!(found(Table::Episodes, r#""state":"opened""#) && found(Table::Episodes, r#""state":"closed""#));
    assert!(found(Table::ProductFeatures, r#""stock_cover_h":1."#));
    for (workers, delay) in [(2, 0), (4, 100)] {
        same(&one, &run(&scenario, workers, delay)).unwrap_or_else(|e| panic!("{workers} workers: {e}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, ..ProptestConfig::default() })]

    #[test]
    fn episodes_go_on_through_restarts(seed in 0u64..100, way in restart::way()) {
        let scenario = shop(seed);
        let one = run(&scenario, 1, 0);
        let got = restart::walk(&scenario, &way).map_err(TestCaseError::fail)?;
        same(&one, &got).map_err(TestCaseError::fail)?;
    }
}
