//! Numbers as people read them.

/// A number with commas between thousands.
pub fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number and its noun, `one` in the singular: `1 trial`, `1,200 trials`.
pub fn count(of: usize, one: &str) -> String {
    let plural = if of == 1 { "" } else { "s" };
    format!("{} {one}{plural}", number(of as u64))
}

#[cfg(test)]
mod tests {
    use super::{count, number};

    #[test]
    fn one_is_no_plural() {
        let found = [0, 1, 2, 1200].map(|of| count(of, "trial"));
        assert_eq!(found, ["0 trials", "1 trial", "2 trials", "1,200 trials"]);
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(61_100_840), "61,100,840");
    }
}
