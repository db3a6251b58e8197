//! The settings in `data/` for known data sets: lines in the columns of each, written by hand, become the sales that they tell.
//!
//! UCI's own file is replayed where it lies beside the checkout (`dataflows/tests/decode/uci.rs`); the others cannot be had here.

use assert_cmd::Command;
use serde_json::{Value, json};
use std::path::Path;

/// What comes of a file with these lines: the numbers of records, and the rows of the windows in order.
fn replay(profile: &str, csv: &str) -> (Value, Vec<Value>) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lines.csv"), csv).unwrap();
    let profile = Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(profile).display().to_string();
    let mut command = Command::cargo_bin("vitrine").unwrap();
    command.current_dir(folder.path()).env_remove("RUST_LOG").env_remove("VITRINE_CONFIG").env("NO_COLOR", "1");
    command.args(["replay", "lines.csv", "-c", &profile, "--window", "15m/1m", "--out", "out", "-q"]).assert().success();
    let read = |name: &str| std::fs::read_to_string(folder.path().join("out").join(name)).unwrap();
    let summary: Value = serde_json::from_str(&read("summary.json")).unwrap();
    let rows = read("windows.ndjson").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (summary["records"].clone(), rows)
}

/// The first window with so many sales: its end and some of its fields.
fn window(rows: &[Value], sales: u64, fields: &[&str]) -> Value {
    let row = rows.iter().find(|row| row["total_sales"] == sales).expect("a window with all sales");
    ["window_end", "total_units", "total_revenue"].iter().chain(fields).map(|field| row[*field].clone()).collect()
}

#[test]
fn olist() {
    let csv = "\
order_id,order_item_id,product_id,product_category_name,seller_id,customer_unique_id,price,payment_type,order_purchase_timestamp
e481f51c,1,87285b34,utilidades_domesticas,3504c0cb,7c396fd4,29.99,credit_card,2017-10-02 10:56:33
e481f51c,2,87285b34,utilidades_domesticas,3504c0cb,7c396fd4,29.99,credit_card,2017-10-02 10:56:33
53cdb2fc,1,595fac2a,,289cdb32,af07308b,118.70,boleto,2017-10-02 10:57:01
";
    let (records, rows) = replay("olist.toml", csv);
    assert_eq!((&records["accepted"], &records["read"]), (&json!(3), &json!(3)));
    // Ten in Brasília is 13 o'clock in Greenwich: summer time began two weeks later.
    let fields = ["active_sellers", "active_categories", "top_category", "top_seller"];
    assert_eq!(
        window(&rows, 3, &fields),
        json!(["2017-10-02T13:58:00.000Z", 3, 178.68, 2, 2, "utilidades_domesticas", "3504c0cb"])
    );
}

#[test]
fn rees46() {
    let csv = "\
event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session
2019-10-01 00:02:14 UTC,purchase,1004856,2053013555631882655,electronics.smartphone,samsung,130.76,543272936,8187d148-3c41
2019-10-01 00:02:14 UTC,purchase,1004856,2053013555631882655,electronics.smartphone,samsung,130.76,543272936,8187d148-3c41
2019-10-01 00:04:37 UTC,purchase,1701202,2053013553031414015,,,0.00,551377651,3c80f0d6-e9ec
2019-10-01 00:06:02 UTC,purchase,1701555,2053013553031414015,,,25.50,551377651,3c80f0d6-e9ec
";
    let (records, rows) = replay("rees46.toml", csv);
    // What cost nothing is no sale.
    assert_eq!((&records["accepted"], &records["rejected"]), (&json!(3), &json!(1)));
    let fields = ["active_sellers", "active_products", "top_category", "top_seller"];
    assert_eq!(
        window(&rows, 3, &fields),
        json!(["2019-10-01T00:07:00.000Z", 3, 287.02, 2, 2, "electronics.smartphone", "samsung"])
    );
}

#[test]
fn complete_journey() {
    let csv = "\
basket_id,product_id,product_type,product_category,brand,store_id,household_id,price,quantity,transaction_timestamp
31198570044,1095275,ROLLS: DINNER,BAKED BREAD/BUNS/ROLLS,National,330,900,0.5,1,2017-01-01T11:53:26Z
31198655051,1041453,\"MILK, 2 %\",FLUID MILK PRODUCTS,Private,406,1228,1.43,2,2017-01-01T12:05:28Z
";
    let (records, rows) = replay("complete_journey.toml", csv);
    assert_eq!((&records["accepted"], &records["read"]), (&json!(2), &json!(2)));
    let fields = ["active_sellers", "active_categories", "top_category", "biggest_sale"];
    assert_eq!(window(&rows, 2, &fields), json!(["2017-01-01T12:06:00.000Z", 3, 3.36, 2, 2, "BAKED BREAD/BUNS/ROLLS", 2.86]));
}
