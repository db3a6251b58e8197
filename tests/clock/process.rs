//! Processes of a cluster: this test binary, run again for one test that is no test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use vitrine::error::Error;

const VARIABLE: &str = "VITRINE_TEST_CHILD";
/// Between the words of the variable; no file is named so.
const BETWEEN: &str = "\u{1f}";
/// Lines for the parent start so; the rest is the test harness talking.
const MINE: &str = "child: ";

/// What a child was given.
pub struct Arguments {
    pub names: Vec<String>,
    pub addresses: Vec<String>,
    pub process: usize,
    pub workers: usize,
}

/// Those of this process, if it is a child.
pub fn arguments() -> Option<Arguments> {
    let text = std::env::var(VARIABLE).ok()?;
    let words: Vec<String> = text.split(BETWEEN).map(String::from).collect();
    let number = |i: usize| words[i].parse::<usize>().expect("a number");
    let (process, workers, processes) = (number(0), number(1), number(2));
    let (addresses, names) = words[3..].split_at(processes);
    let addresses = if processes > 1 { addresses.to_vec() } else { vec![] };
    Some(Arguments { names: names.to_vec(), addresses, process, workers })
}

/// Ends a child as the program would end.
pub fn fail(error: &Error) -> ! {
    eprintln!("{MINE}{error}");
    std::process::exit(error.exit_code().into())
}

/// Ends a child that has nothing to complain about.
#[expect(clippy::print_stdout, reason = "the parent reads it there")]
pub fn done(text: &str, read: impl Iterator<Item = u64>) -> ! {
    let read: Vec<String> = read.map(|n| n.to_string()).collect();
    for line in text.lines().chain([&*format!("read {}", read.join(" "))]) {
        println!("{MINE}{line}");
    }
    std::process::exit(0)
}

/// Addresses on this machine that were free a moment ago.
pub fn addresses(processes: usize) -> Vec<String> {
    let free = (0..processes).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port")).collect::<Vec<_>>();
    free.iter().map(|listener| listener.local_addr().expect("bound").to_string()).collect()
}

/// A running process.
pub struct Child {
    child: std::process::Child,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    stderr: BufReader<ChildStderr>,
    said: String,
}

/// How it ended.
pub struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Child {
    /// Starts process `process` of a cluster.
    pub fn start(names: &[String], addresses: &[String], process: usize, workers: usize) -> Child {
        let mut words = vec![process.to_string(), workers.to_string(), addresses.len().to_string()];
        words.extend(addresses.iter().chain(names).cloned());
        let mut child = Command::new(std::env::current_exe().expect("this binary"))
            .args(["--exact", "clock::child", "--nocapture"])
            .env(VARIABLE, words.join(BETWEEN))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("this binary runs");
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().expect("piped"));
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        Child { child, stdin, stdout, stderr, said: String::new() }
    }

    /// Writes to its standard input and closes it.
    pub fn write(&mut self, bytes: &[u8]) {
        self.stdin.take().expect("still open").write_all(bytes).expect("it reads");
    }

    /// Waits until all processes have found each other.
    pub fn until_connected(&mut self) {
        while !self.said.contains("connected") {
            assert!(self.stderr.read_line(&mut self.said).expect("text") > 0, "{}", self.said);
        }
        self.said.clear();
    }

    /// Ends it as a crash would.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it was killed");
    }

    /// Waits for its end; its standard input is closed.
    pub fn wait(mut self) -> Done {
        self.stdin = None;
        self.wait_open()
    }

    /// Waits for its end; its standard input stays open.
    pub fn wait_open(mut self) -> Done {
        let mine = |text: &str| text.lines().filter_map(|l| Some(l.strip_prefix(MINE)?.to_owned() + "\n")).collect();
        let reader = std::thread::spawn(move || {
            let mut text = self.said;
            self.stderr.read_to_string(&mut text).map(|_| text)
        });
        let mut stdout = String::new();
        self.stdout.read_to_string(&mut stdout).expect("text");
        let stderr: String = reader.join().expect("no panic").expect("text");
        let code = self.child.wait().expect("it ends").code().unwrap_or(-1);
        Done { code, stdout: mine(&stdout), stderr: mine(&stderr) }
    }
}
