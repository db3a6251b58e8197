//! What once went wrong, each case as small as it was found.

use super::by_hand::{cancel, params, sale};
use super::params::Params;
use super::record::{Input, Record};
use super::scenario::Scenario;
use super::{engine, harness};

fn check(params: Params, records: Vec<Record>) {
    let scenario = Scenario { params, inputs: vec![Input::of("a.ndjson", records)] };
    assert_eq!(harness::check(&engine::run, &scenario), Ok(()));
}

/// A key whose only sale is cancelled before anything is folded has a name and no pane; after two hours it is forgotten.
#[test]
fn a_key_that_never_had_a_pane_is_forgotten() {
    let other = |second| Record { seller: "B".into(), ..sale(second) };
    let epoch = Params { epoch_bytes: 1 << 20, ..params(Params::window(6, 3, 6)) };
    check(epoch, vec![sale(0.0), cancel(sale(0.0)), other(7_200.0), other(14_400.0)]);
    check(params(Params::window(6, 3, 6)), vec![sale(0.0), cancel(sale(0.0)), other(7_200.0), other(14_400.0)]);
}
