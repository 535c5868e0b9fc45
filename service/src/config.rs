//! Configuration files: TOML, strict, with secrets kept elsewhere.
//!
//! An unknown key is an error that names the key, the file and the line. Paths are relative to the file that names
//! them. A secret is `{ env = "NAME" }`, `{ file = "PATH" }` or a plain string, and is read while the file is loaded,
//! so that a missing one stops the start and not the first login.

use std::{
    cell::RefCell,
    env, fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer, de, de::DeserializeOwned};

use crate::secret::Secret;

/// Why a configuration could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is missing or unreadable: check the path and its permissions.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file says something that is not understood: the text names the key and the line.
    #[error("{}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, where.
        message: String,
    },
}

impl ConfigError {
    /// An error about what `path` says as a whole, found after it was parsed.
    #[must_use]
    pub fn invalid(path: &Path, message: impl Into<String>) -> Self {
        Self::Invalid { path: path.to_owned(), message: message.into() }
    }
}

thread_local! {
    /// The folder of the file being parsed; serde hands no context to the values that need it.
    static FOLDER: RefCell<PathBuf> = const { RefCell::new(PathBuf::new()) };
}

/// Reads and parses a configuration file.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    let text = fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let parsed = read_in(path.parent().unwrap_or(Path::new("")), || toml::from_str(&text));
    parsed.map_err(|error| ConfigError::Invalid {
        path: path.to_owned(),
        message: where_and_what(&text, &error),
    })
}

/// Reads something in which files are named relative to `folder`.
pub fn read_in<T>(folder: &Path, read: impl FnOnce() -> T) -> T {
    let before = FOLDER.replace(folder.to_owned());
    let done = read();
    FOLDER.set(before);
    done
}

/// Line and message of a TOML error, without the excerpt of the source: the line may hold a secret.
fn where_and_what(text: &str, error: &toml::de::Error) -> String {
    let line =
        error.span().map(|span| text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1);
    line.map_or_else(|| error.message().to_owned(), |line| format!("line {line}: {}", error.message()))
}

/// A path in a configuration file, relative to that file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePath(PathBuf);

impl FilePath {
    /// The path, ready for use.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

impl AsRef<Path> for FilePath {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl<'de> Deserialize<'de> for FilePath {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let path = PathBuf::deserialize(from)?;
        Ok(Self(FOLDER.with_borrow(|folder| folder.join(path))))
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum SecretSource {
    Plain(String),
    Elsewhere(SecretPlace),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum SecretPlace {
    Env(String),
    File(FilePath),
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let source = SecretSource::deserialize(from).map_err(|_| {
            de::Error::custom("a secret is { env = \"NAME\" }, { file = \"PATH\" } or a string")
        })?;
        match source {
            SecretSource::Plain(text) => Ok(text.into()),
            SecretSource::Elsewhere(SecretPlace::Env(name)) => env::var(&name)
                .map(Self::from)
                .map_err(|_| de::Error::custom(format!("the environment variable {name} is not set"))),
            SecretSource::Elsewhere(SecretPlace::File(path)) => fs::read_to_string(&path)
                .map(|text| Self::from(text.trim_end_matches(['\r', '\n'])))
                .map_err(|error| de::Error::custom(format!("cannot read {}: {error}", path.0.display()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        name: String,
        password: Secret,
    }

    fn load_text(text: &str) -> Result<Sample, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("pw"), "from-file\n").unwrap();
        let file = folder.path().join("sample.toml");
        fs::write(&file, text).unwrap();
        load(&file)
    }

    #[test]
    fn a_secret_comes_from_a_file_beside_the_configuration() {
        let sample = load_text("name = 'x'\npassword = { file = 'pw' }").unwrap();
        assert_eq!(sample.name, "x");
        assert_eq!(sample.password.reveal(), "from-file");
        assert!(!format!("{sample:?}").contains("from-file"));
    }

    #[test]
    fn an_unknown_key_is_named_with_its_file_and_line() {
        let error = load_text("name = 'x'\npassword = 'hush'\nnmae = 'y'").unwrap_err().to_string();
        assert!(
            error.contains("sample.toml") && error.contains("line 3") && error.contains("nmae"),
            "{error}"
        );
        assert!(!error.contains("hush"), "{error}");
    }

    #[test]
    fn a_missing_variable_is_named() {
        let error =
            load_text("name = 'x'\npassword = { env = 'NO_SUCH_VARIABLE_HERE' }").unwrap_err().to_string();
        assert!(error.contains("NO_SUCH_VARIABLE_HERE"), "{error}");
    }

    #[test]
    fn a_secret_in_an_unknown_place_is_refused_without_being_shown() {
        let error = load_text("name = 'x'\npassword = { vault = 'hush' }").unwrap_err().to_string();
        assert!(error.contains("a secret is") && !error.contains("hush"), "{error}");
    }
}
