//! Counts by dense id, with the greatest of them at hand.
//!
//! Over the counts lie the greatest of each 64 of them, over those again, until at most 64 are left. A count that grows is
//! compared upwards; only one that was the greatest of its block and shrinks has its block looked through. Small counts are
//! equal by the thousand, so who holds the greatest is found out only at the very top, when somebody asks.

const BLOCK: usize = 64;

/// See the [module](self). What is below 0 counts as 0 for the greatest.
#[derive(Debug)]
pub struct Maxima {
    /// The counts, then the greatest of each block of the level before.
    levels: Vec<Vec<i64>>,
}

impl Default for Maxima {
    fn default() -> Self {
        Maxima { levels: vec![vec![]] }
    }
}

fn greatest(of: &[i64]) -> i64 {
    of.iter().fold(0, |a, b| a.max(*b))
}

impl Maxima {
    /// The counts by id.
    pub fn counts(&self) -> &[i64] {
        &self.levels[0]
    }

    /// Bytes reserved.
    pub fn bytes(&self) -> usize {
        self.levels.iter().map(|l| l.capacity() * size_of::<i64>()).sum()
    }

    /// Adds to a count.
    #[inline]
    pub fn add(&mut self, id: u32, n: i64) {
        let at = id as usize;
        self.grow(at + 1);
        let count = &mut self.levels[0][at];
        let old = *count;
        *count += n;
        let new = *count;
        // Most counts are neither the greatest of their block nor become it.
        if self.levels.get(1).is_some_and(|tops| new > tops[at / BLOCK] || old == tops[at / BLOCK]) {
            self.lift(at, old, new);
        }
    }

    /// A count has become another: brings what lies over it up to date.
    fn lift(&mut self, mut at: usize, mut old: i64, mut new: i64) {
        for level in 1..self.levels.len() {
            let (below, above) = self.levels.split_at_mut(level);
            at /= BLOCK;
            let top = &mut above[0][at];
            if new <= *top && old < *top {
                return;
            }
            let below = &below[level - 1];
            let now = if new >= *top { new } else { greatest(&below[at * BLOCK..below.len().min((at + 1) * BLOCK)]) };
            if now == *top {
                return;
            }
            (old, new) = (std::mem::replace(top, now), now);
        }
    }

    /// Makes room for the ids `0..ids`.
    #[inline]
    pub fn grow(&mut self, ids: usize) {
        if self.levels[0].len() < ids {
            self.lengthen(ids);
        }
    }

    #[cold]
    fn lengthen(&mut self, ids: usize) {
        let mut n = ids;
        for level in &mut self.levels {
            level.resize(n, 0);
            n = n.div_ceil(BLOCK);
        }
        while let Some(last) = self.levels.last().filter(|l| l.len() > BLOCK) {
            self.levels.push(last.chunks(BLOCK).map(greatest).collect());
        }
    }

    /// The greatest count; 0 when none is above it.
    pub fn greatest(&self) -> i64 {
        self.levels.last().map_or(0, |l| greatest(l))
    }

    /// The ids that hold the greatest count, in order; none when that is 0.
    pub fn holders(&self) -> impl Iterator<Item = u32> {
        let top = self.greatest();
        let mut at: Vec<usize> = vec![];
        if top > 0 {
            for (i, level) in self.levels.iter().enumerate().rev() {
                let all = 0..level.len();
                let within = |b: &usize| b * BLOCK..level.len().min((b + 1) * BLOCK);
                at = if i + 1 == self.levels.len() { all.collect() } else { at.iter().flat_map(within).collect() };
                at.retain(|j| level[*j] == top);
            }
        }
        at.into_iter().map(|id| id as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn as_a_scan_finds_it(steps in proptest::collection::vec((prop_oneof![0..10u32, 0..9_000u32], -2..4i64), 1..200)) {
            let (mut maxima, mut plain) = (Maxima::default(), vec![0i64; 9_000]);
            for (id, n) in steps {
                maxima.add(id, n);
                plain[id as usize] += n;
                let most = greatest(&plain);
                prop_assert_eq!(maxima.greatest(), most);
                let expected: Vec<u32> = (0..9_000).filter(|i| most > 0 && plain[*i as usize] == most).collect();
                prop_assert_eq!(maxima.holders().collect::<Vec<_>>(), expected);
            }
        }
    }
}
