//! Numbers and times as a person reads them.

use chrono::DateTime;

/// `12345` as `12,345`.
pub fn grouped(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut out = String::from(if n < 0 { "-" } else { "" });
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Cents as `2,847.50`.
pub fn money(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    format!("{sign}{}.{:02}", grouped((cents / 100) as i64), cents % 100)
}

/// Millionths of a per cent as `+47.3 %`.
pub fn growth(millionths: i64) -> String {
    let tenths = (millionths as f64 / 100_000.0).round() as i64;
    let (sign, tenths) = if tenths < 0 { ('-', tenths.unsigned_abs()) } else { ('+', tenths.unsigned_abs()) };
    format!("{sign}{}.{} %", grouped((tenths / 10) as i64), tenths % 10)
}

/// A share as `99.28 %`.
pub fn share(part: u64, whole: u64) -> String {
    if whole == 0 { String::new() } else { format!("{:.2} %", part as f64 * 100.0 / whole as f64) }
}

/// Milliseconds since the Unix epoch as a time of day, or with the date when windows slide by hours.
pub fn clock(at: i64, with_date: bool) -> String {
    let format = if with_date { "%Y-%m-%d %H:%M" } else { "%H:%M:%S" };
    DateTime::from_timestamp_millis(at).map_or_else(|| "-".into(), |t| t.format(format).to_string())
}

/// Milliseconds as `2.0 s`, `01:15` or `2:00:05`.
pub fn span(ms: i64) -> String {
    let (s, sign) = (ms.unsigned_abs() / 1_000, if ms < 0 { "-" } else { "" });
    match s {
        0..60 => format!("{sign}{:.1} s", ms.unsigned_abs() as f64 / 1_000.0),
        60..3_600 => format!("{sign}{:02}:{:02}", s / 60, s % 60),
        _ => format!("{sign}{}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60),
    }
}

/// One bar a value, scaled from zero to the greatest; nothing for what is not known.
pub fn sparkline(values: &[Option<i64>]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let top = values.iter().flatten().copied().max().unwrap_or(0).max(1);
    let bar = |v: &Option<i64>| match v {
        Some(v) => BARS[(v.clamp(&0, &top) * 7 / top) as usize],
        None => ' ',
    };
    values.iter().map(bar).collect()
}

/// Foreign text without what would move the cursor.
pub fn tame(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!([0, 999, 1_000, -1_234_567].map(grouped), ["0", "999", "1,000", "-1,234,567"]);
        assert_eq!([0, 5, 284_750, -5].map(money), ["0.00", "0.05", "2,847.50", "-0.05"]);
        let growths = [47_300_000, -2_149_999, 0, 1_234_560_000_000];
        assert_eq!(growths.map(growth), ["+47.3 %", "-2.1 %", "+0.0 %", "+1,234,560.0 %"]);
        assert_eq!([share(1, 3), share(0, 0)], ["33.33 %", ""]);
        assert_eq!([2_000, 75_000, 7_205_000, -500].map(span), ["2.0 s", "01:15", "2:00:05", "-0.5 s"]);
    }

    #[test]
    fn times() {
        // 1_769_853_600 = 2026-01-31T10:00:00Z
        assert_eq!(clock(1_769_853_600_000, false), "10:00:00");
        assert_eq!(clock(1_769_853_600_000, true), "2026-01-31 10:00");
    }

    #[test]
    fn sparklines_start_at_zero() {
        assert_eq!(sparkline(&[None, Some(0), Some(4), Some(8), Some(-3)]), " ▁▄█▁");
        assert_eq!(sparkline(&[Some(0), Some(0)]), "▁▁");
        assert_eq!(sparkline(&[]), "");
    }

    #[test]
    fn foreign_text_cannot_move_the_cursor() {
        assert_eq!(tame("a\x1b[2Jb\nc"), "a\u{FFFD}[2Jb\u{FFFD}c");
    }
}
