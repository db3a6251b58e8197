//! The stream as a whole: same bytes, shares as set, cancellations that match, labels that tell the truth.

mod scenario;

use super::*;
use chrono::DateTime;
use dataflows::decode::{Decoder, Format};
use dataflows::dictionary::Dictionaries;
use dataflows::schema::Schema;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// FNV-1a of the lines: a hash that is written down in six lines does not change with a dependency.
fn hash(lines: impl Iterator<Item = Record>) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325;
    for record in lines {
        for byte in record.line.bytes().chain(*b"\n") {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    state
}

fn stream(settings: Settings) -> Generator {
    Generator::new(settings).unwrap()
}

fn millis(value: &Value) -> i64 {
    DateTime::parse_from_rfc3339(value.as_str().unwrap()).unwrap().timestamp_millis()
}

fn cents(value: &Value) -> i64 {
    (value.as_f64().unwrap() * 100.0).round() as i64
}

/// Only good records, without disturbance.
fn calm() -> Settings {
    Settings { broken: 0.0, incidents: Incidents::Off, season: 0.0, noise: 0.0, ..Settings::default() }
}

#[test]
fn one_seed_gives_the_same_bytes_everywhere() {
    let of = |seed| hash(stream(Settings { seed, ..Settings::default() }).take(20_000));
    // A change of this value is a change of what `generate` writes and belongs into the changelog.
    assert_eq!(of(1), 14_828_289_632_924_685_722);
    assert_ne!(of(2), of(1));
}

#[test]
fn shares_are_near_their_settings() {
    let sales = 60_000;
    let settings = Settings { sales: Some(sales), cancel_within: 1_000, return_mean: 1_000, ..Settings::default() };
    let mut generator = stream(Settings { incidents: Incidents::Off, ..settings.clone() });
    let (mut late, mut last) = (0, i64::MIN);
    let mut sellers: HashMap<String, u64> = HashMap::new();
    for record in generator.by_ref() {
        assert!(record.at >= last, "arrivals go back");
        last = record.at;
        let Ok(sale) = serde_json::from_str::<Value>(&record.line) else { continue };
        if sale["op"] == "sale" && sale["sale_date"].as_str().is_some_and(|date| date.starts_with("2026-")) {
            late += u64::from(record.at - millis_or(&sale["sale_date"], record.at) > settings.jitter);
            *sellers.entry(sale["seller"].as_str().unwrap_or("").to_string()).or_default() += 1;
        }
    }
    let counts = generator.counts();
    assert_eq!(counts.sales, sales);
    assert_eq!(counts.records, counts.sales + counts.cancels + counts.returns + counts.duplicates + counts.broken);
    let near = |count: u64, share: f64| {
        let (count, expected) = (count as f64, share * sales as f64);
        assert!((count - expected).abs() < 5.0 * expected.sqrt() + 5.0, "{count} instead of {expected}");
    };
    near(counts.cancels, settings.cancels);
    near(counts.returns, settings.returns);
    near(counts.duplicates, settings.duplicates);
    near(counts.broken, settings.broken);
    // Late by more than the jitter: exp(-x) of those that are late at all, x = the jitter over the mean, and a little less.
    assert!((0.9 * settings.late..1.1 * settings.late).contains(&(late as f64 / sales as f64)), "{late}");
    let zipf: f64 = (1..=16).map(|rank| f64::from(rank).powf(-1.05)).sum();
    let first = sellers["Mercado Paulista"] as f64 / sales as f64;
    assert!((first * zipf - 1.0).abs() < 0.15, "{first}");
    assert!(sellers.len() >= 16);
}

fn millis_or(value: &Value, default: i64) -> i64 {
    DateTime::parse_from_rfc3339(value.as_str().unwrap_or("")).map_or(default, |date| date.timestamp_millis())
}

#[test]
fn records_keep_the_contract_and_cancellations_match_their_sale() {
    let settings = Settings {
        sales: Some(20_000),
        cancels: 0.03,
        returns: 0.03,
        duplicates: 0.02,
        cancel_within: 60_000,
        return_mean: 60_000,
        ..calm()
    };
    let payments = Schema::default().payments;
    let mut generator = stream(settings.clone());
    let mut sales: HashMap<String, String> = HashMap::new();
    let (mut cancelled, mut returned, mut again) = (HashSet::new(), 0, 0);
    for record in generator.by_ref() {
        let sale: Value = serde_json::from_str(&record.line).unwrap();
        let id = sale["id_sale"].as_str().unwrap().to_string();
        let date = millis(&sale["sale_date"]);
        assert!((settings.start..=record.at).contains(&date));
        let (price, quantity) = (cents(&sale["price"]), sale["quantity"].as_i64().unwrap());
        assert!((1..=5_000_000).contains(&price) && (1..=1_000).contains(&quantity));
        assert_eq!(price * quantity, cents(&sale["total_value"]));
        assert!(price * quantity <= 5_000_000);
        assert!(payments.iter().any(|payment| sale["tp_payment"] == payment.as_str()));
        assert_eq!(sale["customer_segment"] == "Guest", sale.get("id_customer").is_none());
        match sale["op"].as_str().unwrap() {
            "sale" => match sales.get(&id) {
                Some(first) => {
                    assert_eq!(*first, record.line);
                    again += 1;
                }
                None => assert!(sales.insert(id, record.line).is_none()),
            },
            "cancel" => {
                assert_eq!(sales[&id], record.line.replacen("cancel", "sale", 1));
                assert!(cancelled.insert(id));
            }
            "return" => {
                let sold: Value = serde_json::from_str(&sales[&id]).unwrap();
                assert!(millis(&sold["sale_date"]) < date && sold["quantity"].as_i64().unwrap() >= quantity);
                assert!(!cancelled.contains(&id));
                returned += 1;
            }
            other => panic!("{other}"),
        }
    }
    let counts = generator.counts();
    assert_eq!((sales.len(), cancelled.len()), (20_000, counts.cancels as usize));
    assert_eq!((returned, again), (counts.returns, counts.duplicates));
    assert!(counts.cancels > 300 && counts.returns > 300 && counts.duplicates > 200, "{counts:?}");
}

#[test]
fn the_mean_rate_and_the_clumping_are_as_set() {
    let settings = Settings { sales: None, late: 0.0, jitter: 0, cancels: 0.0, returns: 0.0, duplicates: 0.0, ..calm() };
    let mut minutes = vec![0.0; 120];
    for record in stream(settings.clone()) {
        let minute = ((record.at - settings.start) / 60_000) as usize;
        let Some(count) = minutes.get_mut(minute) else { break };
        *count += 1.0;
    }
    let mean = minutes.iter().sum::<f64>() / 120.0;
    let variance = minutes.iter().map(|count| (count - mean) * (count - mean)).sum::<f64>() / 119.0;
    assert!((580.0..620.0).contains(&mean), "{mean}");
    // The ratio has a relative standard error of sqrt(2 / 119) = 13 %.
    assert!((0.9..2.2).contains(&(variance / mean)), "{}", variance / mean);
}

#[test]
fn labels_tell_what_happens() {
    let settings = Settings { season: 0.0, noise: 0.0, broken: 0.0, ..Settings::demo() };
    let mut generator = stream(settings.clone());
    let labels = generator.labels_until(i64::MAX);
    let kinds: Vec<&str> = labels.iter().map(|label| label.kind).collect();
    assert_eq!(kinds, ["activity_spike", "revenue_surge", "activity_drop", "seller_burst", "price_error"]);
    let span = |label: &Label| (millis(&label.start_ts.clone().into()), millis(&label.end_ts.clone().into()));
    let spans: Vec<(i64, i64)> = labels.iter().map(span).collect();
    let (mut lines, mut units, mut burst, mut wrong) = ([0.0; 6], [0.0; 6], 0.0, 0);
    let list: HashMap<&str, i64> = catalogue::catalogue().iter().map(|product| (product.id, product.list_price)).collect();
    for record in generator.by_ref() {
        let Ok(sale) = serde_json::from_str::<Value>(&record.line) else { continue };
        if sale["op"] != "sale" || sale["seller"].as_str().is_none_or(str::is_empty) {
            continue;
        }
        let date = millis_or(&sale["sale_date"], settings.start);
        if date >= spans[4].1 {
            break;
        }
        // The last slot is quiet time; seconds of each slot turn counts into rates.
        let slot = spans.iter().position(|(start, end)| (*start..*end).contains(&date)).unwrap_or(5);
        lines[slot] += 1.0;
        units[slot] += sale["quantity"].as_f64().unwrap_or(1.0).clamp(1.0, 100.0);
        burst += f64::from(u8::from(slot == 3 && sale["seller"] == labels[3].entity_id.as_str()));
        let off = sale["id_product"] == labels[4].entity_id.as_str()
            && sale["price"].as_f64().is_some_and(|price| price < 0.2 * list[labels[4].entity_id.as_str()] as f64 / 100.0);
        assert!(!off || slot == 4, "a wrong price outside its incident: {}", record.line);
        wrong += u64::from(off);
    }
    let busy: i64 = spans.iter().map(|(start, end)| end - start).sum();
    let rate = lines[5] / (spans[4].1 - settings.start - busy) as f64;
    let ratio = |slot: usize| lines[slot] / (spans[slot].1 - spans[slot].0) as f64 / rate;
    assert!((3.4..4.6).contains(&ratio(0)), "spike {}", ratio(0));
    assert!((0.75..1.25).contains(&ratio(1)), "lines in the surge {}", ratio(1));
    assert!((3.0..5.0).contains(&(units[1] / lines[1] * lines[5] / units[5])), "units in the surge");
    assert!((0.05..0.2).contains(&ratio(2)), "drop {}", ratio(2));
    assert!(burst > 100.0, "{burst} sales of the bursting seller");
    assert!(wrong >= 12, "{wrong} sales at the wrong price");
    for label in &labels {
        assert!(label.detectability > 3.0, "{label:?}");
        let json: Value = serde_json::from_str(&label.to_json()).unwrap();
        assert_eq!(json["type"], label.kind);
    }
}

#[test]
fn writes_every_record_and_the_labels_it_saw() {
    let (mut out, mut labels, mut stock, mut last) = (vec![], vec![], vec![], 0);
    let settings = Settings { sales: Some(8_000), ..Settings::demo() };
    let beside = Beside { labels: Some(&mut labels), stock: Some(&mut stock) };
    let counts = write(settings.clone(), &mut out, beside, |sales| last = sales).unwrap();
    assert!(stock.is_empty(), "nothing runs out in the demonstration");
    assert_eq!((counts.sales, last), (8_000, 8_000));
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.lines().count() as u64, counts.records);
    assert!(text.lines().eq(stream(settings.clone()).map(|record| record.line)));
    let labels = String::from_utf8(labels).unwrap();
    let whole = stream(settings.clone()).labels_until(i64::MAX);
    let (stream, labels) = labels.split_once('\n').unwrap();
    let head: Value = serde_json::from_str(stream).unwrap();
    assert_eq!((&head["stream"]["seed"], &head["stream"]["series"]), (&1.into(), &(1 + 248 + 16).into()));
    assert!(labels.starts_with(&whole[0].to_json()));
    assert!((1..5).contains(&labels.lines().count()), "8,000 sales last under ten minutes: {labels}");
    let error = write(Settings { rate: 0.0, ..settings }, &mut vec![], Beside::default(), |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "rate is 0, allowed is 0.001 to 100000000");
}

#[test]
fn odd_shops_work_too() {
    for (sellers, categories, customers, clumping, rate) in
        [(1, 1, 1, 1.0, 0.01), (3, 15, 2, 7.0, 60.0), (300, 15, 1_000, 1.5, 600.0), (5_000, 248, 20_000, 2.2, 1e7)]
    {
        let settings =
            Settings { sales: Some(2_000), sellers, categories, customers, clumping, rate, noise: 2.0, ..Settings::default() };
        let mut generator = stream(settings);
        let mut names = HashSet::new();
        for record in generator.by_ref() {
            if let Ok(Value::Object(sale)) = serde_json::from_str::<Value>(&record.line) {
                names.extend(sale.get("seller").and_then(Value::as_str).map(String::from));
            }
        }
        assert_eq!(generator.counts().sales, 2_000);
        assert!(names.len() <= sellers + 2, "{names:?}");
    }
}

#[test]
fn the_decoder_refuses_the_broken_records_and_no_other() {
    let settings = Settings { sales: Some(10_000), broken: 0.25, ..Settings::demo() };
    let end = settings.start + 86_400_000;
    let mut generator = stream(settings);
    let bytes: String = generator.by_ref().map(|record| record.line + "\n").collect();
    let (mut decoder, mut names) = (Decoder::new(Arc::new(Schema::default())), Dictionaries::default());
    let length = bytes.len();
    let decoded = decoder.block(Format::Json, 0, bytes.into_bytes(), 0, 0, length, &mut names);
    // A wild date is a date; it is refused where dates are compared with each other.
    let wild = decoded.sales.iter().filter(|sale| sale.at > end).count();
    let counts = generator.counts();
    assert_eq!(decoded.records(), counts.records);
    assert_eq!((decoded.rejects.len() + wild) as u64, counts.broken);
    assert!(wild > 0);
    let codes: HashSet<&str> = decoded.rejects.iter().flat_map(|reject| &reject.faults).map(|fault| fault.code).collect();
    assert!(codes.len() >= 10, "{codes:?}");
    assert!(decoded.rejects.iter().any(|reject| reject.faults.len() >= 4));
}
