//! Names that files and tools take, made of names that may hold anything.

use std::collections::BTreeSet;

/// `name` with `_` in place of every letter that is neither plain nor in `others`; never empty, and never
/// a path.
pub(super) fn plain(name: &str, others: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c) || others.contains(c);
    let keep = |c: char| if is_plain(c) { c } else { '_' };
    let name: String = name.chars().map(keep).collect();
    match name.trim_start_matches('.') {
        "" => "_".to_owned(),
        name => name.to_owned(),
    }
}

/// Different names for different `names`: those that are taken get a number.
pub(super) fn distinct(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let free = |name: String| {
        let numbered = (2..).map(|number| format!("{name}_{number}"));
        let found = std::iter::once(name.clone()).chain(numbered).find(|it| !taken.contains(it));
        let found = found.unwrap_or(name);
        taken.insert(found.clone());
        found
    };
    names.into_iter().map(free).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_plain_and_stay_different() {
        let names = ["../../etc/passwd", "a b", "a/b", "", "..", "lr=0.1"];
        let plain = distinct(names.map(|name| plain(name, "=")));
        assert_eq!(plain, ["_.._etc_passwd", "a_b", "a_b_2", "_", "__2", "lr=0.1"]);
    }
}
