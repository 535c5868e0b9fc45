//! Where a repo is reached, and as whom.

use serde_json::Value;

use crate::{
    error::Error,
    print::{note, text},
    rest::Client,
};

/// The accounts that are meant: the one that is wanted, or all.
pub(crate) fn accounts(repo: &Value, name: &str, wanted: Option<&str>) -> Result<Vec<String>, Error> {
    let known: Vec<String> = repo["accounts"].as_array().into_iter().flatten().map(account_name).collect();
    match wanted {
        None if known.is_empty() => Err(Error::Failed(format!("no sidecar serves an account of {name}"))),
        None => Ok(known),
        Some(account) if known.iter().any(|one| one == account) => Ok(vec![account.to_owned()]),
        Some(account) => {
            let others = known.join(", ");
            Err(Error::Failed(format!("{name} has no account {account}, but {others}")))
        }
    }
}

/// Host and port of the sidecar that serves a repo.
pub(crate) fn address(
    client: &Client,
    repo: &Value,
    name: &str,
    wanted: Option<&str>,
) -> Result<(String, u16), Error> {
    let listen = first_text(&repo["listen"])
        .ok_or_else(|| Error::Failed(format!("no sidecar serves {name} at the moment")))?;
    let (host, port) =
        split_address(&listen).ok_or_else(|| Error::Answer(format!("`{listen}` is no address")))?;
    let everywhere = matches!(host.as_str(), "" | "0.0.0.0" | "::");
    Ok(match wanted {
        Some(given) => (given.to_owned(), port),
        None if everywhere => {
            note("the sidecar listens on every address; --host names the one to use");
            (client.host().to_owned(), port)
        }
        None => (host, port),
    })
}

/// An account by its name, or as an object that has one.
fn account_name(account: &Value) -> String {
    if account.is_object() { text(&account["name"]) } else { text(account) }
}

/// Where a repo is reached: one address, or the first of several.
fn first_text(value: &Value) -> Option<String> {
    let first = value.as_array().and_then(|items| items.first()).unwrap_or(value);
    first.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn split_address(address: &str) -> Option<(String, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    Some((host.trim_matches(['[', ']']).to_owned(), port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_both_families_are_split() {
        assert_eq!(split_address("127.0.0.1:15432"), Some(("127.0.0.1".to_owned(), 15432)));
        assert_eq!(split_address("[::1]:15432"), Some(("::1".to_owned(), 15432)));
        assert_eq!(split_address("15432"), None);
    }
}
