//! The scenarios of the evaluation protocol: what is injected is in the records, and nothing else is.

use super::*;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// A flat shop of one category and seller, with incidents of one kind; it lasts a day.
fn flat(kind: Kind) -> Settings {
    Settings {
        season: 0.0,
        noise: 0.0,
        sellers: 1,
        categories: 1,
        kinds: vec![kind],
        pareto: 0.0,
        returns: 0.0,
        duplicates: 0.0,
        cancels: 0.0,
        rate: 60.0,
        span: Some(24 * HOUR),
        incidents: Incidents::Scattered { per_day: 3, after: 2 * HOUR, gap: 90 * MINUTE },
        ..Settings::protocol(3, 0)
    }
}

/// A record: op, date, arrival, quantity, total, product.
type Played = (String, i64, i64, i64, i64, String);

/// All records, and the labels.
fn played(settings: Settings) -> (Vec<Played>, Vec<Label>, Vec<Stock>) {
    let mut generator = stream(settings);
    let record = |record: Record| {
        let sale: Value = serde_json::from_str(&record.line).unwrap();
        let text = |field: &str| sale[field].as_str().unwrap().to_string();
        let quantity = sale["quantity"].as_i64().unwrap();
        (text("op"), millis(&sale["sale_date"]), record.at, quantity, cents(&sale["total_value"]), text("id_product"))
    };
    let records = generator.by_ref().map(record).collect();
    let labels = generator.labels_until(generator.event_time());
    (records, labels, generator.stock().to_vec())
}

fn span(label: &Label) -> (i64, i64) {
    (millis(&label.start_ts.clone().into()), millis(&label.end_ts.clone().into()))
}

#[test]
fn shapes_grow_and_fade_and_their_mass_is_their_area() {
    for shape in Shape::ALL {
        let area = (0..10_000).map(|i| shape.strength((f64::from(i) + 0.5) / 10_000.0)).sum::<f64>() / 10_000.0;
        // The whole of it lies in any window that is longer.
        let whole = shape.mass(900_000.0, 300_000.0) / 300_000.0;
        assert!((area - whole).abs() < 1e-3, "{shape:?} {area} {whole}");
        assert!(shape.mass(60_000.0, 300_000.0) <= 60_000.0);
    }
    assert_eq!([0.0, 0.5, 1.0].map(|share| Shape::Triangle.strength(share)), [0.0, 1.0, 0.0]);
    assert_eq!([0.0, 0.5, 1.0].map(|share| Shape::Ramp.strength(share)), [0.0, 0.5, 1.0]);
}

#[test]
fn a_trend_grows_and_stays() {
    let rate = 200.0;
    let trend = Settings { rate, clumping: 1.0, ..flat(Kind::Trend) };
    let (records, labels, _) = played(trend);
    let label = labels.iter().max_by(|a, b| a.magnitude.total_cmp(&b.magnitude)).unwrap();
    let (start, end) = span(label);
    for (quarter, strength) in [0.25, 0.75, 1.0, 1.0].into_iter().enumerate() {
        let from = start + (end - start) * quarter as i64 / 4;
        let until = start + (end - start) * (quarter as i64 + 1) / 4;
        let sales = records.iter().filter(|r| (from..until).contains(&r.1)).count() as f64;
        let factor = sales / ((until - from) as f64 * rate / MINUTE as f64);
        let expected = 1.0 + (label.magnitude - 1.0) * strength;
        assert!((factor - expected).abs() < 0.1 * expected, "{label:?} quarter {quarter}: {factor} {expected}");
    }
}

#[test]
fn an_outage_is_silent_and_a_storm_takes_back_what_is_old() {
    let (records, labels, _) = played(flat(Kind::Outage));
    assert!(!labels.is_empty());
    for label in &labels {
        let (start, end) = span(label);
        assert!(!records.iter().any(|r| r.0 == "sale" && (start..end).contains(&r.1)), "{label:?}");
        assert_eq!((label.kind, label.entity_level), ("feed_outage", "global"));
    }
    let (records, labels, _) = played(flat(Kind::Storm));
    assert!(!labels.is_empty() && labels.iter().all(|label| label.hard_negative));
    let cancels: Vec<_> = records.iter().filter(|r| r.0 == "cancel").collect();
    for label in &labels {
        let (start, end) = span(label);
        let sold = records.iter().filter(|r| r.0 == "sale" && (start - 65 * MINUTE..start - 5 * MINUTE).contains(&r.1)).count();
        let taken = cancels.iter().filter(|r| (start..=end).contains(&r.2)).count() as f64;
        assert!((taken / sold as f64 - label.magnitude).abs() < 0.05, "{taken} of {sold}, {label:?}");
    }
    assert!(cancels.iter().all(|r| r.2 - r.1 >= 5 * MINUTE));
}

#[test]
fn one_whale_is_one_line_and_stock_runs_out_when_the_label_says() {
    let (records, labels, _) = played(flat(Kind::Whale));
    for label in &labels {
        let (start, end) = span(label);
        let largest = records.iter().filter(|r| r.0 == "sale").max_by_key(|r| if (start..end).contains(&r.1) { r.4 } else { 0 });
        let usual = records.iter().map(|r| r.4).sum::<i64>() / records.len() as i64;
        assert!(largest.unwrap().4 > 10 * usual && largest.unwrap().3 > 20, "{largest:?} {usual}");
    }
    let (records, labels, stock) = played(Settings { rate: 200.0, span: Some(12 * HOUR), ..flat(Kind::Stock) });
    let out: Vec<&Label> = labels.iter().filter(|label| span(label).1 < span(label).0 + 6 * HOUR).collect();
    assert!(!out.is_empty());
    for label in out {
        let (start, end) = span(label);
        let first = stock.iter().find(|said| said.id_product == label.entity_id && said.at == label.start_ts).unwrap();
        assert_eq!(first.stock as f64, label.magnitude);
        let of = |r: &&(String, i64, i64, i64, i64, String)| r.0 == "sale" && r.5 == label.entity_id;
        let sold: i64 = records.iter().filter(of).filter(|r| (start..end).contains(&r.1)).map(|r| r.3).sum();
        let refilled = stock.iter().any(|said| said.id_product == label.entity_id && said.at == label.end_ts);
        assert!(!refilled || sold >= first.stock, "{sold} of {first:?}");
    }
}

#[test]
fn what_excites_keeps_the_mean_and_clumps() {
    let counts = |excitement| {
        let shop = Settings { excitement, clumping: 1.0, kinds: vec![], rate: 600.0, span: Some(6 * HOUR), ..flat(Kind::Spike) };
        let mut minutes = vec![0.0; 72];
        for record in stream(shop.clone()) {
            minutes[((record.at - shop.start) / (5 * MINUTE)).min(71) as usize] += 1.0;
        }
        let mean = minutes.iter().sum::<f64>() / 72.0;
        (mean, minutes.iter().map(|n| (n - mean) * (n - mean)).sum::<f64>() / 71.0 / mean)
    };
    let (calm, excited) = (counts(0.0), counts(0.5));
    assert!((calm.0 / 3_000.0 - 1.0).abs() < 0.02 && (excited.0 / 3_000.0 - 1.0).abs() < 0.04, "{calm:?} {excited:?}");
    // 1 / (1 - 0.5)^2 = 4 in windows longer than a cluster, with a relative standard error of sqrt(2 / 71) = 17 % each.
    assert!(excited.1 / calm.1 > 1.8, "{calm:?} {excited:?}");
}

#[test]
fn large_units_have_a_tail_and_disorder_multiplies() {
    let quiet = Settings { span: Some(HOUR), kinds: vec![], ..Settings::protocol(5, 0) };
    let most = |pareto| {
        let mut units: Vec<i64> = played(Settings { pareto, ..quiet.clone() }).0.into_iter().map(|r| r.3).collect();
        units.sort_unstable();
        units[units.len() - units.len() / 500 - 1]
    };
    assert!(most(0.5) > most(0.0), "{} {}", most(0.5), most(0.0));
    let cancels = |disorder| {
        let mut generator = stream(Settings { disorder, ..quiet.clone() });
        generator.by_ref().for_each(drop);
        generator.counts().cancels as f64
    };
    let ratio = cancels(5.0) / cancels(1.0);
    assert!((3.5..6.5).contains(&ratio), "{ratio}");
}

#[test]
fn what_is_foreseen_comes_to_pass() {
    let settings = Settings { span: Some(24 * HOUR), rate: 20.0, ..Settings::protocol(4, 2 * HOUR) };
    let foreseen = foresee(&settings).unwrap();
    let mut generator = stream(settings);
    generator.by_ref().for_each(drop);
    let known = generator.labels_until(generator.event_time());
    let announced: Vec<(&str, &str)> = known
        .iter()
        .filter(|label| label.kind == "announced_sale")
        .map(|l| (l.entity_id.as_str(), l.start_ts.as_str()))
        .collect();
    assert!(!announced.is_empty());
    assert!(foreseen.announced.iter().map(|l| (l.entity_id.as_str(), l.start_ts.as_str())).eq(announced));
    let first = generator.stock().iter().filter(|said| said.stock < 1_000_000);
    assert!(first.clone().count() > 0 && first.clone().all(|said| foreseen.stock.contains(said)));
}

#[test]
fn stress_follows_other_laws() {
    let hash_of = |settings: Settings| hash(stream(Settings { span: Some(HOUR / 10), ..settings }));
    assert_ne!(hash_of(Settings::stress(1, 0)), hash_of(Settings::protocol(1, 0)));
    assert_eq!(hash_of(Settings::stress(1, 0)), hash_of(Settings::stress(1, 0)));
    let shop = Settings { season_drift: 1.0, ..Settings::protocol(1, 0) };
    let world = super::super::world::World::new(&shop);
    let traffic = super::super::traffic::Traffic::new(&shop, &world);
    let week =
        |week: i64| (0..288).map(|slot| traffic.season.at(0, shop.start + week * 7 * 24 * HOUR + slot * 5 * MINUTE)).collect();
    let (first, second): (Vec<f64>, Vec<f64>) = (week(0), week(1));
    assert!(first.iter().zip(&second).any(|(a, b)| (a / b - 1.0).abs() > 0.02));
    let late = Settings { dst_after: 24 * HOUR, season_drift: 0.0, ..shop };
    let traffic = super::super::traffic::Traffic::new(&late, &world);
    let at = |hours: i64| traffic.season.at(3, late.start + hours * HOUR);
    assert!((at(23) - at(23 + 24 - 1)).abs() < 1e-12 && (at(23) - at(23 + 24)).abs() > 1e-6);
}
