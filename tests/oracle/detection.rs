//! Episodes: the same bytes on any number of workers and through restarts, in a shop with an incident, late sales and
//! cancellations. Their definitions are tested where they are computed.

use super::engine::{Run, run_from};
use super::params::{MINUTE, Params};
use super::record::{Input, Line, Op, PAYMENTS, Record};
use super::restart;
use super::scenario::{START, Scenario};
use dataflows::edge::Table;
use dataflows::fault::Faults;
use proptest::prelude::*;

/// Two hours of two categories in two inputs; from the 80th on, one of them sells five times as much for six minutes,
/// in part to one customer. One sale in ten comes up to a minute late, one in thirty is cancelled.
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
    let params = Params { epoch_bytes: 8_192, detect: true, ..Params::default() };
    Scenario { params, inputs: inputs.into_iter().enumerate().map(input).collect() }
}

fn run(scenario: &Scenario, workers: usize, delay: u64) -> Run {
    let inputs: Vec<_> = scenario.inputs.iter().map(|i| (i.source.clone(), i.lay().0)).collect();
    run_from(&scenario.params, &inputs, workers, Faults { delay, lose: None }, None, None).unwrap()
}

fn said(run: &Run) -> Vec<&(u32, Table, String)> {
    run.rows.iter().filter(|row| matches!(row.1, Table::Episodes | Table::Events)).collect()
}

#[test]
fn an_incident_is_found_by_any_number_of_workers() {
    let scenario = shop(1);
    let one = run(&scenario, 1, 0);
    let found = |word: &str| said(&one).iter().any(|row| row.1 == Table::Episodes && row.2.contains(word));
    assert!(found(r#""type":"activity_spike","level":"category","key":"C0""#), "{:?}", said(&one));
    assert!(found(r#""state":"opened""#) && found(r#""state":"closed""#));
    for (workers, delay) in [(2, 0), (4, 100)] {
        assert_eq!(said(&one), said(&run(&scenario, workers, delay)), "{workers} workers");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, ..ProptestConfig::default() })]

    #[test]
    fn episodes_go_on_through_restarts(seed in 0u64..100, way in restart::way()) {
        let scenario = shop(seed);
        let one = run(&scenario, 1, 0);
        let got = restart::walk(&scenario, &way).map_err(TestCaseError::fail)?;
        prop_assert_eq!(said(&one), said(&got));
    }
}
