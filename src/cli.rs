//! The command line: one file a subcommand; the types here are exactly what was typed.
//!
//! Rows and reports go to stdout, everything else to stderr. [`main`] takes the arguments and the environment, so that a
//! test can give its own; only `src/main.rs` reads the real ones and ends the process.

mod compute;
mod run;
mod shown;
#[cfg(feature = "kafka")]
pub mod live;
#[cfg(feature = "kafka")]
mod restart;
pub mod demo;
mod inputs;
mod caching;
pub mod replay;
#[cfg(feature = "parquet")]
pub mod features;
pub mod generate;
pub mod score;
#[cfg(feature = "kafka")]
pub mod produce;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod checkpoint;
pub mod config;
pub mod health;
pub mod completions;
mod failure;

pub use failure::Failure;

use crate::console::screen::Screen;
use crate::settings::layer::Flag;
use crate::settings::{Given, Settings};
use crate::telemetry;
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand};
use indicatif::ProgressBar;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
#[cfg(feature = "kafka")]
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// What the process was given besides its arguments.
pub struct World {
    /// The environment.
    pub env: Vec<(String, String)>,
    /// Ends the process with an exit code, for a second Ctrl-C.
    pub exit: fn(i32) -> !,
}

/// Sales in; exact windows, features and events out.
///
/// Late sales and cancellations correct what was already said; the same input always gives the same bytes.
#[derive(Debug, Parser)]
#[command(name = "vitrine", version, arg_required_else_help = true, max_term_width = 110)]
#[command(
    after_help = "Examples:\n  vitrine demo\n  vitrine generate --sales 100000 --seed 7 -o sales.ndjson\n  vitrine replay sales.ndjson --out results\n\nExit codes: 0 done, 1 a check failed, 2 wrong usage, 69 a needed service is away, 70 a bug, \
                        74 input or output failed, 78 bad settings."
)]
pub struct Cli {
    #[command(flatten)]
    logging: Logging,
    #[command(subcommand)]
    command: Command,
}

/// How much is told on stderr.
#[derive(Debug, Args)]
struct Logging {
    /// Say less: errors only, no progress
    #[arg(short, long, global = true, help_heading = "Logging", conflicts_with = "verbose")]
    quiet: bool,
    /// Say more: -v lifecycle, -vv details, -vvv everything
    #[arg(short, long, global = true, help_heading = "Logging", action = ArgAction::Count)]
    verbose: u8,
    /// How the log on stderr is written
    #[arg(long, global = true, help_heading = "Logging", value_enum, default_value_t, value_name = "FORMAT")]
    log_format: telemetry::Format,
}

/// Where settings come from.
#[derive(Debug, Args)]
pub struct SettingsArgs {
    /// Settings file [default: ./vitrine.toml if there is one]
    #[arg(short, long, value_name = "FILE", env = "VITRINE_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    /// A window to compute, instead of those of the settings; may be repeated
    #[arg(long, value_name = "SIZE/SLIDE")]
    window: Vec<String>,
    /// Any setting, for example `--set time.zone=America/Sao_Paulo`; may be repeated
    #[arg(long, value_name = "SECTION.KEY=VALUE", value_parser = key_and_value)]
    set: Vec<(String, String)>,
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write SECTION.KEY=VALUE, for example time.zone=UTC")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

/// A setting that has a flag of its own.
fn flag(name: &str, path: &str, value: impl ToString) -> Flag {
    Flag { name: name.into(), path: path.into(), text: value.to_string() }
}

impl SettingsArgs {
    /// Reads and resolves the settings.
    fn load(&self, world: &World) -> Result<Settings, Failure> {
        self.load_with(world, [])
    }

    /// Reads and resolves the settings, with those that have flags of their own.
    fn load_with(&self, world: &World, own: impl IntoIterator<Item = Flag>) -> Result<Settings, Failure> {
        let mut flags: Vec<Flag> = self.set.iter().map(|(key, value)| flag("--set", key, value)).collect();
        if !self.window.is_empty() {
            flags.push(flag("--window", "windows", self.window.join(",")));
        }
        flags.extend(own);
        let here = || Some(PathBuf::from("vitrine.toml")).filter(|path| path.is_file());
        let given = Given { file: self.config.clone().or_else(here), env: world.env.clone(), flags };
        let settings = Settings::load(&given)?;
        if let Some(file) = given.file {
            tracing::info!(file = %file.display(), "settings read");
        }
        Ok(settings)
    }
}

/// How this command talks to the person.
pub struct Session {
    screen: Screen,
    quiet: bool,
    /// The arguments as they were given.
    #[cfg_attr(not(feature = "kafka"), expect(dead_code, reason = "only a live run starts itself again"))]
    given: Vec<OsString>,
}

impl Session {
    /// A bar on the screen, hidden when less is to be said.
    fn bar(&self, bar: ProgressBar) -> ProgressBar {
        if self.quiet { ProgressBar::hidden() } else { self.screen.bars().add(bar) }
    }

    /// What `start` shows on the screen, unless less is to be said.
    fn progress<T>(&self, start: impl FnOnce(&Screen) -> std::io::Result<T>) -> Result<Option<T>, Failure> {
        let shown = if self.quiet { None } else { Some(start(&self.screen)) };
        shown.transpose().map_err(|e| Failure::Io(format!("cannot show the progress: {e}")))
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Demo),
    Replay(replay::Replay),
    #[cfg(feature = "parquet")]
    Features(features::Features),
    #[cfg(feature = "kafka")]
    Run(live::Run),
    Generate(generate::Generate),
    Score(score::Score),
    #[cfg(feature = "kafka")]
    Produce(produce::Produce),
    /// Run an Apache Kafka of your own, for development
    #[cfg(feature = "kafka")]
    Kafka(kafka::Kafka),
    Health(health::Health),
    /// Show the checkpoints of a state directory
    Checkpoint(checkpoint::Checkpoint),
    /// Validate the settings, or show them with where each comes from
    Config(config::Config),
    /// Print completions for a shell
    Completions(completions::Completions),
}

/// Parses and runs.
///
/// # Errors
/// Whatever stopped the command; its [`Failure::code`] is the exit code.
pub fn main(args: impl IntoIterator<Item = OsString>, world: &World) -> Result<(), Failure> {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors and go to stdout; clap knows which is which.
            let shown = error.print();
            return if error.use_stderr() { Err(Failure::Shown) } else { piped(shown) };
        }
    };
    let given = args.into_iter().skip(1).collect();
    let session = Session { screen: Screen::default(), quiet: cli.logging.quiet, given };
    let level = telemetry::Level::new(cli.logging.quiet, cli.logging.verbose);
    telemetry::init(level, cli.logging.log_format, world.var("RUST_LOG"), &session.screen);
    match cli.command {
        Command::Demo(args) => args.run(world, &session),
        Command::Replay(args) => args.run(world, &session),
        #[cfg(feature = "parquet")]
        Command::Features(args) => args.run(world, &session),
        #[cfg(feature = "kafka")]
        Command::Run(args) => args.run(world, &session),
        Command::Generate(args) => args.run(world, &session),
        Command::Score(args) => args.run(),
        #[cfg(feature = "kafka")]
        Command::Produce(args) => args.run(world, &session),
        #[cfg(feature = "kafka")]
        Command::Kafka(args) => args.run(world, &session),
        Command::Health(args) => args.run(world),
        Command::Checkpoint(args) => args.run(),
        Command::Config(args) => args.run(world),
        Command::Completions(args) => args.run(&mut Cli::command()),
    }
}

impl World {
    /// A variable that is set and not empty.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.env.iter().find(|(n, v)| n == name && !v.is_empty()).map(|(_, v)| v.as_str())
    }
}

/// Listens for Ctrl-C and SIGTERM: the first sets the flag, a second one ends the process at once.
///
/// # Errors
/// When the system refuses.
#[cfg(feature = "kafka")]
fn interrupted(world: &World) -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let (asked, exit) = (stop.clone(), world.exit);
    ctrlc::set_handler(move || {
        if asked.swap(true, Ordering::Relaxed) {
            exit(Failure::Stopped.code().into());
        }
    })
    .map_err(|e| Failure::Io(format!("cannot listen for Ctrl-C: {e}")))?;
    Ok(stop)
}

/// Writes a report to stdout.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    piped(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// A reader that has seen enough (`vitrine config show | head`) is no failure.
fn piped(written: std::io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::Io(format!("cannot write to stdout: {e}"))),
        _ => Ok(()),
    }
}
