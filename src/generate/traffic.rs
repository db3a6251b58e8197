//! How many sales there are at a time: the daily and weekly season of each category, and slow noise.
//!
//! The expected rate of a category is its share times its season, whose mean over a week is 1. On top lies noise that no
//! calendar explains: Ornstein-Uhlenbeck processes in the log rate, one for the whole shop, one for each category and one
//! for each seller, all with mean 1 after the exponential.

use super::draw::{Dice, mix};
use super::settings::{DAY, MINUTE, Settings, Tails};
use super::world::World;
use std::f64::consts::TAU;

/// Standard deviation and correlation time in milliseconds of a slow noise.
#[derive(Clone, Copy)]
pub(crate) struct Slow {
    /// Standard deviation of the log rate.
    pub(crate) sd: f64,
    /// Time after which the correlation has fallen to 1/e.
    pub(crate) tau: f64,
    tails: Tails,
}

impl Slow {
    /// The noise of the shop, of a category and of a seller, as the evaluation protocol sets them.
    pub(crate) fn levels(settings: &Settings) -> [Slow; 3] {
        [(0.05, 30), (0.07, 45), (0.15, 60)].map(|(sd, minutes)| Slow {
            sd: sd * settings.noise,
            tau: (minutes * MINUTE) as f64,
            tails: settings.tails,
        })
    }

    /// The state `elapsed` milliseconds later; exact for any step.
    fn advance(self, state: f64, elapsed: f64, dice: &mut Dice) -> f64 {
        let keep = libm::exp(-elapsed / self.tau);
        state * keep + self.sd * libm::sqrt(1.0 - keep * keep) * self.shock(dice)
    }

    /// A shock with mean 0 and variance 1. A Student variable with 3 degrees of freedom has variance 3.
    fn shock(self, dice: &mut Dice) -> f64 {
        match self.tails {
            Tails::Normal => dice.normal(),
            Tails::Student => {
                let squares: f64 = (0..3).map(|_| dice.normal()).map(|z| z * z).sum();
                dice.normal() / libm::sqrt(squares)
            }
        }
    }

    /// What the state does to a rate.
    fn factor(self, state: f64) -> f64 {
        libm::exp(state - 0.5 * self.sd * self.sd)
    }
}

/// The season of every category: two daily harmonics and the weekend.
pub(crate) struct Season {
    strength: f64,
    offset: i64,
    /// The first moment, and that from which clocks stand an hour later.
    start: i64,
    forward: i64,
    /// Hours by which days move from week to week, and what decides by how much.
    drift: f64,
    seed: u64,
    /// For each category: hours by which its day is later than the shop's, the weekend's factor, and what makes the
    /// weekly mean 1.
    categories: Vec<(f64, f64, f64)>,
}

impl Season {
    fn new(settings: &Settings, world: &World) -> Self {
        let mut dice = Dice::new(settings.seed, 2);
        let mut season = Season {
            strength: settings.season,
            offset: settings.utc_offset * MINUTE,
            start: settings.start,
            forward: if settings.dst_after > 0 { settings.start + settings.dst_after } else { i64::MAX },
            drift: settings.season_drift,
            seed: settings.seed,
            categories: vec![],
        };
        let day: f64 = (0..288).map(|slot| libm::exp(season.log_shape(f64::from(slot) / 12.0))).sum::<f64>() / 288.0;
        for _ in &world.shelves {
            let lag = dice.normal();
            let weekend = libm::exp(settings.season * libm::log(0.7 + 0.6 * dice.unit()));
            season.categories.push((lag, weekend, 1.0 / (day * (5.0 + 2.0 * weekend) / 7.0)));
        }
        season
    }

    /// Logarithm of the rate at an hour of the day: quietest near 5, busiest from 18 to 21.
    fn log_shape(&self, hour: f64) -> f64 {
        let turn = |period: f64, peak: f64| libm::cos(TAU * (hour - peak) / period);
        self.strength * (0.9 * turn(24.0, 17.0) + 0.35 * turn(12.0, 10.0))
    }

    /// By how many hours the day of a category has moved: a normal variable for each week, joined by straight lines.
    fn drifted(&self, category: usize, time: i64) -> f64 {
        if self.drift == 0.0 {
            return 0.0;
        }
        let (week, within) = ((time - self.start).div_euclid(7 * DAY), (time - self.start).rem_euclid(7 * DAY));
        let normal = |week: i64| {
            let word = |salt: u64| mix(mix(self.seed ^ (category as u64) << 32 ^ salt).wrapping_add(week as u64));
            let unit = |word: u64| ((word >> 11) as f64 + 0.5) * (1.0 / (1u64 << 53) as f64);
            libm::sqrt(-2.0 * libm::log(unit(word(1)))) * libm::cos(TAU * unit(word(2)))
        };
        let share = within as f64 / (7 * DAY) as f64;
        self.drift * (normal(week) * (1.0 - share) + normal(week + 1) * share)
    }

    /// The season of a category at an event time.
    pub(crate) fn at(&self, category: usize, time: i64) -> f64 {
        let (lag, weekend, scale) = self.categories[category];
        let local = time + self.offset + if time >= self.forward { 60 * MINUTE } else { 0 };
        let hour = local.rem_euclid(DAY) as f64 / (60 * MINUTE) as f64;
        let weekday = (local.div_euclid(DAY) + 4).rem_euclid(7);
        let daily = libm::exp(self.log_shape(hour - lag - self.drifted(category, time))) * scale;
        if weekday == 0 || weekday == 6 { daily * weekend } else { daily }
    }
}

/// The season and the state of the noise.
pub(crate) struct Traffic {
    /// The season.
    pub(crate) season: Season,
    /// Season of each category at the present step.
    pub(crate) seasons: Vec<f64>,
    /// Season times noise of each category at the present step.
    pub(crate) levels: Vec<f64>,
    /// What a seller's noise may reach at most.
    pub(crate) ceiling: f64,
    slow: [Slow; 3],
    shop: f64,
    categories: Vec<f64>,
    sellers: Vec<(f64, i64)>,
    dice: Dice,
    now: i64,
}

impl Traffic {
    /// At the start of the stream; the noise is in its stationary law.
    pub(crate) fn new(settings: &Settings, world: &World) -> Self {
        let mut dice = Dice::new(settings.seed, 3);
        let slow = Slow::levels(settings);
        let shop = slow[0].sd * dice.normal();
        let categories: Vec<f64> = world.shelves.iter().map(|_| slow[1].sd * dice.normal()).collect();
        let sellers = world.sellers.iter().map(|_| (slow[2].sd * dice.normal(), settings.start)).collect();
        let mut traffic = Traffic {
            season: Season::new(settings, world),
            seasons: vec![0.0; categories.len()],
            levels: vec![0.0; categories.len()],
            ceiling: libm::exp(3.0 * slow[2].sd),
            slow,
            shop,
            categories,
            sellers,
            dice,
            now: settings.start,
        };
        traffic.level(settings.start);
        traffic
    }

    /// Moves to a later time.
    pub(crate) fn advance(&mut self, time: i64) {
        let elapsed = (time - self.now) as f64;
        let [shop, category, _] = self.slow;
        self.shop = shop.advance(self.shop, elapsed, &mut self.dice);
        let keep = libm::exp(-elapsed / category.tau);
        let spread = category.sd * libm::sqrt(1.0 - keep * keep);
        for state in &mut self.categories {
            *state = *state * keep + spread * category.shock(&mut self.dice);
        }
        self.now = time;
        self.level(time);
    }

    fn level(&mut self, time: i64) {
        let [shop, category, _] = self.slow;
        let shop = shop.factor(self.shop);
        for (index, &state) in self.categories.iter().enumerate() {
            self.seasons[index] = self.season.at(index, time);
            self.levels[index] = self.seasons[index] * shop * category.factor(state);
        }
    }

    /// The noise of a seller at a time, at most the ceiling; brought up to date only when asked for, so that a shop with
    /// thousands of sellers costs no more than its sales.
    pub(crate) fn seller(&mut self, seller: u32, time: i64) -> f64 {
        let slow = self.slow[2];
        let (state, since) = &mut self.sellers[seller as usize];
        if time - *since >= MINUTE / 4 {
            *state = slow.advance(*state, (time - *since) as f64, &mut self.dice);
            *since = time;
        }
        slow.factor(*state).min(self.ceiling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_season_has_mean_one_over_a_week_and_a_quiet_night() {
        let settings = Settings::default();
        let world = World::new(&settings);
        let season = Season::new(&settings, &world);
        for category in [0, 100, 247] {
            let steps = 7 * 24 * 12;
            let mean = (0..steps).map(|s| season.at(category, s * 5 * MINUTE)).sum::<f64>() / steps as f64;
            assert!((mean - 1.0).abs() < 1e-3, "{mean}");
        }
        let local = |hour: i64| hour * 60 * MINUTE - season.offset;
        let shop = |hour| (0..248).map(|c| season.at(c, local(hour)) * world.shelves[c].share).sum::<f64>();
        assert!(shop(5) < 0.4 && (0.7..1.6).contains(&shop(12)) && shop(19) > 1.5, "{} {} {}", shop(5), shop(12), shop(19));
    }

    #[test]
    fn flat_settings_are_flat() {
        let settings = Settings { season: 0.0, noise: 0.0, ..Settings::default() };
        let world = World::new(&settings);
        let mut traffic = Traffic::new(&settings, &world);
        traffic.advance(settings.start + 11 * 60 * MINUTE);
        assert!(traffic.levels.iter().all(|level| (level - 1.0).abs() < 1e-9));
        assert_eq!(traffic.seller(3, settings.start + DAY), 1.0);
    }
}
