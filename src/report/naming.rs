//! What axes, values and scores are called where there is little room.

use std::collections::{BTreeMap, BTreeSet};

/// The last part of a dotted path, unless another axis ends with it too.
pub fn short(axis: &str, axes: &[String]) -> String {
    let last = |axis: &str| axis.rsplit('.').next().unwrap_or(axis).to_owned();
    let name = last(axis);
    let is_unique = axes.iter().filter(|other| last(other) == name).count() == 1;
    if is_unique { name } else { axis.to_owned() }
}

/// What the `values` of one axis are called: a choice by its name alone, where no other value has the
/// same.
pub fn names<'a>(values: impl IntoIterator<Item = &'a str>) -> BTreeMap<&'a str, String> {
    let name = |value: &'a str| {
        let table = value.strip_prefix("{ ").and_then(|table| table.split_once(" = "));
        table.map_or(value, |(name, _)| name)
    };
    let values: BTreeSet<&str> = values.into_iter().collect();
    let short: BTreeSet<&str> = values.iter().map(|value| name(value)).collect();
    let is_clear = short.len() == values.len();
    let named = |value| (value, if is_clear { name(value) } else { value }.to_owned());
    values.into_iter().map(named).collect()
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
        assert_eq!(called(same), same);
        assert_eq!(called(["none", "0.5"]), ["none", "0.5"]);
    }

    #[test]
    fn an_axis_is_called_by_its_last_part_unless_another_ends_with_it() {
        let axes = ["a.lr", "b.lr", "a.norm"].map(str::to_owned);
        assert_eq!(short("a.norm", &axes), "norm");
        assert_eq!(short("a.lr", &axes), "a.lr");
    }
}
