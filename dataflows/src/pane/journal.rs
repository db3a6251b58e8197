//! The journal of what a reader sends: written as ticks close, and sent again when a run goes on from a checkpoint.
//!
//! An entry is what [`Closed`] holds of one tick, with names where the segment has not explained an id yet. Read back, its ids
//! are turned into those of the worker that reads it, which may be another one.

use super::delta::Delta;
use super::fold::{Closed, Fold};
use crate::dictionary::{Dictionaries, Dictionary};
use crate::snapshot::{Entries, Entry};
use std::collections::BTreeMap;

/// Which ids the segment at hand has explained, of sellers, categories and products.
#[derive(Default)]
pub struct Journal([Vec<bool>; 3]);

impl Journal {
    /// A new segment begins: nothing is explained.
    pub fn restart(&mut self) {
        self.0.iter_mut().for_each(Vec::clear);
    }

    /// The entries of what has left, by tick.
    pub fn entries(&mut self, closed: &Closed, names: &Dictionaries) -> Vec<Entry> {
        let mut ticks = Ticks::default();
        let [sellers, categories, products] = &mut self.0;
        for delta in &closed.sellers {
            let entry = ticks.at(delta.s);
            entry.sellers.push(explained(delta, &names.sellers, sellers, &mut entry.names[0]));
        }
        for delta in &closed.categories {
            let entry = ticks.at(delta.s);
            entry.categories.push(explained(delta, &names.categories, categories, &mut entry.names[1]));
        }
        for delta in &closed.products {
            let entry = ticks.at(delta.s);
            entry.products.push(explained(delta, &names.products, products, &mut entry.names[2]));
        }
        closed.amounts.iter().for_each(|amount| ticks.at(amount.s).amounts.push(amount.clone()));
        closed.lumps.iter().for_each(|lump| ticks.at(lump.s).lumps.push(*lump));
        ticks.0.into_values().collect()
    }
}

/// Entries by tick.
#[derive(Default)]
struct Ticks(BTreeMap<u32, Entry>);

impl Ticks {
    fn at(&mut self, s: u32) -> &mut Entry {
        self.0.entry(s).or_insert_with(|| Entry { s, ..Entry::default() })
    }
}

/// A message as the journal keeps it: its names go before those of the whole entry.
fn explained<V: Clone>(delta: &Delta<V>, names: &Dictionary, known: &mut Vec<bool>, to: &mut Vec<(u32, String)>) -> Delta<V> {
    let mut explain = |id: u32, again: bool| {
        let i = id as usize;
        if known.len() <= i {
            known.resize(i + 1, false);
        }
        if again || !known[i] {
            known[i] = true;
            to.push((id, names.name(id).to_string()));
        }
    };
    // What the owner is told anew may mean another name than it did.
    delta.names.iter().for_each(|(id, _)| explain(*id, true));
    delta.ids.iter().chain(delta.customers.iter().map(|c| &c.id)).for_each(|id| explain(*id, false));
    Delta { names: vec![], ..delta.clone() }
}

/// How many rows are sent again before other stages get their turn.
const ROWS: usize = 1 << 16;

/// The journal of a run before, on its way through the dataflow once more.
pub struct Past {
    entries: Box<dyn Entries>,
    next: Option<Vec<(usize, Entry)>>,
    /// By segment: what its ids mean here.
    ids: BTreeMap<usize, [Vec<u32>; 3]>,
}

impl Past {
    /// Nothing was sent yet.
    pub fn new(entries: Box<dyn Entries>) -> Past {
        Past { entries, next: None, ids: BTreeMap::new() }
    }

    /// Sends the entries of some ticks again. Returns the tick of the next ones, `None` when there are no more.
    ///
    /// # Errors
    /// Those of the journal.
    pub fn again(&mut self, fold: &mut Fold, names: &mut Dictionaries, out: &mut Closed) -> Result<Option<u32>, String> {
        let mut rows = 0;
        loop {
            let Some(tick) = self.next.take() else {
                self.next = self.entries.next()?;
                match &self.next {
                    None => return Ok(None),
                    Some(_) => continue,
                }
            };
            let s = tick.first().map_or(0, |(_, entry)| entry.s);
            let tick: Vec<Entry> = tick.into_iter().map(|(segment, entry)| self.localise(segment, entry, names)).collect();
            rows += tick.iter().map(rows_of).sum::<usize>();
            fold.again(s, &tick, names, out);
            self.next = self.entries.next()?;
            let next = self.next.as_ref().and_then(|tick| tick.first()).map(|(_, entry)| entry.s);
            if next.is_none() || rows >= ROWS {
                return Ok(next);
            }
        }
    }

    /// Turns an entry of a segment into one with ids of this worker.
    fn localise(&mut self, segment: usize, mut entry: Entry, names: &mut Dictionaries) -> Entry {
        let block = names.block;
        let local = self.ids.entry(segment).or_default();
        let of = [&mut names.sellers, &mut names.categories, &mut names.products];
        for ((local, dictionary), names) in local.iter_mut().zip(of).zip(&entry.names) {
            for (id, name) in names {
                let i = *id as usize;
                if local.len() <= i {
                    local.resize(i + 1, u32::MAX);
                }
                local[i] = dictionary.intern(name, block);
            }
        }
        entry.sellers.iter_mut().for_each(|d| translate(d, &local[0]));
        entry.categories.iter_mut().for_each(|d| translate(d, &local[1]));
        entry.products.iter_mut().for_each(|d| translate(d, &local[2]));
        entry
    }
}

fn rows_of(entry: &Entry) -> usize {
    let sellers = entry.sellers.iter().map(|d| d.ids.len() + d.customers.len()).sum::<usize>();
    let categories = entry.categories.iter().map(|d| d.ids.len()).sum::<usize>();
    sellers + categories + entry.products.iter().map(|d| d.ids.len()).sum::<usize>()
}

fn translate<V>(delta: &mut Delta<V>, local: &[u32]) {
    delta.ids.iter_mut().for_each(|id| *id = local[*id as usize]);
    delta.customers.iter_mut().for_each(|c| c.id = local[c.id as usize]);
}
