//! What a client asks once it is in, decoded from an exact payload with nothing left over.
//!
//! Texts are bytes here: what character set they are in is for those to know who need to.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_command_phase.html>

use bytes::Bytes;

use super::{
    AuthResponse, Capabilities, Command, Malformed, Query, Reader,
    login::{attributes, put_attributes, put_short_bytes, text},
    packet,
    reader::put_c_string,
};

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request<'a> {
    /// `COM_QUIT`
    Quit,
    /// `COM_INIT_DB`: the database's name.
    InitDb(&'a [u8]),
    /// `COM_QUERY`
    Query(Query<'a>),
    /// `COM_FIELD_LIST`
    FieldList {
        /// The table.
        table: &'a [u8],
        /// A pattern for its columns.
        wildcard: &'a [u8],
    },
    /// `COM_STATISTICS`
    Statistics,
    /// `COM_PROCESS_KILL`: the number of a connection.
    ProcessKill(u32),
    /// `COM_PING`
    Ping,
    /// `COM_CHANGE_USER`
    ChangeUser(Box<ChangeUser>),
    /// `COM_STMT_PREPARE`: the statement.
    StmtPrepare(&'a [u8]),
    /// `COM_STMT_EXECUTE`
    StmtExecute(Execute<'a>),
    /// `COM_STMT_BULK_EXECUTE`
    StmtBulkExecute(BulkExecute<'a>),
    /// `COM_STMT_SEND_LONG_DATA`
    StmtSendLongData {
        /// The statement's id.
        statement: u32,
        /// Which of its parameters, from 0.
        parameter: u16,
        /// A part of the value.
        data: &'a [u8],
    },
    /// `COM_STMT_FETCH`
    StmtFetch {
        /// The statement's id.
        statement: u32,
        /// How many rows.
        rows: u32,
    },
    /// `COM_STMT_CLOSE`: the statement's id.
    StmtClose(u32),
    /// `COM_STMT_RESET`: the statement's id.
    StmtReset(u32),
    /// `COM_SET_OPTION`: 0 allows several statements in one text, 1 forbids them.
    SetOption(u16),
    /// `COM_RESET_CONNECTION`
    ResetConnection,
    /// Any other, not decoded.
    Other(Command),
}

impl<'a> Request<'a> {
    /// Decodes a whole payload, as it is sent where these capabilities were agreed upon.
    pub fn decode(payload: &'a [u8], capabilities: Capabilities) -> Result<Self, Malformed> {
        let (command, body) = Command::split(payload);
        if command == Command::Query {
            return Query::decode(body, capabilities).map(Self::Query);
        }
        if command == Command::ChangeUser {
            return ChangeUser::decode(body, capabilities).map(Box::new).map(Self::ChangeUser);
        }
        let mut reader = Reader::new(body);
        let request = Self::read(command, &mut reader).filter(|_| reader.end().is_some());
        request.ok_or(Malformed("command"))
    }

    fn read(command: Command, reader: &mut Reader<'a>) -> Option<Self> {
        Some(match command {
            Command::Quit => Self::Quit,
            Command::InitDb => Self::InitDb(reader.take_rest()),
            Command::FieldList => {
                let (table, wildcard) = (reader.c_string()?, reader.take_rest());
                Self::FieldList { table, wildcard: wildcard.strip_suffix(b"\0").unwrap_or(wildcard) }
            }
            Command::Statistics => Self::Statistics,
            Command::ProcessKill => Self::ProcessKill(reader.u32()?),
            Command::Ping => Self::Ping,
            Command::StmtPrepare => Self::StmtPrepare(reader.take_rest()),
            Command::StmtExecute => Self::StmtExecute(Execute::read(reader)?),
            Command::StmtBulkExecute => Self::StmtBulkExecute(BulkExecute::read(reader)?),
            Command::StmtSendLongData => {
                let (statement, parameter) = (reader.u32()?, reader.u16()?);
                Self::StmtSendLongData { statement, parameter, data: reader.take_rest() }
            }
            Command::StmtFetch => Self::StmtFetch { statement: reader.u32()?, rows: reader.u32()? },
            Command::StmtClose => Self::StmtClose(reader.u32()?),
            Command::StmtReset => Self::StmtReset(reader.u32()?),
            Command::SetOption => Self::SetOption(reader.u16()?),
            Command::ResetConnection => Self::ResetConnection,
            other @ (Command::Sleep
            | Command::Query
            | Command::CreateDb
            | Command::DropDb
            | Command::Refresh
            | Command::Shutdown
            | Command::ProcessInfo
            | Command::Connect
            | Command::Debug
            | Command::Time
            | Command::DelayedInsert
            | Command::ChangeUser
            | Command::BinlogDump
            | Command::TableDump
            | Command::ConnectOut
            | Command::RegisterSlave
            | Command::Daemon
            | Command::BinlogDumpGtid
            | Command::Clone
            | Command::SubscribeGroupReplicationStream
            | Command::Multi
            | Command::Unknown(_)) => {
                reader.take_rest();
                Self::Other(other)
            }
        })
    }
}

/// `COM_STMT_EXECUTE`, without its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Execute<'a> {
    /// The statement's id. For MariaDB 0xFFFFFFFF is the one prepared last.
    pub statement: u32,
    /// `CURSOR_TYPE_…`, and 8 where the number of parameters stands ahead of the values.
    pub flags: u8,
    /// Always 1.
    pub iterations: u32,
    /// The parameters, encoded as the statement's number of them demands.
    pub values: &'a [u8],
}

impl<'a> Execute<'a> {
    /// Where the values begin in the payload.
    pub const VALUES_AT: usize = 10;

    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let (statement, flags, iterations) = (reader.u32()?, reader.u8()?, reader.u32()?);
        Some(Self { statement, flags, iterations, values: reader.take_rest() })
    }
}

/// `COM_STMT_BULK_EXECUTE`, without its values.
/// <https://mariadb.com/kb/en/com_stmt_bulk_execute/>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkExecute<'a> {
    /// The statement's id. 0xFFFFFFFF is the one prepared last.
    pub statement: u32,
    /// 64: a result for each row; 128: types are sent with the values.
    pub flags: u16,
    /// The parameters, row by row.
    pub values: &'a [u8],
}

impl<'a> BulkExecute<'a> {
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let (statement, flags) = (reader.u32()?, reader.u16()?);
        Some(Self { statement, flags, values: reader.take_rest() })
    }
}

/// `COM_CHANGE_USER`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeUser {
    /// The account, or `identity:account`; UTF-8.
    pub user: String,
    /// The answer to the scramble of the greeting, or of the last authentication.
    pub auth_response: AuthResponse,
    /// The database to begin in; UTF-8.
    pub database: Option<String>,
    /// Number of the collation; old clients leave it and all that follows out.
    pub charset: Option<u16>,
    /// The plugin that made the answer.
    pub plugin: Option<String>,
    /// Names and values that describe the client.
    pub attributes: Vec<(Vec<u8>, Vec<u8>)>,
}

impl ChangeUser {
    /// Decodes a body, behind the command's byte.
    pub fn decode(body: &[u8], capabilities: Capabilities) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let request = Self::read(&mut reader, capabilities).filter(|_| reader.end().is_some());
        request.ok_or(Malformed("COM_CHANGE_USER"))
    }

    fn read(reader: &mut Reader<'_>, capabilities: Capabilities) -> Option<Self> {
        let user = text(reader.c_string()?)?;
        let secure = capabilities.has(Capabilities::SECURE_CONNECTION);
        let auth_response = if secure { reader.short_bytes()? } else { reader.c_string()? }.into();
        let database = Some(text(reader.c_string()?)?).filter(|name| !name.is_empty());
        let mut request =
            Self { user, auth_response, database, charset: None, plugin: None, attributes: Vec::new() };
        if reader.rest().is_empty() {
            return Some(request);
        }
        request.charset = Some(reader.u16()?);
        if capabilities.has(Capabilities::PLUGIN_AUTH) && !reader.rest().is_empty() {
            request.plugin = Some(text(reader.c_string()?)?);
            if capabilities.has(Capabilities::CONNECT_ATTRS) && !reader.rest().is_empty() {
                request.attributes = attributes(reader.lenenc_bytes()?)?;
            }
        }
        Some(request)
    }

    /// The finished packet. Fields are left out where a field before them is.
    #[must_use]
    pub fn packet(&self, capabilities: Capabilities) -> Bytes {
        let mut payload = vec![Command::ChangeUser.code()];
        put_c_string(&mut payload, self.user.as_bytes());
        if capabilities.has(Capabilities::SECURE_CONNECTION) {
            put_short_bytes(&mut payload, self.auth_response.reveal());
        } else {
            put_c_string(&mut payload, self.auth_response.reveal());
        }
        put_c_string(&mut payload, self.database.as_deref().unwrap_or_default().as_bytes());
        if let Some(charset) = self.charset {
            payload.extend_from_slice(&charset.to_le_bytes());
            self.put_plugin(&mut payload, capabilities);
        }
        packet(0, &payload)
    }

    fn put_plugin(&self, payload: &mut Vec<u8>, capabilities: Capabilities) {
        let Some(plugin) = self.plugin.as_deref().filter(|_| capabilities.has(Capabilities::PLUGIN_AUTH))
        else {
            return;
        };
        put_c_string(payload, plugin.as_bytes());
        if capabilities.has(Capabilities::CONNECT_ATTRS) {
            put_attributes(payload, &self.attributes);
        }
    }
}

fn command(command: Command, body: &[u8]) -> Bytes {
    packet(0, &[&[command.code()], body].concat())
}

/// `COM_QUERY`, in a connection with these capabilities.
#[must_use]
pub fn query(text: &str, capabilities: Capabilities) -> Bytes {
    let no_attributes: &[u8] = if capabilities.has(Capabilities::QUERY_ATTRIBUTES) { &[0, 1] } else { &[] };
    command(Command::Query, &[no_attributes, text.as_bytes()].concat())
}

/// `COM_INIT_DB`
#[must_use]
pub fn init_db(database: &str) -> Bytes {
    command(Command::InitDb, database.as_bytes())
}

/// `COM_PING`
#[must_use]
pub fn ping() -> Bytes {
    command(Command::Ping, b"")
}

/// `COM_RESET_CONNECTION`
#[must_use]
pub fn reset_connection() -> Bytes {
    command(Command::ResetConnection, b"")
}

/// `COM_QUIT`
#[must_use]
pub fn quit() -> Bytes {
    command(Command::Quit, b"")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Capabilities = Capabilities::NONE;

    #[test]
    fn each_command_tells_what_it_is_about() {
        let execute = Execute { statement: 1, flags: 1, iterations: 1, values: b"\0\x01" };
        let bulk = BulkExecute { statement: u32::MAX, flags: 128, values: b"\x03\0" };
        let cases: [(&[u8], Request<'_>); 15] = [
            (b"\x01", Request::Quit),
            (b"\x02shop", Request::InitDb(b"shop")),
            (b"\x03SELECT 1", Request::Query(Query { attributes: b"", text: b"SELECT 1" })),
            (b"\x04sales\0%", Request::FieldList { table: b"sales", wildcard: b"%" }),
            (b"\x0c\x07\0\0\0", Request::ProcessKill(7)),
            (b"\x0e", Request::Ping),
            (b"\x16SELECT ?", Request::StmtPrepare(b"SELECT ?")),
            (b"\x17\x01\0\0\0\x01\x01\0\0\0\0\x01", Request::StmtExecute(execute)),
            (
                b"\x18\x01\0\0\0\x02\0data",
                Request::StmtSendLongData { statement: 1, parameter: 2, data: b"data" },
            ),
            (b"\x19\x01\0\0\0", Request::StmtClose(1)),
            (b"\x1b\x01\0", Request::SetOption(1)),
            (b"\x1c\x01\0\0\0\x0a\0\0\0", Request::StmtFetch { statement: 1, rows: 10 }),
            (b"\xfa\xff\xff\xff\xff\x80\0\x03\0", Request::StmtBulkExecute(bulk)),
            (b"\x12\x04\0\0\0", Request::Other(Command::BinlogDump)),
            (b"", Request::Other(Command::Sleep)),
        ];
        for (payload, expected) in cases {
            assert_eq!(Request::decode(payload, NONE), Ok(expected), "{payload:?}");
        }
    }

    #[test]
    fn leftovers_and_short_bodies_are_refused() {
        let cases: [&[u8]; 9] = [
            b"\x01x",
            b"\x0ex",
            b"\x04no end",
            b"\x17\x01\0\0\0\x01\x01\0\0",
            b"\x19\x01\0\0",
            b"\x19\x01\0\0\0\0",
            b"\x1c\x01\0\0\0",
            b"\x1b\x01",
            b"\xfa\x01\0\0\0\0",
        ];
        for payload in cases {
            assert_eq!(Request::decode(payload, NONE), Err(Malformed("command")), "{payload:?}");
        }
    }

    #[test]
    fn a_change_of_user_reads_back() {
        let full = Capabilities::SECURE_CONNECTION | Capabilities::PLUGIN_AUTH | Capabilities::CONNECT_ATTRS;
        let request = ChangeUser {
            user: "app_ro".to_owned(),
            auth_response: (&b"\x01\0\x02"[..]).into(),
            database: Some("shop".to_owned()),
            charset: Some(255),
            plugin: Some("mysql_native_password".to_owned()),
            attributes: vec![(b"program_name".to_vec(), b"mysql".to_vec())],
        };
        let bytes = request.packet(full);
        assert_eq!(Request::decode(&bytes[4..], full), Ok(Request::ChangeUser(Box::new(request.clone()))));
        let short = ChangeUser { charset: None, plugin: None, attributes: Vec::new(), ..request };
        assert_eq!(ChangeUser::decode(b"app_ro\0\x03\x01\0\x02shop\0", full), Ok(short));
        for cut in [0, 3, 10, 13, 17, 19, 21, bytes.len() - 6] {
            assert!(ChangeUser::decode(&bytes[5..5 + cut], full).is_err(), "{cut}");
        }
    }

    #[test]
    fn what_we_say_reads_back() {
        for capabilities in [NONE, Capabilities::QUERY_ATTRIBUTES] {
            let bytes = query("SELECT 1", capabilities);
            let Ok(Request::Query(read)) = Request::decode(&bytes[4..], capabilities) else {
                panic!("{bytes:?}")
            };
            assert_eq!(read.text, b"SELECT 1");
        }
        assert_eq!(&quit()[..], b"\x01\0\0\0\x01");
        assert_eq!(&ping()[..], b"\x01\0\0\0\x0e");
        assert_eq!(&reset_connection()[..], b"\x01\0\0\0\x1f");
        assert_eq!(&init_db("shop")[..], b"\x05\0\0\0\x02shop");
    }
}
