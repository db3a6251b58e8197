//! Exactly once, on Apache Kafka itself, through deaths: a job goes on through many rounds, each of which ends by a kill at a
//! named point or at any moment, on changing numbers of workers and processes, with a zombie and a broker that dies. Then what a
//! reader with `read_committed` sees must be, record by record, what a replay of the recorded bindings writes to files.
//!
//! `VITRINE_KILL_ROUNDS` says how many rounds; CI takes five for each point.

use super::broker::{Broker, signal, vitrine};
use super::read::{Sees, read};
use dataflows::edge::Table;
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use vitrine::fault::POINTS;
use vitrine::kafka::topics;
use vitrine::settings::kafka::Kafka;

/// A round ends after this time, whether it was killed or not.
const LONGEST: Duration = Duration::from_secs(40);

/// Longer than the processes of a cluster wait for one that is not there.
const MEETING: Duration = Duration::from_secs(75);

/// The tables that the settings of the rounds fill, but for the dead letters.
const TABLES: [Table; 4] = [Table::Windows, Table::SellerFeatures, Table::CategoryFeatures, Table::Events];

/// Workers and processes of the rounds, in turn.
const SHAPES: [(usize, usize); 6] = [(1, 1), (2, 1), (1, 3), (4, 1), (2, 2), (3, 1)];

fn rounds() -> usize {
    let asked = std::env::var("VITRINE_KILL_ROUNDS").ok().and_then(|n| n.parse().ok());
    let required = std::env::var_os("VITRINE_REQUIRE_KAFKA").is_some();
    asked.unwrap_or(if required { 5 * (POINTS.len() + 1) } else { POINTS.len() + 2 })
}

/// A source of numbers that differ from round to round and are the same from run to run.
fn some(n: usize) -> usize {
    n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40
}

/// A job and where it lives.
struct Job<'a> {
    kafka: &'a Kafka,
    folder: &'a Path,
    /// Which of the state directories is in use: a zombie keeps the one that it had.
    state: usize,
    runs: usize,
}

impl Job<'_> {
    fn state(&self) -> PathBuf {
        self.folder.join(format!("state-{}", self.state))
    }

    /// Arguments that all commands of the job share.
    fn settings(&self) -> Vec<String> {
        let kafka = self.kafka;
        let set = |key: &str, value: &str| ["--set".to_owned(), format!("{key}={value}")];
        let place = ["--brokers".into(), kafka.brokers.clone(), "--topic".into(), kafka.topic.clone()];
        [
            place.to_vec(),
            set("kafka.job", &kafka.job).to_vec(),
            set("kafka.prefix", &kafka.prefix).to_vec(),
            set("kafka.group", &kafka.group).to_vec(),
            set("time.idle_timeout", "1s").to_vec(),
            set("checkpoint.every", "300ms").to_vec(),
        ]
        .concat()
    }

    /// Starts the processes of a run. The one with the `fault` is the first, or that with the part of a checkpoint.
    fn start(&mut self, (workers, processes): (usize, usize), fault: Option<&str>, more: &[&str]) -> Vec<Process> {
        self.runs += 1;
        let hosts = self.folder.join(format!("hosts-{}", self.runs));
        let ports: Vec<std::net::TcpListener> =
            (0..processes).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let line = |port: &std::net::TcpListener| format!("{}\n", port.local_addr().unwrap());
        std::fs::write(&hosts, ports.iter().map(line).collect::<String>()).unwrap();
        drop(ports);
        let guilty =
            if fault.is_some_and(|fault| fault.starts_with("part") || fault.starts_with("journal")) { processes - 1 } else { 0 };
        let begin = |process: usize| {
            let mut command = vitrine(&["run", "-q", "--state"]);
            command.arg(self.state()).args(self.settings()).args(["-w", &workers.to_string()]).args(more);
            if processes > 1 {
                let (n, p) = (processes.to_string(), process.to_string());
                command.args(["-n", &n, "-p", &p, "--hostfile"]).arg(&hosts);
            }
            if let Some(fault) = fault.filter(|_| process == guilty) {
                command.args(["--fault", &format!("kill={fault}")]);
            }
            command.env_remove("RUST_BACKTRACE").env("RUST_LOG", "info");
            let log = self.folder.join(format!("run-{}-{process}.log", self.runs));
            Process(command.stdout(Stdio::null()).stderr(std::fs::File::create(log).unwrap()).spawn().unwrap())
        };
        (0..processes).map(begin).collect()
    }

    /// Copies the state directory, as a machine that takes over would find it.
    fn move_on(&mut self) {
        let from = self.state();
        self.state += 1;
        let copied = Command::new("cp").arg("-r").arg(from).arg(self.state()).status().unwrap();
        assert!(copied.success());
    }
}

/// A process that does not outlive the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for all processes of a run to end.
fn wait(children: &mut [Process], longest: Duration) -> Option<Vec<ExitStatus>> {
    let began = Instant::now();
    loop {
        let ended: Vec<_> = children.iter_mut().filter_map(|child| child.0.try_wait().unwrap()).collect();
        if ended.len() == children.len() {
            return Some(ended);
        }
        if began.elapsed() > longest {
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The end of the logs of the last run, for whoever must find out what went wrong where the folder is gone.
fn logs(job: &Job) -> String {
    let last = format!("run-{}-", job.runs);
    let files = std::fs::read_dir(job.folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    let mut files: Vec<PathBuf> = files.filter(|path| name(path).starts_with(&last) || name(path) == PRODUCED).collect();
    files.sort();
    let end = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        format!("---- {}\n{}\n", path.display(), lines[lines.len().saturating_sub(40)..].join("\n"))
    };
    files.iter().map(end).collect()
}

/// Where the one who sends says what goes wrong.
const PRODUCED: &str = "produce.log";

/// Sends sales as long as it lives.
struct Producing(Process);

impl Producing {
    fn start(kafka: &Kafka, folder: &Path) -> Producing {
        let rate = [
            "--rate",
            "1000",
            "--sales",
            "5000000",
            "--seed",
            "11",
            "--set",
            // Ten times as fast as the clock: the journal of a restart is not longer than it must be.
            "generate.rate=6000",
            "--set",
            "generate.late=0.05",
            "--set",
            "generate.cancels=0.02",
        ];
        let mut command = vitrine(&["produce", "-q", "--brokers", &kafka.brokers, "--topic", &kafka.topic]);
        let log = std::fs::File::create(folder.join(PRODUCED)).unwrap();
        command.env("RUST_LOG", "info");
        Producing(Process(command.args(rate).stdout(Stdio::null()).stderr(log).spawn().unwrap()))
    }

    /// A round without sales would reach nothing.
    fn lives(&mut self) -> bool {
        self.0.0.try_wait().unwrap().is_none()
    }

    /// Until all that was sent is acknowledged.
    fn end(mut self) {
        signal("TERM", self.0.0.id());
        self.0.0.wait().unwrap();
    }
}

/// One round, which ends by a kill. Where the point was not reached in time, as on a busy machine, it is tried again with the first
/// time that it is passed, and with more patience.
fn round(job: &mut Job, number: usize, first: bool, hits: &mut BTreeMap<String, usize>) {
    let shape = SHAPES[number % SHAPES.len()];
    let at_random = number % (POINTS.len() + 1) == POINTS.len();
    let point = POINTS.get(number % (POINTS.len() + 1)).copied().unwrap_or("any moment");
    // What happens once a run is met at once; what happens all the time is let pass now and then.
    let nth = match point {
        _ if first => 1,
        "incarnation" => 1,
        "part" | "manifest" | "checkpoint" => 1 + some(number) % 3,
        _ => 1 + some(number) % 40,
    };
    let fault = format!("{point}:{nth}");
    let mut run = job.start(shape, Some(&*fault).filter(|_| !at_random), &[]);
    if at_random {
        std::thread::sleep(Duration::from_millis(600 + some(number) as u64 % 2_500));
        let victim = &run[some(number + 7) % run.len()];
        signal("KILL", victim.0.id());
    }
    let mut ended = wait(&mut run, if first { 3 * LONGEST } else { LONGEST });
    if ended.is_none() && run.iter_mut().any(|child| child.0.try_wait().unwrap().is_some()) {
        // One died before all had met: the others wait for it as long as they wait for any that is not there yet.
        ended = Some(
            wait(&mut run, MEETING)
                .unwrap_or_else(|| panic!("round {number}, {fault}: one died and the others went on\n{}", logs(job))),
        );
    }
    let Some(ended) = ended else {
        assert!(!first, "round {number}, {shape:?}: {fault} is never reached\n{}", logs(job));
        run.iter_mut().for_each(|child| child.0.kill().unwrap());
        wait(&mut run, LONGEST).expect("the killed are gone");
        round(job, number, true, hits);
        return;
    };
    let killed = ended.iter().filter(|status| status.signal() == Some(9)).count();
    let others: Vec<_> = ended.iter().filter_map(|status| status.code()).collect();
    assert_eq!(killed, 1, "round {number}, {fault}, {shape:?}: {ended:?}\n{}", logs(job));
    assert!(others.iter().all(|code| *code == 69), "round {number}, {fault}: the others stop cleanly: {ended:?}");
    *hits.entry(point.to_owned()).or_default() += 1;
}

/// A run that hangs while another one takes over, and then comes back.
fn zombie(job: &mut Job) {
    let mut zombie = job.start((2, 1), None, &[]);
    std::thread::sleep(Duration::from_secs(3));
    signal("STOP", zombie[0].0.id());
    job.move_on();
    let mut heir = job.start((1, 1), None, &[]);
    std::thread::sleep(Duration::from_secs(4));
    signal("CONT", zombie[0].0.id());
    let ended = wait(&mut zombie, LONGEST).expect("a zombie notices that it is one");
    assert_eq!(ended[0].code(), Some(74), "it was fenced, and says so");
    signal("TERM", heir[0].0.id());
    let ended = wait(&mut heir, LONGEST).expect("a run that is asked to stop stops");
    assert_eq!(ended[0].code(), Some(0));
}

/// What is in the topics, table by table: the values, tombstones as `-`, with their keys.
fn committed(kafka: &Kafka, table: Table, sees: Sees) -> Vec<(String, String)> {
    let records = read(kafka, &topics::table_name(kafka, table), sees);
    records.into_iter().map(|r| (r.key.unwrap_or_default(), r.value.unwrap_or("-".into()))).collect()
}

/// The rows of a replay, as the topic should have them.
fn replayed(folder: &Path, table: Table) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join(format!("{}.ndjson", table.name()))).unwrap();
    text.lines().map(|line| if line.ends_with("\"deleted\":true}") { "-".into() } else { line.to_owned() }).collect()
}

/// The first difference between what is in a topic and what a replay says.
fn compare(table: Table, committed: &[(String, String)], replayed: &[String]) -> Result<(), String> {
    for i in 0..committed.len().max(replayed.len()) {
        let (there, expected) = (committed.get(i).map(|(_, value)| value), replayed.get(i));
        if there != expected {
            return Err(format!("{}, record {i}: expected {expected:?}, and {there:?} is there", table.name()));
        }
    }
    Ok(())
}

#[test]
fn nothing_is_lost_and_nothing_comes_twice_whatever_dies() {
    if !super::broker::available() {
        return;
    }
    let mut broker = Broker::start();
    let kafka = broker.settings("kills");
    let folder = tempfile::tempdir().unwrap().keep();
    let mut job = Job { kafka: &kafka, folder: &folder, state: 0, runs: 0 };
    let mut producing = Producing::start(&kafka, &folder);
    let (mut hits, rounds) = (BTreeMap::new(), rounds());
    for number in 0..rounds {
        round(&mut job, number, false, &mut hits);
        assert!(producing.lives(), "round {number}: nobody sends any more\n{}", logs(&job));
        if number == rounds / 3 {
            zombie(&mut job);
        }
        if number == 2 * rounds / 3 {
            let mut run = job.start((2, 1), None, &[]);
            std::thread::sleep(Duration::from_secs(2));
            broker.kill();
            std::thread::sleep(Duration::from_millis(500));
            broker.up();
            std::thread::sleep(Duration::from_secs(3));
            signal("TERM", run[0].0.id());
            let ended = wait(&mut run, 2 * LONGEST).expect("the run ends when it is asked to");
            assert_eq!(ended[0].code(), Some(0), "a broker that dies and comes back ends no run");
        }
    }
    producing.end();
    let mut last = job.start((2, 1), None, &["--until-caught-up"]);
    let ended = wait(&mut last, 8 * LONGEST).expect("the backlog is read");
    assert_eq!(ended[0].code(), Some(0), "see the logs in {}", folder.display());

    let out = folder.join("replayed");
    let mut replay = vitrine(&["replay", "--kafka", "-q", "-w", "2"]);
    replay.args(job.settings()).arg("--bindings").arg(job.state()).arg("--out").arg(&out);
    let replay = replay.output().unwrap();
    assert!(replay.status.success(), "{}", String::from_utf8_lossy(&replay.stderr));
    let (mut records, mut aborted) = (0, 0);
    for table in TABLES {
        let (there, expected) = (committed(&kafka, table, Sees::Committed), replayed(&out, table));
        compare(table, &there, &expected).unwrap_or_else(|e| panic!("{e}; see {}", folder.display()));
        records += there.len();
        aborted += committed(&kafka, table, Sees::All).len() - there.len();
        if !there.is_empty() {
            let mut lossy = there.clone();
            lossy.remove(there.len() / 2);
            assert!(compare(table, &lossy, &expected).is_err(), "a record that is lost would be noticed");
        }
    }
    let dead = committed(&kafka, Table::DeadLetters, Sees::Committed);
    let expected = replayed(&out, Table::DeadLetters);
    let payload = |line: &String| serde_json::from_str::<serde_json::Value>(line).unwrap()["payload"].as_str().map(str::to_owned);
    let payloads: Vec<String> = expected.iter().filter_map(payload).collect();
    assert_eq!(
        dead.iter().map(|(_, value)| value).collect::<Vec<_>>(),
        payloads.iter().collect::<Vec<_>>(),
        "dead letters are complete"
    );
    assert!(records > 1_000 && aborted > 0, "{records} records, {aborted} of aborted transactions");

    if rounds > POINTS.len() {
        POINTS.iter().for_each(|point| assert!(hits.contains_key(*point), "{point} was never hit"));
    }
    let mut told = format!(
        "\n{rounds} rounds: {records} rows and {} dead letters as replayed, {aborted} aborted and never seen\n",
        dead.len()
    );
    for (point, n) in &hits {
        told += &format!("  {point:<24}{n:>4}\n");
    }
    let _ = std::io::stderr().write_all(told.as_bytes());
    std::fs::remove_dir_all(&folder).unwrap();
}
