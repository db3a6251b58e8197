//! Counts the rows on their way to other sinks: what `summary.json` and the closing table say of them.

use dataflows::clock::Binding;
use dataflows::edge::certificate::Certificate;
use dataflows::edge::{Marks, RowSink, Table, TickRows};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What a checkpoint calls it.
const MARK: &str = "totals";

/// The rows so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// By [`Table`] as index.
    pub rows: [u64; Table::COUNT],
    /// Rejected records by error code; a record with several errors counts under each.
    pub rejected: BTreeMap<String, u64>,
    /// The certificate, in hex.
    pub certificate: String,
    /// By window definition: instances that late records found too old to be revised.
    pub unrevised: Vec<u64>,
}

/// Counts, then hands on. Clones count together.
#[derive(Clone)]
pub struct Tally(Arc<Mutex<Totals>>);

impl Default for Tally {
    fn default() -> Self {
        Tally(Arc::new(Mutex::new(Totals {
            rows: [0; Table::COUNT],
            rejected: BTreeMap::new(),
            certificate: Certificate::default().hex(),
            unrevised: vec![],
        })))
    }
}

#[derive(Deserialize)]
struct Letter {
    disposition: String,
    errors: Vec<Code>,
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

impl Tally {
    /// The totals so far.
    pub fn totals(&self) -> Totals {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A sink that counts and then hands the rows to `sinks`.
    pub fn before(&self, sinks: Vec<Box<dyn RowSink + Send>>) -> Box<dyn RowSink + Send> {
        Box::new(Counted { tally: self.clone(), sinks })
    }

    fn count(&self, rows: &TickRows) {
        let mut totals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (sum, n) in totals.rows.iter_mut().zip(rows.rows) {
            *sum += n;
        }
        totals.certificate.clone_from(&rows.certificate);
        // The engine counts fates, not reasons; the reasons stand in the dead letters, which are few.
        for line in rows.lines[Table::DeadLetters as usize].split(|&b| b == b'\n').filter(|line| !line.is_empty()) {
            let letter: Letter = serde_json::from_slice(line).expect("the engine writes dead letters as JSON");
            if letter.disposition == "rejected" {
                let mut codes: Vec<String> = letter.errors.into_iter().map(|e| e.code).collect();
                codes.sort();
                codes.dedup();
                codes.into_iter().for_each(|code| *totals.rejected.entry(code).or_default() += 1);
            }
        }
    }
}

struct Counted {
    tally: Tally,
    sinks: Vec<Box<dyn RowSink + Send>>,
}

impl RowSink for Counted {
    fn tick(&mut self, rows: &TickRows) -> Result<(), String> {
        self.tally.count(rows);
        self.sinks.iter_mut().try_for_each(|sink| sink.tick(rows))
    }
    fn epoch(&mut self, binding: &Binding) -> Result<(), String> {
        self.sinks.iter_mut().try_for_each(|sink| sink.epoch(binding))
    }
    fn save(&mut self, into: &mut Marks) -> Result<(), String> {
        let totals = serde_json::to_string(&self.tally.totals()).map_err(|e| e.to_string())?;
        into.insert(MARK.into(), totals);
        self.sinks.iter_mut().try_for_each(|sink| sink.save(into))
    }
    fn resume(&mut self, from: &Marks) -> Result<(), String> {
        if let Some(totals) = from.get(MARK) {
            let totals = serde_json::from_str(totals).map_err(|e| format!("the checkpoint's totals make no sense: {e}"))?;
            *self.tally.0.lock().unwrap_or_else(PoisonError::into_inner) = totals;
        }
        self.sinks.iter_mut().try_for_each(|sink| sink.resume(from))
    }
    fn ended(&mut self, unrevised: &[u64]) {
        self.tally.0.lock().unwrap_or_else(PoisonError::into_inner).unrevised = unrevised.to_vec();
        self.sinks.iter_mut().for_each(|sink| sink.ended(unrevised));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_reasons_are_counted() {
        let tally = Tally::default();
        assert_eq!(tally.totals().certificate.len(), 64);
        let mut sink = tally.before(vec![]);
        let mut rows = TickRows { certificate: "ab".into(), ..TickRows::default() };
        (rows.rows[Table::Windows as usize], rows.rows[Table::DeadLetters as usize]) = (2, 3);
        rows.lines[Table::DeadLetters as usize] = concat!(
            r#"{"source":"a","disposition":"rejected","errors":[{"code":"bad_price"},{"code":"bad_date"},{"code":"bad_price"}]}"#,
            "\n",
            r#"{"source":"a","disposition":"rejected","errors":[{"code":"bad_price"}]}"#,
            "\n",
            r#"{"source":"a","disposition":"too_late","errors":[{"code":"too_late"}]}"#,
            "\n",
        )
        .into();
        sink.tick(&rows).unwrap();
        let mut more = TickRows { certificate: "cd".into(), ..TickRows::default() };
        more.rows[Table::Windows as usize] = 1;
        sink.tick(&more).unwrap();
        let totals = tally.totals();
        assert_eq!((totals.rows[Table::Windows as usize], totals.rows[Table::DeadLetters as usize]), (3, 3));
        assert_eq!(totals.rejected, BTreeMap::from([("bad_date".into(), 1), ("bad_price".into(), 2)]));
        assert_eq!(totals.certificate, "cd");
    }
}
