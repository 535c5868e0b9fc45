//! Users and groups as a directory provisioned them by SCIM, and which identity a user is.

use postern_protocol::gate::Identity;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{IdentityRecord, Moment, Refusal, canonical, check_name, folded};

/// A user of the directory. What it is allowed hangs on its identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct DirectoryUser {
    /// `u_…`, for ever.
    pub id: String,
    /// `userName` in lower case: no two users share it.
    pub key: String,
    /// Who it is at the gate: no two users share it either.
    pub identity: Identity,
    /// Attributes under their right names, without those that are ours to say.
    pub attributes: Map<String, Value>,
    /// One more with each change.
    pub version: u64,
    /// When it was provisioned.
    pub created_at: Moment,
    /// When it was changed last.
    pub changed_at: Moment,
}

/// A group of the directory; rules know it by its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct DirectoryGroup {
    /// `dg_…`, for ever.
    pub id: String,
    /// `displayName` in lower case: no two groups share it.
    pub key: String,
    /// Attributes under their right names, without members and what is ours to say.
    pub attributes: Map<String, Value>,
    /// One more with each change, of its members too.
    pub version: u64,
    /// When it was made.
    pub created_at: Moment,
    /// When it was changed last.
    pub changed_at: Moment,
}

/// A user is in a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Membership {
    /// Made of the two.
    pub id: String,
    /// Which group.
    pub group: String,
    /// Which user.
    pub user: String,
}

impl DirectoryUser {
    /// Somebody new.
    pub(crate) fn new(id: String, attributes: Map<String, Value>, now: Moment) -> Result<Self, Refusal> {
        let (key, identity) = names(&attributes, now)?;
        Ok(Self { id, key, identity, attributes, version: 1, created_at: now, changed_at: now })
    }

    /// The same with other attributes.
    pub(crate) fn changed(&self, attributes: Map<String, Value>, now: Moment) -> Result<Self, Refusal> {
        let (key, identity) = names(&attributes, now)?;
        let version = self.version.saturating_add(1);
        Ok(Self { key, identity, attributes, version, changed_at: now, ..self.clone() })
    }

    /// Whether the directory lets it in. It does where it says nothing.
    pub(crate) fn is_active(&self) -> bool {
        self.attributes.get("active") != Some(&Value::Bool(false))
    }
}

impl DirectoryGroup {
    /// A new one.
    pub(crate) fn new(id: String, attributes: Map<String, Value>, now: Moment) -> Result<Self, Refusal> {
        let key = group_key(&attributes)?;
        Ok(Self { id, key, attributes, version: 1, created_at: now, changed_at: now })
    }

    /// The same with other attributes, or other members.
    pub(crate) fn changed(&self, attributes: Map<String, Value>, now: Moment) -> Result<Self, Refusal> {
        let (key, version) = (group_key(&attributes)?, self.version.saturating_add(1));
        Ok(Self { key, attributes, version, changed_at: now, ..self.clone() })
    }

    /// What rules call it.
    pub(crate) fn name(&self) -> &str {
        text(&self.attributes, "displayName").unwrap_or_default()
    }
}

impl Membership {
    /// This user in this group.
    pub(crate) fn new(group: &str, user: &str) -> Self {
        Self { id: Self::id_of(group, user), group: group.to_owned(), user: user.to_owned() }
    }

    /// The key of such a record.
    pub(crate) fn id_of(group: &str, user: &str) -> String {
        format!("{group} {user}")
    }
}

fn text<'a>(attributes: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    attributes.get(name).and_then(Value::as_str)
}

/// The key, and the identity: the user name where that is an e-mail address, else the first e-mail address, else the
/// user name.
fn names(attributes: &Map<String, Value>, now: Moment) -> Result<(String, Identity), Refusal> {
    let user_name = text(attributes, "userName").unwrap_or_default();
    check_name("user", user_name)?;
    let name = if user_name.contains('@') { user_name } else { e_mail(attributes).unwrap_or(user_name) };
    let identity = IdentityRecord::new(&canonical(name), now)?.name;
    Ok((folded(user_name), identity))
}

fn e_mail(attributes: &Map<String, Value>) -> Option<&str> {
    let all = attributes.get("emails")?.as_array()?;
    let primary = all.iter().find(|email| email["primary"] == true);
    primary.or_else(|| all.first())?["value"].as_str().filter(|address| address.contains('@'))
}

fn group_key(attributes: &Map<String, Value>) -> Result<String, Refusal> {
    let name = text(attributes, "displayName").unwrap_or_default();
    check_name("group", name)?;
    Ok(folded(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_users_identity_is_the_e_mail_address_that_it_signs_in_with() {
        let home_and_work = json!([{"value": "a@home.org"}, {"value": "A@Example.com", "primary": true}]);
        for (attributes, identity) in [
            (json!({"userName": "Alice@Example.com"}), Some("alice@example.com")),
            (
                json!({"userName": "alice@example.com", "emails": [{"value": "other@example.com"}]}),
                Some("alice@example.com"),
            ),
            (json!({"userName": "alice", "emails": home_and_work}), Some("a@example.com")),
            (json!({"userName": "alice", "emails": [{"value": "a@home.org"}]}), Some("a@home.org")),
            (json!({"userName": "alice", "emails": [{"display": "none"}]}), Some("alice")),
            (json!({"userName": "Alice"}), Some("Alice")),
            (json!({"userName": "client:bot"}), None),
            (json!({"userName": "group:dba"}), None),
            (json!({"userName": "*"}), None),
            (json!({"userName": "bot", "emails": [{"value": "client:a@b"}]}), None),
            (json!({}), None),
        ] {
            let fields = attributes.as_object().unwrap().clone();
            let user = DirectoryUser::new("u_1".to_owned(), fields, Moment::default());
            assert_eq!(user.as_ref().ok().map(|user| user.identity.as_str()), identity, "{attributes}");
        }
    }
}
