//! Events to a webhook, in the payload of Alertmanager, one a request, in their order.
//!
//! 1. A thread of its own posts; the engine never waits for it.
//! 2. What fails for a while (no answer, 408, 425, 429, 5xx) is tried again, after 0.5 s, 1 s, 2 s ... up to a minute, or as long as
//!    `Retry-After` says. What will never be taken (any other answer) is given up, told in the log and counted.
//! 3. At most `queue` events wait. When more come, the oldest that waits is given up and counted: news of now are worth more, and
//!    what it resolved or raised stands in the table `events` anyway.
//! 4. At least once: a checkpoint holds what waits, and a restart posts again what was raised since the checkpoint. The header
//!    `Idempotency-Key` (id of the event, revision) tells a receiver what it has already.

pub mod payload;

use crate::error::Error;
use crate::metrics::{Ask, Metrics, Posted};
use crate::settings::sinks::{self, Webhook as Settings};
use dataflows::clock::Binding;
use dataflows::edge::{Marks, RowSink, Table, TickRows};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use ureq::Agent;
use ureq::http::StatusCode;

/// The first wait after a failure, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));

/// The longest that a receiver may make us wait.
const LONGEST: Duration = Duration::from_secs(600);

/// How long a run that ends waits for what is left.
const LAST: Duration = Duration::from_secs(10);

/// What a checkpoint calls the events that wait.
const MARK: &str = "webhook/waiting";

#[derive(Default)]
struct State {
    /// Lines of `events`; the first one is being posted.
    waiting: VecDeque<String>,
    /// The first one was given up while it was being posted.
    lost: bool,
    /// No more come; what is left is posted until then.
    until: Option<Instant>,
    stats: Posted,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    most: usize,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: String) {
        let mut state = self.state();
        state.waiting.push_back(line);
        if state.waiting.len() > self.most {
            state.waiting.pop_front();
            state.lost = true;
            state.stats.dropped += 1;
            if state.stats.dropped.is_power_of_two() {
                tracing::warn!(dropped = state.stats.dropped, "the webhook does not keep up: the oldest events are given up");
            }
        }
        self.changed.notify_all();
    }

    /// The event to be posted next; `None` when there is nothing more.
    fn first(&self) -> Option<String> {
        let mut state = self.state();
        loop {
            if state.until.is_some_and(|until| Instant::now() >= until) {
                return None;
            }
            if let Some(line) = state.waiting.front() {
                let line = line.clone();
                state.lost = false;
                return Some(line);
            }
            if state.until.is_some() {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// What became of the first one.
    fn settle(&self, count: impl FnOnce(&mut Posted)) {
        let mut state = self.state();
        // When it was pushed out meanwhile, it was counted as dropped, and is none of what waits.
        if !std::mem::take(&mut state.lost) {
            state.waiting.pop_front();
            count(&mut state.stats);
        }
    }

    /// Waits before the next try; false when there is no time left for it.
    fn pause(&self, time: Duration) -> bool {
        let again = Instant::now() + time;
        let mut state = self.state();
        state.stats.retried += 1;
        loop {
            let now = Instant::now();
            if now >= again {
                return true;
            }
            if state.until.is_some_and(|until| now >= until) {
                return false;
            }
            let next = state.until.map_or(again, |until| again.min(until));
            let wait = next.saturating_duration_since(now);
            state = self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The sink. Clones are handles to the same one: one for the engine, one to finish with.
#[derive(Clone)]
pub struct Webhook {
    shared: Arc<Shared>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
    /// Events of epochs up to here are not posted.
    said: Option<u64>,
    /// The epoch that is being handed over.
    epoch: u64,
}

/// How one attempt went.
enum Outcome {
    Taken,
    /// Perhaps later; how long the receiver wants us to wait.
    Later(String, Option<Duration>),
    Never(String),
}

struct Poster {
    agent: Agent,
    url: String,
    headers: Vec<(String, String)>,
    shared: Arc<Shared>,
}

impl Webhook {
    /// Starts the thread that posts. A run that begins with epoch `first`, and knows that events up to the epoch `said` are out
    /// and has no checkpoint to tell it more, does not post these.
    ///
    /// # Errors
    /// When a secret cannot be read, or the system gives no thread.
    pub fn start(settings: &Settings, first: u64, said: Option<u64>) -> Result<Webhook, Error> {
        let read =
            |hidden: &crate::settings::secret::Hidden| hidden.read().map_err(|e| Error::Settings(format!("[sinks.webhook] {e}")));
        let url = read(&settings.url)?.map(|url| url.reveal().trim().to_owned()).unwrap_or_default();
        sinks::check(&url).map_err(|e| Error::Settings(format!("[sinks.webhook] url: {e}")))?;
        let mut headers = settings.headers.clone();
        headers.extend(read(&settings.authorization)?.map(|secret| ("Authorization".to_owned(), secret.reveal().to_owned())));
        let timeout = Duration::from_millis(settings.timeout.unsigned_abs());
        let agent = agent(timeout);
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new(), most: settings.queue });
        let poster = Poster { agent, url, headers, shared: shared.clone() };
        let thread = std::thread::Builder::new().name("webhook".into()).spawn(move || poster.run());
        let thread = thread.map_err(|e| Error::Unavailable(format!("cannot start a thread: {e}")))?;
        Ok(Webhook { shared, thread: Arc::new(Mutex::new(Some(thread))), said, epoch: first })
    }

    /// From here on the metrics know how it goes.
    pub fn watched(&self, metrics: &Metrics) {
        let webhook = self.clone();
        let _ = metrics.posted.set(Ask(Box::new(move || webhook.stats()))); // a run has one webhook
    }

    /// What it has done so far.
    pub fn stats(&self) -> Posted {
        let state = self.shared.state();
        Posted { waiting: state.waiting.len(), ..state.stats }
    }

    /// Posts what waits, for some seconds at most, and ends the thread. Says how it went.
    pub fn finish(&self) -> Posted {
        self.shared.state().until.get_or_insert(Instant::now() + LAST);
        self.shared.changed.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the webhook panicked");
        }
        let left = self.stats().waiting;
        if left > 0 {
            tracing::warn!(
                left,
                "the run ends, and the webhook has not taken all events; those behind a checkpoint are posted again"
            );
        }
        self.stats()
    }
}

fn agent(timeout: Duration) -> Agent {
    let config = Agent::config_builder().timeout_global(Some(timeout)).http_status_as_error(false).max_redirects(0);
    #[cfg(feature = "tls")]
    let config = {
        use ureq::tls::{RootCerts, TlsConfig, TlsProvider};
        let tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(RootCerts::PlatformVerifier);
        config.tls_config(tls.build())
    };
    config.user_agent(concat!("vitrine/", env!("CARGO_PKG_VERSION"))).build().into()
}

impl Poster {
    fn run(self) {
        while let Some(line) = self.shared.first() {
            let Ok(post) = payload::post(&line) else {
                tracing::error!("this is a bug in vitrine: a row of events cannot be read back");
                self.shared.settle(|stats| stats.refused += 1);
                continue;
            };
            if !self.insist(&post) {
                return;
            }
        }
    }

    /// Posts until it is taken, or will never be; false when there is no time left.
    fn insist(&self, post: &payload::Post) -> bool {
        let mut wait = WAITS.0;
        loop {
            match self.attempt(post) {
                Outcome::Taken => self.shared.settle(|stats| stats.sent += 1),
                Outcome::Never(why) => {
                    tracing::error!(event = post.key, "the webhook refuses an event: {why}");
                    self.shared.settle(|stats| stats.refused += 1);
                }
                Outcome::Later(why, asked) => {
                    tracing::warn!(event = post.key, "the webhook does not take an event ({why}); trying again");
                    if !self.shared.pause(asked.map_or(wait, |asked| asked.clamp(wait, LONGEST))) {
                        return false;
                    }
                    wait = (2 * wait).min(WAITS.1);
                    if self.shared.state().lost {
                        return true;
                    }
                    continue;
                }
            }
            return true;
        }
    }

    fn attempt(&self, post: &payload::Post) -> Outcome {
        let mut request = self.agent.post(&self.url).header("Content-Type", "application/json");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        match request.header("Idempotency-Key", &post.key).send(&post.body) {
            Ok(answer) => {
                let status = answer.status();
                let asked = answer.headers().get("Retry-After").and_then(|value| value.to_str().ok()?.parse().ok());
                match status {
                    _ if status.is_success() => Outcome::Taken,
                    StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
                        Outcome::Later(status.to_string(), asked.map(Duration::from_secs))
                    }
                    _ if status.is_server_error() => Outcome::Later(status.to_string(), asked.map(Duration::from_secs)),
                    _ => Outcome::Never(status.to_string()),
                }
            }
            // What it says may hold the address, which may be secret.
            Err(ureq::Error::BadUri(_) | ureq::Error::Http(_)) => Outcome::Never("its address or a header is malformed".into()),
            Err(ureq::Error::Timeout(_)) => Outcome::Later("no answer in time".into(), None),
            Err(ureq::Error::HostNotFound) => Outcome::Later("its host is not known".into(), None),
            Err(ureq::Error::Io(e)) => Outcome::Later(e.to_string(), None),
            // OpenSSL speaks of keys and certificates, never of the address.
            #[cfg(feature = "tls")]
            Err(ureq::Error::NativeTls(e)) => Outcome::Later(e.to_string(), None),
            Err(_) => Outcome::Later("the connection fails".into(), None),
        }
    }
}

impl RowSink for Webhook {
    fn tick(&mut self, rows: &TickRows) -> Result<(), String> {
        if self.said.is_some_and(|said| self.epoch <= said) {
            return Ok(());
        }
        let lines = rows.lines[Table::Events as usize].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.for_each(|line| self.shared.push(String::from_utf8_lossy(line).into_owned()));
        Ok(())
    }

    fn epoch(&mut self, binding: &Binding) -> Result<(), String> {
        self.epoch = binding.epoch + 1;
        Ok(())
    }

    fn save(&mut self, into: &mut Marks) -> Result<(), String> {
        let state = self.shared.state();
        if !state.waiting.is_empty() {
            let waiting = serde_json::to_string(&state.waiting).map_err(|e| e.to_string())?;
            into.insert(MARK.into(), waiting);
        }
        Ok(())
    }

    fn resume(&mut self, from: &Marks) -> Result<(), String> {
        let Some(waiting) = from.get(MARK) else { return Ok(()) };
        let lines: Vec<String> =
            serde_json::from_str(waiting).map_err(|e| format!("the events that wait for the webhook: {e}"))?;
        lines.into_iter().for_each(|line| self.shared.push(line));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
