//! Small inputs for the engine: readable sales, out of order, with late and broken records.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

/// 2026-01-31T10:00:00Z.
const START: i64 = 1_769_853_600_000;

fn sale(seed: u64, i: u64, at: i64) -> String {
    let (seller, cents) = ((seed + i) % 7, 100 + (i * 37) % 900);
    format!(
        r#"{{"id_sale":"{seed}-{i}","id_product":"p{}","seller":"s{seller}","price":{}.{:02},"tp_payment":"PIX","sale_date":{at}}}"#,
        i % 11,
        cents / 100,
        cents % 100
    )
}

/// So many lines of NDJSON, the first `offset` milliseconds after ten o'clock.
pub fn lines(seed: u64, offset: i64, n: u64) -> Vec<u8> {
    let mut text = String::new();
    for i in 0..n {
        let at = START + offset + 300 * i as i64;
        let late = if i % 17 == 5 { 9_000 } else { (i * 7 % 5) as i64 * 200 };
        match i {
            _ if i % 31 == 30 => text += "{\"id_sale\": broken",
            // A year ahead: nothing confirms it.
            57 if seed == 1 => text += &sale(seed, i, at + 31_536_000_000),
            _ => text += &sale(seed, i, at - late),
        }
        text += "\n";
    }
    text.into_bytes()
}

/// So many records of CSV, each with a name that holds a line end and a quote.
pub fn csv(n: u64) -> Vec<u8> {
    let mut text = "id_sale,id_product,nm_product,seller,price,tp_payment,sale_date\n".to_owned();
    for i in 0..n {
        let at = START + 300 * i as i64;
        let _ = writeln!(text, "{i},p,\"a \"\"big\"\"\nthing, {}\",s{},1.50,PIX,{at}", "x".repeat(i as usize % 40), i % 5);
    }
    text.into_bytes()
}

/// Compressed.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// Writes files with this extension; their names.
pub fn write(folder: &Path, extension: &str, files: &[Vec<u8>]) -> Vec<String> {
    let files = files.iter().enumerate().map(|(i, bytes)| {
        let path = folder.join(format!("{i}.{extension}"));
        std::fs::write(&path, bytes).expect("written");
        path.display().to_string()
    });
    files.collect()
}
