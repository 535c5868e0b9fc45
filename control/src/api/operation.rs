//! One line of the table of operations.

use std::sync::Arc;

use axum::{
    extract::DefaultBodyLimit,
    handler::Handler,
    http::Method,
    middleware::from_fn_with_state,
    routing::{MethodFilter, MethodRouter, on},
};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::{
    App,
    extract::{BODY_LIMIT, OPEN_BODY_LIMIT},
    guard,
};
use crate::{domain::Permission, scim};

/// Makes a type's schema.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody.
    Public,
    /// An API client with one of these permissions.
    Client(&'static [Permission]),
    /// An enrolled sidecar.
    Sidecar,
}

/// An answer that an operation gives when it succeeds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Success {
    /// The status.
    pub status: u16,
    /// The media type; empty without a body.
    pub media: &'static str,
    /// What is in it.
    pub schema: Option<SchemaOf>,
}

/// In which form a route speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// JSON, with problem documents.
    Rest,
    /// SCIM, with its own errors; a directory's static token will do.
    Scim,
}

/// What the guard in front of a handler needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// The route's pattern.
    pub path: &'static str,
    /// Who may call.
    pub access: Access,
    /// Whether every person who has signed in may call as well, and the action decides what they get.
    pub people: bool,
    /// In which form it speaks.
    pub dialect: Dialect,
    /// Whether the answer shows a secret that must not be kept.
    pub shows_secret: bool,
    /// The most that a body may have, in bytes.
    pub body_limit: usize,
}

/// An operation.
pub(crate) struct Operation {
    /// GET, POST, …
    pub method: Method,
    /// The route's pattern.
    pub path: &'static str,
    /// What it does.
    pub summary: &'static str,
    /// The guard's part.
    pub rule: Rule,
    /// The query string.
    pub query: Option<SchemaOf>,
    /// Headers that it takes: name, and what it means.
    pub headers: Vec<(&'static str, &'static str)>,
    /// Whether it takes `If-Match`.
    pub is_conditional: bool,
    /// The body: media type, and what is in it.
    pub body: Option<(&'static str, SchemaOf)>,
    /// What it answers when it succeeds.
    pub successes: Vec<Success>,
    /// The statuses of problems that it may answer, beside those that its access and shape bring.
    pub problems: &'static [u16],
    handler: MethodRouter<App>,
}

const JSON: &str = "application/json";

fn schema_of<T: JsonSchema>() -> SchemaOf {
    |generator| generator.subschema_for::<T>()
}

/// An operation that anybody may call; see [`Operation::client`] and [`Operation::sidecar`].
pub(crate) fn operation<H, T>(
    method: Method,
    path: &'static str,
    summary: &'static str,
    handler: H,
) -> Operation
where
    H: Handler<T, App>,
    T: 'static,
{
    let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
    Operation {
        method,
        path,
        summary,
        rule: Rule {
            path,
            access: Access::Public,
            people: false,
            dialect: Dialect::Rest,
            shows_secret: false,
            body_limit: OPEN_BODY_LIMIT,
        },
        query: None,
        headers: Vec::new(),
        is_conditional: false,
        body: None,
        successes: Vec::new(),
        problems: &[],
        handler: on(filter, handler),
    }
}

impl Operation {
    /// For API clients with one of these permissions.
    pub(crate) fn client(mut self, any: &'static [Permission]) -> Self {
        self.rule.access = Access::Client(any);
        self.rule.body_limit = BODY_LIMIT;
        self
    }

    /// For people too, whatever their permissions; to be said after [`Self::client`].
    pub(crate) fn people(mut self) -> Self {
        self.rule.people = true;
        self
    }

    /// For directories, and API clients with one of these permissions, in SCIM's form.
    pub(crate) fn scim(mut self, any: &'static [Permission]) -> Self {
        self.rule.dialect = Dialect::Scim;
        self.client(any)
    }

    /// For sidecars.
    pub(crate) fn sidecar(mut self) -> Self {
        self.rule.access = Access::Sidecar;
        self.rule.body_limit = BODY_LIMIT;
        self
    }

    /// Its answer shows a secret.
    pub(crate) fn secret(mut self) -> Self {
        self.rule.shows_secret = true;
        self
    }

    /// Bodies may be this large; to be said after who may call.
    pub(crate) fn body_limit(mut self, bytes: usize) -> Self {
        self.rule.body_limit = bytes;
        self
    }

    /// Has a query string.
    pub(crate) fn query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(schema_of::<T>());
        self
    }

    /// Takes a header.
    pub(crate) fn takes_header(mut self, name: &'static str, meaning: &'static str) -> Self {
        self.headers.push((name, meaning));
        self
    }

    /// Takes `If-Match`, with the `ETag` of an answer before.
    pub(crate) fn conditional(mut self) -> Self {
        self.is_conditional = true;
        self.takes_header("If-Match", "The ETag that was seen: a change in between is answered with 412.")
    }

    /// Has a JSON body.
    pub(crate) fn body<T: JsonSchema>(mut self) -> Self {
        self.body = Some((self.media(), schema_of::<T>()));
        self
    }

    /// Has a form as its body.
    pub(crate) fn form<T: JsonSchema>(mut self) -> Self {
        self.body = Some(("application/x-www-form-urlencoded", schema_of::<T>()));
        self
    }

    /// Answers JSON.
    pub(crate) fn gives<T: JsonSchema>(mut self, status: u16) -> Self {
        self.successes.push(Success { status, media: self.media(), schema: Some(schema_of::<T>()) });
        self
    }

    /// Answers something of this media type.
    pub(crate) fn gives_text(mut self, status: u16, media: &'static str) -> Self {
        self.successes.push(Success { status, media, schema: None });
        self
    }

    fn media(&self) -> &'static str {
        match self.rule.dialect {
            Dialect::Rest => JSON,
            Dialect::Scim => scim::MEDIA,
        }
    }

    /// Answers that the caller has it already.
    pub(crate) fn gives_unchanged(mut self) -> Self {
        self.successes.push(Success { status: 304, media: "", schema: None });
        self
    }

    /// Answers nothing.
    pub(crate) fn gives_nothing(self) -> Self {
        self.gives_empty(204)
    }

    /// Answers nothing, with this status.
    pub(crate) fn gives_empty(mut self, status: u16) -> Self {
        self.successes.push(Success { status, media: "", schema: None });
        self
    }

    /// May answer these problems.
    pub(crate) fn problems(mut self, statuses: &'static [u16]) -> Self {
        self.problems = statuses;
        self
    }

    /// Whether it changes something.
    pub(crate) fn is_write(&self) -> bool {
        self.method != Method::GET
    }

    /// The handler behind its guard.
    pub(crate) fn guarded(self, app: &App) -> MethodRouter<App> {
        let state = (app.clone(), Arc::new(self.rule));
        // The guard has its own limit per route.
        self.handler.layer(DefaultBodyLimit::disable()).layer(from_fn_with_state(state, guard::guard))
    }
}
