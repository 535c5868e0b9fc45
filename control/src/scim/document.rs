//! The shapes of SCIM's messages, for the OpenAPI document.

use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A user, a group, or what describes them: the attributes of its schemas, which `/scim/v2/Schemas` lists.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ScimResource")]
pub(super) struct ResourceDocument {
    schemas: Vec<String>,
    #[serde(flatten)]
    attributes: Map<String, Value>,
}

/// A part of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ScimList")]
#[serde(rename_all = "camelCase")]
pub(super) struct ListDocument {
    /// `urn:ietf:params:scim:api:messages:2.0:ListResponse`
    pub(super) schemas: [&'static str; 1],
    /// How many there are in all.
    pub(super) total_results: usize,
    /// The place of the first of these, counted from 1.
    pub(super) start_index: usize,
    /// How many these are.
    pub(super) items_per_page: usize,
    /// These.
    #[serde(rename = "Resources")]
    pub(super) resources: Vec<Value>,
}

impl ListDocument {
    const SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

    /// A page that begins at a place, counted from 1.
    pub(super) fn new(resources: Vec<Value>, start_index: usize, total_results: usize) -> Self {
        Self {
            schemas: [Self::SCHEMA],
            total_results,
            start_index,
            items_per_page: resources.len(),
            resources,
        }
    }
}

/// What is to be changed.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "ScimPatch")]
#[expect(dead_code, reason = "it is the schema of what `patch` reads more leniently")]
pub(super) struct PatchDocument {
    /// `urn:ietf:params:scim:api:messages:2.0:PatchOp`
    schemas: Vec<String>,
    /// One after the other.
    #[serde(rename = "Operations")]
    operations: Vec<OperationDocument>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "ScimOperation")]
#[expect(dead_code, reason = "it is the schema of what `patch` reads more leniently")]
struct OperationDocument {
    /// `add`, `replace` or `remove`, in any case.
    op: String,
    /// What it is about; absent: the attributes that `value` names.
    path: Option<String>,
    /// What it is to be.
    #[serde(default)]
    value: Value,
}

/// Why something was not done.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ScimError")]
pub(crate) struct ScimErrorDocument {
    /// `urn:ietf:params:scim:api:messages:2.0:Error`
    schemas: [&'static str; 1],
    /// The HTTP status, as text.
    status: String,
    /// A stable word for programs.
    #[serde(rename = "scimType", skip_serializing_if = "Option::is_none")]
    scim_type: Option<&'static str>,
    /// For people.
    detail: String,
}

impl ScimErrorDocument {
    pub(super) fn new(status: StatusCode, scim_type: Option<&'static str>, detail: String) -> Self {
        Self {
            schemas: ["urn:ietf:params:scim:api:messages:2.0:Error"],
            status: status.as_str().to_owned(),
            scim_type,
            detail,
        }
    }
}
