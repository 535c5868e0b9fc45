//! Names and ids. Each is a type of its own, so that an account cannot be passed where an identity is meant.

use std::{borrow::Borrow, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<T: Into<Arc<str>>> From<T> for $name {
            fn from(text: T) -> Self {
                Self(text.into())
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, out)
            }
        }
    };
}

name!(
    /// A person or workload known to the SSO provider: an e-mail address or a `sub`.
    Identity
);
name!(
    /// A data repository: one PostgreSQL database, or one MySQL or MariaDB server.
    RepoName
);
name!(
    /// A local account: the native database account that a session uses.
    AccountName
);
name!(
    /// A sidecar, named by its configuration and its enrolment token.
    SidecarName
);
name!(
    /// `g_…`
    GrantId
);
name!(
    /// `r_…`
    RequestId
);
name!(
    /// `s_…`
    SessionId
);
name!(
    /// `t_…`, the id of an access token (never the token itself).
    TokenId
);
