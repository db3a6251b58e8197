//! Decoding, through its public door: the rules one by one, the two readers of JSON against each other, CSV against the `csv`
//! crate, any bytes at all, and a real data set.

#[path = "../fuzz/laws.rs"]
mod laws;

#[path = "decode/rules.rs"]
mod rules;

#[path = "decode/formats.rs"]
mod formats;

#[path = "decode/foreign.rs"]
mod foreign;

#[path = "decode/odd.rs"]
mod odd;

#[path = "decode/stock.rs"]
mod stock;

#[path = "decode/uci.rs"]
mod uci;
