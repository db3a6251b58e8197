//! Incidents: what is injected, when, and the labels that say so.

use super::draw::{Dice, Weights};
use super::line::rfc3339;
use super::settings::{DAY, Incidents, MINUTE, Settings};
use super::world::{World, list_price};
use serde::Serialize;
use std::collections::VecDeque;

/// What an incident does, named as the event that should find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Sales are `size` times as many.
    Spike,
    /// The same, with a size below 1.
    Drop,
    /// Units of each line are `size` times as many; as many lines as ever.
    Surge,
    /// `size` more lines a minute at one seller, from `count` customers.
    Burst,
    /// A product's price is `size` times what it should be, for `count` extra sales.
    PriceError,
}

/// What an incident happens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entity {
    /// Everything.
    Shop,
    /// A category, as an index into the shelves.
    Category(usize),
    /// A seller.
    Seller(u32),
    /// A product, as an index into the catalogue.
    Product(usize),
}

/// Something out of the ordinary, known from the moment it is scheduled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Incident {
    /// Number in the schedule.
    pub(crate) number: usize,
    /// What happens.
    pub(crate) kind: Kind,
    /// To what.
    pub(crate) entity: Entity,
    /// From this event time on.
    pub(crate) start: i64,
    /// Until before this one.
    pub(crate) end: i64,
    /// See [`Kind`].
    pub(crate) size: f64,
    /// See [`Kind`].
    pub(crate) count: u32,
}

impl Incident {
    /// Whether one is the other, an ancestor or a descendant.
    fn related(&self, other: &Incident, world: &World) -> bool {
        use Entity::{Category, Product, Seller, Shop};
        match (self.entity, other.entity) {
            (Shop, _) | (_, Shop) => true,
            (Category(a), Category(b)) => a == b,
            (Seller(a), Seller(b)) => a == b,
            (Product(a), Product(b)) => a == b,
            (Category(c), Seller(s)) | (Seller(s), Category(c)) => world.shelves[c].share_of(s) > 0.0,
            (Category(c), Product(p)) | (Product(p), Category(c)) => world.shelf_of(p) == c,
            (Seller(s), Product(p)) | (Product(p), Seller(s)) => world.shelves[world.shelf_of(p)].share_of(s) > 0.0,
        }
    }

    /// As it is seen by who stops looking at `end`.
    pub(crate) fn until(&self, end: i64) -> Incident {
        let seen = (end.min(self.end) - self.start) as f64 / (self.end - self.start) as f64;
        Incident { end: end.min(self.end), count: libm::ceil(f64::from(self.count) * seen) as u32, ..*self }
    }

    /// The label; `detectability` is computed elsewhere.
    pub(crate) fn label(&self, world: &World, detectability: f64) -> Label {
        let (entity_level, entity_id) = match self.entity {
            Entity::Shop => ("global", "all"),
            Entity::Category(shelf) => ("category", world.shelves[shelf].name),
            Entity::Seller(seller) => ("seller", world.sellers[seller as usize].name.as_str()),
            Entity::Product(product) => ("product", super::catalogue::catalogue()[product].id),
        };
        Label {
            event_id: format!("incident-{:05}", self.number + 1),
            kind: match self.kind {
                Kind::Spike => "activity_spike",
                Kind::Drop => "activity_drop",
                Kind::Surge => "revenue_surge",
                Kind::Burst => "seller_burst",
                Kind::PriceError => "price_error",
            },
            entity_level,
            entity_id: entity_id.to_string(),
            direction: if self.size < 1.0 { "down" } else { "up" },
            start_ts: rfc3339(self.start),
            end_ts: rfc3339(self.end),
            magnitude: self.size,
            detectability: libm::round(detectability * 1e3) / 1e3,
        }
    }
}

/// What is known of an injected incident, for judging detectors.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Label {
    /// Unique in its stream.
    pub event_id: String,
    /// The type of event that should find it.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// `global`, `category`, `seller` or `product`.
    pub entity_level: &'static str,
    /// `global`, the name of the category or seller, or the id of the product.
    pub entity_id: String,
    /// `up` or `down`.
    pub direction: &'static str,
    /// First moment, event time.
    pub start_ts: String,
    /// First moment after it.
    pub end_ts: String,
    /// Factor on sales (spike, drop), on units (surge) or on the price; for a burst, more lines a minute.
    pub magnitude: f64,
    /// d': the expected change over the standard deviation that the generator itself gives the best of the windows.
    pub detectability: f64,
}

impl Label {
    /// One line of JSON, without a line end.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings and finite numbers only")
    }
}

/// Starts (ms into the round), durations (ms) and sizes of the demonstration.
const DEMO: [(Kind, i64, i64, f64, u32); 5] = [
    (Kind::Spike, 107_400, 75_500, 4.0, 0),
    (Kind::Surge, 257_300, 72_500, 4.0, 0),
    (Kind::Drop, 403_600, 68_300, 0.1, 0),
    (Kind::Burst, 551_700, 95_500, 90.0, 2),
    (Kind::PriceError, 712_800, 87_500, 0.1, 12),
];
const DEMO_ROUND: i64 = 15 * MINUTE;

/// What is scattered, each equally often: kind, whether over the whole shop, sizes.
const SCATTERED: [(Kind, bool, &[f64]); 8] = [
    (Kind::Spike, true, &[1.15, 1.3, 1.5, 2.0]),
    (Kind::Spike, false, &[1.3, 1.5, 2.0, 3.0]),
    (Kind::Drop, true, &[0.85, 0.7, 0.5, 0.2]),
    (Kind::Drop, false, &[0.7, 0.5, 0.25, 0.0]),
    (Kind::Surge, true, &[1.3, 1.5, 2.0, 3.0]),
    (Kind::Surge, false, &[1.3, 1.5, 2.0, 3.0]),
    (Kind::Burst, false, &[5.0, 10.0, 20.0, 40.0]),
    (Kind::PriceError, false, &[0.01, 0.1, 0.5, 2.0, 10.0]),
];

/// Draws the incidents block by block, far enough ahead, so that an endless stream has a schedule too.
pub(crate) struct Schedule {
    plan: Incidents,
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
            Some(Incident { number: 0, kind, entity, start, end: start + duration, size, count })
        };
        DEMO.into_iter().filter_map(of).collect()
    }

    fn scatter(&mut self, per_day: u32, after: i64, gap: i64, world: &World) -> Vec<Incident> {
        let mut placed: Vec<Incident> = vec![];
        let turn = self.dice.below(SCATTERED.len() as u64) as usize;
        for attempt in 0..per_day as usize {
            let (kind, shop, sizes) = SCATTERED[(turn + attempt) % SCATTERED.len()];
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
            _ => (3 * MINUTE, 10 * MINUTE),
        };
        let end = start + self.dice.between(least, most);
        let size = *self.dice.pick(sizes);
        let (entity, count) = match kind {
            Kind::Burst => (Entity::Seller(self.dice.below(world.sellers.len() as u64) as u32), self.dice.between(1, 4)),
            Kind::PriceError => (Entity::Product(self.product(world)?), self.dice.between(1, 21)),
            _ if shop => (Entity::Shop, 0),
            _ => (Entity::Category(self.shares.draw(&mut self.dice)), 0),
        };
        let end = if end % 1_000 == 0 { end + 1 } else { end };
        Some(Incident { number: 0, kind, entity, start, end, size, count: count as u32 })
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
        for (kind, shop, _) in SCATTERED {
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
    fn off_is_off() {
        let (_, known) = scheduled(&Settings { incidents: Incidents::Off, ..Settings::default() }, 3);
        assert!(known.is_empty());
    }
}
