//! By hand, then against what the words of the definitions say, over all prices one by one.

use super::*;
use proptest::prelude::*;

fn multiset(prices: &[i32]) -> Vec<(i32, u32)> {
    let mut sorted = prices.to_vec();
    sorted.sort_unstable();
    sorted.chunk_by(|a, b| a == b).map(|c| (c[0], c.len() as u32)).collect()
}

#[test]
fn logarithms() {
    assert_eq!([100, 272, 1, 0].map(ln4), [0, 10_006, -46_052, -46_052]); // ln 2.72 = 1.000632, ln 0.01 = -4.605170
    assert_eq!(ln4_cents(-5), ln4(1));
    assert_eq!(ln4(5_000_000), 108_198); // ln 50000 = 10.819778
}

#[test]
fn by_hand() {
    let own = multiset(&[10, 10, 20, 5_000, 5_010]);
    assert_eq!(nearest(&own, 10, 2), Some(0));
    assert_eq!(nearest(&own, 12, 2), Some(2));
    assert_eq!(nearest(&own, 5_020, 2), Some(20));
    assert_eq!((nearest(&own, 0, 5), nearest(&own, 0, 6)), (Some(5_010), None));
    // median 20; deviations 10, 10, 0, 4980, 4990: MAD 10; 1.4826 * 0.0010 is below the floor of 0.10
    assert_eq!(
        price_score(&own, &[], 2_020),
        PriceScore { zscore: 2_000_000, knn2: Some(201_000), level: PriceLevel::Product, support: 5 }
    );
    assert_eq!(price_score(&own, &[], 1_000_000).zscore, LIMIT);
    // four of its own: the category, with its floor of 0.25
    let category = multiset(&[0; 30]);
    let of_category = price_score(&own[..2], &category, 5_000);
    assert_eq!((of_category.zscore, of_category.knn2, of_category.level), (2_000_000, None, PriceLevel::Category));
    assert_eq!(price_score(&own[..2], &multiset(&[0; 29]), 5_000), PriceScore::default());
    // 401 prices 0..=400: ranks 2 and 398
    let category = multiset(&(0..=400).collect::<Vec<_>>());
    assert_eq!(bounds(&category), Some((2, 398)));
    assert_eq!([0, 2, 200, 398, 500].map(|ln| outside(&category, ln)), [2, 0, 0, 0, 102].map(Some));
    assert_eq!((quantile(&category, 5), quantile(&category, 500), quantile(&category, 995)), (2, 200, 398));
    assert_eq!(outside(&category[..29], 9_999), None);
}

#[test]
fn the_oldest_instant_is_taken_whole() {
    let (mut history, mut found) = (PriceHistory::default(), vec![]);
    history.add(1, 7, 3);
    history.add(2, 5, 2);
    history.add(2, 9, 2);
    history.add(3, 5, 58);
    history.add(4, 1, 1);
    history.newest(0, 4, &mut found);
    assert_eq!(found, [(5, 60), (9, 2)]);
    history.newest(3, 4, &mut found);
    assert_eq!(found, [(5, 58)]);
    history.add(3, 5, -58);
    history.newest(0, 4, &mut found);
    assert_eq!(found, [(5, 2), (7, 3), (9, 2)]);
    assert_eq!(history.at(2).collect::<Vec<_>>(), [(5, 2), (9, 2)]);
}

/// The definition, sale by sale.
fn naive(log: &[(i64, i32, i32)], from: i64, before: i64) -> Vec<(i32, u32)> {
    let mut net = std::collections::BTreeMap::<(i64, i32), i32>::new();
    log.iter().for_each(|e| *net.entry((e.0, e.1)).or_default() += e.2);
    let mut sales = vec![];
    for ((at, ln), n) in net {
        (0..n).filter(|_| (from..before).contains(&at)).for_each(|_| sales.push((at, ln)));
    }
    sales.reverse();
    let oldest = sales.get(OWN as usize - 1).or(sales.last()).map_or(0, |s| s.0);
    multiset(&sales.iter().filter(|s| s.0 >= oldest).map(|s| s.1).collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn order_statistics_as_the_words_have_them(prices in proptest::collection::vec(-300..300i32, 1..70), ln in -400..400i32) {
        let set = multiset(&prices);
        let mut distances: Vec<i32> = prices.iter().map(|p| (p - ln).abs()).collect();
        distances.sort_unstable();
        for k in 1..=3 {
            prop_assert_eq!(nearest(&set, ln, k as u32), distances.get(k - 1).copied());
        }
        if prices.len() >= 5 {
            let median = |x: &mut Vec<f64>| { x.sort_by(f64::total_cmp); (x[(x.len() - 1) / 2] + x[x.len() / 2]) / 2.0 };
            let mut x: Vec<f64> = prices.iter().map(|p| f64::from(*p) / 1e4).collect();
            let m = median(&mut x);
            let mad = median(&mut x.iter().map(|x| (x - m).abs()).collect());
            let z = (f64::from(ln) / 1e4 - m) / (1.4826 * mad).max(0.10);
            let found = price_score(&set, &[], ln);
            prop_assert!((found.zscore as f64 - z * 1e6).abs() < 1.0, "{} {}", found.zscore, z);
            prop_assert_eq!(found.knn2, Some(i64::from(distances[1]) * 100));
        }
    }

    /// Deletions of anything, at any time, in any order; what is forgotten is missed by no question that may still come.
    #[test]
    fn history_is_exact_under_deletion(
        log in proptest::collection::vec((0..40i64, 0..4i32, 1..9i32), 1..60),
        cancel in proptest::collection::vec((any::<proptest::sample::Index>(), 0..9i32), 0..40),
        done in 0..40i64,
        ask in 0..45i64,
    ) {
        let mut history = PriceHistory::default();
        let mut all = log.clone();
        all.extend(cancel.iter().map(|(i, n)| { let e = log[i.index(log.len())]; (e.0, e.1, -n.min(&e.2)) }));
        // What is final first, then the rest: everything before `done` has been learned when it is forgotten.
        let (old, new): (Vec<(i64, i32, i32)>, Vec<_>) = all.iter().partition(|e| e.0 < done);
        old.iter().for_each(|e| history.add(e.0, e.1, e.2));
        history.forget(3, done);
        new.iter().rev().for_each(|e| history.add(e.0, e.1, e.2));
        let mut found = vec![];
        history.newest(3, ask.max(done), &mut found);
        prop_assert_eq!(found, naive(&all, 3, ask.max(done)));
    }
}
