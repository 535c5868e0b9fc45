//! What a rule says of a request by itself, before anybody reviews it.

use super::Rule;
use crate::domain::{Condition, Facts};

/// What becomes of a request that was just filed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It waits for reviews.
    Review,
    /// It is approved at once.
    Approve,
    /// It is rejected at once.
    Deny,
}

/// A verdict, and what went wrong on the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// What becomes of the request.
    pub verdict: Verdict,
    /// Conditions that could not be evaluated, each with the reason.
    pub troubles: Vec<String>,
}

impl Rule {
    /// Judges a request that the rule covers. `auto_deny` goes before everything else; while it cannot be said whether
    /// it holds, nothing is approved without a review.
    pub(crate) fn judge(&self, facts: &Facts) -> Judgement {
        let mut troubles = Vec::new();
        let mut ask = |field: &str, condition: &Option<String>| match condition {
            None => Some(false),
            Some(text) => match Condition::parse(text).map_err(Into::into).and_then(|it| it.holds(facts)) {
                Ok(holds) => Some(holds),
                Err(undecided) => {
                    troubles.push(format!("{field}: {undecided}"));
                    None
                }
            },
        };
        let verdict = match ask("auto_deny", &self.auto_deny) {
            Some(true) => Verdict::Deny,
            None => Verdict::Review,
            Some(false) if facts.breaks_glass() => Verdict::Approve,
            Some(false) => match ask("auto_approve", &self.auto_approve) {
                Some(true) => Verdict::Approve,
                Some(false) | None => Verdict::Review,
            },
        };
        Judgement { verdict, troubles }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Ask, Moment, Person};

    fn judged(more: &str, duration: &str, break_glass: bool) -> Judgement {
        let text = format!("name = 'r'\nrequesters = ['*']\nrepos = ['*']\naccounts = ['*']\n{more}");
        let rule: Rule = toml::from_str(&text).unwrap();
        rule.check().unwrap();
        let ask: Ask = serde_json::from_value(serde_json::json!({
            "repo": "s", "account": "a", "resources": [], "duration": duration, "break_glass": break_glass}))
        .unwrap();
        let person = Person { name: "alice".to_owned(), groups: vec!["oncall".to_owned()] };
        rule.judge(&Facts::new(&ask, &person, None, Moment::default()))
    }

    #[test]
    fn denial_wins_and_what_cannot_be_evaluated_approves_nothing() {
        let short = "auto_approve = \"request.duration <= duration('1h') && 'oncall' in identity.groups\"";
        let broken = "1 / (size(request.resources)) > 5";
        for (more, duration, break_glass, verdict, troubles) in [
            (String::new(), "1h", false, Verdict::Review, 0),
            (short.to_owned(), "1h", false, Verdict::Approve, 0),
            (short.to_owned(), "2h", false, Verdict::Review, 0),
            (format!("{short}\nauto_deny = 'request.whole'"), "1h", false, Verdict::Deny, 0),
            (format!("{short}\nauto_deny = '{broken}'"), "1h", false, Verdict::Review, 1),
            (format!("auto_approve = '{broken}'"), "1h", false, Verdict::Review, 1),
            (String::new(), "1h", true, Verdict::Approve, 0),
            ("auto_deny = 'request.break_glass'".to_owned(), "1h", true, Verdict::Deny, 0),
            (format!("auto_deny = '{broken}'"), "1h", true, Verdict::Review, 1),
        ] {
            let judgement = judged(&more, duration, break_glass);
            assert_eq!(
                (judgement.verdict, judgement.troubles.len()),
                (verdict, troubles),
                "{more} {duration}"
            );
        }
    }
}
