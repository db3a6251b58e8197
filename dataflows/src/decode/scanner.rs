//! The quick way into a JSON object: flat and without escapes.
//!
//! The scanner takes a record only when it is sure that it is valid JSON and what it says; anything else (an escape, a nested
//! value, an exponent, white space other than a blank, an error) it leaves to
//! [`fallback`](super::fallback), which decides. So there is one definition of what a record means, and the scanner is a
//! shortcut to it: wherever it answers, the two agree, which the tests try to refute.
//!
//! A record is UTF-8 already (checked once for the record as a whole), so that cutting at quotes cannot break a character.

use super::mapping::Mapping;
use super::record::{Kind, Slot};

/// The scanner, and what it has learned about the order of names.
///
/// The records of a feed name their fields in the same order, so after a name the scanner first looks for the one that came
/// after it the last time: quotes and colon included, by comparing up to 32 bytes at once, without looking for the end of the
/// name or asking whose it is. A wrong guess costs the comparison, and the successor is learned anew.
#[derive(Default)]
pub(crate) struct Scanner {
    learned: Vec<Name>,
}

/// A name as it stands in a record: `"price":`.
struct Name {
    text: [u128; 2],
    mask: [u128; 2],
    length: usize,
    /// The slot of its value, if anyone asks for it.
    slot: Option<usize>,
    /// The name that came after it the last time.
    next: usize,
}

/// Names worth learning: a feed with more of them is read the slow way.
const MANY: usize = 64;
/// The beginning of a record, as a place in `learned` before it.
const NOWHERE: usize = usize::MAX;

impl Scanner {
    /// Fills the slots from `line`; `false` when the record is not of the simple sort (the slots are then of no use).
    #[inline]
    pub fn scan(&mut self, mapping: &Mapping, line: &str, slots: &mut [Slot]) -> bool {
        self.object(mapping, line.as_bytes(), slots).is_some()
    }

    #[inline]
    fn object(&mut self, mapping: &Mapping, b: &[u8], slots: &mut [Slot]) -> Option<()> {
        if *b.first()? != b'{' {
            return None;
        }
        let mut i = 1;
        let (mut last, mut guess) = (NOWHERE, 0);
        loop {
            i = blanks(b, i);
            let slot = match self.learned.get(guess).filter(|name| name.stands_at(b, i)) {
                Some(name) => {
                    i += name.length;
                    (last, guess) = (guess, name.next);
                    name.slot
                }
                None => {
                    let name;
                    (name, i) = self::name(b, i)?;
                    let slot = mapping.slot(name);
                    last = self.learn(name, slot, last);
                    guess = self.learned.get(last).map_or(NOWHERE, |name| name.next);
                    slot
                }
            };
            let value;
            (value, i) = scalar(b, blanks(b, i))?;
            if let Some(slot) = slot {
                slots[slot] = value;
            }
            i = blanks(b, i);
            match *b.get(i)? {
                b',' => i += 1,
                b'}' => return (i + 1 == b.len()).then_some(()),
                _ => return None,
            }
        }
    }

    /// Notes that `name` follows the one at `last`; returns its place.
    #[cold]
    fn learn(&mut self, name: &[u8], slot: Option<usize>, last: usize) -> usize {
        let Some(new) = Name::new(name, slot) else { return NOWHERE };
        let known = self.learned.iter().position(|old| old.text == new.text && old.length == new.length);
        let place = known.unwrap_or(self.learned.len());
        if place == MANY {
            return NOWHERE;
        }
        if known.is_none() {
            self.learned.push(new);
        }
        if let Some(last) = self.learned.get_mut(last) {
            last.next = place;
        }
        place
    }
}

impl Name {
    fn new(name: &[u8], slot: Option<usize>) -> Option<Name> {
        let text = [b"\"", name, b"\":"].concat();
        let length = text.len();
        let mut both = [[0; 16]; 2];
        both.as_flattened_mut().get_mut(..length)?.copy_from_slice(&text);
        let mask = [length.min(16), length.saturating_sub(16)].map(|n| if n == 16 { u128::MAX } else { (1 << (8 * n)) - 1 });
        Some(Name { text: both.map(u128::from_le_bytes), mask, length, slot, next: NOWHERE })
    }

    #[inline]
    fn stands_at(&self, b: &[u8], i: usize) -> bool {
        let Some((first, rest)) = b.get(i..).and_then(|b| b.split_first_chunk::<16>()) else { return false };
        if u128::from_le_bytes(*first) & self.mask[0] != self.text[0] {
            return false;
        }
        self.length <= 16
            || rest.first_chunk::<16>().is_some_and(|second| u128::from_le_bytes(*second) & self.mask[1] == self.text[1])
    }
}

/// The name at `i`, and what comes after its colon.
fn name(b: &[u8], i: usize) -> Option<(&[u8], usize)> {
    if *b.get(i)? != b'"' {
        return None;
    }
    let end = quote(b, i + 1)?;
    let colon = blanks(b, end + 1);
    (*b.get(colon)? == b':').then(|| (&b[i + 1..end], colon + 1))
}

#[inline]
fn blanks(b: &[u8], mut i: usize) -> usize {
    while b.get(i) == Some(&b' ') {
        i += 1;
    }
    i
}

/// The value at `i`, and what comes after it.
#[inline]
fn scalar(b: &[u8], i: usize) -> Option<(Slot, usize)> {
    match *b.get(i)? {
        b'"' => {
            let end = quote(b, i + 1)?;
            Some((Slot::line(Kind::Text, i + 1, end), end + 1))
        }
        b'0'..=b'9' | b'-' => {
            let end = number(b, i)?;
            Some((Slot::line(Kind::Number, i, end), end))
        }
        b't' => word(b, i, b"true", Kind::Bool),
        b'f' => word(b, i, b"false", Kind::Bool),
        b'n' => word(b, i, b"null", Kind::Absent),
        _ => None,
    }
}

fn word(b: &[u8], i: usize, word: &[u8], kind: Kind) -> Option<(Slot, usize)> {
    let end = i + word.len();
    (b.get(i..end)? == word).then(|| (Slot::line(kind, i, end), end))
}

/// The end of a number without an exponent, by the grammar of JSON.
#[inline]
fn number(b: &[u8], mut i: usize) -> Option<usize> {
    if b[i] == b'-' {
        i += 1;
    }
    let whole = i;
    i = digits(b, i);
    // At least one digit, and no leading zero.
    if i == whole || (b[whole] == b'0' && i > whole + 1) {
        return None;
    }
    if b.get(i) == Some(&b'.') {
        let fraction = i + 1;
        i = digits(b, fraction);
        if i == fraction {
            return None;
        }
    }
    // What follows (an exponent, say) is judged by the caller, who wants a blank, a comma or the end of the object.
    Some(i)
}

#[inline]
fn digits(b: &[u8], mut i: usize) -> usize {
    while b.get(i).is_some_and(u8::is_ascii_digit) {
        i += 1;
    }
    i
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The closing quote of a string that begins at `i`; `None` when an escape, a control character or the end comes first.
///
/// Eight bytes at a time: `(x - N..) & !x & 0x80..` marks the bytes of `x` below N (N up to 0x80); marks above the lowest may
/// be wrong, the lowest is right, and only the lowest is used. `x ^ 0x02..` takes the quote, 0x22, to 0x20 and leaves the
/// control characters below that, but no other byte, so that one test finds both. Names and values are short, which favours
/// this over a call of memchr.
#[inline]
fn quote(b: &[u8], mut i: usize) -> Option<usize> {
    while let Some((word, _)) = b.get(i..)?.split_first_chunk::<8>() {
        let x = u64::from_le_bytes(*word);
        let below = |x: u64, n: u8| x.wrapping_sub(ONES * u64::from(n)) & !x;
        let quotes_and_controls = below(x ^ (ONES * 0x02), 0x21);
        let escapes = below(x ^ (ONES * u64::from(b'\\')), 1);
        let marks = (quotes_and_controls | escapes) & HIGHS;
        if marks != 0 {
            i += marks.trailing_zeros() as usize / 8;
            return (b[i] == b'"').then_some(i);
        }
        i += 8;
    }
    loop {
        match *b.get(i)? {
            b'"' => return Some(i),
            b'\\' | 0..0x20 => return None,
            _ => i += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition of [`quote`], byte by byte.
    fn slowly(b: &[u8], i: usize) -> Option<usize> {
        let stop = (i..b.len()).find(|&k| matches!(b[k], b'"' | b'\\' | 0..0x20))?;
        (b[stop] == b'"').then_some(stop)
    }

    #[test]
    fn a_quote_is_found_wherever_and_whatever_stands_before_it() {
        for place in 0..20 {
            for (before, at, after) in (0..=255u8).flat_map(|x| [(x, b'"', b'a'), (b'a', x, b'"'), (x, x, b'"'), (0x80, x, 0x22)])
            {
                let mut text = [b'a'; 21];
                text[place] = at;
                text[..place].iter_mut().rev().take(1).for_each(|b| *b = before);
                text[place + 1..].fill(after);
                for from in 0..=place {
                    assert_eq!(quote(&text, from), slowly(&text, from), "{text:?} from {from}");
                }
            }
        }
    }
}
