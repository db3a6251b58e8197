//! Vitrine: streams of sales in; exact windows, features and events out.
<<<<<<< HEAD
//!
//! The shell around the pure core of `dataflows`: all that touches the world.

pub mod cli;
pub mod settings;
pub mod generate;
pub mod source;
pub mod engine;
pub mod error;

pub mod generate;
=======
pub mod sink;
pub mod console;
pub mod telemetry;
>>>>>>> d9eddf5b49dd16435178832908324d3833c4b882
