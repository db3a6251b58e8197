//! `config check` and `config show`.

use super::{Failure, SettingsArgs, World, print};
use crate::settings::Settings;
use crate::settings::layer::{self, Effective, Origin};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

/// Validate the settings, or show them with where each comes from
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
#[command(after_help = "Example:\n  vitrine config show -c vitrine.toml --set time.zone=America/Sao_Paulo")]
pub struct Config {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Validate the settings; exit code 78 and one line a mistake when they are wrong
    #[command(after_help = "Example:\n  vitrine config check -c vitrine.toml")]
    Check(Given),
    /// Print the settings in force as TOML, each with where it comes from
    #[command(
        after_help = "Examples:\n  vitrine config show > vitrine.toml\n  VITRINE__TIME__ZONE=Asia/Tokyo vitrine config show --json"
    )]
    Show(Given),
}

#[derive(Debug, Args)]
struct Given {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Config {
    /// Runs it.
    ///
    /// # Errors
    /// When the settings are wrong.
    pub fn run(&self, world: &World) -> Result<(), Failure> {
        match &self.command {
            Command::Check(given) => {
                let settings = given.settings.load(world)?;
                // Secrets are read, and options are shown to librdkafka, when a client is made: here already.
                #[cfg(feature = "kafka")]
                crate::kafka::client::common(&settings.kafka)?;
                print(&checked(&settings, given.json))
            }
            Command::Show(given) => {
                let settings = given.settings.load(world)?;
                if given.json { print(&pretty(&as_json(&settings.effective))) } else { print(&settings.effective.text()) }
            }
        }
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

fn checked(settings: &Settings, json: bool) -> String {
    let set = settings.effective.leaves().iter().filter(|leaf| leaf.origin != Origin::Default).count();
    let windows: Vec<&str> = settings.plan.windows.iter().map(|w| w.name.as_str()).collect();
    if json {
        return pretty(&json!({ "ok": true, "set": set, "windows": windows }));
    }
    let set = match set {
        0 => "all defaults".to_owned(),
        1 => "1 setting differs from the defaults".to_owned(),
        n => format!("{n} settings given, the others are defaults"),
    };
    format!("settings are valid: {set}; windows {}\n", windows.join(", "))
}

/// `{"settings": {section: {key: value}}, "from": {"section.key": origin}}`
fn as_json(effective: &Effective) -> Value {
    let (mut tree, mut from) = (Map::new(), Map::new());
    for leaf in effective.leaves() {
        let (section, key) = layer::split(&leaf.path);
        let mut place = &mut tree;
        for step in section.split('.').filter(|step| !step.is_empty()) {
            let section = place.entry(step).or_insert_with(|| Value::Object(Map::new()));
            place = section.as_object_mut().expect("a section holds no value of its own");
        }
        place.insert(key.to_owned(), json!(leaf.value));
        from.insert(leaf.path.clone(), json!(leaf.origin.to_string()));
    }
    json!({ "settings": tree, "from": from })
}
