//! Which types are harmless: making a value of one runs nobody's code but the server's.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::extensions;
use crate::enforce::postgres::catalog::{FIRST_USER_OID, PG_CATALOG, Type};

/// What [`Type::harmless`] follows from.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) oid: u32,
    pub(super) schema: Arc<str>,
    pub(super) name: Box<str>,
    /// `typtype`
    pub(super) kind: u8,
    /// `typelem`
    pub(super) element: u32,
    /// `typarray`
    pub(super) array: u32,
    /// `typbasetype`, of domains
    pub(super) base: u32,
    /// The extension that it belongs to, if its values are made in C; may be empty.
    pub(super) extension: Box<str>,
    /// Whether it is a domain with an expression that its values must meet.
    pub(super) checked: bool,
}

/// A line of `pg_range`.
#[derive(Debug)]
pub(super) struct Range {
    /// `rngtypid`
    pub(super) oid: u32,
    /// `rngmultitypid`
    pub(super) multirange: u32,
    /// `rngsubtype`
    pub(super) subtype: u32,
    /// The operator class that orders its bounds, the function that makes them canonical, and the one that measures
    /// between them.
    pub(super) helpers: [u32; 3],
}

/// What one type stands on.
enum Footing {
    Harmless,
    Harmful,
    /// As good as this one.
    Like(u32),
}

/// Judges all types; of these a value is known to do harm. Arrays of types that are not among them, such as of row types, are left out.
pub(super) fn judged(mut all: Vec<Described>, ranges: &[Range], harmful: &HashSet<u32>) -> Vec<Type> {
    let known: HashSet<u32> = all.iter().map(|each| each.oid).collect();
    all.retain(|each| each.element == 0 || known.contains(&each.element));
    let arrays: HashMap<u32, u32> =
        all.iter().filter(|each| each.array != 0).map(|each| (each.array, each.oid)).collect();
    let mut footings: HashMap<u32, Footing> =
        all.iter().map(|each| (each.oid, footing(each, &arrays, ranges))).collect();
    footings.retain(|oid, _| !harmful.contains(oid));
    let typed = |Described { oid, schema, name, .. }| {
        let harmless = is_harmless(oid, &footings);
        Type { oid, schema, name, harmless }
    };
    all.into_iter().map(typed).collect()
}

fn footing(each: &Described, arrays: &HashMap<u32, u32>, ranges: &[Range]) -> Footing {
    let of_server = each.oid < FIRST_USER_OID;
    if let Some(element) = arrays.get(&each.oid) {
        return Footing::Like(*element);
    }
    match each.kind {
        b'b' if of_server && &*each.schema == PG_CATALOG => Footing::Harmless,
        b'b' if extensions::TYPES.contains(&&*each.extension) => Footing::Harmless,
        b'e' => Footing::Harmless,
        b'r' => match ranges.iter().find(|range| range.oid == each.oid) {
            Some(range) if range.helpers.iter().all(|oid| *oid < FIRST_USER_OID) => {
                Footing::Like(range.subtype)
            }
            Some(_) | None => Footing::Harmful,
        },
        b'm' => match ranges.iter().find(|range| range.multirange == each.oid) {
            Some(range) => Footing::Like(range.oid),
            None => Footing::Harmful,
        },
        // A domain's constraints are anybody's expressions, but for those that the standard wants.
        b'd' if !each.checked => Footing::Like(each.base),
        b'd' if of_server && &*each.schema == "information_schema" => Footing::Like(each.base),
        _ => Footing::Harmful,
    }
}

fn is_harmless(oid: u32, footings: &HashMap<u32, Footing>) -> bool {
    let mut oid = oid;
    // Longer than any chain of multirange, range, array and domain can be.
    for _ in 0..32 {
        match footings.get(&oid) {
            Some(Footing::Harmless) => return true,
            Some(Footing::Harmful) | None => return false,
            Some(Footing::Like(other)) => oid = *other,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(oid: u32, schema: &str, name: &str, kind: u8) -> Described {
        let (schema, name, extension) = (schema.into(), name.into(), "".into());
        Described { oid, schema, name, kind, element: 0, array: 0, base: 0, extension, checked: false }
    }

    fn harmless(all: Vec<Described>, ranges: &[Range]) -> Vec<u32> {
        let judged = judged(all, ranges, &HashSet::new());
        judged.iter().filter(|each| each.harmless).map(|each| each.oid).collect()
    }

    #[test]
    fn the_servers_own_base_types_are_harmless_and_so_are_enums() {
        let all = vec![
            described(23, PG_CATALOG, "int4", b'b'),
            described(2249, PG_CATALOG, "record", b'p'),
            described(2283, PG_CATALOG, "anyelement", b'p'),
            described(20_000, "public", "mood", b'e'),
            described(20_001, "public", "own", b'b'),
            described(20_002, PG_CATALOG, "smuggled", b'b'),
            Described { checked: true, ..described(20_003, "public", "email", b'd') },
        ];
        assert_eq!(harmless(all, &[]), [23, 20_000]);
    }

    #[test]
    fn arrays_are_as_good_as_their_elements_and_those_of_row_types_are_no_types() {
        let with = |array, each| Described { array, ..each };
        let of = |element, each| Described { element, ..each };
        let all = vec![
            with(1007, described(23, PG_CATALOG, "int4", b'b')),
            of(23, described(1007, PG_CATALOG, "_int4", b'b')),
            with(20_001, described(20_000, "public", "own", b'b')),
            of(20_000, described(20_001, "public", "_own", b'b')),
            of(20_002, described(20_003, "public", "_some_table", b'b')),
        ];
        let listed = judged(all, &[], &HashSet::new());
        let listed: Vec<(u32, bool)> = listed.iter().map(|each| (each.oid, each.harmless)).collect();
        assert_eq!(listed, [(23, true), (1007, true), (20_000, false), (20_001, false)]);
    }

    #[test]
    fn a_range_with_somebodys_function_is_not_harmless_nor_its_multirange() {
        let range = |oid, multirange, canonical| Range {
            oid,
            multirange,
            subtype: 23,
            helpers: [1978, canonical, 0],
        };
        let all = vec![
            described(23, PG_CATALOG, "int4", b'b'),
            described(20_000, "public", "plain", b'r'),
            described(20_001, "public", "plains", b'm'),
            described(20_002, "public", "odd", b'r'),
            described(20_003, "public", "odds", b'm'),
        ];
        let ranges = [range(20_000, 20_001, 0), range(20_002, 20_003, 20_009)];
        assert_eq!(harmless(all, &ranges), [23, 20_000, 20_001]);
    }

    #[test]
    fn a_domain_is_as_good_as_its_base_unless_somebodys_expression_checks_it() {
        let domain = |base, checked, each| Described { base, checked, ..each };
        let all = vec![
            described(23, PG_CATALOG, "int4", b'b'),
            domain(23, true, described(13_000, "information_schema", "cardinal_number", b'd')),
            domain(23, true, described(20_000, "information_schema", "smuggled", b'd')),
            domain(23, true, described(20_001, "public", "positive", b'd')),
            domain(23, false, described(20_002, "public", "number", b'd')),
            domain(20_002, false, described(20_003, "public", "numeral", b'd')),
            domain(20_001, false, described(20_004, "public", "positive_too", b'd')),
            domain(20_009, false, described(20_005, "public", "a_row", b'd')),
        ];
        assert_eq!(harmless(all, &[]), [23, 13_000, 20_002, 20_003]);
    }

    #[test]
    fn what_stands_on_a_harmful_type_is_harmful() {
        let all = || {
            vec![
                described(20_000, "public", "mood", b'e'),
                Described { base: 20_000, ..described(20_001, "public", "temper", b'd') },
            ]
        };
        assert_eq!(judged(all(), &[], &HashSet::new()).iter().filter(|each| each.harmless).count(), 2);
        assert!(judged(all(), &[], &HashSet::from([20_000])).iter().all(|each| !each.harmless));
    }

    #[test]
    fn types_of_a_trusted_extension_are_harmless_wherever_it_was_put() {
        let of = |extension: &str, each| Described { extension: extension.into(), ..each };
        let all = vec![
            of("citext", described(20_000, "extensions", "citext", b'b')),
            of("lookalike", described(20_001, "public", "citext", b'b')),
            Described { checked: true, ..of("citext", described(20_002, "public", "a_domain", b'd')) },
        ];
        assert_eq!(harmless(all, &[]), [20_000]);
    }
}
