//! Vitrine: streams of sales in; exact windows, features and events out.
//!
//! The shell around the pure core of `dataflows`: all that touches the world. In the order in which a run meets them:
//!
//! | module | what it does |
//! |---|---|
//! | [`cli`] | the commands, exactly as typed |
//! | [`settings`] | flags, environment, file and defaults to what cannot be invalid, once |
//! | [`source`] | files, pipes and standard input to bytes |
//! | [`cache`] | what an earlier replay decoded of a file |
//! | [`generate`] | a shop that does not exist: sales and labelled incidents from a seed |
//! | [`score`] | how good a detector is: its alerts against the labels |
//! | [`fault`] | deaths that tests inject |
//! | [`kafka`] | what all that speaks to Kafka shares: clients, topics, a broker for development |
//! | [`engine`] | threads and processes around the pipeline; stops and failures |
//! | [`checkpoint`] | journal and checkpoints in a state directory |
//! | [`sink`] | rows to files, to standard output, to Kafka |
//! | [`serving`] | the last value of each feature, for whoever asks |
//! | [`training`] | what features were at a time, for a list of (key, time) |
//! | [`console`] | the live view, the progress bar, the closing table |
//! | [`metrics`] | how a run is doing, in numbers, checks and text for Prometheus |
//! | [`http`] | the endpoint that says so |
//! | [`telemetry`] | the log on stderr |
//! | [`error`] | why a run ended early, and the exit code of that |

pub mod cli;
pub mod settings;
pub mod source;
pub mod cache;
pub mod generate;
pub mod score;
pub mod fault;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod engine;
pub mod checkpoint;
pub mod sink;
pub mod serving;
#[cfg(feature = "parquet")]
pub mod training;
pub mod console;
pub mod metrics;
pub mod http;
pub mod telemetry;
pub mod error;
