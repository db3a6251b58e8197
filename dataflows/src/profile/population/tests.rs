//! Sums by hand.

use super::*;

fn lot(hour: u32, n: i64) -> Lot {
    Lot { category: 7, hour, n, returns: 1, ln: 10 * n, ln2: 100, prices: vec![(100, n as i32)], ..Lot::default() }
}

#[test]
fn what_a_product_of_a_category_sells() {
    let sold = |hour, units, products| Lot { category: 7, hour, n: 1, units, products, ..Lot::default() };
    let mut population = Population::default();
    population.learn(sold(1_000, 6, vec![(1, 2), (2, 1)]));
    population.learn(sold(1_001, 6, vec![(3, 1), (2, -1)]));
    assert_eq!((population.at(1_001).first(), population.at(1_001).demand(7)), (None, 0.0));
    population.advance(1_001, 1_002);
    // six units of two products in an hour; twelve of two in two hours: of one all was cancelled
    assert_eq!((population.at(1_001).demand(7), population.at(1_002).demand(7)), (3.0, 3.0));
    population.learn(sold(999, 6, vec![(2, 1)]));
    assert_eq!((population.at(1_002).first(), population.at(1_002).demand(7)), (Some(999), 2.0));
    let again = Population::restore(population.save());
    assert_eq!((again.at(1_001).demand(7), again.at(1_002).demand(7)), (3.0, 2.0));
    assert_eq!(again.at(1_002).demand(8), 0.0);
}

fn refunds(population: &Population, hour: u32) -> (i64, i64) {
    let known = population.at(hour).category(7).unwrap();
    assert_eq!(population.at(hour).rate(7), category_rate(known.n, known.returns));
    assert_eq!(population.at(hour).rate(8), category_rate(0, 0));
    (known.n, known.returns)
}

#[test]
fn hours_count_when_they_are_over_and_days_are_forgotten() {
    let mut population = Population::default();
    population.learn(lot(1_000, 3));
    population.learn(lot(1_001, 4));
    population.advance(1_001, 1_001);
    assert_eq!(refunds(&population, 1_001), (3, 1));
    population.advance(1_001, 1_002);
    assert_eq!((refunds(&population, 1_001).0, refunds(&population, 1_002).0), (3, 7));
    // later than everything
    population.learn(lot(1_000, 2));
    assert_eq!((refunds(&population, 1_001).0, refunds(&population, 1_002).0), (5, 9));
    let again = Population::restore(population.save());
    assert_eq!(refunds(&again, 1_002).0, 9);
    assert_eq!(again.at(1_002).hours, population.at(1_002).hours);
    population.advance(1_002 + 24 * 31, 1_002 + 24 * 31);
    assert!(population.at(u32::MAX).category(7).is_none());
}

#[test]
fn amounts_without_sales_were_forgotten() {
    let mut population = Population::default();
    let lots = [(1, 1, 10), (1, -1, -30), (2, 1, 30)];
    lots.iter().for_each(|(hour, n, ln)| {
        population.learn(Lot { category: 7, hour: *hour, n: *n, ln: *ln, prices: vec![(100, *n as i32)], ..Lot::default() });
    });
    population.advance(2, 2);
    population.advance(3, 3);
    assert_eq!(population.at(3).category(7).map(|c| (c.n, c.ln)), Some((1, 10)));
}

#[test]
fn shares_of_lower_prices() {
    let mut population = Population::default();
    let prices = vec![(10, 1), (20, 2), (30, 1)];
    population.learn(Lot { category: 1, hour: 0, n: 4, prices, ..Lot::default() });
    population.advance(1, 1);
    let shares = [5, 10, 20, 25, 30, 40].map(|s| f64::from(population.at(1).share(1, s)) / 65_536.0);
    assert_eq!(shares, [0.0, 0.125, 0.5, 0.75, 0.875, 1.0]);
    assert_eq!(population.at(1).prices(1).iter().map(|p| p.1).collect::<Vec<_>>(), [1, 2, 1]);
    assert_eq!(population.at(1).share(2, 5), 1 << 15);
}

#[test]
fn steps_of_prices() {
    assert_eq!((step(1), step(100), step(5_000_000), step(u32::MAX)), (0, 147, 493, 511));
    assert!((i64::from(middle(step(12_345))) - i64::from(ln4(12_345))).abs() <= 157);
}
