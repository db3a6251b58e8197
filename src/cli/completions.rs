//! `completions SHELL`.

use super::{Failure, print};
use clap::Args;
use clap_complete::Shell;

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
#[command(after_help = "Example:\n  vitrine completions bash > ~/.local/share/bash-completion/completions/vitrine")]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Runs it.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn run(&self, command: &mut clap::Command) -> Result<(), Failure> {
        let mut script = vec![];
        clap_complete::generate(self.shell, command, "vitrine", &mut script);
        print(&String::from_utf8_lossy(&script))
    }
}
