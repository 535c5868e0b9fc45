//! `help`

/// Every command, and what it does.
const COMMANDS: [(&str, &str); 5] = [
    ("connect", "ties your Slack user to the account that you sign in with"),
    ("disconnect", "unties them"),
    ("list repos", "the data repositories that you can ask for"),
    ("list sidecars", "the gates that stand in front of them"),
    ("help", "this"),
];

/// The list, for the name under which the app is installed.
pub(super) fn text(command: &str) -> String {
    let name = super::escape(command);
    let lines = COMMANDS.iter().map(|(words, what)| format!("`{name} {words}` – {what}"));
    lines.collect::<Vec<_>>().join("\n")
}
