//! Why a statement is refused.
//!
//! One value gives the client's error, the audit record and the metric label. Message, detail and hint never hold a
//! name that the statement did not name itself, unless the grant covers it.

use postern_protocol::postgres::ErrorText;

/// The kind of a refusal, and the metric label of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A table, or a privilege on it, is outside the grant.
    Table,
    /// A column is outside the grant.
    Column,
    /// A name means nothing, or nothing that can be established.
    Name,
    /// A function is not known to be harmless.
    Function,
    /// An operator is not known to be harmless.
    Operator,
    /// A type is not known to be harmless.
    Type,
    /// A setting must not be changed.
    Setting,
    /// This kind of statement, or this part of one, is not for limited sessions.
    Statement,
    /// The text is no statement.
    Syntax,
    /// This message of the protocol is not for limited sessions.
    Protocol,
    /// More than the grant allows in number.
    Rate,
}

impl Reason {
    /// The label of `postern_statements_total{reason}`.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Column => "column",
            Self::Name => "name",
            Self::Function => "function",
            Self::Operator => "operator",
            Self::Type => "type",
            Self::Setting => "setting",
            Self::Statement => "statement",
            Self::Syntax => "syntax",
            Self::Protocol => "protocol",
            Self::Rate => "rate",
        }
    }
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Denial {
    pub(crate) reason: Reason,
    /// Five characters.
    pub(crate) sqlstate: &'static str,
    pub(crate) message: String,
    /// What could not be established; may be empty.
    pub(crate) detail: String,
    /// What the grant does cover, or what to do; may be empty.
    pub(crate) hint: String,
    /// The identifier at fault, for the audit; may be empty.
    pub(crate) culprit: String,
    /// Whether a newer catalog might know what this one does not.
    pub(crate) stale: bool,
}

impl Denial {
    fn new(reason: Reason, sqlstate: &'static str, message: String, culprit: &str) -> Self {
        let (detail, hint) = (String::new(), String::new());
        Self { reason, sqlstate, message, detail, hint, culprit: culprit.to_owned(), stale: false }
    }

    /// A table that the grant does not cover, or not for this.
    pub(crate) fn table(name: &str) -> Self {
        Self::new(Reason::Table, "42501", format!("permission denied for table {name}"), name)
    }

    /// A column that the grant does not cover, or not for this.
    pub(crate) fn column(column: &str, table: &str) -> Self {
        let message = format!("permission denied for column {column} of table {table}");
        Self::new(Reason::Column, "42501", message, &format!("{table}.{column}"))
    }

    /// Something of which it cannot be established what it reads or does.
    pub(crate) fn unclear(reason: Reason, culprit: &str, why: impl Into<String>) -> Self {
        let message = "permission denied: this session is limited to the tables and columns of its grant";
        Self { detail: why.into(), ..Self::new(reason, "42501", message.to_owned(), culprit) }
    }

    /// A name that the catalog does not know. A newer catalog may.
    pub(crate) fn unknown(culprit: &str, why: impl Into<String>) -> Self {
        Self { stale: true, ..Self::unclear(Reason::Name, culprit, why) }
    }

    /// A text that does not parse, in the parser's own words.
    pub(crate) fn syntax(message: String) -> Self {
        Self::new(Reason::Syntax, "42601", message, "")
    }

    /// What the client is told.
    pub(crate) fn told(&self) -> ErrorText {
        let Self { sqlstate, message, detail, hint, .. } = self;
        ErrorText::new(sqlstate, message.as_str()).detail(detail.as_str()).hint(hint.as_str())
    }

    /// The same with a hint.
    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }
}
