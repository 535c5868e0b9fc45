//! The OpenAPI 3.1 document, made from the table of operations.

use axum::http::{Method, StatusCode};
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    oauth::TokenError,
    operation::{Access, Dialect, Operation},
    problem::Problem,
};

use crate::scim;

const TOKEN_PATH: &str = "/v1/users/oidc/token";
/// Where errors have the standard's own form.
const OAUTH: &str = "/v1/users/oidc/";

/// The document.
pub(super) fn document(operations: &[Operation]) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let problem = to_value(&generator.subschema_for::<Problem>());
    let token_error = to_value(&generator.subschema_for::<TokenError>());
    let scim_error = to_value(&generator.subschema_for::<scim::ScimErrorDocument>());
    let mut paths = Map::new();
    for operation in operations {
        let refused = match operation.rule.dialect {
            Dialect::Rest => json!({ "application/problem+json": { "schema": problem } }),
            Dialect::Scim => json!({ scim::MEDIA: { "schema": scim_error } }),
        };
        let described = describe(operation, &mut generator, &refused, &token_error);
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        if let Some(methods) = path.as_object_mut() {
            methods.insert(operation.method.as_str().to_ascii_lowercase(), described);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Postern",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Just-in-time access to databases: requests, reviews, grants, sessions.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "client": { "type": "oauth2", "flows": { "clientCredentials": {
                    "tokenUrl": TOKEN_PATH, "refreshUrl": TOKEN_PATH, "scopes": {},
                } } },
                "sidecar": { "type": "http", "scheme": "bearer" },
                "directory": { "type": "http", "scheme": "bearer" },
            },
        },
    })
}

fn to_value(schema: &schemars::Schema) -> Value {
    schema.as_value().clone()
}

fn describe(
    operation: &Operation,
    generator: &mut SchemaGenerator,
    refused: &Value,
    token_error: &Value,
) -> Value {
    let mut described = json!({
        "operationId": operation_id(operation),
        "summary": operation.summary,
        "parameters": parameters(operation, generator),
        "responses": responses(operation, generator, refused, token_error),
    });
    if let Some((media, schema)) = operation.body {
        described["requestBody"] =
            json!({ "content": { media: { "schema": to_value(&schema(generator)) } } });
    }
    match operation.rule.access {
        Access::Public => described["security"] = json!([]),
        Access::Sidecar => described["security"] = json!([{ "sidecar": [] }]),
        Access::Client(any) => {
            described["security"] = match operation.rule.dialect {
                Dialect::Rest => json!([{ "client": [] }]),
                Dialect::Scim => json!([{ "client": [] }, { "directory": [] }]),
            };
            let others = if operation.rule.people { ", or a person who has signed in" } else { "" };
            described["description"] = json!(format!("Needs the permission {}{others}.", words(any)));
        }
    }
    described
}

fn words(any: &[crate::domain::Permission]) -> String {
    any.iter().map(|permission| permission.as_str()).collect::<Vec<_>>().join(" or ")
}

/// Whether a write may carry an `Idempotency-Key`.
fn takes_keys(operation: &Operation) -> bool {
    operation.rule.dialect == Dialect::Rest && matches!(operation.rule.access, Access::Client(_))
}

fn operation_id(operation: &Operation) -> String {
    let path: String = operation
        .path
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' })
        .collect();
    format!("{}{path}", operation.method.as_str().to_ascii_lowercase())
}

fn parameters(operation: &Operation, generator: &mut SchemaGenerator) -> Vec<Value> {
    let in_path = operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = in_path
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    if let Some(query) = operation.query {
        parameters.extend(in_query(query, generator));
    }
    if operation.is_write() && takes_keys(operation) {
        parameters.push(header("Idempotency-Key", "A write that is sent twice with one key is done once."));
    }
    parameters.extend(operation.headers.iter().map(|(name, meaning)| header(name, meaning)));
    parameters
}

fn header(name: &str, meaning: &str) -> Value {
    json!({ "name": name, "in": "header", "required": false, "schema": { "type": "string" }, "description": meaning })
}

/// The fields of a query's schema, each as a parameter.
fn in_query(schema: super::operation::SchemaOf, generator: &mut SchemaGenerator) -> Vec<Value> {
    let reference = schema(generator);
    let name = reference.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
    let Some(definition) = name.and_then(|name| generator.definitions_mut().remove(name)) else {
        return Vec::new();
    };
    let required = definition.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let fields = definition.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    fields
        .into_iter()
        .map(|(name, schema)| {
            let must = required.iter().any(|required| *required == name);
            json!({ "name": name, "in": "query", "required": must, "schema": schema })
        })
        .collect()
}

fn responses(
    operation: &Operation,
    generator: &mut SchemaGenerator,
    refused: &Value,
    token_error: &Value,
) -> Map<String, Value> {
    let mut responses = Map::new();
    for success in &operation.successes {
        let entry = responses
            .entry(success.status.to_string())
            .or_insert_with(|| json!({ "description": reason(success.status) }));
        if !success.media.is_empty() {
            let schema =
                success.schema.map_or_else(|| json!({ "type": "string" }), |of| to_value(&of(generator)));
            entry["content"][success.media] = json!({ "schema": schema });
        }
    }
    for status in problem_statuses(operation) {
        responses.insert(status.to_string(), json!({ "description": reason(status), "content": refused }));
    }
    if operation.path.starts_with(OAUTH) {
        for status in [400, 401] {
            let content = json!({ "application/json": { "schema": token_error } });
            responses
                .insert(status.to_string(), json!({ "description": reason(status), "content": content }));
        }
    }
    responses
}

/// What the operation lists, and what its access, query and body bring along.
fn problem_statuses(operation: &Operation) -> Vec<u16> {
    let mut statuses = operation.problems.to_vec();
    match operation.rule.access {
        Access::Public => {}
        Access::Client(_) => statuses.extend([401, 403, 429, 500]),
        Access::Sidecar => statuses.extend([401, 500]),
    }
    let is_call = operation.rule.access != Access::Public;
    if is_call && (operation.query.is_some() || operation.body.is_some() || operation.path.contains('{')) {
        statuses.push(400);
    }
    if is_call && operation.method != Method::GET {
        statuses.extend([400, 408, 413]);
    }
    if is_call && operation.body.is_some() {
        statuses.extend([415, 422]);
    }
    if takes_keys(operation) && operation.is_write() {
        statuses.extend([409, 422]);
    }
    if operation.is_conditional {
        statuses.push(412);
    }
    if is_call {
        statuses.push(503);
    }
    statuses.sort_unstable();
    statuses.dedup();
    statuses
}

fn reason(status: u16) -> &'static str {
    StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Answer")
}
