//! What expressions read and call.

use super::{
    functions::{is_aggregate, is_grammar, is_harmless, is_looked_up},
    lexer::{Gap, Kind},
    parse::is_reserved,
    scope::{Scope, covers},
    settings::is_readable,
    told::{no_column, unclear},
    tree::{Call, Expr, Over, Path, Window},
    walk::{Place, Walk, split},
};
use crate::enforce::{Denial, Reason};

impl<'a> Walk<'a> {
    /// Expressions in one place.
    pub(super) fn exprs(
        &mut self,
        list: impl IntoIterator<Item = &'a Expr<'a>>,
        place: Place<'_, 'a>,
    ) -> Result<(), Denial> {
        list.into_iter().try_for_each(|one| self.expr(one, place))
    }

    /// Leave to find out what an expression gives.
    pub(super) fn expr(&mut self, expr: &'a Expr<'a>, place: Place<'_, 'a>) -> Result<(), Denial> {
        match expr {
            Expr::Constant(_) => Ok(()),
            Expr::Column(path) | Expr::Default(path) => self.column(path, place),
            Expr::Inserted(path) => self.inserted(path, place),
            Expr::Setting(setting) => {
                self.claim(&setting.name);
                let name = &setting.name.text;
                if is_readable(name) { Ok(()) } else { Err(deny_setting(name)) }
            }
            Expr::Call(call) => self.call(call, place),
            Expr::Query(query) => self.query(query, place).map(drop),
            Expr::Several(list) => self.exprs(list, place),
        }
    }

    fn column(&mut self, path: &Path<'_>, place: Place<'_, 'a>) -> Result<(), Denial> {
        self.claim_all(path);
        match place.scope {
            Some(scope) => scope.read(path, self.ground),
            None => Err(super::told::unknown_column(split(path).1)),
        }
    }

    /// `VALUES(column)`: what the client itself gives, or the column's default.
    fn inserted(&mut self, path: &Path<'_>, place: Place<'_, 'a>) -> Result<(), Denial> {
        let (_, column) = split(path);
        let Some(base) = self.inserting.filter(|base| base.table.column(column).is_some()) else {
            return self.column(path, place);
        };
        self.claim_all(path);
        if covers(&base.limits.insert, column) || base.reads(column) {
            return Ok(());
        }
        Err(no_column("SELECT", &self.ground.user, column, &base.table.name)
            .about(&base.table.schema, &base.table.name))
    }

    fn call(&mut self, call: &'a Call<'a>, place: Place<'_, 'a>) -> Result<(), Denial> {
        self.claim_all(&call.path);
        let (qualifier, name) = split(&call.path);
        let harmless = qualifier.is_empty()
            && is_harmless(name, self.ground.catalog.server())
            && self.is_own(call)
            && !self.ground.catalog.has_function(name);
        if !harmless {
            let why = format!("what function {name} reads and does cannot be established");
            return Err(unclear(Reason::Function, name, &why));
        }
        match place.scope.filter(|scope| scope.aliases_first && is_aggregate(name)) {
            Some(scope) => {
                // What is aggregated are columns of the tables.
                let inside = Scope { aliases_first: false, ..*scope };
                self.parts(call, place.within(&inside))
            }
            None => self.parts(call, place),
        }
    }

    /// Whether a name that the server has itself means its own function here. In quotes, or parted from the parenthesis,
    /// some mean a stored function.
    fn is_own(&self, call: &Call<'_>) -> bool {
        let near = self.tokens.get(call.open).is_some_and(|open| match open.gap {
            Gap::Nothing => true,
            Gap::Blank => self.tokens.mode.ignore_space,
            Gap::Comment => false,
        });
        call.path.last().is_some_and(|name| match self.tokens.kind(name.at) {
            Some(Kind::Word) => {
                let reserved = is_reserved(&name.text, self.ground.catalog.server());
                near || !is_grammar(&name.text) || reserved
            }
            Some(Kind::Quoted) => is_looked_up(&name.text),
            _ => false,
        })
    }

    fn parts(&mut self, call: &'a Call<'a>, place: Place<'_, 'a>) -> Result<(), Denial> {
        self.exprs(&call.arguments, place)?;
        self.exprs(&call.order, place)?;
        match &call.over {
            Some(Over::Named(name)) => self.claim(name),
            Some(Over::Window(window)) => self.window(window, place)?,
            None => {}
        }
        Ok(())
    }

    /// What a window is cut, ordered and bounded by.
    pub(super) fn window(&mut self, window: &'a Window<'a>, place: Place<'_, 'a>) -> Result<(), Denial> {
        self.claim_all(&window.base);
        self.exprs(&window.parts, place)
    }
}

/// A setting that is not for limited sessions.
pub(super) fn deny_setting(name: &str) -> Denial {
    unclear(Reason::Setting, name, &format!("setting {name} is not for limited sessions"))
}
