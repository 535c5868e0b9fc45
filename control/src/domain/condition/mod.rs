//! Conditions of rules: expressions in CEL (<https://cel.dev>) over what is asked, who asks, and when.
//!
//! In: a condition's text when a rule is stored, facts when a request is judged. Out: whether it holds, or why that
//! cannot be said. What an evaluation can cost is reckoned before it begins ([`cost`]), so that no condition and no
//! request can keep the program busy.

mod cost;
mod facts;

use cel::{ExecutionError, IdedExpr, Value, parser::Parser};

use cost::Sizes;
pub(crate) use facts::Facts;

const LONGEST: usize = 2_000;
const DEEPEST: u16 = 32;

/// A condition that was read and is within bounds.
#[derive(Debug)]
pub(crate) struct Condition(IdedExpr);

/// Why a text is no condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidCondition {
    /// Shorten it, or write several rules.
    #[error("longer than {LONGEST} bytes")]
    TooLong,
    /// The text says where.
    #[error("line {line}, column {column}: {why}")]
    Syntax {
        /// From 1.
        line: isize,
        /// From 1.
        column: isize,
        /// What the parser says.
        why: String,
    },
    /// It names something that there is not, or does something that conditions cannot.
    #[error("{0}")]
    Meaning(String),
    /// Its loops could run for too long.
    #[error("it could take too long to evaluate: loop over less, or over one list only")]
    TooCostly,
}

/// Why it cannot be said whether a condition holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Undecided {
    /// It is no condition.
    #[error(transparent)]
    Invalid(#[from] InvalidCondition),
    /// Its evaluation failed.
    #[error("{0}")]
    Failed(String),
    /// It gives something else than true or false.
    #[error("it gives {0} and not true or false")]
    NotBool(String),
}

impl Condition {
    /// Reads a condition and looks whether it can be evaluated at all.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidCondition> {
        if text.len() > LONGEST {
            return Err(InvalidCondition::TooLong);
        }
        let parsed = Parser::new().max_recursion_depth(DEEPEST).parse(text).map_err(|errors| {
            let first = errors.errors.into_iter().next();
            let (line, column) = first.as_ref().map_or((1, 1), |error| error.pos);
            let why = first.map_or_else(|| "no expression".to_owned(), |error| error.msg);
            InvalidCondition::Syntax { line, column, why }
        })?;
        let condition = Self(parsed);
        condition.check_cost(Sizes::LARGEST)?;
        condition.try_out()?;
        Ok(condition)
    }

    fn check_cost(&self, sizes: Sizes) -> Result<(), InvalidCondition> {
        if cost::of(&self.0, sizes)? > cost::MOST { Err(InvalidCondition::TooCostly) } else { Ok(()) }
    }

    /// Evaluates it with made-up facts: what fails with all of them because types do not fit would never work.
    fn try_out(&self) -> Result<(), InvalidCondition> {
        let mut misfit = None;
        for facts in Facts::samples() {
            match self.evaluate(&facts) {
                Ok(Value::Bool(_)) => return Ok(()),
                Ok(other) => {
                    misfit = Some(Undecided::NotBool(other.type_of().to_string()).to_string());
                }
                Err(error) if is_about_types(&error) => misfit = Some(error.to_string()),
                Err(_) => return Ok(()),
            }
        }
        misfit.map_or(Ok(()), |why| Err(InvalidCondition::Meaning(why)))
    }

    fn evaluate(&self, facts: &Facts) -> Result<Value, ExecutionError> {
        Value::resolve(&self.0, &facts.context())
    }

    /// Whether it holds.
    pub(crate) fn holds(&self, facts: &Facts) -> Result<bool, Undecided> {
        self.check_cost(facts.sizes())?;
        match self.evaluate(facts) {
            Ok(Value::Bool(holds)) => Ok(holds),
            Ok(other) => Err(Undecided::NotBool(other.type_of().to_string())),
            Err(error) => Err(Undecided::Failed(error.to_string())),
        }
    }
}

fn is_about_types(error: &ExecutionError) -> bool {
    matches!(
        error,
        ExecutionError::NoSuchOverload(_)
            | ExecutionError::InvalidArgumentCount { .. }
            | ExecutionError::UnsupportedTargetType { .. }
            | ExecutionError::NotSupportedAsMethod { .. }
            | ExecutionError::UnexpectedType { .. }
            | ExecutionError::UndeclaredReference(_)
            | ExecutionError::ValuesNotComparable(..)
            | ExecutionError::UnsupportedBinaryOperator(..)
            | ExecutionError::MissingArgumentOrTarget
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str) -> Result<bool, String> {
        let condition = Condition::parse(text).map_err(|error| error.to_string())?;
        let [facts, _] = Facts::samples();
        condition.holds(&facts).map_err(|error| error.to_string())
    }

    #[test]
    fn a_condition_sees_the_request_the_identity_the_repo_and_the_time() {
        for (text, expected) in [
            ("true", true),
            ("request.duration <= duration('1h') && 'oncall' in identity.groups", true),
            ("request.duration > duration('59m59s')", true),
            ("request.repo == 'sales' && request.account == 'app_ro' && repo.engine == 'postgres'", true),
            ("repo.name.startsWith('sal') && request.reason.matches('^OPS-[0-9]+')", true),
            ("request.resources.all(r, r.startsWith('public.'))", true),
            ("request.resources.exists(r, r == 'hr.people')", false),
            ("request.privileges == ['SELECT'] && !request.whole && !request.break_glass", true),
            ("identity.groups.filter(g, g.startsWith('on')).size() == 1", true),
            ("size(request.resources) < 3 && identity.name.endsWith('@example.com')", true),
            ("request.not_before == null || request.not_before > now", true),
            // The samples' time is a Friday, 14:13 in Paris.
            ("now.getDayOfWeek('Europe/Paris') == 5 && now.getHours('Europe/Paris') == 14", true),
            ("now.getHours() >= 8 && now.getHours() < 19", true),
            ("now - timestamp('2026-11-20T00:00:00Z') > duration('1h')", true),
        ] {
            assert_eq!(holds(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_condition_is_said_when_it_is_read() {
        for (text, word) in [
            ("", "line 1"),
            ("request.duration <=", "line 1, column"),
            ("request.duration <= duration('1h'", "line 1, column"),
            ("request.colour == 'red'", "request.colour"),
            ("requester == 'alice'", "requester"),
            ("now.foo()", "foo"),
            ("request.duration <= '1h'", "overload"),
            ("request.duration", "not true or false"),
            ("request['repo'] == 'sales'", "request.repo"),
            ("request.reason.matches(request.repo)", "pattern"),
            ("request.reason.matches('(')", "pattern"),
            ("request.reason.matches('(a{900}){900}')", "pattern"),
            ("size({'a': 1}) == 1", "map"),
        ] {
            let error = Condition::parse(text).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn a_condition_that_could_run_for_long_is_refused_before_it_runs() {
        let loops = |depth: usize| {
            let open =
                (0..depth).fold(String::new(), |open, n| format!("{open}request.resources.all(r{n}, "));
            format!("{open}true{}", ")".repeat(depth))
        };
        assert!(Condition::parse(&loops(1)).is_ok());
        let doubling = (0..12).fold("['x']".to_owned(), |inner, n| {
            format!("{inner}.map(a{n}, request.reason + a{n} + a{n}).map(b{n}, b{n} + b{n})")
        });
        let sums = format!("request.resources.all(r, ({}) != r)", ["request.reason"; 100].join(" + "));
        let patterns = "request.resources.all(r, r.matches('^(a|b)*c'))";
        for text in [loops(3), loops(6), doubling + ".size() > 0", sums, patterns.to_owned()] {
            assert_eq!(Condition::parse(&text).unwrap_err(), InvalidCondition::TooCostly, "{text}");
        }
        let long = format!("'{}' == ''", "x".repeat(3_000));
        assert_eq!(Condition::parse(&long).unwrap_err(), InvalidCondition::TooLong);
        for nested in ["(", "[", "!", "-", "request.resources.all(r,"] {
            let text = nested.repeat(1_900 / nested.len());
            assert!(Condition::parse(&text).is_err(), "{nested}");
        }
    }

    #[test]
    fn a_failing_evaluation_says_neither_yes_nor_no() {
        for text in ["identity.groups[7] == 'x'", "1 / (size(request.resources) - 2) > 0"] {
            assert!(holds(text).is_err(), "{text}");
        }
    }
}
