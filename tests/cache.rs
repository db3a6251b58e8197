//! The replay cache, through the command as a user runs it: the same bytes with it and without, whatever is wrong with it.
//!
//! The inputs have what a cache could lose: late sales, cancellations, records that are refused or too late (whose bytes a dead
//! letter carries), a mark of the byte order, quoted line ends in CSV, and packed files.

use crate::invariance::{files, same};
use assert_cmd::cargo::cargo_bin;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;
use vitrine::generate::{self, Incidents, Settings};

type Files = BTreeMap<String, Vec<u8>>;

/// Lines of generated sales, and two records that are too late for every window.
fn lines(seed: u64, sales: u64) -> Vec<u8> {
    let settings = Settings { seed, sales: Some(sales), rate: 600.0, incidents: Incidents::Off, ..Settings::default() };
    let mut lines = vec![];
    generate::write(settings, &mut lines, generate::Beside::default(), |_| ()).unwrap();
    let sale = |line: &str| serde_json::from_str(line).ok().filter(|v: &serde_json::Value| v["op"] == "sale");
    let text = String::from_utf8_lossy(&lines).into_owned();
    let mut late = text.lines().find_map(sale).unwrap();
    late["sale_date"] = "2001-02-03T04:05:06Z".into();
    for id in ["late-1", "late-2"] {
        late["id_sale"] = id.into();
        writeln!(lines, "{late}").unwrap();
    }
    lines
}

/// The valid ones of some lines as CSV, with quoted line ends; and records that are none.
fn table(lines: &[u8]) -> Vec<u8> {
    const COLUMNS: [&str; 9] =
        ["op", "id_sale", "id_product", "nm_product", "seller", "price", "quantity", "tp_payment", "sale_date"];
    let mut table = format!("\u{FEFF}{}\n", COLUMNS.join(","));
    for (i, line) in String::from_utf8_lossy(lines).lines().enumerate() {
        let Ok(serde_json::Value::Object(sale)) = serde_json::from_str(line) else { continue };
        let cell = |name: &&str| match sale.get(*name) {
            Some(serde_json::Value::String(text)) if *name == "nm_product" => format!("\"{text}\n{i}\""),
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            None => String::new(),
        };
        table += &(COLUMNS.iter().map(cell).collect::<Vec<_>>().join(",") + "\n");
        if i % 100 == 7 {
            table += "sale,too,few\n";
        }
    }
    (table + "sale,\"this quote is never closed").into_bytes()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// A folder with inputs, caches and results.
struct Place {
    dir: TempDir,
    runs: std::cell::Cell<usize>,
}

impl Place {
    fn new() -> Place {
        Place { dir: tempfile::tempdir().unwrap(), runs: Default::default() }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn caches(&self) -> PathBuf {
        self.dir.path().join("caches")
    }

    /// `vitrine replay INPUTS ARGS` into a folder of its own.
    fn command(&self, inputs: &[PathBuf], args: &str) -> (Command, PathBuf) {
        self.runs.set(self.runs.get() + 1);
        let out = self.dir.path().join(format!("out{}", self.runs.get()));
        let mut command = Command::new(cargo_bin("vitrine"));
        command.args(["replay", "-v", "--out"]).arg(&out).args(inputs);
        command.args(args.replace("CACHES", self.caches().to_str().unwrap()).split_whitespace());
        command.env("VITRINE__REPLAY__EPOCH_BYTES", "16384").env("NO_COLOR", "1").env_remove("RUST_LOG");
        command.current_dir(self.dir.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        (command, out)
    }

    /// What it wrote, and what it said on stderr.
    fn run(&self, inputs: &[PathBuf], args: &str) -> (Files, String) {
        let (mut command, out) = self.command(inputs, args);
        let said = ended(command.output().unwrap());
        (files(&out), said)
    }

    /// The caches there are.
    fn kept(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.caches()).into_iter().flatten();
        let mut kept: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).collect();
        kept.sort();
        kept
    }
}

fn ended(output: Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

fn summary(files: &Files) -> serde_json::Value {
    serde_json::from_slice(&files["summary.json"]).unwrap()
}

#[test]
fn what_was_decoded_before_gives_the_same_bytes() {
    let place = Place::new();
    let plain = lines(5, 3_000);
    let inputs = [
        place.write("a.ndjson", &[b"\xEF\xBB\xBF", &plain[..]].concat()),
        place.write("b.ndjson.gz", &gzip(&lines(6, 2_000))),
        place.write("c.csv", &table(&lines(7, 1_500))),
        place.write("d.csv.gz", &gzip(&table(&lines(8, 500)))),
        place.write("empty.ndjson", b""),
    ];
    let scores = " --set features.all=true --set scores.enabled=true";
    for settings in ["", " --set ingest.deduplicate=1h --set replay.epoch_bytes=100000", scores] {
        let (expected, _) = place.run(&inputs, &format!("-w 1{settings}"));
        let count = |what: &str| summary(&expected)["records"][what].as_u64().unwrap();
        assert!(count("too_late") >= 6 && count("rejected") > 20, "{}", summary(&expected));
        let letters = String::from_utf8_lossy(&expected["dead_letters.ndjson"]).into_owned();
        assert!(letters.contains("bad_csv") && letters.contains("too_late"), "{letters}");

        let (written, said) = place.run(&inputs, &format!("-w 3 --cache=CACHES{settings}"));
        same(&expected, &written, "while the cache is written");
        assert!(!said.contains("decoded already"), "{said}");
        assert_eq!(place.kept().len(), inputs.len());
        for workers in [1, 2, 4] {
            let (read, said) = place.run(&inputs, &format!("-w {workers} --cache=CACHES{settings}"));
            assert_eq!(said.matches("is decoded already").count(), inputs.len(), "{said}");
            same(&expected, &read, &format!("from the cache, on {workers} workers"));
        }
        // What rows are computed does not matter to it.
        let (other, said) = place.run(&inputs, &format!("--window 5m/1m --cache=CACHES{settings}"));
        assert!(said.contains("is decoded already"), "{said}");
        same(&place.run(&inputs, &format!("--window 5m/1m{settings}")).0, &other, "other windows");
    }
}

#[test]
fn a_cache_that_is_not_as_it_should_be_is_rebuilt() {
    let place = Place::new();
    let [a, b] = [place.write("a.ndjson", &lines(9, 600)), place.write("b.ndjson", &lines(10, 400))];
    let (expected, said) = place.run(std::slice::from_ref(&a), "--cache=CACHES");
    assert!(!said.contains("rebuilt"), "{said}");
    let cache = place.kept().remove(0);
    place.run(std::slice::from_ref(&b), "--cache=CACHES");
    let other = place.kept().into_iter().find(|path| *path != cache).unwrap();
    let whole = std::fs::read(&cache).unwrap();
    let changed = |at: usize, bit: u8| {
        let mut bytes = whole.clone();
        bytes[at] ^= bit;
        bytes
    };
    let end = whole.len() - 1;
    for (bytes, why) in [
        (whole[..end].to_vec(), "it was cut short or went on"),
        (whole[..whole.len() / 2].to_vec(), "it was cut short"),
        (whole[..50].to_vec(), "it was cut short: 50 bytes"),
        (vec![], "it was cut short: 0 bytes"),
        (changed(whole.len() / 3, 8), "its checksum is another one"),
        (changed(end, 1), "its checksum is another one"),
        (changed(40, 1), "its head is damaged"),
        (changed(3, 1), "it is something else"),
        (changed(16, 6), "it is written in version 7, and this program reads version 1"),
        (b"seller,price\nanna,1.00\n".repeat(9), "it is something else"),
        (std::fs::read(&other).unwrap(), "it is of another file"),
    ] {
        std::fs::remove_file(&cache).unwrap();
        std::fs::write(&cache, &bytes).unwrap();
        let (files, said) = place.run(std::slice::from_ref(&a), "--cache=CACHES");
        assert!(said.contains(&format!("is rebuilt: {why}")), "{why}: {said}");
        same(&expected, &files, why);
        assert!(std::fs::read(&cache).unwrap() == whole, "{why}: with one worker the cache is the same again");
    }
    // Not the cache, but what it was made of or how.
    for (args, why) in [
        ("--set replay.epoch_bytes=5000", "it was cut into epochs of 16384 bytes"),
        ("--set schema.limits.quantity=[1,2]", "other settings decoded it"),
    ] {
        let (read, said) = place.run(std::slice::from_ref(&a), &format!("--cache=CACHES {args}"));
        assert!(said.contains(&format!("is rebuilt: {why}")), "{why}: {said}");
        same(&place.run(std::slice::from_ref(&a), args).0, &read, why);
    }
    place.run(std::slice::from_ref(&a), "--cache=CACHES");
    std::fs::File::options().append(true).open(&a).unwrap().write_all(&lines(11, 50)).unwrap();
    let (read, said) = place.run(std::slice::from_ref(&a), "--cache=CACHES");
    assert!(said.contains("is rebuilt: the file has changed"), "{said}");
    same(&place.run(std::slice::from_ref(&a), "").0, &read, "a longer file");
}

#[test]
fn replays_at_the_same_time_do_not_disturb_each_other() {
    let place = Place::new();
    let input = [place.write("a.ndjson", &lines(12, 1_500))];
    let (expected, _) = place.run(&input, "");
    // What a killed run left is in nobody's way.
    std::fs::create_dir(place.caches()).unwrap();
    for _ in 0..2 {
        let started: Vec<_> = (0..4)
            .map(|_| {
                let (mut command, out) = place.command(&input, "-w 2 --cache=CACHES");
                (command.spawn().unwrap(), out)
            })
            .collect();
        for (child, out) in started {
            ended(child.wait_with_output().unwrap());
            same(&expected, &files(&out), "one of four");
        }
        let kept = place.kept();
        assert!(kept.len() == 1 && kept[0].to_string_lossy().ends_with(".sales"), "{kept:?}");
        let (read, said) = place.run(&input, "--cache=CACHES");
        assert!(said.contains("is decoded already"), "{said}");
        same(&expected, &read, "afterwards");
        // Again, with what a run leaves that was killed while it wrote, and something else in the place of the cache.
        std::fs::write(kept[0].with_added_extension("partial"), "half").unwrap();
        std::fs::remove_file(&kept[0]).unwrap();
        std::fs::write(&kept[0], "something else").unwrap();
    }
}

#[test]
fn without_room_for_a_cache_the_replay_goes_on() {
    let place = Place::new();
    let input = place.write("a.ndjson", &lines(13, 4_000));
    let args = "--window 30m/30m --set features.enabled=false --set events.enabled=false";
    let (expected, _) = place.run(std::slice::from_ref(&input), args);
    let out = place.dir.path().join("full");
    // No file may be longer than 64 KiB: the results are shorter, and the cache is not.
    let script = format!(
        "trap '' XFSZ; ulimit -f 128; exec {} replay {} --out {} --cache={} {args}",
        cargo_bin("vitrine").display(),
        input.display(),
        out.display(),
        place.caches().display()
    );
    let mut command = Command::new("bash");
    command.args(["-c", &script]).env("VITRINE__REPLAY__EPOCH_BYTES", "16384").current_dir(place.dir.path());
    let said = ended(command.output().unwrap());
    assert!(said.contains("no cache of") && said.contains("was written: File too large"), "{said}");
    same(&expected, &files(&out), "no room");
    assert_eq!(place.kept(), [""; 0].map(PathBuf::from), "nothing is left of it");
    // Nor where there is no folder for it.
    place.write("file", b"");
    let (read, said) = place.run(std::slice::from_ref(&input), &format!("--cache=file/caches {args}"));
    assert!(said.contains("can be written in file/caches"), "{said}");
    same(&expected, &read, "no folder");
}

#[test]
fn only_files_of_one_process_have_caches() {
    let place = Place::new();
    let input = place.write("a.ndjson", &lines(14, 100));
    let (mut command, out) = place.command(&["-".into()], "--cache=CACHES");
    let said = ended(command.stdin(std::fs::File::open(&input).unwrap()).output().unwrap());
    assert!(said.contains("no cache of -: only files have one"), "{said}");
    assert_eq!(place.kept(), [""; 0].map(PathBuf::from));
    assert_eq!(summary(&files(&out))["records_unaccounted"], 0);
    let (mut command, _) = place.command(&[input], "--cache -n 2 -p 0");
    assert_eq!(command.output().unwrap().status.code(), Some(2));
}

#[test]
fn the_usual_place_is_the_users_folder_for_caches() {
    let place = Place::new();
    let input = [place.write("a.ndjson", &lines(15, 100))];
    for (name, folder) in [("XDG_CACHE_HOME", "xdg/vitrine"), ("HOME", "home/.cache/vitrine")] {
        let (mut command, _) = place.command(&input, "--cache");
        command.env_remove("XDG_CACHE_HOME").env(name, place.dir.path().join(folder.split('/').next().unwrap()));
        ended(command.output().unwrap());
        assert_eq!(std::fs::read_dir(place.dir.path().join(folder)).unwrap().count(), 1, "{name}");
    }
    let (mut command, _) = place.command(&input, "--cache");
    let output = command.env_remove("XDG_CACHE_HOME").env_remove("HOME").output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("name one: --cache=DIR"));
    assert_eq!(output.status.code(), Some(2));
}
