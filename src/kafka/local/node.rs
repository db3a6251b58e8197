//! One node: its files, its start, whether it runs, its end.

use super::config;
use super::install::Install;
use super::process;
use super::ready::Started;
use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a stop may take before we stop waiting for it; the node goes on stopping.
const STOP: Duration = Duration::from_secs(60);

/// Time between two looks.
pub(super) const LOOK: Duration = Duration::from_millis(50);

/// Heap enough for a test of millions of sales, small enough for any laptop.
const HEAP: &str = "-Xms128m -Xmx512m";

/// A broker that runs, or ran when this was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broker {
    /// Its process.
    pub pid: u32,
    /// Where it listens, on the loopback address.
    pub port: u16,
    /// Its version.
    pub version: String,
}

impl Broker {
    /// As clients name it.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

/// How a start went.
#[derive(Debug)]
pub enum Up {
    /// It ran already.
    Already(Broker),
    /// It was started, and is to be waited for.
    Started(Started),
}

/// What a person may say about a start.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// The port, 0 for any that is free; else the usual one.
    pub port: Option<u16>,
    /// The usual port.
    pub usual: u16,
    /// What Java gets, instead of our own, as `KAFKA_HEAP_OPTS` does in Kafka's own scripts.
    pub heap: Option<String>,
    /// Further settings of the node, as lines of Kafka's `server.properties`. Listeners come on top of ours.
    pub properties: String,
}

/// The folder of a node.
#[derive(Clone, Debug)]
pub struct Local {
    dir: PathBuf,
}

impl Local {
    /// The node of this folder, which need not exist.
    pub fn new(dir: &Path) -> Local {
        Local { dir: std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned()) }
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// What its command line carries and no other's does.
    fn mark(&self) -> String {
        format!("-Dvitrine.kafka={}", self.dir.display())
    }

    /// The broker, when it runs.
    pub fn running(&self) -> Option<Broker> {
        let broker: Broker = serde_json::from_slice(&std::fs::read(self.file("broker.json")).ok()?).ok()?;
        self.is(broker.pid).then_some(broker)
    }

    fn is(&self, pid: u32) -> bool {
        let (mark, line) = (self.mark(), process::command_line(pid));
        line.is_some_and(|line| line.split(&mark).skip(1).any(|rest| rest.is_empty() || rest.starts_with(' ')))
    }

    fn lock(&self) -> Result<File, Error> {
        std::fs::create_dir_all(&self.dir).map_err(|e| self.cannot(&e))?;
        let lock = File::create(self.file("lock")).map_err(|e| self.cannot(&e))?;
        match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(TryLockError::WouldBlock) => {
                let dir = self.dir.display();
                Err(Error::Unavailable(format!("another command is starting or stopping the Kafka in {dir}; try again")))
            }
            Err(TryLockError::Error(e)) => Err(self.cannot(&e)),
        }
    }

    fn cannot(&self, e: &std::io::Error) -> Error {
        Error::Output(format!("cannot write to {}: {e}", self.dir.display()))
    }

    /// Starts it unless it runs.
    ///
    /// # Errors
    /// A port that is taken, a folder that cannot be written, a Java that does not start.
    pub fn start(&self, install: &Install, wishes: &Wishes) -> Result<Up, Error> {
        let lock = self.lock()?;
        if let Some(broker) = self.running() {
            return match wishes.port {
                Some(port) if port != 0 && port != broker.port => Err(Error::Settings(format!(
                    "the Kafka in {} runs already, on port {}; stop it with `vitrine kafka down`, or give this one another --dir",
                    self.dir.display(),
                    broker.port
                ))),
                _ => Ok(Up::Already(broker)),
            };
        }
        let port = free(wishes.port.unwrap_or(wishes.usual))?;
        // Only the node itself talks to it; any port will do.
        let controller = free(0)?;
        let write = |name: &str, text: String| std::fs::write(self.file(name), text).map_err(|e| self.cannot(&e));
        write("server.properties", config::properties(&self.file("data"), port, controller, &wishes.properties))?;
        write("log4j2.properties", config::LOG.to_owned())?;
        if !self.file("data/meta.properties").is_file() {
            self.format(install)?;
        }
        let child = self.spawn(install, wishes.heap.as_deref().unwrap_or(HEAP))?;
        let broker = Broker { pid: child.id(), port, version: install.version.clone() };
        let text = serde_json::to_string_pretty(&broker).expect("plain values are JSON") + "\n";
        let started = Started::new(broker, child, self.file("kafka.log"), lock);
        match write("broker.json", text) {
            Ok(()) => Ok(Up::Started(started)),
            Err(e) => {
                started.abandon();
                Err(e)
            }
        }
    }

    /// Gives the data folder its identity.
    fn format(&self, install: &Install) -> Result<(), Error> {
        let mut tool = self.java(install, "-Xmx128m");
        tool.args(["kafka.tools.StorageTool", "format", "-t", &config::identity()?, "-c"]).arg(self.file("server.properties"));
        let said = tool.output().map_err(|e| Error::Unavailable(format!("cannot run {}: {e}", install.java.display())))?;
        if said.status.success() {
            return Ok(());
        }
        let text = [said.stdout, said.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it gives no reason");
        Err(Error::Unavailable(format!("Kafka cannot format {}: {last}", self.file("data").display())))
    }

    /// Java, quick to start, with Kafka's classes, in the node's folder, with no terminal.
    fn java(&self, install: &Install, heap: &str) -> Command {
        let mut java = Command::new(&install.java);
        self.arguments(&mut java, install, heap);
        java
    }

    fn arguments(&self, command: &mut Command, install: &Install, heap: &str) {
        let log = format!("-Dlog4j2.configurationFile={}", self.file("log4j2.properties").display());
        command.args(heap.split_whitespace()).args([
            "-XX:+UseSerialGC",
            "-XX:+ExitOnOutOfMemoryError",
            "-Djava.awt.headless=true",
        ]);
        command.arg(log).arg("-cp").arg(install.classpath());
        command.current_dir(&self.dir).stdin(Stdio::null());
    }

    /// Starts the node in a session of its own, so that neither Ctrl-C nor the end of the terminal reaches it. Where there is no
    /// `setsid` (macOS) it gets a process group of its own, which keeps Ctrl-C from it.
    fn spawn(&self, install: &Install, heap: &str) -> Result<Child, Error> {
        let log = File::create(self.file("kafka.log")).map_err(|e| self.cannot(&e))?;
        let dress = |mut command: Command| {
            // The mark goes first: `ps` may cut a long line.
            command.arg(self.mark());
            self.arguments(&mut command, install, heap);
            command.arg("kafka.Kafka").arg(self.file("server.properties"));
            command.stdout(log.try_clone()?).stderr(log.try_clone()?);
            Ok(command)
        };
        let cannot = |e: std::io::Error| Error::Unavailable(format!("cannot run {}: {e}", install.java.display()));
        let mut session = Command::new("setsid");
        session.arg(&install.java);
        match dress(session).map_err(cannot)?.spawn() {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let mut java = dress(Command::new(&install.java)).map_err(cannot)?;
                java.process_group(0).spawn().map_err(cannot)
            }
            child => child.map_err(cannot),
        }
    }

    /// Stops it and waits for its end; says which broker it was, or nothing when none runs.
    ///
    /// # Errors
    /// When it cannot be asked, or is not done in time.
    pub fn stop(&self) -> Result<Option<Broker>, Error> {
        if !self.dir.is_dir() {
            return Ok(None);
        }
        let _lock = self.lock()?;
        let Some(broker) = self.running() else { return Ok(None) };
        process::terminate(broker.pid).map_err(|e| Error::Unavailable(format!("cannot stop process {}: {e}", broker.pid)))?;
        let began = Instant::now();
        while self.is(broker.pid) {
            if began.elapsed() > STOP {
                let log = self.file("kafka.log");
                return Err(Error::Unavailable(format!(
                    "process {} was asked to stop {} s ago and still runs; see {}",
                    broker.pid,
                    STOP.as_secs(),
                    log.display()
                )));
            }
            std::thread::sleep(LOOK);
        }
        std::fs::remove_file(self.file("broker.json")).map_err(|e| self.cannot(&e))?;
        Ok(Some(broker))
    }

    /// Removes the topics of a node that does not run.
    ///
    /// # Errors
    /// When it runs, or a file cannot be removed.
    pub fn forget(&self) -> Result<(), Error> {
        if !self.dir.is_dir() {
            return Ok(());
        }
        let _lock = self.lock()?;
        if self.running().is_some() {
            return Err(Error::Unavailable("a Kafka that runs keeps its data; stop it first".into()));
        }
        match std::fs::remove_dir_all(self.file("data")) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::Output(format!("cannot remove {}: {e}", self.file("data").display())))
            }
            _ => Ok(()),
        }
    }
}

/// A port of the loopback address that nobody has; 0 finds one.
fn free(port: u16) -> Result<u16, Error> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).and_then(|listener| listener.local_addr());
    match bound {
        Ok(address) => Ok(address.port()),
        Err(e) if e.kind() == std::io::ErrorKind::AddrInUse => Err(Error::Unavailable(format!(
            "port {port} is taken by another program; choose one with --port, or let `--port 0` find a free one"
        ))),
        Err(e) => Err(Error::Unavailable(format!("port {port} cannot be used: {e}; choose another one with --port"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let said = free(port).unwrap_err();
        assert_eq!(said.exit_code(), 69);
        assert!(said.to_string().starts_with(&format!("port {port} is taken by another program")), "{said}");
        assert_ne!(free(0).unwrap(), 0);
    }

    /// A process id that was used again belongs to somebody else.
    #[test]
    fn a_process_without_the_mark_is_none_of_ours() {
        let dir = tempfile::tempdir().unwrap();
        let local = Local::new(dir.path());
        let mut stranger = Command::new("sleep").arg("1000").spawn().unwrap();
        let broker = Broker { pid: stranger.id(), port: 1, version: "4.1.1".into() };
        std::fs::write(dir.path().join("broker.json"), serde_json::to_string(&broker).unwrap()).unwrap();
        assert_eq!(local.running(), None);
        assert_eq!(local.stop(), Ok(None));
        assert!(stranger.try_wait().unwrap().is_none(), "the stranger lives");
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }

    #[test]
    fn one_command_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let local = Local::new(dir.path());
        let _held = local.lock().unwrap();
        assert!(local.stop().unwrap_err().to_string().starts_with("another command is starting or stopping"));
    }
}
