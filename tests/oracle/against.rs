//! The engine against the oracle.

use super::{engine, harness, scenario};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_says_what_the_oracle_says(scenario in scenario::scenario(60)) {
        if let Err(difference) = harness::check(&engine::run, &scenario) {
            return Err(TestCaseError::fail(difference));
        }
    }
}

/// The cases whose output is worked out by hand.
#[test]
fn the_engine_on_the_cases_by_hand() {
    for scenario in super::by_hand::scenarios() {
        assert_eq!(harness::check(&engine::run, &scenario), Ok(()));
    }
}
