//! Changes as directories send them.

use serde_json::{Value, json};

use super::{
    super::schema::{Fields, GROUPS, USERS},
    *,
};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn alice() -> Fields {
    let alice = json!({
        "userName": "alice@example.com", "active": true, "name": {"givenName": "Alice"},
        "emails": [{"value": "alice@example.com", "type": "work", "primary": true}],
    });
    alice.as_object().unwrap().clone()
}

#[track_caller]
fn changed(operations: Value) -> Value {
    Value::Object(patch(&USERS, &alice(), &json!({"schemas": ["x"], "Operations": operations})).unwrap())
}

#[test]
fn a_user_is_shut_out_in_every_way_that_directories_write_it() {
    for operation in [
        json!({"op": "replace", "value": {"active": false}}),
        json!({"op": "Replace", "path": "active", "value": "False"}),
        json!({"op": "REPLACE", "path": "active", "value": false}),
        json!({"op": "Add", "path": "Active", "value": "false"}),
        json!({"op": "replace", "path": "urn:ietf:params:scim:schemas:core:2.0:User:active", "value": false}),
    ] {
        assert_eq!(changed(json!([operation]))["active"], false, "{operation}");
    }
}

#[test]
fn keys_of_a_value_without_path_are_paths() {
    let value = json!({
        "name.familyName": "Smith", "emails[type eq \"work\"].value": "a.smith@example.com", "id": "u_1",
        "emails[type eq \"home\"].value": "a@home.org", "unknown": {"x": 1}, "meta": {"version": "x"},
        (format!("{ENTERPRISE}:department")): "Sales", "displayName": "Alice Smith", "password": "secret",
    });
    let alice = changed(json!([{"op": "Add", "value": value}]));
    assert_eq!(alice["name"], json!({"givenName": "Alice", "familyName": "Smith"}));
    assert_eq!(
        alice["emails"],
        json!([{"value": "a.smith@example.com", "type": "work", "primary": true},
               {"type": "home", "value": "a@home.org"}])
    );
    assert_eq!(alice[ENTERPRISE], json!({"department": "Sales"}));
    assert_eq!(alice["displayName"], "Alice Smith");
    for foreign in ["id", "meta", "unknown", "password"] {
        assert!(alice.get(foreign).is_none(), "{foreign}");
    }
}

#[test]
fn a_manager_is_a_bare_id_at_entra_and_an_object_elsewhere() {
    let path = format!("{ENTERPRISE}:manager");
    let alice = changed(json!([{"op": "Add", "path": path, "value": "u_9"}]));
    assert_eq!(alice[ENTERPRISE]["manager"], json!({"value": "u_9"}));
    let alice = changed(json!([{"op": "add", "value": {ENTERPRISE: {"manager": {"value": "u_9"}}}}]));
    assert_eq!(alice[ENTERPRISE]["manager"], json!({"value": "u_9"}));
    let gone = json!([{"op": "add", "path": path, "value": "u_9"}, {"op": "remove", "path": ENTERPRISE}]);
    assert!(changed(gone).get(ENTERPRISE).is_none());
}

#[test]
fn the_newest_first_choice_is_the_only_one() {
    let more = json!([{"value": "b@example.com", "type": "other", "primary": "True"}]);
    let alice = changed(json!([{"op": "add", "path": "emails", "value": more}]));
    assert_eq!(alice["emails"][0]["primary"], false);
    assert_eq!(alice["emails"][1]["primary"], true);
    let same = json!([{"value": "alice@example.com", "type": "work"}]);
    assert_eq!(
        changed(json!([{"op": "add", "path": "emails", "value": same}]))["emails"].as_array().unwrap().len(),
        1
    );
}

fn members(operations: Value) -> Vec<String> {
    let group =
        json!({"displayName": "dba", "members": [{"value": "u_1"}, {"value": "u_2"}, {"value": "u_3"}]});
    let group = patch(&GROUPS, group.as_object().unwrap(), &json!({"Operations": operations})).unwrap();
    let members = group.get("members").and_then(Value::as_array).cloned().unwrap_or_default();
    members.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn members_come_and_go_in_every_way_that_directories_write_it() {
    let list = json!([{"value": "u_4", "display": "dave"}, {"$ref": null, "value": "u_1"}]);
    for (operation, wanted) in [
        (json!({"op": "Add", "path": "members", "value": list}), vec!["u_1", "u_2", "u_3", "u_4"]),
        (json!({"op": "add", "value": {"members": list}}), vec!["u_1", "u_2", "u_3", "u_4"]),
        (json!({"op": "replace", "path": "members", "value": list}), vec!["u_4", "u_1"]),
        (json!({"op": "replace", "value": {"members": list}}), vec!["u_4", "u_1"]),
        (json!({"op": "remove", "path": "members[value eq \"u_2\"]"}), vec!["u_1", "u_3"]),
        (json!({"op": "Remove", "path": "members", "value": list}), vec!["u_2", "u_3"]),
        (json!({"op": "Remove", "path": "members", "value": []}), vec!["u_1", "u_2", "u_3"]),
        (json!({"op": "remove", "path": "members"}), vec![]),
        (json!({"op": "replace", "path": "members", "value": []}), vec![]),
        (json!({"op": "remove", "path": "members[value eq \"u_9\"]"}), vec!["u_1", "u_2", "u_3"]),
    ] {
        assert_eq!(members(json!([operation])), wanted, "{operation}");
    }
}

#[test]
fn what_cannot_be_done_is_refused_with_the_standards_word() {
    for (operation, word) in [
        (json!({"op": "move", "path": "active"}), "invalidSyntax"),
        (json!({"op": "replace", "path": "nonsense", "value": 1}), "invalidPath"),
        (json!({"op": "replace", "path": "emails[type eq \"work\".value", "value": "x"}), "invalidPath"),
        (json!({"op": "replace", "path": "emails[colour eq \"red\"]", "value": "x"}), "invalidFilter"),
        (json!({"op": "replace", "path": "userName[value eq \"x\"]", "value": "x"}), "invalidPath"),
        (json!({"op": "replace", "path": "emails[type eq \"home\"].value", "value": "x"}), "noTarget"),
        (json!({"op": "remove"}), "noTarget"),
        (json!({"op": "remove", "path": "userName"}), "invalidValue"),
        (json!({"op": "replace", "path": "id", "value": "u_2"}), "mutability"),
        (json!({"op": "add", "path": "groups", "value": [{"value": "g"}]}), "mutability"),
        (json!({"op": "replace", "path": "active", "value": "perhaps"}), "invalidValue"),
        (json!({"op": "replace", "path": "active"}), "invalidValue"),
        (json!({"op": "replace", "value": "x"}), "invalidSyntax"),
    ] {
        let body = json!({"Operations": [operation]});
        assert_eq!(patch(&USERS, &alice(), &body).unwrap_err().word(), Some(word), "{operation}");
    }
    for body in [json!({}), json!({"Operations": []}), json!({"Operations": [1]}), json!([])] {
        assert_eq!(patch(&USERS, &alice(), &body).unwrap_err().word(), Some("invalidSyntax"), "{body}");
    }
}
