//! Functions that may be called.
//!
//! They compute from their arguments, or say what the session knows of itself. None of them reads files, waits, takes
//! locks, calls other code, or says something of other sessions. Where a server lacks one of them, it looks for a stored
//! function of that name: whoever asks makes sure that there is none.

use super::catalog::Server;

/// Sorted.
#[rustfmt::skip]
const FUNCTIONS: &[&str] = &[
    "ABS", "ACOS", "ADDDATE", "ADDTIME", "ADD_MONTHS", "AES_DECRYPT", "AES_ENCRYPT", "ANY_VALUE", "ASCII",
    "ASIN", "ATAN", "ATAN2", "AVG", "BIN", "BIN_TO_UUID", "BIT_AND", "BIT_COUNT", "BIT_LENGTH", "BIT_OR",
    "BIT_XOR", "CAST", "CEIL", "CEILING", "CHAR", "CHARACTER_LENGTH", "CHARSET", "CHAR_LENGTH", "CHR",
    "COALESCE", "COERCIBILITY", "COLLATION", "COLUMN_ADD", "COLUMN_CHECK", "COLUMN_CREATE", "COLUMN_DELETE",
    "COLUMN_EXISTS", "COLUMN_GET", "COLUMN_JSON", "COLUMN_LIST", "COMPRESS", "CONCAT", "CONCAT_OPERATOR_ORACLE",
    "CONCAT_WS", "CONNECTION_ID", "CONV", "CONVERT", "CONVERT_TZ", "COS", "COT", "COUNT", "CRC32", "CRC32C",
    "CUME_DIST", "CURDATE", "CURRENT_DATE", "CURRENT_ROLE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "CURRENT_USER",
    "CURTIME", "DATABASE", "DATE", "DATEDIFF", "DATE_ADD", "DATE_FORMAT", "DATE_SUB", "DAY", "DAYNAME",
    "DAYOFMONTH", "DAYOFWEEK", "DAYOFYEAR", "DEGREES", "DENSE_RANK", "ELT", "EXP", "EXPORT_SET", "EXTRACT",
    "EXTRACTVALUE", "FIELD", "FIND_IN_SET", "FIRST_VALUE", "FLOOR", "FORMAT", "FORMAT_BYTES",
    "FORMAT_PICO_TIME", "FOUND_ROWS", "FROM_BASE64", "FROM_DAYS", "FROM_UNIXTIME", "FROM_VECTOR",
    "GEOMETRYCOLLECTION", "GET_FORMAT", "GREATEST", "GROUPING", "GROUP_CONCAT", "HEX", "HOUR", "IF", "IFNULL",
    "INET6_ATON", "INET6_NTOA", "INET_ATON", "INET_NTOA", "INSERT", "INSTR", "INTERVAL", "ISNULL", "IS_IPV4",
    "IS_IPV4_COMPAT", "IS_IPV4_MAPPED", "IS_IPV6", "IS_UUID", "JSON_ARRAY", "JSON_ARRAYAGG",
    "JSON_ARRAY_APPEND", "JSON_ARRAY_INSERT", "JSON_ARRAY_INTERSECT", "JSON_COMPACT", "JSON_CONTAINS",
    "JSON_CONTAINS_PATH", "JSON_DEPTH", "JSON_DETAILED", "JSON_EQUALS", "JSON_EXISTS", "JSON_EXTRACT",
    "JSON_INSERT", "JSON_KEYS", "JSON_KEY_VALUE", "JSON_LENGTH", "JSON_LOOSE", "JSON_MERGE", "JSON_MERGE_PATCH",
    "JSON_MERGE_PRESERVE", "JSON_NORMALIZE", "JSON_OBJECT", "JSON_OBJECTAGG", "JSON_OBJECT_FILTER_KEYS",
    "JSON_OBJECT_TO_ARRAY", "JSON_OVERLAPS", "JSON_PRETTY", "JSON_QUERY", "JSON_QUOTE", "JSON_REMOVE",
    "JSON_REPLACE", "JSON_SCHEMA_VALID", "JSON_SCHEMA_VALIDATION_REPORT", "JSON_SEARCH", "JSON_SET",
    "JSON_STORAGE_FREE", "JSON_STORAGE_SIZE", "JSON_TYPE", "JSON_UNQUOTE", "JSON_VALID", "JSON_VALUE", "LAG",
    "LAST_DAY", "LAST_INSERT_ID", "LAST_VALUE", "LCASE", "LEAD", "LEAST", "LEFT", "LENGTH", "LENGTHB",
    "LINESTRING", "LN", "LOCALTIME", "LOCALTIMESTAMP", "LOCATE", "LOG", "LOG10", "LOG2", "LOWER", "LPAD",
    "LTRIM", "MAKEDATE", "MAKETIME", "MAKE_SET", "MAX", "MBRCONTAINS", "MBRCOVEREDBY", "MBRCOVERS",
    "MBRDISJOINT", "MBREQUALS", "MBRINTERSECTS", "MBROVERLAPS", "MBRTOUCHES", "MBRWITHIN", "MD5", "MEDIAN",
    "MICROSECOND", "MID", "MIN", "MINUTE", "MOD", "MONTH", "MONTHNAME", "MULTILINESTRING", "MULTIPOINT",
    "MULTIPOLYGON", "NATURAL_SORT_KEY", "NOW", "NTH_VALUE", "NTILE", "NULLIF", "NVL", "NVL2", "OCT",
    "OCTET_LENGTH", "ORD", "PERCENTILE_CONT", "PERCENTILE_DISC", "PERCENT_RANK", "PERIOD_ADD", "PERIOD_DIFF",
    "PI", "POINT", "POLYGON", "POSITION", "POW", "POWER", "QUARTER", "QUOTE", "RADIANS", "RAND", "RANDOM_BYTES",
    "RANK", "REGEXP_INSTR", "REGEXP_LIKE", "REGEXP_REPLACE", "REGEXP_SUBSTR", "REPEAT", "REPLACE", "REVERSE",
    "RIGHT", "ROUND", "ROW_COUNT", "ROW_NUMBER", "RPAD", "RTRIM", "SCHEMA", "SECOND", "SEC_TO_TIME",
    "SESSION_USER", "SFORMAT", "SHA", "SHA1", "SHA2", "SIGN", "SIN", "SOUNDEX", "SPACE", "SQRT", "STD",
    "STDDEV", "STDDEV_POP", "STDDEV_SAMP", "STRCMP", "STRING_TO_VECTOR", "STR_TO_DATE", "ST_AREA",
    "ST_ASBINARY", "ST_ASGEOJSON", "ST_ASTEXT", "ST_ASWKB", "ST_ASWKT", "ST_BOUNDARY", "ST_BUFFER",
    "ST_CENTROID", "ST_CONTAINS", "ST_CONVEXHULL", "ST_CROSSES", "ST_DIFFERENCE", "ST_DIMENSION", "ST_DISJOINT",
    "ST_DISTANCE", "ST_DISTANCE_SPHERE", "ST_ENDPOINT", "ST_ENVELOPE", "ST_EQUALS", "ST_EXTERIORRING",
    "ST_GEOHASH", "ST_GEOMETRYN", "ST_GEOMETRYTYPE", "ST_GEOMFROMGEOJSON", "ST_GEOMFROMTEXT", "ST_GEOMFROMWKB",
    "ST_INTERIORRINGN", "ST_INTERSECTION", "ST_INTERSECTS", "ST_ISCLOSED", "ST_ISEMPTY", "ST_ISSIMPLE",
    "ST_ISVALID", "ST_LATFROMGEOHASH", "ST_LATITUDE", "ST_LENGTH", "ST_LINEFROMTEXT", "ST_LONGFROMGEOHASH",
    "ST_LONGITUDE", "ST_MAKEENVELOPE", "ST_NUMGEOMETRIES", "ST_NUMINTERIORRINGS", "ST_NUMPOINTS", "ST_OVERLAPS",
    "ST_POINTFROMTEXT", "ST_POINTN", "ST_POLYFROMTEXT", "ST_POLYGONFROMTEXT", "ST_SIMPLIFY", "ST_SRID",
    "ST_STARTPOINT", "ST_SWAPXY", "ST_SYMDIFFERENCE", "ST_TOUCHES", "ST_TRANSFORM", "ST_UNION", "ST_VALIDATE",
    "ST_WITHIN", "ST_X", "ST_Y", "SUBDATE", "SUBSTR", "SUBSTRING", "SUBSTRING_INDEX", "SUBTIME", "SUM",
    "SYSDATE", "SYSTEM_USER", "TAN", "TIME", "TIMEDIFF", "TIMESTAMP", "TIMESTAMPADD", "TIMESTAMPDIFF",
    "TIME_FORMAT", "TIME_TO_SEC", "TO_BASE64", "TO_CHAR", "TO_DAYS", "TO_SECONDS", "TO_VECTOR", "TRIM",
    "TRUNCATE", "UCASE", "UNCOMPRESS", "UNCOMPRESSED_LENGTH", "UNHEX", "UNIX_TIMESTAMP", "UPDATEXML", "UPPER",
    "USER", "UTC_DATE", "UTC_TIME", "UTC_TIMESTAMP", "UUID", "UUID_SHORT", "UUID_TO_BIN", "UUID_V4", "UUID_V7",
    "VARIANCE", "VAR_POP", "VAR_SAMP", "VECTOR_DIM", "VECTOR_TO_STRING", "VEC_DISTANCE", "VEC_DISTANCE_COSINE",
    "VEC_DISTANCE_EUCLIDEAN", "VEC_FROMTEXT", "VEC_TOTEXT", "VERSION", "WEEK", "WEEKDAY", "WEEKOFYEAR",
    "WEIGHT_STRING", "YEAR", "YEARWEEK",
];

/// Those that aggregate. Sorted.
#[rustfmt::skip]
const AGGREGATES: &[&str] = &[
    "ANY_VALUE", "AVG", "BIT_AND", "BIT_OR", "BIT_XOR", "COUNT", "GROUP_CONCAT", "JSON_ARRAYAGG",
    "JSON_OBJECTAGG", "MAX", "MEDIAN", "MIN", "PERCENTILE_CONT", "PERCENTILE_DISC", "STD", "STDDEV",
    "STDDEV_POP", "STDDEV_SAMP", "SUM", "VARIANCE", "VAR_POP", "VAR_SAMP",
];

/// Those of MariaDB alone. Sorted.
#[rustfmt::skip]
const OF_MARIA: &[&str] = &[
    "ADD_MONTHS", "CHR", "COLUMN_ADD", "COLUMN_CHECK", "COLUMN_CREATE", "COLUMN_DELETE", "COLUMN_EXISTS",
    "COLUMN_GET", "COLUMN_JSON", "COLUMN_LIST", "CONCAT_OPERATOR_ORACLE", "CRC32C", "JSON_ARRAY_INTERSECT",
    "JSON_COMPACT", "JSON_DETAILED", "JSON_EQUALS", "JSON_EXISTS", "JSON_KEY_VALUE", "JSON_LOOSE",
    "JSON_NORMALIZE", "JSON_OBJECT_FILTER_KEYS", "JSON_OBJECT_TO_ARRAY", "JSON_QUERY", "LENGTHB", "MEDIAN",
    "NATURAL_SORT_KEY", "NVL", "NVL2", "PERCENTILE_CONT", "PERCENTILE_DISC", "SFORMAT", "ST_BOUNDARY",
    "TO_CHAR", "UUID_V4", "UUID_V7", "VEC_DISTANCE", "VEC_DISTANCE_COSINE", "VEC_DISTANCE_EUCLIDEAN",
    "VEC_FROMTEXT", "VEC_TOTEXT",
];

/// Those of MySQL alone. Sorted.
#[rustfmt::skip]
const OF_MYSQL: &[&str] = &[
    "ANY_VALUE", "BIN_TO_UUID", "FORMAT_BYTES", "FROM_VECTOR", "GROUPING", "IS_UUID", "JSON_STORAGE_FREE",
    "JSON_STORAGE_SIZE", "MBRCOVEREDBY", "MBRCOVERS", "REGEXP_LIKE", "STRING_TO_VECTOR", "ST_GEOHASH",
    "ST_LATFROMGEOHASH", "ST_LATITUDE", "ST_LONGFROMGEOHASH", "ST_LONGITUDE", "ST_MAKEENVELOPE", "ST_SWAPXY",
    "ST_TRANSFORM", "ST_VALIDATE", "TO_VECTOR", "UUID_TO_BIN", "VECTOR_DIM", "VECTOR_TO_STRING",
];

/// Those that are a part of the grammar where the parenthesis follows at once, and names like others elsewhere. Sorted.
#[rustfmt::skip]
const GRAMMAR: &[&str] = &[
    "ADDDATE", "ADD_MONTHS", "BIT_AND", "BIT_OR", "BIT_XOR", "CAST", "COUNT", "CUME_DIST", "CURDATE", "CURTIME",
    "DATE_ADD", "DATE_FORMAT", "DATE_SUB", "DECODE", "DENSE_RANK", "EXTRACT", "FIRST_VALUE", "GROUP_CONCAT",
    "JSON_ARRAYAGG", "JSON_OBJECTAGG", "LAG", "LEAD", "MAX", "MEDIAN", "MID", "MIN", "NOW", "NTH_VALUE", "NTILE",
    "PERCENTILE_CONT", "PERCENTILE_DISC", "PERCENT_RANK", "POSITION", "RANK", "ROW_NUMBER", "SESSION_USER",
    "STD", "STDDEV", "STDDEV_POP", "STDDEV_SAMP", "ST_COLLECT", "SUBDATE", "SUBSTR", "SUBSTRING", "SUM",
    "SYSDATE", "SYSTEM_USER", "TRIM", "VARIANCE", "VAR_POP", "VAR_SAMP",
];

fn is_in(list: &[&str], name: &str) -> bool {
    let name = || name.bytes().map(|byte| byte.to_ascii_uppercase());
    list.binary_search_by(|one| one.bytes().cmp(name())).is_ok()
}

/// Whether a function of this name does no harm, if it is the server's own, and the server may have one.
pub(super) fn is_harmless(name: &str, server: Server) -> bool {
    is_in(FUNCTIONS, name) && !is_in(if server.is_maria() { OF_MYSQL } else { OF_MARIA }, name)
}

/// Whether a blank before its parenthesis makes another function of it.
pub(super) fn is_grammar(name: &str) -> bool {
    is_in(GRAMMAR, name)
}

/// Whether it aggregates.
pub(super) fn is_aggregate(name: &str) -> bool {
    is_in(AGGREGATES, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_found_in_any_case() {
        assert!(FUNCTIONS.is_sorted() && AGGREGATES.is_sorted() && GRAMMAR.is_sorted());
        assert!(OF_MARIA.is_sorted() && OF_MYSQL.is_sorted());
        assert!(is_harmless("Count", Server::default()) && is_aggregate("max") && !is_aggregate("upper"));
    }

    #[test]
    fn what_waits_locks_or_reads_files_is_not_among_them() {
        for name in
            ["SLEEP", "BENCHMARK", "LOAD_FILE", "GET_LOCK", "NAME_CONST", "NEXTVAL", "MASTER_POS_WAIT"]
        {
            assert!(!is_harmless(name, Server::default()), "{name}");
        }
    }
}
