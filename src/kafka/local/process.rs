//! Processes that are not our children: whether one is there, and asking it to end.

use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::process::Command;

/// The command line of a process, or nothing when there is none, or one that has ended and waits to be collected.
pub fn command_line(pid: u32) -> Option<String> {
    if Path::new("/proc/self/cmdline").exists() {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let words: Vec<_> = line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
        return Some(words.join(" ")).filter(|line| !line.trim().is_empty());
    }
    let output = Command::new("ps").args(["-ww", "-o", "args=", "-p", &pid.to_string()]).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned()).filter(|line| !line.is_empty())
}

/// Asks a process to end (SIGTERM).
///
/// # Errors
/// When it is not ours to ask.
pub fn terminate(pid: u32) -> std::io::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(std::io::ErrorKind::NotFound)?;
    Ok(kill_process(pid, Signal::TERM)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_command_line_until_it_ends() {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        // Between fork and exec it still has our own.
        while !command_line(child.id()).is_some_and(|line| line.starts_with("sleep 1000")) {
            std::thread::yield_now();
        }
        terminate(child.id()).unwrap();
        child.wait().unwrap();
        assert_eq!(command_line(child.id()), None);
    }
}
