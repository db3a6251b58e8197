//! The pure core of Vitrine: bytes and times in, rows out. No I/O, no wall clock, no environment.
//!
//! Modules in the order in which data flows through them:
//!
//! | module | what it does |
//! |---|---|
//! | [`plan`] | what is computed: ticks, windows, features, gates, event rules |
//! | [`time`] | the timestamp of the dataflow: (event tick, system tick) |
//! | [`sale`] | one validated sale, flat |
//! | [`schema`] | how foreign records map onto the contract's fields |
//! | [`dictionary`] | names to dense ids, with forgetting |
//! | [`decode`], [`validate`] | bytes to sales and rejects |
//! | [`clock`] | epochs, bindings, watermark |

pub mod plan;
pub mod time;
pub mod sale;
pub mod schema;
pub mod dictionary;
pub mod decode;
pub mod validate;
pub mod clock;
pub mod release;
pub mod site;
pub mod pane;
pub mod group;
pub mod bitemporal;
pub mod window;
pub mod feature;
pub mod serve;
pub mod detect;
pub mod cooldown;
pub mod row;
pub mod edge;
pub mod pipeline;
