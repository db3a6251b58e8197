//! How a run begins: with what was there before it.
//!
//! 1. The state directory is locked, so that one run at a time decides.
//! 2. The Kafka sink takes over the job: it fences whoever wrote before, and knows then up to which epoch all is committed.
//! 3. The bindings of these epochs must be those in the state directory. What is missing there (a lost disk) comes from the
//!    progress topic; where the two say different things, the directory belongs to another job.
//! 4. All recorded bindings are carried out again. The sink drops the rows of what is committed.

use crate::checkpoint::fingerprint::Fingerprint;
use crate::cli::compute::Cluster;
use crate::cli::{Failure, run};
use crate::engine::Stop;
use crate::error::Error;
use crate::settings::Settings;
use crate::sink::kafka::{self, KafkaSink, Wanted};
use crate::source::bindings::{self, Log};
use dataflows::clock::binding::Binding;
use dataflows::clock::{Policy, Record, policy};
use dataflows::dictionary::identity;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

/// What a run begins with, on process 0.
pub struct Start {
    /// How it is bound.
    pub policy: Policy,
    /// Where bindings are recorded.
    pub log: Arc<Log>,
    /// Rows to Kafka, unless the settings say no.
    pub out: Option<KafkaSink>,
    /// Whether it goes on with something.
    pub again: bool,
}

/// Looks what is there, and takes over.
///
/// # Errors
/// When another run uses the directory, Kafka is away, or what is there does not fit.
pub fn start(settings: &Settings, state: &Path, live: policy::Live, cluster: &Cluster, stop: &Stop) -> Result<Start, Failure> {
    let log = Arc::new(Log::open(state)?);
    let mut out = None;
    if settings.sinks.kafka {
        let fingerprint = Fingerprint::of(&settings.plan, &settings.schema, &settings.kafka.topic);
        let fingerprint = serde_json::to_vec(&fingerprint).map_err(|e| Error::Bug(e.to_string()))?;
        let wanted = Wanted {
            kafka: &settings.kafka,
            tables: run::tables(settings),
            fingerprint: format!("{:032x}", identity(&fingerprint)),
            from: None,
            group: true,
            stop: stop.clone(),
            kill: cluster.kill.clone(),
        };
        let (sink, recovered) = kafka::open(wanted)?;
        reconcile(state, &log, recovered.after(None)?)?;
        out = Some(sink);
    }
    let again = !log.is_empty()?;
    let policy = if again {
        tracing::info!(state = %state.display(), "goes on from the recorded bindings; --from is not asked");
        Policy::Recorded { bindings: bindings::recording(state)?, then: Some(live) }
    } else {
        Policy::Live(live)
    };
    Ok(Start { policy, log, out, again })
}

/// The state directory and the progress topic must tell the same; what the directory lacks at its end is added.
fn reconcile(state: &Path, log: &Log, committed: Vec<Binding>) -> Result<(), Error> {
    let path = state.join(bindings::FILE);
    let cannot = |e: std::io::Error| Error::Input(format!("cannot read {}: {e}", path.display()));
    let mut committed = VecDeque::from(committed);
    for line in BufReader::new(File::open(&path).map_err(cannot)?).lines() {
        let Some(ours) = committed.front() else { return Ok(()) };
        let recorded = bindings::read(&line.map_err(cannot)?).map_err(|e| Error::Input(format!("{}: {e}", path.display())))?;
        if recorded.epoch < ours.epoch {
            continue;
        }
        if bindings::write(&recorded) != bindings::write(ours) {
            return Err(Error::Settings(format!(
                "epoch {} counted something else than the state directory {} says: it is that of another job, or an old copy; \
                 name its own --state, or another [kafka] job and prefix",
                ours.epoch,
                state.display()
            )));
        }
        committed.pop_front();
    }
    if !committed.is_empty() {
        tracing::warn!(bindings = committed.len(), "the state directory lacks what was committed; it is taken from Kafka");
    }
    committed.iter().try_for_each(|binding| log.binding(binding).map_err(Error::Output))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(epoch: u64, upto: u64) -> Binding {
        let line = format!(r#"{{"epoch":{epoch},"before":4,"after":5,"blocks":[[0,{},{upto}]]}}"#, 10 * epoch);
        bindings::read(&line).expect("a binding")
    }

    fn both(recorded: std::ops::Range<u64>, committed: Vec<Binding>) -> Result<usize, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let log = Log::open(folder.path()).expect("a log");
        recorded.for_each(|epoch| log.binding(&binding(epoch, 10 * epoch + 10)).expect("written"));
        reconcile(folder.path(), &log, committed).map_err(|e| e.to_string())?;
        let text = std::fs::read_to_string(folder.path().join(bindings::FILE)).expect("text");
        let epochs: Vec<u64> = text.lines().map(|line| bindings::read(line).expect("a binding").epoch).collect();
        assert_eq!(epochs, (epochs[0]..=epochs[epochs.len() - 1]).collect::<Vec<_>>());
        Ok(epochs.len())
    }

    #[test]
    fn the_directory_gets_what_it_lacks_and_must_not_contradict() {
        let committed = |epochs: std::ops::Range<u64>| epochs.map(|e| binding(e, 10 * e + 10)).collect::<Vec<_>>();
        assert_eq!(both(0..9, committed(0..5)), Ok(9));
        assert_eq!(both(0..4, committed(2..7)), Ok(7));
        assert_eq!(both(0..0, committed(0..7)), Ok(7));
        assert_eq!(both(0..3, vec![]), Ok(3));
        let refusal = both(0..4, vec![binding(1, 13)]).expect_err("another job's");
        assert!(refusal.starts_with("epoch 1 counted something else than the state directory "), "{refusal}");
    }
}
