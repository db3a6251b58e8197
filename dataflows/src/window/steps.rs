//! A step function of the window end, for the last ends only.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Values by window end, the newest at the back; `None` is "nothing there". Plain state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Steps<V> {
    values: VecDeque<Option<V>>,
    keep: usize,
}

impl<V: Clone + PartialEq> Steps<V> {
    /// Keeps the last `keep` ends.
    pub fn new(keep: usize) -> Steps<V> {
        Steps { values: VecDeque::new(), keep }
    }

    /// The value goes on for `ends` more ends.
    pub fn extend(&mut self, ends: usize) {
        let last = self.values.back().cloned().flatten();
        for _ in 0..ends.min(self.keep) {
            self.values.push_back(last.clone());
        }
        while self.values.len() > self.keep {
            self.values.pop_front();
        }
    }

    /// The value `back` ends before the newest.
    pub fn back(&self, back: usize) -> Option<&V> {
        self.values.len().checked_sub(back + 1).and_then(|i| self.values[i].as_ref())
    }

    /// Applies changes of the function: `(ends back from the newest, value, difference)`. A change holds from its end on.
    pub fn apply(&mut self, changes: &mut [(usize, V, isize)]) {
        changes.sort_by_key(|c| std::cmp::Reverse(c.0));
        let n = self.values.len();
        let mut delta: Vec<(V, isize)> = vec![];
        let Some(first) = changes.first().map(|c| c.0.min(n.saturating_sub(1))) else { return };
        let mut next = 0;
        for back in (0..=first).rev() {
            while let Some((_, v, d)) = changes.get(next).filter(|c| c.0 >= back) {
                add(&mut delta, v.clone(), *d);
                next += 1;
            }
            if delta.is_empty() {
                continue;
            }
            let value = &mut self.values[n - 1 - back];
            let mut sum = delta.clone();
            if let Some(v) = value.take() {
                add(&mut sum, v, 1);
            }
            debug_assert!(sum.len() <= 1 && sum.iter().all(|x| x.1 == 1), "a step function has one value");
            *value = sum.into_iter().find(|x| x.1 > 0).map(|x| x.0);
        }
    }
}

fn add<V: PartialEq>(sum: &mut Vec<(V, isize)>, v: V, d: isize) {
    match sum.iter().position(|x| x.0 == v) {
        Some(i) => {
            sum[i].1 += d;
            if sum[i].1 == 0 {
                sum.swap_remove(i);
            }
        }
        None if d != 0 => sum.push((v, d)),
        None => (),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // end:     1    2    3    4
    // value:   -    a    a    a     then 2..3 becomes b, as a late row corrects it:
    //          -    b    b    a
    #[test]
    fn a_correction_ends_where_its_counter_change_says() {
        let mut f = Steps::new(4);
        f.extend(4);
        f.apply(&mut [(2, 'a', 1)]);
        f.apply(&mut [(2, 'b', 1), (2, 'a', -1), (0, 'b', -1), (0, 'a', 1)]);
        let all: Vec<_> = (0..4).rev().map(|b| f.back(b).copied()).collect();
        assert_eq!(all, [None, Some('b'), Some('b'), Some('a')]);
        f.extend(1);
        assert_eq!(f.back(0), Some(&'a'));
        assert_eq!(f.back(4), None);
    }
}
