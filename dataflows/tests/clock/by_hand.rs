//! The rule of the clock by hand: one thread, whole inputs in memory, no framework, nothing of the crate but the plan.

use dataflows::plan::{FeatureSpec, Plan, Spec};
use std::collections::BTreeMap;

/// Inputs and how to read them.
#[derive(Clone, Debug)]
pub struct Case {
    pub inputs: Vec<Vec<u8>>,
    pub block: u64,
    pub max_drift: i64,
    pub max_jump: Option<i64>,
}

/// A record: where it begins, and its date and cents unless it is broken.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    pub offset: u64,
    pub sale: Option<(i64, i64)>,
}

/// What an epoch counts and how it moves the watermark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch {
    pub input: u32,
    pub start: u64,
    pub upto: u64,
    pub before: u32,
    pub after: u32,
    /// Offsets of the records whose date does not count.
    pub refused: Vec<u64>,
    pub last: Option<u32>,
}

/// A tick is a second, the slack two.
pub fn plan() -> Plan {
    let mut spec = Spec::default();
    spec.features = FeatureSpec { enabled: false, ..spec.features };
    Plan::new(&spec).expect("the default plan")
}

/// The records of an input: `ms,cents...` a line, anything else is broken, blank lines are none.
pub fn records(bytes: &[u8]) -> Vec<Record> {
    let (mut offset, mut records) = (0, vec![]);
    for line in bytes.split(|b| *b == b'\n') {
        if !line.is_empty() {
            let text = std::str::from_utf8(line).expect("ascii").trim_end_matches('x');
            let sale = text.split_once(',').map(|(at, cents)| (at.parse().expect("ms"), cents.parse().expect("cents")));
            records.push(Record { offset, sale });
        }
        offset += line.len() as u64 + 1;
    }
    records
}

/// Which sales count, in the words of the contract.
fn counting(records: &[Record], max_jump: Option<i64>) -> BTreeMap<u64, bool> {
    let sales: Vec<(u64, i64)> = records.iter().filter_map(|r| Some((r.offset, r.sale?.0))).collect();
    let mut m: Option<i64> = None;
    let mut counts = BTreeMap::new();
    for (k, (offset, at)) in sales.iter().enumerate() {
        let next = sales.get(k + 1).map(|(_, t)| *t);
        let count = match (max_jump, m, next) {
            (None, ..) => true,
            (Some(j), Some(m), _) if *at <= m + j => true,
            (Some(j), Some(m), Some(next)) => next > m + j,
            (Some(_), Some(_), None) => false,
            (Some(j), None, Some(next)) => *at <= next + j,
            (Some(_), None, None) => true,
        };
        counts.insert(*offset, count);
        if count {
            m = m.max(Some(*at));
        }
    }
    counts
}

struct State {
    records: Vec<Record>,
    counts: BTreeMap<u64, bool>,
    size: u64,
    at: u64,
    largest: Option<i64>,
    ended: bool,
}

/// The epochs of a case, in order.
pub fn by_hand(case: &Case) -> Vec<Epoch> {
    let mut inputs: Vec<State> = case
        .inputs
        .iter()
        .map(|bytes| {
            let records = records(bytes);
            let counts = counting(&records, case.max_jump);
            State { records, counts, size: bytes.len() as u64, at: 0, largest: None, ended: false }
        })
        .collect();
    let tick = |t: i64| ((t - 2_000).div_euclid(1_000)).max(0) as u32;
    let (mut turn, mut before, mut epochs) = (0, 0, vec![]);
    while inputs.iter().any(|i| !i.ended) {
        let low = i64::MIN / 2;
        let least = inputs.iter().filter(|i| !i.ended).map(|i| i.largest.unwrap_or(low)).min().expect("one has not ended");
        while inputs[turn].ended || inputs[turn].largest.is_some_and(|t| t > least + case.max_drift) {
            turn = (turn + 1) % inputs.len();
        }
        let i = &mut inputs[turn];
        let start = i.at;
        i.at = (start + case.block).min(i.size);
        let mut refused = vec![];
        for r in i.records.iter().filter(|r| (start..i.at).contains(&r.offset)) {
            let Some((t, _)) = r.sale else { continue };
            if i.counts[&r.offset] {
                i.largest = i.largest.max(Some(t));
            } else {
                refused.push(r.offset);
            }
        }
        i.ended = i.at == i.size;
        let upto = i.at;
        let open: Vec<Option<i64>> = inputs.iter().filter(|i| !i.ended).map(|i| i.largest).collect();
        let last = inputs.iter().filter_map(|i| i.largest).max();
        let date = if open.is_empty() { last } else { open.into_iter().min().flatten() };
        let after = date.map_or(before, |t| tick(t).max(before));
        let last = inputs.iter().all(|i| i.ended).then(|| last.map_or(0, |t| (t.div_euclid(1_000) + 1) as u32));
        epochs.push(Epoch { input: turn as u32, start, upto, before, after, refused, last });
        before = after;
        turn = (turn + 1) % inputs.len();
    }
    epochs
}

/// What the consumer of the harness writes: for each learned tick and pane the sales and cents, and broken and refused
/// records by learned tick; then the ending.
pub fn output(case: &Case) -> String {
    let mut rows: BTreeMap<(u32, u32), (i64, i64, i64)> = BTreeMap::new();
    let epochs = by_hand(case);
    for e in &epochs {
        for r in records(&case.inputs[e.input as usize]).iter().filter(|r| (e.start..e.upto).contains(&r.offset)) {
            match r.sale {
                Some((at, cents)) if !e.refused.contains(&r.offset) => {
                    let row = rows.entry((e.before + 1, (at.div_euclid(1_000) + 1) as u32)).or_default();
                    (row.0, row.1) = (row.0 + 1, row.1 + cents);
                }
                _ => rows.entry((e.before + 1, 0)).or_default().2 += r.offset as i64 + 1,
            }
        }
    }
    let rows = rows.iter().map(|((learned, pane), (n, cents, bad))| format!("{learned} {pane} {n} {cents} {bad}\n"));
    let ending = epochs.last().map(|e| (e.after, e.last.expect("the last epoch ends the inputs"))).unwrap_or_default();
    rows.collect::<String>() + &format!("ending {} {}\n", ending.0, ending.1)
}

/// Records read in all.
pub fn read(case: &Case) -> u64 {
    case.inputs.iter().map(|bytes| records(bytes).len() as u64).sum()
}
