//! The biggest sale of a window, which survives the cancellation of the biggest.
//!
//! Each owner keeps the amounts of its panes, unsorted, 4 bytes a live sale, and each pane's greatest. Only when that one is
//! cancelled is the pane scanned again. A cancellation that comes before its sale is owed, and meets it when it comes.

use super::best::Peak;
use super::class::first_end;
use super::delta::AmountDelta;
use super::store::{back, downgrade, reach};
use crate::plan::{Window, ceil};
use crate::time::Bi;
use differential_dataflow::{AsCollection, VecCollection};
use std::collections::{BTreeMap, VecDeque};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

#[derive(Default)]
struct Pane {
    end: u32,
    amounts: Vec<u32>,
    greatest: u32,
    owed: Vec<u32>,
}

impl Pane {
    fn sale(&mut self, amount: u32) {
        if let Some(i) = self.owed.iter().position(|x| *x == amount) {
            self.owed.swap_remove(i);
            return;
        }
        self.amounts.push(amount);
        self.greatest = self.greatest.max(amount);
    }

    fn cancel(&mut self, amount: u32) {
        let Some(i) = self.amounts.iter().position(|x| *x == amount) else {
            self.owed.push(amount);
            return;
        };
        self.amounts.swap_remove(i);
        if amount == self.greatest {
            self.greatest = self.amounts.iter().copied().max().unwrap_or(0);
        }
    }
}

/// The greatest amount by window end, for one definition. Plain state.
struct Amounts {
    size: u32,
    slide: u32,
    lateness: u32,
    /// Oldest first; only panes with amounts.
    panes: VecDeque<Pane>,
    /// The last values said, newest at the back, up to the end that closed last.
    said: VecDeque<u32>,
    keep: usize,
    closed: u32,
    /// The end for which rows have come; 0 for none.
    open: u32,
    /// Rows that come late: pane, first end that they change, amount, sign.
    late: Vec<(u32, u32, u32, i8)>,
}

impl Amounts {
    fn new(w: &Window) -> Amounts {
        let keep = (reach(w.lateness, w.slide) / w.slide) as usize + 2;
        Amounts {
            size: w.size,
            slide: w.slide,
            lateness: w.lateness,
            panes: VecDeque::new(),
            said: VecDeque::from(vec![0; keep]),
            keep,
            closed: 0,
            open: 0,
            late: vec![],
        }
    }

    fn pane(&mut self, end: u32) -> &mut Pane {
        let i = match self.panes.binary_search_by_key(&end, |p| p.end) {
            Ok(i) => i,
            Err(i) => {
                self.panes.insert(i, Pane { end, ..Pane::default() });
                i
            }
        };
        &mut self.panes[i]
    }

    fn learn(&mut self, delta: &AmountDelta) {
        let end = ceil(delta.s, self.slide);
        self.open = end;
        if !delta.plus.is_empty() {
            let pane = self.pane(end);
            if pane.owed.is_empty() {
                pane.greatest = pane.greatest.max(delta.plus.iter().copied().max().unwrap_or(0));
                pane.amounts.extend_from_slice(&delta.plus);
            } else {
                delta.plus.iter().for_each(|x| pane.sale(*x));
            }
        }
        for &(pane, amount, sign) in &delta.odd {
            let pane = ceil(pane, self.slide);
            if pane == end {
                let pane = self.pane(pane);
                if sign > 0 {
                    pane.sale(amount)
                } else {
                    pane.cancel(amount)
                }
                continue;
            }
            let from = first_end(delta.s, self.lateness, self.slide).max(pane);
            if from < pane + self.size {
                self.late.push((pane, from, amount, sign));
            }
        }
    }

    /// The next end at which the greatest amount may change.
    fn busy(&self) -> Option<u32> {
        let leaves = self.panes.iter().map(|p| p.end + self.size).find(|e| *e > self.closed);
        (self.open > 0).then_some(self.open).into_iter().chain(leaves).min()
    }

    /// The greatest amount of the window that ends at `e`.
    fn greatest(&self, e: u32) -> u32 {
        let from = self.panes.partition_point(|p| p.end + self.size <= e);
        self.panes.range(from..).take_while(|p| p.end <= e).map(|p| p.greatest).max().unwrap_or(0)
    }

    fn close(&mut self, s: u32, out: &mut Vec<(Peak, Bi, isize)>) {
        let quiet = ((s - self.closed) / self.slide) as usize - 1;
        let last = self.said.back().copied().unwrap_or(0);
        for _ in 0..quiet.min(self.keep) {
            self.push(last);
        }
        // Without this close the newest value would go on, as it was before any correction.
        // Ends that rows of different ticks of release change are settled one after the other: a row that came too late
        // for an end must not show in it.
        self.late.sort_by_key(|x| x.1);
        let mut late = std::mem::take(&mut self.late).into_iter().peekable();
        while let Some((pane, from, amount, sign)) = late.next() {
            let p = self.pane(pane);
            if sign > 0 {
                p.sale(amount)
            } else {
                p.cancel(amount)
            }
            if late.peek().is_none_or(|next| next.1 != from) && from < s {
                let upto = late.peek().map_or(s, |next| next.1.min(s));
                self.settle(from, upto, s, out);
            }
        }
        let now = self.greatest(s);
        if last != now {
            step(out, s, s, now, last);
        }
        self.push(now);
        (self.closed, self.open) = (s, 0);
        let keep = s.saturating_sub(self.size + self.keep as u32 * self.slide);
        while self.panes.pop_front_if(|p| p.end < keep).is_some() {}
    }

    fn push(&mut self, greatest: u32) {
        self.said.push_back(greatest);
        if self.said.len() > self.keep {
            self.said.pop_front();
        }
    }

    /// Where end `e` stands in `said` while `s` is being closed.
    fn index(&self, e: u32, s: u32) -> Option<usize> {
        self.said.len().checked_sub(((s - e) / self.slide) as usize)
    }

    /// Says the ends from `from` on again, up to `upto`; ends from there on are settled later, and `s` itself last.
    fn settle(&mut self, from: u32, upto: u32, s: u32, out: &mut Vec<(Peak, Bi, isize)>) {
        let mut e = from;
        while e < upto {
            if let Some(i) = self.index(e, s) {
                let (old, new) = (self.said[i], self.greatest(e));
                if old != new {
                    // A change at e alone: a step up at e, and down again at the next end.
                    step(out, e, s, new, old);
                    step(out, e + self.slide, s, old, new);
                    self.said[i] = new;
                }
            }
            e += self.slide;
        }
    }
}

/// The step function changes by `new - old` from end `e` on.
fn step(out: &mut Vec<(Peak, Bi, isize)>, e: u32, s: u32, new: u32, old: u32) {
    if new > 0 {
        out.push((Peak::Biggest(new.into()), Bi { e, s }, 1));
    }
    if old > 0 {
        out.push((Peak::Biggest(old.into()), Bi { e, s }, -1));
    }
}

/// The biggest sale of each owner, in cents, by window end.
pub fn amounts<'s>(deltas: Stream<'s, Bi, Vec<AmountDelta>>, window: &Window) -> VecCollection<'s, Bi, Peak, isize> {
    let mut builder = OperatorBuilder::new("Amounts".into(), deltas.scope());
    let mut input = builder.new_input(deltas, Exchange::new(|d: &AmountDelta| u64::from(d.to)));
    let (reach, slide) = (reach(window.lateness, window.slide), window.slide);
    let (out, stream) = builder.new_output_connection::<Vec<(Peak, Bi, isize)>, _>(back(reach));
    let mut out = OutputBuilder::<_, CapacityContainerBuilder<Vec<_>>>::from(out);
    let mut amounts = Amounts::new(window);
    builder.build(move |mut caps| {
        let mut stash: BTreeMap<u32, Vec<AmountDelta>> = BTreeMap::new();
        let mut updates = vec![];
        move |frontiers| {
            input.for_each(|_, data| {
                for delta in data.drain(..) {
                    stash.entry(delta.s).or_default().push(delta);
                }
            });
            if caps.is_empty() {
                return;
            }
            let Some(open) = frontiers[0].frontier().iter().map(|t| t.s).min() else {
                caps.clear();
                return;
            };
            while let Some(s) = stash.keys().next().copied().into_iter().chain(amounts.busy()).min().filter(|s| *s < open) {
                for delta in stash.remove(&s).unwrap_or_default() {
                    amounts.learn(&delta);
                }
                if amounts.busy() == Some(s) {
                    amounts.close(s, &mut updates);
                }
            }
            out.activate().session(&caps[0]).give_container(&mut updates);
            downgrade(&mut caps[0], Bi::reach(ceil(open, slide), reach));
        }
    });
    stream.as_collection()
}
