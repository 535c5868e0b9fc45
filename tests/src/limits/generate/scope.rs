//! What a query can see at a place in its text.

use super::schema::{Kind, Table};

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
    /// A table under its own name.
    pub(crate) fn of(table: &'static Table) -> Self {
        let field = |column: &super::schema::Column| Field {
            name: column.name.to_owned(),
            kind: column.kind,
            granted: column.granted,
        };
        Self {
            name: table.name.to_owned(),
            schema: Some(table.schema),
            fields: table.columns.iter().map(field).collect(),
            whole: table.whole(),
        }
    }

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

    /// The columns by which another thing can be joined to these. `slips`: whether they may be read or not.
    pub(crate) fn shared(&self, right: &Item, slips: bool) -> Vec<Field> {
        let fits = |field: &&Field| self.meanings(&field.name) == 1 && self.alike(field, slips);
        right.fields.iter().filter(fits).cloned().collect()
    }

    /// Merges the columns that a natural join does; `false` if it cannot be one.
    pub(crate) fn natural(&mut self, right: &Item, slips: bool) -> bool {
        let named = |field: &&Field| self.meanings(&field.name) > 0;
        let common: Vec<Field> = right.fields.iter().filter(named).cloned().collect();
        if !right.whole && !slips && self.items.iter().any(|item| !item.whole) {
            return false;
        }
        if common.iter().any(|field| self.meanings(&field.name) != 1 || !self.alike(field, slips)) {
            return false;
        }
        for field in common {
            self.merge(right, field);
        }
        true
    }

    /// Makes one column of those with this name.
    pub(crate) fn merge(&mut self, right: &Item, field: Field) {
        if let Some(merged) = self.merged.iter_mut().find(|merged| merged.field.name == field.name) {
            merged.of.push(right.name.clone());
            return;
        }
        let owners = self.items.iter().filter(|item| item.field(&field.name).is_some());
        let mut of: Vec<String> = owners.map(|item| item.name.clone()).collect();
        of.push(right.name.clone());
        self.merged.push(Merged { field, of });
    }

    /// Whether the column of this name here may be compared with this one.
    fn alike(&self, field: &Field, slips: bool) -> bool {
        let merged = self.merged.iter().map(|merged| &merged.field).filter(|other| other.name == field.name);
        let mut all = self.items.iter().filter_map(|item| item.field(&field.name)).chain(merged);
        all.all(|other| other.kind == field.kind && (slips || (other.granted && field.granted)))
    }

    /// Everything of another beside its own.
    pub(crate) fn take(&mut self, other: Self) {
        self.items.extend(other.items);
        self.merged.extend(other.merged);
    }
}

/// Every way to write a column of this kind that may be read, the innermost query's first.
pub(crate) fn columns(levels: &[Level], kind: Kind) -> Vec<String> {
    let mut ways = Vec::new();
    for (at, level) in levels.iter().enumerate().rev() {
        let inner = &levels[at + 1..];
        let shadows = |name: &str| inner.iter().any(|level| level.names().any(|inner| inner == name));
        for item in level.items.iter().filter(|item| !shadows(&item.name)) {
            for field in item.fields.iter().filter(|field| field.granted && field.kind == kind) {
                let (table, column) = (&item.name, &field.name);
                ways.push(format!("\"{table}\".\"{column}\""));
                if let Some(schema) = item.schema {
                    ways.push(format!("\"{schema}\".\"{table}\".\"{column}\""));
                }
                let known = inner.iter().any(|level| level.meanings(column) > 0);
                if level.meanings(column) == 1 && !known {
                    ways.extend([format!("\"{column}\""), format!("\"{column}\"")]);
                }
            }
        }
        if at + 1 == levels.len() && !ways.is_empty() {
            // The innermost three times over: most references go there.
            ways = [ways.clone(), ways.clone(), ways].concat();
        }
    }
    ways
}

/// What may not be read of what is in sight: the thing, and its column.
pub(crate) fn hidden(levels: &[Level]) -> Vec<(String, String)> {
    let items = levels.iter().flat_map(|level| &level.items);
    items
        .flat_map(|item| item.fields.iter().map(move |field| (item, field)))
        .filter(|(_, field)| !field.granted)
        .map(|(item, field)| (item.name.clone(), field.name.clone()))
        .collect()
}

/// The columns of a star: those whose names are theirs alone.
pub(crate) fn unique(fields: impl Iterator<Item = Field>) -> Vec<Field> {
    let fields: Vec<Field> = fields.collect();
    let alone = |field: &&Field| fields.iter().filter(|other| other.name == field.name).count() == 1;
    fields.iter().filter(alone).cloned().map(|field| Field { granted: true, ..field }).collect()
}
