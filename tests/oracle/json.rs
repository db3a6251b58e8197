//! The exact text of values, written from the contract's words: money, fractions, times, names.

/// `num / den` rounded to the nearest integer, halves to the even one.
pub fn round_half_even(num: i128, den: i128) -> i128 {
    let (num, den) = if den < 0 { (-num, -den) } else { (num, den) };
    let floor = num.div_euclid(den);
    let twice = 2 * num.rem_euclid(den);
    if twice > den || (twice == den && floor % 2 != 0) { floor + 1 } else { floor }
}

/// An integer with its last `digits` digits behind the point.
fn point(value: i128, digits: usize) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let digits_of = format!("{:0width$}", value.unsigned_abs(), width = digits + 1);
    let (whole, fraction) = digits_of.split_at(digits_of.len() - digits);
    format!("{sign}{whole}.{fraction}")
}

/// Cents as money.
pub fn money(cents: i128) -> String {
    point(cents, 2)
}

/// Millionths as a fraction.
pub fn fraction(millionths: i128) -> String {
    point(millionths, 6)
}

/// A float as a fraction.
pub fn float(x: f64) -> String {
    fraction(libm::rint(x * 1e6) as i128)
}

/// What is there, or `null`.
pub fn or_null<T>(value: Option<T>, text: impl Fn(T) -> String) -> String {
    value.map_or("null".into(), text)
}

/// Milliseconds since the Unix epoch as `2026-01-31T10:00:00.000Z`. Counts the years and months one by one.
pub fn time(ms: i64) -> String {
    let leap = |y: i64| (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    let (mut day, rest) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    let mut year = 1970;
    while day >= 365 + i64::from(leap(year)) {
        day -= 365 + i64::from(leap(year));
        year += 1;
    }
    let mut month = 0;
    let lengths = [31, 28 + i64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    while day >= lengths[month] {
        day -= lengths[month];
        month += 1;
    }
    let (h, m, s, ms) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60, rest % 1000);
    format!("{year:04}-{:02}-{:02}T{h:02}:{m:02}:{s:02}.{ms:03}Z", month + 1, day + 1)
}

/// A string with its quotes.
pub fn string(s: &str) -> String {
    let mut out = String::from("\"");
    for c in s.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A list of strings.
pub fn list<S: AsRef<str>>(items: &[S]) -> String {
    format!("[{}]", items.iter().map(|s| string(s.as_ref())).collect::<Vec<_>>().join(","))
}

/// An object from keys and ready values, in their order.
pub fn object(fields: &[(&str, String)]) -> String {
    format!("{{{}}}", fields.iter().map(|(k, v)| format!("\"{k}\":{v}")).collect::<Vec<_>>().join(","))
}

/// Bytes as base64 with padding.
pub fn base64(bytes: &[u8]) -> String {
    let letters: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['+', '/']).collect();
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let word = (0..3).fold(0_usize, |w, i| w << 8 | usize::from(three.get(i).copied().unwrap_or(0)));
        for i in 0..4 {
            out.push(if i <= three.len() { letters[word >> (18 - 6 * i) & 63] } else { '=' });
        }
    }
    out
}

#[test]
fn values_are_written_as_the_contract_says() {
    assert_eq!(money(284_750), "2847.50");
    assert_eq!((money(5), money(-5), money(-100)), ("0.05".into(), "-0.05".into(), "-1.00".into()));
    assert_eq!((fraction(0), fraction(-47_333_333)), ("0.000000".into(), "-47.333333".into()));
    // 2026-01-31T10:00:00Z is 20,484 days (56 years of 365, 14 leap days, 30) and 10 hours after the epoch.
    assert_eq!(time(20_484 * 86_400_000 + 36_000_000), "2026-01-31T10:00:00.000Z");
    assert_eq!(time(951_782_400_000), "2000-02-29T00:00:00.000Z");
    assert_eq!(time(1_709_251_199_999), "2024-02-29T23:59:59.999Z");
    assert_eq!(string("Loja \"São\"\\\n"), "\"Loja \\\"São\\\"\\\\\\n\"");
    // 25 / 10 = 2.5 -> 2, 35 / 10 -> 4, -25 / 10 -> -2, 26 / 10 -> 3, and a negative divisor.
    assert_eq!([25, 35, -25, 26].map(|n| round_half_even(n, 10)), [2, 4, -2, 3]);
    assert_eq!(round_half_even(25, -10), -2);
    assert_eq!([&b""[..], b"M", b"Ma", b"Man"].map(base64), ["", "TQ==", "TWE=", "TWFu"]);
}
