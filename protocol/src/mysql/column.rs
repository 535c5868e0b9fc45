//! Column definitions: what a result's columns are called and where they come from.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset_column_definition.html>

use super::{Capabilities, Malformed, Reader};

/// One column of a result, one parameter of a prepared statement, or one column that `COM_FIELD_LIST` lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnDefinition<'a> {
    /// Always `def`.
    pub catalog: &'a [u8],
    /// The database.
    pub schema: &'a [u8],
    /// The table's alias.
    pub table: &'a [u8],
    /// The table's own name. A hint about the origin and no proof: MySQL names the table that a derived one reads.
    pub org_table: &'a [u8],
    /// The column's alias.
    pub name: &'a [u8],
    /// The column's own name, with the same caution.
    pub org_name: &'a [u8],
    /// MariaDB's extended metadata; empty unless agreed upon.
    pub extended: ExtendedMetadata<'a>,
    /// Number of the collation.
    pub charset: u16,
    /// Longest possible value.
    pub length: u32,
    /// `MYSQL_TYPE_…`
    pub kind: u8,
    /// `NOT_NULL_FLAG` and the like.
    pub flags: u16,
    /// Digits behind the point.
    pub decimals: u8,
    /// What `COM_FIELD_LIST` adds: the default value, if there is one.
    pub default: Option<&'a [u8]>,
}

/// MariaDB's extended metadata of a column: the type's name (`uuid`, `point`, …) and the format of texts (`json`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExtendedMetadata<'a> {
    /// The type's name.
    pub type_name: Option<&'a [u8]>,
    /// The format's name.
    pub format: Option<&'a [u8]>,
}

impl<'a> ColumnDefinition<'a> {
    /// Decodes a payload, as it is sent where these capabilities were agreed upon.
    pub fn decode(payload: &'a [u8], capabilities: Capabilities) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload);
        let column = Self::read(&mut reader, capabilities);
        column.filter(|_| reader.end().is_some()).ok_or(Malformed("column definition"))
    }

    fn read(reader: &mut Reader<'a>, capabilities: Capabilities) -> Option<Self> {
        let mut name = || reader.lenenc_bytes();
        let [catalog, schema, table, org_table, name, org_name] =
            [name()?, name()?, name()?, name()?, name()?, name()?];
        let extended = capabilities.has(Capabilities::MARIADB_EXTENDED_METADATA);
        let extended = if extended {
            ExtendedMetadata::read(reader.lenenc_bytes()?)?
        } else {
            ExtendedMetadata::default()
        };
        let mut fixed = Reader::new(reader.lenenc_bytes().filter(|fixed| fixed.len() == 12)?);
        let column = Self {
            catalog,
            schema,
            table,
            org_table,
            name,
            org_name,
            extended,
            charset: fixed.u16()?,
            length: fixed.u32()?,
            kind: fixed.u8()?,
            flags: fixed.u16()?,
            decimals: fixed.u8()?,
            default: None,
        };
        if reader.rest().is_empty() {
            return Some(column);
        }
        Some(Self { default: reader.nullable_bytes()?, ..column })
    }
}

impl<'a> ExtendedMetadata<'a> {
    fn read(block: &'a [u8]) -> Option<Self> {
        let (mut reader, mut all) = (Reader::new(block), Self::default());
        while reader.end().is_none() {
            let (kind, value) = (reader.u8()?, reader.lenenc_bytes()?);
            match kind {
                0 => all.type_name = Some(value),
                1 => all.format = Some(value),
                // Newer kinds say more about a column, and nothing that matters here.
                _ => {}
            }
        }
        Some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIXED: &[u8] = b"\x0c\x21\0\x2c\x01\0\0\xfd\x01\x10\x02\0\0";

    fn column(extended: &[u8], behind: &[u8]) -> Vec<u8> {
        [&b"\x03def\x04shop\x01s\x05sales\x03sku\x06artnum"[..], extended, FIXED, behind].concat()
    }

    #[test]
    fn a_column_tells_its_names_and_its_type() {
        let payload = column(b"", b"");
        let read = ColumnDefinition::decode(&payload, Capabilities::NONE).unwrap();
        assert_eq!((read.schema, read.table, read.org_table), (&b"shop"[..], &b"s"[..], &b"sales"[..]));
        assert_eq!((read.name, read.org_name), (&b"sku"[..], &b"artnum"[..]));
        assert_eq!((read.charset, read.length, read.kind), (33, 300, 0xfd));
        assert_eq!((read.flags, read.decimals, read.default), (0x1001, 2, None));
    }

    #[test]
    fn a_listed_column_has_a_default_value() {
        for (behind, default) in [(&b"\xfb"[..], None), (b"\x03new", Some(&b"new"[..]))] {
            let payload = column(b"", behind);
            assert_eq!(ColumnDefinition::decode(&payload, Capabilities::NONE).unwrap().default, default);
        }
    }

    #[test]
    fn mariadb_names_extended_types_where_that_was_agreed() {
        let payload = column(b"\x0d\0\x05inet6\x01\x04json", b"");
        let read = ColumnDefinition::decode(&payload, Capabilities::MARIADB_EXTENDED_METADATA).unwrap();
        assert_eq!(read.extended, ExtendedMetadata { type_name: Some(b"inet6"), format: Some(b"json") });
        assert!(ColumnDefinition::decode(&payload, Capabilities::NONE).is_err());
    }

    #[test]
    fn malformed_definitions_are_refused() {
        let whole = column(b"", b"");
        for cut in 0..whole.len() {
            assert!(ColumnDefinition::decode(&whole[..cut], Capabilities::NONE).is_err(), "{cut}");
        }
        assert!(ColumnDefinition::decode(&column(b"", b"\xfbx"), Capabilities::NONE).is_err());
    }
}
