//! What client and server can do, and have agreed upon.
//!
//! The lower 32 flags are MySQL's; the upper ones MariaDB's, which travel in bytes that MySQL leaves zero.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__capabilities__flags.html>,
//! <https://mariadb.com/kb/en/connection/#capabilities>

use std::{
    fmt,
    ops::{BitAnd, BitOr, Sub},
};

/// A set of capability flags.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Capabilities(u64);

impl Capabilities {
    /// None at all.
    pub const NONE: Self = Self(0);
    /// `CLIENT_LONG_PASSWORD`. MariaDB calls it `CLIENT_MYSQL`: whoever leaves it out speaks MariaDB's extensions.
    pub const LONG_PASSWORD: Self = Self(1 << 0);
    /// Affected rows are those found, not those changed.
    pub const FOUND_ROWS: Self = Self(1 << 1);
    /// Column flags take two bytes.
    pub const LONG_FLAG: Self = Self(1 << 2);
    /// The login names a database.
    pub const CONNECT_WITH_DB: Self = Self(1 << 3);
    /// `database.table.column` is not allowed.
    pub const NO_SCHEMA: Self = Self(1 << 4);
    /// Packets are compressed with zlib.
    pub const COMPRESS: Self = Self(1 << 5);
    /// An ODBC client; no effect.
    pub const ODBC: Self = Self(1 << 6);
    /// `LOAD DATA LOCAL` may ask the client for a file.
    pub const LOCAL_FILES: Self = Self(1 << 7);
    /// Blanks before `(` are ignored: sets `IGNORE_SPACE` in `sql_mode`.
    pub const IGNORE_SPACE: Self = Self(1 << 8);
    /// The protocol of MySQL 4.1; all that is spoken here.
    pub const PROTOCOL_41: Self = Self(1 << 9);
    /// `interactive_timeout` counts instead of `wait_timeout`.
    pub const INTERACTIVE: Self = Self(1 << 10);
    /// TLS begins after this packet.
    pub const SSL: Self = Self(1 << 11);
    /// No effect on the wire.
    pub const IGNORE_SIGPIPE: Self = Self(1 << 12);
    /// Status flags are sent with OK and EOF.
    pub const TRANSACTIONS: Self = Self(1 << 13);
    /// Once `CLIENT_PROTOCOL_41`; no effect.
    pub const RESERVED: Self = Self(1 << 14);
    /// The answer to the scramble has a length before it. `CLIENT_RESERVED2` since MySQL 8.
    pub const SECURE_CONNECTION: Self = Self(1 << 15);
    /// One `COM_QUERY` may hold several statements.
    pub const MULTI_STATEMENTS: Self = Self(1 << 16);
    /// One `COM_QUERY` may be answered by several results.
    pub const MULTI_RESULTS: Self = Self(1 << 17);
    /// One `COM_STMT_EXECUTE` may be answered by several results.
    pub const PS_MULTI_RESULTS: Self = Self(1 << 18);
    /// The login names an authentication plugin.
    pub const PLUGIN_AUTH: Self = Self(1 << 19);
    /// The login carries attributes.
    pub const CONNECT_ATTRS: Self = Self(1 << 20);
    /// The answer to the scramble has a length-encoded length.
    pub const PLUGIN_AUTH_LENENC_CLIENT_DATA: Self = Self(1 << 21);
    /// An account whose password has expired is let in to change it.
    pub const CAN_HANDLE_EXPIRED_PASSWORDS: Self = Self(1 << 22);
    /// OK packets tell changes of the session's state.
    pub const SESSION_TRACK: Self = Self(1 << 23);
    /// OK packets stand where EOF packets stood.
    pub const DEPRECATE_EOF: Self = Self(1 << 24);
    /// MySQL: column definitions may be left out.
    pub const OPTIONAL_RESULTSET_METADATA: Self = Self(1 << 25);
    /// MySQL: packets are compressed with zstd.
    pub const ZSTD_COMPRESSION_ALGORITHM: Self = Self(1 << 26);
    /// MySQL: `COM_QUERY` and `COM_STMT_EXECUTE` carry attributes ahead of the text.
    pub const QUERY_ATTRIBUTES: Self = Self(1 << 27);
    /// MySQL: up to three authentication plugins one after another.
    pub const MULTI_FACTOR_AUTHENTICATION: Self = Self(1 << 28);
    /// MySQL: reserved. MariaDB's `CLIENT_PROGRESS_OBSOLETE`.
    pub const CAPABILITY_EXTENSION: Self = Self(1 << 29);
    /// A client's own affair; no effect on the wire.
    pub const SSL_VERIFY_SERVER_CERT: Self = Self(1 << 30);
    /// A client's own affair; no effect on the wire.
    pub const REMEMBER_OPTIONS: Self = Self(1 << 31);
    /// MariaDB: progress reports while a statement runs.
    pub const MARIADB_PROGRESS: Self = Self(1 << 32);
    /// MariaDB 10.2: `COM_MULTI`; reserved since.
    pub const MARIADB_COM_MULTI: Self = Self(1 << 33);
    /// MariaDB: `COM_STMT_BULK_EXECUTE`.
    pub const MARIADB_STMT_BULK_OPERATIONS: Self = Self(1 << 34);
    /// MariaDB: column definitions name extended types and formats.
    pub const MARIADB_EXTENDED_METADATA: Self = Self(1 << 35);
    /// MariaDB: column definitions are left out where the client has them.
    pub const MARIADB_CACHE_METADATA: Self = Self(1 << 36);
    /// MariaDB 11.5: each row of a bulk has its own result.
    pub const MARIADB_BULK_UNIT_RESULTS: Self = Self(1 << 37);

    /// From the wire's 32 flags and MariaDB's 32 further ones.
    #[must_use]
    pub const fn new(flags: u32, extended: u32) -> Self {
        Self(flags as u64 | (extended as u64) << 32)
    }

    /// The 32 flags that MySQL knows.
    #[must_use]
    pub const fn flags(self) -> u32 {
        (self.0 & 0xffff_ffff) as u32
    }

    /// MariaDB's further flags.
    #[must_use]
    pub const fn extended(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Whether all of these are among them.
    #[must_use]
    pub const fn has(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }
}

impl BitOr for Capabilities {
    type Output = Self;

    fn bitor(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }
}

impl BitAnd for Capabilities {
    type Output = Self;

    fn bitand(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }
}

impl Sub for Capabilities {
    type Output = Self;

    /// Without the others.
    fn sub(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Capabilities({:#x})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_halves_of_the_flags_come_back_as_they_were() {
        let both = Capabilities::new(0x8000_0001, 0x0000_0024);
        assert_eq!((both.flags(), both.extended()), (0x8000_0001, 0x24));
        assert!(both.has(Capabilities::LONG_PASSWORD | Capabilities::MARIADB_STMT_BULK_OPERATIONS));
        assert!(!(both - Capabilities::LONG_PASSWORD).has(Capabilities::LONG_PASSWORD));
        assert!(!both.has(Capabilities::SSL | Capabilities::LONG_PASSWORD));
    }
}
