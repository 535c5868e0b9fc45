//! `sql_mode`, as far as it decides what a text means.

use std::fmt;

/// The modes that change how a text is read. Those that change what operators or functions give are the client's own
/// affair: whatever they do, they do it with what has been judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct SqlMode {
    /// `ANSI_QUOTES`: what stands in double quotes is a name.
    pub(crate) ansi_quotes: bool,
    /// `NO_BACKSLASH_ESCAPES`: a backslash in a string is a letter.
    pub(crate) no_backslash_escapes: bool,
    /// `IGNORE_SPACE`: a function's name may be parted from its parenthesis.
    pub(crate) ignore_space: bool,
}

/// Modes that change nothing here. `ORACLE` and its like are not among them: they change the grammar.
#[rustfmt::skip]
const HARMLESS: &[&str] = &[
    "ALLOW_INVALID_DATES", "EMPTY_STRING_IS_NULL", "ERROR_FOR_DIVISION_BY_ZERO", "HIGH_NOT_PRECEDENCE",
    "IGNORE_BAD_TABLE_OPTIONS", "NO_AUTO_CREATE_USER", "NO_AUTO_VALUE_ON_ZERO",
    "NO_DIR_IN_CREATE", "NO_ENGINE_SUBSTITUTION", "NO_FIELD_OPTIONS", "NO_KEY_OPTIONS", "NO_TABLE_OPTIONS",
    "NO_UNSIGNED_SUBTRACTION", "NO_ZERO_DATE", "NO_ZERO_IN_DATE", "ONLY_FULL_GROUP_BY",
    "PAD_CHAR_TO_FULL_LENGTH", "PIPES_AS_CONCAT", "REAL_AS_FLOAT", "SIMULTANEOUS_ASSIGNMENT",
    "STRICT_ALL_TABLES", "STRICT_TRANS_TABLES", "TIME_ROUND_FRACTIONAL", "TIME_TRUNCATE_FRACTIONAL",
    "TRADITIONAL", "",
];

/// Those that change how a text is read.
const READING: [&str; 4] = ["ANSI", "ANSI_QUOTES", "IGNORE_SPACE", "NO_BACKSLASH_ESCAPES"];

/// All the modes that a session began with. That is what `DEFAULT` stands for in it, whatever becomes of the server's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Modes {
    reading: SqlMode,
    /// Of all that are known, one bit each.
    names: u64,
}

fn known() -> impl Iterator<Item = (u64, &'static str)> {
    let names = READING.iter().chain(HARMLESS).filter(|name| !name.is_empty());
    names.enumerate().map(|(at, name)| (1 << at, *name))
}

impl Modes {
    /// What `@@sql_mode` says. None if a mode is among them that a limited session must not have.
    pub(crate) fn parse(names: &str) -> Option<Self> {
        let reading = SqlMode::parse(names)?;
        let named = |name: &str| names.split(',').any(|one| one.trim_ascii().eq_ignore_ascii_case(name));
        let names = known().filter(|(_, name)| named(name)).fold(0, |names, (bit, _)| names | bit);
        Some(Self { reading, names })
    }

    /// How texts are read under them.
    pub(crate) const fn reading(self) -> SqlMode {
        self.reading
    }
}

/// As a string that `sql_mode` can be set to.
impl fmt::Display for Modes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> =
            known().filter(|(bit, _)| self.names & bit != 0).map(|(_, name)| name).collect();
        write!(out, "'{}'", names.join(","))
    }
}

impl SqlMode {
    /// What `@@sql_mode` says. None if a mode is among them that a limited session must not have.
    pub(crate) fn parse(names: &str) -> Option<Self> {
        let mut mode = Self::default();
        for name in names.split(',') {
            match name.trim_ascii().to_ascii_uppercase().as_str() {
                "ANSI" => (mode.ansi_quotes, mode.ignore_space) = (true, true),
                "ANSI_QUOTES" => mode.ansi_quotes = true,
                "IGNORE_SPACE" => mode.ignore_space = true,
                "NO_BACKSLASH_ESCAPES" => mode.no_backslash_escapes = true,
                name if HARMLESS.contains(&name) => {}
                _ => return None,
            }
        }
        Some(mode)
    }

    /// Both together: `CONCAT(@@sql_mode, …)`.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self {
            ansi_quotes: self.ansi_quotes || other.ansi_quotes,
            no_backslash_escapes: self.no_backslash_escapes || other.no_backslash_escapes,
            ignore_space: self.ignore_space || other.ignore_space,
        }
    }

    /// Whether this is the name of a mode that changes nothing here.
    pub(crate) fn is_harmless(name: &str) -> bool {
        HARMLESS.contains(&name.to_ascii_uppercase().as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_that_is_not_known_is_no_mode() {
        assert_eq!(SqlMode::parse("STRICT_TRANS_TABLES,,no_zero_date"), Some(SqlMode::default()));
        assert!(SqlMode::parse("ANSI").unwrap().ansi_quotes);
        let both = SqlMode::parse("IGNORE_SPACE, NO_BACKSLASH_ESCAPES").unwrap();
        assert!(both.no_backslash_escapes && both.ignore_space && !both.ansi_quotes);
        assert_eq!(SqlMode::parse("ORACLE"), None);
        assert_eq!(SqlMode::parse("4"), None);
    }

    #[test]
    fn the_modes_of_the_beginning_are_all_of_them() {
        let begun = Modes::parse("strict_trans_tables,,PIPES_AS_CONCAT,ANSI_QUOTES").unwrap();
        assert_eq!(begun.to_string(), "'ANSI_QUOTES,PIPES_AS_CONCAT,STRICT_TRANS_TABLES'");
        assert_eq!(Some(begun.reading()), SqlMode::parse("ANSI_QUOTES"));
        assert_eq!(Modes::parse("").unwrap().to_string(), "''");
        assert_eq!(Modes::parse("ANSI,MSSQL"), None);
    }
}
