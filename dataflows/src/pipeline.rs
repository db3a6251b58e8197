//! The composition of the data dataflow: read this first.
//!
//! ```text
//! released ─► letters ─► deduplicate ─► combine ─┬─ lumps ──────────────► totals ─┐
//!               │                                 ├─ sellers ──► store ─ presence ─┼─► count ────┐
//!               │                                 ├─ categories ► store ─    "    ─┤             │
//!               │                                 ├─ products ─► store ─     "    ─┘             ├─► windows ─► collect ─► sink
//!               │                                 │              store ─ best ─────► greatest ───┤   events     ▲
//!               │                                 ├─ amounts ──► amounts ──────────► greatest ───┘   cooldown   │
//!               │                                 │              store ─ sums ─────► serve ──────────────────────┤
//!               │                                 ├─ heads ────► baskets ─► counts ──────────► notify (episodes, events) ───────┤
//!               │                                 └─ notes ─────────────────────────────────────────────────────┤
//!               └─ dead letters, ends of epochs ────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Every worker builds the same graph: nothing here asks which worker it is on. Stages do not call each other.

use crate::bitemporal::{align, arrange_first, count, greatest};
use crate::clock::Context;
use crate::dedup::deduplicate;
use crate::detect::counting::{count_baskets, judge_counts};
use crate::detect::notify::notify;
use crate::edge::Batch;
use crate::edge::collect::{Leaving, collect};
use crate::edge::letters::letters;
use crate::pane::amounts::amounts;
use crate::pane::class::Kind;
use crate::pane::combine::combine;
use crate::pane::store::{reach, store};
use crate::pane::totals::totals;
use crate::profile::baskets::baskets;
use crate::profile::gather::gather;
use crate::profile::operator::profiles;
use crate::profile::scores::scores;
use crate::release::Released;
use crate::serve::serve;
use crate::signals::judge_sales;
use crate::site::{Setup, Site};
use crate::time::Bi;
use crate::window::operator::{Change, WindowUpdate};
use crate::window::windows;
use std::sync::Arc;
use timely::dataflow::operators::probe::Handle;
use timely::dataflow::operators::{Concatenate, Probe};
use timely::dataflow::{Scope, Stream};

/// Builds the data dataflow behind the source. The probe stands behind all that leaves.
pub fn build<'s>(
    scope: Scope<'s, Bi>,
    context: &Context,
    setup: &Arc<Setup>,
    released: Stream<'s, Bi, Vec<Released>>,
) -> Handle<Bi> {
    let site = Site { context: context.clone(), setup: setup.clone() };
    let plan = &context.plan;
    let (released, letters) = letters(released, &site);
    let mut rows: Vec<Stream<'s, Bi, Vec<Batch>>> = vec![];
    let mut released = deduplicate(released, &site);
    if plan.profiles.any() {
        let gathered = gather(released, &site);
        let profiled = profiles(gathered.told, baskets(gathered.items, &site), &site);
        rows.push(profiled.rows);
        if plan.profiles.scores {
            rows.push(scores(gathered.tickets, profiled.parts, &site));
        }
        released = gathered.released;
    }
    let combined = combine(released, &site);
    let sellers = store(combined.sellers, Kind::Sellers, &site);
    let categories = store(combined.categories, Kind::Categories, &site);
    let products = store(combined.products, Kind::Products, &site);

    let mut changes: Vec<Stream<'s, Bi, Vec<WindowUpdate>>> = vec![];
    let stores = sellers.presence.into_iter().zip(categories.presence).zip(products.presence);
    let bests = sellers.best.into_iter().zip(categories.best);
    for (i, ((w, ((s, c), p)), (seller, category))) in plan.windows.iter().zip(stores).zip(bests).enumerate() {
        let (i, back) = (i as u8, reach(w.lateness, w.slide));
        let sums = align(scope, [totals(combined.lumps.clone(), w), s, c, p], back, &[], &site);
        let say = move |(): &(), v| (i, Change::Totals(Box::new(v)));
        changes.push(count(arrange_first(sums, "ArrangeTotals"), "CountTotals", say).inner);
        let biggest = w.biggest.then(|| amounts(combined.amounts.clone(), w));
        let peaks = align(scope, [seller, category].into_iter().chain(biggest), back, &[], &site);
        let say = move |v| (i, Change::Peak(v));
        changes.push(greatest(arrange_first(peaks, "ArrangePeaks"), "Peaks", say).inner);
    }
    let mut first = vec![windows(scope, changes, combined.notes.clone(), &site)];
    let mut signals = vec![];
    if plan.detect.enabled {
        signals.push(judge_counts(count_baskets(combined.heads, &site), &site));
    }
    if plan.signals.enabled {
        signals.push(judge_sales(scope, combined.product_facts, combined.category_facts, &site));
    }
    if !signals.is_empty() {
        first.push(notify(scope.concatenate(signals), combined.notes.clone(), &site));
    }

    // Nobody waits for a feature as for an event: each tick of theirs comes when its windows have left.
    let back = reach(plan.features.lateness, plan.features.slide);
    // Who is asked for all columns of a table makes its rows alone.
    if plan.features.enabled && !plan.profiles.sellers {
        rows.push(serve(align(scope, [sellers.sums], back, &first, &site), sellers.names, &site));
    }
    if plan.features.enabled && !plan.profiles.categories {
        rows.push(serve(align(scope, [categories.sums], back, &first, &site), categories.names, &site));
    }
    let probe = Handle::new();
    collect(Leaving { first, other: rows, letters, notes: combined.notes }, &site).probe_with(&probe);
    probe
}
