//! The stream itself: baskets at random times, and what becomes of each of their lines.
//!
//! Baskets arrive as a Poisson process whose rate is constant over short steps; steps end where an incident begins or ends,
//! so that neither is moved to a grid. A seller's noise thins the candidates, which are therefore drawn at the rate that
//! the noise reaches at most. A record waits in a heap until it arrives: memory holds what is on its way (late lines,
//! cancellations, returns, redeliveries) and nothing else.

use super::broken::{Fault, spoil};
use super::detectability::Odds;
use super::draw::{Dice, Weights};
use super::incident::label::{Label, Stream};
use super::incident::schedule::Schedule;
use super::incident::{Entity, Incident};
use super::line::{Line, Op, Pen};
use super::settings::{BadSetting, MINUTE, Settings};
use super::traffic::Traffic;
use super::world::{Buyer, Crowd, World};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

mod fate;
mod step;

pub use step::Stock;

/// Discounts in percent and their shares.
pub(crate) const DISCOUNTS: [(u8, f64); 6] = [(0, 0.62), (5, 0.14), (10, 0.12), (15, 0.06), (20, 0.04), (30, 0.02)];
/// Standard deviation of the logarithm of a price around list price less discount.
pub(crate) const PRICE_NOISE: f64 = 0.02;
/// Shares of the payment types, for a total below and from 150.00.
const PAYMENT_SHARES: [[f64; 6]; 2] = [[0.46, 0.14, 0.12, 0.06, 0.13, 0.09], [0.30, 0.12, 0.42, 0.08, 0.05, 0.03]];
/// Shares of the channels.
const CHANNEL_SHARES: [f64; 5] = [0.48, 0.34, 0.09, 0.06, 0.03];
/// Longest step over which rates are constant, milliseconds.
const STEP: i64 = 15_000;
/// Mean time until a record is delivered a second time, milliseconds.
const REDELIVERY: f64 = 5_000.0;
/// How long before a storm the sales were made that it takes back, milliseconds: longer ago than lateness is allowed for.
const BEFORE_STORM: std::ops::Range<i64> = 5 * MINUTE..65 * MINUTE;
/// Greatest price of a unit and greatest total of a line, in cents.
const MOST: i64 = 5_000_000;

/// One record of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// JSON without a line end; not even JSON when the record is a broken one.
    pub line: String,
    /// When it arrives, milliseconds since the Unix epoch on the clock of event time; never decreases.
    pub at: i64,
}

/// Records so far, by what they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Everything.
    pub records: u64,
    /// Sales, each once.
    pub sales: u64,
    /// Cancellations.
    pub cancels: u64,
    /// Returns.
    pub returns: u64,
    /// Records delivered again.
    pub duplicates: u64,
    /// Broken records.
    pub broken: u64,
}

/// An endless or counted stream of records, in order of arrival.
///
/// With a number of sales it ends with the arrival of the last of them, with a span when that is over; what would have come after
/// (the cancellation of the last sale, say) has not happened yet and is no part of it.
pub struct Generator {
    settings: Settings,
    world: World,
    crowd: Crowd,
    traffic: Traffic,
    schedule: Schedule,
    pen: Pen,
    dice: Dice,
    waiting: BinaryHeap<Reverse<Waiting>>,
    /// Event time, and the end of the step that it is in.
    now: f64,
    edge: i64,
    /// What is left of the exponential wait for the next basket, in units of its mean.
    wait: f64,
    /// Rates of the categories, and of the bursts, in candidates per millisecond.
    rates: Weights,
    bursts: Weights,
    active: Vec<Active>,
    /// Sales and baskets that are planned: when, and what.
    planned: BinaryHeap<Reverse<(i64, Planned)>>,
    /// What is left of stock that is running out, and all that was said of stock.
    shelf_stock: Vec<(usize, usize, i64)>,
    /// Storms that may take back what is sold now.
    storms: Vec<Incident>,
    stock: Vec<Stock>,
    discounts: Weights,
    payments: [Weights; 2],
    channels: Weights,
    baskets: u64,
    sequence: u64,
    left: Option<u64>,
    sales_waiting: u64,
    last_wild: (u64, f64),
    counts: Counts,
}

/// An incident under way; for a burst with its customers and the categories in which they buy.
struct Active {
    incident: Incident,
    buyers: Vec<Buyer>,
    shelves: Weights,
}

/// What happens at a planned moment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Planned {
    /// A sale of a product at a wrong price.
    Mispriced(usize),
    /// A basket that another one of this category has drawn.
    Excited(usize),
    /// One large order at this seller.
    Whale(u32),
}

/// A record on its way.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    at: i64,
    sequence: u64,
    line: Line,
    what: What,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum What {
    First,
    Again,
    Broken(Fault),
}

/// A line before its price and quantity are drawn.
struct Draft {
    at: i64,
    number: u16,
    shelf: usize,
    seller: u32,
    product: usize,
    buyer: Buyer,
    /// Instead of drawn ones.
    units: Option<i64>,
}

impl Generator {
    /// The stream of these settings.
    pub fn new(settings: Settings) -> Result<Self, BadSetting> {
        settings.check()?;
        let world = World::new(&settings);
        let mut generator = Generator {
            crowd: Crowd::new(&settings),
            traffic: Traffic::new(&settings, &world),
            schedule: Schedule::new(&settings, &world),
            pen: Pen::new(settings.seed, &world),
            dice: Dice::new(settings.seed, 0),
            waiting: BinaryHeap::new(),
            now: settings.start as f64,
            edge: settings.start,
            wait: 0.0,
            rates: Weights::default(),
            bursts: Weights::default(),
            active: vec![],
            planned: BinaryHeap::new(),
            shelf_stock: vec![],
            storms: vec![],
            stock: vec![],
            discounts: Weights::new(DISCOUNTS.map(|(_, share)| share)),
            payments: PAYMENT_SHARES.map(Weights::new),
            channels: Weights::new(CHANNEL_SHARES),
            baskets: 0,
            sequence: 0,
            left: settings.sales,
            sales_waiting: 0,
            last_wild: (0, settings.start as f64),
            counts: Counts::default(),
            settings,
            world,
        };
        generator.wait = generator.dice.exponential();
        generator.step();
        Ok(generator)
    }

    /// Appends the next record to `out`, without a line end, and says when it arrives.
    pub fn next_into(&mut self, out: &mut String) -> Option<i64> {
        loop {
            let ended = self.left == Some(0);
            if ended && self.sales_waiting == 0 {
                return None;
            }
            match self.waiting.peek() {
                Some(Reverse(first)) if self.is_over(first.at) => return None,
                Some(Reverse(first)) if ended || first.at <= self.now as i64 => {
                    let Reverse(first) = self.waiting.pop()?;
                    self.deliver(&first, out);
                    return Some(first.at);
                }
                _ => self.advance(),
            }
        }
    }

    fn is_over(&self, at: i64) -> bool {
        self.settings.span.is_some_and(|span| at >= self.settings.start + span)
    }

    /// Records so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The incidents that begin before `end`, in order of their start, as they are seen by who stops looking then. The schedule
    /// runs ahead of the stream: with `i64::MAX` they are all that are scheduled so far.
    pub fn labels_until(&self, end: i64) -> Vec<Label> {
        let odds = Odds { settings: &self.settings, world: &self.world, season: &self.traffic.season };
        let seen = self.schedule.known.iter().filter(|incident| incident.start < end).map(|incident| {
            let incident = incident.until(end);
            incident.label(&self.world, odds.standing(&incident))
        });
        seen.collect()
    }

    /// What the labels are of, by who stops looking at `end`.
    pub fn stream_until(&self, end: i64) -> Stream {
        Stream::new(&self.settings, end)
    }

    /// What has been said of stock so far, in order of time: how many units there are, when they begin to run out, and that
    /// there are plenty again afterwards.
    pub fn stock(&self) -> &[Stock] {
        &self.stock
    }

    /// Event time up to which the stream has been drawn, milliseconds since the Unix epoch.
    pub fn event_time(&self) -> i64 {
        self.now as i64
    }

    fn deliver(&mut self, waiting: &Waiting, out: &mut String) {
        self.counts.records += 1;
        match waiting.what {
            What::First => match waiting.line.op {
                Op::Sale => {
                    self.counts.sales += 1;
                    self.sales_waiting -= 1;
                }
                Op::Cancel => self.counts.cancels += 1,
                Op::Return => self.counts.returns += 1,
            },
            What::Again => self.counts.duplicates += 1,
            What::Broken(fault) => {
                self.counts.broken += 1;
                let mut good = String::new();
                self.pen.write(&waiting.line, &mut good);
                out.push_str(&spoil(&good, fault, waiting.line.basket));
                return;
            }
        }
        self.pen.write(&waiting.line, out);
    }

    /// Moves event time to the next basket, mispriced sale or end of a step.
    fn advance(&mut self) {
        let total = self.rates.total() + self.bursts.total();
        let next = self.now + self.wait / total;
        let planned = self.planned.peek().map(|Reverse((at, _))| *at as f64);
        let edge = self.edge as f64;
        if let Some(at) = planned.filter(|&at| at <= next && at <= edge) {
            let Some(Reverse((_, planned))) = self.planned.pop() else { return };
            self.wait = (self.wait - (at - self.now) * total).max(0.0);
            self.now = at;
            self.carry_out(planned);
        } else if next < edge {
            self.now = next;
            self.wait = self.dice.exponential();
            self.basket();
        } else {
            self.wait = (self.wait - (edge - self.now) * total).max(0.0);
            self.now = edge;
            self.step();
        }
    }

    /// A basket of the shop or of a burst, or nothing when the seller's noise has thinned it out.
    fn basket(&mut self) {
        let at = self.now as i64;
        let mark = self.dice.unit() * (self.rates.total() + self.bursts.total());
        if mark >= self.rates.total() {
            let active = &self.active[self.bursts.draw(&mut self.dice)];
            let Entity::Seller(seller) = active.incident.entity else { return };
            let buyer = *self.dice.pick(&active.buyers);
            let shelf = active.shelves.draw(&mut self.dice);
            let product = self.product(shelf);
            self.baskets += 1;
            self.line(&Draft { at, number: 1, shelf, seller, product, buyer, units: None }, false);
            return;
        }
        let shelf = self.rates.at(mark / self.rates.total());
        self.basket_of(shelf);
    }

    /// A basket of a category, or nothing when the seller's noise has thinned it out.
    fn basket_of(&mut self, shelf: usize) {
        let at = self.now as i64;
        let own = &self.world.shelves[shelf];
        let seller = own.sellers[own.seller_weights.draw(&mut self.dice)];
        if self.dice.unit() * self.traffic.ceiling >= self.traffic.seller(seller, at) {
            return;
        }
        let buyer = self.crowd.draw(&mut self.dice);
        let late = self.dice.chance(self.settings.late * self.settings.disorder);
        let more = 1.0 - 2.0 / (1.0 + self.settings.clumping);
        self.baskets += 1;
        self.excite(shelf);
        let mut number = 1;
        loop {
            let product = self.product(shelf);
            self.line(&Draft { at, number, shelf, seller, product, buyer, units: None }, late);
            number += 1;
            if number > 99 || self.left == Some(0) || !self.dice.chance(more) {
                return;
            }
        }
    }

    fn product(&mut self, shelf: usize) -> usize {
        let shelf = &self.world.shelves[shelf];
        shelf.products.start + shelf.product_weights.draw(&mut self.dice)
    }
}

impl Iterator for Generator {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let mut line = String::with_capacity(640);
        let at = self.next_into(&mut line)?;
        Some(Record { line, at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_holds_only_what_is_on_its_way() {
        let mut generator = Generator::new(Settings { sales: None, return_mean: MINUTE, ..Settings::default() }).unwrap();
        let (mut most, mut line) = (0, String::new());
        for _ in 0..50_000 {
            line.clear();
            assert!(generator.next_into(&mut line).is_some());
            most = most.max(generator.waiting.len());
        }
        // Of 20 sales a second at the busiest: 0.5 s of jitter, 0.4 s of lateness, 1.5 s of cancellations, 0.6 s of returns.
        assert!(most < 300, "{most} records wait");
        assert_eq!(generator.planned.len() + generator.active.len(), 0);
    }
}
