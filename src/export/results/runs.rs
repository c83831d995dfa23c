//! Every number that the tables of a results folder hold of its trials, epoch by epoch.

use std::collections::BTreeMap;

use crate::analysis::{Answers, Trial};
use crate::basis::record::Scores;
use crate::results::table::{Damage, TableError};
use crate::results::{metrics, timings};

/// Numbers of an epoch: six scores on training and on validation images, the learning rate, steps, seconds.
pub(super) const MEASURES: usize = 15;

/// The place of seconds among them: they come from another table.
const SECONDS: usize = MEASURES - 1;

/// What a number is of: the part of the images and the name. What is of no images is called training.
pub(super) fn measures() -> [(&'static str, &'static str); MEASURES] {
    let score = |index: usize| Scores::NAMES[index % Scores::NAMES.len()];
    std::array::from_fn(|index| match index {
        0..6 => ("train", score(index)),
        6..12 => ("val", score(index)),
        12 => ("train", "lr"),
        13 => ("train", "steps"),
        _ => ("train", "seconds"),
    })
}

/// The column of `metrics.csv` that holds a number, or of `timings.csv`.
pub(super) fn column((part, name): (&str, &str)) -> String {
    if Scores::NAMES.contains(&name) { format!("{part}_{name}") } else { name.to_owned() }
}

/// A trial with all its epochs.
pub(super) struct Run<'a> {
    pub(super) trial: &'a Trial,
    pub(super) epochs: Vec<Epoch>,
    /// Seconds beside the epochs; none where nothing was timed.
    pub(super) beside: Option<f64>,
}

/// One epoch.
pub(super) struct Epoch {
    /// Counted from 1.
    pub(super) number: u64,
    /// In the order of [`measures`].
    pub(super) values: [Option<f64>; MEASURES],
}

impl Run<'_> {
    /// Seconds from the trial's start to the end of each of its epochs, and to its own end; zeros where
    /// nothing was timed.
    pub(super) fn clock(&self) -> (Vec<f64>, f64) {
        let mut now = 0.0;
        let ends = self.epochs.iter().map(|epoch| {
            now += epoch.values[SECONDS].unwrap_or(0.0);
            now
        });
        let ends = ends.collect();
        (ends, now + self.beside.unwrap_or(0.0))
    }

    /// What the trial came to at its best epoch, as `trials.csv` says it: name, number.
    pub(super) fn results(&self) -> impl Iterator<Item = (String, f64)> {
        let parts = [(1, "best_val"), (2, "test")];
        let scores = parts.into_iter().flat_map(|(part, called)| {
            let named = Scores::NAMES.iter().zip(self.trial.scores_on(part));
            named.filter_map(move |(name, score)| Some((format!("{called}_{name}"), score?)))
        });
        let costs = [("parameters", self.trial.parameters), ("flops", self.trial.flops)];
        scores.chain(costs.into_iter().filter_map(|(name, cost)| Some((name.to_owned(), cost?))))
    }
}

/// The trials of `answers` with all their epochs, in plan order.
pub(super) fn runs(answers: &Answers) -> Result<Vec<Run<'_>>, TableError> {
    let run = |trial| Run { trial, epochs: Vec::new(), beside: None };
    let mut runs: Vec<Run> = answers.trials.iter().map(run).collect();
    let places: BTreeMap<usize, usize> =
        answers.trials.iter().enumerate().map(|(place, trial)| (trial.number, place)).collect();
    let place = |number: usize| {
        let place = places.get(&number).copied();
        place.ok_or_else(|| format!("trials.csv knows no trial {number}"))
    };
    metrics::read(&answers.root, Damage::Refused, |row| {
        let epochs = &mut runs[place(row.trial)?].epochs;
        let (number, next) = (row.epoch, epochs.len() + 1);
        if number != next {
            return Err(format!("epoch {number} stands where epoch {next} belongs"));
        }
        // In the order of `measures`.
        let [steps, lr, scores @ ..] = row.numbers;
        let mut numbers = scores.into_iter().chain([lr, steps, None]);
        let values = [(); MEASURES].map(|()| numbers.next().flatten());
        epochs.push(Epoch { number: number as u64, values });
        Ok(())
    })?;
    // Results that are copied or compared go without it.
    if answers.root.join(timings::FILE).is_file() {
        timings::read(&answers.root, Damage::Refused, |trial, epoch, seconds| {
            let run = &mut runs[place(trial)?];
            // What was lost with a process and done again has been timed twice.
            let sum = match epoch.checked_sub(1).map(|it| run.epochs.get_mut(it)) {
                None => &mut run.beside,
                Some(Some(epoch)) => &mut epoch.values[SECONDS],
                Some(None) => return Ok(()),
            };
            *sum = Some(sum.unwrap_or(0.0) + seconds);
            Ok(())
        })?;
    }
    Ok(runs)
}
