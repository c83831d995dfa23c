//! "Did you mean …?"

/// The name most like `found` among `names`, if one is like it at all.
pub fn nearest<'a>(found: &str, names: &[&'a str]) -> Option<&'a str> {
    // Transpositions count as one edit; a third of the letters may be wrong.
    let allowed = (found.chars().count() / 3).max(1);
    let found = found.to_lowercase().replace('_', "-");
    names
        .iter()
        .map(|name| {
            (strsim::damerau_levenshtein(&found, &name.to_lowercase().replace('_', "-")), *name)
        })
        .filter(|(distance, name)| {
            *distance <= allowed || (found.len() >= 3 && name.starts_with(found.as_str()))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The name most like `found` as a question, or `otherwise`.
pub(super) fn did_you_mean(found: &str, names: &[&str], otherwise: &str) -> String {
    nearest(found, names)
        .map_or_else(|| otherwise.to_owned(), |near| format!("did you mean \"{near}\"?"))
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_of_the_finger_is_recognised_and_another_word_is_not() {
        let names = ["kernel", "stride", "padding", "max-pool", "batch-size"];
        assert_eq!(nearest("kernal", &names), Some("kernel"));
        assert_eq!(nearest("maxpool", &names), Some("max-pool"));
        assert_eq!(nearest("batch_size", &names), Some("batch-size"));
        assert_eq!(nearest("Stride", &names), Some("stride"));
        assert_eq!(nearest("pad", &names), Some("padding"));
        assert_eq!(nearest("filters", &names), None);
        assert_eq!(nearest("x", &names), None);
    }
}
