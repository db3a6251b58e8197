//! Changes of a step function of the event tick: sent at once when their tick has closed, else held back until it does.
//!
//! A window that slides is "add at its pane, take away a size later". Sent early, the second half would be re-merged by
//! differential at every step of the frontier; here it waits in a ring, one slot for each window end to come.

use std::collections::VecDeque;

/// Sums by window end, relative to the end that closes next.
#[derive(Debug)]
pub struct Due<const N: usize> {
    slide: u32,
    /// The end that closes next, a multiple of the slide.
    next: u32,
    /// Changes at ends up to `next`.
    now: Vec<(u32, [i64; N])>,
    /// Changes at `next + slide`, `next + 2 slide`, ...
    later: VecDeque<[i64; N]>,
}

impl<const N: usize> Due<N> {
    /// Nothing is due.
    pub fn new(slide: u32) -> Self {
        Due { slide, next: slide, now: vec![], later: VecDeque::new() }
    }

    /// Says that what is put from here on was learned when the window end `end` was the next to close.
    /// Ends in between must have nothing due; see [`Due::busy`].
    pub fn skip_to(&mut self, end: u32) {
        debug_assert!(self.now.is_empty() || end == self.next, "skipped over changes");
        while self.next < end {
            match self.later.pop_front() {
                Some(v) => {
                    self.next += self.slide;
                    if v != [0; N] {
                        debug_assert_eq!(self.next, end, "skipped over a change");
                        self.now.push((self.next, v));
                    }
                }
                None => self.next = end,
            }
        }
    }

    /// The first end, not before the next one, at which something is due.
    pub fn busy(&self) -> Option<u32> {
        if !self.now.is_empty() {
            return Some(self.next);
        }
        let i = self.later.iter().position(|v| *v != [0; N])?;
        Some(self.next + (i as u32 + 1) * self.slide)
    }

    /// Adds `v` from the end `at` on.
    #[inline]
    pub fn put(&mut self, at: u32, v: &[i64; N]) {
        if at <= self.next {
            match self.now.last_mut() {
                Some((e, w)) if *e == at => add(w, v),
                _ => self.now.push((at, *v)),
            }
        } else {
            let i = ((at - self.next) / self.slide) as usize - 1;
            if self.later.len() <= i {
                self.later.resize(i + 1, [0; N]);
            }
            add(&mut self.later[i], v);
        }
    }

    /// Closes the next end: gives each end with its change, in order, and moves on by a slide.
    pub fn close(&mut self, mut give: impl FnMut(u32, [i64; N])) {
        if self.now.len() > 1 {
            self.now.sort_unstable_by_key(|x| x.0);
        }
        let mut rest = self.now.drain(..).peekable();
        while let Some((e, mut v)) = rest.next() {
            while let Some((_, more)) = rest.next_if(|x| x.0 == e) {
                add(&mut v, &more);
            }
            if v != [0; N] {
                give(e, v);
            }
        }
        drop(rest);
        self.next += self.slide;
        if let Some(v) = self.later.pop_front()
            && v != [0; N]
        {
            self.now.push((self.next, v));
        }
    }
}

#[inline]
fn add<const N: usize>(a: &mut [i64; N], b: &[i64; N]) {
    for (a, b) in a.iter_mut().zip(b) {
        *a += *b;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(due: &mut Due<1>) -> Vec<(u32, i64)> {
        let mut out = vec![];
        due.close(|e, v| out.push((e, v[0])));
        out
    }

    // slide 2, next end 4:   2 | 4 (next) | 6 | 8
    //                       +1 |   +2     |   | -3
    #[test]
    fn a_change_waits_for_its_end_and_a_correction_does_not() {
        let mut due = Due::<1>::new(2);
        assert_eq!(closed(&mut due), []);
        due.put(4, &[2]);
        due.put(8, &[-3]);
        due.put(2, &[1]);
        assert_eq!(due.busy(), Some(4));
        assert_eq!(closed(&mut due), [(2, 1), (4, 2)]);
        assert_eq!(due.busy(), Some(8));
        due.skip_to(8);
        assert_eq!(closed(&mut due), [(8, -3)]);
        assert_eq!(due.busy(), None);
        due.skip_to(1_000);
        due.put(1_000, &[5]);
        assert_eq!(closed(&mut due), [(1_000, 5)]);
    }

    #[test]
    fn what_cancels_out_is_not_sent() {
        let mut due = Due::<1>::new(1);
        due.put(1, &[2]);
        due.put(1, &[-2]);
        assert_eq!(closed(&mut due), []);
    }
}
