//! Statement by statement: what kind it is, and who looks at the rest of it.

use pg_raw_parse::Node;

use super::{Ground, Judgement, Step};
use crate::enforce::{Denial, Reason};

/// Judges all statements of a text.
pub(crate) fn judge(text: &str, _ground: &Ground) -> Result<Judgement, Denial> {
    let tree = pg_raw_parse::parse(text).map_err(|error| Denial::syntax(error.to_string()))?;
    let steps = tree.stmts().map(step).collect::<Result<_, _>>()?;
    Ok(Judgement { instead: None, steps })
}

fn step(node: Node<'_>) -> Result<Step, Denial> {
    match node {
        Node::TransactionStmt(_) => Ok(Step::Plain),
        other => Err(Denial::unclear(
            Reason::Statement,
            "",
            format!(
                "this kind of statement is not for limited sessions: {:?}",
                std::mem::discriminant(&other)
            ),
        )),
    }
}
