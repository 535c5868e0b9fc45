//! What a query can see at a place in its text.

use super::schema::Kind;

/// A column of something in `FROM`.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) granted: bool,
}

/// Something in `FROM` or `WITH`.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// How it is called.
    pub(crate) name: String,
    /// The schema by which it can be called as well: it is a table, and has no alias.
    pub(crate) schema: Option<&'static str>,
    pub(crate) fields: Vec<Field>,
    /// Whether all that it has may be read, columns that are not among the fields included.
    pub(crate) whole: bool,
}

/// A common table expression.
#[derive(Clone, Debug)]
pub(crate) struct Shelved {
    pub(crate) item: Item,
    /// `"name" as (…)`
    pub(crate) text: String,
    /// Whether anything reads it. The server looks at what nobody reads as little as at a comment.
    pub(crate) read: bool,
}

/// Columns that a `USING` made one.
#[derive(Clone, Debug)]
pub(crate) struct Merged {
    pub(crate) field: Field,
    /// The items that they come from.
    pub(crate) of: Vec<String>,
}

/// What one query can see.
#[derive(Clone, Debug, Default)]
pub(crate) struct Level {
    pub(crate) items: Vec<Item>,
    pub(crate) merged: Vec<Merged>,
}

impl Item {
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl Level {
    /// How many things a bare column name means here.
    pub(crate) fn meanings(&self, name: &str) -> usize {
        let merged = self.merged.iter().filter(|merged| merged.field.name == name);
        let absorbed: Vec<&String> = merged.clone().flat_map(|merged| &merged.of).collect();
        let plain = self.items.iter().filter(|item| !absorbed.contains(&&item.name));
        merged.count() + plain.filter(|item| item.field(name).is_some()).count()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.items.iter().map(|item| &*item.name)
    }

    /// Everything of another beside its own.
    pub(crate) fn take(&mut self, other: Self) {
        self.items.extend(other.items);
        self.merged.extend(other.merged);
    }
}
