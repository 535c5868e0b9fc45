//! The SSO provider, from the side of the browser login: this control plane is a relying party (OpenID Connect Core).
//!
//! In: a browser that wants to sign in, and what the provider sends it back with. Out: whom the provider has named
//! ([`Proven`](crate::actions::logins::Proven)). Whether tokens are genuine is for `postern_service::sso` to say; `web`
//! has the pages and cookies.

mod attempt;
mod exchange;
mod logout;

use postern_service::secret::Secret;

pub(crate) use attempt::Attempt;
pub(crate) use exchange::{Callback, NotSignedIn, authorization_url, finish};
pub(crate) use logout::{NotLoggedOut, provider_logout, told_to_end};

/// What the provider knows this control plane as.
#[derive(Clone, Debug)]
pub(crate) struct RelyingParty {
    /// Its client id.
    pub client_id: String,
    /// How it proves itself.
    pub client_secret: Secret,
    /// What it asks for.
    pub scopes: Vec<String>,
}
