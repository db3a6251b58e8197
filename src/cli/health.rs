//! `health`.

use super::{Failure, SettingsArgs, World, print};
use crate::http::ask;
use crate::settings::http::USUAL;
use clap::Args;
use serde::Deserialize;
use std::time::Duration;

/// Ask a running engine how it is doing
///
/// Prints its checks; the exit code is 0 when all are well, 1 when one fails, and 69 when nobody answers.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  vitrine health\n  vitrine health 10.0.0.5:9464 --json")]
pub struct Health {
    /// Where it listens [default: [http] listen of the settings, or 127.0.0.1:9464]
    #[arg(value_name = "HOST:PORT")]
    address: Option<String>,
    /// Seconds to wait for the answer
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Print all that it says of itself, as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Deserialize)]
struct Status {
    engine: String,
    stage: String,
    sources: Vec<String>,
    uptime_seconds: f64,
    checks: Vec<Check>,
}

#[derive(Deserialize)]
struct Check {
    name: String,
    ok: bool,
    detail: String,
}

impl Health {
    /// Runs it.
    ///
    /// # Errors
    /// When nobody answers, or a check fails.
    pub fn run(&self, world: &World) -> Result<(), Failure> {
        let address = match &self.address {
            Some(address) => address.trim_start_matches("http://").trim_end_matches('/').to_owned(),
            None => self.settings.load(world)?.http.address(true, 0).unwrap_or(USUAL).to_string(),
        };
        let away = |why: String| {
            Failure::Away(format!("no engine answers at {address}: {why}; name another HOST:PORT, or see [http] listen"))
        };
        let answer = ask::get(&address, "/status", Duration::from_secs(self.timeout)).map_err(away)?;
        let status: Status = match serde_json::from_str(&answer.text) {
            Ok(status) if answer.code == 200 => status,
            _ => return Err(away(format!("what listens there is something else (HTTP {})", answer.code))),
        };
        if self.json {
            print(&answer.text)?
        } else {
            print(&table(&status))?
        }
        if status.checks.iter().all(|c| c.ok) { Ok(()) } else { Err(Failure::Failed) }
    }
}

/// The checks, aligned.
fn table(status: &Status) -> String {
    let span = crate::metrics::checks::span((status.uptime_seconds * 1000.0) as i64);
    let mut text = format!("{} {} {}, up {span}\n", status.engine, status.stage, status.sources.join(", "));
    let width = status.checks.iter().map(|c| c.name.len()).max().unwrap_or(0);
    for Check { name, ok, detail } in &status.checks {
        let verdict = if *ok { "ok  " } else { "FAIL" };
        text += &format!("  {verdict}  {name:width$}  {detail}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_aligned() {
        let status = r#"{"engine":"vitrine 0.1.0","stage":"running","sources":["sales"],"uptime_seconds":3.25,"more":1,
            "checks":[{"name":"epochs","ok":true,"detail":"x"},{"name":"lag","ok":false,"detail":"y"}]}"#;
        assert_eq!(
            table(&serde_json::from_str(status).unwrap()),
            "vitrine 0.1.0 running sales, up 3.2 s\n  ok    epochs  x\n  FAIL  lag     y\n"
        );
    }
}
