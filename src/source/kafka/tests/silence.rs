//! Partitions that bring nothing any more: a drop that they owe is one of the feed, and not one of the shop.

use super::*;
use dataflows::row::text;
use std::collections::BTreeSet;

/// Minutes of a day.
const DAY: i64 = 24 * 60;

/// When it happens, on the second day, when there is something to compare with; and for how long it goes on.
const AT: i64 = DAY + 100;
const MINUTES: i64 = 15;

impl Shop {
    /// Steady sales of one partition between two minutes, one each so many seconds.
    fn steady(&mut self, partition: i32, (from, to): (i64, i64), every: usize) {
        for second in (60 * from..60 * to).step_by(every) {
            let date = START + 1_000 * second;
            let sale = format!(
                "{{\"id_sale\":\"{partition}-{second}\",\"id_product\":\"p{}\",\"seller\":\"s{}\",\"nm_category\":\"c{}\",\
                 \"price\":10,\"tp_payment\":\"PIX\",\"sale_date\":{date}}}",
                second % 11,
                second % 7,
                second % 2,
            );
            self.message(partition, 1_000 * second, Some(sale.as_bytes()));
        }
    }
}

/// What is said of the shop as a whole from then on, of what can be said of a drop, when some partitions are silent, or sell
/// slowly. Before, this shop opens from one second to the next, which is news of its own.
fn said(silent: &[i32], every: usize) -> BTreeSet<String> {
    let (_cluster, settings) = cluster_with(4, &[("detect.enabled", "true"), ("detect.levels", "[\"global\"]")]);
    let mut shop = Shop::new(&settings.kafka);
    let live = |partition: &i32| !silent.contains(partition);
    for partition in 0..4 {
        shop.steady(partition, (0, AT - DAY + 2 * MINUTES), 3);
        shop.steady(partition, (DAY, AT), 3);
    }
    (0..4).filter(live).for_each(|partition| shop.steady(partition, (AT, AT + MINUTES), every));
    shop.delivered();
    let running = start(&settings, 2, How::UntilStopped);
    let mut minute = AT + MINUTES..;
    running.until_time(60_000 * (AT + MINUTES), || {
        let minute = minute.next().unwrap();
        (0..4).filter(live).for_each(|partition| shop.steady(partition, (minute, minute + 1), every));
        shop.delivered();
    });
    running.until(shop.sent);
    let (kept, _) = running.stopped();
    repeats(&settings, &kept, shop.sent);
    let rows = [kept.of("events"), kept.of("episodes")].concat();
    let mut then = vec![];
    text::time(START + 60_000 * AT, &mut then);
    let then = String::from_utf8(then).unwrap();
    let since = rows.iter().filter(|row| row["window_end"].as_str().unwrap() > then.as_str());
    let kinds = since.filter(|row| row["level"] == "global").map(|row| row["type"].as_str().unwrap().to_owned());
    kinds.filter(|kind| ["activity_drop", "feed_incomplete"].contains(&kind.as_str())).collect()
}

#[test]
fn a_drop_that_silent_partitions_owe_is_one_of_the_feed() {
    assert_eq!(said(&[1, 2, 3], 3), BTreeSet::from(["feed_incomplete".into()]));
}

#[test]
fn a_drop_in_all_partitions_is_one_of_the_shop() {
    assert_eq!(said(&[], 12), BTreeSet::from(["activity_drop".into()]));
}
