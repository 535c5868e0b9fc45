//! `rules.toml`: rules that a file owns, applied at start and on SIGHUP.

use std::{path::Path, sync::Arc};

use postern_service::config::load;
use serde::Deserialize;

use crate::{
    Error,
    actions::apply::{self, Declaration, File},
    domain::{Owner, Rule, permissions_of},
    plane::ControlPlane,
};

/// Who is named as the one who did it.
const ACTOR: &str = "file:rules";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesFile {
    #[serde(default)]
    rule: Vec<Rule>,
}

/// Reads the file and makes the stored rules that it owns the same. All of it or nothing.
pub(crate) async fn apply(plane: &Arc<ControlPlane>, path: &Path) -> Result<(), Error> {
    let file: RulesFile = load(path)?;
    let from = File { owner: Owner::file(), actor: ACTOR, permissions: &permissions_of(true), adopt: false };
    let declaration = Declaration { rules: file.rule, ..Declaration::default() };
    apply::apply(plane, &from, declaration, false)
        .await
        .map(drop)
        .map_err(|failure| Error::Rules { path: path.to_owned(), failure })
}
