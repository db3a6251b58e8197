//! How a run begins: with what was there before it.
//!
//! 1. The state directory is locked, so that one run at a time decides.
//! 2. The Kafka sink takes over the job: it fences whoever wrote before, and knows then up to which epoch all is committed.
//! 3. The bindings of these epochs must be those in the state directory. What is missing there (a lost disk) comes from the
//!    progress topic; where the two say different things, the directory belongs to another job.
//! 4. The newest checkpoint is taken up whose last binding is what was committed as that epoch: not one of a run that was
//!    fenced and did not know it yet, and not one of epochs that were never committed.
//! 5. The bindings recorded since are carried out again. The sink drops the rows of what is committed.

use crate::checkpoint::Store;
use crate::checkpoint::fingerprint::Fingerprint;
use crate::checkpoint::manifest::KEPT;
use crate::cli::compute::Cluster;
use crate::cli::{Failure, run};
use crate::engine::{State, Stop};
use crate::error::Error;
use crate::fault::Kill;
use crate::settings::Settings;
use crate::sink::kafka::{self, KafkaSink, Recovered, Wanted};
use crate::source::bindings::{self, Log};
use dataflows::clock::binding::Binding;
use dataflows::clock::{Every, Policy, Record, policy};
use dataflows::dictionary::identity;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What a run begins with, on process 0.
pub struct Start {
    /// How it is bound.
    pub policy: Policy,
    /// Where bindings are recorded.
    pub log: Arc<Log>,
    /// Rows to Kafka, unless the settings say no.
    pub out: Option<KafkaSink>,
    /// Where checkpoints go, and the one from which it goes on.
    pub state: State,
    /// Whether anything was recorded before.
    pub again: bool,
    /// The first epoch that is carried out.
    pub first: u64,
    /// Without a checkpoint: the last epoch that was committed before.
    pub said: Option<u64>,
}

/// Where a run keeps its checkpoints, without the one that it goes on from.
pub fn keeping(settings: &Settings, state: &Path, kill: Kill) -> State {
    let sales = &settings.kafka.topic;
    let source = settings.kafka.stock.as_ref().map_or(sales.clone(), |stock| format!("{sales} and the stock in {stock}"));
    let fingerprint = Fingerprint::of(&settings.plan, &settings.schema, &source);
    let store = Store::new(state, Arc::new(settings.plan.clone()), fingerprint, kill);
    State { store, every: Every::Millis(settings.checkpoint_every), from: None }
}

/// Looks what is there, and takes over.
///
/// # Errors
/// When another run uses the directory, Kafka is away, or what is there does not fit.
pub fn start(settings: &Settings, state: &Path, live: policy::Live, cluster: &Cluster, stop: &Stop) -> Result<Start, Failure> {
    let log = Arc::new(Log::open(state, Duration::from_millis(settings.kafka.keep_bindings.unsigned_abs()))?);
    let mut keeping = keeping(settings, state, cluster.kill.clone());
    let mut taken = None;
    if settings.sinks.kafka {
        let fingerprint = serde_json::to_vec(keeping.store.fingerprint()).map_err(|e| Error::Bug(e.to_string()))?;
        // Both checkpoints are behind what this one knew to be committed.
        let oldest = keeping.store.list()?.into_iter().take(KEPT).next_back();
        let marks = oldest.map(|manifest| keeping.store.marks(&manifest)).transpose()?;
        let wanted = Wanted {
            kafka: &settings.kafka,
            tables: run::tables(settings),
            fingerprint: format!("{:032x}", identity(&fingerprint)),
            from: marks.as_ref().and_then(kafka::known_from),
            group: true,
            stop: stop.clone(),
            kill: cluster.kill.clone(),
        };
        taken = Some(kafka::open(wanted)?);
    }
    keeping.from = keeping.store.newest(|manifest| {
        let committed = |recovered: &Recovered| recovered.binding(manifest.cut.epoch).map(bindings::write);
        taken.as_ref().is_none_or(|(_, recovered)| committed(recovered).as_ref() == Some(&manifest.binding))
    })?;
    let cut = keeping.from.as_ref().map(|manifest| manifest.cut.epoch);
    if let Some((sink, recovered)) = &mut taken {
        if log.last().is_none() {
            // All that there is to go on with: it must reach back far enough.
            recovered.after(cut)?;
        }
        reconcile(state, &log, &recovered.bindings)?;
        cut.iter().for_each(|cut| sink.resume(cut + 1));
    }
    keeping.store.tidy(keeping.from.as_ref())?;
    let again = log.last().is_some();
    let policy = if again {
        tracing::info!(
            state = %state.display(), checkpoint = cut, recorded = log.last(),
            "goes on where it was; --from is not asked"
        );
        Policy::Recorded { bindings: bindings::recording(state, cut)?, then: Some(live) }
    } else {
        Policy::Live(live)
    };
    let first = cut.map_or(0, |cut| cut + 1);
    let said = taken.as_ref().and_then(|(_, recovered)| recovered.last_epoch).filter(|_| cut.is_none());
    Ok(Start { policy, log, out: taken.map(|(sink, _)| sink), state: keeping, again, first, said })
}

/// The state directory and the progress topic must tell the same; what the directory lacks at its end is added.
fn reconcile(state: &Path, log: &Log, committed: &[Binding]) -> Result<(), Error> {
    let oldest = bindings::oldest(state)?.unwrap_or(0);
    let mut committed = committed.iter().skip_while(|binding| binding.epoch < oldest).peekable();
    let Some(first) = committed.peek().map(|binding| binding.epoch) else { return Ok(()) };
    if log.last().is_some_and(|last| last >= first) {
        for recorded in bindings::behind(state, first.checked_sub(1))? {
            let recorded = recorded.map_err(Error::Input)?;
            let Some(theirs) = committed.next() else { return Ok(()) };
            if bindings::write(&recorded) != bindings::write(theirs) {
                return Err(Error::Settings(format!(
                    "epoch {} counted something else than the state directory {} says: it is that of another job, or an old \
                     copy; name its own --state, or another [kafka] job and prefix",
                    theirs.epoch,
                    state.display()
                )));
            }
        }
    }
    let lacking: Vec<&Binding> = committed.collect();
    if !lacking.is_empty() {
        tracing::warn!(bindings = lacking.len(), "the state directory lacks what was committed; it is taken from Kafka");
    }
    lacking.into_iter().try_for_each(|binding| log.binding(binding).map_err(Error::Output))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(epoch: u64, upto: u64) -> Binding {
        let line = format!(r#"{{"epoch":{epoch},"before":4,"after":5,"blocks":[[0,{},{upto}]]}}"#, 10 * epoch);
        bindings::read(&line).expect("a binding")
    }

    fn both(recorded: std::ops::Range<u64>, committed: &[Binding]) -> Result<usize, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let log = Log::open(folder.path(), Duration::MAX).expect("a log");
        recorded.for_each(|epoch| log.binding(&binding(epoch, 10 * epoch + 10)).expect("written"));
        reconcile(folder.path(), &log, committed).map_err(|e| e.to_string())?;
        let after = bindings::oldest(folder.path()).expect("pieces").and_then(|first| first.checked_sub(1));
        let all = bindings::behind(folder.path(), after).expect("bindings");
        let epochs: Vec<u64> = all.map(|binding| binding.expect("a binding").epoch).collect();
        assert_eq!(epochs, (epochs[0]..=epochs[epochs.len() - 1]).collect::<Vec<_>>());
        Ok(epochs.len())
    }

    #[test]
    fn the_directory_gets_what_it_lacks_and_must_not_contradict() {
        let committed = |epochs: std::ops::Range<u64>| epochs.map(|e| binding(e, 10 * e + 10)).collect::<Vec<_>>();
        assert_eq!(both(0..9, &committed(0..5)), Ok(9));
        assert_eq!(both(0..4, &committed(2..7)), Ok(7));
        assert_eq!(both(0..0, &committed(0..7)), Ok(7));
        assert_eq!(both(0..0, &committed(3..7)), Ok(4), "the topic has forgotten what was before");
        assert_eq!(both(0..3, &[]), Ok(3));
        let refusal = both(0..4, &[binding(0, 10), binding(1, 13)]).expect_err("another job's");
        assert!(refusal.starts_with("epoch 1 counted something else than the state directory "), "{refusal}");
    }
}
