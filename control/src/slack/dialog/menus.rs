//! What the menus of the request dialog offer: only what a rule lets this person ask for.

use std::collections::BTreeSet;

use postern_protocol::{
    duration::Span,
    gate::{FoundTable, Resource},
};
use serde_json::{Value, json};

use super::{
    super::{
        callback::BlockSuggestion,
        desk::Slack,
        kit::{MOST_OPTIONS, option},
        links::Unlinked,
        records::Link,
    },
    Wrong,
    form::{self, BUNDLE_PREFIX, Form, SET_PREFIX},
};
use crate::{
    actions::{Failure, resources},
    domain::{Bundle, IdentityRecord, Offer, Part, PartName, Person, Repo, Rule, Sidecar, StoredRule},
    store::{Filter, find_all, load},
};

/// Tables that are looked through for one menu, and at how many at once.
const MOST_TABLES: usize = 5_000;
const PAGE: u32 = 500;

/// Columns are listed where so few tables are left.
const FEW_TABLES: usize = 5;

const PRESETS: [&str; 9] = ["15m", "30m", "1h", "2h", "4h", "8h", "1d", "3d", "1w"];

/// What somebody may ask for, and what there is.
pub(super) struct Catalog {
    person: Person,
    rules: Vec<Rule>,
    repos: Vec<Repo>,
    sidecars: Vec<Sidecar>,
    bundles: Vec<Bundle>,
}

/// What somebody may ask for of a bundle.
pub(super) struct Offered<'c> {
    /// The bundle, with these parts alone.
    pub(super) bundle: Bundle,
    /// What is offered for each of them.
    pub(super) offers: Vec<Offer<'c>>,
    /// Whether there is more in it.
    pub(super) is_cut: bool,
}

impl Offered<'_> {
    /// The parts that are asked for; none: all of the bundle.
    pub(super) fn wanted(&self, form: &Form) -> Result<Vec<PartName>, Wrong> {
        let chosen = form.parts_of(&self.bundle)?;
        let all = chosen.is_empty() && self.is_cut;
        Ok(if all { self.bundle.parts.iter().map(Part::name).collect() } else { chosen })
    }
}

impl Catalog {
    /// Reads it.
    pub(super) async fn read(slack: &Slack, link: &Link) -> Result<Self, Failure> {
        let mut tx = slack.plane.store.read().await?;
        let known: Option<IdentityRecord> = load(&mut *tx, link.identity.as_str()).await?;
        let stored: Vec<StoredRule> = find_all(&mut *tx, &Filter::default()).await?;
        let nobody = || Person { name: link.identity.to_string(), groups: Vec::new() };
        Ok(Self {
            person: known.map_or_else(nobody, |known| known.person()),
            rules: stored.into_iter().map(|stored| stored.rule).collect(),
            repos: find_all(&mut *tx, &Filter::default()).await?,
            sidecars: find_all(&mut *tx, &Filter::default()).await?,
            bundles: find_all(&mut *tx, &Filter::default()).await?,
        })
    }

    /// What the rules offer.
    pub(super) fn offer(&self) -> Offer<'_> {
        Offer::to(&self.person, &self.rules)
    }

    /// The repos that may be asked for, by name.
    pub(super) fn repos(&self) -> Vec<&str> {
        let offer = self.offer();
        let open = self.repos.iter().filter(|repo| repo.ephemeral_access).map(|repo| repo.name.as_str());
        let offered = |repo: &&str| !repo.starts_with(BUNDLE_PREFIX) && !offer.at_repo(repo).is_empty();
        open.filter(offered).collect::<BTreeSet<&str>>().into_iter().collect()
    }

    /// The bundles of which something may be asked for, with what that is.
    pub(super) fn bundles(&self) -> Vec<Bundle> {
        let mut offered: Vec<Bundle> =
            self.bundles.iter().filter_map(|bundle| Some(self.offered(bundle)?.bundle)).collect();
        offered.sort_by(|one, other| one.name.cmp(&other.name));
        offered
    }

    /// What is offered of the bundle that was chosen.
    pub(super) fn bundle(&self, form: &Form) -> Option<Offered<'_>> {
        let name = form.bundle()?;
        self.offered(self.bundles.iter().find(|bundle| bundle.name == name)?)
    }

    fn offered(&self, bundle: &Bundle) -> Option<Offered<'_>> {
        let offered = |part: &Part| {
            let offer = self.offer().at_repo(part.repo.as_str()).as_account(part.account.as_str());
            let whole = part.resources.is_empty() && offer.whole();
            let named =
                !part.resources.is_empty() && part.resources.iter().all(|entry| offer.has(&entry.resource));
            (whole || named).then(|| (part.clone(), offer))
        };
        let (parts, offers): (Vec<Part>, Vec<Offer<'_>>) = bundle.parts.iter().filter_map(offered).unzip();
        let is_cut = parts.len() < bundle.parts.len();
        (!parts.is_empty()).then(|| Offered { bundle: Bundle { parts, ..bundle.clone() }, offers, is_cut })
    }

    /// The longest that what was chosen may be asked for.
    pub(super) fn longest(&self, form: &Form) -> Option<Span> {
        match self.bundle(form) {
            Some(offered) => offered.offers.iter().filter_map(Offer::longest).min(),
            None => self.chosen(form)?.longest(),
        }
    }

    /// The choices of the first menu: repos, then bundles.
    pub(super) fn targets(&self) -> Vec<Value> {
        let repos = self.repos().into_iter().filter_map(|repo| option(repo, repo));
        let bundle = |bundle: &Bundle| {
            option(&format!("{BUNDLE_PREFIX}{}", bundle.name), &format!("Bundle {}", bundle.name))
        };
        repos.chain(self.bundles().iter().filter_map(bundle)).collect()
    }

    /// The accounts of a repo that may be asked for, by name.
    pub(super) fn accounts(&self, repo: &str) -> Vec<&str> {
        let offer = self.offer().at_repo(repo);
        let served = self.sidecars.iter().filter_map(|sidecar| sidecar.serves(repo));
        let accounts =
            served.flat_map(|served| &served.accounts).map(postern_protocol::gate::AccountName::as_str);
        let names: BTreeSet<&str> =
            accounts.filter(|account| !offer.as_account(account).is_empty()).collect();
        names.into_iter().collect()
    }

    /// What is offered at the repo and as the account that were chosen, if both were.
    pub(super) fn chosen(&self, form: &Form) -> Option<Offer<'_>> {
        let offer = self.offer().at_repo(form.repo.as_deref()?).as_account(form.account.as_deref()?);
        (!offer.is_empty()).then_some(offer)
    }
}

/// The bundles that somebody may ask for.
pub(in super::super) async fn bundles_for(slack: &Slack, link: &Link) -> Result<Vec<Bundle>, Failure> {
    let catalog = Catalog::read(slack, link).await?;
    Ok(catalog.bundles())
}

/// What a menu offers for what was typed into it so far.
pub(super) async fn suggest(slack: &Slack, call: &BlockSuggestion) -> Value {
    let Some(view) = &call.view else { return json!({"options": []}) };
    let form = Form::read(view);
    let options = match call.action_id.as_str() {
        form::REPO => of_repos(slack, &call.user.id, &call.value).await,
        form::DURATION => of_durations(slack, &call.user.id, &form, &call.value).await,
        form::RESOURCES => of_resources(slack, &call.user.id, &form, &call.value).await,
        _ => Ok(Vec::new()),
    };
    let options = options.unwrap_or_else(|unlinked| {
        tracing::warn!(%unlinked, "a menu could not be filled");
        Vec::new()
    });
    json!({"options": options})
}

async fn of_repos(slack: &Slack, user: &str, typed: &str) -> Result<Vec<Value>, Unlinked> {
    let catalog = Catalog::read(slack, &slack.linked(user).await?).await?;
    let typed = typed.to_lowercase();
    let fits =
        |option: &Value| option["value"].as_str().is_some_and(|value| value.to_lowercase().contains(&typed));
    Ok(catalog.targets().into_iter().filter(fits).take(MOST_OPTIONS).collect())
}

async fn of_durations(slack: &Slack, user: &str, form: &Form, typed: &str) -> Result<Vec<Value>, Unlinked> {
    let catalog = Catalog::read(slack, &slack.linked(user).await?).await?;
    Ok(durations(catalog.longest(form).unwrap_or(Span::MAX), typed))
}

/// What was typed, if it is a duration; or else what people often want, up to the longest that a rule allows.
pub(super) fn durations(longest: Span, typed: &str) -> Vec<Value> {
    let fits = |span: &Span| span.as_secs() > 0 && *span <= longest;
    if let Some(span) = typed.parse::<Span>().ok().filter(fits) {
        return option(&span.to_string(), &span.to_string()).into_iter().collect();
    }
    let mut spans: Vec<Span> = PRESETS.iter().filter_map(|text| text.parse().ok()).filter(fits).collect();
    if longest < Span::MAX && !spans.contains(&longest) {
        spans.push(longest);
    }
    let texts = spans.iter().map(ToString::to_string).filter(|text| text.starts_with(typed.trim()));
    texts.filter_map(|text| option(&text, &text)).collect()
}

async fn of_resources(slack: &Slack, user: &str, form: &Form, typed: &str) -> Result<Vec<Value>, Unlinked> {
    let catalog = Catalog::read(slack, &slack.linked(user).await?).await?;
    let (Some(offer), Some(repo)) = (catalog.chosen(form), form.repo.as_deref()) else {
        return Ok(Vec::new());
    };
    let needle = typed.trim().to_lowercase();
    let mut options = Vec::new();
    for (rule, tables) in offer.sets() {
        let value = format!("{SET_PREFIX}{rule}");
        if value.to_lowercase().contains(&needle) {
            options.extend(option(&value, &format!("All {} of {rule}", tables.len())));
        }
    }
    let tables = fitting_tables(slack, repo, typed.trim()).await?;
    for resource in named(&tables, &needle).filter(|resource| offer.has(resource)) {
        let text = resource.to_string();
        options.extend(option(&text, &text));
        if options.len() >= MOST_OPTIONS {
            break;
        }
    }
    options.truncate(MOST_OPTIONS);
    Ok(options)
}

/// Tables whose name holds what was typed, or one of whose columns' names does.
async fn fitting_tables(slack: &Slack, repo: &str, typed: &str) -> Result<Vec<FoundTable>, Failure> {
    if typed.contains('.') {
        let page = resources::find(&slack.plane, repo, typed, None, PAGE).await?;
        if !page.items.is_empty() {
            return Ok(page.items);
        }
    }
    let needle = typed.to_lowercase();
    let (mut found, mut after, mut seen) = (Vec::new(), None, 0);
    loop {
        let page = resources::find(&slack.plane, repo, "", after, PAGE).await?;
        seen += page.items.len();
        found.extend(page.items.into_iter().filter(|table| holds(table, &needle)));
        after = page.next;
        if after.is_none() || seen >= MOST_TABLES || found.len() > MOST_OPTIONS {
            return Ok(found);
        }
    }
}

fn holds(table: &FoundTable, needle: &str) -> bool {
    let full = |resource: Resource| resource.to_string().to_lowercase();
    full(table.resource()).contains(needle)
        || table.columns.iter().any(|column| full(column_of(table, &column.name)).contains(needle))
}

fn column_of(table: &FoundTable, column: &str) -> Resource {
    Resource { column: Some(column.into()), ..table.resource() }
}

/// Each table, and its columns where they are what was typed or where few tables are left.
fn named<'a>(tables: &'a [FoundTable], needle: &'a str) -> impl Iterator<Item = Resource> + 'a {
    let few = tables.len() <= FEW_TABLES;
    tables.iter().flat_map(move |table| {
        let whole = table.resource();
        let by_table = few && whole.to_string().to_lowercase().contains(needle);
        let columns = table.columns.iter().map(|column| column_of(table, &column.name));
        let fits = move |column: &Resource| {
            by_table || (!needle.is_empty() && column.to_string().to_lowercase().contains(needle))
        };
        std::iter::once(whole).chain(columns.filter(fits))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(options: &[Value]) -> Vec<&str> {
        options.iter().filter_map(|option| option["value"].as_str()).collect()
    }

    #[test]
    fn durations_go_as_far_as_the_rule_does() {
        let longest: Span = "6h".parse().unwrap();
        assert_eq!(values(&durations(longest, "")), ["15m", "30m", "1h", "2h", "4h", "6h"]);
        assert_eq!(values(&durations(longest, "45m")), ["45m"]);
        assert_eq!(values(&durations(longest, "90m")), ["1h30m"]);
        assert_eq!(values(&durations(longest, "7h")), Vec::<&str>::new());
        assert_eq!(values(&durations(longest, "1")), ["15m", "1h"]);
    }

    #[test]
    fn a_table_brings_its_columns_where_few_are_left() {
        let table = |name: &str| -> FoundTable {
            let columns = json!([{"name": "id", "type": "int"}, {"name": "email", "type": "text"}]);
            serde_json::from_value(
                json!({"schema": "public", "table": name, "kind": "table", "columns": columns}),
            )
            .unwrap()
        };
        let texts = |tables: &[FoundTable], needle: &str| -> Vec<String> {
            named(tables, needle).map(|resource| resource.to_string()).collect()
        };
        let one = [table("people")];
        assert_eq!(texts(&one, ""), ["public.people", "public.people.id", "public.people.email"]);
        assert_eq!(texts(&one, "email"), ["public.people", "public.people.email"]);
        let many: Vec<FoundTable> = (0..9).map(|number| table(&format!("t{number}"))).collect();
        assert_eq!(texts(&many, "").len(), 9);
        assert!(holds(&one[0], "mail") && holds(&one[0], "people") && !holds(&one[0], "orders"));
    }
}
