//! One hash that stands for all that left.
//!
//! A chain of BLAKE3 over the lines of all tables, in the order in which they leave: two runs with the same certificate said
//! the same things in the same order, whatever the number of workers. Rows are chained tick by tick, table by table, those of
//! windows and events before all others; dead letters epoch by epoch, since an epoch that does not move the watermark has no tick
//! of its own. Columns that name the engine or the source
//! are left out.
//!
//! ```text
//! state  = blake3("vitrine certificate 3")
//! state' = blake3(state, number as u64, table as u8, bytes as u64, lines)          integers little-endian
//! number = the learned tick of rows, the epoch of dead letters
//! ```

use super::Table;
use serde::{Deserialize, Serialize};

/// The state of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    state: [u8; 32],
}

impl Default for Certificate {
    fn default() -> Self {
        Certificate { state: *blake3::hash(b"vitrine certificate 3").as_bytes() }
    }
}

/// Small parts are gathered up to here: the hash is quick on long pieces.
const GATHER: usize = 1 << 16;

impl Certificate {
    /// Takes the lines of one table and learned tick, or of the dead letters of one epoch, in any number of parts. No lines
    /// change nothing, so that silence that is jumped over and silence that is stepped through certify alike.
    pub fn take<'a>(&mut self, number: u64, table: Table, parts: impl Iterator<Item = &'a [u8]> + Clone) {
        let length: usize = parts.clone().map(<[u8]>::len).sum();
        if length == 0 {
            return;
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.state);
        hasher.update(&number.to_le_bytes());
        hasher.update(&[table as u8]);
        hasher.update(&(length as u64).to_le_bytes());
        let mut gathered = Vec::with_capacity(length.min(GATHER));
        for part in parts {
            if gathered.len() + part.len() > GATHER {
                hasher.update(&gathered);
                gathered.clear();
            }
            if part.len() > GATHER {
                hasher.update(part);
            } else {
                gathered.extend_from_slice(part);
            }
        }
        hasher.update(&gathered);
        self.state = *hasher.finalize().as_bytes();
    }

    /// 64 hex digits.
    pub fn hex(&self) -> String {
        blake3::Hash::from_bytes(self.state).to_hex().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ticks: &[(u32, Table, &str)]) -> String {
        let mut certificate = Certificate::default();
        for (learned, table, lines) in ticks {
            certificate.take((*learned).into(), *table, std::iter::once(lines.as_bytes()));
        }
        certificate.hex()
    }

    #[test]
    fn the_chain_by_hand() {
        let mut text = blake3::hash(b"vitrine certificate 3").as_bytes().to_vec();
        assert_eq!(Certificate::default().hex(), blake3::hash(b"vitrine certificate 3").to_hex().as_str());
        text.extend_from_slice(b"\x02\x01\0\0\0\0\0\0\x03\x03\x00\x00\x00\x00\x00\x00\x00{}\n"); // tick 258, events, 3 bytes
        assert_eq!(of(&[(258, Table::Events, "{}\n")]), blake3::hash(&text).to_hex().as_str());
    }

    #[test]
    fn every_part_shows_and_silence_does_not() {
        let base = of(&[(1, Table::Windows, "a\n"), (2, Table::Events, "b\n")]);
        for other in [
            of(&[(2, Table::Windows, "a\n"), (2, Table::Events, "b\n")]),
            of(&[(1, Table::Windows, "a\n"), (2, Table::Suppressed, "b\n")]),
            of(&[(1, Table::Windows, "a\n"), (2, Table::Events, "c\n")]),
            of(&[(2, Table::Events, "b\n"), (1, Table::Windows, "a\n")]),
            of(&[(1, Table::Windows, "a\n")]),
            of(&[(1, Table::Windows, "a\nb\n")]),
        ] {
            assert_ne!(other, base);
        }
        let silent = [(1, Table::Windows, "a\n"), (1, Table::Events, ""), (2, Table::Windows, ""), (2, Table::Events, "b\n")];
        assert_eq!(of(&silent), base);
    }

    #[test]
    fn how_lines_are_cut_into_parts_does_not_show() {
        let text: Vec<u8> = (0..3 * GATHER).map(|i| i as u8).collect();
        let of = |parts: &mut dyn FnMut() -> Vec<usize>| {
            let (mut certificate, mut rest, mut cut) = (Certificate::default(), text.as_slice(), vec![]);
            for length in parts() {
                let (part, more) = rest.split_at(length.min(rest.len()));
                cut.push(part);
                rest = more;
            }
            cut.push(rest);
            certificate.take(1, Table::Windows, cut.into_iter());
            certificate.hex()
        };
        let whole = of(&mut Vec::new);
        assert_eq!(of(&mut || vec![1, 0, 99, GATHER + 1, 5]), whole);
        assert_eq!(of(&mut || vec![777; 200]), whole);
    }

    #[test]
    fn a_checkpoint_goes_on() {
        let mut certificate = Certificate::default();
        certificate.take(1, Table::Windows, [b"a\n".as_slice()].into_iter());
        let mut again: Certificate = serde_json::from_str(&serde_json::to_string(&certificate).unwrap()).unwrap();
        again.take(2, Table::Events, [b"b\n".as_slice()].into_iter());
        assert_eq!(again.hex(), of(&[(1, Table::Windows, "a\n"), (2, Table::Events, "b\n")]));
    }
}
