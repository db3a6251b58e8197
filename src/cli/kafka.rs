//! `kafka up`, `kafka status`, `kafka down`.

use super::{Failure, Session, SettingsArgs, World, interrupted, print};
use crate::console::text;
use crate::kafka::admin::{Admin, Held};
use crate::kafka::local::install::{self, VERSION};
use crate::kafka::local::{Broker, Local, Up, Wishes};
use crate::settings::kafka;
use clap::{Args, Subcommand};
use indicatif::ProgressBar;
use serde_json::json;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Run an Apache Kafka of your own, for development
///
/// One node (KRaft) on this machine, with the topics made. It comes from KAFKA_HOME, or is fetched once with Maven; it needs Java 17.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
#[command(after_help = "Example:\n  vitrine kafka up\n  vitrine produce --sales 100000\n  vitrine kafka down")]
pub struct Kafka {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start it in the background, and make the topics
    #[command(after_help = "Examples:\n  vitrine kafka up\n  vitrine kafka up --port 19092 --dir /tmp/kafka")]
    Up(UpArgs),
    /// Say whether it runs, and what is in its topics; exit code 1 when it does not
    #[command(after_help = "Example:\n  vitrine kafka status --json")]
    Status(Where),
    /// Stop it; the topics stay for the next start
    #[command(after_help = "Examples:\n  vitrine kafka down\n  vitrine kafka down --delete")]
    Down(DownArgs),
}

#[derive(Debug, Args)]
struct Where {
    /// Folder of its data and log [default: ~/.local/state/vitrine/kafka]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct UpArgs {
    /// Where it listens, on 127.0.0.1; 0 takes a free one [default: that of kafka.brokers, 9092]
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Further settings of Kafka's own, as in its server.properties; its listeners come on top
    #[arg(long, value_name = "FILE")]
    properties: Option<PathBuf>,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Debug, Args)]
struct DownArgs {
    #[command(flatten)]
    place: Where,
    /// Remove the topics, too
    #[arg(long)]
    delete: bool,
}

impl Where {
    fn local(&self, world: &World) -> Result<Local, Failure> {
        let base = || match (world.var("XDG_STATE_HOME"), world.var("HOME")) {
            (Some(state), _) => Some(PathBuf::from(state)),
            (None, home) => home.map(|home| PathBuf::from(home).join(".local/state")),
        };
        let dir = self.dir.clone().or_else(|| Some(base()?.join("vitrine/kafka")));
        dir.map(|dir| Local::new(&dir)).ok_or_else(|| Failure::Usage("HOME is not set: say where with --dir".into()))
    }
}

impl Kafka {
    /// Runs it.
    ///
    /// # Errors
    /// What is missing on this machine, or why the node does not start or stop.
    pub fn run(&self, world: &World, session: &Session) -> Result<(), Failure> {
        match &self.command {
            Command::Up(args) => args.run(world, session),
            Command::Status(args) => args.status(world),
            Command::Down(args) => args.run(world, session),
        }
    }
}

impl UpArgs {
    fn run(&self, world: &World, session: &Session) -> Result<(), Failure> {
        let settings = self.settings.load(world)?.kafka;
        let local = self.place.local(world)?;
        let spinner = session.bar(ProgressBar::new_spinner());
        spinner.enable_steady_tick(Duration::from_millis(100));
        let started = self.start(world, &local, &settings, &spinner);
        spinner.finish_and_clear();
        let (broker, made, already) = started?;
        if self.place.json {
            let (pid, address) = (broker.pid, broker.address());
            let said = json!({ "address": address, "pid": pid, "version": broker.version, "dir": local.dir(), "already": already, "made": made });
            return print(&format!("{said}\n"));
        }
        if session.quiet {
            return Ok(());
        }
        let is = if already { "runs already" } else { "is ready" };
        let made = if made.is_empty() { "all there already".to_owned() } else { made.join(", ") };
        print(&format!(
            "Apache Kafka {} {is} at {} (process {})\n  folder   {}\n  topics   {made}\n  stop it  vitrine kafka down{}\n",
            broker.version,
            broker.address(),
            broker.pid,
            local.dir().display(),
            self.place.dir.as_ref().map(|dir| format!(" --dir {}", dir.display())).unwrap_or_default()
        ))
    }

    fn further(&self) -> Result<String, Failure> {
        let Some(file) = &self.properties else { return Ok(String::new()) };
        std::fs::read_to_string(file).map_err(|e| Failure::Io(format!("cannot read {}: {e}", file.display())))
    }

    /// The broker, the topics that were made, and whether it ran already.
    fn start(
        &self,
        world: &World,
        local: &Local,
        settings: &kafka::Kafka,
        spinner: &ProgressBar,
    ) -> Result<(Broker, Vec<String>, bool), Failure> {
        let var = |name: &str| world.var(name).map(str::to_owned);
        let mut fetched = 0u32;
        let install = install::find(&var, &mut |jar| {
            if fetched == 0 {
                tracing::info!("fetching Apache Kafka {VERSION} with Maven");
            }
            fetched += 1;
            spinner.set_message(format!("fetching Apache Kafka {VERSION} with Maven: {jar}"));
        })?;
        spinner.set_message(format!("starting Apache Kafka {}", install.version));
        let stop = interrupted(world)?;
        let wishes = Wishes {
            port: self.port,
            usual: usual(settings),
            heap: world.var("KAFKA_HEAP_OPTS").map(str::to_owned),
            properties: self.further()?,
        };
        match local.start(&install, &wishes)? {
            Up::Already(broker) => {
                let own = settings.on_loopback(broker.address());
                let made = Admin::new(&own)?.create(&crate::kafka::topics::all(&own))?;
                Ok((broker, made, true))
            }
            Up::Started(started) => {
                let ready = started.ready(settings, &|| stop.load(Ordering::Relaxed));
                if stop.load(Ordering::Relaxed) && ready.is_err() {
                    return Err(Failure::Stopped);
                }
                let (broker, made) = ready?;
                Ok((broker, made, false))
            }
        }
    }
}

/// The port at which the settings look for a broker on this machine, so that the other commands find this one.
fn usual(settings: &kafka::Kafka) -> u16 {
    let local = |broker: &str| {
        let (host, port) = broker.rsplit_once(':')?;
        ["localhost", "127.0.0.1"].contains(&host).then(|| port.parse().ok())?
    };
    settings.brokers.split(',').find_map(local).unwrap_or(9092)
}

impl Where {
    fn status(&self, world: &World) -> Result<(), Failure> {
        let local = self.local(world)?;
        let Some(broker) = local.running() else {
            let said = match self.json {
                true => format!("{}\n", json!({ "running": false, "dir": local.dir() })),
                false => format!("no Kafka runs in {}; start one with `vitrine kafka up`\n", local.dir().display()),
            };
            print(&said)?;
            return Err(Failure::Failed);
        };
        let settings = crate::settings::Settings::load(&crate::settings::Given::default())?;
        let own = settings.kafka.on_loopback(broker.address());
        let held = Admin::new(&own)?.held()?;
        print(&match self.json {
            true => format!("{}\n", as_json(&local, &broker, &held)),
            false => as_text(&local, &broker, &held),
        })
    }
}

fn as_json(local: &Local, broker: &Broker, held: &[Held]) -> serde_json::Value {
    let topic = |held: &Held| json!({ "topic": held.topic, "partitions": held.partitions, "offsets": held.offsets });
    let topics: Vec<_> = held.iter().map(topic).collect();
    json!({ "running": true, "address": broker.address(), "pid": broker.pid, "version": broker.version, "dir": local.dir(), "topics": topics })
}

fn as_text(local: &Local, broker: &Broker, held: &[Held]) -> String {
    let head = anstyle::Style::new().bold();
    let mut out = format!(
        "Apache Kafka {} runs at {} (process {}), in {}\n\n",
        broker.version,
        broker.address(),
        broker.pid,
        local.dir().display()
    );
    let width = held.iter().map(|held| held.topic.len()).max().unwrap_or(0).max(26);
    // Records and the marks of transactions: both take an offset.
    out.push_str(&format!("{head}{:<width$}  {:>10}  {:>15}{head:#}\n", "topic", "partitions", "offsets"));
    for held in held {
        let offsets = text::grouped(held.offsets);
        out.push_str(&format!("{:<width$}  {:>10}  {offsets:>15}\n", held.topic, held.partitions));
    }
    out
}

impl DownArgs {
    fn run(&self, world: &World, session: &Session) -> Result<(), Failure> {
        let local = self.place.local(world)?;
        let spinner = session.bar(ProgressBar::new_spinner().with_message("stopping Kafka"));
        spinner.enable_steady_tick(Duration::from_millis(100));
        let stopped = local.stop();
        spinner.finish_and_clear();
        let stopped = stopped?;
        if self.delete {
            local.forget()?;
        }
        if self.place.json {
            let pid = stopped.as_ref().map(|broker| broker.pid);
            return print(&format!("{}\n", json!({ "stopped": pid, "dir": local.dir(), "deleted": self.delete })));
        }
        if session.quiet {
            return Ok(());
        }
        let what = match &stopped {
            Some(broker) => format!("stopped the Kafka at {} (process {})", broker.address(), broker.pid),
            None => format!("no Kafka runs in {}", local.dir().display()),
        };
        print(&format!("{what}{}\n", if self.delete { "; its topics are removed" } else { "" }))
    }
}
