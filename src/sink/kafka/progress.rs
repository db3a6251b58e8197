//! The progress topic: which epochs are committed, what their bindings counted, and who said so.
//!
//! Each transaction holds one or more of these records. A run also commits one of its own when it begins, with no epochs: when it
//! reads its own name, it has read all that was committed before it.

use crate::error::Error;
use crate::source::bindings;
use dataflows::clock::Binding;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// Text of bindings that goes into one record: brokers take a million bytes, and partitions can be many.
const LARGEST: usize = 200_000;

/// The value of a record, as JSON. Its key is the name of the job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The job.
    pub job: String,
    /// The run that said so.
    pub incarnation: String,
    /// The settings of that run, hashed.
    pub fingerprint: String,
    /// The first and the last epoch; none when a run begins.
    pub epochs: Option<(u64, u64)>,
    /// What they counted, in order, as the state directory has it.
    #[serde(serialize_with = "write", deserialize_with = "read")]
    pub bindings: Vec<Binding>,
    /// The certificate of all that was said up to the last epoch.
    pub certificate: String,
}

fn write<S: Serializer>(bindings: &[Binding], to: S) -> Result<S::Ok, S::Error> {
    let lines = bindings.iter().map(|binding| RawValue::from_string(bindings::write(binding)));
    lines.collect::<Result<Vec<_>, _>>().map_err(S::Error::custom)?.serialize(to)
}

fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Binding>, D::Error> {
    let lines: Vec<Box<RawValue>> = Vec::deserialize(from)?;
    lines.iter().map(|line| bindings::read(line.get()).map_err(D::Error::custom)).collect()
}

impl Progress {
    /// The records that tell of these epochs, in order.
    pub fn of(&self, bindings: Vec<Binding>) -> Vec<Progress> {
        let (mut records, mut bytes): (Vec<Progress>, usize) = (vec![], usize::MAX);
        for binding in bindings {
            let size = bindings::write(&binding).len();
            let epoch = binding.epoch;
            match records.last_mut().filter(|_| bytes.saturating_add(size) <= LARGEST) {
                Some(record) => {
                    record.epochs = record.epochs.map(|(first, _)| (first, epoch));
                    record.bindings.push(binding);
                    bytes += size;
                }
                None => {
                    records.push(Progress { epochs: Some((epoch, epoch)), bindings: vec![binding], ..self.clone() });
                    bytes = size;
                }
            }
        }
        records
    }
}

/// What a start has found on the progress topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The last epoch that is committed; `None` when there is none.
    pub last_epoch: Option<u64>,
    /// What the epochs counted up to the last one, in order and without a gap. The first is 0 unless the topic was read from a
    /// later place, or has forgotten.
    pub bindings: Vec<Binding>,
    /// The certificate up to the last epoch.
    pub certificate: Option<String>,
    /// Of each record: its last epoch, its offset.
    pub(super) offsets: Vec<(u64, i64)>,
}

impl Recovered {
    /// What counted after the epoch `after`; all of it when it is `None`.
    ///
    /// # Errors
    /// When the topic does not reach back as far as that.
    pub fn after(&self, after: Option<u64>) -> Result<Vec<Binding>, Error> {
        let next = after.map_or(0, |epoch| epoch + 1);
        match self.bindings.first() {
            Some(first) if first.epoch > next => Err(Error::Unavailable(format!(
                "the progress topic begins with epoch {}, and epoch {next} is needed: it has forgotten what is older than \
                 [kafka] keep_bindings; start from a newer checkpoint, or with a new [kafka] job",
                first.epoch
            ))),
            _ => Ok(self.bindings.iter().filter(|binding| binding.epoch >= next).cloned().collect()),
        }
    }

    /// The binding of an epoch, if it was read.
    pub fn binding(&self, epoch: u64) -> Option<&Binding> {
        let first = self.bindings.first()?.epoch;
        self.bindings.get(usize::try_from(epoch.checked_sub(first)?).ok()?)
    }

    /// Takes the next record, of the same job, with its offset.
    ///
    /// # Errors
    /// When epochs are missing, or the settings were others.
    pub(super) fn take(&mut self, record: Progress, offset: i64, fingerprint: &str) -> Result<(), Error> {
        let Some((first, last)) = record.epochs else { return Ok(()) };
        if record.fingerprint != fingerprint {
            let job = record.job;
            return Err(Error::Settings(format!(
                "the job {job:?} ran with other settings before, and its rows would not fit to those that are out: give it the \
                 settings it had, or another [kafka] job and another prefix"
            )));
        }
        let next = self.last_epoch.map_or(first, |last| last + 1);
        let whole = record.bindings.iter().map(|binding| binding.epoch).eq(first..=last);
        if first != next || !whole {
            return Err(Error::Unavailable(format!(
                "on the progress topic, epoch {next} is missing before epoch {first} (offset {offset}): records were deleted, or \
                 another program writes there; start with a new [kafka] job"
            )));
        }
        self.last_epoch = Some(last);
        self.bindings.extend(record.bindings);
        self.certificate = Some(record.certificate);
        self.offsets.push((last, offset));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(epoch: u64) -> Binding {
        let line = format!(r#"{{"epoch":{epoch},"before":4,"after":5,"blocks":[[2,70,80]]}}"#);
        bindings::read(&line).unwrap()
    }

    fn begun() -> Progress {
        let text = |s: &str| s.to_owned();
        Progress {
            job: text("shop"),
            incarnation: text("1"),
            fingerprint: text("f"),
            epochs: None,
            bindings: vec![],
            certificate: text("c"),
        }
    }

    #[test]
    fn many_bindings_are_several_records() {
        let size = bindings::write(&binding(1_000)).len() as u64;
        let n = 3 * LARGEST as u64 / size;
        let records = begun().of((1_000..1_000 + n).map(binding).collect());
        assert!((3..=4).contains(&records.len()));
        let mut recovered = Recovered::default();
        for (offset, record) in records.into_iter().enumerate() {
            let text = serde_json::to_string(&record).unwrap();
            assert!(text.len() < 1_000_000);
            recovered.take(serde_json::from_str(&text).unwrap(), offset as i64, "f").unwrap();
        }
        assert_eq!((recovered.last_epoch, recovered.bindings.len() as u64), (Some(999 + n), n));
        assert_eq!(recovered.binding(1_000).map(|b| b.epoch), Some(1_000));
        assert_eq!((recovered.binding(999), recovered.binding(1_000 + n)), (None, None));
    }

    #[test]
    fn what_is_needed_is_given_or_said_to_be_gone() {
        let mut recovered = Recovered::default();
        assert_eq!(recovered.after(Some(3)), Ok(vec![]));
        recovered.take(begun(), 6, "other").unwrap();
        recovered.take(begun().of(vec![binding(4), binding(5)]).remove(0), 7, "f").unwrap();
        recovered.take(begun().of(vec![binding(6)]).remove(0), 9, "f").unwrap();
        assert_eq!(recovered.after(Some(4)).unwrap(), [binding(5), binding(6)]);
        assert_eq!(recovered.after(Some(3)).unwrap().len(), 3);
        assert!(
            recovered.after(None).unwrap_err().to_string().starts_with("the progress topic begins with epoch 4, and epoch 0")
        );
        assert_eq!(recovered.offsets, [(5, 7), (6, 9)]);
    }

    #[test]
    fn a_gap_and_other_settings_are_refused() {
        let mut recovered = Recovered::default();
        recovered.take(begun().of(vec![binding(4)]).remove(0), 7, "f").unwrap();
        let gap = recovered.take(begun().of(vec![binding(6)]).remove(0), 8, "f").unwrap_err();
        assert!(gap.to_string().contains("epoch 5 is missing before epoch 6 (offset 8)"), "{gap}");
        let again = recovered.take(begun().of(vec![binding(4)]).remove(0), 8, "f").unwrap_err();
        assert!(again.to_string().contains("epoch 5 is missing before epoch 4"), "{again}");
        let other = recovered.take(begun().of(vec![binding(5)]).remove(0), 8, "g").unwrap_err();
        assert!(matches!(other, Error::Settings(_)), "{other}");
    }
}
