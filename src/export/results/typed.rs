//! Settings as values with a type: a column is as narrow as all of its values allow.

/// What all values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `true` and `false`.
    Flag,
    /// Whole numbers of 64 bits with a sign.
    Whole,
    /// Numbers.
    Real,
    /// Anything else, as the experiment writes it.
    Words,
}

/// A value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Flag(bool),
    Whole(i64),
    Real(f64),
    Words(&'a str),
}

impl Kind {
    /// The kind of a column with these values; empty cells have none.
    pub(super) fn of<'a>(values: impl Iterator<Item = &'a str> + Clone) -> Kind {
        let mut filled = values.filter(|text| !text.is_empty()).peekable();
        if filled.peek().is_none() {
            return Kind::Words;
        }
        let kinds = [Kind::Flag, Kind::Whole, Kind::Real];
        let fits = |kind: &Kind| filled.clone().all(|text| kind.read(text).is_some());
        kinds.into_iter().find(fits).unwrap_or(Kind::Words)
    }

    /// A cell of a column of this kind; none if it is empty.
    pub(super) fn read(self, text: &str) -> Option<Value<'_>> {
        // Without a digit it is a word, even if it means infinity.
        let number = || text.bytes().any(|byte| byte.is_ascii_digit()).then_some(text);
        match self {
            Kind::Flag => text.parse().ok().map(Value::Flag),
            Kind::Whole => number()?.parse().ok().map(Value::Whole),
            Kind::Real => number().filter(|text| !is_rounded(text))?.parse().ok().map(Value::Real),
            Kind::Words => (!text.is_empty()).then_some(Value::Words(text)),
        }
    }
}

/// Whether a number of 53 bits cannot hold the whole number `text`.
fn is_rounded(text: &str) -> bool {
    let digits = text.trim_start_matches(['-', '+']);
    digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.len() > 15
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_as_narrow_as_all_of_its_values_allow() {
        let of = |values: &[&str]| Kind::of(values.iter().copied());
        assert_eq!(of(&["true", "", "false"]), Kind::Flag);
        assert_eq!(of(&["1", "-20", ""]), Kind::Whole);
        assert_eq!(of(&["1", "0.5", "1e-3"]), Kind::Real);
        assert_eq!(of(&["none", "0.5"]), Kind::Words);
        // Words of a language, not the number.
        assert_eq!(of(&["inf", "nan"]), Kind::Words);
        assert_eq!(of(&["true", "1"]), Kind::Words);
        assert_eq!(of(&["", ""]), Kind::Words);
        // A seed that would be rounded stays as it is written.
        assert_eq!(of(&["18446744073709551615"]), Kind::Words);
        assert_eq!(Kind::Words.read(""), None);
    }
}
