//! Whole minutes of a category's revenue for its trend, exact under corrections.
//!
//! The trend is a least-squares slope over the thirty whole minutes that end at or before `as_of`. With `m` the minute
//! counted from the Unix epoch and `x` its cents, it needs S0 = sum x, S1 = sum m x and S2 = sum x^2; none changes by
//! the passing of time alone. Minutes enter when they are whole, leave half an hour later, and S2 needs the minute's own
//! sum when it is corrected: that is what is kept here.

use std::collections::{BTreeMap, HashMap};

/// What enters (or leaves, negated) the sums of a key: sales, S0, S1, S2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub id: u32,
    /// From which `as_of` on.
    pub end: u32,
    /// Sales, S0, S1, S2.
    pub sums: (i64, i128, i128, i128),
}

/// See the [module](self).
pub struct Minutes {
    minute: u32,
    span: u32,
    reach: u32,
    /// Number of the minute, from the Unix epoch, that ends at tick 0.
    origin: i64,
    /// By the end of the minute: sales and cents by key.
    minutes: BTreeMap<u32, HashMap<u32, (i64, i64)>>,
    /// Late rows of whole minutes: end of the minute, first end they change, key, sales, cents.
    late: Vec<(u32, u32, u32, i64, i64)>,
    entered: u32,
    left: u32,
}

impl Minutes {
    /// Spans in ticks; `origin`: milliseconds since the Unix epoch at tick 0, a multiple of a minute.
    pub fn new(minute: u32, span: u32, reach: u32, origin: i64) -> Minutes {
        let origin = origin.div_euclid(60_000) - 1;
        Minutes { minute, span, reach, origin, minutes: BTreeMap::new(), late: vec![], entered: 0, left: 0 }
    }

    /// Sales and cents of pane `pane`, learned at end `s`; they count in the ends from `from` on.
    pub fn add(&mut self, id: u32, pane: u32, (sales, cents): (i64, i64), s: u32, from: u32) {
        let end = pane.div_ceil(self.minute) * self.minute;
        if end > self.entered && end >= s {
            let x = self.minutes.entry(end).or_default().entry(id).or_insert((0, 0));
            (x.0, x.1) = (x.0 + sales, x.1 + cents);
        } else {
            self.late.push((end, from.max(end), id, sales, cents));
        }
    }

    /// The first end after `s` at which a minute becomes whole or leaves.
    pub fn busy(&self) -> Option<u32> {
        let enters = self.minutes.range(self.entered + 1..).next().map(|x| *x.0);
        let leaves = self.minutes.range(self.left + 1..).next().map(|x| *x.0 + self.span);
        enters.into_iter().chain(leaves).min()
    }

    fn number(&self, end: u32) -> i128 {
        i128::from(self.origin) + i128::from(end / self.minute)
    }

    /// Closes end `s`: gives what changes.
    pub fn close(&mut self, s: u32, mut give: impl FnMut(Change)) {
        let change = |id, end, number: i128, sales: i64, from: i128, to: i128| Change {
            id,
            end,
            sums: (sales, to - from, number * (to - from), to * to - from * from),
        };
        let whole = s / self.minute * self.minute;
        for (&end, keys) in between(&self.minutes, self.entered, whole) {
            for (&id, &(sales, cents)) in keys {
                give(change(id, end, self.number(end), sales, 0, cents.into()));
            }
        }
        self.entered = self.entered.max(whole);
        for (end, from, id, sales, cents) in std::mem::take(&mut self.late) {
            if from >= end + self.span {
                continue;
            }
            let number = self.number(end);
            let x = self.minutes.entry(end).or_default().entry(id).or_insert((0, 0));
            let old = i128::from(x.1);
            (x.0, x.1) = (x.0 + sales, x.1 + cents);
            let c = change(id, from, number, sales, old, x.1.into());
            give(c);
            // What has not left yet is told below.
            if end <= self.left {
                give(negated(c, end + self.span));
            }
        }
        if let Some(last) = s.checked_sub(self.span) {
            for (&end, keys) in between(&self.minutes, self.left, last) {
                for (&id, &(sales, cents)) in keys {
                    give(negated(change(id, end, self.number(end), sales, 0, cents.into()), end + self.span));
                }
            }
            self.left = self.left.max(last);
        }
        let keep = s.saturating_sub(self.span + self.reach + self.minute);
        while self.minutes.first_key_value().is_some_and(|x| *x.0 < keep) {
            self.minutes.pop_first();
        }
    }
}

/// The minutes that end after `after`, up to `upto`.
fn between<V>(minutes: &BTreeMap<u32, V>, after: u32, upto: u32) -> impl Iterator<Item = (&u32, &V)> {
    minutes.range(after + 1..).take_while(move |x| *x.0 <= upto)
}

fn negated(c: Change, end: u32) -> Change {
    Change { id: c.id, end, sums: (-c.sums.0, -c.sums.1, -c.sums.2, -c.sums.3) }
}
