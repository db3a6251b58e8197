//! What a run says when it is done: an aligned table.

use super::text;
use crate::checkpoint::Pace;
use dataflows::edge::Table;
use std::time::Duration;

/// The figures of a run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Records by fate, in the order in which they are shown.
    pub records: Vec<(&'static str, u64)>,
    /// Records read.
    pub read: u64,
    /// Records without a fate: not zero means a bug.
    pub unaccounted: i64,
    /// Rows of each table that was written.
    pub rows: Vec<(Table, u64)>,
    /// The certificate, in hex.
    pub certificate: String,
    /// By worker: records read and keys owned.
    pub workers: Vec<(u64, u64)>,
    /// From the first record to the last row.
    pub took: Duration,
    /// How checkpoints went, where they are kept.
    pub checkpoints: Option<Pace>,
}

impl Report {
    /// As text.
    pub fn text(&self) -> String {
        let seconds = self.took.as_secs_f64();
        let rate = if seconds > 0.0 { (self.read as f64 / seconds).round() as i64 } else { 0 };
        let mut out = format!(
            "{} records in {}, {} a second\n\n",
            text::grouped(self.read as i64),
            text::span(self.took.as_millis() as i64),
            text::grouped(rate)
        );
        let mut line = |indent: &str, name: &str, n: i64, note: &str| {
            let text = format!("{indent}{name:<width$}{:>15}  {note:>8}", text::grouped(n), width = 22 - indent.len());
            out.push_str(text.trim_end());
            out.push('\n');
        };
        line("", "records", self.read as i64, "");
        for (name, n) in &self.records {
            line("  ", name, *n as i64, &text::share(*n, self.read));
        }
        if self.unaccounted != 0 {
            line("  ", "unaccounted", self.unaccounted, "a bug");
        }
        line("", "rows", self.rows.iter().map(|(_, n)| *n as i64).sum(), "");
        for (table, n) in &self.rows {
            line("  ", table.name(), *n as i64, "");
        }
        out.push_str(&format!("certificate  {}\n\n", self.certificate));
        out.push_str("worker         records           keys\n");
        for (i, (records, keys)) in self.workers.iter().enumerate() {
            let (records, keys) = (text::grouped(*records as i64), text::grouped(*keys as i64));
            out.push_str(&format!("{i:<7}{records:>15}{keys:>15}\n"));
        }
        if let Some(pace) = &self.checkpoints {
            let ms = |span: Duration| format!("{:.1} ms", span.as_secs_f64() * 1e3);
            let last = if pace.complete == 0 { String::new() } else { format!(", written within {}", ms(pace.took)) };
            let paused =
                if pace.complete == 0 { String::new() } else { format!("; paused for {} at most", ms(pace.longest_pause)) };
            out.push_str(&format!("\ncheckpoints  {}{last}{paused}\n", pace.complete));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_table_is_aligned() {
        let report = Report {
            records: vec![("accepted", 538_000), ("duplicate", 0), ("too late", 12), ("rejected", 3_897)],
            read: 541_909,
            unaccounted: 0,
            rows: vec![(Table::Windows, 1_234_567), (Table::DeadLetters, 3_909)],
            certificate: "00ff".into(),
            workers: vec![(270_000, 4_070), (271_909, 2)],
            took: Duration::from_millis(3_200),
            checkpoints: None,
        };
        assert_eq!(
            report.text(),
            "\
541,909 records in 3.2 s, 169,347 a second

records                       541,909
  accepted                    538,000   99.28 %
  duplicate                         0    0.00 %
  too late                         12    0.00 %
  rejected                      3,897    0.72 %
rows                        1,238,476
  windows                   1,234,567
  dead_letters                  3,909
certificate  00ff

worker         records           keys
0              270,000          4,070
1              271,909              2
"
        );
    }
}
