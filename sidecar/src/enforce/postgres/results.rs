//! What functions in FROM give: their columns, where it can be told.
//!
//! A function that is given a row may give that row's columns, under whatever names they have; and a call with one
//! argument may be no call at all but a field of that row. A name that is thought to be here and is not goes outwards,
//! so where an argument may hold a row nothing is known of the result.

use pg_raw_parse::{Node, nodes::TypeCast, raw::SubLinkType};

use super::{
    expr::{Place, beneath_casts},
    names::{is_pseudo, texts},
    outputs::name_of,
    query::Output,
    scope::{Derived, Found, Known},
    walk::Walk,
};
use crate::enforce::Denial;

/// Functions of the server's own whose results have columns with names of their own. Sorted.
const OUTPUTS: &[(&str, &[&str])] = &[
    ("_pg_expandarray", &["x", "n"]),
    ("aclexplode", &["grantor", "grantee", "privilege_type", "is_grantable"]),
    ("json_array_elements", &["value"]),
    ("json_array_elements_text", &["value"]),
    ("json_each", &["key", "value"]),
    ("json_each_text", &["key", "value"]),
    ("jsonb_array_elements", &["value"]),
    ("jsonb_array_elements_text", &["value"]),
    ("jsonb_each", &["key", "value"]),
    ("jsonb_each_text", &["key", "value"]),
    ("pg_get_keywords", &["word", "catcode", "barelabel", "catdesc", "baredesc"]),
    ("pg_options_to_table", &["option_name", "option_value"]),
    ("pg_partition_ancestors", &["relid"]),
    ("pg_partition_tree", &["relid", "parentrelid", "isleaf", "level"]),
    ("pg_timezone_abbrevs", &["abbrev", "utc_offset", "is_dst"]),
    ("pg_timezone_abbrevs_abbrevs", &["abbrev", "utc_offset", "is_dst"]),
    ("pg_timezone_abbrevs_zone", &["abbrev", "utc_offset", "is_dst"]),
    ("pg_timezone_names", &["name", "abbrev", "utc_offset", "is_dst"]),
    ("ts_token_type", &["tokid", "alias", "description"]),
];

/// Functions whose columns depend on their arguments.
const VAGUE: &[&str] = &[
    "json_populate_record",
    "json_populate_recordset",
    "jsonb_populate_record",
    "jsonb_populate_recordset",
    "pg_available_extension_versions",
    "pg_available_extensions",
    "pg_show_all_settings",
];

/// Functions that give JSON, text or an array, whatever they are given.
const PLAIN: &[&str] = &[
    "array_agg",
    "json_agg",
    "json_build_array",
    "json_build_object",
    "jsonb_agg",
    "jsonb_build_array",
    "jsonb_build_object",
    "row_to_json",
    "to_json",
    "to_jsonb",
];

/// The same with two arguments or more.
const PLAIN_OF_MORE: &[&str] = &[
    "jsonb_path_query_array",
    "json_extract_path",
    "jsonb_extract_path",
    "regexp_split_to_array",
    "replace",
    "string_to_array",
];

/// Operators that give JSON, text or an array.
const PLAIN_OPERATORS: &[&str] = &["->", "->>", "#>", "#>>", "||"];

impl<'a> Walk<'a> {
    /// The columns of a function's result, and whether there may be others. One that gives a single value calls its
    /// column by the alias, or else by its own name.
    pub(super) fn outputs(
        &mut self,
        node: Node<'a>,
        alias: Option<&'a str>,
        place: Place<'_, 'a>,
    ) -> Result<Output<'a>, Denial> {
        let vague = (Vec::new(), true);
        let call = match node {
            Node::FuncCall(call) => call,
            // A cast that changes nothing leaves what it is given, with the names that that gives.
            Node::TypeCast(cast) if may_be_row(cast) || !is_made(cast) => return Ok(vague),
            Node::SQLValueFunction(_) | Node::TypeCast(_) => {
                return Ok((vec![Derived::guessed(alias.or_else(|| name_of(node)))], false));
            }
            // COALESCE and its kin give a row where they are given rows.
            _ => return Ok(vague),
        };
        let name = texts(call.funcname()).last().copied().unwrap_or_default();
        if name == "unnest" {
            return Ok(unnested(call.args(), alias));
        }
        if VAGUE.contains(&name) {
            return Ok(vague);
        }
        if let (Some(argument), 1) = (call.args().first(), call.args().len())
            && !self.is_plain(argument, place)?
        {
            return Ok(vague);
        }
        Ok(match OUTPUTS.iter().find(|(known, _)| *known == name) {
            Some((_, columns)) => (columns.iter().map(|name| Derived::guessed(Some(name))).collect(), false),
            None => (vec![Derived::guessed(alias.or(Some(name)))], false),
        })
    }

    /// Whether this is no row for certain, and no range over rows.
    pub(super) fn is_plain(&mut self, node: Node<'a>, place: Place<'_, 'a>) -> Result<bool, Denial> {
        Ok(match node {
            // With one argument a function may be a cast, too.
            Node::TypeCast(cast) => !may_be_row(cast) && is_made(cast),
            Node::A_Const(_) | Node::ParamRef(_) | Node::SQLValueFunction(_) | Node::A_ArrayExpr(_) => true,
            Node::ColumnRef(column) => return self.is_plain_column(&texts(column.fields()), place),
            Node::A_Expr(expression) => {
                matches!(texts(expression.name()).as_slice(), [name] if PLAIN_OPERATORS.contains(name))
            }
            Node::SubLink(link) => link.sub_link_type == SubLinkType::ARRAY_SUBLINK,
            Node::FuncCall(call) => {
                let name = texts(call.funcname()).last().copied().unwrap_or_default();
                PLAIN.contains(&name) || PLAIN_OF_MORE.contains(&name) && call.args().len() > 1
            }
            _ => false,
        })
    }

    /// A column of a granted table whose type is one of the server's own.
    fn is_plain_column(&mut self, parts: &[&str], place: Place<'_, 'a>) -> Result<bool, Denial> {
        let Some(scope) = place.scope else { return Ok(false) };
        let found = match parts {
            [name] => {
                let mut looks = 0;
                let meaning = scope.column(name, &mut looks);
                self.spend(looks)?;
                let meaning = meaning?;
                meaning.column.filter(|_| !meaning.perhaps)
            }
            [table, name] => match self.item(scope, None, table)?.column(name) {
                Known::Once(found) => Some(found),
                Known::No | Known::Perhaps | Known::Unsure(_) | Known::Often => None,
            },
            _ => None,
        };
        Ok(
            matches!(found, Some(Found::Column(_, column)) if self.ground.catalog.type_is_harmless(column.type_oid)),
        )
    }
}

/// What `unnest` gives: one value for each, unless it is given arrays of rows.
fn unnested<'a>(args: &'a pg_raw_parse::list::NodeList, alias: Option<&'a str>) -> Output<'a> {
    match args.len() {
        1 if args.iter().all(holds_values) => (vec![Derived::guessed(alias.or(Some("unnest")))], false),
        _ if args.len() > 1 && args.iter().all(holds_values) => {
            (args.iter().map(|_| Derived::guessed(Some("unnest"))).collect(), false)
        }
        // Rows may have no columns at all.
        _ => (Vec::new(), true),
    }
}

/// Whether this is an array of plain values for certain.
fn holds_values(node: Node<'_>) -> bool {
    match node {
        Node::A_ArrayExpr(array) => array.elements().iter().all(is_value),
        // No array type that may be named is one of rows; and one value may hold several, as a `tsvector` does.
        Node::TypeCast(cast) => cast.type_name().is_some_and(|name| !name.array_bounds().is_empty()),
        _ => false,
    }
}

fn is_value(node: Node<'_>) -> bool {
    match node {
        Node::A_Const(_) | Node::SQLValueFunction(_) => true,
        Node::TypeCast(cast) => !may_be_row(cast),
        _ => holds_values(node),
    }
}

/// Whether a cast is of something that calls no function.
fn is_made(cast: &TypeCast) -> bool {
    match beneath_casts(cast.arg()) {
        Node::A_Const(_) | Node::ParamRef(_) | Node::SQLValueFunction(_) | Node::A_ArrayExpr(_) => true,
        // `t.f` may be `f(t)`.
        Node::ColumnRef(column) => column.fields().len() == 1,
        _ => false,
    }
}

/// Whether a cast leaves a row what it is: as `record` it has the columns that it had.
fn may_be_row(cast: &TypeCast) -> bool {
    let last =
        cast.type_name().and_then(|name| name.names().iter().filter_map(|part| part.sval()).next_back());
    last.is_none_or(is_pseudo)
}

#[cfg(test)]
mod tests {
    use postern_tests::postgres::{Postgres, Version};

    use super::{
        super::builtin::{FUNCTIONS, INTROSPECTION, ON_SESSION},
        *,
    };

    /// Functions that may stand in FROM and give more than one plain value, or call it by a name of their own; and their
    /// columns, where these do not depend on what they are given.
    const NOT_PLAIN: &str = "
        SELECT proname::text, pronargs::int, coalesce((SELECT array_agg(name ORDER BY at)
            FROM unnest(proargnames, proargmodes) WITH ORDINALITY AS x(name, mode, at) WHERE mode IN ('o', 'b', 't')),
            '{}'::text[])
        FROM pg_proc p JOIN pg_type t ON t.oid = p.prorettype
        WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f' AND (proargmodes IS NOT NULL
            AND proargmodes && '{o,b,t}' OR typrelid <> 0
            OR typname IN ('anyelement', 'anynonarray', 'anycompatible', 'anycompatiblenonarray'))";

    async fn what_functions_give_is_known(version: Version) {
        let Some(postgres) = Postgres::start(version).await else { return };
        let rows = postgres.admin().await.query(NOT_PLAIN, &[]).await.unwrap();
        let (mut looked_at, mut wrong) = (0, Vec::new());
        for row in rows {
            let (name, arguments, columns): (String, i32, Vec<String>) = (row.get(0), row.get(1), row.get(2));
            let called = |list: &[&str]| list.contains(&&*name);
            if !called(FUNCTIONS) && !called(INTROSPECTION) && !called(ON_SESSION) {
                continue;
            }
            looked_at += 1;
            let known = OUTPUTS.iter().find(|(known, _)| *known == name);
            let right = known.map_or(columns.is_empty() && arguments == 1, |(_, known)| *known == columns);
            if !right && !called(VAGUE) && name != "unnest" {
                wrong.push((name, columns));
            }
        }
        assert!(looked_at > 10 && wrong.is_empty(), "{version:?}: {wrong:?}");
    }

    #[tokio::test]
    async fn what_functions_give_is_known_on_15() {
        what_functions_give_is_known(Version::Fifteen).await;
    }

    #[tokio::test]
    async fn what_functions_give_is_known_on_18() {
        what_functions_give_is_known(Version::Eighteen).await;
    }
}
