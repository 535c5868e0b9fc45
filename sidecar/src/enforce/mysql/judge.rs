//! Statement by statement: what kind it is, and who looks at the rest of it.

use super::{
    Change, Class, Ground, Judgement, Origins, Step,
    lexer::{Gap, Kind, Tokens},
    parse::Parser,
    told::{refuse, unclear},
    tree::Rowwise,
    walk::{Edit, Walk},
};
use crate::enforce::{Denial, Notes, Reason};

/// Judges all statements of a text.
pub(crate) fn judge(text: &[u8], ground: &Ground) -> Result<Judgement, Denial> {
    let server = ground.catalog.server();
    let tokens = Tokens::read(text, server, ground.mode)?;
    ground.tells_names_apart(text, &tokens)?;
    let mut parser = Parser::new(&tokens, server);
    let (mut steps, mut edits) = (Vec::new(), Vec::new());
    let (mut claims, notes) = (Vec::new(), Notes::default());
    loop {
        while parser.symbol(";") {}
        if parser.at_end() {
            break;
        }
        if !steps.is_empty() {
            may_follow(&steps, &parser, ground)?;
        }
        let mut walk = Walk::new(ground, &tokens, &notes);
        steps.push(walk.statement(&mut parser)?);
        if !parser.at_end() {
            return Err(parser.error());
        }
        claims.append(&mut walk.claims);
        edits.append(&mut walk.edits);
    }
    account(&tokens, &parser, &claims)?;
    let instead = edited(text, &tokens, edits);
    Ok(Judgement { instead, steps: steps.into(), uses: notes.into_uses().into() })
}

/// Whether one more statement may stand in a text. Each is read under what those before it leave behind.
fn may_follow(steps: &[Step], parser: &Parser<'_>, ground: &Ground) -> Result<(), Denial> {
    if !ground.several {
        return Err(parser.error());
    }
    if steps.iter().any(|step| step.change != Change::Nothing) {
        return Err(refuse("a statement behind one that changes how it is read"));
    }
    Ok(())
}

/// Every word and every name must have been looked at, as a key word or as something that was found out about.
fn account(tokens: &Tokens<'_>, parser: &Parser<'_>, claims: &[usize]) -> Result<(), Denial> {
    let mut known = parser.claims.clone();
    for at in claims {
        if let Some(place) = known.get_mut(*at) {
            *place = true;
        }
    }
    for (at, known) in known.iter().enumerate() {
        if !known && matches!(tokens.kind(at), Some(Kind::Word | Kind::Quoted)) {
            let name = tokens.name(at).unwrap_or_default();
            return Err(unclear(Reason::Name, &name, "it cannot be established what every name stands for"));
        }
    }
    Ok(())
}

/// The text with other parts in it; none where nothing changes.
fn edited(text: &[u8], tokens: &Tokens<'_>, mut edits: Vec<Edit>) -> Option<Box<[u8]>> {
    if edits.is_empty() {
        return None;
    }
    edits.sort_by_key(|edit| edit.tokens);
    if tokens.conditional {
        return Some(respelled(tokens, edits));
    }
    let (mut sent, mut done) = (Vec::with_capacity(text.len() * 2), 0);
    for Edit { tokens: (from, to), text: part } in edits {
        let start = tokens.get(from).map_or(text.len(), |token| token.start);
        let end = to.checked_sub(1).and_then(|last| tokens.get(last)).map_or(text.len(), |token| token.end);
        sent.extend_from_slice(text.get(done..start).unwrap_or_default());
        sent.extend_from_slice(part.as_bytes());
        done = end;
    }
    sent.extend_from_slice(text.get(done..).unwrap_or_default());
    Some(sent.into())
}

/// The same where a part may begin inside an executable comment and end outside: token by token, and all comments empty.
fn respelled(tokens: &Tokens<'_>, edits: Vec<Edit>) -> Box<[u8]> {
    let mut edits = edits.into_iter().peekable();
    let (mut sent, mut at) = (Vec::new(), 0);
    while let Some(token) = tokens.get(at) {
        match token.gap {
            _ if sent.is_empty() => {}
            // A blank could make a function of the name before.
            Gap::Comment => sent.extend_from_slice(b"/**/"),
            // Two strokes with a blank behind them would begin a comment.
            Gap::Nothing if !sent.ends_with(b"-") => {}
            Gap::Nothing | Gap::Blank => sent.push(b' '),
        }
        if let Some(edit) = edits.next_if(|edit| edit.tokens.0 == at) {
            sent.extend_from_slice(edit.text.as_bytes());
            at = edit.tokens.1.max(at + 1);
        } else {
            sent.extend_from_slice(tokens.raw(token));
            at += 1;
        }
    }
    sent.into()
}

const fn step(class: Class, change: Change, origins: Origins) -> Step {
    Step { quotes: matches!(class, Class::Write), class, change, origins }
}

const fn session(change: Change) -> Step {
    step(Class::Session, change, Origins::Tables)
}

impl<'a> Walk<'a> {
    fn statement(&mut self, parser: &mut Parser<'a>) -> Result<Step, Denial> {
        if let Some(step) = self.rows(parser)? {
            return Ok(step);
        }
        let from = parser.at;
        if parser.take("SHOW") {
            let instead = self.show(parser)?;
            let step = self.asked(from, parser.at, instead)?;
            return Ok(if self.reports { Step { class: Class::Report, ..step } } else { step });
        }
        if parser.take_any(&["DESCRIBE", "DESC", "EXPLAIN"]) {
            return self.explain(from, parser);
        }
        if parser.is("ANALYZE") && self.ground.catalog.server().is_maria() {
            parser.take("ANALYZE");
            return self.explained(parser);
        }
        if parser.take("SET") {
            let change = self.set(parser)?;
            return Ok(self.of_values(change));
        }
        if parser.take("DO") {
            for value in parser.exprs()? {
                self.expr_of_its_own(&value)?;
            }
            return Ok(self.of_values(Change::Nothing));
        }
        if parser.take("USE") {
            let name = parser.name()?;
            self.claim(&name);
            return self.ground.change_database(&name.text).map(session);
        }
        if let Some(change) = self.transaction(parser)? {
            return Ok(session(change));
        }
        self.prepared(parser)
    }

    /// A statement that reads or writes rows, if one stands here.
    fn rows(&mut self, parser: &mut Parser<'a>) -> Result<Option<Step>, Denial> {
        let Some(statement) = parser.rowwise()? else { return Ok(None) };
        let mut inner = Walk::new(self.ground, self.tokens, self.notes);
        inner.rowwise(&statement)?;
        let Walk { claims, edits, mixed, views, tables, computed, .. } = inner;
        self.claims.extend(claims);
        self.edits.extend(edits);
        self.views |= views;
        let class = match statement {
            Rowwise::Query(_) if tables => Class::Read,
            Rowwise::Query(_) => Class::Compute,
            Rowwise::Insert(_) | Rowwise::Update(_) | Rowwise::Delete(_) => Class::Write,
        };
        let step = step(class, Change::Nothing, if mixed { Origins::Mixed } else { Origins::Tables });
        Ok(Some(Step { quotes: step.quotes || views || computed, ..step }))
    }

    /// A statement about the session that works values out.
    fn of_values(&self, change: Change) -> Step {
        Step { quotes: self.views || self.computed, ..session(change) }
    }

    /// A question that may have been put in other words.
    fn asked(&mut self, from: usize, to: usize, instead: Option<String>) -> Result<Step, Denial> {
        if let Some(instead) = instead {
            self.edit((from, to), instead)?;
        }
        Ok(step(Class::Ask, Change::Nothing, Origins::Mixed))
    }

    fn explain(&mut self, from: usize, parser: &mut Parser<'a>) -> Result<Step, Denial> {
        let options = parser.take_any(&["ANALYZE", "EXTENDED", "PARTITIONS"]);
        if options || parser.is_format() || parser.begins_rowwise() {
            return self.explained(parser);
        }
        let instead = self.describe(parser)?;
        self.asked(from, parser.at, instead)
    }

    /// The plan of a statement, which must be allowed itself.
    fn explained(&mut self, parser: &mut Parser<'a>) -> Result<Step, Denial> {
        if parser.is_format() {
            parser.take("FORMAT");
            parser.need_symbol("=")?;
            if !parser.take_any(&["TRADITIONAL", "JSON", "TREE"]) {
                return Err(parser.error());
            }
        }
        let Some(Step { quotes, .. }) = self.rows(parser)? else {
            return Err(refuse("the plan of this statement"));
        };
        if self.views {
            return Err(refuse(
                "the plan of a statement over views, which would show what they are made of,",
            ));
        }
        // Some plans are told of by executing them.
        Ok(Step { quotes, ..step(Class::Ask, Change::Nothing, Origins::Mixed) })
    }

    fn transaction(&mut self, parser: &mut Parser<'a>) -> Result<Option<Change>, Denial> {
        if parser.take("BEGIN") {
            parser.take("WORK");
        } else if parser.take_all(&["START", "TRANSACTION"]) {
            begin(parser)?;
        } else if parser.take_any(&["COMMIT", "ROLLBACK"]) {
            parser.take("WORK");
            if parser.take("TO") {
                parser.take("SAVEPOINT");
                let name = parser.name()?;
                self.claim(&name);
            } else {
                let _ = parser.take_all(&["AND", "CHAIN"]) || parser.take_all(&["AND", "NO", "CHAIN"]);
                let _ = parser.take("RELEASE") || parser.take_all(&["NO", "RELEASE"]);
            }
        } else if parser.take("UNLOCK") {
            // There is nothing that a limited session could have locked so.
            if !parser.take_any(&["TABLES", "TABLE"]) {
                return Err(parser.error());
            }
        } else if parser.take("SAVEPOINT") || parser.take_all(&["RELEASE", "SAVEPOINT"]) {
            let name = parser.name()?;
            self.claim(&name);
        } else {
            return Ok(None);
        }
        Ok(Some(Change::Nothing))
    }

    /// `PREPARE`, `EXECUTE`, `DEALLOCATE`, `KILL`
    fn prepared(&mut self, parser: &mut Parser<'a>) -> Result<Step, Denial> {
        if parser.take("KILL") {
            return kill(parser).map(session);
        }
        let change = if parser.take("PREPARE") {
            let name = self.statement_name(parser)?;
            parser.need("FROM")?;
            let text = parser.tokens.text(parser.at);
            let text = text.ok_or_else(|| refuse("PREPARE from anything but a plain string"))?;
            parser.constant();
            self.is_preparable(text.as_bytes())?;
            Change::Prepare(name, text.as_bytes().into())
        } else if parser.take("EXECUTE") {
            let name = self.statement_name(parser)?;
            if parser.take("USING") {
                parser.list(|parser| if parser.plain_variable() { Ok(()) } else { Err(parser.error()) })?;
            }
            Change::Execute(name)
        } else if parser.take_all(&["DEALLOCATE", "PREPARE"]) || parser.take_all(&["DROP", "PREPARE"]) {
            Change::Deallocate(self.statement_name(parser)?)
        } else {
            return Err(refuse("this kind of statement"));
        };
        Ok(session(change))
    }

    fn statement_name(&mut self, parser: &mut Parser<'a>) -> Result<Box<str>, Denial> {
        let name = parser.name()?;
        self.claim(&name);
        if !name.text.is_ascii() || name.text.ends_with(|letter: char| !letter.is_ascii_graphic()) {
            return Err(refuse("a statement's name with letters that servers take for others"));
        }
        Ok(super::fold(&name.text).into())
    }

    /// Leave to prepare a text: one statement that may be sent as it is.
    fn is_preparable(&self, text: &[u8]) -> Result<(), Denial> {
        let ground = Ground { several: false, ..self.ground.clone() };
        let Judgement { instead, steps, .. } = judge(text, &ground)?;
        match (instead, &*steps) {
            (None, [Step { class, change: Change::Nothing, .. }]) if *class != Class::Report => Ok(()),
            _ => Err(refuse("PREPARE of this statement")),
        }
    }
}

fn begin(parser: &mut Parser<'_>) -> Result<(), Denial> {
    if parser.at_end() {
        return Ok(());
    }
    parser.list(|parser| {
        let known = parser.take_all(&["WITH", "CONSISTENT", "SNAPSHOT"])
            || parser.take_all(&["READ", "ONLY"])
            || parser.take_all(&["READ", "WRITE"]);
        if known { Ok(()) } else { Err(parser.error()) }
    })?;
    Ok(())
}

/// `KILL [QUERY] 5`
fn kill(parser: &mut Parser<'_>) -> Result<Change, Denial> {
    let only_statement = parser.take("QUERY");
    if !only_statement {
        parser.take("CONNECTION");
    }
    let digits = parser.tokens.span(parser.at, parser.at + 1);
    let id = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    let id = id.ok_or_else(|| refuse("KILL of anything but a connection's number"))?;
    parser.constant();
    Ok(Change::Kill(id, only_statement))
}

impl Ground {
    /// What `USE` and `COM_INIT_DB` do, if the grant covers anything there.
    pub(crate) fn change_database(&self, name: &str) -> Result<Change, Denial> {
        self.visible_schema(name).map(|schema| Change::Database(schema.into()))
    }

    /// Whether a result may hold this column, as `ColumnDefinition41` names it. What the verdict let through does, where
    /// its [`Origins`] are tables; this is the wire across the threshold behind it.
    pub(crate) fn may_show(&self, schema: &str, table: &str, column: &str) -> bool {
        if table.is_empty() {
            return true;
        }
        let Some(table) = self.catalog.table(schema, table) else { return false };
        let limits = self.rights(table);
        limits.is_some_and(|limits| super::scope::covers(&limits.select, column))
    }

    /// The columns that `COM_FIELD_LIST` may tell of a table, in order.
    pub(crate) fn fields(&self, table: &str) -> Result<Vec<&str>, Denial> {
        let granted = self.shown(self.schema_of(&[])?, table)?;
        Ok(granted.shown().collect())
    }
}
