//! What each seller sold in the last hour, every feature slide.

use super::Tick;
use dataflows::feature::{SellerSums, seller};
use dataflows::plan::Features;
use dataflows::row::{SellerRow, json};
use dataflows::sale::Op;
use std::collections::{HashMap, VecDeque};

/// Sales, units, cents, orders.
type Sums = [i64; 4];

/// See the [module](self).
pub struct Sellers {
    slide: u32,
    slides: usize,
    /// By id: sums of the open slide.
    open: Vec<Sums>,
    touched: Vec<u32>,
    closed: VecDeque<Vec<(u32, Sums)>>,
    /// By id: sums of the hour.
    sums: Vec<Sums>,
    /// By id: sums of the hour as they were a slide ago.
    before: Vec<Sums>,
    /// Ids by name.
    order: Vec<u32>,
    orders: Option<Orders>,
}

impl Sellers {
    /// Of a plan's features.
    pub fn new(features: &Features) -> Sellers {
        Sellers {
            slide: features.slide,
            slides: (features.hour / features.slide) as usize,
            open: vec![],
            touched: vec![],
            closed: VecDeque::new(),
            sums: vec![],
            before: vec![],
            order: vec![],
            orders: features.orders.then(|| Orders::new(features)),
        }
    }

    /// Takes a tick; writes the rows of the slide that ends with it, if one does. Returns their number.
    pub fn tick(&mut self, tick: &Tick, out: &mut Vec<u8>) -> u64 {
        self.open.resize(tick.names.sellers.bound(), [0; 4]);
        for sale in tick.sales {
            let sign = match sale.op {
                Op::Sale => 1,
                Op::Cancel => -1,
                Op::Return | Op::Stock => continue,
            };
            let sums = &mut self.open[sale.seller as usize];
            if *sums == [0; 4] {
                self.touched.push(sale.seller);
            }
            sums[0] += sign;
            sums[1] += sign * i64::from(sale.quantity);
            sums[2] += sign * sale.cents();
            match &mut self.orders {
                Some(orders) if sale.customer != [0, 0] => orders.add((sale.seller, sale.customer), sign),
                _ => sums[3] += sign,
            }
        }
        if !tick.at.is_multiple_of(self.slide) {
            return 0;
        }
        self.slide(tick.at);
        self.rows(tick, out)
    }

    fn slide(&mut self, end: u32) {
        self.sums.resize(self.open.len(), [0; 4]);
        let mut slide = vec![];
        if self.closed.len() == self.slides {
            slide = self.closed.pop_front().unwrap_or_default();
            for (id, old) in slide.drain(..) {
                add(&mut self.sums[id as usize], &old, -1);
            }
        }
        for id in self.touched.drain(..) {
            let new = std::mem::take(&mut self.open[id as usize]);
            if new != [0; 4] {
                add(&mut self.sums[id as usize], &new, 1);
                slide.push((id, new));
            }
        }
        self.closed.push_back(slide);
        if let Some(orders) = &mut self.orders {
            orders.slide(end, &mut self.sums);
        }
    }

    fn rows(&mut self, tick: &Tick, out: &mut Vec<u8>) -> u64 {
        let names = &tick.names.sellers;
        if self.order.len() < self.sums.len() {
            self.order = (0..self.sums.len() as u32).collect();
            self.order.sort_unstable_by_key(|id| names.name(*id));
            self.before.resize(self.sums.len(), [0; 4]);
        }
        let as_of = tick.plan.millis(tick.at);
        let mut rows = 0;
        for &id in &self.order {
            let (now, before) = (self.sums[id as usize], &mut self.before[id as usize]);
            if now != *before {
                *before = now;
                let [n, units, cents, orders] = now;
                let columns = seller(&SellerSums { n, units, cents, orders }, tick.plan.features.orders);
                json::seller(names.name(id), &SellerRow { as_of, revision: 0, deleted: false, columns }, out);
                rows += 1;
            }
        }
        rows
    }
}

fn add(sums: &mut Sums, more: &Sums, sign: i64) {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum += sign * more;
    }
}

/// A seller and a customer.
type Who = (u32, [u64; 2]);

/// Distinct (customer, whole minute) by seller: a pair enters with the first slide of its minute that has net sales of it, and
/// leaves with the last.
struct Orders {
    minute: u32,
    slides: usize,
    open: HashMap<Who, i64>,
    /// (end of the slide, pairs with net sales above 0), oldest first.
    closed: VecDeque<(u32, Vec<Who>)>,
    /// Slides of the minute that is open: the pairs seen in them.
    seen: HashMap<Who, ()>,
}

impl Orders {
    fn new(features: &Features) -> Orders {
        Orders {
            minute: features.minute,
            slides: (features.hour / features.slide) as usize,
            open: HashMap::new(),
            closed: VecDeque::new(),
            seen: HashMap::new(),
        }
    }

    #[inline]
    fn add(&mut self, who: Who, sales: i64) {
        *self.open.entry(who).or_insert(0) += sales;
    }

    fn slide(&mut self, end: u32, sums: &mut [Sums]) {
        let mut slide = vec![];
        for (who, _) in self.open.drain().filter(|x| x.1 > 0) {
            if self.seen.insert(who, ()).is_none() {
                sums[who.0 as usize][3] += 1;
            }
            slide.push(who);
        }
        if end.is_multiple_of(self.minute) {
            self.seen.clear();
        }
        self.closed.push_back((end, slide));
        if self.closed.len() > self.slides {
            let Some((end, slide)) = self.closed.pop_front() else { return };
            let minute = end.div_ceil(self.minute);
            let later = self.closed.iter().take_while(|x| x.0.div_ceil(self.minute) == minute);
            let later: std::collections::HashSet<&Who> = later.flat_map(|x| &x.1).collect();
            for who in slide.iter().filter(|who| !later.contains(who)) {
                sums[who.0 as usize][3] -= 1;
            }
        }
    }
}
