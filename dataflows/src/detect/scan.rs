//! Several lengths of window at once, and one threshold for all of them.
//!
//! `W_w(t)` is the count of the last `w` panes, `M_w(t)` the sum of their expectations, over 30 s, 1, 2, 5 and 15 min, at each slide. The
//! score is the greatest over w of the tail of `W_w` under `M_w`, in decades. It is a truncated CUSUM: the best start of a change
//! among the last 15 minutes, with no state of its own, so that a correction is judged by asking again.
//!
//! A seller is two series, baskets and lines, and either may speak for it; so each of them must be twice as rare for the seller to call
//! as seldom as a series of its own would: its threshold is `h + log10 2` (Bonferroni).
//!
//! The way back is no news: after a rise of an hour the level stands high, and the fall to what is usual at that time would be called
//! a drop. So a scale at which the season alone, whatever the level of the last hour, sees nothing at half of the threshold is quiet.
//!
//! A spike is said only where `M_w >= 0.5`, a drop where `M_w >= 2.3 h`: below that even nothing at all is no evidence.
//! Dispersion is fitted for each (class, scale); while a season is not known ("cold"), a wide one stands in, and drops are not
//! said. Sources: Page 1954; Hoehle and Paul 2008; Noufaily et al. 2013.

use super::dispersion::{Dispersion, Samples};
use super::season::Known;
use super::table::{ONE, Standing, Table, fixed, float};
use super::tail::Tail;
use crate::plan::detect::MINUTE;
use serde::{Deserialize, Serialize};

/// The scales, in panes.
pub const SCALES: [u32; 5] = [MINUTE / 2, MINUTE, 2 * MINUTE, 5 * MINUTE, LONGEST];

/// The longest of them.
pub const LONGEST: u32 = 15 * MINUTE;

/// Series that share their dispersion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Baskets of the whole shop.
    Shop,
    /// Baskets of a category.
    Category,
    /// Baskets of a seller.
    SellerBaskets,
    /// Lines of a seller.
    SellerLines,
}

/// What is known of one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// What was counted.
    pub count: i64,
    /// What was expected, in fixed point.
    pub mean: i64,
    /// What the season alone makes one expect, whatever the level; `mean` where nothing does.
    pub usual: i64,
}

/// The windows of all scales that end together; `None` where there is no expectation.
pub type Windows = [Option<Window>; 5];

/// How a series stands, in one direction: the scale that stands out most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stand {
    /// Decided by integers.
    pub standing: Standing,
    /// Decades in millionths, on the side of the threshold on which `standing` is.
    pub score: i64,
    /// Index into [`SCALES`].
    pub scale: usize,
    /// The window.
    pub window: Window,
}

/// How a series stands in both directions; `None` is quiet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Too many.
    pub up: Option<Stand>,
    /// Too few.
    pub down: Option<Stand>,
}

impl Verdict {
    /// The greater standing of the two.
    pub fn standing(&self) -> Standing {
        let of = |stand: &Option<Stand>| stand.map_or(Standing::Quiet, |stand| stand.standing);
        of(&self.up).max(of(&self.down))
    }
}

/// What a checkpoint holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Saved {
    fits: Vec<Dispersion>,
    all: Vec<Samples>,
    today: Vec<Samples>,
}

/// Tables and samples of all classes and scales.
pub struct Scan {
    h: f64,
    /// By class and scale.
    tables: Vec<Table>,
    cold: Vec<Table>,
    all: Vec<Samples>,
    today: Vec<Samples>,
}

/// Before the first fit.
const GUESS: Dispersion = Dispersion { a: 2.0, b: 0.01 };

/// While the season is not known: a trailing mean misses a morning's rise by a quarter.
const COLD: Dispersion = Dispersion { a: 2.0, b: 0.05 };

/// log10 of the series that speak for one seller.
const SELLER_SERIES: f64 = core::f64::consts::LOG10_2;

/// The threshold of a class, where `h` is that of one series.
fn limit(class: Class, h: f64) -> f64 {
    match class {
        Class::Shop | Class::Category => h,
        Class::SellerBaskets | Class::SellerLines => h + SELLER_SERIES,
    }
}

/// All of them, in the order of the tables.
const CLASSES: [Class; 4] = [Class::Shop, Class::Category, Class::SellerBaskets, Class::SellerLines];

fn slot(class: Class, scale: usize) -> usize {
    class as usize * SCALES.len() + scale
}

impl Scan {
    /// With threshold `h` in decades.
    pub fn new(h: f64) -> Scan {
        let n = CLASSES.len() * SCALES.len();
        let tables = |dispersion: Dispersion| {
            let of = |class| (0..SCALES.len()).map(move |_| Table::new(dispersion, limit(class, h)));
            CLASSES.into_iter().flat_map(of).collect()
        };
        Scan {
            h,
            tables: tables(GUESS),
            cold: tables(COLD),
            all: vec![Samples::default(); n],
            today: vec![Samples::default(); n],
        }
    }

    /// As it was when [`Scan::save`] was called; the threshold may be another.
    pub fn restore(h: f64, saved: Saved) -> Scan {
        let new = Scan::new(h);
        let classes = CLASSES.into_iter().flat_map(|class| SCALES.map(|_| class));
        let tables = saved.fits.into_iter().zip(classes).map(|(fit, class)| Table::new(fit, limit(class, h))).collect();
        Scan { tables, all: saved.all, today: saved.today, ..new }
    }

    /// What a checkpoint must hold.
    pub fn save(&self) -> Saved {
        let fits = self.tables.iter().map(Table::dispersion).collect();
        Saved { fits, all: self.all.clone(), today: self.today.clone() }
    }

    /// The threshold of a class in millionths of a decade.
    pub fn threshold(&self, class: Class) -> i64 {
        millionths(limit(class, self.h))
    }

    /// Judges the windows of a series.
    pub fn judge(&mut self, class: Class, known: Known, windows: &Windows) -> Verdict {
        let least = fixed(core::f64::consts::LN_10 * self.h);
        let mut verdict = Verdict::default();
        for (scale, window) in windows.iter().enumerate() {
            let Some(window) = window.filter(|window| window.mean >= ONE / 2) else { continue };
            let tables = if known == Known::Warm { &mut self.tables } else { &mut self.cold };
            let table = &mut tables[slot(class, scale)];
            let up = table.above(window.count, window.mean);
            let down = if window.mean >= least && known == Known::Warm {
                table.below(window.count, window.mean)
            } else {
                Standing::Quiet
            };
            let news = |standing: Standing| known != Known::Warm || window.usual == window.mean || standing > Standing::Quiet;
            let up = if up > Standing::Quiet && !news(table.above(window.count, window.usual)) { Standing::Quiet } else { up };
            let down =
                if down > Standing::Quiet && !news(table.below(window.count, window.usual)) { Standing::Quiet } else { down };
            let dispersion = table.dispersion();
            for (standing, rise, best) in [(up, true, &mut verdict.up), (down, false, &mut verdict.down)] {
                if standing > Standing::Quiet {
                    let score = score(window, dispersion, rise, standing, self.threshold(class));
                    if best.is_none_or(|best| (best.standing, best.score) < (standing, score)) {
                        *best = Some(Stand { standing, score, scale, window });
                    }
                }
            }
        }
        verdict
    }

    /// A window of the past, free of episodes.
    pub fn sample(&mut self, class: Class, scale: usize, window: Window) {
        self.today[slot(class, scale)].add(window.count, float(window.mean));
    }

    /// A day has closed: fits anew. `overlap`: whether the windows of a class were taken at every slide.
    pub fn close_day(&mut self) {
        for class in CLASSES {
            for (scale, panes) in SCALES.into_iter().enumerate() {
                let at = slot(class, scale);
                self.all[at].close(&mut self.today[at]);
                // the windows of shop and categories are taken at every slide, those of sellers apart from each other
                let overlap = if class <= Class::Category { f64::from(panes) } else { 1.0 };
                let fit = self.all[at].fit(GUESS, overlap);
                self.tables[at] = Table::new(fit, limit(class, self.h));
            }
        }
    }

    /// Variance over mean and the rest, of a class at a scale.
    pub fn fit(&self, class: Class, scale: usize) -> Dispersion {
        self.tables[slot(class, scale)].dispersion()
    }
}

/// The tail in millionths of a decade, kept on the side of the threshold `whole` that the table has decided on.
fn score(window: Window, dispersion: Dispersion, rise: bool, standing: Standing, whole: i64) -> i64 {
    let mean = float(window.mean);
    let tail = Tail::new(mean, dispersion.variance(mean));
    let score = millionths(if rise { tail.upper(window.count) } else { tail.lower(window.count) });
    match standing {
        Standing::Holds => score.max(whole),
        _ => score.clamp((whole + 1) / 2, whole - 1),
    }
}

fn millionths(decades: f64) -> i64 {
    libm::rint(decades * 1e6) as i64
}

/// Windows whose expectations are multiplied by `rho`, one factor (fixed point) a scale.
pub fn scaled(windows: &Windows, rho: &[i64; 5]) -> Windows {
    let times = |mean: i64, rho: i64| ((i128::from(mean) * i128::from(rho)) >> super::table::BITS).min(i64::MAX.into()) as i64;
    let scale = |window: Window, rho: i64| Window { mean: times(window.mean, rho), usual: times(window.usual, rho), ..window };
    std::array::from_fn(|i| windows[i].map(|window| scale(window, rho[i])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_no_news() {
        let mut scan = Scan::new(6.5);
        let mut judge = |class, known, count: i64, mean: i64, usual: i64| {
            let window = Window { count, mean: mean * ONE, usual: usual * ONE };
            let verdict = scan.judge(class, known, &[None, None, Some(window), None, None]);
            let standing = |stand: Option<Stand>| stand.map_or(Standing::Quiet, |stand| stand.standing);
            (standing(verdict.up), standing(verdict.down))
        };
        let (quiet, holds) = (Standing::Quiet, Standing::Holds);
        // the hour has sold twice what is usual, and now it is as usual; or half of that
        assert_eq!(judge(Class::Category, Known::Warm, 400, 800, 400), (quiet, quiet));
        assert_eq!(judge(Class::Category, Known::Warm, 150, 800, 400), (quiet, holds));
        assert_eq!(judge(Class::Category, Known::Warm, 400, 800, 800), (quiet, holds));
        // and after an hour at half of it
        assert_eq!(judge(Class::Shop, Known::Warm, 400, 200, 400), (quiet, quiet));
        assert_eq!(judge(Class::Shop, Known::Warm, 900, 200, 400), (holds, quiet));
        // a season that is hardly known vouches for nothing
        assert_eq!(judge(Class::Category, Known::Cold, 400, 100, 400).0, holds);
    }
}
