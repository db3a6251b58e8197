//! Requests and answers, word by word.

use super::*;
use crate::metrics::Metrics;
use crate::sink::tally::Tally;
use dataflows::clock::Binding;
use dataflows::edge::{Marks, RowSink, Table, TickRows};
use dataflows::plan::{Plan, Spec};
use std::path::Path;
use std::sync::Arc;

const TABLES: [Table; 2] = [Table::SellerFeatures, Table::CategoryFeatures];

/// What is served, and the sink that feeds it.
fn serving(offer: Offer, folder: Option<&Path>) -> (Arc<Serving>, Box<dyn RowSink + Send>) {
    let plan = Arc::new(Plan::new(&Spec::default()).unwrap());
    let metrics = Arc::new(Metrics::new(&plan, 1, Arc::default()));
    let serving = Arc::new(Serving::new(plan, &TABLES, offer));
    let sink = serving.clone().before(metrics, folder.map(Path::to_path_buf), Tally::default().before(vec![]));
    (serving, sink)
}

fn line(key: &str, as_of: i64, rest: &str) -> String {
    let as_of = DateTime::from_timestamp(as_of, 0).unwrap().to_rfc3339_opts(SecondsFormat::Millis, true);
    format!("{{\"key\":{},\"as_of\":\"{as_of}\",\"revision\":0{rest}}}\n", json!(key))
}

fn tick(learned: u32, rows: &[(Table, String)]) -> TickRows {
    let mut tick = TickRows { learned, ..TickRows::default() };
    for (table, line) in rows {
        tick.lines[*table as usize].extend_from_slice(line.as_bytes());
        tick.rows[*table as usize] += 1;
    }
    tick
}

fn epoch(before: u32, after: u32) -> Binding {
    let (added, blocks, last, stop, checkpoint, weight) = (vec![], vec![], None, false, false, (0, 0));
    Binding { epoch: u64::from(after), before, after, added, blocks, last, stop, checkpoint, weight, newest: None }
}

/// Two sellers and a category at the watermark 60.
fn shop(offer: Offer) -> Arc<Serving> {
    let (serving, mut sink) = serving(offer, None);
    let rows = [
        (Table::SellerFeatures, line("a", 30, ",\"volume\":7,\"revenue\":12.50,\"ratio\":null")),
        (Table::SellerFeatures, line("b", 60, ",\"volume\":1,\"revenue\":1.00,\"ratio\":0.500000")),
        (Table::CategoryFeatures, line("toys", 60, ",\"volume\":8")),
    ];
    sink.tick(&tick(60, &rows)).unwrap();
    sink.epoch(&epoch(0, 60)).unwrap();
    serving
}

fn ask(serving: &Serving, request: serde_json::Value) -> (u16, serde_json::Value) {
    let answer = answer(serving, request.to_string().as_bytes());
    (answer.code, serde_json::from_slice(&answer.body).unwrap())
}

#[test]
fn an_answer_has_the_form_of_the_feature_server() {
    let request = r#"{"features":["seller_features:revenue","seller_features:ratio"],"entities":{"seller":["a","b","nobody"]}}"#;
    let answer = answer(&shop(Offer::default()), request.as_bytes());
    let never = "1970-01-01T00:00:00Z";
    let expected = json!({
        "metadata": {"feature_names": ["seller", "revenue", "ratio"]},
        "results": [
            {"values": ["a", "b", "nobody"], "statuses": ["PRESENT", "PRESENT", "PRESENT"], "event_timestamps": [never, never, never]},
            {
                "values": [12.5, 1.0, null], "statuses": ["PRESENT", "PRESENT", "NOT_FOUND"],
                "event_timestamps": ["1970-01-01T00:01:00Z", "1970-01-01T00:01:00Z", never],
            },
            {
                "values": [null, 0.5, null], "statuses": ["NULL_VALUE", "PRESENT", "NOT_FOUND"],
                "event_timestamps": ["1970-01-01T00:01:00Z", "1970-01-01T00:01:00Z", never],
            },
        ],
    });
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap(), expected);
    assert_eq!((answer.code, answer.watermark, answer.statuses), (200, Some(60_000), [3, 1, 2, 0]));
    assert!(String::from_utf8(answer.body).unwrap().contains("[12.50,1.00,null]"), "the digits of the table");
}

#[test]
fn tables_are_joined_by_their_own_keys_and_names_can_be_full() {
    let serving = shop(Offer::default());
    let features = ["seller_features:volume", "category_features:volume", "seller_features:as_of"];
    let entities = json!({"nm_category": ["toys", "toys"], "seller": ["a", 5], "other": [1, 2]});
    let request = json!({"features": features, "entities": entities, "full_feature_names": true});
    let (code, said) = ask(&serving, request);
    let names = ["nm_category", "seller", "seller_features__volume", "category_features__volume", "seller_features__as_of"];
    assert_eq!((code, &said["metadata"]["feature_names"]), (200, &json!(names)));
    let values: Vec<_> = said["results"].as_array().unwrap().iter().map(|r| r["values"].clone()).collect();
    assert_eq!(values[2..], [json!([7, null]), json!([8, 8]), json!(["1970-01-01T00:00:30.000Z", null])]);
    let request = json!({"features": features, "entities": entities});
    let (code, said) = ask(&serving, request);
    assert_eq!((code, said.as_str().unwrap().contains("FeatureNameCollisionError")), (422, true), "{said}");
}

#[test]
fn a_service_is_a_list_of_the_settings_or_a_table() {
    let services = [("fraud".to_owned(), vec!["seller_features:ratio".to_owned()])].into();
    let serving = shop(Offer { services, ..Offer::default() });
    let names = |service: &str| {
        let (code, said) = ask(&serving, json!({"feature_service": service, "entities": {"seller": ["b"]}}));
        (code, said["metadata"]["feature_names"].clone())
    };
    assert_eq!(names("fraud"), (200, json!(["seller", "ratio"])));
    assert_eq!(names("seller_features"), (200, json!(["seller", "as_of", "revision", "volume", "revenue", "ratio"])));
    assert_eq!(names("none").0, 404);
}

#[test]
fn mistakes_are_told_as_feast_tells_them() {
    let serving = shop(Offer::default());
    let wrong = |request: &str| {
        let answer = answer(&serving, request.as_bytes());
        (answer.code, serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap())
    };
    let class = |said: &serde_json::Value| {
        let detail: serde_json::Value = serde_json::from_str(said.as_str().unwrap()).unwrap();
        assert_eq!(detail["module"], "feast.errors");
        (detail["class"].as_str().unwrap().to_owned(), detail["message"].as_str().unwrap().to_owned())
    };
    let (code, said) = wrong(r#"{"features":["windows:total_sales"],"entities":{"seller":["a"]}}"#);
    let message = "Feature view windows does not exist".to_owned();
    assert_eq!((code, class(&said)), (404, ("FeatureViewNotFoundException".into(), message)));
    let (code, said) = wrong(r#"{"features":["seller_features:size"],"entities":{"seller":["a"]}}"#);
    assert_eq!((code, class(&said).0), (404, "FeastObjectNotFoundException".into()));
    for (request, kind) in [
        ("{", "json_invalid"),
        (r#"{"features":["seller_features:volume"]}"#, "missing"),
        (r#"{"features":[],"entities":{}}"#, "missing"),
        (r#"{"features":["volume"],"entities":{"seller":["a"]}}"#, "value_error"),
        (r#"{"features":3,"entities":{}}"#, "value_error"),
    ] {
        let (code, said) = wrong(request);
        assert_eq!((code, said["detail"][0]["type"].as_str()), (422, Some(kind)), "{request}: {said}");
    }
    let (code, said) = wrong(r#"{"features":["seller_features:volume"],"entities":{"category":["toys"]}}"#);
    assert_eq!((code, said.as_str()), (422, Some("Missing join key values for keys: [\"seller\"].")));
    let (code, said) = wrong(r#"{"features":["seller_features:volume"],"entities":{"seller":["a"],"category":[]}}"#);
    assert_eq!((code, said.as_str()), (422, Some("All entity rows must have the same columns.")));
    let many = json!({"features": ["seller_features:volume"], "entities": {"seller": vec!["a"; MOST_VALUES]}});
    assert_eq!(wrong(&many.to_string()).0, 422);
}

#[test]
fn before_the_first_watermark_nothing_is_said_and_before_the_first_row_nothing_is_found() {
    let (serving, mut sink) = serving(Offer::default(), None);
    let request = json!({"features": ["seller_features:anything"], "entities": {"seller": ["a"]}});
    assert_eq!(ask(&serving, request.clone()).0, 503);
    sink.epoch(&epoch(0, 30)).unwrap();
    let (code, said) = ask(&serving, request);
    assert_eq!((code, &said["results"][1]["statuses"]), (200, &json!(["NOT_FOUND"])));
}

#[test]
fn a_watermark_that_is_too_old_is_told_by_the_status() {
    let request = json!({"features": ["seller_features:volume"], "entities": {"seller": ["a", "nobody"]}});
    let (_, said) = ask(&shop(Offer { max_age: Some(60_000), ..Offer::default() }), request);
    let result = &said["results"][1];
    assert_eq!((&result["values"], &result["statuses"]), (&json!([7, null]), &json!(["OUTSIDE_MAX_AGE", "NOT_FOUND"])));
}

/// Rows of a tick are all shown, or none of them; and what is taken back lets the row before it count.
#[test]
fn ticks_show_when_their_epoch_is_complete() {
    let (serving, mut sink) = serving(Offer::default(), None);
    let volume =
        || ask(&serving, json!({"features": ["seller_features:v"], "entities": {"seller": ["a"]}})).1["results"][1].clone();
    sink.tick(&tick(30, &[(Table::SellerFeatures, line("a", 30, ",\"v\":1"))])).unwrap();
    sink.epoch(&epoch(0, 30)).unwrap();
    sink.tick(&tick(60, &[(Table::SellerFeatures, line("a", 60, ",\"v\":2"))])).unwrap();
    assert_eq!(volume()["values"], json!([1]));
    sink.epoch(&epoch(30, 89)).unwrap();
    assert_eq!((&volume()["values"], &volume()["event_timestamps"]), (&json!([2]), &json!(["1970-01-01T00:01:29Z"])));
    sink.tick(&tick(90, &[(Table::SellerFeatures, line("a", 60, ",\"deleted\":true"))])).unwrap();
    assert_eq!(volume()["values"], json!([2]));
    sink.epoch(&epoch(89, 90)).unwrap();
    assert_eq!(volume()["values"], json!([1]));
}

/// A run that goes on from a checkpoint serves what was served then, however long ago it was said.
#[test]
fn what_was_served_comes_back_with_the_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let request =
        json!({"feature_service": "seller_features", "entities": {"seller": (0..60).map(|n| n.to_string()).collect::<Vec<_>>()}});
    let row = |n: u32, s: u32, v: u32| (Table::SellerFeatures, line(&n.to_string(), s.into(), &format!(",\"v\":{v}")));
    let (first, mut sink) = serving(Offer::default(), Some(folder.path()));
    let mut marks = Marks::new();
    for s in 1..=50_u32 {
        sink.tick(&tick(30 * s, &[row(s, 30 * s, s), row(s / 2, 30 * s, s)])).unwrap();
        sink.epoch(&epoch(30 * s - 30, 30 * s)).unwrap();
        marks.clear();
        sink.save(&mut marks).unwrap();
    }
    let said = ask(&first, request.clone());
    // What comes behind the checkpoint is not in it.
    sink.tick(&tick(1_530, &[row(1, 1_530, 99)])).unwrap();
    sink.epoch(&epoch(1_500, 1_530)).unwrap();
    drop(sink);

    let (again, mut sink) = serving(Offer::default(), Some(folder.path()));
    assert_eq!(ask(&again, request.clone()).0, 503);
    sink.resume(&marks).unwrap();
    assert_eq!(ask(&again, request.clone()), said);
    sink.tick(&tick(1_530, &[row(1, 1_530, 100)])).unwrap();
    sink.epoch(&epoch(1_500, 1_530)).unwrap();
    let (_, other) = ask(&again, json!({"features": ["seller_features:v"], "entities": {"seller": ["1"]}}));
    assert_eq!(other["results"][1]["values"], json!([100]));

    // Without its log a run goes on all the same.
    std::fs::remove_dir_all(folder.path()).unwrap();
    let (bare, mut sink) = serving(Offer::default(), Some(folder.path()));
    sink.resume(&marks).unwrap();
    sink.tick(&tick(1_590, &[row(7, 1_590, 7)])).unwrap();
    sink.epoch(&epoch(1_560, 1_590)).unwrap();
    let (_, said) = ask(&bare, json!({"features": ["seller_features:v"], "entities": {"seller": ["7", "8"]}}));
    assert_eq!(said["results"][1]["values"], json!([7, null]));
}
