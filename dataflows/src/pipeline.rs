//! The composition of the data dataflow: read this first.
//!
//! ```text
//! released ─► deduplicate ─► combine ─┬─ lumps ──────────────► totals ─┐
//!                                     ├─ sellers ──► store ─ presence ─┼─► count ────┐
//!                                     ├─ categories ► store ─    "    ─┤             │
//!                                     ├─ products ─► store ─     "    ─┘             ├─► windows ─► collect ─► sink
//!                                     │              store ─ best ─────► greatest ───┤   events       ▲
//!                                     ├─ amounts ──► amounts ──────────► greatest ───┘   cooldown     │
//!                                     │              store ─ sums ─────► count ─► serve ──────────────┤
//!                                     └─ dead letters, notes ─────────────────────────────────────────┘
//! ```
//!
//! Every worker builds the same graph: nothing here asks which worker it is on. Stages do not call each other.

use crate::bitemporal::{align, arrange_first, arrange_here, count, greatest};
use crate::clock::Context;
use crate::edge::collect::collect;
use crate::pane::amounts::amounts;
use crate::pane::class::Kind;
use crate::pane::combine::combine;
use crate::pane::store::{reach, store};
use crate::pane::totals::totals;
use crate::release::Released;
use crate::serve::serve;
use crate::site::{Setup, Site};
use crate::time::Bi;
use crate::window::operator::{Change, WindowUpdate};
use crate::window::windows;
use std::rc::Rc;
use std::sync::Arc;
use timely::dataflow::operators::probe::Handle;
use timely::dataflow::operators::vec::Map;
use timely::dataflow::operators::{Concatenate, Probe};
use timely::dataflow::{Scope, Stream};

/// Builds the data dataflow behind the source. The probe stands behind all that leaves.
pub fn build<'s>(scope: Scope<'s, Bi>, context: &Context, setup: &Arc<Setup>, released: Stream<'s, Bi, Vec<Released>>) -> Handle<Bi> {
    let site = Site { context: context.clone(), setup: setup.clone(), sizes: Rc::default() };
    let plan = &context.plan;
    let combined = scope.region_named("panes", |region| {
        let c = combine(released.enter_region(region), &site);
        let sellers = store(c.sellers, Kind::Sellers, &site);
        let categories = store(c.categories, Kind::Categories, &site);
        let products = store(c.products, Kind::Products, &site);
        (c.amounts, c.lumps, c.notes, c.dead, sellers, categories, products)
    });
    let _ = combined;
    todo!()
}
