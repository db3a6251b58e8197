//! What a person sees: the live view of `demo`, the progress and the closing table of `replay`.
//!
//! Everything that decides what is shown is a pure function of rows and numbers; [`screen`] alone writes.

pub mod screen;
