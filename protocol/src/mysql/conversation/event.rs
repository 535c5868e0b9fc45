//! What the server's packets say.

use crate::mysql::{EofPacket, ErrorPacket, OkPacket};

/// One packet of interest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A statement went well, or under `DEPRECATE_EOF` a result has no more rows.
    Ok(OkPacket<'a>),
    /// A result has no more rows, or a command that is answered this way went well. The EOF packets behind column
    /// definitions are not told, unless a cursor was opened in the place of rows.
    Eof(EofPacket),
    /// The command failed.
    Error(ErrorPacket<'a>),
    /// A result begins.
    Columns {
        /// How many columns it has.
        count: u64,
        /// Whether their definitions follow. If not, the client knows them, or has asked not to be told.
        defined: bool,
    },
    /// The definition of a column, for [`ColumnDefinition::decode`](crate::mysql::ColumnDefinition::decode).
    Column(ColumnRole, &'a [u8]),
    /// A statement was prepared; definitions of its parameters and columns follow.
    Prepared {
        /// Its id.
        statement: u32,
        /// How many columns its result has.
        columns: u16,
        /// How many parameters it has.
        parameters: u16,
    },
    /// `LOAD DATA LOCAL` asks the client for this file.
    LocalInfile(&'a [u8]),
    /// A step of the exchange that `COM_CHANGE_USER` begins.
    Authentication(&'a [u8]),
    /// A packet of one of these kinds is longer than servers make them. It is not told.
    TooLong,
}

/// What a column definition is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnRole {
    /// A column of a result.
    Result,
    /// A parameter of a prepared statement.
    Parameter,
    /// A column of the result that a prepared statement will have.
    Prepared,
    /// A column that `COM_FIELD_LIST` lists.
    Listed,
}
