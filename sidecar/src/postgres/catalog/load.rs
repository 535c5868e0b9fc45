//! Reads a whole snapshot, inside a transaction that sees one moment.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{
    super::{back::BackError, simple::Connection},
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

/// Operators of these extensions are written in C and call nothing of a user's.
const TRUSTED_OPERATORS: &str = "'citext', 'hstore', 'pg_trgm', 'ltree', 'intarray', 'cube', 'seg', 'isn', \
     'btree_gist', 'btree_gin', 'unaccent'";

const TYPES: &str = "SELECT t.oid, t.typnamespace, t.typname, t.typtype, t.typelem, t.typarray, t.typbasetype, \
     x.extname FROM pg_catalog.pg_type t LEFT JOIN (SELECT d.objid, e.extname FROM pg_catalog.pg_depend d \
     JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid WHERE d.classid = 'pg_catalog.pg_type'::regclass \
     AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e') x ON x.objid = t.oid \
     WHERE t.typrelid = 0";

/// Multiranges are there since PostgreSQL 14, so their column is asked for in a way that older ones understand.
const RANGES: &str = "SELECT rngtypid, coalesce(to_jsonb(r) ->> 'rngmultitypid', '0'), rngsubtype, rngsubopc, \
     rngcanonical::oid, rngsubdiff::oid FROM pg_catalog.pg_range r";

/// The object belongs to one of these extensions.
fn member(catalog: &str, extensions: &str) -> String {
    format!(
        "o.oid IN (SELECT d.objid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid \
         WHERE d.classid = 'pg_catalog.{catalog}'::regclass AND d.refclassid = 'pg_catalog.pg_extension'::regclass \
         AND d.deptype = 'e' AND e.extname IN ({extensions}))"
    )
}

/// Schema and name of each object that did not come with the server, or is searched for outside `pg_catalog`.
fn foreign(catalog: &str, prefix: &str, but: &str) -> String {
    format!(
        "SELECT DISTINCT n.nspname, o.{prefix}name FROM pg_catalog.{catalog} o \
         JOIN pg_catalog.pg_namespace n ON n.oid = o.{prefix}namespace \
         WHERE (o.oid >= 16384 OR n.nspname NOT IN ('pg_catalog', 'information_schema')) \
         AND n.nspname !~ '^pg_(toast_)?temp_'{but}"
    )
}

/// Functions of the trusted extensions stand in nobody's way.
fn functions() -> String {
    foreign("pg_proc", "pro", &format!(" AND NOT {}", member("pg_proc", TRUSTED_OPERATORS)))
}

/// An operator that takes nothing but its owner's own types stays out if it is in C, like the types: a constant becomes
/// a value of them without anybody saying so.
fn operators() -> String {
    let trusted = member("pg_operator", TRUSTED_OPERATORS);
    let in_c = "(SELECT l.lanname FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang \
         WHERE p.oid = o.oprcode) IN ('c', 'internal')";
    // No enum, row or array: of those a limited session can make values.
    let own = |operand: &str| {
        format!(
            "(o.{operand} = 0 OR o.{operand} >= 16384 AND EXISTS (SELECT FROM pg_catalog.pg_type t \
             WHERE t.oid = o.{operand} AND t.typtype = 'b' AND t.typelem = 0))"
        )
    };
    let own_types = format!("{} AND {}", own("oprleft"), own("oprright"));
    foreign("pg_operator", "opr", &format!(" AND NOT (({trusted} OR {own_types}) AND {in_c})"))
}

fn cast_targets() -> String {
    let trusted = member("pg_cast", TRUSTED_OPERATORS);
    format!(
        "SELECT DISTINCT unnest(ARRAY[t.oid, t.typarray]) FROM pg_catalog.pg_cast o \
         JOIN pg_catalog.pg_type t ON t.oid = o.casttarget \
         WHERE o.castmethod = 'f' AND o.oid >= 16384 AND o.castsource < 16384 AND NOT {trusted}"
    )
}

/// Types of which a value may become another one by somebody's function, without anybody asking for it.
fn cast_sources() -> String {
    let trusted = member("pg_cast", TRUSTED_OPERATORS);
    format!(
        "SELECT DISTINCT unnest(ARRAY[t.oid, t.typarray]) FROM pg_catalog.pg_cast o \
         JOIN pg_catalog.pg_type t ON t.oid = o.castsource JOIN pg_catalog.pg_type g ON g.oid = o.casttarget \
         WHERE o.castmethod = 'f' AND o.oid >= 16384 AND o.castsource >= 16384 AND NOT {trusted} \
         AND NOT (t.typtype = 'r' AND g.typtype = 'm')"
    )
}

/// Functions that are not in C: they may do anything with the rights of whoever runs them.
const OTHERS: &str = "(SELECT p.oid FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang \
     WHERE l.lanname NOT IN ('c', 'internal'))";

/// Casts by somebody's function from the server's own types that nobody has to ask for in this context.
fn unasked_casts(context: &str) -> String {
    let trusted = member("pg_cast", TRUSTED_OPERATORS);
    format!(
        "SELECT o.oid FROM pg_catalog.pg_cast o WHERE o.castcontext = '{context}' AND o.oid >= 16384 \
         AND o.castsource < 16384 AND o.castfunc IN {OTHERS} AND NOT {trusted}"
    )
}

/// Operator classes in which somebody's functions compare values, and the types that they are for.
fn orders() -> String {
    format!(
        "(SELECT c.oid, c.opcintype, c.opcdefault FROM pg_catalog.pg_opclass c WHERE c.oid >= 16384 AND ( \
         EXISTS (SELECT FROM pg_catalog.pg_amproc a WHERE a.amprocfamily = c.opcfamily AND a.amproc IN {OTHERS}) OR \
         EXISTS (SELECT FROM pg_catalog.pg_amop a JOIN pg_catalog.pg_operator o ON o.oid = a.amopopr \
         WHERE a.amopfamily = c.opcfamily AND o.oprcode IN {OTHERS})))"
    )
}

/// Orders of the server's own types that nobody has to ask for.
fn unasked_orders() -> String {
    format!("SELECT o.oid FROM {} o WHERE o.opcintype < 16384 AND o.opcdefault", orders())
}

/// Types of which a value may run somebody's function wherever it is used, because that casts or compares it or a part of
/// it; each with the relation that it is the row of.
fn lively() -> String {
    let orders = orders();
    format!(
        "WITH RECURSIVE found(type) AS ( \
         SELECT castsource FROM pg_catalog.pg_cast WHERE castsource >= 16384 AND castfunc IN {OTHERS} \
         UNION SELECT opcintype FROM {orders} o WHERE opcintype >= 16384 \
         UNION SELECT rngtypid FROM pg_catalog.pg_range WHERE rngtypid >= 16384 AND (rngcanonical IN {OTHERS} \
         OR rngsubdiff IN {OTHERS} OR rngsubopc IN (SELECT oid FROM {orders} o)) \
         UNION SELECT w.whole FROM found f JOIN ( \
         SELECT typelem AS part, oid AS whole FROM pg_catalog.pg_type WHERE typelem <> 0 \
         UNION ALL SELECT typbasetype, oid FROM pg_catalog.pg_type WHERE typbasetype <> 0 \
         UNION ALL SELECT rngsubtype, rngtypid FROM pg_catalog.pg_range \
         UNION ALL SELECT rngtypid, coalesce(to_jsonb(r) ->> 'rngmultitypid', '0')::oid FROM pg_catalog.pg_range r \
         UNION ALL SELECT a.atttypid, c.reltype FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c \
         ON c.oid = a.attrelid WHERE a.attnum > 0 AND NOT a.attisdropped AND c.reltype <> 0) w ON w.part = f.type) \
         SELECT t.oid, t.typrelid FROM found f JOIN pg_catalog.pg_type t ON t.oid = f.type"
    )
}

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
    let mut types = types(connection, &schemas).await?;
    let sources = numbers(connection, &cast_sources()).await?;
    let lively: HashMap<u32, u32> = pairs(connection, &lively()).await?.into_iter().collect();
    for kind in &mut types {
        kind.harmless &= !sources.contains(&kind.oid) && !lively.contains_key(&kind.oid);
    }
    enliven(&mut relations, &lively);
    let mut parts = Parts {
        server_version: numbers(connection, SERVER_VERSION).await?.first().copied().unwrap_or_default(),
        loaded: names(connection, LOADED).await?.pop().unwrap_or_default(),
        types,
        server_functions: names(connection, SERVER_FUNCTIONS).await?,
        function_names: names(connection, FUNCTION_NAMES).await?,
        functions: named(connection, &schemas, &functions()).await?,
        operators: named(connection, &schemas, &operators()).await?,
        cast_targets: numbers(connection, &cast_targets()).await?,
        implicit_casts: !numbers(connection, &unasked_casts("i")).await?.is_empty()
            || !numbers(connection, &unasked_orders()).await?.is_empty(),
        assignment_casts: !numbers(connection, &unasked_casts("a")).await?.is_empty(),
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

async fn types(connection: &mut Connection, schemas: &Schemas) -> Result<Vec<Type>, BackError> {
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
    connection.ask(TYPES).await?;
    while let Some(row) = connection.row().await? {
        let [oid, schema, name, kind, element, array, base, extension] = row.fields()?;
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
        });
    }
    Ok(types::judged(all, &ranges))
}

async fn named(connection: &mut Connection, schemas: &Schemas, text: &str) -> Result<Vec<Named>, BackError> {
    // One text for each schema, as everywhere in the snapshot.
    let known: HashMap<&str, &Arc<str>> = schemas.values().map(|schema| (&**schema, schema)).collect();
    let mut all = Vec::new();
    connection.ask(text).await?;
    while let Some(row) = connection.row().await? {
        let [schema, name] = row.fields()?;
        let schema = schema.text();
        let schema = known.get(&*schema).map_or_else(|| Arc::from(&*schema), |known| Arc::clone(known));
        all.push(Named { schema, name: name.text().into() });
    }
    Ok(all)
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
