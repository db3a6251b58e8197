//! One hash that stands for all that left.
//!
//! A chain of BLAKE3 over the lines of all tables, tick by tick: two runs with the same certificate said the same things in
//! the same order, whatever the number of workers. How a tick's lines are cut into calls would show, so there is one call a
//! table and tick. Columns that name the engine or the source are left out by whoever writes the lines.
//!
//! ```text
//! state  = blake3("vitrine certificate 1")
//! state' = blake3(state, learned tick as u32, table as u8, bytes as u64, lines)      integers little-endian
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
        Certificate { state: *blake3::hash(b"vitrine certificate 1").as_bytes() }
    }
}

impl Certificate {
    /// Takes the lines of one table and learned tick. A tick without lines changes nothing, so that silence that is jumped
    /// over and silence that is stepped through certify alike.
    pub fn tick(&mut self, learned: u32, table: Table, lines: &[u8]) {
        if lines.is_empty() {
            return;
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.state);
        hasher.update(&learned.to_le_bytes());
        hasher.update(&[table as u8]);
        hasher.update(&(lines.len() as u64).to_le_bytes());
        hasher.update(lines);
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
            certificate.tick(*learned, *table, lines.as_bytes());
        }
        certificate.hex()
    }

    #[test]
    fn the_chain_by_hand() {
        let mut text = blake3::hash(b"vitrine certificate 1").as_bytes().to_vec();
        assert_eq!(Certificate::default().hex(), blake3::hash(b"vitrine certificate 1").to_hex().as_str());
        text.extend_from_slice(b"\x02\x01\x00\x00\x03\x03\x00\x00\x00\x00\x00\x00\x00{}\n"); // tick 258, events, 3 bytes
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
    fn a_checkpoint_goes_on() {
        let mut certificate = Certificate::default();
        certificate.tick(1, Table::Windows, b"a\n");
        let mut again: Certificate = serde_json::from_str(&serde_json::to_string(&certificate).unwrap()).unwrap();
        again.tick(2, Table::Events, b"b\n");
        assert_eq!(again.hex(), of(&[(1, Table::Windows, "a\n"), (2, Table::Events, "b\n")]));
    }
}
