//! What a file declares, as the control plane takes it. What a table may say is the control plane's to judge.

use std::{fs, io, path::Path};

use postern_service::{config::read_in, secret::Secret};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::Error;

/// The tables of a file, and under which name the control plane takes them.
const KINDS: [(&str, &str); 4] =
    [("rule", "rules"), ("bundle", "bundles"), ("webhook", "webhooks"), ("repo", "repos")];

/// What of a webhook may be a secret: written `{ env = "NAME" }`, `{ file = "PATH" }` or plainly.
const SECRETS: [&str; 2] = ["url", "secret"];

/// Reads a file, or standard input, into what is sent.
pub(super) fn body(file: Option<&Path>, owner: &str) -> Result<Value, Error> {
    let shown = file.map_or_else(|| "standard input".to_owned(), |file| file.display().to_string());
    let text = file.map_or_else(|| io::read_to_string(io::stdin()), fs::read_to_string);
    let text = text.map_err(Error::io(format!("cannot read {shown}")))?;
    let folder = file.and_then(Path::parent).unwrap_or(Path::new(""));
    read_in(folder, || declared(&text, owner)).map_err(|what| Error::Failed(format!("{shown}{what}")))
}

/// What is wrong comes with its place, behind the file's name.
fn declared(text: &str, owner: &str) -> Result<Value, String> {
    let table: toml::Table = toml::from_str(text).map_err(|error| {
        let before = |start| text.bytes().take(start).filter(|byte| *byte == b'\n').count();
        let line = error.span().map_or(0, |span| before(span.start));
        format!(", line {}: {}", line + 1, error.message())
    })?;
    let mut body = Map::from_iter([("file".to_owned(), owner.into())]);
    for (kind, things) in table {
        let Some((_, name)) = KINDS.into_iter().find(|(known, _)| *known == kind) else {
            let known = KINDS.map(|(kind, _)| format!("[[{kind}]]")).join(", ");
            return Err(format!(": `{kind}` is not known here; there are {known}"));
        };
        let toml::Value::Array(mut things) = things else {
            return Err(format!(": write [[{kind}]], once for each"));
        };
        if kind == "webhook" {
            things.iter_mut().try_for_each(reveal)?;
        }
        let things = serde_json::to_value(things).map_err(|error| format!(": {kind}: {error}"))?;
        body.insert(name.to_owned(), things);
    }
    Ok(body.into())
}

/// Puts a webhook's secrets in the place of where they are found.
fn reveal(webhook: &mut toml::Value) -> Result<(), String> {
    let name = webhook.get("name").and_then(toml::Value::as_str).unwrap_or_default().to_owned();
    for field in SECRETS {
        let Some(place) = webhook.get_mut(field) else { continue };
        let secret = Secret::deserialize(place.clone())
            .map_err(|error| format!(": webhook `{name}`: {field}: {}", error.message()))?;
        *place = secret.reveal().into();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_webhooks_secret_is_found_where_the_file_says() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("key"), "whsec_hush\n").unwrap();
        let file = folder.path().join("team.toml");
        let text = "[[repo]]\nname = 'sales'\nephemeral_access = false\n\
                    [[webhook]]\nname = 'w'\nurl = 'https://a.example'\nsecret = { file = 'key' }";
        fs::write(&file, text).unwrap();
        assert_eq!(
            body(Some(&file), "team.toml").unwrap(),
            json!({"file": "team.toml", "repos": [{"name": "sales", "ephemeral_access": false}],
                   "webhooks": [{"name": "w", "url": "https://a.example", "secret": "whsec_hush"}]})
        );
    }

    #[test]
    fn what_is_wrong_is_named_and_no_secret_is_shown() {
        for (text, word) in [
            ("[[rules]]\nname = 'x'", "`rules` is not known here"),
            ("rule = 3", "write [[rule]]"),
            ("[[rule]]\nname = ", "line 2"),
            ("[[webhook]]\nname = 'w'\nsecret = { env = 'NO_SUCH_VARIABLE_HERE' }", "NO_SUCH_VARIABLE_HERE"),
            ("[[webhook]]\nname = 'w'\nsecret = { vault = 'hush' }", "webhook `w`: secret: a secret is"),
        ] {
            let wrong = declared(text, "f").unwrap_err();
            assert!(wrong.contains(word) && !wrong.contains("hush"), "{wrong}");
        }
    }
}
