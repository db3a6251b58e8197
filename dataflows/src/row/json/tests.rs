//! Each line once by hand, then read back by serde_json.

use super::*;
use crate::plan::Spec;
use crate::row::event::{Kind, Severity, Subject};
use crate::row::{CategoryColumns, Disposition, Gate, SellerColumns, WindowColumns};
use crate::sale::Fault;
use proptest::prelude::*;
use serde_json::{Value, json};

const TEN: i64 = 1_769_853_600_000; // 2026-01-31T10:00:00Z

fn plan() -> Plan {
    Plan::new(&Spec::default()).unwrap()
}

fn line<R>(write: impl FnOnce(&mut Vec<u8>) -> R) -> String {
    let mut out = vec![];
    write(&mut out);
    let text = String::from_utf8(out).unwrap();
    assert!(text.ends_with('\n') && text.matches('\n').count() == 1);
    text.trim_end().to_string()
}

/// A line as the certificate takes it.
fn certified<const N: usize>(write: impl FnOnce(&mut Vec<u8>) -> [Cut; N]) -> String {
    line(|out| write(out).iter().rev().for_each(|cut| drop(out.drain(cut.0..cut.1))))
}

fn columns() -> WindowColumns {
    WindowColumns {
        total_sales: 23,
        total_units: 31,
        total_revenue: 284_750,
        returned_units: 2,
        returned_revenue: 5_005,
        biggest_sale: Some(99_990),
        active_sellers: 4,
        active_categories: 3,
        active_products: 17,
        top_category: Some(("Café \"Mocha\"".into(), 10)),
        top_seller: Some(("Norte".into(), 14)),
        growth_pct: Some(47_368_421),
        ..Default::default()
    }
}

#[test]
fn a_window() {
    let row = WindowRow { window: 0, start: TEN, end: TEN + 60_000, revision: 0, deleted: false, columns: columns() };
    // avg_ticket = 2847.50 / 23 = 123.804...
    assert_eq!(
        line(|out| window(&plan(), &row, out)),
        concat!(
            r#"{"window":"60s/30s","window_start":"2026-01-31T10:00:00.000Z","window_end":"2026-01-31T10:01:00.000Z","#,
            r#""revision":0,"partial":false,"empty_before":0,"total_sales":23,"total_units":31,"total_revenue":2847.50,"#,
            r#""returned_units":2,"returned_revenue":50.05,"avg_ticket":123.80,"biggest_sale":999.90,"active_sellers":4,"#,
            r#""active_categories":3,"active_products":17,"top_category":"Café \"Mocha\"","top_category_sales":10,"#,
            r#""top_seller":"Norte","top_seller_sales":14,"growth_pct":47.368421,"gates_failed":[]}"#
        )
    );
}

#[test]
fn a_window_with_nothing_in_it_and_one_taken_back() {
    let gates_failed = vec![Gate::TotalSales, Gate::TotalRevenue, Gate::ActiveSellers, Gate::Schema, Gate::Timestamp];
    let columns = WindowColumns { partial: true, empty_before: 3, gates_failed, ..Default::default() };
    let mut row = WindowRow { window: 1, start: TEN, end: TEN + 900_000, revision: 2, deleted: false, columns };
    assert_eq!(
        line(|out| window(&plan(), &row, out)),
        concat!(
            r#"{"window":"15m/1s","window_start":"2026-01-31T10:00:00.000Z","window_end":"2026-01-31T10:15:00.000Z","#,
            r#""revision":2,"partial":true,"empty_before":3,"total_sales":0,"total_units":0,"total_revenue":0.00,"#,
            r#""returned_units":0,"returned_revenue":0.00,"avg_ticket":null,"biggest_sale":null,"active_sellers":0,"#,
            r#""active_categories":0,"active_products":0,"top_category":null,"top_category_sales":0,"#,
            r#""top_seller":null,"top_seller_sales":0,"growth_pct":null,"#,
            r#""gates_failed":["total_sales","total_revenue","active_sellers","schema","timestamp"]}"#
        )
    );
    row.deleted = true;
    assert_eq!(
        line(|out| window(&plan(), &row, out)),
        concat!(
            r#"{"window":"15m/1s","window_start":"2026-01-31T10:00:00.000Z","window_end":"2026-01-31T10:15:00.000Z","#,
            r#""revision":2,"deleted":true}"#
        )
    );
}

#[test]
fn a_seller() {
    let columns = SellerColumns { volume: 31, revenue: 284_750, orders: Some(19), n_support: 23 };
    let mut row = SellerRow { as_of: TEN + 30_000, revision: 1, deleted: false, columns };
    assert_eq!(
        line(|out| seller("Norte", &row, out)),
        concat!(
            r#"{"key":"Norte","as_of":"2026-01-31T10:00:30.000Z","revision":1,"seller_volume_last_1h":31,"#,
            r#""seller_revenue_last_1h":2847.50,"seller_orders_last_1h":19,"n_support":23}"#
        )
    );
    row.columns.orders = None;
    assert!(line(|out| seller("Norte", &row, out)).contains(r#""seller_orders_last_1h":null,"#));
    row.deleted = true;
    assert_eq!(
        line(|out| seller("Norte", &row, out)),
        r#"{"key":"Norte","as_of":"2026-01-31T10:00:30.000Z","revision":1,"deleted":true}"#
    );
}

#[test]
fn a_category() {
    let columns = CategoryColumns {
        trend: -1_250_000,
        trend_se: 300_001,
        revenue: 1_050,
        volume: 12,
        price_mean_ln: Some(4_605_170),
        price_sd_ln: Some(0),
        n: 11,
    };
    let mut row = CategoryRow { as_of: TEN, revision: 0, deleted: false, columns };
    assert_eq!(
        line(|out| category("Chá", &row, out)),
        concat!(
            r#"{"key":"Chá","as_of":"2026-01-31T10:00:00.000Z","revision":0,"category_trend_30min":-1.250000,"#,
            r#""category_trend_30min_se":0.300001,"category_revenue_30min":10.50,"category_volume_30min":12,"#,
            r#""price_mean_ln":4.605170,"price_sd_ln":0.000000,"n":11,"n_support":11}"#
        )
    );
    (row.columns.price_mean_ln, row.columns.price_sd_ln) = (None, None);
    assert!(line(|out| category("Chá", &row, out)).contains(r#""price_mean_ln":null,"price_sd_ln":null,"#));
    row.deleted = true;
    assert_eq!(
        line(|out| category("Chá", &row, out)),
        r#"{"key":"Chá","as_of":"2026-01-31T10:00:00.000Z","revision":0,"deleted":true}"#
    );
}

fn an_event() -> Event {
    Event {
        id: *b"\x00\x01\x0a\xffabcdefghijkl",
        subject: Subject::whole(Kind::ActivitySpike),
        severity: Severity::Info,
        window: 0,
        start: TEN,
        end: TEN + 60_000,
        revision: 0,
        value: Figure::Count(28),
        expected: Some(Figure::Millionths(19_000_000)),
        score: 947_368,
        growth_pct: Some(47_368_421),
        message: "Activity spike".into(),
        insights: vec!["one".into(), "\"two\"".into()],
        suppressed_since_last: 8,
        cooldown: Some(240_000),
        retracts: None,
        bindings: (3, 17),
        learned: TEN + 90_000,
        rule: "growth/total_sales/slide".into(),
    }
}

#[test]
fn an_event_and_its_retraction() {
    let origin = Origin { source: "jan.csv".into(), config: "c0ffee".into(), engine: "vitrine 0.1.0".into() };
    let mut it = an_event();
    assert_eq!(
        line(|out| event(&plan(), &origin, &it, out)),
        concat!(
            r#"{"event_id":"00010aff6162636465666768696a6b6c","type":"activity_spike","level":"global","key":"all","#,
            r#""severity":"info","window":"60s/30s","window_start":"2026-01-31T10:00:00.000Z","#,
            r#""window_end":"2026-01-31T10:01:00.000Z","revision":0,"value":28,"expected":19.000000,"score":0.947368,"#,
            r#""growth_pct":47.368421,"message":"Activity spike","insights":["one","\"two\""],"suppressed_since_last":8,"#,
            r#""cooldown_s":240,"retracts":null,"lineage":{"source":"jan.csv","bindings":[3,17],"#,
            r#""watermark":"2026-01-31T10:01:30.000Z","rule":"growth/total_sales/slide","config":"c0ffee","#,
            r#""engine":"vitrine 0.1.0"}}"#
        )
    );
    it.retracts = Some(it.id);
    (it.expected, it.growth_pct, it.cooldown, it.value) = (None, None, None, Figure::Cents(-5));
    let text = certified(|out| event(&plan(), &origin, &it, out));
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["retracts"], value["event_id"]);
    assert_eq!(value["cooldown_s"], Value::Null);
    assert_eq!(
        value["lineage"],
        json!({"bindings": [3, 17], "watermark": "2026-01-31T10:01:30.000Z", "rule": "growth/total_sales/slide", "config": "c0ffee"})
    );
    assert!(text.contains(r#""value":-0.05,"expected":null,"score":0.947368,"growth_pct":null,"#));
}

#[test]
fn a_quiet_time_in_seconds() {
    for (ms, text) in [(30_000, "30"), (1_500, "1.500"), (1_005, "1.005"), (0, "0"), (240_000, "240")] {
        let mut out = vec![];
        seconds(ms, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }
}

#[test]
fn a_dead_letter_keeps_the_bytes() {
    let errors = [
        Fault { code: "price_out_of_range", field: Some("price"), message: "0 is below 0.01".into() },
        Fault { code: "bad_json", field: None, message: "no object".into() },
    ];
    let mut letter = DeadLetter {
        source: "in/a.csv",
        partition: 1,
        offset: 4_096,
        timestamp: None,
        disposition: Disposition::Rejected,
        errors: &errors,
        payload: b"{\"price\": 0}\r",
    };
    assert_eq!(
        line(|out| dead_letter(&letter, out)),
        concat!(
            r#"{"source":"in/a.csv","partition":1,"offset":4096,"timestamp":null,"disposition":"rejected","errors":["#,
            r#"{"code":"price_out_of_range","field":"price","message":"0 is below 0.01"},"#,
            r#"{"code":"bad_json","field":null,"message":"no object"}],"payload":"{\"price\": 0}\r"}"#
        )
    );
    // 0xff 0x00 0x61 = 111111 110000 000001 100001 = / w B h
    (letter.payload, letter.timestamp, letter.errors, letter.disposition) = (b"\xff\x00a", Some(TEN), &[], Disposition::TooLate);
    assert_eq!(
        certified(|out| dead_letter(&letter, out)),
        concat!(
            r#"{"partition":1,"offset":4096,"timestamp":"2026-01-31T10:00:00.000Z","disposition":"too_late","errors":[],"#,
            r#""payload_base64":"/wBh"}"#
        )
    );
}

proptest! {
    #[test]
    fn any_name_and_number_reads_back(
        key in "(?s).{0,30}", volume: i64, revenue in -1_000_000_000_000..1_000_000_000_000i64, n: i64, revision: u32,
    ) {
        let columns = SellerColumns { volume, revenue, orders: Some(n), n_support: n };
        let row = SellerRow { as_of: TEN, revision, deleted: false, columns };
        let value: Value = serde_json::from_str(&line(|out| seller(&key, &row, out))).unwrap();
        prop_assert_eq!(value["key"].as_str().unwrap(), key);
        prop_assert_eq!(value["revision"].as_u64(), Some(u64::from(revision)));
        prop_assert_eq!(value["seller_volume_last_1h"].as_i64(), Some(volume));
        prop_assert_eq!(value["seller_orders_last_1h"].as_i64(), Some(n));
        // exact for amounts below 2^53 cents: the nearest float of n / 100 reads back as n
        let money = value["seller_revenue_last_1h"].as_f64().unwrap();
        prop_assert_eq!((money * 100.0).round() as i64, revenue);
    }

    #[test]
    fn any_bytes_of_a_dead_letter_read_back(payload: Vec<u8>, source in "(?s).{0,20}") {
        let letter = DeadLetter {
            source: &source, partition: 0, offset: 0, timestamp: None, disposition: Disposition::Rejected, errors: &[], payload: &payload,
        };
        let value: Value = serde_json::from_str(&line(|out| dead_letter(&letter, out))).unwrap();
        let back = match value.get("payload") {
            Some(text) => text.as_str().unwrap().as_bytes().to_vec(),
            None => STANDARD.decode(value["payload_base64"].as_str().unwrap()).unwrap(),
        };
        prop_assert_eq!(back, payload);
        prop_assert_eq!(value["source"].as_str().unwrap(), source);
    }
}
