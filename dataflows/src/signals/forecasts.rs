//! How long the stock of each product will last. Beside the owner of the product; what it needs of the others is a sum by category.

use super::products::{Question, Share, least};
use super::{Said, first_end};
use crate::detect::signal::Signal;
use crate::detect::stock_depletion::{Forecast, Prior, found};
use crate::plan::Plan;
use crate::row::event::{Kind, Level, Subject};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a checkpoint holds: the same sums on all workers, and what each has said.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Saved {
    priors: BTreeMap<[u64; 2], Prior>,
    at: u32,
    first: u32,
    said: Said,
}

/// See the [module](self). Plain state.
pub struct Forecasts {
    plan: Plan,
    now: Saved,
}

impl Forecasts {
    pub fn new(plan: &Plan) -> Forecasts {
        Forecasts { plan: plan.clone(), now: Saved::default() }
    }

    /// Takes up what all workers deposited. `mine`: whether this worker owns a product.
    pub fn restore(&mut self, saved: Vec<Saved>, mine: impl Fn(&str) -> bool) {
        for saved in saved {
            self.now.said.0.extend(saved.said.0.into_iter().filter(|((_, subject), _)| mine(&subject.key)));
            (self.now.priors, self.now.at, self.now.first) = (saved.priors, saved.at, saved.first);
        }
    }

    /// What a checkpoint must hold.
    pub fn save(&self) -> Saved {
        self.now.clone()
    }

    /// Shares and questions of the end `s`, of which all are there.
    pub fn close(&mut self, s: u32, shares: &[Share], questions: &[Question], out: &mut Vec<Signal>) {
        let now = &mut self.now;
        for share in shares {
            if now.at < s {
                now.priors.clear();
                now.at = s;
            }
            now.first = least(now.first, share.first);
            for (category, prior) in &share.categories {
                let sum = now.priors.entry(*category).or_default();
                sum.products += prior.products;
                sum.units += prior.units;
            }
        }
        let signals = &self.plan.signals;
        let hour = 3_600_000.0 / self.plan.tick as f64;
        let lead = signals.spec.lead_time as f64 / 3_600_000.0;
        now.said.forget(first_end(signals, s));
        for q in questions {
            let hours = f64::from(q.end.saturating_sub(now.first).min(signals.day)) / hour;
            let prior = now.priors.get(&q.category).filter(|_| now.at > 0);
            let forecast = prior.and_then(|prior| Forecast::new(&q.asked, prior, hours, lead));
            let start = q.end.saturating_sub(signals.slide);
            let found = forecast.and_then(|forecast| found(&forecast, start, signals.spec.stockout_probability, lead));
            let subject = Subject { kind: Kind::StockDepletion, level: Level::Product, key: q.product.clone() };
            now.said.say(s, subject, q.end, found, out);
        }
    }
}
