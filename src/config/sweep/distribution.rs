//! Axes of `[sweep.random]` and `[sweep.search]`: settings and the values that are drawn for them.
//!
//! ```toml
//! "model.defaults.dropout" = { uniform = [0.0, 0.5] }
//! "train.optimizer.adam.lr" = { log-uniform = [1e-4, 1e-1] }
//! "model.parameters.width" = { integer = [16, 64], step = 16 }
//! "data.batch-size" = { integer = [16, 512], log = true }
//! "model.defaults.norm" = { choice = ["none", "batch"], when = { variant = "wide" } }
//! ```

use serde::de::DeserializeOwned;

use crate::basis::written::written;
use crate::document::suggest;
use crate::document::{Content, Entry, KeyPath, Node, Place, Problem, read};

use super::axes::{Axis, distinct};
use super::condition::Condition;

/// How the values of an axis are drawn.
#[derive(Clone, Debug)]
pub enum Distribution {
    /// Every number between the ends is as likely.
    Uniform(Range<f64>),
    /// Every order of magnitude between the ends is as likely.
    LogUniform(Range<f64>),
    /// Whole numbers, both ends included.
    Integer {
        /// The least and the greatest.
        range: Range<i64>,
        /// From one to the next; 1 if not given.
        step: i64,
        /// Whether orders of magnitude are as likely, rather than numbers.
        is_log: bool,
    },
    /// One of these.
    Choice(Vec<Node>),
}

written!(Axis<Distribution>, "Distribution", |types| {
    "anyOf": [
        {
            "type": "object",
            "properties": {
                "uniform": { "type": "array", "items": { "type": "number" }, "minItems": 2, "maxItems": 2, "description": "[LOW, HIGH]: numbers, each as likely." },
                "when": types.subschema_for::<Condition>(),
            },
            "required": ["uniform"],
            "additionalProperties": false,
        },
        {
            "type": "object",
            "properties": {
                "log-uniform": { "type": "array", "items": { "type": "number" }, "minItems": 2, "maxItems": 2, "description": "[LOW, HIGH]: numbers, each order of magnitude as likely." },
                "when": types.subschema_for::<Condition>(),
            },
            "required": ["log-uniform"],
            "additionalProperties": false,
        },
        {
            "type": "object",
            "properties": {
                "integer": { "type": "array", "items": { "type": "integer" }, "minItems": 2, "maxItems": 2, "description": "[LOW, HIGH]: whole numbers, both ends included." },
                "step": {
                    "description": "From one to the next; 1 if not given.",
                    "type": "integer",
                    "minimum": 1,
                },
                "log": {
                    "description": "Whether orders of magnitude are as likely, rather than numbers.",
                    "type": "boolean",
                },
                "when": types.subschema_for::<Condition>(),
            },
            "required": ["integer"],
            "additionalProperties": false,
        },
        {
            "type": "object",
            "properties": {
                "choice": { "type": "array", "minItems": 1, "uniqueItems": true, "description": "One of these." },
                "when": types.subschema_for::<Condition>(),
            },
            "required": ["choice"],
            "additionalProperties": false,
        },
        // Unquoted dotted keys are tables inside tables.
        {
            "type": "object",
            "propertyNames": { "not": { "enum": ([&KINDS[..], &OPTIONS].concat()) } },
            "minProperties": 1,
            "additionalProperties": types.subschema_for::<Axis<Distribution>>(),
        },
    ],
});

/// Two ends and their places.
#[derive(Clone, Debug)]
pub struct Range<T> {
    /// The lower end.
    pub low: T,
    /// The upper end.
    pub high: T,
    /// Where both are written.
    pub place: Place,
    /// Where each is written.
    pub ends: [Place; 2],
}

/// The kinds of distributions.
pub(super) const KINDS: [&str; 4] = ["uniform", "log-uniform", "integer", "choice"];

/// What else an axis may say.
const OPTIONS: [&str; 3] = ["step", "log", "when"];

/// Whole numbers beyond are no longer told apart by the arithmetic of searches.
const LARGEST: i64 = 1 << 53;

/// The axes among `entries` of the table at `at`, those that are named by `settings` left out.
pub(super) fn read_axes(
    node: &Node,
    at: &KeyPath,
    settings: &[&str],
    problems: &mut Vec<Problem>,
) -> Vec<Axis<Distribution>> {
    let before = problems.len();
    let mut axes = Vec::new();
    for entry in node.entries().unwrap_or_default() {
        if settings.contains(&entry.key.as_str()) {
            continue;
        }
        // A slip in the name of a setting is no axis.
        let near = suggest::nearest(&entry.key, settings);
        if let Some(near) = near.filter(|_| entry.value.entries().is_none()) {
            problems.push(
                Problem::key(
                    at.key(&entry.key),
                    format!("unknown key \"{}\" in [{at}]", entry.key),
                )
                .label(format!("did you mean \"{near}\"?"))
                .help(format!(
                    "the keys are {}; all others are paths of axes",
                    settings.join(", ")
                )),
            );
            continue;
        }
        flatten(entry, at, "", &mut axes, problems);
    }
    if axes.is_empty() && problems.len() == before {
        problems.push(
            Problem::key(at.clone(), format!("[{at}] has no axes"))
                .label("nothing to draw")
                .help("for instance \"train.optimizer.adam.lr\" = { log-uniform = [1e-4, 1e-1] }"),
        );
    }
    axes
}

/// Unquoted dotted keys arrive as nested tables, as in a grid.
fn flatten(
    entry: &Entry,
    at: &KeyPath,
    prefix: &str,
    axes: &mut Vec<Axis<Distribution>>,
    problems: &mut Vec<Problem>,
) {
    let Entry { key, value, .. } = entry;
    let (path, at) = (format!("{prefix}{key}"), at.key(key));
    let Some(entries) = value.entries() else {
        problems.push(
            Problem::value(at, format!("the axis \"{path}\" is not a distribution"))
                .label("not a table")
                .help("write { uniform = [LOW, HIGH] }, { log-uniform = [LOW, HIGH] }, { integer = [LOW, HIGH] } or { choice = […] }"),
        );
        return;
    };
    let is_axis = entries.is_empty()
        || entries.iter().any(|entry| {
            let is_known = [&KINDS[..], &OPTIONS].concat().contains(&entry.key.as_str());
            is_known || entry.value.entries().is_none()
        });
    if !is_axis {
        for entry in entries {
            flatten(entry, &at, &format!("{path}."), axes, problems);
        }
        return;
    }
    let before = problems.len();
    let distribution = distribution(value, entries, &path, &at, problems);
    let when = Condition::read(value, &at, problems);
    if let (Some(values), true) = (distribution, problems.len() == before) {
        axes.push(Axis { path, at, values, when });
    }
}

fn distribution(
    node: &Node,
    entries: &[Entry],
    path: &str,
    at: &KeyPath,
    problems: &mut Vec<Problem>,
) -> Option<Distribution> {
    let known = [&KINDS[..], &OPTIONS].concat();
    if let Some(Entry { key, .. }) = entries.iter().find(|it| !known.contains(&it.key.as_str())) {
        let problem = Problem::key(at.key(key), format!("there is no distribution \"{key}\""));
        let problem = problem.did_you_mean(key, &known, "not a distribution");
        let kinds = KINDS.join(", ");
        problems.push(problem.help(format!(
            "the distributions are {kinds}; integer may have step and log, all may have when"
        )));
        return None;
    }
    let kinds: Vec<&Entry> = entries.iter().filter(|it| KINDS.contains(&it.key.as_str())).collect();
    let [Entry { key: kind, value, .. }] = kinds[..] else {
        let message = match kinds.len() {
            0 => format!("the axis \"{path}\" has no distribution"),
            _ => format!("the axis \"{path}\" has {} distributions", kinds.len()),
        };
        problems.push(
            Problem::value(at.clone(), message)
                .label("needs one")
                .help(format!("the distributions are {}", KINDS.join(", "))),
        );
        return None;
    };
    for option in ["step", "log"].into_iter().filter(|_| kind != "integer") {
        if node.get(option).is_some() {
            let message = format!("{option} cannot be combined with {kind}");
            let problem = Problem::key(at.key(option), message).label("for integer only");
            problems.push(match (option, kind.as_str()) {
                ("log", "uniform") => problem.help("write log-uniform = [LOW, HIGH]"),
                _ => problem,
            });
            return None;
        }
    }
    let value_at = at.key(kind);
    match kind.as_str() {
        "uniform" => {
            let range = range::<f64>(value, &value_at, problems)?;
            let width = range.high - range.low;
            if !width.is_finite() {
                let problem = Problem::value(value_at, "the range is too wide for arithmetic");
                problems.push(problem.label("wider than the largest number"));
            }
            Some(Distribution::Uniform(range))
        }
        "log-uniform" => {
            let range = range::<f64>(value, &value_at, problems)?;
            positive(range.low > 0.0, &value_at, problems);
            Some(Distribution::LogUniform(range))
        }
        "integer" => integer(node, value, at, &value_at, problems),
        _ => match &value.content {
            Content::Array(values) if !values.is_empty() => {
                distinct(values, path, &value_at, problems);
                Some(Distribution::Choice(values.clone()))
            }
            _ => {
                problems.push(
                    Problem::value(value_at, "choice is a list of values")
                        .label("nothing to choose from"),
                );
                None
            }
        },
    }
}

fn integer(
    node: &Node,
    value: &Node,
    at: &KeyPath,
    value_at: &KeyPath,
    problems: &mut Vec<Problem>,
) -> Option<Distribution> {
    let range = range::<i64>(value, value_at, problems)?;
    if range.low < -LARGEST || range.high > LARGEST {
        let problem = Problem::value(value_at.clone(), format!("an end is beyond ±{LARGEST}"));
        problems.push(problem.label("too large"));
    }
    let is_log = option(node, at, "log", problems)?.unwrap_or(false);
    let step = option::<i64>(node, at, "step", problems)?;
    if is_log {
        positive(range.low >= 1, value_at, problems);
    }
    match step {
        Some(step) if step < 1 => problems
            .push(Problem::value(at.key("step"), format!("a step of {step}")).label("at least 1")),
        Some(_) if is_log => problems.push(
            Problem::key(at.key("step"), "step and log cannot be combined")
                .label("steps would not be even")
                .help("leave one out, or list the values with choice"),
        ),
        _ => {}
    }
    Some(Distribution::Integer { range, step: step.unwrap_or(1), is_log })
}

/// The value of an optional key; none of it if it cannot be read.
fn option<T: DeserializeOwned>(
    node: &Node,
    at: &KeyPath,
    key: &str,
    problems: &mut Vec<Problem>,
) -> Option<Option<T>> {
    let Some(value) = node.get(key) else { return Some(None) };
    match read(value, &at.key(key)) {
        Ok(value) => Some(Some(value)),
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

fn positive(is_positive: bool, at: &KeyPath, problems: &mut Vec<Problem>) {
    if !is_positive {
        problems.push(
            Problem::value(at.index(0), "log-uniform needs a range above 0").label("not positive"),
        );
    }
}

fn range<T: DeserializeOwned + PartialOrd + Copy>(
    node: &Node,
    at: &KeyPath,
    problems: &mut Vec<Problem>,
) -> Option<Range<T>> {
    let ends = match read::<[T; 2]>(node, at) {
        Ok(ends) => ends,
        Err(problem) => {
            problems.push(problem.help("a range is [LOW, HIGH]"));
            return None;
        }
    };
    let [low, high] = ends;
    if low >= high {
        problems.push(
            Problem::value(at.clone(), "a range needs its lower end first")
                .label("nothing in between")
                .help("a range is [LOW, HIGH]"),
        );
        return None;
    }
    let Content::Array(items) = &node.content else { return None };
    let ends = [0, 1].map(|index: usize| items[index].place.clone());
    Some(Range { low, high, place: node.place.clone(), ends })
}
