//! Small cases whose output is worked out in comments: what the oracle's own truth hangs on.
//!
//! Times are seconds after [`START`]. Every record is an epoch of its own (blocks of one byte), slack is 0, so the watermark
//! stands at the last tick at or before the largest time so far.

use super::params::{Gates, Params, Window};
use super::record::{Input, Op, Record};
use super::scenario::{START, Scenario};

mod clock;
mod events;
mod features;
mod windows;

/// A sale for 10.00 by seller A in category K.
pub fn sale(second: f64) -> Record {
    Record {
        op: Op::Sale,
        id_sale: "s".into(),
        product: "P".into(),
        category: "K".into(),
        seller: "A".into(),
        customer: None,
        price: 1_000,
        quantity: 1,
        at: START + (second * 1000.0).round() as i64,
        payment: "PIX",
    }
}

/// The cancellation of a record.
pub fn cancel(record: Record) -> Record {
    Record { op: Op::Cancel, ..record }
}

/// One window definition, gates that everything passes, each record an epoch.
pub fn params(window: Window) -> Params {
    Params {
        windows: vec![window],
        slack: 0,
        epoch_bytes: 1,
        gates: Gates { sales: i64::MIN, revenue: i64::MIN, sellers: 0, rejected: 1000, bad_time: 1000 },
        ..Params::default()
    }
}

/// The cases as scenarios, for an engine to be held against the oracle on them too.
pub fn scenarios() -> Vec<Scenario> {
    let all = [windows::scenarios(), features::scenarios(), events::scenarios()];
    all.into_iter().flatten().map(|(params, records)| Scenario { params, inputs: vec![Input::of("a.ndjson", records)] }).collect()
}

/// What a table says, a line each, e.g. `12: 6 r1 ...`: at second 12, of the row of second 6, its revision 1.
pub fn at(params: &Params, learned: i64, end: i64, revision: i64) -> String {
    let second = |tick: i64| (tick * params.tick() - START) / 1000;
    format!("{}: {} r{revision}", second(learned), second(end))
}
