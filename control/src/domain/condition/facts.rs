//! What a condition can see.

use std::collections::{BTreeSet, HashMap};

use cel::{Context, Value};
use postern_protocol::{duration::Span, gate::Engine};

use super::cost::Sizes;
use crate::domain::{Ask, Moment, Person};

/// A request in the making, as conditions see it.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    ask: Ask,
    person: Person,
    engine: Option<Engine>,
    now: Moment,
}

impl Facts {
    /// What this person asks for now. The engine is known once a sidecar has named the repo.
    pub(crate) fn new(ask: &Ask, person: &Person, engine: Option<Engine>, now: Moment) -> Self {
        Self { ask: ask.clone(), person: person.clone(), engine, now }
    }

    /// Two that differ in what may be absent.
    pub(super) fn samples() -> [Self; 2] {
        let now = Moment::from_millis(1_795_180_400_000);
        let ask = Ask {
            repo: "sales".into(),
            account: "app_ro".into(),
            resources: ["public.orders", "public.sales.id"]
                .iter()
                .filter_map(|name| name.parse().ok())
                .map(|resource| postern_protocol::gate::ResourceGrant {
                    resource,
                    privileges: vec![postern_protocol::gate::Privilege::Select],
                })
                .collect(),
            duration: Span::from_secs(3_600),
            reason: "OPS-1".to_owned(),
            not_before: None,
            break_glass: false,
        };
        let groups = vec!["engineering".to_owned(), "oncall".to_owned()];
        let person = Person { name: "alice@example.com".to_owned(), groups };
        let later = Ask { not_before: Some(now.plus(Span::from_secs(60))), ..ask.clone() };
        let engine = Some(Engine::Postgres);
        [Self::new(&ask, &person, engine, now), Self::new(&later, &person, engine, now)]
    }

    /// Whether it is an emergency.
    pub(crate) fn breaks_glass(&self) -> bool {
        self.ask.break_glass
    }

    /// How much there is to look at.
    pub(super) fn sizes(&self) -> Sizes {
        let longest = self.texts().map(str::len).max().unwrap_or_default();
        let resources = self.ask.resources.iter().map(|entry| entry.resource.to_string().len()).max();
        let items = self.ask.resources.len().max(self.person.groups.len()).max(4);
        let wide = |size: usize| u64::try_from(size).unwrap_or(u64::MAX);
        Sizes { items: wide(items), text: wide(longest.max(resources.unwrap_or_default()).max(16)) }
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        let own = [self.ask.repo.as_str(), self.ask.account.as_str(), &self.ask.reason, &self.person.name];
        own.into_iter().chain(self.person.groups.iter().map(String::as_str))
    }

    /// The variables.
    pub(super) fn context(&self) -> Context<'static, 'static> {
        let mut context = Context::default();
        let engine = self.engine.map_or("", Engine::as_str);
        let identity =
            map([("name", text(&self.person.name)), ("groups", self.person.groups.clone().into())]);
        let repo = map([("name", text(self.ask.repo.as_str())), ("engine", text(engine))]);
        context.add_variable_from_value("request", self.request());
        context.add_variable_from_value("identity", identity);
        context.add_variable_from_value("repo", repo);
        context.add_variable_from_value("now", time(self.now));
        context
    }

    fn request(&self) -> Value {
        let Ask { repo, account, resources, duration, reason, not_before, break_glass } = &self.ask;
        let names: Vec<String> = resources.iter().map(|entry| entry.resource.to_string()).collect();
        let privileges: BTreeSet<&str> = resources
            .iter()
            .flat_map(|entry| &entry.privileges)
            .map(|privilege| privilege.as_str())
            .collect();
        let privileges: Vec<String> = privileges.into_iter().map(str::to_owned).collect();
        let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        map([
            ("repo", text(repo.as_str())),
            ("account", text(account.as_str())),
            ("resources", names.into()),
            ("privileges", privileges.into()),
            ("duration", Value::Duration(chrono::Duration::try_seconds(seconds).unwrap_or_default())),
            ("reason", text(reason)),
            ("whole", Value::Bool(resources.is_empty())),
            ("break_glass", Value::Bool(*break_glass)),
            ("not_before", not_before.map_or(Value::Null, time)),
        ])
    }
}

fn map<const N: usize>(fields: [(&str, Value); N]) -> Value {
    HashMap::from(fields).into()
}

fn text(text: &str) -> Value {
    text.to_owned().into()
}

fn time(moment: Moment) -> Value {
    let at = chrono::DateTime::from_timestamp_millis(moment.as_millis()).unwrap_or_default();
    Value::Timestamp(at.fixed_offset())
}
