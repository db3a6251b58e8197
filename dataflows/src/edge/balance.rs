//! Whether every record has a disposition, while the run goes on.
//!
//! Records are counted when they are bound, dispositions when their tick closes, so that in between the two differ by what is
//! open. They are compared tick by tick: when an epoch has left that moved the watermark, the tick that was open before it has
//! all of its epochs and all of its notes.

use crate::clock::Binding;
use std::collections::BTreeMap;

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Balance {
    /// By the tick at which they are released: records bound less records with a disposition.
    open: BTreeMap<u32, i64>,
    missing: i64,
}

impl Balance {
    /// So many records that were released at tick `s` have a disposition.
    pub fn disposed(&mut self, s: u32, records: u64) {
        *self.open.entry(s).or_default() -= records as i64;
    }

    /// An epoch has left, and the ticks that it closed.
    pub fn epoch(&mut self, binding: &Binding) {
        let open = binding.before + 1;
        *self.open.entry(open).or_default() += binding.weight.0 as i64;
        if binding.after > binding.before {
            while let Some(tick) = self.open.first_entry().filter(|tick| *tick.key() <= open) {
                self.missing += tick.remove();
            }
        }
    }

    /// Records of closed ticks that have no disposition: 0, or something is broken.
    pub fn missing(&self) -> i64 {
        self.missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(before: u32, after: u32, records: u64) -> Binding {
        let text = format!(
            r#"{{"epoch":0,"before":{before},"after":{after},"added":[],"blocks":[],"last":null,"stop":false,"checkpoint":false,"weight":[{records},0]}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    /// ```text
    /// epochs   5 -> 5: 3   5 -> 5: 4   5 -> 9: 1   9 -> 10: 2
    /// ticks                            6: 8        10: 2, of which one is lost
    /// ```
    #[test]
    fn a_tick_is_settled_when_its_last_epoch_has_left() {
        let mut balance = Balance::default();
        balance.epoch(&epoch(5, 5, 3));
        balance.epoch(&epoch(5, 5, 4));
        assert_eq!(balance.missing(), 0);
        balance.disposed(6, 5);
        balance.disposed(10, 1);
        balance.disposed(6, 3);
        balance.epoch(&epoch(5, 9, 1));
        assert_eq!(balance.missing(), 0);
        balance.epoch(&epoch(9, 10, 2));
        assert_eq!(balance.missing(), 1);
        assert!(balance.open.is_empty());
    }
}
