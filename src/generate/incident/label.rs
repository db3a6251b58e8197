//! What is known of an injected incident, and of the stream that holds it, for judging detectors.

use super::super::catalogue::catalogue;
use super::super::kind::{Kind, Shape};
use super::super::line::rfc3339;
use super::super::settings::{Incidents, Settings, VERSION};
use super::super::world::World;
use super::{Entity, Incident};
use serde::Serialize;
use std::collections::BTreeMap;

/// The law of the stream itself, for an incident: how far it stands out when nothing else happens.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Standing {
    /// d'.
    pub(crate) distance: f64,
    /// D.
    pub(crate) decades: f64,
    /// D at the scale of 60 s.
    pub(crate) decades_60: f64,
}

/// What is known of an injected incident, for judging detectors.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Label {
    /// Unique in its stream.
    pub event_id: String,
    /// The type of event that should find it; of a hard negative, what it is.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// `global`, `category`, `seller` or `product`.
    pub entity_level: &'static str,
    /// `all`, the name of the category or seller, or the id of the product.
    pub entity_id: String,
    /// `up` or `down`.
    pub direction: &'static str,
    /// First moment, event time.
    pub start_ts: String,
    /// First moment after it.
    pub end_ts: String,
    /// Factor on sales (spike, drop, trend), on units (surge) or on the price; for a burst, more lines a minute; units of stock;
    /// the share that a storm cancels.
    pub magnitude: f64,
    /// d': the expected change over the standard deviation that the generator itself gives the best of the windows.
    pub detectability: f64,
    /// D: decades, -log10 of the generator's own tail probability of what is expected during the incident, at the best of the
    /// windows.
    pub decades: f64,
    /// The same at the window of 60 s; 0 for wrong prices of which less than one is expected in it.
    pub decades_60: f64,
    /// How it grows and fades.
    pub shape: &'static str,
    /// Customers of a burst, sales at a wrong price.
    #[serde(skip_serializing_if = "is_zero")]
    pub count: u32,
    /// Whether no event but one of its own type may come of it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hard_negative: bool,
    /// Ancestors and descendants by level; of the whole shop, which has all, nothing.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub family: BTreeMap<&'static str, Vec<String>>,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Label {
    /// One line of JSON, without a line end.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings and finite numbers only")
    }
}

/// The stream that the labels are of: the first line of a file of labels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stream {
    /// [`VERSION`].
    pub generator: u32,
    /// Seed.
    pub seed: u64,
    /// Before this moment nothing was injected.
    pub from: String,
    /// The last moment that was seen.
    pub until: String,
    /// Series: the shop, its categories, its sellers.
    pub series: usize,
}

impl Stream {
    /// Of these settings, seen until a time.
    pub(crate) fn new(settings: &Settings, until: i64) -> Stream {
        let after = match settings.incidents {
            Incidents::Scattered { after, .. } => after,
            Incidents::Off | Incidents::Demo => 0,
        };
        Stream {
            generator: VERSION,
            seed: settings.seed,
            from: rfc3339((settings.start + after).min(until)),
            until: rfc3339(until),
            series: 1 + settings.categories + settings.sellers,
        }
    }

    /// One line of JSON, without a line end: an object whose only member is `stream`.
    pub fn to_json(&self) -> String {
        let stream = serde_json::to_string(self).expect("strings and numbers only");
        format!("{{\"stream\":{stream}}}")
    }
}

impl Incident {
    /// The label; how far it stands out is computed elsewhere.
    pub(crate) fn label(&self, world: &World, standing: Standing) -> Label {
        let (entity_level, entity_id) = match self.entity {
            Entity::Shop => ("global", "all"),
            Entity::Category(shelf) => ("category", world.shelves[shelf].name),
            Entity::Seller(seller) => ("seller", world.sellers[seller as usize].name.as_str()),
            Entity::Product(product) => ("product", catalogue()[product].id),
        };
        let thousandths = |value: f64| libm::round(value * 1e3) / 1e3;
        let down = self.size < 1.0 || matches!(self.kind, Kind::Stock | Kind::Storm);
        Label {
            event_id: format!("incident-{:05}", self.number + 1),
            kind: self.kind.label(),
            entity_level,
            entity_id: entity_id.to_string(),
            direction: if down { "down" } else { "up" },
            start_ts: rfc3339(self.start),
            end_ts: rfc3339(self.end),
            magnitude: self.size,
            detectability: thousandths(standing.distance),
            decades: thousandths(standing.decades),
            decades_60: thousandths(standing.decades_60),
            // what grows for half of its time is not there at once, whatever shape was drawn
            shape: if self.kind == Kind::Trend { Shape::Ramp.name() } else { self.shape.name() },
            count: self.count,
            hard_negative: self.kind.hard(),
            family: self.family(world),
        }
    }

    fn family(&self, world: &World) -> BTreeMap<&'static str, Vec<String>> {
        let sellers =
            |shelf: usize| world.shelves[shelf].sellers.iter().map(|s| world.sellers[*s as usize].name.clone()).collect();
        match self.entity {
            Entity::Shop => BTreeMap::new(),
            Entity::Category(shelf) => BTreeMap::from([("seller", sellers(shelf))]),
            Entity::Seller(seller) => {
                let own = world.shelves.iter().filter(|shelf| shelf.share_of(seller) > 0.0).map(|shelf| shelf.name.to_string());
                BTreeMap::from([("category", own.collect())])
            }
            Entity::Product(product) => {
                let shelf = world.shelf_of(product);
                BTreeMap::from([("category", vec![world.shelves[shelf].name.to_string()]), ("seller", sellers(shelf))])
            }
        }
    }
}
