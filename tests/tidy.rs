//! The rules of the house that no compiler checks: what the core may not touch, and that documents and code name each other.
//!
//! A rule that stands only in a guide is kept until somebody is in a hurry. Each test here says what to do when it fails.

use clap::Parser;
use std::fs::read_to_string;
use std::path::{Path, PathBuf};
use std::process::Command;
use vitrine::cli::Cli;

/// The folder of the workspace.
fn house() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below `folder` of the workspace whose name ends in `ending`, but for what was built; as (path from the
/// workspace, text), in the order of their paths.
fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let (mut found, mut folders) = (vec![], vec![house().join(folder)]);
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        for path in entries.filter(|path| !path.ends_with("target")) {
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                let name = path.strip_prefix(house()).unwrap().to_string_lossy().into_owned();
                found.push((name, String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned()));
            }
        }
    }
    found.sort();
    found
}

fn read(path: &str) -> String {
    read_to_string(house().join(path)).unwrap()
}

/// The code of a line, without what follows `//`.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

/// Whether `word` stands in `text` with nothing that belongs to a name before or behind it.
fn names(text: &str, word: &str) -> bool {
    let part_of_name = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(word).any(|(at, _)| {
        let (before, behind) = (&text[..at], &text[at + word.len()..]);
        !part_of_name(before.chars().next_back()) && !part_of_name(behind.chars().next())
    })
}

/// Places in `folder` whose code has one of `words`, as `path:line: word`.
fn places(folder: &str, words: &[&str]) -> Vec<String> {
    let mut found = vec![];
    for (path, text) in files(folder, ".rs") {
        for (i, line) in text.lines().enumerate() {
            let named = words.iter().filter(|word| names(code(line), word));
            found.extend(named.map(|word| format!("{path}:{}: {word}", i + 1)));
        }
    }
    found
}

/// `dataflows` is a function from bytes and times to rows. A dependency or a call that reads the world would make two runs on
/// the same input differ, and no test of rows would find it before a user does. Bring such things in through the shell.
#[test]
fn the_core_touches_nothing_of_the_world() {
    let tree = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
        .args(["tree", "-p", "dataflows", "-e", "normal", "--prefix", "none", "--locked", "--offline"])
        .current_dir(house())
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    let packages: Vec<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(packages.contains(&"timely"), "cargo tree says something else than it did:\n{tree}");
    for outside in ["rdkafka", "rdkafka-sys", "tokio", "mio", "hyper", "rand", "getrandom", "ctrlc", "clap", "vitrine"] {
        assert!(!packages.contains(&outside), "dataflows depends on {outside}");
    }
    let world =
        ["std::fs", "std::env", "std::net", "std::process", "std::thread", "Instant", "SystemTime", "Utc::now", "Local::now"];
    let loud = ["println!", "eprintln!", "print!", "eprint!"];
    let mut named = places("dataflows/src", &[&world[..], &loud[..]].concat());
    // The delays that tests throw in: they sleep, and know nothing of what time it is.
    named.retain(|place| !(place.starts_with("dataflows/src/fault.rs:") && place.ends_with(" std::thread")));
    assert_eq!(named, [""; 0], "the core names the world");
}

/// The Kafka client is met in the Kafka folders only, so that the rest builds and is tested without it.
#[test]
fn only_the_kafka_folders_know_the_kafka_client() {
    let strangers = ["src", "dataflows/src", "experiments/src"].map(|folder| places(folder, &["rdkafka"])).concat();
    let strangers: Vec<&String> = strangers.iter().filter(|place| !place.contains("/kafka/")).collect();
    assert_eq!(strangers, [""; 0]);
}

/// Bytes are taken for structs in one module, which is small enough to be read by whoever doubts it.
#[test]
fn only_one_module_knows_abomonation() {
    let all = ["src", "dataflows/src", "experiments/src"].map(|folder| places(folder, &["abomonation", "Abomonation"])).concat();
    let (known, strangers): (Vec<String>, Vec<String>) =
        all.into_iter().partition(|place| place.starts_with("src/cache/image.rs:"));
    assert!(!known.is_empty(), "the search finds it");
    assert_eq!(strangers, [""; 0]);
    let manifests = [read("Cargo.toml"), read("dataflows/Cargo.toml"), read("experiments/Cargo.toml")];
    assert_eq!(manifests.iter().filter(|manifest| manifest.contains("abomonation")).count(), 1);
}

/// The first line of a file says what it is for.
#[test]
fn every_module_begins_with_its_doc() {
    let all = ["src", "tests", "dataflows", "experiments"].map(|folder| files(folder, ".rs")).concat();
    assert!(all.len() > 100, "the search finds the sources");
    let bare: Vec<String> = all.into_iter().filter(|(_, text)| !text.starts_with("//! ")).map(|(path, _)| path).collect();
    assert_eq!(bare, [""; 0], "begin the file with //! and why it is there");
}

/// A note to oneself is an issue, not a line of code.
#[test]
fn nothing_is_left_to_do_in_the_sources() {
    for folder in ["src", "dataflows/src", "experiments/src"] {
        for (path, text) in files(folder, ".rs") {
            for (i, line) in text.lines().enumerate() {
                let left = ["TODO", "FIXME", "XXX"].into_iter().find(|word| names(line, word));
                assert_eq!(left, None, "{path}:{}: file an issue instead", i + 1);
            }
        }
    }
}

/// What a program of `experiments` is for: an answer without its question, its method and the command that gives it again is a
/// rumour. Programs that make files instead of answers say how to run them.
#[test]
fn every_experiment_says_what_it_asks_how_and_by_which_command() {
    const MAKERS: [&str; 3] = ["make_catalog", "make_sales", "results_table"];
    for (path, text) in files("experiments/src/bin", ".rs") {
        let name = Path::new(&path).file_stem().unwrap().to_string_lossy().into_owned();
        let doc: String = text.lines().take_while(|line| line.starts_with("//!")).collect::<Vec<_>>().join("\n");
        assert!(names(&doc, &format!("--bin {name}")), "{path}: its doc has no command that runs it");
        if !MAKERS.contains(&name.as_str()) {
            assert!(doc.contains('?'), "{path}: its doc asks no question");
            assert!(doc.to_lowercase().contains("method"), "{path}: its doc says nothing of its method");
        }
    }
}

/// A program that a document tells to run.
fn bins(text: &str) -> Vec<&str> {
    let behind = text.split("--bin ").skip(1);
    behind.filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()).collect()
}

#[test]
fn each_program_of_the_experiments_is_in_their_table() {
    let table = read("experiments/README.md");
    for (path, _) in files("experiments/src/bin", ".rs") {
        let name = path.rsplit('/').next().and_then(|file| file.strip_suffix(".rs")).expect("a program");
        assert!(table.contains(&format!("| `{name}` |")), "experiments/README.md has no line for {name}");
    }
}

#[test]
fn programs_that_documents_name_exist() {
    for document in [".justfile", "README.md", "ARCHITECTURE.md", "data/README.md", "experiments/README.md"] {
        for bin in bins(&read(document)) {
            let path = format!("experiments/src/bin/{bin}.rs");
            assert!(house().join(&path).is_file(), "{document} names {path}, which does not exist");
        }
    }
}

/// Lines inside the fences of a document, with continued lines joined.
fn fenced(text: &str) -> Vec<String> {
    let blocks = text.split("\n```").skip(1).step_by(2).map(|block| block.split_once('\n').map_or("", |x| x.1));
    blocks.flat_map(|block| block.replace("\\\n", " ").lines().map(String::from).collect::<Vec<_>>()).collect()
}

/// The commands of this program in a document, each as its arguments. A pipe, a redirection or a comment ends one.
fn commands(text: &str) -> Vec<Vec<String>> {
    const STARTS: [&str; 3] = ["vitrine ", "target/release/vitrine ", "cargo run --release -- "];
    let ends = |word: &str| ["|", ">", "<", "&", "#"].iter().any(|end| word.starts_with(end));
    let arguments = |line: &String| {
        let line = line.trim().trim_start_matches("$ ");
        let rest = STARTS.iter().find_map(|start| line.strip_prefix(start))?;
        let words = rest.split_whitespace().take_while(|word| !ends(word));
        Some(words.map(|word| word.trim_matches(['\'', '"']).to_owned()).collect())
    };
    fenced(text).iter().filter_map(arguments).collect()
}

/// A command that a reader copies is one that the program takes. Shell quotes around single words are as far as this goes.
#[test]
fn commands_of_the_documents_are_commands() {
    let mut seen = 0;
    for document in ["README.md", "ARCHITECTURE.md", "data/README.md"] {
        for command in commands(&read(document)) {
            let parsed = Cli::try_parse_from([&["vitrine".to_owned()], &command[..]].concat());
            let refused = parsed.err().filter(|e| e.exit_code() != 0).map(|e| e.to_string());
            assert_eq!(refused, None, "{document}: vitrine {}", command.join(" "));
            seen += 1;
        }
    }
    assert!(seen >= 3, "the search finds the commands of the README");
}

/// The two commands that need no other.
#[test]
fn the_readme_shows_and_tests_with_one_command_each() {
    let lines = fenced(&read("README.md"));
    for command in ["cargo run --release -- demo", "cargo test"] {
        assert!(lines.iter().any(|line| line.trim() == command), "README.md has no line `{command}`");
    }
}

/// Modules of a crate root as they are declared.
fn declared(root: &str) -> Vec<String> {
    let module = |line: &str| Some(line.strip_prefix("pub mod ")?.strip_suffix(';')?.to_owned());
    root.lines().filter_map(module).collect()
}

/// The table in the doc of a crate root is the order in which to read its modules, and they are declared in it.
#[test]
fn crate_roots_list_their_modules_in_the_order_of_the_flow() {
    for path in ["src/lib.rs", "dataflows/src/lib.rs"] {
        let root = read(path);
        let rows = root.lines().filter(|line| line.starts_with("//! | ["));
        let cells: String = rows.filter_map(|row| row.split('|').nth(1)).collect();
        let listed: Vec<&str> = cells.split("[`").skip(1).filter_map(|rest| rest.split('`').next()).collect();
        assert_eq!(listed, declared(&root), "{path}: the table and the declarations differ");
    }
}

/// The files that a document names in backquotes: those that end like a source and have a folder.
fn sources(text: &str) -> Vec<PathBuf> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter(|word| word.ends_with(".rs") && word.contains('/') && !word.contains(' ')).map(PathBuf::from).collect()
}

/// The code map names what is there: no file that has gone, and every module of the two crates.
#[test]
fn the_code_map_is_of_this_code() {
    let map = read("ARCHITECTURE.md");
    for path in sources(&map) {
        assert!(house().join(&path).is_file(), "ARCHITECTURE.md names {}, which does not exist", path.display());
    }
    for root in ["src/lib.rs", "dataflows/src/lib.rs"] {
        let folder = root.trim_end_matches("lib.rs");
        for module in declared(&read(root)) {
            let path = format!("{folder}{module}.rs");
            assert!(map.contains(&format!("`{path}`")), "ARCHITECTURE.md says nothing of `{path}`");
        }
    }
}

/// Each ban of a function says what to use instead.
#[test]
fn bans_have_reasons() {
    let clippy: toml::Table = read(".clippy.toml").parse().unwrap();
    for ban in clippy["disallowed-methods"].as_array().unwrap() {
        assert!(ban.get("reason").is_some(), "{ban} in .clippy.toml has no reason");
    }
}

/// The certificates that tests compare with: 64 hex digits in a line, or a file, that speaks of a certificate.
fn committed_certificates() -> Vec<(String, String)> {
    let mut found = vec![];
    for (path, text) in ["tests", "dataflows/tests", "data/samples"].map(|folder| files(folder, "")).concat() {
        for line in text.lines().filter(|line| format!("{path} {line}").to_lowercase().contains("certificate")) {
            let words = line.split(|c: char| !c.is_ascii_alphanumeric());
            let hashes = words.filter(|word| word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit()));
            found.extend(hashes.map(|hash| (path.clone(), hash.to_owned())));
        }
    }
    found
}

/// A certificate that moves means that the program says something else about the same sales: users must be told.
#[test]
fn the_changelog_names_every_committed_certificate() {
    let changelog = read("CHANGELOG.md");
    for (path, certificate) in committed_certificates() {
        assert!(changelog.contains(&certificate), "CHANGELOG.md has no line on the certificate {certificate} of {path}");
    }
}
