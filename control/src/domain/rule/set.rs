//! Which rule decides a request, or what is missing.

use postern_protocol::gate::Privilege;

use super::Rule;
use crate::domain::{Ask, Person, Refusal, ResourcePattern, glob_matches};

/// Why one rule does not cover a request. The later the variant, the nearer the rule came.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    BreakGlass,
    Requester,
    Repo,
    Account,
    Whole,
    Resource(String),
    Privilege(String, Privilege),
    Duration(String),
}

/// The rules in the order in which they decide.
#[derive(Clone, Debug, Default)]
pub(crate) struct RuleSet(Vec<Rule>);

impl RuleSet {
    /// Puts the rules into their order: highest priority first, then by name.
    pub(crate) fn new(mut rules: Vec<Rule>) -> Self {
        rules.sort_by(|a, b| b.priority.cmp(&a.priority).then_with(|| a.name.cmp(&b.name)));
        Self(rules)
    }

    /// The rule that decides, or what is missing for the rule that comes nearest.
    pub(crate) fn decide(&self, person: &Person, ask: &Ask) -> Result<&Rule, Refusal> {
        let mut nearest: Option<(Gap, &Rule)> = None;
        for rule in &self.0 {
            match rule.gap(person, ask) {
                None => return Ok(rule),
                Some(gap) if nearest.as_ref().is_none_or(|(best, _)| gap > *best) => {
                    nearest = Some((gap, rule));
                }
                Some(_) => {}
            }
        }
        Err(Refusal::NoRule(missing(nearest, person, ask)))
    }
}

impl Rule {
    /// Whether the rule covers what this person asks for.
    pub(crate) fn covers(&self, person: &Person, ask: &Ask) -> bool {
        self.gap(person, ask).is_none()
    }

    fn gap(&self, person: &Person, ask: &Ask) -> Option<Gap> {
        let (requesters, longest) = match (&self.break_glass, ask.break_glass) {
            (None | Some(_), false) => (&self.requesters, self.max_duration),
            (Some(emergency), true) => (&emergency.requesters, emergency.max_duration),
            (None, true) => return Some(Gap::BreakGlass),
        };
        if !person.is_listed(requesters) {
            return Some(Gap::Requester);
        }
        let fits = |globs: &[String], name: &str| globs.iter().any(|glob| glob_matches(glob, name));
        if !fits(&self.repos, ask.repo.as_str()) {
            return Some(Gap::Repo);
        }
        if !fits(&self.accounts, ask.account.as_str()) {
            return Some(Gap::Account);
        }
        if ask.resources.is_empty() && !self.whole {
            return Some(Gap::Whole);
        }
        if let Some(gap) = self.resource_gap(ask) {
            return Some(gap);
        }
        (ask.duration > longest).then(|| Gap::Duration(format!("{} is longer than {longest}", ask.duration)))
    }

    fn resource_gap(&self, ask: &Ask) -> Option<Gap> {
        // A pattern that does not parse covers nothing; rules are checked before they are stored.
        let patterns: Option<Vec<ResourcePattern>> = self
            .resources
            .as_ref()
            .map(|texts| texts.iter().filter_map(|text| ResourcePattern::parse(text).ok()).collect());
        for wanted in &ask.resources {
            for privilege in &wanted.privileges {
                let covered = patterns.as_ref().is_none_or(|patterns| {
                    patterns.iter().any(|pattern| pattern.covers(&wanted.resource, *privilege))
                });
                if !covered {
                    return Some(Gap::Resource(wanted.resource.to_string()));
                }
                if !self.privileges.contains(privilege) {
                    return Some(Gap::Privilege(wanted.resource.to_string(), *privilege));
                }
            }
        }
        None
    }
}

fn missing(nearest: Option<(Gap, &Rule)>, person: &Person, ask: &Ask) -> String {
    let who = &person.name;
    let (repo, account) = (&ask.repo, &ask.account);
    let Some((gap, rule)) = nearest else {
        return "no rule lets anybody request anything yet".to_owned();
    };
    let rule = &rule.name;
    match gap {
        Gap::BreakGlass => format!("no rule lets {who} break the glass"),
        Gap::Requester if ask.break_glass => {
            format!("no rule lets {who} or a group of theirs break the glass")
        }
        Gap::Requester => format!("no rule names {who} or a group of theirs among its requesters"),
        Gap::Repo => format!("no rule lets {who} request the repo {repo}"),
        Gap::Account => format!("no rule lets {who} request the account {account} of {repo}"),
        Gap::Whole => format!(
            "no rule lets {who} request {account} of {repo} as a whole: name resources (nearest rule: {rule})"
        ),
        Gap::Resource(resource) => {
            format!("no rule lets {who} request {resource} of {repo} (nearest rule: {rule})")
        }
        Gap::Privilege(resource, privilege) => {
            format!("no rule lets {who} request {privilege} on {resource} of {repo} (nearest rule: {rule})")
        }
        Gap::Duration(why) => format!("the duration is too long for the rule {rule}: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> RuleSet {
        #[derive(serde::Deserialize)]
        struct File {
            rule: Vec<Rule>,
        }
        RuleSet::new(toml::from_str::<File>(text).unwrap().rule)
    }

    fn sales() -> RuleSet {
        rules(
            "[[rule]]\nname='low'\nrequesters=['*']\nrepos=['*']\naccounts=['*']\nwhole=true\nmax_duration='1h'\n\
             [[rule]]\nname='readers'\npriority=10\nrequesters=['group:eng']\nrepos=['sales*']\naccounts=['app_ro']\n\
             resources=['public.sales.*','public.orders']\nprivileges=['SELECT']\nmax_duration='8h'",
        )
    }

    fn ask(json: &str) -> Ask {
        serde_json::from_str(json).unwrap()
    }

    fn engineer() -> Person {
        Person { name: "alice".to_owned(), groups: vec!["eng".to_owned()] }
    }

    #[test]
    fn the_highest_priority_that_covers_decides() {
        let column = ask(
            r#"{"repo":"sales","account":"app_ro","resources":[{"resource":"public.sales.id","privileges":["SELECT"]}],"duration":"2h"}"#,
        );
        assert_eq!(sales().decide(&engineer(), &column).unwrap().name, "readers");
        let whole = ask(r#"{"repo":"sales","account":"app_ro","resources":[],"duration":"1h"}"#);
        assert_eq!(sales().decide(&engineer(), &whole).unwrap().name, "low");
    }

    #[test]
    fn the_glass_is_broken_by_those_and_for_as_long_as_the_rule_says() {
        let set = rules(
            "[[rule]]\nname='a'\npriority=9\nrequesters=['*']\nrepos=['*']\naccounts=['*']\nwhole=true\n\
             [[rule]]\nname='b'\nrequesters=['group:eng']\nrepos=['sales']\naccounts=['*']\nwhole=true\n\
             break_glass={requesters=['group:oncall'],max_duration='1h'}",
        );
        let oncall = Person { name: "olga".to_owned(), groups: vec!["oncall".to_owned()] };
        let broken = |repo: &str, duration: &str| {
            ask(&format!(
                r#"{{"repo":"{repo}","account":"a","resources":[],"duration":"{duration}","break_glass":true}}"#
            ))
        };
        assert_eq!(set.decide(&oncall, &broken("sales", "1h")).unwrap().name, "b");
        for (person, repo, duration, word) in [
            (&engineer(), "sales", "1h", "break the glass"),
            (&oncall, "sales", "2h", "2h is longer than 1h"),
            (&oncall, "hr", "1h", "repo hr"),
        ] {
            let refusal = set.decide(person, &broken(repo, duration)).unwrap_err();
            assert!(refusal.to_string().contains(word), "{refusal}");
        }
    }

    #[test]
    fn a_refusal_names_what_is_missing_for_the_nearest_rule() {
        let set = rules(
            "[[rule]]\nname='readers'\nrequesters=['group:eng']\nrepos=['sales*']\naccounts=['app_ro']\n\
             resources=['public.sales.*']\nprivileges=['SELECT']\nmax_duration='8h'",
        );
        let nobody = Person { name: "eve".to_owned(), groups: vec![] };
        let one = r#"[{"resource":"public.sales.id","privileges":["SELECT"]}]"#;
        for (person, repo, account, resources, duration, word) in [
            (&nobody, "sales", "app_ro", one, "1h", "eve"),
            (&engineer(), "hr", "app_ro", one, "1h", "repo hr"),
            (&engineer(), "sales", "app_rw", one, "1h", "account app_rw"),
            (&engineer(), "sales", "app_ro", "[]", "1h", "as a whole"),
            (
                &engineer(),
                "sales",
                "app_ro",
                r#"[{"resource":"hr.x","privileges":["SELECT"]}]"#,
                "1h",
                "hr.x",
            ),
            (
                &engineer(),
                "sales",
                "app_ro",
                r#"[{"resource":"public.sales","privileges":["UPDATE"]}]"#,
                "1h",
                "UPDATE",
            ),
            (&engineer(), "sales", "app_ro", one, "9h", "9h is longer than 8h"),
        ] {
            let ask = ask(&format!(
                r#"{{"repo":"{repo}","account":"{account}","resources":{resources},"duration":"{duration}"}}"#
            ));
            let refusal = set.decide(person, &ask).unwrap_err();
            assert_eq!(refusal.slug(), "no-rule");
            assert!(refusal.to_string().contains(word), "{refusal}");
        }
    }
}
