//! Revenue, price level and trend of each category over half an hour, every feature slide.

use super::Tick;
use dataflows::feature::{CategorySums, category, ln_fixed};
use dataflows::plan::Plan;
use dataflows::row::{CategoryRow, json};
use dataflows::sale::Op;
use std::collections::VecDeque;

/// Sums of one category over slides.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Sums {
    n: i64,
    units: i64,
    cents: i64,
    ln: i64,
    ln2: i128,
}

impl Sums {
    fn add(&mut self, more: &Sums, sign: i64) {
        self.n += sign * more.n;
        self.units += sign * more.units;
        self.cents += sign * more.cents;
        self.ln += sign * more.ln;
        self.ln2 += i128::from(sign) * more.ln2;
    }
}

/// See the [module](self).
pub struct Categories {
    slide: u32,
    slides: usize,
    minute: u32,
    minutes: usize,
    /// By id: sums of the open slide.
    open: Vec<Sums>,
    closed: VecDeque<Vec<Sums>>,
    /// By id: sales and cents of the open minute.
    open_minute: Vec<(i64, i64)>,
    /// The whole minutes of the trend, each with its number.
    closed_minutes: VecDeque<(i64, Vec<(i64, i64)>)>,
    sums: Vec<CategorySums>,
    /// As it was a slide ago.
    before: Vec<CategorySums>,
    order: Vec<u32>,
    /// Logarithms of prices, remembered: prices repeat.
    logs: Vec<(u32, i64)>,
}

impl Categories {
    /// Of a plan's features.
    pub fn new(plan: &Plan) -> Categories {
        let f = &plan.features;
        Categories {
            slide: f.slide,
            slides: (f.half_hour / f.slide) as usize,
            minute: f.minute,
            minutes: (f.half_hour / f.minute) as usize,
            open: vec![],
            closed: VecDeque::new(),
            open_minute: vec![],
            closed_minutes: VecDeque::new(),
            sums: vec![],
            before: vec![],
            order: vec![],
            logs: vec![(0, 0); 4096],
        }
    }

    /// Takes a tick; writes the rows of the slide that ends with it, if one does. Returns their number.
    pub fn tick(&mut self, tick: &Tick, out: &mut Vec<u8>) -> u64 {
        let keys = tick.names.categories.bound();
        self.open.resize(keys, Sums::default());
        for sale in tick.sales {
            let sign = match sale.op {
                Op::Sale => 1,
                Op::Cancel => -1,
                Op::Return | Op::Stock => continue,
            };
            let known = &mut self.logs[(sale.price.wrapping_mul(0x9E37_79B9) >> 20) as usize];
            if known.0 != sale.price {
                *known = (sale.price, ln_fixed(sale.price));
            }
            let ln = known.1;
            let line =
                Sums { n: 1, units: i64::from(sale.quantity), cents: sale.cents(), ln, ln2: i128::from(ln) * i128::from(ln) };
            self.open[sale.category as usize].add(&line, sign);
        }
        if !tick.at.is_multiple_of(self.slide) {
            return 0;
        }
        self.sums.resize(keys, CategorySums::default());
        self.before.resize(keys, CategorySums::default());
        self.open_minute.resize(keys, (0, 0));
        self.slide();
        if tick.at.is_multiple_of(self.minute) {
            self.whole_minute(tick.plan.millis(tick.at).div_euclid(60_000) - 1);
        }
        self.rows(tick, out)
    }

    fn slide(&mut self) {
        let new = std::mem::take(&mut self.open);
        for ((sums, minute), new) in self.sums.iter_mut().zip(&mut self.open_minute).zip(&new) {
            enter(sums, new, 1);
            *minute = (minute.0 + new.n, minute.1 + new.cents);
        }
        self.closed.push_back(new);
        if self.closed.len() > self.slides {
            let mut old = self.closed.pop_front().unwrap_or_default();
            for (sums, old) in self.sums.iter_mut().zip(&old) {
                enter(sums, old, -1);
            }
            old.fill(Sums::default());
            self.open = old;
        }
    }

    /// The minute with this number, counted from the Unix epoch, is whole.
    fn whole_minute(&mut self, number: i64) {
        let new = std::mem::take(&mut self.open_minute);
        weigh(&mut self.sums, number, &new, 1);
        self.closed_minutes.push_back((number, new));
        if self.closed_minutes.len() > self.minutes
            && let Some((number, old)) = self.closed_minutes.pop_front()
        {
            weigh(&mut self.sums, number, &old, -1);
        }
    }

    fn rows(&mut self, tick: &Tick, out: &mut Vec<u8>) -> u64 {
        let names = &tick.names.categories;
        if self.order.len() < self.sums.len() {
            self.order = (0..self.sums.len() as u32).collect();
            self.order.sort_unstable_by_key(|id| names.name(*id));
        }
        let as_of = tick.plan.millis(tick.at);
        let mut rows = 0;
        for &id in &self.order {
            let (now, before) = (&self.sums[id as usize], &mut self.before[id as usize]);
            if now != before {
                *before = *now;
                let row = CategoryRow { as_of, revision: 0, deleted: false, columns: category(now, as_of) };
                json::category(names.name(id), &row, out);
                rows += 1;
            }
        }
        rows
    }
}

fn enter(sums: &mut CategorySums, more: &Sums, sign: i64) {
    sums.n += sign * more.n;
    sums.units += sign * more.units;
    sums.cents += sign * more.cents;
    sums.ln += sign * more.ln;
    sums.ln2 += i128::from(sign) * more.ln2;
}

/// A minute enters the sums of the trend, or leaves them.
fn weigh(sums: &mut [CategorySums], number: i64, minute: &[(i64, i64)], sign: i64) {
    for (sums, (n, cents)) in sums.iter_mut().zip(minute) {
        let x = i128::from(*cents);
        sums.trend_n += sign * n;
        sums.s0 += sign * cents;
        sums.s1 += i128::from(sign) * i128::from(number) * x;
        sums.s2 += i128::from(sign) * x * x;
    }
}
