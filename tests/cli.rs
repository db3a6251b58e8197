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
    // What is indented further goes on with an explanation.
    let entries = list.take_while(|line| line.starts_with("  ")).filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    entries.filter(|name| !name.is_empty()).filter(|name| *name != "help").map(String::from).collect()
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

/// A folder with `sales.ndjson`: five minutes of a small shop.
fn shop() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (code, _, err) = run(dir.path(), &["generate", "--sales", "3000", "--seed", "7", "-o", "sales.ndjson", "-q"]);
    assert_eq!((code, err.as_str()), (0, ""));
    dir
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.collect();
    names.sort();
    names
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn json(path: impl AsRef<Path>) -> serde_json::Value {
    serde_json::from_str(&read(path)).unwrap()
}

#[test]
fn generate_gives_the_same_bytes_for_the_same_seed() {
    let dir = shop();
    let at = |name: &str| dir.path().join(name);
    let args = ["generate", "--sales", "3000", "--seed", "7", "-o", "again.ndjson.gz", "--labels", "labels.ndjson"];
    let (code, out, err) = run(dir.path(), &args);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains(" records in again.ndjson.gz: 3,000 sales, "), "{out}");
    let mut unpacked = String::new();
    let packed = std::fs::File::open(at("again.ndjson.gz")).unwrap();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(packed), &mut unpacked).unwrap();
    assert_eq!(unpacked, read(at("sales.ndjson")));
    assert!(at("labels.ndjson").exists());
    assert_eq!(names(dir.path()), ["again.ndjson.gz", "labels.ndjson", "sales.ndjson"]);

    let (code, out, _) = run(dir.path(), &["generate", "--sales", "3000", "--seed", "8", "-o", "-"]);
    assert_eq!(code, 0);
    assert_ne!(out, unpacked);
}

#[test]
fn generate_says_what_is_wrong() {
    let (code, _, err) = anywhere(&["generate", "--sales", "10", "-o", "x.ndjson", "--sellers", "0"]);
    assert_eq!((code, err.as_str()), (78, "error: --sellers: [generate] sellers: sellers is 0, allowed is 1 to 100000\n"));
    let (code, _, err) = anywhere(&["generate", "--sales", "10", "-o", "none/x.ndjson"]);
    assert_eq!((code, err.as_str()), (74, "error: cannot write none/x.ndjson: No such file or directory (os error 2)\n"));
    let (code, _, err) = anywhere(&["generate", "--sales", "10", "-o", "/dev/full"]);
    assert_eq!((code, err.as_str()), (74, "error: cannot write /dev/full: No space left on device (os error 28)\n"));
    let (code, _, err) = anywhere(&["generate", "--sales", "many", "-o", "x"]);
    assert_eq!(code, 2);
    assert!(err.contains("invalid digit"), "{err}");
}

#[test]
fn replay_writes_each_table_and_a_summary() {
    let dir = shop();
    let (code, out, err) = run(dir.path(), &["replay", "sales.ndjson", "--out", "results"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("\nrecords ") && out.contains("\nworker ") && out.ends_with("\nresults in results\n"), "{out}");
    let results = dir.path().join("results");
    let tables = ["category_features", "dead_letters", "events", "seller_features", "windows"];
    let mut expected: Vec<String> = tables.iter().map(|table| format!("{table}.ndjson")).collect();
    expected.push("summary.json".into());
    expected.sort();
    assert_eq!(names(&results), expected);

    let summary = json(results.join("summary.json"));
    let lines = read(dir.path().join("sales.ndjson")).lines().count() as u64;
    assert_eq!(summary["records"]["read"], lines);
    assert_eq!(summary["records_unaccounted"], 0);
    assert_eq!(summary["epoch_bytes"], 1 << 20);
    assert_eq!(summary["windows"], serde_json::json!(["60s/30s", "15m/1s"]));
    let fates = ["accepted", "duplicate", "too_late", "rejected"].map(|fate| summary["records"][fate].as_u64().unwrap());
    assert_eq!(fates.iter().sum::<u64>(), lines);
    for table in tables {
        let rows = read(results.join(format!("{table}.ndjson"))).lines().count() as u64;
        assert_eq!(summary["rows"][table], rows, "{table}");
    }
    assert_eq!(summary["certificate"].as_str().unwrap().len(), 64);
    assert!(out.contains(summary["certificate"].as_str().unwrap()));
}

#[test]
fn replay_says_the_same_of_compressed_and_piped_sales_on_any_number_of_workers() {
    let dir = shop();
    let sales = read(dir.path().join("sales.ndjson"));
    let mut packed = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, sales.as_bytes()).unwrap();
    std::fs::write(dir.path().join("sales.ndjson.gz"), packed.finish().unwrap()).unwrap();
    let certificate = |args: &[&str], stdin: &str| {
        let output =
            vitrine(dir.path(), args).args(["--json", "--force", "--out", "results"]).write_stdin(stdin).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(summary, json(dir.path().join("results/summary.json")));
        summary["certificate"].as_str().unwrap().to_owned()
    };
    let plain = certificate(&["replay", "sales.ndjson"], "");
    assert_eq!(certificate(&["replay", "sales.ndjson", "-w", "2"], ""), plain);
    assert_eq!(certificate(&["replay", "sales.ndjson.gz", "-w", "2"], ""), plain);
    assert_eq!(certificate(&["replay", "-"], &sales), plain);
    assert_ne!(certificate(&["replay", "sales.ndjson", "--window", "60s/30s"], ""), plain);
}

#[test]
fn replay_keeps_earlier_results_unless_forced() {
    let dir = shop();
    assert_eq!(run(dir.path(), &["replay", "sales.ndjson", "-o", "results", "-q"]), (0, String::new(), String::new()));
    let (code, _, err) = run(dir.path(), &["replay", "sales.ndjson", "-o", "results"]);
    let refusal =
        "error: results holds the results of an earlier run (summary.json): name another --out, or overwrite them with --force\n";
    assert_eq!((code, err.as_str()), (74, refusal));
    assert_eq!(run(dir.path(), &["replay", "sales.ndjson", "-o", "results", "--force", "-q"]).0, 0);
}

#[test]
fn a_replay_that_fails_leaves_nothing_that_looks_whole() {
    let dir = shop();
    let mut packed = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, read(dir.path().join("sales.ndjson")).as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    std::fs::write(dir.path().join("half.ndjson.gz"), &packed[..packed.len() / 2]).unwrap();
    let (code, out, err) = run(dir.path(), &["replay", "half.ndjson.gz", "--out", "results"]);
    assert_eq!((code, out.as_str()), (74, ""));
    assert!(err.starts_with("error: cannot read half.ndjson.gz: ") && err.lines().count() == 1, "{err}");
    assert!(err.ends_with("; the rows so far stay in results as *.partial\n"), "{err}");
    let names = names(&dir.path().join("results"));
    assert!(!names.is_empty() && names.iter().all(|name| name.ends_with(".partial")), "{names:?}");
}

#[test]
fn replay_refuses_what_it_cannot_read_before_it_touches_the_folder() {
    let dir = shop();
    for (input, problem) in [
        ("missing.ndjson", "error: cannot read missing.ndjson: No such file or directory (os error 2)\n"),
        (".", "error: cannot read .: it is a directory; name the files in it\n"),
    ] {
        let (code, out, err) = run(dir.path(), &["replay", "sales.ndjson", input, "--out", "results"]);
        assert_eq!((code, out.as_str(), err.as_str()), (74, "", problem));
    }
    assert_eq!(run(dir.path(), &["replay", "-", "-", "--out", "results"]).0, 2);
    assert_eq!(run(dir.path(), &["replay", "sales.ndjson"]).0, 2);
    let (code, _, err) = run(dir.path(), &["replay", "sales.ndjson", "--out", "results", "--window", "50s/30s"]);
    assert_eq!(code, 78);
    assert!(err.starts_with("error: --window: windows: 50s/30s: the size (50000 ms) must be a multiple"), "{err}");
    let (code, _, err) = run(dir.path(), &["replay", "sales.ndjson", "--out", "results", "-n", "2", "-p", "2"]);
    assert_eq!((code, err.as_str()), (2, "error: -p 2 is none of the 2 processes: they are counted from 0 to 1\n"));
    assert_eq!(names(dir.path()), ["sales.ndjson"]);
    let (code, _, err) = run(dir.path(), &["replay", "sales.ndjson", "--out", "sales.ndjson"]);
    assert_eq!((code, err.as_str()), (74, "error: cannot write sales.ndjson: File exists (os error 17); --out names a folder\n"));
}

/// Two minutes and a half of a lively shop in half a second.
const DEMO: [&str; 5] = ["demo", "--duration", "500ms", "--speed", "300"];

#[test]
fn demo_off_a_terminal_prints_plain_lines_and_a_closing_table() {
    let (code, out, err) = anywhere(&DEMO);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(!out.contains('\x1b'), "no colour and no cursor off a terminal: {out}");
    let (lines, table) = out.split_once("\n\n").unwrap();
    assert!(lines.starts_with("12:00:30  60s/30s  "), "{lines}");
    assert!(lines.lines().count() >= 5, "{lines}");
    assert!(table.contains("certificate  "), "{table}");
    // The pace shows nowhere but in the figures about time.
    let rows = |out: &str| {
        out.lines().filter(|l| l.starts_with("12:") || l.starts_with("certificate")).map(String::from).collect::<Vec<_>>()
    };
    let (_, faster, _) = anywhere(&["demo", "--duration", "250ms", "--speed", "600", "-w", "2"]);
    assert_eq!(rows(&faster), rows(&out));
}

#[test]
fn demo_speaks_json() {
    let (code, out, _) = anywhere(&[&DEMO[..], &["--json"]].concat());
    assert_eq!(code, 0);
    let rows: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (last, rows) = rows.split_last().unwrap();
    assert_eq!(last["summary"]["records_unaccounted"], 0);
    for table in ["windows", "seller_features", "category_features"] {
        let n = rows.iter().filter(|row| row["table"] == table).count();
        assert!(n > 0 && last["summary"]["rows"][table] == n, "{table}: {n}");
    }
}

#[test]
fn demo_wants_sensible_numbers() {
    for args in [["demo", "--duration", "5"], ["demo", "--duration", "0s"], ["demo", "--speed", "0"], ["demo", "--speed", "fast"]]
    {
        assert_eq!(anywhere(&args).0, 2, "{args:?}");
    }
}

#[test]
fn a_demo_piped_into_head_ends_in_peace() {
    use std::io::{BufRead, BufReader};
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("vitrine"));
    let piped = std::process::Stdio::piped;
    let mut child = command.args(["demo", "--duration", "1h", "--speed", "300"]).stdout(piped()).stderr(piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.starts_with("12:00:30  60s/30s  "), "{first}");
    // It would go on for an hour if it did not notice.
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

/// Sends SIGINT, as Ctrl-C does.
fn interrupt(child: &std::process::Child) {
    assert!(std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn ctrl_c_ends_a_demo_with_its_closing_table() {
    use std::io::{BufRead, BufReader, Read};
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("vitrine"));
    let mut child =
        command.args(["demo", "--duration", "1h", "--speed", "300"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    interrupt(&child);
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(rest.contains("certificate  "), "{rest}");
}

#[test]
fn ctrl_c_ends_a_replay_that_waits_for_its_input() {
    use std::process::Stdio;
    let dir = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("vitrine"));
    let child = command.current_dir(dir.path()).args(["replay", "-", "--out", "results", "-v"]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut err = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    // The log says so only after Ctrl-C is listened for.
    while !line.contains("run begins") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut err, &mut line).unwrap() > 0, "the run has begun");
    }
    interrupt(&child);
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut err, &mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let expected = "error: stopped before the end of the input; the rows so far stay in results as *.partial\n";
    assert!(rest.ends_with(expected), "{rest}");
    assert!(names(&dir.path().join("results")).iter().all(|name| name.ends_with(".partial")));
}
