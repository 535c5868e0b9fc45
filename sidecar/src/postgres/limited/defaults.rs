//! With which session defaults a limited session begins.
//!
//! Start-up parameters, and the command line in `options`, can set anything: the role, the search path, the encoding
//! in which statements are read. So what goes to the database is written anew, from settings that a limited session may
//! set at any time, and from those that the verdicts stand on.

use postern_protocol::postgres::command_line;

use crate::enforce::postgres::settings;

/// What verdicts stand on.
const OURS: [(&str, &str); 3] =
    [("client_encoding", "UTF8"), ("standard_conforming_strings", "on"), ("row_security", "on")];

/// Why a limited session does not begin like this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsuitable {
    /// A setting that a limited session keeps as it is.
    #[error("permission denied to set parameter \"{0}\" in a session that is limited to some tables")]
    Setting(String),
    /// Statements are read in UTF-8.
    #[error("client_encoding \"{0}\" is not available in a session that is limited to some tables: use UTF8")]
    Encoding(String),
    /// A walsender's session.
    #[error("permission denied for replication in a session that is limited to some tables")]
    Replication,
    /// `options` is no list of settings.
    #[error("invalid command-line argument in \"options\": {0}")]
    Options(String),
    /// The search path that it asks for is not the one that it has.
    #[error(
        "search_path \"{asked}\" is not available in a session that is limited to some tables: it is \"{is}\""
    )]
    SearchPath {
        /// What the client asks for.
        asked: String,
        /// What the account has.
        is: String,
    },
    /// Texts at the database are in another encoding than those that are judged.
    #[error("sessions that are limited to some tables need a database in UTF8; this one is in {0}")]
    Database(String),
    /// Names may stand for temporary objects.
    #[error("the account's search_path holds temporary objects")]
    Temporary,
}

impl Unsuitable {
    /// The SQLSTATE that the client gets.
    pub(crate) const fn sqlstate(&self) -> &'static str {
        match self {
            Self::Setting(_) | Self::Replication => "42501",
            Self::Encoding(_) | Self::Options(_) | Self::SearchPath { .. } => "22023",
            Self::Database(_) | Self::Temporary => "0A000",
        }
    }
}

/// What a limited session begins with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Defaults {
    /// What goes into the start-up packet.
    pub(crate) parameters: Vec<(String, String)>,
    /// The search path that the client would like; it gets it if that is what it has anyway.
    pub(crate) search_path: Option<String>,
}

impl Defaults {
    /// Reads what the client asks for.
    pub(crate) fn new(asked: &[(String, String)]) -> Result<Self, Unsuitable> {
        let mut defaults = Self::default();
        let options = asked.iter().filter(|(name, _)| name == "options");
        for (_, options) in options {
            for (name, value) in command_line(options)? {
                defaults.set(&name, &value)?;
            }
        }
        for (name, value) in asked.iter().filter(|(name, _)| name != "options") {
            defaults.set(name, value)?;
        }
        defaults.parameters.extend(OURS.map(|(name, value)| (name.to_owned(), value.to_owned())));
        Ok(defaults)
    }

    /// A later value goes before an earlier one.
    fn set(&mut self, name: &str, value: &str) -> Result<(), Unsuitable> {
        let lower = name.to_ascii_lowercase();
        match lower.as_str() {
            "client_encoding" if is_utf8(value) => {}
            "client_encoding" => return Err(Unsuitable::Encoding(value.to_owned())),
            "replication" if is_false(value) => {}
            "replication" => return Err(Unsuitable::Replication),
            "search_path" => self.search_path = Some(value.to_owned()),
            free if settings::is_free(free) || free == "default_transaction_read_only" => {
                self.parameters.retain(|(known, _)| *known != lower);
                self.parameters.push((lower, value.to_owned()));
            }
            ours if OURS.iter().any(|(known, wanted)| *known == ours && is_on(value, wanted)) => {}
            _ => return Err(Unsuitable::Setting(name.to_owned())),
        }
        Ok(())
    }
}

fn is_on(value: &str, wanted: &str) -> bool {
    wanted == "on" && ["on", "true", "yes", "1"].contains(&value.to_ascii_lowercase().as_str())
}

/// As the server reads the names of encodings: letters and digits count, and nothing else. `SQL_ASCII` is what psql asks
/// for where no locale is set: bytes as they are, which at a database in UTF-8 are UTF-8.
fn is_utf8(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    ["utf8", "unicode", "sqlascii"].contains(&plain.to_ascii_lowercase().as_str())
}

fn is_false(value: &str) -> bool {
    ["off", "false", "no", "0"].contains(&value.to_ascii_lowercase().as_str())
}

/// The settings of a command line: `-c name=value`, `-cname=value`, `--name=value`. Nothing else is understood.
fn command_line(line: &str) -> Result<Vec<(String, String)>, Unsuitable> {
    let (mut settings, mut words) = (Vec::new(), command_line::words(line));
    while let Some(word) = words.next() {
        let wrong = || Unsuitable::Options(word.clone());
        let setting = if let Some(long) = word.strip_prefix("--") {
            long.to_owned()
        } else {
            match word.strip_prefix("-c") {
                Some("") => words.next().ok_or_else(wrong)?,
                Some(attached) => attached.to_owned(),
                None => return Err(wrong()),
            }
        };
        let (name, value) = setting.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(wrong)?;
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defaults(asked: &[(&str, &str)]) -> Result<Defaults, Unsuitable> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Defaults::new(&asked.iter().map(own).collect::<Vec<_>>())
    }

    fn value<'d>(defaults: &'d Defaults, name: &str) -> Option<&'d str> {
        let mut found = defaults.parameters.iter().filter(|(known, _)| known == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} stands twice");
        value
    }

    #[test]
    fn what_drivers_ask_for_is_granted() {
        let asked = [
            ("application_name", "app"),
            ("client_encoding", "'utf-8'"),
            ("DateStyle", "ISO"),
            ("TimeZone", "Europe/Paris"),
            ("extra_float_digits", "2"),
            ("options", "-c statement_timeout=5s --lock-timeout=1s -cdatestyle=German,\\ DMY"),
        ];
        let defaults = defaults(&asked).unwrap();
        assert_eq!(value(&defaults, "datestyle"), Some("ISO"), "a parameter goes before an option");
        assert_eq!(value(&defaults, "statement_timeout"), Some("5s"));
        assert_eq!(value(&defaults, "lock_timeout"), Some("1s"));
        assert_eq!(value(&defaults, "client_encoding"), Some("UTF8"));
        assert_eq!(value(&defaults, "row_security"), Some("on"));
    }

    #[test]
    fn psql_without_a_locale_speaks_utf_8() {
        let defaults = defaults(&[("client_encoding", "SQL_ASCII")]).unwrap();
        assert_eq!(value(&defaults, "client_encoding"), Some("UTF8"));
    }

    #[test]
    fn what_would_change_the_meaning_of_statements_is_not() {
        let settings =
            ["role", "session_authorization", "row_security", "session_replication_role", "unknown"];
        for name in settings {
            assert_eq!(defaults(&[(name, "x")]), Err(Unsuitable::Setting(name.to_owned())));
            let options = format!("-c {name}=x");
            assert_eq!(defaults(&[("options", &options)]), Err(Unsuitable::Setting(name.to_owned())));
        }
        for value in ["database", "true", "1", "on", "yes", "t", ""] {
            assert_eq!(defaults(&[("replication", value)]), Err(Unsuitable::Replication));
        }
        assert!(matches!(defaults(&[("client_encoding", "LATIN1")]), Err(Unsuitable::Encoding(_))));
        assert!(matches!(defaults(&[("options", "-c client-encoding=sjis")]), Err(Unsuitable::Encoding(_))));
    }

    #[test]
    fn a_command_line_of_anything_but_settings_is_refused() {
        for options in ["-O", "-c", "-c role", "--role", "role=x", "-fs", "--", "-c =x", "-e -c jit=off"] {
            assert!(matches!(defaults(&[("options", options)]), Err(Unsuitable::Options(_))), "{options}");
        }
        assert!(matches!(
            defaults(&[("options", "-c r\\ole=x")]),
            Err(Unsuitable::Setting(name)) if name == "role"
        ));
    }
}
