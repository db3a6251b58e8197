//! Features of days, and scores: that they are the same on any number of workers, through restarts and in any order of arrival,
//! and that what the oracle knows of sellers and categories stands in them. Their definitions are tested where they are computed.

use super::by_hand::{cancel, sale};
use super::engine::{Run, run_from};
use super::harness::last_words;
use super::params::Params;
use super::record::{Input, Record};
use super::scenario::{self, Scenario};
use super::{against, restart};
use dataflows::edge::Table;
use dataflows::fault::Faults;
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;

/// The tables that are revised.
const TABLES: [Table; 4] = [Table::SellerFeatures, Table::CategoryFeatures, Table::ProductFeatures, Table::CustomerFeatures];

/// The same scenario with profiles, for which a lateness is a multiple of the slide.
fn with_profiles(mut scenario: Scenario) -> Scenario {
    let (slide, lateness) = scenario.params.features;
    scenario.params.features = (slide, lateness / slide * slide);
    scenario.params.profiles = true;
    scenario
}

fn run(scenario: &Scenario, workers: usize) -> Result<Run, TestCaseError> {
    let inputs: Vec<_> = scenario.inputs.iter().map(|i| (i.source.clone(), i.lay().0)).collect();
    run_from(&scenario.params, &inputs, workers, Faults::default(), None, None).map_err(TestCaseError::fail)
}

fn same(one: &Run, other: &Run, what: &str) -> Result<(), TestCaseError> {
    for (a, b) in one.rows.iter().zip(&other.rows) {
        prop_assert_eq!(a, b, "{}", what);
    }
    prop_assert_eq!(one.rows.len(), other.rows.len(), "{}", what);
    Ok(())
}

fn of(run: &Run, table: Table) -> Vec<String> {
    run.rows.iter().filter(|row| row.1 == table).map(|row| row.2.clone()).collect()
}

fn words(run: &Run, table: Table) -> BTreeMap<String, String> {
    last_words(&of(run, table), &["key", "as_of"])
}

/// Whether each row of the oracle stands in the other's, column by column.
fn holds(all: &BTreeMap<String, String>, some: &BTreeMap<String, String>) -> Result<(), TestCaseError> {
    for (key, row) in some {
        let Some(found) = all.get(key) else { return Err(TestCaseError::fail(format!("no row {key}"))) };
        let [found, row] = [found, row].map(|row| serde_json::from_str::<Value>(row).unwrap());
        for (column, value) in row.as_object().unwrap() {
            prop_assert_eq!(&found[column], value, "{} of {}", column, key);
        }
    }
    Ok(())
}

fn has_what_the_oracle_has(run: &Run, scenario: &Scenario) -> Result<(), TestCaseError> {
    let oracle = super::tables(&scenario.params, &scenario.inputs);
    holds(&words(run, Table::SellerFeatures), &last_words(&oracle.seller_features, &["key", "as_of"]))?;
    holds(&words(run, Table::CategoryFeatures), &last_words(&oracle.category_features, &["key", "as_of"]))
}

/// In one slide a customer buys what another one cancels: the seller's lines, units and cents come to nothing, and its orders
/// have changed hands all the same. The row was missing.
#[test]
fn a_seller_whose_sale_changes_hands_has_a_row() {
    let by = |customer: &str, second| Record { customer: Some(customer.into()), id_sale: customer.into(), ..sale(second) };
    let another = |second| Record { seller: "B".into(), ..sale(second) };
    let records = vec![by("c3", 1.0), by("c1", 40.0), cancel(by("c3", 41.0)), another(65.0), another(100.0)];
    let params = Params { epoch_bytes: 1, slack: 0, ..Params::default() };
    let scenario = with_profiles(Scenario { params, inputs: vec![Input::of("a.ndjson", records)] });
    has_what_the_oracle_has(&run(&scenario, 1).unwrap(), &scenario).unwrap();
}

/// A sale that comes too late for the row of its own slide enters at the next one: there the seller and the category had no row.
#[test]
fn what_comes_too_late_for_its_own_row_has_the_next_one() {
    let records = vec![sale(90.0), sale(-0.046), Record { seller: "B".into(), category: "L".into(), ..sale(200.0) }];
    let params = Params { epoch_bytes: 1, slack: 2_000, ..Params::default() };
    let scenario = with_profiles(Scenario { params, inputs: vec![Input::of("a.ndjson", records)] });
    has_what_the_oracle_has(&run(&scenario, 1).unwrap(), &scenario).unwrap();
}

proptest! {
    #![proptest_config(against::cases(24))]

    #[test]
    fn the_same_on_any_number_of_workers(scenario in scenario::scenario(60)) {
        let scenario = with_profiles(scenario);
        let one = run(&scenario, 1)?;
        for workers in [2, 4] {
            same(&one, &run(&scenario, workers)?, &format!("{workers} workers"))?;
        }
        has_what_the_oracle_has(&one, &scenario)?;
        // Each accepted sale is scored once; cancellations and returns are not.
        let course = super::epochs::run(&scenario.params, &scenario.inputs);
        let sale = |t: &&super::epochs::Taken| {
            t.fate == super::epochs::Fate::Accepted && matches!(t.record(), Some(r) if r.op == super::record::Op::Sale)
        };
        prop_assert_eq!(of(&one, Table::Scores).len(), course.taken.iter().filter(sale).count());
    }

    #[test]
    fn the_same_through_restarts(scenario in scenario::scenario(60), way in restart::way()) {
        let scenario = with_profiles(scenario);
        let one = run(&scenario, 1)?;
        let got = restart::walk(&scenario, &way).map_err(TestCaseError::fail)?;
        same(&one, &got, "through restarts")?;
    }

    #[test]
    fn the_last_word_does_not_depend_on_arrival((one, two) in scenario::shuffled(60), workers in 1..3_usize) {
        let (one, two) = (run(&with_profiles(one), workers)?, run(&with_profiles(two), workers)?);
        for table in TABLES {
            prop_assert_eq!(words(&one, table), words(&two, table));
        }
    }
}
