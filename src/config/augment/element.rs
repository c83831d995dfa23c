//! What the elements of a chain have in common: keys, of which one names the kind, and `p`.

use crate::document::{Content, KeyPath, Node, Problem, read};

/// The keys that the element at `node` has, or its name; what decides its kind comes first.
pub(super) fn keys(node: &Node) -> Vec<&str> {
    match &node.content {
        Content::String(name) => vec![name],
        Content::Table(entries) => entries.iter().map(|entry| entry.key.as_str()).collect(),
        _ => Vec::new(),
    }
}

/// The probability at `node`.
pub(super) fn read_p(node: &Node, at: &KeyPath) -> Result<f64, Problem> {
    let p = read::<f64>(node, at)?;
    if (0.0..=1.0).contains(&p) {
        return Ok(p);
    }
    let problem = Problem::value(at.clone(), format!("p = {p} is not a probability"));
    Err(problem.label("between 0 and 1"))
}
