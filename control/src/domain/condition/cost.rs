//! What the evaluation of a condition may cost at most, and whether all that it names is there.
//!
//! One walk over the expression goes by positive lists: a function, field or kind of expression that is not known here
//! is refused. For each value it reckons how large it can get, for each step how much work it can be.

use std::collections::HashMap;

use cel::{
    IdedExpr,
    common::ast::{CallExpr, ComprehensionExpr, Expr, LiteralValue, SelectExpr, operators as op},
};
use regex::RegexBuilder;

use super::InvalidCondition;

/// The most that an evaluation may cost: some tens of milliseconds.
pub(super) const MOST: u64 = 400_000;

/// What a regular expression may take up, in bytes.
const LARGEST_PATTERN: usize = 1 << 15;

/// Reading a regular expression costs as much as this many plain steps.
const PATTERN: u64 = 1_000;

/// Bytes that are copied or compared in one step.
const STRIDE: u64 = 32;

/// How large the lists and texts of a request are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    /// Items of the longest list.
    pub(super) items: u64,
    /// Bytes of the longest text.
    pub(super) text: u64,
}

impl Sizes {
    /// What a condition must be able to stand.
    pub(super) const LARGEST: Self = Self { items: 1_000, text: 4_000 };
}

/// How large a value can be.
#[derive(Clone, Copy, Debug, Default)]
struct Extent {
    /// Items, if it is a list.
    items: u64,
    /// All bytes.
    bytes: u64,
    /// Bytes of its largest item.
    each: u64,
}

impl Extent {
    const SCALAR: Self = Self { items: 0, bytes: 8, each: 8 };

    const fn text(bytes: u64) -> Self {
        Self { items: 0, bytes, each: bytes }
    }

    fn and(self, other: Self) -> Self {
        Self {
            items: self.items.saturating_add(other.items),
            bytes: self.bytes.saturating_add(other.bytes),
            each: self.each.max(other.each),
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            items: self.items.max(other.items),
            bytes: self.bytes.max(other.bytes),
            each: self.each.max(other.each),
        }
    }

    fn times(self, count: u64) -> Self {
        Self {
            items: self.items.saturating_mul(count),
            bytes: self.bytes.saturating_mul(count),
            each: self.each,
        }
    }

    /// The steps that it takes to look at all of it.
    fn steps(self) -> u64 {
        (self.bytes / STRIDE).saturating_add(self.items)
    }
}

/// The most that evaluating `expr` over lists and texts of these sizes costs.
pub(super) fn of(expr: &IdedExpr, sizes: Sizes) -> Result<u64, InvalidCondition> {
    let mut walk = Walk { sizes, variables: HashMap::new(), cost: 0, factor: 1 };
    walk.expr(expr)?;
    Ok(walk.cost)
}

struct Walk {
    sizes: Sizes,
    /// Those of loops.
    variables: HashMap<String, Extent>,
    cost: u64,
    /// How often the place at which the walk is can be passed.
    factor: u64,
}

fn wrong<T>(why: impl Into<String>) -> Result<T, InvalidCondition> {
    Err(InvalidCondition::Meaning(why.into()))
}

impl Walk {
    fn pay(&mut self, steps: u64) {
        self.cost = self.cost.saturating_add(self.factor.saturating_mul(steps.saturating_add(1)));
    }

    fn expr(&mut self, expr: &IdedExpr) -> Result<Extent, InvalidCondition> {
        self.pay(0);
        match &expr.expr {
            Expr::Literal(value) => Ok(literal(value)),
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => self.field(select),
            Expr::Call(call) => self.call(call),
            Expr::List(list) => {
                let mut whole = Extent::default();
                for element in &list.elements {
                    let item = self.expr(element)?;
                    if item.items > 0 {
                        return wrong("a list cannot hold lists");
                    }
                    whole = whole.and(Extent { items: 1, bytes: item.bytes, each: item.bytes });
                }
                Ok(whole)
            }
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::Map(_) | Expr::Struct(_) => wrong("a condition can make no map or message"),
            Expr::Unspecified => wrong("a part of it is empty"),
        }
    }

    fn variable(&self, name: &str) -> Result<Extent, InvalidCondition> {
        match (self.variables.get(name), name) {
            (Some(extent), _) => Ok(*extent),
            (None, "now") => Ok(Extent::SCALAR),
            (None, "request" | "identity" | "repo") => {
                wrong(format!("`{name}` has fields, such as {name}.{}: name one", first_field(name)))
            }
            (None, other) => {
                wrong(format!("there is no `{other}`: there are request, identity, repo and now"))
            }
        }
    }

    fn field(&self, select: &SelectExpr) -> Result<Extent, InvalidCondition> {
        let field = select.field.as_str();
        let Expr::Ident(root) = &select.operand.expr else {
            return wrong(format!(
                "there is no field `{field}` here: request, identity and repo have fields"
            ));
        };
        let Sizes { items, text } = self.sizes;
        let list = Extent { items, bytes: items.saturating_mul(text), each: text };
        let extent = match (root.as_str(), field) {
            ("request", "resources") | ("identity", "groups") => list,
            ("request", "privileges") => Extent { items: 4, bytes: 24, each: 6 },
            ("request", "duration" | "whole" | "break_glass" | "not_before") => Extent::SCALAR,
            ("request", "repo" | "account" | "reason")
            | ("identity", "name")
            | ("repo", "name" | "engine") => Extent::text(text),
            (root, field) => return wrong(format!("there is no {root}.{field}")),
        };
        Ok(if select.test { Extent::SCALAR } else { extent })
    }

    fn comprehension(&mut self, loops: &ComprehensionExpr) -> Result<Extent, InvalidCondition> {
        let range = self.expr(&loops.iter_range)?;
        let begin = self.expr(&loops.accu_init)?;
        let count = range.items.max(1);
        let outer = self.factor;
        self.factor = self.factor.saturating_mul(count);
        let shadowed = [
            self.variables.insert(loops.iter_var.clone(), Extent::text(range.each)),
            self.variables.insert(loops.accu_var.clone(), Extent::default()),
        ];
        let body = self.expr(&loops.loop_cond).and_then(|_| self.expr(&loops.loop_step));
        self.factor = outer;
        let whole = begin.and(body?.times(count));
        self.variables.insert(loops.accu_var.clone(), whole);
        let result = self.expr(&loops.result);
        for (name, before) in [&loops.iter_var, &loops.accu_var].into_iter().zip(shadowed) {
            match before {
                Some(extent) => self.variables.insert(name.clone(), extent),
                None => self.variables.remove(name),
            };
        }
        if loops.iter_var2.is_some() {
            return wrong("a loop has one variable");
        }
        result
    }

    fn call(&mut self, call: &CallExpr) -> Result<Extent, InvalidCondition> {
        let name = call.func_name.as_str();
        if name == op::INDEX
            && let Some(Expr::Ident(root)) = call.args.first().map(|arg| &arg.expr)
            && !self.variables.contains_key(root)
        {
            return wrong(format!("write {root}.{} and the like", first_field(root)));
        }
        let mut operands = Vec::with_capacity(3);
        for operand in call.target.iter().map(|target| &**target).chain(&call.args) {
            operands.push(self.expr(operand)?);
        }
        let all = operands.iter().fold(Extent::default(), |all, one| all.and(*one));
        let least = operands.iter().map(|one| one.steps()).min().unwrap_or_default();
        let (steps, result) = match name {
            op::CONDITIONAL => (0, operands.iter().skip(1).fold(Extent::default(), |all, one| all.or(*one))),
            op::LOGICAL_AND
            | op::LOGICAL_OR
            | op::LOGICAL_NOT
            | op::NOT_STRICTLY_FALSE
            | op::NEGATE
            | op::SUBSTRACT
            | op::MULTIPLY
            | op::DIVIDE
            | op::MODULO => (0, Extent::SCALAR),
            op::EQUALS
            | op::NOT_EQUALS
            | op::LESS
            | op::LESS_EQUALS
            | op::GREATER
            | op::GREATER_EQUALS
            | "startsWith"
            | "endsWith" => (least, Extent::SCALAR),
            op::ADD => (all.steps(), all),
            op::INDEX => (0, Extent::text(operands.first().map_or(0, |list| list.each))),
            op::IN | "contains" | "size" | "int" | "uint" | "double" | "bool" | "duration" | "timestamp" => {
                (all.steps(), Extent::SCALAR)
            }
            "string" => (all.steps(), all.and(Extent::text(64))),
            "matches" => {
                check_pattern(call)?;
                (PATTERN.saturating_add(all.bytes), Extent::SCALAR)
            }
            "getFullYear" | "getMonth" | "getDayOfMonth" | "getDate" | "getDayOfWeek" | "getDayOfYear"
            | "getHours" | "getMinutes" | "getSeconds" | "getMilliseconds" => (50, Extent::SCALAR),
            other => return wrong(format!("there is no function `{other}`")),
        };
        self.pay(steps);
        Ok(result)
    }
}

/// A regular expression that comes from the request could be made to cost anything.
fn check_pattern(call: &CallExpr) -> Result<(), InvalidCondition> {
    let Some(Expr::Literal(LiteralValue::String(pattern))) = call.args.last().map(|arg| &arg.expr) else {
        return wrong("matches: the pattern must be written out");
    };
    let built = RegexBuilder::new(pattern.inner()).size_limit(LARGEST_PATTERN).build();
    built.map(drop).or_else(|error| wrong(format!("matches: the pattern does not do: {error}")))
}

fn literal(value: &LiteralValue) -> Extent {
    match value {
        LiteralValue::String(text) => Extent::text(u64::try_from(text.inner().len()).unwrap_or(u64::MAX)),
        LiteralValue::Bytes(bytes) => Extent::text(u64::try_from(bytes.inner().len()).unwrap_or(u64::MAX)),
        LiteralValue::Boolean(_)
        | LiteralValue::Double(_)
        | LiteralValue::Int(_)
        | LiteralValue::Null
        | LiteralValue::UInt(_) => Extent::SCALAR,
    }
}

fn first_field(root: &str) -> &'static str {
    match root {
        "identity" => "name",
        "repo" => "engine",
        _ => "repo",
    }
}
