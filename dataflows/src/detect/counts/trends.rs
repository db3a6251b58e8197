//! Whether what stands out of a category is a trend: the same counts, half an hour at a time.
//!
//! The test of Mann and Kendall alone finds slow noise, and the way back after a sale or a drop, thirty times a day in fifteen
//! categories. So the counts decide, by the one threshold and beside what the shop does, whether anything is said; the last half
//! hour decides what it is called: `category_trend` where the order of its minutes is one, or where it stands out most over 5
//! minutes or more and most likely began [`LONG`] minutes ago or earlier; else a spike or a drop. In half an hour of a small
//! category the order of the minutes is hardly ever clear when the counts are, and then a trend would be called a spike. The name
//! is given when the threshold is reached and stays until nothing stands out for 5 minutes, so that nobody is told of one rise
//! twice. A trend takes over what began as a spike only where it cannot be one: where it has gone on for a quarter of an hour and
//! is now as far as ever, or where the order of its minutes is a thousand times clearer than it must be.

use super::{Class, Counts, SCALES, Stand, Standing};
use crate::detect::category_trend::{MINUTES, Onset, Trend, trend};
use crate::detect::dispersion::Dispersion;
use crate::detect::trail::QUIET;
use crate::plan::detect::{MINUTE, SLIDE};
use crate::row::event::Direction;
use crate::row::round::round_millionths;
use serde::{Deserialize, Serialize};

/// A trend takes over from a spike when it is so much clearer than it must be, millionths of a decade.
const CLEARER: i64 = 3_000_000;

/// Minutes after which a change is no spike.
const LONG: usize = 10;

/// The least scale, in panes, at which that is asked: what stands out within a minute or two is sudden.
const WIDE: u32 = 5 * MINUTE;

/// Minutes after which a change that still lasts takes over from a spike.
const OVERDUE: usize = 15;

/// What stands out of a category, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lead {
    /// Whether it is a trend.
    trend: bool,
    /// The last end at which it stood out at half of the threshold or beyond.
    last: u32,
}

/// Upwards and downwards.
pub(super) type Leads = [Option<Lead>; 2];

impl Counts {
    /// What led a category when the end before `pane` had passed, as far as it still does.
    pub(super) fn leads(&self, i: usize, pane: u32) -> Leads {
        let before = match self.ends.get(&pane.wrapping_sub(1)) {
            Some(end) => end.leads.get(i).copied().unwrap_or_default(),
            None => self.passed.get(i).copied().unwrap_or_default(),
        };
        before.map(|lead| lead.filter(|lead| lead.last + QUIET >= pane))
    }

    /// The trend of a category in the half hour that ends with the last whole minute up to `pane`, and when the change began.
    fn trend(&self, i: usize, pane: u32, direction: Direction) -> (Option<Trend>, Option<Onset>) {
        let (signals, step) = (&self.plan.signals, self.plan.detect.step);
        let minute = pane.checked_sub((self.plan.millis(pane * step) % 60_000 / SLIDE) as u32);
        let minutes = minute.filter(|_| signals.enabled).and_then(|minute| self.series[i].minutes(minute));
        let Some(minutes) = minutes else { return (None, None) };
        let found = trend(&minutes, round_millionths(signals.spec.trend_decades), round_millionths(signals.spec.trend_change));
        (found.filter(|trend| trend.direction() == direction), minutes.onset(direction, |minutes| self.dispersion(minutes)))
    }

    /// Of the counts of a category over so many minutes: that of the least scale that holds them, or of the longest.
    fn dispersion(&self, minutes: usize) -> Dispersion {
        let scale = SCALES.iter().position(|panes| *panes as usize >= MINUTE as usize * minutes).unwrap_or(SCALES.len() - 1);
        self.scan.fit(Class::Category, scale)
    }

    /// Gives what stands out of a category its name: a trend, where it is one.
    pub(super) fn name_it(
        &self,
        i: usize,
        pane: u32,
        stand: &Stand,
        direction: Direction,
        leads: &mut Leads,
    ) -> Option<Option<Trend>> {
        let lead = &mut leads[usize::from(direction == Direction::Down)];
        let (now, onset) = self.trend(i, pane, direction);
        let began = |minutes: usize| onset.is_some_and(|onset| onset.minutes >= minutes);
        let clear = round_millionths(self.plan.signals.spec.trend_decades) + CLEARER;
        let overdue = began(OVERDUE) && onset.is_some_and(|onset| onset.lasts);
        let takes_over = stand.standing == Standing::Holds && (overdue || now.is_some_and(|now| now.decades >= clear));
        let named = match *lead {
            Some(known) => Some(known.trend || takes_over),
            None if stand.standing == Standing::Holds => {
                let wide = SCALES[stand.scale] >= WIDE;
                Some(wide && began(LONG) || now.is_some())
            }
            None => None,
        };
        *lead = named.map(|trend| Lead { trend, last: pane });
        (named == Some(true)).then_some(now)
    }
}

/// Words on a trend, instead of those on its counts.
pub(super) fn words(trend: &Trend) -> (String, String) {
    let word = if trend.change > 0 { "rising" } else { "falling" };
    (
        format!(
            "Category trend: {word} by {:.0} % within {MINUTES} min, beyond the time of day",
            trend.change.abs() as f64 / 1e4
        ),
        format!("{MINUTES} minutes come in such an order by chance once in 10^{:.1}", trend.decades as f64 / 1e6),
    )
}
