//! Several journals read as one, tick by tick.

use super::{Entries, Entry};
use std::iter::Peekable;

/// The entries of several lanes, each in the order of its ticks. A lane is what one worker wrote, segment after segment; its
/// items are entries with the number of their segment.
pub struct Merge<L: Iterator<Item = Result<(usize, Entry), String>>>(Vec<Peekable<L>>);

impl<L: Iterator<Item = Result<(usize, Entry), String>>> Merge<L> {
    /// Of these lanes.
    pub fn new(lanes: impl IntoIterator<Item = L>) -> Merge<L> {
        Merge(lanes.into_iter().map(Iterator::peekable).collect())
    }
}

impl<L: Iterator<Item = Result<(usize, Entry), String>> + Send> Entries for Merge<L>
where
    L::Item: Send,
{
    fn next(&mut self) -> Result<Option<Vec<(usize, Entry)>>, String> {
        let mut least = None;
        for lane in &mut self.0 {
            match lane.peek() {
                Some(Ok((_, entry))) => least = Some(least.map_or(entry.s, |s: u32| s.min(entry.s))),
                Some(Err(problem)) => return Err(problem.clone()),
                None => (),
            }
        }
        let Some(s) = least else { return Ok(None) };
        let mut tick = vec![];
        for lane in &mut self.0 {
            while let Some(Ok(entry)) = lane.next_if(|item| item.as_ref().is_ok_and(|(_, entry)| entry.s == s)) {
                tick.push(entry);
            }
        }
        Ok(Some(tick))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(segment: usize, ticks: &[u32]) -> Vec<Result<(usize, Entry), String>> {
        ticks.iter().map(|s| Ok((segment, Entry { s: *s, ..Entry::default() }))).collect()
    }

    #[test]
    fn entries_of_one_tick_come_together() {
        let lanes = [lane(0, &[3, 5, 5]), lane(1, &[]), lane(2, &[4, 5])];
        let mut all = Merge::new(lanes.map(Vec::into_iter));
        let mut seen = vec![];
        while let Some(tick) = all.next().expect("no lane fails") {
            seen.push(tick.iter().map(|(segment, entry)| (entry.s, *segment)).collect::<Vec<_>>());
        }
        assert_eq!(seen, [vec![(3, 0)], vec![(4, 2)], vec![(5, 0), (5, 0), (5, 2)]]);
    }

    #[test]
    fn a_lane_that_cannot_be_read_ends_it() {
        let mut broken = lane(0, &[1]);
        broken.push(Err("torn".into()));
        let mut all = Merge::new([broken.into_iter()]);
        assert!(all.next().is_ok_and(|tick| tick.is_some()));
        assert_eq!(all.next().err(), Some("torn".to_string()));
    }
}
