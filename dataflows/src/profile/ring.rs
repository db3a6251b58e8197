//! Sums by pane over several horizons at once, with the oldest panes taken away as time passes.
//!
//! A pane is named by its number, the time since the Unix epoch in grains. Each horizon has its own lower end, which moves in
//! either direction by adding and subtracting single panes: a look at an earlier time is a few subtractions, and a record that
//! comes late or is cancelled is an addition. So nothing that depends on the order of arrival is ever kept.
//!
//! Memory: 4 + 8 `N` bytes, rounded up, for each pane in which something happened.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// `N` sums over `H` horizons.
#[derive(Clone, Debug)]
pub struct Ring<const N: usize, const H: usize> {
    panes: VecDeque<(u32, [i64; N])>,
    /// By horizon: the first pane that counts, where it stands (or would stand), and the sums from there on.
    from: [u32; H],
    at: [usize; H],
    totals: [[i64; N]; H],
}

impl<const N: usize, const H: usize> Default for Ring<N, H> {
    fn default() -> Self {
        Ring { panes: VecDeque::new(), from: [0; H], at: [0; H], totals: [[0; N]; H] }
    }
}

fn plus<const N: usize>(a: &mut [i64; N], b: &[i64; N], sign: i64) {
    for (a, b) in a.iter_mut().zip(b) {
        *a += sign * b;
    }
}

impl<const N: usize, const H: usize> Ring<N, H> {
    /// Adds to a pane.
    pub fn add(&mut self, pane: u32, sums: &[i64; N]) {
        let place = match self.panes.back() {
            Some(last) if last.0 == pane => Ok(self.panes.len() - 1),
            Some(last) if last.0 > pane => self.panes.binary_search_by_key(&pane, |p| p.0),
            _ => Err(self.panes.len()),
        };
        match place {
            Ok(i) => plus(&mut self.panes[i].1, sums, 1),
            Err(i) => {
                self.panes.insert(i, (pane, *sums));
                for h in 0..H {
                    self.at[h] += usize::from(pane < self.from[h]);
                }
            }
        }
        for h in 0..H {
            if pane >= self.from[h] {
                plus(&mut self.totals[h], sums, 1);
            }
        }
    }

    /// Each horizon begins with the pane of this number.
    pub fn seek(&mut self, from: [u32; H]) {
        for (h, &from) in from.iter().enumerate() {
            while let Some((pane, sums)) = self.panes.get(self.at[h]).filter(|p| p.0 < from) {
                debug_assert!(*pane >= self.from[h]);
                plus(&mut self.totals[h], sums, -1);
                self.at[h] += 1;
            }
            while let Some((_, sums)) = self.at[h].checked_sub(1).map(|i| &self.panes[i]).filter(|p| p.0 >= from) {
                plus(&mut self.totals[h], sums, 1);
                self.at[h] -= 1;
            }
            self.from[h] = from;
        }
    }

    /// See [`Profile::touch`](super::kinds::Profile::touch).
    pub fn touch(&self) -> usize {
        let pane = |i: usize| self.panes.get(i).map_or(0, |p| p.0 as usize);
        self.at.iter().map(|at| pane(*at)).sum::<usize>() + pane(self.panes.len().saturating_sub(1))
    }

    /// The sums of a horizon, from its first pane to the newest.
    pub fn total(&self, horizon: usize) -> [i64; N] {
        self.totals[horizon]
    }

    /// The sums of the panes from `pane` on.
    pub fn since(&self, pane: u32) -> [i64; N] {
        let mut sums = [0; N];
        self.panes.iter().rev().take_while(|p| p.0 >= pane).for_each(|p| plus(&mut sums, &p.1, 1));
        sums
    }

    /// The sums of one pane.
    pub fn pane(&self, pane: u32) -> [i64; N] {
        match self.panes.back() {
            Some(last) if last.0 > pane => self.panes.binary_search_by_key(&pane, |p| p.0).map_or([0; N], |i| self.panes[i].1),
            last => last.filter(|p| p.0 == pane).map_or([0; N], |p| p.1),
        }
    }

    /// All panes, the oldest first.
    pub fn panes(&self) -> impl DoubleEndedIterator<Item = &(u32, [i64; N])> {
        self.panes.iter()
    }

    /// Forgets the panes before `pane`, which lie in no horizon any more.
    pub fn forget(&mut self, pane: u32) {
        while self.panes.front().is_some_and(|p| p.0 < pane) && self.at.iter().all(|at| *at > 0) {
            self.panes.pop_front();
            self.at.iter_mut().for_each(|at| *at -= 1);
        }
    }

    /// What a checkpoint holds.
    pub fn save(&self) -> Panes {
        Panes(self.panes.iter().map(|(pane, sums)| (*pane, sums.to_vec())).collect())
    }

    /// As it was saved; the horizons stand at the beginning.
    pub fn restore(saved: Panes) -> Ring<N, H> {
        let mut ring = Ring::default();
        for (pane, sums) in saved.0 {
            ring.add(pane, &std::array::from_fn(|i| sums.get(i).copied().unwrap_or(0)));
        }
        ring
    }
}

/// The panes of a [`Ring`] in a checkpoint.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Panes(Vec<(u32, Vec<i64>)>);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        // Two horizons that look back 3 and 7 panes, from a time that mostly goes on and sometimes back.
        #[test]
        fn as_summed_anew(steps in proptest::collection::vec((0..3u32, 0..6u32, -5..5i64, 0..4u32), 1..60)) {
            let (mut ring, mut all, mut now) = (Ring::<1, 2>::default(), vec![], 20u32);
            for (forward, late, v, back) in steps {
                now += forward;
                let pane = now - late;
                ring.add(pane, &[v]);
                all.push((pane, v));
                for at in [now - back, now] {
                    ring.seek([at - 3, at - 7]);
                    for (h, from) in [at - 3, at - 7].into_iter().enumerate() {
                        let sum = all.iter().filter(|p| p.0 >= from).map(|p| p.1).sum::<i64>();
                        prop_assert_eq!(ring.total(h), [sum]);
                    }
                }
                let one = all.iter().filter(|p| p.0 == pane).map(|p| p.1).sum::<i64>();
                prop_assert_eq!(ring.pane(pane), [one]);
                let since = all.iter().filter(|p| p.0 >= pane).map(|p| p.1).sum::<i64>();
                prop_assert_eq!(ring.since(pane), [since]);
                ring.forget(now - 12);
                prop_assert!(ring.panes().count() <= 13);
                let mut again = Ring::<1, 2>::restore(ring.save());
                again.seek([now - 3, now - 7]);
                prop_assert_eq!(again.total(1), ring.total(1));
            }
        }
    }
}
