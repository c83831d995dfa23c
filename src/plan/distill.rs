//! The teacher of a trial.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::basis::fault::Faults;
use crate::basis::shape::display;
use crate::config::train::distill::{Distill, Teacher};
use crate::document::{Content, KeyPath, Node, Problem};

use super::model::ModelPlan;
use super::survey::Survey;

/// A trained network that a trial learns from, and how much it counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DistillPlan {
    /// Its checkpoint.
    pub file: PathBuf,
    /// blake3 of the file.
    pub hash: String,
    /// What logits are divided by.
    pub temperature: f64,
    /// Its part of the loss, 0 ≤ weight ≤ 1.
    pub weight: f64,
    /// What it takes of memory.
    #[serde(skip)]
    pub bytes: u64,
}

/// What is known of a checkpoint that shall teach.
#[derive(Clone, Debug)]
pub struct TeacherFacts {
    /// blake3 of the file.
    pub hash: String,
    /// `[channels, height, width]` of the images that its network takes.
    pub input: Vec<usize>,
    /// The names of its classes.
    pub classes: Vec<String>,
    /// The bytes that it takes while it looks at images.
    pub bytes: u64,
}

/// `train.distill` of `root` for a trial with these classes, if they are known, and the network `model`.
pub(super) fn distill(
    root: &Node,
    classes: Option<&[String]>,
    model: &ModelPlan,
    survey: &dyn Survey,
) -> Result<Option<DistillPlan>, Vec<Problem>> {
    let at = KeyPath::root().key("train").key("distill");
    let Some(node) = root.at(&at) else { return Ok(None) };
    let Some(written) = Distill::read(node, &at).map_err(|problem| vec![problem])? else {
        return Ok(None);
    };
    let Distill { teacher, temperature, weight } = written;
    let mut faults = Faults::default();
    faults.positive(temperature, "train.distill.temperature".to_owned());
    let (sound, message) = ((0.0..=1.0).contains(&weight), "weight must be in [0, 1]");
    faults.that(sound, "train.distill.weight".to_owned(), message, "out of range");
    let mut problems: Vec<Problem> = faults.0.into_iter().map(Problem::from).collect();
    let at = at.key("teacher");
    let problem = |message: String| Problem::value(at.clone(), message).label("this teacher");
    let file = match teacher {
        Teacher::File(file) => Ok(file.path),
        Teacher::Experiment(name, _) if is_own(root, &name) => Err(format!(
            "the experiment {name} is its own teacher: its trials would change with each run"
        )),
        Teacher::Experiment(name, trial) => survey.earlier(&name, trial),
    };
    let facts = file.and_then(|file| Ok((survey.teacher(&file)?, file)));
    let (facts, file) = match facts {
        Ok(found) => found,
        Err(message) => {
            problems.push(problem(message));
            return Err(problems);
        }
    };
    if facts.input != model.input {
        let (theirs, ours) = (display(&facts.input), display(&model.input));
        let message =
            format!("the teacher takes images of {theirs}, the trial has images of {ours}");
        let help = "the trial and the teacher use the same images: train the teacher at this size";
        problems.push(problem(message).help(help));
    }
    if let Some(classes) = classes
        && facts.classes != classes
    {
        let message = format!(
            "the teacher has {} classes, {}; the trial has {}, {}",
            facts.classes.len(),
            some(&facts.classes),
            classes.len(),
            some(classes),
        );
        problems.push(problem(message).help("the classes and their order must be the same"));
    }
    if problems.is_empty() {
        let TeacherFacts { hash, bytes, .. } = facts;
        return Ok(Some(DistillPlan { file, hash, temperature, weight, bytes }));
    }
    Err(problems)
}

/// Whether `name` is that of the experiment itself.
fn is_own(root: &Node, name: &str) -> bool {
    root.get("name").is_some_and(|own| matches!(&own.content, Content::String(own) if own == name))
}

/// The first names of classes.
fn some(classes: &[String]) -> String {
    let more = if classes.len() > 3 { ", …" } else { "" };
    format!("{}{more}", classes.iter().take(3).cloned().collect::<Vec<_>>().join(", "))
}
