//! What there is in the repos to ask for: sidecars say what they found, stretch by stretch, and people look it up.

use std::sync::Arc;

use postern_protocol::gate::{FoundTable, Resource, ResourceReport, SidecarName};

use super::Failure;
use crate::{
    domain::{Refusal, Sidecar},
    plane::ControlPlane,
    store::{ResourceFilter, ResourceRow, StoreError, load},
    work::Work,
};

/// A page of tables.
#[derive(Debug)]
pub(crate) struct Page {
    /// In the order of their names.
    pub items: Vec<FoundTable>,
    /// The name behind which the next page begins; absent on the last.
    pub next: Option<String>,
}

/// Takes a sidecar's word on what there is in a stretch of names. What is known already is not written again.
pub(crate) async fn report(
    plane: &Arc<ControlPlane>,
    name: &SidecarName,
    report: ResourceReport,
) -> Result<(), Failure> {
    let rows = rows(&report)?;
    let ResourceReport { repo, after, through, tables: _ } = report;
    let stretch = ResourceFilter { repo: repo.to_string(), after, through, ..ResourceFilter::default() };
    let mut tx = plane.store.read().await?;
    let sidecar: Option<Sidecar> = load(&mut *tx, name.as_str()).await?;
    if sidecar.is_none_or(|sidecar| sidecar.serves(repo.as_str()).is_none()) {
        return Err(Refusal::Forbidden(format!("the sidecar `{name}` does not serve `{repo}`")).into());
    }
    let known = tx.resources(&stretch).await?;
    drop(tx);
    if known == rows {
        return Ok(());
    }
    let mut work = Work::begin(plane).await?;
    work.tx_mut().replace_resources(&stretch, &rows).await?;
    work.commit().await?;
    Ok(())
}

fn rows(report: &ResourceReport) -> Result<Vec<ResourceRow>, Failure> {
    if report.tables.len() > ResourceReport::MOST {
        return Err(Refusal::Invalid(format!("tables: more than {}", ResourceReport::MOST)).into());
    }
    let mut rows: Vec<ResourceRow> = Vec::with_capacity(report.tables.len());
    let mut last = report.after.as_deref();
    for table in &report.tables {
        let name = table.resource().to_string();
        let within = report.through.as_deref().is_none_or(|through| *name <= *through);
        if !within || last.is_some_and(|last| *name <= *last) {
            return Err(Refusal::Invalid(format!("tables: `{name}` is not in its place")).into());
        }
        let body = serde_json::to_string(table).map_err(StoreError::from)?;
        rows.push(ResourceRow { name, body });
        last = rows.last().map(|row| row.name.as_str());
    }
    Ok(rows)
}

/// Tables of a repo whose names, written `schema.table`, begin with `prefix`. A prefix that goes on behind a table's
/// name finds that table, of which it names a column.
pub(crate) async fn find(
    plane: &ControlPlane,
    repo: &str,
    prefix: &str,
    after: Option<String>,
    limit: u32,
) -> Result<Page, Failure> {
    let mut tx = plane.store.read().await?;
    let of_table = prefix.parse::<Resource>().ok().filter(|resource| resource.column.is_some());
    let prefix = match (of_table, prefix.strip_suffix('.')) {
        (Some(resource), _) => {
            let table = Resource { column: None, ..resource }.to_string();
            return one(&mut *tx, repo, &table).await;
        }
        (None, Some(table)) if table.parse::<Resource>().is_ok() => {
            return one(&mut *tx, repo, table).await;
        }
        (None, _) => (!prefix.is_empty()).then(|| prefix.to_owned()),
    };
    let asked = Some(limit.saturating_add(1));
    let filter = ResourceFilter { repo: repo.to_owned(), after, prefix, limit: asked, through: None };
    let mut rows = tx.resources(&filter).await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|row| row.name.clone());
    Ok(Page { items: tables(&rows)?, next })
}

async fn one(tx: &mut dyn crate::store::Read, repo: &str, table: &str) -> Result<Page, Failure> {
    let filter = ResourceFilter {
        repo: repo.to_owned(),
        prefix: Some(table.to_owned()),
        through: Some(table.to_owned()),
        ..ResourceFilter::default()
    };
    Ok(Page { items: tables(&tx.resources(&filter).await?)?, next: None })
}

fn tables(rows: &[ResourceRow]) -> Result<Vec<FoundTable>, StoreError> {
    Ok(rows.iter().map(|row| serde_json::from_str(&row.body)).collect::<Result<_, _>>()?)
}
