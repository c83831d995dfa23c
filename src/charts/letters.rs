//! How much room words take in a chart, and what of them has room.

/// As many of the words' letters as have room in so many pixels; what is cut off is marked.
pub fn fit(words: &str, pixels: f64) -> String {
    if width(words) <= pixels {
        return words.to_owned();
    }
    let mut left = pixels - letter('…');
    let has_room = |c: &char| {
        left -= letter(*c);
        left >= 0.0
    };
    words.chars().take_while(has_room).chain(['…']).collect()
}

/// The words in lines of so many pixels, broken at blanks; a word without room is cut.
pub fn lines_of(words: &str, pixels: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words.split(' ') {
        match lines.last_mut() {
            Some(line) if width(line) + letter(' ') + width(word) <= pixels => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(fit(word, pixels)),
        }
    }
    lines
}

/// The width of words in pixels.
pub(super) fn width(words: &str) -> f64 {
    words.chars().map(letter).sum()
}

/// The width of a letter of 11 pixels' height in pixels: that of DejaVu Sans, the widest of common fonts.
fn letter(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | 'I' | 'J' | '\'' | '|' => 3.4,
        ' ' | '.' | ',' | ':' | ';' | '!' | 'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '-' | '/' => {
            4.3
        }
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '…' => 10.9,
        '=' | '+' | '<' | '>' | '−' | '±' | '×' | '→' | '↓' | '#' | '~' => 9.3,
        'A'..='Z' => 8.2,
        // Scripts whose letters are as wide as high.
        '\u{1100}'.. => 11.0,
        _ => 6.9,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_and_broken_where_their_room_ends() {
        assert_eq!(fit("accuracy", 100.0), "accuracy");
        assert_eq!(fit("accuracy", 40.0), "accu…");
        assert!(width(&fit(&"x".repeat(300), 384.0)) <= 384.0);
        assert_eq!(lines_of("to be or not", 40.0), ["to be", "or not"]);
        assert_eq!(lines_of("a incomprehensible", 40.0), ["a", "inco…"]);
    }
}
