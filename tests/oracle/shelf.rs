//! Journals and checkpoints in memory, for runs that go on from where another one was cut.

use dataflows::clock::Binding;
use dataflows::snapshot::merge::Merge;
use dataflows::snapshot::{Cut, Entry, Keeper, Kept, Part, Resume};
use std::sync::{Arc, Mutex, MutexGuard};
use timely::scheduling::SyncActivator;

/// All that the workers of a run have kept, and of the runs that it went on from.
#[derive(Clone, Debug, Default)]
pub struct Shelf(Arc<Mutex<Kind>>);

#[derive(Debug, Default)]
struct Kind {
    /// By worker of each run: its segments.
    lanes: Vec<Vec<Vec<Entry>>>,
    /// Where the lanes of the run at hand begin.
    first: usize,
    checkpoints: Vec<Checkpoint>,
}

#[derive(Clone, Debug)]
struct Checkpoint {
    cut: Cut,
    parts: Vec<(u64, Part)>,
    complete: bool,
}

impl Shelf {
    fn lock(&self) -> MutexGuard<'_, Kind> {
        self.0.lock().expect("no worker panics with the shelf in hand")
    }

    /// A new run begins, on so many workers.
    pub fn begin(&self, workers: usize) {
        let kind = &mut *self.lock();
        kind.first = kind.lanes.len();
        kind.lanes.extend((0..workers).map(|_| vec![vec![]]));
    }

    /// A shelf that holds what this one held when the checkpoint `which` was cut.
    pub fn upto(&self, which: usize) -> Shelf {
        let kind = self.lock();
        let checkpoint = kind.checkpoints[which].clone();
        let before = |lane: &Vec<Vec<Entry>>| {
            let segments = lane.iter().map(|s| s.iter().filter(|e| e.s < checkpoint.cut.tick).cloned().collect());
            segments.collect()
        };
        let lanes = kind.lanes.iter().map(before).collect();
        Shelf(Arc::new(Mutex::new(Kind { lanes, first: 0, checkpoints: vec![checkpoint] })))
    }

    /// The ticks of the complete checkpoints.
    pub fn cuts(&self) -> Vec<u32> {
        self.lock().checkpoints.iter().filter(|c| c.complete).map(|c| c.cut.tick).collect()
    }

    /// What a worker keeps.
    pub fn keeper(&self, me: usize, peers: usize) -> Box<dyn Keeper> {
        Box::new(Hand { shelf: self.clone(), me, peers, said: vec![], wake: None })
    }

    /// From where a worker goes on.
    pub fn resume(&self, which: usize, me: usize, peers: usize) -> Resume {
        let kind = self.lock();
        let Checkpoint { cut, parts, .. } = kind.checkpoints[which].clone();
        let first = parts.iter().find(|(worker, _)| *worker == 0).and_then(|(_, part)| part.first.clone());
        let first = first.expect("worker 0 has its share");
        let lane = |(k, lane): (usize, &Vec<Vec<Entry>>)| {
            let entries = lane.iter().enumerate().flat_map(move |(n, s)| s.iter().map(move |e| (k * 10_000 + n, e)));
            entries.filter(|(_, e)| e.s < cut.tick).map(|(n, e)| Ok((n, e.clone()))).collect::<Vec<_>>().into_iter()
        };
        let lanes = kind.lanes.iter().enumerate().filter(|(k, _)| k % peers == me).map(lane);
        Resume {
            cut,
            clock: Arc::new(first.clock.clone()),
            ids: parts.iter().flat_map(|(_, part)| part.ids.clone()).collect(),
            stages: parts.iter().map(|(_, part)| Arc::new(part.stages.clone())).collect(),
            parts: parts.into_iter().filter(|(k, _)| *k as usize % peers == me).map(|(_, part)| part).collect(),
            first: (me == 0).then_some(first),
            journal: Some(Box::new(Merge::new(lanes))),
        }
    }
}

struct Hand {
    shelf: Shelf,
    me: usize,
    peers: usize,
    said: Vec<Kept>,
    wake: Option<SyncActivator>,
}

impl Keeper for Hand {
    fn append(&mut self, entry: Entry) -> Result<(), String> {
        let kind = &mut *self.shelf.lock();
        let lane = kind.first + self.me;
        kind.lanes[lane].last_mut().ok_or("no segment")?.push(entry);
        Ok(())
    }

    fn seal(&mut self, tick: u32) -> Result<(), String> {
        let kind = &mut *self.shelf.lock();
        let lane = kind.first + self.me;
        assert!(kind.lanes[lane].iter().flatten().all(|e| e.s < tick), "the journal is sealed before the cut");
        kind.lanes[lane].push(vec![]);
        Ok(())
    }

    fn keep(&mut self, cut: Cut, part: Part) -> Result<(), String> {
        let kind = &mut *self.shelf.lock();
        if !kind.checkpoints.iter().any(|c| c.cut == cut) {
            kind.checkpoints.push(Checkpoint { cut, parts: vec![], complete: false });
        }
        let checkpoint = kind.checkpoints.iter_mut().find(|c| c.cut == cut).ok_or("it was just pushed")?;
        checkpoint.parts.push((self.me as u64, part));
        self.said.push(Kept { epoch: cut.epoch, worker: self.me as u64, said: String::new() });
        self.wake.as_ref().map_or(Ok(()), SyncActivator::activate).map_err(|e| e.to_string())
    }

    fn kept(&mut self) -> Result<Option<Kept>, String> {
        Ok(self.said.pop())
    }

    fn wake_by(&mut self, wake: SyncActivator) {
        self.wake = Some(wake);
    }

    fn begin(&mut self, _cut: Cut) {}

    fn complete(&mut self, binding: &Binding, parts: Vec<Kept>) -> Result<(), String> {
        assert_eq!(parts.iter().map(|p| p.worker).collect::<Vec<_>>(), (0..self.peers as u64).collect::<Vec<_>>());
        let kind = &mut *self.shelf.lock();
        let checkpoint = kind.checkpoints.iter_mut().find(|c| c.cut == Cut::behind(binding)).ok_or("nothing was kept")?;
        checkpoint.complete = true;
        Ok(())
    }
}
