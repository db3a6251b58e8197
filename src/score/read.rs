//! Labels and rows as they are written, one JSON object a line.

use super::{Alert, Case, Label, Stream, canonical, direction};
use chrono::DateTime;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Error as _};
use serde_json::Error;
use std::collections::{BTreeMap, BTreeSet};

/// Two alerts of one subject within this many milliseconds are one: the slide that detectors are judged by. Windows of several
/// definitions, or a slide of a second, say the same thing many times.
const SAME: i64 = 30_000;

/// A line that is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct Malformed {
    line: usize,
    problem: Error,
}

#[derive(Deserialize)]
struct Written {
    event_id: String,
    #[serde(rename = "type")]
    kind: String,
    entity_level: String,
    entity_id: String,
    direction: String,
    start_ts: String,
    end_ts: String,
    #[serde(default)]
    magnitude: f64,
    #[serde(default)]
    detectability: f64,
    #[serde(default)]
    decades: f64,
    #[serde(default)]
    decades_60: f64,
    shape: Option<String>,
    #[serde(default)]
    hard_negative: bool,
    family: Option<BTreeMap<String, Vec<String>>>,
}

#[derive(Deserialize)]
struct Head {
    stream: Option<Described>,
}

#[derive(Deserialize)]
struct Described {
    generator: Option<u64>,
    seed: Option<u64>,
    from: String,
    until: String,
    series: Option<u64>,
}

#[derive(Deserialize)]
struct Row {
    episode_id: Option<String>,
    state: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    level: Option<String>,
    key: Option<String>,
    direction: Option<String>,
    window_end: Option<String>,
    emitted_at: Option<String>,
    retracts: Option<String>,
    suppressed_since_last: Option<u64>,
    #[serde(default)]
    deleted: bool,
    lineage: Option<Lineage>,
}

#[derive(Deserialize)]
struct Lineage {
    watermark: Option<String>,
}

/// What rows of one table say.
#[derive(Debug, Default)]
struct Told {
    alerts: Vec<Alert>,
    retracted: u64,
    suppressed: u64,
}

/// The rows of a run, each table as text; a table that was not written is `None`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tables<'a> {
    /// `events`: what was sent.
    pub events: &'a str,
    /// `episodes`: what was found, before the cooldown.
    pub episodes: Option<&'a str>,
    /// `suppressed`: what the cooldown held back.
    pub suppressed: Option<&'a str>,
}

/// A name of a text, for messages, and what is wrong in it.
pub type Place = (&'static str, Malformed);

/// Puts labels and rows together.
///
/// Before the cooldown are the episodes, each once, where the run has some; else what was sent together with what was held back.
///
/// # Errors
/// The first line that cannot be read, and whether it is one of the labels or of the table of that name.
pub fn case(labels: &str, tables: Tables) -> Result<Case, Place> {
    let (mut stream, labels) = self::labels(labels).map_err(|e| ("labels", e))?;
    let sent = rows(tables.events, false).map_err(|e| ("events", e))?;
    let held = rows(tables.suppressed.unwrap_or_default(), false).map_err(|e| ("suppressed", e))?;
    let mut before = match tables.episodes.map(|text| rows(text, true)).transpose().map_err(|e| ("episodes", e))? {
        Some(found) if !found.alerts.is_empty() || sent.alerts.is_empty() => found.alerts,
        _ => sent.alerts.iter().chain(&held.alerts).cloned().collect(),
    };
    let mut after = sent.alerts;
    let span = labels.iter().flat_map(|label| [label.start, label.end]).chain(before.iter().chain(&after).map(|alert| alert.at));
    if stream.until == 0 {
        stream.from = span.clone().min().unwrap_or(0);
        stream.until = span.max().unwrap_or(0);
    }
    for alerts in [&mut before, &mut after] {
        alerts.retain(|alert| (stream.from..=stream.until).contains(&alert.at));
        one_a_slide(alerts);
    }
    let suppressed = if tables.suppressed.is_some() { held.alerts.len() as u64 } else { sent.suppressed };
    Ok(Case { stream, labels, before, after, suppressed, retracted: sent.retracted })
}

/// Puts alerts in order of time and keeps one of each subject and slide.
fn one_a_slide(alerts: &mut Vec<Alert>) {
    alerts.sort_by_key(|alert| alert.at);
    let mut seen = BTreeSet::new();
    alerts.retain(|a| seen.insert((a.kind.clone(), a.level.clone(), a.key.clone(), a.up, a.at.div_euclid(SAME))));
}

fn lines<T: DeserializeOwned>(text: &str, mut give: impl FnMut(usize, T) -> Result<(), Error>) -> Result<(), Malformed> {
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let read = serde_json::from_str(line).and_then(|value| give(i, value));
        read.map_err(|problem| Malformed { line: i + 1, problem })?;
    }
    Ok(())
}

fn time(text: &str) -> Result<i64, Error> {
    let parsed = DateTime::parse_from_rfc3339(text);
    parsed.map(|time| time.timestamp_millis()).map_err(|e| Error::custom(format!("{text:?} is no time in RFC 3339: {e}")))
}

fn labels(text: &str) -> Result<(Stream, Vec<Label>), Malformed> {
    let (mut stream, mut labels) = (Stream::default(), vec![]);
    lines(text, |_, line: serde_json::Value| {
        if let Some(said) = serde_json::from_value::<Head>(line.clone()).ok().and_then(|head| head.stream) {
            let Described { generator, seed, from, until, series } = said;
            stream = Stream { generator, seed, from: time(&from)?, until: time(&until)?, series };
            return Ok(());
        }
        let written: Written = serde_json::from_value(line)?;
        labels.push(Label {
            id: written.event_id,
            kind: canonical(&written.kind, &written.entity_level),
            level: written.entity_level,
            key: written.entity_id,
            up: up(&written.direction)?,
            start: time(&written.start_ts)?,
            end: time(&written.end_ts)?,
            magnitude: written.magnitude,
            distance: written.detectability,
            decades: written.decades,
            decades_60: written.decades_60,
            step: written.shape.is_none_or(|shape| shape == "step"),
            hard: written.hard_negative,
            family: written.family.map(|family| {
                let of = |(level, keys): (String, Vec<String>)| keys.into_iter().map(move |key| (level.clone(), key));
                family.into_iter().flat_map(of).collect()
            }),
        });
        Ok(())
    })?;
    labels.sort_by_key(|label| label.start);
    Ok((stream, labels))
}

fn up(direction: &str) -> Result<bool, Error> {
    match direction {
        "up" => Ok(true),
        "down" => Ok(false),
        other => Err(Error::custom(format!("direction {other:?} is neither \"up\" nor \"down\""))),
    }
}

/// Alerts among rows. Of what is told over its life, each row that is not its end is one, or only the first (`once`); what takes
/// something back is none.
fn rows(text: &str, once: bool) -> Result<Told, Malformed> {
    let (mut told, mut seen) = (Told::default(), BTreeSet::new());
    lines(text, |_, row: Row| {
        told.suppressed += row.suppressed_since_last.unwrap_or(0);
        if row.retracts.is_some() || row.deleted {
            told.retracted += 1;
            return Ok(());
        }
        let closed = row.state.as_deref() == Some("closed");
        let known = row.episode_id.is_some_and(|id| !seen.insert(id));
        if closed || (once && known) {
            return Ok(());
        }
        let missing = |field: &str| Error::custom(format!("missing field `{field}`"));
        let written = row.kind.ok_or_else(|| missing("type"))?;
        let level = row.level.ok_or_else(|| missing("level"))?;
        let kind = canonical(&written, &level);
        let said = row.direction.as_deref().filter(|said| !said.is_empty()).map(up).transpose()?;
        let emitted = row.emitted_at.or(row.lineage.and_then(|lineage| lineage.watermark));
        told.alerts.push(Alert {
            up: said.or(direction(&kind)),
            kind,
            level,
            key: row.key.ok_or_else(|| missing("key"))?,
            at: time(&row.window_end.ok_or_else(|| missing("window_end"))?)?,
            emitted: emitted.as_deref().map(time).transpose()?,
        });
        Ok(())
    })?;
    Ok(told)
}
