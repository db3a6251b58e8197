//! Deaths that tests inject: the process ends at a named point as if somebody had pulled the plug.
//!
//! `--fault kill=POINT:N` on a command that computes; the N-th time that the point is reached, the process sends itself
//! SIGKILL. Nothing is flushed, no destructor runs, no connection is closed in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The points that exist, in the order of a transaction and of a checkpoint.
pub const POINTS: [&str; 12] = [
    // A run has said who it is.
    "incarnation",
    "begin",
    "send",
    "progress",
    "offsets",
    "commit-before",
    // A moment after the commit was asked for: whether it came to pass is unknown.
    "commit-during",
    "commit-after",
    // Of a checkpoint: an entry of the journal was written, a part is durable, the manifest is about to be named, it is named.
    "journal",
    "part",
    "manifest",
    "checkpoint",
];

/// Where this process dies; nowhere by default. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Kill(Option<Arc<Plan>>);

#[derive(Debug)]
struct Plan {
    point: String,
    /// Times that the point will still be passed.
    left: AtomicU64,
    /// How long after the point, for what takes time.
    after: Duration,
}

impl PartialEq for Kill {
    fn eq(&self, other: &Kill) -> bool {
        let point = |kill: &Kill| kill.0.as_ref().map(|plan| plan.point.clone());
        point(self) == point(other)
    }
}

impl Eq for Kill {}

impl std::str::FromStr for Kill {
    type Err = String;
    fn from_str(text: &str) -> Result<Kill, String> {
        let (point, n) = text.split_once(':').unwrap_or((text, "1"));
        let Some(point) = POINTS.into_iter().find(|known| *known == point) else {
            return Err(format!("{point} is none of the points {}", POINTS.join(", ")));
        };
        let n: u64 = n.parse().map_err(|e| format!("{n}: {e}"))?;
        let left = n.checked_sub(1).ok_or("counted from 1")?;
        // Spread over what a commit takes, so that some die before its outcome is decided and some after.
        let after = Duration::from_micros(n * 700 % 4_000);
        Ok(Kill(Some(Arc::new(Plan { point: point.into(), left: AtomicU64::new(left), after }))))
    }
}

impl Kill {
    fn now(&self, point: &str) -> Option<&Plan> {
        let plan = self.0.as_deref().filter(|plan| plan.point == point)?;
        let passed = plan.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        (!passed).then_some(plan)
    }

    /// Dies here, if this is the place.
    pub fn at(&self, point: &str) {
        if self.now(point).is_some() {
            die();
        }
    }

    /// Dies a moment after this place, while the caller goes on.
    pub fn soon_after(&self, point: &str) {
        if let Some(plan) = self.now(point) {
            let after = plan.after;
            std::thread::spawn(move || {
                std::thread::sleep(after);
                die();
            });
        }
    }
}

#[cfg(feature = "kafka")]
fn die() {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
}

#[cfg(not(feature = "kafka"))]
fn die() {
    std::process::abort();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_time_at_the_point_named() {
        let kill: Kill = "send:3".parse().unwrap();
        assert!(kill.now("begin").is_none());
        assert!(kill.now("send").is_none() && kill.clone().now("send").is_none());
        assert!(kill.now("begin").is_none());
        assert!(kill.now("send").is_some());
        assert!(Kill::default().now("send").is_none());
    }

    #[test]
    fn points_that_do_not_exist_are_told() {
        assert!("lunch:1".parse::<Kill>().unwrap_err().starts_with("lunch is none of the points incarnation, begin, send"));
        assert_eq!("send:0".parse::<Kill>(), Err("counted from 1".into()));
        assert!("send:x".parse::<Kill>().unwrap_err().starts_with("x: "));
    }
}
