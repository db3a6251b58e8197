//! All tables as one stream of JSON lines, each row with the name of its table: `demo --json`.

use crate::engine::Stop;
use dataflows::edge::{Marks, RowSink, Table, TickRows};
use std::io::{ErrorKind, Write};

/// stdout of a run. A reader that has seen enough (`vitrine demo | head`) is no failure: it stops the run.
pub struct Stdout {
    out: std::io::Stdout,
    stop: Stop,
    gone: bool,
}

impl Stdout {
    /// For the run that `stop` stops.
    pub fn new(stop: Stop) -> Stdout {
        Stdout { out: std::io::stdout(), stop, gone: false }
    }

    fn unless_gone<T>(&mut self, done: std::io::Result<T>, otherwise: T) -> std::io::Result<T> {
        match done {
            Err(e) if e.kind() == ErrorKind::BrokenPipe => {
                self.gone = true;
                self.stop.request();
                Ok(otherwise)
            }
            done => done,
        }
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = if self.gone { Ok(bytes.len()) } else { self.out.write(bytes) };
        self.unless_gone(written, bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let flushed = if self.gone { Ok(()) } else { self.out.flush() };
        self.unless_gone(flushed, ())
    }
}

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
    fn save(&mut self, _into: &mut Marks) -> Result<(), String> {
        Ok(())
    }
    fn resume(&mut self, _from: &Marks) -> Result<(), String> {
        Ok(())
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
