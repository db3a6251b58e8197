//! How single values are written: strings, money, fractions, times.
//!
//! By hand and not through serde: feature rows come by the million, and all of their values are integers that need a point at
//! a fixed place. Each function appends to the line that is being made and allocates nothing.

use itoa::Buffer;

/// Hex digits of ids.
const HEX: &[u8; 16] = b"0123456789abcdef";

/// `00`, `01`, ..., `99`: two digits at a time.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut i = 0;
    while i < 100 {
        pairs[i] = [b'0' + (i / 10) as u8, b'0' + (i % 10) as u8];
        i += 1;
    }
    pairs
};

#[inline]
fn pair(n: u32) -> [u8; 2] {
    PAIRS[n as usize]
}

/// What must be escaped within a JSON string.
#[inline]
fn special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// A JSON string with its quotes. Text that is not ASCII stays as it is.
#[inline]
pub fn string(s: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let bytes = s.as_bytes();
    // A fold without an early exit runs on whole vectors; names are short, and almost none holds a special byte.
    if bytes.iter().fold(false, |found, &b| found | special(b)) {
        escape(bytes, out);
    } else {
        out.extend_from_slice(bytes);
    }
    out.push(b'"');
}

#[cold]
fn escape(mut bytes: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = bytes.iter().position(|&b| special(b)) {
        let (plain, rest) = bytes.split_at(at);
        out.extend_from_slice(plain);
        let short = match rest[0] {
            b'"' => b'"',
            b'\\' => b'\\',
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0c => b'f',
            b'\r' => b'r',
            other => {
                out.extend_from_slice(b"\\u00");
                hex(&[other], out);
                bytes = &rest[1..];
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
        bytes = &rest[1..];
    }
    out.extend_from_slice(bytes);
}

/// Bytes as lower-case hex digits.
pub fn hex(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend(bytes.iter().flat_map(|b| [HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]]));
}

/// An integer.
#[inline]
pub fn integer(n: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(Buffer::new().format(n).as_bytes());
}

/// Cents as a number with exactly two decimals.
#[inline]
pub fn money(cents: i64, out: &mut Vec<u8>) {
    if cents < 0 {
        out.push(b'-');
    }
    let cents = cents.unsigned_abs();
    integer(cents / 100, out);
    let [a, b] = pair((cents % 100) as u32);
    out.extend_from_slice(&[b'.', a, b]);
}

/// Millionths as a number with exactly six decimals.
#[inline]
pub fn millionths(n: i64, out: &mut Vec<u8>) {
    if n < 0 {
        out.push(b'-');
    }
    let n = n.unsigned_abs();
    let (whole, rest) = (n / 1_000_000, (n % 1_000_000) as u32);
    let ([a, b], [c, d], [e, f]) = (pair(rest / 10_000), pair(rest / 100 % 100), pair(rest % 100));
    if whole < 10 {
        // Nearly always: one piece of a known length.
        return out.extend_from_slice(&[b'0' + whole as u8, b'.', a, b, c, d, e, f]);
    }
    integer(whole, out);
    out.extend_from_slice(&[b'.', a, b, c, d, e, f]);
}

/// What `write` writes, or `null`.
#[inline]
pub fn optional<T>(value: Option<T>, out: &mut Vec<u8>, write: impl FnOnce(T, &mut Vec<u8>)) {
    match value {
        Some(value) => write(value, out),
        None => out.extend_from_slice(b"null"),
    }
}

/// First and last millisecond of the years 0000..=9999, the years that RFC 3339 can say.
const YEARS: (i64, i64) = (-62_167_219_200_000, 253_402_300_799_999);

/// `2026-01-31T10:00:00.000Z`, without quotes, of milliseconds since the Unix epoch. What lies outside the years 0000 to
/// 9999 is written as the first or last millisecond of them.
#[inline]
pub fn time(ms: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&time_bytes(ms));
}

/// A JSON string of a [`time`].
#[inline]
pub fn quoted_time(ms: i64, out: &mut Vec<u8>) {
    out.push(b'"');
    time(ms, out);
    out.push(b'"');
}

/// A [`time`] as its bytes, which are ASCII.
#[inline]
pub fn time_bytes(ms: i64) -> [u8; 24] {
    let ms = ms.clamp(YEARS.0, YEARS.1);
    let (days, in_day) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000) as u32);
    // Days to civil date, with years that begin in March, so that the leap day comes last (H. Hinnant). Day 0 is 0000-03-01
    // shifted by one era of 400 years, which keeps all of it unsigned.
    let z = (days + 719_468 + 146_097) as u32;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + u32::from(month <= 2) - 400;
    let (seconds, milli) = (in_day / 1_000, in_day % 1_000);
    let ([y0, y1], [y2, y3], [m0, m1], [d0, d1]) = (pair(year / 100), pair(year % 100), pair(month), pair(day));
    let ([h0, h1], [i0, i1], [s0, s1]) = (pair(seconds / 3_600), pair(seconds / 60 % 60), pair(seconds % 60));
    let (n0, [n1, n2]) = (b'0' + (milli / 100) as u8, pair(milli % 100));
    [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1, b':', i0, i1, b':', s0, s1, b'.', n0, n1, n2, b'Z']
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, SecondsFormat};
    use proptest::prelude::*;

    fn written(f: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = vec![];
        f(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn money_has_two_decimals() {
        for (cents, text) in [(284_750, "2847.50"), (0, "0.00"), (-5, "-0.05"), (7, "0.07"), (-12_345, "-123.45"), (100, "1.00")]
        {
            assert_eq!(written(|o| money(cents, o)), text);
        }
        assert_eq!(written(|o| money(i64::MIN, o)), "-92233720368547758.08");
    }

    #[test]
    fn fractions_have_six() {
        for (n, text) in
            [(0, "0.000000"), (-500_000, "-0.500000"), (47_368_421, "47.368421"), (-1, "-0.000001"), (10_203, "0.010203")]
        {
            assert_eq!(written(|o| millionths(n, o)), text);
        }
        assert_eq!(written(|o| millionths(i64::MIN, o)), "-9223372036854.775808");
    }

    #[test]
    fn times_have_milliseconds() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_769_853_600_000, "2026-01-31T10:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (YEARS.0, "0000-01-01T00:00:00.000Z"),
            (YEARS.0 - 1, "0000-01-01T00:00:00.000Z"),
            (YEARS.1, "9999-12-31T23:59:59.999Z"),
            (i64::MAX, "9999-12-31T23:59:59.999Z"),
            (i64::MIN, "0000-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(written(|o| time(ms, o)), text, "{ms}");
        }
    }

    #[test]
    fn every_day_of_four_centuries() {
        for day in -150_000..=150_000i64 {
            let ms = day * 86_400_000 + (day * 7_919).rem_euclid(86_400_000);
            let there = DateTime::from_timestamp_millis(ms).unwrap().to_rfc3339_opts(SecondsFormat::Millis, true);
            assert_eq!(time_bytes(ms), there.as_bytes(), "{there}");
        }
    }

    #[test]
    fn escapes_by_hand() {
        assert_eq!(
            written(|o| string("Loja \"A\" \\ São\n\t\u{8}\u{c}\r\u{1}\u{1f}\u{7f}", o)),
            "\"Loja \\\"A\\\" \\\\ São\\n\\t\\b\\f\\r\\u0001\\u001f\u{7f}\""
        );
        assert_eq!(written(|o| string("", o)), "\"\"");
    }

    proptest! {
        #[test]
        fn strings_are_those_of_serde_json(s in "(?s).{0,40}|[\\x00-\\x7f]{0,40}") {
            let here = written(|o| string(&s, o));
            prop_assert_eq!(&here, &serde_json::to_string(&s).unwrap());
            prop_assert_eq!(serde_json::from_str::<String>(&here).unwrap(), s);
        }

        #[test]
        fn times_are_those_of_chrono(ms in YEARS.0..=YEARS.1) {
            let there = DateTime::from_timestamp_millis(ms).unwrap().to_rfc3339_opts(SecondsFormat::Millis, true);
            prop_assert_eq!(written(|o| time(ms, o)), there);
        }

        #[test]
        fn decimals_read_back(n in any::<i64>()) {
            let digits = |s: String| s.replace('.', "").parse::<i64>().unwrap();
            let (m, f) = (written(|o| money(n, o)), written(|o| millionths(n, o)));
            prop_assert_eq!(m.len() - m.find('.').unwrap(), 3);
            prop_assert_eq!(f.len() - f.find('.').unwrap(), 7);
            prop_assert_eq!(digits(m), n);
            prop_assert_eq!(digits(f), n);
        }
    }
}
