//! The `vitrine` command: parse, run, exit code. The one place that reads the environment and ends the process.

use std::io::Write;
use std::process::ExitCode;
use vitrine::cli::{self, Failure};
use vitrine::engine;

fn main() -> ExitCode {
    let trace = std::env::var_os("RUST_BACKTRACE").map(|_| std::panic::take_hook());
    std::panic::set_hook(Box::new(move |info| {
        if let Some(trace) = &trace {
            trace(info);
        }
        let failure = Failure::Run(engine::explain(info));
        say(&failure);
        // A panicking worker would not stop its siblings: the process ends here.
        std::process::exit(failure.code().into());
    }));
    let world = cli::World { env: std::env::vars_os().filter_map(text).collect(), exit: std::process::exit };
    match cli::main(std::env::args_os(), &world) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(&failure);
            ExitCode::from(failure.code())
        }
    }
}

fn say(failure: &Failure) {
    if let Some(line) = failure.line() {
        let _ = writeln!(anstream::stderr(), "{line}"); // without a stderr the exit code has to do
    }
}

/// A variable that is not UTF-8 is none of ours.
fn text((name, value): (std::ffi::OsString, std::ffi::OsString)) -> Option<(String, String)> {
    Some((name.into_string().ok()?, value.into_string().ok()?))
}
