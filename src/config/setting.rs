//! Settings by their dotted paths, as sweeps, `--set` and the environment name them. Elements of lists
//! are addressed by number or by the names that layers have.

use super::defaults::CHOICES;
use super::layer::default_names;
use crate::document::{Content, Entry, KeyPath, Node, Problem};

/// Replaces the value of `root` at a dotted path as a user writes it: `model.layers.conv1.kernel`,
/// `model.layers[0].kernel`, `model.layers.0.kernel`. The last segment may be a new key of an
/// existing table. The problem says which part of the path is unknown; it stands at `at`.
pub fn set(root: &mut Node, dotted: &str, value: Node, at: &KeyPath) -> Result<KeyPath, Problem> {
    let segments = KeyPath::split(dotted);
    if segments.iter().any(String::is_empty) {
        return Err(Problem::key(at.clone(), format!("\"{dotted}\" is not a path"))
            .label("an empty part")
            .help("a path is keys with dots between them: train.optimizer.adam.lr"));
    }
    let mut node = root;
    let mut resolved = KeyPath::root();
    for (depth, segment) in segments.iter().enumerate() {
        let is_last = depth + 1 == segments.len();
        let here = resolved.clone();
        match &mut node.content {
            Content::Table(entries) => {
                let index = entries.iter().position(|entry| entry.key == *segment);
                resolved = resolved.key(segment);
                match index {
                    Some(index) if is_last => {
                        entries[index].value = value;
                        return Ok(resolved);
                    }
                    Some(index) => node = &mut entries[index].value,
                    None if is_last => {
                        let key_place = value.place.clone();
                        entries.push(Entry { key: segment.clone(), key_place, value });
                        return Ok(resolved);
                    }
                    None => {
                        let names: Vec<&str> =
                            entries.iter().map(|entry| entry.key.as_str()).collect();
                        return Err(unknown(dotted, segment, &here, &names, at));
                    }
                }
            }
            Content::Array(items) => {
                let index = position(items, segment);
                let Some(index) = index else {
                    let count = items.len();
                    let names = default_names(items);
                    let names: Vec<&str> =
                        names.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
                    let problem = unknown(dotted, segment, &here, &names, at);
                    return Err(problem.note(format!(
                        "{here} has {count} elements, addressed by number from 0 or by name"
                    )));
                };
                resolved = resolved.index(index);
                if is_last {
                    items[index] = value;
                    return Ok(resolved);
                }
                node = &mut items[index];
            }
            other => {
                return Err(Problem::key(
                    at.clone(),
                    format!("there is no \"{dotted}\": {here} is {}", other.describe()),
                )
                .label(format!("\"{segment}\" leads nowhere")));
            }
        }
    }
    Ok(resolved)
}

/// As [`set`], where a table is laid over one that is there, as a higher layer of the file is: key by key,
/// but for choices, elements of lists, what belongs to a sweep, and a table without keys, which replace.
pub fn lay(root: &mut Node, dotted: &str, value: Node, at: &KeyPath) -> Result<KeyPath, Problem> {
    let segments = KeyPath::split(dotted);
    let is_below_list = (1..segments.len()).any(|depth| {
        let above = look_up(root, &segments[..depth].join("."));
        above.is_some_and(|above| matches!(above.content, Content::Array(_)))
    });
    let path = segments.join(".");
    let is_of_sweep = segments.first().is_some_and(|first| first == "sweep");
    let replaces = is_below_list || is_of_sweep || CHOICES.contains(&path.as_str());
    match look_up(root, dotted) {
        Some(below) if !replaces && !value.entries().unwrap_or_default().is_empty() => {
            let whole = over(below, value, &path);
            set(root, dotted, whole, at)
        }
        _ => set(root, dotted, value, at),
    }
}

/// `above` over `below`, which stands at `path`.
fn over(below: &Node, mut above: Node, path: &str) -> Node {
    let (Content::Table(entries), Content::Table(lower)) = (&mut above.content, &below.content)
    else {
        return above;
    };
    for entry in lower {
        let path = format!("{path}.{}", entry.key);
        match entries.iter_mut().find(|other| other.key == entry.key) {
            None => entries.push(entry.clone()),
            Some(other) if !CHOICES.contains(&path.as_str()) => {
                let own = std::mem::replace(&mut other.value, entry.value.clone());
                other.value = over(&entry.value, own, &path);
            }
            Some(_) => {}
        }
    }
    above
}

/// The value of `root` at a dotted path as a user writes it.
pub fn look_up<'a>(root: &'a Node, dotted: &str) -> Option<&'a Node> {
    KeyPath::split(dotted).iter().try_fold(root, |node, segment| match &node.content {
        Content::Table(_) => node.get(segment),
        Content::Array(items) => position(items, segment).map(|index| &items[index]),
        _ => None,
    })
}

fn position(items: &[Node], segment: &str) -> Option<usize> {
    match segment.parse::<usize>() {
        Ok(index) => (index < items.len()).then_some(index),
        Err(_) => default_names(items).iter().position(|name| name == segment),
    }
}

fn unknown(dotted: &str, segment: &str, here: &KeyPath, names: &[&str], at: &KeyPath) -> Problem {
    let within = if here.segments().is_empty() { "the file".to_owned() } else { here.to_string() };
    let problem = Problem::key(
        at.clone(),
        format!("there is no \"{dotted}\": {within} has no \"{segment}\""),
    );
    let problem = problem.did_you_mean(segment, names, "no such setting");
    if names.is_empty() { problem } else { problem.help(format!("it has {}", names.join(", "))) }
}
