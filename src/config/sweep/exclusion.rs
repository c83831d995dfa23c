//! `sweep.exclude`: combinations that are left out.

use crate::basis::written::written;
use crate::document::{Content, Entry, KeyPath, Node, Problem};

/// A combination that is left out.
#[derive(Clone, Debug)]
pub struct Exclusion {
    /// Where it stands.
    pub at: KeyPath,
    /// Dotted paths (or `variant`, `seed`) and values that all have to match.
    pub settings: Vec<(String, Node)>,
}

written!(Exclusion, "Exclusion", {
    "description": "Dotted paths (or `variant`, `seed`) and values that all have to match.",
    "type": "object",
    "minProperties": 1,
    "additionalProperties": true,
});

pub(super) fn read_list(node: &Node, at: &KeyPath, problems: &mut Vec<Problem>) -> Vec<Exclusion> {
    let Content::Array(items) = &node.content else {
        problems.push(
            Problem::value(at.clone(), "sweep.exclude is a list of combinations")
                .label("not a list")
                .help("for instance [{ \"model.defaults.norm\" = \"batch\", \"model.defaults.dropout\" = 0.5 }]"),
        );
        return Vec::new();
    };
    let mut exclusions = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let at = at.index(index);
        match item.entries() {
            Some(entries) if !entries.is_empty() => {
                exclusions.push(Exclusion { at, settings: Entry::pairs(entries) });
            }
            _ => problems.push(
                Problem::value(at, "a combination is a table of paths and values")
                    .label("nothing to match"),
            ),
        }
    }
    exclusions
}
