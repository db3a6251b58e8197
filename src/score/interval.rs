//! Intervals of 95 %: of shares, of counts, and of anything that is pooled over streams.

/// The 97.5 % quantile of the normal law.
const Z: f64 = 1.959_963_984_540_054;
/// Resamples of the bootstrap.
const RESAMPLES: usize = 10_000;

/// From, to.
pub type Interval = [f64; 2];

/// Wilson's interval of a share: `part` of `all`. Without anything it says nothing: 0 to 1.
pub fn wilson(part: u64, all: u64) -> Interval {
    if all == 0 {
        return [0.0, 1.0];
    }
    let (n, p) = (all as f64, part as f64 / all as f64);
    let middle = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * libm::sqrt(p * (1.0 - p) / n + Z * Z / (4.0 * n * n));
    [(middle - half).max(0.0), (middle + half).min(1.0)]
}

/// Garwood's interval of the mean of a Poisson count: exact.
pub fn garwood(count: u64) -> Interval {
    let k = count as f64;
    // P(X >= k) = P(k, mean), the regularised incomplete gamma function, grows with the mean.
    let solve = |shape: f64, share: f64| {
        let (mut low, mut high) = (0.0, 2.0 * shape + 40.0);
        for _ in 0..200 {
            let middle = (low + high) / 2.0;
            if gamma(shape, middle) < share { low = middle } else { high = middle }
        }
        (low + high) / 2.0
    };
    [if count == 0 { 0.0 } else { solve(k, 0.025) }, solve(k + 1.0, 0.975)]
}

/// The regularised lower incomplete gamma function P(a, x): the series below the mean, the continued fraction above it.
fn gamma(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let front = libm::exp(a * libm::log(x) - x - libm::lgamma(a));
    if x < a + 1.0 {
        let (mut term, mut sum, mut n) = (1.0 / a, 1.0 / a, a);
        while term > sum * 1e-15 {
            n += 1.0;
            term *= x / n;
            sum += term;
        }
        return front * sum;
    }
    let (mut b, mut c) = (x + 1.0 - a, 1e300);
    let mut d = 1.0 / b;
    let mut h = d;
    for i in 1..100_000 {
        let i = f64::from(i);
        let an = -i * (i - a);
        b += 2.0;
        d = 1.0 / (an * d + b);
        c = b + an / c;
        h *= d * c;
        if (d * c - 1.0).abs() < 1e-14 {
            break;
        }
    }
    1.0 - front * h
}

/// The interval of a figure over streams, by resampling streams: what is seen within one depends on each other. `figure` is given
/// the indices of a resample. The draws are the same in every run. `None` with fewer than two streams.
pub fn bootstrap(streams: usize, figure: impl Fn(&[usize]) -> Option<f64>) -> Option<Interval> {
    if streams < 2 {
        return None;
    }
    let mut state = 0u64;
    let mut draw = || {
        state += 1;
        ((u128::from(crate::generate::mix(state)) * streams as u128) >> 64) as usize
    };
    let resample = |_| {
        let drawn: Vec<usize> = (0..streams).map(|_| draw()).collect();
        figure(&drawn)
    };
    let mut figures: Vec<f64> = (0..RESAMPLES).filter_map(resample).collect();
    if figures.is_empty() {
        return None;
    }
    figures.sort_by(f64::total_cmp);
    let at = |share: f64| figures[((figures.len() - 1) as f64 * share + 0.5) as usize];
    Some([at(0.025), at(0.975)])
}

/// The wider of two intervals.
pub fn wider(a: Interval, b: Option<Interval>) -> Interval {
    b.filter(|b| b[1] - b[0] > a[1] - a[0]).unwrap_or(a)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(interval: Interval, expected: Interval) {
        assert!(interval.iter().zip(expected).all(|(a, b)| (a - b).abs() < 6e-4), "{interval:?} {expected:?}");
    }

    #[test]
    fn intervals_of_the_textbooks() {
        near(wilson(0, 10), [0.0, 0.2775]);
        near(wilson(8, 10), [0.4902, 0.9433]);
        near(wilson(429, 431), [0.9832, 0.9987]);
        assert_eq!(wilson(0, 0), [0.0, 1.0]);
        near(garwood(0), [0.0, 3.6889]);
        near(garwood(1), [0.0253, 5.5716]);
        near(garwood(10), [4.7954, 18.3904]);
        let [low, high] = garwood(15_000);
        assert!((low - 14_760.9).abs() < 1.0 && (high - 15_242.0).abs() < 1.0, "{low} {high}");
    }

    #[test]
    fn the_bootstrap_repeats_and_covers() {
        let values = [1.0, 2.0, 3.0, 4.0, 5.0];
        let mean = |drawn: &[usize]| Some(drawn.iter().map(|&i| values[i]).sum::<f64>() / drawn.len() as f64);
        let interval = bootstrap(5, mean).unwrap();
        // The standard error of the mean is sqrt(2 / 5) = 0.63.
        assert!((1.6..2.0).contains(&interval[0]) && (4.0..4.4).contains(&interval[1]), "{interval:?}");
        assert_eq!(bootstrap(5, mean), Some(interval));
        assert_eq!(bootstrap(1, mean), None);
        assert_eq!(wider([0.2, 0.4], Some([0.1, 0.5])), [0.1, 0.5]);
        assert_eq!(wider([0.2, 0.4], Some([0.3, 0.4])), [0.2, 0.4]);
    }
}
