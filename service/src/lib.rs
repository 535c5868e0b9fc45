//! What both long-running programs need.
//!
//! Configuration files and the secrets in them, TLS files that can be reloaded, the admin endpoint, the audit chain,
//! tokens of SSO providers, random tokens and signals. Nothing here knows a database, a grant or a client.

pub mod admin;
pub mod audit;
pub mod config;
pub mod http;
pub mod loopback;
pub mod random;
pub mod secret;
pub mod signals;
pub mod sso;
pub mod tls;
