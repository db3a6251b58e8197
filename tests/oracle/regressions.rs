//! What once went wrong, each case as small as it was found.

use super::by_hand::{cancel, sale};
use super::params::Params;
use super::record::{Input, Record};
use super::scenario::Scenario;
use super::{engine, harness};

fn check(params: Params, records: Vec<Record>) {
    let scenario = Scenario { params, inputs: vec![Input::of("a.ndjson", records)] };
    assert_eq!(harness::check(&engine::run, &scenario), Ok(()));
}

/// The only order of a key is cancelled before anything is folded: it has a name, and no pane in any window. It is forgotten
/// after two hours and six minutes, before another key came.
#[test]
fn a_key_that_never_had_a_pane_is_forgotten() {
    let by = |seller: &str, second| Record { seller: seller.into(), customer: Some("c".into()), ..sale(second) };
    let windows = vec![Params::window(14, 7, 10), Params::window(3, 3, 1)];
    let records = vec![by("A", 0.0), cancel(by("A", 0.0)), by("B", 7_600.0)];
    check(Params { windows, ..Params::default() }, records);
}
