//! Steps over which rates are constant, what begins and ends with them, and what was planned for a moment.

use super::super::Foreseen;
use super::super::catalogue::catalogue;
use super::super::detectability::Odds;
use super::super::draw::Weights;
use super::super::incident::{Entity, Incident};
use super::super::kind::Kind;
use super::super::line::rfc3339;
use super::super::settings::{DAY, MINUTE};
use super::{Active, BEFORE_STORM, Draft, Generator, Planned, STEP};
use serde::Serialize;
use std::cmp::Reverse;

/// Longest step while something changes gradually, milliseconds.
const GRADUAL: i64 = 5_000;
/// Mean time until a basket that another one draws, milliseconds.
const EXCITED: f64 = 90_000.0;
/// Units after stock was filled up.
const PLENTY: i64 = 1_000_000;

/// How many units of a product there are from a moment on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stock {
    /// The product.
    pub id_product: &'static str,
    /// Units.
    pub stock: i64,
    /// From when on, in RFC 3339.
    pub at: String,
}

impl Stock {
    fn of(product: usize, stock: i64, at: i64) -> Stock {
        Stock { id_product: catalogue()[product].id, stock, at: rfc3339(at) }
    }

    /// One line of JSON, without a line end.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers only")
    }
}

impl Generator {
    /// See [`foresee`](super::super::foresee). The stream must not go on after this: its schedule is used up.
    pub(in super::super) fn foresee(mut self) -> Foreseen {
        let end = self.settings.span.map_or(self.settings.start, |span| self.settings.start + span);
        for day in (self.settings.start..end).step_by(DAY as usize) {
            self.schedule.begin(day, &self.world);
        }
        let mut foreseen = Foreseen::default();
        let odds = Odds { settings: &self.settings, world: &self.world, season: &self.traffic.season };
        for incident in self.schedule.known.iter().filter(|incident| incident.start < end) {
            match (incident.kind, incident.entity) {
                (Kind::Announced, _) => foreseen.announced.push(incident.label(&self.world, odds.standing(incident))),
                (Kind::Stock, Entity::Product(product)) => {
                    let units = odds.stock(product, incident);
                    foreseen.stock.push(Stock::of(product, units, incident.start));
                    foreseen.stock.push(Stock::of(product, PLENTY, incident.end));
                }
                _ => {}
            }
        }
        foreseen.stock.sort_by(|a, b| a.at.cmp(&b.at));
        foreseen
    }

    /// Opens the next step: incidents begin and end, the noise moves on, the rates are set anew.
    pub(super) fn step(&mut self) {
        let now = self.edge;
        self.active.retain(|active| active.incident.end > now);
        for incident in self.schedule.begin(now, &self.world) {
            self.begin(incident);
        }
        let lately = self.schedule.known.iter().rev().take_while(|i| i.start + DAY > now);
        self.storms.clear();
        self.storms.extend(lately.filter(|i| i.kind == Kind::Storm && i.start - now <= BEFORE_STORM.end).copied());
        self.traffic.advance(now);
        let ends = self.active.iter().map(|active| active.incident.end);
        let gradual = self.active.iter().any(|active| active.incident.gradual());
        let most = now + if gradual { GRADUAL } else { STEP };
        self.edge = ends.chain([self.schedule.next_change()]).fold(most, i64::min);

        let per_basket = (1.0 + self.settings.clumping) / 2.0;
        let rate = self.settings.rate / MINUTE as f64 / per_basket * self.traffic.ceiling * (1.0 - self.settings.excitement);
        let middle = now + (self.edge - now) / 2;
        let (active, shelves, levels) = (&self.active, &self.world.shelves, &self.traffic.levels);
        self.rates.refill(shelves.iter().zip(levels).enumerate().map(|(index, (shelf, level))| {
            let factors = active.iter().filter(|a| a.incident.kind.scales());
            let factor: f64 = factors.filter(|a| a.incident.covers(index)).map(|a| a.incident.factor(middle)).product();
            rate * shelf.share * level * factor
        }));
        self.bursts
            .refill(active.iter().map(|a| if a.incident.kind == Kind::Burst { a.incident.size / MINUTE as f64 } else { 0.0 }));
    }

    fn begin(&mut self, incident: Incident) {
        let mut active = Active { incident, buyers: vec![], shelves: Weights::default() };
        match (incident.kind, incident.entity) {
            (Kind::Burst, Entity::Seller(seller)) => {
                active.buyers.extend((0..incident.count).map(|_| self.crowd.known(&mut self.dice)));
                active.shelves.refill(self.world.shelves.iter().map(|shelf| shelf.share_of(seller)));
            }
            (Kind::PriceError, Entity::Product(product)) => {
                for _ in 0..incident.count {
                    let at = self.dice.between(incident.start, incident.end);
                    self.planned.push(Reverse((at, Planned::Mispriced(product))));
                }
            }
            (Kind::Stock, Entity::Product(product)) => {
                let odds = Odds { settings: &self.settings, world: &self.world, season: &self.traffic.season };
                let units = odds.stock(product, &incident);
                self.schedule.known[incident.number].size = units as f64;
                self.shelf_stock.push((product, incident.number, units));
                self.stock.push(Stock::of(product, units, incident.start));
            }
            (Kind::Whale, Entity::Seller(seller)) => self.planned.push(Reverse((incident.start + 1, Planned::Whale(seller)))),
            _ => {}
        }
        self.active.push(active);
    }

    /// Does what was planned for now.
    pub(super) fn carry_out(&mut self, planned: Planned) {
        match planned {
            Planned::Mispriced(product) => self.mispriced_sale(product),
            Planned::Excited(shelf) => self.basket_of(shelf),
            Planned::Whale(seller) => self.whale(seller),
        }
    }

    /// A basket may draw another one, soon.
    pub(super) fn excite(&mut self, shelf: usize) {
        // A seller's noise thins what is drawn here once more, so more is drawn.
        let draws = self.settings.excitement * self.traffic.ceiling;
        if draws == 0.0 {
            return;
        }
        let draws = draws as u64 + u64::from(self.dice.chance(draws % 1.0));
        for _ in 0..draws {
            let at = self.now as i64 + 1 + (EXCITED * self.dice.exponential()) as i64;
            self.planned.push(Reverse((at, Planned::Excited(shelf))));
        }
    }

    /// One line whose total is as large as a total can be, of the seller's best category.
    fn whale(&mut self, seller: u32) {
        let shares = self.world.shelves.iter().map(|shelf| shelf.share_of(seller)).enumerate();
        let Some((shelf, _)) = shares.max_by(|a, b| a.1.total_cmp(&b.1)) else { return };
        let product = self.product(shelf);
        let buyer = self.crowd.draw(&mut self.dice);
        self.baskets += 1;
        self.line(&Draft { at: self.now as i64, number: 1, shelf, seller, product, buyer, units: Some(1_000) }, false);
    }

    /// Units have left the shelf: stock that is gone ends its incident, and is filled up again.
    pub(super) fn take_from_stock(&mut self, product: usize, units: i64) {
        let Some(place) = self.shelf_stock.iter().position(|(of, ..)| *of == product) else { return };
        let (_, number, left) = &mut self.shelf_stock[place];
        *left -= units;
        if *left <= 0 {
            let at = self.now as i64 + 1;
            self.schedule.known[*number].end = at;
            self.shelf_stock.swap_remove(place);
            self.stock.push(Stock::of(product, PLENTY, at));
        }
    }

    /// One of the sales that a price error draws.
    fn mispriced_sale(&mut self, product: usize) {
        let shelf = self.world.shelf_of(product);
        let own = &self.world.shelves[shelf];
        let seller = own.sellers[own.seller_weights.draw(&mut self.dice)];
        let buyer = self.crowd.draw(&mut self.dice);
        self.baskets += 1;
        self.line(&Draft { at: self.now as i64, number: 1, shelf, seller, product, buyer, units: None }, false);
    }
}
