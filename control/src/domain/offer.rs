//! What the rules let somebody ask for, before they have said what.

use postern_protocol::{
    duration::Span,
    gate::{Privilege, Resource},
};

use super::{Person, ResourcePattern, Rule, glob_matches};

/// The rules that name somebody among their requesters, and what those let them ask for.
#[derive(Clone, Debug)]
pub(crate) struct Offer<'a> {
    person: &'a Person,
    rules: Vec<&'a Rule>,
}

impl<'a> Offer<'a> {
    /// What these rules offer this person.
    pub(crate) fn to(person: &'a Person, rules: impl IntoIterator<Item = &'a Rule>) -> Self {
        let rules = rules.into_iter().filter(|rule| person.is_listed(&rule.requesters)).collect();
        Self { person, rules }
    }

    fn narrowed(&self, keeps: impl Fn(&Rule) -> bool) -> Self {
        let rules = self.rules.iter().copied().filter(|rule| keeps(rule)).collect();
        Self { rules, ..*self }
    }

    /// What of it concerns a repo.
    pub(crate) fn at_repo(&self, repo: &str) -> Self {
        self.narrowed(|rule| rule.repos.iter().any(|glob| glob_matches(glob, repo)))
    }

    /// What of it concerns an account.
    pub(crate) fn as_account(&self, account: &str) -> Self {
        self.narrowed(|rule| rule.accounts.iter().any(|glob| glob_matches(glob, account)))
    }

    /// Whether there is nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether a request may name no resources.
    pub(crate) fn whole(&self) -> bool {
        self.rules.iter().any(|rule| rule.whole)
    }

    /// Whether a request must give a reason, whichever of the rules decides it.
    pub(crate) fn needs_reason(&self) -> bool {
        self.rules.iter().all(|rule| rule.reason.as_ref().is_some_and(|reason| reason.required))
    }

    /// Whether an emergency may be called.
    pub(crate) fn may_break_glass(&self) -> bool {
        self.rules.iter().any(|rule| {
            rule.break_glass.as_ref().is_some_and(|glass| self.person.is_listed(&glass.requesters))
        })
    }

    /// The privileges that may be asked for, in their order.
    pub(crate) fn privileges(&self) -> Vec<Privilege> {
        let offered =
            |privilege: &Privilege| self.rules.iter().any(|rule| rule.privileges.contains(privilege));
        Privilege::ALL.into_iter().filter(offered).collect()
    }

    /// The longest that may be asked for.
    pub(crate) fn longest(&self) -> Option<Span> {
        self.rules.iter().map(|rule| rule.max_duration).max()
    }

    /// Whether any privilege on this resource may be asked for.
    pub(crate) fn has(&self, resource: &Resource) -> bool {
        self.rules.iter().any(|rule| {
            let covered = |text: &String| {
                let pattern = ResourcePattern::parse(text);
                pattern
                    .is_ok_and(|pattern| rule.privileges.iter().any(|each| pattern.covers(resource, *each)))
            };
            rule.resources.as_ref().is_none_or(|patterns| patterns.iter().any(covered))
        })
    }

    /// Rules that name their tables one by one: all of them at once, by the rule's name.
    pub(crate) fn sets(&self) -> Vec<(&'a str, Vec<Resource>)> {
        let set = |rule: &'a Rule| {
            let tables =
                rule.resources.as_ref()?.iter().map(|text| table_of(text)).collect::<Option<Vec<_>>>()?;
            (tables.len() > 1).then_some((rule.name.as_str(), tables))
        };
        self.rules.iter().copied().filter_map(set).collect()
    }
}

/// The table or column that a pattern without wildcards names; `schema.table.*` names the table.
fn table_of(pattern: &str) -> Option<Resource> {
    let named: Resource = pattern.parse().ok()?;
    let plain = |part: &str| !part.contains(['*', '?']);
    match named.column.as_deref() {
        Some("*") if plain(&named.schema) && plain(&named.table) => Some(Resource { column: None, ..named }),
        Some(column) if !plain(column) => None,
        Some(_) | None => (plain(&named.schema) && plain(&named.table)).then_some(named),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(more: &str) -> Rule {
        toml::from_str(&format!("name = 'r'\nrequesters = ['group:eng']\n{more}")).unwrap()
    }

    #[test]
    fn only_what_a_rule_lets_somebody_ask_for_is_offered() {
        let rules = [
            rule(
                "repos=['sales']\naccounts=['app_ro']\nresources=['public.orders','hr.*']\nmax_duration='2h'",
            ),
            rule("repos=['sales*']\naccounts=['app_rw']\nwhole=true\nprivileges=['UPDATE','SELECT']"),
            Rule { requesters: vec!["group:ops".to_owned()], ..rule("repos=['*']\naccounts=['*']") },
        ];
        let alice = Person { name: "alice".to_owned(), groups: vec!["eng".to_owned()] };
        let offer = Offer::to(&alice, &rules);
        assert!(offer.at_repo("other").is_empty() && !offer.at_repo("sales_eu").is_empty());
        let reading = offer.at_repo("sales").as_account("app_ro");
        let has = |offer: &Offer<'_>, text: &str| offer.has(&text.parse().unwrap());
        assert!(
            has(&reading, "public.orders.id") && has(&reading, "hr.people") && !has(&reading, "public.sales")
        );
        assert_eq!((reading.whole(), reading.longest().unwrap().to_string()), (false, "2h".to_owned()));
        let writing = offer.at_repo("sales").as_account("app_rw");
        assert!(writing.whole() && has(&writing, "any.thing"));
        assert_eq!(writing.privileges(), [Privilege::Select, Privilege::Update]);
        let bob = Person { name: "bob".to_owned(), groups: vec![] };
        assert!(Offer::to(&bob, &rules).is_empty());
    }

    #[test]
    fn a_rule_that_names_its_tables_offers_them_all_at_once() {
        let named = rule("repos=['*']\naccounts=['*']\nresources=['public.orders','public.sales.*']");
        let open = Rule { resources: Some(vec!["public.*".to_owned()]), ..named.clone() };
        let alice = Person { name: "alice".to_owned(), groups: vec!["eng".to_owned()] };
        let rules = [named, open];
        let offer = Offer::to(&alice, &rules);
        let sets = offer.sets();
        assert_eq!(sets.len(), 1);
        let tables: Vec<String> = sets[0].1.iter().map(ToString::to_string).collect();
        assert_eq!(tables, ["public.orders", "public.sales"]);
    }
}
