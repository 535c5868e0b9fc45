//! Tokens of SSO providers: whether a JWT is genuine, and whom it names.
//!
//! In: the issuers that are trusted ([`Issuer`]), and a token as a client gave it. Out: [`Proven`], which can be made
//! here only, or why the token proves nothing. Sidecar and control plane both ask here, so a token means the same at
//! either.
//!
//! The token's header chooses nothing: the algorithm must be on our list *and* fit the key that the issuer has
//! published, keys come from the issuer's own web server and never from the token, and `iss` selects among issuers that
//! were configured. Keys are fetched in the background; a token with an unknown key can hasten that, but only so often.
//! What is said to the client does not depend on the reason; [`NotProven`] is for the operator's log.
//!
//! [`Issuer`]: postern_protocol::gate::Issuer

mod claims;
mod issuers;
mod json;
mod jws;
mod key;
mod metadata;
mod naming;
mod provider;
#[cfg(test)]
mod tests;
mod web;

pub use claims::{BadClaims, Claims};
pub use issuers::{Issuers, NotProven, Proven, UnusableIssuer};
pub use jws::InvalidJws;
pub use metadata::{InvalidMetadata, Metadata};
pub use naming::{InvalidNaming, NoIdentity, may_coincide};
pub use provider::{FetchError, Provider};
pub use web::{UnusableUrl, client, permitted};
