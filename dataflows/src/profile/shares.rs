//! Lines by day and by something else, over a horizon that moves: as [`Ring`](super::ring::Ring), with a name beside the pane.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Net lines by (day, key), and by key over the days from a first one on.
#[derive(Clone, Debug, Default)]
pub struct Shares {
    days: VecDeque<(u32, u64, i64)>,
    from: u32,
    at: usize,
    /// In the order of keys.
    totals: Vec<(u64, i64)>,
}

/// The days of [`Shares`] in a checkpoint.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Days(Vec<(u32, u64, i64)>);

/// Adds to the sum of a key in a list in the order of keys, which holds no sum that is 0.
pub(super) fn plus(totals: &mut Vec<(u64, i64)>, key: u64, n: i64) {
    match totals.binary_search_by_key(&key, |t| t.0) {
        Ok(i) => {
            totals[i].1 += n;
            if totals[i].1 == 0 {
                totals.remove(i);
            }
        }
        Err(i) if n != 0 => totals.insert(i, (key, n)),
        Err(_) => (),
    }
}

impl Shares {
    /// Adds lines to a day.
    pub fn add(&mut self, day: u32, key: u64, n: i64) {
        let place = self.days.binary_search_by_key(&(day, key), |d| (d.0, d.1));
        match place {
            Ok(i) => self.days[i].2 += n,
            Err(i) => {
                self.days.insert(i, (day, key, n));
                self.at += usize::from(day < self.from);
            }
        }
        if day >= self.from {
            plus(&mut self.totals, key, n);
        }
    }

    /// The horizon begins at this day.
    pub fn seek(&mut self, from: u32) {
        while let Some((_, key, n)) = self.days.get(self.at).filter(|d| d.0 < from) {
            plus(&mut self.totals, *key, -n);
            self.at += 1;
        }
        while let Some((_, key, n)) = self.at.checked_sub(1).map(|i| &self.days[i]).filter(|d| d.0 >= from) {
            plus(&mut self.totals, *key, *n);
            self.at -= 1;
        }
        self.from = from;
    }

    /// See [`Profile::touch`](super::kinds::Profile::touch).
    pub fn touch(&self) -> usize {
        self.days.back().map_or(0, |d| d.0 as usize) + self.totals.first().map_or(0, |t| t.1 as usize & 1)
    }

    /// Net lines of the horizon by key, in the order of keys.
    pub fn totals(&self) -> &[(u64, i64)] {
        &self.totals
    }

    /// Forgets the days before this one.
    pub fn forget(&mut self, day: u32) {
        while self.at > 0 && self.days.front().is_some_and(|d| d.0 < day) {
            self.days.pop_front();
            self.at -= 1;
        }
    }

    /// What a checkpoint holds.
    pub fn save(&self) -> Days {
        Days(self.days.iter().copied().collect())
    }

    /// As it was saved.
    pub fn restore(saved: Days) -> Shares {
        let mut shares = Shares::default();
        saved.0.into_iter().for_each(|(day, key, n)| shares.add(day, key, n));
        shares
    }
}
