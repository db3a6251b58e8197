//! The figures, pooled over streams, each share with how much it rests on and its interval.

mod text;

use super::interval::{Interval, bootstrap, garwood, wider, wilson};
use super::tally::{Alerts, Tally};
use super::{Case, Label};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Milliseconds of a slide, in which delays are told.
const SLIDE: i64 = 30_000;
const DAY: f64 = 86_400_000.0;

/// What a report depends on besides alerts and labels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Scale {
    /// False alarms a day that the detectors were allowed, over all series.
    pub budget_per_day: f64,
    /// Series, where the labels do not say.
    pub series: Option<u64>,
    /// The threshold in decades, where it does not follow from the budget.
    pub threshold: Option<f64>,
}

/// A share: part of all.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Share {
    /// `None` of nothing.
    pub value: Option<f64>,
    /// So many.
    pub part: u64,
    /// Of so many.
    pub all: u64,
    /// 95 %: Wilson's, or that of the bootstrap over streams where it is wider.
    pub interval: Interval,
}

/// Recall of some of the events.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Slice {
    /// Which.
    pub events: String,
    /// The recall.
    #[serde(flatten)]
    pub recall: Share,
}

/// Delays, in seconds and in slides begun.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Delays {
    /// Of which events.
    pub events: String,
    /// How many of them were found.
    pub found: u64,
    /// Half are faster: to the end of the window.
    pub median_s: Option<f64>,
    /// Nine of ten are faster.
    pub p90_s: Option<f64>,
    /// The same in slides.
    pub median_slides: Option<i64>,
    /// The same in slides.
    pub p90_slides: Option<i64>,
    /// To the moment the alert left.
    pub emitted_median_s: Option<f64>,
    /// The same.
    pub emitted_p90_s: Option<f64>,
}

/// Alerts and events of one kind and level.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// Level.
    pub level: String,
    /// Right ones among right and wrong ones.
    pub precision: Share,
    /// Found ones among the events.
    pub recall: Share,
    /// Alerts.
    pub repeats: u64,
    /// Alerts.
    pub explained: u64,
}

/// A hard negative.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HardRow {
    /// Kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// How many there were.
    pub events: u64,
    /// How many raised a wrong alert.
    pub misled: u64,
    /// How many wrong alerts.
    pub alerts: u64,
}

/// The figures of alerts before or after the cooldown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scores {
    /// All alerts.
    pub alerts: u64,
    /// The same, told apart.
    #[serde(flatten)]
    pub told_apart: Alerts,
    /// Hits among hits and false alarms.
    pub precision: Share,
    /// The same with rebounds and explained alerts as false ones.
    pub precision_strict: Share,
    /// Events found.
    pub recall: Share,
    /// Harmonic mean of precision and recall.
    pub f1: Option<f64>,
    /// False alarms a day.
    pub wrong_per_day: f64,
    /// Garwood's interval of it.
    pub wrong_per_day_interval: Interval,
    /// False alarms a day for each thousand series.
    pub wrong_per_day_per_1000_series: Option<f64>,
    /// Hits and repeats for each event that was found.
    pub alerts_per_event: Option<f64>,
    /// Explained alerts for each event that was found.
    pub explained_per_event: Option<f64>,
    /// By D against the threshold.
    pub recall_by_decades: Vec<Slice>,
    /// By d'.
    pub recall_by_distance: Vec<Slice>,
    /// By kind, level and magnitude.
    pub recall_by_magnitude: Vec<Slice>,
    /// By kind and level.
    pub kinds: Vec<Row>,
    /// Delays of all events, and of those that stand out.
    pub delays: Vec<Delays>,
    /// What must raise nothing.
    pub hard_negatives: Vec<HardRow>,
}

/// All figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Versions of the generator that made the streams.
    pub generators: BTreeSet<u64>,
    /// Their seeds.
    pub seeds: Vec<u64>,
    /// Streams.
    pub streams: usize,
    /// Days that were judged, over all streams.
    pub days: f64,
    /// Series that were watched.
    pub series: Option<u64>,
    /// The threshold h that the bins of D are of.
    pub threshold: f64,
    /// Least, median and greatest D of the events.
    pub decades: Option<[f64; 3]>,
    /// Before the cooldown.
    pub before: Scores,
    /// After it.
    pub after: Scores,
    /// Events that were found, but of which nobody was told in time because of the cooldown.
    pub cooldown_fn: u64,
    /// Alerts that the cooldown held back.
    pub suppressed: u64,
    /// Their share among those held back and those sent.
    pub suppression_rate: Option<f64>,
    /// Alerts that were taken back later.
    pub retracted: u64,
}

impl Report {
    /// Of these streams.
    pub fn new(cases: &[Case], scale: Scale) -> Report {
        let series = cases.iter().filter_map(|case| case.stream.series).max().or(scale.series);
        // One threshold for all series out of a budget of false alarms; two looks at each window, for the scales overlap.
        let budgeted = libm::log10(series.unwrap_or(1) as f64 * DAY / SLIDE as f64 * 2.0 / scale.budget_per_day);
        let threshold = scale.threshold.unwrap_or(budgeted);
        let days = cases.iter().map(|case| (case.stream.until - case.stream.from) as f64 / DAY).sum();
        let tally = |alerts: fn(&Case) -> &Vec<super::Alert>| -> Vec<Tally> {
            cases.iter().map(|case| Tally::new(&case.labels, alerts(case), case.stream.until)).collect()
        };
        let (before, after) = (tally(|case| &case.before), tally(|case| &case.after));
        let pairs = before.iter().flat_map(|t| &t.events).zip(after.iter().flat_map(|t| &t.events));
        let cooldown_fn = pairs.filter(|(b, a)| b.delay.is_some() && a.delay.is_none()).count() as u64;
        let sent: u64 = after.iter().map(|t| t.total().all()).sum();
        let suppressed: u64 = cases.iter().map(|case| case.suppressed).sum();
        let mut decades: Vec<f64> = before.iter().flat_map(|t| &t.events).map(|event| event.label.decades).collect();
        decades.sort_by(f64::total_cmp);
        let middle = (!decades.is_empty()).then(|| [decades[0], decades[decades.len() / 2], decades[decades.len() - 1]]);
        Report {
            generators: cases.iter().filter_map(|case| case.stream.generator).collect(),
            seeds: cases.iter().filter_map(|case| case.stream.seed).collect(),
            streams: cases.len(),
            days,
            series,
            threshold,
            decades: middle,
            before: Scores::new(&before, days, series, threshold),
            after: Scores::new(&after, days, series, threshold),
            cooldown_fn,
            suppressed,
            suppression_rate: ratio(suppressed, suppressed + sent),
            retracted: cases.iter().map(|case| case.retracted).sum(),
        }
    }
}

fn ratio(part: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| part as f64 / all as f64)
}

/// A share pooled over streams, where `of` says part and all of one.
fn share(tallies: &[Tally], of: impl Fn(&Tally) -> (u64, u64)) -> Share {
    let each: Vec<(u64, u64)> = tallies.iter().map(of).collect();
    let pool = |drawn: &mut dyn Iterator<Item = usize>| drawn.fold((0, 0), |sum, i| (sum.0 + each[i].0, sum.1 + each[i].1));
    let (part, all) = pool(&mut (0..each.len()));
    let resampled = bootstrap(each.len(), |drawn| {
        let (part, all) = pool(&mut drawn.iter().copied());
        ratio(part, all)
    });
    Share { value: ratio(part, all), part, all, interval: wider(wilson(part, all), resampled.filter(|_| all > 0)) }
}

impl Scores {
    fn new(tallies: &[Tally], days: f64, series: Option<u64>, h: f64) -> Scores {
        let mut total = Alerts::default();
        tallies.iter().for_each(|tally| total += tally.total());
        let precision = share(tallies, |t| (t.total().hits, t.total().hits + t.total().wrong));
        let strict = share(tallies, |t| {
            let Alerts { hits, explained, rebounds, wrong, .. } = t.total();
            (hits, hits + explained + rebounds + wrong)
        });
        let recall = share(tallies, |t| t.found(|_| true));
        let f1 = precision.value.zip(recall.value).filter(|(p, r)| p + r > 0.0).map(|(p, r)| 2.0 * p * r / (p + r));
        let a_day = |n: f64| if days > 0.0 { n / days } else { 0.0 };
        let wrong_per_day = a_day(total.wrong as f64);
        let slice = |events: String, which: &dyn Fn(&Label) -> bool| Slice { events, recall: share(tallies, |t| t.found(which)) };
        let bins = |name: &str, edges: &[f64], value: fn(&Label) -> f64| -> Vec<Slice> {
            let ends = edges.iter().skip(1).copied().chain([f64::INFINITY]);
            let bin = |(from, to): (&f64, f64)| {
                let range = if to.is_finite() { format!("{from:.2} to {to:.2}") } else { format!("from {from:.2}") };
                slice(format!("{name} {range}"), &|label| (*from..to).contains(&value(label)))
            };
            edges.iter().zip(ends).map(bin).collect()
        };
        Scores {
            alerts: total.all(),
            told_apart: total,
            precision,
            precision_strict: strict,
            recall,
            f1,
            wrong_per_day,
            wrong_per_day_interval: garwood(total.wrong).map(a_day),
            wrong_per_day_per_1000_series: series.map(|series| wrong_per_day * 1_000.0 / series as f64),
            alerts_per_event: ratio(total.hits + total.repeats, total.hits),
            explained_per_event: ratio(total.explained, total.hits),
            recall_by_decades: bins("D", &[0.0, h, h + 2.0, h + 4.0], |label| label.decades)
                .into_iter()
                .chain([slice(format!("all with D from {:.2}", h + 2.0), &|label| label.decades >= h + 2.0)])
                .collect(),
            recall_by_distance: bins("d'", &[0.0, 3.0, 5.0, 8.0], |label| label.distance),
            recall_by_magnitude: magnitudes(tallies, &slice),
            kinds: kinds(tallies),
            delays: vec![
                delays(tallies, "all".into(), |_| true),
                delays(tallies, format!("D60 from {:.2}", h + 2.0), |label| label.decades_60 >= h + 2.0),
                delays(tallies, format!("D60 from {:.2}", h + 4.0), |label| label.decades_60 >= h + 4.0),
                delays(tallies, format!("steps, D60 from {:.2}", h + 2.0), |label| label.step && label.decades_60 >= h + 2.0),
                delays(tallies, format!("steps, D60 from {:.2}", h + 4.0), |label| label.step && label.decades_60 >= h + 4.0),
            ],
            hard_negatives: hard(tallies),
        }
    }
}

/// Recall of the events that a condition picks, under a name.
type Recall<'a> = dyn Fn(String, &dyn Fn(&Label) -> bool) -> Slice + 'a;

fn magnitudes(tallies: &[Tally], slice: &Recall) -> Vec<Slice> {
    let labels = tallies.iter().flat_map(|t| &t.events).map(|event| &event.label);
    // What runs out of stock has as many magnitudes as events.
    let counted = labels.filter(|label| label.kind != "stock_depletion");
    let mut all: Vec<(&str, &str, f64)> = counted.map(|l| (l.kind.as_str(), l.level.as_str(), l.magnitude)).collect();
    all.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then(a.2.total_cmp(&b.2)));
    all.dedup();
    let of = |(kind, level, size): (&str, &str, f64)| {
        slice(format!("{kind} {level} {size}"), &|l| l.kind == kind && l.level == level && l.magnitude == size)
    };
    all.into_iter().map(of).collect()
}

fn kinds(tallies: &[Tally]) -> Vec<Row> {
    let alerted = tallies.iter().flat_map(|t| t.alerts.keys().cloned());
    let happened = tallies.iter().flat_map(|t| &t.events).map(|event| (event.label.kind.clone(), event.label.level.clone()));
    let all: BTreeSet<(String, String)> = alerted.chain(happened).collect();
    let row = |key: (String, String)| {
        let alerts = |t: &Tally| t.alerts.get(&key).copied().unwrap_or_default();
        let found = |t: &Tally| t.found(|label| label.kind == key.0 && label.level == key.1);
        Row {
            precision: share(tallies, |t| (alerts(t).hits, alerts(t).hits + alerts(t).wrong)),
            recall: share(tallies, found),
            repeats: tallies.iter().map(|t| alerts(t).repeats).sum(),
            explained: tallies.iter().map(|t| alerts(t).explained).sum(),
            kind: key.0.clone(),
            level: key.1.clone(),
        }
    };
    all.into_iter().map(row).collect()
}

fn delays(tallies: &[Tally], events: String, which: impl Fn(&Label) -> bool) -> Delays {
    let of = tallies.iter().flat_map(|t| &t.events).filter(|event| which(&event.label)).filter_map(|event| event.delay);
    let (mut windows, mut emitted) = (vec![], vec![]);
    for delay in of {
        windows.push(delay.window);
        emitted.extend(delay.emitted);
    }
    windows.sort_unstable();
    emitted.sort_unstable();
    // The least delay that a share of the events does not exceed.
    let at = |sorted: &[i64], percent: usize| sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied();
    let seconds = |ms: Option<i64>| ms.map(|ms| ms as f64 / 1_000.0);
    let slides = |ms: Option<i64>| ms.map(|ms| (ms + SLIDE - 1).div_euclid(SLIDE).max(1));
    Delays {
        events,
        found: windows.len() as u64,
        median_s: seconds(at(&windows, 50)),
        p90_s: seconds(at(&windows, 90)),
        median_slides: slides(at(&windows, 50)),
        p90_slides: slides(at(&windows, 90)),
        emitted_median_s: seconds(at(&emitted, 50)),
        emitted_p90_s: seconds(at(&emitted, 90)),
    }
}

fn hard(tallies: &[Tally]) -> Vec<HardRow> {
    let mut all: BTreeMap<&String, HardRow> = BTreeMap::new();
    for (kind, hard) in tallies.iter().flat_map(|t| &t.hard) {
        let row = all.entry(kind).or_insert_with(|| HardRow { kind: kind.clone(), events: 0, misled: 0, alerts: 0 });
        row.events += hard.events;
        row.misled += hard.misled;
        row.alerts += hard.alerts;
    }
    all.into_values().collect()
}
