//! Settings: what the trials that differ only in seed and fold come to together, and how the best one
//! compares with the others.

use std::collections::BTreeMap;

use super::statistics::{ALPHA, Estimate, Paired, holm};
use crate::basis::naming::{names, short};

use super::measure::Measure;
use super::tables::Trial;

/// How a setting stands beside the best one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the best one of those on the same images.
    Best,
    /// The difference is not significant.
    Tied,
    /// It is significantly worse.
    Worse,
    /// There are not two seeds or folds in common, so nothing can be said.
    Unknown,
}

/// One setting.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The swept values as the table has them, one for each axis.
    pub values: Vec<String>,
    /// What they are called, one for each axis.
    pub names: Vec<String>,
    /// Axes and values in words; of an experiment that sweeps nothing, "the one setting".
    pub label: String,
    /// The number of its set of images: settings of different ones are not compared.
    pub set: usize,
    /// Indices of its trials, in plan order.
    pub trials: Vec<usize>,
    /// Over its completed trials.
    pub estimate: Option<Estimate>,
    /// The same score on the test images.
    pub test: Option<Estimate>,
    /// The best setting's value minus its own, over the seeds and folds that they share.
    pub behind: Option<Paired>,
    /// The p-value of that, by Holm's correction over all settings.
    pub corrected: Option<f64>,
    /// What follows.
    pub verdict: Verdict,
    /// Parameters of its network.
    pub parameters: Option<f64>,
    /// Multiplications with addition for one image.
    pub flops: Option<f64>,
    /// Mean wall time of its completed trials.
    pub seconds: Option<f64>,
}

/// The settings of `trials`, the best one first; those on the same images, by the numbers `sets` of the trials, stand
/// together.
pub(super) fn ranked(
    axes: &[String],
    trials: &[Trial],
    sets: &[usize],
    measure: Measure,
) -> Vec<Setting> {
    let mut groups: BTreeMap<&[String], Vec<usize>> = BTreeMap::new();
    for (index, trial) in trials.iter().enumerate() {
        groups.entry(&trial.values[..]).or_default().push(index);
    }
    let mut groups: Vec<Vec<usize>> = groups.into_values().collect();
    groups.sort_by_key(|group| group[0]);
    let names: Vec<BTreeMap<&str, String>> = (0..axes.len())
        .map(|axis| names(trials.iter().map(|trial| trial.values[axis].as_str())))
        .collect();
    let varies: Vec<bool> = names.iter().map(|names| names.len() > 1).collect();
    let mut settings: Vec<Setting> = groups
        .into_iter()
        .map(|group| {
            let first = &trials[group[0]];
            let called: Vec<String> = first
                .values
                .iter()
                .zip(&names)
                .map(|(value, names)| names[value.as_str()].clone())
                .collect();
            let words: Vec<String> = axes
                .iter()
                .zip(&called)
                .zip(&varies)
                .filter(|((_, value), varies)| **varies && !value.is_empty())
                .map(|((axis, value), _)| format!("{} = {value}", short(axis, axes)))
                .collect();
            let values = |measure: Measure| -> Vec<f64> {
                group.iter().filter_map(|index| trials[*index].value(measure)).collect()
            };
            let seconds: Vec<f64> = group
                .iter()
                .filter(|index| trials[**index].is_completed())
                .filter_map(|index| trials[*index].seconds)
                .collect();
            Setting {
                set: sets[group[0]],
                values: first.values.clone(),
                names: called,
                label: match &words[..] {
                    [] => "the one setting".to_owned(),
                    words => words.join(", "),
                },
                estimate: Estimate::of(&values(measure)),
                test: Estimate::of(&values(measure.on_test())),
                behind: None,
                corrected: None,
                verdict: Verdict::Unknown,
                parameters: first.parameters,
                flops: first.flops,
                seconds: Estimate::of(&seconds).map(|seconds| seconds.mean),
                trials: group,
            }
        })
        .collect();
    // Stable: of equal settings the one that stands first in the plan comes first.
    settings.sort_by(|a, b| match (&a.estimate, &b.estimate) {
        (Some(a), Some(b)) if measure.is_loss() => a.mean.total_cmp(&b.mean),
        (Some(a), Some(b)) => b.mean.total_cmp(&a.mean),
        (a, b) => b.is_some().cmp(&a.is_some()),
    });
    // The set with the best setting comes first.
    let mut order: Vec<usize> = Vec::new();
    for setting in &settings {
        if !order.contains(&setting.set) {
            order.push(setting.set);
        }
    }
    settings.sort_by_key(|setting| order.iter().position(|set| *set == setting.set));
    compare(&mut settings, trials, measure);
    settings
}

/// Tests every setting against the first one on the same images.
fn compare(settings: &mut [Setting], trials: &[Trial], measure: Measure) {
    let run = |index: &usize| {
        let trial = &trials[*index];
        Some(((&trial.seed, &trial.fold), trial.value(measure)?))
    };
    for alike in settings.chunk_by_mut(|a, b| a.set == b.set) {
        let Some((best, others)) = alike.split_first_mut() else { continue };
        if best.estimate.is_none() {
            continue;
        }
        best.verdict = Verdict::Best;
        let of_best: BTreeMap<(&String, &String), f64> =
            best.trials.iter().filter_map(run).collect();
        for other in others.iter_mut() {
            let differences: Vec<f64> = other
                .trials
                .iter()
                .filter_map(run)
                .filter_map(|(key, value)| Some(of_best.get(&key)? - value))
                .collect();
            other.behind = Paired::of(&differences);
        }
    }
    // Of all comparisons together.
    let p: Vec<Option<f64>> = settings.iter().map(|it| it.behind?.p).collect();
    for (setting, corrected) in settings.iter_mut().zip(holm(&p)) {
        setting.corrected = corrected;
        setting.verdict = match corrected {
            _ if setting.verdict == Verdict::Best => Verdict::Best,
            None => Verdict::Unknown,
            Some(p) if p < ALPHA => Verdict::Worse,
            Some(_) => Verdict::Tied,
        };
    }
}
