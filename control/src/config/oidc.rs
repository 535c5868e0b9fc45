//! `[oidc]`: the SSO provider of people, and issuers of workloads' tokens.
//!
//! In: the section as it is written. Out: the issuers that control plane and sidecars trust, and what the login in the
//! browser needs.

use std::{collections::BTreeMap, fs, io, path::PathBuf};

use postern_protocol::gate::{
    Identity, InvalidName, Issuer, Naming,
    naming::{GROUP_PREFIX, check_name},
};
use postern_service::{
    config::FilePath,
    secret::Secret,
    sso::{Issuers, UnusableIssuer, may_coincide},
};
use serde::Deserialize;

/// `[oidc]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OidcConfig {
    /// Its URL, byte for byte as it stands in its tokens.
    pub issuer: String,
    /// What the control plane is called there.
    pub client_id: String,
    /// How it proves itself there.
    pub client_secret: Secret,
    /// The claim that names an identity.
    #[serde(default = "email")]
    identity_claim: String,
    /// The claim that lists its groups.
    #[serde(default = "groups")]
    groups_claim: String,
    /// What the provider is asked for at a login.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// Accepted in tokens that clients present; the client's id where there are none.
    #[serde(default)]
    audiences: Vec<String>,
    /// Who has every permission: identities, and groups as `group:NAME`.
    #[serde(default)]
    pub admins: Vec<String>,
    /// Trust anchors for the provider's web server, PEM; the machine's where absent.
    ca: Option<FilePath>,
    /// Whose tokens count for workloads.
    #[serde(default)]
    workload: Vec<WorkloadConfig>,
}

/// `[[oidc.workload]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkloadConfig {
    /// The issuer's URL, as it stands in its tokens.
    issuer: String,
    /// For whom the tokens must be meant.
    audience: OneOrMore,
    /// Which values each of these claims may have; `*` stands for any characters.
    claims: BTreeMap<String, OneOrMore>,
    /// What such a workload is called; `{claim}` stands for that claim's value.
    identity: String,
    /// Groups of each such workload.
    #[serde(default)]
    groups: Vec<String>,
    /// Trust anchors for the issuer's web server, PEM; the machine's where absent.
    ca: Option<FilePath>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    fn list(&self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one.clone()],
            Self::More(more) => more.clone(),
        }
    }
}

/// Why the section cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidOidc {
    /// An issuer.
    #[error("{section}, issuer {url}: {error}")]
    Issuer {
        /// Where it stands.
        section: &'static str,
        /// Which.
        url: String,
        /// What is wrong with it.
        error: UnusableIssuer,
    },
    /// The trust anchors cannot be read.
    #[error("{section} ca: cannot read {}: {error}", path.display())]
    Ca {
        /// Where it stands.
        section: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Somebody who cannot be an administrator.
    #[error("[oidc] admins: {0}")]
    Admin(#[from] InvalidName),
    /// Who may choose what a token of one issuer says would be whoever that of another names.
    #[error(
        "[[oidc.workload]], issuers {one} and {other}: workloads of both could be called the same; \
         begin `identity` with another word at one of them"
    )]
    Coincide {
        /// One of them.
        one: String,
        /// The other.
        other: String,
    },
    /// Without that scope a provider gives no ID token.
    #[error("[oidc] scopes: `openid` must be among them, and none may be empty or hold blanks")]
    Scopes,
    /// Nothing could be asked of the provider.
    #[error("[oidc] client_id: must not be empty")]
    ClientId,
}

const PEOPLE: &str = "[oidc]";
const WORKLOAD: &str = "[[oidc.workload]]";

fn email() -> String {
    "email".to_owned()
}

fn groups() -> String {
    "groups".to_owned()
}

fn scopes() -> Vec<String> {
    ["openid", "profile", "email"].map(str::to_owned).to_vec()
}

impl OidcConfig {
    /// Whether all of it can be used.
    pub(super) fn check(&self) -> Result<(), InvalidOidc> {
        if self.client_id.is_empty() {
            return Err(InvalidOidc::ClientId);
        }
        let odd = |scope: &String| scope.is_empty() || scope.contains(char::is_whitespace);
        if self.scopes.iter().any(odd) || !self.scopes.iter().any(|scope| scope == "openid") {
            return Err(InvalidOidc::Scopes);
        }
        for admin in &self.admins {
            match admin.strip_prefix(GROUP_PREFIX) {
                Some(group) => check_name("group", group)?,
                None => drop(Identity::named(admin)?),
            }
        }
        self.issuers().map(drop)
    }

    /// The issuers whose tokens count; that of people is the first.
    pub(crate) fn issuers(&self) -> Result<Vec<Issuer>, InvalidOidc> {
        let people = Issuer {
            url: self.issuer.clone(),
            audiences: if self.audiences.is_empty() {
                vec![self.client_id.clone()]
            } else {
                self.audiences.clone()
            },
            naming: Naming::Person {
                identity_claim: self.identity_claim.clone(),
                groups_claim: self.groups_claim.clone(),
                scope: self.scopes.join(" "),
            },
            ca: anchors(PEOPLE, self.ca.as_ref())?,
        };
        let mut issuers = vec![checked(PEOPLE, people)?];
        for workload in &self.workload {
            issuers.push(apart(&issuers, checked(WORKLOAD, workload.issuer()?)?)?);
        }
        Ok(issuers)
    }
}

impl WorkloadConfig {
    fn issuer(&self) -> Result<Issuer, InvalidOidc> {
        let claims = self.claims.iter().map(|(claim, values)| (claim.clone(), values.list())).collect();
        let naming =
            Naming::Workload { claims, identity: self.identity.clone(), groups: self.groups.clone() };
        let ca = anchors(WORKLOAD, self.ca.as_ref())?;
        Ok(Issuer { url: self.issuer.clone(), audiences: self.audience.list(), naming, ca })
    }
}

fn checked(section: &'static str, issuer: Issuer) -> Result<Issuer, InvalidOidc> {
    match Issuers::check(&issuer) {
        Ok(()) => Ok(issuer),
        Err(error) => Err(InvalidOidc::Issuer { section, url: issuer.url, error }),
    }
}

/// The issuer, if its workloads cannot be taken for those of another.
fn apart(others: &[Issuer], issuer: Issuer) -> Result<Issuer, InvalidOidc> {
    let mut others = others.iter().filter(|other| other.url != issuer.url);
    match others.find(|other| may_coincide(&other.naming, &issuer.naming)) {
        Some(other) => Err(InvalidOidc::Coincide { one: other.url.clone(), other: issuer.url }),
        None => Ok(issuer),
    }
}

fn anchors(section: &'static str, file: Option<&FilePath>) -> Result<Option<String>, InvalidOidc> {
    let Some(file) = file else { return Ok(None) };
    let read = fs::read_to_string(file);
    read.map(Some).map_err(|error| InvalidOidc::Ca { section, path: file.as_path().to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "issuer = 'https://idp.example/x'\nclient_id = 'postern'\nclient_secret = 's'\n";
    const WORKLOAD: &str = "[[workload]]\nissuer = 'https://ci.example'\naudience = 'postern'\n";

    fn issuers(text: &str) -> Result<Vec<Issuer>, String> {
        let _ = postern_service::tls::provider().as_ref().clone().install_default();
        let config: OidcConfig = toml::from_str(text).map_err(|error| error.to_string())?;
        config.check().and_then(|()| config.issuers()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_left_out_is_as_most_providers_have_it() {
        let naming = Naming::Person {
            identity_claim: "email".to_owned(),
            groups_claim: "groups".to_owned(),
            scope: "openid profile email".to_owned(),
        };
        let people = Issuer {
            url: "https://idp.example/x".to_owned(),
            audiences: vec!["postern".to_owned()],
            naming,
            ca: None,
        };
        assert_eq!(issuers(LEAST), Ok(vec![people]));
    }

    #[test]
    fn workloads_have_issuers_and_conditions_of_their_own() {
        let workload = format!(
            "{WORKLOAD}identity = 'ci:{{repository}}'\nclaims = {{ repository = 'acme/*', ref = ['a', 'b'] }}"
        );
        let found = issuers(&format!("{LEAST}{workload}")).unwrap();
        let Naming::Workload { claims, identity, .. } = &found[1].naming else { panic!("{found:?}") };
        assert_eq!((claims["ref"].len(), identity.as_str()), (2, "ci:{repository}"));
    }

    #[test]
    fn no_issuer_makes_names_that_are_another_issuers() {
        let two = |one: &str, at: &str, other: &str| {
            let workload = |issuer: &str, identity: &str| {
                let url = WORKLOAD.replace("ci.example", issuer);
                format!("{url}identity = '{identity}'\nclaims = {{ sub = '*' }}\n")
            };
            issuers(&format!("{LEAST}{}{}", workload("ci.example", one), workload(at, other)))
        };
        for (one, other) in [("ci:{sub}", "ci:{a}"), ("ci:{sub}", "CI:x:{sub}"), ("ci:night", "ci:{sub}")] {
            let error = two(one, "other.example", other).unwrap_err();
            assert!(error.contains("https://other.example: workloads of both"), "{error}");
            assert!(two(one, "ci.example", other).is_ok(), "one issuer says what it likes of its own");
        }
        for (one, other) in [("ci:{sub}", "jobs:{sub}"), ("ci:night", "ci:night"), ("ci:{sub}", "cx")] {
            assert!(two(one, "other.example", other).is_ok(), "{one} {other}");
        }
    }

    #[test]
    fn what_would_let_strangers_in_is_refused_and_named() {
        let template =
            |identity: &str| format!("{LEAST}{WORKLOAD}identity = '{identity}'\nclaims = {{ sub = '*' }}");
        for (text, word) in [
            (LEAST.replace("https", "http"), "use https://"),
            (format!("{LEAST}admins = ['*']"), "admins"),
            (format!("{LEAST}admins = ['client:x']"), "reserved"),
            (format!("{LEAST}audiences = ['']"), "audiences"),
            (format!("{LEAST}scopes = ['email']"), "openid"),
            (format!("{LEAST}colour = 'red'"), "colour"),
            (format!("{LEAST}ca = '/no/such/file'"), "/no/such/file"),
            (template("{sub}"), "a word of its own"),
            (format!("{LEAST}{WORKLOAD}identity = 'ci:x'\nclaims = {{}}"), "conditions"),
        ] {
            let error = issuers(&text).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
