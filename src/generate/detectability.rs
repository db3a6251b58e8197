//! How far an incident stands out of the noise, by the generator's own parameters.
//!
//! d' is the greatest ratio, over windows of 1, 2, 4, 10 and 30 panes of 30 s, of the expected change inside the best-placed
//! window to the standard deviation of that window when nothing happens. Counts vary by clumping (variance `clumping` times
//! the mean) and by the slow noise of every level that reaches the series. Tickets are judged by the sum of their logarithms. Of
//! wrong prices one sale is all the evidence: within a minute there is none where less than one of them is expected.

use super::catalogue::catalogue;
use super::incident::label::Standing;
use super::incident::{Entity, Incident};
use super::kind::Kind;
use super::settings::{MINUTE, Settings};
use super::stream::{DISCOUNTS, PRICE_NOISE};
use super::tail;
use super::traffic::{Season, Slow};
use super::world::World;

/// Lengths of the windows in milliseconds.
const WINDOWS: [i64; 5] = [30_000, 60_000, 120_000, 300_000, 900_000];

/// What the judgement needs to know.
pub(crate) struct Odds<'a> {
    /// The settings of the stream.
    pub(crate) settings: &'a Settings,
    /// Its shop.
    pub(crate) world: &'a World,
    /// Its season.
    pub(crate) season: &'a Season,
}

impl Odds<'_> {
    /// How far an incident stands out.
    pub(crate) fn standing(&self, incident: &Incident) -> Standing {
        let duration = (incident.end - incident.start) as f64;
        let middle = incident.start + (incident.end - incident.start) / 2;
        match incident.kind {
            Kind::Spike | Kind::Drop | Kind::Outage | Kind::Announced => {
                let mass = |window: i64| incident.shape.mass(window as f64, duration);
                self.counted(incident.entity, middle, |rate, window| (incident.size - 1.0) * rate * mass(window))
            }
            // The second half, in which all of it is in force.
            Kind::Trend => self.counted(incident.entity, middle, |rate, window| {
                (incident.size - 1.0) * rate * (window as f64).min(duration / 2.0)
            }),
            Kind::Burst => {
                self.counted(incident.entity, middle, |_, window| incident.size / MINUTE as f64 * (window as f64).min(duration))
            }
            Kind::Surge => {
                let (shift, variance) = self.tickets(incident.entity, middle, incident.size);
                let distance = |window: i64| {
                    let (rate, _) = self.null(incident.entity, middle, window);
                    rate * shift * (window as f64).min(duration) / libm::sqrt(rate * window as f64 * variance)
                };
                let best = WINDOWS.into_iter().map(distance).fold(0.0, f64::max);
                Standing { distance: best, decades: tail::normal(best), decades_60: tail::normal(distance(MINUTE)) }
            }
            Kind::PriceError => {
                let each = libm::log(incident.size).abs() / libm::sqrt(price_variance());
                let distance = libm::sqrt(f64::from(incident.count)) * each;
                let decades = tail::normal(each);
                // what is sold anyhow is wrong, too
                let (usual, _) = self.null(incident.entity, middle, MINUTE);
                let wrong = (usual + f64::from(incident.count) / duration) * (MINUTE as f64).min(duration);
                Standing { distance, decades, decades_60: if wrong < 1.0 { 0.0 } else { decades } }
            }
            // What is certain has no odds.
            Kind::Stock | Kind::Whale | Kind::Storm => Standing::default(),
        }
    }

    /// Of a change in numbers: `excess` says how many more are expected of a rate in the best-placed window.
    fn counted(&self, entity: Entity, at: i64, excess: impl Fn(f64, i64) -> f64) -> Standing {
        let mut standing = Standing::default();
        for window in WINDOWS {
            let (rate, variance) = self.null(entity, at, window);
            let (mean, more) = (rate * window as f64, excess(rate, window));
            let decades = tail::count(mean, variance, mean + more);
            standing.distance = standing.distance.max(more.abs() / libm::sqrt(variance));
            standing.decades = standing.decades.max(decades);
            if window == MINUTE {
                standing.decades_60 = decades;
            }
        }
        standing
    }

    /// Units of a product that are expected to be sold while its stock runs out.
    pub(crate) fn stock(&self, product: usize, incident: &Incident) -> i64 {
        let (start, end) = (incident.start, incident.end);
        let (rate, _) = self.null(Entity::Product(product), start + (end - start) / 2, MINUTE);
        let units = self.world.shelves[self.world.shelf_of(product)].units;
        (libm::round(rate * (end - start) as f64 * units) as i64).max(1)
    }

    /// Expected lines per millisecond of a category.
    fn rate(&self, shelf: usize, time: i64) -> f64 {
        self.settings.rate / MINUTE as f64 * self.world.shelves[shelf].share * self.season.at(shelf, time)
    }

    /// Lines per millisecond of a series, and the variance of their number in a window, when nothing happens.
    fn null(&self, entity: Entity, time: i64, window: i64) -> (f64, f64) {
        let shelves = &self.world.shelves;
        let [shop, category, seller] = Slow::levels(self.settings).map(|slow| slow.sd * slow.sd * averaged(slow.tau, window));
        // The weight of each category and of each seller in the series: its noise counts by the square.
        let (rate, categories, sellers) = match entity {
            Entity::Shop => {
                let rates: Vec<f64> = (0..shelves.len()).map(|shelf| self.rate(shelf, time)).collect();
                let rate: f64 = rates.iter().sum();
                let sellers = self.world.seller_shares.iter().map(|share| share * share).sum();
                (rate, rates.iter().map(|r| (r / rate) * (r / rate)).sum(), sellers)
            }
            Entity::Category(shelf) => {
                let own = &shelves[shelf];
                let shares = (0..own.sellers.len()).map(|index| own.seller_weights.weight(index) / own.share);
                (self.rate(shelf, time), 1.0, shares.map(|share| share * share).sum())
            }
            Entity::Seller(seller) => {
                let of = |shelf: usize| self.rate(shelf, time) * shelves[shelf].share_of(seller) / shelves[shelf].share;
                let rates: Vec<f64> = (0..shelves.len()).map(of).collect();
                let rate: f64 = rates.iter().sum();
                (rate, rates.iter().map(|r| (r / rate) * (r / rate)).sum(), 1.0)
            }
            Entity::Product(product) => {
                let shelf = self.world.shelf_of(product);
                let own = &shelves[shelf];
                let share = own.product_weights.weight(product - own.products.start) / own.product_weights.total();
                (self.rate(shelf, time) * share, 1.0, 0.0)
            }
        };
        let slow = shop + category * categories + seller * sellers;
        // Baskets that excite others come in clusters of 1 / (1 - excitement) in the mean, which counts by the square.
        let calm = 1.0 - self.settings.excitement;
        let mean = rate * window as f64;
        let clumping = self.settings.clumping / (calm * calm);
        (rate, clumping * mean + mean * mean * slow)
    }

    /// By how much a surge moves the mean logarithm of a ticket, and the variance of that of one line. The lines of a basket
    /// share their category, so what categories differ by counts as often as baskets clump.
    fn tickets(&self, entity: Entity, time: i64, size: f64) -> (f64, f64) {
        let shelves: Vec<usize> = match entity {
            Entity::Category(shelf) => vec![shelf],
            _ => (0..self.world.shelves.len()).collect(),
        };
        let rates: Vec<f64> = shelves.iter().map(|&shelf| self.rate(shelf, time)).collect();
        let total: f64 = rates.iter().sum();
        let (mut shift, mut within, mut mean, mut square) = (0.0, 0.0, 0.0, 0.0);
        for (&shelf, rate) in shelves.iter().zip(rates) {
            let weight = rate / total;
            let (ticket, variance) = self.ticket(shelf);
            shift += weight * unit_shift(self.world.shelves[shelf].units, size);
            within += weight * variance;
            mean += weight * ticket;
            square += weight * ticket * ticket;
        }
        (shift, within + self.settings.clumping * (square - mean * mean).max(0.0))
    }

    /// Mean and variance of the logarithm of a ticket of one category.
    fn ticket(&self, shelf: usize) -> (f64, f64) {
        let own = &self.world.shelves[shelf];
        let prices = own.products.clone().enumerate().map(|(index, product)| {
            let share = own.product_weights.weight(index) / own.product_weights.total();
            (share, libm::log(catalogue()[product].list_price as f64))
        });
        let (price, price_spread) = moments(prices);
        let (units, unit_spread) = moments(units_law(own.units).map(|(p, units)| (p, libm::log(units))));
        (price + units, price_spread + unit_spread + price_variance())
    }
}

/// How much of the variance of a slow noise is left in its mean over a window.
fn averaged(tau: f64, window: i64) -> f64 {
    let ratio = tau / window as f64;
    2.0 * ratio * (1.0 + ratio * libm::expm1(-1.0 / ratio))
}

/// Mean and variance of a law given as (probability, value).
fn moments(law: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    let (mean, square) = law.fold((0.0, 0.0), |(mean, square), (p, value)| (mean + p * value, square + p * value * value));
    (mean, (square - mean * mean).max(0.0))
}

/// The law of the units of a line: geometric.
fn units_law(mean: f64) -> impl Iterator<Item = (f64, f64)> {
    let more = 1.0 - 1.0 / mean;
    (1..=60).scan(1.0 / mean, move |p, units| {
        let now = *p;
        *p *= more;
        Some((now, f64::from(units)))
    })
}

/// By how much the mean logarithm of the units grows when they are multiplied and rounded at random to a neighbour.
fn unit_shift(mean: f64, size: f64) -> f64 {
    let grown = |units: f64| {
        let (whole, part) = (libm::floor(units * size), units * size - libm::floor(units * size));
        (1.0 - part) * libm::log(whole) + part * libm::log(whole + 1.0)
    };
    units_law(mean).map(|(p, units)| p * (grown(units) - libm::log(units))).sum()
}

/// Variance of the logarithm of one product's price.
fn price_variance() -> f64 {
    let discounts = DISCOUNTS.into_iter().map(|(percent, share)| (share, libm::log(1.0 - f64::from(percent) / 100.0)));
    moments(discounts).1 + PRICE_NOISE * PRICE_NOISE
}

#[cfg(test)]
mod tests {
    use super::super::kind::Shape;
    use super::*;

    #[test]
    fn poisson_counts_by_hand() {
        // One category, one seller, no season, no noise, no clumping, 600 lines a minute: a doubling for 5 minutes has
        // 3,000 more lines over a standard deviation of sqrt(3,000), and sqrt(3,000) = 54.772.
        let flat = Settings { categories: 1, sellers: 1, season: 0.0, noise: 0.0, clumping: 1.0, ..Settings::default() };
        let world = World::new(&flat);
        let traffic = super::super::traffic::Traffic::new(&flat, &world);
        let odds = Odds { settings: &flat, world: &world, season: &traffic.season };
        let incident = |kind, entity, size, count| Incident {
            number: 0,
            kind,
            entity,
            start: 0,
            end: 5 * MINUTE,
            shape: Shape::Step,
            size,
            count,
        };
        let close = |value: f64, expected: f64| assert!((value - expected).abs() < 1e-3, "{value} {expected}");
        close(odds.standing(&incident(Kind::Spike, Entity::Shop, 2.0, 0)).distance, 54.772);
        close(odds.standing(&incident(Kind::Drop, Entity::Category(0), 0.5, 0)).distance, 27.386);
        // The last 2 of 5 minutes of a ramp hold 80 % of what a step has there: 960 over sqrt(1,200).
        let ramp = Incident { shape: Shape::Ramp, ..incident(Kind::Spike, Entity::Shop, 2.0, 0) };
        close(odds.standing(&ramp).distance, 27.713);
        // D is the tail at what is expected: 1,200 of a Poisson variable of mean 600, at 60 s.
        let standing = odds.standing(&incident(Kind::Spike, Entity::Shop, 2.0, 0));
        assert!(
            (standing.decades_60 - tail::count(600.0, 600.0, 1_200.0)).abs() < 1e-9 && standing.decades > standing.decades_60
        );
        // 60 more lines a minute: 300 over sqrt(3,000).
        close(odds.standing(&incident(Kind::Burst, Entity::Seller(0), 60.0, 1)).distance, 5.477);
        // Of a product that hardly ever sells 4 wrong prices in 5 minutes are none in one, and 6 are one.
        let rare = world.shelves[0].products.end - 1;
        let calm = Settings { rate: 1.0, ..flat.clone() };
        let odds = Odds { settings: &calm, ..odds };
        let wrong = |count| odds.standing(&incident(Kind::PriceError, Entity::Product(rare), 0.1, count));
        assert!(wrong(4).decades > 10.0 && wrong(4).decades_60 == 0.0);
        assert_eq!(wrong(6).decades_60, wrong(4).decades);
    }

    #[test]
    fn noise_hides_and_averages_out() {
        assert!((averaged(1e12, 30_000) - 1.0).abs() < 1e-6);
        // A window of one correlation time: 2 (1 - (1 - 1/e)) = 2/e.
        assert!((averaged(60_000.0, 60_000) - 2.0 / std::f64::consts::E).abs() < 1e-12);
        let (mean, spread) = moments(units_law(2.0));
        assert!((mean - 2.0).abs() < 1e-9 && (spread - 2.0).abs() < 1e-6);
        assert!((unit_shift(1.0, 2.0) - libm::log(2.0)).abs() < 1e-12);
    }
}
