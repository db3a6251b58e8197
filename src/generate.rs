//! Generated sales: a shop that does not exist, with everything that makes real streams hard.
//!
//! The demonstration, the tests and the evaluation of detectors need sales whose truth is known. A stream here is a function
//! of its [`Settings`] alone, byte for byte on every platform: one seed, ChaCha8 for the randomness, `libm` for every
//! transcendental function, and no order that depends on a hash.
//!
//! - `departments`, `compose`, `catalogue`: what is sold. `data/catalog.csv` is composed from two readable tables.
//! - `world`, `sellers`: who sells and buys what, and how much of it.
//! - `traffic`: the season and slow noise of the rates.
//! - `kind`, `incident`, `detectability`: what is injected, and the labels.
//! - `stream`, `line`, `broken`: the records.

pub mod catalogue;
#[doc(hidden)]
pub mod compose;
mod departments;
mod draw;
mod kind;
mod settings;
mod world;
mod sellers;
mod traffic;
mod incident;
mod detectability;
mod tail;
mod line;
mod broken;
mod stream;

pub(crate) use draw::mix;
pub use incident::label::{Label, Stream};
pub use kind::{Kind, Shape};
pub use settings::{BadSetting, Incidents, Settings, Tails, VERSION};
pub use stream::{Counts, Generator, Record, Stock};

use std::io::{self, Write};

/// What else is written of a stream, where it is asked for.
#[derive(Default)]
pub struct Beside<'a> {
    /// The labels of the incidents.
    pub labels: Option<&'a mut dyn Write>,
    /// What is said of stock.
    pub stock: Option<&'a mut dyn Write>,
}

/// Writes a stream as NDJSON; and, one JSON object a line, what the stream is and the labels of the incidents that it holds.
///
/// An incident that the end of the stream cuts off is labelled as far as it was seen. `progress` is told the number of sales
/// so far, every few thousand records and at the end.
pub fn write(settings: Settings, out: &mut dyn Write, beside: Beside, mut progress: impl FnMut(u64)) -> io::Result<Counts> {
    let mut generator = Generator::new(settings).map_err(|bad| io::Error::new(io::ErrorKind::InvalidInput, bad))?;
    let mut chunk = String::with_capacity(1 << 17);
    let mut latest = i64::MIN;
    loop {
        let at = generator.next_into(&mut chunk);
        if let Some(at) = at {
            chunk.push('\n');
            latest = at;
        }
        if chunk.len() >= 1 << 16 || at.is_none() {
            out.write_all(chunk.as_bytes())?;
            chunk.clear();
            progress(generator.counts().sales);
        }
        if at.is_none() {
            break;
        }
    }
    out.flush()?;
    if let Some(stock) = beside.stock {
        for record in generator.stock() {
            writeln!(stock, "{}", record.to_json())?;
        }
        stock.flush()?;
    }
    if let Some(labels) = beside.labels {
        writeln!(labels, "{}", generator.stream_until(latest).to_json())?;
        for label in generator.labels_until(latest) {
            writeln!(labels, "{}", label.to_json())?;
        }
        labels.flush()?;
    }
    Ok(generator.counts())
}

/// What a shop knows before it happens.
#[derive(Clone, Debug, Default)]
pub struct Foreseen {
    /// The sales that the calendar announces.
    pub announced: Vec<Label>,
    /// What will be said of stock, as far as it does not depend on the sales themselves: it is filled up when it should be out.
    pub stock: Vec<Stock>,
}

/// What is known of a stream before its first sale: the schedule does not depend on the sales.
///
/// # Errors
/// Settings that make no sense.
pub fn foresee(settings: &Settings) -> Result<Foreseen, BadSetting> {
    Generator::new(settings.clone()).map(|generator| generator.foresee())
}

#[cfg(test)]
mod tests;
