//! Reads a whole snapshot, inside a transaction that sees one moment.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{
    super::{back::BackError, simple::Connection},
    foreign::{self, OwnTypes},
    spelling::Spelling,
    types::{self, Described, Range},
};
use crate::enforce::postgres::catalog::{Column, Named, Parts, Relation, Type};

const SERVER_VERSION: &str = "SELECT current_setting('server_version_num')";

const LOADED: &str = "SELECT pg_catalog.pg_conf_load_time()";

const SCHEMAS: &str =
    "SELECT oid, nspname FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_'";

const SERVER_FUNCTIONS: &str = "SELECT DISTINCT proname FROM pg_catalog.pg_proc \
     WHERE pronamespace = 'pg_catalog'::regnamespace";

const FUNCTION_NAMES: &str = "SELECT DISTINCT proname FROM pg_catalog.pg_proc \
     WHERE pronamespace <> 'pg_catalog'::regnamespace";

const RELATIONS: &str = "SELECT oid, relnamespace, relkind, relname FROM pg_catalog.pg_class \
     WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c') AND relpersistence <> 't'";

const COLUMNS: &str = "SELECT attrelid, attnum, atttypid, atttypmod, attname FROM pg_catalog.pg_attribute \
     WHERE attnum > 0 AND NOT attisdropped";

/// An extension counts where the type is made by a function in C; a domain's constraints where they are expressions.
fn all_types() -> String {
    format!(
        "SELECT t.oid, t.typnamespace, t.typname, t.typtype, t.typelem, t.typarray, t.typbasetype, \
         CASE WHEN t.typinput IN {} THEN x.extname END, \
         EXISTS (SELECT FROM pg_catalog.pg_constraint c WHERE c.contypid = t.oid AND c.contype <> 'n') \
         FROM pg_catalog.pg_type t LEFT JOIN (SELECT d.objid, e.extname FROM pg_catalog.pg_depend d \
         JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid WHERE d.classid = 'pg_catalog.pg_type'::regclass \
         AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e') x ON x.objid = t.oid \
         WHERE t.typrelid = 0",
        foreign::IN_C
    )
}

/// Multiranges are there since PostgreSQL 14, so their column is asked for in a way that older ones understand.
const RANGES: &str = "SELECT rngtypid, coalesce(to_jsonb(r) ->> 'rngmultitypid', '0'), rngsubtype, rngsubopc, \
     rngcanonical::oid, rngsubdiff::oid FROM pg_catalog.pg_range r";

/// Sequences, and the tables of the columns that they belong to.
const SEQUENCES: &str = "SELECT d.objid, d.refobjid FROM pg_catalog.pg_depend d \
     JOIN pg_catalog.pg_class c ON c.oid = d.objid WHERE c.relkind = 'S' \
     AND d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass \
     AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')";

/// Views that read with the rights of whoever reads them.
const INVOKERS: &str = "FROM pg_catalog.pg_class v WHERE v.relkind = 'v' AND v.relpersistence <> 't' \
     AND EXISTS (SELECT FROM unnest(v.reloptions) o \
     WHERE o ~ '^security_invoker=' AND o !~* '=(f|fa|fal|fals|false|n|no|of|off|0)$')";

/// The query of one, with each name in full, for the search path is pinned; nothing where it is very long.
const QUERY: &str = "(SELECT q FROM pg_catalog.pg_get_viewdef(v.oid) q WHERE octet_length(q) < 32768)";

/// Relations whose rules use a view of [`INVOKERS`], by way of other views perhaps, and that view. A materialised view
/// reads nothing when it is read.
fn users_of_invokers() -> String {
    format!(
        "WITH RECURSIVE invokers AS (SELECT v.oid {INVOKERS}), \
         uses AS (SELECT DISTINCT c.oid AS one, d.refobjid AS other FROM pg_catalog.pg_rewrite w \
         JOIN pg_catalog.pg_class c ON c.oid = w.ev_class JOIN pg_catalog.pg_depend d ON d.objid = w.oid \
         WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass \
         AND d.refobjid <> c.oid AND c.relkind <> 'm' AND c.relpersistence <> 't' \
         AND c.oid NOT IN (SELECT oid FROM invokers)), \
         found AS (SELECT one, other FROM uses WHERE other IN (SELECT oid FROM invokers) \
         UNION SELECT u.one, f.other FROM found f JOIN uses u ON u.other = f.one) SELECT one, other FROM found"
    )
}

/// Writing a query down takes locks on what it reads. Nobody waits for those who change that.
const NO_WAIT: &str = "SET LOCAL lock_timeout = 100";

/// What a snapshot is made of, how its columns' types are written, and whether all of it could be read.
pub(super) async fn load(connection: &mut Connection) -> Result<(Parts, Spelling, bool), BackError> {
    let schemas = schemas(connection).await?;
    let mut relations = relations(connection, &schemas).await?;
    let mut spelling = columns(connection, &mut relations).await?;
    spelling.learn(connection).await?;
    let lively: HashMap<u32, u32> = pairs(connection, &foreign::lively()).await?.into_iter().collect();
    let types = types(connection, &schemas, &lively).await?;
    enliven(&mut relations, &lively);
    let base_types = numbers(connection, &foreign::base_types()).await?;
    let own = OwnTypes::new(base_types.into_iter().filter(|oid| !lively.contains_key(oid)));
    let [functions, functions_behind, open_functions] = functions(connection, &schemas, &own).await?;
    let mut parts = Parts {
        server_version: numbers(connection, SERVER_VERSION).await?.first().copied().unwrap_or_default(),
        loaded: names(connection, LOADED).await?.pop().unwrap_or_default(),
        types,
        server_functions: names(connection, SERVER_FUNCTIONS).await?,
        function_names: names(connection, FUNCTION_NAMES).await?,
        functions,
        functions_behind,
        open_functions,
        operators: named(connection, &schemas, &foreign::operators(&own)).await?,
        cast_targets: numbers(connection, &foreign::cast_targets()).await?,
        implicit_casts: !numbers(connection, &foreign::unasked_casts("i")).await?.is_empty()
            || !numbers(connection, &foreign::unasked_orders()).await?.is_empty(),
        assignment_casts: !numbers(connection, &foreign::unasked_casts("a")).await?.is_empty(),
        sequences: pairs(connection, SEQUENCES).await?,
        invokers: Vec::new(),
        users_of_invokers: Vec::new(),
        schemas: schemas.into_values().collect(),
        relations,
    };
    let views = numbers(connection, &format!("SELECT v.oid {INVOKERS}")).await?;
    if views.is_empty() {
        return Ok((parts, spelling, true));
    }
    parts.users_of_invokers = pairs(connection, &users_of_invokers()).await?;
    let complete;
    (parts.invokers, complete) = invokers(connection, views).await?;
    Ok((parts, spelling, complete))
}

/// Functions that may be called instead of the server's own; those that may be unless `pg_catalog` is searched first;
/// and those of which it is known what they do, which count for neither.
async fn functions(
    connection: &mut Connection,
    schemas: &Schemas,
    own: &OwnTypes,
) -> Result<[Vec<Named>; 3], BackError> {
    let open = named(connection, schemas, &foreign::open_functions()).await?;
    let (mut others, mut behind) = (Vec::new(), Vec::new());
    let known = by_name(schemas);
    connection.ask(&foreign::functions(own)).await?;
    while let Some(row) = connection.row().await? {
        let [schema, name, is_behind] = row.fields()?;
        let each = name_in(&known, &schema.text(), &name.text());
        if !open.contains(&each) {
            let list = if is_behind.letter()? == b't' { &mut behind } else { &mut others };
            list.push(each);
        }
    }
    Ok([others, behind, open])
}

/// Tells relations which of their columns, and whether their rows, are of these types.
fn enliven(relations: &mut [Relation], lively: &HashMap<u32, u32>) {
    if lively.is_empty() {
        return;
    }
    let rows: HashSet<u32> = lively.values().copied().collect();
    for relation in relations {
        let columns = relation.columns.iter().filter(|column| lively.contains_key(&column.type_oid));
        let row = rows.contains(&relation.oid).then_some(0);
        relation.lively = row.into_iter().chain(columns.map(|column| column.number)).collect();
    }
}

/// These views of [`INVOKERS`] with their queries, and whether these could be read. Where not, they are empty, and the
/// transaction is over.
async fn invokers(
    connection: &mut Connection,
    views: Vec<u32>,
) -> Result<(Vec<(u32, Box<str>)>, bool), BackError> {
    connection.run(NO_WAIT).await?;
    match texts(connection, &format!("SELECT v.oid, {QUERY} {INVOKERS}")).await {
        Ok(read) => Ok((read, true)),
        Err(BackError::Refused(_)) => {
            Ok((views.into_iter().map(|view| (view, Box::default())).collect(), false))
        }
        Err(error) => Err(error),
    }
}

async fn names(connection: &mut Connection, text: &str) -> Result<Vec<Box<str>>, BackError> {
    let mut names = Vec::new();
    connection.ask(text).await?;
    while let Some(row) = connection.row().await? {
        let [name] = row.fields()?;
        names.push(name.text().into());
    }
    Ok(names)
}

/// By OID.
type Schemas = HashMap<u32, Arc<str>>;

async fn schemas(connection: &mut Connection) -> Result<Schemas, BackError> {
    let mut schemas = Schemas::new();
    connection.ask(SCHEMAS).await?;
    while let Some(row) = connection.row().await? {
        let [oid, name] = row.fields()?;
        schemas.insert(oid.parse()?, name.text().into());
    }
    Ok(schemas)
}

/// Relations without their columns, in the order of their OIDs; those of other sessions' temporary schemas are none.
async fn relations(connection: &mut Connection, schemas: &Schemas) -> Result<Vec<Relation>, BackError> {
    let mut relations = Vec::new();
    connection.ask(RELATIONS).await?;
    while let Some(row) = connection.row().await? {
        let [oid, schema, kind, name] = row.fields()?;
        let Some(schema) = schemas.get(&schema.parse()?) else { continue };
        relations.push(Relation {
            oid: oid.parse()?,
            schema: Arc::clone(schema),
            name: name.text().into(),
            kind: kind.letter()?,
            columns: Box::default(),
            lively: Box::default(),
        });
    }
    relations.sort_unstable_by_key(|relation| relation.oid);
    Ok(relations)
}

/// Gives the relations their columns.
async fn columns(connection: &mut Connection, relations: &mut [Relation]) -> Result<Spelling, BackError> {
    let mut spelling = Spelling::default();
    let mut columns: Vec<Vec<Column>> = Vec::new();
    columns.resize_with(relations.len(), Vec::new);
    // Rows mostly come relation by relation.
    let mut last = (0, None);
    connection.ask(COLUMNS).await?;
    while let Some(row) = connection.row().await? {
        let [relation, number, type_oid, modifier, name] = row.fields()?;
        let oid: u32 = relation.parse()?;
        if last.0 != oid {
            last = (oid, relations.binary_search_by_key(&oid, |relation| relation.oid).ok());
        }
        let Some((relation, list)) = last.1.and_then(|at| relations.get(at).zip(columns.get_mut(at))) else {
            continue;
        };
        let column =
            Column { name: name.text().into(), number: number.parse()?, type_oid: type_oid.parse()? };
        spelling.note(relation, &column, modifier.parse()?);
        list.push(column);
    }
    for (relation, mut list) in relations.iter_mut().zip(columns) {
        list.sort_unstable_by_key(|column| column.number);
        relation.columns = list.into_boxed_slice();
    }
    Ok(spelling)
}

async fn types(
    connection: &mut Connection,
    schemas: &Schemas,
    lively: &HashMap<u32, u32>,
) -> Result<Vec<Type>, BackError> {
    let mut harmful: HashSet<u32> = lively.keys().copied().collect();
    harmful.extend(numbers(connection, &foreign::cast_sources()).await?);
    let mut ranges = Vec::new();
    connection.ask(RANGES).await?;
    while let Some(row) = connection.row().await? {
        let [oid, multirange, subtype, order, canonical, distance] = row.fields()?;
        ranges.push(Range {
            oid: oid.parse()?,
            multirange: multirange.parse()?,
            subtype: subtype.parse()?,
            helpers: [order.parse()?, canonical.parse()?, distance.parse()?],
        });
    }
    let mut all = Vec::new();
    connection.ask(&all_types()).await?;
    while let Some(row) = connection.row().await? {
        let [oid, schema, name, kind, element, array, base, extension, checked] = row.fields()?;
        let Some(schema) = schemas.get(&schema.parse()?) else { continue };
        all.push(Described {
            oid: oid.parse()?,
            schema: Arc::clone(schema),
            name: name.text().into(),
            kind: kind.letter()?,
            element: element.parse()?,
            array: array.parse()?,
            base: base.parse()?,
            extension: extension.text().into(),
            checked: checked.letter()? != b'f',
        });
    }
    Ok(types::judged(all, &ranges, &harmful))
}

async fn named(connection: &mut Connection, schemas: &Schemas, text: &str) -> Result<Vec<Named>, BackError> {
    let known = by_name(schemas);
    let mut all = Vec::new();
    connection.ask(text).await?;
    while let Some(row) = connection.row().await? {
        let [schema, name] = row.fields()?;
        all.push(name_in(&known, &schema.text(), &name.text()));
    }
    Ok(all)
}

fn by_name(schemas: &Schemas) -> HashMap<&str, &Arc<str>> {
    schemas.values().map(|schema| (&**schema, schema)).collect()
}

/// With one text for each schema, as everywhere in the snapshot.
fn name_in(known: &HashMap<&str, &Arc<str>>, schema: &str, name: &str) -> Named {
    let schema = known.get(schema).map_or_else(|| Arc::from(schema), |known| Arc::clone(known));
    Named { schema, name: name.into() }
}

async fn pairs(connection: &mut Connection, text: &str) -> Result<Vec<(u32, u32)>, BackError> {
    let mut pairs = Vec::new();
    connection.ask(text).await?;
    while let Some(row) = connection.row().await? {
        let [first, second] = row.fields()?;
        pairs.push((first.parse()?, second.parse()?));
    }
    Ok(pairs)
}

/// Texts by OID.
async fn texts(connection: &mut Connection, text: &str) -> Result<Vec<(u32, Box<str>)>, BackError> {
    let mut texts = Vec::new();
    connection.ask(text).await?;
    while let Some(row) = connection.row().await? {
        let [oid, text] = row.fields()?;
        texts.push((oid.parse()?, text.text().into()));
    }
    Ok(texts)
}

async fn numbers(connection: &mut Connection, text: &str) -> Result<Vec<u32>, BackError> {
    let mut numbers = Vec::new();
    connection.ask(text).await?;
    while let Some(row) = connection.row().await? {
        let [number] = row.fields()?;
        numbers.push(number.parse()?);
    }
    Ok(numbers)
}
