//! Axes of `[sweep.grid]` and `[sweep.zip]`: settings and the values they take.

use schemars::{Schema, SchemaGenerator, json_schema};

use crate::basis::written::written;
use crate::document::{Content, Entry, KeyPath, Node, Problem};

use super::condition::Condition;

/// A setting that is varied; `V` says which values it takes.
#[derive(Clone, Debug)]
pub struct Axis<V = Vec<Node>> {
    /// The dotted path as written, which is also the name of its column.
    pub path: String,
    /// Where the axis stands.
    pub at: KeyPath,
    /// The values, in order where they are listed.
    pub values: V,
    /// Where one of these does not hold the axis is left out.
    pub when: Vec<Condition>,
}

written!(Axis, "Axis", |types| {
    "anyOf": [
        { "type": "array", "minItems": 1, "uniqueItems": true },
        {
            "type": "object",
            "properties": {
                "values": {
                    "description": "The values that the setting takes.",
                    "type": "array",
                    "minItems": 1,
                    "uniqueItems": true,
                },
                "when": types.subschema_for::<Condition>(),
            },
            "required": ["values"],
            "additionalProperties": false,
        },
        // Unquoted dotted keys are tables inside tables.
        {
            "type": "object",
            "propertyNames": { "not": { "enum": ["values", "when"] } },
            "additionalProperties": types.subschema_for::<Axis>(),
        },
    ],
});

/// The schema of `[sweep.grid]`.
pub(super) fn grid(types: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "additionalProperties": types.subschema_for::<Axis>() })
}

/// The schema of `[sweep.zip]`, whose axes have no conditions.
pub(super) fn zip(types: &mut SchemaGenerator) -> Schema {
    let mut axis = types.subschema_for::<Axis>();
    axis.insert("properties".to_owned(), serde_json::json!({ "when": false }));
    json_schema!({ "type": "object", "additionalProperties": axis })
}

/// The axes of the table at `node`; `may_have_conditions` is false for axes that move together.
pub(super) fn read(
    node: &Node,
    at: &KeyPath,
    may_have_conditions: bool,
    problems: &mut Vec<Problem>,
) -> Vec<Axis> {
    let Some(entries) = node.entries() else {
        problems.push(
            Problem::value(at.clone(), format!("{at} is a table of paths and lists of values"))
                .label("not a table")
                .help("for instance \"model.defaults.dropout\" = [0.0, 0.5]"),
        );
        return Vec::new();
    };
    let mut reader = Reader { axes: Vec::new(), may_have_conditions, problems };
    reader.flatten(entries, at, "");
    reader.axes
}

struct Reader<'a> {
    axes: Vec<Axis>,
    may_have_conditions: bool,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    /// Unquoted dotted keys (`model.defaults.norm = […]`) arrive as nested tables: both ways of
    /// writing mean the same path.
    fn flatten(&mut self, entries: &[Entry], at: &KeyPath, prefix: &str) {
        for Entry { key, value, .. } in entries {
            let (path, at) = (format!("{prefix}{key}"), at.key(key));
            match &value.content {
                Content::Table(inner) if value.get("values").or(value.get("when")).is_some() => {
                    self.conditional(inner, value, path, at);
                }
                Content::Table(inner) => self.flatten(inner, &at, &format!("{path}.")),
                _ => {
                    let values = self.values(value, &path, &at);
                    self.axes.push(Axis { path, at, values, when: Vec::new() });
                }
            }
        }
    }

    /// `{ values = […], when = { … } }`.
    fn conditional(&mut self, entries: &[Entry], node: &Node, path: String, at: KeyPath) {
        const KEYS: [&str; 2] = ["values", "when"];
        if let Some(when) = node.entry("when").filter(|_| !self.may_have_conditions) {
            let problem = Problem::key(at.key(&when.key), "zipped axes have no conditions");
            self.problems.push(
                problem
                    .label("they move together")
                    .help("use conditions in [sweep.grid], [sweep.random] or [sweep.search]"),
            );
            return;
        }
        for Entry { key, .. } in entries.iter().filter(|it| !KEYS.contains(&it.key.as_str())) {
            let problem = Problem::key(at.key(key), format!("unknown key \"{key}\" of an axis"));
            let problem = problem.did_you_mean(key, &KEYS, "unknown");
            self.problems.push(problem.help("the keys here are values, when"));
        }
        let Some(listed) = node.get("values") else {
            self.problems.push(
                Problem::value(at, format!("the axis \"{path}\" has no values"))
                    .label("needs \"values\"")
                    .help("write { values = […], when = { … } }"),
            );
            return;
        };
        let values = self.values(listed, &path, &at.key("values"));
        let when = Condition::read(node, &at, self.problems);
        self.axes.push(Axis { path, at, values, when });
    }

    fn values(&mut self, node: &Node, path: &str, at: &KeyPath) -> Vec<Node> {
        match &node.content {
            Content::Array(values) if values.is_empty() => {
                self.problems.push(
                    Problem::value(at.clone(), format!("the axis \"{path}\" has no values"))
                        .label("empty")
                        .help("list the values of the setting, or remove the axis"),
                );
                Vec::new()
            }
            Content::Array(values) => {
                distinct(values, path, at, self.problems);
                values.clone()
            }
            _ => {
                self.problems.push(
                    Problem::value(
                        at.clone(),
                        format!("the axis \"{path}\" is not a list of values"),
                    )
                    .label("put it in [ ]"),
                );
                Vec::new()
            }
        }
    }
}

/// A value that stands twice would be one trial twice.
pub(super) fn distinct(values: &[Node], path: &str, at: &KeyPath, problems: &mut Vec<Problem>) {
    for (index, value) in values.iter().enumerate() {
        if values[..index].iter().any(|earlier| earlier.content == value.content) {
            problems.push(
                Problem::value(at.index(index), format!("\"{path}\" takes this value twice"))
                    .label("already in the list"),
            );
        }
    }
}
