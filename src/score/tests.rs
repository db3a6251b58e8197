//! Hand-made cases, one for each part of the rule, and figures worked out by hand.

use super::matching::{Verdict, judge};
use super::read::{Tables, case};
use super::report::{Report, Scale};
use super::{Alert, Case, Label, Stream};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const MINUTE: i64 = 60_000;

/// An event from minute 10 to minute 15.
fn label(kind: &str, level: &str, key: &str) -> Label {
    Label {
        id: format!("{kind} {key}"),
        kind: kind.into(),
        level: level.into(),
        key: key.into(),
        up: kind != "activity_drop" && kind != "feed_outage",
        start: 10 * MINUTE,
        end: 15 * MINUTE,
        magnitude: 2.0,
        distance: 4.0,
        decades: 9.0,
        decades_60: 8.0,
        step: true,
        hard: false,
        family: None,
    }
}

fn alert(kind: &str, level: &str, key: &str, at: i64) -> Alert {
    Alert { kind: kind.into(), level: level.into(), key: key.into(), up: super::direction(kind), at, emitted: Some(at + 2_000) }
}

fn only(labels: &[Label], alert: Alert) -> Verdict {
    judge(labels, &[alert])[0]
}

#[test]
fn an_alert_hits_from_the_start_to_a_window_and_a_slide_after_the_end() {
    let labels = [label("activity_spike", "category", "Toys")];
    let at = |at| only(&labels, alert("activity_spike", "category", "Toys", at));
    assert_eq!(at(10 * MINUTE - 1), Verdict::Wrong(None));
    assert_eq!(at(10 * MINUTE), Verdict::Hit(0));
    assert_eq!(at(15 * MINUTE + 90_000), Verdict::Hit(0));
    assert_eq!(at(15 * MINUTE + 90_001), Verdict::Wrong(None));
}

#[test]
fn type_level_key_and_direction_must_agree() {
    let labels = [label("activity_spike", "category", "Toys")];
    let during = |kind, level, key| only(&labels, alert(kind, level, key, 12 * MINUTE));
    assert_eq!(during("activity_spike", "category", "Toys"), Verdict::Hit(0));
    assert_eq!(during("activity_spike", "category", "Games"), Verdict::Wrong(None));
    assert_eq!(during("activity_drop", "category", "Toys"), Verdict::Explained(0));
    assert_eq!(during("revenue_surge", "category", "Toys"), Verdict::Explained(0));
    assert_eq!(during("activity_spike", "global", "all"), Verdict::Explained(0));
    let trend = [Label { up: false, ..label("category_trend", "category", "Toys") }];
    let rising = Alert { up: Some(true), ..alert("category_trend", "category", "Toys", 12 * MINUTE) };
    assert_eq!(only(&trend, rising.clone()), Verdict::Explained(0));
    assert_eq!(only(&trend, Alert { up: Some(false), ..rising.clone() }), Verdict::Hit(0));
    assert_eq!(only(&trend, Alert { up: None, ..rising }), Verdict::Hit(0));
}

#[test]
fn further_hits_are_repeats_and_find_another_event_first() {
    let spike = label("activity_spike", "category", "Toys");
    let later = Label { start: 16 * MINUTE, end: 20 * MINUTE, ..spike.clone() };
    let alerts = [11, 12, 16, 17].map(|minute| alert("activity_spike", "category", "Toys", minute * MINUTE));
    let verdicts = judge(&[spike, later], &alerts);
    assert_eq!(verdicts, [Verdict::Hit(0), Verdict::Repeat(0), Verdict::Hit(1), Verdict::Repeat(1)]);
}

#[test]
fn relatives_are_explained_and_strangers_are_not() {
    let family = BTreeSet::from([("seller".to_string(), "Ana".to_string())]);
    let labels = [Label { family: Some(family), ..label("activity_spike", "category", "Toys") }];
    let during = |level, key| only(&labels, alert("seller_burst", level, key, 12 * MINUTE));
    assert_eq!(during("seller", "Ana"), Verdict::Explained(0));
    assert_eq!(during("seller", "Bia"), Verdict::Wrong(None));
    assert_eq!(only(&labels, alert("activity_drop", "global", "all", 12 * MINUTE)), Verdict::Explained(0));
    assert_eq!(only(&labels, alert("activity_drop", "global", "all", 17 * MINUTE)), Verdict::Wrong(None));
    let whole = [label("activity_drop", "global", "all")];
    assert_eq!(only(&whole, alert("activity_drop", "category", "Toys", 12 * MINUTE)), Verdict::Explained(0));
}

#[test]
fn the_opposite_within_ten_minutes_is_a_rebound() {
    let labels = [label("activity_drop", "category", "Toys")];
    let spike = |key, at| only(&labels, alert("activity_spike", "category", key, at));
    assert_eq!(spike("Toys", 15 * MINUTE + 90_001), Verdict::Rebound(0));
    assert_eq!(spike("Toys", 25 * MINUTE), Verdict::Rebound(0));
    assert_eq!(spike("Toys", 25 * MINUTE + 1), Verdict::Wrong(None));
    assert_eq!(spike("Games", 20 * MINUTE), Verdict::Wrong(None));
}

#[test]
fn an_outage_may_be_told_as_a_drop_of_the_whole_shop() {
    let labels = [label("feed_outage", "global", "all")];
    assert_eq!(only(&labels, alert("activity_drop", "global", "all", 12 * MINUTE)), Verdict::Hit(0));
    assert_eq!(only(&labels, alert("activity_drop", "category", "Toys", 12 * MINUTE)), Verdict::Explained(0));
}

#[test]
fn hard_negatives_admit_their_own_kind_and_are_held_to_the_rest() {
    let labels = [Label { hard: true, ..label("large_order", "seller", "Ana") }];
    assert_eq!(only(&labels, alert("large_order", "global", "all", 12 * MINUTE)), Verdict::Admitted(0));
    assert_eq!(only(&labels, alert("revenue_surge", "global", "all", 12 * MINUTE)), Verdict::Wrong(Some(0)));
    assert_eq!(only(&labels, alert("revenue_surge", "global", "all", 17 * MINUTE)), Verdict::Wrong(None));
}

fn report(cases: &[Case]) -> Report {
    Report::new(cases, Scale { budget_per_day: 0.6, series: None, threshold: Some(6.5) })
}

/// One day in which one of two events is found, with an explained alert and two false ones, of which the cooldown keeps one.
fn day(seed: u64) -> Case {
    let spike = label("activity_spike", "category", "Toys");
    let drop = Label { decades: 3.0, decades_60: 1.0, distance: 2.0, ..label("activity_drop", "category", "Games") };
    let quiet = Label { hard: true, start: 100 * MINUTE, end: 110 * MINUTE, ..label("announced_sale", "category", "Shoes") };
    let before = vec![
        alert("activity_spike", "category", "Toys", 11 * MINUTE),
        alert("activity_spike", "category", "Toys", 13 * MINUTE),
        alert("seller_burst", "seller", "Ana", 14 * MINUTE),
        alert("activity_spike", "category", "Shoes", 101 * MINUTE),
        alert("activity_spike", "category", "Shoes", 500 * MINUTE),
    ];
    let after = vec![before[1].clone(), before[4].clone()];
    Case {
        stream: Stream { generator: Some(2), seed: Some(seed), from: 0, until: 1_440 * MINUTE, series: Some(100) },
        labels: vec![spike, drop, quiet],
        before,
        after,
        suppressed: 3,
        retracted: 1,
    }
}

#[test]
fn figures_by_hand() {
    let one = report(&[day(7)]);
    let (before, after) = (&one.before, &one.after);
    let told = before.told_apart;
    assert_eq!([before.alerts, told.hits, told.repeats, told.explained, told.wrong], [5, 1, 1, 1, 2]);
    assert_eq!((before.precision.part, before.precision.all), (1, 3));
    assert_eq!((before.precision_strict.part, before.precision_strict.all), (1, 4));
    assert_eq!((before.recall.part, before.recall.all), (1, 2));
    assert!((before.f1.unwrap() - 0.4).abs() < 1e-12);
    assert_eq!((before.wrong_per_day, before.wrong_per_day_per_1000_series), (2.0, Some(20.0)));
    assert_eq!((before.alerts_per_event, before.explained_per_event), (Some(2.0), Some(1.0)));
    assert_eq!((after.told_apart.hits, after.told_apart.repeats, after.told_apart.wrong), (1, 0, 1));
    let all = &before.delays[0];
    assert_eq!((all.found, all.median_s, all.p90_slides, all.emitted_median_s), (1, Some(60.0), Some(2), Some(62.0)));
    assert_eq!(after.delays[0].median_slides, Some(6));
    // 8.0 at 60 s is less than 8.5: it stands out, but not that much.
    assert_eq!(before.delays[1].found, 0);
    let found: Vec<(u64, u64)> = before.recall_by_decades.iter().map(|s| (s.recall.part, s.recall.all)).collect();
    assert_eq!(found, [(0, 1), (0, 0), (1, 1), (0, 0), (1, 1)]);
    let found: Vec<(u64, u64)> = before.recall_by_distance.iter().map(|s| (s.recall.part, s.recall.all)).collect();
    assert_eq!(found, [(0, 1), (1, 1), (0, 0), (0, 0)]);
    assert_eq!((before.hard_negatives[0].events, before.hard_negatives[0].misled), (1, 1));
    assert_eq!((one.cooldown_fn, one.suppressed, one.suppression_rate, one.retracted), (0, 3, Some(0.6), 1));
    assert_eq!((one.days, one.seeds.as_slice()), (1.0, &[7][..]));
}

#[test]
fn streams_are_pooled_and_the_cooldown_answers_for_what_it_hides() {
    let mut other = day(8);
    other.after.remove(0);
    let both = report(&[day(7), other]);
    assert_eq!((both.days, both.before.told_apart.hits, both.after.told_apart.hits, both.cooldown_fn), (2.0, 2, 1, 1));
    // 1 of 2 and 0 of 1: the bootstrap over two streams says 0 to 0.5, Wilson's interval of 1 in 3 is wider.
    assert_eq!((both.after.precision.part, both.after.precision.all), (1, 3));
    assert!(both.after.precision.interval[0] < 0.07 && both.after.precision.interval[1] > 0.79);
    let text = both.text(true);
    for part in ["seeds 7, 8", "missed by it  1", "announced_sale", "recall, activity_spike category 2", "false alarms a day"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let json = serde_json::to_value(&both).unwrap();
    assert_eq!(json["before"]["precision"]["all"], 6);
}

#[test]
fn the_threshold_follows_from_the_budget() {
    let scale = Scale { budget_per_day: 0.6, series: None, threshold: None };
    let mut case = day(1);
    case.stream.series = Some(316);
    assert!((Report::new(&[case], scale).threshold - 6.482).abs() < 1e-3);
}

#[test]
fn rows_become_alerts() {
    let row = |kind: &str, end: &str, more: Value| {
        let mut row = json!({"event_id": "e", "type": kind, "level": "seller", "key": "Ana", "window_end": end,
            "retracts": null, "suppressed_since_last": 2, "lineage": {"watermark": "1970-01-01T00:20:00.000Z"}});
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        row.to_string()
    };
    let events = [
        row("fraud_like_burst", "1970-01-01T00:12:00.000Z", json!({"state": "opened"})),
        row("fraud_like_burst", "1970-01-01T00:12:10.000Z", json!({"state": "opened"})),
        row("seller_spike", "1970-01-01T00:13:00.000Z", json!({"state": "closed"})),
        row("seller_spike", "1970-01-01T00:13:00.000Z", json!({"retracts": "abc"})),
        row("price_anomaly", "1970-01-01T03:00:00.000Z", json!({"direction": "down"})),
    ];
    let episode = |id: &str, state: &str, end: &str| row("seller_spike", end, json!({"episode_id": id, "state": state}));
    let episodes = [
        episode("a", "opened", "1970-01-01T00:12:00.000Z"),
        episode("a", "escalated", "1970-01-01T00:13:00.000Z"),
        episode("a", "closed", "1970-01-01T00:14:00.000Z"),
        episode("b", "opened", "1970-01-01T00:15:00.000Z"),
    ];
    let labels = concat!(
        r#"{"stream":{"generator":2,"seed":4,"from":"1970-01-01T00:00:00Z","until":"1970-01-01T01:00:00Z","series":9}}"#,
        "\n",
        r#"{"event_id":"i","type":"seller_burst","entity_level":"seller","entity_id":"Ana","direction":"up","#,
        r#""start_ts":"1970-01-01T00:10:00Z","end_ts":"1970-01-01T00:15:00Z","family":{"category":["Toys"]}}"#
    );
    let (events, episodes) = (events.join("\n"), episodes.join("\n"));
    let tables = Tables { events: &events, episodes: Some(&episodes), suppressed: None };
    let read = case(labels, tables).unwrap();
    assert_eq!(read.stream, Stream { generator: Some(2), seed: Some(4), from: 0, until: 60 * MINUTE, series: Some(9) });
    // The second is in the slide of the first, the last behind the end of the stream.
    assert_eq!(read.after, [Alert { emitted: Some(20 * MINUTE), ..alert("seller_burst", "seller", "Ana", 12 * MINUTE) }]);
    assert_eq!(read.before.iter().map(|alert| alert.at / MINUTE).collect::<Vec<_>>(), [12, 15]);
    assert_eq!((read.suppressed, read.retracted), (10, 1));
    assert_eq!(read.labels[0].family, Some(BTreeSet::from([("category".into(), "Toys".into())])));
    let held = case(labels, Tables { suppressed: Some(&episodes), events: &events, episodes: None }).unwrap();
    assert_eq!((held.before.len(), held.suppressed), (3, 3));
}

#[test]
fn what_cannot_be_read_is_named_by_its_line() {
    let wrong = |labels: &str, events: &str| case(labels, Tables { events, ..Tables::default() }).unwrap_err();
    let (table, problem) = wrong("", "\n{\"type\":\"activity_spike\"}");
    assert_eq!((table, problem.to_string().as_str()), ("events", "line 2: missing field `level`"));
    let (table, problem) = wrong("{\"event_id\":\"x\"}", "");
    assert_eq!((table, problem.to_string().as_str()), ("labels", "line 1: missing field `type`"));
    assert!(wrong("", "{").1.to_string().starts_with("line 1: EOF"));
}
