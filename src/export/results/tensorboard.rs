//! A folder of TensorBoard runs: one for each trial, and the table of settings of the HParams tab.
//!
//! Numbers are `simple_value`s, which every reader of event files knows; they have 32 bits. Trials of one
//! setting are one session group, whose numbers the HParams tab averages.

mod event;
mod frame;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use prost::Message;

use crate::analysis::{Answers, Trial};
use crate::basis::record::{Scores, Status};

use super::error::{ExportError, failed, write};
use super::names::{distinct, plain};
use super::runs::{Run, measures, runs};
use super::typed::{Kind, Value};
use event::{Event, HParam, Metric, Summaries};

/// The name of the file of a run; TensorBoard looks for `tfevents` in it.
const FILE: &str = "events.out.tfevents.0.candlewick";

/// Letters of the name of a run.
const LETTERS: usize = 120;

/// The tag of a number: those that belong into one chart share what stands before the slash.
fn tag((part, name): (&str, &str)) -> String {
    if Scores::NAMES.contains(&name) { format!("{name}/{part}") } else { name.to_owned() }
}

/// Writes the runs into `folder`, which holds nothing else, and returns how many there are.
///
/// # Errors
/// If a table of the results folder is damaged, a file cannot be written, or the folder holds something
/// that is not part of this export.
pub fn tensorboard(answers: &Answers, folder: &Path) -> Result<usize, ExportError> {
    let runs = runs(answers)?;
    let names = names(answers);
    let is_own = |name: &str| name == FILE || names.iter().any(|own| own == name);
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.map_err(failed(folder))?.path();
        if !path.file_name().is_some_and(|name| is_own(&name.to_string_lossy())) {
            return Err(ExportError::Foreign { path, tool: "TensorBoard" });
        }
    }
    let kinds: Vec<Kind> = (0..answers.axes.len())
        .map(|axis| Kind::of(answers.trials.iter().map(|trial| trial.values[axis].as_str())))
        .collect();
    write(&folder.join(FILE), &file([experiment(answers, &kinds, &runs)]))?;
    let mut labels = vec![""; runs.len()];
    for setting in &answers.settings {
        setting.trials.iter().for_each(|index| labels[*index] = &setting.label);
    }
    for ((run, name), label) in runs.iter().zip(&names).zip(labels) {
        let group = format!("{}: {label}", answers.name);
        let path = folder.join(name).join(FILE);
        write(&path, &file(events(answers, &kinds, run, &group)))?;
    }
    Ok(runs.len())
}

/// What runs are called: the trial's number and what is different between trials.
fn names(answers: &Answers) -> Vec<String> {
    let width = answers.trials.len().to_string().len();
    let (seeds, folds) = answers.repeats();
    let name = |(index, trial): (usize, &Trial)| {
        let mut name = format!("trial-{:0width$}", trial.number);
        for factor in answers.varied() {
            name += &format!("_{}={}", factor.name, factor.levels[factor.of_trial[index]].name);
        }
        if seeds > 1 {
            name += &format!("_seed={}", trial.seed);
        }
        if folds > 1 {
            name += &format!("_fold={}", trial.fold);
        }
        plain(&name.chars().take(LETTERS).collect::<String>(), "=+")
    };
    distinct(answers.trials.iter().enumerate().map(name))
}

/// The bytes of a file of `events`.
fn file(events: impl IntoIterator<Item = Event>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for event in std::iter::once(Event::version()).chain(events) {
        frame::write(&event.encode_to_vec(), &mut bytes);
    }
    bytes
}

/// A setting as the HParams tab takes it.
fn hparam(kind: Kind, text: &str) -> Option<HParam> {
    Some(match kind.read(text)? {
        Value::Flag(flag) => HParam::Flag(flag),
        Value::Whole(number) => HParam::Number(number as f64),
        Value::Real(number) => HParam::Number(number),
        Value::Words(words) => HParam::Words(words.to_owned()),
    })
}

/// What the HParams tab shows: the settings with their values, and the results.
fn experiment(answers: &Answers, kinds: &[Kind], runs: &[Run]) -> Event {
    let settings = answers.axes.iter().zip(kinds).enumerate().map(|(axis, (name, kind))| {
        let values = answers.trials.iter().map(|trial| trial.values[axis].as_str());
        let levels: BTreeSet<&str> = values.collect();
        let mut levels: Vec<HParam> =
            levels.into_iter().filter_map(|level| hparam(*kind, level)).collect();
        levels.sort_by(HParam::compare);
        (name.clone(), levels)
    });
    let is_known = |name: &str| runs.iter().any(|run| run.results().any(|(it, _)| it == name));
    let metrics = result_names().filter(|name| is_known(name)).map(|name| Metric {
        tag: format!("results/{name}"),
        is_validation: name.starts_with("best_val"),
    });
    Event::experiment(&answers.name, &answers.description, settings.collect(), metrics.collect())
}

/// The names of all results that there may be.
fn result_names() -> impl Iterator<Item = String> {
    let scores = ["best_val", "test"]
        .into_iter()
        .flat_map(|part| Scores::NAMES.iter().map(move |name| format!("{part}_{name}")));
    scores.chain(["parameters", "flops"].map(str::to_owned))
}

/// The events of one trial.
fn events(answers: &Answers, kinds: &[Kind], run: &Run, group: &str) -> Vec<Event> {
    let trial = run.trial;
    let settings: BTreeMap<String, HParam> = answers
        .axes
        .iter()
        .zip(kinds)
        .zip(&trial.values)
        .filter_map(|((axis, kind), value)| Some((axis.clone(), hparam(*kind, value)?)))
        .collect();
    let (ends, end) = run.clock();
    let mut events = vec![Event::start(settings, group)];
    for (epoch, seconds) in run.epochs.iter().zip(ends) {
        let mut scalars = Summaries::default();
        for (measure, value) in measures().into_iter().zip(epoch.values) {
            if let Some(value) = value {
                scalars.add(&tag(measure), value);
            }
        }
        events.push(Event::scalars(seconds, epoch.number, scalars));
    }
    let mut results = Summaries::default();
    run.results().for_each(|(name, value)| results.add(&format!("results/{name}"), value));
    events.push(Event::scalars(end, trial.best_epoch as u64, results));
    let is = |status: Status| trial.status == status.name();
    events.push(Event::end(end, is(Status::Completed) || is(Status::Pruned), is(Status::Failed)));
    events
}
