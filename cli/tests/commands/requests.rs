//! Asking, waiting, reviewing, listing.

use serde_json::{Value, json};

use crate::{double::Double, postern, stderr, stdout};

fn request(status: &str, grant: Value) -> Value {
    json!({"id": "r_1", "identity": "alice@example.com", "repo": "sales", "account": "app_ro",
           "resources": [{"resource": "public.sales.id", "privileges": ["SELECT"]}],
           "duration": "2h", "reason": "OPS-1", "status": status, "reviews": [], "grant": grant,
           "grant_state": (!grant.is_null()).then_some("ACTIVE"),
           "created_at": "2026-01-31T08:15:00Z"})
}

const CREATE: &str = "request create --repo sales --account app_ro --duration 2h --reason OPS-1";

fn run(double: &Double, line: &str) -> std::process::Output {
    postern(double, &line.split(' ').collect::<Vec<_>>())
}

#[test]
fn a_request_carries_what_the_command_line_says() {
    let double = Double::start().on("POST /v1/requests", 201, request("PENDING", Value::Null));
    let more = "--resource public.sales.id:select --for alice@example.com --at 2026-02-01T00:00:00Z --nowait";
    let output = run(&double, &format!("{CREATE} {more}"));
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), "r_1 PENDING\n"));
    assert_eq!(
        double.asked("POST /v1/requests"),
        [json!({"repo": "sales", "account": "app_ro", "duration": "2h", "reason": "OPS-1",
                "resources": [{"resource": "public.sales.id", "privileges": ["SELECT"]}],
                "for": "alice@example.com", "not_before": "2026-02-01T00:00:00Z"})]
    );
}

#[test]
fn a_bundle_stands_in_for_repo_and_account() {
    let double = Double::start().on("POST /v1/requests", 201, request("PENDING", Value::Null));
    let line = "request create --bundle oncall --duration 2h --reason OPS-1 --nowait";
    assert_eq!(run(&double, line).status.code(), Some(0));
    assert_eq!(
        double.asked("POST /v1/requests"),
        [json!({"bundle": "oncall", "duration": "2h", "reason": "OPS-1"})]
    );
    assert_eq!(run(&double, &format!("{line} --part sales:app_ro --part a:b:c")).status.code(), Some(0));
    let parts = json!([{"repo": "sales", "account": "app_ro"}, {"repo": "a:b", "account": "c"}]);
    assert_eq!(double.asked("POST /v1/requests").last().unwrap()["parts"], parts);
    for wrong in
        [format!("{line} --part sales"), format!("{line} --part :app_ro"), format!("{line} --part sales:")]
    {
        assert_eq!(run(&double, &wrong).status.code(), Some(2), "{wrong}");
    }
    let without = "request create --repo r --account a --part r:a --duration 2h --reason x";
    assert_eq!(run(&double, without).status.code(), Some(2));
    assert_eq!(
        run(&double, "request create --bundle b --repo r --duration 2h --reason x").status.code(),
        Some(2)
    );
    assert_eq!(run(&double, "request create --repo r --duration 2h --reason x").status.code(), Some(2));
}

#[test]
fn emergencies_that_nobody_has_reviewed_are_listed() {
    let page = json!({"items": [request("APPROVED", json!("g_1"))], "next": null});
    let double = Double::start().on("GET /v1/requests?awaits_hindsight=true&limit=200", 200, page);
    let output = run(&double, "request ls --awaits-hindsight");
    assert!(output.status.success() && stdout(&output).contains("r_1"), "{}", stderr(&output));
    assert_eq!(run(&double, "request ls --awaits-hindsight --mine").status.code(), Some(2));
}

#[test]
fn a_request_waits_until_it_is_approved() {
    let double = Double::start()
        .on("POST /v1/requests", 201, request("PENDING", Value::Null))
        .on("GET /v1/requests/r_1", 200, request("PENDING", Value::Null))
        .on("GET /v1/requests/r_1", 200, request("APPROVED", json!("g_1")));
    let output = run(&double, CREATE);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stdout(&output), "r_1 APPROVED (ACTIVE) grant g_1\n");
    assert!(stderr(&output).contains("waiting"));
}

#[test]
fn a_request_that_is_turned_down_is_status_1_and_says_by_whom() {
    let mut denied = request("REJECTED", Value::Null);
    denied["reviews"] = json!([{"by": "bob@example.com", "decision": "deny", "reason": "not today"}]);
    let double = Double::start().on("POST /v1/requests", 201, request("PENDING", Value::Null)).on(
        "GET /v1/requests/r_1",
        200,
        denied,
    );
    let output = run(&double, CREATE);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), "r_1 REJECTED\n"));
    assert!(stderr(&output).contains("REJECTED by bob@example.com: not today"), "{}", stderr(&output));
}

#[test]
fn a_review_is_sent_in_the_name_of_whoever_decides() {
    let double = Double::start().on("POST /v1/requests/r_1/reviews", 200, request("APPROVED", json!("g_1")));
    let output = run(&double, "request review r_1 --approve --by bob@example.com");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let sent = double.asked("POST /v1/requests/r_1/reviews");
    assert_eq!(sent, [json!({"decision": "approve", "reason": "", "by": "bob@example.com"})]);
}

#[test]
fn an_approver_may_give_less_than_was_asked_for() {
    let double = Double::start().on("POST /v1/requests/r_1/reviews", 200, request("APPROVED", json!("g_1")));
    let output = run(&double, "request review r_1 --approve --duration 30m --resource public.sales.id");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let resources = json!([{"resource": "public.sales.id", "privileges": ["SELECT"]}]);
    let sent = double.asked("POST /v1/requests/r_1/reviews");
    assert_eq!(
        sent,
        [json!({"decision": "approve", "reason": "", "duration": "30m", "resources": resources})]
    );
}

#[test]
fn a_listing_has_the_promised_columns() {
    let page = json!({"items": [request("APPROVED", json!("g_1"))], "next": null});
    let double = Double::start().on("GET /v1/requests?limit=200", 200, page);
    let text = stdout(&run(&double, "request ls"));
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split("  ").filter(|cell| !cell.is_empty()).map(str::trim).collect())
        .collect();
    assert_eq!(lines[0], ["ID", "USER", "REPO", "ACCOUNT", "RESOURCES", "CREATED(UTC)", "STATUS"]);
    let cells =
        ["r_1", "alice@example.com", "sales", "app_ro", "public.sales.id:SELECT", "2026-01-31 08:15:00"];
    assert_eq!(lines[1], [&cells[..], &["APPROVED (ACTIVE)"]].concat());
}

#[test]
fn json_is_what_rest_gave_over_all_pages() {
    let (first, second) = (request("PENDING", Value::Null), request("APPROVED", json!("g_1")));
    let double = Double::start()
        .on("GET /v1/requests?status=PENDING&limit=200", 200, json!({"items": [first], "next": "c1"}))
        .on(
            "GET /v1/requests?status=PENDING&limit=200&after=c1",
            200,
            json!({"items": [second], "next": null}),
        );
    let output = run(&double, "request ls --status pending --format json");
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(printed, json!([first, second]));
}
