//! What a search path means.
//!
//! The setting is a list of names; what counts is which schemas it leads to, in which order. That can change without
//! the setting when somebody makes a schema that it names.

use std::sync::Arc;

use super::{
    Ground,
    catalog::{Catalog, PG_CATALOG},
};

/// The names in the text of a search path.
pub(super) fn names(setting: &str) -> Vec<String> {
    let (mut names, mut name, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = setting.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                name.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => names.push(std::mem::take(&mut name)),
            ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' if !quoted => {}
            letter if quoted => name.push(letter),
            letter => name.push(letter.to_ascii_lowercase()),
        }
    }
    names.push(name);
    names
}

impl Ground {
    /// Whether a search path leads to the same schemas as the one that statements are judged by.
    pub(crate) fn keeps_path(&self, setting: &str) -> bool {
        let names = names(setting);
        self.same_path(&names.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The schemas that a search path leads to on another catalog: those that it led to before, without those that are
    /// gone, and with those that are new. One that was there before and not on the path is one that the role may not
    /// use.
    pub(crate) fn path_on(&self, catalog: &Catalog, setting: &str) -> Arc<[Arc<str>]> {
        let mut path: Vec<Arc<str>> = Vec::new();
        for name in names(setting) {
            let name = if name == "$user" { Arc::clone(&self.user) } else { name.into() };
            let usable = self.path.contains(&name) || !self.catalog.has_schema(&name);
            if usable && catalog.has_schema(&name) && !path.contains(&name) {
                path.push(name);
            }
        }
        if !path.iter().any(|schema| **schema == *PG_CATALOG) {
            path.insert(0, PG_CATALOG.into());
        }
        path.into()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::catalog::Parts, *};

    fn catalog(schemas: &[&str]) -> Arc<Catalog> {
        let schemas = schemas.iter().map(|name| Arc::from(*name)).collect();
        Arc::new(Catalog::new(1, Parts { schemas, ..Parts::default() }))
    }

    fn ground() -> Ground {
        Ground {
            catalog: catalog(&["pg_catalog", "public", "closed", "Odd, \"name\""]),
            limits: Arc::default(),
            path: ["pg_catalog".into(), "public".into()].into(),
            user: "app".into(),
            start: Arc::default(),
        }
    }

    #[test]
    fn names_are_read_as_the_database_writes_them() {
        assert_eq!(names("\"$user\", public"), ["$user", "public"]);
        assert_eq!(names("PUBLIC,\"Odd, \"\"name\"\"\""), ["public", "Odd, \"name\""]);
        assert_eq!(names(""), [""]);
    }

    #[test]
    fn another_text_may_mean_the_same() {
        let ground = ground();
        for same in ["public", "\"$user\", public", "public, nowhere", "pg_catalog, public"] {
            assert!(ground.keeps_path(same), "{same}");
        }
        for other in ["", "closed, public", "public, pg_catalog", "\"Odd, \"\"name\"\"\", public"] {
            assert!(!ground.keeps_path(other), "{other}");
        }
    }

    #[test]
    fn a_schema_that_is_made_later_is_found_where_the_path_names_it() {
        let setting = "\"$user\", closed, public";
        let path = |schemas: &[&str]| {
            ground().path_on(&catalog(schemas), setting).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(path(&["pg_catalog", "public", "closed"]), ["pg_catalog", "public"]);
        assert_eq!(path(&["pg_catalog", "public", "app", "closed"]), ["pg_catalog", "app", "public"]);
        assert_eq!(path(&["pg_catalog"]), ["pg_catalog"]);
    }
}
