//! Scopes compared: what one holds of another.

use postern_protocol::gate::{ResourceGrant, Scope};

use super::Scoped;

/// Whether a scope holds all that `wanted` names.
pub(super) fn holds(scope: &Scope, wanted: &ResourceGrant) -> bool {
    match scope {
        Scope::Whole => true,
        Scope::Limited(held) => held_by(held, wanted),
    }
}

fn held_by(held: &[ResourceGrant], wanted: &ResourceGrant) -> bool {
    wanted.privileges.iter().all(|privilege| {
        held.iter().any(|entry| {
            let (have, want) = (&entry.resource, &wanted.resource);
            let same_table = have.schema == want.schema && have.table == want.table;
            let covers_column = have.column.is_none() || have.column == want.column;
            same_table && covers_column && entry.privileges.contains(privilege)
        })
    })
}

/// What two lists have in common, in the form of [`Scoped`].
pub(super) fn common(one: &[ResourceGrant], other: &[ResourceGrant]) -> Vec<ResourceGrant> {
    let within = |these: &[ResourceGrant], those: &[ResourceGrant]| -> Vec<ResourceGrant> {
        single(these).filter(|entry| held_by(those, entry)).collect()
    };
    let both = [within(one, other), within(other, one)].concat();
    // Both were in that form already, so nothing of it is refused.
    both.scoped().unwrap_or_default()
}

/// One entry per privilege.
fn single(list: &[ResourceGrant]) -> impl Iterator<Item = ResourceGrant> {
    list.iter().flat_map(|entry| {
        let resource = &entry.resource;
        entry
            .privileges
            .iter()
            .map(|privilege| ResourceGrant { resource: resource.clone(), privileges: vec![*privilege] })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<ResourceGrant> {
        serde_json::from_str::<Vec<ResourceGrant>>(text).unwrap().scoped().unwrap()
    }

    #[test]
    fn what_two_lists_have_in_common_is_what_both_hold() {
        let table = r#"[{"resource":"p.t","privileges":["SELECT","UPDATE"]},{"resource":"p.u","privileges":["SELECT"]}]"#;
        let columns = r#"[{"resource":"p.t.c","privileges":["SELECT","INSERT"]},{"resource":"p.v","privileges":["SELECT"]}]"#;
        let both = list(r#"[{"resource":"p.t.c","privileges":["SELECT"]}]"#);
        assert_eq!(common(&list(table), &list(columns)), both);
        assert_eq!(common(&list(columns), &list(table)), both);
        assert_eq!(common(&list(table), &list(table)), list(table));
        assert!(common(&list(columns), &list(r#"[{"resource":"p.w","privileges":["SELECT"]}]"#)).is_empty());
    }
}
