//! Whether a series is in an episode, for the series itself: while it is, its baseline learns the expectation instead of what
//! was counted, so that an incident does not become the new normal.
//!
//! An episode opens where the score reaches the threshold and lasts until it has been below half of it for 5 minutes. It freezes the
//! baseline from the first pane of the window in which it was found until it closes, for an hour at the most: what lasts longer
//! is the new normal, and must be learned. Panes are frozen before they reach the baseline (5 minutes later), and corrections
//! end after 60 s, so what is frozen is a function of the final counts alone.

use super::table::Standing;
use crate::plan::detect::MINUTE;
use serde::{Deserialize, Serialize};

/// An episode closes after so many panes below half of the threshold.
pub const QUIET: u32 = 5 * MINUTE;

/// It freezes the baseline for so many panes at the most.
const MOST: u32 = 60 * MINUTE;

/// See the [module](self).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trail {
    /// Since when, and the last pane at half of the threshold or above.
    open: Option<(u32, u32)>,
}

impl Trail {
    /// The standing of the series at the end of `pane` is final; `panes` is the length of the window that stands out. Panes come in
    /// order; those that are left out are quiet. Gives the first of the panes up to this one that are frozen by it.
    pub fn pass(&mut self, pane: u32, standing: Standing, panes: u32) -> Option<u32> {
        if self.open.is_some_and(|(_, last)| pane - last >= QUIET && standing == Standing::Quiet) {
            self.open = None;
        }
        match (&mut self.open, standing) {
            (None, Standing::Holds) => {
                self.open = Some((pane, pane));
                return Some((pane + 1).saturating_sub(panes));
            }
            (None, _) => return None,
            (Some((_, last)), Standing::Holds | Standing::Lasts) => *last = pane,
            (Some(_), Standing::Quiet) => (),
        }
        self.open.filter(|(since, _)| pane - since < MOST).map(|_| pane)
    }

    /// Whether an episode is open.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_episode_freezes_from_its_window_to_its_end() {
        use Standing::{Holds, Lasts, Quiet};
        let mut trail = Trail::default();
        assert_eq!(trail.pass(50, Lasts, 30), None);
        assert_eq!(trail.pass(51, Holds, 4), Some(48));
        assert_eq!(trail.pass(52, Lasts, 30), Some(52));
        assert!((53..52 + QUIET).all(|pane| trail.pass(pane, Quiet, 1) == Some(pane)));
        assert_eq!(trail.pass(52 + QUIET, Quiet, 1), None);
        assert!(!trail.is_open());
        assert_eq!(trail.pass(200, Holds, 1), Some(200));
        assert!((201..200 + MOST).all(|pane| trail.pass(pane, Lasts, 1) == Some(pane)));
        assert_eq!(trail.pass(200 + MOST, Lasts, 1), None);
        assert!(trail.is_open());
    }
}
