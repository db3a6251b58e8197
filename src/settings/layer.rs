//! Settings as layers of leaves, each of which knows where it was written.
//!
//! The embedded `default.toml` is both the lowest layer and the list of what may be set, so that a key exists in one place.
//! Higher layers replace whole leaves. The result is one text of TOML ([`Effective::text`]): it is what `config show` prints
//! and what is then parsed, so a value that does not parse is traced back from its place in that text to the file and line,
//! variable or flag that gave it.

use super::secret::Secret;
use super::{Error, Problem};
use dataflows::schema::FIELDS;
use std::fmt;
use std::path::{Path, PathBuf};
use toml::Value;
use toml::de::{DeTable, DeValue};

/// All defaults, commented.
pub const DEFAULTS: &str = include_str!("default.toml");

/// Variables that start so are settings.
pub const ENV_PREFIX: &str = "VITRINE__";

/// Settings that must not be seen. They are taken from the environment only, and kept apart from all the others.
pub const SECRETS: [&str; 4] =
    ["kafka.password", "kafka.key_password", "kafka.oauth_client_secret", "sinks.webhook.authorization"];

/// Options of the Kafka client, whose names have dots in them.
const PROPERTIES: &str = "kafka.properties";

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the embedded defaults.
    Default,
    /// In a file, at a line counted from 1.
    File {
        /// The file as it was named.
        path: PathBuf,
        /// The line of the key.
        line: usize,
    },
    /// In a variable of the environment.
    Env(String),
    /// In a flag of the command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Env(name) | Origin::Flag(name) => f.write_str(name),
        }
    }
}

/// One setting: its dotted path, its value, and who gave it.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// `time.zone`; `windows` stands in no section.
    pub path: String,
    /// As written.
    pub value: Value,
    /// Where.
    pub origin: Origin,
}

/// The settings in force, in the order of `default.toml`.
#[derive(Clone, Debug)]
pub struct Effective {
    leaves: Vec<Leaf>,
    secrets: Vec<(&'static str, Secret)>,
}

/// Section and key of a path.
pub fn split(path: &str) -> (&str, &str) {
    match path.strip_prefix(PROPERTIES).and_then(|rest| rest.strip_prefix('.')) {
        Some(name) => (PROPERTIES, name),
        None => path.rsplit_once('.').unwrap_or(("", path)),
    }
}

/// `time.zone` as a person reads it: `[time] zone`.
pub fn pretty(path: &str) -> String {
    match split(path) {
        ("", key) => key.to_owned(),
        (section, key) => format!("[{section}] {key}"),
    }
}

/// The candidate most like `word`.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> &'a str {
    let likeness = |candidate: &&str| {
        // A right key in a wrong section, or without one, is nearer than any other key.
        let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
        strsim::jaro_winkler(word, candidate) + 2.0 * strsim::jaro_winkler(&last(word), &last(candidate))
    };
    candidates.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).unwrap_or("")
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|&&b| b == b'\n').count() + 1
}

/// Keys and section headers of a TOML text, in the order of the text, before anything is known about their meaning.
struct Written {
    path: String,
    value: Value,
    at: usize,
}

/// What the defaults allow: paths of leaves and of sections.
struct Known {
    leaves: Vec<String>,
    sections: Vec<String>,
}

impl Known {
    /// Tables of leaves may hang under `schema.fields` and `kafka.properties` only; everything else stands in `default.toml`.
    fn new(defaults: &[Written], sections: Vec<String>) -> Known {
        let mut leaves: Vec<String> = defaults.iter().map(|w| w.path.clone()).collect();
        leaves.extend(FIELDS.iter().map(|field| format!("schema.fields.{field}")));
        Known { leaves, sections }
    }

    fn is_leaf(&self, path: &str) -> bool {
        self.leaves.iter().any(|l| l == path) || split(path).0 == PROPERTIES
    }

    fn is_section(&self, path: &str) -> bool {
        self.sections.iter().any(|s| s == path)
    }

    /// Whether a table is gone into: the names of properties have dots, which TOML takes for tables when they are not quoted.
    fn is_table(&self, path: &str) -> bool {
        self.is_section(path) || split(path).0 == PROPERTIES
    }

    fn near(&self, path: &str) -> &str {
        let all = self.leaves.iter().chain(&self.sections);
        nearest(path, all.map(String::as_str))
    }
}

fn value_of(spanned: &toml::Spanned<DeValue<'_>>) -> Value {
    use serde::Deserialize;
    let deserializer = toml::de::ValueDeserializer::from(spanned.clone());
    Value::deserialize(deserializer).expect("a parsed value is a value")
}

fn parse_text(text: &str) -> Result<DeTable<'_>, (usize, String)> {
    match DeTable::parse(text) {
        Ok(table) => Ok(table.into_inner()),
        Err(e) => {
            let at = e.span().map_or(0, |span| span.start);
            Err((line_of(text, at), e.message().replace('\n', ", ")))
        }
    }
}

/// Splits a table into leaves; `is_section` says where to go deeper.
fn flatten(table: &DeTable<'_>, prefix: &str, is_section: &dyn Fn(&str) -> bool, out: &mut Vec<Written>) {
    for (key, value) in table {
        let name = key.get_ref().replace('-', "_");
        let path = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value.get_ref() {
            DeValue::Table(inner) if is_section(&path) => flatten(inner, &path, is_section, out),
            _ => out.push(Written { path, value: value_of(value), at: key.span().start }),
        }
    }
}

impl Effective {
    /// Lays the file, the environment and the flags over the defaults.
    ///
    /// # Errors
    /// A file that cannot be read, TOML that does not parse, and all keys that do not exist, each with its nearest one.
    pub fn load(file: Option<&Path>, env: &[(String, String)], flags: &[Flag]) -> Result<Effective, Error> {
        let table = parse_text(DEFAULTS).expect("the embedded defaults parse: a test reads them");
        let sections = sections_of(&table);
        let mut defaults = vec![];
        flatten(&table, "", &|path| sections.iter().any(|s| s == path), &mut defaults);
        defaults.sort_by_key(|written| written.at);
        let known = Known::new(&defaults, sections);
        let leaf = |w: Written| Leaf { path: w.path, value: w.value, origin: Origin::Default };
        let mut effective = Effective { leaves: defaults.into_iter().map(leaf).collect(), secrets: vec![] };

        let mut problems = vec![];
        if let Some(path) = file {
            effective.lay_file(path, &known, &mut problems)?;
        }
        let mut env: Vec<_> = env.iter().filter(|(name, _)| name.starts_with(ENV_PREFIX)).collect();
        env.sort();
        for (name, text) in env {
            let path = name[ENV_PREFIX.len()..].to_lowercase().replace("__", ".").replace('-', "_");
            if let Some(secret) = SECRETS.into_iter().find(|secret| *secret == path) {
                effective.secrets.extend(Some((secret, Secret::new(text))).filter(|_| !text.is_empty()));
            } else if known.is_leaf(&path) {
                effective.lay_text(&path, text, Origin::Env(name.clone()));
            } else {
                let near = known.near(&path).to_uppercase().replace('.', "__");
                problems.push(Problem::new(name, format!("unknown setting; did you mean {ENV_PREFIX}{near}?")));
            }
        }
        for flag in flags {
            let path = flag.path.replace('-', "_");
            if SECRETS.contains(&path.as_str()) {
                problems.push(Problem::new(&flag.name, no_secret(&path)));
            } else if known.is_leaf(&path) {
                effective.lay_text(&path, &flag.text, Origin::Flag(flag.name.clone()));
            } else {
                let near = known.near(&path);
                problems.push(Problem::new(&flag.name, format!("unknown setting {path}; did you mean {near}?")));
            }
        }
        if problems.is_empty() { Ok(effective) } else { Err(Error::Invalid(problems)) }
    }

    fn lay_file(&mut self, path: &Path, known: &Known, problems: &mut Vec<Problem>) -> Result<(), Error> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::Unreadable { path: path.into(), source: e })?;
        let place = |line: usize| Origin::File { path: path.into(), line };
        let table = parse_text(&text)
            .map_err(|(line, message)| Error::Invalid(vec![Problem::new(place(line), format!("not valid TOML: {message}"))]))?;
        let mut written = vec![];
        flatten(&table, "", &|path| known.is_table(path), &mut written);
        written.sort_by_key(|w| w.at);
        for w in written {
            let origin = place(line_of(&text, w.at));
            if SECRETS.contains(&w.path.as_str()) {
                problems.push(Problem::new(origin, no_secret(&w.path)));
            } else if known.is_leaf(&w.path) {
                self.lay(Leaf { path: w.path, value: w.value, origin });
            } else if known.is_section(&w.path) {
                problems.push(Problem::new(origin, format!("{} is a section: write [{}] on a line of its own", w.path, w.path)));
            } else {
                let (is, near) = (pretty(&w.path), known.near(&w.path));
                let near = if known.is_section(near) { format!("[{near}]") } else { pretty(near) };
                let what = match &w.value {
                    Value::Table(_) => format!("section [{}]", w.path),
                    _ => format!("key {is}"),
                };
                problems.push(Problem::new(origin, format!("unknown {what}; did you mean {near}?")));
            }
        }
        Ok(())
    }

    /// A variable or flag holds text: it is read as the default's kind, so that `UTC` needs no quotes, `5` is a number, and
    /// a list is written with commas.
    fn lay_text(&mut self, path: &str, text: &str, origin: Origin) {
        let like = self.leaves.iter().find(|leaf| leaf.path == path).map(|leaf| &leaf.value);
        let whole = || Value::String(text.into());
        let value = match like {
            Some(Value::String(_)) => whole(),
            Some(Value::Array(_)) if !text.trim_start().starts_with('[') => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Value::Array(items.map(|item| Value::String(item.into())).collect())
            }
            _ => text.parse().unwrap_or_else(|_| whole()),
        };
        self.lay(Leaf { path: path.into(), value, origin });
    }

    fn lay(&mut self, leaf: Leaf) {
        match self.leaves.iter_mut().find(|l| l.path == leaf.path) {
            Some(place) => *place = leaf,
            None => {
                // Beside its relatives: a section is written once.
                let relatives = |l: &Leaf| split(&l.path).0 == split(&leaf.path).0;
                let at = self.leaves.iter().rposition(relatives).map_or(self.leaves.len(), |last| last + 1);
                self.leaves.insert(at, leaf);
            }
        }
    }

    /// A secret that the environment gave.
    pub fn secret(&self, path: &str) -> Option<&Secret> {
        self.secrets.iter().find(|(name, _)| *name == path).map(|(_, secret)| secret)
    }

    /// The leaves in the order of `default.toml`.
    pub fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// All values that rows may depend on, without where they come from: equal texts are equal settings. Where the brokers are and
    /// what they ask of us, where else rows go, and who asks how we are, changes no row; nor do sales that others generate.
    pub fn values(&self) -> String {
        let outside = |path: &str| {
            ["kafka.", "sinks.", "checkpoint.", "http.", "generate."].iter().any(|section| path.starts_with(section))
        };
        let own = self.leaves.iter().filter(|leaf| !outside(&leaf.path) && leaf.path != "stock.topic");
        own.map(|leaf| format!("{} = {}\n", leaf.path, leaf.value)).collect()
    }

    /// Where the value of `path` comes from.
    pub fn origin(&self, path: &str) -> Origin {
        self.leaves.iter().find(|l| l.path == path).map_or(Origin::Default, |l| l.origin.clone())
    }

    /// The settings in force as TOML, each with its origin as a comment, and where in the text each leaf begins.
    fn written(&self) -> (String, Vec<usize>) {
        let (mut text, mut starts, mut section) = (String::new(), vec![], "");
        let line = |leaf: &Leaf| match split(&leaf.path) {
            (PROPERTIES, name) => format!("{name:?} = {}", leaf.value),
            (_, key) => format!("{key} = {}", leaf.value),
        };
        let lines: Vec<String> = self.leaves.iter().map(line).collect();
        let width = lines.iter().map(|l| l.chars().count()).filter(|&w| w <= 60).max().unwrap_or(0);
        for (leaf, line) in self.leaves.iter().zip(lines) {
            let own = split(&leaf.path).0;
            if own != section {
                text.push_str(&format!("\n[{own}]\n"));
                section = own;
            }
            starts.push(text.len());
            text.push_str(&format!("{line:width$}  # {}\n", leaf.origin));
        }
        (text, starts)
    }

    /// The settings in force as TOML, each with its origin as a comment.
    pub fn text(&self) -> String {
        self.written().0
    }

    /// Reads the settings into their types.
    pub(super) fn parse<T: serde::de::DeserializeOwned>(&self) -> Result<T, Error> {
        let (text, starts) = self.written();
        toml::from_str(&text).map_err(|e| {
            let at = e.span().map_or(0, |span| span.start);
            let index = starts.partition_point(|&start| start <= at).saturating_sub(1);
            let leaf = &self.leaves[index];
            self.problem(&leaf.path, e.message().trim().replace('\n', ", "))
        })
    }

    /// An error about the value of `path`, told where it was written.
    pub(super) fn problem(&self, path: &str, message: impl fmt::Display) -> Error {
        let place = match self.origin(path) {
            // A default is wrong only beside another setting.
            Origin::Default => "settings".to_owned(),
            written => written.to_string(),
        };
        Error::Invalid(vec![Problem::new(place, format!("{}: {message}", pretty(path)))])
    }
}

fn no_secret(path: &str) -> String {
    let variable = path.to_uppercase().replace('.', "__");
    format!(
        "a secret does not belong here: put it into a file and name that in {}_file, or use {ENV_PREFIX}{variable}",
        pretty(path)
    )
}

fn sections_of(table: &DeTable<'_>) -> Vec<String> {
    fn walk(table: &DeTable<'_>, prefix: &str, out: &mut Vec<String>) {
        for (key, value) in table {
            if let DeValue::Table(inner) = value.get_ref() {
                let path = if prefix.is_empty() { key.get_ref().to_string() } else { format!("{prefix}.{}", key.get_ref()) };
                walk(inner, &path, out);
                out.push(path);
            }
        }
    }
    let mut out = vec![];
    walk(table, "", &mut out);
    out
}

/// A setting given by a flag.
#[derive(Clone, Debug)]
pub struct Flag {
    /// The flag as it is called, e.g. `--window`.
    pub name: String,
    /// The dotted path it sets.
    pub path: String,
    /// The value as text.
    pub text: String,
}
