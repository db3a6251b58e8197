//! The quick way into a JSON object: flat and without escapes.
//!
//! The scanner takes a record only when it is sure that it is valid JSON and what it says; anything else (an escape, a nested
//! value, an exponent, white space other than a blank, an error) it leaves to
//! [`fallback`](super::fallback), which decides. So there is one definition of what a record means, and the scanner is a
//! shortcut to it: wherever it answers, the two agree, which the tests try to refute.
//!
//! A record is UTF-8 already (checked once for the record as a whole), so that cutting at quotes cannot break a character.

use super::bytes::{self, BYTES};
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
///
/// Sixteen bytes at a time, so that how many digits a price has does not decide where the code goes.
#[inline]
fn number(b: &[u8], i: usize) -> Option<usize> {
    let Some((window, _)) = b.get(i..)?.split_first_chunk::<BYTES>() else { return long_number(b, i) };
    let digits = bytes::digits(window);
    let whole = digits.trailing_ones() as usize;
    // No digit, as in front of a minus, a leading zero, or more than the window shows: the slow way decides.
    if whole == 0 || whole + 1 >= BYTES || (window[0] == b'0' && whole > 1) {
        return long_number(b, i);
    }
    if window[whole] != b'.' {
        return Some(i + whole);
    }
    let fraction = (digits >> (whole + 1)).trailing_ones() as usize;
    let length = whole + 1 + fraction;
    if fraction == 0 || length == BYTES {
        return long_number(b, i);
    }
    Some(i + length)
}

/// [`number`], byte by byte.
#[cold]
fn long_number(b: &[u8], mut i: usize) -> Option<usize> {
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

fn digits(b: &[u8], mut i: usize) -> usize {
    while b.get(i).is_some_and(u8::is_ascii_digit) {
        i += 1;
    }
    i
}

/// The closing quote of a string that begins at `i`; `None` when an escape, a control character or the end comes first.
///
/// Names and values are short, which favours this over a call of memchr; most end within the first two windows, which are
/// looked at together, so that the length of a text does not decide where the code goes.
#[inline]
fn quote(b: &[u8], mut i: usize) -> Option<usize> {
    while let Some((first, rest)) = b.get(i..)?.split_first_chunk::<BYTES>() {
        let mut marks = bytes::stops(first);
        if let Some((second, _)) = rest.split_first_chunk::<BYTES>() {
            marks |= bytes::stops(second) << BYTES;
        }
        if marks != 0 {
            i += marks.trailing_zeros() as usize;
            return (b[i] == b'"').then_some(i);
        }
        i += if rest.len() < BYTES { BYTES } else { 2 * BYTES };
    }
    // The last bytes of the record, as the end of a window that begins before them.
    let Some((start, window)) = b.len().checked_sub(BYTES).zip(b.last_chunk::<BYTES>()) else { return last_quote(b, i) };
    let marks = bytes::stops(window) >> (i - start);
    i += marks.trailing_zeros() as usize;
    (marks != 0 && b[i] == b'"').then_some(i)
}

/// [`quote`], byte by byte.
fn last_quote(b: &[u8], i: usize) -> Option<usize> {
    let stop = i + b.get(i..)?.iter().position(|&c| bytes::stop(c))?;
    (b[stop] == b'"').then_some(stop)
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
        for place in 0..60 {
            for (before, at, after) in (0..=255u8).flat_map(|x| [(x, b'"', b'a'), (b'a', x, b'"'), (x, x, b'"'), (0x80, x, 0x22)])
            {
                let mut text = [b'a'; 61];
                text[place] = at;
                text[..place].iter_mut().rev().take(1).for_each(|b| *b = before);
                text[place + 1..].fill(after);
                for from in 0..=place {
                    assert_eq!(quote(&text, from), slowly(&text, from), "{text:?} from {from}");
                }
            }
        }
    }

    #[test]
    fn a_number_ends_where_it_ends() {
        for text in ["0", "7", "-7", "12.5", "0.05", "00", "01.5", "1.", ".5", "-", "-0", "123456789012345", "1234567890123456"] {
            for more in ["", ".2", ".123456789012345", "."] {
                for after in ["}", ",", "e5", " ,", "\"", ", \"a\": 123456789"] {
                    let line = [text, more, after].concat();
                    assert_eq!(number(line.as_bytes(), 0), long_number(line.as_bytes(), 0), "{line}");
                }
            }
        }
    }
}
