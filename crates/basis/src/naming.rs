//! What axes, values and scores are called where there is little room.

use std::collections::{BTreeMap, BTreeSet};

/// Letters of a name; a chain of transforms may have hundreds.
const LETTERS: usize = 72;

/// As many of the last parts of a dotted path as tell it apart from all other axes.
pub fn short(axis: &str, axes: &[String]) -> String {
    let last = |axis: &str, parts: usize| {
        let mut places = axis.rmatch_indices('.').map(|(place, _)| place + 1);
        axis[places.nth(parts - 1).unwrap_or(0)..].to_owned()
    };
    let is_unique = |parts: &usize| {
        let name = last(axis, *parts);
        axes.iter().filter(|other| last(other, *parts) == name).count() == 1
    };
    let most = axis.split('.').count();
    last(axis, (1..=most).find(is_unique).unwrap_or(most))
}

/// What the `values` of one axis are called: a choice by its name alone, where no other value has the
/// same; else by its name and what is chosen.
pub fn names<'a>(values: impl IntoIterator<Item = &'a str>) -> BTreeMap<&'a str, String> {
    let parts = |value: &'a str| value.strip_prefix("{ ")?.strip_suffix(" }")?.split_once(" = ");
    let name = |value: &'a str| parts(value).map_or(value, |(name, _)| name);
    let whole = |value: &'a str| match parts(value) {
        // A table with several keys stays as it is written.
        Some((name, rest)) if !rest.contains(", ") || rest.starts_with('{') => {
            format!("{name} {rest}")
        }
        _ => value.to_owned(),
    };
    let values: BTreeSet<&str> = values.into_iter().collect();
    let short: BTreeSet<&str> = values.iter().map(|value| name(value)).collect();
    let is_clear = short.len() == values.len();
    let called = |value| if is_clear { name(value).to_owned() } else { whole(value) };
    // What is cut has to tell values apart, too.
    let cuts: BTreeSet<String> = values.iter().map(|value| cut(called(value))).collect();
    let are_cut = cuts.len() == values.len();
    let named = |value| (value, if are_cut { cut(called(value)) } else { called(value) });
    values.into_iter().map(named).collect()
}

/// The first letters of a long name.
fn cut(name: String) -> String {
    if name.chars().count() <= LETTERS {
        return name;
    }
    name.chars().take(LETTERS - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_called_by_their_names_where_these_tell_them_apart() {
        let called = |values: [&str; 2]| {
            let names = names(values);
            values.map(|value| names[value].clone())
        };
        assert_eq!(called(["{ sgd = { lr = 0.1 } }", "{ adam = {} }"]), ["sgd", "adam"]);
        let same = ["{ sgd = { lr = 0.1 } }", "{ sgd = { lr = 0.2 } }"];
        assert_eq!(called(same), ["sgd { lr = 0.1 }", "sgd { lr = 0.2 }"]);
        let sizes = ["{ per-class = 10 }", "{ per-class = 100 }"];
        assert_eq!(called(sizes), ["per-class 10", "per-class 100"]);
        let (a, b) = ("a".repeat(200), "b".repeat(200));
        let names = names([&a[..], &b[..]]);
        assert!(names[&a[..]].chars().count() == 72 && names[&b[..]].ends_with('…'));
        let keys = ["{ a = 1, b = 2 }", "{ a = 1, b = 3 }"];
        assert_eq!(called(keys), keys);
        assert_eq!(called(["none", "0.5"]), ["none", "0.5"]);
    }

    #[test]
    fn an_axis_is_called_by_as_few_of_its_last_parts_as_tell_it_apart() {
        let axes = ["train.a.lr", "train.b.lr", "model.norm", "lr"].map(str::to_owned);
        let called = axes.clone().map(|axis| short(&axis, &axes));
        assert_eq!(called, ["a.lr", "b.lr", "norm", "lr"]);
    }
}
