//! The engine against the oracle.

use super::{engine, harness, scenario};
use proptest::prelude::*;

/// `n` cases, or as many as `PROPTEST_CASES` says.
fn cases(n: u32) -> ProptestConfig {
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
}
