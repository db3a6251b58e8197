//! Secrets: where they come from, and a type that shows them nowhere.
//!
//! A secret comes from the environment or from a file of its own, never from `vitrine.toml` or a flag: the one is committed, the
//! other is seen by every user of the machine. It is kept in a [`Secret`], which nothing prints, and left out of what
//! `config show` reads ([`layer`](super::layer) holds it apart).

use super::Error;
use super::layer::{Effective, split};
use std::fmt;
use std::path::PathBuf;

/// A text that must not be seen.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself, for whom it is meant.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hidden {
    /// There is none.
    None,
    /// It was in the environment.
    Given(Secret),
    /// It is in this file, which is read when a client is made: a renewed secret needs a restart, not new settings.
    File(PathBuf),
}

impl Hidden {
    /// The secret, without the end of line that editors put behind it.
    ///
    /// # Errors
    /// When the file cannot be read or has nothing in it; the text names the file.
    pub fn read(&self) -> Result<Option<Secret>, String> {
        match self {
            Hidden::None => Ok(None),
            Hidden::Given(secret) => Ok(Some(secret.clone())),
            Hidden::File(path) => {
                let text =
                    std::fs::read_to_string(path).map_err(|e| format!("cannot read the secret in {}: {e}", path.display()))?;
                match text.trim_end_matches(['\r', '\n']) {
                    "" => Err(format!("there is no secret in {}: the file is empty", path.display())),
                    secret => Ok(Some(Secret::new(secret))),
                }
            }
        }
    }
}

/// The secret `path`, from the environment or from `file`, whose key is that of the secret with `_file` behind it; empty is none.
pub(super) fn hidden(effective: &Effective, path: &str, file: &str) -> Result<Hidden, Error> {
    match (effective.secret(path), file) {
        (Some(_), file) if !file.is_empty() => {
            let message = format!("{} is given as well; one will do", split(path).1);
            Err(effective.problem(&format!("{path}_file"), message))
        }
        (Some(secret), _) => Ok(Hidden::Given(secret.clone())),
        (None, "") => Ok(Hidden::None),
        (None, file) => Ok(Hidden::File(file.into())),
    }
}
