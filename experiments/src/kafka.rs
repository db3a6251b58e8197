//! A shop and a reader on a broker, with the clock in hand: for how long it takes from a sale to a row that others see.

mod probe;

pub use probe::{Probe, Seen, Sent, read};
