//! The highest level that explains: a spike of a category does not page for each of its sellers, nor one of the shop for each
//! category; and the shop is not blamed for what one category does.
//!
//! Downwards: where the level above stands out and is not to blame on a part, the parts are judged against `mu x rho`,
//! `rho = W / M` of the level above at the same scale, and say something only if they still stand out. A rise above raises
//! what is expected of a spike below, never what a drop is measured by, and a fall the other way round.
//!
//! Upwards: a part is to blame that holds by itself, whose relative difference is at least twice that of the whole, and such parts
//! together make half of the difference or more. A proportional change of all parts never looks like this.

use super::scan::{Stand, Windows};
use super::table::{BITS, ONE};

/// Count less expectation, fixed point; the sign turned for a drop.
fn excess(count: i64, mean: i64, rise: bool) -> i64 {
    let excess = count.saturating_mul(ONE) - mean;
    if rise { excess } else { -excess }
}

/// Of the parts that hold, with their windows: whether they are to blame for the `whole`.
pub(super) fn parts_to_blame<'a>(whole: &Stand, rise: bool, parts: impl Iterator<Item = &'a Windows>) -> bool {
    let all = i128::from(excess(whole.window.count, whole.window.mean, rise));
    let blamed: i128 = parts
        .filter_map(|windows| windows[whole.scale])
        .map(|part| (i128::from(excess(part.count, part.mean, rise)), i128::from(part.mean)))
        .filter(|(excess, mean)| excess * i128::from(whole.window.mean) >= 2 * all * mean)
        .map(|(excess, _)| excess)
        .sum();
    all > 0 && 2 * blamed >= all
}

/// By which factors (fixed point, one a scale) the parts follow the whole, in one direction.
pub(super) fn factors(whole: &Windows, rise: bool) -> [i64; 5] {
    std::array::from_fn(|i| {
        let Some(window) = whole[i].filter(|window| window.mean > 0) else { return ONE };
        let rho = (i128::from(window.count.max(0)) << (2 * BITS)) / i128::from(window.mean);
        let rho = i64::try_from(rho).unwrap_or(i64::MAX);
        if rise { rho.max(ONE) } else { rho.min(ONE) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::scan::Window;
    use crate::detect::table::Standing;

    fn window(count: i64, mean: i64) -> Windows {
        [Some(Window { count, mean: mean * ONE, usual: mean * ONE }); 5]
    }

    fn blamed(whole: (i64, i64), rise: bool, parts: &[(i64, i64)]) -> bool {
        let window = Window { count: whole.0, mean: whole.1 * ONE, usual: whole.1 * ONE };
        let stand = Stand { standing: Standing::Holds, score: 0, scale: 2, window };
        let parts: Vec<Windows> = parts.iter().map(|(count, mean)| self::window(*count, *mean)).collect();
        parts_to_blame(&stand, rise, parts.iter())
    }

    #[test]
    fn a_part_is_to_blame_when_it_stands_out_and_makes_half_of_it() {
        assert!(blamed((140, 100), true, &[(60, 20)]));
        // everything doubled: the greatest part does not stand out
        assert!(!blamed((200, 100), true, &[(80, 40), (60, 30)]));
        assert!(!blamed((150, 100), true, &[(25, 10)]));
        assert!(blamed((160, 100), true, &[(45, 10), (40, 15)]));
        assert!(blamed((80, 100), false, &[(0, 20)]));
        assert!(!blamed((50, 100), false, &[(20, 40)]));
    }

    #[test]
    fn parts_follow_the_whole_one_way_only() {
        assert_eq!(factors(&window(150, 100), true), [ONE + ONE / 2; 5]);
        assert_eq!(factors(&window(150, 100), false), [ONE; 5]);
        assert_eq!(factors(&window(50, 100), true), [ONE; 5]);
        assert_eq!(factors(&window(50, 100), false), [ONE / 2; 5]);
        assert_eq!(factors(&[None; 5], true), [ONE; 5]);
    }
}
