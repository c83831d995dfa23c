//! `when`: where an axis is in use.

use crate::basis::written::written;
use crate::document::{Content, Entry, KeyPath, Node, Problem};

/// What has to hold for an axis to be in use.
#[derive(Clone, Debug)]
pub struct Condition {
    /// The dotted path of a setting, or `variant`.
    pub path: String,
    /// Where it stands.
    pub at: KeyPath,
    /// The values of which the setting has to have one.
    pub values: Vec<Node>,
}

written!(Condition, "When", {
    "description": "Where one of these settings has another value, the axis is left out. A value, or \
                    a list of values of which it has to have one.",
    "type": "object",
    "minProperties": 1,
    "additionalProperties": { "not": { "type": "array", "maxItems": 0 } },
});

impl Condition {
    /// The conditions of the axis that is written as the table `axis` and stands at `at`.
    pub(super) fn read(axis: &Node, at: &KeyPath, problems: &mut Vec<Problem>) -> Vec<Condition> {
        let Some(when) = axis.get("when") else { return Vec::new() };
        let at = at.key("when");
        let Some(entries) = when.entries().filter(|entries| !entries.is_empty()) else {
            problems.push(
                Problem::value(at, "when is a table of paths (or variant) and values")
                    .label("no condition")
                    .help("for instance when = { \"train.optimizer\" = \"sgd\" }"),
            );
            return Vec::new();
        };
        let mut conditions = Vec::new();
        for Entry { key, value, .. } in entries {
            let at = at.key(key);
            let values = match &value.content {
                Content::Array(values) => values.clone(),
                _ => vec![value.clone()],
            };
            if values.is_empty() {
                problems.push(
                    Problem::value(at, format!("the condition on \"{key}\" has no values"))
                        .label("empty")
                        .help("a list gives the allowed values of the setting"),
                );
                continue;
            }
            conditions.push(Condition { path: key.clone(), at, values });
        }
        conditions
    }
}
