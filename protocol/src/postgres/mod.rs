//! PostgreSQL's wire: frames, start-up, what a server says at login, and what Postern says itself.
//!
//! In: bytes of a client or a server. Out: frames that are exactly as long as they claim, decoded messages, and
//! finished ones. <https://www.postgresql.org/docs/current/protocol.html>

mod backend;
pub mod command_line;
mod frame;
mod frontend;
mod oauthbearer;
mod say;
mod startup;

pub use backend::{
    AuthenticationRequest, BackendKeyData, InvalidMessage, ResultColumn, error_field, is_error,
    parameter_status, result_columns, split_error,
};
pub use frame::{FrameError, FrameWalker, HEADER_LEN, Header, MAX_FRAME_LEN};
pub use frontend::{Named, Parse, bind_names, bind_values, execute_portal, query_text};
pub use oauthbearer::{Bearer, OAUTHBEARER, bearer, is_acknowledgement};
pub use say::{
    ErrorText, Severity, authentication_ok, authentication_sasl, authentication_sasl_continue,
    backend_key_data, cancel_request, cleartext_password, error, fatal, fields, negotiate_protocol_version,
    notice, parse, password, query, sasl_initial_response, sasl_response, ssl_request, startup_message,
    terminate,
};
pub use startup::{
    CancelKey, InitialPacket, InvalidStartup, MAX_STARTUP_LEN, ProtocolVersion, StartupMessage,
    initial_packet, initial_packet_len, password_text,
};
