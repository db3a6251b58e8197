//! What was said of one key lately: enough to tell its row at any watermark that somebody may still ask for.
//!
//! The last row of a key is not simply the last line that came. A correction restates an earlier `as_of`, and where it takes the
//! newest row back, the one before it counts again. So the rows of the ends that can still change are kept, and of the older ones
//! the newest:
//!
//! ```text
//! learned ▲
//!     330 │              ✗        as_of 300 is taken back: at the watermark 330 the row of 270 is the last one
//!     300 │         x    x
//!     270 │    x
//!         └────┴────┴────┴────► as_of
//!             240  270  300
//! ```

use super::row::Row;

/// A row as it was said at one tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// `as_of`, milliseconds since the Unix epoch.
    pub as_of: i64,
    /// When it was learned, milliseconds of event time.
    pub learned: i64,
    /// Its values; `None` when it was taken back.
    pub row: Option<Row>,
}

/// The versions of the rows of one key, by (`as_of`, `learned`).
#[derive(Clone, Debug, Default)]
pub struct History(Vec<Version>);

impl History {
    /// Adds a version; one that is there already stays as it is said last.
    pub fn put(&mut self, version: Version) {
        let place = |v: &Version| (v.as_of, v.learned).cmp(&(version.as_of, version.learned));
        match self.0.binary_search_by(place) {
            Ok(at) => self.0[at] = version,
            Err(at) => self.0.insert(at, version),
        }
    }

    /// Forgets what nobody asks for any more: watermarks before `published`, and rows whose `as_of` is before `since` but for the
    /// newest of them.
    pub fn prune(&mut self, published: i64, since: i64) {
        if self.0.len() < 2 {
            return;
        }
        // From the newest down: of one as_of, what was restated before `published`; of the old ones, all but the first.
        let (mut older, mut said, mut at) = (None, false, self.0.len());
        while at > 0 {
            at -= 1;
            let v = &self.0[at];
            let known = v.learned <= published;
            let same = older == Some(v.as_of);
            let old = v.as_of < since && known;
            if known && (same || (old && said)) {
                self.0.remove(at);
                continue;
            }
            if known {
                older = Some(v.as_of);
                if v.as_of < since {
                    if v.row.is_none() {
                        self.0.remove(at);
                        continue;
                    }
                    said = true;
                }
            }
        }
    }

    /// The last row at a watermark: of the newest `as_of` up to `upto` that was not taken back, as it was known then.
    pub fn at(&self, known: i64, upto: i64) -> Option<(&Version, &Row)> {
        let mut taken_back = None;
        for version in self.0.iter().rev().filter(|v| v.as_of <= upto && v.learned <= known) {
            match &version.row {
                Some(row) if taken_back != Some(version.as_of) => return Some((version, row)),
                Some(_) => (),
                None => taken_back = Some(version.as_of),
            }
        }
        None
    }

    /// The newest `as_of` of all.
    pub fn newest(&self) -> Option<i64> {
        self.0.last().map(|version| version.as_of)
    }

    /// All versions.
    pub fn versions(&self) -> &[Version] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn version(as_of: i64, learned: i64, said: bool) -> Version {
        Version { as_of, learned, row: said.then(|| Row::of(&format!("{as_of} as of {learned}"))) }
    }

    fn said(history: &History, known: i64, upto: i64) -> Option<String> {
        history.at(known, upto).map(|(_, row)| row.text().to_owned())
    }

    /// The picture above.
    #[test]
    fn a_row_that_is_taken_back_lets_the_one_before_count_again() {
        let mut history = History::default();
        for (as_of, learned, says) in [(240, 270, true), (270, 300, true), (300, 300, true), (300, 330, false)] {
            history.put(version(as_of, learned, says));
        }
        assert_eq!(said(&history, 269, i64::MAX), None);
        assert_eq!(said(&history, 270, i64::MAX).as_deref(), Some("240 as of 270"));
        assert_eq!(said(&history, 300, i64::MAX).as_deref(), Some("300 as of 300"));
        assert_eq!(said(&history, 330, i64::MAX).as_deref(), Some("270 as of 300"));
        assert_eq!(said(&history, i64::MAX, 269).as_deref(), Some("240 as of 270"));
    }

    proptest! {
        /// What is forgotten is not missed: pruned before each tick as the view does, a history answers every question that may
        /// still come like one that forgets nothing, and it stays short.
        #[test]
        fn a_pruned_history_answers_like_a_whole_one(
            ticks in prop::collection::vec(prop::collection::vec((0_i64..=3, prop::bool::weighted(0.7)), 0..4), 1..40)
        ) {
            const REACH: i64 = 3;
            let (mut pruned, mut whole) = (History::default(), History::default());
            for (s, rows) in ticks.into_iter().enumerate() {
                let s = s as i64;
                for (back, says) in rows {
                    pruned.put(version(s - back, s, says));
                    whole.put(version(s - back, s, says));
                }
                pruned.prune(s - 1, s - REACH);
                for known in [s - 1, s] {
                    prop_assert_eq!(said(&pruned, known, i64::MAX), said(&whole, known, i64::MAX), "at {} of {}", known, s);
                }
                for upto in s - REACH..=s {
                    prop_assert_eq!(said(&pruned, i64::MAX, upto), said(&whole, i64::MAX, upto), "up to {} of {}", upto, s);
                }
                prop_assert!(pruned.versions().len() <= 2 * (REACH as usize + 1) + 1);
            }
        }
    }
}
