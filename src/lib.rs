//! Vitrine: streams of sales in; exact windows, features and events out.

pub mod generate;
