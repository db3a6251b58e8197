//! What the live view knows: the newest rows, and the run's own numbers.
//!
//! The rows of windows come as values. Features and events are read back from their JSON lines: few rows, and the same truth
//! that the files get.

use super::text;
use dataflows::edge::{Table, TickRows};
use dataflows::plan::Plan;
use dataflows::row::WindowRow;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

/// Totals in a sparkline.
pub const SPARKS: usize = 30;

/// Events that are kept for the screen.
const EVENTS: usize = 200;

/// Over how long the rate is taken.
const RATE_OVER: Duration = Duration::from_secs(3);

/// How far the run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    /// Records read.
    pub records: u64,
    /// The watermark, milliseconds since the Unix epoch.
    pub watermark: Option<i64>,
    /// The event time that the watermark follows: the newest one, or the wall clock of a live run.
    pub now: Option<i64>,
}

/// The windows of one definition.
#[derive(Clone, Debug, Default)]
pub struct Windows {
    /// The newest row.
    pub newest: Option<WindowRow>,
    /// Sales by window end, the last [`SPARKS`].
    pub totals: BTreeMap<i64, i64>,
}

/// The newest row of a seller or a category.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// RFC 3339, so that texts compare like times.
    pub as_of: String,
    /// In currency units: for display and order only.
    pub revenue: f64,
    /// Units.
    pub units: i64,
    /// Share of change over the window; categories only.
    pub trend: f64,
}

/// An event as it stands on the screen.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Event {
    /// `activity_spike`, ...
    #[serde(rename = "type")]
    pub kind: String,
    /// `info`, `warning`, `critical`.
    pub severity: String,
    /// Name of the window.
    pub window: String,
    /// RFC 3339.
    pub window_end: String,
    /// In words.
    pub message: String,
    /// More in words.
    pub insights: Vec<String>,
    /// Events held back since the last of its kind was sent.
    pub suppressed_since_last: u64,
    /// The id of the event that this one takes back.
    pub retracts: Option<String>,
}

impl Event {
    /// Reads a line of the `events` table; `None` for what is none.
    pub fn read(line: &[u8]) -> Option<Event> {
        serde_json::from_slice(line).ok()
    }

    /// The time of day at which the window ended.
    pub fn time(&self) -> &str {
        self.window_end.get(11..19).unwrap_or(&self.window_end)
    }
}

#[derive(Deserialize)]
struct Feature {
    key: String,
    as_of: String,
    #[serde(default)]
    deleted: bool,
    #[serde(default, alias = "seller_revenue_last_1h", alias = "category_revenue_30min")]
    revenue: Option<f64>,
    #[serde(default, alias = "seller_volume_last_1h", alias = "category_volume_30min")]
    units: Option<i64>,
    #[serde(default, alias = "category_trend_30min")]
    trend: Option<f64>,
}

#[derive(Deserialize)]
struct Letter {
    disposition: String,
}

/// All that the screen shows.
#[derive(Clone, Debug)]
pub struct View {
    /// What the view is of: the first words of the screen.
    pub title: String,
    /// How long the run is meant to last.
    pub duration: Option<Duration>,
    /// How long it has lasted.
    pub elapsed: Duration,
    /// The first watermark, milliseconds since the Unix epoch.
    pub begun: Option<i64>,
    /// Names of the definitions, and their slides in milliseconds.
    pub definitions: Vec<(String, i64)>,
    /// By definition.
    pub windows: Vec<Windows>,
    /// By name.
    pub sellers: HashMap<String, Standing>,
    /// By name.
    pub categories: HashMap<String, Standing>,
    /// The newest last.
    pub events: VecDeque<Event>,
    /// Rows so far, by table.
    pub rows: [u64; Table::COUNT],
    /// Rows of windows that corrected an earlier one.
    pub corrections: u64,
    /// Records that broke rules.
    pub rejected: u64,
    /// Records that came too late for every window.
    pub too_late: u64,
    /// How far the run is.
    pub pulse: Pulse,
    samples: VecDeque<(Duration, u64)>,
}

impl View {
    /// An empty view of a plan.
    pub fn new(title: &str, plan: &Plan, duration: Option<Duration>) -> View {
        View {
            title: title.into(),
            duration,
            elapsed: Duration::ZERO,
            definitions: plan.windows.iter().map(|w| (w.name.clone(), i64::from(w.slide) * plan.tick)).collect(),
            windows: vec![Windows::default(); plan.windows.len()],
            sellers: HashMap::new(),
            categories: HashMap::new(),
            events: VecDeque::new(),
            begun: None,
            rows: [0; Table::COUNT],
            corrections: 0,
            rejected: 0,
            too_late: 0,
            pulse: Pulse::default(),
            samples: VecDeque::new(),
        }
    }

    /// Takes in the rows of one tick.
    pub fn tick(&mut self, rows: &TickRows) {
        for (sum, n) in self.rows.iter_mut().zip(rows.rows) {
            *sum += n;
        }
        for row in &rows.windows {
            self.window(row);
        }
        let lines = |table: Table| rows.lines[table as usize].split(|&b| b == b'\n').filter(|line| !line.is_empty());
        lines(Table::SellerFeatures).for_each(|line| stand(&mut self.sellers, line));
        lines(Table::CategoryFeatures).for_each(|line| stand(&mut self.categories, line));
        self.events.extend(lines(Table::Events).filter_map(Event::read));
        let over = self.events.len().saturating_sub(EVENTS);
        self.events.drain(..over);
        for letter in lines(Table::DeadLetters).filter_map(|line| serde_json::from_slice::<Letter>(line).ok()) {
            match letter.disposition.as_str() {
                "too_late" => self.too_late += 1,
                _ => self.rejected += 1,
            }
        }
    }

    fn window(&mut self, row: &WindowRow) {
        self.corrections += u64::from(row.revision > 0);
        if row.columns.partial {
            // What the end of the input cut short would push the last whole window off the screen.
            return;
        }
        let Some(windows) = self.windows.get_mut(usize::from(row.window)) else { return };
        windows.totals.insert(row.end, if row.deleted { 0 } else { row.columns.total_sales });
        while windows.totals.len() > SPARKS {
            windows.totals.pop_first();
        }
        if windows.newest.as_ref().is_none_or(|newest| newest.end <= row.end) {
            windows.newest = Some(row.clone()).filter(|row| !row.deleted);
        }
    }

    /// Takes in how far the run is.
    pub fn pulse(&mut self, elapsed: Duration, pulse: Pulse) {
        (self.elapsed, self.pulse) = (elapsed, pulse);
        self.begun = self.begun.or(pulse.watermark);
        self.samples.push_back((elapsed, pulse.records));
        while self.samples.get(1).is_some_and(|(at, _)| elapsed.saturating_sub(*at) >= RATE_OVER) {
            self.samples.pop_front();
        }
    }

    /// Whether the half hour that a trend looks at was seen: before, it holds minutes without a sale.
    pub fn trends(&self) -> bool {
        self.begun.zip(self.pulse.watermark).is_some_and(|(begun, now)| now - begun >= 1_800_000)
    }

    /// Records a second, over the last few seconds.
    pub fn rate(&self) -> Option<i64> {
        let ((start, before), (end, after)) = (self.samples.front()?, self.samples.back()?);
        let seconds = end.saturating_sub(*start).as_secs_f64();
        (seconds > 0.0).then(|| (after.saturating_sub(*before) as f64 / seconds).round() as i64)
    }

    /// The last [`SPARKS`] totals of a definition, oldest first; `None` before its first window.
    pub fn sparks(&self, definition: usize) -> Vec<Option<i64>> {
        let (totals, slide) = (&self.windows[definition].totals, self.definitions[definition].1);
        let (Some((&first, _)), Some((&last, _))) = (totals.first_key_value(), totals.last_key_value()) else { return vec![] };
        let ends = (0..SPARKS as i64).rev().map(|i| last - i * slide);
        // Between two rows a window without one was empty.
        ends.map(|end| (end >= first).then(|| totals.get(&end).copied().unwrap_or(0))).collect()
    }
}

fn stand(of: &mut HashMap<String, Standing>, line: &[u8]) {
    let Ok(row) = serde_json::from_slice::<Feature>(line) else { return };
    let key = text::tame(&row.key);
    if of.get(&key).is_some_and(|standing| standing.as_of > row.as_of) {
        return;
    }
    let revenue = row.revenue.unwrap_or(0.0);
    if row.deleted || revenue == 0.0 {
        // Nothing sold inside the horizon: the memory is bounded by the keys in use.
        of.remove(&key);
        return;
    }
    let standing = Standing { as_of: row.as_of, revenue, units: row.units.unwrap_or(0), trend: row.trend.unwrap_or(0.0) };
    of.insert(key, standing);
}

/// The `n` with the most revenue, ties by name.
pub fn best(of: &HashMap<String, Standing>, n: usize) -> Vec<(&String, &Standing)> {
    let mut all: Vec<_> = of.iter().collect();
    all.sort_by(|a, b| b.1.revenue.total_cmp(&a.1.revenue).then_with(|| a.0.cmp(b.0)));
    all.truncate(n);
    all
}
