//! Features asked for over HTTP while sales come in, and the training sets of the same sales.

use super::health::{Running, vitrine};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// A connection that stays open.
pub struct Asking(BufReader<TcpStream>);

/// An answer: code, the watermark in its header, body.
pub type Answer = (u16, Option<String>, Value);

impl Asking {
    pub fn to(address: &str) -> Asking {
        Asking(BufReader::new(TcpStream::connect(address).unwrap()))
    }

    pub fn ask(&mut self, request: &Value) -> Answer {
        let body = request.to_string();
        let head = format!("POST /get-online-features HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
        self.0.get_mut().write_all((head + &body).as_bytes()).unwrap();
        let (mut code, mut length, mut stamp) = (0, 0, None);
        for line in self.0.by_ref().lines().map(|line| line.unwrap()).take_while(|line| !line.is_empty()) {
            match line.split_once(": ") {
                None => code = line.split(' ').nth(1).unwrap().parse().unwrap(),
                Some(("content-length", n)) => length = n.parse().unwrap(),
                Some(("vitrine-watermark", at)) => stamp = Some(at.to_owned()),
                Some(_) => (),
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        (code, stamp, serde_json::from_slice(&body).unwrap())
    }
}

#[test]
fn features_are_served_while_sales_come_in() {
    let mut run = Running::start(&["--set", "http.feature_services=all = seller_features:n_support category_features:n"]);
    let mut asking = Asking::to(&run.address);
    let volume = json!({"features": ["seller_features:seller_volume_last_1h"], "entities": {"seller": ["x", "nobody"]}});
    assert_eq!(asking.ask(&volume).0, 503);
    run.sales(0..2_000);
    run.until(|s| s["rows"]["seller_features"].as_u64() > Some(4));
    let (code, stamp, said) = asking.ask(&volume);
    let result = &said["results"][1];
    assert_eq!((code, &result["statuses"]), (200, &json!(["PRESENT", "NOT_FOUND"])), "{said}");
    assert_eq!(result["event_timestamps"], json!([stamp.unwrap(), "1970-01-01T00:00:00Z"]));
    // Ten sales a second, and a row each 30 seconds.
    assert_eq!(result["values"][0].as_u64().map(|n| n % 300), Some(0), "{said}");
    let both = json!({"feature_service": "all", "entities": {"seller": ["x"], "category": ["General Category"]}});
    let (code, _, said) = asking.ask(&both);
    assert_eq!((code, &said["metadata"]["feature_names"]), (200, &json!(["category", "seller", "n_support", "n"])));
    let (code, _, said) = asking.ask(&json!({"features": ["product_features:n"], "entities": {"product": ["p"]}}));
    assert_eq!((code, said.as_str().is_some_and(|said| said.contains("FeatureViewNotFoundException"))), (404, true));
    assert_eq!(run.get("/get-online-features").0, 405);

    let (_, text) = run.get("/metrics");
    let number = |name: &str| super::health::metric(&text, name);
    assert_eq!(number("vitrine_feature_requests_total{result=\"refused\"}"), Some(2.0), "{text}");
    assert_eq!(number("vitrine_feature_requests_total{result=\"answered\"}"), Some(2.0));
    assert_eq!(number("vitrine_feature_values_total{status=\"NOT_FOUND\"}"), Some(1.0));
    assert_eq!(number("vitrine_feature_keys{table=\"seller_features\"}"), Some(1.0));
    assert_eq!(number("vitrine_feature_request_duration_seconds_count"), Some(4.0));
    assert_eq!(run.finish(), 0);
}

#[test]
fn what_is_not_to_be_served_is_not() {
    let run = Running::start(&["--set", "http.serve_features=false"]);
    let request = json!({"features": ["seller_features:n_support"], "entities": {"seller": ["x"]}});
    assert_eq!(Asking::to(&run.address).ask(&request).0, 404);
    assert_eq!(run.finish(), 0);
}

#[cfg(feature = "parquet")]
mod sets {
    use super::*;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;
    use std::collections::HashMap;
    use std::fs::File;
    use std::path::Path;

    /// Vectors that are compared.
    const VECTORS: usize = 100_000;
    /// Sellers in a request.
    const ENTITIES: usize = 250;

    const COLUMNS: [&str; 6] =
        ["as_of", "revision", "seller_volume_last_1h", "seller_revenue_last_1h", "seller_orders_last_1h", "n_support"];

    /// A value as text, the same whether it comes from JSON or from Parquet.
    fn text(value: &Value) -> String {
        match value {
            Value::Number(n) if n.is_f64() => format!("{:.6}", n.as_f64().unwrap()),
            Value::String(time) => time.trim_end_matches('Z').trim_end_matches(".000").replace('T', " "),
            value => value.to_string(),
        }
    }

    fn cell(field: &Field) -> String {
        match field {
            Field::Decimal(_) => format!("{:.6}", field.to_string().parse::<f64>().unwrap()),
            Field::Double(x) => format!("{x:.6}"),
            Field::TimestampMillis(_) => field.to_string().split(" +").next().unwrap().trim_end_matches(".000").to_owned(),
            field => field.to_string(),
        }
    }

    type Vector = Vec<String>;

    /// The vectors of a training set, in the order of the list.
    fn read(path: &Path) -> Vec<Vector> {
        let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
        let vector = |row: parquet::record::Row| {
            let fields: HashMap<String, String> =
                row.get_column_iter().map(|(name, field)| (name.clone(), cell(field))).collect();
            COLUMNS.iter().map(|name| fields[*name].clone()).collect()
        };
        reader.get_row_iter(None).unwrap().map(|row| vector(row.unwrap())).collect()
    }

    fn set(folder: &Path, as_of: &str, more: &[&str]) -> Vec<Vector> {
        let out = format!("{as_of}.parquet");
        let args = ["features", "sales.ndjson", "--as-of", as_of, "--at", "list.csv", "-o", &out, "--json"];
        let output = vitrine(&[&args, more].concat()).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(said["requests"].as_u64() >= Some(VECTORS as u64), "{said}");
        read(&folder.join(out))
    }

    /// What was served can be had again, to the last digit; and what has become of it is something else where late sales and
    /// cancellations came.
    #[test]
    fn what_was_served_is_what_the_training_set_has() {
        let folder = tempfile::tempdir().unwrap();
        let late = ["generate.late=0.05", "generate.late_mean=40s", "generate.cancels=0.05", "generate.cancel_within=80s"];
        let shop = [&["generate.sellers=300", "generate.rate=800"], &late[..]].concat();
        let shop: Vec<&str> = shop.iter().flat_map(|set| ["--set", *set]).collect();
        let make = ["generate", "--sales", "16000", "--seed", "11", "-o", "sales.ndjson", "-q"];
        let made = vitrine(&[&make[..], &shop].concat()).current_dir(folder.path()).status().unwrap();
        assert!(made.success());
        let sales = std::fs::read(folder.path().join("sales.ndjson")).unwrap();
        let sellers: std::collections::BTreeSet<String> = sales
            .split(|b| *b == b'\n')
            .filter_map(|line| Some(serde_json::from_slice::<Value>(line).ok()?["seller"].as_str()?.to_owned()))
            .collect();
        let sellers: Vec<String> = sellers.into_iter().collect();

        // One that was never there is asked for, too.
        let mut run = Running::start(&["--set", "replay.epoch_bytes=8000", "-w", "2"]);
        let mut asking = Asking::to(&run.address);
        let requests = VECTORS / ENTITIES + 1;
        let (mut served, mut list) = (vec![], "key,time\n".to_owned());
        let mut chunks = sales.chunks(sales.len() / requests + 1);
        while served.len() < VECTORS {
            if let Some(chunk) = chunks.next() {
                run.write(chunk);
            }
            let turn = served.len();
            let key = |i: usize| sellers.get((turn * 7 + i * 13) % (sellers.len() + 1)).map_or("nobody", String::as_str);
            let keys: Vec<&str> = (0..ENTITIES).map(key).collect();
            let (code, stamp, said) = asking.ask(&json!({"feature_service": "seller_features", "entities": {"seller": keys}}));
            if code == 503 || said["results"].as_array().unwrap().len() <= 1 {
                std::thread::sleep(std::time::Duration::from_millis(5));
                continue;
            }
            assert_eq!(code, 200, "{said}");
            let names: Vec<&str> =
                said["metadata"]["feature_names"].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
            assert_eq!(names[1..], COLUMNS);
            let stamp = stamp.unwrap();
            for (i, key) in keys.iter().enumerate() {
                let vector: Vector = (1..names.len()).map(|c| text(&said["results"][c]["values"][i])).collect();
                served.push(vector);
                list.push_str(&format!("{key},{stamp}\n"));
            }
        }
        let stamps: std::collections::BTreeSet<&str> = list.lines().skip(1).map(|line| line.split_once(',').unwrap().1).collect();
        assert!(stamps.len() > 30, "asked at {} watermarks only", stamps.len());
        chunks.for_each(|chunk| run.write(chunk));
        std::fs::write(folder.path().join("list.csv"), &list).unwrap();

        let same = ["--set", "replay.epoch_bytes=8000"];
        let known = set(folder.path(), "known", &same);
        assert_eq!(known.len(), served.len());
        let differ: Vec<_> = (0..served.len()).filter(|i| served[*i] != known[*i]).collect();
        let first = differ.first().map(|i| (list.lines().nth(i + 1), &served[*i], &known[*i]));
        assert_eq!((differ.len(), first), (0, None));
        assert!(served.iter().filter(|vector| vector[0] != "null").count() > VECTORS / 2);

        // The truth, from the table itself: the last revision of the newest row up to that time.
        let results = run.results();
        let mut truth: BTreeMap<(String, String), Value> = BTreeMap::new();
        for line in std::fs::read_to_string(results.join("seller_features.ndjson")).unwrap().lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            let (key, as_of) = (row["key"].as_str().unwrap().to_owned(), row["as_of"].as_str().unwrap().to_owned());
            truth.insert((key, as_of), row);
        }
        truth.retain(|_, row| row["deleted"] != true);
        let finals = set(folder.path(), "final", &same);
        for (line, vector) in list.lines().skip(1).zip(&finals) {
            let (key, time) = line.split_once(',').unwrap();
            let upto = (key.to_owned(), time.replace('Z', ".000Z"));
            let row = truth.range((key.to_owned(), String::new())..=upto).next_back().map(|(_, row)| row);
            let expected: Vector = COLUMNS.iter().map(|c| row.map_or("null".into(), |row| text(&row[*c]))).collect();
            assert_eq!(*vector, expected, "{line}");
        }
        let corrected = known.iter().zip(&finals).filter(|(known, last)| known[2..] != last[2..]).count();
        assert!(corrected > 100, "{corrected} vectors were corrected");
    }
}
