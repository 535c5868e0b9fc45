//! Where extensions lie among the tables, limited sessions go on as before, and may use what is known to be harmless.

use postern_tests::{
    limits::{
        ACCOUNT, NATIVE,
        generate::statement,
        ground::{COMMON, Ground},
        number,
        oracle::Oracle,
        talk::{Door, Talk},
        views::{self, resources_with_views},
    },
    postgres::{Postgres, Version},
    stage::{Stage, Wish},
};
use serde_json::json;

const EXTENSIONS: &str = "
create extension hstore; create extension pg_trgm; create extension \"uuid-ossp\"; create extension unaccent;
create extension citext; create extension ltree; create extension pgcrypto; create extension fuzzystrmatch;
create extension intarray; create extension cube; create extension tablefunc;
create function spy(text) returns bool language sql as $$select not exists (select from sales where card_number = $1)$$;
create domain plain as text; create domain checked as text check (spy(value));
create table things(id int, attrs hstore, way ltree, name citext, word plain, list int[]);
insert into things values (1, 'a=>1, b=>2', 'top.sub', 'Bob', 'hôtel', '{3,1}'), (2, 'a=>3', 'top', 'ann', 'x', '{2}');
grant select, insert, update on things to limited;
create function public.date_trunc(text, timestamp) returns timestamp language sql as $$select null::timestamp$$;
";

/// The native role may run each, and so may a limited session.
const ORDINARY: &[&str] = &[
    "select akeys(attrs), avals(attrs), attrs -> 'a', attrs ? 'b', attrs @> 'a=>1' from things order by id",
    "select attrs || 'c=>4'::hstore, hstore('a', 'b'), slice(attrs, array['a']), attrs::json from things",
    "select hstore(o) from orders o order by id",
    "select skeys(attrs) from things order by 1",
    "select k from things, skeys(attrs) as k where exist(attrs, 'b') order by k",
    "update things set attrs = attrs || hstore('z', '1'), word = 'y' where id = 1",
    "insert into things(id, attrs, name) values (3, 'x=>y', 'C') returning attrs",
    "select similarity(sku, 'SKU-1'), word_similarity('a', prod_name) from sales where sku % 'SKU-2' order by id",
    "select id from sales order by sku <-> 'SKU-3', id",
    "select unaccent(word), word::plain, word || '1', upper(word) from things where unaccent(word) like 'ho%'",
    "select nlevel(way), subpath(way, 0, 1), lca(way, 'top.x') from things where way <@ 'top' order by id",
    "select name, lower(name), replace(name, 'B', 'b'), regexp_match(name, 'b') from things where name = 'BOB'",
    "select min(name), max(name), array_agg(name order by name) from things",
    "select length(gen_salt('bf')), gen_random_uuid() is not null, encode(digest(sku, 'sha256'), 'hex') from sales",
    "select encode(hmac('a', 'b', 'sha1'), 'hex'), pgp_sym_decrypt(dearmor(armor(pgp_sym_encrypt('a', 'k'))), 'k')",
    "select uuid_generate_v4() is not null, uuid_nil(), uuid_generate_v5(uuid_ns_dns(), sku) from sales order by id",
    "select public.uuid_nil(), public.similarity('a', 'b'), public.soundex(prod_name) from sales",
    "select levenshtein(sku, 'SKU'), metaphone(prod_name, 4), dmetaphone('a') from sales order by id",
    "select sort(list), idx(list, 3), uniq(list), list & array[1], list && array[2], icount(list) from things",
    "select cube(1, 2), cube_dim('(1,2)'::cube)",
    "select date_trunc('day', '2024-01-02 03:04'::timestamp)",
    "select ('a'::text).plain, (word).upper from things order by id",
    "select sum(qty), avg(qty), min(id), max(id), count(distinct sale_id) from orders group by sale_id order by 1",
    "select id from sales where sku ~ '^SKU' and prod_name ~* 'product' and array[1] && array[id] order by id",
    "select text(id), bytea('a'), point(1, 2), box(point(0, 0), point(1, 1)), '{1,2}'::int[] @> array[1] from sales",
];

/// The native role may run none of these, or reaches nothing by them; a limited session is refused each.
const REFUSED: &[&str] = &[
    "select similarity(card_number, 'CARD') from sales",
    "select hstore(s) from sales s",
    "select digest(card_number, 'md5') from sales",
    "select * from crosstab('select id, sku, card_number from sales') as t(a int, b text, c text)",
    "select ('5'::text).checked",
    "select '5'::checked",
    "select checked('5')",
    "select public.date_trunc('day', '2024-01-02 03:04'::timestamp)",
];

#[tokio::test]
async fn extensions_leave_ordinary_statements_alone_and_some_of_their_own_may_be_used() {
    let postgres = Postgres::start(Version::Fifteen).await.expect("PostgreSQL 15 is installed");
    Ground::lay(&postgres, &[]).await;
    views::lay(&postgres).await;
    postgres.admin_of(COMMON).await.batch_execute(EXTENSIONS).await.expect("they are in the distribution");
    let native = Door { port: postgres.port(), user: NATIVE.to_owned(), password: String::new() };
    let stage = Stage::around(postgres, Wish { more: vec![COMMON.to_owned()], ..Wish::default() }).await;
    let mut granted = resources_with_views();
    let things = json!({"resource": "public.things", "privileges": ["SELECT", "INSERT", "UPDATE"]});
    granted.as_array_mut().expect("resources are a list").push(things);
    let access = stage.limited(COMMON, ACCOUNT, &granted).await;
    let gate = Door { port: stage.sidecar.port(), user: access.account, password: access.token };
    let mut oracle = Oracle::open(native, gate.clone(), COMMON).await;
    for sql in ORDINARY {
        assert!(oracle.compare(sql).await, "the native role may not: {sql}");
    }
    let tally = &oracle.tally;
    assert_eq!(tally.allowed, ORDINARY.len(), "{}", tally.report());
    let mut talk = Talk::open(&gate, COMMON).await.expect("the session begins");
    for sql in REFUSED {
        let answer = talk.say(sql, None).await;
        assert_eq!(answer.error().expect(sql).code(), "42501", "{sql}");
    }
    let (seed, count) = (number("POSTERN_TEST_SEED", 1), number("POSTERN_TEST_STATEMENTS", 300));
    for seed in seed..seed + count {
        oracle.compare(&statement(seed)).await;
    }
    oracle.tally.hold(100);
}
