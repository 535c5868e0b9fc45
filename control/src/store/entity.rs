//! The domain's types as records.

use std::collections::BTreeMap;

use serde::{Serialize, de::DeserializeOwned};

use super::{Filter, Put, Read, StoreError, Table, Write};
use crate::domain::{
    ApiClient, ApiToken, Bundle, Delivery, DeviceLogin, DirectoryGroup, DirectoryUser, Favourite, Grant,
    IdentityRecord, IssuedToken, Login, Membership, Moment, Process, Replay, Repo, Request, RunningPlane,
    Session, Sidecar, StoredRule, TokenUse, Touched, Usage, Webhook,
};

/// What a record can be found by.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Columns<'a> {
    /// A second unique key.
    pub lookup: Option<&'a str>,
    /// Whom it concerns.
    pub identity: Option<&'a str>,
    /// Which repo.
    pub repo: Option<&'a str>,
    /// Where it stands.
    pub state: Option<&'a str>,
    /// Whose it is.
    pub owner: Option<&'a str>,
    /// When time changes it.
    pub due: Option<Moment>,
}

/// A type that is kept as a record.
pub(crate) trait Entity: Serialize + DeserializeOwned + Send + Sync {
    /// Among its like.
    const TABLE: Table;

    /// Its key.
    fn id(&self) -> &str;

    /// What it can be found by.
    fn columns(&self) -> Columns<'_>;
}

/// One page of a list.
#[derive(Clone, Debug)]
pub(crate) struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// What [`Filter::after`] gets for the next page; absent on the last.
    pub next: Option<i64>,
}

/// The record of this id.
pub(crate) async fn load<T: Entity>(tx: &mut dyn Read, id: &str) -> Result<Option<T>, StoreError> {
    let body = tx.get(T::TABLE, id).await?;
    Ok(body.map(|body| serde_json::from_str(&body)).transpose()?)
}

/// The records of these ids that there are, by their ids.
pub(crate) async fn load_all<T: Entity>(
    tx: &mut dyn Read,
    ids: Vec<String>,
) -> Result<BTreeMap<String, T>, StoreError> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let found: Vec<T> = find_all(tx, &Filter { ids: Some(ids), ..Filter::default() }).await?;
    Ok(found.into_iter().map(|entity| (entity.id().to_owned(), entity)).collect())
}

/// The record with this second key.
pub(crate) async fn load_by<T: Entity>(tx: &mut dyn Read, lookup: &str) -> Result<Option<T>, StoreError> {
    let filter = Filter { lookup: Some(lookup.to_owned()), limit: Some(1), ..Filter::default() };
    Ok(find::<T>(tx, &filter).await?.items.pop())
}

/// A page of records.
pub(crate) async fn find<T: Entity>(tx: &mut dyn Read, filter: &Filter) -> Result<Page<T>, StoreError> {
    let asked = filter.limit.map(|limit| limit.saturating_add(1));
    let mut rows = tx.find(T::TABLE, &Filter { limit: asked, ..filter.clone() }).await?;
    let limit = filter.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = if more { rows.last().map(|row| row.n) } else { None };
    let items = rows.iter().map(|row| serde_json::from_str(&row.body)).collect::<Result<_, _>>()?;
    Ok(Page { items, next })
}

/// The records that fit: all of them, unless the filter has a limit.
pub(crate) async fn find_all<T: Entity>(tx: &mut dyn Read, filter: &Filter) -> Result<Vec<T>, StoreError> {
    Ok(find(tx, filter).await?.items)
}

/// Makes or replaces a record.
pub(crate) async fn save<T: Entity>(tx: &mut dyn Write, entity: &T) -> Result<(), StoreError> {
    let Put { id, columns, body } = record(entity)?;
    tx.put(T::TABLE, id, columns, body).await
}

/// Makes or replaces records, each named once.
pub(crate) async fn save_all<T: Entity>(tx: &mut dyn Write, entities: &[T]) -> Result<(), StoreError> {
    let records = entities.iter().map(record).collect::<Result<_, _>>()?;
    tx.put_all(T::TABLE, records).await
}

fn record<T: Entity>(entity: &T) -> Result<Put<'_>, StoreError> {
    Ok(Put { id: entity.id(), columns: entity.columns(), body: serde_json::to_string(entity)? })
}

/// Removes a record; true when it was there.
pub(crate) async fn remove<T: Entity>(tx: &mut dyn Write, id: &str) -> Result<bool, StoreError> {
    tx.delete(T::TABLE, id).await
}

impl Entity for ApiClient {
    const TABLE: Table = Table::ApiClients;

    fn id(&self) -> &str {
        &self.id
    }

    fn columns(&self) -> Columns<'_> {
        Columns {
            lookup: Some(&self.name),
            state: Some(if self.scim { "scim" } else { "oauth" }),
            ..Columns::default()
        }
    }
}

impl Entity for ApiToken {
    const TABLE: Table = Table::ApiTokens;

    fn id(&self) -> &str {
        &self.sha256
    }

    fn columns(&self) -> Columns<'_> {
        let state = match self.good_for {
            TokenUse::Access => "access",
            TokenUse::Refresh => "refresh",
            TokenUse::Spent => "spent",
        };
        Columns {
            identity: Some(self.holder.as_str()),
            owner: Some(&self.family),
            state: Some(state),
            due: Some(self.expires_at),
            ..Columns::default()
        }
    }
}

impl Entity for Sidecar {
    const TABLE: Table = Table::Sidecars;

    fn id(&self) -> &str {
        self.name.as_str()
    }

    fn columns(&self) -> Columns<'_> {
        Columns { lookup: Some(&self.token_sha256), ..Columns::default() }
    }
}

impl Entity for Repo {
    const TABLE: Table = Table::Repos;

    fn id(&self) -> &str {
        self.name.as_str()
    }

    fn columns(&self) -> Columns<'_> {
        Columns { state: Some(if self.ephemeral_access { "on" } else { "off" }), ..Columns::default() }
    }
}

impl Entity for IdentityRecord {
    const TABLE: Table = Table::Identities;

    fn id(&self) -> &str {
        self.name.as_str()
    }

    fn columns(&self) -> Columns<'_> {
        Columns { state: Some(if self.enabled { "on" } else { "off" }), ..Columns::default() }
    }
}

impl Entity for StoredRule {
    const TABLE: Table = Table::Rules;

    fn id(&self) -> &str {
        &self.rule.name
    }

    fn columns(&self) -> Columns<'_> {
        Columns { owner: Some(self.owner.as_str()), ..Columns::default() }
    }
}

impl Entity for Request {
    const TABLE: Table = Table::Requests;

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn columns(&self) -> Columns<'_> {
        Columns {
            lookup: self.awaits_hindsight().then_some(self.id.as_str()),
            identity: Some(self.identity.as_str()),
            repo: Some(self.repo.as_str()),
            state: Some(self.status.as_str()),
            owner: Some(&self.filed_by),
            due: Some(self.due_at()),
        }
    }
}

impl Entity for Grant {
    const TABLE: Table = Table::Grants;

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn columns(&self) -> Columns<'_> {
        Columns {
            identity: Some(self.identity.as_str()),
            repo: Some(self.repo.as_str()),
            state: Some(self.state.as_str()),
            owner: Some(&self.filed_by),
            due: Some(self.due_at()),
            ..Columns::default()
        }
    }
}

impl Entity for Session {
    const TABLE: Table = Table::Sessions;

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn columns(&self) -> Columns<'_> {
        Columns {
            identity: Some(self.identity.as_str()),
            repo: Some(self.repo.as_str()),
            state: Some(&self.instance),
            owner: Some(self.sidecar.as_str()),
            ..Columns::default()
        }
    }
}

impl Entity for IssuedToken {
    const TABLE: Table = Table::AccessTokens;

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn columns(&self) -> Columns<'_> {
        Columns {
            lookup: Some(&self.sha256),
            identity: Some(self.identity.as_str()),
            owner: Some(&self.issued_by),
            due: Some(self.expires_at),
            ..Columns::default()
        }
    }
}

impl Entity for Login {
    const TABLE: Table = Table::Logins;

    fn id(&self) -> &str {
        &self.id
    }

    fn columns(&self) -> Columns<'_> {
        Columns {
            lookup: self.secret_sha256.as_deref(),
            identity: Some(self.identity.as_str()),
            state: Some(self.kind.as_str()),
            owner: Some(&self.subject),
            due: Some(self.expires_at),
            ..Columns::default()
        }
    }
}

impl Entity for DeviceLogin {
    const TABLE: Table = Table::DeviceLogins;

    fn id(&self) -> &str {
        &self.sha256
    }

    fn columns(&self) -> Columns<'_> {
        Columns { lookup: Some(&self.user_code), due: Some(self.expires_at), ..Columns::default() }
    }
}

impl Entity for Replay {
    const TABLE: Table = Table::Replays;

    fn id(&self) -> &str {
        &self.key
    }

    fn columns(&self) -> Columns<'_> {
        Columns { due: Some(self.expires_at), ..Columns::default() }
    }
}

impl Entity for Bundle {
    const TABLE: Table = Table::Bundles;

    fn id(&self) -> &str {
        &self.name
    }

    fn columns(&self) -> Columns<'_> {
        Columns::default()
    }
}

impl Entity for Favourite {
    const TABLE: Table = Table::Favourites;

    fn id(&self) -> &str {
        &self.id
    }

    fn columns(&self) -> Columns<'_> {
        Columns { owner: Some(&self.owner), repo: Some(self.ask.repo.as_str()), ..Columns::default() }
    }
}

impl Entity for RunningPlane {
    const TABLE: Table = Table::RunningPlanes;

    fn id(&self) -> &str {
        &self.id
    }

    fn columns(&self) -> Columns<'_> {
        Columns::default()
    }
}

impl Entity for Process {
    const TABLE: Table = Table::Processes;

    fn id(&self) -> &str {
        &self.id
    }

    fn columns(&self) -> Columns<'_> {
        Columns { owner: Some(self.sidecar.as_str()), ..Columns::default() }
    }
}

impl Entity for Webhook {
    const TABLE: Table = Table::Webhooks;

    fn id(&self) -> &str {
        &self.id
    }

    fn columns(&self) -> Columns<'_> {
        let state = if self.enabled { "on" } else { "off" };
        Columns { lookup: Some(&self.name), state: Some(state), ..Columns::default() }
    }
}

impl Entity for Delivery {
    const TABLE: Table = Table::Deliveries;

    fn id(&self) -> &str {
        &self.id
    }

    fn columns(&self) -> Columns<'_> {
        Columns {
            identity: Some(&self.courier),
            repo: Some(&self.lane),
            state: Some(self.state.as_str()),
            owner: Some(&self.target),
            due: Some(self.due),
            ..Columns::default()
        }
    }
}

/// The directory's own id of what it provisioned.
fn external_id(attributes: &serde_json::Map<String, serde_json::Value>) -> Option<&str> {
    attributes.get("externalId").and_then(serde_json::Value::as_str)
}

impl Entity for DirectoryUser {
    const TABLE: Table = Table::DirectoryUsers;

    fn id(&self) -> &str {
        &self.id
    }

    fn columns(&self) -> Columns<'_> {
        Columns {
            lookup: Some(&self.key),
            identity: Some(self.identity.as_str()),
            owner: external_id(&self.attributes),
            ..Columns::default()
        }
    }
}

impl Entity for DirectoryGroup {
    const TABLE: Table = Table::DirectoryGroups;

    fn id(&self) -> &str {
        &self.id
    }

    fn columns(&self) -> Columns<'_> {
        Columns { lookup: Some(&self.key), owner: external_id(&self.attributes), ..Columns::default() }
    }
}

impl Entity for Membership {
    const TABLE: Table = Table::Memberships;

    fn id(&self) -> &str {
        &self.id
    }

    fn columns(&self) -> Columns<'_> {
        Columns { identity: Some(&self.user), owner: Some(&self.group), ..Columns::default() }
    }
}

impl Entity for Usage {
    const TABLE: Table = Table::Usages;

    fn id(&self) -> &str {
        self.grant.as_str()
    }

    fn columns(&self) -> Columns<'_> {
        Columns::default()
    }
}

impl Entity for Touched {
    const TABLE: Table = Table::Touched;

    fn id(&self) -> &str {
        self.grant.as_str()
    }

    fn columns(&self) -> Columns<'_> {
        Columns::default()
    }
}
