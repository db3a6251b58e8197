//! The same files give the same bytes: on 1, 2, 4 and 8 threads, in 2 and 3 processes, with delays thrown in, through the
//! command as a user runs it.
//!
//! The input is the generator's, of a fixed seed, with late sales, cancellations, returns, duplicates and broken records, in
//! two files of unequal length. Its certificate is committed: a change of it needs a line in CHANGELOG.md.

use assert_cmd::cargo::cargo_bin;
use std::collections::BTreeMap;
use std::io::BufWriter;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use vitrine::generate::{self, Incidents, Settings};

/// The certificate of the input below under the default settings and epochs of 32 KiB. A change of it needs a line in the
/// changelog: it means that the engine says something else of the same sales.
const CERTIFICATE: &str = "88c1f2cb13dec6bd9dae77b43a2876b405ca1a58ffbc9c66857e476bd1186b7a";

fn sales(dir: &Path, name: &str, seed: u64, sales: u64) -> PathBuf {
    let path = dir.join(name);
    let settings = Settings { seed, sales: Some(sales), rate: 1_500.0, incidents: Incidents::Off, ..Settings::default() };
    let mut file = BufWriter::new(std::fs::File::create(&path).unwrap());
    generate::write(settings, &mut file, generate::Beside::default(), |_| ()).unwrap();
    path
}

fn start(inputs: &[PathBuf], out: &Path, args: &[String]) -> Child {
    Command::new(cargo_bin("vitrine"))
        .arg("replay")
        .args(inputs)
        .arg("--out")
        .arg(out)
        .args(args)
        .env("VITRINE__REPLAY__EPOCH_BYTES", "32768")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn finish(child: Child) -> Output {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Every file of a folder.
pub fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
    entries.map(|p| (p.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&p).unwrap())).collect()
}

/// Fails with the first line that differs.
pub fn same(one: &BTreeMap<String, Vec<u8>>, other: &BTreeMap<String, Vec<u8>>, shape: &str) {
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>(), "{shape}");
    for (name, bytes) in one {
        if bytes != &other[name] {
            let lines = |b: &[u8]| b.split(|c| *c == b'\n').map(|l| String::from_utf8_lossy(l).into_owned()).collect::<Vec<_>>();
            let (a, b) = (lines(bytes), lines(&other[name]));
            let at = a.iter().zip(&b).position(|(a, b)| a != b).unwrap_or(a.len().min(b.len()));
            panic!("{shape}: {name}, line {at}:\n  {:?}\n  {:?}", a.get(at), b.get(at));
        }
    }
}

/// (records read, keys owned) of each worker, from the closing table.
fn by_worker(text: &str) -> Vec<(u64, u64)> {
    let number = |word: &str| word.replace(',', "").parse::<u64>().ok();
    let lines = text.lines().skip_while(|line| !line.starts_with("worker ")).skip(1).take_while(|line| !line.is_empty());
    lines.map(|line| line.split_whitespace().filter_map(number).collect::<Vec<_>>()).map(|n| (n[1], n[2])).collect()
}

fn hostfile(dir: &Path, n: usize) -> PathBuf {
    let free: Vec<TcpListener> = (0..n).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let lines = free.iter().map(|l| format!("{}\n", l.local_addr().unwrap()));
    let path = dir.join(format!("hosts{n}"));
    std::fs::write(&path, lines.collect::<String>()).unwrap();
    path
}

#[test]
fn the_same_bytes_on_any_number_of_workers_and_processes() {
    let dir = tempfile::tempdir().unwrap();
    let inputs = [sales(dir.path(), "a.ndjson", 7, 9_000), sales(dir.path(), "b.ndjson", 8, 4_000)];
    let words = |s: &str| s.split_whitespace().map(String::from).collect::<Vec<_>>();
    let single = dir.path().join("w1");
    finish(start(&inputs, &single, &words("-w 1")));
    let expected = files(&single);

    let summary: serde_json::Value = serde_json::from_slice(&expected["summary.json"]).unwrap();
    let count = |what: &str| summary["records"][what].as_u64().unwrap();
    assert_eq!(summary["records_unaccounted"], 0);
    assert!(count("read") * 300 / 32_768 >= 50, "at least fifty epochs");
    let revised = String::from_utf8_lossy(&expected["windows.ndjson"]).matches("\"revision\":1,").count();
    assert!(revised > 50 && count("rejected") > 5, "{revised} windows were revised, {summary}");
    assert_eq!(summary["certificate"], CERTIFICATE, "a change needs a line in CHANGELOG.md");

    for args in ["-w 2", "-w 4", "-w 8", "-w 3 --fault delay=200"] {
        let out = dir.path().join(args.replace(' ', "_"));
        finish(start(&inputs, &out, &words(args)));
        same(&expected, &files(&out), args);
    }
    for (n, w, more) in [(2, 1, ""), (3, 1, ""), (2, 2, "--fault delay=200")] {
        let hosts = hostfile(dir.path(), n);
        let out = dir.path().join(format!("n{n}w{w}"));
        let args = |p: usize| words(&format!("-n {n} -p {p} -w {w} --hostfile {} {more}", hosts.display()));
        let children: Vec<Child> = (0..n).map(|p| start(&inputs, &out, &args(p))).collect();
        let outputs: Vec<Output> = children.into_iter().map(finish).collect();
        let workers = by_worker(&String::from_utf8_lossy(&outputs[0].stdout));
        assert_eq!(workers.len(), n * w);
        assert!(workers.iter().all(|(read, keys)| *read > 0 && *keys > 0), "each reads and owns: {workers:?}");
        same(&expected, &files(&out), &format!("{n} processes of {w}"));
    }
}

#[test]
fn rows_are_on_disk_before_the_input_ends() {
    use std::io::Write;
    let dir = tempfile::tempdir().unwrap();
    let input = std::fs::read(sales(dir.path(), "a.ndjson", 9, 6_000)).unwrap();
    let out = dir.path().join("out");
    let mut child = Command::new(cargo_bin("vitrine"))
        .args(["replay", "-", "--out"])
        .arg(&out)
        .env("VITRINE__REPLAY__EPOCH_BYTES", "32768")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&input).unwrap();
    stdin.flush().unwrap();
    // The pipe stays open: what is on disk now came before the end.
    let partial = out.join("windows.ndjson.partial");
    let seen = (0..600).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        std::fs::read(&partial).is_ok_and(|b| b.iter().filter(|c| **c == b'\n').count() > 20)
    });
    drop(stdin);
    finish(child);
    assert!(seen, "no row was written while the input was open");
    assert!(!partial.exists() && out.join("windows.ndjson").exists());
}
