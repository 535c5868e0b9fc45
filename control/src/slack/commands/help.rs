//! `help`

/// Every command, and what it does.
const COMMANDS: [(&str, &str); 10] = [
    ("connect", "ties your Slack user to the account that you sign in with"),
    ("disconnect", "unties them"),
    ("list repos [PART OF A NAME]", "the data repositories, with their accounts"),
    ("list sidecars", "the gates that stand in front of them"),
    (
        "request [REPO [ACCOUNT [TABLE…] [DURATION] [REASON]]]",
        "opens the request dialog, filled with what you typed",
    ),
    ("my requests", "your access now, and what you asked for in the last seven days"),
    ("review", "what waits for you"),
    ("revoke ID", "ends a grant, by its id or its request's"),
    ("status ID", "how a request stands"),
    ("help", "this"),
];

/// The list, for the name under which the app is installed.
pub(super) fn text(command: &str) -> String {
    let name = super::escape(command);
    let lines = COMMANDS.iter().map(|(words, what)| format!("`{name} {words}` – {what}"));
    lines.collect::<Vec<_>>().join("\n")
}
