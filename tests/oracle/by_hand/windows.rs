//! The `windows` table on `6s/3s`, lateness 6 s unless said otherwise. A tick is 3 s.

use super::super::{epochs, json, windows};
use super::{at, cancel, params, sale};
use crate::oracle::params::{Gates, Params};
use crate::oracle::record::{Broken, Input, Line, Op, Record};

type Case = (Params, Vec<Record>);

/// Rows as `learned: end rREVISION SALES, what else strikes`.
fn said(params: &Params, inputs: &[Input]) -> Vec<String> {
    let course = epochs::run(params, inputs);
    let rows = windows::table(params, &course);
    let text = |said: &windows::Said| {
        let mut text = at(params, said.learned, said.end, said.revision);
        let Some(row) = &said.row else { return text + " deleted" };
        text += &format!(" {}", row.content.sales);
        if let Some(growth) = row.growth {
            text += &format!(" {}%", json::fraction(growth));
        }
        if row.empty_before > 0 {
            text += &format!(" after {}", row.empty_before);
        }
        if row.partial {
            text += " partial";
        }
        if !row.gates_failed.is_empty() {
            text += &format!(" {}", row.gates_failed.join(" "));
        }
        text
    };
    rows.iter().map(text).collect()
}

fn check((params, records): Case, expected: &[&str]) {
    assert_eq!(said(&params, &[Input::of("a.ndjson", records)]), expected);
}

pub fn scenarios() -> Vec<Case> {
    vec![late_sale(), biggest_cancelled(), silence(), taken_back(), growth_restated(), keys_and_panes()]
}

fn late_sale() -> Case {
    (params(Params::window(6, 3, 6)), [1.0, 4.0, 9.5, 2.0, 12.0].map(sale).to_vec())
}

/// ```text
/// s        0     3     6     9    12    15    18
/// a 1.0    [a    |     ]                              W 0
/// b 4.0          [b    |     ]                        W 3
/// c 9.5                      [c    |     ]            W 9: closes 3, 6, 9
/// d 2.0    [     |d    ]                              late: 3 + 6 > 9 is false, 6 + 6 > 9: counts in 6 alone; learned at 12
/// e 12.0                           [e    |     ]      W 12: closes 12
/// end                                                 whole to 12; e lies in the pane of 15, the last window ends at 18
/// ```
/// Growth compares with 3 s before. The references 3 and 6 begin before a; 9 begins at 3.0: (1 - 1) / 1 = 0 %.
#[test]
fn a_late_sale_revises_a_closed_window() {
    check(
        late_sale(),
        &[
            "3: 3 r0 1",
            "6: 6 r0 2",
            "9: 9 r0 1",
            "12: 6 r1 3",
            "12: 12 r0 1 0.000000%",
            "15: 15 r0 2 partial",
            "18: 18 r0 1 partial",
        ],
    );
}

fn biggest_cancelled() -> Case {
    let big = Record { price: 3_000, ..sale(2.0) };
    (params(Params::window(6, 3, 6)), vec![sale(1.0), big.clone(), sale(7.0), cancel(big), sale(9.0)])
}

/// c at 7.0 moves W to 6 and closes 3 and 6; the cancellation of the 30.00 at 2.0 counts in 3 (3 + 6 > 6) and 6, and is
/// learned at 9. What is left of both is 10.00.
#[test]
fn the_biggest_sale_is_cancelled() {
    let (params, records) = biggest_cancelled();
    let course = epochs::run(&params, &[Input::of("a.ndjson", records)]);
    let rows = windows::table(&params, &course);
    let brief = rows.iter().map(|said| {
        let row = said.row.as_ref().expect("nothing is taken back");
        let (cents, biggest) = (row.content.cents, row.content.biggest.expect("a sale"));
        format!("{} {cents} {biggest}", at(&params, said.learned, said.end, said.revision))
    });
    let expected = [
        "3: 3 r0 4000 3000",
        "6: 6 r0 4000 3000",
        "9: 3 r1 1000 1000",
        "9: 6 r1 1000 1000",
        "9: 9 r0 1000 1000",
        "12: 12 r0 2000 1000",
        "15: 15 r0 1000 1000",
    ];
    assert_eq!(brief.collect::<Vec<_>>(), expected);
}

fn silence() -> Case {
    (params(Params::window(6, 3, 6)), [0.0, 31.0].map(sale).to_vec())
}

/// The sale at 0.0 is in 3 and 6. 9 is the first empty one: a zero row, (0 - 1) / 1 = -100 % of 6, which begins at 0.0 and is
/// wholly seen. 12, 15, 18, 21, 24, 27, 30 are not written: 7. The end comes at 31.0, so W = 30, and 33 and 36 are partial.
#[test]
fn one_zero_row_and_then_silence() {
    check(silence(), &["3: 3 r0 1", "6: 6 r0 1", "9: 9 r0 0 -100.000000%", "33: 33 r0 1 after 7 partial", "36: 36 r0 1 partial"]);
}

fn taken_back() -> Case {
    let records = vec![sale(0.0), sale(12.0), cancel(sale(0.0)), sale(15.0), sale(1.0), sale(18.0)];
    (params(Params::window(6, 3, 12)), records)
}

/// Lateness 12.
/// ```text
/// a 0.0       W 0
/// b 12.0      W 12: 3 and 6 hold a, 9 is a zero row, 12 is not written
/// -a 0.0      counts in 3 (3 + 12 > 12) and 6; learned at 15: 3, 6 and the zero row have no ground left
/// c 15.0      W 15: 15 = [9, 15) holds b; nothing precedes it any more
/// d 1.0       3 + 12 > 15 is false: counts in 6 alone; learned at 18: 6 is back, the zero row 9 too, and 12 is again
///             unwritten between 9 and 15. Growth of 9: the first event time is a's, 0.0, although a was cancelled.
/// e 18.0      W 18: 18 = [12, 18) holds b, c; against 15: (2 - 1) / 1 = 100 %
/// end         21 = [15, 21) holds c, e; 24 = [18, 24) holds e
/// ```
#[test]
fn rows_are_taken_back_and_come_again() {
    check(
        taken_back(),
        &[
            "3: 3 r0 1",
            "6: 6 r0 1",
            "9: 9 r0 0 -100.000000%",
            "15: 3 r1 deleted",
            "15: 6 r1 deleted",
            "15: 9 r1 deleted",
            "15: 15 r0 1",
            "18: 6 r2 1",
            "18: 9 r2 0 -100.000000%",
            "18: 15 r1 1 after 1",
            "18: 18 r0 2 100.000000%",
            "21: 21 r0 2 partial",
            "24: 24 r0 1 partial",
        ],
    );
}

fn growth_restated() -> Case {
    (params(Params::window(6, 3, 6)), [0.0, 3.5, 6.5, 9.0, 1.0, 12.0].map(sale).to_vec())
}

/// 6 = [0, 6) holds two, 9 = [3, 9) two: 0 %. The sale at 1.0 comes when W is 9 and counts in 6 alone (3 + 6 > 9 is false).
/// At 12, 6 holds three, and 9, whose content is the same, grew by (2 - 3) / 3 = -33.333333 %.
#[test]
fn a_revised_window_restates_the_growth_of_a_later_one() {
    check(
        growth_restated(),
        &[
            "3: 3 r0 1",
            "6: 6 r0 2",
            "9: 9 r0 2 0.000000%",
            "12: 6 r1 3",
            "12: 9 r1 2 -33.333333%",
            "12: 12 r0 2 0.000000%",
            "15: 15 r0 2 partial",
            "18: 18 r0 1 partial",
        ],
    );
}

/// Key presences and ties, all within one window [0, 6) of two panes.
fn keys_and_panes() -> Case {
    let of = |second, seller: &str, category: &str, cents| Record {
        seller: seller.into(),
        category: category.into(),
        product: category.to_lowercase(),
        price: cents,
        ..sale(second)
    };
    let records = vec![
        of(0.5, "B", "X", 500),
        cancel(of(3.5, "B", "X", 500)),
        of(1.0, "A", "Y", 700),
        of(1.5, "C", "Z", 900),
        cancel(of(1.5, "C", "Z", 900)),
        Record { op: Op::Return, quantity: 3, ..of(2.0, "D", "V", 200) },
        cancel(of(2.5, "E", "W", 400)),
        of(4.0, "F", "Y", 700),
    ];
    (params(Params::window(6, 6, 0)), records.into_iter().chain([sale(6.0)]).collect())
}

/// `6s/6s` first, then the same as panes of `6s/3s`.
///
/// ```text
/// pane of 3: +B  +A  +C  -C  (D returns)  -E      pane of 6: -B  +F
/// ```
/// Sales 1 - 1 + 1 + 1 - 1 - 1 + 1 = 1; cents 500 - 500 + 700 + 0 - 400 + 700 = 1000; returned 3 units, 6.00.
/// With one pane of 6 s: B nets 0, C 0, E -1; active are A and F, of one category Y. Biggest: 5.00 nets 0, 9.00 nets 0, 4.00 -1,
/// 7.00 +2. With panes of 3 s: B is +1 in the first, so active though it nets 0; likewise 5.00 and category X; biggest is 7.00.
/// Top goes by the net of the whole window: sellers A 1, F 1, the smaller name is A; category Y 2.
#[test]
fn presence_is_judged_by_pane_and_top_by_window() {
    let (six, records) = keys_and_panes();
    let three = params(Params::window(6, 3, 0));
    for (params, active, biggest) in [(six, (2, 1, 1), 700), (three, (3, 2, 2), 700)] {
        let course = epochs::run(&params, &[Input::of("a.ndjson", records.clone())]);
        let rows = windows::table(&params, &course);
        let end = super::START / params.tick() + params.ticks(6_000);
        let row = rows.iter().find(|r| r.end == end).and_then(|r| r.row.clone()).expect("the window of 6");
        let c = &row.content;
        assert_eq!((c.sales, c.units, c.cents, c.returned_units, c.returned_cents), (1, 1, 1_000, 3, 600));
        assert_eq!((c.sellers, c.categories, c.products), active);
        assert_eq!(c.biggest, Some(biggest));
        assert_eq!((c.top_seller.clone(), c.top_category.clone()), (Some(("A".into(), 1)), Some(("Y".into(), 2))));
    }
}

/// Two sales, 20.00 and one seller are wanted.
///
/// ```text
/// sale 0.0     W unknown     released before anything was known
/// broken       W 0           \
/// sale 1.0     W 0            | released while the tick of 3 is open: it counts for the gates of 3 and 6
/// sale 6.0     W 0           /
/// sale 12.0    W 6           released while the tick of 9 is open: for the gates of 9 and 12
/// ```
/// 1 of 3 was rejected for 3 and 6: 333.3 in a thousand, more than 333 and no more than 334.
#[test]
fn gates_name_what_fails() {
    let mut params = params(Params::window(6, 3, 6));
    params.gates = Gates { sales: 2, revenue: 2_000, sellers: 1, rejected: 333, bad_time: 0 };
    let lines = vec![
        Line::Good(sale(0.0)),
        Line::Broken(Broken::FreePrice(sale(0.5))),
        Line::Good(sale(1.0)),
        Line::Good(sale(6.0)),
        Line::Good(sale(12.0)),
    ];
    let input = Input { source: "a.ndjson".into(), ends_line: true, lines };
    assert_eq!(
        said(&params, std::slice::from_ref(&input)),
        [
            "3: 3 r0 2 schema",
            "6: 6 r0 2 schema",
            "9: 9 r0 1 -50.000000% total_sales total_revenue",
            "12: 12 r0 1 0.000000% total_sales total_revenue",
            "15: 15 r0 1 partial total_sales total_revenue",
            "18: 18 r0 1 partial total_sales total_revenue",
        ]
    );
    params.gates.rejected = 334;
    assert_eq!(said(&params, &[input])[0], "3: 3 r0 2");
}
