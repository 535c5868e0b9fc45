//! What extensions, and what looks like one, leave of the server's own names.

use super::*;

/// Base types as an extension makes them, and functions that have the server's own names.
const OWN: &str = "
create type raw;
create function raw_in(cstring) returns raw language internal immutable strict as 'textin';
create function raw_out(raw) returns cstring language internal immutable strict as 'textout';
create type raw (input = raw_in, output = raw_out, like = text);
create type odd;
create function odd_in(cstring) returns odd language internal immutable strict as 'textin';
create function odd_out(odd) returns cstring language internal immutable strict as 'textout';
create type odd (input = odd_in, output = odd_out, like = text);
create function odd_rank(odd) returns int language sql as 'select 1';
create cast (odd as int) with function odd_rank(odd);
create type mood as enum ('good');
create domain word as text check (value <> '');
create function raw_more(raw, raw) returns raw language internal immutable strict as 'textcat';
create function raw_evil(raw, raw) returns raw language sql as 'select $1';
create function word_more(word, raw) returns word language internal immutable strict as 'textcat';
create function odd_more(odd, odd) returns odd language internal immutable strict as 'textcat';

create function public.lower(raw) returns raw language internal as 'lower';
create function public.substr(raw, raw) returns text language internal as 'textcat';
create function public.bytea(raw) returns bytea language internal as 'byteaout';
create aggregate public.sum(raw) (sfunc = raw_more, stype = raw);

create function public.upper(raw) returns raw language sql as 'select $1';
create function public.initcap(mood) returns text language internal as 'enum_out';
create function public.reverse(raw[]) returns text language internal as 'array_out';
create function public.ltrim(word) returns text language internal as 'lower';
create function public.rtrim(anyelement) returns text language internal as 'lower';
create function public.btrim(raw, int) returns text language internal as 'lower';
create function public.replace(raw, raw default 'x'::raw) returns text language internal as 'lower';
create function public.concat(variadic raw[]) returns text language internal as 'lower';
create function public.chr() returns text language internal as 'pg_client_encoding';
create function public.repeat(raw) returns odd language internal as 'lower';
create function public.left(odd) returns text language internal as 'lower';
create function public.right(raw) returns word language internal as 'lower';
create function public.split_part(raw) returns record language internal as 'lower';
create aggregate public.max(raw) (sfunc = raw_evil, stype = raw);
create aggregate public.min(raw) (sfunc = raw_more, stype = raw, combinefunc = raw_evil);
create aggregate public.avg(raw) (sfunc = word_more, stype = word, initcond = 'a');
create function public.neither(raw) returns raw language internal as 'lower';

create function public.now() returns timestamptz language plpgsql as 'begin return null; end';
create function public.length(text) returns int language sql as 'select 1';
create function public.md5(of text) returns text language sql as 'select 1::text';
create function public.strpos(text, text default 'x') returns int language sql as 'select 1';
";

#[tokio::test]
async fn what_takes_only_its_owners_own_types_is_not_taken_for_the_servers() {
    let scene = Scene::on(Version::Fifteen).await.unwrap();
    scene.run(OWN).await;
    let catalog = scene.fresh().await;
    let (none, public): (&[Arc<str>], _) = (&[], [Arc::from("public")]);
    for name in ["lower", "substr", "bytea"] {
        assert_eq!(catalog.function_schemas(name), none, "{name}");
        assert_eq!(catalog.schemas_of_functions_behind(name), none, "{name}");
    }
    for name in ["now", "length"] {
        assert_eq!(catalog.function_schemas(name), none, "{name}");
        assert_eq!(catalog.schemas_of_functions_behind(name), public, "{name}");
    }
    for name in [
        "upper",
        "initcap",
        "reverse",
        "ltrim",
        "rtrim",
        "btrim",
        "replace",
        "concat",
        "chr",
        "repeat",
        "left",
        "right",
        "split_part",
        "max",
        "min",
        "avg",
        "sum",
        "neither",
        "md5",
        "strpos",
    ] {
        assert_eq!(catalog.function_schemas(name), public, "{name}");
        assert_eq!(catalog.schemas_of_open_functions(name), none, "{name}");
    }
}

#[tokio::test]
async fn functions_that_a_known_extension_has_may_be_called_unless_anybody_adds_to_them() {
    let scene = Scene::on(Version::Fifteen).await.unwrap();
    scene
        .run(
            "create schema elsewhere;
             create extension pg_trgm schema elsewhere; create extension \"uuid-ossp\"; create extension pgcrypto;
             create extension tablefunc; create extension citext",
        )
        .await;
    let open = async |name: &str| {
        let catalog = scene.fresh().await;
        let list =
            |schemas: &[Arc<str>]| schemas.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        (list(catalog.schemas_of_open_functions(name)), list(catalog.function_schemas(name)))
    };
    let (free, closed) = (
        |schema: &str| (schema.to_owned(), String::new()),
        |schema: &str| (String::new(), schema.to_owned()),
    );
    assert_eq!(open("similarity").await, free("elsewhere"));
    assert_eq!(open("uuid_generate_v4").await, free("public"));
    assert_eq!(open("gen_random_uuid").await, free("public"));
    assert_eq!(open("crosstab").await, closed("public"));
    assert_eq!(open("lower").await, free(""));
    scene
        .run(
            "create function elsewhere.similarity(int, int) returns int language sql as 'select 1';
             create function lower(int) returns int language sql as 'select 1'; alter function lower(int) owner to app_ro;
             create function similarity(int, int) returns int language sql as 'select 1'",
        )
        .await;
    assert_eq!(open("lower").await, closed("public"));
    let mut both = open("similarity").await.1.split(' ').map(str::to_owned).collect::<Vec<_>>();
    both.sort();
    assert_eq!(
        (open("similarity").await.0, both),
        (String::new(), vec!["elsewhere".into(), "public".into()])
    );
    scene
        .run(
            "alter extension pg_trgm add function elsewhere.similarity(int, int); drop function similarity(int, int);
             alter extension citext add function lower(int)",
        )
        .await;
    assert!(open("similarity").await.0.is_empty(), "what is not in C may do anything");
    assert_eq!(open("lower").await, closed("public"), "nor does it belong to a superuser");
}

#[tokio::test]
async fn what_is_made_of_the_servers_functions_is_somebodys_whatever_it_is_called_and_belongs_to() {
    let scene = Scene::on(Version::Fifteen).await.unwrap();
    scene.run("create extension citext; create extension btree_gin; create extension hstore").await;
    let before = scene.fresh().await;
    for name in ["min", "max"] {
        assert!(before.function_schemas(name).is_empty(), "{name} of citext has parts of its own");
    }
    assert!(
        before.function_schemas("replace").is_empty(),
        "what citext has in SQL is found behind the server's"
    );
    assert_eq!(before.schemas_of_functions_behind("replace").len(), 1);
    assert_eq!(before.operator_schemas("#=").len(), 1, "it makes a row like any other");
    assert!(before.operator_schemas("->").is_empty() && before.operator_schemas("=").is_empty());
    scene
        .run(
            "create aggregate public.sum(citext) (sfunc = ts_rewrite, stype = tsquery, initcond = 'a');
             create aggregate public.avg(citext) (sfunc = textcat, stype = text, finalfunc = current_setting);
             alter extension citext add aggregate public.avg(citext);
             create operator public.<<<| (leftarg = tsquery, rightarg = text, procedure = ts_rewrite);
             alter extension btree_gin add operator public.<<<|(tsquery, text)",
        )
        .await;
    let catalog = scene.fresh().await;
    for name in ["sum", "avg"] {
        assert_eq!(catalog.function_schemas(name).len(), 1, "{name}");
    }
    assert_eq!(catalog.operator_schemas("<<<|").len(), 1);
}

#[tokio::test]
async fn a_look_alike_of_a_known_extensions_function_is_somebodys() {
    let scene = Scene::on(Version::Fifteen).await.unwrap();
    let forge = "create function uuid_generate_v4() returns uuid language internal as 'gen_random_uuid'";
    scene.run(forge).await;
    let catalog = scene.fresh().await;
    assert!(catalog.schemas_of_open_functions("uuid_generate_v4").is_empty());
    assert_eq!(catalog.function_schemas("uuid_generate_v4").len(), 1);
}

/// An extension that has the name of one with operators in SQL.
const TURNED: &str = "
create extension seg;
set allow_system_table_mods = on;
update pg_extension set extname = 'postgis' where extname = 'seg';
create function same(raw, raw) returns bool language internal immutable strict as 'texteq';
create function alike(raw, odd) returns bool language internal immutable strict as 'texteq';
create operator public.~ (leftarg = raw, rightarg = odd, function = alike);
create function overlaps_2d(odd, raw) returns bool language sql as 'select $2 operator(public.~) $1';
create operator public.&& (leftarg = odd, rightarg = raw, function = overlaps_2d);
create function ours(raw, raw) returns bool language sql as 'select true';
create operator public.@ (leftarg = raw, rightarg = raw, function = ours);
alter extension postgis add function overlaps_2d(odd, raw);
alter extension postgis add function ours(raw, raw);
";

#[tokio::test]
async fn operators_in_sql_are_a_known_extensions_and_a_superusers_or_anybodys() {
    let scene = Scene::on(Version::Fifteen).await.unwrap();
    scene.run(&OWN.replace("create cast (odd", "-- create cast (odd")).await;
    scene.run(TURNED).await;
    let foreign = async |name: &str| !scene.fresh().await.operator_schemas(name).is_empty();
    assert!(!foreign("~").await && !foreign("&&").await && foreign("@").await);
    scene.run("alter function overlaps_2d(odd, raw) owner to app_ro").await;
    assert!(!foreign("~").await && foreign("&&").await);
    scene.run("alter function overlaps_2d(odd, raw) owner to current_user").await;
    assert!(!foreign("&&").await);
    scene.run("alter extension postgis drop function overlaps_2d(odd, raw)").await;
    assert!(foreign("&&").await);
}

#[tokio::test]
async fn a_domain_is_as_good_as_what_it_is_made_of() {
    let scene = Scene::on(Version::Fifteen).await.unwrap();
    scene
        .run(
            "create type mood as enum ('good'); create type row_like as (a int);
             create domain plain as int; create domain filled as plain not null default 1;
             create domain temper as mood; create domain tempers as mood[]; create domain rows as row_like;
             create domain checked as plain check (value > 0); create domain over as checked;
             create function trick(text) returns mood language sql as $$select 'good'::mood$$",
        )
        .await;
    let harmless = async |name: &str| scene.fresh().await.type_named("public", name).unwrap().harmless;
    for name in ["plain", "filled", "temper", "_temper", "tempers"] {
        assert!(harmless(name).await, "{name}");
    }
    for name in ["rows", "checked", "over", "_over"] {
        assert!(!harmless(name).await, "{name}");
    }
    let made = async |name: &str| {
        let catalog = scene.fresh().await;
        catalog.casts_to(catalog.type_named("public", name).unwrap().oid)
    };
    assert!(!made("temper").await);
    scene.run("create cast (text as mood) with function trick(text)").await;
    for name in ["mood", "temper", "_temper", "tempers", "_tempers"] {
        assert!(made(name).await, "{name}");
    }
    assert!(!made("plain").await);
    scene.run("alter domain plain add constraint small check (value < 9)").await;
    assert!(!harmless("plain").await && !harmless("filled").await);
    scene.run("alter domain plain drop constraint small").await;
    assert!(harmless("filled").await);
}
