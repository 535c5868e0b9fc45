//! `SHOW` and `DESCRIBE`, held to what the grant covers.
//!
//! Where a native account would see less than the powerful one, the statement is sent with a condition, or as a query of
//! `information_schema`. What a client asks for in its own `WHERE` are columns and constants, nothing more.

use super::{
    catalog::{INFORMATION_SCHEMA, Kind, Table},
    filtered::{Granted, is_one_of, literal},
    lexer::Kind as Lexeme,
    parse::Parser,
    settings::{figures, readable},
    told::{no_schema, no_table, refuse},
    tree::{Expr, Path},
    walk::{Walk, quoted, split},
};
use crate::enforce::{Columns, Denial, TableLimits};

/// What `SHOW INDEX` calls the columns of `STATISTICS`.
const INDEX: [(&str, &str); 16] = [
    ("TABLE_NAME", "Table"),
    ("NON_UNIQUE", "Non_unique"),
    ("INDEX_NAME", "Key_name"),
    ("SEQ_IN_INDEX", "Seq_in_index"),
    ("COLUMN_NAME", "Column_name"),
    ("COLLATION", "Collation"),
    ("CARDINALITY", "Cardinality"),
    ("SUB_PART", "Sub_part"),
    ("PACKED", "Packed"),
    ("NULLABLE", "Null"),
    ("INDEX_TYPE", "Index_type"),
    ("COMMENT", "Comment"),
    ("INDEX_COMMENT", "Index_comment"),
    ("IS_VISIBLE", "Visible"),
    ("EXPRESSION", "Expression"),
    ("IGNORED", "Ignored"),
];

/// What `SHOW TABLE STATUS` calls the columns of `TABLES`.
const STATUS: [(&str, &str); 20] = [
    ("TABLE_NAME", "Name"),
    ("ENGINE", "Engine"),
    ("VERSION", "Version"),
    ("ROW_FORMAT", "Row_format"),
    ("TABLE_ROWS", "Rows"),
    ("AVG_ROW_LENGTH", "Avg_row_length"),
    ("DATA_LENGTH", "Data_length"),
    ("MAX_DATA_LENGTH", "Max_data_length"),
    ("INDEX_LENGTH", "Index_length"),
    ("DATA_FREE", "Data_free"),
    ("AUTO_INCREMENT", "Auto_increment"),
    ("CREATE_TIME", "Create_time"),
    ("UPDATE_TIME", "Update_time"),
    ("CHECK_TIME", "Check_time"),
    ("TABLE_COLLATION", "Collation"),
    ("CHECKSUM", "Checksum"),
    ("CREATE_OPTIONS", "Create_options"),
    ("TABLE_COMMENT", "Comment"),
    ("MAX_INDEX_LENGTH", "Max_index_length"),
    ("TEMPORARY", "Temporary"),
];

/// The columns of `SHOW PLUGINS`.
const PLUGINS: [&str; 5] = ["Name", "Status", "Type", "Library", "License"];

/// What is sent in the place of a statement; nothing if it goes as it is.
type Instead = Option<String>;

impl<'a> Walk<'a> {
    /// Judges a `SHOW` from behind this word on.
    pub(super) fn show(&mut self, parser: &mut Parser<'a>) -> Result<Instead, Denial> {
        let full = parser.take("FULL");
        if parser.take("TABLES") {
            return self.show_tables(parser, full);
        }
        if parser.take_any(&["COLUMNS", "FIELDS"]) {
            return self.show_columns(parser, full);
        }
        if full {
            return Err(refuse("this SHOW FULL"));
        }
        if parser.take_any(&["INDEX", "INDEXES", "KEYS"]) {
            return self.show_index(parser);
        }
        if parser.take_any(&["DATABASES", "SCHEMAS"]) {
            let schemas = self.ground.granted_schemas();
            let own = is_one_of("Database", schemas.into_iter().chain([INFORMATION_SCHEMA]));
            let filter = self.filter(parser, "Database")?;
            return Ok(Some(format!("SHOW DATABASES {}", both(&own, filter))));
        }
        if parser.take_all(&["TABLE", "STATUS"]) {
            return self.show_table_status(parser);
        }
        if parser.take("CREATE") {
            return self.show_create(parser);
        }
        self.show_of_server(parser)
    }

    /// What says nothing of tables.
    fn show_of_server(&mut self, parser: &mut Parser<'a>) -> Result<Instead, Denial> {
        if parser.take("COUNT") {
            for symbol in ["(", "*", ")"] {
                parser.need_symbol(symbol)?;
            }
            return if parser.take_any(&["WARNINGS", "ERRORS"]) { Ok(None) } else { Err(parser.error()) };
        }
        if parser.take_any(&["WARNINGS", "ERRORS"]) {
            self.reports = true;
            if parser.take("LIMIT") {
                parser.list(|parser| if parser.constant() { Ok(()) } else { Err(parser.error()) })?;
            }
            return Ok(None);
        }
        if parser.take_any(&["ENGINES", "CHARSET", "COLLATION", "PRIVILEGES"])
            || parser.take_all(&["CHARACTER", "SET"])
            || parser.take_all(&["STORAGE", "ENGINES"])
        {
            return self.filter(parser, "").map(|_| None);
        }
        if parser.take("GRANTS") {
            return self.show_grants(parser);
        }
        if let Some(nothing) = self.show_nothing(parser)? {
            return Ok(Some(nothing));
        }
        let scope = if parser.take("GLOBAL") {
            "GLOBAL"
        } else {
            parser.take_any(&["SESSION", "LOCAL"]);
            "SESSION"
        };
        let (what, names) = if parser.take("VARIABLES") {
            ("VARIABLES", readable())
        } else if parser.take("STATUS") {
            ("STATUS", figures())
        } else {
            return Err(refuse("this SHOW"));
        };
        let filter = self.filter(parser, "Variable_name")?;
        let names: Vec<String> = names.iter().map(|name| literal(name)).collect();
        let own = format!("`Variable_name` IN ({})", names.join(", "));
        Ok(Some(format!("SHOW {scope} {what} {}", both(&own, filter))))
    }

    /// Lists of which a limited account sees nothing.
    fn show_nothing(&mut self, parser: &mut Parser<'a>) -> Result<Instead, Denial> {
        let what = if parser.take("PLUGINS") {
            let columns: Vec<String> = PLUGINS.iter().map(|name| format!("'' AS `{name}`")).collect();
            return Ok(Some(format!("SELECT {} FROM DUAL WHERE FALSE", columns.join(", "))));
        } else if parser.take_all(&["OPEN", "TABLES"]) {
            "OPEN TABLES"
        } else if parser.take("TRIGGERS") {
            "TRIGGERS"
        } else if parser.take("EVENTS") {
            "EVENTS"
        } else if parser.take_all(&["PROCEDURE", "STATUS"]) {
            return self.filter(parser, "").map(|_| Some("SHOW PROCEDURE STATUS WHERE FALSE".to_owned()));
        } else if parser.take_all(&["FUNCTION", "STATUS"]) {
            return self.filter(parser, "").map(|_| Some("SHOW FUNCTION STATUS WHERE FALSE".to_owned()));
        } else {
            return Ok(None);
        };
        let schema = self.schema_behind_from(parser)?;
        self.filter(parser, "")?;
        Ok(Some(format!("SHOW {what} FROM {} WHERE FALSE", quoted(&schema))))
    }

    /// `FROM database`, or the current one; by the name that the catalog gives it.
    fn schema_behind_from(&mut self, parser: &mut Parser<'a>) -> Result<String, Denial> {
        let mut path = Path::new();
        if parser.take_any(&["FROM", "IN"]) {
            path.push(parser.name()?);
        }
        self.claim_all(&path);
        let ground = self.ground;
        let name = ground.schema_of(&path)?;
        ground.visible_schema(name).map(str::to_owned)
    }

    /// The table of the grant whose structure is asked for. None: one of the server's own views.
    fn structure(&mut self, path: &Path<'a>) -> Result<Option<Granted<'a>>, Denial> {
        self.claim_all(path);
        let (qualifier, name) = split(path);
        let schema = self.ground.schema_of(qualifier)?;
        if schema.eq_ignore_ascii_case(INFORMATION_SCHEMA) {
            return Ok(None);
        }
        let granted = self.ground.shown(schema, name)?;
        match granted.table.kind {
            Kind::Table | Kind::View | Kind::Invoker => Ok(Some(granted)),
            Kind::System | Kind::Other => Err(no_table("SELECT", &self.ground.user, name)),
        }
    }

    fn show_tables(&mut self, parser: &mut Parser<'a>, full: bool) -> Result<Instead, Denial> {
        let schema = self.schema_behind_from(parser)?;
        let column = format!("Tables_in_{schema}");
        let filter = self.filter(parser, &column)?;
        if schema.eq_ignore_ascii_case(INFORMATION_SCHEMA) {
            return Ok(None);
        }
        let granted = self.ground.granted();
        let own =
            granted.iter().filter(|granted| *granted.table.schema == *schema).map(|one| &*one.table.name);
        let own = is_one_of(&column, own);
        let full = if full { "FULL " } else { "" };
        Ok(Some(format!("SHOW {full}TABLES FROM {} {}", quoted(&schema), both(&own, filter))))
    }

    fn show_columns(&mut self, parser: &mut Parser<'a>, full: bool) -> Result<Instead, Denial> {
        let path = table_behind_from(parser)?;
        let filter = self.filter(parser, "Field")?;
        self.columns_of(&path, full, filter)
    }

    fn columns_of(&mut self, path: &Path<'a>, full: bool, filter: Option<String>) -> Result<Instead, Denial> {
        let Some(granted) = self.structure(path)? else { return Ok(None) };
        if granted.shows_all() {
            return Ok(None);
        }
        let full = if full { "FULL " } else { "" };
        let table = full_name(granted.table);
        let own = is_one_of("Field", granted.shown());
        Ok(Some(format!("SHOW {full}COLUMNS FROM {table} {}", both(&own, filter))))
    }

    /// `DESCRIBE table [column]`, from behind the first word on.
    pub(super) fn describe(&mut self, parser: &mut Parser<'a>) -> Result<Instead, Denial> {
        let path = parser.path()?;
        let filter = match parser.kind() {
            Some(Lexeme::Text) => Some(self.like(parser, "Field")?),
            Some(Lexeme::Word | Lexeme::Quoted) => {
                let column = parser.name()?;
                self.claim(&column);
                Some(is_one_of("Field", [&*column.text]))
            }
            _ => None,
        };
        self.columns_of(&path, false, filter)
    }

    fn show_index(&mut self, parser: &mut Parser<'a>) -> Result<Instead, Denial> {
        let path = table_behind_from(parser)?;
        let filter = self.filter(parser, "Table")?;
        let Some(granted) = self.structure(&path)? else { return Ok(None) };
        if granted.shows_all() {
            return Ok(None);
        }
        let only = format!(
            " AND {} AND {}",
            is_one_of("TABLE_SCHEMA", [&*granted.table.schema]),
            is_one_of("TABLE_NAME", [&*granted.table.name])
        );
        self.rows_as("statistics", &INDEX, &only, filter).map(Some)
    }

    fn show_table_status(&mut self, parser: &mut Parser<'a>) -> Result<Instead, Denial> {
        let schema = self.schema_behind_from(parser)?;
        let filter = self.filter(parser, "Name")?;
        if schema.eq_ignore_ascii_case(INFORMATION_SCHEMA) {
            return Err(refuse("the status of the server's own views"));
        }
        let only = format!(" AND {}", is_one_of("TABLE_SCHEMA", [&*schema]));
        self.rows_as("tables", &STATUS, &only, filter).map(Some)
    }

    /// A query of one of the server's views in the place of a `SHOW`.
    fn rows_as(
        &self,
        view: &str,
        columns: &[(&str, &str)],
        only: &str,
        filter: Option<String>,
    ) -> Result<String, Denial> {
        let view = self.ground.catalog.table(INFORMATION_SCHEMA, view).ok_or_else(|| refuse("this SHOW"))?;
        let there: Vec<_> = columns.iter().filter(|(name, _)| view.column(name).is_some()).copied().collect();
        let rows = self.ground.rows_of(view, &there, only)?;
        let filter = filter.map(|filter| format!(" WHERE {filter}")).unwrap_or_default();
        Ok(format!("SELECT * FROM {rows} AS `shown`{filter}"))
    }

    fn show_create(&mut self, parser: &mut Parser<'a>) -> Result<Instead, Denial> {
        if parser.take_any(&["DATABASE", "SCHEMA"]) {
            parser.take_all(&["IF", "NOT", "EXISTS"]);
            let name = parser.name()?;
            self.claim(&name);
            self.ground.visible_schema(&name.text)?;
            return Ok(None);
        }
        if !parser.take("TABLE") {
            return Err(refuse("this SHOW CREATE"));
        }
        let path = parser.path()?;
        let denied = no_table("SHOW", &self.ground.user, split(&path).1);
        match self.structure(&path)? {
            Some(granted) if granted.table.kind == Kind::Table && granted.shows_all() => Ok(None),
            _ => Err(denied),
        }
    }

    /// The grant itself: the account's own would show what it can do, and its password's hash.
    fn show_grants(&mut self, parser: &mut Parser<'a>) -> Result<Instead, Denial> {
        if parser.take("FOR") {
            parser.need("CURRENT_USER")?;
            if parser.symbol("(") {
                parser.need_symbol(")")?;
            }
        }
        let user = &*self.ground.user;
        let mut rows = vec![format!("GRANT USAGE ON *.* TO {user}")];
        let mut named: Vec<_> = self.ground.limits.tables().collect();
        named.sort_by_key(|(schema, table, _)| (*schema, *table));
        for (schema, table, limits) in named {
            rows.push(format!(
                "GRANT {} ON {}.{} TO {user}",
                privileges(limits),
                quoted(schema),
                quoted(table)
            ));
        }
        let called = format!("Grants for {}", user.replace('\'', ""));
        let rows: Vec<String> =
            rows.iter().map(|row| format!("SELECT {} AS {}", literal(row), quoted(&called))).collect();
        Ok(Some(rows.join(" UNION ALL ")))
    }

    /// `LIKE …` or `WHERE …`, as a condition.
    fn filter(&mut self, parser: &mut Parser<'a>, column: &str) -> Result<Option<String>, Denial> {
        if parser.take("LIKE") {
            return self.like(parser, column).map(Some);
        }
        if !parser.take("WHERE") {
            return Ok(None);
        }
        let from = parser.at;
        let condition = parser.expr()?;
        self.is_simple(&condition)?;
        if self.tokens.conditional {
            return Err(refuse("a condition behind SHOW with an executable comment in it"));
        }
        if (from..parser.at).any(|at| self.tokens.kind(at) == Some(Lexeme::Symbol(":="))) {
            return Err(refuse("a variable that is set behind SHOW"));
        }
        let text = std::str::from_utf8(self.tokens.span(from, parser.at));
        text.map(|text| Some(text.to_owned())).map_err(|_| parser.error())
    }

    fn like(&mut self, parser: &mut Parser<'a>, column: &str) -> Result<String, Denial> {
        let from = parser.at;
        if parser.kind() != Some(Lexeme::Text) {
            return Err(parser.error());
        }
        parser.at += 1;
        let text = std::str::from_utf8(self.tokens.span(from, parser.at)).map_err(|_| parser.error())?;
        if !text.starts_with(['\'', '"']) {
            return Err(parser.error());
        }
        Ok(format!("{} LIKE {text}", quoted(column)))
    }

    /// Columns of the list and constants: nothing that computes, and could say in an error what is left out.
    fn is_simple(&mut self, condition: &Expr<'a>) -> Result<(), Denial> {
        match condition {
            Expr::Constant(_) => Ok(()),
            Expr::Column(path) if path.len() == 1 => {
                self.claim_all(path);
                Ok(())
            }
            Expr::Several(list) => list.iter().try_for_each(|one| self.is_simple(one)),
            Expr::Column(_)
            | Expr::Setting(_)
            | Expr::Call(_)
            | Expr::Query(_)
            | Expr::Default(_)
            | Expr::Inserted(_) => Err(refuse("this condition behind SHOW")),
        }
    }
}

impl super::Ground {
    /// The catalog's name of a database that the grant covers something of.
    pub(super) fn visible_schema(&self, name: &str) -> Result<&str, Denial> {
        let denied = || no_schema(&self.user, name);
        let schema = self.catalog.schema(name).ok_or_else(|| denied().stale())?;
        let visible = **schema == *INFORMATION_SCHEMA || self.granted_schemas().contains(&&**schema);
        if visible { Ok(schema) } else { Err(denied()) }
    }
}

/// `FROM table [FROM database]`
fn table_behind_from<'a>(parser: &mut Parser<'a>) -> Result<Path<'a>, Denial> {
    if !parser.take_any(&["FROM", "IN"]) {
        return Err(parser.error());
    }
    let mut path = parser.path()?;
    if parser.take_any(&["FROM", "IN"]) {
        path.truncate(1);
        path.insert(0, parser.name()?);
    }
    Ok(path)
}

fn both(own: &str, filter: Option<String>) -> String {
    match filter {
        Some(filter) => format!("WHERE ({own}) AND ({filter})"),
        None => format!("WHERE {own}"),
    }
}

fn full_name(table: &Table) -> String {
    format!("{}.{}", quoted(&table.schema), quoted(&table.name))
}

/// `SELECT, INSERT (a, b)`
fn privileges(limits: &TableLimits) -> String {
    let TableLimits { select, insert, update, delete } = limits;
    let mut list: Vec<String> = [("SELECT", select), ("INSERT", insert), ("UPDATE", update)]
        .into_iter()
        .filter_map(|(privilege, columns)| match columns {
            Columns::None => None,
            Columns::Some(names) => {
                let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
                Some(format!("{privilege} ({})", names.join(", ")))
            }
            Columns::All => Some(privilege.to_owned()),
        })
        .collect();
    if *delete {
        list.push("DELETE".to_owned());
    }
    if list.is_empty() { "USAGE".to_owned() } else { list.join(", ") }
}
