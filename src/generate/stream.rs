//! The stream itself: baskets at random times, and what becomes of each of their lines.
//!
//! Baskets arrive as a Poisson process whose rate is constant over short steps; steps end where an incident begins or ends,
//! so that neither is moved to a grid. A seller's noise thins the candidates, which are therefore drawn at the rate that
//! the noise reaches at most. A record waits in a heap until it arrives: memory holds what is on its way (late lines,
//! cancellations, returns, redeliveries) and nothing else.

use super::broken::{FAULTS, Fault, spoil};
use super::detectability::Odds;
use super::draw::{Dice, Weights};
use super::incident::{Entity, Incident, Kind, Label, Schedule};
use super::line::{Line, Op, Pen};
use super::settings::{BadSetting, MINUTE, Settings};
use super::traffic::Traffic;
use super::world::{Buyer, Crowd, World, list_price};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

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
/// With a number of sales it ends with the arrival of the last of them; what would have come after (the cancellation of the
/// last sale, say) has not happened yet and is no part of it.
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
    mispriced: BinaryHeap<Reverse<(i64, usize)>>,
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
            mispriced: BinaryHeap::new(),
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
                Some(Reverse(first)) if ended || first.at <= self.now as i64 => {
                    let Reverse(first) = self.waiting.pop()?;
                    self.deliver(&first, out);
                    return Some(first.at);
                }
                _ => self.advance(),
            }
        }
    }

    /// Records so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// All incidents scheduled so far, in order of their start; the schedule runs ahead of the stream.
    pub fn labels(&self) -> Vec<Label> {
        self.labels_until(i64::MAX)
    }

    /// The incidents that begin before `end`, as they are seen by who stops looking then.
    pub fn labels_until(&self, end: i64) -> Vec<Label> {
        let odds = Odds { settings: &self.settings, world: &self.world, season: &self.traffic.season };
        let seen = self.schedule.known.iter().filter(|incident| incident.start < end).map(|incident| {
            let incident = Incident { end: incident.end.min(end), ..*incident };
            incident.label(&self.world, odds.detectability(&incident))
        });
        seen.collect()
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
        let planned = self.mispriced.peek().map(|Reverse((at, _))| *at as f64);
        let edge = self.edge as f64;
        if let Some(at) = planned.filter(|&at| at <= next && at <= edge) {
            let Some(Reverse((_, product))) = self.mispriced.pop() else { return };
            self.wait = (self.wait - (at - self.now) * total).max(0.0);
            self.now = at;
            self.mispriced_sale(product);
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

    /// Opens the next step: incidents begin and end, the noise moves on, the rates are set anew.
    fn step(&mut self) {
        let now = self.edge;
        self.active.retain(|active| active.incident.end > now);
        for incident in self.schedule.begin(now, &self.world) {
            self.begin(incident);
        }
        self.traffic.advance(now);
        let ends = self.active.iter().map(|active| active.incident.end);
        self.edge = ends.chain(self.schedule.next_start()).fold(now + STEP, i64::min);

        let per_basket = (1.0 + self.settings.clumping) / 2.0;
        let rate = self.settings.rate / MINUTE as f64 / per_basket * self.traffic.ceiling;
        let (active, shelves, levels) = (&self.active, &self.world.shelves, &self.traffic.levels);
        self.rates.refill(shelves.iter().zip(levels).enumerate().map(|(index, (shelf, level))| {
            let factors = active.iter().filter(|a| matches!(a.incident.kind, Kind::Spike | Kind::Drop));
            let factor: f64 = factors.filter(|a| covers(&a.incident, index)).map(|a| a.incident.size).product();
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
                    self.mispriced.push(Reverse((self.dice.between(incident.start, incident.end), product)));
                }
            }
            _ => {}
        }
        self.active.push(active);
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
            self.line(&Draft { at, number: 1, shelf, seller, product, buyer }, false);
            return;
        }
        let shelf = self.rates.at(mark / self.rates.total());
        let own = &self.world.shelves[shelf];
        let seller = own.sellers[own.seller_weights.draw(&mut self.dice)];
        if self.dice.unit() * self.traffic.ceiling >= self.traffic.seller(seller, at) {
            return;
        }
        let buyer = self.crowd.draw(&mut self.dice);
        let late = self.dice.chance(self.settings.late);
        let more = 1.0 - 2.0 / (1.0 + self.settings.clumping);
        self.baskets += 1;
        let mut number = 1;
        loop {
            let product = self.product(shelf);
            self.line(&Draft { at, number, shelf, seller, product, buyer }, late);
            number += 1;
            if number > 99 || self.left == Some(0) || !self.dice.chance(more) {
                return;
            }
        }
    }

    /// One of the sales that a price error draws.
    fn mispriced_sale(&mut self, product: usize) {
        let shelf = self.world.shelf_of(product);
        let own = &self.world.shelves[shelf];
        let seller = own.sellers[own.seller_weights.draw(&mut self.dice)];
        let buyer = self.crowd.draw(&mut self.dice);
        self.baskets += 1;
        self.line(&Draft { at: self.now as i64, number: 1, shelf, seller, product, buyer }, false);
    }

    fn product(&mut self, shelf: usize) -> usize {
        let shelf = &self.world.shelves[shelf];
        shelf.products.start + shelf.product_weights.draw(&mut self.dice)
    }

    /// Draws a line's price and quantity, sends it on its way, and decides what becomes of it.
    fn line(&mut self, draft: &Draft, late: bool) {
        let discount = DISCOUNTS[self.discounts.draw(&mut self.dice)].0;
        let paid = libm::exp(PRICE_NOISE * self.dice.normal()) * (1.0 - f64::from(discount) / 100.0);
        let mut price = list_price(draft.product) as f64 * paid;
        let units = self.world.shelves[draft.shelf].units;
        let mut quantity = 1;
        while quantity < 60 && self.dice.chance(1.0 - 1.0 / units) {
            quantity += 1;
        }
        for active in &self.active {
            match active.incident.kind {
                Kind::Surge if covers(&active.incident, draft.shelf) => {
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
        if fate < self.settings.cancels {
            let at = arrival + 1 + self.dice.between(0, self.settings.cancel_within);
            self.send(at, Line { op: Op::Cancel, ..line }, What::First);
        } else if fate < self.settings.cancels + self.settings.returns {
            let at = arrival + 1 + self.delay(self.settings.return_mean as f64);
            let quantity = 1 + self.dice.below(u64::from(line.quantity)) as u16;
            let arrival = at + self.jitter();
            self.send(arrival, Line { op: Op::Return, at, quantity, ..line }, What::First);
        }
        if self.dice.chance(self.settings.duplicates) {
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

impl Iterator for Generator {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let mut line = String::with_capacity(640);
        let at = self.next_into(&mut line)?;
        Some(Record { line, at })
    }
}

/// Whether an incident reaches a category as a whole.
fn covers(incident: &Incident, shelf: usize) -> bool {
    match incident.entity {
        Entity::Shop => true,
        Entity::Category(own) => own == shelf,
        Entity::Seller(_) | Entity::Product(_) => false,
    }
}
