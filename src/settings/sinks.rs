//! The section `[sinks]`: where the rows of a run go, besides files and the screen.

use super::Error;
use super::layer::Effective;
use super::raw;
use super::secret::{self, Hidden, Secret};

/// The section, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sinks {
    /// Each table to its topic.
    pub kafka: bool,
    /// Events to a webhook.
    pub webhook: Option<Webhook>,
}

/// Where events are posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// The address, which many services make a secret.
    pub url: Hidden,
    /// How long a request may take, in milliseconds.
    pub timeout: i64,
    /// How many events may wait.
    pub queue: usize,
    /// Further headers, none of them secret.
    pub headers: Vec<(String, String)>,
    /// The header `Authorization`.
    pub authorization: Hidden,
}

pub(super) fn resolve(raw: &raw::Sinks, effective: &Effective) -> Result<Sinks, Error> {
    let webhook = &raw.webhook;
    let wrong = |key: &str, message: String| effective.problem(&format!("sinks.webhook.{key}"), message);
    let url = match (webhook.url.trim(), webhook.url_file.as_str()) {
        ("", "") => None,
        ("", file) => Some(Hidden::File(file.into())),
        (url, "") => {
            check(url).map_err(|e| wrong("url", e))?;
            Some(Hidden::Given(Secret::new(url)))
        }
        _ => return Err(wrong("url_file", "url is given as well; one will do".into())),
    };
    let authorization = secret::hidden(effective, "sinks.webhook.authorization", &webhook.authorization_file)?;
    let header = |text: &String| {
        let bad = || wrong("headers", format!("{text:?} is no header; write \"Name: value\""));
        let (name, value) = text.split_once(':').ok_or_else(bad)?;
        let good = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        let plain = value.chars().all(|c| (' '..='~').contains(&c));
        match name.trim() {
            name if name.is_empty() || !name.chars().all(good) || !plain => Err(bad()),
            name if name.eq_ignore_ascii_case("authorization") => {
                Err(wrong("headers", "a secret does not belong here: use authorization_file".into()))
            }
            name => Ok((name.to_owned(), value.trim().to_owned())),
        }
    };
    let headers = webhook.headers.0.iter().map(header).collect::<Result<_, _>>()?;
    if webhook.timeout.0 <= 0 {
        return Err(wrong("timeout", "must be positive".into()));
    }
    let queue = usize::try_from(webhook.queue.0).ok().filter(|n| (1..=1_000_000).contains(n));
    let queue = queue.ok_or_else(|| wrong("queue", "must be between 1 and 1000000".into()))?;
    let timeout = webhook.timeout.0;
    let webhook = url.map(|url| Webhook { url, timeout, queue, headers, authorization });
    Ok(Sinks { kafka: raw.kafka, webhook })
}

/// Whether an address can be posted to.
///
/// # Errors
/// What is wrong with it, without the address.
pub fn check(url: &str) -> Result<(), String> {
    match url.split_once("://") {
        Some(("http", rest)) if !rest.is_empty() => Ok(()),
        Some(("https", rest)) if !rest.is_empty() => match cfg!(feature = "tls") {
            true => Ok(()),
            false => {
                Err("https needs TLS, which this program was built without; build it with `cargo build --release --features \
                          tls`, or put a proxy in front"
                    .into())
            }
        },
        _ => Err("an address begins with http:// or https://".into()),
    }
}
