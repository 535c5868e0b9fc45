//! Who can sign in.

/// Somebody.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Person {
    /// What the login page calls them; their password where one is asked for.
    pub(super) name: &'static str,
    /// Their address.
    pub(super) email: &'static str,
    /// Their groups.
    pub(super) groups: &'static [&'static str],
}

/// Alice asks, Bob decides.
pub(super) const PEOPLE: [Person; 2] = [
    Person { name: "alice", email: "alice@example.com", groups: &["engineering"] },
    Person { name: "bob", email: "bob@example.com", groups: &["engineering", "dba"] },
];

/// By name or address.
pub(super) fn person(name: &str) -> Option<&'static Person> {
    PEOPLE.iter().find(|person| person.name == name || person.email == name)
}
