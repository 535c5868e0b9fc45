//! Forms: each carries a proof that this control plane made it for this very session, so that no other site can have a
//! browser send one.

use axum::{
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode},
};
use maud::{Markup, html};
use serde::{Deserialize, de::DeserializeOwned};

use super::{Web, page::Fault, session::Visitor};

/// The field that holds the proof.
const FIELD: &str = "proof";

/// A form of a visitor's own, with what it says.
pub(super) struct Posted<T> {
    /// Who sent it.
    pub visitor: Visitor,
    /// What it says.
    pub says: T,
}

#[derive(Deserialize)]
struct Sealed<T> {
    proof: String,
    #[serde(flatten)]
    says: T,
}

impl<T: DeserializeOwned> FromRequest<Web> for Posted<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Fault> {
        check_origin(web, request.headers())?;
        let visitor = Visitor::of(web, request.headers()).await?.ok_or_else(Fault::signed_out)?;
        let form = axum::Form::<Sealed<T>>::from_request(request, &()).await;
        let axum::Form(Sealed { proof, says }) = form.map_err(|_| Fault::unreadable())?;
        if !web.plane.seal.is_mark("form", &visitor.secret_hash, &proof) {
            return Err(Fault::foreign_form());
        }
        Ok(Self { visitor, says })
    }
}

/// Browsers say where a form comes from; one from elsewhere is not looked at.
pub(super) fn check_origin(web: &Web, headers: &HeaderMap) -> Result<(), Fault> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let own = reqwest::Url::parse(&web.plane.public_url).map(|url| url.origin().ascii_serialization());
    let other_origin = text("origin").is_some_and(|origin| own.as_ref().is_ok_and(|own| origin != own));
    let other_site = text("sec-fetch-site").is_some_and(|site| site != "same-origin");
    if other_origin || other_site { Err(Fault::foreign_form()) } else { Ok(()) }
}

/// The field that makes a form this visitor's.
pub(super) fn proof(web: &Web, visitor: &Visitor) -> Markup {
    let proof = web.plane.seal.mark("form", &visitor.secret_hash);
    html! { input type="hidden" name=(FIELD) value=(proof); }
}

/// What a form from elsewhere gets.
pub(super) const FOREIGN: (StatusCode, &str) = (
    StatusCode::FORBIDDEN,
    "This form is not one of this session. Go back, load the page again, and send it then.",
);
