//! The engine against the oracle.

use super::{engine, harness, scenario};
use dataflows::fault::Faults;
use proptest::prelude::*;

/// `n` cases, or as many as `PROPTEST_CASES` says.
pub fn cases(n: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|v| v.parse().ok()).unwrap_or(n);
    ProptestConfig { cases, max_shrink_iters: 400, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn the_engine_says_what_the_oracle_says(scenario in scenario::scenario(60)) {
        if let Err(difference) = harness::check(&engine::run, &scenario) {
            return Err(TestCaseError::fail(difference));
        }
    }

    /// For any order of arrival within the allowed lateness and any size of epochs, the last word on every row is the same.
    #[test]
    fn the_last_word_of_the_engine_does_not_depend_on_arrival((one, two) in scenario::shuffled(60), workers in 1..4_usize) {
        let run = |s: &scenario::Scenario| {
            let inputs: Vec<_> = s.inputs.iter().map(|i| (i.source.clone(), i.lay().0)).collect();
            engine::run(&s.params, &inputs, workers).map_err(TestCaseError::fail)
        };
        prop_assert_eq!(harness::all_last_words(&run(&one)?), harness::all_last_words(&run(&two)?));
    }

    /// The same where operators sleep at random, so that workers drift apart.
    #[test]
    fn delays_change_nothing(scenario in scenario::scenario(40)) {
        let inputs: Vec<_> = scenario.inputs.iter().map(|i| (i.source.clone(), i.lay().0)).collect();
        let expected = super::tables(&scenario.params, &scenario.inputs);
        for workers in [2, 3] {
            let got = engine::run_with(&scenario.params, &inputs, workers, Faults { delay: 300, lose: None });
            let compared = got.and_then(|got| harness::compare(&expected, &got));
            prop_assert!(compared.is_ok(), "{} workers: {}", workers, compared.unwrap_err());
        }
    }
}

/// A record that gets lost on its way has no disposition, and that shows.
#[test]
fn a_lost_record_is_unaccounted_for() {
    let params = super::params::Params::default();
    let sale = |n: i64| {
        format!(
            r#"{{"id_sale":"s{n}","id_product":"p","seller":"x","price":1.00,"tp_payment":"PIX","sale_date":{}}}"#,
            1_769_853_600_000 + n * 400
        )
    };
    let text: String = (0..50).map(|n| sale(n) + "\n").collect();
    let inputs = [("a.ndjson".to_string(), text.into_bytes())];
    let unaccounted = |lose| {
        let c = engine::run_with(&params, &inputs, 1, Faults { lose, delay: 0 }).unwrap().counts;
        c.read - c.rejected - c.too_late - c.duplicate - c.accepted
    };
    assert_eq!((unaccounted(None), unaccounted(Some(17))), (0, 1));
}

/// The cases whose output is worked out by hand.
#[test]
fn the_engine_on_the_cases_by_hand() {
    for scenario in super::by_hand::scenarios() {
        assert_eq!(harness::check(&engine::run, &scenario), Ok(()));
    }
}
