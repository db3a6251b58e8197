//! Which operators the time goes to, from timely's own log of when it schedules what.
//!
//! An operator's time is what it spends itself, without what runs inside of it. It is time by the clock on the wall, so
//! only the shares are of use on a machine that others use too, and only with one worker: a second one would count waiting.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::Duration;
use timely::logging::{StartStop, TimelyEvent, TimelyEventBuilder};
use timely::worker::Worker;

/// Seconds by stage.
#[derive(Clone, Debug, Default)]
pub struct Stages(BTreeMap<String, f64>);

/// Stages and the operators in them, in the order of the flow. What fits nowhere is timely's own.
const STAGES: [(&str, &[&str]); 14] = [
    ("read and decode", &["Read", "Pull", "Decode"]),
    ("clock", &["Clock", "Bind", "Bound", "Count", "Tally", "Letters"]),
    ("profiles: gather", &["Gather"]),
    ("profiles: bought together", &["BoughtTogether"]),
    ("profiles: rows", &["Profiles"]),
    ("profiles: scores", &["Scores"]),
    ("combine", &["Combine"]),
    ("stores", &["SellersStore", "CategoriesStore", "ProductsStore", "Totals", "Amounts"]),
    ("arrange", &["Align", "Map", "Concatenate", "Arrange"]),
    ("count and greatest", &["CountTotals", "Peaks"]),
    ("rows", &["Windows", "Serve"]),
    ("detectors: counts", &["Baskets", "Counts", "Notify"]),
    ("detectors: sales", &["ProductSignals", "CategorySignals", "ShopSignals", "StockSignals"]),
    ("collect", &["Collect"]),
];

/// A stage with its share in per cent, and its operators with theirs.
pub type Share = (String, f64, Vec<(String, f64)>);

impl Stages {
    /// Adds those of another worker.
    pub fn add(&mut self, other: &Stages) {
        for (name, seconds) in &other.0 {
            *self.0.entry(name.clone()).or_default() += seconds;
        }
    }

    /// By stage in the order of the flow: its name, its share of all in per cent, and its operators with theirs.
    pub fn shares(&self) -> Vec<Share> {
        let all: f64 = self.0.values().sum();
        let stage = |operator: &str| {
            let fits = |prefixes: &[&str]| prefixes.iter().filter(|p| operator.starts_with(**p)).map(|p| p.len()).max();
            let best = STAGES.iter().enumerate().filter_map(|(i, s)| Some((fits(s.1)?, i))).max();
            best.map_or(STAGES.len(), |x| x.1)
        };
        let mut shares: Vec<Share> =
            STAGES.iter().map(|s| s.0).chain(["timely itself"]).map(|s| (s.to_owned(), 0.0, vec![])).collect();
        for (operator, seconds) in &self.0 {
            let (_, share, operators) = &mut shares[stage(operator)];
            *share += 100.0 * seconds / all;
            operators.push((operator.clone(), 100.0 * seconds / all));
        }
        shares
    }
}

#[derive(Default)]
struct Log {
    names: HashMap<usize, String>,
    /// What is running: operator, when it began, and how long it was interrupted by others inside of it.
    running: Vec<(usize, Duration, Duration)>,
    seconds: HashMap<usize, Duration>,
}

impl Log {
    fn hear(&mut self, at: Duration, event: &TimelyEvent) {
        match event {
            TimelyEvent::Operates(x) => {
                self.names.insert(x.id, x.name.clone());
            }
            TimelyEvent::Schedule(x) if x.start_stop == StartStop::Start => self.running.push((x.id, at, Duration::ZERO)),
            TimelyEvent::Schedule(_) => {
                let Some((id, began, inside)) = self.running.pop() else { return };
                let whole = at.saturating_sub(began);
                *self.seconds.entry(id).or_default() += whole.saturating_sub(inside);
                if let Some(outer) = self.running.last_mut() {
                    outer.2 += whole;
                }
            }
            _ => (),
        }
    }
}

/// Listens to one worker.
pub struct Watch(Rc<RefCell<Log>>);

impl Watch {
    /// Before the dataflows are built.
    pub fn start(worker: &Worker) -> Watch {
        let log = Rc::new(RefCell::new(Log::default()));
        let hears = log.clone();
        if let Some(mut register) = worker.log_register() {
            register.insert::<TimelyEventBuilder, _>("timely", move |_, events| {
                for (at, event) in events.as_mut().into_iter().flat_map(|e| e.drain(..)) {
                    hears.borrow_mut().hear(at, &event);
                }
            });
        }
        Watch(log)
    }

    /// What was heard, by name of operator.
    pub fn stop(self) -> Stages {
        let log = self.0.borrow();
        let mut stages = Stages::default();
        for (id, time) in &log.seconds {
            let name = log.names.get(id).map_or("?", String::as_str);
            *stages.0.entry(name.to_owned()).or_default() += time.as_secs_f64();
        }
        stages
    }
}
