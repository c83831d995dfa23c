//! What mixes whole batches: mixup, CutMix, or one of both.

use crate::augment::Mixing;

use super::element::{keys, read_p};
use crate::document::{Content, KeyPath, Node, Problem, read};

pub(super) const MIXINGS: [&str; 2] = ["mixup", "cutmix"];

/// Whether an element mixes batches.
pub(super) fn mixes(node: &Node) -> bool {
    let Some(first) = keys(node).into_iter().find(|key| *key != "p") else { return false };
    let inner = |node: &Node| match &node.content {
        Content::Array(items) => items.iter().any(mixes),
        _ => false,
    };
    MIXINGS.contains(&first) || (first == "one-of" && node.get("one-of").is_some_and(inner))
}

pub(super) fn read_mixing(
    node: &Node,
    at: &KeyPath,
    default_p: f64,
) -> Result<Mixing, Vec<Problem>> {
    let first = keys(node).into_iter().find(|key| *key != "p").unwrap_or_default();
    let p = node.get("p").map_or(Ok(default_p), |node| read_p(node, &at.key("p")))?;
    if let Content::Table(entries) = &node.content
        && let Some(entry) = entries.iter().find(|entry| entry.key != "p" && entry.key != first)
    {
        return Err(vec![Problem::unknown_key(at.key(&entry.key), &entry.key, &[first, "p"])]);
    }
    if first == "one-of" {
        let at = at.key("one-of");
        let Some(Content::Array(items)) = node.get("one-of").map(|node| &node.content) else {
            return Err(vec![Problem::value(at, "one-of needs a list").label("no list here")]);
        };
        let mut one_of = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let at = at.index(index);
            if !mixes(item) {
                let message = "one-of mixes transforms of images and of batches";
                return Err(vec![
                    Problem::value(at, message)
                        .label("changes single images")
                        .help("mixup and cutmix can only be alternatives to each other"),
                ]);
            }
            one_of.push(read_mixing(item, &at, 1.0)?);
        }
        if one_of.iter().all(|mixing| mixing.p() == 0.0) {
            let problem = Problem::value(at, "every p is 0: there is nothing to choose");
            return Err(vec![problem.label("in one-of, p is a weight")]);
        }
        return Ok(Mixing::OneOf { one_of, p });
    }
    let at = at.key(first);
    let Some(alpha) = node.get(first) else {
        let above = at.split_last().map_or(KeyPath::root(), |(_, above)| above);
        let message = format!("\"{first}\" needs its argument");
        return Err(vec![
            Problem::value(above, message)
                .label("alone here")
                .help(format!("{{ {first} = 0.2 }} draws the mixture from Beta(0.2, 0.2)")),
        ]);
    };
    let alpha = read::<f64>(alpha, &at)?;
    if !(alpha > 0.0 && alpha <= 1000.0) {
        let problem = Problem::value(at, format!("{first} = {alpha}: α of Beta(α, α) is positive"));
        return Err(vec![problem.label("between 0 (not included) and 1000")]);
    }
    Ok(match first {
        "mixup" => Mixing::Mixup { mixup: alpha, p },
        _ => Mixing::Cutmix { cutmix: alpha, p },
    })
}
