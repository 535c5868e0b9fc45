//! A dialog in somebody's hands: what it shows, what they fill in, and sending it off.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    blocks::{Faults, Surface},
    elements, render,
    server::Slack,
    views,
    workspace::{APP, TEAM},
};
use crate::wait::until_some;

/// An open dialog.
#[derive(Debug)]
pub struct Modal<'a> {
    slack: &'a Slack,
    user: String,
    id: String,
    /// By block and action.
    filled: BTreeMap<(String, String), Value>,
    /// What stands in the place of the app's own metadata.
    metadata: Option<String>,
}

impl<'a> Modal<'a> {
    pub(super) fn new(slack: &'a Slack, user: &str, id: &str) -> Self {
        Self { slack, user: user.to_owned(), id: id.to_owned(), filled: BTreeMap::new(), metadata: None }
    }

    /// Somebody else gets hold of it.
    #[must_use]
    pub fn in_hands_of(self, user: &str) -> Self {
        Self { user: user.to_owned(), ..self }
    }

    /// It comes back with this in the place of what the app has written into it.
    #[must_use]
    pub fn about(self, metadata: &str) -> Self {
        Self { metadata: Some(metadata.to_owned()), ..self }
    }

    fn view(&self) -> (u64, Value) {
        let state = self.slack.state.lock();
        let view = state.views.iter().find(|view| view.id == self.id).expect("the dialog is open");
        (view.hash, view.shown.clone())
    }

    /// What it shows.
    pub fn text(&self) -> String {
        let (_, view) = self.view();
        render::view(&view)
    }

    fn block(&self, action_id: &str) -> Value {
        let (_, view) = self.view();
        let blocks = view["blocks"].as_array().cloned().unwrap_or_default();
        let found = blocks.into_iter().find(|block| block["element"]["action_id"] == action_id);
        found.unwrap_or_else(|| panic!("no field {action_id} in\n{}", render::view(&view)))
    }

    /// Whether there is a field of this name.
    pub fn has(&self, action_id: &str) -> bool {
        let (_, view) = self.view();
        view["blocks"]
            .as_array()
            .is_some_and(|blocks| blocks.iter().any(|block| block["element"]["action_id"] == action_id))
    }

    /// The values that a menu offers, `typed` being what was typed into it.
    pub async fn offers(&self, action_id: &str, typed: &str) -> Vec<String> {
        let offered = self.options(action_id, typed).await;
        offered.iter().map(|option| option["value"].as_str().unwrap_or_default().to_owned()).collect()
    }

    async fn options(&self, action_id: &str, typed: &str) -> Vec<Value> {
        let block = self.block(action_id);
        let element = &block["element"];
        let mut faults = Faults::default();
        if !element["type"].as_str().unwrap_or_default().contains("external") {
            return elements::choices(&mut faults, "menu", element, 0);
        }
        let (_, view) = self.whole();
        let payload = json!({
            "type": "block_suggestion", "team": {"id": TEAM}, "user": {"id": self.user, "team_id": TEAM},
            "api_app_id": APP, "action_id": action_id, "block_id": block["block_id"], "value": typed,
            "container": {"type": "view", "view_id": self.id}, "view": view,
        });
        let answer = self.slack.interact(payload).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let options = elements::choices(&mut faults, "block_suggestion", &answer.body, 0);
        self.slack.state.lock().violations.extend(faults.into_inner());
        options
    }

    /// The view with its state, as Slack sends it.
    fn whole(&self) -> (u64, Value) {
        let (hash, mut view) = self.view();
        view["id"] = json!(self.id);
        view["hash"] = json!(hash.to_string());
        view["state"] = json!({"values": self.values(&view)});
        if let Some(metadata) = &self.metadata {
            view["private_metadata"] = json!(metadata);
        }
        (hash, view)
    }

    fn values(&self, view: &Value) -> Map<String, Value> {
        let mut values = Map::new();
        let blocks = view["blocks"].as_array().cloned().unwrap_or_default();
        for block in blocks.iter().filter(|block| block["type"] == "input") {
            let (id, element) = (block["block_id"].as_str().unwrap_or_default(), &block["element"]);
            let action = element["action_id"].as_str().unwrap_or_default();
            let filled = self.filled.get(&(id.to_owned(), action.to_owned())).cloned();
            values.insert(id.to_owned(), json!({action: filled.unwrap_or_else(|| initial(element))}));
        }
        values
    }

    async fn fill(&mut self, action_id: &str, value: Value) {
        let block = self.block(action_id);
        let id = block["block_id"].as_str().unwrap_or_default().to_owned();
        self.filled.insert((id, action_id.to_owned()), value.clone());
        if block["dispatch_action"] != true {
            return;
        }
        let (hash, view) = self.whole();
        let mut element = value;
        element["action_id"] = json!(action_id);
        element["block_id"] = block["block_id"].clone();
        let more = json!({"container": {"type": "view", "view_id": self.id}, "view": view});
        let answer = self.slack.act(&self.user, &element, more).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        until_some("the dialog to follow", async || (self.view().0 != hash).then_some(())).await;
    }

    /// Chooses from a menu, typing the value where the menu wants something typed.
    pub async fn choose(&mut self, action_id: &str, value: &str) {
        let option = self.option(action_id, value).await;
        let kind = self.block(action_id)["element"]["type"].clone();
        self.fill(action_id, json!({"type": kind, "selected_option": option})).await;
    }

    /// Chooses several.
    pub async fn choose_all(&mut self, action_id: &str, values: &[&str]) {
        let mut options = Vec::new();
        for value in values {
            options.push(self.option(action_id, value).await);
        }
        let kind = self.block(action_id)["element"]["type"].clone();
        self.fill(action_id, json!({"type": kind, "selected_options": options})).await;
    }

    async fn option(&self, action_id: &str, value: &str) -> Value {
        let options = self.options(action_id, value).await;
        let found = options.iter().find(|option| option["value"] == value);
        found.cloned().unwrap_or_else(|| panic!("{action_id} does not offer {value}: {options:?}"))
    }

    /// Writes into a field.
    pub async fn write(&mut self, action_id: &str, text: &str) {
        self.fill(action_id, json!({"type": "plain_text_input", "value": text})).await;
    }

    /// Sets a time, in seconds since the Unix epoch.
    pub async fn at(&mut self, action_id: &str, seconds: i64) {
        self.fill(action_id, json!({"type": "datetimepicker", "selected_date_time": seconds})).await;
    }

    /// Sends it off. Gives what is wrong, field by field; nothing when it has closed.
    pub async fn submit(&self) -> BTreeMap<String, String> {
        let (_, view) = self.whole();
        if let Some(missing) = missing(&view) {
            return BTreeMap::from([(missing, "missing".to_owned())]);
        }
        let trigger = self.slack.state.lock().trigger(&self.user);
        let payload = json!({
            "type": "view_submission", "team": {"id": TEAM}, "user": {"id": self.user, "team_id": TEAM},
            "api_app_id": APP, "trigger_id": trigger, "view": view, "response_urls": [],
        });
        let answer = self.slack.interact(payload).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        self.follow(&answer.body, &view)
    }

    fn follow(&self, answer: &Value, view: &Value) -> BTreeMap<String, String> {
        let mut state = self.slack.state.lock();
        match answer["response_action"].as_str() {
            None => {
                assert!(answer.is_null() || *answer == json!(""), "{answer}");
                state.views.retain(|view| view.id != self.id);
            }
            Some("clear") => state.views.retain(|view| view.user != self.user),
            Some("update") => {
                let found = views::check(&answer["view"], Surface::Modal);
                state.violations.extend(found);
                let hash = state.next();
                if let Some(shown) = state.views.iter_mut().find(|view| view.id == self.id) {
                    (shown.hash, shown.shown) = (hash, answer["view"].clone());
                }
            }
            Some("errors") => {
                let errors = answer["errors"].as_object().cloned().unwrap_or_default();
                let blocks = view["blocks"].as_array().cloned().unwrap_or_default();
                let is_input =
                    |id: &str| blocks.iter().any(|block| block["type"] == "input" && block["block_id"] == id);
                if let Some(id) = errors.keys().find(|id| !is_input(id)) {
                    state.violations.push(format!("errors: {id} is no input of the dialog"));
                }
                return errors
                    .into_iter()
                    .map(|(id, text)| (id, text.as_str().unwrap_or_default().to_owned()))
                    .collect();
            }
            Some(other) => panic!("response_action {other}"),
        }
        BTreeMap::new()
    }
}

/// What an element holds before anybody touches it.
fn initial(element: &Value) -> Value {
    let kind = element["type"].as_str().unwrap_or_default();
    match kind {
        "plain_text_input" => json!({"type": kind, "value": element["initial_value"]}),
        "datetimepicker" => json!({"type": kind, "selected_date_time": element["initial_date_time"]}),
        multi if multi.starts_with("multi_") => {
            let options = element["initial_options"].as_array().cloned().unwrap_or_default();
            json!({"type": kind, "selected_options": options})
        }
        _ => json!({"type": kind, "selected_option": element["initial_option"]}),
    }
}

/// The first field that must be filled and is not: Slack does not even send such a dialog.
fn missing(view: &Value) -> Option<String> {
    let blocks = view["blocks"].as_array()?;
    let empty = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    };
    let needed = blocks.iter().filter(|block| block["type"] == "input" && block["optional"] != true);
    needed.filter_map(|block| block["block_id"].as_str()).find_map(|id| {
        let held = view["state"]["values"][id].as_object()?.values().next()?.as_object()?.clone();
        held.iter().filter(|(name, _)| *name != "type").all(|(_, value)| empty(value)).then(|| id.to_owned())
    })
}
