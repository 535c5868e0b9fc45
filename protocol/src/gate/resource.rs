//! What a limited grant names: tables, columns, and what may be done with them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A table, or one column of it: `schema.table` or `schema.table.column` (MySQL: `database.table[.column]`).
///
/// A part that holds a dot, a double quote or a blank is written in double quotes, with `""` for a quote, as in SQL.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource {
    /// The schema (MySQL: the database).
    pub schema: Box<str>,
    /// The table, view or materialised view.
    pub table: Box<str>,
    /// The column; without one the whole table is meant.
    pub column: Option<Box<str>>,
}

/// Why a text names no [`Resource`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidResource {
    /// One part or more than three.
    #[error("`{0}` names no resource: write schema.table or schema.table.column")]
    Parts(String),
    /// An empty part, an open quote, or text behind a closing quote.
    #[error("`{0}` is badly quoted: write \"odd.name\".table, with \"\" for a quote inside")]
    Quoting(String),
}

fn next_part(rest: &str) -> Option<(String, Option<&str>)> {
    let Some(quoted) = rest.strip_prefix('"') else {
        let (part, after) = rest.split_once('.').map_or((rest, None), |(part, after)| (part, Some(after)));
        let plain = !part.is_empty() && !part.contains(['"', '\0']) && part.trim() == part;
        return plain.then(|| (part.to_owned(), after));
    };
    let mut part = String::new();
    let mut letters = quoted.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' if letters.peek().is_some_and(|(_, next)| *next == '"') => {
                letters.next();
                part.push('"');
            }
            '"' => {
                let after = quoted.get(at + 1..)?;
                let after = if after.is_empty() { None } else { Some(after.strip_prefix('.')?) };
                return (!part.is_empty()).then_some((part, after));
            }
            '\0' => return None,
            other => part.push(other),
        }
    }
    None
}

impl FromStr for Resource {
    type Err = InvalidResource;

    fn from_str(text: &str) -> Result<Self, InvalidResource> {
        let mut parts = Vec::with_capacity(3);
        let mut rest = Some(text);
        while let Some(here) = rest {
            let (part, after) = next_part(here).ok_or_else(|| InvalidResource::Quoting(text.to_owned()))?;
            parts.push(part.into_boxed_str());
            rest = after;
        }
        let mut parts = parts.into_iter();
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(schema), Some(table), column, None) => Ok(Self { schema, table, column }),
            (_, None, _, _) | (_, _, _, Some(_)) | (None, _, _, _) => {
                Err(InvalidResource::Parts(text.to_owned()))
            }
        }
    }
}

fn write_part(part: &str, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    let plain = part.trim() == part && !part.contains(['.', '"']);
    if plain { out.write_str(part) } else { write!(out, "\"{}\"", part.replace('"', "\"\"")) }
}

impl fmt::Display for Resource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_part(&self.schema, out)?;
        out.write_str(".")?;
        write_part(&self.table, out)?;
        if let Some(column) = &self.column {
            out.write_str(".")?;
            write_part(column, out)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl Serialize for Resource {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Resource {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// What may be done with a resource, in the meaning that the database's own `GRANT` gives the word, column by column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Privilege {
    /// Read.
    Select,
    /// Add rows.
    Insert,
    /// Change rows.
    Update,
    /// Remove rows; of a table, never of a column.
    Delete,
}

impl Privilege {
    /// All of them, in the order in which they are listed to people.
    pub const ALL: [Self; 4] = [Self::Select, Self::Insert, Self::Update, Self::Delete];

    /// The SQL word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Select => "SELECT",
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

impl fmt::Display for Privilege {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl FromStr for Privilege {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|privilege| privilege.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| format!("`{text}` is no privilege: SELECT, INSERT, UPDATE or DELETE"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_columns_read_and_print_alike() {
        for text in ["public.sales", "public.sales.id", "\"odd.schema\".t", "hr.\"say \"\"hi\"\"\".c"] {
            let resource: Resource = text.parse().unwrap();
            assert_eq!(resource.to_string(), text);
        }
    }

    #[test]
    fn what_names_no_table_is_refused() {
        for text in
            ["", "sales", "a.b.c.d", "a..b", ".a", "a.", "\"a.b", "\"a\"b.c", "a.\"\"", "a. b", "a.b\0"]
        {
            assert!(text.parse::<Resource>().is_err(), "{text:?}");
        }
    }
}
