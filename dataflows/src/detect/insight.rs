//! An event in words: its message, and what else stands out in its window.
//!
//! Words are part of the output and compared byte by byte, so every number in them is a rounded exact quotient like those of
//! the columns. Thousands are set apart by commas here and only here: this is for people.

use super::{Against, Finding, Judged};
use crate::row::WindowColumns;
use crate::row::event::Kind;
use crate::row::round::{average, div_half_even, narrow};

/// From here on growth is explosive, in millionths of a per cent.
const EXPLOSIVE: i64 = 200_000_000;

/// From here on growth is strong, in millionths of a per cent.
const STRONG: i64 = 100_000_000;

/// From here on a fall is sharp, in millionths of a per cent.
const SHARP: i64 = 75_000_000;

/// A fall to nothing, in millionths of a per cent.
const ALL: i64 = 100_000_000;

/// `Activity spike, +47.3 % against the window before, 23 sales, 2,847.50`.
pub(super) fn message(finding: &Finding, against: Against, now: Option<&Judged>) -> String {
    let title = finding.kind.title();
    match compared(finding, against) {
        Some(compared) => format!("{title}, {compared}, {}", content(now)),
        None => format!("{title}, {}", content(now)),
    }
}

/// `Activity spike retracted after a correction: +12.0 % against the window before, 17 sales, 2,100.00`.
pub(super) fn retraction(finding: &Finding, against: Against, now: Option<&Judged>) -> String {
    let title = finding.kind.title();
    match compared(finding, against) {
        Some(compared) => format!("{title} retracted after a correction: {compared}, {}", content(now)),
        None => format!("{title} retracted after a correction: {}", content(now)),
    }
}

fn compared(finding: &Finding, against: Against) -> Option<String> {
    let tenths = finding.growth?.tenths();
    let sign = if tenths < 0 { "" } else { "+" };
    Some(format!("{sign}{} % against {}", decimal(tenths, 1), against.words()))
}

/// Sales and revenue of the window; of one without a row, nothing.
fn content(now: Option<&Judged>) -> String {
    let (sales, revenue) = now.map_or((0, 0), |now| (now.columns.total_sales, now.columns.total_revenue));
    let noun = if sales == 1 { "sale" } else { "sales" };
    format!("{} {noun}, {}", decimal(sales, 0), decimal(revenue, 2))
}

/// What stands out, in a fixed order: the extent, one seller, the leading category, the average ticket.
pub(super) fn insights(finding: &Finding, now: &Judged, references: &[Judged]) -> Vec<String> {
    let columns = now.columns;
    [extent(finding), one_seller(columns), leading_category(columns), ticket(columns, references)].into_iter().flatten().collect()
}

fn extent(finding: &Finding) -> Option<String> {
    let growth = finding.growth?;
    match finding.kind {
        Kind::ActivityDrop if growth.falls(ALL) => Some("standstill: no sales".into()),
        Kind::ActivityDrop if growth.falls(SHARP) => {
            Some(format!("sharp fall: {} % of the reference is left", decimal(growth.ratio(1_000), 1)))
        }
        Kind::ActivityDrop => None,
        Kind::ActivitySpike | Kind::RevenueSurge if growth.reaches(EXPLOSIVE) => {
            Some(format!("explosive growth: {} times the reference", decimal(growth.ratio(10), 1)))
        }
        Kind::ActivitySpike | Kind::RevenueSurge if growth.reaches(STRONG) => {
            Some(format!("strong growth: {} times the reference", decimal(growth.ratio(10), 1)))
        }
        _ => None,
    }
}

/// A share of the window's sales in per cent, one decimal.
fn share(sales: i64, columns: &WindowColumns) -> String {
    decimal(narrow(div_half_even(1_000 * i128::from(sales), i128::from(columns.total_sales))), 1)
}

fn one_seller(columns: &WindowColumns) -> Option<String> {
    let (name, sales) = columns.top_seller.as_ref()?;
    let concentrated = columns.total_sales > 0 && 2 * i128::from(*sales) >= i128::from(columns.total_sales);
    concentrated.then(|| format!("concentrated on one seller: {name} made {} % of the sales", share(*sales, columns)))
}

fn leading_category(columns: &WindowColumns) -> Option<String> {
    let (name, sales) = columns.top_category.as_ref()?;
    (columns.total_sales > 0).then(|| format!("leading category: {name} with {} % of the sales", share(*sales, columns)))
}

/// The average ticket against the reference's, when it is a quarter higher or lower.
fn ticket(columns: &WindowColumns, references: &[Judged]) -> Option<String> {
    let sum = |of: fn(&WindowColumns) -> i64| references.iter().map(|it| i128::from(of(it.columns))).sum::<i128>();
    let (sales, revenue) = (sum(|columns| columns.total_sales), sum(|columns| columns.total_revenue));
    if columns.total_sales <= 0 || sales <= 0 || revenue <= 0 {
        return None;
    }
    // now / before against 5/4 and 3/4, multiplied out
    let now = i128::from(columns.total_revenue).saturating_mul(sales).saturating_mul(4);
    let before = revenue.saturating_mul(i128::from(columns.total_sales));
    let word = match now {
        _ if now >= before.saturating_mul(5) => "high",
        _ if now <= before.saturating_mul(3) => "low",
        _ => return None,
    };
    let (now, before) = (average(columns.total_revenue, columns.total_sales)?, narrow(div_half_even(revenue, sales)));
    Some(format!("{word} average ticket: {} against {}", decimal(now, 2), decimal(before, 2)))
}

/// `n` with its last `digits` digits after a point and commas between thousands.
pub(super) fn decimal(n: i64, digits: u32) -> String {
    let unit = 10u64.pow(digits);
    let whole = (n.unsigned_abs() / unit).to_string();
    let mut text = String::from(if n < 0 { "-" } else { "" });
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if digits > 0 {
        let rest = n.unsigned_abs() % unit;
        text.push_str(&format!(".{rest:0width$}", width = digits as usize));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn numbers_for_people() {
        for (n, digits, text) in [
            (284_750, 2, "2,847.50"),
            (-5, 2, "-0.05"),
            (123_456_789, 2, "1,234,567.89"),
            (473, 1, "47.3"),
            (-1_000, 1, "-100.0"),
            (10_000, 1, "1,000.0"),
            (999, 0, "999"),
            (1_000, 0, "1,000"),
            (-1_234_567, 0, "-1,234,567"),
            (i64::MIN, 2, "-92,233,720,368,547,758.08"),
        ] {
            assert_eq!(decimal(n, digits), text);
        }
    }
}
