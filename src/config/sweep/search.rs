//! `[sweep.search]`: settings that are suggested round by round, by what the trials before came to.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::basis::record::Metric;
use crate::basis::written::written;
use crate::document::{KeyPath, Node, Problem, read};

use super::axes::Axis;
use super::distribution::{Distribution, read_axes};

/// The table `[sweep.search]`.
#[derive(Clone, Debug)]
pub struct Search {
    /// Where it stands.
    pub at: KeyPath,
    /// How many settings are suggested by tree-structured Parzen estimators.
    pub tpe: usize,
    /// How many are suggested at once; 8 if not given.
    pub round: usize,
    /// How many of the first are drawn at random; 10 if not given.
    pub startup: usize,
    /// The metric to optimise; if not given, the metric that chooses the best epoch.
    pub metric: Option<Metric>,
    /// When to stop before all have been suggested.
    pub early_stop: Option<SearchStop>,
    /// The name of an earlier experiment, whose trials are known from the beginning.
    pub warm_start: Option<String>,
    /// What is suggested.
    pub axes: Vec<Axis<Distribution>>,
}

/// Ends a search whose best value has not become better for a while.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SearchStop {
    /// Settings in a row without improvement.
    #[schemars(range(min = 1))]
    pub patience: usize,
    /// The least change that counts; 0 if not given.
    #[serde(default)]
    pub min_delta: f64,
}

written!(Search, "Search", |types| {
    "type": "object",
    "properties": {
        "tpe": {
            "description": "How many settings are suggested by tree-structured Parzen estimators.",
            "type": "integer",
            "minimum": 1,
        },
        "round": {
            "description": "How many are suggested at once.",
            "type": "integer",
            "minimum": 1,
            "default": 8,
        },
        "startup": {
            "description": "How many of the first are drawn at random.",
            "type": "integer",
            "minimum": 0,
            "default": 10,
        },
        "metric": types.subschema_for::<Metric>(),
        "early-stop": types.subschema_for::<SearchStop>(),
        "warm-start": {
            "description": "The name of an earlier experiment, whose trials are known from the beginning.",
            "type": "string",
        },
    },
    "required": ["tpe"],
    "additionalProperties": types.subschema_for::<Axis<Distribution>>(),
});

impl Search {
    /// Reads the table at `node`, which stands at `at`.
    pub(super) fn read(node: &Node, at: &KeyPath, problems: &mut Vec<Problem>) -> Option<Search> {
        if node.entries().is_none() {
            problems.push(
                Problem::value(at.clone(), format!("{at} is a table of numbers and axes"))
                    .label("not a table"),
            );
            return None;
        }
        let before = problems.len();
        let keys = ["tpe", "round", "startup", "metric", "early-stop", "warm-start"];
        let axes = read_axes(node, at, &keys, problems);
        if node.get("tpe").is_none() {
            problems.push(
                Problem::key(at.clone(), format!("[{at}] needs the number of settings to try"))
                    .label("needs \"tpe\"")
                    .help("for instance tpe = 40"),
            );
        }
        let mut number = |key: &str, default: usize, least: usize| {
            let Some(value) = node.get(key) else { return default };
            let at = at.key(key);
            match read::<usize>(value, &at) {
                Ok(number) if number >= least => number,
                Ok(number) => {
                    let problem = Problem::value(at, format!("{key} = {number} suggests nothing"));
                    problems.push(problem.label(format!("at least {least}")));
                    default
                }
                Err(problem) => {
                    problems.push(problem);
                    default
                }
            }
        };
        let tpe = number("tpe", 1, 1);
        let round = number("round", 8, 1);
        let startup = number("startup", 10, 0);
        let metric = match node.get("metric").map(|value| read(value, &at.key("metric"))) {
            None => None,
            Some(Ok(metric)) => Some(metric),
            Some(Err(problem)) => {
                problems.push(problem);
                None
            }
        };
        let stop_at = at.key("early-stop");
        let early_stop = match node.get("early-stop").map(|value| read(value, &stop_at)) {
            None => None,
            Some(Ok(stop)) => {
                let SearchStop { patience, min_delta } = stop;
                let mut wrong = |key: &str, is_wrong: bool, message: &str| {
                    if is_wrong {
                        let problem = Problem::value(stop_at.key(key), message);
                        problems.push(problem.label("out of range"));
                    }
                };
                wrong("patience", patience == 0, "patience must be at least one setting");
                wrong(
                    "min-delta",
                    min_delta.is_nan() || min_delta < 0.0,
                    "min-delta must not be negative",
                );
                Some(stop)
            }
            Some(Err(problem)) => {
                problems.push(problem);
                None
            }
        };
        let warm_start = node.get("warm-start");
        let warm_start = match warm_start.map(|name| read::<String>(name, &at.key("warm-start"))) {
            None => None,
            Some(Ok(name)) => Some(name),
            Some(Err(problem)) => {
                problems.push(problem);
                None
            }
        };
        let at = at.clone();
        let search = Search { at, tpe, round, startup, metric, early_stop, warm_start, axes };
        (problems.len() == before).then_some(search)
    }
}
