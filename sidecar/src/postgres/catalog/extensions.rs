//! Extensions that are known to do no more than they say, and what of theirs limited sessions may use.
//!
//! A name alone proves nothing: whoever owns an extension may add to it what they like, and some tools let people make
//! extensions of any name. So what is in C must be in C, which takes a superuser to make, and what is not must be a
//! superuser's.

/// Their base types are made by functions in C that call nothing of a user's.
pub(super) const TYPES: [&str; 7] = ["citext", "cube", "hstore", "isn", "ltree", "seg", "vector"];

/// Their operators, casts and functions compute from what they are given.
pub(super) const OBJECTS: &str = "'citext', 'hstore', 'pg_trgm', 'ltree', 'intarray', 'cube', 'seg', 'isn', \
     'btree_gist', 'btree_gin', 'unaccent', 'vector'";

/// One that has operators in SQL, and the functions behind them: these do nothing but turn their operands round.
pub(super) const WITH_SQL: &str = "'postgis'";
pub(super) const IN_SQL: &str =
    "'contains_2d', 'is_contained_2d', 'overlaps_2d', 'overlaps_geog', 'overlaps_nd'";

/// Functions that may be called, by extension; sorted. They compute from what they are given, and give single values.
/// Nothing stands here that reads a table or a file, or that runs a text.
#[rustfmt::skip]
pub(super) const FUNCTIONS: &[(&str, &[&str])] = &[
    ("cube", &[
        "cube", "cube_dim", "cube_distance", "cube_enlarge", "cube_inter", "cube_is_point", "cube_ll_coord", "cube_size",
        "cube_subset", "cube_union", "cube_ur_coord",
    ]),
    ("fuzzystrmatch", &[
        "daitch_mokotoff", "difference", "dmetaphone", "dmetaphone_alt", "levenshtein", "levenshtein_less_equal",
        "metaphone", "soundex",
    ]),
    ("hstore", &[
        "akeys", "avals", "defined", "delete", "exist", "exists_all", "exists_any", "hstore", "hstore_to_array",
        "hstore_to_json", "hstore_to_json_loose", "hstore_to_jsonb", "hstore_to_jsonb_loose", "hstore_to_matrix", "skeys",
        "slice", "slice_array", "svals",
    ]),
    ("intarray", &["icount", "idx", "intset", "sort", "sort_asc", "sort_desc", "subarray", "uniq"]),
    ("ltree", &["index", "lca", "ltree2text", "nlevel", "subltree", "subpath", "text2ltree"]),
    ("pg_trgm", &["show_trgm", "similarity", "strict_word_similarity", "word_similarity"]),
    ("pgcrypto", &[
        "armor", "crypt", "dearmor", "decrypt", "decrypt_iv", "digest", "encrypt", "encrypt_iv", "gen_random_bytes",
        "gen_random_uuid", "gen_salt", "hmac", "pgp_key_id", "pgp_pub_decrypt", "pgp_pub_decrypt_bytea",
        "pgp_pub_encrypt", "pgp_pub_encrypt_bytea", "pgp_sym_decrypt", "pgp_sym_decrypt_bytea", "pgp_sym_encrypt",
        "pgp_sym_encrypt_bytea",
    ]),
    // Those that measure on the globe look for its shape in a table.
    ("postgis", &[
        "st_asbinary", "st_boundary", "st_contains", "st_convexhull", "st_crosses", "st_difference", "st_dimension",
        "st_disjoint", "st_endpoint", "st_envelope", "st_equals", "st_expand", "st_exteriorring", "st_geometryn",
        "st_geometrytype", "st_geomfromewkt", "st_geomfromtext", "st_isempty", "st_m", "st_makeenvelope", "st_makepoint",
        "st_npoints", "st_numgeometries", "st_numpoints", "st_overlaps", "st_point", "st_pointn", "st_setsrid",
        "st_simplify", "st_srid", "st_startpoint", "st_touches", "st_within", "st_x", "st_xmax", "st_xmin", "st_y",
        "st_ymax", "st_ymin", "st_z",
    ]),
    ("unaccent", &["unaccent"]),
    ("uuid-ossp", &[
        "uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v3", "uuid_generate_v4", "uuid_generate_v5", "uuid_nil",
        "uuid_ns_dns", "uuid_ns_oid", "uuid_ns_url", "uuid_ns_x500",
    ]),
    ("vector", &[
        "binary_quantize", "cosine_distance", "hamming_distance", "inner_product", "jaccard_distance", "l1_distance",
        "l2_distance", "l2_norm", "l2_normalize", "subvector", "vector_dims", "vector_norm",
    ]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted() {
        assert!(TYPES.is_sorted() && FUNCTIONS.is_sorted_by_key(|(extension, _)| extension));
        for (extension, names) in FUNCTIONS {
            assert!(names.is_sorted_by(|one, next| one < next), "{extension}");
        }
    }
}
