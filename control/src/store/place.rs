//! Which database the store is in: `sqlite:PATH` or `postgres://…`.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use reqwest::Url;
use sqlx::postgres::PgConnectOptions;

use super::{Store, StoreError, postgres::PostgresStore, sqlite::SqliteStore};

/// What a URL may say behind its `?`, as libpq names it.
const PARAMETERS: [&str; 10] = [
    "host",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
];

/// Why a text names no store. None of them repeats the text: it may hold a password.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Misplaced {
    /// It begins with something else.
    #[error("write sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE")]
    Scheme,
    /// It is no URL: characters that have a meaning in URLs are written as `%XX`.
    #[error("this is not a URL of PostgreSQL ({0}): write postgres://USER:PASSWORD@HOST/DATABASE")]
    Url(String),
    /// It says something that is not supported.
    #[error("the URL's parameter `{0}` is not supported: use {list}", list = PARAMETERS.join(", "))]
    Parameter(String),
    /// A value is not understood.
    #[error("the value of the URL's parameter `{0}` is not understood")]
    Value(&'static str),
}

/// A database.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// A file, for one control plane.
    Sqlite(PathBuf),
    /// A server, for one or more.
    Postgres(Box<PgConnectOptions>),
}

impl Place {
    /// Reads `store = …`. Files that it names are relative to `folder`.
    pub(crate) fn parse(text: &str, folder: &Path) -> Result<Self, Misplaced> {
        match text.split_once(':') {
            Some(("sqlite", file)) if !file.is_empty() => Ok(Self::Sqlite(folder.join(file))),
            Some(("postgres" | "postgresql", _)) => {
                Ok(Self::Postgres(Box::new(postgres_options(text, folder)?)))
            }
            Some(_) | None => Err(Misplaced::Scheme),
        }
    }

    /// Opens it, and brings its tables up to date.
    pub(crate) async fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(match self {
            Self::Sqlite(file) => Arc::new(SqliteStore::open(file).await?),
            Self::Postgres(options) => Arc::new(PostgresStore::open((**options).clone()).await?),
        })
    }
}

fn postgres_options(text: &str, folder: &Path) -> Result<PgConnectOptions, Misplaced> {
    let url = Url::parse(text).map_err(|error| Misplaced::Url(error.to_string()))?;
    let mut named = false;
    for (name, value) in url.query_pairs() {
        let Some(name) = PARAMETERS.into_iter().find(|known| *known == name) else {
            return Err(Misplaced::Parameter(name.into_owned()));
        };
        named |= name == "application_name";
        let wrong = match name {
            "sslmode" => sqlx::postgres::PgSslMode::from_str(&value).is_err(),
            "port" => value.parse::<u16>().is_err(),
            _ => false,
        };
        if wrong {
            return Err(Misplaced::Value(name));
        }
    }
    let parsed = PgConnectOptions::from_str(text);
    let mut options = parsed.map_err(|_| Misplaced::Url("a part of it is not UTF-8".to_owned()))?;
    for (name, value) in url.query_pairs() {
        let file = folder.join(&*value);
        options = match &*name {
            "sslrootcert" => options.ssl_root_cert(file),
            "sslcert" => options.ssl_client_cert(file),
            "sslkey" => options.ssl_client_key(file),
            _ => options,
        };
    }
    Ok(if named { options } else { options.application_name("postern") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_relative_to_the_folder() {
        let place = Place::parse("sqlite:control.db", Path::new("/etc/postern")).unwrap();
        assert!(matches!(place, Place::Sqlite(file) if file == Path::new("/etc/postern/control.db")));
    }

    #[test]
    fn a_url_is_read_as_libpq_reads_it() {
        let text =
            "postgresql://postern:p%40ss@db.example:6432/control?sslmode=verify-full&sslrootcert=ca.pem";
        let Place::Postgres(options) = Place::parse(text, Path::new("/etc/postern")).unwrap() else {
            panic!("this is PostgreSQL");
        };
        assert_eq!(
            (options.get_host(), options.get_port(), options.get_username(), options.get_database()),
            ("db.example", 6432, "postern", Some("control"))
        );
        assert!(matches!(options.get_ssl_mode(), sqlx::postgres::PgSslMode::VerifyFull));
        assert_eq!(options.get_application_name(), Some("postern"));
    }

    #[test]
    fn what_is_wrong_is_named_and_the_password_is_not() {
        for (text, word) in [
            ("control.db", "sqlite:PATH"),
            ("sqlite:", "sqlite:PATH"),
            ("mysql://u:hush@h/d", "sqlite:PATH"),
            ("postgres://u:hush@h:port/d", "not a URL"),
            ("postgres://u:hush@h/d?sslmode=perhaps", "sslmode"),
            ("postgres://u:hush@h/d?colour=hush", "colour"),
            ("postgres://u:hush@h/d?port=hush", "port"),
        ] {
            let error = Place::parse(text, Path::new("")).unwrap_err().to_string();
            assert!(error.contains(word) && !error.contains("hush"), "{error}");
        }
    }
}
