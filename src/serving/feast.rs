//! `POST /get-online-features`: requests and answers in the form of Feast's feature server.
//!
//! | in Feast | here |
//! |---|---|
//! | feature view | a feature table: `seller_features` |
//! | feature | a column of it, `as_of` and `revision` included |
//! | join key | `seller`, `category`, `product`, `customer`, or the name of the field in the contract |
//! | feature service | a list in `[http.feature_services]`, or a table: all its columns |
//!
//! As its Python server does, an answer has one result for each join key of the request and then one for each feature, in the
//! order of `metadata.feature_names`; each result has a value, a status and a time for each entity. The time of a value is the
//! watermark from which the answer was made: the value is right as of then, however long ago it last changed (that is its
//! `as_of`). What is not found has, as there, no value and the time 0.
//!
//! Errors have Feast's bodies: a JSON text with `module`, `class` and `message`, from which its clients make the exception, or
//! `detail` as FastAPI writes it. What the asker got wrong is always 4xx, also where Feast says 500.

use super::view::{Found, View};
use super::{Offer, Serving, TABLES};
use crate::metrics::now;
use chrono::{DateTime, SecondsFormat};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::json;
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::PoisonError;

/// Values in one answer: more would keep everybody else waiting.
const MOST_VALUES: usize = 1 << 18;

/// The time of what was never seen.
const NEVER: &str = "\"1970-01-01T00:00:00Z\"";

/// What was asked for. Fields that are not known are ignored, as Feast ignores them.
#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    features: Vec<String>,
    feature_service: Option<String>,
    entities: Entities,
    #[serde(default)]
    full_feature_names: bool,
}

/// Join keys with their values, in the order of the request.
struct Entities(Vec<(String, Vec<Box<RawValue>>)>);

impl<'de> Deserialize<'de> for Entities {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Entities, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Entities;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with a list for each join key")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entities, A::Error> {
                let mut pairs = vec![];
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Entities(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// An answer, or why there is none, as JSON.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// As HTTP has it.
    pub code: u16,
    /// The body.
    pub body: Vec<u8>,
    /// The watermark from which it was made, in milliseconds.
    pub watermark: Option<i64>,
    /// How many values were present, null, not found, outside of their age.
    pub statuses: [u64; 4],
}

/// The names of [`Answer::statuses`].
pub const STATUSES: [&str; 4] = ["PRESENT", "NULL_VALUE", "NOT_FOUND", "OUTSIDE_MAX_AGE"];

const PRESENT: usize = 0;
const NULL_VALUE: usize = 1;
const NOT_FOUND: usize = 2;
const OUTSIDE_MAX_AGE: usize = 3;

fn refusal(code: u16, body: &serde_json::Value) -> Answer {
    Answer { code, body: body.to_string().into_bytes(), watermark: None, statuses: [0; 4] }
}

/// An error that Feast has a class for.
fn error(code: u16, class: &str, message: &str) -> Answer {
    let detail = json!({"module": "feast.errors", "class": class, "message": message}).to_string();
    refusal(code, &json!(detail))
}

/// A request that does not fit its own form.
fn unfit(kind: &str, place: &[&str], message: &str) -> Answer {
    let place: Vec<&str> = ["body"].iter().chain(place).copied().collect();
    refusal(422, &json!({"detail": [{"type": kind, "loc": place, "msg": message}]}))
}

/// A feature that was asked for: its view, its column if a row has shown it, and what it is called in the answer.
struct Wanted<'a> {
    view: usize,
    column: Option<usize>,
    name: &'a str,
}

/// RFC 3339 as protobuf's JSON has it: no more digits than it takes.
pub fn stamp(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).unwrap_or_default().to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// The names by which the keys of a view may be asked for.
fn join_keys(view: &View) -> &'static [&'static str] {
    TABLES.iter().find(|(table, _)| *table == view.table()).map_or(&[], |(_, names)| names)
}

/// A key as a request writes it: a text, or a number by its digits.
fn key(value: &RawValue) -> Option<String> {
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'"') => serde_json::from_str(text).ok(),
        Some(b'-' | b'0'..=b'9') => Some(text.to_owned()),
        _ => None,
    }
}

/// The features that a name stands for.
fn service(serving: &Serving, offer: &Offer, name: &str) -> Option<Vec<String>> {
    let all = |view: &View| view.columns().iter().map(|column| format!("{name}:{column}")).collect();
    offer.services.get(name).cloned().or_else(|| serving.view(name).map(all))
}

/// Answers the body of a request.
pub fn answer(serving: &Serving, body: &[u8]) -> Answer {
    match answered(serving, body) {
        Ok(answer) | Err(answer) => answer,
    }
}

fn answered(serving: &Serving, body: &[u8]) -> Result<Answer, Answer> {
    let request: Request = serde_json::from_slice(body).map_err(|e| {
        let kind = match e.classify() {
            serde_json::error::Category::Data if e.to_string().starts_with("missing field") => "missing",
            serde_json::error::Category::Data => "value_error",
            _ => "json_invalid",
        };
        unfit(kind, &[], &e.to_string())
    })?;
    let features = match &request.feature_service {
        Some(name) => service(serving, &serving.offer, name)
            .ok_or_else(|| error(404, "FeatureServiceNotFoundException", &format!("Feature service {name} does not exist")))?,
        None => request.features.clone(),
    };
    if features.is_empty() && request.feature_service.is_none() {
        return Err(unfit("missing", &["features"], "name features or a feature_service"));
    }
    let (views, wanted) = resolve(serving, &features)?;
    if !request.full_feature_names {
        let mut met = BTreeSet::new();
        let twice: BTreeSet<&str> = wanted.iter().map(|w| w.name).filter(|name| !met.insert(*name)).collect();
        if !twice.is_empty() {
            let names: Vec<&str> = twice.into_iter().collect();
            let message = format!(
                "Duplicate features named {} found.\nTo resolve this collision, either use the full feature name by setting \
                 'full_feature_names=True', or ensure that the features in question have different names.",
                names.join(", ")
            );
            return Err(error(422, "FeatureNameCollisionError", &message));
        }
    }

    let entities = &request.entities.0;
    let rows = entities.first().map_or(0, |(_, values)| values.len());
    if entities.iter().any(|(_, values)| values.len() != rows) {
        return Err(refusal(422, &json!("All entity rows must have the same columns.")));
    }
    let joined = |view: &View| entities.iter().find(|(name, _)| join_keys(view).contains(&name.as_str()));
    let missing: Vec<&str> = views.iter().filter(|view| joined(view).is_none()).map(|view| join_keys(view)[0]).collect();
    if !missing.is_empty() {
        return Err(refusal(422, &json!(format!("Missing join key values for keys: {missing:?}."))));
    }
    let used: Vec<_> = entities.iter().filter(|(name, _)| views.iter().any(|v| join_keys(v).contains(&name.as_str()))).collect();
    if (used.len() + wanted.len()).saturating_mul(rows) > MOST_VALUES {
        let message = format!("{rows} entities with {} features are more than {MOST_VALUES} values: ask in parts", wanted.len());
        return Err(unfit("value_error", &["entities"], &message));
    }

    // Held while the rows are taken out, so that all of them are of one watermark.
    let published = serving.published.read().unwrap_or_else(PoisonError::into_inner);
    let Some(watermark) = *published else {
        return Err(refusal(503, &json!({"detail": "the engine knows no watermark yet: ask again"})));
    };
    let found: Vec<Vec<Option<Found>>> = views
        .iter()
        .map(|view| {
            let values = joined(view).map_or(&[][..], |(_, values)| values);
            values.iter().map(|value| key(value).and_then(|key| view.at(&key, watermark, i64::MAX))).collect()
        })
        .collect();
    drop(published);

    let aged = serving.offer.max_age.is_some_and(|max_age| now() - watermark > max_age);
    let mut out = Writer { out: Vec::with_capacity(256 + 64 * rows * (used.len() + wanted.len())), statuses: [0; 4] };
    let full = |w: &Wanted| match request.full_feature_names {
        true => format!("{}__{}", views[w.view].table().name(), w.name),
        false => w.name.to_owned(),
    };
    let names = used.iter().map(|(name, _)| name.clone()).chain(wanted.iter().map(full));
    let names = serde_json::to_string(&names.collect::<Vec<String>>()).expect("texts are JSON");
    out.raw("{\"metadata\":{\"feature_names\":");
    out.raw(&names);
    out.raw("},\"results\":[");
    for (i, (_, values)) in used.iter().enumerate() {
        out.result(i, values.iter().map(|value| (Some(value.get()), PRESENT)), NEVER);
    }
    let time = format!("\"{}\"", stamp(watermark));
    let entities = out.statuses;
    for (i, w) in wanted.iter().enumerate() {
        let cells = found[w.view].iter().map(|found| {
            let Some(found) = found else { return (None, NOT_FOUND) };
            let value = w.column.and_then(|column| found.row.value(column));
            (
                value,
                if aged {
                    OUTSIDE_MAX_AGE
                } else if value.is_some() {
                    PRESENT
                } else {
                    NULL_VALUE
                },
            )
        });
        out.result(used.len() + i, cells, &time);
    }
    out.raw("]}");
    let statuses = std::array::from_fn(|i| out.statuses[i] - entities[i]);
    Ok(Answer { code: 200, body: out.out, watermark: Some(watermark), statuses })
}

/// What the names of features stand for: the views that are needed, and each feature with its place in them.
fn resolve<'s, 'f>(serving: &'s Serving, features: &'f [String]) -> Result<(Vec<&'s View>, Vec<Wanted<'f>>), Answer> {
    let (mut views, mut columns, mut wanted) = (vec![], vec![], vec![]);
    for feature in features {
        let Some((view, name)) = feature.split_once(':') else {
            return Err(unfit("value_error", &["features"], &format!("{feature} is no feature: write view:feature")));
        };
        let number = match views.iter().position(|known: &&View| known.table().name() == view) {
            Some(number) => number,
            None => {
                let none = || error(404, "FeatureViewNotFoundException", &format!("Feature view {view} does not exist"));
                let found = serving.view(view).ok_or_else(none)?;
                views.push(found);
                columns.push(found.columns());
                views.len() - 1
            }
        };
        let column = columns[number].iter().position(|column: &String| column == name);
        // Before the first row nobody knows what the columns are.
        if column.is_none() && !columns[number].is_empty() {
            let message = format!("Feature {name} does not exist in feature view {view}");
            return Err(error(404, "FeastObjectNotFoundException", &message));
        }
        wanted.push(Wanted { view: number, column, name });
    }
    Ok((views, wanted))
}

struct Writer {
    out: Vec<u8>,
    statuses: [u64; 4],
}

impl Writer {
    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn list<T>(&mut self, name: &str, items: impl Iterator<Item = T>, mut write: impl FnMut(&mut Writer, T)) {
        self.raw(name);
        for (i, item) in items.enumerate() {
            if i > 0 {
                self.out.push(b',');
            }
            write(self, item);
        }
        self.out.push(b']');
    }

    /// One result: values, statuses and times of all entities.
    fn result<'v>(&mut self, number: usize, cells: impl Iterator<Item = (Option<&'v str>, usize)> + Clone, time: &str) {
        self.raw(if number > 0 { ",{" } else { "{" });
        self.list("\"values\":[", cells.clone(), |out, (value, _)| out.raw(value.unwrap_or("null")));
        self.list(",\"statuses\":[", cells.clone(), |out, (_, status)| {
            out.statuses[status] += 1;
            ["\"", STATUSES[status], "\""].into_iter().for_each(|part| out.raw(part));
        });
        self.list(",\"event_timestamps\":[", cells, |out, (_, status)| {
            out.raw(if status == NOT_FOUND { NEVER } else { time });
        });
        self.out.push(b'}');
    }
}

#[cfg(test)]
mod tests;
