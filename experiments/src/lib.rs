//! Measurements of Vitrine: the hand-written loop that everything is compared with, and what measuring needs.
//!
//! | module | what it is |
//! |---|---|
//! | [`data`] | generated sales, the same for everyone |
//! | [`job`] | R1 to R4 as settings |
//! | [`feed`] | the same sales as lines of JSON and as decoded blocks |
//! | [`hand`] | the loop: one thread, no framework, no corrections |
//! | [`engine`] | the pipeline that `replay` builds |
//! | [`sink`] | counts and hashes rows, so that two runs can be compared |
//! | [`stage`] | which operators the time goes to |
//! | [`protocol`] | a generated shop through the engine to what can be scored |
//! | [`program`] | the program as a person runs it, what it costs, and a broker |
//! | [`kafka`] | a shop and a reader on a broker |
//! | [`measure`] | CPU seconds, memory, medians |
//! | [`record`] | command, commit, machine and data of a measurement |
//! | [`retail`] | real sales |
//! | [`quality`] | the README's table of detection quality |

pub mod data;
pub mod job;
pub mod feed;
pub mod hand;
pub mod engine;
pub mod sink;
pub mod stage;
pub mod protocol;
pub mod program;
pub mod kafka;
pub mod measure;
pub mod record;
pub mod retail;
pub mod quality;
