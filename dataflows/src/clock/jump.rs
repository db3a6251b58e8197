//! One wild date must not move the watermark: a date far ahead of its input counts only once the next record confirms it.
//!
//! The rule is sequential: over the valid records of one input, in order, with M the largest date that counts so far. A record
//! more than `max_jump` ahead of M is *pending*; the next valid record confirms it if that one too is more than `max_jump`
//! ahead of M, else the pending one is refused. With no M yet the first record is pending, and is confirmed unless the second
//! is more than `max_jump` earlier. What is pending at the end of the input is refused, or accepted when there was no M.
//!
//! Blocks of one input are decoded on any worker, in any order, so nobody sees the whole sequence. Each block tells enough
//! about its dates ([`Dates`]) for the clock to run the rule over blocks, and the clock tells the owner of the block where the
//! rule stood before it and how its last record fared ([`Settled`]). A block is nearly always *calm* (no date in it is far
//! ahead of those before it), and then three numbers stand for all its dates; else it sends them all.

use serde::{Deserialize, Serialize};

/// Where the rule stands between two records of an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Jump {
    /// The largest date that counts, `None` before the first one.
    pub largest: Option<i64>,
    /// The date of the last record, when it waits for the next one.
    pub pending: Option<i64>,
}

impl Jump {
    /// Settles the pending record, if there is one: true when it is confirmed. `next` is the date of the next valid record of
    /// the input, `None` at its end.
    pub fn settle(&mut self, next: Option<i64>, max_jump: i64) -> Option<bool> {
        let at = self.pending.take()?;
        let confirmed = match (self.largest, next) {
            (Some(m), Some(next)) => far_ahead(next, m, max_jump),
            (None, Some(next)) => !far_ahead(at, next, max_jump),
            (Some(_), None) => false,
            (None, None) => true,
        };
        if confirmed {
            self.largest = self.largest.max(Some(at));
        }
        Some(confirmed)
    }

    /// Takes the next valid record. Says how the record that was pending fared, if one was.
    pub fn next(&mut self, at: i64, max_jump: i64) -> Option<bool> {
        let fate = self.settle(Some(at), max_jump);
        match self.largest {
            Some(m) if !far_ahead(at, m, max_jump) => self.largest = Some(m.max(at)),
            _ => self.pending = Some(at),
        }
        fate
    }

    /// Takes a block of records.
    pub fn block(&mut self, dates: &Dates, max_jump: i64) {
        match dates {
            Dates::None => (),
            Dates::Calm { first, second: None, .. } => {
                self.next(*first, max_jump);
            }
            // The first two settle each other; being calm, the others stay near them or near what was before.
            Dates::Calm { first, second: Some(second), rest } => {
                self.next(*first, max_jump);
                self.next(*second, max_jump);
                self.largest = self.largest.max(Some(*rest));
            }
            Dates::All(all) => {
                for at in all {
                    self.next(*at, max_jump);
                }
            }
        }
    }
}

/// Whether `at` is more than `max_jump` after `of`.
fn far_ahead(at: i64, of: i64, max_jump: i64) -> bool {
    at > of.saturating_add(max_jump)
}

/// The dates of the valid records of one block, as far as the rule needs them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Dates {
    /// No valid record.
    None,
    /// No date is far ahead of the largest one before it in the block, whether the first record is counted or not, and the
    /// first is not far ahead of the second.
    Calm {
        /// The first date.
        first: i64,
        /// The second one.
        second: Option<i64>,
        /// The largest from the second on; the first when it is alone.
        rest: i64,
    },
    /// All dates.
    All(Vec<i64>),
}

impl Dates {
    /// Those of a block. With no `max_jump` the rule is off and every block is calm.
    pub fn of(dates: impl Iterator<Item = i64> + Clone, max_jump: Option<i64>) -> Dates {
        let mut left = dates.clone();
        let Some(first) = left.next() else { return Dates::None };
        let Some(second) = left.next() else { return Dates::Calm { first, second: None, rest: first } };
        let mut rest = second;
        let Some(max_jump) = max_jump else {
            return Dates::Calm { first, second: Some(second), rest: left.fold(rest, i64::max) };
        };
        let mut calm = !far_ahead(second, first, max_jump) && !far_ahead(first, second, max_jump);
        for at in left {
            // Near the largest without the first is near the largest with it.
            calm &= !far_ahead(at, rest, max_jump);
            rest = rest.max(at);
        }
        if calm { Dates::Calm { first, second: Some(second), rest } } else { Dates::All(dates.collect()) }
    }

    /// The first one.
    pub fn first(&self) -> Option<i64> {
        match self {
            Dates::None => None,
            Dates::Calm { first, .. } => Some(*first),
            Dates::All(all) => all.first().copied(),
        }
    }

    /// The largest one, whether it counts or not.
    pub fn largest(&self) -> Option<i64> {
        match self {
            Dates::None => None,
            Dates::Calm { first, rest, .. } => Some(*first.max(rest)),
            Dates::All(all) => all.iter().max().copied(),
        }
    }
}

/// What the clock found out about one block: enough for its owner to run the rule again, alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// The largest date of the input that counts, before the block.
    pub largest: Option<i64>,
    /// Whether the last record of the block, if it was pending at the end of the block, is confirmed.
    pub tail: bool,
}

impl Settled {
    /// The indices of the dates that are refused, ascending.
    pub fn refused(&self, dates: impl Iterator<Item = i64>, max_jump: i64) -> Vec<usize> {
        let mut jump = Jump { largest: self.largest, pending: None };
        let (mut refused, mut count) = (vec![], 0);
        for at in dates {
            if jump.next(at, max_jump) == Some(false) {
                refused.push(count - 1);
            }
            count += 1;
        }
        if jump.pending.is_some() && !self.tail {
            refused.push(count - 1);
        }
        refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The rule in the words of the contract, over a whole input; the dates that count.
    fn sequential(dates: &[i64], max_jump: i64) -> Vec<bool> {
        let mut counts = vec![true; dates.len()];
        let mut m: Option<i64> = None;
        for i in 0..dates.len() {
            let next = dates.get(i + 1);
            counts[i] = match (m, next) {
                (Some(m), _) if dates[i] <= m + max_jump => true,
                (Some(m), Some(next)) => *next > m + max_jump,
                (Some(_), None) => false,
                (None, Some(next)) => *next >= dates[i] - max_jump,
                (None, None) => true,
            };
            if counts[i] {
                m = m.max(Some(dates[i]));
            }
        }
        counts
    }

    fn check(dates: &[i64], want: &[bool]) {
        assert_eq!(sequential(dates, 100), want, "{dates:?}");
    }

    #[test]
    fn one_wild_date_is_refused_and_a_real_jump_is_not() {
        check(&[10, 20, 500, 30], &[true, true, false, true]);
        check(&[10, 20, 500, 510, 30], &[true, true, true, true, true]);
        check(&[10, 20, 500], &[true, true, false]);
        // The first record of an input: refused when the second is far earlier.
        check(&[500, 10, 20], &[false, true, true]);
        check(&[10, 500, 510], &[true, true, true]);
        check(&[10], &[true]);
        // A second wild date, further still, confirms the first and waits in its turn.
        check(&[10, 500, 900, 20], &[true, true, false, true]);
    }

    proptest! {
        /// Any cut into blocks gives what the sequential rule gives.
        #[test]
        fn cuts_do_not_matter(
            dates in prop::collection::vec(prop_oneof![6 => 0i64..150, 1 => 0i64..1000, 1 => 900i64..1100], 0..30),
            cuts in prop::collection::vec(0usize..6, 30),
        ) {
            let want = sequential(&dates, 100);
            let mut blocks = vec![];
            let mut rest = &dates[..];
            for n in cuts {
                let (block, after) = rest.split_at(n.min(rest.len()));
                blocks.push(block);
                rest = after;
            }
            blocks.push(rest);
            let summaries: Vec<Dates> = blocks.iter().map(|b| Dates::of(b.iter().copied(), Some(100))).collect();
            let (mut jump, mut got) = (Jump::default(), vec![]);
            for (i, block) in blocks.iter().enumerate() {
                let before = jump.largest;
                jump.block(&summaries[i], 100);
                let next = summaries[i + 1..].iter().find_map(Dates::first);
                let tail = jump.settle(next, 100).unwrap_or(false);
                let refused = Settled { largest: before, tail }.refused(block.iter().copied(), 100);
                got.extend((0..block.len()).map(|k| !refused.contains(&k)));
            }
            prop_assert_eq!(&got, &want);
            let largest = dates.iter().zip(&want).filter(|(_, counts)| **counts).map(|(at, _)| *at).max();
            prop_assert_eq!(jump.largest, largest);
        }
    }
}
