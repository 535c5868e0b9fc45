//! Whom a genuine token names.

use std::collections::BTreeMap;

use postern_protocol::{
    gate::{
        Identity, InvalidName, Naming,
        naming::{check_name, has_unseen},
    },
    glob::glob_matches,
};
use serde_json::Value;

use super::Claims;

/// The most groups of one token that are looked at.
const MOST_GROUPS: usize = 1_000;

/// Why a genuine token names nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoIdentity {
    /// The claim that names its carrier is missing, or no text.
    #[error("the token's claim `{0}`, which names its carrier, is missing or no text")]
    Missing(String),
    /// The provider has not made sure that the address is its carrier's own.
    #[error("the token's address is not verified")]
    Unverified,
    /// It names somebody by what cannot be a name.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The claim holds what stands behind it in the template, so that another workload could come to the same name.
    #[error("the token's claim `{0}` holds what separates it from the next in the identity's name")]
    Separator(String),
    /// It has a name of workloads.
    #[error("the token names a person as a workload of another issuer is named")]
    Workload,
    /// A workload's token does not say what it has to.
    #[error("the token's claim `{0}` is not as this workload's has to be")]
    Condition(String),
}

/// Why a way of naming cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNaming {
    /// Braces that do not pair, or with nothing in them.
    #[error("identity `{0}`: braces hold the name of a claim, as in `ci:{{repository}}`")]
    Braces(String),
    /// Whoever chooses the claim's value could choose to be anybody.
    #[error(
        "identity `{0}`: with claims in it, it begins with a word of its own and a colon, as in `ci:{{repository}}`"
    )]
    Prefix(String),
    /// A workload without conditions would be everybody whom the issuer knows.
    #[error("a workload needs conditions in `claims`")]
    NoConditions,
    /// A condition that nothing fulfils.
    #[error("the condition for claim `{0}` lists no values")]
    NoValues(String),
    /// Two workloads could come to one name.
    #[error(
        "identity `{0}`: two claims need a text between them that tells where the first ends, as in `ci:{{a}}/{{b}}`"
    )]
    Adjacent(String),
    /// Without claims in it the name must be one.
    #[error("identity: {0}")]
    Name(#[from] InvalidName),
    /// The claim's name is empty.
    #[error("the claim that names an identity has no name")]
    NoClaim,
}

/// A part of a workload's name.
enum Part<'t> {
    Text(&'t str),
    Claim(&'t str),
}

/// Whether tokens can be named like this.
pub(super) fn check(naming: &Naming) -> Result<(), InvalidNaming> {
    match naming {
        Naming::Person { identity_claim, .. } if identity_claim.is_empty() => Err(InvalidNaming::NoClaim),
        Naming::Person { .. } => Ok(()),
        Naming::Workload { claims, identity, groups } => {
            let parts = parts(identity).ok_or_else(|| InvalidNaming::Braces(identity.clone()))?;
            check_template(identity, &parts)?;
            if claims.is_empty() {
                return Err(InvalidNaming::NoConditions);
            }
            if let Some((claim, _)) = claims.iter().find(|(_, values)| values.is_empty()) {
                return Err(InvalidNaming::NoValues(claim.clone()));
            }
            Ok(groups.iter().try_for_each(|group| check_name("group", group))?)
        }
    }
}

fn check_template(identity: &str, parts: &[Part<'_>]) -> Result<(), InvalidNaming> {
    if parts.windows(2).any(|two| matches!(two, [Part::Claim(_), Part::Claim(_)])) {
        return Err(InvalidNaming::Adjacent(identity.to_owned()));
    }
    match parts {
        [Part::Text(name)] => Identity::named(name).map(drop).map_err(InvalidNaming::from),
        [Part::Text(begin), ..] if begin.find(':').is_some_and(|colon| colon > 0) => {
            Identity::named(&format!("{begin}x")).map(drop).map_err(InvalidNaming::from)
        }
        [..] => Err(InvalidNaming::Prefix(identity.to_owned())),
    }
}

fn parts(template: &str) -> Option<Vec<Part<'_>>> {
    let (mut parts, mut rest) = (Vec::new(), template);
    while let Some((text, behind)) = rest.split_once('{') {
        let (claim, behind) = behind.split_once('}')?;
        if text.contains('}') || claim.is_empty() || claim.contains('{') {
            return None;
        }
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        parts.push(Part::Claim(claim));
        rest = behind;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    (!rest.contains('}')).then_some(parts)
}

/// Whom the claims name, and the groups.
pub(super) fn name(naming: &Naming, claims: &Claims) -> Result<(Identity, Vec<String>), NoIdentity> {
    match naming {
        Naming::Person { identity_claim, groups_claim, scope: _ } => {
            Ok((person(identity_claim, claims)?, groups(claims.get(groups_claim))))
        }
        Naming::Workload { claims: conditions, identity, groups } => {
            fulfils(conditions, claims)?;
            Ok((workload(identity, claims)?, groups.clone()))
        }
    }
}

fn person(identity_claim: &str, claims: &Claims) -> Result<Identity, NoIdentity> {
    let name = claims.text(identity_claim).ok_or_else(|| NoIdentity::Missing(identity_claim.to_owned()))?;
    if identity_claim == "email" {
        match claims.get("email_verified") {
            None | Some(Value::Bool(true)) => {}
            // Some providers write it as a text.
            Some(Value::String(text)) if text == "true" => {}
            Some(_) => return Err(NoIdentity::Unverified),
        }
    }
    Ok(Identity::named(name)?)
}

/// A list of names, or one name. What is no name for a group is left out.
fn groups(claim: Option<&Value>) -> Vec<String> {
    let names: Vec<&str> = match claim {
        Some(Value::Array(list)) => list.iter().take(MOST_GROUPS).filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one],
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => Vec::new(),
    };
    names.into_iter().filter(|name| check_name("group", name).is_ok()).map(str::to_owned).collect()
}

fn fulfils(conditions: &BTreeMap<String, Vec<String>>, claims: &Claims) -> Result<(), NoIdentity> {
    let failed = conditions.iter().find(|(claim, wanted)| {
        let will_do = |value: &Value| {
            let text = scalar(value);
            text.is_some_and(|text| wanted.iter().any(|pattern| glob_matches(pattern, &text)))
        };
        match claims.get(claim) {
            Some(Value::Array(list)) => !list.iter().any(will_do),
            Some(one) => !will_do(one),
            None => true,
        }
    });
    failed.map_or(Ok(()), |(claim, _)| Err(NoIdentity::Condition(claim.clone())))
}

fn workload(template: &str, claims: &Claims) -> Result<Identity, NoIdentity> {
    let mut name = String::new();
    let parts = parts(template).unwrap_or_default();
    let mut rest = &parts[..];
    while let [part, behind @ ..] = rest {
        match (part, behind) {
            (Part::Text(text), _) => name.push_str(text),
            (Part::Claim(claim), [Part::Text(text), Part::Claim(_), ..]) => {
                let value = value(claims, claim)?;
                if text.chars().next().is_some_and(|separator| value.contains(separator)) {
                    return Err(NoIdentity::Separator((*claim).to_owned()));
                }
                name.push_str(&value);
            }
            (Part::Claim(claim), _) => name.push_str(&value(claims, claim)?),
        }
        rest = behind;
    }
    Ok(Identity::named(&name)?)
}

/// What a claim puts into a name.
fn value(claims: &Claims, claim: &str) -> Result<String, NoIdentity> {
    let value = claims.get(claim).and_then(scalar);
    let value = value.filter(|value| !value.is_empty() && !has_unseen(value));
    value.ok_or_else(|| NoIdentity::Missing(claim.to_owned()))
}

/// What workloads are called.
enum Called<'t> {
    /// This and nothing else.
    Exactly(&'t str),
    /// This, and behind it what a claim says.
    Beginning(&'t str),
}

fn called(naming: &Naming) -> Option<Called<'_>> {
    let Naming::Workload { identity, .. } = naming else { return None };
    let begin = identity.split_once('{').map(|(begin, _)| Called::Beginning(begin));
    Some(begin.unwrap_or(Called::Exactly(identity)))
}

fn begins_with(name: &str, begin: &str) -> bool {
    name.get(..begin.len()).is_some_and(|found| found.eq_ignore_ascii_case(begin))
}

/// Whether a name is one that this gives to workloads. No person is called so.
pub(super) fn is_for_workloads(naming: &Naming, name: &Identity) -> bool {
    match called(naming) {
        Some(Called::Exactly(all)) => name.as_str().eq_ignore_ascii_case(all),
        Some(Called::Beginning(begin)) => begins_with(name.as_str(), begin),
        None => false,
    }
}

/// Whether workloads of one issuer could choose claims by which they are called as those of another are.
#[must_use]
pub fn may_coincide(one: &Naming, other: &Naming) -> bool {
    match (called(one), called(other)) {
        (Some(Called::Beginning(one)), Some(Called::Beginning(other))) => {
            begins_with(one, other) || begins_with(other, one)
        }
        (Some(Called::Beginning(begin)), Some(Called::Exactly(all)))
        | (Some(Called::Exactly(all)), Some(Called::Beginning(begin))) => begins_with(all, begin),
        // Both are the configuration's own word.
        (Some(Called::Exactly(_)), Some(Called::Exactly(_))) | (None, _) | (_, None) => false,
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(identity: &str) -> Result<(), InvalidNaming> {
        let claims = BTreeMap::from([("sub".to_owned(), vec!["*".to_owned()])]);
        check(&Naming::Workload { claims, identity: identity.to_owned(), groups: Vec::new() })
    }

    #[test]
    fn a_workload_whose_token_could_name_anybody_is_refused() {
        for identity in [
            "{sub}",
            "{a}{b}",
            "ci:{a}{b}",
            ":{sub}",
            "ci-{sub}",
            "client:{sub}",
            "",
            "group:x",
            "ci:{",
            "ci:}",
            "ci:{}",
        ] {
            assert!(template(identity).is_err(), "{identity}");
        }
        for identity in ["ci:{repository}", "deployer@example.com", "job:{a}/{b}-x"] {
            assert_eq!(template(identity), Ok(()), "{identity}");
        }
    }

    #[test]
    fn no_two_workloads_come_to_one_name() {
        let named = |first: &str, second: &str| {
            let claims = serde_json::json!({"a": first, "b": second});
            workload("job:{a}/{b}-x", &Claims(claims.as_object().unwrap().clone()))
                .ok()
                .map(|name| name.to_string())
        };
        assert_eq!(named("team", "app/web-1").as_deref(), Some("job:team/app/web-1-x"));
        assert_eq!(named("team/app", "web-1"), None);
    }

    #[test]
    fn a_workload_without_conditions_is_refused() {
        let naming =
            |claims| Naming::Workload { claims, identity: "ci:{sub}".to_owned(), groups: Vec::new() };
        assert_eq!(check(&naming(BTreeMap::new())), Err(InvalidNaming::NoConditions));
        let empty = BTreeMap::from([("sub".to_owned(), Vec::new())]);
        assert_eq!(check(&naming(empty)), Err(InvalidNaming::NoValues("sub".to_owned())));
    }
}
