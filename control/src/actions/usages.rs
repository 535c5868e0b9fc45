//! What the records of a sidecar's audit chain tell of grants: what statements read and wrote.
//!
//! A sidecar's word counts for the repos that it serves, and for what a grant gave.

use std::collections::BTreeMap;

use postern_protocol::gate::{ResourceGrant, SidecarName};
use postern_service::audit::Record;
use serde::Deserialize;
use serde_json::Value;

use super::Failure;
use crate::{
    domain::{Grant, Names, Request, Sidecar, Touched},
    work::Work,
};

const KIND: &str = "resources.used";

/// What such a record says.
#[derive(Debug, Deserialize)]
struct Used {
    resources: Vec<ResourceGrant>,
    #[serde(default)]
    more: bool,
}

/// Takes note of what these records, which are new, say of grants.
pub(crate) async fn heed(work: &mut Work, sidecar: &SidecarName, records: &[Record]) -> Result<(), Failure> {
    let mut of_grants: BTreeMap<&str, Vec<Used>> = BTreeMap::new();
    for record in records.iter().filter(|record| record.kind == KIND) {
        // A record that says it in another way is kept like any other, and says nothing of grants.
        if let Ok(used) = serde_json::from_value(Value::Object(record.detail.clone())) {
            of_grants.entry(&record.grant).or_default().push(used);
        }
    }
    if of_grants.is_empty() {
        return Ok(());
    }
    let Some(teller) = work.load::<Sidecar>(sidecar.as_str()).await? else { return Ok(()) };
    for (grant, used) in of_grants {
        add(work, &teller, grant, used).await?;
    }
    Ok(())
}

async fn add(work: &mut Work, teller: &Sidecar, grant: &str, used: Vec<Used>) -> Result<(), Failure> {
    let Some(grant) = work.load::<Grant>(grant).await? else { return Ok(()) };
    if teller.serves(grant.repo.as_str()).is_none() {
        return Ok(());
    }
    // The grant may have shrunk since: what was asked for holds all that it ever gave.
    let Some(request) = work.load::<Request>(grant.request.as_str()).await? else { return Ok(()) };
    let before: Option<Touched> = work.load(grant.id.as_str()).await?;
    let mut touched = before.clone().unwrap_or_else(|| Touched::new(grant.id.clone()));
    let given = Names::of(&request.resources);
    for Used { resources, more } in used {
        touched.add(&given, resources, more && !request.resources.is_empty());
    }
    if before.as_ref() != Some(&touched) {
        work.save(&touched).await?;
    }
    Ok(())
}
