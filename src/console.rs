//! What a person sees: the live view of `demo`, the progress and the closing table of `replay`.
//!
//! Everything that decides what is shown is a pure function of rows and numbers ([`view`], [`draw`], [`plain`], [`report`]);
//! [`screen`] and [`live`] alone write.

pub mod text;
pub mod line;
pub mod view;
pub mod draw;
pub mod plain;
pub mod report;
pub mod progress;
pub mod screen;
pub mod live;
