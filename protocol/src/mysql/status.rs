//! What a server says about the session with each OK and EOF.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/mysql__com_8h.html#a1d854e841086925be1883e4d7b4e8cad>

use std::fmt;

/// `SERVER_STATUS_…` flags.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct StatusFlags(pub u16);

impl StatusFlags {
    /// A transaction is open.
    pub const IN_TRANS: Self = Self(1 << 0);
    /// Autocommit is on.
    pub const AUTOCOMMIT: Self = Self(1 << 1);
    /// Another result of the same command follows.
    pub const MORE_RESULTS_EXISTS: Self = Self(1 << 3);
    /// The slow log's affair.
    pub const NO_GOOD_INDEX_USED: Self = Self(1 << 4);
    /// The slow log's affair.
    pub const NO_INDEX_USED: Self = Self(1 << 5);
    /// A cursor is open; its rows are fetched with `COM_STMT_FETCH`.
    pub const CURSOR_EXISTS: Self = Self(1 << 6);
    /// The cursor has no more rows.
    pub const LAST_ROW_SENT: Self = Self(1 << 7);
    /// A database was dropped.
    pub const DB_DROPPED: Self = Self(1 << 8);
    /// `sql_mode` holds `NO_BACKSLASH_ESCAPES`: a backslash in a text is a backslash.
    pub const NO_BACKSLASH_ESCAPES: Self = Self(1 << 9);
    /// A prepared statement was prepared anew and its columns have changed.
    pub const METADATA_CHANGED: Self = Self(1 << 10);
    /// The slow log's affair.
    pub const QUERY_WAS_SLOW: Self = Self(1 << 11);
    /// The rows are a procedure's OUT parameters.
    pub const PS_OUT_PARAMS: Self = Self(1 << 12);
    /// The open transaction is read-only.
    pub const IN_TRANS_READONLY: Self = Self(1 << 13);
    /// The packet tells changes of the session's state.
    pub const SESSION_STATE_CHANGED: Self = Self(1 << 14);
    /// MariaDB 11.7: `sql_mode` holds `ANSI_QUOTES`.
    pub const ANSI_QUOTES: Self = Self(1 << 15);

    /// Whether all of these are among them.
    #[must_use]
    pub const fn has(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }
}

impl fmt::Debug for StatusFlags {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "StatusFlags({:#06x})", self.0)
    }
}
