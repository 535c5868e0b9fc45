//! How a request is shown.

use serde_json::Value;

use crate::print::{Column, text, time, visible};

/// The columns of `request ls`.
pub(super) const COLUMNS: [Column; 7] = [
    Column::new("ID", |request| text(&request["id"])),
    Column::new("USER", |request| text(&request["identity"])),
    Column::new("REPO", |request| text(&request["repo"])),
    Column::new("ACCOUNT", |request| text(&request["account"])),
    Column::new("RESOURCES", resources),
    Column::new("CREATED(UTC)", |request| time(&request["created_at"])),
    Column::new("STATUS", status),
];

fn resources(request: &Value) -> String {
    let named = text(&request["resources"]);
    if named.is_empty() { "(whole)".to_owned() } else { named }
}

/// The request's state, with its grant's beside.
pub(super) fn status(request: &Value) -> String {
    let own = text(&request["status"]);
    match request["grant_state"].as_str() {
        Some(state) => format!("{own} ({state})"),
        None => own,
    }
}

/// One line for who filed or decided it: id, state, and the grant once there is one.
pub(crate) fn summary(request: &Value) -> String {
    let grant = request["grant"].as_str().map(|id| format!(" grant {id}")).unwrap_or_default();
    format!("{}\n", visible(&format!("{} {}{grant}", text(&request["id"]), status(request))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_grants_state_stands_beside_the_requests() {
        let granted = json!({"id": "r_1", "status": "APPROVED", "grant": "g_1", "grant_state": "ACTIVE"});
        assert_eq!(status(&granted), "APPROVED (ACTIVE)");
        assert_eq!(summary(&granted), "r_1 APPROVED (ACTIVE) grant g_1\n");
        assert_eq!(status(&json!({"status": "PENDING", "grant": null})), "PENDING");
    }

    #[test]
    fn a_request_without_resources_is_for_the_whole_account() {
        assert_eq!(resources(&json!({"resources": []})), "(whole)");
    }
}
