//! Tables of an experiment, read with everything that is wrong with them.

use serde::de::DeserializeOwned;

use crate::document::{KeyPath, Node, Problem, read};

/// The value, if there is one; what is wrong goes to `problems`.
pub(super) fn take<T>(
    result: Result<T, impl Into<Vec<Problem>>>,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(found) => {
            problems.extend(found.into());
            None
        }
    }
}

/// The value of `key` in the table at `at`, which has to have it.
pub(super) fn section<T: DeserializeOwned>(
    node: &Node,
    at: &KeyPath,
    key: &str,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let path = at.key(key);
    let Some(value) = node.get(key) else {
        problems.push(
            Problem::missing(path.clone(), format!("the key \"{path}\" is missing"))
                .label("not in here"),
        );
        return None;
    };
    take(read::<T>(value, &path), problems)
}

/// The keys of the table at `at` that are not among `keys`.
pub(super) fn unknown_keys(node: &Node, at: &KeyPath, keys: &[&str]) -> Vec<Problem> {
    let Some(entries) = node.entries() else {
        return vec![Problem::value(at.clone(), format!("{at} is a table")).label("not a table")];
    };
    entries
        .iter()
        .filter(|entry| !keys.contains(&entry.key.as_str()))
        .map(|entry| Problem::unknown_key(at.key(&entry.key), &entry.key, keys))
        .collect()
}
