//! How the request dialog looks, for what was filled in so far. Fields follow one from the other: accounts from the
//! repository, everything else from both. Their blocks are named after what they follow from, so that a choice that
//! no longer fits does not stay.

use postern_protocol::gate::Privilege;
use postern_service::random::sha256_hex;
use serde_json::{Value, json};

use super::{
    super::{
        kit::{MOST_OPTIONS, context, hinted, input, modal, option, optional, plain, reporting, section},
        message::what,
        text::{code, elided},
    },
    callback_id,
    form::{self, Form, part_value},
    menus::{Catalog, Offered, durations},
};
use crate::domain::{Bundle, Offer, Part};

/// What a duration is before somebody chooses.
const USUAL: &str = "1h";

const MOST_RESOURCES: usize = 100;

/// A block's name: the field's, and what it follows from.
fn block_id(field: &str, from: &[&str]) -> String {
    let digest = sha256_hex(from.join("\n").as_bytes());
    let short: String = digest.chars().take(12).collect();
    format!("{field}/{short}")
}

/// Chooses what there is no choice about.
pub(super) fn settled(catalog: &Catalog, form: &Form) -> Form {
    let mut form = form.clone();
    let repos = catalog.repos();
    let bundle = catalog.bundle(&form).is_some();
    if !bundle && form.repo.as_deref().is_none_or(|repo| !repos.contains(&repo)) {
        form.repo = if let [only] = repos.as_slice() { Some((*only).to_owned()) } else { None };
    }
    let accounts = form.repo.as_deref().map(|repo| catalog.accounts(repo)).unwrap_or_default();
    if form.account.as_deref().is_none_or(|account| !accounts.contains(&account)) {
        form.account = if let [only] = accounts.as_slice() { Some((*only).to_owned()) } else { None };
    }
    if let Some(offer) = catalog.chosen(&form) {
        let offered = offer.privileges();
        form.privileges.retain(|privilege| offered.contains(privilege));
    }
    if let Some(longest) = catalog.longest(&form) {
        let fits =
            |text: &String| durations(longest, text).iter().any(|option| option["value"] == text.as_str());
        if form.duration.as_ref().is_none_or(|text| !fits(text)) {
            let usual = USUAL.parse().map_or(longest, |usual| longest.min(usual));
            form.duration = Some(usual.to_string());
        }
    }
    form
}

/// The dialog. `outlook` says what will come of it.
pub(super) fn view(catalog: &Catalog, form: &Form, outlook: &str) -> Value {
    let mut blocks = vec![repo(catalog, form)];
    if let Some(offered) = catalog.bundle(form) {
        blocks.extend(bundled(form, &offered));
    } else if let Some(repo) = form.repo.as_deref() {
        blocks.push(account(catalog, form, repo));
    }
    if let Some(offer) = catalog.chosen(form) {
        blocks.extend(rest(form, &offer));
    }
    if !outlook.is_empty() {
        blocks.push(context(outlook));
    }
    modal(callback_id::REQUEST, "Request access", "Request", "", blocks)
}

fn repo(catalog: &Catalog, form: &Form) -> Value {
    let options = catalog.targets();
    let chosen = options.iter().find(|option| option["value"].as_str() == form.repo.as_deref()).cloned();
    let mut element = if options.is_empty() || options.len() > MOST_OPTIONS {
        json!({"type": "external_select", "action_id": form::REPO, "min_query_length": 0})
    } else {
        json!({"type": "static_select", "action_id": form::REPO, "options": options})
    };
    element["placeholder"] = plain("Choose a repository", 150);
    if let Some(chosen) = chosen {
        element["initial_option"] = chosen;
    }
    reporting(input(form::REPO, "Data repository or bundle", &element))
}

/// What is in a bundle, and what is to be said of all of it.
fn bundled(form: &Form, Offered { bundle, offers, is_cut }: &Offered<'_>) -> Vec<Value> {
    let part = |part: &Part| {
        let (account, repo) = (code(part.account.as_str()), code(part.repo.as_str()));
        format!("*{account} of {repo}*\n{}", what(&part.resources))
    };
    let parts: Vec<String> = bundle.parts.iter().map(part).collect();
    let needs_reason = offers.iter().any(Offer::needs_reason);
    let duration = duration(form, &block_id(form::DURATION, &[&bundle.name]));
    let mut blocks = vec![section(&parts.join("\n"))];
    if *is_cut {
        blocks.push(context("There is more in this bundle; no rule lets you ask for it."));
    }
    if bundle.parts.len() > 1 {
        blocks.push(parts_input(form, bundle));
    }
    blocks.extend([duration, start(form), reason(form, needs_reason)]);
    blocks
}

/// Which parts of it are asked for: all, until somebody chooses.
fn parts_input(form: &Form, bundle: &Bundle) -> Value {
    let choice = |part: &Part| {
        let place = format!("{} of {}", part.account, part.repo);
        option(&part_value(part), &place)
    };
    let options: Vec<Value> = bundle.parts.iter().filter_map(choice).collect();
    let chosen =
        |option: &&Value| form.parts.iter().any(|part| option["value"].as_str() == Some(part.as_str()));
    let mut initial: Vec<Value> = options.iter().filter(chosen).cloned().collect();
    if initial.is_empty() {
        initial.clone_from(&options);
    }
    let element = json!({
        "type": "multi_static_select", "action_id": form::PARTS, "options": options, "initial_options": initial,
        "placeholder": plain("Choose what you need", 150),
    });
    reporting(input(&block_id(form::PARTS, &[&bundle.name]), "What you need of it", &element))
}

fn account(catalog: &Catalog, form: &Form, repo: &str) -> Value {
    let accounts = catalog.accounts(repo);
    let options: Vec<Value> =
        accounts.iter().filter_map(|account| option(account, account)).take(MOST_OPTIONS).collect();
    let block = block_id(form::ACCOUNT, &[repo]);
    if options.is_empty() {
        return context(
            "Nothing here can be asked for: no account of this repository is known that a rule names.",
        );
    }
    let mut element = json!({
        "type": "static_select", "action_id": form::ACCOUNT, "options": options,
        "placeholder": plain("Choose an account", 150),
    });
    if let Some(chosen) = form.account.as_deref().and_then(|account| option(account, account)) {
        element["initial_option"] = chosen;
    }
    reporting(input(&block, "Local account", &element))
}

fn rest(form: &Form, offer: &Offer<'_>) -> Vec<Value> {
    let from = [form.repo.as_deref().unwrap_or_default(), form.account.as_deref().unwrap_or_default()];
    let mut blocks = vec![resources(form, offer, &block_id(form::RESOURCES, &from))];
    let privileges = offer.privileges();
    if privileges.len() > 1 {
        blocks.push(privileges_input(form, &privileges, &block_id(form::PRIVILEGES, &from)));
    }
    blocks.push(duration(form, &block_id(form::DURATION, &from)));
    if offer.may_break_glass() {
        blocks.push(urgency(form, &block_id(form::URGENCY, &from)));
    }
    blocks.push(start(form));
    blocks.push(reason(form, offer.needs_reason()));
    blocks
}

fn resources(form: &Form, offer: &Offer<'_>, block: &str) -> Value {
    let chosen: Vec<Value> = form.resources.iter().filter_map(|text| option(text, &label(text))).collect();
    let mut element = json!({
        "type": "multi_external_select", "action_id": form::RESOURCES, "min_query_length": 0,
        "max_selected_items": MOST_RESOURCES, "placeholder": plain("Type to find tables and columns", 150),
    });
    if !chosen.is_empty() {
        element["initial_options"] = json!(chosen);
    }
    let field = reporting(input(block, "Tables and columns", &element));
    if offer.whole() {
        hinted(
            optional(field),
            "A table means its columns. Choose none to ask for all that the account can do.",
        )
    } else {
        hinted(field, "A table means its columns.")
    }
}

fn label(text: &str) -> String {
    text.strip_prefix(form::SET_PREFIX)
        .map_or_else(|| text.to_owned(), |rule| format!("All of {}", elided(rule, 60)))
}

fn privileges_input(form: &Form, offered: &[Privilege], block: &str) -> Value {
    let choice = |privilege: &Privilege| option(privilege.as_str(), privilege.as_str());
    let options: Vec<Value> = offered.iter().filter_map(choice).collect();
    let chosen =
        if form.privileges.is_empty() { offered.get(..1).unwrap_or_default() } else { &form.privileges };
    let initial: Vec<Value> = chosen.iter().filter_map(choice).collect();
    let element = json!({
        "type": "multi_static_select", "action_id": form::PRIVILEGES, "options": options, "initial_options": initial,
        "placeholder": plain("Choose privileges", 150),
    });
    reporting(input(block, "Privileges", &element))
}

fn duration(form: &Form, block: &str) -> Value {
    let mut element = json!({
        "type": "external_select", "action_id": form::DURATION, "min_query_length": 0,
        "placeholder": plain("30m, 2h, 1d", 150),
    });
    if let Some(chosen) = form.duration.as_deref().and_then(|text| option(text, text)) {
        element["initial_option"] = chosen;
    }
    hinted(reporting(input(block, "Duration", &element)), "Choose, or type a number and a unit: 45m, 2h, 1d.")
}

fn urgency(form: &Form, block: &str) -> Value {
    let ordinary = option(form::ORDINARY, "Ask for approval");
    let emergency = option(form::EMERGENCY, "Emergency: at once, everybody is told");
    let chosen = if form.emergency { &emergency } else { &ordinary };
    let element = json!({
        "type": "static_select", "action_id": form::URGENCY, "initial_option": chosen,
        "options": [ordinary, emergency],
    });
    reporting(input(block, "Urgency", &element))
}

fn start(form: &Form) -> Value {
    let mut element = json!({"type": "datetimepicker", "action_id": form::START});
    if let Some(start) = form.start {
        element["initial_date_time"] = json!(start);
    }
    optional(input(form::START, "Start (empty: as soon as it is approved)", &element))
}

fn reason(form: &Form, needed: bool) -> Value {
    let mut element = json!({
        "type": "plain_text_input", "action_id": form::REASON, "multiline": true, "max_length": 1_000,
    });
    if !form.reason.is_empty() {
        element["initial_value"] = json!(super::super::text::shortened(&form.reason, 1_000));
    }
    let field = input(form::REASON, "Reason", &element);
    if needed { field } else { optional(field) }
}
