//! What of a resource is shown: `attributes` and `excludedAttributes` (RFC 7644, section 3.9).

use serde_json::Value;

use super::{
    attribute::Returned,
    path::{Place, Scope, Target},
    schema::{COMMON, Fields, ResourceType, Schema},
};

/// What is shown.
#[derive(Debug)]
pub(super) enum Projection {
    /// Everything.
    All,
    /// These, and what is always shown.
    Only(Vec<Place>),
    /// All but these.
    Without(Vec<Place>),
}

impl Projection {
    /// From the two parameters. Names that no schema knows name nothing.
    pub(super) fn new(of: &'static ResourceType, only: Option<&str>, without: Option<&str>) -> Self {
        let places = |list: &str| {
            list.split(',').filter_map(|name| Scope::Resource(of).resolve(name.trim())).collect::<Vec<_>>()
        };
        match (only.filter(|list| !list.trim().is_empty()), without) {
            (Some(only), _) => Self::Only(places(only)),
            (None, Some(without)) => Self::Without(places(without)),
            (None, None) => Self::All,
        }
    }

    /// Whether something of an attribute is shown.
    pub(super) fn shows(&self, name: &str) -> bool {
        let is_it =
            |place: &Place| matches!(place, Place::Attribute(target) if target.attribute.name == name);
        match self {
            Self::All => true,
            Self::Only(places) => places.iter().any(is_it),
            Self::Without(places) => !places
                .iter()
                .any(|place| is_it(place) && matches!(place, Place::Attribute(Target { part: None, .. }))),
        }
    }

    /// The resource as it is shown.
    pub(super) fn of(&self, mut fields: Fields) -> Value {
        match self {
            Self::All => {}
            Self::Without(places) => {
                for place in places {
                    take_out(&mut fields, place);
                }
            }
            Self::Only(places) => {
                let mut shown = Fields::new();
                for always in COMMON.iter().filter(|attribute| attribute.returned == Returned::Always) {
                    shown
                        .extend(fields.get(always.name).map(|value| (always.name.to_owned(), value.clone())));
                }
                for place in places {
                    take_over(&fields, &mut shown, place);
                }
                fields = shown;
            }
        }
        Value::Object(fields)
    }
}

fn take_out(fields: &mut Fields, place: &Place) {
    let target = match place {
        Place::Extension(Schema { id, .. }) => {
            fields.remove(*id);
            return;
        }
        Place::Attribute(target) if target.attribute.returned == Returned::Always => return,
        Place::Attribute(target) => target,
    };
    let fields = match target.extension {
        Some(extension) => fields.get_mut(extension.id).and_then(Value::as_object_mut),
        None => Some(fields),
    };
    let Some(fields) = fields else { return };
    let Some(part) = target.part else {
        fields.remove(target.attribute.name);
        return;
    };
    for value in several(fields.get_mut(target.attribute.name)).iter_mut().filter_map(Value::as_object_mut) {
        value.remove(part.name);
    }
}

fn several(value: Option<&mut Value>) -> &mut [Value] {
    match value {
        Some(Value::Array(several)) => several,
        Some(one) => std::slice::from_mut(one),
        None => &mut [],
    }
}

fn take_over(from: &Fields, to: &mut Fields, place: &Place) {
    let target = match place {
        Place::Extension(Schema { id, .. }) => {
            to.extend(from.get(*id).map(|value| ((*id).to_owned(), value.clone())));
            return;
        }
        Place::Attribute(target) => target,
    };
    let (from, to) = match target.extension {
        None => (Some(from), Some(to)),
        Some(extension) => {
            let from = from.get(extension.id).and_then(Value::as_object);
            let inner =
                from.is_some().then(|| to.entry(extension.id).or_insert_with(|| Fields::new().into()));
            (from, inner.and_then(Value::as_object_mut))
        }
    };
    let name = target.attribute.name;
    let (Some(Some(value)), Some(to)) = (from.map(|from| from.get(name)), to) else { return };
    let Some(part) = target.part else {
        to.insert(name.to_owned(), value.clone());
        return;
    };
    let only = |value: &Value| {
        let found = value.get(part.name).map(|value| (part.name.to_owned(), value.clone()));
        Value::Object(found.into_iter().collect())
    };
    match (to.get_mut(name), value) {
        (None, Value::Array(values)) => {
            to.insert(name.to_owned(), values.iter().map(only).collect());
        }
        (None, one) => {
            to.insert(name.to_owned(), only(one));
        }
        // A second part of the same attribute joins the first.
        (Some(there), values) => {
            let values: Vec<Value> = values.as_array().map_or_else(|| vec![values.clone()], Clone::clone);
            for (there, value) in several(Some(there)).iter_mut().zip(&values) {
                if let (Some(there), Value::Object(more)) = (there.as_object_mut(), only(value)) {
                    there.extend(more);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::schema::USERS, *};

    #[test]
    fn what_is_asked_for_is_shown_and_what_is_always_shown_too() {
        let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        let alice = json!({
            "id": "u_1", "schemas": ["s"], "userName": "alice", "title": "DBA", "name": {"givenName": "A", "familyName": "B"},
            "emails": [{"value": "a@x", "type": "work", "primary": true}], enterprise: {"department": "d", "division": "e"},
        });
        let shown = |only: Option<&str>, without: Option<&str>| {
            Projection::new(&USERS, only, without).of(alice.as_object().unwrap().clone())
        };
        let common = |more: Value| {
            let mut wanted = json!({"id": "u_1", "schemas": ["s"]});
            wanted.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            wanted
        };
        assert_eq!(shown(None, None), alice);
        assert_eq!(shown(Some("USERNAME, nonsense"), None), common(json!({"userName": "alice"})));
        assert_eq!(
            shown(Some("emails.value,emails.type,name.givenName"), Some("id")),
            common(json!({"emails": [{"value": "a@x", "type": "work"}], "name": {"givenName": "A"}}))
        );
        let one = format!("{enterprise}:department");
        assert_eq!(shown(Some(&one), None), common(json!({enterprise: {"department": "d"}})));
        let less = format!("id,emails,name.familyName,title,{enterprise}");
        let wanted = json!({"id": "u_1", "schemas": ["s"], "userName": "alice", "name": {"givenName": "A"}});
        assert_eq!(shown(None, Some(&less)), wanted);
    }
}
