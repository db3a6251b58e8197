//! How long things take: counts by upper bound, in seconds.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Upper bounds in seconds, one and a bit for each doubling where the targets lie; the last bucket takes the rest.
pub const BOUNDS: [f64; 16] =
    [0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0, f64::INFINITY];

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Histogram {
    counts: [AtomicU64; BOUNDS.len()],
    /// In microseconds: whole numbers add up the same in any order.
    micros: AtomicU64,
}

/// A histogram as it stood.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// (upper bound, observations up to it and above the bound before).
    pub buckets: [(f64, u64); BOUNDS.len()],
    /// The sum of all in seconds.
    pub sum: f64,
    /// How many.
    pub count: u64,
}

impl Histogram {
    /// Something took so many seconds. What is negative, as clocks that differ may have it, counts as nothing.
    pub fn observe(&self, seconds: f64) {
        let seconds = seconds.max(0.0);
        let bucket = BOUNDS.iter().position(|b| seconds <= *b).unwrap_or(BOUNDS.len() - 1);
        self.counts[bucket].fetch_add(1, Relaxed);
        self.micros.fetch_add((seconds * 1e6) as u64, Relaxed);
    }

    /// As it stands.
    pub fn read(&self) -> Read {
        let buckets = std::array::from_fn(|i| (BOUNDS[i], self.counts[i].load(Relaxed)));
        let count = buckets.iter().map(|b: &(f64, u64)| b.1).sum();
        Read { buckets, sum: self.micros.load(Relaxed) as f64 / 1e6, count }
    }
}

impl Read {
    /// An upper bound of the quantile `q`; `None` of nothing.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let rank = (q * self.count as f64).ceil().max(1.0) as u64;
        let mut below = 0;
        let bucket = self.buckets.iter().find(|b| {
            below += b.1;
            below >= rank
        });
        bucket.filter(|_| self.count > 0).map(|b| b.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_belong_to_their_bucket_and_quantiles_are_upper_bounds() {
        let h = Histogram::default();
        assert_eq!(h.read().quantile(0.5), None);
        for seconds in [0.001, 0.0011, 0.2, -3.0, 1e9] {
            h.observe(seconds);
        }
        let read = h.read();
        assert_eq!((read.count, read.buckets[0].1, read.buckets[1].1, read.buckets[15].1), (5, 2, 1, 1));
        assert_eq!(read.quantile(0.5), Some(0.002));
        assert_eq!(read.quantile(0.8), Some(0.2));
        assert_eq!(read.quantile(1.0), Some(f64::INFINITY));
        assert!((read.sum - (1e9 + 0.2021)).abs() < 1e-3);
    }
}
