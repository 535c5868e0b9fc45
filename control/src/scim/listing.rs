//! Lists: which resources, in which order, from where on (RFC 7644, section 3.4.2).

use std::cmp::Ordering;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    document::ListDocument,
    error::ScimError,
    filter::Filter,
    path::{Place, Scope, Target},
    projection::Projection,
    schema::{Fields, ResourceType},
};
use crate::{
    domain::folded,
    store::{Entity, Filter as Records, Order, Read, StoreError, find_all, load},
};

const USUAL: usize = 100;
const MOST: usize = 1_000;

/// What is shown of each.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shown {
    /// These attributes alone.
    pub(super) attributes: Option<String>,
    /// All but these.
    pub(super) excluded_attributes: Option<String>,
}

/// Which ones.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Which {
    /// `userName eq "alice@example.com"`
    filter: Option<String>,
    /// The place of the first, counted from 1.
    start_index: Option<String>,
    /// How many at most: up to 1000, usually 100.
    count: Option<String>,
    /// By which attribute they are ordered.
    sort_by: Option<String>,
    /// `ascending` or `descending`
    sort_order: Option<String>,
    /// These attributes alone.
    attributes: Option<String>,
    /// All but these.
    excluded_attributes: Option<String>,
}

/// A question that was read.
#[derive(Debug)]
pub(super) struct Question {
    /// Which fit.
    pub(super) filter: Option<Filter>,
    /// What is shown of them.
    pub(super) projection: Projection,
    sort: Option<(Target, bool)>,
    start: usize,
    count: usize,
}

impl Shown {
    /// What is shown.
    pub(super) fn projection(&self, of: &'static ResourceType) -> Projection {
        Projection::new(of, self.attributes.as_deref(), self.excluded_attributes.as_deref())
    }
}

impl Which {
    /// Reads the question.
    pub(super) fn about(&self, of: &'static ResourceType) -> Result<Question, ScimError> {
        let scope = Scope::Resource(of);
        let filter = self.filter.as_deref().map(|text| Filter::parse(text, scope)).transpose()?;
        let sort = match self.sort_by.as_deref().map(|name| scope.resolve(name)) {
            None => None,
            Some(Some(Place::Attribute(target))) => Some((by_value(target), self.is_descending()?)),
            Some(_) => return Err(ScimError::value("sortBy: there is no such attribute")),
        };
        Ok(Question {
            filter,
            projection: Projection::new(of, self.attributes.as_deref(), self.excluded_attributes.as_deref()),
            sort,
            start: number("startIndex", self.start_index.as_deref(), 1)?.max(1),
            count: number("count", self.count.as_deref(), USUAL)?.min(MOST),
        })
    }

    fn is_descending(&self) -> Result<bool, ScimError> {
        match self.sort_order.as_deref().map(str::to_ascii_lowercase).as_deref() {
            None | Some("ascending") => Ok(false),
            Some("descending") => Ok(true),
            Some(_) => Err(ScimError::value("sortOrder: ascending or descending")),
        }
    }
}

/// Numbers below what makes sense mean the least that does.
fn number(name: &str, given: Option<&str>, usual: usize) -> Result<usize, ScimError> {
    let Some(given) = given else { return Ok(usual) };
    let number: i64 = given.trim().parse().map_err(|_| ScimError::value(format!("{name}: a number")))?;
    Ok(usize::try_from(number.max(0)).unwrap_or(usize::MAX))
}

fn by_value(target: Target) -> Target {
    Target { part: target.part.or_else(|| target.attribute.value_part()), ..target }
}

impl Question {
    /// Whether the filter asks about an attribute.
    pub(super) fn asks_about(&self, name: &str) -> bool {
        self.filter.as_ref().is_some_and(|filter| filter.mentions(name))
    }

    /// Those among which all that fit are: few, where the filter names a key, and otherwise all, oldest first.
    pub(super) async fn candidates<T: Entity>(
        &self,
        tx: &mut dyn Read,
        key: &str,
    ) -> Result<Vec<T>, StoreError> {
        let must = |name| self.filter.as_ref().and_then(|filter| filter.must_equal(name));
        if let Some(id) = must("id") {
            return Ok(load(tx, id).await?.into_iter().collect());
        }
        let filter = Records {
            order: Order::Oldest,
            lookup: must(key).map(folded),
            owner: must("externalId").map(str::to_owned),
            ..Records::default()
        };
        find_all(tx, &filter).await
    }

    /// Whether a resource is one of them.
    pub(super) fn fits(&self, fields: &Fields) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.fits(fields))
    }

    /// Puts those that fit in order. Without one they stay as they came.
    pub(super) fn sort<T>(&self, found: &mut [(T, Fields)]) {
        let Some((target, descending)) = &self.sort else { return };
        found.sort_by(|(_, left), (_, right)| {
            let order = compare(key(target, left).as_ref(), key(target, right).as_ref());
            if *descending { order.reverse() } else { order }
        });
    }

    /// The page of them that was asked for.
    pub(super) fn page<T>(&self, found: Vec<T>) -> (usize, Vec<T>) {
        let total = found.len();
        (total, found.into_iter().skip(self.start - 1).take(self.count).collect())
    }

    /// The page as a document.
    pub(super) fn document(&self, total: usize, page: Vec<Fields>) -> ListDocument {
        ListDocument::new(
            page.into_iter().map(|fields| self.projection.of(fields)).collect(),
            self.start,
            total,
        )
    }
}

fn key(target: &Target, fields: &Fields) -> Option<String> {
    let values = target.values(fields);
    let first = values.first()?;
    let text = first.as_str().map_or_else(|| first.to_string(), str::to_owned);
    Some(if target.last().is_exact { text } else { folded(&text) })
}

/// What has no value comes last.
fn compare(left: Option<&String>, right: Option<&String>) -> Ordering {
    match (left, right) {
        (Some(left), Some(right)) => left.cmp(right),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}
