//! Which alert hits which event: the rule by which detectors are accepted, whole.
//!
//! 1. An alert is judged by the end of its window.
//! 2. It hits an event of the same kind, level, entity and direction when `start <= window_end <= end + 90 s`: one window and one
//!    slide, the last window that still overlaps the event. An outage of the feed may also be told as a drop of the whole shop.
//! 3. The first hit of an event finds it; further ones are repeats.
//! 4. Within the same time an alert on an ancestor or descendant, or of another kind on the same entity, is explained.
//! 5. An alert of the opposite direction on the same entity within 10 minutes after the end is a rebound.
//! 6. All else is wrong. There is no credit for the length of an overlap, and none for points around a hit.
//!
//! A hard negative is no event: an alert of its own kind in its family is admitted, any other that nothing above accounts for is
//! wrong, and is held against it besides.

use super::{Alert, Label};

/// How long after its end an event may still be hit: a window of 60 s and a slide of 30 s.
pub const GRACE: i64 = 90_000;
/// How long after the end of an event the opposite is its echo.
pub const REBOUND: i64 = 600_000;

/// What an alert is. Numbers are indices into the labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The first to find an event.
    Hit(usize),
    /// Finds it once more.
    Repeat(usize),
    /// Follows from an event.
    Explained(usize),
    /// Echoes an event.
    Rebound(usize),
    /// Says what a hard negative is.
    Admitted(usize),
    /// False; and which hard negative misled, if one did.
    Wrong(Option<usize>),
}

/// Judges all alerts, which must be in order of time.
pub fn judge(labels: &[Label], alerts: &[Alert]) -> Vec<Verdict> {
    let mut found = vec![false; labels.len()];
    let mut verdict = |alert: &Alert| {
        let during = |label: &Label| label.start <= alert.at && alert.at <= label.end + GRACE;
        let of = |hard: bool| labels.iter().enumerate().filter(move |(_, label)| label.hard == hard);
        let hits = || of(false).filter(|(_, label)| during(label) && answers(alert, label)).map(|(i, _)| i);
        if let Some(first) = hits().find(|&i| !found[i]) {
            found[first] = true;
            return Verdict::Hit(first);
        }
        if let Some(again) = hits().next() {
            return Verdict::Repeat(again);
        }
        let near = |label: &Label| during(label) && (same(alert, label) || related(alert, label));
        if let Some((i, _)) = of(true).find(|(_, label)| near(label) && label.kind == alert.kind) {
            return Verdict::Admitted(i);
        }
        if let Some((i, _)) = of(false).find(|(_, label)| near(label)) {
            return Verdict::Explained(i);
        }
        let echo = |label: &Label| (label.end..=label.end + REBOUND).contains(&alert.at) && alert.up == Some(!label.up);
        match of(false).find(|(_, label)| echo(label) && same(alert, label)) {
            Some((i, _)) => Verdict::Rebound(i),
            None => Verdict::Wrong(of(true).find(|(_, label)| near(label)).map(|(i, _)| i)),
        }
    };
    alerts.iter().map(&mut verdict).collect()
}

fn same(alert: &Alert, label: &Label) -> bool {
    alert.level == label.level && alert.key == label.key
}

fn answers(alert: &Alert, label: &Label) -> bool {
    let outage = label.kind == "feed_outage" && alert.kind == "activity_drop";
    same(alert, label) && (alert.kind == label.kind || outage) && alert.up.is_none_or(|up| up == label.up)
}

fn related(alert: &Alert, label: &Label) -> bool {
    let listed = |family: &std::collections::BTreeSet<_>| family.contains(&(alert.level.clone(), alert.key.clone()));
    alert.level != label.level && (alert.level == "global" || label.level == "global" || label.family.as_ref().is_none_or(listed))
}
