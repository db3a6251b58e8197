//! A line of a basket: what it costs, when it arrives, and what becomes of it afterwards.

use super::super::broken::{FAULTS, Fault};
use super::super::incident::Entity;
use super::super::kind::Kind;
use super::super::line::{Line, Op};
use super::super::world::list_price;
use super::{BEFORE_STORM, DISCOUNTS, Draft, Generator, MOST, PRICE_NOISE, REDELIVERY, Waiting, What};
use std::cmp::Reverse;

impl Generator {
    /// Draws a line's price and quantity, sends it on its way, and decides what becomes of it.
    pub(super) fn line(&mut self, draft: &Draft, late: bool) {
        let discount = DISCOUNTS[self.discounts.draw(&mut self.dice)].0;
        let paid = libm::exp(PRICE_NOISE * self.dice.normal()) * (1.0 - f64::from(discount) / 100.0);
        let mut price = list_price(draft.product) as f64 * paid;
        let units = self.world.shelves[draft.shelf].units;
        let mut quantity = 1;
        while quantity < 60 && self.dice.chance(1.0 - 1.0 / units) {
            quantity += 1;
        }
        if self.settings.pareto > 0.0 && self.dice.chance(self.settings.pareto) {
            let factor = libm::pow(1.0 - self.dice.unit(), -1.0 / self.settings.pareto_alpha);
            quantity = libm::round(quantity as f64 * factor) as i64;
        }
        let mut quantity = draft.units.unwrap_or(quantity);
        for active in &self.active {
            match active.incident.kind {
                Kind::Surge if active.incident.covers(draft.shelf) => {
                    let grown = quantity as f64 * active.incident.size;
                    quantity = grown as i64 + i64::from(self.dice.chance(grown % 1.0));
                }
                Kind::PriceError if active.incident.entity == Entity::Product(draft.product) => price *= active.incident.size,
                _ => {}
            }
        }
        let price = (libm::round(price) as i64).clamp(1, MOST);
        let quantity = quantity.min(MOST / price).min(1_000);
        let payment = self.payments[usize::from(price * quantity >= 15_000)].draw(&mut self.dice) as u8;
        self.take_from_stock(draft.product, quantity);
        let line = Line {
            at: draft.at,
            basket: self.baskets,
            customer: draft.buyer.0,
            product: draft.product as u32,
            seller: draft.seller,
            price: price as u32,
            quantity: quantity as u16,
            season: (self.traffic.seasons[draft.shelf] * 1_000.0 + 0.5) as u16,
            number: draft.number,
            discount,
            payment,
            channel: self.channels.draw(&mut self.dice) as u8,
            segment: draft.buyer.1,
            op: Op::Sale,
        };
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(1);
        }
        self.sales_waiting += 1;
        let arrival = line.at + self.jitter() + if late { self.delay(self.settings.late_mean as f64) } else { 0 };
        self.send(arrival, line, What::First);
        self.aftermath(arrival, line);
    }

    /// What follows a sale: it may be cancelled or returned, delivered again, or come with a broken record.
    fn aftermath(&mut self, arrival: i64, line: Line) {
        let fate = self.dice.unit();
        let cancels = self.settings.cancels * self.settings.disorder;
        if let Some((start, end)) = self.storm_for(&line) {
            let at = self.dice.between(start, end).max(arrival + 1);
            self.send(at, Line { op: Op::Cancel, ..line }, What::First);
        } else if fate < cancels {
            let at = arrival + 1 + self.dice.between(0, self.settings.cancel_within);
            self.send(at, Line { op: Op::Cancel, ..line }, What::First);
        } else if fate < cancels + self.settings.returns {
            let at = arrival + 1 + self.delay(self.settings.return_mean as f64);
            let quantity = 1 + self.dice.below(u64::from(line.quantity)) as u16;
            let arrival = at + self.jitter();
            self.send(arrival, Line { op: Op::Return, at, quantity, ..line }, What::First);
        }
        if self.dice.chance(self.settings.duplicates * self.settings.disorder) {
            let again = arrival + 1 + self.delay(REDELIVERY);
            self.send(again, line, What::Again);
        }
        if self.dice.chance(self.settings.broken) {
            self.baskets += 1;
            let fault = self.fault();
            let at = line.at + self.jitter();
            self.send(at, Line { basket: self.baskets, number: 1, ..line }, What::Broken(fault));
        }
    }

    /// When a storm will take this line back, if one will.
    fn storm_for(&mut self, line: &Line) -> Option<(i64, i64)> {
        let storm = self.storms.iter().find(|storm| {
            let age = storm.start - line.at;
            BEFORE_STORM.contains(&age) && storm.covers(self.world.shelf_of(line.product as usize))
        })?;
        let (start, end, share) = (storm.start, storm.end, storm.size);
        self.dice.chance(share).then_some((start, end))
    }

    /// A fault. Two wild dates in a row would confirm each other, so they keep apart.
    fn fault(&mut self) -> Fault {
        let fault = *self.dice.pick(&FAULTS);
        let (basket, at) = self.last_wild;
        if fault != Fault::WildDate {
            return fault;
        }
        if self.baskets < basket + 1_000 || self.now < at + 2.0 * self.settings.jitter as f64 {
            return Fault::NoDate;
        }
        self.last_wild = (self.baskets, self.now);
        fault
    }

    fn send(&mut self, at: i64, line: Line, what: What) {
        self.sequence += 1;
        self.waiting.push(Reverse(Waiting { at, sequence: self.sequence, line, what }));
    }

    fn jitter(&mut self) -> i64 {
        self.dice.between(0, self.settings.jitter + 1)
    }

    fn delay(&mut self, mean: f64) -> i64 {
        (mean * self.dice.exponential()) as i64
    }
}
