//! Questions about what did not come with the server: functions, operators, casts and orders, and what of them may stay
//! out of account because it is harmless, or because no limited session can come to it.
//!
//! What is in C takes a superuser to make. It is trusted like the types that it works on, which take one as well: a
//! constant becomes a value of such a type without anybody saying so, by its input function.

use super::extensions;

/// Functions in C. Those of a library that calls whatever function it was told of count for none.
pub(super) const IN_C: &str = "(SELECT p.oid FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang \
     WHERE l.lanname IN ('c', 'internal') AND p.prokind <> 'a' AND coalesce(p.probin, '') !~ 'pg_tle')";

/// It is a function in SQL.
const SQL: &str =
    "o.prokind = 'f' AND o.prolang = (SELECT l.oid FROM pg_catalog.pg_language l WHERE l.lanname = 'sql')";

const SUPERUSERS: &str = "(SELECT u.oid FROM pg_catalog.pg_roles u WHERE u.rolsuper)";

/// Functions of [`extensions::IN_SQL`].
fn known_in_sql() -> String {
    let members = members("pg_proc", extensions::WITH_SQL);
    format!(
        "(SELECT p.oid FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang \
         WHERE l.lanname = 'sql' AND p.proowner IN {SUPERUSERS} AND p.proname IN ({}) AND p.oid IN {members})",
        extensions::IN_SQL
    )
}

/// Functions that are neither: they may do anything with the rights of whoever runs them.
fn others() -> String {
    let known = known_in_sql();
    format!("(SELECT p.oid FROM pg_catalog.pg_proc p WHERE p.oid NOT IN {IN_C} AND p.oid NOT IN {known})")
}

/// Aggregates of an extension of which every part is a function of that extension in C, and whose states are made by nobody
/// else either. Anybody can make an aggregate, or an operator, of any function of the server's.
fn aggregates_in_c() -> String {
    let member = |object: &str, of: &str| {
        format!(
            "EXISTS (SELECT FROM pg_catalog.pg_depend m WHERE m.classid = 'pg_catalog.pg_proc'::regclass \
             AND m.refclassid = 'pg_catalog.pg_extension'::regclass AND m.deptype = 'e' \
             AND m.objid = {object} AND m.refobjid = {of})"
        )
    };
    let (whole, part) = (member("a.aggfnoid", "x.oid"), member("f", "x.oid"));
    format!(
        "(SELECT a.aggfnoid FROM pg_catalog.pg_aggregate a JOIN pg_catalog.pg_proc w ON w.oid = a.aggfnoid \
         AND w.proowner IN {SUPERUSERS} JOIN pg_catalog.pg_extension x ON {whole} WHERE a.aggkind = 'n' \
         AND NOT EXISTS (SELECT FROM unnest(ARRAY[a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, \
         a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn]::oid[]) f \
         WHERE f <> 0 AND (f NOT IN {IN_C} OR NOT {part})) \
         AND NOT EXISTS (SELECT FROM unnest(ARRAY[a.aggtranstype, a.aggmtranstype]) s \
         JOIN pg_catalog.pg_type t ON t.oid = s WHERE t.oid <> 'internal'::regtype \
         AND (t.typtype <> 'b' OR t.oid >= 16384 AND (t.typelem <> 0 OR t.typinput NOT IN {IN_C}))) \
         AND (a.aggsortop = 0 OR a.aggsortop IN (SELECT s.oid FROM pg_catalog.pg_operator s WHERE s.oprcode IN {IN_C})))"
    )
}

/// The objects of these extensions.
fn members(catalog: &str, extensions: &str) -> String {
    format!(
        "(SELECT d.objid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid \
         WHERE d.classid = 'pg_catalog.{catalog}'::regclass AND d.refclassid = 'pg_catalog.pg_extension'::regclass \
         AND d.deptype = 'e' AND e.extname IN ({extensions}))"
    )
}

/// Schema and name of each object that did not come with the server, or is searched for outside `pg_catalog`.
fn foreign(catalog: &str, prefix: &str, more: &str, but: &str) -> String {
    format!(
        "SELECT DISTINCT n.nspname, o.{prefix}name{more} FROM pg_catalog.{catalog} o \
         JOIN pg_catalog.pg_namespace n ON n.oid = o.{prefix}namespace \
         WHERE (o.oid >= 16384 OR n.nspname NOT IN ('pg_catalog', 'information_schema')) \
         AND n.nspname !~ '^pg_(toast_)?temp_' AND NOT ({but})"
    )
}

/// Base types that did not come with the server and whose values are made in C. No enum, row, domain or array: of those a
/// limited session can make values, or their parts may be anything.
pub(super) fn base_types() -> String {
    format!(
        "SELECT t.oid FROM pg_catalog.pg_type t WHERE t.oid >= 16384 AND t.typtype = 'b' AND t.typelem = 0 \
         AND t.typinput IN {IN_C}"
    )
}

/// [`base_types`] of which a value runs nobody's function but in C.
pub(super) struct OwnTypes {
    /// For an `IN`, and never empty.
    list: String,
}

impl OwnTypes {
    pub(super) fn new(oids: impl Iterator<Item = u32>) -> Self {
        let list = oids.fold("0".to_owned(), |list, oid| format!("{list}, {oid}"));
        Self { list: format!("({list})") }
    }

    /// Whether it is one of these or one of the server's own base types.
    fn plain(&self, value: &str) -> String {
        let own = &self.list;
        format!(
            "({value} IN {own} OR {value} IN (SELECT t.oid FROM pg_catalog.pg_type t \
             WHERE t.typtype = 'b' AND t.oid < 16384))"
        )
    }
}

/// Functions of the known extensions, and those beside one of the server's that take nothing but their owner's own types
/// and are in C; or beside one of its types, for a cast may look like a call. Other names nobody needs, and a field of any
/// name could call them.
fn harmless_functions(own: &OwnTypes) -> String {
    let (known, aggregates) = (members("pg_proc", extensions::OBJECTS), aggregates_in_c());
    let (plain, own) = (own.plain("o.prorettype"), &own.list);
    let in_c = format!("(o.oid IN {IN_C} AND o.prokind = 'f' OR o.oid IN {aggregates})");
    format!(
        "o.oid IN {known} AND {in_c} AND o.proowner IN {SUPERUSERS} OR {in_c} AND o.pronargs > 0 \
         AND o.pronargdefaults = 0 AND o.provariadic = 0 \
         AND NOT EXISTS (SELECT FROM unnest(o.proargtypes) a WHERE a NOT IN {own}) AND {plain} \
         AND (EXISTS (SELECT FROM pg_catalog.pg_proc s WHERE s.proname = o.proname AND s.oid < 16384 \
         AND s.pronamespace = 'pg_catalog'::regnamespace) OR EXISTS (SELECT FROM pg_catalog.pg_type s \
         WHERE s.typname = o.proname AND s.oid < 16384 AND s.typnamespace = 'pg_catalog'::regnamespace))"
    )
}

/// Functions with the arguments of one of the server's own of that name, which is found first where `pg_catalog` is searched
/// first. One whose arguments have names can be called by these.
const BEHIND: &str = "(o.pronargdefaults = 0 AND o.provariadic = 0 AND (o.pronargs = 0 OR o.proargnames IS NULL) \
     AND EXISTS (SELECT FROM pg_catalog.pg_proc s WHERE s.proname = o.proname AND s.proargtypes = o.proargtypes \
     AND s.pronargdefaults = 0 AND s.provariadic = 0 AND s.oid < 16384 AND s.pronamespace = 'pg_catalog'::regnamespace))";

/// Functions that may be called instead of the server's own, and whether that is so only where `pg_catalog` is not searched
/// first. What those of the known extensions say in SQL is found in that order as well.
pub(super) fn functions(own: &OwnTypes) -> String {
    let known = members("pg_proc", extensions::OBJECTS);
    let behind = format!("{BEHIND} OR o.oid IN {known} AND o.proowner IN {SUPERUSERS} AND {SQL}");
    foreign("pg_proc", "pro", &format!(", ({behind})"), &harmless_functions(own))
}

/// Functions of [`extensions::FUNCTIONS`], where all of that name in that schema are.
pub(super) fn open_functions() -> String {
    let listed: Vec<String> = extensions::FUNCTIONS
        .iter()
        .flat_map(|(extension, names)| names.iter().map(move |name| format!("('{extension}', '{name}')")))
        .collect();
    let listed = listed.join(", ");
    format!(
        "SELECT n.nspname, o.proname FROM pg_catalog.pg_proc o \
         JOIN pg_catalog.pg_namespace n ON n.oid = o.pronamespace JOIN (VALUES {listed}) k(extension, name) ON k.name = o.proname \
         LEFT JOIN pg_catalog.pg_depend d ON d.objid = o.oid AND d.classid = 'pg_catalog.pg_proc'::regclass \
         AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e' \
         LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid AND e.extname = k.extension \
         WHERE n.nspname !~ '^pg_' GROUP BY n.nspname, o.proname \
         HAVING bool_and(e.oid IS NOT NULL AND o.prokind = 'f' AND o.oid IN {IN_C})"
    )
}

/// An operator of a known extension stays out if it is in C, and so does one that takes nothing but its owner's own types.
pub(super) fn operators(own: &OwnTypes) -> String {
    let (known, in_sql) = (members("pg_operator", extensions::OBJECTS), known_in_sql());
    let codes = members("pg_proc", extensions::OBJECTS);
    // A value of any type may hold one that somebody's function makes.
    let any = "SELECT t.oid FROM pg_catalog.pg_type t WHERE t.typtype = 'p'";
    let known = format!(
        "o.oid IN {known} AND o.oprowner IN {SUPERUSERS} AND o.oprcode IN {IN_C} AND o.oprcode IN {codes} \
         AND o.oprleft NOT IN ({any}) AND o.oprright NOT IN ({any})"
    );
    let (plain, own) = (own.plain("o.oprresult"), &own.list);
    let own_only = format!(
        "(o.oprleft = 0 OR o.oprleft IN {own}) AND (o.oprright = 0 OR o.oprright IN {own}) AND {plain} \
         AND (o.oprcode IN {IN_C} OR o.oprcode IN {in_sql})"
    );
    foreign("pg_operator", "opr", "", &format!("{known} OR {own_only}"))
}

/// Casts of the known extensions.
fn known_cast() -> String {
    let (casts, functions) =
        (members("pg_cast", extensions::OBJECTS), members("pg_proc", extensions::OBJECTS));
    format!("(o.oid IN {casts} AND o.castfunc IN {IN_C} AND o.castfunc IN {functions})")
}

/// Types that casts by somebody's function make from the server's own, with their arrays and the domains over them.
pub(super) fn cast_targets() -> String {
    let known = known_cast();
    format!(
        "WITH RECURSIVE made(type) AS (SELECT o.casttarget FROM pg_catalog.pg_cast o \
         WHERE o.castmethod = 'f' AND o.oid >= 16384 AND o.castsource < 16384 AND NOT {known} \
         UNION SELECT t.oid FROM made m JOIN pg_catalog.pg_type t ON m.type IN (t.typbasetype, t.typelem)) \
         SELECT type FROM made"
    )
}

/// Types of which a value may become another one by somebody's function, without anybody asking for it.
pub(super) fn cast_sources() -> String {
    let known = known_cast();
    format!(
        "SELECT DISTINCT unnest(ARRAY[t.oid, t.typarray]) FROM pg_catalog.pg_cast o \
         JOIN pg_catalog.pg_type t ON t.oid = o.castsource JOIN pg_catalog.pg_type g ON g.oid = o.casttarget \
         WHERE o.castmethod = 'f' AND o.oid >= 16384 AND o.castsource >= 16384 AND NOT {known} \
         AND NOT (t.typtype = 'r' AND g.typtype = 'm')"
    )
}

/// Casts by somebody's function from the server's own types that nobody has to ask for in this context.
pub(super) fn unasked_casts(context: &str) -> String {
    let others = others();
    format!(
        "SELECT o.oid FROM pg_catalog.pg_cast o WHERE o.castcontext = '{context}' AND o.oid >= 16384 \
         AND o.castsource < 16384 AND o.castfunc IN {others}"
    )
}

/// Operator classes in which somebody's functions compare values, and the types that they are for.
fn orders() -> String {
    let others = others();
    format!(
        "(SELECT c.oid, c.opcintype, c.opcdefault FROM pg_catalog.pg_opclass c WHERE c.oid >= 16384 AND ( \
         EXISTS (SELECT FROM pg_catalog.pg_amproc a WHERE a.amprocfamily = c.opcfamily AND a.amproc IN {others}) OR \
         EXISTS (SELECT FROM pg_catalog.pg_amop a JOIN pg_catalog.pg_operator o ON o.oid = a.amopopr \
         WHERE a.amopfamily = c.opcfamily AND o.oprcode IN {others})))"
    )
}

/// Orders of the server's own types that nobody has to ask for.
pub(super) fn unasked_orders() -> String {
    format!("SELECT o.oid FROM {} o WHERE o.opcintype < 16384 AND o.opcdefault", orders())
}

/// Types of which a value may run somebody's function wherever it is used, because that casts, compares or checks it or a
/// part of it: a constant beside a value becomes one of its type. Each with the relation that it is the row of.
pub(super) fn lively() -> String {
    let (orders, others) = (orders(), others());
    let known = members("pg_proc", extensions::OBJECTS);
    // A tree names functions and types by number. An immutable function in C computes from what it is given; whatever is made
    // of a type, or compared, is what the type does. Any number may be a type's: taking too many for one refuses more.
    let checks = format!(
        "SELECT c.contypid FROM pg_catalog.pg_constraint c WHERE c.contypid >= 16384 AND c.contype = 'c' \
         AND (c.conbin::text ~ '\\{{(COERCETODOMAIN |ROWCOMPARE|MINMAX)' OR EXISTS (SELECT \
         FROM regexp_matches(c.conbin::text, ':(?:opfuncid|funcid) (\\d+)', 'g') f JOIN pg_catalog.pg_proc p \
         ON p.oid = f[1]::oid WHERE p.oid >= 16384 AND p.oid IN {others} OR p.provolatile <> 'i' AND p.oid NOT IN {known}))"
    );
    let mentions = "SELECT t.oid, c.contypid FROM pg_catalog.pg_constraint c \
         CROSS JOIN LATERAL regexp_matches(c.conbin::text, '\\m(\\d{5,10})\\M', 'g') f \
         JOIN pg_catalog.pg_type t ON t.oid >= 16384 AND t.oid::text = f[1] \
         WHERE c.contypid >= 16384 AND c.contype = 'c'";
    format!(
        "WITH RECURSIVE found(type) AS ({checks} UNION \
         SELECT castsource FROM pg_catalog.pg_cast WHERE castsource >= 16384 AND castfunc IN {others} \
         UNION SELECT opcintype FROM {orders} o WHERE opcintype >= 16384 \
         UNION SELECT rngtypid FROM pg_catalog.pg_range WHERE rngtypid >= 16384 AND (rngcanonical IN {others} \
         OR rngsubdiff IN {others} OR rngsubopc IN (SELECT oid FROM {orders} o)) \
         UNION SELECT w.whole FROM found f JOIN ( \
         SELECT typelem AS part, oid AS whole FROM pg_catalog.pg_type WHERE typelem <> 0 \
         UNION ALL SELECT typbasetype, oid FROM pg_catalog.pg_type WHERE typbasetype <> 0 \
         UNION ALL {mentions} UNION ALL SELECT rngsubtype, rngtypid FROM pg_catalog.pg_range \
         UNION ALL SELECT rngtypid, coalesce(to_jsonb(r) ->> 'rngmultitypid', '0')::oid FROM pg_catalog.pg_range r \
         UNION ALL SELECT a.atttypid, c.reltype FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c \
         ON c.oid = a.attrelid WHERE a.attnum > 0 AND NOT a.attisdropped AND c.reltype <> 0) w ON w.part = f.type) \
         SELECT t.oid, t.typrelid FROM found f JOIN pg_catalog.pg_type t ON t.oid = f.type"
    )
}
