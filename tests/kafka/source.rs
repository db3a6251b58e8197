//! `run` on Apache Kafka: what was read while it came is said again by `replay` from the recorded bindings, to the byte. Through
//! kills and restarts, brokers that die, partitions that are added, transactions that are aborted, and silence.

mod stock;

use super::broker::{Broker, said, shared, signal, vitrine};
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use vitrine::kafka::client;
use vitrine::settings::kafka::Kafka;
use vitrine::source::bindings;

/// Partition, start, upto.
type Block = (u32, u64, u64);

/// A topic, a state directory, and what runs on them.
struct Shop {
    kafka: Kafka,
    dir: tempfile::TempDir,
}

impl Shop {
    fn new(broker: &Broker, name: &str) -> Shop {
        let shop = Shop { kafka: broker.settings(name), dir: tempfile::tempdir().unwrap() };
        // No rows to Kafka here, and new partitions are looked for all the time.
        let settings = "[sinks]\nkafka = false\n[http]\nlisten = \"off\"\n[time]\nidle_timeout = \"1s\"\n\
                        [kafka.properties]\n\"topic.metadata.refresh.interval.ms\" = 300\n\"reconnect.backoff.max.ms\" = 300\n";
        std::fs::write(shop.path("vitrine.toml"), settings).unwrap();
        shop
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, command: &str, rest: &[&str]) -> Command {
        let mut run = vitrine(&[command, "--brokers", &self.kafka.brokers, "--topic", &self.kafka.topic]);
        run.arg("-c").arg(self.path("vitrine.toml")).args(rest).arg("-q");
        run
    }

    fn run(&self, rest: &[&str]) -> Command {
        let mut run = self.command("run", rest);
        run.arg("--state").arg(self.path("state")).arg("--out").arg(self.path("out"));
        run
    }

    /// Runs until all is read that is there.
    fn catch_up(&self, rest: &[&str]) {
        ended(&mut self.run(&[rest, &["--until-caught-up"]].concat()));
    }

    /// Starts so many processes of so many workers.
    fn start_cluster(&self, workers: usize, processes: usize, rest: &[&str]) -> Vec<Child> {
        let free = (0..processes).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect::<Vec<_>>();
        let hosts: String = free.iter().map(|port| format!("{}\n", port.local_addr().unwrap())).collect();
        drop(free);
        std::fs::write(self.path("hosts"), hosts).unwrap();
        let (hosts, n, w) = (self.path("hosts").display().to_string(), processes.to_string(), workers.to_string());
        let seat = |p: usize| self.start(&[&["-w", &w, "-n", &n, "-p", &p.to_string(), "--hostfile", &hosts], rest].concat());
        (0..processes).map(seat).collect()
    }

    /// The newest checkpoint: its epoch, and how many workers have cut it.
    fn newest_checkpoint(&self) -> (u64, u64) {
        let all = said(&["checkpoint", "list", "--json", "--state", &self.path("state").display().to_string()]);
        let number = |name: &str| all.get(0).map_or(0, |newest| newest[name].as_u64().unwrap());
        (number("epoch"), number("workers"))
    }

    fn start(&self, rest: &[&str]) -> Child {
        self.run(rest).stdout(Stdio::null()).spawn().unwrap()
    }

    /// Sends generated sales; how many records that were.
    fn produce(&self, rest: &[&str]) -> u64 {
        let to = ["produce", "--brokers", &self.kafka.brokers, "--topic", &self.kafka.topic, "--json"];
        said(&[&to, rest].concat())["records"].as_u64().unwrap()
    }

    /// The bindings so far: (partition, start, upto) of all blocks, and the partitions that were added.
    fn bound(&self) -> (Vec<Block>, Vec<(u32, u64)>) {
        let (mut blocks, mut added) = (vec![], vec![]);
        let Ok(all) = bindings::behind(&self.path("state"), None) else { return (blocks, added) };
        for binding in all {
            // The last line may be half-written.
            let Ok(binding) = binding else { break };
            blocks.extend(binding.blocks.iter().map(|b| (b.input, b.start, b.upto)));
            added.extend(binding.added);
        }
        (blocks, added)
    }

    /// Waits for something to happen while a run goes on.
    fn until(&self, run: &mut Child, happened: impl Fn(&Shop) -> bool) {
        while !happened(self) {
            assert!(run.try_wait().unwrap().is_none(), "the run ended");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// How many records the summary of a run counts, by what became of them, if none is unaccounted for.
    fn records(&self, of: &str) -> u64 {
        let summary = std::fs::read_to_string(self.path("out/summary.json")).unwrap();
        let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
        assert_eq!(summary["records_unaccounted"], 0);
        summary["records"][of].as_u64().unwrap()
    }

    /// A replay from the bindings writes the same bytes, on any number of workers.
    fn repeats(&self) {
        for workers in ["1", "3"] {
            let again = self.path(&format!("again-{workers}"));
            let mut replay = self.command("replay", &["--kafka", "-w", workers]);
            ended(replay.arg("--bindings").arg(self.path("state")).arg("--out").arg(&again));
            same(&self.path("out"), &again);
        }
    }
}

fn ended(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn stopped(mut run: Child, how: &str) {
    signal(how, run.id());
    let status = run.wait().unwrap();
    assert_eq!(status.success(), how != "KILL", "{status}");
}

/// Two folders hold the same files.
fn same(one: &Path, other: &Path) {
    let names = |dir: &Path| {
        let mut names: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(one), names(other));
    for name in names(one) {
        let read = |dir: &Path| std::fs::read(dir.join(&name)).unwrap();
        assert!(read(one) == read(other), "{} differs in {}", name.display(), other.display());
    }
}

/// A producer whose records become visible by transactions.
fn transactional(kafka: &Kafka) -> BaseProducer {
    let producer: BaseProducer = client::transactional(kafka, &format!("{}-feed", kafka.job)).unwrap().create().unwrap();
    producer.init_transactions(client::PATIENCE).unwrap();
    producer
}

/// Sends sales a second apart.
fn send(producer: &BaseProducer, kafka: &Kafka, partition: i32, start: i64, seconds: std::ops::Range<i64>) {
    for second in seconds {
        let date = start + 1_000 * second;
        let sale = format!(
            r#"{{"id_sale":"{second}","id_product":"p","seller":"s{}","price":9.90,"tp_payment":"PIX","sale_date":{date}}}"#,
            second % 3
        );
        let record = BaseRecord::to(&kafka.topic).partition(partition).key("s").payload(&sale).timestamp(date);
        producer.send(record).map_err(|(e, _)| e).unwrap();
    }
}

/// 2026-01-31T10:00:00Z.
const TEN: i64 = 1_769_853_600_000;

#[test]
fn what_is_read_while_it_comes_is_repeated_through_kills_and_restarts() {
    let Some(broker) = shared() else { return };
    let shop = Shop::new(broker, "kills");
    let mut sent = shop.produce(&["--sales", "3000", "--seed", "1"]);
    for (seed, workers, how) in [("2", "2", "KILL"), ("3", "1", "TERM"), ("4", "4", "KILL"), ("5", "3", "INT")] {
        let before = shop.bound().0.len();
        let mut run = shop.start(&["-w", workers]);
        sent += shop.produce(&["--sales", "3000", "--seed", seed, "--rate", "3000"]);
        // It goes on where the last one was, and has begun with what is new.
        shop.until(&mut run, |shop| shop.bound().0.len() > before);
        stopped(run, how);
    }
    shop.catch_up(&["-w", "2"]);
    assert_eq!(shop.records("read"), sent);
    // Each range begins where the one before it ended.
    let mut next = [0; 6];
    for (partition, start, upto) in shop.bound().0 {
        assert_eq!(std::mem::replace(&mut next[partition as usize], upto), start);
    }
    assert_eq!(next.iter().sum::<u64>(), sent);
    shop.repeats();
}

#[test]
fn a_broker_that_dies_and_comes_back_costs_nothing() {
    if !super::broker::available() {
        return;
    }
    let mut broker = Broker::start();
    let shop = Shop::new(&broker, "dies");
    let mut run = shop.start(&["-w", "2"]);
    shop.until(&mut run, |shop| !shop.bound().1.is_empty());
    let mut produce = vitrine(&["produce", "--brokers", &shop.kafka.brokers, "--topic", &shop.kafka.topic, "--json"]);
    let produce =
        produce.args(["--sales", "6000", "--rate", "2000"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    shop.until(&mut run, |shop| shop.bound().0.len() > 5);
    broker.kill();
    // Longer than the idle timeout: it must not look as if no more were sold.
    std::thread::sleep(Duration::from_secs(2));
    broker.up();
    let produced = produce.wait_with_output().unwrap();
    let sent: serde_json::Value = serde_json::from_slice(&produced.stdout).unwrap();
    let (sent, failed) = (sent["records"].as_u64().unwrap(), sent["failed"].as_u64().unwrap());
    assert_eq!((produced.status.success(), failed), (true, 0));
    shop.until(&mut run, |shop| shop.bound().0.iter().map(|(_, start, upto)| upto - start).sum::<u64>() == sent);
    stopped(run, "TERM");
    assert_eq!(shop.records("read"), sent);
    shop.repeats();
}

#[test]
fn partitions_that_are_added_are_read_from_their_beginning() {
    let Some(broker) = shared() else { return };
    let shop = Shop::new(broker, "added");
    let sent = shop.produce(&["--sales", "500", "--seed", "1"]);
    let mut run = shop.start(&["-w", "2", "--from", "latest"]);
    shop.until(&mut run, |shop| shop.bound().1.len() == 6);
    let admin: AdminClient<DefaultClientContext> = client::admin(&shop.kafka).unwrap().create().unwrap();
    let more = [NewPartitions::new(&shop.kafka.topic, 9)];
    futures_lite(admin.create_partitions(&more, &AdminOptions::new())).unwrap();
    let producer: BaseProducer = client::producer(&shop.kafka).unwrap().create().unwrap();
    for partition in [6, 8] {
        send(&producer, &shop.kafka, partition, TEN, 0..300);
    }
    producer.flush(client::PATIENCE).unwrap();
    shop.until(&mut run, |shop| shop.bound().0.iter().map(|(_, start, upto)| upto - start).sum::<u64>() == 600);
    stopped(run, "TERM");
    let (blocks, added) = shop.bound();
    assert_eq!(added[6..], [(6, 0), (7, 0), (8, 0)]);
    assert!(blocks.iter().all(|(partition, ..)| [6, 8].contains(partition)));
    assert_eq!(added[..6].iter().map(|(_, start)| start).sum::<u64>(), sent, "the others begin at their ends");
    assert_eq!((shop.records("read"), shop.records("accepted")), (600, 600));
    shop.repeats();
}

/// Waits for an answer of the admin client, which speaks in futures.
fn futures_lite<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn aborted_sales_never_count_and_marks_of_transactions_end_no_run() {
    let Some(broker) = shared() else { return };
    let shop = Shop::new(broker, "aborted");
    let producer = transactional(&shop.kafka);
    for (from, commit) in [(0, true), (100, false), (200, true), (300, false)] {
        producer.begin_transaction().unwrap();
        for partition in 0..3 {
            send(&producer, &shop.kafka, partition, TEN, from..from + 100);
        }
        match commit {
            true => producer.commit_transaction(client::PATIENCE).unwrap(),
            false => {
                producer.flush(client::PATIENCE).unwrap();
                producer.abort_transaction(client::PATIENCE).unwrap();
            }
        }
    }
    // What lies behind the last committed sale is aborted, and still the end of the backlog is reached.
    shop.catch_up(&["-w", "2"]);
    assert_eq!((shop.records("read"), shop.records("accepted")), (600, 600));
    let ends = |partition| shop.bound().0.iter().filter(|(p, ..)| *p == partition).map(|(.., upto)| *upto).max();
    assert_eq!(ends(0), Some(404), "four hundred sales and four marks");
    shop.repeats();
}

#[test]
fn a_run_begins_at_a_time_when_asked_to() {
    let Some(broker) = shared() else { return };
    let shop = Shop::new(broker, "time");
    let producer: BaseProducer = client::producer(&shop.kafka).unwrap().create().unwrap();
    // The broker's time counts: the topic is made so.
    for (partition, upto) in [(0, 100), (1, 100), (2, 50)] {
        send(&producer, &shop.kafka, partition, TEN, 0..upto);
    }
    producer.flush(client::PATIENCE).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    let between = chrono::DateTime::from_timestamp_millis(vitrine::engine::now()).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    for partition in 0..2 {
        send(&producer, &shop.kafka, partition, TEN, 100..300);
    }
    producer.flush(client::PATIENCE).unwrap();
    shop.catch_up(&["--from", &between.to_rfc3339()]);
    assert_eq!(shop.bound().1, [(0, 100), (1, 100), (2, 50), (3, 0), (4, 0), (5, 0)]);
    assert_eq!(shop.records("read"), 400);
    shop.repeats();
}

#[test]
fn silence_is_seen_and_is_repeated() {
    let Some(broker) = shared() else { return };
    let shop = Shop::new(broker, "silence");
    let mut run = shop.start(&["--window", "4s/2s", "--set", "features.enabled=false"]);
    shop.until(&mut run, |shop| !shop.bound().1.is_empty());
    let producer: BaseProducer = client::producer(&shop.kafka).unwrap().create().unwrap();
    send(&producer, &shop.kafka, 2, vitrine::engine::now() - 10_000, 0..10);
    producer.flush(client::PATIENCE).unwrap();
    // Nothing comes any more: after the last window with a sale comes one without, by the wall clock alone.
    let zero = |shop: &Shop| {
        let rows = std::fs::read_to_string(shop.path("out/windows.ndjson.partial")).unwrap_or_default();
        rows.lines().any(|row| row.contains("\"total_sales\":0,"))
    };
    shop.until(&mut run, zero);
    stopped(run, "INT");
    let again = shop.path("again");
    let mut replay = shop.command("replay", &["--kafka", "--window", "4s/2s", "--set", "features.enabled=false"]);
    ended(replay.arg("--bindings").arg(shop.path("state")).arg("--out").arg(&again));
    same(&shop.path("out"), &again);
}

#[test]
fn processes_share_the_partitions() {
    let Some(broker) = shared() else { return };
    let shop = Shop::new(broker, "shared");
    let sent = shop.produce(&["--sales", "4000", "--seed", "9"]);
    for mut run in shop.start_cluster(1, 3, &["--until-caught-up"]) {
        assert!(run.wait().unwrap().success());
    }
    assert_eq!(shop.records("read"), sent);
    shop.repeats();
}

#[test]
fn a_checkpoint_of_one_worker_is_taken_up_by_four_then_two_then_three_processes() {
    let Some(broker) = shared() else { return };
    let shop = Shop::new(broker, "rescaled");
    // Between two runs nothing comes, and the sales are of January: the time of day must not close their windows.
    let settings = std::fs::read_to_string(shop.path("vitrine.toml")).unwrap();
    std::fs::write(shop.path("vitrine.toml"), settings.replace("[time]", "[time]\nadvance_when_idle = false")).unwrap();
    let mut sent = 0;
    for (seed, workers, processes) in [(1, 1, 1), (2, 4, 1), (3, 2, 1), (4, 1, 1), (5, 1, 3), (6, 2, 1)] {
        let (before, _) = shop.newest_checkpoint();
        let mut runs = shop.start_cluster(workers, processes, &["--set", "checkpoint.every=100ms"]);
        let (seed, start) = (seed.to_string(), format!("generate.start=2026-01-0{seed}T10:00:00Z"));
        sent += shop.produce(&["--sales", "4000", "--rate", "4000", "--seed", &seed, "--set", &start]);
        // The next run goes on from this one, with other numbers.
        shop.until(&mut runs[0], |shop| {
            let (epoch, by) = shop.newest_checkpoint();
            epoch > before && by == (workers * processes) as u64
        });
        signal("TERM", runs[0].id());
        for mut run in runs {
            assert!(run.wait().unwrap().success());
        }
    }
    shop.catch_up(&[]);
    assert_eq!(shop.records("read"), sent);
    shop.repeats();
}
