//! A running engine, asked over HTTP.

use assert_cmd::cargo::cargo_bin;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;
use vitrine::http::ask;

const START: i64 = 1_769_853_600_000;

/// A replay of standard input, which stays open, so that the run goes on for as long as the test wants.
pub struct Running {
    child: Child,
    input: Option<ChildStdin>,
    pub address: String,
    dir: tempfile::TempDir,
}

pub fn vitrine(args: &[&str]) -> Command {
    let mut command = Command::new(cargo_bin("vitrine"));
    command.args(args).env_remove("RUST_LOG").env_remove("VITRINE_CONFIG").env("NO_COLOR", "1");
    command
}

impl Running {
    pub fn start(more: &[&str]) -> Running {
        let dir = tempfile::tempdir().unwrap();
        let args = ["-v", "replay", "-", "--out", "out", "--set", "http.listen=127.0.0.1:0", "--set", "replay.epoch_bytes=1000"];
        let mut command = vitrine(&[&args, more].concat());
        command.current_dir(dir.path()).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines.by_ref().map(|line| line.unwrap()).find_map(|line| {
            let (_, at) = line.split_once("over HTTP address=")?;
            Some(at.trim().to_owned())
        });
        // Whatever else it says must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let input = child.stdin.take();
        Running { child, input, address: address.unwrap(), dir }
    }

    /// A sale every 100 ms, from the one with this number on; the watermark follows 2 s behind.
    pub fn sales(&mut self, numbers: std::ops::Range<i64>) {
        let line = |n: i64| {
            format!(
                r#"{{"id_sale":"s{n}","id_product":"p","seller":"x","price":1.00,"tp_payment":"PIX","sale_date":{}}}"#,
                START + n * 100
            )
        };
        let text: String = numbers.map(|n| line(n) + "\n").collect();
        self.write(text.as_bytes());
    }

    pub fn write(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().unwrap();
        input.write_all(bytes).and_then(|()| input.flush()).unwrap();
    }

    /// Ends the input and the run; where the results are.
    pub fn results(&mut self) -> std::path::PathBuf {
        drop(self.input.take());
        assert!(self.child.wait().unwrap().success());
        self.dir.path().join("out")
    }

    pub fn get(&self, path: &str) -> (u16, String) {
        let answer = ask::get(&self.address, path, Duration::from_secs(60)).unwrap();
        (answer.code, answer.text)
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.get("/status").1).unwrap()
    }

    /// Asks until the status says so.
    pub fn until(&self, said: impl Fn(&Value) -> bool) -> Value {
        loop {
            let status = self.status();
            if said(&status) {
                return status;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn finish(mut self) -> i32 {
        drop(self.input.take());
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The value of a metric in the text format, by name with labels.
pub fn metric(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

#[test]
fn a_run_that_is_well_says_so() {
    let mut run = Running::start(&["-w", "2"]);
    run.sales(0..2_000);
    let status = run.until(|s| s["records"]["accepted"].as_u64() > Some(1_000));
    assert_eq!((status["stage"].as_str(), status["sources"][0].as_str()), (Some("running"), Some("-")));
    assert_eq!(status["records_unaccounted"], 0);
    assert!(status["rows"]["windows"].as_u64() > Some(10), "{status}");
    assert!(status["watermark"].as_str().unwrap().starts_with("2026-01-31T1"), "{status}");
    assert!(status.get("source").is_none() && status.get("checkpoint").is_none());

    assert_eq!(run.get("/livez"), (200, "ok\n".into()));
    assert_eq!(run.get("/-/ready"), (200, "ok\n".into()));
    let (code, text) = run.get("/readyz?verbose");
    let verdict: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &verdict["ok"]), (200, &Value::Bool(true)));
    let names: Vec<&str> = verdict["checks"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["workers", "epochs", "stage", "records"]);
    assert_eq!((run.get("/nothing").0, run.get("/").0), (404, 200));

    let (code, text) = run.get("/metrics");
    assert_eq!(code, 200);
    assert!(text.ends_with("# EOF\n"), "{text}");
    assert!(text.lines().all(|line| line.starts_with("# ") || line.starts_with("vitrine_")), "{text}");
    assert!(metric(&text, "vitrine_records_total{disposition=\"accepted\"}") > Some(1_000.0), "{text}");
    assert!(metric(&text, "vitrine_records_input_total") > Some(1_000.0));
    assert_eq!(metric(&text, "vitrine_records_unaccounted"), Some(0.0));
    assert_eq!(metric(&text, "vitrine_windows_unrevised_total{window=\"15m/1s\"}"), Some(0.0));
    assert!(metric(&text, "vitrine_watermark_timestamp_seconds") > Some(1_769_853_600.0));
    assert_eq!(metric(&text, "vitrine_event_to_output_latency_seconds_bucket{le=\"+Inf\"}"), Some(0.0));

    let health = vitrine(&["health", &run.address]).output().unwrap();
    let said = String::from_utf8(health.stdout).unwrap();
    assert_eq!(health.status.code(), Some(0), "{said}");
    assert!(said.starts_with(concat!("vitrine ", env!("CARGO_PKG_VERSION"), " running -, up ")), "{said}");
    assert!(said.contains("\n  ok    workers  2 at work\n") && said.contains("\n  ok    records  0 unaccounted for\n"), "{said}");
    let json = vitrine(&["health", &run.address, "--json"]).output().unwrap().stdout;
    assert_eq!(serde_json::from_slice::<Value>(&json).unwrap()["stage"], "running");
    assert_eq!(run.finish(), 0);
}

#[test]
fn a_lost_record_fails_a_check_while_the_run_goes_on() {
    let mut run = Running::start(&["--fault", "lose=100"]);
    run.sales(0..2_000);
    let status = run.until(|s| s["records_unaccounted"] == 1);
    let failing: Vec<&Value> = status["checks"].as_array().unwrap().iter().filter(|c| c["ok"] == false).collect();
    assert_eq!(failing.len(), 1, "{status}");
    assert_eq!(run.get("/readyz"), (503, "records: 1 unaccounted for\n".into()));
    assert_eq!(run.get("/livez").0, 200);
    let health = vitrine(&["health", &run.address]).output().unwrap();
    assert_eq!(health.status.code(), Some(1));
    assert!(String::from_utf8(health.stdout).unwrap().contains("\n  FAIL  records  1 unaccounted for\n"));
}

#[test]
fn nobody_there_is_69_and_an_address_in_use_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let listen = format!("http.listen={address}");
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.ndjson"), "").unwrap();
    let args = ["replay", "a.ndjson", "--out", "out", "--set", &listen];
    let output = vitrine(&args).current_dir(dir.path()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(74), "{said}");
    assert!(said.starts_with(&format!("error: cannot serve health and metrics at {address}: ")), "{said}");

    drop(taken);
    let output = vitrine(&["health", &address]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert!(said.starts_with(&format!("error: no engine answers at {address}: ")) && said.lines().count() == 1, "{said}");
    let output = vitrine(&["health", "--set", "http.listen=nowhere"]).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
}
