//! Text that strangers wrote, such as names of files and of classes, as a terminal may have it: what would move the
//! cursor, change colours or turn the direction of writing is shown instead of done.

use std::borrow::Cow;

/// Whether a terminal, or who draws text, takes `c` for an order.
fn is_order(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}')
}

fn shown(text: &str, is_kept: impl Fn(char) -> bool) -> Cow<'_, str> {
    let is_wrong = |c: char| is_order(c) && !is_kept(c);
    if !text.contains(is_wrong) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match is_wrong(c) {
            true => safe.extend(c.escape_default()),
            false => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

/// A name in one line.
pub fn name(text: &str) -> Cow<'_, str> {
    shown(text, |_| false)
}

/// Text of several lines, in which tabs stand too.
pub fn lines(text: &str) -> Cow<'_, str> {
    shown(text, |c| matches!(c, '\n' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::{lines, name};

    #[test]
    fn orders_are_shown_and_words_stay_as_they_are() {
        assert_eq!(name("größe 3 × 4"), "größe 3 × 4");
        assert_eq!(name("\x1b[2J\x1b]0;title\x07"), "\\u{1b}[2J\\u{1b}]0;title\\u{7}");
        assert_eq!(name("a\nb\tc\u{9b}31m"), "a\\nb\\tc\\u{9b}31m");
        assert_eq!(name("gnp.\u{202e}exe"), "gnp.\\u{202e}exe");
        assert_eq!(lines("a\n\tb\r\x1b[A"), "a\n\tb\\r\\u{1b}[A");
    }
}
