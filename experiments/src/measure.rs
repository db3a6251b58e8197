//! CPU seconds, medians.
//!
//! CPU seconds and not wall time: the machine may be shared, and two workers may share a core. They still vary with what
//! the neighbours do to caches, so runs alternate and medians are compared.

use std::time::Instant;

/// CPU seconds of all threads of this process so far.
#[expect(unsafe_code, reason = "std has no clock of CPU time; the call fills in the struct it is given and does nothing else")]
pub fn cpu_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec that outlives the call.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    assert_eq!(failed, 0, "every Linux since 2.6.12 has this clock");
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// What a run cost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// CPU seconds of all threads.
    pub cpu: f64,
    /// Seconds by the clock on the wall.
    pub wall: f64,
}

/// Runs `f` and says what it cost.
pub fn cost<R>(f: impl FnOnce() -> R) -> (Cost, R) {
    let (cpu, wall) = (cpu_seconds(), Instant::now());
    let result = f();
    (Cost { cpu: cpu_seconds() - cpu, wall: wall.elapsed().as_secs_f64() }, result)
}

/// The median; 0 of nothing.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median([]), 0.0);
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn work_costs_cpu_time() {
        let (cost, sum) = cost(|| (0..1_000_000u64).fold(0u64, |a, x| std::hint::black_box(a ^ x)));
        assert!(std::hint::black_box(sum) < 1 << 20 && cost.cpu > 0.0 && cost.wall > 0.0);
    }
}
