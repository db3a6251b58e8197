//! What holds of the oracle whatever comes; and that the harness notices a record that is lost.

use super::epochs::{self, Course, Fate};
use super::harness::{self, all_last_words};
use super::params::Params;
use super::record::Op;
use super::scenario::{self, Scenario};
use super::{Tables, by_hand, tables, tables_of};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// The oracle in the place of an engine, on what is left of the course of a run. Its lines are dressed as the engine's.
fn stand_in(scenario: &Scenario, course: &Course) -> Tables {
    let mut tables = tables_of(&scenario.params, &scenario.inputs, course);
    for letter in &mut tables.dead_letters {
        let (head, rest) = letter.split_once("\"codes\":[").expect("a letter has codes");
        let (codes, tail) = rest.split_once(']').expect("the list ends");
        let errors: Vec<String> = codes.split(',').filter(|c| !c.is_empty()).map(|c| format!("{{\"code\":{c}}}")).collect();
        *letter = format!("{head}\"errors\":[{}]{tail}", errors.join(","));
    }
    tables
}

fn known_scenario(seed: u8, most: usize) -> Scenario {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    scenario::scenario(most).new_tree(&mut runner).expect("a scenario").current()
}

proptest! {
    #![proptest_config(Config { cases: 32, failure_persistence: None, ..Config::default() })]

    /// Every record has one disposition, and the harness finds the oracle equal to itself.
    #[test]
    fn counts_agree_and_the_oracle_passes_its_own_harness(scenario in scenario::scenario(60)) {
        let course = epochs::run(&scenario.params, &scenario.inputs);
        let counts = super::counts(&course);
        prop_assert_eq!(counts.read, counts.rejected + counts.too_late + counts.duplicate + counts.accepted);
        prop_assert!(course.marks.is_sorted());
        let engine = |_: &Params, _: &[(String, Vec<u8>)], _: usize| Ok(stand_in(&scenario, &course));
        prop_assert_eq!(harness::check(&engine, &scenario), Ok(()));
    }

    /// For any order of arrival within the allowed lateness and any size of epochs, the last word on every row is the same.
    #[test]
    fn the_last_word_does_not_depend_on_arrival((one, two) in scenario::shuffled(60)) {
        let (one, two) = (tables(&one.params, &one.inputs), tables(&two.params, &two.inputs));
        prop_assert_eq!(one.counts.accepted, one.counts.read);
        prop_assert_eq!(two.counts.accepted, two.counts.read);
        prop_assert_eq!(all_last_words(&one), all_last_words(&two));
    }
}

/// The harness finds the oracle equal to itself on the cases worked out by hand.
#[test]
fn the_cases_by_hand_pass_the_harness() {
    for scenario in by_hand::scenarios() {
        let course = epochs::run(&scenario.params, &scenario.inputs);
        let engine = |_: &Params, _: &[(String, Vec<u8>)], _: usize| Ok(stand_in(&scenario, &course));
        assert_eq!(harness::check(&engine, &scenario), Ok(()));
    }
}

/// The scenarios come where it hurts: a generator that has lost its edge tests nothing.
#[test]
fn the_scenarios_reach_the_corners() {
    let mut reached = std::collections::BTreeMap::<&str, usize>::new();
    for seed in 1..=40 {
        let scenario = known_scenario(seed, 60);
        let course = epochs::run(&scenario.params, &scenario.inputs);
        let tables = tables_of(&scenario.params, &scenario.inputs, &course);
        let features = || tables.seller_features.iter().chain(&tables.category_features);
        let revised = |line: &&String| !line.contains("\"revision\":0");
        let mut count = |corner, n| *reached.entry(corner).or_default() += n;
        count("rejected", tables.counts.rejected as usize);
        count("too late", tables.counts.too_late as usize);
        count("wild dates", course.taken.iter().filter(|t| t.future).count());
        count("revised windows", tables.windows.iter().filter(revised).count());
        count("revised features", features().filter(revised).count());
        count("features taken back", features().filter(|l| l.contains("\"deleted\"")).count());
        count("partial windows", tables.windows.iter().filter(|l| l.contains("\"partial\":true")).count());
        count("silences", tables.windows.iter().filter(|l| !l.contains("\"empty_before\":0")).count());
        count("events", tables.events.len());
        count("retractions", tables.events.iter().filter(|l| l.contains("retracted")).count());
        count("suppressed", tables.events.iter().filter(|l| !l.contains("\"suppressed_since_last\":0")).count());
        let negative = |l: &&String| l.contains("\"total_sales\":-");
        count("negative sales", tables.windows.iter().filter(negative).count());
    }
    assert!(reached.values().all(|n| *n > 0), "{reached:?}");
}

/// A sale or cancellation that is read and then lost in the dataflow shows in the tables, even when all counts are right.
#[test]
fn a_lost_record_is_noticed() {
    let mut lost = 0;
    for seed in 1..=4 {
        let scenario = known_scenario(seed, 40);
        let whole = epochs::run(&scenario.params, &scenario.inputs);
        let expected = tables(&scenario.params, &scenario.inputs);
        for n in 0..whole.taken.len() {
            let one = &whole.taken[n];
            if one.fate != Fate::Accepted || one.record().is_none_or(|r| r.op == Op::Return) {
                continue;
            }
            let mut course = whole.clone();
            course.taken.remove(n);
            let mut got = stand_in(&scenario, &course);
            got.counts = expected.counts;
            let difference = harness::compare(&expected, &got).expect_err("the loss must show");
            assert!(difference.contains("row"), "{difference}");
            lost += 1;
        }
    }
    assert!(lost > 20, "only {lost} records were lost");
}
