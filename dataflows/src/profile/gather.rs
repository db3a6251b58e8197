//! On each reader, right after deduplication: every record that counts is told to those who own its keys.
//!
//! Nothing waits here. A record goes out as soon as it is released, under the tick at which it is learned; its owners wait. The
//! released blocks pass through to [`combine`](crate::pane::combine). What is said of the population, by category and hour and by
//! way of payment, goes to all workers as sums.

use super::fact::{Fact, Lot, Paid, Ticket, Told, class, owner};
use super::population::{STEPS, step};
use crate::clock::Failure;
use crate::dictionary::{Dictionaries, Dictionary};
use crate::feature::ln_fixed;
use crate::plan::{Plan, ceil};
use crate::release::Released;
use crate::row::text::{integer, money, quoted_time, string};
use crate::sale::{Op, Sale};
use crate::site::Site;
use crate::time::Bi;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

/// A name is told again when it was told so many slides ago: owners remember names for longer.
const AGAIN: u32 = 2_880;

/// A line for the baskets: customer, product, half hour since the Unix epoch, and 1 or -1.
pub type Item = (u64, u64, u32, i8);

/// Lines for the baskets of one owner, learned at one tick.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Items {
    /// The worker that owns the customers.
    pub to: u32,
    /// The tick.
    pub s: u32,
    /// The lines.
    pub items: Vec<Item>,
}

/// What leaves a reader besides the blocks.
pub struct Gathered<'s> {
    /// The blocks.
    pub released: Stream<'s, Bi, Vec<Released>>,
    /// To the owners of keys.
    pub told: Stream<'s, Bi, Vec<Told>>,
    /// To the owners of baskets.
    pub items: Stream<'s, Bi, Vec<Items>>,
    /// To this worker itself.
    pub tickets: Stream<'s, Bi, Vec<Ticket>>,
}

/// What is to leave of one tick.
#[derive(Default)]
struct Leaving {
    told: Vec<Told>,
    items: Vec<Items>,
    lots: BTreeMap<(u64, u32), usize>,
    all: Vec<(Lot, Vec<i32>, BTreeMap<u64, i32>)>,
    paid: BTreeMap<(u8, u32), [i64; 2]>,
}

impl Leaving {
    fn new(s: u32, peers: usize) -> Leaving {
        let told = (0..peers as u32).map(|to| Told { to, s, ..Told::default() }).collect();
        let items = (0..peers as u32).map(|to| Items { to, s, items: vec![] }).collect();
        Leaving { told, items, ..Leaving::default() }
    }

    /// `products`: whether it is asked what each product sold.
    fn lot(&mut self, fact: &Fact, products: bool) {
        let (category, hour) = (fact.keys[class::CATEGORY], (fact.at / 3_600_000) as u32);
        let last = self.all.last().is_some_and(|(lot, ..)| lot.category == category && lot.hour == hour);
        let place = if last {
            self.all.len() - 1
        } else {
            *self.lots.entry((category, hour)).or_insert_with(|| {
                self.all.push((Lot { category, hour, ..Lot::default() }, vec![0; STEPS], BTreeMap::new()));
                self.all.len() - 1
            })
        };
        let (lot, steps, sold) = &mut self.all[place];
        let lines = fact.lines();
        lot.returns += fact.returns();
        if lines == 0 {
            return;
        }
        let ln = ln_fixed(u32::try_from(fact.amount()).unwrap_or(u32::MAX));
        lot.n += lines;
        lot.ln += lines * ln;
        lot.ln2 += i128::from(lines) * i128::from(ln) * i128::from(ln);
        steps[usize::from(step(fact.price))] += i32::from(fact.sign);
        if products {
            lot.units += fact.units();
            *sold.entry(fact.keys[class::PRODUCT]).or_default() += i32::from(fact.sign);
        }
    }

    /// The messages, with what is said of the population.
    fn finish(self) -> (Vec<Told>, Vec<Items>) {
        let lots: Vec<Lot> = self
            .all
            .into_iter()
            .map(|(mut lot, steps, sold)| {
                let some = steps.into_iter().enumerate().filter(|(_, n)| *n != 0);
                lot.prices = some.map(|(step, n)| (step as u16, n)).collect();
                lot.products = sold.into_iter().filter(|(_, n)| *n != 0).collect();
                lot
            })
            .collect();
        let paid: Vec<Paid> = self.paid.into_iter().map(|((payment, pane), sums)| Paid { payment, pane, sums }).collect();
        let mut told = self.told;
        for told in &mut told {
            (told.lots, told.paid) = (lots.clone(), paid.clone());
        }
        (told, self.items.into_iter().filter(|i| !i.items.is_empty()).collect())
    }
}

/// Which names were told. Plain state.
#[derive(Default)]
struct Names {
    /// By class and the reader's id: the key that was told, and when.
    told: [Vec<(u64, u32)>; 3],
}

impl Names {
    /// Whether a name is to be told.
    #[inline]
    fn tell(&mut self, class: usize, id: u32, key: u64, s: u32, again: u32) -> bool {
        let told = &mut self.told[class];
        if told.len() <= id as usize {
            told.resize(id as usize + 1, (0, 0));
        }
        let known = &mut told[id as usize];
        let tell = known.0 != key || s > known.1.saturating_add(again);
        if tell {
            *known = (key, s);
        }
        tell
    }
}

/// See the [module](self). Plain state.
struct Gather {
    plan: Plan,
    me: usize,
    peers: usize,
    payments: Vec<String>,
    /// Which classes are asked for.
    wanted: [bool; class::COUNT],
    names: Names,
    next: u64,
    leaving: BTreeMap<u32, Leaving>,
    tickets: Vec<Ticket>,
    text: Vec<u8>,
}

fn key(names: &Dictionary, id: u32) -> u64 {
    names.key(id) as u64
}

impl Gather {
    fn block(&mut self, block: &Released, names: &Dictionaries) {
        let (s, slide) = (block.before + 1, self.plan.features.slide);
        let least = self.plan.least_pane(block.before);
        let starts = block.decoded.spans.iter().map(|span| span.start);
        for (sale, (customer, text, offset)) in block.decoded.sales.iter().zip(block.decoded.carried.of(starts)) {
            let pane = self.plan.pane(sale.at);
            if pane < least {
                continue;
            }
            let learned = ceil(pane.max(s), slide);
            if sale.op == Op::Stock {
                self.stock(sale, learned, names);
                continue;
            }
            self.record(sale, learned, (customer, text, (block.input, offset)), names);
        }
    }

    /// What was in stock, to the owner of the product.
    fn stock(&mut self, sale: &Sale, learned: u32, names: &Dictionaries) {
        if !self.wanted[class::PRODUCT] {
            return;
        }
        let (peers, key) = (self.peers, key(&names.products, sale.product));
        let leaving = self.leaving.entry(learned).or_insert_with(|| Leaving::new(learned, peers));
        if self.names.tell(class::PRODUCT, sale.product, key, learned, AGAIN * self.plan.features.slide) {
            let name = names.products.name(sale.product);
            leaving.told.iter_mut().for_each(|told| told.names[class::PRODUCT].push((key, name.to_string())));
        }
        let mut fact = Fact { at: sale.at, quantity: sale.quantity, roles: 1 << class::PRODUCT, stock: true, ..Fact::default() };
        fact.keys[class::PRODUCT] = key;
        leaving.told[owner(key, peers)].facts.push(fact);
    }

    fn record(&mut self, sale: &Sale, learned: u32, (customer, text, place): (&str, &str, (u32, u64)), names: &Dictionaries) {
        let peers = self.peers;
        let slide = i64::from(self.plan.features.slide) * self.plan.tick;
        let ids = [sale.seller, sale.product, sale.category];
        let of = [&names.sellers, &names.products, &names.categories];
        let keys = [key(of[0], ids[0]), key(of[1], ids[1]), key(of[2], ids[2]), sale.customer[0]];
        let sign = match sale.op {
            Op::Sale => 1,
            Op::Cancel => -1,
            Op::Return | Op::Stock => 0,
        };
        let scored = self.plan.profiles.scores && sign > 0;
        let mut fact = Fact {
            at: sale.at,
            keys,
            price: sale.price,
            quantity: sale.quantity,
            sign,
            payment: sale.payment,
            ..Fact::default()
        };
        if scored {
            fact.ticket = (self.me as u64) << 48 | self.next;
            self.next += 1;
        }
        let leaving = self.leaving.entry(learned).or_insert_with(|| Leaving::new(learned, peers));
        let owners = keys.map(|key| owner(key, peers));
        let mut wanted = self.wanted;
        wanted[class::CUSTOMER] &= keys[class::CUSTOMER] != 0;
        for (c, id) in ids.into_iter().enumerate().filter(|c| wanted[c.0]) {
            if self.names.tell(c, id, keys[c], learned, AGAIN * self.plan.features.slide) {
                // Products are named in the lists of other products.
                let all = if c == class::PRODUCT { 0..peers } else { owners[c]..owners[c] + 1 };
                all.for_each(|to| leaving.told[to].names[c].push((keys[c], of[c].name(id).to_string())));
            }
        }
        let of_worker = |to: usize| (0..class::COUNT).filter(move |c| wanted[*c] && owners[*c] == to);
        for (c, to) in owners.into_iter().enumerate() {
            // To each worker once.
            if of_worker(to).next() == Some(c) {
                let roles = of_worker(to).map(|c| 1 << c).sum();
                leaving.told[to].facts.push(Fact { roles, ..fact });
            }
        }
        if wanted[class::CUSTOMER] {
            leaving.told[owners[class::CUSTOMER]].customer(customer);
        }
        if keys[class::CUSTOMER] != 0 && sign != 0 && self.plan.profiles.products {
            let item = (keys[class::CUSTOMER], keys[class::PRODUCT], (sale.at / 1_800_000) as u32, sign);
            leaving.items[owners[class::CUSTOMER]].items.push(item);
        }
        leaving.lot(&fact, self.plan.signals.spec.stock);
        if sign != 0 && self.plan.profiles.scores {
            let paid = leaving.paid.entry((sale.payment, (sale.at / slide) as u32)).or_default();
            paid[0] += i64::from(sign);
            paid[1] += fact.cents();
        }
        if scored {
            let ticket = self.ticket(sale, learned, fact.ticket, (customer, text, place), names);
            self.tickets.push(ticket);
        }
    }

    /// What a row of `scores` says before its vector.
    fn ticket(
        &mut self,
        sale: &Sale,
        s: u32,
        ticket: u64,
        (customer, carried, place): (&str, &str, (u32, u64)),
        names: &Dictionaries,
    ) -> Ticket {
        let out = &mut self.text;
        out.clear();
        let name = |column: &str, out: &mut Vec<u8>| out.extend_from_slice(column.as_bytes());
        name("{\"sale_date\":", out);
        quoted_time(sale.at, out);
        name(",\"learned\":", out);
        quoted_time(self.plan.millis(s), out);
        name(",\"id_product\":", out);
        string(names.products.name(sale.product), out);
        name(",\"seller\":", out);
        string(names.sellers.name(sale.seller), out);
        name(",\"nm_category\":", out);
        string(names.categories.name(sale.category), out);
        name(",\"id_customer\":", out);
        if customer.is_empty() {
            name("null", out)
        } else {
            string(customer, out)
        }
        name(",\"price\":", out);
        money(sale.price.into(), out);
        name(",\"quantity\":", out);
        integer(sale.quantity, out);
        name(",\"tp_payment\":", out);
        string(self.payments.get(usize::from(sale.payment)).map_or("", String::as_str), out);
        name(",\"total_value\":", out);
        money(sale.cents(), out);
        name(",", out);
        name(carried, out);
        let text = String::from_utf8_lossy(out).into_owned();
        Ticket { s, ticket, at: sale.at, place, payment: sale.payment, text }
    }
}

/// Tells the records of released blocks, and passes the blocks on.
pub fn gather<'s>(released: Stream<'s, Bi, Vec<Released>>, site: &Site) -> Gathered<'s> {
    let scope = released.scope();
    let (me, peers) = (scope.index(), scope.peers());
    let site = site.clone();
    let mut builder = OperatorBuilder::new("Gather".into(), scope);
    let mut input = builder.new_input(released, Pipeline);
    let (out, passed) = builder.new_output::<Vec<Released>>();
    let mut passed_out = OutputBuilder::<_, CapacityContainerBuilder<Vec<Released>>>::from(out);
    let (out, told) = builder.new_output::<Vec<Told>>();
    let mut told_out = OutputBuilder::<_, CapacityContainerBuilder<Vec<Told>>>::from(out);
    let (out, items) = builder.new_output::<Vec<Items>>();
    let mut items_out = OutputBuilder::<_, CapacityContainerBuilder<Vec<Items>>>::from(out);
    let (out, tickets) = builder.new_output::<Vec<Ticket>>();
    let mut tickets_out = OutputBuilder::<_, CapacityContainerBuilder<Vec<Ticket>>>::from(out);
    let snapshots = site.context.snapshots.clone();
    let known = snapshots.join::<u64>("gather");
    let next = match known {
        Ok((_, counts)) => counts.into_iter().max().unwrap_or(0),
        Err(problem) => {
            site.context.fail(Failure::Input(problem));
            0
        }
    };
    let plan = (*site.context.plan).clone();
    let p = plan.profiles;
    let wanted = [p.sellers, p.products, p.categories, p.customers].map(|wanted| wanted || p.scores);
    let mut gather = Gather {
        plan,
        me,
        peers,
        payments: site.setup.payments.clone(),
        wanted,
        names: Names::default(),
        next,
        leaving: BTreeMap::new(),
        tickets: vec![],
        text: vec![],
    };
    builder.build(move |_caps| {
        move |frontiers| {
            input.for_each(|cap, data| {
                let caps = [0, 1, 2, 3].map(|output| cap.retain_stamp(output));
                {
                    let names = site.context.names.borrow();
                    data.iter().for_each(|block| gather.block(block, &names));
                }
                for leaving in std::mem::take(&mut gather.leaving).into_values() {
                    let (told, items) = leaving.finish();
                    told_out.activate().session(&caps[1]).give_iterator(told.into_iter());
                    items_out.activate().session(&caps[2]).give_iterator(items.into_iter());
                }
                tickets_out.activate().session(&caps[3]).give_iterator(gather.tickets.drain(..));
                passed_out.activate().session(&caps[0]).give_container(data);
            });
            let Some(open) = frontiers[0].frontier().iter().map(|t| t.s).min() else { return };
            if let Err(problem) = snapshots.stage("gather", open, || gather.next) {
                site.context.fail(Failure::Output(problem));
            }
        }
    });
    Gathered { released: passed, told, items, tickets }
}
