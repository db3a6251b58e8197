//! The report as aligned lines for a person.

use super::{Delays, Report, Scores, Share};
use std::fmt::Write;

impl Report {
    /// All of it; the figures by magnitude only where they are asked for.
    pub fn text(&self, magnitudes: bool) -> String {
        let mut out = String::new();
        let list = |all: Vec<String>| if all.is_empty() { "unknown".to_owned() } else { all.join(", ") };
        let seeds = list(self.seeds.iter().map(u64::to_string).collect());
        let versions = list(self.generators.iter().map(u64::to_string).collect());
        let series = self.series.map_or("unknown".into(), |n| n.to_string());
        line(&mut out, "streams", &format!("{} (seeds {seeds}; generator {versions}), {:.2} days", self.streams, self.days));
        line(&mut out, "series", &series);
        let range = |[least, median, most]: [f64; 3]| format!("D {least:.1} to {most:.1}, median {median:.1}; ");
        let decades = self.decades.map_or(String::new(), range);
        let events = self.before.recall.all;
        line(&mut out, "events", &format!("{events}, {decades}threshold h = {:.2}", self.threshold));
        let both = |name: &str, figure: &dyn Fn(&Scores) -> String| (name.to_owned(), figure(&self.before), figure(&self.after));
        let count = |name: &str, figure: fn(&Scores) -> u64| both(name, &|s| figure(s).to_string());
        let mut rows = vec![
            ("".to_owned(), "before the cooldown".to_owned(), "after".to_owned()),
            count("alerts", |s| s.alerts),
            count("  hits", |s| s.told_apart.hits),
            count("  repeats", |s| s.told_apart.repeats),
            count("  explained", |s| s.told_apart.explained),
            count("  rebounds", |s| s.told_apart.rebounds),
            count("  admitted", |s| s.told_apart.admitted),
            count("  false", |s| s.told_apart.wrong),
            both("precision", &|s| share(&s.precision)),
            both("  strict", &|s| share(&s.precision_strict)),
            both("recall", &|s| share(&s.recall)),
            both("F1", &|s| number(s.f1, 3)),
            both("false alarms a day", &|s| {
                let [low, high] = s.wrong_per_day_interval;
                format!("{:.2} [{low:.2}, {high:.2}]", s.wrong_per_day)
            }),
            both("  per 1,000 series", &|s| number(s.wrong_per_day_per_1000_series, 2)),
            both("alerts per event", &|s| number(s.alerts_per_event, 2)),
            both("explained per event", &|s| number(s.explained_per_event, 2)),
        ];
        let slices = |slices: fn(&Scores) -> &Vec<super::Slice>| {
            let pairs = slices(&self.before).iter().zip(slices(&self.after));
            pairs.map(|(b, a)| (format!("recall, {}", b.events), share(&b.recall), share(&a.recall))).collect::<Vec<_>>()
        };
        rows.extend(slices(|s| &s.recall_by_decades));
        rows.extend(slices(|s| &s.recall_by_distance));
        if magnitudes {
            rows.extend(slices(|s| &s.recall_by_magnitude));
        }
        let waits = self.before.delays.iter().zip(&self.after.delays);
        rows.extend(waits.map(|(b, a)| (format!("delay, {}", b.events), delay(b), delay(a))));
        out.push('\n');
        columns(&mut out, &rows);
        out.push('\n');
        let told = |rate: Option<f64>| rate.map_or(String::new(), |rate| format!(", {:.1} % of all", 100.0 * rate));
        line(&mut out, "held back", &format!("{}{}", self.suppressed, told(self.suppression_rate)));
        line(&mut out, "missed by it", &self.cooldown_fn.to_string());
        line(&mut out, "taken back", &self.retracted.to_string());
        out.push('\n');
        let title = |left: &str| (left.to_owned(), "precision".to_owned(), "recall".to_owned());
        let kinds = self.before.kinds.iter();
        let kinds = kinds.map(|row| (format!("{} {}", row.kind, row.level), share(&row.precision), share(&row.recall)));
        columns(&mut out, &[title("before the cooldown")].into_iter().chain(kinds).collect::<Vec<_>>());
        if !self.before.hard_negatives.is_empty() {
            out.push('\n');
            let head = ("hard negatives".to_owned(), "misled".to_owned(), "false alarms".to_owned());
            let rows = self.before.hard_negatives.iter();
            let rows = rows.map(|row| (row.kind.clone(), format!("{} of {}", row.misled, row.events), row.alerts.to_string()));
            columns(&mut out, &[head].into_iter().chain(rows).collect::<Vec<_>>());
        }
        out
    }
}

fn line(out: &mut String, name: &str, value: &str) {
    writeln!(out, "{name:<14}{value}").expect("strings take all");
}

fn columns(out: &mut String, rows: &[(String, String, String)]) {
    let width = |of: fn(&(String, String, String)) -> &String| rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0);
    let (first, second) = (width(|row| &row.0), width(|row| &row.1));
    for (name, left, right) in rows {
        writeln!(out, "{name:<first$}  {left:<second$}  {right}").expect("strings take all");
    }
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or("-".into(), |value| format!("{value:.digits$}"))
}

fn share(share: &Share) -> String {
    let [low, high] = share.interval;
    match share.value {
        Some(value) => format!("{value:.3} [{low:.3}, {high:.3}] of {}", share.all),
        None => "-".into(),
    }
}

fn delay(delays: &Delays) -> String {
    match (delays.median_s, delays.p90_s, delays.median_slides, delays.p90_slides) {
        (Some(median), Some(p90), Some(a), Some(b)) => {
            let sent = delays.emitted_median_s.map_or(String::new(), |sent| format!("; told after {sent:.0} s"));
            format!("{median:.0} s, p90 {p90:.0} s ({a} and {b} slides){sent}, of {}", delays.found)
        }
        _ => "-".into(),
    }
}
