//! The leaves of the settings as a person writes them: durations, sizes, money, ranges, lists, windows, field mappings.
//!
//! Each parses itself and says in words what is wrong; where it was written is added by [`super::layer`], which knows.

use serde::Deserialize;
use toml::Value;

/// Milliseconds, written as `"500ms"`, `"30s"`, `"15m"`, `"1h30m"`, `"1d"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub struct Span(pub i64);

/// Bytes, written as `"64KiB"`, `"1MiB"` or a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub struct Size(pub u64);

/// Cents, written as a number with at most two decimals, or as a string of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub struct Money(pub i64);

/// Any number.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub struct Number(pub f64);

/// A share or threshold in per cent.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub struct Percent(pub f64);

/// Least and greatest value, inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value", bound = "T: TryFrom<Value, Error = String>")]
pub struct Range<T> {
    /// The least.
    pub least: T,
    /// The greatest.
    pub greatest: T,
}

/// A list of texts, written as an array or as one text with commas.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub struct Texts(pub Vec<String>);

/// A point in time, milliseconds since the Unix epoch, written in RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub struct Instant(pub i64);

/// A window as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowEntry {
    /// `SIZE/SLIDE` as written, without blanks.
    pub name: String,
    /// SIZE in milliseconds.
    pub size: i64,
    /// SLIDE in milliseconds.
    pub slide: i64,
    /// Its own allowed lateness in milliseconds.
    pub lateness: Option<i64>,
    /// Whether `biggest_sale` is kept.
    pub biggest: bool,
}

/// Where the value of a contract field comes from, as written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub struct Mapping(pub dataflows::schema::From);

const UNITS: [(&str, i64); 6] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000)];

/// Parses a duration to milliseconds.
pub fn span(text: &str) -> Result<i64, String> {
    let bad = || format!("{text:?} is no duration; write for example \"500ms\", \"30s\", \"15m\", \"1h30m\" or \"1d\"");
    let mut rest = text.trim();
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(bad());
    }
    let mut total = 0i64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let number: i64 = rest[..digits].parse().map_err(|_| bad())?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == &rest[..letters]).ok_or_else(bad)?;
        total = number
            .checked_mul(*unit)
            .and_then(|ms| total.checked_add(ms))
            .filter(|&ms| ms <= 36_525 * 86_400_000)
            .ok_or_else(|| format!("{text:?} is longer than 100 years"))?;
        rest = rest[letters..].trim_start();
    }
    Ok(total)
}

/// Parses a size to bytes.
pub fn size(text: &str) -> Result<u64, String> {
    let bad = || format!("{text:?} is no size; write for example \"64KiB\", \"1MiB\" or a number of bytes");
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().map_err(|_| bad())?;
    let factor = match text[digits..].trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return Err(bad()),
    };
    number.checked_mul(factor).ok_or_else(bad)
}

/// Parses an amount of money to cents, exactly.
pub fn money(text: &str) -> Result<i64, String> {
    let bad = || format!("{text:?} is no amount; write for example 100 or \"99.90\", with at most two decimals");
    let (negative, digits) = match text.trim().strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.trim()),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !plain(whole) || !plain(part) || part.len() > 2 {
        return Err(bad());
    }
    let whole: i64 = whole.parse().map_err(|_| bad())?;
    let part: i64 = format!("{part:0<2}").parse().map_err(|_| bad())?;
    let cents = whole.checked_mul(100).and_then(|c| c.checked_add(part)).ok_or_else(bad)?;
    Ok(if negative { -cents } else { cents })
}

/// Parses `SIZE/SLIDE`.
pub fn window(text: &str) -> Result<WindowEntry, String> {
    let name: String = text.split_whitespace().collect();
    let (size, slide) = name
        .split_once('/')
        .ok_or_else(|| format!("{text:?} is no window; write SIZE/SLIDE, for example \"60s/30s\" or \"15m/1s\""))?;
    Ok(WindowEntry { size: span(size)?, slide: span(slide)?, lateness: None, biggest: true, name })
}

fn list_of(value: Value) -> Result<Vec<Value>, String> {
    match value {
        Value::Array(items) => Ok(items),
        Value::String(text) => {
            Ok(text.split(',').map(str::trim).filter(|t| !t.is_empty()).map(|t| Value::String(t.into())).collect())
        }
        other => Err(format!("a list is expected here, found {}", kind(&other))),
    }
}

fn kind(value: &Value) -> String {
    match value {
        Value::String(text) => format!("the text {text:?}"),
        Value::Integer(n) => format!("the number {n}"),
        Value::Float(x) => format!("the number {x}"),
        Value::Boolean(b) => b.to_string(),
        Value::Datetime(t) => format!("the time {t}"),
        Value::Array(_) => "a list".into(),
        Value::Table(_) => "a table".into(),
    }
}

impl TryFrom<Value> for Span {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::String(text) => span(&text).map(Span),
            Value::Integer(0) => Ok(Span(0)),
            Value::Integer(n) => Err(format!("a duration needs a unit: write \"{n}s\" or \"{n}ms\"")),
            other => Err(format!("a duration such as \"30s\" is expected here, found {}", kind(&other))),
        }
    }
}

impl TryFrom<Value> for Size {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::String(text) => size(&text).map(Size),
            Value::Integer(n) => u64::try_from(n).map(Size).map_err(|_| format!("a size cannot be {n}")),
            other => Err(format!("a size such as \"1MiB\" is expected here, found {}", kind(&other))),
        }
    }
}

impl TryFrom<Value> for Money {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::String(text) => money(&text).map(Money),
            Value::Integer(n) => money(&n.to_string()).map(Money),
            // The shortest decimal that reads back as this float is what the person wrote.
            Value::Float(x) => money(&x.to_string()).map(Money),
            other => Err(format!("an amount such as 99.90 is expected here, found {}", kind(&other))),
        }
    }
}

fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Integer(n) => *n as f64,
        Value::Float(x) => *x,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    Some(number).filter(|x| x.is_finite())
}

impl TryFrom<Value> for Number {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        number(&value).map(Number).ok_or_else(|| format!("a number is expected here, found {}", kind(&value)))
    }
}

impl TryFrom<Value> for Percent {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        let percent = number(&value).filter(|x| *x >= 0.0).map(Percent);
        percent.ok_or_else(|| format!("a number of per cent, 0 or more, is expected here, found {}", kind(&value)))
    }
}

/// A plain whole number, as leaves of ranges need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub struct Count(pub i64);

impl TryFrom<Value> for Count {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        let number = match &value {
            Value::Integer(n) => Some(*n),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.map(Count).ok_or_else(|| format!("a whole number is expected here, found {}", kind(&value)))
    }
}

impl<T: TryFrom<Value, Error = String>> TryFrom<Value> for Range<T> {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        let items = list_of(value)?;
        let [least, greatest] = <[Value; 2]>::try_from(items)
            .map_err(|items| format!("two values are expected here, least and greatest, found {}", items.len()))?;
        Ok(Range { least: T::try_from(least)?, greatest: T::try_from(greatest)? })
    }
}

impl TryFrom<Value> for Texts {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        let texts = list_of(value)?.into_iter().map(|item| match item {
            Value::String(text) => Ok(text),
            other => Err(format!("a list of texts is expected here, found {} in it", kind(&other))),
        });
        texts.collect::<Result<_, _>>().map(Texts)
    }
}

impl TryFrom<Value> for Instant {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        let text = match &value {
            Value::String(text) => text.trim().to_owned(),
            Value::Datetime(time) => time.to_string(),
            _ => String::new(),
        };
        chrono::DateTime::parse_from_rfc3339(&text)
            .map(|t| Instant(t.timestamp_millis()))
            .map_err(|_| format!("a time such as \"2026-01-31T00:00:00Z\" is expected here, found {}", kind(&value)))
    }
}

impl TryFrom<Value> for WindowEntry {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        let table = match value {
            Value::String(text) => return window(&text),
            Value::Table(table) => table,
            other => return Err(format!("a window such as \"60s/30s\" is expected here, found {}", kind(&other))),
        };
        let mut entry = match table.get("window") {
            Some(Value::String(text)) => window(text)?,
            _ => return Err("a [[windows]] table needs its name: window = \"60s/30s\"".into()),
        };
        for (key, value) in table {
            match (key.replace('-', "_").as_str(), value) {
                ("window", _) => {}
                ("allowed_lateness", value) => entry.lateness = Some(Span::try_from(value)?.0),
                ("biggest", Value::Boolean(keep)) => entry.biggest = keep,
                ("biggest", other) => return Err(format!("biggest is true or false, not {}", kind(&other))),
                (unknown, _) => {
                    let near = super::layer::nearest(unknown, ["window", "allowed_lateness", "biggest"]);
                    return Err(format!("unknown key {key} in a [[windows]] table; did you mean {near}?"));
                }
            }
        }
        Ok(entry)
    }
}

/// The list of windows.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub struct Windows(pub Vec<WindowEntry>);

impl TryFrom<Value> for Windows {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        list_of(value)?.into_iter().map(WindowEntry::try_from).collect::<Result<_, _>>().map(Windows)
    }
}

impl TryFrom<Value> for Mapping {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        use dataflows::schema::From;
        let plain = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Integer(n) => Some(n.to_string()),
            Value::Float(x) => Some(x.to_string()),
            Value::Boolean(b) => Some(b.to_string()),
            _ => None,
        };
        let expected = "a field name, a list of them, { constant = \"...\" } or { template = \"...\" } is expected here";
        let from = match value {
            Value::String(name) => From::Fields(vec![name]),
            list @ Value::Array(_) => From::Fields(Texts::try_from(list)?.0),
            Value::Table(table) => match table.iter().collect::<Vec<_>>().as_slice() {
                [(key, value)] if key.as_str() == "constant" => From::Constant(plain(value).ok_or(expected)?),
                [(key, Value::String(text))] if key.as_str() == "template" => From::Template(checked_template(text)?),
                _ => return Err(expected.into()),
            },
            other => return Err(format!("{expected}, found {}", kind(&other))),
        };
        match &from {
            From::Fields(names) if names.is_empty() || names.iter().any(String::is_empty) => {
                Err("a field name must not be empty".into())
            }
            _ => Ok(Mapping(from)),
        }
    }
}

fn checked_template(text: &str) -> Result<String, String> {
    let mut rest = text;
    while let Some(open) = rest.find(['{', '}']) {
        let inner = rest[open..].strip_prefix('{').and_then(|r| r.split_once('}'));
        match inner {
            Some((name, after)) if !name.is_empty() && !name.contains('{') => rest = after,
            _ => {
                return Err(format!(
                    "the template {text:?} needs a closed, named pair of braces, as in \"{{Invoice}}:{{_record}}\""
                ));
            }
        }
    }
    Ok(text.to_owned())
}
