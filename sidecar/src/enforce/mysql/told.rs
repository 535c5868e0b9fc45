//! What a client of MySQL is told when a statement is refused: error number, SQLSTATE and message.
//!
//! Numbers and words are the server's own where it has some: 1142 for a table, 1143 for a column, 1044 for a database,
//! 1054 and 1052 for names, 1064 for what does not parse. 1227 is for what cannot be established.

use crate::enforce::{Denial, Reason};

const DENIED: &str = "42000";

/// An error as `ERR_Packet` carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) number: u16,
    pub(crate) sqlstate: &'static str,
    pub(crate) message: String,
}

/// What the client is told.
pub(crate) fn told(denial: &Denial) -> Told {
    let mut message = denial.message.clone();
    for more in [&denial.detail, &denial.hint] {
        if !more.is_empty() {
            message.push_str("; ");
            message.push_str(more);
        }
    }
    let number = match (denial.code, denial.reason) {
        (0, Reason::Syntax) => 1064,
        (0, _) => 1227,
        (number, _) => number,
    };
    Told { number, sqlstate: denial.sqlstate, message }
}

/// A privilege on a table that the grant does not hold, or no such table: a limited account is not told which. Where
/// the table is known to be there, the denial is said to be about it.
pub(super) fn no_table(privilege: &str, user: &str, table: &str) -> Denial {
    let message = format!("{privilege} command denied to user {user} for table '{table}'");
    Denial::in_words(Reason::Table, DENIED, message, table).numbered(1142).about("", table)
}

/// A privilege on a column that the grant does not hold.
pub(super) fn no_column(privilege: &str, user: &str, column: &str, table: &str) -> Denial {
    let message =
        format!("{privilege} command denied to user {user} for column '{column}' in table '{table}'");
    Denial::in_words(Reason::Column, DENIED, message, &format!("{table}.{column}")).numbered(1143)
}

/// A database of which the grant covers nothing, or that is not there.
pub(super) fn no_schema(user: &str, schema: &str) -> Denial {
    let message = format!("Access denied for user {user} to database '{schema}'");
    Denial::in_words(Reason::Table, DENIED, message, schema).numbered(1044)
}

/// A name that no column has.
pub(super) fn unknown_column(name: &str) -> Denial {
    Denial::in_words(Reason::Name, "42S22", format!("Unknown column '{name}' in this place"), name)
        .numbered(1054)
        .stale()
}

/// A name that several columns have.
pub(super) fn ambiguous(name: &str) -> Denial {
    Denial::in_words(Reason::Name, "23000", format!("Column '{name}' in this place is ambiguous"), name)
        .numbered(1052)
}

/// A table that has to be named with its database's name.
pub(super) fn no_database() -> Denial {
    Denial::in_words(Reason::Name, "3D000", "No database selected", "").numbered(1046)
}

/// A text that does not parse.
pub(super) fn syntax(message: &str) -> Denial {
    let message = format!("You have an error in your SQL syntax; {message}");
    Denial::in_words(Reason::Syntax, DENIED, message, "").numbered(1064)
}

/// Something of which it cannot be established what it reads or does.
pub(super) fn unclear(reason: Reason, culprit: &str, why: &str) -> Denial {
    let message = "Access denied: this session is limited to the tables and columns of its grant";
    Denial::in_words(reason, DENIED, message, culprit).with_detail(why).numbered(1227)
}

/// A part of a statement that is not for limited sessions.
pub(super) fn refuse(what: &str) -> Denial {
    unclear(Reason::Statement, "", &format!("{what} cannot be judged, so it is not for limited sessions"))
}
