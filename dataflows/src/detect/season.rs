//! What a time of day and week usually brings.
//!
//! `m(t)`: the mean count of a pane over the past same slots, where a slot is a quarter of an hour of a working day or of a day
//! of the weekend, in the shop's zone; weights .4, .3, .2, .1 on the last four, linear between the centres of slots. Unit: counts a
//! pane, in the fixed point of [`table`](super::table). Window: the last four days of a kind. Cold start: a slot that was
//! not seen yet takes that of the other kind of day ("borrowed"); without that there is no expectation ("cold").
//! Times of sales that were announced teach nothing. Source: the profile of Noufaily et al. 2013, with weights instead of spans.
//!
//! Sums are integers; what an episode imputes was rounded before it came here. State: 192 slots of four sums, 12 KB a series.

use crate::plan::Announced;
use chrono::{DateTime, Datelike, Timelike};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// Quarters of an hour of a day.
const QUARTERS: usize = 96;

/// Slots: of working days, then of the weekend.
const SLOTS: usize = 2 * QUARTERS;

/// Days that are remembered, and what they weigh, the newest first.
const WEIGHTS: [i64; 4] = [4, 3, 2, 1];

/// Where a moment lies in day and week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The slot that holds it.
    slot: usize,
    /// The two slots whose centres it lies between.
    between: [usize; 2],
    /// Its way from the one to the other, in parts of 900,000 (milliseconds of a quarter).
    part: i64,
    /// Days since the beginning of the calendar, in the shop's zone.
    pub day: i32,
}

/// The length of a slot in milliseconds.
const QUARTER: i64 = 900_000;

/// Where a moment, in milliseconds since the Unix epoch, lies in the shop's zone.
pub fn place(zone: Tz, at: i64) -> Place {
    let local = |at: i64| DateTime::from_timestamp_millis(at).unwrap_or_default().with_timezone(&zone);
    let slot = |at: i64| {
        let time = local(at);
        let weekend = usize::from(time.weekday().num_days_from_monday() >= 5);
        weekend * QUARTERS + (time.num_seconds_from_midnight() / 900) as usize
    };
    let time = local(at);
    let into = i64::from(time.num_seconds_from_midnight() % 900) * 1_000 + i64::from(time.timestamp_subsec_millis());
    let (slot_now, half) = (slot(at), QUARTER / 2);
    let (between, part) =
        if into < half { ([slot(at - QUARTER), slot_now], into + half) } else { ([slot_now, slot(at + QUARTER)], into - half) };
    Place { slot: slot_now, between, part, day: time.num_days_from_ce() }
}

/// What a slot brought on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Day {
    sum: i64,
    panes: u32,
}

/// How well a slot is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Known {
    /// Neither it nor its twin was seen.
    Cold,
    /// From the other kind of day.
    Borrowed,
    /// From its own past.
    Warm,
}

/// The profile of one series.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// By slot: the last days, the newest first.
    slots: Vec<[Day; 4]>,
    /// The slot that fills now, on which day.
    open: Option<(i32, usize)>,
    filling: Day,
}

impl Default for Profile {
    fn default() -> Profile {
        Profile { slots: vec![[Day::default(); 4]; SLOTS], open: None, filling: Day::default() }
    }
}

impl Profile {
    /// A pane has passed. Panes come in order; `None` teaches nothing.
    pub fn learn(&mut self, place: Place, count: Option<i64>) {
        let at = Some((place.day, place.slot));
        if self.open != at {
            self.shut();
            self.open = at;
        }
        if let Some(count) = count {
            self.filling.sum += count;
            self.filling.panes += 1;
        }
    }

    fn shut(&mut self) {
        let filled = std::mem::take(&mut self.filling);
        if let Some((_, slot)) = self.open.take()
            && filled.panes > 0
        {
            let days = &mut self.slots[slot];
            days.rotate_right(1);
            days[0] = filled;
        }
    }

    /// The mean of a slot.
    fn mean(&self, slot: usize) -> Option<i64> {
        let (mut sum, mut weight) = (0i128, 0i128);
        for (day, w) in self.slots[slot].iter().zip(WEIGHTS).filter(|(day, _)| day.panes > 0) {
            sum += i128::from(w) * i128::from(day.sum) * 360 / i128::from(day.panes);
            weight += i128::from(w) * 360;
        }
        (weight > 0).then(|| (sum / weight) as i64)
    }

    fn slot(&self, slot: usize) -> Option<(i64, Known)> {
        let twin = (slot + QUARTERS) % SLOTS;
        let own = self.mean(slot).map(|mean| (mean, Known::Warm));
        own.or_else(|| self.mean(twin).map(|mean| (mean, Known::Borrowed)))
    }

    /// What a pane with its middle at `place` usually holds.
    pub fn expect(&self, place: Place) -> Option<(i64, Known)> {
        let [from, to] = place.between.map(|slot| self.slot(slot));
        let ((from, known), (to, also)) = (from.or(to)?, to.or(from)?);
        let mean =
            (i128::from(from) * i128::from(QUARTER - place.part) + i128::from(to) * i128::from(place.part)) / i128::from(QUARTER);
        Some((mean as i64, known.min(also)))
    }
}

/// How long after an announced sale its windows still hold of it, milliseconds.
const AFTER: i64 = 900_000;

/// Half a pane, milliseconds: what begins within a pane is in it.
const HALF: i64 = crate::plan::detect::SLIDE / 2;

/// Whether the pane with its middle at `at` holds some of a sale that was announced for the whole shop, or for this category.
pub fn announced(calendar: &[Announced], at: i64, category: Option<&str>, after: bool) -> bool {
    let concerns = |it: &Announced| it.category.is_none() || it.category.as_deref() == category;
    let reach = if after { AFTER } else { 0 };
    calendar.iter().any(|it| it.start - HALF < at && at < it.end + HALF + reach && concerns(it))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::table::ONE;

    const DAY: i64 = 86_400_000;
    /// 2026-01-05, a Monday.
    const MONDAY: i64 = 1_767_571_200_000;

    fn fill(profile: &mut Profile, from: i64, count: impl Fn(i64) -> i64) {
        for pane in 0..2_880 {
            let at = from + pane * 30_000 + 15_000;
            profile.learn(place(Tz::UTC, at), Some(count(at) * ONE));
        }
    }

    #[test]
    fn the_last_four_days_of_a_kind_count_with_their_weights() {
        let mut profile = Profile::default();
        let noon = place(Tz::UTC, MONDAY + DAY / 2);
        assert_eq!(profile.expect(noon), None);
        for day in 0..5 {
            fill(&mut profile, MONDAY + day * DAY, |_| 10 * (day + 1));
        }
        // Friday 50, Thursday 40, Wednesday 30, Tuesday 20
        assert_eq!(profile.expect(noon), Some(((4 * 50 + 3 * 40 + 2 * 30 + 20) * ONE / 10, Known::Warm)));
        let saturday = place(Tz::UTC, MONDAY + 5 * DAY + DAY / 2);
        assert_eq!(profile.expect(saturday), Some((40 * ONE, Known::Borrowed)));
        assert_eq!(saturday.slot, noon.slot + QUARTERS);
    }

    #[test]
    fn between_the_centres_of_slots_it_is_linear() {
        let mut profile = Profile::default();
        fill(&mut profile, MONDAY, |at| if at < MONDAY + DAY / 2 { 10 } else { 20 });
        profile.learn(place(Tz::UTC, MONDAY + DAY), None);
        let mean = |minutes: i64| profile.expect(place(Tz::UTC, MONDAY + DAY + DAY / 2 + minutes * 60_000)).unwrap().0 / ONE;
        assert_eq!([-8, 0, 8].map(mean), [10, 15, 20]);
    }

    #[test]
    fn days_pass_in_the_zone_of_the_shop() {
        let zone: Tz = "America/Sao_Paulo".parse().unwrap();
        // Saturday 02:00 UTC is Friday 23:00 there
        let there = place(zone, MONDAY + 5 * DAY + 7_200_000);
        assert_eq!(there.slot, 23 * 4);
        assert_eq!(there.day + 1, place(Tz::UTC, MONDAY + 5 * DAY + 7_200_000).day);
    }
}
