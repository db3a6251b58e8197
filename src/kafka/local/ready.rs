//! From a start to a node that does all that we ask of one.

use super::Broker;
use super::node::LOOK;
use super::process;
use crate::error::Error;
use crate::kafka::admin::{self, Admin};
use crate::kafka::{client, topics};
use crate::settings::kafka::Kafka;
use rdkafka::producer::{BaseProducer, Producer};
use std::fs::File;
use std::io::Read;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

/// How long a start may take before it is called off; a small machine takes ten seconds.
const START: Duration = Duration::from_secs(120);

/// A node that has been started and may not be ready yet.
#[derive(Debug)]
pub struct Started {
    broker: Broker,
    child: Child,
    log: PathBuf,
    /// No other command starts or stops it meanwhile.
    _lock: File,
}

impl Started {
    /// What was started, where its log is, and the lock under which it was.
    pub(super) fn new(broker: Broker, child: Child, log: PathBuf, lock: File) -> Started {
        Started { broker, child, log, _lock: lock }
    }

    /// Waits until topics can be made and transactions begun, and makes the topics of `kafka`. Asks `stopped` in between.
    ///
    /// # Errors
    /// When the node ends, is not ready in time, or `stopped` says so; it is stopped then.
    pub fn ready(mut self, kafka: &Kafka, stopped: &dyn Fn() -> bool) -> Result<(Broker, Vec<String>), Error> {
        let kafka = kafka.on_loopback(self.broker.address());
        let began = Instant::now();
        while std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.broker.port)).is_err() {
            if let Ok(Some(ended)) = self.child.try_wait() {
                return Err(Error::Unavailable(format!("Kafka ended at once ({ended}): {}", self.last_words())));
            }
            if stopped() || began.elapsed() > START {
                let why = if stopped() { "stopped" } else { "Kafka is not ready after two minutes" };
                let words = self.last_words();
                self.abandon();
                return Err(Error::Unavailable(format!("{why}; its log ends: {words}")));
            }
            std::thread::sleep(LOOK);
        }
        match serves(&kafka) {
            Ok(made) => Ok((self.broker, made)),
            Err(e) => {
                self.abandon();
                Err(e)
            }
        }
    }

    /// The last line of the log that says something: the reason, when a start fails.
    fn last_words(&self) -> String {
        let mut text = String::new();
        let read = File::open(&self.log).and_then(|mut log| log.read_to_string(&mut text));
        let lines = || text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('\t'));
        let telling = lines().rfind(|line| line.contains("ERROR") || line.contains("Exception")).or(lines().next_back());
        match (read, telling) {
            (Ok(_), Some(line)) => format!("{} (more in {})", line.trim(), self.log.display()),
            _ => format!("nothing is in {}", self.log.display()),
        }
    }

    /// Stops a node that did not come up. It is our child: the signal cannot reach anything else.
    pub(super) fn abandon(mut self) {
        if process::terminate(self.broker.pid).is_err() || self.child.wait().is_err() {
            tracing::warn!(pid = self.broker.pid, "the node that did not start could not be stopped");
        }
    }
}

/// Makes the topics, and begins and ends a life of a transactional id: after it a broker can do all that we ask of one.
fn serves(kafka: &Kafka) -> Result<Vec<String>, Error> {
    let made = Admin::new(kafka)?.create(&topics::all(kafka))?;
    let producer: BaseProducer<client::Logged> = client::transactional(kafka, "vitrine-ready")?
        .create_with_context(client::Logged::default())
        .map_err(|e| client::cannot(&e))?;
    producer.init_transactions(client::PATIENCE).map_err(|e| admin::away(&kafka.brokers, &e))?;
    Ok(made)
}
