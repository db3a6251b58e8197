//! A run that is cut and goes on, on other numbers of workers, says what an uncut one says.

use super::engine::{Keeping, Run, run_from};
use super::scenario::Scenario;
use super::shelf::Shelf;
use super::{against, harness, scenario};
use dataflows::fault::Faults;
use proptest::prelude::*;

/// One way through a scenario: the workers of the first run, and for each restart the workers and which of the cuts it takes.
#[derive(Clone, Debug)]
pub struct Way {
    workers: usize,
    every: u64,
    delay: u64,
    restarts: Vec<(usize, prop::sample::Index)>,
}

/// Ways through a scenario.
pub fn way() -> impl Strategy<Value = Way> {
    let workers = || prop::sample::select(vec![1, 2, 3, 4]);
    let restarts = prop::collection::vec((workers(), any::<prop::sample::Index>()), 1..3);
    let delay = prop::sample::select(vec![0, 0, 200]);
    (workers(), 1..6_u64, delay, restarts).prop_map(|(workers, every, delay, restarts)| Way { workers, every, delay, restarts })
}

/// Runs a scenario that way. What a run said before the cut that the next one takes stands; the rest is lost with it.
pub fn walk(scenario: &Scenario, way: &Way) -> Result<Run, String> {
    let inputs: Vec<_> = scenario.inputs.iter().map(|i| (i.source.clone(), i.lay().0)).collect();
    let faults = Faults { delay: way.delay, lose: None };
    let mut shelf = Shelf::default();
    shelf.begin(way.workers);
    let keeping = |shelf: &Shelf| Some(Keeping { shelf: shelf.clone(), every: way.every });
    let mut run = run_from(&scenario.params, &inputs, way.workers, faults, keeping(&shelf), None)?;
    let mut rows = vec![];
    for (workers, which) in &way.restarts {
        let cuts = shelf.cuts();
        if cuts.is_empty() {
            break;
        }
        let which = which.index(cuts.len());
        rows.extend(run.rows.into_iter().filter(|row| row.0 < cuts[which]));
        shelf = shelf.upto(which);
        let from = Some((shelf.clone(), 0));
        shelf.begin(*workers);
        run = run_from(&scenario.params, &inputs, *workers, faults, keeping(&shelf), from)?;
    }
    rows.append(&mut run.rows);
    Ok(Run { rows, ..run })
}

proptest! {
    #![proptest_config(against::cases(40))]

    #[test]
    fn a_run_that_goes_on_says_what_an_uncut_one_says(scenario in scenario::scenario(60), way in way()) {
        let expected = super::tables(&scenario.params, &scenario.inputs);
        let got = walk(&scenario, &way).and_then(|run| harness::compare(&expected, &run.tables()));
        prop_assert!(got.is_ok(), "{}", got.unwrap_err());
    }
}
