//! Asking for access.

use std::sync::Arc;

use serde_json::json;

use super::{
    super::{
        acting::Acting,
        callback::{View, ViewSubmission},
        desk::Slack,
        records::Link,
        text::{code, escape},
        web_api::Method,
    },
    Form, Wrong, layout,
    menus::Catalog,
    show,
};
use crate::{
    actions::{Failure, drafts::Forecast},
    domain::{Ask, Bundle, RequestStatus},
};

/// Approvers that are named.
const MOST_NAMES: usize = 8;

/// Parts of a bundle that are looked into ahead.
const MOST_PARTS: usize = 5;

/// Opens the dialog, filled with what is known already.
pub(in super::super) async fn open(
    slack: &Slack,
    link: Link,
    trigger: &str,
    form: Form,
) -> Result<(), Failure> {
    let catalog = Catalog::read(slack, &link).await?;
    let acting = slack.acting(link).await?;
    let form = layout::settled(&catalog, &form);
    let outlook = outlook(&acting, &catalog, &form).await;
    let view = layout::view(&catalog, &form, &outlook);
    if let Err(error) = show(slack, trigger, &view).await {
        tracing::warn!(%error, "a dialog could not be opened");
    }
    Ok(())
}

/// Brings the dialog up to what was chosen.
pub(super) async fn changed(slack: &Arc<Slack>, user: &str, view: &View) {
    if let Err(error) = follow(slack, user, view).await {
        tracing::warn!(text = error.text, "a dialog could not follow what was chosen");
    }
}

async fn follow(slack: &Slack, user: &str, view: &View) -> Result<(), Wrong> {
    let link = slack.linked(user).await?;
    let catalog = Catalog::read(slack, &link).await?;
    let acting = slack.acting(link).await?;
    let form = layout::settled(&catalog, &Form::read(view));
    let outlook = outlook(&acting, &catalog, &form).await;
    let shown = layout::view(&catalog, &form, &outlook);
    // With the hash an older picture never takes the place of a newer one.
    let body = json!({"view_id": view.id, "hash": view.hash, "view": shown});
    slack
        .api
        .call(Method::ViewsUpdate, &body)
        .await
        .map(drop)
        .map_err(|error| Wrong::at("", error.to_string()))
}

/// Which rule will decide, and who can approve; or what stands in the way so far.
async fn outlook(acting: &Acting<'_>, catalog: &Catalog, form: &Form) -> String {
    if let Some(offered) = catalog.bundle(form) {
        return bundle_outlook(acting, form, &offered.bundle).await;
    }
    let Some(offer) = catalog.chosen(form) else {
        return if catalog.targets().is_empty() {
            "No rule lets you ask for anything yet.".to_owned()
        } else {
            String::new()
        };
    };
    // What is missing may still be filled in.
    let reason = if form.reason.is_empty() { "…".to_owned() } else { form.reason.clone() };
    let Ok(mut ask) = (Form { reason, ..form.clone() }).ask(&offer.sets()) else { return String::new() };
    ask.break_glass = false;
    if ask.resources.is_empty() && !offer.whole() {
        return "Choose tables or columns.".to_owned();
    }
    told(acting, ask, form.emergency).await
}

/// The same for each part of a bundle.
async fn bundle_outlook(acting: &Acting<'_>, form: &Form, bundle: &Bundle) -> String {
    let reason = if form.reason.is_empty() { "…".to_owned() } else { form.reason.clone() };
    let Ok(terms) = (Form { reason, ..form.clone() }).terms() else { return String::new() };
    let chosen = form.parts_of(bundle).ok().and_then(|parts| bundle.clone().only(&parts).ok());
    let bundle = chosen.as_ref().unwrap_or(bundle);
    let mut lines = Vec::new();
    for ask in bundle.asks(&terms).into_iter().take(MOST_PARTS) {
        let place = format!("{} of {}", code(ask.account.as_str()), code(ask.repo.as_str()));
        lines.push(format!("{place}: {}", told(acting, ask, false).await));
    }
    lines.push("All of it is decided together.".to_owned());
    lines.join("\n")
}

async fn told(acting: &Acting<'_>, ask: Ask, emergency: bool) -> String {
    match acting.forecast(ask).await {
        Ok(forecast) => foreseen(&forecast, emergency),
        Err(Failure::Refused(refusal)) if refusal.to_string().starts_with("reason:") => {
            escape(&refusal.to_string())
        }
        Err(Failure::Refused(refusal)) => format!("Not as it stands: {}.", escape(&refusal.to_string())),
        Err(Failure::Store(_) | Failure::Random(_)) => String::new(),
    }
}

fn foreseen(forecast: &Forecast, emergency: bool) -> String {
    let rule = code(&forecast.rule.name);
    if emergency {
        return format!(
            "The rule {rule} lets you in at once. Everybody is told, and somebody will look at it."
        );
    }
    if forecast.request.status == RequestStatus::Approved {
        return format!("The rule {rule} approves this at once.");
    }
    if forecast.request.status == RequestStatus::Rejected {
        return format!("The rule {rule} denies this at once.");
    }
    let mut names: Vec<String> = forecast.approvers.iter().take(MOST_NAMES).map(|name| code(name)).collect();
    let more = forecast.approvers.len().saturating_sub(MOST_NAMES);
    if more > 0 {
        names.push(format!("{more} more"));
    }
    let who = if names.is_empty() { "nobody who is known yet".to_owned() } else { names.join(", ") };
    format!("The rule {rule} decides. Can approve: {who}.")
}

/// Files what was filled in.
pub(super) async fn submit(slack: &Arc<Slack>, call: &ViewSubmission) -> Result<(), Wrong> {
    let link = slack.linked(&call.user.id).await?;
    let catalog = Catalog::read(slack, &link).await?;
    let acting = slack.acting(link).await?;
    let form = Form::read(&call.view);
    if let Some(name) = form.bundle() {
        let terms = timely(slack, form.terms()?)?;
        let parts = match catalog.bundle(&form) {
            Some(offered) => offered.wanted(&form)?,
            None => Vec::new(),
        };
        acting.file_bundle(name, &parts, Ask { break_glass: false, ..terms }).await?;
        return Ok(());
    }
    let sets = catalog.chosen(&form).map(|offer| offer.sets()).unwrap_or_default();
    acting.file(timely(slack, form.ask(&sets)?)?).await?;
    Ok(())
}

fn timely(slack: &Slack, ask: Ask) -> Result<Ask, Wrong> {
    if ask.not_before.is_some_and(|at| at <= slack.plane.clock.now()) {
        return Err(Wrong::at(super::form::START, "That time has passed."));
    }
    Ok(ask)
}
