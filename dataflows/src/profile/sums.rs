//! What is known of a customer at one look, summed up: a scratch pad that is filled from the customer's lists, and to which the
//! sales of the tick at hand are added one after the other. Everything in it is a sum that a sale of the other sign takes back.

use super::columns::NULL;
use super::customer::{Customer, Day, Good, Habit, Recent};
use super::env::{DAY, Env, HOUR, MINUTE};
use super::fact::{Fact, class};
use crate::feature::amount::{Logs, amount_vs_customer};
use crate::feature::elapsed::since_last;
use crate::feature::ln_fixed;
use crate::feature::refund;
use crate::feature::vector::{Behaviour, VERSION, vector};
use crate::feature::velocity::pace;

/// Sums by key in the order of the keys, and how many are above 0.
#[derive(Debug)]
struct Tally<K, V> {
    sums: Vec<(K, V)>,
    above: i64,
}

impl<K, V> Default for Tally<K, V> {
    fn default() -> Self {
        Tally { sums: vec![], above: 0 }
    }
}

impl<K: Ord + Copy, V: Copy + Default + std::ops::AddAssign + PartialOrd> Tally<K, V> {
    fn add(&mut self, key: K, by: V) {
        let i = self.sums.binary_search_by_key(&key, |s| s.0).unwrap_or_else(|i| {
            self.sums.insert(i, (key, V::default()));
            i
        });
        let sum = &mut self.sums[i].1;
        let before = *sum > V::default();
        *sum += by;
        self.above += i64::from(*sum > V::default()) - i64::from(before);
    }

    fn clear(&mut self) {
        self.sums.clear();
        self.above = 0;
    }
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Sums {
    e: u32,
    /// Where the horizons of a minute, five, an hour and a day begin.
    from: [i64; 4],
    today: u32,
    lines: [i64; 4],
    cents: [i64; 4],
    sellers_hour: Tally<u64, i64>,
    payments_day: Tally<u8, i64>,
    /// Sales and returns of 30 days, and of 30 days a week ago.
    refunds: [i64; 4],
    n: i64,
    spent: i64,
    units: i64,
    logs: Logs,
    halves: Tally<u32, i64>,
    hours: [i64; 24],
    weekend: i64,
    paid: [i64; 5],
    categories: Tally<u64, i64>,
    sellers: Tally<u64, i64>,
    spend: Tally<u64, i128>,
    shares: i64,
    /// The last sale.
    pub last: Option<i64>,
}

impl Sums {
    /// Begins anew, for a look at `e`.
    pub fn begin(&mut self, e: u32, env: &Env) {
        self.sellers_hour.clear();
        self.payments_day.clear();
        self.halves.clear();
        self.categories.clear();
        self.sellers.clear();
        self.spend.clear();
        let (sellers_hour, payments_day) = (std::mem::take(&mut self.sellers_hour), std::mem::take(&mut self.payments_day));
        let (halves, categories) = (std::mem::take(&mut self.halves), std::mem::take(&mut self.categories));
        let (sellers, spend) = (std::mem::take(&mut self.sellers), std::mem::take(&mut self.spend));
        let (from, today) = (Customer::spans(e, env), (env.instant(e) / DAY) as u32);
        *self = Sums { e, from, today, sellers_hour, payments_day, halves, categories, sellers, spend, ..Sums::default() };
    }

    /// Adds a day.
    pub fn day(&mut self, day: &Day) {
        self.n += i64::from(day.n);
        self.units += day.units;
        self.logs.n += i64::from(day.n);
        self.logs.ln += day.ln;
        self.logs.ln2 += i128::from(day.ln2);
    }

    /// Adds sales and returns, of the last 30 days, and of those that ended a week ago.
    pub fn refund(&mut self, month: bool, earlier: bool, n: i64, returns: i64) {
        let [now, before] = [i64::from(month), i64::from(earlier)];
        self.refunds[0] += now * n;
        self.refunds[1] += now * returns;
        self.refunds[2] += before * n;
        self.refunds[3] += before * returns;
    }

    /// Adds lines of a half hour.
    pub fn habit(&mut self, habit: &Habit) {
        let n = i64::from(habit.n);
        self.halves.add(habit.half, n);
        self.hours[(habit.half / 2 % 24) as usize] += n;
        // 1970-01-01 was a Thursday.
        let weekday = (habit.half / 48 + 3) % 7;
        self.weekend += if weekday >= 5 { n } else { 0 };
        self.paid[usize::from(habit.payment).min(4)] += n;
    }

    /// Adds goods of a day.
    pub fn good(&mut self, good: &Good, env: &Env) {
        let n = i64::from(good.n);
        self.spent += good.cents;
        self.categories.add(good.category, n);
        self.sellers.add(good.seller, n);
        let weight = env.tables.decay(self.today.saturating_sub(good.day));
        self.spend.add(good.category, i128::from(good.cents) * i128::from(weight));
        self.shares += n * i64::from(env.sums(self.e).share(good.category, good.step));
    }

    /// Adds to what is recent only.
    pub fn recent(&mut self, recent: &Recent) {
        let (n, cents) = (i64::from(recent.good.n), recent.good.cents);
        for (h, from) in self.from.into_iter().enumerate() {
            if recent.at >= from {
                self.lines[h] += n;
                self.cents[h] += cents;
            }
        }
        if n == 0 {
            return;
        }
        if recent.at >= self.from[2] {
            self.sellers_hour.add(recent.good.seller, n);
        }
        if recent.at >= self.from[3] {
            self.payments_day.add(recent.payment, n);
        }
    }

    /// Adds one record to all that is not recent only; for `month` and `earlier` see [`Sums::refund`].
    pub fn sale(&mut self, recent: &Recent, month: bool, earlier: bool, env: &Env) {
        let good = &recent.good;
        self.day(&Day::of(recent));
        self.refund(month, earlier, good.n.into(), recent.returns.into());
        if good.n != 0 {
            self.habit(&Habit { half: (recent.at / (30 * MINUTE)) as u32, payment: recent.payment, n: good.n });
            self.good(good, env);
        }
    }

    /// Adds a record of the tick at hand.
    pub fn add(&mut self, fact: &Fact, env: &Env) {
        let recent = Recent::of(fact);
        self.recent(&recent);
        self.sale(&recent, true, false, env);
    }

    /// The columns, see [`columns`](super::columns).
    pub fn cells(&self, now: i64, env: &Env, out: &mut Vec<i64>) {
        out.extend(self.lines);
        out.extend(self.cents);
        out.push(pace(self.lines[2], self.lines[3]));
        out.extend([self.sellers_hour.above, self.payments_day.above]);
        let sums = env.sums(self.e);
        let rates = self.categories.sums.iter().map(|(category, n)| (sums.rate(*category), *n));
        let prior = refund::mean_rate(rates);
        let rate = refund::rate(self.refunds[0], self.refunds[1], prior);
        out.extend([rate, refund::rate(self.refunds[2], self.refunds[3], prior), self.refunds[0]]);
        out.push(self.logs.mean().unwrap_or(NULL));
        let deviation = crate::row::round::round_millionths(self.logs.deviation());
        out.push(if self.logs.n > 0 { deviation } else { NULL });
        let since = since_last(now, self.last);
        out.extend([since, i64::from(self.n <= 0), self.n, VERSION]);
        let behaviour = Behaviour {
            recency: since / 1_000,
            n: self.n,
            cents: self.spent,
            units: self.units,
            logs: self.logs,
            categories: self.categories.above,
            sellers: self.sellers.above,
            refund: rate,
            shares: self.shares,
            halves: &self.halves.sums,
            hours: self.hours,
            weekend: self.weekend,
            paid: self.paid,
            spend: &self.spend.sums,
        };
        vector(&behaviour, &env.tables, out);
    }

    /// What a sale itself has: the columns that only `scores` has.
    pub fn score(&self, fact: &Fact, env: &Env, out: &mut Vec<i64>) {
        let sums = env.sums(self.e);
        let known = sums.category(fact.keys[class::CATEGORY]);
        let category = known.map_or(Logs::default(), |c| Logs { n: c.n, ln: c.ln, ln2: c.ln2 });
        let ln = ln_fixed(u32::try_from(fact.amount()).unwrap_or(u32::MAX));
        out.push(amount_vs_customer(ln, &self.logs, &category));
        out.push(env.kernel.surprise(&self.hours, &sums.hours, (fact.at / HOUR % 24) as usize));
    }
}
