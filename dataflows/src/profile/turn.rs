//! What enters and what leaves the hour of a key at a look: whether it has a row there.

use super::env::Env;
use super::fact::Fact;

/// Whether what enters at `e`, or leaves the hour, comes to anything. `stands` tells whether the known records of a pane do, all
/// but those of a list; `counts` whether some records of one pane do.
///
/// The records of `late`, the oldest first, came too late for all rows before: they enter at `e` if they lie in its hour, and do
/// not leave, because they were never in it.
pub fn changed(
    e: u32,
    late: &[Fact],
    env: &Env,
    stands: impl Fn(u32, &[Fact]) -> bool,
    counts: impl Fn(&[Fact]) -> bool,
) -> bool {
    let bound = |pane| late.partition_point(|f| env.pane(f.at) < pane);
    let enters = |pane| stands(pane, &[]);
    let leaves = |pane| stands(pane, &late[bound(pane)..bound(pane + 1)]);
    let within = &late[bound(e.saturating_sub(env.hour))..];
    e.checked_sub(1).is_some_and(enters)
        || e.checked_sub(1 + env.hour).is_some_and(leaves)
        || within.chunk_by(|a, b| env.pane(a.at) == env.pane(b.at)).any(counts)
}
