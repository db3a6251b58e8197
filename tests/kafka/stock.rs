//! The stock, from a topic of its own beside the sales: bound, recorded and repeated with them.

use super::*;
use dataflows::clock::live::STOCK;
use vitrine::kafka::topics;

/// What is in stock of the product, every ten seconds.
fn count(producer: &BaseProducer, topic: &str, seconds: std::ops::Range<i64>) {
    for second in seconds.step_by(10) {
        let record = format!(r#"{{"id_product":"p","stock":{},"at":{}}}"#, 5_000 - second, TEN + 1_000 * second);
        let record = BaseRecord::to(topic).partition((second / 10 % 2) as i32).key("p").payload(&record);
        producer.send(record).map_err(|(e, _): (_, BaseRecord<str, String>)| e).unwrap();
    }
}

#[test]
fn the_stock_is_read_beside_the_sales_through_a_stop_and_a_kill() {
    let Some(broker) = shared() else { return };
    let mut shop = Shop::new(broker, "stocked");
    let topic = format!("{}-stock", shop.kafka.job);
    shop.kafka = Kafka { stock: Some(topic.clone()), partitions: 2, ..shop.kafka };
    broker.create(topics::stock(&shop.kafka).as_slice(), &shop.kafka);
    let settings = std::fs::read_to_string(shop.path("vitrine.toml")).unwrap();
    let settings = format!("{settings}[stock]\ntopic = \"{topic}\"\n[features]\nall = true\n");
    std::fs::write(shop.path("vitrine.toml"), settings).unwrap();
    let producer: BaseProducer = client::producer(&shop.kafka).unwrap().create().unwrap();
    let more = |seconds: std::ops::Range<i64>| {
        (0..3).for_each(|partition| send(&producer, &shop.kafka, partition, TEN, seconds.clone()));
        count(&producer, &topic, seconds);
        producer.flush(client::PATIENCE).unwrap();
    };
    for (from, workers, how) in [(0, "2", "TERM"), (200, "3", "KILL"), (400, "1", "TERM")] {
        let before = shop.bound().0.len();
        let mut run = shop.start(&["-w", workers]);
        more(from..from + 200);
        let stocked = |shop: &Shop| shop.bound().0[before..].iter().any(|(input, ..)| *input >= STOCK);
        shop.until(&mut run, |shop| shop.bound().0.len() > before && stocked(shop));
        stopped(run, how);
    }
    let record = BaseRecord::to(&topic).partition(1).key("p").payload(r#"{"id_product":"p","stock":"many","at":0}"#);
    producer.send(record).map_err(|(e, _)| e).unwrap();
    producer.flush(client::PATIENCE).unwrap();
    shop.catch_up(&["-w", "2"]);
    assert!(shop.newest_checkpoint().0 > 0);
    assert_eq!((shop.records("read"), shop.records("rejected")), (3 * 600 + 60 + 1, 1));
    let table = |name: &str| {
        let text = std::fs::read_to_string(shop.path("out").join(name)).unwrap();
        text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()).collect::<Vec<_>>()
    };
    let letter = &table("dead_letters.ndjson")[0];
    assert_eq!((letter["source"].as_str(), letter["partition"].as_u64()), (Some(topic.as_str()), Some(1)));
    let rows = table("product_features.ndjson");
    assert!(rows.iter().any(|row| row["key"] == "p" && row["stock_cover_h"].as_f64().is_some_and(|hours| hours > 0.0)));
    shop.repeats();
}
