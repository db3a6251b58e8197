//! Brokers for tests: one that all tests share, and one of its own for a test that is rough with it.

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use vitrine::kafka::admin::{Admin, Topic};
use vitrine::kafka::local::install;
use vitrine::settings::kafka::Kafka;
use vitrine::settings::{Given, Settings};

/// Who may come in at the guarded address.
pub const NAME: &str = "vitrine";
/// With this password.
pub const PASSWORD: &str = "geheim-5f1c";

/// A broker that runs until this is dropped, or until the test process is gone.
pub struct Broker {
    pub dir: PathBuf,
    pub address: String,
    /// Where it asks for a name and a password: [`NAME`] and [`PASSWORD`].
    pub guarded: String,
    pub pid: u32,
    guard: Child,
}

/// `vitrine ARGS`, without what the machine's environment might say.
pub fn vitrine(args: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("vitrine"));
    command.args(args).env_remove("RUST_LOG").env_remove("VITRINE_CONFIG").env("NO_COLOR", "1").stdin(Stdio::null());
    // Many run at a time, and nobody asks them how they are.
    command.env("VITRINE__HTTP__LISTEN", "off");
    command
}

/// What `vitrine ARGS` says on stdout, as JSON. It must end well.
pub fn said(args: &[&str]) -> serde_json::Value {
    let output = vitrine(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Whether a broker can be had here; says why not, once a run.
pub fn available() -> bool {
    static THERE: OnceLock<bool> = OnceLock::new();
    *THERE.get_or_init(|| {
        let found = install::find(&|name| std::env::var(name).ok().filter(|value| !value.is_empty()), &mut |_| ());
        let Err(missing) = found else { return true };
        assert!(std::env::var_os("VITRINE_REQUIRE_KAFKA").is_none(), "Kafka is required here, and cannot be had: {missing}");
        // Past the capture of the test runner: who skips says so.
        let _ = writeln!(std::io::stderr(), "skipped: all tests on a real Kafka; {}", missing.to_string().replace('\n', "; "));
        false
    })
}

/// The broker that all tests share; nothing where none can be had.
pub fn shared() -> Option<&'static Broker> {
    static SHARED: OnceLock<Broker> = OnceLock::new();
    available().then(|| SHARED.get_or_init(Broker::start))
}

impl Broker {
    /// A broker of one's own, which is stopped when it is dropped.
    pub fn start() -> Broker {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let guarded = format!("127.0.0.1:{port}");
        let properties = format!(
            "listeners=SASL_PLAINTEXT://{guarded}\n\
             sasl.enabled.mechanisms=PLAIN\n\
             listener.name.sasl_plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
             user_{NAME}=\"{PASSWORD}\";\n"
        );
        let mut broker = Broker::prepared(properties, |_| ());
        broker.guarded = guarded;
        broker
    }

    /// A broker with further settings, in a folder in which something may be done before it starts.
    pub fn prepared(properties: String, prepare: impl FnOnce(&Path)) -> Broker {
        let dir = tempfile::tempdir().unwrap().keep();
        // The guard reads until this process closes the pipe, by ending in whatever way; Ctrl-C does not reach it.
        let script = "read line; \"$0\" kafka down --dir \"$1\"; rm -rf \"$1\"";
        let mut guard = Command::new("sh");
        guard.args(["-c", script]).arg(assert_cmd::cargo::cargo_bin("vitrine")).arg(&dir).process_group(0);
        let guard = guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::fs::write(dir.join("guarded.properties"), properties).unwrap();
        prepare(&dir);
        let mut broker = Broker { dir, address: String::new(), guarded: String::new(), pid: 0, guard };
        broker.up();
        broker
    }

    /// Starts it (again), on the port that it had.
    pub fn up(&mut self) {
        let port = self.address.rsplit(':').next().filter(|port| !port.is_empty()).unwrap_or("0").to_owned();
        let (dir, further) = (self.dir.to_string_lossy(), self.dir.join("guarded.properties"));
        let up = said(&["kafka", "up", "--json", "--port", &port, "--dir", &dir, "--properties", &further.to_string_lossy()]);
        self.address = up["address"].as_str().unwrap().to_owned();
        self.pid = up["pid"].as_u64().unwrap() as u32;
    }

    /// Ends it without warning, as a failing machine would.
    pub fn kill(&self) {
        signal("KILL", self.pid);
        let gone = || std::net::TcpStream::connect(&self.address).is_err();
        while !gone() {
            std::thread::yield_now();
        }
    }

    /// Settings that lead here, with topics and a job that no other test has. The topics are made.
    pub fn settings(&self, name: &str) -> Kafka {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let own = format!("{name}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let kafka = Settings::load(&Given::default()).unwrap().kafka;
        let kafka = Kafka {
            brokers: self.address.clone(),
            topic: format!("{own}-sales"),
            prefix: format!("{own}."),
            job: own.clone(),
            group: own,
            ..kafka
        };
        self.create(&vitrine::kafka::topics::all(&kafka), &kafka);
        kafka
    }

    /// Makes topics.
    pub fn create(&self, topics: &[Topic], kafka: &Kafka) {
        assert_eq!(Admin::new(kafka).unwrap().create(topics).unwrap().len(), topics.len());
    }

    /// Its folder, as an argument.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// Sends a signal to a process that a test started.
pub fn signal(name: &str, pid: u32) {
    assert!(Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status().unwrap().success());
}
