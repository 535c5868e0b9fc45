//! What a server answers to each command.

use crate::mysql::Command;

/// The kinds of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// None at all.
    Nothing,
    /// One packet: OK, EOF or ERR.
    Verdict,
    /// Results: rows or an OK each, as many as there are.
    Results,
    /// Rows without definitions.
    Rows,
    /// Definitions of columns.
    Listing,
    /// A text.
    Line,
    /// A prepared statement.
    Prepared,
    /// A login's exchange.
    Authentication,
    /// Events until the server stops, if it does.
    Dump,
    /// Something that is not a command's answer any more.
    Unforeseeable,
}

pub(super) const fn to(command: Command) -> Answer {
    match command {
        Command::Quit | Command::StmtClose | Command::StmtSendLongData => Answer::Nothing,
        Command::Query | Command::ProcessInfo | Command::StmtExecute | Command::StmtBulkExecute => {
            Answer::Results
        }
        Command::StmtFetch => Answer::Rows,
        Command::FieldList => Answer::Listing,
        Command::Statistics => Answer::Line,
        Command::StmtPrepare => Answer::Prepared,
        Command::ChangeUser => Answer::Authentication,
        Command::BinlogDump | Command::BinlogDumpGtid => Answer::Dump,
        Command::TableDump | Command::Clone | Command::SubscribeGroupReplicationStream => {
            Answer::Unforeseeable
        }
        // Servers answer what they do not know with an error.
        Command::Unknown(_)
        | Command::Multi
        | Command::Sleep
        | Command::InitDb
        | Command::CreateDb
        | Command::DropDb
        | Command::Refresh
        | Command::Shutdown
        | Command::Connect
        | Command::ProcessKill
        | Command::Debug
        | Command::Ping
        | Command::Time
        | Command::DelayedInsert
        | Command::ConnectOut
        | Command::RegisterSlave
        | Command::StmtReset
        | Command::SetOption
        | Command::Daemon
        | Command::ResetConnection => Answer::Verdict,
    }
}
