//! Which windows a window is compared with.

use crate::plan::{Plan, Reference};

/// A [`Reference`] made definite for one window definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// The window one slide earlier.
    Slide,
    /// The window one size earlier, where that is not one slide earlier.
    Size,
    /// The mean of this many windows that lie one size apart.
    Mean(u32),
}

impl Against {
    /// For the definition with this index.
    pub fn of(plan: &Plan, window: usize) -> Against {
        let it = &plan.windows[window];
        let distance = match plan.events.reference {
            Reference::Auto => it.reference(),
            Reference::Slide => it.slide,
            Reference::Size => it.size,
            Reference::Mean(n) => return Against::Mean(n.max(1)),
        };
        if distance == it.slide { Against::Slide } else { Against::Size }
    }

    /// How many windows that is.
    pub fn windows(self) -> u32 {
        match self {
            Against::Slide | Against::Size => 1,
            Against::Mean(n) => n,
        }
    }

    /// As it stands in the name of a rule.
    pub fn name(self) -> String {
        match self {
            Against::Slide => "slide".into(),
            Against::Size => "size".into(),
            Against::Mean(n) => format!("mean-{n}"),
        }
    }

    /// In words: "against ...".
    pub fn words(self) -> String {
        match self {
            Against::Slide => "the window before".into(),
            Against::Size => "the window one size before".into(),
            Against::Mean(n) => format!("the mean of {n} windows before"),
        }
    }
}

/// The ends, in ticks, of the windows with which the window of definition `window` that ends at `end` is compared, the newest
/// first. None of them when one would begin before tick zero.
pub fn reference_ends(plan: &Plan, window: usize, end: u32) -> Vec<u32> {
    let it = &plan.windows[window];
    let against = Against::of(plan, window);
    let distance = match against {
        Against::Slide => it.slide,
        Against::Size | Against::Mean(_) => it.size,
    };
    // The oldest decides: when it begins at or after tick zero, so do all of them.
    let oldest = distance.checked_mul(against.windows()).and_then(|back| end.checked_sub(back));
    if oldest.is_none_or(|oldest| oldest < it.size) {
        return vec![];
    }
    (1..=against.windows()).map(|k| end - k * distance).collect()
}
