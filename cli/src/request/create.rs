//! `postern request create`: the command line as the body that the control plane takes.

use clap::Args;
use jiff::Timestamp;
use postern_protocol::{
    duration::Span,
    gate::{Privilege, Resource, ResourceGrant},
};
use serde_json::{Value, json};

use crate::error::Error;

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// The data repository
    #[arg(long, required_unless_present = "bundle", conflicts_with = "bundle")]
    repo: Option<String>,
    /// The local account to be used there
    #[arg(long, required_unless_present = "bundle", conflicts_with = "bundle")]
    account: Option<String>,
    /// A bundle of accesses in place of repository, account and resources
    #[arg(long, value_name = "NAME", conflicts_with = "resource")]
    bundle: Option<String>,
    /// Of a bundle this part alone; repeat it for more
    #[arg(long, value_name = "REPO:ACCOUNT", requires = "bundle", conflicts_with_all = ["repo", "account"])]
    part: Vec<String>,
    /// A table or column, and what is to be done with it: `schema.table.column:SELECT,UPDATE`; without a privilege,
    /// SELECT. Repeat it for more. Without any, everything that the account can do is asked for
    #[arg(long, value_name = "RES[:PRIV,…]")]
    resource: Vec<String>,
    /// How long: 30m, 2h, 1d
    #[arg(long)]
    duration: Span,
    /// Why
    #[arg(long)]
    reason: String,
    /// The identity that is to have it
    #[arg(long = "for", value_name = "IDENTITY")]
    identity: Option<String>,
    /// Not before this moment, RFC 3339
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// An emergency: at once where a rule allows it, and reviewed afterwards
    #[arg(long, conflicts_with = "at")]
    break_glass: bool,
    /// Do not wait for the decision
    #[arg(long)]
    pub(super) nowait: bool,
}

impl CreateArgs {
    /// What is sent.
    pub(super) fn body(&self) -> Result<Value, Error> {
        let resources = resources(&self.resource)?;
        let mut body = match &self.bundle {
            Some(bundle) if self.part.is_empty() => json!({ "bundle": bundle }),
            Some(bundle) => json!({ "bundle": bundle, "parts": parts(&self.part)? }),
            None => json!({ "repo": self.repo, "account": self.account, "resources": resources }),
        };
        if let Some(fields) = body.as_object_mut() {
            fields.insert("duration".to_owned(), json!(self.duration));
            fields.insert("reason".to_owned(), json!(self.reason));
            fields.extend(self.identity.as_deref().map(|identity| ("for".to_owned(), identity.into())));
            fields.extend(self.break_glass.then(|| ("break_glass".to_owned(), true.into())));
            fields.extend(self.at.map(|at| ("not_before".to_owned(), at.to_string().into())));
        }
        Ok(body)
    }
}

/// A list of `REPO:ACCOUNT`.
fn parts(texts: &[String]) -> Result<Vec<Value>, Error> {
    let part = |text: &String| match text.rsplit_once(':') {
        Some((repo, account)) if !repo.is_empty() && !account.is_empty() => {
            Ok(json!({ "repo": repo, "account": account }))
        }
        Some(_) | None => {
            Err(Error::Usage(format!("--part {text}: write REPO:ACCOUNT, as the bundle has them")))
        }
    };
    texts.iter().map(part).collect()
}

/// A list of `RES[:PRIV,…]`.
pub(super) fn resources(texts: &[String]) -> Result<Vec<ResourceGrant>, Error> {
    texts.iter().map(|text| parse(text).map_err(Error::Usage)).collect()
}

/// `RES[:PRIV,…]`. A colon inside a quoted name does not count: no privilege holds a quote.
fn parse(text: &str) -> Result<ResourceGrant, String> {
    let (name, words) = match text.rsplit_once(':') {
        Some((name, words)) if !words.contains('"') => (name, words),
        Some(_) | None => (text, Privilege::Select.as_str()),
    };
    let resource = name.parse::<Resource>().map_err(|error| error.to_string())?;
    let privileges = words.split(',').map(|word| word.trim().parse()).collect::<Result<_, _>>()?;
    Ok(ResourceGrant { resource, privileges })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn privileges_stand_behind_the_colon_and_default_to_select() {
        let read = |text| serde_json::to_value(parse(text).unwrap()).unwrap();
        assert_eq!(read("public.sales"), json!({"resource": "public.sales", "privileges": ["SELECT"]}));
        assert_eq!(
            read("public.sales.id:select,UPDATE"),
            json!({"resource": "public.sales.id", "privileges": ["SELECT", "UPDATE"]})
        );
    }

    #[test]
    fn a_colon_inside_a_quoted_name_belongs_to_the_name() {
        let read = |text: &str| parse(text).unwrap();
        assert_eq!(&*read("public.\"a:b\"").resource.table, "a:b");
        assert_eq!(read("public.\"a:b\":DELETE").privileges, [Privilege::Delete]);
        assert_eq!(&*read("public.\"a:b\".c").resource.table, "a:b");
    }

    #[test]
    fn what_names_no_table_or_no_privilege_is_refused() {
        for text in ["sales", "public.sales:", "public.sales:LOOK", "public.sales:SELECT,", ":SELECT"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
