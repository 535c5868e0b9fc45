//! The home tab: what waits for somebody, what they have, what they had.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Value, json};

use super::{
    acting::Acting,
    case::{Standing, standing, together},
    commands::unlinked_text,
    desk::Slack,
    dialog,
    kit::{Style, actions, button, context, divider, header, section, section_with},
    links::Unlinked,
    message::{button_id, decide, place, when},
    text::{code, escape, shortened},
    web_api::Method,
};
use crate::{
    actions::{Failure, requests},
    domain::{Bundle, Favourite, Grant, Moment, Request},
    store::{self, Filter},
};

/// How much of each is shown.
const MOST_WAITING: usize = 10;
const MOST_ACTIVE: usize = 10;
const MOST_RECENT: usize = 5;
const MOST_KEPT: usize = 10;
const MOST_BUNDLES: usize = 10;
const PAGE: u32 = 200;

/// What somebody's home tab is made of.
struct Stock {
    waiting: Vec<Request>,
    own: Vec<(Request, Option<Grant>)>,
    kept: Vec<Favourite>,
    bundles: Vec<Bundle>,
    now: Moment,
}

/// Brings somebody's home tab up to date.
pub(super) async fn show(slack: &Arc<Slack>, user: &str) {
    let blocks = match slack.acting_user(user).await {
        Ok(acting) => match stock(slack, &acting).await {
            Ok(stock) => view(&stock),
            Err(failure) => vec![section(&super::commands::failure_text(&failure))],
        },
        Err(Unlinked::Unknown) => vec![
            section(
                "Connect your Slack user to who you are when you sign in: then you can ask and approve here.",
            ),
            actions(&[button(button_id::CONNECT, "Connect…", "me", Style::Primary)]),
        ],
        Err(unlinked) => vec![section(&unlinked_text(&unlinked, "/postern"))],
    };
    let body = json!({"user_id": user, "view": {"type": "home", "blocks": blocks}});
    if let Err(error) = slack.api.call(Method::ViewsPublish, &body).await {
        tracing::warn!(%error, "a home tab could not be shown");
    }
}

/// Pending requests that wait for somebody's review; of those that are decided as one, one.
pub(super) async fn waiting_for(slack: &Slack, acting: &Acting<'_>) -> Result<Vec<Request>, Failure> {
    let mut tx = slack.plane.store.read().await?;
    let filter = Filter { limit: Some(PAGE), ..Filter::default() };
    let page = requests::to_review(&mut *tx, &acting.caller, filter, slack.plane.clock.now()).await?;
    Ok(page.items.into_iter().filter(is_first()).collect())
}

/// Whether nothing of the same bundle came before, one request after the other.
fn is_first() -> impl FnMut(&Request) -> bool {
    let mut seen = BTreeSet::new();
    move |request| match &request.bundle {
        None => true,
        Some(bundled) => seen.insert(bundled.requests.first().cloned()),
    }
}

/// What is decided with a request: itself, or its bundle.
pub(super) fn wish(request: &Request) -> String {
    match &request.bundle {
        None => place(request),
        Some(bundled) => format!("the bundle {} ({} accesses)", code(&bundled.name), bundled.requests.len()),
    }
}

async fn stock(slack: &Slack, acting: &Acting<'_>) -> Result<Stock, Failure> {
    let waiting = waiting_for(slack, acting).await?;
    let mut tx = slack.plane.store.read().await?;
    let identity = Some(acting.link.identity.to_string());
    let filter = Filter { identity, limit: Some(PAGE), ..Filter::default() };
    let mut own = Vec::new();
    for request in store::find_all::<Request>(&mut *tx, &filter).await? {
        let grant = match &request.grant {
            Some(grant) => store::load(&mut *tx, grant.as_str()).await?,
            None => None,
        };
        own.push((request, grant));
    }
    drop(tx);
    let kept = acting.favourites().await?;
    let bundles = dialog::bundles_for(slack, &acting.link).await?;
    Ok(Stock { waiting, own, kept, bundles, now: slack.plane.clock.now() })
}

fn view(stock: &Stock) -> Vec<Value> {
    let ask = button(button_id::REQUEST, "Request access…", "new", Style::Primary);
    let mut blocks = vec![header("Postern"), actions(&[ask]), divider(), header("Waiting for me")];
    blocks.extend(waiting(stock));
    blocks.extend([divider(), header("My access")]);
    blocks.extend(active(stock));
    blocks.extend([divider(), header("My requests")]);
    blocks.extend(recent(stock));
    if !stock.kept.is_empty() {
        blocks.extend([divider(), header("Favourites")]);
        blocks.extend(stock.kept.iter().take(MOST_KEPT).flat_map(favourite));
    }
    if !stock.bundles.is_empty() {
        blocks.extend([divider(), header("Bundles")]);
        blocks.extend(stock.bundles.iter().take(MOST_BUNDLES).map(bundle));
    }
    blocks
}

fn or_none(blocks: Vec<Value>, none: &str) -> Vec<Value> {
    if blocks.is_empty() { vec![context(none)] } else { blocks }
}

fn waiting(stock: &Stock) -> Vec<Value> {
    let one = |request: &Request| {
        let reason = escape(&shortened(&request.reason.replace('\n', " "), 300));
        let more = if request.extends.is_some() { " more" } else { "" };
        let (who, duration) = (code(request.identity.as_str()), request.duration);
        let text = format!("{who} for {duration}{more}: {}\n{reason}", wish(request));
        [section(&text), decide(request)]
    };
    or_none(stock.waiting.iter().take(MOST_WAITING).flat_map(one).collect(), "Nothing waits for you.")
}

fn active(stock: &Stock) -> Vec<Value> {
    let live = |(request, grant): &(Request, Option<Grant>)| {
        let grant = grant.as_ref()?;
        let state = standing(request, Some(grant), stock.now);
        if !matches!(state, Standing::Active | Standing::Scheduled) {
            return None;
        }
        let line = if state == Standing::Active {
            format!("{}: {} left, until {}", place(request), left(grant, stock.now), when(grant.expires_at))
        } else {
            format!("{}: begins {}", place(request), when(grant.not_before))
        };
        let id = request.id.as_str();
        let buttons = [
            button(button_id::HOW, "How to connect…", id, Style::Plain),
            button(button_id::EXTEND, "Extend…", id, Style::Plain),
            button(button_id::REVOKE, "Give back", id, Style::Danger),
        ];
        Some([section(&line), actions(&buttons)])
    };
    or_none(
        stock.own.iter().filter_map(live).take(MOST_ACTIVE).flatten().collect(),
        "You have no access now.",
    )
}

/// The time that is left, to the minute.
fn left(grant: &Grant, now: Moment) -> String {
    let minutes = (grant.expires_at.as_millis() - now.as_millis()).max(0) / 60_000;
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes}m"),
        (hours, 0) => format!("{hours}h"),
        (hours, minutes) => format!("{hours}h{minutes}m"),
    }
}

fn recent(stock: &Stock) -> Vec<Value> {
    let state = |(request, grant): &(Request, Option<Grant>)| standing(request, grant.as_ref(), stock.now);
    let one = |(request, grant): &(Request, Option<Grant>)| {
        let with = |(other, _): &&(Request, Option<Grant>)| {
            other.id == request.id || (other.bundle.is_some() && other.bundle == request.bundle)
        };
        let states = together(stock.own.iter().filter(with).map(state));
        let text = format!("{}: {states} ({})", wish(request), when(request.created_at));
        let id = request.id.as_str();
        let mut buttons = vec![
            button(button_id::AGAIN, "Request again…", id, Style::Plain),
            button(button_id::KEEP, "Keep", id, Style::Plain),
        ];
        if standing(request, grant.as_ref(), stock.now) == Standing::Waiting {
            buttons.push(button(button_id::CANCEL, "Withdraw", id, Style::Danger));
        }
        [section(&text), actions(&buttons)]
    };
    let mut first = is_first();
    let recent = stock.own.iter().filter(|(request, _)| first(request)).take(MOST_RECENT);
    or_none(recent.flat_map(one).collect(), "You have asked for nothing yet.")
}

fn favourite(favourite: &Favourite) -> [Value; 2] {
    let (id, ask) = (favourite.id.as_str(), &favourite.ask);
    let again = button(button_id::FAVOURITE, "Request again…", id, Style::Plain);
    let (name, what) = (code(&favourite.name), super::message::what(&ask.resources));
    let text = format!("{name} for {}\n{what}", ask.duration);
    [section_with(&text, &again), actions(&[button(button_id::FORGET, "Forget", id, Style::Plain)])]
}

fn bundle(bundle: &Bundle) -> Value {
    let ask = button(button_id::BUNDLE, "Request…", &bundle.name, Style::Plain);
    let what = escape(&shortened(&bundle.description.replace('\n', " "), 300));
    section_with(format!("{}\n{what}", code(&bundle.name)).trim_end(), &ask)
}
