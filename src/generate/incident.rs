//! Incidents: what is injected, when, and the labels that say so.

pub(crate) mod label;
pub(crate) mod schedule;

use super::kind::{Kind, Shape};
use super::world::World;

/// What an incident happens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entity {
    /// Everything.
    Shop,
    /// A category, as an index into the shelves.
    Category(usize),
    /// A seller.
    Seller(u32),
    /// A product, as an index into the catalogue.
    Product(usize),
}

/// Something out of the ordinary, known from the moment it is scheduled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Incident {
    /// Number in the schedule.
    pub(crate) number: usize,
    /// What happens.
    pub(crate) kind: Kind,
    /// To what.
    pub(crate) entity: Entity,
    /// From this event time on.
    pub(crate) start: i64,
    /// Until before this one.
    pub(crate) end: i64,
    /// How it grows and fades.
    pub(crate) shape: Shape,
    /// See [`Kind`].
    pub(crate) size: f64,
    /// See [`Kind`].
    pub(crate) count: u32,
}

impl Incident {
    /// By how much sales are multiplied at a time.
    pub(crate) fn factor(&self, at: i64) -> f64 {
        let share = (at - self.start) as f64 / (self.end - self.start) as f64;
        match (self.kind, self.shape) {
            (Kind::Trend, _) => 1.0 + (self.size - 1.0) * (2.0 * share).min(1.0),
            (_, Shape::Step) => self.size,
            (_, shape) => 1.0 + (self.size - 1.0) * shape.strength(share),
        }
    }

    /// Whether it changes gradually.
    pub(crate) fn gradual(&self) -> bool {
        self.kind == Kind::Trend || self.shape != Shape::Step
    }

    /// Whether it reaches a category as a whole.
    pub(crate) fn covers(&self, shelf: usize) -> bool {
        match self.entity {
            Entity::Shop => true,
            Entity::Category(own) => own == shelf,
            Entity::Seller(_) | Entity::Product(_) => false,
        }
    }

    /// Whether one is the other, an ancestor or a descendant. Stock that runs out disturbs nobody else.
    fn related(&self, other: &Incident, world: &World) -> bool {
        use Entity::{Category, Product, Seller, Shop};
        if self.kind == Kind::Stock || other.kind == Kind::Stock {
            return self.entity == other.entity;
        }
        match (self.entity, other.entity) {
            (Shop, _) | (_, Shop) => true,
            (Category(a), Category(b)) => a == b,
            (Seller(a), Seller(b)) => a == b,
            (Product(a), Product(b)) => a == b,
            (Category(c), Seller(s)) | (Seller(s), Category(c)) => world.shelves[c].share_of(s) > 0.0,
            (Category(c), Product(p)) | (Product(p), Category(c)) => world.shelf_of(p) == c,
            (Seller(s), Product(p)) | (Product(p), Seller(s)) => world.shelves[world.shelf_of(p)].share_of(s) > 0.0,
        }
    }

    /// As it is seen by who stops looking at `end`.
    pub(crate) fn until(&self, end: i64) -> Incident {
        let seen = (end.min(self.end) - self.start) as f64 / (self.end - self.start) as f64;
        Incident { end: end.min(self.end), count: libm::ceil(f64::from(self.count) * seen) as u32, ..*self }
    }
}
