//! The operator around [`Fold`]: released records in, aggregates of closed ticks out.

use super::delta::{AmountDelta, Delta, Lump};
use super::facts::{CategoryFact, ProductFact};
use super::fold::{Closed, Fold};
use super::heads::Heads;
use super::journal::{Journal, Past};
use super::note::Note;
use super::store::downgrade;
use super::tally::{CategoryTally, Count, SellerTally};
use crate::clock::Failure;
use crate::release::Released;
use crate::site::Site;
use crate::time::Bi;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

/// What leaves each reader.
pub struct Combined<'s> {
    /// Aggregates by seller.
    pub sellers: Stream<'s, Bi, Vec<Delta<SellerTally>>>,
    /// Aggregates by category.
    pub categories: Stream<'s, Bi, Vec<Delta<CategoryTally>>>,
    /// Aggregates by product.
    pub products: Stream<'s, Bi, Vec<Delta<Count>>>,
    /// Amounts of sales.
    pub amounts: Stream<'s, Bi, Vec<AmountDelta>>,
    /// Sums over all.
    pub lumps: Stream<'s, Bi, Vec<Lump>>,
    /// What worker 0 must know.
    pub notes: Stream<'s, Bi, Vec<Note>>,
    /// Sales one by one, by product.
    pub product_facts: Stream<'s, Bi, Vec<Delta<ProductFact>>>,
    /// Sales one by one, by category.
    pub category_facts: Stream<'s, Bi, Vec<Delta<CategoryFact>>>,
    /// Who bought where.
    pub heads: Stream<'s, Bi, Vec<Heads>>,
}

macro_rules! output {
    ($builder:ident, $item:ty) => {{
        let (output, stream) = $builder.new_output::<Vec<$item>>();
        (OutputBuilder::<_, CapacityContainerBuilder<Vec<$item>>>::from(output), stream)
    }};
}

/// Folds what was released into aggregates by (key, pane); a pane leaves when the watermark passes it.
pub fn combine<'s>(released: Stream<'s, Bi, Vec<Released>>, site: &Site) -> Combined<'s> {
    let scope = released.scope();
    let (me, peers) = (scope.index(), scope.peers());
    let site = site.clone();
    let mut builder = OperatorBuilder::new("Combine".into(), scope);
    let again = scope.activator_for(builder.operator_info().address);
    let mut input = builder.new_input(released, Pipeline);
    let (mut sellers_out, sellers) = output!(builder, Delta<SellerTally>);
    let (mut categories_out, categories) = output!(builder, Delta<CategoryTally>);
    let (mut products_out, products) = output!(builder, Delta<Count>);
    let (mut amounts_out, amounts) = output!(builder, AmountDelta);
    let (mut lumps_out, lumps) = output!(builder, Lump);
    let (mut notes_out, notes) = output!(builder, Note);
    let (mut product_facts_out, product_facts) = output!(builder, Delta<ProductFact>);
    let (mut category_facts_out, category_facts) = output!(builder, Delta<CategoryFact>);
    let (mut heads_out, heads) = output!(builder, Heads);
    builder.build(move |mut caps| {
        let mut fold = Fold::new(&site.context.plan, me, peers);
        let snapshots = site.context.snapshots.clone();
        let past = snapshots.resume(|resume| {
            resume.parts.iter().for_each(|p| fold.restore(&p.open, resume.cut.tick, &mut site.context.names.borrow_mut()));
            fold.skip_to(resume.cut.tick);
            resume.journal.take().map(Past::new)
        });
        let mut past = past.flatten();
        let mut journal = snapshots.on().then(Journal::default);
        let mut naps = site.setup.faults.naps(0, me);
        let mut lose = site.setup.faults.lose.filter(|_| me == 0);
        move |frontiers| {
            naps.nap();
            input.for_each(|_, data| {
                for mut block in data.drain(..) {
                    lost(&mut lose, &mut block);
                    fold.take(&block);
                    site.context.waiting.release(block.block);
                }
            });
            if caps.is_empty() {
                return;
            }
            let Some(frontier) = frontiers[0].frontier().iter().map(|t| t.s).min() else {
                notes_out.activate().session(&caps[5]).give_iterator(fold.unclosed());
                caps.clear();
                return;
            };
            if frontier <= caps[0].time().s {
                return;
            }
            let mut send = |closed: Closed, caps: &mut [Capability<Bi>], open: u32| {
                sellers_out.activate().session(&caps[0]).give_iterator(closed.sellers.into_iter());
                categories_out.activate().session(&caps[1]).give_iterator(closed.categories.into_iter());
                products_out.activate().session(&caps[2]).give_iterator(closed.products.into_iter());
                amounts_out.activate().session(&caps[3]).give_iterator(closed.amounts.into_iter());
                lumps_out.activate().session(&caps[4]).give_iterator(closed.lumps.into_iter());
                notes_out.activate().session(&caps[5]).give_iterator(closed.notes.into_iter());
                product_facts_out.activate().session(&caps[6]).give_iterator(closed.facts.products.into_iter());
                category_facts_out.activate().session(&caps[7]).give_iterator(closed.facts.categories.into_iter());
                heads_out.activate().session(&caps[8]).give_iterator(closed.heads.into_iter());
                caps.iter_mut().for_each(|cap| downgrade(cap, Bi::diagonal(open)));
            };
            if let Some(journal) = &mut past {
                let mut closed = Closed::default();
                match journal.again(&mut fold, &mut site.context.names.borrow_mut(), &mut closed) {
                    Ok(Some(open)) => {
                        again.activate();
                        return send(closed, &mut caps, open);
                    }
                    Ok(None) => send(closed, &mut caps, 0),
                    Err(problem) => return site.context.fail(Failure::Input(problem)),
                }
                past = None;
            }
            let mut closed = Closed::default();
            fold.close(frontier - 1, &site.context.names.borrow(), &mut closed);
            let kept = journal.as_mut().map_or(Ok(false), |journal| {
                for entry in journal.entries(&closed, &site.context.names.borrow()) {
                    snapshots.keeper(|keeper| keeper.append(entry))?;
                }
                snapshots.open(frontier, || fold.save(&site.context.names.borrow()))
            });
            match (kept, &mut journal) {
                (Ok(true), Some(journal)) => journal.restart(),
                (Err(problem), _) => return site.context.fail(Failure::Output(problem)),
                _ => (),
            }
            send(closed, &mut caps, frontier);
            let unused = site.context.waiting.least();
            let mut names = site.context.names.borrow_mut();
            let waiting = unused.unwrap_or(names.block + 1);
            fold.forget(&mut names, waiting, frontier - 1);
        }
    });
    Combined { sellers, categories, products, amounts, lumps, notes, product_facts, category_facts, heads }
}

/// Loses the sale that a test asked for.
fn lost(lose: &mut Option<u64>, block: &mut Released) {
    let Some(n) = *lose else { return };
    let sales = block.decoded.sales.len() as u64;
    *lose = n.checked_sub(sales);
    if n < sales {
        block.decoded.sales.remove(n as usize);
        block.decoded.spans.remove(n as usize);
    }
}
