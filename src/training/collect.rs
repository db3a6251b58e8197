//! Answers a list of requests while the rows of a run come by.
//!
//! A request is answered as late as it must be and no later: for `known` before the first tick that was learned after its time,
//! for `final` when no correction can reach back to it any more. So a view needs to remember what it remembers for serving.

use super::wanted::Wanted;
use crate::serving::view::{Found, View};
use crate::serving::{span, view};
use dataflows::edge::{Marks, RowSink, Table, TickRows};
use dataflows::plan::Plan;
use std::sync::{Arc, Mutex, PoisonError};

/// Which of the two histories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsOf {
    /// What was served at that time.
    Known,
    /// What is true of that time after all corrections.
    Final,
}

/// What was asked for, as far as it is answered.
pub struct Answers {
    /// The requests.
    pub wanted: Wanted,
    /// By table: what its columns are called.
    pub columns: Vec<Vec<String>>,
    /// By table and request.
    pub found: Vec<Vec<Option<Found>>>,
}

struct Inner {
    plan: Arc<Plan>,
    as_of: AsOf,
    views: Vec<View>,
    reach: i64,
    /// The requests in the order of their times, and how many of them are answered.
    order: Vec<u32>,
    answered: usize,
    answers: Answers,
}

/// The sink. Clones are handles to the same answers: one for the engine, one to finish with.
#[derive(Clone)]
pub struct Collect(Arc<Mutex<Inner>>);

impl Collect {
    /// Of these requests. `grace`: for how long a key is served after its horizon, as the settings say.
    pub fn new(plan: Arc<Plan>, as_of: AsOf, wanted: Wanted, grace: i64) -> Collect {
        let tables: Vec<Table> = wanted.tables.iter().map(|joined| joined.table).collect();
        let views = tables.iter().enumerate().map(|(i, table)| view(&plan, *table, grace).only(wanted.keys(i)));
        let views: Vec<View> = views.collect();
        let reach = tables.iter().map(|table| span(&plan, *table, grace).reach).max().unwrap_or(0);
        let mut order: Vec<u32> = (0..).take(wanted.times.len()).collect();
        order.sort_by_key(|i| wanted.times[*i as usize]);
        let found = tables.iter().map(|_| vec![None; wanted.times.len()]).collect();
        let answers = Answers { wanted, columns: vec![], found };
        Collect(Arc::new(Mutex::new(Inner { plan, as_of, views, reach, order, answered: 0, answers })))
    }

    /// The run has ended: answers what is left.
    pub fn finish(self) -> Answers {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.answer(|_| true);
        let columns = inner.views.iter().map(View::columns).collect();
        let answers = &mut inner.answers;
        Answers { wanted: std::mem::take(&mut answers.wanted), columns, found: std::mem::take(&mut answers.found) }
    }
}

impl Inner {
    /// Answers the next requests as long as their times are `due`.
    fn answer(&mut self, due: impl Fn(i64) -> bool) {
        let Answers { wanted, found, .. } = &mut self.answers;
        while let Some(i) = self.order.get(self.answered).map(|i| *i as usize).filter(|i| due(wanted.times[*i])) {
            let time = wanted.times[i];
            let (known, upto) = match self.as_of {
                AsOf::Known => (time, i64::MAX),
                AsOf::Final => (i64::MAX, time),
            };
            for (table, view) in self.views.iter().enumerate() {
                found[table][i] = view.at(&wanted.tables[table].keys[i], known, upto);
            }
            self.answered += 1;
        }
    }
}

impl RowSink for Collect {
    fn tick(&mut self, rows: &TickRows) -> Result<(), String> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rows.rows[Table::DeadLetters as usize] > 0 {
            return Ok(());
        }
        let learned = inner.plan.millis(rows.learned);
        let reach = inner.reach;
        match inner.as_of {
            AsOf::Known => inner.answer(|time| time < learned),
            AsOf::Final => inner.answer(|time| time.saturating_add(reach) < learned),
        }
        // Nobody asks any more for what was known before this tick.
        inner.views.iter().try_for_each(|view| view.take(learned, learned, &rows.lines[view.table() as usize], |_, _| ()))
    }

    fn save(&mut self, _into: &mut Marks) -> Result<(), String> {
        Ok(())
    }

    fn resume(&mut self, _from: &Marks) -> Result<(), String> {
        Ok(())
    }
}
