//! Reading through trouble, on librdkafka's own mock of a cluster: any number of workers, broken messages, errors of the broker,
//! a broker that goes and comes back. What a real broker promises is tested on one (`tests/kafka.rs`).

mod silence;
mod stock;

use super::topic::{From, Topic};
use crate::engine::{self, Job, Report, Stop};
use crate::settings::kafka::Kafka;
use crate::settings::layer::Flag;
use crate::settings::{Given, Settings};
use crate::source::live::Live;
use dataflows::clock::policy::{self, Recording};
use dataflows::clock::{Binding, Policy, Progress, Record};
use dataflows::edge::{Marks, RowSink, Table, TickRows};
use dataflows::pipeline;
use dataflows::site::Setup;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// 2026-01-31T10:00:00Z.
const START: i64 = 1_769_853_600_000;

type Cluster = MockCluster<'static, DefaultProducerContext>;

/// A cluster of one broker with the topic, and settings that lead there.
fn cluster(partitions: i32) -> (Cluster, Settings) {
    cluster_with(partitions, &[])
}

/// The same under these settings.
fn cluster_with(partitions: i32, set: &[(&str, &str)]) -> (Cluster, Settings) {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("sales", partitions, 1).unwrap();
    let flag = |(path, text): &(&str, &str)| Flag { name: "--set".into(), path: (*path).into(), text: (*text).into() };
    let given = Given { flags: set.iter().map(flag).collect(), ..Given::default() };
    let mut settings = Settings::load(&given).unwrap();
    settings.kafka.brokers = cluster.bootstrap_servers();
    (settings.clock.idle_timeout, settings.clock.advance_when_idle) = (200, false);
    // A broker that comes back is found again soon; one that has nothing says so soon.
    for name in ["reconnect.backoff.max.ms", "fetch.wait.max.ms"] {
        settings.kafka.properties.insert(name.into(), "100".into());
    }
    (cluster, settings)
}

/// Sends to partitions of the topic.
struct Shop {
    producer: BaseProducer,
    sent: u64,
}

impl Shop {
    fn new(kafka: &Kafka) -> Shop {
        Shop { producer: crate::kafka::client::producer(kafka).unwrap().create().unwrap(), sent: 0 }
    }

    /// One message, taken by the broker at `at` milliseconds after ten o'clock.
    fn message(&mut self, partition: i32, at: i64, value: Option<&[u8]>) {
        self.message_to("sales", partition, at, value);
    }

    /// One message of another topic.
    fn message_to(&mut self, topic: &str, partition: i32, at: i64, value: Option<&[u8]>) {
        let headers = OwnedHeaders::new().insert(Header { key: "trace", value: Some(&self.sent.to_string()) });
        let record = BaseRecord::to(topic).partition(partition).key("seller").timestamp(START + at).headers(headers);
        let record = match value {
            Some(value) => record.payload(value),
            None => record,
        };
        self.producer.send(record).map_err(|(e, _)| e).unwrap();
        self.sent += 1;
    }

    /// Sales of one partition, one each second from `from` to `to`, some of them late, some of them broken.
    fn sales(&mut self, partition: i32, from: i64, to: i64) {
        for second in from..to {
            let date = START + 1_000 * second - if second % 17 == 5 { 9_000 } else { second * 7 % 5 * 200 };
            let (seller, cents) = ((second + i64::from(partition)).rem_euclid(7), 100 + (second * 37).rem_euclid(900));
            let sale = format!(
                "{{\"id_sale\":\"{partition}-{second}\",\n\"id_product\":\"p{}\",\"seller\":\"s{seller}\",\"price\":{}.{:02},\
                 \"tp_payment\":\"PIX\",\"sale_date\":{date}}}",
                second.rem_euclid(11),
                cents / 100,
                cents % 100
            );
            match second.rem_euclid(41) {
                7 => self.message(partition, 1_000 * second, Some(b"{\"id_sale\": ")),
                8 => self.message(partition, 1_000 * second, None),
                9 => self.message(partition, 1_000 * second, Some(b"\xff\xfe")),
                // The broker took it an hour before it was sold.
                10 => self.message(partition, 1_000 * second - 3_600_000, Some(sale.as_bytes())),
                _ => self.message(partition, 1_000 * second, Some(sale.as_bytes())),
            }
        }
    }

    /// Waits until the broker has everything.
    fn delivered(&self) {
        self.producer.flush(Duration::from_secs(60)).unwrap();
    }
}

/// Keeps bindings and rows in memory.
#[derive(Clone, Default)]
struct Kept {
    bindings: Arc<Mutex<Vec<Binding>>>,
    rows: Arc<Mutex<String>>,
}

impl Record for Kept {
    fn binding(&self, binding: &Binding) -> Result<(), String> {
        self.bindings.lock().unwrap().push(binding.clone());
        Ok(())
    }
}

impl RowSink for Kept {
    fn tick(&mut self, rows: &TickRows) -> Result<(), String> {
        let mut text = self.rows.lock().unwrap();
        for (table, lines) in Table::ALL.iter().zip(&rows.lines) {
            for line in lines.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
                *text += &format!("{} {}\n", table.name(), String::from_utf8_lossy(line));
            }
        }
        *text += &format!("certificate {}\n", rows.certificate);
        Ok(())
    }
    fn save(&mut self, _into: &mut Marks) -> Result<(), String> {
        Ok(())
    }
    fn resume(&mut self, _from: &Marks) -> Result<(), String> {
        Ok(())
    }
}

impl Kept {
    fn rows(&self) -> String {
        self.rows.lock().unwrap().clone()
    }

    /// The lines of a table.
    fn of(&self, table: &str) -> Vec<serde_json::Value> {
        let rows = self.rows();
        let lines = rows.lines().filter_map(|line| line.strip_prefix(table)?.strip_prefix(' '));
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Dead letters with this code.
    fn letters(&self, code: &str) -> usize {
        let code = format!("\"code\":\"{code}\"");
        self.rows().lines().filter(|line| line.starts_with("dead_letters") && line.contains(&code)).count()
    }

    fn recording(&self) -> Recording {
        Recording::new(self.bindings.lock().unwrap().clone().into_iter().map(Ok))
    }
}

/// A run on a thread of its own.
struct Running {
    kept: Kept,
    stop: Stop,
    progress: Arc<Progress>,
    thread: JoinHandle<Report>,
}

/// How to run.
enum How {
    UntilCaughtUp,
    UntilStopped,
    Again(Recording),
    AgainThenLive(Recording),
}

fn start(settings: &Settings, workers: usize, how: How) -> Running {
    let idle = settings.clock.idle_timeout;
    let mut topic = Topic::new(&settings.kafka, Duration::from_millis(idle.unsigned_abs())).unwrap();
    let advance_when_idle = settings.clock.advance_when_idle.then_some(idle);
    let live = |until_caught_up| policy::Live { until_caught_up, pace: 1, advance_when_idle };
    let again = |bindings, then| Policy::Recorded { bindings, then };
    let policy = match how {
        How::Again(bindings) => again(bindings, None),
        how => {
            topic.look(From::Earliest).unwrap();
            match how {
                How::UntilCaughtUp => Policy::Live(live(true)),
                How::AgainThenLive(bindings) => again(bindings, Some(live(true))),
                _ => Policy::Live(live(false)),
            }
        }
    };
    let kept = Kept::default();
    let source = Arc::new(topic);
    let live = Live { source, policy, record: Some(Arc::new(kept.clone())), max_future: settings.clock.max_future };
    let job = Job { live: Some(live), ..Job::alone(settings, vec![], workers) };
    let (stop, progress, sink) = (job.stop.clone(), job.progress.clone(), Box::new(kept.clone()));
    let thread = std::thread::spawn(move || {
        let setup = Arc::new(Setup::default());
        engine::run(job, Some(sink), move |scope, context, released| pipeline::build(scope, context, &setup, released)).unwrap()
    });
    Running { kept, stop, progress, thread }
}

impl Running {
    /// Waits until so many records are bound.
    fn until(&self, records: u64) {
        while self.progress.records.load(Ordering::Relaxed) < records {
            assert!(!self.thread.is_finished(), "it ended before it had read everything");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Lets `more` come until the watermark is so many milliseconds after ten o'clock: a partition that has stood at its end for a
    /// while holds nobody up.
    fn until_time(&self, at: i64, mut more: impl FnMut()) {
        while self.progress.watermark.load(Ordering::Relaxed) < START + at {
            assert!(!self.thread.is_finished(), "it ended before the watermark was there");
            more();
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for its end.
    fn ended(self) -> (Kept, Report) {
        let report = self.thread.join().unwrap();
        assert_eq!(report.total().unaccounted(), 0, "{report:?}");
        assert_eq!(report.ending, None);
        (self.kept, report)
    }

    fn stopped(self) -> (Kept, Report) {
        self.stop.request();
        self.ended()
    }
}

/// Repeats a run on other numbers of workers: the same rows, the same certificate.
fn repeats(settings: &Settings, kept: &Kept, records: u64) {
    let want = kept.rows();
    assert!(want.lines().count() > 20, "{want}");
    for workers in [1, 3] {
        let (again, report) = start(settings, workers, How::Again(kept.recording())).ended();
        assert_eq!(again.rows(), want, "{workers} workers");
        assert_eq!((report.total().read, again.bindings.lock().unwrap().len()), (records, 0));
    }
}

#[test]
fn any_number_of_workers_share_the_partitions_and_a_replay_says_the_same() {
    let (_cluster, settings) = cluster(5);
    let mut shop = Shop::new(&settings.kafka);
    for partition in 0..4 {
        // One lags behind by two minutes, one is short, and the fifth has nothing.
        shop.sales(partition, if partition == 2 { -120 } else { 0 }, if partition == 1 { 60 } else { 300 });
    }
    shop.delivered();
    for workers in [1, 2, 4] {
        let (kept, report) = start(&settings, workers, How::UntilCaughtUp).ended();
        assert_eq!((report.total().read, report.workers.len()), (shop.sent, workers));
        assert_eq!(report.workers.iter().filter(|counts| counts.read > 0).count(), workers.min(4));
        for (code, count) in [("bad_json", 58), ("bad_utf8", 29), ("future_sale_date", 29)] {
            assert_eq!(kept.letters(code), count, "{code}");
        }
        repeats(&settings, &kept, shop.sent);
    }
}

#[test]
fn a_dead_letter_says_where_the_message_lies() {
    let (_cluster, settings) = cluster(2);
    let mut shop = Shop::new(&settings.kafka);
    shop.sales(1, 0, 5);
    shop.message(1, 4_500, Some(b"no sale"));
    shop.delivered();
    let (kept, _) = start(&settings, 1, How::UntilCaughtUp).ended();
    let rows = kept.rows();
    let letter = rows.lines().find_map(|line| line.strip_prefix("dead_letters ")).unwrap();
    assert!(letter.starts_with(
        r#"{"source":"sales","partition":1,"offset":5,"timestamp":"2026-01-31T10:00:04.500Z","disposition":"rejected","#
    ));
    assert!(letter.ends_with(r#""payload":"no sale"}"#), "{letter}");
}

#[test]
fn a_run_goes_on_where_it_was() {
    let (_cluster, settings) = cluster(3);
    let mut shop = Shop::new(&settings.kafka);
    (0..3).for_each(|partition| shop.sales(partition, 0, 100));
    shop.delivered();
    let running = start(&settings, 2, How::UntilStopped);
    running.until(shop.sent);
    let (first, _) = running.stopped();
    (0..3).for_each(|partition| shop.sales(partition, 100, 200));
    shop.delivered();
    // What was bound is carried out again, by another number of workers, and what came since is bound.
    let (second, report) = start(&settings, 3, How::AgainThenLive(first.recording())).ended();
    assert_eq!(report.total().read, shop.sent);
    assert!(second.rows().starts_with(&first.rows()));
    let all: Vec<Binding> = [first.bindings.lock().unwrap().clone(), second.bindings.lock().unwrap().clone()].concat();
    assert!(all.iter().map(|binding| binding.epoch).eq(0..all.len() as u64));
    let both = Kept { bindings: Arc::new(Mutex::new(all)), rows: second.rows.clone() };
    repeats(&settings, &both, shop.sent);
}

#[test]
fn a_broker_that_goes_and_comes_back_costs_nothing() {
    let (cluster, mut settings) = cluster(3);
    (settings.clock.idle_timeout, settings.clock.advance_when_idle) = (2_000, true);
    let mut shop = Shop::new(&settings.kafka);
    (0..3).for_each(|partition| shop.sales(partition, 0, 100));
    shop.delivered();
    let running = start(&settings, 2, How::UntilStopped);
    running.until(shop.sent);
    cluster.broker_down(-1).unwrap();
    (0..3).for_each(|partition| shop.sales(partition, 100, 200));
    // Longer than a partition may stand at its end. With no broker to say so, that is no silence of the shop: else the watermark
    // would be moved to this day, and what comes when the broker is back would be too late.
    std::thread::sleep(Duration::from_millis(2_500));
    cluster.broker_up(-1).unwrap();
    shop.delivered();
    running.until(shop.sent);
    let (kept, report) = running.stopped();
    assert_eq!((report.total().read, report.total().too_late), (shop.sent, 0));
    repeats(&settings, &kept, shop.sent);
}

#[test]
fn errors_of_the_broker_pass() {
    let (cluster, settings) = cluster(3);
    let mut shop = Shop::new(&settings.kafka);
    (0..3).for_each(|partition| shop.sales(partition, 0, 200));
    shop.delivered();
    let errors = [
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
    ];
    let running = start(&settings, 2, How::UntilStopped);
    cluster.request_errors(RDKafkaApiKey::Fetch, &errors);
    running.until(shop.sent);
    cluster.request_errors(RDKafkaApiKey::Fetch, &errors);
    (0..3).for_each(|partition| shop.sales(partition, 200, 300));
    shop.delivered();
    running.until(shop.sent);
    let (kept, report) = running.stopped();
    assert_eq!(report.total().read, shop.sent);
    repeats(&settings, &kept, shop.sent);
}

#[test]
fn offsets_that_are_gone_are_an_error_that_says_what_to_do() {
    let (_cluster, settings) = cluster(1);
    let mut shop = Shop::new(&settings.kafka);
    shop.sales(0, 0, 10);
    shop.delivered();
    let added = Binding { added: vec![(0, 0)], ..binding(0) };
    let bound = dataflows::clock::binding::Bound { input: 0, start: 7_000, upto: 7_001, settled: Default::default() };
    let recording = vec![Binding { added: vec![(0, 7_000)], ..added }, Binding { blocks: vec![bound], ..binding(1) }];
    let running = start(&settings, 1, How::Again(Recording::new(recording.into_iter().map(Ok))));
    let panic = running.thread.join().unwrap_err();
    let said = panic.downcast_ref::<String>().unwrap();
    assert!(said.contains("partition 0 of sales no longer has offset 7000") && said.contains("retention.ms"), "{said}");
}

fn binding(epoch: u64) -> Binding {
    let (added, blocks) = (vec![], vec![]);
    Binding {
        epoch,
        before: 0,
        after: 0,
        added,
        blocks,
        last: None,
        stop: false,
        checkpoint: false,
        weight: (0, 0),
        newest: None,
    }
}

#[test]
fn a_topic_that_is_not_there_is_named() {
    let (_cluster, mut settings) = cluster(1);
    settings.kafka.topic = "nothing".into();
    settings.kafka.properties.insert("allow.auto.create.topics".into(), "false".into());
    let error = Topic::new(&settings.kafka, Duration::ZERO).unwrap().look(From::Earliest).unwrap_err();
    assert_eq!(error.exit_code(), 69);
    assert!(error.to_string().starts_with("there is no topic nothing at 127.0.0.1:"), "{error}");
}
