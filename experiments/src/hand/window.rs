//! One window definition: sums, distinct keys, best keys and the biggest sale, from a ring of slides.

use super::Tick;
use super::keys::Keys;
use dataflows::plan::{Gates, Plan, Window as Definition};
use dataflows::row::round::growth;
use dataflows::row::{Gate, WindowColumns, WindowRow, json};
use dataflows::sale::Op;
use std::collections::VecDeque;

/// What is added up: sales, units, cents, returned units, returned cents, released, rejected.
type Sums = [i64; 7];

/// See the [module](self).
pub struct Window {
    index: u8,
    definition: Definition,
    slides: usize,
    open: Sums,
    /// The biggest sale of the open slide.
    biggest: u32,
    closed: VecDeque<Sums>,
    sums: Sums,
    /// Number of the newest slide.
    number: u32,
    /// (slide, its biggest sale), each smaller than the one before it.
    peaks: VecDeque<(u32, u32)>,
    sellers: Keys,
    categories: Keys,
    products: Keys,
    /// Sales of the last windows, up to the one that growth compares with.
    history: VecDeque<i64>,
    /// Whether the last window was empty; `None` before the first that is not.
    empty: Option<bool>,
    /// Empty windows that were not written since the last one that was.
    unwritten: u64,
}

impl Window {
    /// The definition with this index.
    pub fn new(plan: &Plan, index: usize) -> Window {
        let definition = plan.windows[index].clone();
        let slides = (definition.size / definition.slide) as usize;
        Window {
            index: index as u8,
            slides,
            open: [0; 7],
            biggest: 0,
            closed: VecDeque::new(),
            sums: [0; 7],
            number: 0,
            peaks: VecDeque::new(),
            sellers: Keys::new(slides, true),
            categories: Keys::new(slides, true),
            products: Keys::new(slides, false),
            history: VecDeque::new(),
            empty: None,
            unwritten: 0,
            definition,
        }
    }

    /// Takes a tick; writes the row of the window that ends with it, if one does. Returns the number of rows.
    pub fn tick(&mut self, tick: &Tick, out: &mut Vec<u8>) -> u64 {
        self.open[5] += tick.released[0];
        self.open[6] += tick.released[1];
        for sale in tick.sales {
            let (units, cents) = (i64::from(sale.quantity), sale.cents());
            let sign = match sale.op {
                Op::Sale => {
                    self.biggest = self.biggest.max(cents as u32);
                    1
                }
                Op::Cancel => -1,
                Op::Stock => continue,
                Op::Return => {
                    self.open[3] += units;
                    self.open[4] += cents;
                    continue;
                }
            };
            self.open[0] += i64::from(sign);
            self.open[1] += i64::from(sign) * units;
            self.open[2] += i64::from(sign) * cents;
            self.sellers.add(sale.seller, sign);
            self.categories.add(sale.category, sign);
            self.products.add(sale.product, sign);
        }
        if !tick.at.is_multiple_of(self.definition.slide) {
            return 0;
        }
        self.slide();
        let row = self.row(tick);
        let written = row.is_some();
        if let Some(columns) = row {
            let (start, end) = (tick.plan.millis(tick.at - self.definition.size), tick.plan.millis(tick.at));
            json::window(tick.plan, &WindowRow { window: self.index, start, end, revision: 0, deleted: false, columns }, out);
        }
        self.history.push_back(self.sums[0]);
        if self.history.len() > (self.definition.reference() / self.definition.slide) as usize {
            self.history.pop_front();
        }
        u64::from(written)
    }

    /// The open slide enters the window, and the oldest one leaves.
    fn slide(&mut self) {
        self.number += 1;
        let new = std::mem::take(&mut self.open);
        self.closed.push_back(new);
        let old = if self.closed.len() > self.slides { self.closed.pop_front().unwrap_or_default() } else { [0; 7] };
        for ((sum, new), old) in self.sums.iter_mut().zip(new).zip(old) {
            *sum += new - old;
        }
        let biggest = std::mem::take(&mut self.biggest);
        if self.definition.biggest && biggest > 0 {
            while self.peaks.pop_back_if(|p| p.1 <= biggest).is_some() {}
            self.peaks.push_back((self.number, biggest));
        }
        while self.peaks.pop_front_if(|p| p.0 as usize + self.slides <= self.number as usize).is_some() {}
        self.sellers.close();
        self.categories.close();
        self.products.close();
    }

    /// The columns of the window that ends now, if it has a row.
    fn row(&mut self, tick: &Tick) -> Option<WindowColumns> {
        let partial = tick.at > tick.whole;
        let [total_sales, total_units, total_revenue, returned_units, returned_revenue, ..] = self.sums;
        let mut columns = WindowColumns {
            partial,
            total_sales,
            total_units,
            total_revenue,
            returned_units,
            returned_revenue,
            biggest_sale: self.peaks.front().map(|p| i64::from(p.1)),
            active_sellers: self.sellers.active(),
            active_categories: self.categories.active(),
            active_products: self.products.active(),
            top_category: self.categories.best(&tick.names.categories),
            top_seller: self.sellers.best(&tick.names.sellers),
            ..WindowColumns::default()
        };
        let empty = columns == WindowColumns { partial, ..WindowColumns::default() };
        let before = if empty { self.empty.map(|_| true) } else { Some(false) };
        let before = std::mem::replace(&mut self.empty, before);
        if empty && (partial || before != Some(false)) {
            self.unwritten += u64::from(before.is_some());
            return None;
        }
        columns.empty_before = std::mem::take(&mut self.unwritten);
        columns.gates_failed = self.failed(&columns, &tick.plan.gates);
        let reference = self.definition.reference();
        let start = tick.at - reference - self.definition.size;
        if !partial && self.history.len() == (reference / self.definition.slide) as usize && tick.plan.millis(start) >= tick.first
        {
            columns.growth_pct = growth(total_sales, self.history.front().copied().unwrap_or(0));
        }
        Some(columns)
    }

    fn failed(&self, columns: &WindowColumns, gates: &Gates) -> Vec<Gate> {
        let [.., released, rejected] = self.sums;
        let all = [
            (columns.total_sales < gates.min_sales, Gate::TotalSales),
            (columns.total_revenue < gates.min_revenue, Gate::TotalRevenue),
            (columns.active_sellers < gates.min_sellers, Gate::ActiveSellers),
            (rejected * 1_000 > gates.max_rejected_permille * released, Gate::Schema),
        ];
        all.into_iter().filter(|g| g.0).map(|g| g.1).collect()
    }
}
