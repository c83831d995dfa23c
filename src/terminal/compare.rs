//! Experiments beside each other: differences of trials that share their settings and seeds, and what
//! else differs in the files.

mod difference;

use std::collections::BTreeMap;
use std::fmt::Write;

use super::grid::grid;
use crate::analysis::cost::{Cost, front};
use crate::analysis::statistics::{Estimate, Paired, holm};
use crate::analysis::{Answers, Setting, Trial};
use crate::basis::naming::short;
use crate::charts::axis::compact;

pub use difference::difference;

/// Settings that are listed before the list is cut.
const LISTED: usize = 40;

/// What trials are compared by.
#[derive(Clone, Copy, Debug)]
pub enum By<'a> {
    /// The experiment that they belong to.
    Experiment,
    /// The value of a setting, by its dotted path.
    Key(&'a str),
}

/// What trials have in common that are compared: settings in words, seed, fold, and the experiment where
/// they are to be of one.
type Block = (Vec<String>, String, String, Option<usize>);

/// The comparison of `experiments` for a terminal of `width` columns.
///
/// All experiments have to have the same measure.
///
/// # Errors
/// If nothing can be compared: why.
pub fn compare(experiments: &[Answers], by: By, width: usize) -> Result<String, String> {
    let axes = axes(experiments, by);
    let levels = levels(experiments, by);
    if let Some(empty) =
        experiments.iter().find(|it| !it.trials.iter().any(|trial| trial.is_completed()))
    {
        return Err(format!(
            "{} has no completed trial, so there is nothing to compare it by: wick status shows its progress",
            empty.root.display()
        ));
    }
    if levels.len() < 2 {
        return Err(match by {
            By::Experiment => "there is only one experiment: name another, or --by KEY".to_owned(),
            By::Key(key) => match levels.first() {
                Some((level, _)) => {
                    format!("{key} is {level} in all trials, so there is nothing to compare")
                }
                None => format!("no trial has a setting {key}"),
            },
        });
    }
    let blocks = blocks(experiments, by, &axes, &levels);
    let measure = experiments[0].measure;
    let mut text = format!("{}, paired differences from {}\n", measure.name(), levels[0].0);
    let differences: Vec<Vec<f64>> = (0..levels.len())
        .map(|level| {
            let pairs =
                blocks.values().filter_map(|values| Some(values.get(&level)? - values.get(&0)?));
            pairs.collect()
        })
        .collect();
    let paired: Vec<Option<Paired>> =
        differences.iter().map(|differences| Paired::of(differences)).collect();
    let p: Vec<Option<f64>> = paired.iter().skip(1).map(|paired| (*paired)?.p).collect();
    let corrected: Vec<Option<f64>> = std::iter::once(None).chain(holm(&p)).collect();
    let unit = measure.unit().replace(' ', ", ");
    let named = match by {
        By::Experiment => "experiment".to_owned(),
        By::Key(key) => key.to_owned(),
    };
    let header = vec![
        named,
        "n".into(),
        format!("mean{unit}"),
        "pairs".into(),
        "difference".into(),
        "p".into(),
    ];
    let mut table = grid(header, 1..6, width);
    for (level, (name, values)) in levels.iter().enumerate() {
        let estimate = Estimate::of(values);
        let mut row = vec![name.clone(), values.len().to_string()];
        row.push(estimate.map_or("–".to_owned(), |found| {
            with_half(&found, |x| measure.show(x), |x| measure.show(x))
        }));
        match (level, &paired[level]) {
            (0, _) => row.extend(["", "", ""].map(str::to_owned)),
            (_, None) => row.extend(["0", "–", "–"].map(str::to_owned)),
            (_, Some(paired)) => {
                row.push(paired.difference.n.to_string());
                row.push(with_half(
                    &paired.difference,
                    |x| measure.show_difference(x),
                    |x| measure.show(x),
                ));
                row.push(match corrected[level] {
                    None => "–".to_owned(),
                    Some(p) if p < 0.001 => "< 0.001".to_owned(),
                    Some(p) => format!("{p:.3}"),
                });
            }
        }
        table.add_row(row);
    }
    let _ = writeln!(text, "{}", table.trim_fmt());
    text.push_str("mean ± half of the 95 % interval; pairs share all settings that are swept anywhere, seed and fold; p by Holm\n");
    if levels.len() == 2 {
        text.push_str(&by_setting(&blocks, &axes, experiments, width));
    }
    text.push_str(&fronts(experiments, width));
    for other in &experiments[1..] {
        let changed = difference(&experiments[0].experiment, &other.experiment);
        let (one, two) = (experiments[0].root.display(), other.root.display());
        let _ = write!(text, "\n--- {one}/experiment.toml\n+++ {two}/experiment.toml\n{changed}");
        if changed.is_empty() {
            text.push_str("nothing differs\n");
        }
    }
    Ok(text)
}

fn with_half(
    found: &Estimate,
    mean: impl Fn(f64) -> String,
    half: impl Fn(f64) -> String,
) -> String {
    let words = mean(found.mean);
    found.half_width.map_or(words.clone(), |width| format!("{words} ± {}", half(width)))
}

/// Everything that is swept anywhere, but what is compared by.
fn axes(experiments: &[Answers], by: By) -> Vec<String> {
    let mut axes: Vec<String> = Vec::new();
    for axis in experiments.iter().flat_map(|experiment| &experiment.axes) {
        let is_compared = matches!(by, By::Key(key) if key == axis);
        if !axes.contains(axis) && !is_compared {
            axes.push(axis.clone());
        }
    }
    axes
}

/// The setting at `path` of a trial: as it was swept, else as the file has it.
fn setting(experiment: &Answers, trial: &Trial, path: &str) -> String {
    let column = experiment.axes.iter().position(|axis| axis == path);
    let swept = column.map(|column| trial.values[column].clone()).filter(|value| !value.is_empty());
    let written = || {
        let mut steps = path.split('.');
        let first = experiment.experiment.get(steps.next()?)?;
        steps.try_fold(first, |value, step| value.get(step))
    };
    let text = |value: &toml::Value| match value {
        toml::Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    swept.or_else(|| written().map(text)).unwrap_or_default()
}

/// What is compared, in the order of appearance, with the values of all trials.
fn levels(experiments: &[Answers], by: By) -> Vec<(String, Vec<f64>)> {
    let mut levels: Vec<(String, Vec<f64>)> = Vec::new();
    for (index, experiment) in experiments.iter().enumerate() {
        for trial in &experiment.trials {
            let name = level(experiments, index, trial, by);
            let Some(value) = experiment.value(trial) else { continue };
            match levels.iter_mut().find(|(known, _)| *known == name) {
                Some((_, values)) => values.push(value),
                None if name.is_empty() => {}
                None => levels.push((name, vec![value])),
            }
        }
    }
    levels
}

fn level(experiments: &[Answers], index: usize, trial: &Trial, by: By) -> String {
    match by {
        By::Key(key) => setting(&experiments[index], trial, key),
        By::Experiment => called(experiments, index),
    }
}

/// The name of an experiment, or its folder where several have one name.
fn called(experiments: &[Answers], index: usize) -> String {
    let name = &experiments[index].name;
    let is_shared = experiments.iter().filter(|other| other.name == *name).count() > 1;
    if is_shared { experiments[index].root.display().to_string() } else { name.clone() }
}

/// The values of trials that share everything else, by level.
fn blocks(
    experiments: &[Answers],
    by: By,
    axes: &[String],
    levels: &[(String, Vec<f64>)],
) -> BTreeMap<Block, BTreeMap<usize, f64>> {
    let place = |name: &str| levels.iter().position(|(level, _)| level == name);
    // Where an experiment has several values of the key itself, others would only add differences of
    // their own.
    let is_within = matches!(by, By::Key(_))
        && experiments.iter().enumerate().any(|(index, experiment)| {
            let mut names =
                experiment.trials.iter().map(|trial| level(experiments, index, trial, by));
            let first = names.next();
            names.any(|name| Some(name) != first)
        });
    let mut blocks: BTreeMap<Block, BTreeMap<usize, f64>> = BTreeMap::new();
    for (index, experiment) in experiments.iter().enumerate() {
        for trial in &experiment.trials {
            let level = place(&level(experiments, index, trial, by));
            let (Some(level), Some(value)) = (level, experiment.value(trial)) else { continue };
            let settings = axes.iter().map(|axis| setting(experiment, trial, axis)).collect();
            let within = is_within.then_some(index);
            let block = (settings, trial.seed.clone(), trial.fold.clone(), within);
            blocks.entry(block).or_default().entry(level).or_insert(value);
        }
    }
    blocks
}

/// The settings of all experiments that none of them beats at its cost, if their costs differ.
fn fronts(experiments: &[Answers], width: usize) -> String {
    let all: Vec<(usize, &Setting)> = experiments
        .iter()
        .enumerate()
        .flat_map(|(index, experiment)| experiment.settings.iter().map(move |it| (index, it)))
        .collect();
    let measure = experiments[0].measure;
    let costs = Cost::EXACT.into_iter().filter(|cost| cost.matters(all.iter().map(|(_, it)| *it)));
    let mut text = String::new();
    for cost in costs {
        let place =
            |(_, setting): &(usize, &Setting)| Some([cost.of(setting)?, setting.estimate?.mean]);
        let places: Vec<Option<[f64; 2]>> = all.iter().map(place).collect();
        let header = ["experiment", "setting", cost.name(), &measure.name()].map(str::to_owned);
        let mut table = grid(header.to_vec(), 2..4, width);
        let on = front(&places, measure.is_loss());
        for index in on.iter().take(LISTED) {
            let (experiment, setting) = all[*index];
            let mean =
                |found: Estimate| with_half(&found, |x| measure.show(x), |x| measure.show(x));
            table.add_row(vec![
                called(experiments, experiment),
                setting.label.clone(),
                cost.of(setting).map_or(String::new(), compact),
                setting.estimate.map_or(String::new(), mean),
            ]);
        }
        let words = cost.words();
        let _ = writeln!(
            text,
            "\nPareto front by {words}: no setting is as good and cheaper\n{}",
            table.trim_fmt()
        );
        if on.len() > LISTED {
            let _ = writeln!(text, "… and {} more", on.len() - LISTED);
        }
    }
    text
}

/// The differences at each shared setting, if there are several.
fn by_setting(
    blocks: &BTreeMap<Block, BTreeMap<usize, f64>>,
    axes: &[String],
    experiments: &[Answers],
    width: usize,
) -> String {
    let measure = experiments[0].measure;
    let mut settings: BTreeMap<&Vec<String>, Vec<f64>> = BTreeMap::new();
    for ((setting, ..), values) in blocks {
        if let (Some(first), Some(second)) = (values.get(&0), values.get(&1)) {
            settings.entry(setting).or_default().push(second - first);
        }
    }
    let varies = |axis: &usize| {
        let mut values = settings.keys().map(|setting| &setting[*axis]);
        let first = values.next();
        values.any(|value| Some(value) != first)
    };
    let columns: Vec<usize> = (0..axes.len()).filter(varies).collect();
    if settings.len() < 2 {
        return String::new();
    }
    let mut header: Vec<String> = columns.iter().map(|axis| short(&axes[*axis], axes)).collect();
    header.extend(["pairs", "difference"].map(str::to_owned));
    let mut table = grid(header, columns.len()..columns.len() + 2, width);
    for (setting, differences) in settings.iter().take(LISTED) {
        let Some(found) = Estimate::of(differences) else { continue };
        let mut row: Vec<String> = columns.iter().map(|axis| setting[*axis].clone()).collect();
        row.push(found.n.to_string());
        row.push(with_half(&found, |x| measure.show_difference(x), |x| measure.show(x)));
        table.add_row(row);
    }
    let mut text = format!("\nby setting\n{}\n", table.trim_fmt());
    if settings.len() > LISTED {
        let _ = writeln!(text, "… and {} more", settings.len() - LISTED);
    }
    text
}
