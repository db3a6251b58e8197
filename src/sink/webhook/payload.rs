//! An event as Alertmanager would post it: version 4 of its webhook payload, one alert a request, and what it has no place for.
//!
//! An event fires; an event with `retracts` resolves the alert that it takes back: same labels, same fingerprint. Besides the
//! fields of Alertmanager an alert has `event_id`, `revision` and `retracts`.

use serde::Deserialize;
use serde_json::{Value, json};

/// A row of `events`, as far as it is told.
#[derive(Deserialize)]
struct Event {
    event_id: String,
    #[serde(rename = "type")]
    kind: String,
    level: String,
    key: String,
    severity: String,
    window: String,
    window_start: String,
    window_end: String,
    revision: u64,
    value: Value,
    expected: Value,
    score: Value,
    growth_pct: Value,
    message: String,
    insights: Vec<String>,
    suppressed_since_last: u64,
    retracts: Option<String>,
    lineage: Lineage,
}

#[derive(Deserialize)]
struct Lineage {
    source: String,
    rule: String,
}

/// What is posted, and the key under which a receiver knows it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// The header `Idempotency-Key`: the id of the event and its revision.
    pub key: String,
    /// The body.
    pub body: String,
}

/// A line of `events` as it is posted.
///
/// # Errors
/// When it is not the line of an event.
pub fn post(line: &str) -> Result<Post, serde_json::Error> {
    let event: Event = serde_json::from_str(line)?;
    let resolved = event.retracts.is_some();
    let status = if resolved { "resolved" } else { "firing" };
    let fingerprint = &event.retracts.as_ref().unwrap_or(&event.event_id)[..16.min(event.event_id.len())];
    let group = json!({ "alertname": event.kind, "level": event.level, "key": event.key });
    let mut labels = group.clone();
    labels["severity"] = event.severity.into();
    labels["window"] = event.window.into();
    labels["rule"] = event.lineage.rule.into();
    let text = |value: &Value| if value.is_null() { String::new() } else { value.to_string() };
    let annotations = json!({
        "summary": event.message,
        "description": event.insights.join("\n"),
        "value": text(&event.value),
        "expected": text(&event.expected),
        "score": text(&event.score),
        "growth_pct": text(&event.growth_pct),
        "suppressed_since_last": event.suppressed_since_last.to_string(),
        "source": event.lineage.source,
    });
    let alert = json!({
        "status": status,
        "labels": labels,
        "annotations": annotations,
        "startsAt": event.window_start,
        // As Alertmanager has it of what goes on.
        "endsAt": if resolved { event.window_end.as_str() } else { "0001-01-01T00:00:00Z" },
        "generatorURL": "",
        "fingerprint": fingerprint,
        "event_id": event.event_id,
        "revision": event.revision,
        "retracts": event.retracts,
    });
    let body = json!({
        "version": "4",
        "groupKey": format!("{{}}:{{alertname={:?}, level={:?}, key={:?}}}", event.kind, event.level, event.key),
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "vitrine",
        "groupLabels": group,
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "",
        "alerts": [alert],
    });
    Ok(Post { key: format!("{}-{}", event.event_id, event.revision), body: body.to_string() })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A line of `events`.
    pub fn line(id: &str, revision: u64, retracts: Option<&str>) -> String {
        json!({
            "event_id": id, "type": "activity_spike", "level": "global", "key": "all", "severity": "warning",
            "window": "60s/30s", "window_start": "2026-01-31T10:00:00.000Z", "window_end": "2026-01-31T10:01:00.000Z",
            "revision": revision, "value": 28, "expected": 19.5, "score": 0.947368, "growth_pct": null,
            "message": "Activity spike", "insights": ["one", "two"], "suppressed_since_last": 8, "cooldown_s": 30,
            "retracts": retracts, "lineage": { "source": "sales", "rule": "growth/total_sales/slide" },
        })
        .to_string()
    }

    const ID: &str = "00010aff6162636465666768696a6b6c";

    #[test]
    fn an_event_fires() {
        let post = post(&line(ID, 2, None)).unwrap();
        assert_eq!(post.key, format!("{ID}-2"));
        let body: Value = serde_json::from_str(&post.body).unwrap();
        let fixed = [("version", "4"), ("status", "firing"), ("receiver", "vitrine")];
        fixed.iter().for_each(|(name, value)| assert_eq!(body[name], *value));
        assert_eq!(body["groupKey"], r#"{}:{alertname="activity_spike", level="global", key="all"}"#);
        let alert = &body["alerts"][0];
        assert_eq!(alert["labels"]["alertname"], "activity_spike");
        assert_eq!(alert["labels"], body["commonLabels"]);
        assert_eq!(alert["annotations"]["summary"], "Activity spike");
        assert_eq!((&alert["annotations"]["expected"], &alert["annotations"]["growth_pct"]), (&json!("19.5"), &json!("")));
        assert_eq!((&alert["startsAt"], &alert["endsAt"]), (&json!("2026-01-31T10:00:00.000Z"), &json!("0001-01-01T00:00:00Z")));
        assert_eq!((&alert["revision"], &alert["retracts"], &alert["fingerprint"]), (&json!(2), &Value::Null, &json!(ID[..16])));
    }

    #[test]
    fn a_retraction_resolves_what_it_takes_back() {
        let post = post(&line("ff010aff6162636465666768696a6b6c", 0, Some(ID))).unwrap();
        assert_eq!(post.key, "ff010aff6162636465666768696a6b6c-0");
        let body: Value = serde_json::from_str(&post.body).unwrap();
        let alert = &body["alerts"][0];
        assert_eq!((&body["status"], &alert["status"]), (&json!("resolved"), &json!("resolved")));
        assert_eq!((&alert["retracts"], &alert["fingerprint"]), (&json!(ID), &json!(ID[..16])));
        assert_eq!(alert["endsAt"], "2026-01-31T10:01:00.000Z");
    }
}
