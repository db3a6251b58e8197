//! The feature tables: slide 30 s, lateness 60 s.

use super::super::epochs;
use super::super::features::{Kind, table};
use super::{at, cancel, params, sale};
use crate::oracle::params::Params;
use crate::oracle::record::{Input, Record};

type Case = (Params, Vec<Record>);

/// Rows as `learned: as_of rREVISION KEY COLUMNS`.
fn check((params, records): Case, kind: Kind, expected: &[&str]) {
    let course = epochs::run(&params, &[Input::of("a.ndjson", records)]);
    let rows = table(&params, &course, kind).into_iter().map(|said| {
        let columns = said.columns.map(|c| c.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(" "));
        let columns = columns.unwrap_or("deleted".into());
        format!("{} {} {columns}", at(&params, said.learned, said.as_of, said.revision), said.key)
    });
    assert_eq!(rows.collect::<Vec<_>>(), expected);
}

pub fn scenarios() -> Vec<Case> {
    vec![orders(), order_cancelled(), two_prices(), ramp()]
}

fn by(seller: &str, customer: Option<&str>, second: f64) -> Record {
    Record { seller: seller.into(), category: seller.into(), customer: customer.map(String::from), ..sale(second) }
}

fn orders() -> Case {
    let first = Record { quantity: 2, ..by("A", Some("c1"), 10.0) };
    let records = vec![first, by("A", Some("c1"), 40.0), by("A", Some("c2"), 65.0), by("A", None, 66.0), by("Z", None, 3_690.0)];
    (params(Params::window(6, 3, 6)), records)
}

/// Columns: units, revenue, orders, lines.
/// ```text
/// as_of      30    60    90              3630    3660    3690
/// c1 10.0    [ 2 units                   out
/// c1 40.0          [ same minute 0               out
/// c2 65.0                [                               out
/// -  66.0                [ one order a line              out
/// ```
/// Orders at 60: c1 in minute 0, once, though in two half-minutes. At 3630 its first half is gone and the second keeps the
/// order: c1, c2, and the line without customer are 3. At 3690 all falls to 0, and is said. Nothing is said in between.
#[test]
fn orders_across_half_minutes_and_a_fall_to_zero() {
    check(
        orders(),
        Kind::Seller,
        &[
            "30: 30 r0 A 2 20.00 1 1",
            "60: 60 r0 A 3 30.00 1 2",
            "90: 90 r0 A 5 50.00 3 4",
            "3630: 3630 r0 A 3 30.00 3 3",
            "3660: 3660 r0 A 2 20.00 2 2",
            "3690: 3690 r0 A 0 0.00 0 0",
            "3720: 3720 r0 Z 1 10.00 1 1",
        ],
    );
}

fn order_cancelled() -> Case {
    let records = vec![
        by("A", Some("c1"), 10.0),
        by("A", Some("c1"), 40.0),
        by("Z", None, 60.0),
        cancel(by("A", Some("c1"), 10.0)),
        by("Z", None, 90.0),
    ];
    (params(Params::window(6, 3, 6)), records)
}

/// The cancellation comes when W is 60: 30 + 60 > 60, so it counts from 30 on, and is learned at 90. At 30 the sums are again
/// what they were at 0, so nothing changed there: the row is taken back. 60 has one line less; its order still has the other.
#[test]
fn a_cancelled_line_takes_a_row_back() {
    check(
        order_cancelled(),
        Kind::Seller,
        &[
            "30: 30 r0 A 1 10.00 1 1",
            "60: 60 r0 A 2 20.00 1 2",
            "90: 30 r1 A deleted",
            "90: 60 r1 A 1 10.00 1 1",
            "90: 90 r0 Z 1 10.00 1 1",
            "120: 120 r0 Z 2 20.00 2 2",
        ],
    );
}

fn two_prices() -> Case {
    let records = vec![by("K", None, 10.0), Record { price: 2_000, ..by("K", None, 15.0) }, by("Z", None, 1_860.0)];
    (params(Params::window(6, 3, 6)), records)
}

/// Columns: trend, its error, revenue, units, mean and deviation of ln price, lines, support.
///
/// ln 10 = 2.302585 is 2414435 / 2^20, ln 20 = 2.995732 is 3141253 / 2^20; their mean is 2777844 / 2^20 = 2.649158, their
/// deviation |3141253 - 2414435| / sqrt 2 / 2^20 = 0.490129. At 30 the lines enter the half hour; at 60 their minute is whole
/// and they enter the sums of the trend, which says 0 below 10 lines: the same columns, but an aggregate changed. They leave
/// at 1830 and, as a minute, at 1860. What is left has no mean.
#[test]
fn two_prices_and_their_minute() {
    check(
        two_prices(),
        Kind::Category,
        &[
            "30: 30 r0 K 0.000000 0.000000 30.00 2 2.649158 0.490129 2 2",
            "60: 60 r0 K 0.000000 0.000000 30.00 2 2.649158 0.490129 2 2",
            "1830: 1830 r0 K 0.000000 0.000000 0.00 0 null null 0 0",
            "1860: 1860 r0 K 0.000000 0.000000 0.00 0 null null 0 0",
            "1890: 1890 r0 Z 0.000000 0.000000 10.00 1 2.302585 0.000000 1 1",
        ],
    );
}

fn ramp() -> Case {
    let mut records: Vec<Record> =
        (20..30).map(|m| Record { price: 3_000, ..by("K", None, f64::from(m) * 60.0 + 30.0) }).collect();
    records.push(by("Z", None, 1_800.0));
    (params(Params::window(6, 3, 6)), records)
}

/// Ten sales for 30.00, one in each of the minutes 20 to 29; at 1800 the half hour is minutes 0 to 29.
/// ```text
/// sum y = 300, mean 10;  sum i y = 30 (20 + ... + 29) = 30 * 245 = 7350
/// b = (12 * 7350 - 6 * 29 * 300) / (30 * 899) = (88200 - 52200) / 26970 = 1.334816
/// trend = b * 30 / 10 = 4.004449
/// residuals: sum y^2 - 300^2 / 30 - b^2 * 2247.5 = 9000 - 3000 - 4004.449388 = 1995.550612;  / 28 = 71.269665
/// error of b = sqrt(71.269665 / 2247.5) = 0.178075;  * 30 / 10 = 0.534224
/// ln 30 = 3.401197
/// ```
#[test]
fn trend_of_ten_minutes() {
    let (params, records) = ramp();
    let course = epochs::run(&params, &[Input::of("a.ndjson", records)]);
    let rows = table(&params, &course, Kind::Category);
    let row = rows.iter().find(|r| at(&params, r.learned, r.as_of, r.revision) == "1800: 1800 r0").expect("a row");
    let columns: Vec<&str> = row.columns.iter().flatten().map(|c| c.1.as_str()).collect();
    assert_eq!(columns, ["4.004449", "0.534224", "300.00", "10", "3.401197", "0.000000", "10", "10"]);
}
