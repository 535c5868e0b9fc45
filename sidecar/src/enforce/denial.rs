//! Why a statement is refused.
//!
//! One value gives the client's error, the audit record and the metric label. Message, detail and hint never hold a
//! name that the statement did not name itself, unless the grant covers it.

use std::ops::Deref;

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

/// A refusal. What it is about is elsewhere: nearly every verdict is none, and carries this about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Denial(Box<Facts>);

/// What there is to say about a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
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
    /// The table that it is about, if that is one of the database's, for the hint.
    pub(crate) table: Option<(Box<str>, Box<str>)>,
    /// Whether a newer catalog might know what this one does not.
    pub(crate) stale: bool,
    /// How many bytes of the text hold the statements before the one that it is about. The database would execute those
    /// first. 0 where there are none, or where it is about no single statement.
    pub(crate) behind: usize,
    /// The number of the error, for a database that numbers them; 0 where that follows from the rest.
    pub(crate) code: u16,
}

impl Deref for Denial {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.0
    }
}

impl Denial {
    fn new(reason: Reason, sqlstate: &'static str, message: String, culprit: &str) -> Self {
        let (detail, hint) = (String::new(), String::new());
        let culprit = culprit.to_owned();
        Self(Box::new(Facts {
            reason,
            sqlstate,
            message,
            detail,
            hint,
            culprit,
            table: None,
            stale: false,
            behind: 0,
            code: 0,
        }))
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
        let mut denial = Self::new(reason, "42501", message.to_owned(), culprit);
        denial.0.detail = why.into();
        denial
    }

    /// A name that means nothing, as the database would say it. A newer catalog may know it.
    pub(crate) fn missing(sqlstate: &'static str, message: String, name: &str) -> Self {
        Self::new(Reason::Name, sqlstate, message, name).stale()
    }

    /// A name that means several things.
    pub(crate) fn ambiguous(name: &str) -> Self {
        Self::new(Reason::Name, "42702", format!("reference \"{name}\" is ambiguous"), name)
    }

    /// The same about this table.
    pub(crate) fn about(mut self, schema: &str, table: &str) -> Self {
        self.0.table = Some((schema.into(), table.into()));
        self
    }

    /// The same, when a newer catalog may know better.
    pub(crate) fn stale(mut self) -> Self {
        self.0.stale = true;
        self
    }

    /// The same about the statement behind so many bytes of the text.
    pub(crate) fn behind(mut self, bytes: usize) -> Self {
        self.0.behind = bytes;
        self
    }

    /// The same under a number.
    pub(crate) fn numbered(mut self, code: u16) -> Self {
        self.0.code = code;
        self
    }

    /// A text that does not parse, in the parser's own words.
    pub(crate) fn syntax(message: String) -> Self {
        Self::new(Reason::Syntax, "42601", message, "")
    }

    /// A refusal in the database's own words, where it has some.
    pub(crate) fn in_words(
        reason: Reason,
        sqlstate: &'static str,
        message: impl Into<String>,
        culprit: &str,
    ) -> Self {
        Self::new(reason, sqlstate, message.into(), culprit)
    }

    /// What the client is told.
    pub(crate) fn told(&self) -> ErrorText {
        let Facts { sqlstate, message, detail, hint, .. } = &**self;
        ErrorText::new(sqlstate, message.as_str()).detail(detail.as_str()).hint(hint.as_str())
    }

    /// The same with a detail.
    pub(crate) fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = detail.into();
        self
    }

    /// The same with a hint.
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = hint.into();
        self
    }
}
