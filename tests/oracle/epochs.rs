//! The clock by hand: in which epoch each record is released, under which watermark, and what becomes of it.
//!
//! An epoch is one block of the next input in turn that has not ended and does not sit out. Block `n` holds the records
//! that begin in `n * epoch_bytes .. (n + 1) * epoch_bytes`.
//!
//! ```text
//! a   |r1   r2 |r3      |r4|          epochs: a0 b0 a1 b1 a2      (b ends with b1; a is then alone)
//! b   |q1      |q2|                   W moves behind the least of the two; after b1 behind a alone
//! ```

use super::params::{HOUR, Params};
use super::record::{Input, Laid, Line, Op, Record};
use std::collections::BTreeMap;

/// What becomes of a record, in the order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Rejected,
    TooLate,
    Duplicate,
    Accepted,
}

/// A record, released.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The watermark before the epoch.
    pub w: i64,
    pub input: usize,
    pub laid: Laid,
    pub fate: Fate,
    /// Rejected as `future_sale_date`.
    pub future: bool,
}

impl Taken {
    /// The record, when it keeps the rules of validation.
    pub fn record(&self) -> Option<&Record> {
        match &self.laid.line {
            Line::Good(r) => Some(r),
            _ => None,
        }
    }
}

/// How the inputs ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// The watermark of the largest event time: what ends later is partial.
    pub whole: i64,
    /// The pane of the largest event time.
    pub last: i64,
}

/// The course of a run.
#[derive(Clone, Debug)]
pub struct Course {
    /// Every record, in the order (epoch, offset).
    pub taken: Vec<Taken>,
    pub ending: Ending,
    /// The watermark after each epoch.
    pub marks: Vec<i64>,
}

/// Which dates of an input count: one more than `max_jump` ahead of the largest before it does only when the next one is
/// too; the first one, which nothing precedes, unless the next is more than `max_jump` earlier.
///
/// ```text
/// max_jump 10     3  90  4     90 is not confirmed by 4
///                 3  90  95    90 is confirmed by 95, and 95 is near it
///                 90  3  4     90 is more than 10 ahead of 3, and nothing was before it
///                 3  90        90 is never confirmed
/// ```
fn believed(dates: &[i64], max_jump: i64) -> Vec<bool> {
    let mut largest = None;
    let mut out = vec![];
    for (i, at) in dates.iter().enumerate() {
        let next = dates.get(i + 1);
        let counts = match largest {
            Some(m) if *at <= m + max_jump => true,
            Some(m) => next.is_some_and(|next| *next > m + max_jump),
            None => next.is_none_or(|next| *at <= next + max_jump),
        };
        if counts {
            largest = largest.max(Some(*at));
        }
        out.push(counts);
    }
    out
}

/// One input while it is read.
struct Reader {
    /// With the date of each valid record, and whether it is believed.
    records: Vec<(Laid, Option<(i64, bool)>)>,
    bytes: u64,
    block: u64,
    ended: bool,
    /// The largest date that counts so far.
    largest: Option<i64>,
}

impl Reader {
    fn new(input: &Input, max_jump: i64) -> Reader {
        let date = |laid: &Laid| if let Line::Good(r) = &laid.line { Some(r.at) } else { None };
        let (bytes, records) = input.lay();
        let dates: Vec<i64> = records.iter().filter_map(date).collect();
        let mut judged = dates.iter().copied().zip(believed(&dates, max_jump));
        let records = records.into_iter().map(|laid| {
            let judgement = date(&laid).and_then(|_| judged.next());
            (laid, judgement)
        });
        Reader { records: records.collect(), bytes: bytes.len() as u64, block: 0, ended: false, largest: None }
    }

    /// The next block: its records, each with whether it is valid and whether it is believed.
    fn block(&mut self, epoch_bytes: u64) -> Vec<(Laid, Option<bool>)> {
        let (from, to) = (self.block * epoch_bytes, (self.block + 1) * epoch_bytes);
        let mut out = vec![];
        for (laid, judgement) in self.records.iter().filter(|r| (from..to).contains(&r.0.offset)) {
            if let Some((at, true)) = judgement {
                self.largest = self.largest.max(Some(*at));
            }
            out.push((laid.clone(), judgement.map(|j| j.1)));
        }
        self.block += 1;
        self.ended = to >= self.bytes;
        out
    }
}

/// The whole run.
pub fn run(params: &Params, inputs: &[Input]) -> Course {
    let mut readers: Vec<Reader> = inputs.iter().map(|input| Reader::new(input, params.max_jump)).collect();
    let (mut taken, mut marks, mut w, mut turn) = (vec![], vec![], 0, 0);
    let mut remembered: BTreeMap<_, i64> = BTreeMap::new();
    while readers.iter().any(|r| !r.ended) {
        // `None` is less than any date: an input that has shown no date yet makes all others sit out.
        let least = readers.iter().filter(|r| !r.ended).map(|r| r.largest).min().flatten();
        let sits_out = |r: &Reader| match (r.largest, least) {
            (Some(mine), Some(least)) => mine > least + params.max_drift,
            (mine, None) => mine.is_some(),
            (None, Some(_)) => unreachable!("nothing is less than None"),
        };
        let n = readers.len();
        let next = (0..n).map(|k| (turn + k) % n).find(|i| !readers[*i].ended && !sits_out(&readers[*i]));
        let input = next.expect("the least one does not sit out");
        turn = (input + 1) % n;
        for (laid, believed) in readers[input].block(params.epoch_bytes) {
            let mut one = Taken { w, input, laid, fate: Fate::Rejected, future: believed == Some(false) };
            if believed == Some(true) {
                one.fate = fate(params, &one, &mut remembered);
            }
            taken.push(one);
        }
        let counted = readers.iter().filter(|r| !r.ended).map(|r| r.largest).min().flatten();
        w = counted.map_or(w, |least| w.max(params.watermark(least)));
        marks.push(w);
        // What was remembered before there was a watermark counts from the first one.
        remembered.values_mut().filter(|seen| **seen == 0).for_each(|seen| *seen = w);
    }
    let largest = readers.iter().filter_map(|r| r.largest).max();
    let ending = largest.map_or(Ending::default(), |t| Ending { whole: params.watermark(t), last: params.pane(t) });
    Course { taken, ending, marks }
}

/// What becomes of a valid record.
fn fate(params: &Params, one: &Taken, remembered: &mut BTreeMap<(Op, String), i64>) -> Fate {
    let record = one.record().expect("only valid records come here");
    let p = params.pane(record.at);
    let spans = (0..params.windows.len()).map(|d| params.span(d)).chain([params.feature(HOUR)]);
    let counts_somewhere = spans.map(|s| s.ends(p, one.w)).any(|(first, last)| first <= last);
    if !counts_somewhere {
        return Fate::TooLate;
    }
    if params.deduplicate > 0 {
        let id = (record.op, record.id_sale.clone());
        if remembered.get(&id).is_some_and(|seen| one.w - seen <= params.ticks(params.deduplicate)) {
            return Fate::Duplicate;
        }
        remembered.insert(id, one.w);
    }
    Fate::Accepted
}
