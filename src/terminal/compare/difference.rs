//! In what two TOML documents differ, as lines of dotted keys, as `--set` takes them.

use std::fmt::Write;

use toml::{Table, Value};

/// What differs between `one` and `other`: `-` before what only the first has, `+` before what only the
/// second has; empty if nothing does.
pub fn difference(one: &Table, other: &Table) -> String {
    let mut text = String::new();
    tables("", one, other, &mut text);
    text
}

fn tables(path: &str, one: &Table, other: &Table, text: &mut String) {
    let new = other.iter().filter(|(key, _)| !one.contains_key(*key)).map(|(key, _)| key);
    for key in one.keys().chain(new) {
        let dot = if path.is_empty() { "" } else { "." };
        let path = format!("{path}{dot}{}", written(key));
        values(&path, one.get(key), other.get(key), text);
    }
}

fn values(path: &str, one: Option<&Value>, other: Option<&Value>, text: &mut String) {
    if one == other {
        return;
    }
    // A table of one key is a choice: it is shown as a whole.
    let is_choice = |table: &Table| table.len() < 2;
    match (one, other) {
        (Some(Value::Table(one)), Some(Value::Table(other)))
            if !is_choice(one) || !is_choice(other) =>
        {
            tables(path, one, other, text);
        }
        // Lists of tables, such as layers, element by element; short lists of numbers as a whole.
        (Some(Value::Array(one)), Some(Value::Array(other)))
            if one.iter().chain(other).any(Value::is_table) =>
        {
            for index in 0..one.len().max(other.len()) {
                values(&format!("{path}[{index}]"), one.get(index), other.get(index), text);
            }
        }
        (one, other) => {
            for (sign, value) in [('-', one), ('+', other)] {
                if let Some(value) = value {
                    let _ = writeln!(text, "{sign}{path} = {value}");
                }
            }
        }
    }
}

/// A key as TOML has it.
fn written(key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !key.is_empty() && key.chars().all(is_bare) {
        key.to_owned()
    } else {
        Value::String(key.to_owned()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn what_differs_is_said_key_by_key_and_choices_as_a_whole() {
        let one = "name = \"a\"\n[train]\nepochs = 5\noptimizer = { sgd = { lr = 0.1 } }\n";
        let other = "name = \"a\"\nseed = 2\n[train]\nepochs = 5\noptimizer = { adam = { lr = 0.1 } }\n[\"x.y\"]\nz = 1\n";
        let [one, other] = [one, other].map(|text| text.parse().unwrap());
        let expected = "-train.optimizer = { sgd = { lr = 0.1 } }\n\
                        +train.optimizer = { adam = { lr = 0.1 } }\n\
                        +seed = 2\n\
                        +\"x.y\" = { z = 1 }\n";
        assert_eq!(difference(&one, &other), expected);
        assert_eq!(difference(&one, &one), "");
    }

    #[test]
    fn lists_of_tables_are_compared_element_by_element_and_other_lists_as_a_whole() {
        let one = "layers = [{ conv = 6, kernel = 3 }, \"flatten\"]\nsize = [1, 2]\n";
        let other =
            "layers = [{ conv = 8, kernel = 3 }, \"flatten\", { dense = 9 }]\nsize = [1, 3]\n";
        let [one, other] = [one, other].map(|text| text.parse().unwrap());
        let expected = "-layers[0].conv = 6\n\
                        +layers[0].conv = 8\n\
                        +layers[2] = { dense = 9 }\n\
                        -size = [1, 2]\n\
                        +size = [1, 3]\n";
        assert_eq!(difference(&one, &other), expected);
    }
}
