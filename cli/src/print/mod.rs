//! What goes to stdout: tables for people, JSON and YAML for programs.
//!
//! Texts come from others (a client chooses its own `application_name`), so control characters never reach the
//! terminal from a table.

mod columns;
mod table;
mod yaml;

use std::io::{self, ErrorKind, Write};

use clap::{Args, ValueEnum};
use serde_json::Value;

pub(crate) use columns::{Column, text, time};
pub(crate) use table::{fields, listing};

use crate::error::Error;

/// How a listing is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// An array of the items as the control plane gave them.
    Json,
    /// The same as YAML.
    Yaml,
}

/// `--format`
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Output {
    /// How to write the answer
    #[arg(long, global = true, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}

impl Output {
    /// Writes a listing.
    pub(crate) fn list(self, columns: &[Column], items: &[Value]) -> Result<(), Error> {
        match self.format {
            Format::Table => write(&listing(columns, items)),
            Format::Json => json(&items),
            Format::Yaml => write(&yaml::document(&Value::Array(items.to_vec()))),
        }
    }

    /// Writes one object.
    pub(crate) fn show(self, item: &Value) -> Result<(), Error> {
        match self.format {
            Format::Table => write(&fields(item)),
            Format::Json => json(item),
            Format::Yaml => write(&yaml::document(item)),
        }
    }

    /// Writes one object, or for people a text of its own.
    pub(crate) fn show_as(self, item: &Value, people: impl FnOnce() -> String) -> Result<(), Error> {
        match self.format {
            Format::Table => write(&people()),
            Format::Json | Format::Yaml => self.show(item),
        }
    }
}

fn json(value: &impl serde::Serialize) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Error::Answer(error.to_string()))?;
    write(&format!("{text}\n"))
}

/// Writes text to stdout. A reader that has gone is [`Error::OutputClosed`].
pub(crate) fn write(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|source| {
        if source.kind() == ErrorKind::BrokenPipe {
            Error::OutputClosed
        } else {
            Error::Io { what: "cannot write".to_owned(), source }
        }
    })
}

/// Says something on stderr. Nobody listening there is no reason to stop.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Text without line breaks and control characters.
pub(crate) fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    visible(&lines.join(" "))
}

/// Text in which every control character is written out.
pub(crate) fn visible(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, letter| {
        if letter.is_control() || ('\u{202a}'..='\u{202e}').contains(&letter) {
            out.extend(letter.escape_default());
        } else {
            out.push(letter);
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_many_lines_becomes_one() {
        assert_eq!(one_line("first\n\n  second\r\nthird\u{1b}[31m"), "first second third\\u{1b}[31m");
    }
}
