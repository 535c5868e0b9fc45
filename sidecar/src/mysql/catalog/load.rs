//! Reads a whole snapshot. Its rows are taken one by one: there may be half a million columns.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use postern_protocol::{gate::TableKind, mysql::Malformed};

use super::{
    fingerprint::{TYPE, extra, table_type},
    snapshot::Listed,
};
use crate::{
    enforce::mysql::{Column, Kind, Parts, Server, Table},
    mysql::{
        back::BackError,
        simple::{Connection, Row},
    },
};

const SCHEMAS: &str = "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA";

const FUNCTIONS: &str =
    "SELECT DISTINCT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_TYPE = 'FUNCTION'";

/// Views that read and write with the rights of whoever uses them.
const INVOKERS: &str =
    "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.VIEWS WHERE SECURITY_TYPE <> 'DEFINER'";

/// Loadable functions.
const LOADABLE: &str = "SELECT name FROM mysql.func";

/// The same where components may bring some.
const LOADED: &str = "SELECT UDF_NAME FROM performance_schema.user_defined_functions";

/// Databases of the server's own, which nobody asks for.
const SYSTEM: [&str; 4] = ["information_schema", "mysql", "performance_schema", "sys"];

/// The columns of a versioned table that names none of its own for them.
const UNLISTED: [&str; 2] = ["row_start", "row_end"];

/// `ER_TABLEACCESS_DENIED_ERROR`
const DENIED: u16 = 1142;

/// A table while its columns come in.
struct Draft {
    table: Table,
    /// What people are told that it is, if they may ask for it.
    told: Option<TableKind>,
    /// Whether it has the columns that are not listed.
    unlisted: bool,
    /// By their position.
    columns: Vec<(u32, Column, Arc<str>)>,
}

/// The tables that were read so far.
#[derive(Default)]
struct Drafts {
    all: Vec<Draft>,
    /// By both names, with a letter between them that no name holds.
    places: HashMap<String, usize>,
    types: HashSet<Arc<str>>,
    /// Where the last column went, for they mostly come table by table.
    last: Option<usize>,
}

/// What a snapshot is made of, and what people are told of it.
pub(super) async fn load(
    connection: &mut Connection,
    server: Server,
) -> Result<(Parts, Vec<Listed>), BackError> {
    let schemas: Vec<Arc<str>> = names(connection, SCHEMAS).await?;
    let mut drafts = tables(connection, server, &schemas).await?;
    invokers(connection, &mut drafts).await?;
    columns(connection, server, &mut drafts).await?;
    let (tables, listed) = drafts.finished();
    let mut functions: Vec<Box<str>> = names(connection, FUNCTIONS).await?;
    functions.extend(loadable(connection, server).await?);
    Ok((Parts { server, schemas, tables, functions }, listed))
}

/// The loadable functions, as far as the account may know of them.
pub(super) async fn loadable(
    connection: &mut Connection,
    server: Server,
) -> Result<Vec<Box<str>>, BackError> {
    let mut all = Vec::new();
    let texts: &[&str] = if server.is_maria() { &[LOADABLE] } else { &[LOADABLE, LOADED] };
    for text in texts {
        match names(connection, text).await {
            Ok(names) => all.extend(names),
            Err(BackError::Refused(refused)) if refused.code == DENIED => {}
            Err(error) => return Err(error),
        }
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

async fn names<T: for<'a> From<&'a str>>(
    connection: &mut Connection,
    text: &str,
) -> Result<Vec<T>, BackError> {
    let mut names = Vec::new();
    connection.ask([text.to_owned()]).await?;
    connection
        .rows(|row| {
            let [name] = row.fields()?;
            names.push(T::from(&name.text()));
            Ok(())
        })
        .await?;
    Ok(names)
}

async fn tables(
    connection: &mut Connection,
    server: Server,
    schemas: &[Arc<str>],
) -> Result<Drafts, BackError> {
    let schemas: HashMap<&str, &Arc<str>> = schemas.iter().map(|schema| (&**schema, schema)).collect();
    let mut drafts = Drafts::default();
    let kind = table_type(server);
    let text = format!("SELECT TABLE_SCHEMA, TABLE_NAME, {kind} FROM information_schema.TABLES");
    connection.ask([text]).await?;
    connection
        .rows(|row| {
            let [schema, name, kind] = row.fields()?;
            let schema = schema.text();
            let schema = schemas.get(&*schema).map_or_else(|| Arc::from(&*schema), |known| Arc::clone(known));
            drafts.begin(schema, &name.text(), &kind.text());
            Ok(())
        })
        .await?;
    Ok(drafts)
}

async fn invokers(connection: &mut Connection, drafts: &mut Drafts) -> Result<(), BackError> {
    connection.ask([INVOKERS.to_owned()]).await?;
    connection
        .rows(|row| {
            let [schema, name] = row.fields()?;
            let place = drafts.places.get(&key(&schema.text(), &name.text())).copied();
            if let Some(draft) = place.and_then(|at| drafts.all.get_mut(at)) {
                draft.table.kind = Kind::Invoker;
            }
            Ok(())
        })
        .await
}

async fn columns(connection: &mut Connection, server: Server, drafts: &mut Drafts) -> Result<(), BackError> {
    let extra = extra(server);
    let text = format!(
        "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, ORDINAL_POSITION, {extra}, {TYPE} \
         FROM information_schema.COLUMNS"
    );
    connection.ask([text]).await?;
    let each = |row: Row<'_>| -> Result<(), Malformed> {
        let [schema, table, name, position, extra, kind] = row.fields()?;
        let (extra, position) = (extra.text(), position.parse()?);
        let column = Column {
            name: (*name.text()).into(),
            invisible: says(&extra, "INVISIBLE"),
            computed: extra.split([' ', ',']).any(|word| word == "GENERATED"),
        };
        if let Some(draft) = drafts.add((&schema.text(), &table.text()), position, column, &kind.text()) {
            draft.unlisted &= !says(&extra, "ROW START");
        }
        Ok(())
    };
    connection.rows(each).await
}

/// Whether `EXTRA` holds this.
fn says(extra: &str, what: &str) -> bool {
    extra
        .split(", ")
        .flat_map(|part| [part, part.rsplit(' ').next().unwrap_or_default()])
        .any(|part| part == what)
}

impl Drafts {
    fn begin(&mut self, schema: Arc<str>, name: &str, table_type: &str) {
        let (kind, told) = match table_type {
            "PARTITIONED" => (Kind::Table, Some(TableKind::PartitionedTable)),
            other => match Kind::named(other) {
                Kind::Table => (Kind::Table, Some(TableKind::Table)),
                kind @ (Kind::View | Kind::Invoker) => (kind, Some(TableKind::View)),
                kind @ (Kind::System | Kind::Other) => (kind, None),
            },
        };
        let told = told.filter(|_| SYSTEM.iter().all(|system| !schema.eq_ignore_ascii_case(system)));
        self.places.insert(key(&schema, name), self.all.len());
        let table = Table { schema, name: name.into(), kind, columns: Box::default() };
        let unlisted = table_type == "SYSTEM VERSIONED";
        self.all.push(Draft { table, told, unlisted, columns: Vec::new() });
    }

    /// A column of a table that is not there was made meanwhile.
    fn add(
        &mut self,
        (schema, name): (&str, &str),
        position: u32,
        column: Column,
        kind: &str,
    ) -> Option<&mut Draft> {
        let is_same = |draft: &Draft| *draft.table.schema == *schema && *draft.table.name == *name;
        let last = self.last.filter(|at| self.all.get(*at).is_some_and(is_same));
        self.last = last.or_else(|| self.places.get(&key(schema, name)).copied());
        let draft = self.last.and_then(|at| self.all.get_mut(at))?;
        let kind = if draft.told.is_some() { kind } else { "" };
        let kind = self.types.get(kind).cloned().unwrap_or_else(|| kind.into());
        self.types.insert(Arc::clone(&kind));
        draft.columns.push((position, column, kind));
        Some(draft)
    }

    /// Every table of which there are columns to see. Of others nothing is known: a view that is broken, or a table
    /// that the account may not read.
    fn finished(self) -> (Vec<Table>, Vec<Listed>) {
        let (mut tables, mut listed) = (Vec::with_capacity(self.all.len()), Vec::new());
        for Draft { mut table, told, unlisted, mut columns } in self.all {
            if columns.is_empty() {
                continue;
            }
            columns.sort_unstable_by_key(|(position, ..)| *position);
            for name in UNLISTED.into_iter().filter(|_| unlisted) {
                columns.push((
                    u32::MAX,
                    Column { name: name.into(), invisible: true, computed: false },
                    "timestamp(6)".into(),
                ));
            }
            let (names, types): (Vec<_>, Vec<_>) =
                columns.into_iter().map(|(_, column, kind)| (column, kind)).unzip();
            table.columns = names.into_boxed_slice();
            if let Some(kind) = told {
                let (schema, name) = (Arc::clone(&table.schema), table.name.clone());
                listed.push(Listed { schema, name, kind, types: types.into_boxed_slice() });
            }
            tables.push(table);
        }
        (tables, listed)
    }
}

fn key(schema: &str, name: &str) -> String {
    format!("{schema}\0{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str) -> Column {
        Column { name: name.into(), invisible: false, computed: false }
    }

    #[test]
    fn columns_find_their_table_and_their_place_in_any_order() {
        let mut drafts = Drafts::default();
        for (schema, name, kind) in [
            ("shop", "sales", "BASE TABLE"),
            ("shop", "parts", "PARTITIONED"),
            ("shop", "broken", "VIEW"),
            ("mysql", "user", "BASE TABLE"),
            ("shop", "counter", "SEQUENCE"),
        ] {
            drafts.begin(schema.into(), name, kind);
        }
        for (table, position, name) in [
            (("shop", "sales"), 2, "price"),
            (("mysql", "user"), 1, "Host"),
            (("shop", "parts"), 1, "id"),
            (("shop", "sales"), 1, "id"),
            (("shop", "counter"), 1, "next_not_cached_value"),
            (("shop", "newer"), 1, "id"),
        ] {
            let _ = drafts.add(table, position, column(name), "int");
        }
        let (tables, listed) = drafts.finished();
        let names: Vec<_> = tables.iter().map(|table| (&*table.name, table.kind)).collect();
        let expected =
            [("sales", Kind::Table), ("parts", Kind::Table), ("user", Kind::Table), ("counter", Kind::Other)];
        assert_eq!(names, expected);
        assert_eq!(*tables[0].columns, [column("id"), column("price")]);
        let listed: Vec<_> = listed.iter().map(|listed| (&*listed.name, listed.kind)).collect();
        assert_eq!(listed, [("sales", TableKind::Table), ("parts", TableKind::PartitionedTable)]);
    }

    #[test]
    fn a_word_tells_what_a_column_is_besides() {
        for (extra, invisible, row_start) in [
            ("", false, false),
            ("INVISIBLE", true, false),
            ("auto_increment INVISIBLE", true, false),
            ("STORED GENERATED, INVISIBLE", true, false),
            ("STORED GENERATED, INVISIBLE, ROW START", true, true),
            (", ROW START", false, true),
            ("DEFAULT_GENERATED on update CURRENT_TIMESTAMP", false, false),
        ] {
            assert_eq!(
                (says(extra, "INVISIBLE"), says(extra, "ROW START")),
                (invisible, row_start),
                "{extra}"
            );
        }
    }
}
