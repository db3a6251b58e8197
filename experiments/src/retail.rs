//! Real sales for experiments: UCI "Online Retail", which is not part of the project.

use anyhow::{Context, Result};
use dataflows::decode::{Decoder, Format};
use dataflows::dictionary::Dictionaries;
use dataflows::sale::Sale;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use vitrine::settings::{Given, Settings};

/// The valid records of the gzipped CSV file, in its order, which is that of their dates; returns are among them.
///
/// # Errors
/// When the file cannot be read, or is another one.
pub fn sales(path: &Path) -> Result<Vec<Sale>> {
    let profile = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/uci_online_retail.toml");
    let schema = Settings::load(&Given { file: Some(profile), ..Given::default() })?.schema;
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let mut bytes = vec![];
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).with_context(|| format!("reading {}", path.display()))?;
    let mut decoder = Decoder::new(Arc::new(schema));
    let header = bytes.iter().position(|b| *b == b'\n').map_or(bytes.len(), |at| at + 1);
    decoder.header(0, &bytes[..header])?;
    let until = bytes.len();
    Ok(decoder.block(Format::Csv, 0, bytes, 0, header, until, &mut Dictionaries::default()).sales)
}
