//! The `events` table on `6s/3s`, lateness 6 s, thresholds 50 %, gates that everything passes.

use super::super::{epochs, events};
use super::{params, sale};
use crate::oracle::params::Params;
use crate::oracle::record::{Input, Record};

type Case = (Params, Vec<Record>);

fn said((params, records): Case) -> Vec<String> {
    events::table(&params, &epochs::run(&params, &[Input::of("a.ndjson", records)]))
}

/// Columns of a line as text.
fn columns(line: &str, names: &[&str]) -> String {
    let event: serde_json::Value = serde_json::from_str(line).expect("a line is JSON");
    names.iter().map(|n| event[*n].to_string().replace('"', "")).collect::<Vec<_>>().join(" ")
}

pub fn scenarios() -> Vec<Case> {
    vec![retracted(), rising(), standstill()]
}

fn retracted() -> Case {
    let seconds = [0.0, 3.5, 6.1, 6.2, 6.3, 9.0, 1.0, 1.1, 12.0];
    (params(Params::window(6, 3, 6)), seconds.map(sale).to_vec())
}

/// ```text
/// s       0      3      6      9     12
///         |a     |b     |c d e |f     |
/// 6       [   2         )                   [0, 6): its own reference begins before a, so it raises nothing
/// 9              [   4         )            (4 - 2) / 2 = +100 %, twice the threshold of 50 %: critical
/// late    |g h                              W is 9, so they count in 6 alone, which holds 4 at 12: 9 grew by 0 %
/// ```
/// The ids are SHA-256 over `["activity_spike","global","all","6s/3s","2026-01-31T10:00:09.000Z","growth/total_sales/slide"]`,
/// the retraction's with `growth/total_sales/slide/retraction`.
#[test]
fn a_correction_takes_the_ground_from_a_spike() {
    let spike = concat!(
        r#"{"event_id":"1515dc712d7611d9c03e42953fc2ab51","type":"activity_spike","level":"global","key":"all","#,
        r#""severity":"critical","window":"6s/3s","window_start":"2026-01-31T10:00:03.000Z","#,
        r#""window_end":"2026-01-31T10:00:09.000Z","revision":0,"value":4,"expected":2.000000,"score":2.000000,"#,
        r#""growth_pct":100.000000,"message":"Activity spike, +100.0 % against the window before, 4 sales, 40.00","#,
        r#""insights":["strong growth: 2.0 times the reference","concentrated on one seller: A made 100.0 % of the sales","#,
        r#""leading category: K with 100.0 % of the sales"],"suppressed_since_last":0,"cooldown_s":30,"retracts":null,"#,
        r#""lineage":{"watermark":"2026-01-31T10:00:09.000Z","rule":"growth/total_sales/slide"}}"#,
    );
    let surge = concat!(
        r#"{"event_id":"0d94ca7b56c63efaa27330d61c2ea13b","type":"revenue_surge","level":"global","key":"all","#,
        r#""severity":"critical","window":"6s/3s","window_start":"2026-01-31T10:00:03.000Z","#,
        r#""window_end":"2026-01-31T10:00:09.000Z","revision":0,"value":40.00,"expected":20.00,"score":2.000000,"#,
        r#""growth_pct":100.000000,"message":"Revenue surge, +100.0 % against the window before, 4 sales, 40.00","#,
        r#""insights":["strong growth: 2.0 times the reference","concentrated on one seller: A made 100.0 % of the sales","#,
        r#""leading category: K with 100.0 % of the sales"],"suppressed_since_last":0,"cooldown_s":30,"retracts":null,"#,
        r#""lineage":{"watermark":"2026-01-31T10:00:09.000Z","rule":"growth/total_revenue/slide"}}"#,
    );
    let spike_retracted = concat!(
        r#"{"event_id":"edc0337292107748c7abc85a61f6c93d","type":"activity_spike","level":"global","key":"all","#,
        r#""severity":"critical","window":"6s/3s","window_start":"2026-01-31T10:00:03.000Z","#,
        r#""window_end":"2026-01-31T10:00:09.000Z","revision":0,"value":4,"expected":4.000000,"score":0.000000,"#,
        r#""growth_pct":0.000000,"message":"Activity spike retracted after a correction: +0.0 % against the window before, "#,
        r#"4 sales, 40.00","insights":[],"suppressed_since_last":0,"cooldown_s":null,"#,
        r#""retracts":"1515dc712d7611d9c03e42953fc2ab51","#,
        r#""lineage":{"watermark":"2026-01-31T10:00:12.000Z","rule":"growth/total_sales/slide"}}"#,
    );
    let lines = said(retracted());
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[..3], [spike, surge, spike_retracted]);
    assert_eq!(
        columns(&lines[3], &["event_id", "retracts", "value", "expected"]),
        "2573a36dc5d715a93ff9acb41a5d02b0 0d94ca7b56c63efaa27330d61c2ea13b 40.0 40.0"
    );
}

fn rising() -> Case {
    (params(Params::window(6, 3, 6)), [0.0, 3.5, 6.1, 6.2, 9.0, 6.5, 12.0].map(sale).to_vec())
}

/// 9 holds three against two: +50 %, just the threshold, info. The late sale at 6.5 makes it four: +100 %, critical, so the
/// event goes out again with the same id. 12 = [6, 12) holds four, like 9.
#[test]
fn a_rise_of_severity_is_sent_again() {
    let names = ["type", "window_end", "revision", "severity", "value", "score", "cooldown_s"];
    let lines: Vec<String> = said(rising()).iter().map(|line| columns(line, &names)).collect();
    assert_eq!(
        lines,
        [
            "activity_spike 2026-01-31T10:00:09.000Z 0 info 3 1.0 30",
            "revenue_surge 2026-01-31T10:00:09.000Z 0 info 30.0 1.0 30",
            "activity_spike 2026-01-31T10:00:09.000Z 1 critical 4 2.0 30",
            "revenue_surge 2026-01-31T10:00:09.000Z 1 critical 40.0 2.0 30",
        ]
    );
}

fn standstill() -> Case {
    let mut params = params(Params::window(6, 3, 6));
    params.gates.sales = 3;
    let again = [12.1, 12.2, 12.3, 18.0, 21.0, 24.0];
    (params, [0.0, 0.1, 0.2].into_iter().chain(again).map(sale).collect())
}

/// Three sales are wanted by the gate.
/// ```text
/// s    0     3     6     9    12    15    18    21    24
///      |3    |     |     |    |3    |     |1    |1    |
/// 3    3     no reference
/// 6    3     its reference begins before the first sale
/// 9    0     -100 %: a drop; the gate looks at the reference, which holds 3. Sent, standstill.
/// 12   0     not written, and its reference is empty
/// 15   3     its reference is empty
/// 18   3     0 %
/// 21   1     -66.67 %: a drop, the reference holds 3. 21 - 9 <= 30: suppressed, nothing leaves.
/// 24   2     +100 %, but the window fails its gate
/// ```
#[test]
fn drops_are_gated_by_the_reference() {
    let names = ["type", "window_end", "severity", "value", "expected", "growth_pct", "insights"];
    let lines: Vec<String> = said(standstill()).iter().map(|line| columns(line, &names)).collect();
    assert_eq!(lines, ["activity_drop 2026-01-31T10:00:09.000Z critical 0 3.0 -100.0 [standstill: no sales]"]);
}
