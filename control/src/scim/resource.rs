//! What users and groups have in common: how they are listed and shown.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    error::ScimError,
    listing::{Shown, Which},
    schema::{Fields, ResourceType},
    wire::{Asked, Conditions, Id, answer, resource, tag},
};
use crate::{
    api::App,
    domain::Moment,
    store::{Entity, Read, StoreError, load},
};

/// A resource of one kind.
pub(super) trait Resource: Entity + 'static {
    /// Its kind.
    const TYPE: &'static ResourceType;
    /// The attribute by which no two are the same.
    const KEY: &'static str;
    /// The attribute that memberships make up; it is not in the record.
    const LINKS: &'static str;

    /// What is in the record.
    fn record(&self) -> Record<'_>;

    /// What memberships say of it.
    fn links(
        &self,
        tx: &mut dyn Read,
        public_url: &str,
    ) -> impl Future<Output = Result<Vec<Value>, StoreError>> + Send;
}

/// What every resource's record holds.
#[derive(Debug)]
pub(super) struct Record<'a> {
    /// Attributes under their right names.
    pub attributes: &'a Fields,
    /// One more with each change.
    pub version: u64,
    /// When it was made.
    pub created_at: Moment,
    /// When it was changed last.
    pub changed_at: Moment,
}

/// `GET` of all of them.
pub(super) async fn list<T: Resource>(
    State(app): State<App>,
    Asked(which): Asked<Which>,
) -> Result<Response, ScimError> {
    let question = which.about(T::TYPE)?;
    let url = &app.plane.public_url;
    let mut tx = app.plane.store.read().await?;
    let by_links = question.asks_about(T::LINKS);
    let mut found = Vec::new();
    for item in question.candidates::<T>(&mut *tx, T::KEY).await? {
        let mut fields = bare(url, &item);
        if by_links {
            add_links(&mut *tx, url, &item, &mut fields).await?;
        }
        if question.fits(&fields) {
            found.push((item, fields));
        }
    }
    question.sort(&mut found);
    let (total, page) = question.page(found);
    let mut shown = Vec::with_capacity(page.len());
    for (item, mut fields) in page {
        if question.projection.shows(T::LINKS) && !by_links {
            add_links(&mut *tx, url, &item, &mut fields).await?;
        }
        shown.push(fields);
    }
    Ok(answer(StatusCode::OK, &question.document(total, shown)))
}

/// `GET` of one.
pub(super) async fn show<T: Resource>(
    State(app): State<App>,
    Id(id): Id,
    conditions: Conditions,
    Asked(asked): Asked<Shown>,
) -> Result<Response, ScimError> {
    let found: Option<T> = load(&mut *app.plane.store.read().await?, &id).await?;
    let item = found.ok_or_else(|| ScimError::not_found(&T::TYPE.name.to_lowercase(), &id))?;
    if conditions.is_known(item.record().version) {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    shown(&app, &item, &asked, StatusCode::OK).await
}

/// The answer that shows one.
pub(super) async fn shown<T: Resource>(
    app: &App,
    item: &T,
    asked: &Shown,
    status: StatusCode,
) -> Result<Response, ScimError> {
    let url = &app.plane.public_url;
    let mut fields = bare(url, item);
    let projection = asked.projection(T::TYPE);
    if projection.shows(T::LINKS) {
        add_links(&mut *app.plane.store.read().await?, url, item, &mut fields).await?;
    }
    let location = T::TYPE.location(url, item.id());
    Ok(resource(status, &projection.of(fields), item.record().version, &location))
}

/// The resource as its record has it.
fn bare<T: Resource>(public_url: &str, item: &T) -> Fields {
    let Record { attributes, version, created_at, changed_at } = item.record();
    let mut fields = attributes.clone();
    let extension = T::TYPE.extension.filter(|extension| fields.contains_key(extension.id));
    let schemas: Vec<&str> =
        std::iter::once(T::TYPE.core.id).chain(extension.map(|schema| schema.id)).collect();
    fields.insert("schemas".to_owned(), json!(schemas));
    fields.insert("id".to_owned(), json!(item.id()));
    let meta = json!({
        "resourceType": T::TYPE.name, "created": created_at.timestamp().to_string(),
        "lastModified": changed_at.timestamp().to_string(), "version": tag(version),
        "location": T::TYPE.location(public_url, item.id()),
    });
    fields.insert("meta".to_owned(), meta);
    fields
}

async fn add_links<T: Resource>(
    tx: &mut dyn Read,
    public_url: &str,
    item: &T,
    fields: &mut Fields,
) -> Result<(), StoreError> {
    let links = item.links(tx, public_url).await?;
    if !links.is_empty() {
        fields.insert(T::LINKS.to_owned(), Value::Array(links));
    }
    Ok(())
}
