//! What a checkpoint depends on: under other windows, features or another schema the same journal would mean something else.
//!
//! Thresholds, gates, cooldown, sinks and logging are not in it: they may change from run to run.

use super::manifest::Manifest;
use crate::error::Error;
use dataflows::plan::Plan;
use dataflows::schema::Schema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// By what it is called in the settings: the value, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(pub BTreeMap<String, String>);

/// Of the detectors of counts; the threshold may change.
fn detect(plan: &Plan) -> String {
    let spec = &plan.detect.spec;
    let on = || format!("on, panes of {} ticks, days of {}, announced {:?}", plan.detect.step, spec.zone, spec.announced);
    if plan.detect.enabled { on() } else { "off".into() }
}

/// Of the detectors that look at single sales; thresholds may change.
fn signals(plan: &Plan) -> String {
    let stock = if plan.signals.spec.stock { "with stock" } else { "without stock" };
    let on = || format!("on, panes of {} ticks, {stock}", plan.signals.slide);
    if plan.signals.enabled { on() } else { "off".into() }
}

impl Fingerprint {
    /// Of a plan, a schema and where the records come from.
    pub fn of(plan: &Plan, schema: &Schema, source: &str) -> Fingerprint {
        let window = |w: &dataflows::plan::Window| {
            format!("{} (lateness {} ticks, biggest {})", w.name, w.lateness, if w.biggest { "on" } else { "off" })
        };
        let windows: Vec<String> = plan.windows.iter().map(window).collect();
        let schema = dataflows::dictionary::identity(format!("{schema:?}").as_bytes());
        let parts = [
            ("source", source.to_string()),
            ("windows", windows.join(", ")),
            ("features", format!("{:?}", plan.features)),
            ("profiles", format!("{:?}, version {}", plan.profiles, dataflows::profile::VERSION)),
            ("time", format!("tick {} ms, origin {}, slack {} ms", plan.tick, plan.origin, plan.slack)),
            ("events.reference", format!("{:?}", plan.events.reference)),
            ("detect", detect(plan)),
            ("signals", signals(plan)),
            ("ingest.deduplicate", format!("{} ms", plan.deduplicate)),
            ("schema", format!("{schema:032x}")),
        ];
        Fingerprint(parts.into_iter().map(|(name, value)| (name.to_string(), value)).collect())
    }

    /// Whether a checkpoint fits.
    ///
    /// # Errors
    /// What differs, and what to do.
    pub fn check(&self, manifest: &Manifest, state: &Path) -> Result<(), Error> {
        let theirs = &manifest.fingerprint.0;
        let differs = self.0.iter().filter(|(name, value)| theirs.get(*name) != Some(value));
        let told: Vec<String> = differs
            .map(|(name, value)| match theirs.get(name) {
                Some(was) if name == "schema" => format!("{name} ({} then, {} now)", &was[..8.min(was.len())], &value[..8]),
                Some(was) => format!("{name} ({was} then, {value} now)"),
                None => format!("{name} (unknown then, {value} now)"),
            })
            .collect();
        if told.is_empty() {
            return Ok(());
        }
        Err(Error::Settings(format!(
            "the checkpoints in {} were made under other settings: {}; set them back, or begin anew with another --state",
            state.display(),
            told.join("; ")
        )))
    }
}
