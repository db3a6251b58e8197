//! The reference jobs as settings of the pipeline.

use dataflows::plan::{Plan, ProfileSpec, Spec};
use dataflows::schema::{Limits, Schema};
use std::sync::Arc;

/// What is computed. The settings are the defaults of the product otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Job {
    /// Windows of 60 s every 30 s
    R1,
    /// Windows of 15 min every second
    R2,
    /// Features, no windows
    R3,
    /// All of them
    R4,
}

/// What the settings leave off unless it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Also {
    /// `[detect]` and `[signals]`: the detectors
    Detectors,
    /// `[features] all`
    Features,
    /// `[scores]`
    Scores,
}

impl Also {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Also::Detectors => "detectors",
            Also::Features => "features",
            Also::Scores => "scores",
        }
    }
}

impl Job {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Job::R1 => "R1",
            Job::R2 => "R2",
            Job::R3 => "R3",
            Job::R4 => "R4",
        }
    }

    /// The plan, with what is asked for beside it; `orders`: whether orders of customers are counted.
    ///
    /// # Errors
    /// When the settings do not fit together, which would be a fault of this program.
    pub fn plan(self, orders: bool, also: &[Also]) -> anyhow::Result<Arc<Plan>> {
        let mut spec = Spec::default();
        let keep = match self {
            Job::R1 => 0..1,
            Job::R2 => 1..2,
            Job::R3 => 0..0,
            Job::R4 => 0..2,
        };
        spec.windows = spec.windows[keep].to_vec();
        spec.features.enabled = matches!(self, Job::R3 | Job::R4);
        spec.features.orders = orders;
        let on = |what| also.contains(&what);
        (spec.detect.enabled, spec.signals.enabled) = (on(Also::Detectors), on(Also::Detectors));
        let all = on(Also::Features);
        spec.profiles = ProfileSpec { sellers: all, categories: all, products: all, customers: all, scores: on(Also::Scores) };
        Ok(Arc::new(Plan::new(&spec)?))
    }
}

/// The contract's own schema, for event times that have a tick under this plan.
pub fn schema(plan: &Plan) -> Arc<Schema> {
    Arc::new(Schema { limits: Limits { time: plan.reach(), ..Limits::default() }, ..Schema::default() })
}
