//! What somebody has filled in when they ask for access, finished or not.

use postern_protocol::{
    duration::Span,
    gate::{Privilege, Resource, ResourceGrant},
};
use postern_service::random::sha256_hex;

use super::{super::callback::View, Wrong, filled};
use crate::domain::{Ask, Bundle, Moment, Part, PartName, Request};

pub(super) const REPO: &str = "repo";
pub(super) const ACCOUNT: &str = "account";
pub(super) const PARTS: &str = "parts";
pub(super) const RESOURCES: &str = "resources";
pub(super) const PRIVILEGES: &str = "privileges";
pub(super) const DURATION: &str = "duration";
pub(super) const START: &str = "start";
pub(super) const REASON: &str = "reason";
pub(super) const URGENCY: &str = "urgency";

/// The choice of [`URGENCY`] that means an emergency.
pub(super) const EMERGENCY: &str = "emergency";
pub(super) const ORDINARY: &str = "ordinary";

/// A choice of [`REPO`] that stands for a bundle.
pub(super) const BUNDLE_PREFIX: &str = "bundle:";

/// A choice of [`RESOURCES`] that stands for all that a rule names.
pub(super) const SET_PREFIX: &str = "rule:";

const MOST_REASON: usize = 4_000;

/// The word for a field in refusals.
pub(super) fn field_word(field: &str) -> &str {
    if field == START { "not_before" } else { field }
}

/// A request in the making.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Form {
    /// A repo, or a bundle by [`BUNDLE_PREFIX`].
    pub repo: Option<String>,
    pub account: Option<String>,
    /// Parts of the bundle, by [`part_value`]; none: all of them.
    pub parts: Vec<String>,
    /// As chosen: resources, and sets of them.
    pub resources: Vec<String>,
    pub privileges: Vec<Privilege>,
    pub duration: Option<String>,
    /// Seconds since the Unix epoch.
    pub start: Option<i64>,
    pub reason: String,
    pub emergency: bool,
}

impl Form {
    /// What stands in a dialog.
    pub(super) fn read(view: &View) -> Self {
        let chosen = |field: &str| Some(filled(view, field)?.selected_option.as_ref()?.value.clone());
        let many = |field: &str| -> Vec<String> {
            let options = filled(view, field).into_iter().flat_map(|filled| &filled.selected_options);
            options.map(|option| option.value.clone()).collect()
        };
        Self {
            repo: chosen(REPO),
            account: chosen(ACCOUNT),
            parts: many(PARTS),
            resources: many(RESOURCES),
            privileges: many(PRIVILEGES).iter().filter_map(|word| privilege(word)).collect(),
            duration: chosen(DURATION),
            start: filled(view, START).and_then(|filled| filled.selected_date_time),
            reason: filled(view, REASON).and_then(|filled| filled.value.clone()).unwrap_or_default(),
            emergency: chosen(URGENCY).as_deref() == Some(EMERGENCY),
        }
    }

    /// What somebody typed behind `request`: a repo, an account, then tables, a duration, and the rest is the reason.
    pub(crate) fn typed(words: &[&str]) -> Self {
        let mut form = Self::default();
        let mut words = words.iter().copied().peekable();
        form.repo = words.next().map(str::to_owned);
        form.account = words.next_if(|word| word.parse::<Span>().is_err()).map(str::to_owned);
        while let Some(word) = words.next_if(|word| entry(word).is_some()) {
            let Some((resource, privileges)) = entry(word) else { break };
            form.resources.push(resource.to_string());
            form.privileges.extend(privileges);
        }
        form.duration = words.next_if(|word| word.parse::<Span>().is_ok()).map(str::to_owned);
        form.reason = words.collect::<Vec<_>>().join(" ");
        form
    }

    /// What a request asked for, to ask for it again; the reason is to be given anew.
    pub(crate) fn again(request: &Request) -> Self {
        let ask = request.ask();
        match &request.bundle {
            None => Self::of(&ask),
            Some(bundled) => {
                Self { duration: Some(ask.duration.to_string()), ..Self::of_bundle(&bundled.name) }
            }
        }
    }

    /// What was asked for before, without the reason.
    pub(crate) fn of(ask: &Ask) -> Self {
        let mut privileges: Vec<Privilege> =
            ask.resources.iter().flat_map(|entry| entry.privileges.iter().copied()).collect();
        privileges.sort();
        privileges.dedup();
        Self {
            repo: Some(ask.repo.to_string()),
            account: Some(ask.account.to_string()),
            resources: ask.resources.iter().map(|entry| entry.resource.to_string()).collect(),
            privileges,
            duration: Some(ask.duration.to_string()),
            ..Self::default()
        }
    }

    /// All that is in a bundle.
    pub(crate) fn of_bundle(name: &str) -> Self {
        Self { repo: Some(format!("{BUNDLE_PREFIX}{name}")), ..Self::default() }
    }

    /// The name of the bundle that was chosen.
    pub(super) fn bundle(&self) -> Option<&str> {
        self.repo.as_deref()?.strip_prefix(BUNDLE_PREFIX)
    }

    /// The parts of this bundle that were chosen.
    pub(super) fn parts_of(&self, bundle: &Bundle) -> Result<Vec<PartName>, Wrong> {
        let name = |value: &String| {
            let part = bundle.parts.iter().find(|part| part_value(part) == *value);
            part.map(Part::name).ok_or_else(|| Wrong::at(PARTS, "The bundle has changed: choose again."))
        };
        self.parts.iter().map(name).collect()
    }

    /// The request, or what is wrong at which field. `sets` are the tables that stand behind a rule's name.
    pub(super) fn ask(&self, sets: &[(&str, Vec<Resource>)]) -> Result<Ask, Wrong> {
        let repo = self.repo.as_deref().ok_or_else(|| missing(REPO, "a repository"))?;
        let account = self.account.as_deref().ok_or_else(|| missing(ACCOUNT, "an account"))?;
        let resources = self.grants(sets)?;
        Ok(Ask { repo: repo.into(), account: account.into(), resources, ..self.terms()? })
    }

    /// For how long, from when on and why, of nothing yet: what is asked for stands elsewhere.
    pub(super) fn terms(&self) -> Result<Ask, Wrong> {
        let duration = self.duration.as_deref().ok_or_else(|| missing(DURATION, "a duration"))?;
        let duration: Span = duration.parse().map_err(|error| Wrong::at(DURATION, format!("{error}")))?;
        check_words(&self.reason)?;
        Ok(Ask {
            repo: "".into(),
            account: "".into(),
            resources: Vec::new(),
            duration,
            reason: self.reason.trim().to_owned(),
            not_before: self.start.map(|seconds| Moment::from_millis(seconds.saturating_mul(1_000))),
            break_glass: self.emergency,
        })
    }

    fn grants(&self, sets: &[(&str, Vec<Resource>)]) -> Result<Vec<ResourceGrant>, Wrong> {
        let mut resources = Vec::new();
        for text in &self.resources {
            if let Some(name) = text.strip_prefix(SET_PREFIX) {
                let set = sets.iter().find(|(rule, _)| *rule == name);
                let gone = || Wrong::at(RESOURCES, format!("{name} is no longer offered: choose again."));
                resources.extend(set.ok_or_else(gone)?.1.iter().cloned());
            } else {
                resources.push(text.parse().map_err(|error| Wrong::at(RESOURCES, format!("{error}")))?);
            }
        }
        Ok(resources.into_iter().map(|resource| self.entry(resource)).collect())
    }

    /// `DELETE` is a privilege of tables: where columns are chosen beside them it concerns the tables.
    fn entry(&self, resource: Resource) -> ResourceGrant {
        let fits = |privilege: &&Privilege| resource.column.is_none() || **privilege != Privilege::Delete;
        ResourceGrant { privileges: self.privileges.iter().filter(fits).copied().collect(), resource }
    }
}

/// The value of the choice that a part is; a repo and an account could be longer than Slack allows.
pub(super) fn part_value(part: &Part) -> String {
    sha256_hex(format!("{}\n{}", part.repo, part.account).as_bytes())
}

fn missing(field: &'static str, what: &str) -> Wrong {
    Wrong::at(field, format!("Choose {what}."))
}

/// Refuses what REST would refuse of somebody's words.
pub(super) fn check_words(text: &str) -> Result<(), Wrong> {
    if text.len() > MOST_REASON {
        return Err(Wrong::at(REASON, format!("Longer than {MOST_REASON} bytes.")));
    }
    if text.chars().any(|letter| letter.is_control() && !['\n', '\t'].contains(&letter)) {
        return Err(Wrong::at(REASON, "There are control characters in it."));
    }
    Ok(())
}

fn privilege(word: &str) -> Option<Privilege> {
    Privilege::ALL.into_iter().find(|privilege| privilege.as_str().eq_ignore_ascii_case(word))
}

/// `schema.table[.column][:PRIVILEGE,…]`
fn entry(word: &str) -> Option<(Resource, Vec<Privilege>)> {
    let (resource, privileges) = word.split_once(':').unwrap_or((word, ""));
    let privileges: Option<Vec<Privilege>> =
        privileges.split(',').filter(|word| !word.is_empty()).map(privilege).collect();
    Some((resource.parse().ok()?, privileges?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Form {
        Form::typed(&text.split_whitespace().collect::<Vec<_>>())
    }

    #[test]
    fn what_was_typed_fills_the_dialog() {
        let form = typed("sales app_ro public.orders:SELECT public.sales.id 2h OPS-1 look at orders");
        assert_eq!((form.repo.as_deref(), form.account.as_deref()), (Some("sales"), Some("app_ro")));
        assert_eq!(form.resources, ["public.orders", "public.sales.id"]);
        assert_eq!(form.privileges, [Privilege::Select]);
        assert_eq!((form.duration.as_deref(), form.reason.as_str()), (Some("2h"), "OPS-1 look at orders"));
        assert_eq!(typed("sales 30m").duration.as_deref(), Some("30m"));
        assert_eq!(typed(""), Form::default());
    }

    #[test]
    fn a_finished_form_is_a_request_and_an_unfinished_one_says_what_is_missing() {
        let mut form = typed("sales app_rw public.orders public.sales.id 2h OPS-1");
        form.privileges = vec![Privilege::Select, Privilege::Delete];
        let ask = form.ask(&[]).unwrap();
        assert_eq!((ask.duration.to_string(), ask.reason.as_str()), ("2h".to_owned(), "OPS-1"));
        assert_eq!(ask.resources[0].privileges, [Privilege::Select, Privilege::Delete]);
        assert_eq!(ask.resources[1].privileges, [Privilege::Select]);
        for (text, field) in [("", REPO), ("sales", ACCOUNT), ("sales app_ro", DURATION)] {
            assert_eq!(typed(text).ask(&[]).unwrap_err().field, field, "{text}");
        }
        let control = Form { reason: "a\u{1b}b".to_owned(), ..form.clone() };
        assert_eq!(control.ask(&[]).unwrap_err().field, REASON);
        let set = Form { resources: vec!["rule:readers".to_owned()], ..form };
        assert_eq!(set.ask(&[]).unwrap_err().field, RESOURCES);
        let tables = vec!["public.a".parse().unwrap(), "public.b".parse().unwrap()];
        assert_eq!(set.ask(&[("readers", tables)]).unwrap().resources.len(), 2);
    }
}
