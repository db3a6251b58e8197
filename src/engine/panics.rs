//! What a panic means: a bug, or a process of the cluster that has gone.

use crate::error::Error;
use std::any::Any;
use std::panic::PanicHookInfo;

/// What timely says when a connection breaks, on the thread that reads it and on the workers behind it.
const BROKEN: [&str; 2] = ["timely communication error", "MergeQueue poisoned"];

const GONE: &str = "another process of the cluster has ended before its time: see what it said, then start all of them again";

/// For the panic hook of the process, which should print this and exit with its code: a panicking worker does not stop its
/// siblings.
pub fn explain(info: &PanicHookInfo<'_>) -> Error {
    match broken(info.payload()) {
        true => Error::Unavailable(GONE.into()),
        false => Error::Bug(info.to_string().replace('\n', " ")),
    }
}

/// For a panic that was caught.
pub(super) fn error(payload: &(dyn Any + Send)) -> Error {
    match broken(payload) {
        true => Error::Unavailable(GONE.into()),
        false => Error::Bug(text(payload).unwrap_or("a worker panicked").into()),
    }
}

fn text(payload: &(dyn Any + Send)) -> Option<&str> {
    payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

fn broken(payload: &(dyn Any + Send)) -> bool {
    text(payload).is_some_and(|text| BROKEN.iter().any(|broken| text.starts_with(broken)))
}
