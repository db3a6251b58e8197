//! A consumer of released records that shows what was learned when, with sleeps thrown in.

use dataflows::clock::{Context, context::add};
use dataflows::release::Released;
use dataflows::time::Bi;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::operators::probe::{Handle, Probe};
use timely::dataflow::{Scope, Stream};

/// A small generator: tests choose its seed.
pub struct Random(pub u64);

impl Random {
    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    /// Now and then a short sleep.
    pub fn nap(&mut self, permille: u64) {
        if self.below(1_000) < permille {
            std::thread::sleep(Duration::from_micros(self.below(300)));
        }
    }
}

type Row = (u32, u32, i64, i64, i64);
type Built<D> = CapacityContainerBuilder<Vec<D>>;

/// Folds by (learned tick, pane) and writes each learned tick when it is complete, on worker 0.
pub fn consume<'s>(
    scope: Scope<'s, Bi>,
    context: &Context,
    released: Stream<'s, Bi, Vec<Released>>,
    out: Arc<Mutex<String>>,
    (seed, sleep): (u64, u64),
) -> Handle<Bi> {
    let index = scope.index() as u64;
    let mut random = Random(seed ^ index);
    let counters = context.counters.clone();
    let waiting = context.waiting.clone();
    let rows = released.unary::<Built<Row>, _, _, _>(Pipeline, "Rows", move |_, _| {
        move |input, output| {
            random.nap(sleep);
            input.for_each(|cap, data| {
                let mut session = output.session(&cap);
                for r in data.drain(..) {
                    assert_eq!(cap.stamp().iter().copied().collect::<Vec<_>>(), [Bi::diagonal(r.before + 1)]);
                    let learned = r.before + 1;
                    waiting.release(r.block);
                    add(&counters.accepted, r.decoded.sales.len() as u64);
                    add(&counters.rejected, r.decoded.rejects.len() as u64);
                    for sale in &r.decoded.sales {
                        session.give((learned, (sale.at.div_euclid(1_000) + 1) as u32, 1, sale.cents(), 0));
                    }
                    let starts: Vec<u32> = r.decoded.rejects.iter().map(|x| x.span.start).collect();
                    assert!(starts.is_sorted());
                    for start in starts {
                        session.give((learned, 0, 0, 0, r.decoded.base as i64 + i64::from(start) + 1));
                    }
                }
            });
        }
    });
    let mut random = Random(seed ^ 77 ^ index);
    let folded = rows.unary_frontier::<Built<Row>, _, _, _>(Exchange::new(|r: &Row| u64::from(r.1)), "Fold", move |cap, _| {
        let mut cap = Some(cap);
        let mut open: BTreeMap<(u32, u32), (i64, i64, i64)> = BTreeMap::new();
        move |(input, frontier), output| {
            random.nap(sleep);
            input.for_each(|_, data| {
                for (learned, pane, n, cents, bad) in data.drain(..) {
                    let row = open.entry((learned, pane)).or_default();
                    *row = (row.0 + n, row.1 + cents, row.2 + bad);
                }
            });
            let Some(held) = cap.as_mut() else { return };
            match frontier.frontier().iter().map(|t| t.s).min() {
                Some(s) => {
                    while let Some(e) = open.first_entry().filter(|e| e.key().0 < s) {
                        let ((learned, pane), (n, cents, bad)) = e.remove_entry();
                        output.session(&*held).give((learned, pane, n, cents, bad));
                    }
                    held.downgrade(&Bi::diagonal(s));
                }
                None => cap = None, // closed, which completes nothing
            }
        }
    });
    let mut random = Random(seed ^ 78 ^ index);
    let context = context.clone();
    let done = folded.unary_frontier::<Built<()>, _, _, _>(Exchange::new(|_: &Row| 0), "Write", move |cap, _| {
        let mut cap = Some(cap);
        let mut rows: Vec<Row> = vec![];
        move |(input, frontier), _output| {
            random.nap(sleep);
            input.for_each(|_, data| rows.append(data));
            let Some(held) = cap.as_mut() else { return };
            match frontier.frontier().iter().map(|t| t.s).min() {
                Some(s) => {
                    rows.sort_unstable();
                    let complete = rows.partition_point(|r| r.0 < s);
                    let mut out = out.lock().expect("no panic");
                    for (learned, pane, n, cents, bad) in rows.drain(..complete) {
                        *out += &format!("{learned} {pane} {n} {cents} {bad}\n");
                    }
                    held.downgrade(&Bi::diagonal(s));
                }
                None => {
                    if let Some(ending) = context.ending.borrow().filter(|_| index == 0) {
                        assert!(rows.is_empty());
                        *out.lock().expect("no panic") += &format!("ending {} {}\n", ending.whole, ending.last);
                    }
                    cap = None;
                }
            }
        }
    });
    done.probe().0
}
