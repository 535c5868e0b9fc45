//! What a statement says, as far as it matters here: which names stand where. How operators bind does not.

use std::borrow::Cow;

/// An identifier, and the token that it is.
#[derive(Clone, Debug)]
pub(super) struct Name<'t> {
    pub(super) text: Cow<'t, str>,
    pub(super) at: usize,
}

/// `a`, `a.b`, `a.b.c`
pub(super) type Path<'t> = Vec<Name<'t>>;

/// Anything that gives a value, or a row of them.
#[derive(Debug)]
pub(super) enum Expr<'t> {
    /// A constant, parameter, variable, or word for the time or user; a plain string with what it says.
    Constant(Option<Cow<'t, str>>),
    /// A column.
    Column(Path<'t>),
    /// A setting of the session or the server.
    Setting(Setting<'t>),
    /// A function's call.
    Call(Box<Call<'t>>),
    /// A sub-select, wherever it stands.
    Query(Box<Query<'t>>),
    /// `DEFAULT(column)`
    Default(Path<'t>),
    /// `VALUES(column)`: what was to be inserted.
    Inserted(Path<'t>),
    /// Operands, however they are combined.
    Several(Vec<Expr<'t>>),
}

impl<'t> Expr<'t> {
    /// The column that it is made of, if that is all, whatever stands around it.
    pub(super) fn column(&self) -> Option<&Path<'t>> {
        match self {
            Self::Column(path) => Some(path),
            Self::Several(list) => match list.as_slice() {
                [only] => only.column(),
                _ => None,
            },
            Self::Constant(_)
            | Self::Setting(_)
            | Self::Call(_)
            | Self::Query(_)
            | Self::Default(_)
            | Self::Inserted(_) => None,
        }
    }
}

/// `@@name`, `@@global.name`
#[derive(Debug)]
pub(super) struct Setting<'t> {
    pub(super) name: Name<'t>,
    /// Whether the whole server's is meant, and not the session's own.
    pub(super) global: bool,
    /// Its first token.
    pub(super) from: usize,
}

/// `name(…) OVER …`
#[derive(Debug)]
pub(super) struct Call<'t> {
    pub(super) path: Path<'t>,
    /// The opening parenthesis.
    pub(super) open: usize,
    pub(super) arguments: Vec<Expr<'t>>,
    pub(super) order: Vec<Expr<'t>>,
    pub(super) over: Option<Over<'t>>,
}

#[derive(Debug)]
pub(super) enum Over<'t> {
    Named(Name<'t>),
    Window(Window<'t>),
}

#[derive(Debug, Default)]
pub(super) struct Window<'t> {
    pub(super) base: Option<Name<'t>>,
    /// What it is cut, ordered and bounded by.
    pub(super) parts: Vec<Expr<'t>>,
}

/// Whatever gives rows, with what stands around it.
#[derive(Debug)]
pub(super) struct Query<'t> {
    pub(super) with: Option<With<'t>>,
    /// Several when there is a `UNION` or the like.
    pub(super) terms: Vec<Term<'t>>,
    pub(super) order: Vec<Expr<'t>>,
    pub(super) limit: Vec<Expr<'t>>,
    pub(super) locks: Vec<Lock<'t>>,
}

#[derive(Debug)]
pub(super) enum Term<'t> {
    Select(Box<Select<'t>>),
    Query(Box<Query<'t>>),
    Values(Vec<Vec<Expr<'t>>>),
    /// `TABLE name`
    Table(Path<'t>),
}

/// `FOR UPDATE`, `FOR SHARE`
#[derive(Debug)]
pub(super) struct Lock<'t> {
    pub(super) exclusive: bool,
    /// Empty: all tables.
    pub(super) of: Vec<Path<'t>>,
}

#[derive(Debug)]
pub(super) struct With<'t> {
    pub(super) recursive: bool,
    pub(super) ctes: Vec<Cte<'t>>,
}

#[derive(Debug)]
pub(super) struct Cte<'t> {
    pub(super) name: Name<'t>,
    pub(super) columns: Vec<Name<'t>>,
    pub(super) query: Query<'t>,
    /// The tokens of the query, from and up to.
    pub(super) body: (usize, usize),
}

#[derive(Debug)]
pub(super) struct Select<'t> {
    pub(super) items: Vec<Output<'t>>,
    pub(super) from: Vec<Source<'t>>,
    pub(super) filter: Option<Expr<'t>>,
    pub(super) group: Vec<Expr<'t>>,
    pub(super) having: Option<Expr<'t>>,
    pub(super) windows: Vec<(Name<'t>, Window<'t>)>,
}

/// An item of a select list.
#[derive(Debug)]
pub(super) enum Output<'t> {
    /// `*`, `t.*`, `d.t.*`, and the token of the star.
    Star(Path<'t>, usize),
    /// An expression, and its alias.
    Value(Expr<'t>, Option<Name<'t>>),
}

impl Output<'_> {
    /// What it is called: by its alias, or as the column that it is. A star has no name of its own.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Value(_, Some(alias)) => Some(&alias.text),
            Self::Value(Expr::Column(path), None) => path.last().map(|name| &*name.text),
            Self::Value(..) | Self::Star(..) => None,
        }
    }
}

/// What stands in a FROM clause.
#[derive(Debug)]
pub(super) enum Source<'t> {
    Table(TableRef<'t>),
    Derived(Derived<'t>),
    Json(Json<'t>),
    Join(Box<Join<'t>>),
    /// Parenthesised.
    Several(Vec<Source<'t>>),
    /// `DUAL`
    Nothing,
}

#[derive(Debug)]
pub(super) struct TableRef<'t> {
    pub(super) path: Path<'t>,
    pub(super) alias: Option<Name<'t>>,
    /// Whether only some partitions are meant.
    pub(super) parted: bool,
    /// Partitions and indexes.
    pub(super) hints: Vec<Name<'t>>,
}

#[derive(Debug)]
pub(super) struct Derived<'t> {
    pub(super) lateral: bool,
    pub(super) query: Query<'t>,
    pub(super) alias: Name<'t>,
    pub(super) columns: Vec<Name<'t>>,
}

/// `JSON_TABLE(value, … COLUMNS (…)) AS alias`
#[derive(Debug)]
pub(super) struct Json<'t> {
    pub(super) value: Expr<'t>,
    pub(super) columns: Vec<Name<'t>>,
    pub(super) alias: Name<'t>,
}

#[derive(Debug)]
pub(super) struct Join<'t> {
    pub(super) left: Source<'t>,
    pub(super) right: Source<'t>,
    pub(super) by: By<'t>,
}

/// How two sides are joined.
#[derive(Debug)]
pub(super) enum By<'t> {
    Nothing,
    Natural,
    On(Expr<'t>),
    Using(Vec<Name<'t>>),
}

/// `column = value`
pub(super) type Assignment<'t> = (Path<'t>, Expr<'t>);

#[derive(Debug)]
pub(super) struct Insert<'t> {
    /// `REPLACE`: deletes what is in the way.
    pub(super) replaces: bool,
    pub(super) target: TableRef<'t>,
    /// None: all there are.
    pub(super) columns: Option<Vec<Path<'t>>>,
    pub(super) rows: Rows<'t>,
    /// `AS row (columns)`
    pub(super) row: Option<(Name<'t>, Vec<Name<'t>>)>,
    pub(super) duplicate: Vec<Assignment<'t>>,
    pub(super) returning: Vec<Output<'t>>,
}

#[derive(Debug)]
pub(super) enum Rows<'t> {
    Values(Vec<Vec<Expr<'t>>>),
    Set(Vec<Assignment<'t>>),
    Query(Query<'t>),
}

#[derive(Debug)]
pub(super) struct Update<'t> {
    pub(super) with: Option<With<'t>>,
    pub(super) sources: Vec<Source<'t>>,
    pub(super) set: Vec<Assignment<'t>>,
    pub(super) filter: Option<Expr<'t>>,
    pub(super) order: Vec<Expr<'t>>,
    pub(super) limit: Vec<Expr<'t>>,
}

#[derive(Debug)]
pub(super) struct Delete<'t> {
    pub(super) with: Option<With<'t>>,
    /// What loses rows; empty: the one source.
    pub(super) targets: Vec<Path<'t>>,
    pub(super) sources: Vec<Source<'t>>,
    pub(super) filter: Option<Expr<'t>>,
    pub(super) order: Vec<Expr<'t>>,
    pub(super) limit: Vec<Expr<'t>>,
    pub(super) returning: Vec<Output<'t>>,
}

/// A statement about tables' rows.
#[derive(Debug)]
pub(super) enum Rowwise<'t> {
    Query(Query<'t>),
    Insert(Box<Insert<'t>>),
    Update(Box<Update<'t>>),
    Delete(Box<Delete<'t>>),
}
