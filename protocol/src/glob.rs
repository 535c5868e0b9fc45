//! Globs for names: `*` stands for any run of characters, `?` for one.

/// Whether the whole of `text` fits `pattern`.
#[must_use]
pub fn glob_matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(wanted) if *wanted == '?' || text.get(t) == Some(wanted) => {
                p += 1;
                t += 1;
            }
            Some(_) | None => {
                let Some((star_p, star_t)) = star else { return false };
                star = Some((star_p, star_t + 1));
                p = star_p + 1;
                t = star_t + 1;
            }
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|letter| *letter == '*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_fit_as_a_whole() {
        for (pattern, text, fits) in [
            ("sales", "sales", true),
            ("sales", "sales2", false),
            ("sales-*", "sales-eu", true),
            ("*-ro", "app-ro-x-ro", true),
            ("*", "", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b", "xxaxxb", true),
            ("*a*b", "xxaxxbx", false),
            ("", "x", false),
        ] {
            assert_eq!(glob_matches(pattern, text), fits, "{pattern} {text}");
        }
    }
}
