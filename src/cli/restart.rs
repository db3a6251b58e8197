//! `run --restart N`: a run that dies is started again from its checkpoint, by a process that does nothing else.
//!
//! A worker that panics, a process of the cluster that dies, or a broker that stays away ends a run at once; what it had done is
//! in its state. So the cure is to start it again, after a pause that doubles while it keeps failing. What would fail again the
//! same way (wrong settings, a full disk, another run that has taken over) is not tried again.

use super::{Failure, World};
use crate::error::Error;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::{Duration, Instant};

/// The pause before the first restart, and the longest one.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A run that lasted so long was well: the next failure is the first again.
const WELL: Duration = Duration::from_secs(300);

/// Runs `args` again and again, until it ends well, is stopped, or has failed more than `most` times in a row.
///
/// # Errors
/// How it ended the last time.
pub fn restart(most: u32, args: &[OsString], world: &World) -> Result<(), Failure> {
    let (child, stopping) = (Arc::new(AtomicI32::new(0)), Arc::new(AtomicBool::new(false)));
    let (to, stopped) = (child.clone(), stopping.clone());
    ctrlc::set_handler(move || {
        stopped.store(true, Ordering::SeqCst);
        pass_on(&to);
    })
    .map_err(|e| Failure::Io(format!("cannot listen for Ctrl-C: {e}")))?;
    let program = std::env::current_exe().map_err(|e| Failure::Io(format!("cannot find this program: {e}")))?;
    let (mut failed, mut pause) = (0, PAUSE.0);
    loop {
        let began = Instant::now();
        // In a group of its own: Ctrl-C reaches it once, through us.
        let mut command = Command::new(&program);
        command.args(args).env_clear().envs(world.env.iter().map(|(name, value)| (name, value))).process_group(0);
        let mut run = command.spawn().map_err(|e| Failure::Io(format!("cannot start {}: {e}", program.display())))?;
        child.store(i32::try_from(run.id()).unwrap_or(0), Ordering::SeqCst);
        if stopping.load(Ordering::SeqCst) {
            pass_on(&child);
        }
        let status = run.wait().map_err(|e| Failure::Io(format!("cannot wait for the run: {e}")))?;
        child.store(0, Ordering::SeqCst);
        if status.success() || stopping.load(Ordering::SeqCst) || !may_help(status) {
            return ended(status);
        }
        if began.elapsed() >= WELL {
            (failed, pause) = (0, PAUSE.0);
        }
        failed += 1;
        if failed > most {
            tracing::error!("the run has failed {failed} times in a row; it is not started again");
            return ended(status);
        }
        tracing::warn!(restart = failed, of = most, ?pause, "the run has ended ({status}); it goes on from its checkpoint");
        sleep(pause, &stopping);
        if stopping.load(Ordering::SeqCst) {
            return Err(Failure::Stopped);
        }
        pause = (pause * 2).min(PAUSE.1);
    }
}

/// Asks the run to stop, if there is one.
fn pass_on(child: &AtomicI32) {
    if let Some(pid) = Pid::from_raw(child.load(Ordering::SeqCst)) {
        let _ = kill_process(pid, Signal::TERM); // it may be gone already
    }
}

fn sleep(pause: Duration, stopping: &AtomicBool) {
    let until = Instant::now() + pause;
    while Instant::now() < until && !stopping.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Whether the same command may do better: a service was away, a bug, a death.
fn may_help(status: ExitStatus) -> bool {
    status.code().is_none_or(|code| matches!(code, 69 | 70))
}

/// The run has said why it ended; its exit code is ours.
fn ended(status: ExitStatus) -> Result<(), Failure> {
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) => Err(Failure::Said(u8::try_from(code).unwrap_or(1))),
        (None, signal) => {
            let signal = signal.map_or("a signal".into(), |signal| format!("signal {signal}"));
            Err(Error::Unavailable(format!("the run was ended by {signal}")).into())
        }
    }
}

/// The arguments without those that ask for restarts.
pub fn without(args: &[OsString]) -> Vec<OsString> {
    let mut rest = args.iter();
    let mut kept = vec![];
    while let Some(arg) = rest.next() {
        match arg.to_str() {
            Some("--restart") => drop(rest.next()),
            Some(text) if text.starts_with("--restart=") => {}
            _ => kept.push(arg.clone()),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_child_gets_the_same_arguments_but_for_the_restarts() {
        let args = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert_eq!(without(&args("run --state s --restart 3 -w 2")), args("run --state s -w 2"));
        assert_eq!(without(&args("run --restart=3 --state s")), args("run --state s"));
    }

    #[test]
    fn what_would_fail_again_is_not_tried_again() {
        let code = |n: i32| ExitStatus::from_raw(n << 8);
        assert!(may_help(code(69)) && may_help(code(70)) && may_help(ExitStatus::from_raw(9)));
        assert!(!may_help(code(74)) && !may_help(code(78)) && !may_help(code(2)));
    }
}
