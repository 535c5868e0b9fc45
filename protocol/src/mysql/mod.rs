//! The wire of MySQL and MariaDB: packets, the handshake, what a server answers, what a client asks, and what Postern
//! says itself.
//!
//! In: bytes of a client or a server. Out: packets that are exactly as long as they claim, decoded messages, and
//! finished ones. <https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html>,
//! <https://mariadb.com/kb/en/clientserver-protocol/>

mod auth;
mod capabilities;
mod column;
mod command;
mod conversation;
mod error;
mod greeting;
mod login;
mod ok;
mod packet;
mod query;
mod reader;
mod request;
mod session;
mod status;

pub use auth::{
    AuthRequest, SCRAMBLE_LEN, auth_more_data, auth_next_factor, auth_switch, openid_connect_token, scramble,
};
pub use capabilities::Capabilities;
pub use column::{ColumnDefinition, ExtendedMetadata};
pub use command::Command;
pub use conversation::{ColumnRole, Conversation, Event};
pub use error::{ErrorPacket, ErrorText};
pub use greeting::{Greeting, ServerHello};
pub use login::{
    AuthResponse, InitialPacket, InvalidLogin, LOGIN_MAX, LoginRequest, SSL_REQUEST_LEN, SslRequest,
};
pub use ok::{EofPacket, OkPacket};
pub use packet::{HEADER_LEN, Header, MAX_PACKET, Packet, PacketWalker, packet};
pub use query::Query;
pub use reader::{Reader, put_lenenc, put_lenenc_bytes};
pub use request::{BulkExecute, ChangeUser, Execute, Request, init_db, ping, query, quit, reset_connection};
pub use session::SessionChange;
pub use status::StatusFlags;

/// A packet does not have the layout that its kind demands. The name is that of the manual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed {0}")]
pub struct Malformed(pub &'static str);
