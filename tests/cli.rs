//! The command line as a person meets it: help, exit codes, messages.

use assert_cmd::Command;
use std::path::Path;

/// `vitrine ARGS` in `dir`, without what the machine's environment might say.
fn vitrine(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("vitrine").unwrap();
    command.current_dir(dir).args(args).env_remove("RUST_LOG").env_remove("VITRINE_CONFIG").env("NO_COLOR", "1");
    command
}

/// Exit code, stdout, stderr.
fn run(dir: &Path, args: &[&str]) -> (i32, String, String) {
    let output = vitrine(dir, args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn anywhere(args: &[&str]) -> (i32, String, String) {
    run(tempfile::tempdir().unwrap().path(), args)
}

/// The subcommands that the help of `args` lists, but for `help` itself.
fn subcommands(help: &str) -> Vec<String> {
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = list.take_while(|line| line.starts_with("  ")).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(String::from).collect()
}

#[test]
fn help_at_every_level_explains_and_has_an_example() {
    let (code, top, _) = anywhere(&["--help"]);
    assert_eq!(code, 0);
    assert!(top.contains("Example"), "{top}");
    let words = top.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("74 input or output failed, 78 bad settings."), "{top}");
    let mut levels: Vec<Vec<String>> = subcommands(&top).into_iter().map(|name| vec![name]).collect();
    assert!(!levels.is_empty());
    while let Some(level) = levels.pop() {
        let mut args: Vec<&str> = level.iter().map(String::as_str).collect();
        args.push("--help");
        let (code, help, err) = anywhere(&args);
        assert_eq!((code, err.as_str()), (0, ""), "{level:?}");
        assert!(help.contains("\nExample"), "{level:?} has no example:\n{help}");
        let path = format!("  vitrine {}", level.join(" "));
        assert!(help.contains(&path), "the example of {level:?} does not use it:\n{help}");
        levels.extend(subcommands(&help).into_iter().map(|name| [level.clone(), vec![name]].concat()));
    }
}

#[test]
fn wrong_usage_is_2() {
    assert_eq!(anywhere(&[]).0, 2);
    for (args, hint) in [
        (&["confg"][..], "a similar subcommand exists: 'config'"),
        (&["config", "chek"], "a similar subcommand exists: 'check'"),
        (&["config", "show", "--jsn"], "a similar argument exists: '--json'"),
        (&["config", "show", "--set", "zone"], "write SECTION.KEY=VALUE, for example time.zone=UTC"),
        (&["completions", "fishy"], "a similar value exists: 'fish'"),
        (&["-q", "-v", "config", "show"], "cannot be used with"),
    ] {
        let (code, out, err) = anywhere(args);
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}");
        assert!(err.contains(hint), "{args:?}: {err}");
    }
}

#[test]
fn bad_settings_are_78_and_one_line_each() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("vitrine.toml"), "[time]\nzoen = \"UTC\"\n[replay]\nepoch-byte = 1\n").unwrap();
    let (code, out, err) = run(dir.path(), &["config", "check"]);
    assert_eq!((code, out.as_str()), (78, ""));
    assert_eq!(
        err,
        "error: vitrine.toml:2: unknown key [time] zoen; did you mean [time] zone?\n\
         error: vitrine.toml:4: unknown key [replay] epoch_byte; did you mean [replay] epoch_bytes?\n"
    );
    let (code, _, err) = run(dir.path(), &["config", "check", "-c", "nowhere.toml"]);
    assert_eq!(code, 78);
    assert_eq!(err, "error: cannot read the settings file nowhere.toml: No such file or directory (os error 2)\n");
}

#[test]
fn good_settings_are_0() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(
        run(dir.path(), &["config", "check"]),
        (0, "settings are valid: all defaults; windows 60s/30s, 15m/1s\n".into(), String::new())
    );
    std::fs::write(dir.path().join("other.toml"), "[time]\nzone = \"Europe/London\"\n").unwrap();
    let (code, out, _) = run(dir.path(), &["config", "check", "--config", "other.toml", "--window", "1d/1h", "--json"]);
    assert_eq!(code, 0);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report, serde_json::json!({ "ok": true, "set": 2, "windows": ["1d/1h"] }));
}

#[test]
fn show_tells_where_each_setting_comes_from() {
    let dir = tempfile::tempdir().unwrap();
    let file = "[schema.fields]\nprice = \"unit_value\"\n\n[time]\nzone = \"Europe/London\"\nmax-drift = \"2m\"\n";
    std::fs::write(dir.path().join("vitrine.toml"), file).unwrap();
    let args = ["config", "show", "--window", "15m/1m", "--window", "1d/1h", "--set", "gates.total_sales=9"];
    let output = vitrine(dir.path(), &args).env("VITRINE__TIME__MAX_DRIFT", "90s").output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    let golden = include_str!("golden/config_show.toml");
    assert_eq!(shown, golden, "shown:\n{shown}");

    // What is shown is a settings file.
    std::fs::write(dir.path().join("shown.toml"), &shown).unwrap();
    let (code, again, _) = run(dir.path(), &["config", "show", "--config", "shown.toml"]);
    assert_eq!(code, 0);
    let values =
        |text: &str| -> Vec<String> { text.lines().filter_map(|l| Some(l.split_once("  # ")?.0.trim().into())).collect() };
    assert_eq!(values(&again), values(&shown));
}

#[test]
fn show_speaks_json() {
    let (code, out, _) = anywhere(&["config", "show", "--json", "--set", "time.zone=Asia/Tokyo"]);
    assert_eq!(code, 0);
    let shown: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(shown["settings"]["time"]["zone"], "Asia/Tokyo");
    assert_eq!(shown["settings"]["windows"][1], "15m/1s");
    assert_eq!(shown["from"]["time.zone"], "--set");
    assert_eq!(shown["from"]["schema.limits.price"], "default");
}

#[test]
fn the_environment_is_checked_too() {
    let dir = tempfile::tempdir().unwrap();
    let output = vitrine(dir.path(), &["config", "check"]).env("VITRINE__TIME__ZONNE", "UTC").output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "error: VITRINE__TIME__ZONNE: unknown setting; did you mean VITRINE__TIME__ZONE?\n"
    );
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let (code, out, err) = anywhere(&["completions", shell]);
        assert_eq!((code, err.as_str()), (0, ""), "{shell}");
        assert!(out.contains("vitrine"), "{shell}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    use std::process::Stdio;
    let dir = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("vitrine"));
    let mut child = command
        .current_dir(dir.path())
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn a_full_disk_on_stdout_is_74() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let command =
        std::process::Command::new(assert_cmd::cargo::cargo_bin("vitrine")).args(["config", "show"]).stdout(full).output();
    let output = command.unwrap();
    assert_eq!(output.status.code(), Some(74));
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(err, "error: cannot write to stdout: No space left on device (os error 28)\n");
}
