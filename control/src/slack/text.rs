//! Texts of others in Slack's messages: shown as they are, with no meaning of their own.
//!
//! <https://docs.slack.dev/messaging/formatting-message-text>

/// Slack's three characters with a meaning of their own, as entities: no mention, no link, no date comes of a text.
pub(super) fn escape(text: &str) -> String {
    in_order(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The same text with a mark in the place of every character that would have what is around it shown in another order.
pub(super) fn in_order(text: &str) -> String {
    let turns = |letter: char| matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.replace(turns, "\u{fffd}")
}

/// A name in a fixed-width face, where asterisks and underscores stay what they are.
pub(super) fn code(text: &str) -> String {
    let line = text.replace('`', "\u{2cb}").replace(['\n', '\r', '\t'], " ");
    format!("`{}`", escape(&line))
}

/// At most so many characters; an ellipsis stands for what was left out.
pub(super) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// The same, but the middle is left out: of a long name both ends tell more.
pub(super) fn elided(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let tail = most / 2;
    let head = most.saturating_sub(tail + 1);
    text.chars().take(head).chain(['…']).chain(text.chars().skip(count - tail)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_others_mentions_nobody_and_links_nowhere() {
        for text in
            ["<!channel>", "<@U1>", "<https://evil.example|click>", "&lt;!here&gt;", "<!date^1^{date}|x>"]
        {
            let shown = escape(text);
            assert!(!shown.contains(['<', '>']), "{shown}");
            assert_eq!(shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"), text);
        }
    }

    #[test]
    fn nothing_that_others_write_turns_round_what_stands_beside_it() {
        let turned = "read\u{202e}etirw\u{202c} \u{2067}x\u{2069}";
        assert_eq!(in_order(turned), "read\u{fffd}etirw\u{fffd} \u{fffd}x\u{fffd}");
        assert_eq!(escape(turned), in_order(turned));
        assert_eq!(in_order("שלום, e\u{301}"), "שלום, e\u{301}");
    }

    #[test]
    fn a_name_cannot_leave_its_fixed_width_face() {
        assert_eq!(code("a`b\n*c*<!here>"), "`aˋb *c*&lt;!here&gt;`");
    }

    #[test]
    fn long_texts_keep_what_tells_most() {
        assert_eq!(shortened("abcdef", 4), "abc…");
        assert_eq!(elided("public.customers.email", 11), "publi…email");
        assert_eq!(elided("short", 11), "short");
        assert_eq!(elided("ééééééé", 5).chars().count(), 5);
    }
}
