//! The order in which things leave: plain state, the operator around it is in [`collect`](super::collect).
//!
//! ```text
//! epoch e, W 5 -> 5     letters of e                                                    end of e
//! epoch f, W 5 -> 7     letters of f   6: first rows, other rows   7: first, other rows   end of f
//! ```
//!
//! An epoch's letters are known when all workers have said that they have no more of it; its ticks when the dataflow has
//! completed them. Of each tick windows and events go first: they are few and somebody waits for them, while the many rows of
//! features are still being made. The next epoch begins when the one before has ended, so that the order does not depend on who
//! was quick. What waits here is bounded by the unfinished epochs, of which the clock makes few.

use super::certificate::Certificate;
use super::letters::{Letters, Word};
use super::{Batch, Table, TickRows};
use crate::clock::Binding;
use crate::plan::Plan;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What leaves next.
#[derive(Debug)]
pub enum Leaves {
    /// First or other rows of a tick, or dead letters of an epoch.
    Rows(Box<TickRows>),
    /// The end of an epoch.
    Epoch(Box<Binding>),
}

#[derive(Default)]
struct Epoch {
    letters: Vec<Letters>,
    /// Workers that have no more letters.
    done: usize,
    binding: Option<Box<Binding>>,
}

/// What is there of a tick.
#[derive(Default)]
struct Tick {
    first: Vec<Batch>,
    other: Vec<Batch>,
}

/// Before which ticks all has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Complete {
    /// Of the first rows.
    pub first: u32,
    /// Of everything.
    pub all: u32,
}

/// See the [module](self).
pub struct Order {
    plan: Arc<Plan>,
    peers: usize,
    certificate: Certificate,
    ticks: BTreeMap<u32, Tick>,
    epochs: BTreeMap<u64, Epoch>,
}

impl Order {
    /// Nothing has come yet, from so many workers; the certificate goes on from where it stands.
    pub fn new(plan: Arc<Plan>, peers: usize, certificate: Certificate) -> Order {
        Order { plan, peers, certificate, ticks: BTreeMap::new(), epochs: BTreeMap::new() }
    }

    /// Of all that has left.
    pub fn certificate(&self) -> Certificate {
        self.certificate
    }

    /// First rows of a tick.
    pub fn first(&mut self, batch: Batch) {
        self.ticks.entry(batch.s).or_default().first.push(batch);
    }

    /// Other rows of a tick.
    pub fn other(&mut self, batch: Batch) {
        self.ticks.entry(batch.s).or_default().other.push(batch);
    }

    /// What a worker says of an epoch. The words of one worker come in order.
    pub fn hear(&mut self, word: Word) {
        match word {
            Word::Letters(epoch, letters) => self.epochs.entry(epoch).or_default().letters.push(letters),
            Word::Done(epoch, binding) => {
                let epoch = self.epochs.entry(epoch).or_default();
                epoch.done += 1;
                epoch.binding = epoch.binding.take().or(binding);
            }
        }
    }

    /// What leaves next.
    pub fn next(&mut self, complete: Complete) -> Option<Leaves> {
        let mut entry = self.epochs.first_entry().filter(|entry| entry.get().done == self.peers)?;
        let (number, epoch) = (*entry.key(), entry.get_mut());
        if !epoch.letters.is_empty() {
            let letters = std::mem::take(&mut epoch.letters);
            return Some(Leaves::Rows(Box::new(dead_letters(number, letters, &mut self.certificate))));
        }
        let binding = epoch.binding.as_ref()?;
        let last = binding.ending().map_or(binding.after, |ending| ending.close(&self.plan));
        while let Some(mut entry) = self.ticks.first_entry().filter(|tick| *tick.key() <= last) {
            let (learned, tick) = (*entry.key(), entry.get_mut());
            // The ticks before must be complete too: one of which nothing has come yet may still have rows.
            let batches = if !tick.first.is_empty() && learned < complete.first && learned <= complete.all {
                std::mem::take(&mut tick.first)
            } else if learned < complete.all {
                entry.remove().other
            } else {
                break;
            };
            if !batches.is_empty() {
                return Some(Leaves::Rows(Box::new(put_in_order(learned, batches, &mut self.certificate))));
            }
        }
        // An epoch that leaves the watermark where it is closes no tick.
        if last > binding.before && complete.all <= last {
            return None;
        }
        entry.remove().binding.map(Leaves::Epoch)
    }
}

/// First or other rows of one tick in the order of the contract.
fn put_in_order(learned: u32, mut batches: Vec<Batch>, certificate: &mut Certificate) -> TickRows {
    let mut out = TickRows { learned, ..TickRows::default() };
    out.windows = batches.iter_mut().flat_map(|b| std::mem::take(&mut b.windows)).collect();
    for (i, table) in Table::ALL.into_iter().enumerate() {
        let mut of: Vec<&mut Batch> = batches.iter_mut().filter(|b| usize::from(b.table) == i).collect();
        out.rows[i] = of.iter().map(|b| b.rows.len() as u64).sum();
        // What one worker wrote in order leaves as it stands.
        if let [one] = of.as_mut_slice()
            && let Some(lines) = one.take_ordered()
        {
            certificate.take(learned.into(), table, std::iter::once(lines.as_slice()));
            out.lines[i] = lines;
            continue;
        }
        let mut rows: Vec<_> = of.iter().flat_map(|b| b.rows.iter().map(move |r| (b, r))).collect();
        let sorted = rows.is_sorted_by(|a, b| a.0.place(a.1) <= b.0.place(b.1));
        if !sorted {
            rows.sort_by(|a, b| a.0.place(a.1).cmp(&b.0.place(b.1)));
        }
        let lines = &mut out.lines[i];
        lines.reserve(rows.iter().map(|(b, r)| b.line(r).len()).sum());
        rows.iter().for_each(|(b, r)| lines.extend_from_slice(b.line(r)));
        if of.iter().all(|b| b.cuts.is_empty()) {
            certificate.take(learned.into(), table, std::iter::once(lines.as_slice()));
        } else {
            certificate.take(learned.into(), table, rows.iter().flat_map(|(b, r)| b.certified(r)));
        }
    }
    out.certificate = certificate.hex();
    out
}

/// The dead letters of one epoch in the order (input, offset).
fn dead_letters(epoch: u64, letters: Vec<Letters>, certificate: &mut Certificate) -> TickRows {
    let learned = letters.iter().map(|l| l.batch.s).min().unwrap_or(0);
    let mut out = TickRows { learned, ..TickRows::default() };
    let of = |l: usize| letters[l].batch.rows.iter().enumerate().map(move |(r, row)| (l, r, row));
    let mut rows: Vec<_> = (0..letters.len()).flat_map(of).collect();
    rows.sort_by_key(|(l, _, row)| letters[*l].batch.place(row));
    let certified = rows.iter().flat_map(|(l, _, row)| letters[*l].batch.certified(row));
    certificate.take(epoch, Table::DeadLetters, certified);
    let lines = &mut out.lines[Table::DeadLetters as usize];
    lines.reserve(rows.iter().map(|(l, _, row)| letters[*l].batch.line(row).len()).sum());
    rows.iter().for_each(|(l, _, row)| lines.extend_from_slice(letters[*l].batch.line(row)));
    out.originals = rows.iter().filter_map(|(l, r, _)| letters[*l].originals.get(*r).cloned()).collect();
    out.rows[Table::DeadLetters as usize] = rows.len() as u64;
    out.certificate = certificate.hex();
    out
}

#[cfg(test)]
mod tests;
