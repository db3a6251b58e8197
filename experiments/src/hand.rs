//! The hand-written loop: the job of the pipeline on one thread, without a framework and without corrections. It is what a
//! good engineer would write in a day, and what the price of the pipeline is measured against.
//!
//! Sales wait by tick until the watermark passes it, then every window and feature takes the sales of the tick, in dense
//! arrays by interned id and rings of slides. Rows are made by the same functions and handed to the same kind of sink, tick
//! by tick and in the order of the contract, so that where nothing is late they are the same bytes.
//!
//! What it does not do: a sale that is late is counted and dropped; `biggest_sale` does not survive the cancellation of the
//! biggest; no events, no certificate, no dead letters, no forgetting of names, no second worker.

mod category;
mod keys;
mod seller;
mod window;

use category::Categories;
use dataflows::dictionary::Dictionaries;
use dataflows::edge::{RowSink, Table, TickRows};
use dataflows::plan::{Plan, ceil};
use dataflows::sale::{Decoded, Sale};
use seller::Sellers;
use std::collections::VecDeque;
use window::Window;

/// See the [module](self).
pub struct Hand<S> {
    plan: Plan,
    sink: S,
    /// The largest date.
    largest: i64,
    /// Ticks up to this one are closed; 0 before the first block.
    closed: u32,
    /// Sales of the ticks behind `closed`.
    open: VecDeque<Vec<Sale>>,
    spare: Vec<Vec<Sale>>,
    /// Records released and rejected while the tick that closes next was open.
    released: [i64; 2],
    /// The least date that is counted.
    first: i64,
    windows: Vec<Window>,
    sellers: Option<Sellers>,
    categories: Option<Categories>,
    rows: TickRows,
    /// Sales that came late and were dropped.
    pub late: u64,
}

/// A tick that closes: what its windows and features take.
struct Tick<'a> {
    plan: &'a Plan,
    names: &'a Dictionaries,
    at: u32,
    sales: &'a [Sale],
    released: [i64; 2],
    /// The least date that is counted so far.
    first: i64,
    /// The last tick of the input, once that is known: later windows are partial.
    whole: u32,
}

impl<S: RowSink> Hand<S> {
    /// Computes what the plan says.
    pub fn new(plan: &Plan, sink: S) -> Hand<S> {
        let features = plan.features.enabled;
        Hand {
            plan: plan.clone(),
            sink,
            largest: i64::MIN,
            closed: 0,
            open: VecDeque::new(),
            spare: vec![],
            released: [0; 2],
            first: i64::MAX,
            windows: (0..plan.windows.len()).map(|i| Window::new(plan, i)).collect(),
            sellers: features.then(|| Sellers::new(&plan.features)),
            categories: features.then(|| Categories::new(plan)),
            rows: TickRows::default(),
            late: 0,
        }
    }

    /// Takes a block, and closes the ticks that the watermark passes with it.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn block(&mut self, decoded: &Decoded, names: &Dictionaries) -> Result<(), String> {
        if self.closed == 0 {
            let Some(first) = decoded.sales.iter().map(|s| s.at).min() else { return Ok(()) };
            self.closed = self.plan.pane(first) - 1;
        } else {
            self.released[0] += decoded.records() as i64;
            self.released[1] += decoded.rejects.len() as i64;
        }
        let (mut from, mut to, mut tick) = (1, 0, 0);
        for sale in &decoded.sales {
            if sale.at < from || sale.at >= to {
                self.largest = self.largest.max(sale.at);
                tick = self.plan.pane(sale.at);
                from = self.plan.millis(tick - 1);
                to = from + self.plan.tick;
            }
            self.largest = self.largest.max(sale.at);
            if tick > self.closed {
                self.wait(tick).push(*sale);
            } else {
                self.late += 1;
            }
        }
        let watermark = self.plan.watermark(self.largest);
        while self.closed < watermark {
            self.close(names, u32::MAX)?;
        }
        Ok(())
    }

    /// The end of the input: closes all that still holds a sale.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn finish(&mut self, names: &Dictionaries) -> Result<(), String> {
        if self.closed == 0 {
            return Ok(());
        }
        let (whole, last) = (self.closed, self.plan.pane(self.largest));
        let longest = self.plan.windows.iter().map(|w| w.size).max().unwrap_or(0);
        let feature = if self.plan.features.enabled { ceil(last, self.plan.features.slide) } else { 0 };
        while self.closed < (last + longest).max(feature) {
            if self.closed >= feature {
                (self.sellers, self.categories) = (None, None);
            }
            self.close(names, whole)?;
        }
        Ok(())
    }

    #[inline]
    fn wait(&mut self, tick: u32) -> &mut Vec<Sale> {
        let i = (tick - self.closed) as usize - 1;
        while self.open.len() <= i {
            self.open.push_back(self.spare.pop().unwrap_or_default());
        }
        &mut self.open[i]
    }

    fn close(&mut self, names: &Dictionaries, whole: u32) -> Result<(), String> {
        let mut sales = self.open.pop_front().unwrap_or_default();
        self.closed += 1;
        self.first = sales.iter().map(|s| s.at).fold(self.first, i64::min);
        let tick = Tick {
            plan: &self.plan,
            names,
            at: self.closed,
            sales: &sales,
            released: std::mem::take(&mut self.released),
            first: self.first,
            whole,
        };
        self.rows.learned = self.closed;
        for window in &mut self.windows {
            self.rows.rows[Table::Windows as usize] += window.tick(&tick, &mut self.rows.lines[Table::Windows as usize]);
        }
        if let Some(sellers) = &mut self.sellers {
            let (rows, lines) = (&mut self.rows.rows, &mut self.rows.lines);
            rows[Table::SellerFeatures as usize] += sellers.tick(&tick, &mut lines[Table::SellerFeatures as usize]);
        }
        if let Some(categories) = &mut self.categories {
            let (rows, lines) = (&mut self.rows.rows, &mut self.rows.lines);
            rows[Table::CategoryFeatures as usize] += categories.tick(&tick, &mut lines[Table::CategoryFeatures as usize]);
        }
        sales.clear();
        self.spare.push(sales);
        if self.rows.rows != [0; Table::COUNT] {
            self.sink.tick(&self.rows)?;
            self.rows.rows = [0; Table::COUNT];
            self.rows.lines.iter_mut().for_each(Vec::clear);
        }
        Ok(())
    }
}
