//! `generate --sales N --seed S -o FILE`.

use super::{Failure, Session, SettingsArgs, World, flag, print};
use crate::console::text;
use crate::generate::{self, Beside, Counts};
use crate::settings::value;
use clap::Args;
use flate2::Compression;
use flate2::write::GzEncoder;
use indicatif::{ProgressBar, ProgressStyle};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Write generated sales, and the incidents injected into them
///
/// One seed gives one stream, byte for byte. What the shop is like stands in the section [generate] of the settings.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  vitrine generate --sales 100000 --seed 7 -o sales.ndjson --labels labels.ndjson\n  \
                        vitrine generate --sales 1000000 --sellers 300 --set generate.late=0.1 -o sales.ndjson.zst\n  \
                        vitrine generate --duration 21d --set generate.scenario=protocol -o sales.ndjson.zst --labels labels.ndjson --stock stock.ndjson")]
pub struct Generate {
    /// Number of sales; cancellations, returns, duplicates and broken records come on top
    #[arg(long, value_name = "N", required_unless_present = "duration")]
    sales: Option<u64>,
    /// How much time of the shop; it ends earlier when there are enough sales
    #[arg(long, value_name = "TIME", value_parser = value::span)]
    duration: Option<i64>,
    /// Another stream for another seed [default: generate.seed]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// File for the sales (.gz and .zst are compressed), or - for standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// File for the labels of the injected incidents
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// File for what is said of stock that runs out
    #[arg(long, value_name = "FILE")]
    stock: Option<PathBuf>,
    /// Number of sellers [default: generate.sellers]
    #[arg(long, value_name = "N")]
    sellers: Option<u64>,
    /// Mean sale lines a minute [default: generate.rate]
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    #[command(flatten)]
    settings: SettingsArgs,
}

impl Generate {
    /// Runs it.
    ///
    /// # Errors
    /// Bad settings, or a file that cannot be written.
    pub fn run(&self, world: &World, session: &Session) -> Result<(), Failure> {
        let flags = [
            self.seed.map(|seed| flag("--seed", "generate.seed", seed)),
            self.sellers.map(|sellers| flag("--sellers", "generate.sellers", sellers)),
            self.rate.map(|rate| flag("--rate", "generate.rate", rate)),
        ];
        let settings = self.settings.load_with(world, flags.into_iter().flatten())?;
        let shop = generate::Settings { sales: self.sales, span: self.duration, ..settings.generate };
        let mut out = Out::create(&self.output)?;
        let mut labels = self.labels.as_deref().map(Out::create).transpose()?;
        let mut stock = self.stock.as_deref().map(Out::create).transpose()?;
        let expected = self.duration.map_or(u64::MAX, |span| (shop.rate * span as f64 / 60_000.0) as u64);
        let bar = session.bar(bar(self.sales.unwrap_or(u64::MAX).min(expected)));
        let beside = Beside {
            labels: labels.as_mut().map(|labels| labels as &mut dyn Write),
            stock: stock.as_mut().map(|stock| stock as &mut dyn Write),
        };
        let written = generate::write(shop, &mut out, beside, |sales| bar.set_position(sales));
        bar.finish_and_clear();
        let counts = written.map_err(|e| out.cannot(&e))?;
        out.finish()?;
        for side in [labels, stock].into_iter().flatten() {
            side.finish()?;
        }
        if !session.quiet && self.output != Path::new("-") {
            print(&self.said(counts))?;
        }
        Ok(())
    }

    fn said(&self, counts: Counts) -> String {
        let n = |n: u64| text::grouped(n as i64);
        let Counts { records, sales, cancels, returns, duplicates, broken } = counts;
        format!(
            "{} records in {}: {} sales, {} cancellations, {} returns, {} duplicates, {} broken\n",
            n(records),
            self.output.display(),
            n(sales),
            n(cancels),
            n(returns),
            n(duplicates),
            n(broken)
        )
    }
}

fn bar(sales: u64) -> ProgressBar {
    let template = "{bar:30.cyan/dim} {percent:>3} %  {human_pos} of {human_len} sales  {per_sec}  {eta} left";
    let style = ProgressStyle::with_template(template).expect("the template above is valid");
    ProgressBar::new(sales).with_style(style.progress_chars("━╸─"))
}

/// A file that gets its name when it is whole.
struct Out {
    /// What is written, and under which name for now.
    path: PathBuf,
    partial: Option<PathBuf>,
    file: Packed,
}

enum Packed {
    Plain(Box<dyn Write>),
    Gzip(GzEncoder<Box<dyn Write>>),
    Zstd(zstd::Encoder<'static, Box<dyn Write>>),
}

impl Out {
    fn create(path: &Path) -> Result<Out, Failure> {
        let cannot = |e: &io::Error| Failure::Io(format!("cannot write {}: {e}", path.display()));
        let name = path.to_string_lossy();
        // A device or pipe is written as it is; only a file can be renamed.
        let special = name == "-" || path.metadata().is_ok_and(|meta| !meta.is_file());
        let partial = (!special).then(|| PathBuf::from(format!("{name}.partial")));
        let raw: Box<dyn Write> = match &partial {
            None if name == "-" => Box::new(io::stdout()),
            _ => {
                let file =
                    File::options().write(true).create(!special).truncate(!special).open(partial.as_deref().unwrap_or(path));
                Box::new(BufWriter::with_capacity(1 << 16, file.map_err(|e| cannot(&e))?))
            }
        };
        let file = match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => Packed::Gzip(GzEncoder::new(raw, Compression::default())),
            Some("zst") => Packed::Zstd(zstd::Encoder::new(raw, 0).map_err(|e| cannot(&e))?),
            _ => Packed::Plain(raw),
        };
        Ok(Out { path: path.to_owned(), partial, file })
    }

    fn cannot(&self, e: &io::Error) -> Failure {
        Failure::Io(format!("cannot write {}: {e}", self.path.display()))
    }

    fn finish(mut self) -> Result<(), Failure> {
        let ended = match &mut self.file {
            Packed::Plain(raw) => raw.flush(),
            Packed::Gzip(gzip) => gzip.try_finish().and_then(|()| gzip.get_mut().flush()),
            Packed::Zstd(zstd) => zstd.do_finish().and_then(|()| zstd.get_mut().flush()),
        };
        ended
            .and_then(|()| self.partial.as_ref().map_or(Ok(()), |partial| std::fs::rename(partial, &self.path)))
            .map_err(|e| self.cannot(&e))
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.file {
            Packed::Plain(raw) => raw.write(bytes),
            Packed::Gzip(gzip) => gzip.write(bytes),
            Packed::Zstd(zstd) => zstd.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.file {
            Packed::Plain(raw) => raw.flush(),
            Packed::Gzip(gzip) => gzip.flush(),
            Packed::Zstd(zstd) => zstd.flush(),
        }
    }
}
