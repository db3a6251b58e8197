//! `score EVENTS LABELS`.

use super::{Failure, print};
use crate::score::Case;
use crate::score::read::{self, Tables};
use crate::score::report::{Report, Scale};
use clap::Args;
use std::path::{Path, PathBuf};

/// Judge alerts by the labels of what really happened
///
/// Prints precision, recall, false alarms a day and delays, with intervals of 95 %, before the cooldown and after it. EVENTS is a
/// folder of results, in which episodes and suppressed events are read too, or one file of events. Several pairs are pooled.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  vitrine score results labels.ndjson\n  \
                        vitrine score results-1 labels-1.ndjson results-2 labels-2.ndjson --json\n\n\
                        An alert hits an event of the same type, level, key and direction when the end of its window lies between \
                        the start of the event and 90 s after its end.")]
pub struct Score {
    /// Events (a folder of results or a file) and the labels of the same sales, as many pairs as you like
    #[arg(value_name = "EVENTS LABELS", required = true, num_args = 2..)]
    pairs: Vec<PathBuf>,
    /// False alarms a day over all series that the detectors were allowed; the bins of D are counted from the threshold it gives
    #[arg(long, value_name = "N", default_value_t = 0.6, value_parser = positive)]
    budget: f64,
    /// That threshold in decades, instead of the budget's
    #[arg(long, value_name = "H", value_parser = positive)]
    threshold: Option<f64>,
    /// Series that were watched, where the labels do not say
    #[arg(long, value_name = "N")]
    series: Option<u64>,
    /// Print the recall of every magnitude too
    #[arg(long)]
    magnitudes: bool,
    /// Print all figures as JSON
    #[arg(long)]
    json: bool,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if number > 0.0 && f64::is_finite(number) => Ok(number),
        _ => Err("write a number above 0".into()),
    }
}

impl Score {
    /// Runs it.
    ///
    /// # Errors
    /// Wrong usage, or a file that cannot be read.
    pub fn run(&self) -> Result<(), Failure> {
        let (pairs, rest) = self.pairs.as_chunks::<2>();
        if let [alone] = rest {
            return Err(Failure::Usage(format!("{} has no labels; give EVENTS and LABELS in pairs", alone.display())));
        }
        let cases: Vec<Case> = pairs.iter().map(|[events, labels]| case(events, labels)).collect::<Result<_, _>>()?;
        let report = Report::new(&cases, Scale { budget_per_day: self.budget, series: self.series, threshold: self.threshold });
        if self.json {
            let json = serde_json::to_string_pretty(&report).expect("plain values and text keys are JSON");
            return print(&(json + "\n"));
        }
        print(&report.text(self.magnitudes))
    }
}

/// Reads a pair.
fn case(events: &Path, labels: &Path) -> Result<Case, Failure> {
    let folder = events.is_dir();
    let of = |table: &str| if folder { events.join(format!("{table}.ndjson")) } else { events.to_owned() };
    let optional = |table: &str| {
        let path = of(table);
        if folder && path.exists() { text(&path).map(Some) } else { Ok(None) }
    };
    let (sent, said) = (text(&of("events"))?, text(labels)?);
    let (episodes, suppressed) = (optional("episodes")?, optional("suppressed")?);
    let tables = Tables { events: &sent, episodes: episodes.as_deref(), suppressed: suppressed.as_deref() };
    read::case(&said, tables).map_err(|(table, problem)| {
        let path = if table == "labels" { labels.to_owned() } else { of(table) };
        Failure::Io(format!("cannot read {}: {problem}", path.display()))
    })
}

fn text(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|e| Failure::Io(format!("cannot read {}: {e}", path.display())))
}
