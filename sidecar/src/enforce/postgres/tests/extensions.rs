//! Functions that are not the server's own, and what may be called of them.

use super::*;

/// The shop, with an extension's functions in `public`, and a domain.
fn shop_with_extensions(path: &[&str]) -> Ground {
    let named = |schema: &str, name: &str| Named { schema: schema.into(), name: name.into() };
    let mut parts = shop_parts();
    parts.open_functions =
        vec![named("public", "similarity"), named("hr", "nlevel"), named("public", "gen_random_uuid")];
    parts.functions.extend([named("hr", "similarity"), named("public", "crosstab")]);
    parts.functions_behind =
        vec![named("public", "upper"), named("hr", "reverse"), named("public", "currval")];
    let checked = Type { oid: 99_998, schema: "public".into(), name: "positive".into(), harmless: false };
    parts
        .types
        .extend([checked.clone(), Type { name: "plain".into(), harmless: true, oid: 99_997, ..checked }]);
    let path = path.iter().map(|schema| Arc::from(*schema)).collect();
    Ground { path, ..ground_of(parts, Star::Deny) }
}

#[test]
fn functions_of_a_known_extension_may_be_called_where_they_are_found() {
    let ground = shop_with_extensions(&["pg_catalog", "public"]);
    for text in [
        "SELECT similarity(sku, 'a') FROM sales ORDER BY public.similarity(sku, 'b')",
        "SELECT hr.nlevel(sku) FROM sales",
        "SELECT gen_random_uuid(), public.gen_random_uuid(), pg_catalog.gen_random_uuid()",
        "SELECT id FROM sales, similarity(sku, 'a') AS s WHERE s > 0",
    ] {
        judge(text, &ground).unwrap_or_else(|denial| panic!("{text}: {denial:?}"));
    }
    for text in [
        "SELECT similarity(card_number, 'a') FROM sales",
        "SELECT nlevel(sku) FROM sales",
        "SELECT hr.similarity(sku, 'a') FROM sales",
        "SELECT pg_catalog.similarity(sku, 'a') FROM sales",
        "SELECT information_schema.similarity(sku, 'a') FROM sales",
        "SELECT nowhere.similarity(sku, 'a') FROM sales",
        "SELECT public.lower(sku) FROM sales",
        "SELECT crosstab('SELECT card_number FROM sales')",
    ] {
        judge(text, &ground).expect_err(text);
    }
    let both = shop_with_extensions(&["pg_catalog", "public", "hr"]);
    judge("SELECT similarity(sku, 'a') FROM sales", &both).unwrap_err();
    judge("SELECT nlevel(sku) FROM sales", &both).unwrap();
}

#[test]
fn a_function_behind_the_servers_own_is_found_where_the_path_leads_to_it_first() {
    let behind = shop_with_extensions(&["pg_catalog", "public", "hr"]);
    for text in
        ["SELECT upper(sku), reverse(sku) FROM sales", "SELECT (sku).upper FROM (SELECT sku FROM sales) s"]
    {
        judge(text, &behind).unwrap_or_else(|denial| panic!("{text}: {denial:?}"));
    }
    judge("SELECT public.upper(sku) FROM sales", &behind).unwrap_err();
    let before = shop_with_extensions(&["public", "pg_catalog"]);
    for text in
        ["SELECT upper(sku) FROM sales", "SELECT (sku).upper FROM sales", "SELECT currval('orders_id_seq')"]
    {
        judge(text, &before).expect_err(text);
    }
    judge("SELECT pg_catalog.upper(sku), reverse(sku) FROM sales", &before).unwrap();
    judge("SELECT reverse(sku) FROM sales", &shop_with_extensions(&["hr", "pg_catalog"])).unwrap_err();
}

#[test]
fn a_field_that_has_the_name_of_a_type_may_be_a_cast() {
    let ground = shop_with_extensions(&["pg_catalog", "public"]);
    for text in [
        "SELECT ('5'::text).positive",
        "SELECT (sku).positive FROM sales",
        "SELECT s.positive FROM (SELECT sku FROM sales) s",
        "SELECT positive('5')",
        "SELECT '5'::positive",
    ] {
        judge(text, &ground).expect_err(text);
    }
    judge("SELECT ('5'::text).plain, '5'::plain, CAST(sku AS plain) FROM sales", &ground).unwrap();
}
