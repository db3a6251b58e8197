//! What the README shows is what the program says: its console blocks are run, and their output compared.
//!
//! In a block fenced as `console`, a line that begins with `$ ` is a command, and what follows up to the next one is its output.
//! All run in one folder, in the order of the README. Blocks fenced as `console kafka` need a Kafka of their own, which `vitrine kafka
//! up` starts on a free port; where none can be had they are left as they are. After a change that is meant, rewrite the outputs with
//! `VITRINE_BLESS=1 cargo test readme` and judge the difference.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

fn readme() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")
}

/// What a shell prints for `command` in `folder`, with this build of the program in its path.
fn output(command: &str, folder: &Path, with_kafka: bool) -> String {
    let program = assert_cmd::cargo::cargo_bin("vitrine");
    let mut path = program.parent().unwrap().as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{command} 2>&1")]).current_dir(folder).env("PATH", path).env("NO_COLOR", "1");
    // A Kafka of its own, on a port that nobody has.
    static PORT: LazyLock<u16> = LazyLock::new(|| TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port());
    if with_kafka {
        shell.env("XDG_STATE_HOME", folder).env("VITRINE__KAFKA__BROKERS", format!("127.0.0.1:{}", *PORT));
    }
    let output = shell.env_remove("RUST_LOG").env_remove("VITRINE_CONFIG").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Whether the blocks that need a Kafka can be run here.
fn kafka() -> bool {
    #[cfg(feature = "kafka")]
    return crate::kafka::broker::available();
    #[cfg(not(feature = "kafka"))]
    false
}

/// What is said now, with the lines as they are shown that need not be the same twice: how long it took, what each worker did (a
/// number, records, keys), and where the Kafka of this machine is.
fn settled(now: &str, shown: &str) -> String {
    let took = |line: &&str| line.contains(" records ") && line.ends_with(" a second");
    let place = |line: &&str| line.contains(" (process ") || line.starts_with("  folder ");
    let worker = |line: &&str| !line.is_empty() && line.chars().all(|c| c.is_ascii_digit() || " ,".contains(c));
    let free = |line: &&str| took(line) || worker(line) || place(line);
    let first = |line: &str| line.split_whitespace().next().map(String::from);
    let line = |line: &str| match shown.lines().filter(free).find(|old| first(old) == first(line)) {
        Some(old) if free(&line) => format!("{old}\n"),
        _ => format!("{line}\n"),
    };
    now.lines().map(line).collect()
}

/// The README with every output as the program gives it.
fn told_again(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut told = String::new();
    let mut rest = text;
    while let Some((before, block)) = rest.split_once("```console") {
        let (kind, block) = block.split_once('\n').expect("a fence ends its line");
        let (block, after) = block.split_once("```\n").expect("a fence is closed");
        told.push_str(&format!("{before}```console{kind}\n"));
        if kind == " kafka" && !kafka() {
            told.push_str(block);
        } else {
            let block = format!("\n{block}");
            for part in block.trim_end().split("\n$ ").skip(1) {
                let (command, shown) = part.split_once('\n').unwrap_or((part, ""));
                let now = settled(&output(command, folder.path(), kind == " kafka"), shown);
                told.push_str(&format!("$ {command}\n{now}"));
            }
        }
        told.push_str("```\n");
        rest = after;
    }
    if kafka() {
        output("vitrine kafka down", folder.path(), true); // whatever the README says of it
    }
    told + rest
}

#[test]
fn the_readme_shows_what_the_program_says() {
    let text = std::fs::read_to_string(readme()).unwrap();
    let told = told_again(&text);
    if told != text && std::env::var_os("VITRINE_BLESS").is_some() {
        return std::fs::write(readme(), told).unwrap();
    }
    let differs = text.lines().zip(told.lines()).find(|(shown, said)| shown != said);
    assert_eq!(differs, None, "README.md shows the first, the program says the second; see tests/readme.rs");
    assert_eq!(told, text);
}

/// Settings that a reader copies are settings that the program takes.
#[test]
fn the_settings_of_the_readme_are_valid() {
    let text = std::fs::read_to_string(readme()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for block in text.split("```toml\n").skip(1) {
        std::fs::write(folder.path().join("vitrine.toml"), block.split("```").next().unwrap()).unwrap();
        let said = output("vitrine config check", folder.path(), false);
        assert!(said.starts_with("settings are valid: 4 settings given"), "{said}");
    }
}
