//! `advice.csv`: what `wick advise` says of each kind of data in a sweep over the cases of transfer, for
//! its report to hold against what the trials came to.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::presets;
use crate::config::setting::{lay, set};
use crate::config::sweep::Sweep;
use crate::data::Cache;
use crate::document::parse::value;
use crate::document::{Content, KeyPath, Node};
use crate::plan::data::Fold;
use crate::plan::resolve::{question, resolve};
use crate::plan::strategy::Strategy;
use crate::plan::sweep::{Experiment, Trial};
use crate::results::hashes::verified;
use crate::results::layout::ADVICE;
use crate::results::table::{TableError, csv_bytes};

use super::advice::{Answer, Textbook};
use super::store::{Store, StoreError};
use super::survey::Files;

/// The axis that makes a sweep a comparison of cases.
pub const AXIS: &str = "transfer.case";

/// The value of that axis which advice settles.
pub const AUTO: &str = "auto";

/// A row: advice on the images of a trial and of all that differ from it by case, seed, fold and recipe alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Advised {
    /// The number of the first of these trials.
    pub trial: usize,
    /// Training images.
    pub images: usize,
    /// What the textbook's rule says of the measures: one of the four cases, as the file writes it.
    pub textbook: String,
    /// "small" or "large".
    pub size: String,
    /// "open", "likely" or "clear".
    pub size_confidence: String,
    /// "similar" or "different".
    pub kind: String,
    /// 0 (nothing in common with what the network knows) to 1.
    pub similarity: f64,
    /// "open", "likely" or "clear".
    pub similarity_confidence: String,
    /// What was advised after trying, in words; empty if nothing was tried.
    pub strategy: String,
    /// The nearest of the four cases.
    pub nearest: String,
    /// The layer behind which it cuts.
    pub cut: String,
    /// Its learning rate.
    pub lr: Option<f64>,
    /// The accuracy that it was expected to come to.
    pub expected: Option<f64>,
    /// How many strategies could not be told from the best one.
    pub tied: Option<usize>,
    /// Work of trying as a part of that of the four cases by five seeds.
    pub work: Option<f64>,
    /// The value of the axis under which it was run, "auto" or a case that came to the same; empty if it was not.
    pub as_run: String,
}

impl Advised {
    fn of(trial: usize, images: usize, textbook: &Textbook) -> Advised {
        Advised {
            trial,
            images,
            textbook: textbook.case.clone(),
            size: if textbook.is_large { "large" } else { "small" }.to_owned(),
            size_confidence: textbook.size_confidence.clone(),
            kind: if textbook.is_similar { "similar" } else { "different" }.to_owned(),
            similarity: textbook.similarity,
            similarity_confidence: textbook.similarity_confidence.clone(),
            ..Advised::default()
        }
    }

    fn after_trying(self, answer: &Answer) -> Advised {
        let tried = answer.recommended();
        Advised {
            strategy: tried.strategy.words(),
            nearest: tried.strategy.case().name().to_owned(),
            cut: tried.strategy.cut.clone(),
            lr: Some(tried.lr),
            expected: tried.accuracy.map(|_| tried.expected),
            tied: Some(answer.tied.len()),
            work: Some(answer.spent / answer.cases.max(1.0)),
            ..self
        }
    }
}

/// The experiment as the trial has it, with its case left to advice; none where the columns do not tell. `bare` is
/// the experiment `root` without its sweep.
fn as_trial(root: &Node, bare: &Node, experiment: &Experiment, trial: &Trial) -> Option<Node> {
    let at = KeyPath::root();
    let mut tree = bare.clone();
    let mut settings = Vec::new();
    for (axis, text) in experiment.axes.iter().zip(trial.settings.iter()) {
        if axis == VARIANT {
            let variants = Sweep::read(root.get("sweep")?).ok()?.list;
            let variant = variants.into_iter().find(|variant| variant.name == *text)?;
            settings.extend(variant.settings);
        } else if !text.is_empty() {
            settings.push((axis.clone(), value(text, &root.place).ok()?));
        }
    }
    // The preset comes first, so that others can reach into it. A stable sort.
    settings.sort_by_key(|(path, _)| path != PRESET);
    for (path, node) in settings {
        lay(&mut tree, &path, node, &at).ok()?;
        if path == PRESET {
            presets::apply(&mut tree).ok()?;
        }
    }
    let auto = Node { content: Content::String(AUTO.to_owned()), place: root.place.clone() };
    set(&mut tree, AXIS, auto, &at).ok()?;
    Some(tree)
}

/// The value of the axis number `axis` under which a trial beside `trial` does what is advised; empty if none does.
fn as_run(
    strategy: &Strategy,
    tree: &Node,
    experiment: &Experiment,
    axis: usize,
    trial: &Trial,
    files: &Files,
) -> Option<String> {
    let swept: Vec<&str> = experiment.axes.iter().map(String::as_str).collect();
    let (mut laid, _) = strategy.laid_over(tree, &swept).ok()?;
    let seed = Content::Integer(i64::try_from(trial.plan.seed).ok()?);
    let seed = Node { content: seed, place: tree.place.clone() };
    set(&mut laid, "seed", seed, &KeyPath::root()).ok()?;
    let (_, digest) = resolve(&laid, trial.plan.data.fold, files).ok()?;
    let found = experiment.trials.iter().find(|trial| trial.digest == digest)?;
    Some(found.settings[axis].clone())
}

/// The column that names variants.
const VARIANT: &str = "variant";

/// What brings a network with it.
const PRESET: &str = "model.preset";

/// Advice on each kind of data in the sweep of `root`; none if it is not one over cases. Where advice takes part, or
/// was asked for before, it is what was tried; else what the textbook's rule says of the measures. What cannot be
/// measured is left out: its trials say why.
fn advised(root: &Node, experiment: &Experiment, files: &Files) -> Vec<Advised> {
    let Some(axis) = experiment.axes.iter().position(|axis| axis == AXIS) else {
        return Vec::new();
    };
    let others = |trial: &Trial| {
        let mut values = trial.settings.to_vec();
        values.remove(axis);
        values
    };
    let asks = experiment.trials.iter().any(|trial| trial.settings[axis] == AUTO);
    let mut bare = root.clone();
    if let Content::Table(entries) = &mut bare.content {
        entries.retain(|entry| entry.key != "sweep");
    }
    let mut seen: Vec<Vec<String>> = Vec::new();
    let mut rows: Vec<Advised> = Vec::new();
    for trial in &experiment.trials {
        if seen.contains(&others(trial)) {
            continue;
        }
        seen.push(others(trial));
        let fold = trial.plan.data.fold.map(|fold| Fold { index: 0, ..fold });
        let Some(own) = as_trial(root, &bare, experiment, trial) else { continue };
        let Ok(tree) = question(&own, &bare) else { continue };
        let answer = match asks {
            true => files.answer(&tree, fold).ok(),
            false => files.known_answer(&tree, fold),
        };
        let row = match answer {
            Some(answer) => {
                let strategy = answer.strategy();
                let as_run = as_run(strategy, &own, experiment, axis, trial, files);
                let row = Advised::of(trial.number, answer.images, &answer.textbook);
                let as_run = as_run.unwrap_or_default();
                Some(Advised { as_run, ..row.after_trying(&answer) })
            }
            None => files
                .textbook(&tree, fold)
                .map(|(images, textbook)| Advised::of(trial.number, images, &textbook)),
        };
        rows.extend(row);
    }
    rows
}

/// Writes the table of [`advised`] into the results folder; none if there is nothing to say.
pub fn write_advice(
    root: &Node,
    experiment: &Experiment,
    images: &Cache,
    store: &Store,
) -> Result<(), StoreError> {
    let results = store.root().parent().unwrap_or(Path::new(""));
    let rows = advised(root, experiment, &Files::new(images, results));
    if rows.is_empty() {
        return Ok(());
    }
    store.write_hashed(&[(ADVICE, &csv_bytes(rows))])
}

/// The rows of the results folder `root`; none if there is no such table.
///
/// # Errors
/// If it is not as it was written.
pub fn read_advice(root: &Path) -> Result<Vec<Advised>, TableError> {
    let bytes = verified(root, ADVICE)?.unwrap_or_default();
    Ok(csv::Reader::from_reader(&bytes[..]).deserialize().map_while(Result::ok).collect())
}
