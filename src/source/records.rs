//! Records one at a time, with the key under which Kafka keeps them together: the seller.
//!
//! The engine reads files in blocks and decodes them whole; a producer needs each record by itself and unchanged. So lines go out
//! as they are, broken ones too (a consumer has to meet them), and a CSV record becomes the JSON object that says the same.

mod key;

pub use key::Key;

use super::{Packing, UNKNOWN, kind};
use crate::error::Error;
use dataflows::clock::Format;
use dataflows::schema::Schema;
use flate2::bufread::MultiGzDecoder;
use serde_json::value::RawValue;
use std::fs::File;
use std::io::{self, BufRead, BufReader};

/// Bytes asked for in one go.
const CHUNK: usize = 1 << 17;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// The contract's fields that are numbers in JSON; a cell of CSV has no type.
const NUMBERS: [&str; 7] =
    ["price", "quantity", "total_value", "sale_date", "seasonality_factor", "discount_percentage", "product_rating"];

/// The records of one file or of standard input.
pub struct Records {
    name: String,
    from: From,
    /// Nothing has been read of the lines: a mark of the byte order may stand there.
    first: bool,
    may_wait: bool,
}

enum From {
    Lines(Box<dyn BufRead + Send>),
    Cells { reader: csv::Reader<Box<dyn BufRead + Send>>, header: csv::StringRecord, record: csv::StringRecord },
}

impl Records {
    /// Opens a path, or `-` for standard input. The format follows the name unless it is given.
    ///
    /// # Errors
    /// When it cannot be read, or its name does not say what it is.
    pub fn open(name: &str, format: Option<Format>, schema: &Schema) -> Result<Records, Error> {
        let cannot = |problem: String| Error::Input(format!("cannot read {name}: {problem}"));
        let (known, packing) = if name == "-" { (Some(Format::Json), Packing::None) } else { kind(name) };
        let format = format.or(known).ok_or_else(|| cannot(UNKNOWN.into()))?;
        let raw: Box<dyn BufRead + Send> = if name == "-" {
            Box::new(BufReader::with_capacity(CHUNK, io::stdin()))
        } else {
            let file = File::open(name).map_err(|e| cannot(e.to_string()))?;
            if file.metadata().is_ok_and(|meta| meta.is_dir()) {
                return Err(cannot("it is a directory; name a file in it".into()));
            }
            Box::new(BufReader::with_capacity(CHUNK, file))
        };
        let raw: Box<dyn BufRead + Send> = match packing {
            Packing::None => raw,
            Packing::Gzip => Box::new(BufReader::with_capacity(CHUNK, MultiGzDecoder::new(raw))),
            Packing::Zstd => {
                let unpacked = zstd::Decoder::with_buffer(raw).map_err(|e| cannot(e.to_string()))?;
                Box::new(BufReader::with_capacity(CHUNK, unpacked))
            }
        };
        let may_wait = name == "-" || !std::fs::metadata(name).is_ok_and(|meta| meta.is_file());
        Ok(Records { may_wait, ..Records::new(name, raw, format, schema)? })
    }

    /// Whether the next record may be long in coming.
    pub fn may_wait(&self) -> bool {
        self.may_wait
    }

    fn new(name: &str, raw: Box<dyn BufRead + Send>, format: Format, schema: &Schema) -> Result<Records, Error> {
        let from = match format {
            Format::Json => From::Lines(raw),
            Format::Csv => {
                let mut reader = csv::ReaderBuilder::new().delimiter(schema.delimiter).flexible(true).from_reader(raw);
                let header = reader.headers().map_err(|e| Error::Input(format!("cannot read {name}: {e}")))?.clone();
                From::Cells { reader, header, record: csv::StringRecord::new() }
            }
        };
        Ok(Records { name: name.into(), from, first: true, may_wait: false })
    }

    /// Appends the next record to `out`, without a line end; false at the end. Blank lines are no records.
    ///
    /// # Errors
    /// When the rest cannot be read.
    pub fn next_into(&mut self, out: &mut Vec<u8>) -> Result<bool, Error> {
        let name = &self.name;
        match &mut self.from {
            From::Lines(lines) => next_line(&mut **lines, &mut self.first, out).map_err(|e| unreadable(name, &e)),
            From::Cells { reader, header, record } => {
                let some = reader.read_record(record).map_err(|e| match e.into_kind() {
                    csv::ErrorKind::Io(e) => unreadable(name, &e),
                    other => Error::Input(format!("cannot read {name}: {}", csv_problem(&other))),
                })?;
                if some {
                    object(header, record, out);
                }
                Ok(some)
            }
        }
    }
}

fn unreadable(name: &str, e: &io::Error) -> Error {
    match e.kind() {
        io::ErrorKind::UnexpectedEof => {
            Error::Input(format!("cannot read {name}: it ends in the middle of the compressed data; fetch the file again"))
        }
        _ => Error::Input(format!("cannot read {name}: {e}")),
    }
}

fn csv_problem(problem: &csv::ErrorKind) -> String {
    match problem {
        csv::ErrorKind::Utf8 { pos: Some(at), .. } => format!("line {} is not UTF-8", at.line()),
        other => format!("{other:?}"),
    }
}

fn next_line(lines: &mut dyn BufRead, first: &mut bool, out: &mut Vec<u8>) -> io::Result<bool> {
    let from = out.len();
    loop {
        if lines.read_until(b'\n', out)? == 0 {
            return Ok(false);
        }
        if std::mem::take(first) && out[from..].starts_with(BOM) {
            out.drain(from..from + BOM.len());
        }
        while out.len() > from && matches!(out.last(), Some(b'\n' | b'\r')) {
            out.pop();
        }
        if out[from..].iter().any(|byte| !byte.is_ascii_whitespace()) {
            return Ok(true);
        }
        out.truncate(from);
    }
}

/// A record of CSV as JSON. An empty cell is no value; cells beyond the header have no name.
fn object(header: &csv::StringRecord, record: &csv::StringRecord, out: &mut Vec<u8>) {
    let mut sep = b'{';
    for (name, cell) in header.iter().zip(record).filter(|(_, cell)| !cell.is_empty()) {
        out.push(sep);
        sep = b',';
        text(name, out);
        out.push(b':');
        if NUMBERS.contains(&name) && is_number(cell) { out.extend_from_slice(cell.as_bytes()) } else { text(cell, out) }
    }
    out.extend_from_slice(if sep == b'{' { b"{}" } else { b"}" });
}

fn text(value: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("a text is JSON, and memory takes it");
}

fn is_number(cell: &str) -> bool {
    cell.starts_with(|c: char| c == '-' || c.is_ascii_digit()) && serde_json::from_str::<&RawValue>(cell).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &'static [u8], format: Format) -> Vec<String> {
        let mut records = Records::new("it", Box::new(text), format, &Schema::default()).unwrap();
        let (mut out, mut found) = (vec![], vec![]);
        while records.next_into(&mut out).unwrap() {
            found.push(String::from_utf8_lossy(&std::mem::take(&mut out)).into_owned());
        }
        found
    }

    #[test]
    fn lines_go_out_as_they_are() {
        let text = b"\xEF\xBB\xBF{\"a\": 1}\r\n\n  \n{broken\n{\"b\":2}";
        assert_eq!(all(text, Format::Json), ["{\"a\": 1}", "{broken", "{\"b\":2}"]);
        assert_eq!(all(b"", Format::Json), [""; 0]);
    }

    #[test]
    fn cells_become_objects() {
        let text = b"id_sale,seller,price,quantity,nm_product,id_product\n\
                     1,\"Casa, \"\"Sul\"\"\",9.90,2,,00123\n\
                     2,B,nine,03\n";
        let expected = [
            r#"{"id_sale":"1","seller":"Casa, \"Sul\"","price":9.90,"quantity":2,"id_product":"00123"}"#,
            r#"{"id_sale":"2","seller":"B","price":"nine","quantity":"03"}"#,
        ];
        assert_eq!(all(text, Format::Csv), expected);
    }
}
