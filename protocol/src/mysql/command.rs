//! The commands of the protocol, by their first byte.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/my__command_8h.html>

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// `COM_…`
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Command {
            $($(#[$doc])* $name,)*
            /// One that is not known here.
            Unknown(u8),
        }

        impl From<u8> for Command {
            fn from(code: u8) -> Self {
                match code {
                    $($code => Self::$name,)*
                    other => Self::Unknown(other),
                }
            }
        }

        impl Command {
            /// The byte on the wire.
            #[must_use]
            pub const fn code(self) -> u8 {
                match self {
                    $(Self::$name => $code,)*
                    Self::Unknown(code) => code,
                }
            }
        }
    };
}

commands! {
    /// Internal to the server; also what an empty packet counts as.
    Sleep = 0x00,
    /// The client leaves.
    Quit = 0x01,
    /// Another current database.
    InitDb = 0x02,
    /// One or several statements as text.
    Query = 0x03,
    /// The columns of a table.
    FieldList = 0x04,
    /// Obsolete.
    CreateDb = 0x05,
    /// Obsolete.
    DropDb = 0x06,
    /// `FLUSH …`
    Refresh = 0x07,
    /// The server ends.
    Shutdown = 0x08,
    /// A line about the server's state.
    Statistics = 0x09,
    /// `SHOW PROCESSLIST`
    ProcessInfo = 0x0a,
    /// Internal to the server.
    Connect = 0x0b,
    /// `KILL`
    ProcessKill = 0x0c,
    /// The server writes about itself into its log.
    Debug = 0x0d,
    /// Is anybody there?
    Ping = 0x0e,
    /// Internal to the server.
    Time = 0x0f,
    /// Obsolete.
    DelayedInsert = 0x10,
    /// Another login in the same connection.
    ChangeUser = 0x11,
    /// The binary log, as replicas read it.
    BinlogDump = 0x12,
    /// Obsolete.
    TableDump = 0x13,
    /// Internal to the server.
    ConnectOut = 0x14,
    /// A replica tells its name.
    RegisterSlave = 0x15,
    /// A statement with places for values.
    StmtPrepare = 0x16,
    /// Such a statement with values.
    StmtExecute = 0x17,
    /// A part of a long value, sent ahead. Has no answer.
    StmtSendLongData = 0x18,
    /// Such a statement is needed no more. Has no answer.
    StmtClose = 0x19,
    /// Cursor and long values of such a statement are dropped.
    StmtReset = 0x1a,
    /// Several statements in one text, on or off.
    SetOption = 0x1b,
    /// Rows of a cursor.
    StmtFetch = 0x1c,
    /// Internal to the server.
    Daemon = 0x1d,
    /// The binary log by GTIDs.
    BinlogDumpGtid = 0x1e,
    /// The session as after a login.
    ResetConnection = 0x1f,
    /// MySQL: a copy of the whole server.
    Clone = 0x20,
    /// MySQL: what group replication tells.
    SubscribeGroupReplicationStream = 0x21,
    /// MariaDB: a prepared statement with many rows of values.
    StmtBulkExecute = 0xfa,
    /// MariaDB 10.2: several commands in one packet.
    Multi = 0xfe,
}

impl Command {
    /// The command of a payload, and what it says.
    #[must_use]
    pub fn split(payload: &[u8]) -> (Self, &[u8]) {
        payload.split_first().map_or((Self::Sleep, payload), |(code, body)| (Self::from(*code), body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_a_command_and_comes_back() {
        for code in 0..=u8::MAX {
            assert_eq!(Command::from(code).code(), code);
        }
        assert_eq!(Command::from(0x22), Command::Unknown(0x22));
        assert_eq!(Command::split(b"\x03select 1"), (Command::Query, &b"select 1"[..]));
        assert_eq!(Command::split(b""), (Command::Sleep, &b""[..]));
    }
}
