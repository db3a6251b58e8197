//! Epochs, watermark, disposition.

use super::super::epochs::{self, Fate};
use super::{params, sale};
use crate::oracle::params::{HOUR, Params};
use crate::oracle::record::{Input, Record};
use crate::oracle::scenario::START;

/// Seconds after the start of the watermark after each epoch.
fn marks(params: &Params, inputs: &[Input]) -> Vec<i64> {
    let marks = epochs::run(params, inputs).marks;
    marks.iter().map(|w| if *w == 0 { -1 } else { w * params.tick() / 1000 - START / 1000 }).collect()
}

/// The length of one line: all records here are equally long.
fn line() -> u64 {
    Input::of("a.ndjson", [sale(0.0)]).lay().0.len() as u64
}

/// Blocks of two lines; ticks of 3 s; slack 2 s.
/// ```text
/// a   | 0 3 | 6 9 | 12        b   | 60 63 | 66
/// epoch  a0: a at 3, b unknown: W stays                 b sits out never (60 is at most 60 ahead of 3)
///        b0: least is 3, less 2: 1, tick 0
///        a1: least is 9, less 2: 7, tick 6
///        b1: b has ended; a alone counts: 9, tick 6
///        a2: all have ended: nothing moves here, the rest is the end of input
/// ```
#[test]
fn two_inputs_in_turn() {
    let mut params = params(Params::window(6, 3, 6));
    (params.slack, params.epoch_bytes) = (2_000, 2 * line());
    let a = Input::of("a.ndjson", [0.0, 3.0, 6.0, 9.0, 12.0].map(sale));
    let b = Input::of("b.ndjson", [60.0, 63.0, 66.0].map(sale));
    assert_eq!(a.lay().0.len() as u64, 5 * line());
    assert_eq!(marks(&params, &[a.clone(), b.clone()]), [-1, 0, 6, 6, 6]);
    let order: Vec<usize> = epochs::run(&params, &[a, b]).taken.iter().map(|t| t.input).collect();
    assert_eq!(order, [0, 0, 1, 1, 0, 0, 1, 0]);
}

/// b at 63 is more than 50 ahead of a at 3 and at 9; a takes its turns and ends at 15.
#[test]
fn the_one_ahead_sits_out() {
    let mut params = params(Params::window(6, 3, 6));
    (params.slack, params.epoch_bytes, params.max_drift) = (2_000, 2 * line(), 50_000);
    let a = Input::of("a.ndjson", [0.0, 3.0, 6.0, 9.0, 12.0, 15.0].map(sale));
    let b = Input::of("b.ndjson", [60.0, 63.0, 66.0].map(sale));
    let order: Vec<usize> = epochs::run(&params, &[a, b]).taken.iter().map(|t| t.input).collect();
    assert_eq!(order, [0, 0, 1, 1, 0, 0, 0, 0, 1]);
}

/// `60s/30s`, lateness 0, features with lateness 60: a sale is too late when even its last `as_of` takes it no more. The
/// sale at 0.0 has its last one at 3600; with W at 3659 it still counts there, with W at 3660 no more.
#[test]
fn too_late_for_all() {
    let mut params = params(Params::window(1, 1, 0));
    params.features = (30_000, 60_000);
    let fates = |last: f64| {
        let course = epochs::run(&params, &[Input::of("a.ndjson", [1.0, last, 0.0].map(sale))]);
        course.taken.iter().map(|t| t.fate).collect::<Vec<_>>()
    };
    assert_eq!(fates(3_659.999), [Fate::Accepted; 3]);
    assert_eq!(fates(3_660.0), [Fate::Accepted, Fate::Accepted, Fate::TooLate]);
}

/// One date a day and more ahead is refused unless the next one agrees; at the start of an input the second one decides.
#[test]
fn wild_dates() {
    let hours = |hours: &[i64]| {
        let records = hours.iter().map(|h| Record { at: START + h * HOUR, ..sale(0.0) });
        let course = epochs::run(&params(Params::window(6, 3, 6)), &[Input::of("a.ndjson", records)]);
        let future: Vec<bool> = course.taken.iter().map(|t| t.future).collect();
        (future, course.ending.last * 3_000 - START)
    };
    let newest = |h: i64| h * HOUR + 3_000; // the pane that holds the first moment of that hour
    assert_eq!(hours(&[0, 25, 1]), (vec![false, true, false], newest(1)));
    assert_eq!(hours(&[0, 24, 1]), (vec![false; 3], newest(24)));
    assert_eq!(hours(&[0, 25, 26]), (vec![false; 3], newest(26)));
    assert_eq!(hours(&[0, 25]), (vec![false, true], newest(0)));
    assert_eq!(hours(&[25, 0, 1]), (vec![true, false, false], newest(1)));
    assert_eq!(hours(&[25]), (vec![false], newest(25)));
}

/// The key is (op, id), the first one stands, and one that comes after the horizon counts again: horizon 6 s is two ticks;
/// the second copy comes two ticks of watermark after the first, the third one three ticks after.
#[test]
fn duplicates_within_the_horizon() {
    let mut params = params(Params::window(6, 3, 60));
    params.deduplicate = 6_000;
    let id = |id: &str, second| Record { id_sale: id.into(), ..sale(second) };
    let records = [id("1", 0.0), id("x", 1.0), id("2", 6.0), id("x", 6.5), id("3", 9.0), id("x", 9.5)];
    let fates: Vec<Fate> = epochs::run(&params, &[Input::of("a.ndjson", records)]).taken.iter().map(|t| t.fate).collect();
    let (a, d) = (Fate::Accepted, Fate::Duplicate);
    assert_eq!(fates, [a, a, a, d, a, a]);
}
