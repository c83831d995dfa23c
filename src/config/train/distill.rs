//! `train.distill`: a trained network as teacher.
//!
//! ```toml
//! distill = "none"
//! distill = { teacher = { experiment = "large" }, temperature = 4, weight = 0.9 }
//! distill = { teacher = "results/large/trials/1f0c…/best.safetensors" }
//! ```

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::weights::Which;
use crate::basis::written::written;
use crate::document::{Content, KeyPath, Node, Problem, WrittenPath, read};

/// A teacher, and how much it counts.
#[derive(Clone, Debug)]
pub struct Distill {
    /// Where its checkpoint is.
    pub teacher: Teacher,
    /// What logits are divided by; 4 if not given.
    pub temperature: f64,
    /// Its part of the loss; 0.9 if not given.
    pub weight: f64,
}

/// Where the checkpoint of a teacher is.
#[derive(Clone, Debug)]
pub enum Teacher {
    /// A checkpoint of this program.
    File(WrittenPath),
    /// The best epoch of a trial of an experiment whose results lie beside this one's.
    Experiment(String, Which),
}

written!(Teacher, "Teacher", |types| {
    "anyOf": [types.subschema_for::<WrittenPath>(), types.subschema_for::<FromExperiment>()],
});

/// The best epoch of a trial of an earlier experiment.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "TeacherExperiment")]
struct FromExperiment {
    /// Its name: its results lie beside this one's.
    experiment: String,
    /// Which of its trials.
    #[serde(default)]
    trial: Which,
}

// Its teacher is read by [`Distill::read`].
/// A trained network as teacher, and how much it counts.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Distill")]
struct Table {
    /// A checkpoint of this program, or `{ experiment = NAME, trial = "best" }`.
    #[schemars(with = "Teacher")]
    #[serde(rename = "teacher")]
    _teacher: serde::de::IgnoredAny,
    /// What logits are divided by; 4 if not given.
    #[serde(default = "four")]
    temperature: f64,
    /// Its part of the loss; 0.9 if not given.
    #[serde(default = "most")]
    #[schemars(range(min = 0, max = 1))]
    weight: f64,
}

fn four() -> f64 {
    4.0
}

fn most() -> f64 {
    0.9
}

/// How [`Distill::read`] reads it.
pub(super) struct DistillOrNone;

written!(DistillOrNone, "DistillOrNone", |types| {
    "anyOf": [{ "const": "none" }, types.subschema_for::<Table>()],
});

impl Distill {
    /// Reads the value at `node`, which stands at `path`: `"none"` or a table.
    pub fn read(node: &Node, path: &KeyPath) -> Result<Option<Distill>, Problem> {
        if let Content::String(word) = &node.content {
            if word == "none" {
                return Ok(None);
            }
            let problem = Problem::value(path.clone(), "a teacher is named in a table");
            return Err(problem
                .label("neither \"none\" nor a table")
                .help("distill = { teacher = { experiment = \"NAME\" } }, or teacher = \"FILE\""));
        }
        let Table { temperature, weight, .. } = read(node, path)?;
        let at = path.key("teacher");
        let teacher = match node.get("teacher") {
            Some(teacher) if teacher.get("experiment").is_some() => {
                let FromExperiment { experiment, trial } = read(teacher, &at)?;
                Teacher::Experiment(experiment, trial)
            }
            Some(teacher) => Teacher::File(read(teacher, &at)?),
            // The table has been read.
            None => return Err(Problem::value(path.clone(), "no teacher is named")),
        };
        Ok(Some(Distill { teacher, temperature, weight }))
    }
}
