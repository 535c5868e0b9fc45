//! Lists, a page at a time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use crate::store::{Filter, Order};

const USUAL: u32 = 100;
const MOST: u32 = 1_000;

/// A page of a list.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "{T}List")]
pub(super) struct List<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// What to send as `after` for the next page; null on the last.
    pub next: Option<String>,
}

impl<T> List<T> {
    /// A page.
    pub(super) fn new(items: Vec<T>, next: Option<i64>) -> Self {
        Self { items, next: next.map(|n| n.to_string()) }
    }
}

/// Which page of a list.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Paging {
    /// How many on a page: 1 to 1000, usually 100.
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub after: Option<String>,
}

impl Paging {
    /// As the store takes it.
    pub(super) fn filter(&self, order: Order) -> Result<Filter, Problem> {
        paging(self.limit, self.after.as_deref(), order)
    }
}

/// Limit and cursor as the store takes them.
pub(super) fn paging(limit: Option<u32>, after: Option<&str>, order: Order) -> Result<Filter, Problem> {
    Ok(Filter { order, after: cursor(after)?, limit: Some(size(limit)?), ..Filter::default() })
}

/// The size of a page.
pub(super) fn size(limit: Option<u32>) -> Result<u32, Problem> {
    let limit = limit.unwrap_or(USUAL);
    if (1..=MOST).contains(&limit) {
        Ok(limit)
    } else {
        Err(Problem::malformed(format!("limit: 1 to {MOST}")))
    }
}

/// A cursor that a page gave.
pub(super) fn cursor(after: Option<&str>) -> Result<Option<i64>, Problem> {
    let read = |text: &str| text.parse().map_err(|_| Problem::malformed("after: not a cursor of this list"));
    after.map(read).transpose()
}
