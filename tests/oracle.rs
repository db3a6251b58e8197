//! The oracle: every output table computed again from the raw records, naively, and the engine held against it.
//!
//! It imports nothing of the engine, not even its record type, so that a misreading of the contract in one of the two
//! shows as a difference. Each row is computed anew from all records whenever it may have changed; that is quadratic and
//! meant to be, as nothing is carried along that could be carried wrongly. Its own truth is anchored by small cases
//! whose arithmetic stands in comments (`by_hand`), and by properties that must hold whatever comes (`properties`).
//!
//! | module | what it does |
//! |---|---|
//! | `record` | raw records and the bytes of an input |
//! | `params` | what is computed; ticks |
//! | `epochs` | in which epoch and under which watermark each record is released, and its disposition |
//! | `windows`, `features`, `cooldown`, `events` | the tables |
//! | `json` | the text of values |
//! | `scenario` | inputs by proptest |
//! | `harness` | compares an engine with the oracle, line by line |
//! | `engine`, `shelf` | the product, and where it keeps its checkpoints |
//! | `against`, `restart` | the product against the oracle, in one run and through restarts |
//! | `profiles` | the tables that the oracle does not know: the same on any number of workers, through restarts, in any order |
//! | `detection` | episodes, likewise |

pub mod record;
pub mod params;
pub mod epochs;
pub mod json;
pub mod windows;
pub mod features;
pub mod cooldown;
pub mod events;
pub mod scenario;
pub mod harness;
pub mod shelf;
pub mod engine;
mod against;
mod restart;
mod profiles;
mod detection;
mod regressions;
pub mod by_hand;
mod properties;

use epochs::{Course, Fate};
use params::Params;
use record::Input;

/// How many records met which fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub read: u64,
    pub rejected: u64,
    pub too_late: u64,
    pub duplicate: u64,
    pub accepted: u64,
}

/// All output, as JSON lines without their line ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    pub windows: Vec<String>,
    pub seller_features: Vec<String>,
    pub category_features: Vec<String>,
    pub events: Vec<String>,
    pub dead_letters: Vec<String>,
    pub counts: Counts,
}

impl Tables {
    /// The tables with their names.
    pub fn named(&self) -> [(&'static str, &Vec<String>); 5] {
        [
            ("windows", &self.windows),
            ("seller_features", &self.seller_features),
            ("category_features", &self.category_features),
            ("events", &self.events),
            ("dead_letters", &self.dead_letters),
        ]
    }
}

/// What the engine must say. Events carry a part of their lineage only, dead letters the codes of their errors without
/// field and message (see [`harness::reduce`]).
pub fn tables(params: &Params, inputs: &[Input]) -> Tables {
    tables_of(params, inputs, &epochs::run(params, inputs))
}

/// The same for a course that is known already.
fn tables_of(params: &Params, inputs: &[Input], course: &Course) -> Tables {
    let features = |kind| {
        let rows = features::table(params, course, kind);
        rows.iter().map(|said| features::line(params, said)).collect()
    };
    Tables {
        windows: windows::table(params, course).iter().map(|said| windows::line(params, said)).collect(),
        seller_features: features(features::Kind::Seller),
        category_features: features(features::Kind::Category),
        events: events::table(params, course),
        dead_letters: dead_letters(course, inputs),
        counts: counts(course),
    }
}

fn counts(course: &Course) -> Counts {
    let of = |fate| course.taken.iter().filter(|t| t.fate == fate).count() as u64;
    Counts {
        read: course.taken.len() as u64,
        rejected: of(Fate::Rejected),
        too_late: of(Fate::TooLate),
        duplicate: of(Fate::Duplicate),
        accepted: of(Fate::Accepted),
    }
}

/// Rejected and late records with their bytes, in the order (epoch, offset): an epoch is one block of one input.
fn dead_letters(course: &Course, inputs: &[Input]) -> Vec<String> {
    let dead = course.taken.iter().filter(|t| matches!(t.fate, Fate::Rejected | Fate::TooLate));
    let lines = dead.map(|t| {
        let codes = match t.fate {
            Fate::TooLate => vec!["too_late"],
            _ if t.future => vec!["future_sale_date"],
            _ => t.laid.line.codes(),
        };
        let payload = match std::str::from_utf8(&t.laid.bytes) {
            Ok(text) => ("payload", json::string(text)),
            Err(_) => ("payload_base64", json::string(&json::base64(&t.laid.bytes))),
        };
        json::object(&[
            ("source", json::string(&inputs[t.input].source)),
            ("partition", t.input.to_string()),
            ("offset", t.laid.offset.to_string()),
            ("timestamp", "null".into()),
            ("disposition", json::string(if t.fate == Fate::TooLate { "too_late" } else { "rejected" })),
            ("codes", json::list(&codes)),
            payload,
        ])
    });
    lines.collect()
}
