//! When what is injected: drawn block by block, from randomness of its own.

use super::super::draw::{Dice, Weights};
use super::super::kind::{Kind, Shape};
use super::super::settings::{DAY, Incidents, MINUTE, Settings};
use super::super::world::{World, list_price};
use super::{Entity, Incident};
use std::collections::VecDeque;

/// Starts (ms into the round), durations (ms) and sizes of the demonstration.
const DEMO: [(Kind, i64, i64, f64, u32); 5] = [
    (Kind::Spike, 107_400, 75_500, 4.0, 0),
    (Kind::Surge, 257_300, 72_500, 4.0, 0),
    (Kind::Drop, 403_600, 68_300, 0.1, 0),
    (Kind::Burst, 551_700, 95_500, 90.0, 2),
    (Kind::PriceError, 712_800, 87_500, 0.1, 12),
];
const DEMO_ROUND: i64 = 15 * MINUTE;

/// What can be scattered, each equally often: kind, whether over the whole shop, sizes.
const SCATTERED: [(Kind, bool, &[f64]); 14] = [
    (Kind::Spike, true, &[1.15, 1.3, 1.5, 2.0]),
    (Kind::Spike, false, &[1.3, 1.5, 2.0, 3.0]),
    (Kind::Drop, true, &[0.85, 0.7, 0.5, 0.2]),
    (Kind::Drop, false, &[0.7, 0.5, 0.25, 0.0]),
    (Kind::Surge, true, &[1.3, 1.5, 2.0, 3.0]),
    (Kind::Surge, false, &[1.3, 1.5, 2.0, 3.0]),
    (Kind::Burst, false, &[5.0, 10.0, 20.0, 40.0]),
    (Kind::PriceError, false, &[0.01, 0.1, 0.5, 2.0, 10.0]),
    (Kind::Trend, false, &[1.3, 1.5, 2.0]),
    (Kind::Stock, false, &[1.0]),
    (Kind::Outage, true, &[0.0]),
    (Kind::Announced, false, &[1.5, 2.0, 3.0]),
    (Kind::Whale, false, &[1.0]),
    (Kind::Storm, false, &[0.3, 0.6]),
];

/// Draws the incidents block by block, far enough ahead, so that an endless stream has a schedule too.
pub(crate) struct Schedule {
    plan: Incidents,
    /// What is scattered, in turn; the shapes of what has one; how many customers a burst comes from.
    rows: Vec<(Kind, bool, &'static [f64])>,
    shapes: Vec<Shape>,
    customers: Vec<u32>,
    dice: Dice,
    origin: i64,
    horizon: i64,
    /// All that were ever scheduled, by number.
    pub(crate) known: Vec<Incident>,
    due: VecDeque<Incident>,
    shares: Weights,
}

impl Schedule {
    /// The schedule from the start of the stream on.
    pub(crate) fn new(settings: &Settings, world: &World) -> Self {
        let mut schedule = Schedule {
            plan: settings.incidents.clone(),
            rows: SCATTERED.into_iter().filter(|row| settings.kinds.contains(&row.0)).collect(),
            shapes: settings.shapes.clone(),
            customers: settings.burst_customers.clone(),
            dice: Dice::new(settings.seed, 4),
            origin: settings.start,
            horizon: settings.start,
            known: vec![],
            due: VecDeque::new(),
            shares: Weights::new(world.shelves.iter().map(|shelf| shelf.share)),
        };
        schedule.extend(settings.start, world);
        schedule
    }

    /// When the next incident begins, or the schedule must be asked again because another might.
    pub(crate) fn next_change(&self) -> i64 {
        self.due.front().map_or(self.horizon, |incident| incident.start)
    }

    /// The incidents that begin up to `now`, and schedules on when the block ends there.
    pub(crate) fn begin(&mut self, now: i64, world: &World) -> Vec<Incident> {
        self.extend(now, world);
        let ready = self.due.partition_point(|incident| incident.start <= now);
        self.due.drain(..ready).collect()
    }

    fn extend(&mut self, now: i64, world: &World) {
        while self.horizon <= now {
            let (mut block, length) = match self.plan {
                Incidents::Off => (vec![], i64::MAX - self.horizon),
                Incidents::Demo => (self.round(world), DEMO_ROUND),
                Incidents::Scattered { per_day, after, gap } => (self.scatter(per_day, after, gap, world), DAY),
            };
            block.sort_by_key(|incident| incident.start);
            for mut incident in block {
                incident.number = self.known.len();
                self.known.push(incident);
                self.due.push_back(incident);
            }
            self.horizon += length;
        }
    }

    fn round(&mut self, world: &World) -> Vec<Incident> {
        let of = |(kind, offset, duration, size, count)| {
            let entity = match kind {
                Kind::Burst => Entity::Seller(5.min(world.sellers.len() as u32 - 1)),
                Kind::PriceError => Entity::Product(self.product(world)?),
                _ => Entity::Shop,
            };
            let start = self.horizon + offset;
            Some(Incident { number: 0, kind, entity, start, end: start + duration, shape: Shape::Step, size, count })
        };
        DEMO.into_iter().filter_map(of).collect()
    }

    fn scatter(&mut self, per_day: u32, after: i64, gap: i64, world: &World) -> Vec<Incident> {
        let mut placed: Vec<Incident> = vec![];
        let rows = self.rows.len();
        if rows == 0 {
            return placed;
        }
        let turn = self.dice.below(rows as u64) as usize;
        for attempt in 0..per_day as usize {
            let (kind, shop, sizes) = self.rows[(turn + attempt) % rows];
            for _ in 0..40 {
                let Some(drawn) = self.draw(kind, shop, sizes, world) else { continue };
                let near = |other: &&Incident| drawn.start < other.end + gap && other.start < drawn.end + gap;
                let before = self.known.iter().rev().take_while(|other| other.start + DAY > self.horizon);
                let clash = before.chain(&placed).filter(near).any(|other| drawn.related(other, world));
                if !clash && drawn.start >= self.origin + after {
                    placed.push(drawn);
                    break;
                }
            }
        }
        placed
    }

    fn draw(&mut self, kind: Kind, shop: bool, sizes: &[f64], world: &World) -> Option<Incident> {
        // Never on a whole second, so never on the edge of a pane.
        let start = (self.horizon + self.dice.between(0, DAY)).div_euclid(1_000) * 1_000 + self.dice.between(1, 1_000);
        let (least, most) = match kind {
            Kind::Burst => (2 * MINUTE, 5 * MINUTE),
            Kind::PriceError => (5 * MINUTE, 30 * MINUTE),
            Kind::Trend => (60 * MINUTE, 60 * MINUTE + 1),
            Kind::Stock => (5 * MINUTE, 120 * MINUTE),
            Kind::Announced => (60 * MINUTE, 180 * MINUTE),
            Kind::Whale => (1_000, 1_001),
            _ => (3 * MINUTE, 10 * MINUTE),
        };
        let end = start + self.dice.between(least, most);
        let size = *self.dice.pick(sizes);
        let (entity, count) = match kind {
            Kind::Burst => {
                let seller = self.dice.below(world.sellers.len() as u64) as u32;
                let few = if self.customers.is_empty() { self.dice.between(1, 4) } else { 0 };
                (Entity::Seller(seller), if few == 0 { i64::from(*self.dice.pick(&self.customers)) } else { few })
            }
            Kind::Stock => (Entity::Product(self.product(world)?), 0),
            Kind::Whale => (Entity::Seller(self.dice.below(world.sellers.len() as u64) as u32), 1),
            Kind::PriceError => (Entity::Product(self.product(world)?), self.dice.between(1, 21)),
            _ if shop => (Entity::Shop, 0),
            _ => (Entity::Category(self.shares.draw(&mut self.dice)), 0),
        };
        let end = if end % 1_000 == 0 { end + 1 } else { end };
        let shaped = matches!(kind, Kind::Spike | Kind::Drop) && self.shapes.len() > 1;
        let shape = match (shaped, self.shapes.first()) {
            (true, _) => *self.dice.pick(&self.shapes),
            (false, Some(&only)) if matches!(kind, Kind::Spike | Kind::Drop) => only,
            (false, _) => Shape::Step,
        };
        Some(Incident { number: 0, kind, entity, start, end, shape, size, count: count as u32 })
    }

    /// A product that sells and whose price may be off by the largest factor and still be a price.
    fn product(&mut self, world: &World) -> Option<usize> {
        (0..40).find_map(|_| {
            let shelf = &world.shelves[self.shares.draw(&mut self.dice)];
            let product = shelf.products.start + shelf.product_weights.draw(&mut self.dice);
            (500..400_000).contains(&list_price(product)).then_some(product)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scheduled(settings: &Settings, days: i64) -> (World, Vec<Incident>) {
        let world = World::new(settings);
        let mut schedule = Schedule::new(settings, &world);
        for day in 0..days {
            schedule.begin(settings.start + day * DAY, &world);
        }
        (world, schedule.known)
    }

    #[test]
    fn scattered_incidents_keep_their_distance_and_cover_all_kinds() {
        let settings = Settings::default();
        let (world, known) = scheduled(&settings, 60);
        for (index, a) in known.iter().enumerate() {
            assert!(a.start >= settings.start + 15 * MINUTE && a.end > a.start);
            assert!(a.start % 1_000 != 0 && a.end % 1_000 != 0);
            for b in &known[..index] {
                assert!(!a.related(b, &world) || (a.start - b.end).max(b.start - a.end) >= 60 * MINUTE, "{a:?} {b:?}");
            }
        }
        for (kind, shop, _) in SCATTERED.into_iter().filter(|row| settings.kinds.contains(&row.0)) {
            let of = known.iter().filter(|i| i.kind == kind && (i.entity == Entity::Shop) == shop).count();
            assert!(of >= 45, "{kind:?} {shop} {of}");
        }
        let starts: f64 = known.iter().map(|i| (i.start - settings.start).rem_euclid(DAY) as f64 / DAY as f64).sum();
        assert!((starts / known.len() as f64 - 0.5).abs() < 0.05);
    }

    #[test]
    fn the_demonstration_shows_a_spike_a_surge_and_a_drop_within_eight_minutes() {
        let settings = Settings::demo();
        let (_, known) = scheduled(&settings, 1);
        let early: Vec<Kind> =
            known.iter().filter(|i| i.end < settings.start + 8 * MINUTE && i.entity == Entity::Shop).map(|i| i.kind).collect();
        assert_eq!(early, [Kind::Spike, Kind::Surge, Kind::Drop]);
    }

    #[test]
    fn a_scenario_holds_every_kind_and_shape() {
        let settings = Settings::protocol(1, 2 * DAY);
        let (world, known) = scheduled(&settings, 9);
        for kind in Kind::ALL {
            let of = known.iter().filter(|i| i.kind == kind).count();
            assert!(of >= 10, "{kind:?} {of}");
        }
        assert!(known.iter().all(|i| i.start >= settings.start + 2 * DAY));
        for (index, a) in known.iter().enumerate() {
            let near = |b: &&Incident| (a.start - b.end).max(b.start - a.end) < 60 * MINUTE;
            assert!(!known[..index].iter().filter(near).any(|b| a.related(b, &world)));
        }
        for shape in &settings.shapes {
            assert!(known.iter().filter(|i| i.shape == *shape && matches!(i.kind, Kind::Spike | Kind::Drop)).count() >= 10);
        }
        let customers: Vec<u32> = known.iter().filter(|i| i.kind == Kind::Burst).map(|i| i.count).collect();
        assert!([1, 3, 30].iter().all(|n| customers.contains(n)) && customers.iter().all(|n| [1, 3, 30].contains(n)));
    }

    #[test]
    fn off_is_off() {
        let (_, known) = scheduled(&Settings { incidents: Incidents::Off, ..Settings::default() }, 3);
        assert!(known.is_empty());
    }
}
