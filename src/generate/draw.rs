//! Randomness that is the same on every machine: ChaCha8 for the bits, `libm` for every transcendental function.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// A source of random draws. Each purpose has its own stream of the seed, so that drawing more of one thing does not
/// change another.
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    /// The draws of one purpose. The seed is spread by hand because the default expansion is not promised to stay.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut key = [0; 32];
        for (part, chunk) in key.chunks_exact_mut(8).enumerate() {
            chunk.copy_from_slice(&mix(seed.wrapping_add(part as u64)).to_le_bytes());
        }
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(stream);
        Dice(rng)
    }

    /// Uniform on [0, 1), in steps of 2^-53.
    #[inline]
    pub(crate) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform on 0..n; `n` must not be 0.
    #[inline]
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(n)) >> 64) as u64
    }

    /// Uniform on low..high.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low).max(1) as u64) as i64
    }

    /// True with the given probability.
    #[inline]
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Exponential with mean 1.
    #[inline]
    pub(crate) fn exponential(&mut self) -> f64 {
        -libm::log(1.0 - self.unit())
    }

    /// Standard normal, by Box and Muller.
    #[inline]
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(2.0 * self.exponential());
        radius * libm::cos(std::f64::consts::TAU * self.unit())
    }

    /// One of the items; the slice must not be empty.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }
}

/// A bijection of 64-bit words whose outputs look unrelated to its inputs (the finaliser of SplitMix64).
pub(crate) fn mix(word: u64) -> u64 {
    let mut z = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Draws indices in proportion to weights.
#[derive(Default)]
pub(crate) struct Weights(Vec<f64>);

impl Weights {
    /// Of the weights given; they must not be negative.
    pub(crate) fn new(weights: impl IntoIterator<Item = f64>) -> Self {
        let mut drawn = Weights::default();
        drawn.refill(weights);
        drawn
    }

    /// Replaces the weights and keeps the memory.
    pub(crate) fn refill(&mut self, weights: impl IntoIterator<Item = f64>) {
        self.0.clear();
        let mut sum = 0.0;
        self.0.extend(weights.into_iter().map(|weight| {
            sum += weight;
            sum
        }));
    }

    /// Sum of all weights.
    pub(crate) fn total(&self) -> f64 {
        self.0.last().copied().unwrap_or(0.0)
    }

    /// The weight of one index.
    pub(crate) fn weight(&self, index: usize) -> f64 {
        self.0[index] - if index == 0 { 0.0 } else { self.0[index - 1] }
    }

    /// The index that `unit`, a draw from [0, 1), falls on.
    #[inline]
    pub(crate) fn at(&self, unit: f64) -> usize {
        let mark = unit * self.total();
        self.0.partition_point(|&sum| sum <= mark).min(self.0.len() - 1)
    }

    /// An index drawn in proportion to its weight.
    #[inline]
    pub(crate) fn draw(&self, dice: &mut Dice) -> usize {
        self.at(dice.unit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_one_seed_differ_and_repeat() {
        let draws = |seed, stream| {
            let mut dice = Dice::new(seed, stream);
            (0..8).map(|_| dice.below(1 << 40)).collect::<Vec<_>>()
        };
        assert_eq!(draws(1, 0), draws(1, 0));
        assert_ne!(draws(1, 0), draws(1, 1));
        assert_ne!(draws(1, 0), draws(2, 0));
    }

    #[test]
    fn moments_are_those_of_the_laws() {
        let mut dice = Dice::new(7, 0);
        let n = 200_000;
        let (mut exponential, mut normal, mut square) = (0.0, 0.0, 0.0);
        for _ in 0..n {
            exponential += dice.exponential();
            let z = dice.normal();
            normal += z;
            square += z * z;
        }
        assert!((exponential / f64::from(n) - 1.0).abs() < 0.01);
        assert!((normal / f64::from(n)).abs() < 0.01);
        assert!((square / f64::from(n) - 1.0).abs() < 0.02);
    }

    #[test]
    fn weights_are_drawn_in_proportion_and_zero_never() {
        let weights = Weights::new([1.0, 0.0, 3.0]);
        assert_eq!((weights.at(0.0), weights.at(0.249), weights.at(0.25), weights.at(0.999_999)), (0, 0, 2, 2));
        assert_eq!(weights.weight(2), 3.0);
        let mut dice = Dice::new(3, 0);
        let first = (0..40_000).filter(|_| weights.draw(&mut dice) == 0).count();
        assert!((9_500..10_500).contains(&first), "{first}");
    }
}
