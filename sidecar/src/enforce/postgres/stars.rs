//! `*`, `t.*` and `(expression).*` in a select list.
//!
//! Where the rule has it so, a star becomes the columns that the grant covers. Whatever the rule says, one over the server's
//! own tables keeps all of its columns: NULL, of the same name and type, stands for those that nobody is told.

use pg_raw_parse::Node;
use postern_protocol::gate::Star;

use super::{
    expr::Place,
    names::texts,
    query::Output,
    scope::{Certainty, Derived, Item},
    walk::{Edit, Walk, refuse},
    withheld::quoted,
};
use crate::enforce::Denial;

impl<'a> Walk<'a> {
    /// One star, and what it gives.
    pub(super) fn star(
        &mut self,
        node: Node<'a>,
        items: &[Item<'a>],
        place: Place<'_, 'a>,
    ) -> Result<Output<'a>, Denial> {
        let Node::ColumnRef(column) = node else {
            self.expression(node, place)?;
            return Ok((Vec::new(), true));
        };
        let parts = texts(column.fields());
        let found: Vec<&Item<'a>> = match (parts.as_slice(), place.scope) {
            ([], _) => items.iter().filter(|item| item.open).collect(),
            ([table], Some(scope)) => vec![self.item(scope, None, table)?],
            ([schema, table], Some(scope)) => vec![self.item(scope, Some(schema), table)?],
            _ => Vec::new(),
        };
        if found.is_empty() {
            let name = parts.last().copied().unwrap_or("*");
            return Err(Denial::missing("42P01", format!("missing FROM-clause entry for \"{name}\""), name));
        }
        self.spend(items.len())?;
        self.keep(found.iter().map(|item| item.width()).sum())?;
        self.claim_all(column.fields());
        if self.is_expanded(&found) {
            return self.expand(usize::try_from(column.location).unwrap_or(usize::MAX), &found);
        }
        let (mut output, mut vague) = (Vec::new(), false);
        for item in found {
            item.each()?;
            let (columns, more) = item.all();
            output.extend(columns.iter().map(|column| Derived::free(column.name, column.certainty)));
            vague |= more;
        }
        Ok((output, vague))
    }

    /// Whether a star that may not stay as it is becomes a list.
    fn is_expanded(&self, found: &[&Item<'a>]) -> bool {
        found.iter().any(|item| item.each().is_err())
            && (self.ground.limits.terms.star == Star::Expand
                || found.iter().all(|item| item.each_but_withheld().is_ok()))
    }

    /// Puts a list of columns in the place of a star.
    fn expand(&mut self, at: usize, found: &[&Item<'a>]) -> Result<Output<'a>, Denial> {
        let (mut output, mut list) = (Vec::new(), Vec::new());
        for item in found {
            let (columns, mut vague) = item.all();
            vague |= columns.iter().any(|column| column.certainty == Certainty::Doubtful);
            for column in &columns {
                let Some((called, words)) = self.listed(column)? else { continue };
                list.push(words);
                output.push(Derived::sure(Some(called)));
            }
            if vague || list.is_empty() {
                item.each()?;
                return Err(refuse("a star over columns that are not known"));
            }
        }
        let list = list.join(", ");
        self.edits.push(match self.table {
            Some(name) => (name, Edit::Table(format!("SELECT {list} FROM"))),
            None => (at, Edit::Star(list)),
        });
        Ok((output, false))
    }

    /// What stands for a column in the place of a star, and what it is called; nothing for one that is left out.
    fn listed(&self, column: &Derived<'a>) -> Result<Option<(&'a str, String)>, Denial> {
        let withheld = column.withheld();
        if withheld.is_none() && column.read().is_err() {
            return Ok(None);
        }
        let called = column.name.ok_or_else(|| refuse("a star over columns without names"))?;
        if let Some(withheld) = withheld {
            let null = self.ground.null_for(withheld)?;
            return Ok(Some((called, format!("{null} AS {}", quoted(called)))));
        }
        let by = column.by.map(|by| format!("{}.", quoted(by))).unwrap_or_default();
        Ok(Some((called, format!("{by}{}", quoted(called)))))
    }
}
