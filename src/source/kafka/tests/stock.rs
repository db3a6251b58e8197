//! The stock from a topic of its own, beside the sales.

use super::*;

const SET: [(&str, &str); 2] = [("stock.topic", "stock"), ("features.all", "true")];

/// A cluster with both topics.
fn both(sales: i32, stock: i32) -> (Cluster, Settings, Shop) {
    let (cluster, settings) = cluster_with(sales, &SET);
    cluster.create_topic("stock", stock, 1).unwrap();
    let shop = Shop::new(&settings.kafka);
    (cluster, settings, shop)
}

impl Shop {
    /// What is in stock at so many seconds after ten o'clock.
    fn stock(&mut self, partition: i32, second: i64, product: &str, units: i64) {
        let record = format!("{{\"id_product\":\"{product}\",\"stock\":{units},\"at\":{}}}", START + 1_000 * second);
        self.message_to("stock", partition, 1_000 * second, Some(record.as_bytes()));
    }
}

#[test]
fn its_partitions_are_inputs_like_those_of_the_sales() {
    let (_cluster, settings, mut shop) = both(3, 2);
    (0..3).for_each(|partition| shop.sales(partition, 0, 300));
    shop.stock(0, 20, "p3", 40);
    shop.stock(1, 130, "p4", 7);
    shop.stock(1, 290, "p3", 90);
    shop.message_to("stock", 1, 290_000, Some(b"{\"id_product\":\"p3\",\"stock\":-1,\"at\":1769853890000}"));
    // A record of the stock from the future is refused like a sale.
    let future = format!("{{\"id_product\":\"p3\",\"stock\":1,\"at\":{}}}", START + 86_400_000);
    shop.message_to("stock", 0, 290_000, Some(future.as_bytes()));
    // A sale among the stock is no record of the stock.
    shop.message_to("stock", 0, 295_000, Some(b"{\"id_sale\":\"1\",\"id_product\":\"p3\"}"));
    shop.stock(0, 298, "p4", 3);
    shop.delivered();
    for workers in [1, 2, 4] {
        let (kept, report) = start(&settings, workers, How::UntilCaughtUp).ended();
        let total = report.total();
        assert_eq!(total.read, shop.sent);
        let letters = kept.of("dead_letters");
        let of_stock: Vec<_> = letters.iter().filter(|letter| letter["source"] == "stock").collect();
        let place = |letter: &serde_json::Value| (letter["partition"].as_u64().unwrap(), letter["offset"].as_u64().unwrap());
        let code = |letter: &serde_json::Value| letter["errors"][0]["code"].as_str().unwrap().to_owned();
        let mut found: Vec<_> = of_stock.iter().map(|letter| (place(letter), code(letter))).collect();
        found.sort();
        let wanted = [((0, 1), "future_sale_date"), ((0, 2), "missing_field"), ((1, 2), "stock_out_of_range")];
        assert_eq!(found, wanted.map(|(place, code)| (place, code.to_owned())));
        assert_eq!(letters.iter().filter(|letter| letter["source"] == "sales").count() as u64 + 3, total.rejected);
        let rows = kept.of("product_features");
        let known = |product: &str| rows.iter().filter(|row| row["key"] == product && !row["stock_cover_h"].is_null()).count();
        assert!(known("p3") > 0 && known("p4") > 0 && known("p5") == 0, "{rows:?}");
        repeats(&settings, &kept, shop.sent);
    }
}

#[test]
fn a_run_goes_on_where_it_was_in_both_topics() {
    let (_cluster, settings, mut shop) = both(2, 2);
    let day = |shop: &mut Shop, from: i64, to: i64| {
        (0..2).for_each(|partition| shop.sales(partition, from, to));
        (from..to).step_by(10).for_each(|second| shop.stock((second / 10 % 2) as i32, second, "p3", 1_000 - second));
        shop.delivered();
    };
    day(&mut shop, 0, 100);
    let running = start(&settings, 2, How::UntilStopped);
    running.until(shop.sent);
    let (first, _) = running.stopped();
    day(&mut shop, 100, 200);
    let (second, report) = start(&settings, 3, How::AgainThenLive(first.recording())).ended();
    assert_eq!(report.total().read, shop.sent);
    assert!(second.rows().starts_with(&first.rows()));
    let all: Vec<Binding> = [first.bindings.lock().unwrap().clone(), second.bindings.lock().unwrap().clone()].concat();
    let both = Kept { bindings: Arc::new(Mutex::new(all)), rows: second.rows.clone() };
    repeats(&settings, &both, shop.sent);
}

#[test]
fn while_nothing_is_counted_the_sales_go_on() {
    let (_cluster, settings, mut shop) = both(2, 2);
    (0..2).for_each(|partition| shop.sales(partition, 0, 300));
    // One count in the beginning, and a partition without any.
    shop.stock(0, 0, "p3", 40);
    shop.delivered();
    let running = start(&settings, 2, How::UntilStopped);
    let mut second = 300..;
    running.until_time(300_000, || {
        let second = second.next().unwrap();
        (0..2).for_each(|partition| shop.sales(partition, second, second + 1));
        shop.delivered();
    });
    running.until(shop.sent);
    let (kept, report) = running.stopped();
    assert_eq!(report.total().read, shop.sent);
    repeats(&settings, &kept, shop.sent);
}

#[test]
fn a_topic_that_is_not_there_is_named_with_its_setting() {
    let (_cluster, mut settings) = cluster_with(1, &SET);
    settings.kafka.properties.insert("allow.auto.create.topics".into(), "false".into());
    let error = Topic::new(&settings.kafka, Duration::ZERO).unwrap().look(From::Earliest).unwrap_err();
    assert_eq!(error.exit_code(), 69);
    assert!(error.to_string().starts_with("there is no topic stock at 127.0.0.1:"), "{error}");
    assert!(error.to_string().ends_with("or name another with [stock] topic"), "{error}");
}
