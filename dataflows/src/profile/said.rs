//! What was last said of the rows that may still be revised.

use hashbrown::HashMap;
use std::collections::BTreeMap;
use xxhash_rust::xxh3::xxh3_64;

/// What was said of one row.
#[derive(Clone, Copy, Debug)]
struct Row {
    /// A hash of its columns.
    hash: u64,
    /// Revision of the next row.
    next: u32,
    /// It has not been taken back.
    live: bool,
}

/// By look and key: about 30 bytes a row of the looks within the allowed lateness.
#[derive(Clone, Debug, Default)]
pub struct Said {
    looks: BTreeMap<u32, HashMap<u32, Row>>,
    /// The bytes of a row at hand.
    bytes: Vec<u8>,
}

fn hash(cells: &[i64], bytes: &mut Vec<u8>) -> u64 {
    bytes.clear();
    bytes.extend(cells.iter().flat_map(|c| c.to_le_bytes()));
    xxh3_64(bytes)
}

impl Said {
    /// Forgets the looks before `e`.
    pub fn forget(&mut self, e: u32) {
        while self.looks.first_key_value().is_some_and(|x| *x.0 < e) {
            self.looks.pop_first();
        }
    }

    /// The truth of a row; says it with its revision where it differs from what was said.
    pub fn say(&mut self, e: u32, key: u32, truth: Option<&[i64]>, say: impl FnOnce(u32)) {
        // A look has about as many rows as the one before.
        let last = self.looks.last_key_value().map_or(0, |last| last.1.len());
        let rows = self.looks.entry(e).or_insert_with(|| HashMap::with_capacity(last));
        let mut hash = |cells| hash(cells, &mut self.bytes);
        let known = rows.get_mut(&key);
        match (truth, known) {
            (None, None) => (),
            (Some(cells), None) => {
                rows.insert(key, Row { hash: hash(cells), next: 1, live: true });
                say(0);
            }
            (None, Some(row)) => {
                if row.live {
                    say(row.next);
                    (row.live, row.next) = (false, row.next + 1);
                }
            }
            (Some(cells), Some(row)) => {
                let hash = hash(cells);
                if !row.live || row.hash != hash {
                    say(row.next);
                    *row = Row { hash, next: row.next + 1, live: true };
                }
            }
        }
    }

    /// By key: look, hash, next revision, whether it stands.
    pub fn by_key(&self) -> HashMap<u32, Vec<(u32, u64, u32, bool)>> {
        let mut all: HashMap<u32, Vec<_>> = HashMap::new();
        for (e, rows) in &self.looks {
            rows.iter().for_each(|(key, row)| all.entry(*key).or_default().push((*e, row.hash, row.next, row.live)));
        }
        all
    }

    /// Takes up what was said of a key.
    pub fn restore(&mut self, key: u32, (e, hash, next, live): (u32, u64, u32, bool)) {
        self.looks.entry(e).or_default().insert(key, Row { hash, next, live });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_leaves_when_it_differs() {
        let mut said = Said::default();
        let mut told = vec![];
        for truth in [None, Some([1]), Some([1]), Some([2]), None, None, Some([2])] {
            said.say(5, 1, truth.as_ref().map(|t| t.as_slice()), |revision| told.push((revision, truth)));
        }
        assert_eq!(told, [(0, Some([1])), (1, Some([2])), (2, None), (3, Some([2]))]);
        said.forget(6);
        assert!(said.by_key().is_empty());
    }
}
