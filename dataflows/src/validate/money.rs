//! Exact decimals: text to integers, never through a float.
//!
//! `0.285` as a float is a little less than 0.285 and would round to 28 cents by luck; `1.005` is a little less than it says
//! and rounds the wrong way. Here the digits themselves are counted, so that what is written is what is rounded. The cost of a
//! number is its length in text, whatever its exponent: `1e999999999` is as quick as `1`.

/// A number of some decimal places as an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scaled {
    /// The number times a power of ten, rounded half to even; the least or greatest `i64` when it is beyond them.
    pub value: i64,
    /// Nothing was rounded away.
    pub exact: bool,
}

/// Cents, rounded half to even. `None` when the text is no number.
#[inline]
pub fn cents(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    match price_tag(bytes).or_else(|| plain_cents(bytes)) {
        Some(cents) => Some(cents),
        None => scaled(text, 2).map(|s| s.value),
    }
}

/// One to four digits, a point and two more, as nearly all prices are: in one word, so that their number decides no branch.
#[inline]
fn price_tag(b: &[u8]) -> Option<i64> {
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    let length = b.len();
    if !(4..=7).contains(&length) || b[length - 3] != b'.' {
        return None;
    }
    // The text ends where the word ends: two halves that overlap, and zeros in front of it.
    let (first, last) = (b.first_chunk::<4>()?, b.last_chunk::<4>()?);
    let missing = 8 * (8 - length as u32);
    let text = (u64::from(u32::from_le_bytes(*first)) << missing) | (u64::from(u32::from_le_bytes(*last)) << 32);
    let text = text | (ZEROS >> (64 - missing));
    // The whole closes up to the fraction, over the point.
    let digits = (text & (0xFFFF << 48)) | ((text & 0xFF_FFFF_FFFF) << 8) | 0x30;
    let values = digits ^ ZEROS;
    // Bits beyond 9 in a byte, or a carry into them: some byte was no digit.
    if (values | values.wrapping_add(0x0606_0606_0606_0606)) & 0xF0F0_F0F0_F0F0_F0F0 != 0 {
        return None;
    }
    // Neighbours are added up, then neighbours of those.
    let pairs = (values * 10 + (values >> 8)) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_FFFF_0000_FFFF;
    Some(((fours * 10_000 + (fours >> 32)) & 0xFFFF_FFFF) as i64)
}

/// Nearly as usual: up to nine digits, then nothing or a point and one or two more.
#[inline]
fn plain_cents(b: &[u8]) -> Option<i64> {
    let mut value = 0i64;
    let mut i = 0;
    while let Some(digit) = b.get(i).map(|c| c.wrapping_sub(b'0')).filter(|&d| d <= 9) {
        value = value * 10 + i64::from(digit);
        i += 1;
        if i > 9 {
            return None;
        }
    }
    let digit = |c: u8| Some(i64::from(c.wrapping_sub(b'0'))).filter(|&d| d <= 9);
    match b[i..] {
        _ if i == 0 => None,
        [] => Some(value * 100),
        [b'.', tenths] => Some(value * 100 + digit(tenths)? * 10),
        [b'.', tenths, hundredths] => Some(value * 100 + digit(tenths)? * 10 + digit(hundredths)?),
        _ => None,
    }
}

/// The number times `10^places`. `None` when the text is no number: an optional sign, digits with at most one point among
/// them, an optional exponent; blanks around it are allowed.
pub fn scaled(text: &str, places: i64) -> Option<Scaled> {
    let text = text.trim_ascii().as_bytes();
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let (mantissa, exponent) = match text.iter().position(|c| matches!(c, b'e' | b'E')) {
        Some(at) => (&text[..at], exponent(&text[at + 1..])?),
        None => (text, 0),
    };
    let (whole, fraction) = match mantissa.iter().position(|&c| c == b'.') {
        Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
        None => (mantissa, &[][..]),
    };
    let digits = || whole.iter().chain(fraction);
    if whole.len() + fraction.len() == 0 || !digits().all(u8::is_ascii_digit) {
        return None;
    }
    // How many of the digits stand before the point of the result; negative when zeros come between.
    let point = whole.len() as i64 + exponent + places;
    let mut value = Some(0i64);
    let (mut half, mut more) = (0, point < 0 && digits().any(|&c| c != b'0'));
    for (i, &c) in (0i64..).zip(digits()) {
        let digit = i64::from(c - b'0');
        if i < point {
            value = value.and_then(|v| v.checked_mul(10)?.checked_add(digit));
        } else if i == point {
            half = digit;
        } else {
            more |= digit != 0;
        }
    }
    for _ in (whole.len() + fraction.len()) as i64..point {
        match value {
            None | Some(0) => break,
            Some(v) => value = v.checked_mul(10),
        }
    }
    let up = |v: i64| half > 5 || half == 5 && (more || v % 2 == 1);
    let value = value.and_then(|v| v.checked_add(i64::from(up(v))));
    let value = match (value, negative) {
        (Some(v), false) => v,
        (Some(v), true) => -v,
        (None, false) => i64::MAX,
        (None, true) => i64::MIN,
    };
    Some(Scaled { value, exact: half == 0 && !more })
}

/// An exponent, held within bounds that no record can outweigh with digits.
fn exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = digits.iter().fold(0i64, |v, c| (v * 10 + i64::from(c - b'0')).min(1 << 40));
    Some(if negative { -size } else { size })
}

/// Cents as a person reads them.
pub fn show(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let size = cents.unsigned_abs();
    format!("{sign}{}.{:02}", size / 100, size % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cents_are_exact_and_round_half_to_even() {
        let cases: &[(&str, i64)] = &[
            ("0.01", 1),
            ("50000.00", 5_000_000),
            ("19.9", 1_990),
            ("7", 700),
            ("007.10", 710),
            ("+7.10", 710),
            (" 7.10 ", 710),
            (".5", 50),
            ("5.", 500),
            // half: to the even neighbour; a trace above the half: up
            ("0.005", 0),
            ("0.015", 2),
            ("0.025", 2),
            ("1.005", 100),
            ("1.0050000000000000000000000000001", 101),
            ("1.0049999999999999999999999999999", 100),
            ("0.004", 0),
            ("0.0051", 1),
            ("-0.015", -2),
            ("-3.99", -399),
            // 12.5e-1 = 1.25; 1e-2 = 0.01; 0.5e-2 = 0.005 -> 0; 1.5e-2 = 0.015 -> 0.02
            ("12.5e-1", 125),
            ("1e-2", 1),
            ("0.5e-2", 0),
            ("1.5E-2", 2),
            ("1e-3", 0),
            ("6e-3", 1),
            ("0.00123e5", 12_300),
            ("5e4", 5_000_000),
            // beyond 64 bits, and exponents that would fill the memory if they were written out
            ("92233720368547758.07", i64::MAX),
            ("92233720368547758.08", i64::MAX),
            ("1e400", i64::MAX),
            ("-1e999999999999999999999999", i64::MIN),
            ("0e999999999999999999999999", 0),
            ("1e-999999999999999999999999", 0),
            ("999999999999999999999999e-22", 10_000),
        ];
        for &(text, want) in cases {
            assert_eq!(cents(text), Some(want), "{text}");
        }
    }

    #[test]
    fn a_price_tag_says_what_its_digits_say() {
        for cents in (0..1_000_000i64).step_by(37) {
            let tag = show(cents);
            assert_eq!(price_tag(tag.as_bytes()), (cents >= 0).then_some(cents).filter(|_| tag.len() <= 7), "{tag}");
        }
        for (i, c) in (0..7).flat_map(|i| (0..=255u8).map(move |c| (i, c))) {
            let mut tag = *b"1234.56";
            tag[i] = c;
            let digits = tag.iter().enumerate().all(|(i, c)| if i == 4 { *c == b'.' } else { c.is_ascii_digit() });
            assert_eq!(price_tag(&tag), digits.then(|| plain_cents(&tag)).flatten(), "{tag:?}");
        }
    }

    #[test]
    fn what_is_no_number() {
        for text in
            ["", " ", ".", "-", "+", "1.2.3", "1,5", "e5", "1e", "1e+", "1e5.0", "0x10", "NaN", "inf", "12 3", "１", "--1"]
        {
            assert_eq!(cents(text), None, "{text}");
            assert_eq!(scaled(text, 0), None, "{text}");
        }
    }

    #[test]
    fn whole_numbers_know_whether_they_were_whole() {
        let cases: &[(&str, i64, bool)] = &[
            ("6", 6, true),
            ("6.0", 6, true),
            ("-80995.000", -80_995, true),
            ("60e-1", 6, true),
            ("0.6e1", 6, true),
            ("6.5", 6, false),
            ("0.0001", 0, false),
            ("1e-9", 0, false),
            ("0e-9", 0, true),
            ("1e30", i64::MAX, true),
        ];
        for &(text, value, exact) in cases {
            assert_eq!(scaled(text, 0), Some(Scaled { value, exact }), "{text}");
        }
    }

    #[test]
    fn shown_as_money() {
        assert_eq!([show(1), show(5_000_000), show(-399)], ["0.01", "50000.00", "-3.99"]);
    }
}
