//! The `vitrine` command: parse, run, exit code. The one place that reads the environment and ends the process.

use std::io::Write;
use std::process::ExitCode;
use vitrine::cli::{self, Failure};

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|info| {
        let failure = Failure::Bug(info.to_string().replace('\n', " "));
        let _ = writeln!(anstream::stderr(), "{}", failure.line().unwrap_or_default());
        // A panicking worker would not stop its siblings: the process ends here.
        std::process::exit(failure.code().into());
    }));
    let world = cli::World { env: std::env::vars_os().filter_map(text).collect() };
    match cli::main(std::env::args_os(), &world) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(line) = failure.line() {
                let _ = writeln!(anstream::stderr(), "{line}");
            }
            ExitCode::from(failure.code())
        }
    }
}

/// A variable that is not UTF-8 is none of ours.
fn text((name, value): (std::ffi::OsString, std::ffi::OsString)) -> Option<(String, String)> {
    Some((name.into_string().ok()?, value.into_string().ok()?))
}
