//! One series of baskets, of the shop or of a category: what was counted, what was expected.
//!
//! `mu(t) = m(t) L(t)`: the season times the level. `L(t) = (K + sum c) / (K + sum m)` over the 60 minutes that end 5 minutes
//! before the pane, K = 60 baskets: the posterior mean of a gamma-Poisson rate. Unit: baskets a pane. The gap is longer than the
//! lateness, so late sales never touch an expectation, and an incident is not absorbed before it is seen. A window of several panes
//! is held against the level of its first one, as a seller's is: with a level for each pane, what grows within a quarter of an hour
//! would enter the level by which it is judged, and hide there. Where the season is not
//! known, the mean of the same 60 minutes stands in, from 30 minutes of history on; before that nothing is said.
//! While an [episode](super::trail) is open, the expectation stands in for the count in `L` and in the profile.
//!
//! State: 512 panes of a dozen numbers and the profile, 64 KB a series.

use super::category_trend::{MINUTES, Minutes};
use super::scan::{SCALES, Verdict, Window, Windows};
use super::season::{Known, Place, Profile};
use super::table::{ONE, fixed, float};
use super::trail::Trail;
use super::words;
use crate::pane::heads::Identity;
use crate::plan::detect::MINUTE;
use crate::row::event::Level;
use serde::{Deserialize, Serialize};

/// Panes that are kept, a power of two.
const RING: usize = (128 * MINUTE as usize).next_power_of_two();

/// A baseline ends so many panes before the pane it is for: the last one lies 5 minutes before its start.
pub const GAP: u32 = 5 * MINUTE + 1;

/// It spans so many panes: 60 minutes.
pub const SPAN: u32 = 60 * MINUTE;

/// Pseudo-counts of the level.
pub const K: i64 = 60;

/// Without a season: so many panes of history are needed.
const LEAST: i64 = 30 * MINUTE as i64;

/// One pane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Pane {
    count: i64,
    /// Of the shop: what categories sold above their expectation in sales of theirs that were announced.
    aside: i64,
    /// What the season says, -1 when nothing; what is expected, -1 when nothing; fixed point.
    season: i64,
    mean: i64,
    /// What the baseline takes: the count, or the expectation while frozen.
    taken: i64,
    cold: bool,
    frozen: bool,
    /// Sums over all panes up to this one: counts, expectations, panes without one, panes without a season of their own, what the
    /// season says, panes of which it says nothing.
    sums: [i64; 6],
}

const BLANK: Pane = Pane { count: 0, aside: 0, season: -1, mean: -1, taken: 0, cold: true, frozen: false, sums: [0; 6] };

/// See the [module](self).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Series {
    /// The shop or a category.
    pub level: Level,
    /// Its identity.
    pub key: Identity,
    /// Its name.
    pub name: String,
    /// The first pane in which anything was counted, once that can change no more; nothing is expected before it.
    since: u32,
    panes: Vec<Pane>,
    profile: Profile,
    /// Its episodes.
    pub trail: Trail,
    /// Sum of what the baseline took, all panes, fixed point.
    pub total: i64,
    /// [`Series::total`] at the end of each of the last days.
    pub marks: Vec<(i32, i64)>,
}

impl Series {
    /// Nothing counted yet.
    pub fn new(level: Level, key: Identity) -> Series {
        Series {
            level,
            key,
            name: String::new(),
            since: u32::MAX,
            panes: vec![BLANK; RING],
            profile: Profile::default(),
            trail: Trail::default(),
            total: 0,
            marks: vec![],
        }
    }

    fn at(&self, pane: u32) -> &Pane {
        &self.panes[pane as usize % RING]
    }

    fn at_mut(&mut self, pane: u32) -> &mut Pane {
        &mut self.panes[pane as usize % RING]
    }

    /// A new pane begins. To be called for each in turn, before anything is counted in it.
    pub fn open(&mut self, pane: u32) {
        *self.at_mut(pane) = BLANK;
    }

    /// After a long silence only the season is still known.
    pub fn restart(&mut self) {
        (self.since, self.trail) = (u32::MAX, Trail::default());
        self.panes.fill(BLANK);
    }

    /// The count of a pane changes.
    pub fn count(&mut self, pane: u32, by: i64) {
        self.at_mut(pane).count += by;
    }

    /// The count of a pane is told from nothing: a run goes on from a checkpoint.
    pub fn forget(&mut self, pane: u32) {
        self.at_mut(pane).count = 0;
    }

    /// Leaves some of the count of a pane aside, in all windows and in the baseline.
    pub fn leave_aside(&mut self, pane: u32, aside: i64) {
        self.at_mut(pane).aside = aside;
    }

    /// The pane can change no more, and enters the baseline; `announced`: it teaches nothing.
    pub fn settle(&mut self, pane: u32, place: Place, announced: bool) {
        if pane < self.since && self.at(pane).count == 0 {
            return;
        }
        self.since = self.since.min(pane);
        let it = self.at_mut(pane);
        let frozen = (it.frozen || announced) && it.mean >= 0;
        it.taken = if frozen { it.mean } else { (it.count - it.aside).saturating_mul(ONE) };
        let taken = it.taken;
        self.total += taken;
        self.profile.learn(place, (!announced).then_some(taken));
    }

    /// A day has ended.
    pub fn mark(&mut self, day: i32) {
        self.marks.push((day, self.total));
        let old = self.marks.len().saturating_sub(15);
        self.marks.drain(..old);
    }

    /// What is expected in `pane`, from what was settled up to [`GAP`] panes before.
    pub fn expect(&mut self, pane: u32, place: Place) {
        let to = pane.saturating_sub(GAP);
        let from = (to + 1).saturating_sub(SPAN).max(self.since);
        let (mut n, mut taken, mut with_season, mut season) = (0, 0, 0, 0);
        for it in (from..=to).map(|pane| self.at(pane)) {
            n += 1;
            taken += it.taken;
            if it.season >= 0 {
                with_season += it.taken;
                season += it.season;
            }
        }
        let known = self.profile.expect(place);
        let it = self.at_mut(pane);
        (it.season, it.mean, it.cold) = match known {
            Some((m, known)) => {
                let level = float(K * ONE + with_season) / float(K * ONE + season);
                (m, fixed(float(m) * level.max(0.0)), known != Known::Warm)
            }
            None if n >= LEAST => (-1, (taken / n).max(0), true),
            None => (-1, -1, true),
        };
    }

    /// Sums up to each pane from `first` on are taken anew.
    pub fn add_up(&mut self, first: u32, last: u32) {
        for pane in first..=last {
            let mut sums = self.at(pane.wrapping_sub(1)).sums;
            let it = self.at_mut(pane);
            let known = [i64::from(it.mean < 0), i64::from(it.cold), it.season.max(0), i64::from(it.season < 0)];
            let now = [it.count - it.aside, it.mean.max(0), known[0], known[1], known[2], known[3]];
            sums.iter_mut().zip(now).for_each(|(sum, now)| *sum += now);
            it.sums = sums;
        }
    }

    /// What [`Pane::sums`] has of the panes in `(after, to]`; `None` when that reaches back beyond the first.
    fn between(&self, after: u32, to: u32) -> Option<[i64; 6]> {
        if after.saturating_add(1) < self.since || after > to {
            return None;
        }
        let (from, to) = (self.at(after).sums, self.at(to).sums);
        Some(std::array::from_fn(|i| to[i] - from[i]))
    }

    /// What was expected in `(after, to]`, fixed point, where it is known for all of it.
    pub fn expected(&self, after: u32, to: u32) -> Option<i64> {
        self.between(after, to).filter(|sums| sums[2] == 0).map(|sums| sums[1])
    }

    /// What the season brings in one pane, where it is known.
    pub fn season(&self, pane: u32) -> Option<i64> {
        Some(self.at(pane)).filter(|it| it.season >= 0 && !it.cold).map(|it| it.season)
    }

    /// What is expected in one pane, where it is known.
    pub fn mean(&self, pane: u32) -> Option<i64> {
        Some(self.at(pane).mean).filter(|mean| *mean >= 0)
    }

    /// What was counted in one pane.
    pub fn counted(&self, pane: u32) -> i64 {
        self.at(pane).count
    }

    /// The 30 whole minutes that end with `pane`, against the season and the level before the half hour began; `None` where the
    /// season is not known of all of them.
    pub fn minutes(&self, pane: u32) -> Option<Minutes> {
        let first = pane.checked_sub(MINUTE * MINUTES as u32)?;
        self.between(first, pane).filter(|sums| sums[3] == 0)?;
        let level = self.level(first + 1)?;
        let minute = |i: usize| (1..=MINUTE).map(move |part| first + MINUTE * i as u32 + part);
        let expected = |pane: u32| words::millionths(fixed(float(self.season(pane).unwrap_or(0)) * level));
        Some(Minutes {
            counts: std::array::from_fn(|i| minute(i).map(|part| self.counted(part)).sum()),
            expected: std::array::from_fn(|i| minute(i).map(expected).sum()),
        })
    }

    /// The level of a pane, where its season is known.
    fn level(&self, pane: u32) -> Option<f64> {
        Some(self.at(pane)).filter(|it| it.season > 0).map(|it| float(it.mean) / float(it.season))
    }

    /// The windows that end with `pane`, each against the level before it began: nothing inside of a window touches its own
    /// expectation.
    pub fn windows(&self, pane: u32) -> Windows {
        SCALES.map(|panes| {
            let after = pane.checked_sub(panes)?;
            let sums = self.between(after, pane).filter(|sums| sums[2] == 0)?;
            let level = self.level(after + 1).filter(|_| sums[5] == 0);
            let mean = level.map_or(sums[1], |level| fixed(float(sums[4]) * level));
            Some(Window { count: sums[0], mean, usual: level.map_or(mean, |_| sums[4]) })
        })
    }

    /// How well the season of the panes in `(after, to]` is known.
    pub fn known(&self, after: u32, to: u32) -> Known {
        let warm = self.between(after, to).is_some_and(|sums| sums[3] == 0);
        if warm { Known::Warm } else { Known::Cold }
    }

    /// The verdict on `pane` is final: freezes what belongs to an episode.
    pub fn pass(&mut self, pane: u32, verdict: &Verdict) {
        let best = [verdict.up, verdict.down].into_iter().flatten().max_by_key(|stand| (stand.standing, stand.score));
        let panes = best.map_or(1, |stand| SCALES[stand.scale]);
        if let Some(from) = self.trail.pass(pane, verdict.standing(), panes) {
            self.freeze(from, pane);
        }
    }

    /// Freezes panes; those that the baseline has taken already stay as they are.
    pub fn freeze(&mut self, from: u32, to: u32) {
        for pane in from..=to {
            self.at_mut(pane).frozen = true;
        }
    }

    /// Whether a pane is frozen.
    pub fn frozen(&self, pane: u32) -> bool {
        self.at(pane).frozen
    }
}
