//! All tables as one stream of JSON lines, each row with the name of its table: `demo --json`.

use dataflows::edge::{RowSink, Table, TickRows};
use std::io::Write;

/// Writes `{"table":"events","row":{...}}` for each row.
pub struct Lines<W> {
    out: W,
}

impl<W: Write> Lines<W> {
    /// Onto `out`, which is flushed after each tick.
    pub fn new(out: W) -> Lines<W> {
        Lines { out }
    }

    fn write(&mut self, rows: &TickRows) -> std::io::Result<()> {
        for table in Table::ALL {
            for line in rows.lines[table as usize].split(|&b| b == b'\n').filter(|line| !line.is_empty()) {
                write!(self.out, "{{\"table\":\"{}\",\"row\":", table.name())?;
                self.out.write_all(line)?;
                self.out.write_all(b"}\n")?;
            }
        }
        self.out.flush()
    }
}

impl<W: Write> RowSink for Lines<W> {
    fn tick(&mut self, rows: &TickRows) -> Result<(), String> {
        self.write(rows).map_err(|e| format!("cannot write to stdout: {e}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_names_its_table() {
        let mut out = vec![];
        let mut rows = TickRows::default();
        rows.lines[Table::Windows as usize] = b"{\"a\":1}\n{\"a\":2}\n".to_vec();
        rows.lines[Table::Events as usize] = b"{\"e\":1}\n".to_vec();
        Lines::new(&mut out).tick(&rows).unwrap();
        let expected = "{\"table\":\"windows\",\"row\":{\"a\":1}}\n{\"table\":\"windows\",\"row\":{\"a\":2}}\n{\"table\":\"events\",\"row\":{\"e\":1}}\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
