//! The pure core of Vitrine: bytes and times in, rows out. No I/O, no wall clock, no environment.
//!
//! Modules in the order in which data flows through them:
//!
//! | module | what it does |
//! |---|---|
//! | [`plan`] | what is computed: ticks, windows, features, gates, event rules |
//! | [`time`] | the timestamp of the dataflow: (event tick, system tick) |
//! | [`sale`] | one validated sale, flat |
//! | [`message`] | where a record stands that was a message of a broker, and what came with it |
//! | [`schema`] | how foreign records map onto the contract's fields |
//! | [`dictionary`] | names to dense ids, with forgetting |
//! | [`decode`] | bytes to sales and rejects |
//! | [`validate`] | the rules that a record must keep; all that it breaks, not the first |
//! | [`clock`] | epochs, bindings, watermark |
//! | [`release`] | what the clock hands to the data dataflow |
//! | [`fault`] | what goes wrong on purpose, in tests |
//! | [`site`] | what the stages of one worker share |
//! | [`dedup`] | the first of (`op`, `id_sale`) within a horizon, when the settings ask for it |
//! | [`pane`] | sales to aggregates by (key, pane), and the store that says what changes |
//! | [`group`] | the aggregates, as differences that add and negate |
//! | [`bitemporal`] | the operators that differential lacks for pairs of ticks |
//! | [`window`] | rows of `windows`, and the order of their events |
//! | [`feature`] | sums to features: plain formulas |
//! | [`serve`] | rows of the feature tables, and their revisions |
//! | [`profile`] | what is known of a key over days: more features, and the vector of each sale |
//! | [`detect`] | which windows raise which events, and what a correction takes back |
//! | [`signals`] | the detectors that look at single sales: prices, tickets, the stock |
//! | [`cooldown`] | which detections become events that are sent |
//! | [`row`] | rows as values, and as lines of JSON |
//! | [`edge`] | rows in the order of the contract, the certificate, the door to the sink |
//! | [`snapshot`] | what must survive: the journal and the checkpoints, and how a run goes on from one |
//! | [`pipeline`] | the composition of all this: read it first |

pub mod plan;
pub mod time;
pub mod sale;
pub mod message;
pub mod schema;
pub mod dictionary;
pub mod decode;
pub mod validate;
pub mod clock;
pub mod release;
pub mod fault;
pub mod site;
pub mod dedup;
pub mod pane;
pub mod group;
pub mod bitemporal;
pub mod window;
pub mod feature;
pub mod serve;
pub mod profile;
pub mod detect;
pub mod signals;
pub mod cooldown;
pub mod row;
pub mod edge;
pub mod snapshot;
pub mod pipeline;
