//! What is told before trials are run: nothing that is wrong, but what is hardly meant.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use crate::basis::number::{count, number};
use crate::config::train::ClassWeights;
use crate::config::train::average::{Average, Ema};
use crate::config::train::parameters::{DecayOn, ParameterRule};
use crate::config::train::schedule::Schedule;
use crate::data;
use crate::document::{Content, KeyPath, Node, Place};
use crate::plan::Plan;
use crate::plan::augment::AugmentPlan;
use crate::plan::data::{DataPlan, OnBadImage, Subset};
use crate::plan::model::{LayerKind, LayerPlan, Tail};
use crate::plan::sweep::Experiment;
use crate::plan::train::TrainPlan;

use crate::train::card::{Card, without_folders};
use crate::train::steps::Steps;

use super::counts::Counts;
use super::survey::read_teacher;

/// The lines on `experiment`, which `root` describes.
pub fn notes(root: &Node, experiment: &Experiment, images: &data::Cache) -> Vec<String> {
    let mut warnings = norms_of_little(experiment, images);
    warnings.extend(teachers(experiment));
    let warnings = warnings.iter().map(|warning| format!("warning: {warning}"));
    let mut notes = batches_of_all(root, experiment, images);
    notes.extend(imbalance(experiment, images));
    notes.extend(averages(experiment, images));
    notes.extend(too_late(experiment, images));
    notes.extend(until_of_nothing(experiment));
    let notes = notes.iter().map(|note| format!("note: {note}"));
    experiment.told.iter().cloned().chain(warnings).chain(notes).collect()
}

/// Batches that were written and are larger than all that a trial learns from.
fn batches_of_all(root: &Node, experiment: &Experiment, images: &data::Cache) -> Vec<String> {
    let at = KeyPath::root().key("data").key("batch-size");
    // Who writes no size of batches takes what there is.
    let default = root.at(&at).and_then(|node| match (&node.place, &node.content) {
        (Place::File(file, _), Content::Integer(size)) if file.is_built_in() => {
            usize::try_from(*size).ok()
        }
        _ => None,
    });
    let mut known = BTreeSet::new();
    let mut seen = HashSet::new();
    let mut notes = Vec::new();
    for trial in &experiment.trials {
        let size = trial.plan.train.batch_size;
        if Some(size) == default
            || known.contains(&size)
            || !seen.insert((size, Arc::as_ptr(&trial.plan.data)))
        {
            continue;
        }
        let taught = Counts::of(&trial.plan.data, images).train;
        if size > taught && taught > 0 {
            known.insert(size);
            notes.push(format!(
                "data.batch-size = {} is more than the {} training images: an epoch is one step",
                number(size as u64),
                number(taught as u64)
            ));
        }
    }
    notes
}

/// The largest class has so many times as many images as the smallest, where that is told.
const UNEVEN: usize = 3;

/// Classes of which there are far fewer images than of others, and what makes up for that; and where that is
/// done twice.
fn imbalance(experiment: &Experiment, images: &data::Cache) -> BTreeSet<String> {
    let mut notes = BTreeSet::new();
    let mut seen = HashSet::new();
    for trial in &experiment.trials {
        let (plan, weights) = (&trial.plan.data, &trial.plan.train.class_weights);
        let is_weighed = *weights != ClassWeights::None;
        if !seen.insert((Arc::as_ptr(plan), is_weighed)) {
            continue;
        }
        if is_weighed && !plan.sampling.is_shuffle() {
            notes.insert(
                "data.sampling and train.class-weights both compensate for rare classes: use one of them"
                    .to_owned(),
            );
        }
        let Ok(facts) = images.survey(plan) else { continue };
        let of_classes = facts.classes.iter().zip(&facts.counts);
        let is_level = is_weighed || !plan.sampling.is_shuffle() || plan.subset.is_per_class();
        let (Some((large, most)), Some((small, least))) = (
            of_classes.clone().max_by_key(|(_, count)| **count),
            of_classes.min_by_key(|(_, count)| **count),
        ) else {
            continue;
        };
        if is_level || *most < UNEVEN * least {
            continue;
        }
        if plan.task.is_multi_label() {
            notes.insert(format!(
                "{:.1} times as many images have the label {large} as have {small}, {} and {}: train.class-weights = \
                 \"balanced\" weights rare labels more; train.best = \"val_f1\" counts all labels equally",
                *most as f64 / *least as f64,
                number(*most as u64),
                number(*least as u64)
            ));
            continue;
        }
        notes.insert(format!(
            "class {large} has {:.1} times as many images as class {small}, {} and {}: data.sampling = \
             \"balanced\" uses both equally often, train.class-weights = \"balanced\" weights their losses, and train.best = \"val_f1\" counts all classes equally",
            *most as f64 / *least as f64,
            number(*most as u64),
            number(*least as u64)
        ));
    }
    notes
}

/// Teachers that have learnt from the same source, but not from the same part of it: from images that their students
/// are chosen by or tested on.
fn teachers(experiment: &Experiment) -> BTreeSet<String> {
    let mut cards = BTreeMap::new();
    let mut seen = BTreeMap::new();
    for trial in &experiment.trials {
        let Some(distill) = &trial.plan.train.distill else { continue };
        let card = cards.entry(&distill.file).or_insert_with(|| {
            let (_, checkpoint) = read_teacher(&distill.file).ok()?;
            Card::of(&checkpoint).ok()
        });
        let Some(Card { seed, data: Some(theirs), .. }) = card else { continue };
        let own = without_folders(&trial.plan.data);
        if theirs.source != own.source {
            continue;
        }
        // A part that is drawn for testing does not depend on the seed, one that is drawn for validation does.
        let for_testing = |data: &DataPlan| {
            let DataPlan { test, classes, group, duplicates, .. } = data.clone();
            (test, classes, group, duplicates)
        };
        let for_validation = |data: &DataPlan, seed: u64| (data.validation, data.fold, seed);
        let has_validation = own.validation > 0.0 || own.fold.is_some();
        let is_validation_same =
            for_validation(theirs, *seed) == for_validation(&own, trial.plan.seed);
        let parts = if for_testing(theirs) != for_testing(&own) {
            "validation and test images"
        } else if has_validation && !is_validation_same {
            "validation images"
        } else {
            continue;
        };
        *seen.entry((&distill.file, parts)).or_insert(0) += 1;
    }
    let sentence = |((file, parts), trials): ((&PathBuf, &str), usize)| {
        format!(
            "the teacher {} was trained on another split of the same images: it may have seen the {parts} of {}, \
             so their scores may be too good. Use a teacher with the same seed and the same split",
            file.display(),
            count(trials, "trial"),
        )
    };
    seen.into_iter().map(sentence).collect()
}

/// Parts of a recipe that do nothing, since a trial ends before, or has nothing for them.
fn too_late(experiment: &Experiment, images: &data::Cache) -> BTreeSet<String> {
    let mut notes = BTreeSet::new();
    for trial in &experiment.trials {
        let plan = &trial.plan.train;
        let epochs = plan.epochs;
        if epochs == 0 {
            continue;
        }
        if plan.progressive_resizing.last().is_some_and(|stage| stage.until >= epochs) {
            notes.insert(format!(
                "train.progressive-resizing ends after {epochs} epochs or later, as training does: no epoch uses \
                 the test size"
            ));
        }
        if plan.batch_sizes.last().is_some_and(|stage| stage.until >= epochs) {
            notes.insert(format!(
                "train.batch-sizes ends after {epochs} epochs or later, as training does: no epoch uses \
                 data.batch-size"
            ));
        }
        if let Schedule::Steps { at, .. } = &plan.schedule
            && let Some(end) = at.iter().find(|end| **end >= epochs)
        {
            notes.insert(format!(
                "train.schedule lowers the rate after epoch {end}, but a trial has {epochs} epochs: no effect"
            ));
        }
        let taught = Counts::of(&trial.plan.data, images).train;
        let steps = Steps::of(plan, taught).before(epochs + 1);
        if let Some(look_ahead) = &plan.look_ahead
            && taught > 0
            && look_ahead.steps > steps
        {
            notes.insert(format!(
                "train.look-ahead needs {} steps, but a trial has {}: no effect",
                number(look_ahead.steps),
                number(steps)
            ));
        }
        let has_decay = |rule: &ParameterRule| rule.weight_decay.is_some_and(|decay| decay > 0.0);
        if plan.decay_on == DecayOn::Weights
            && !plan.optimizer.decays()
            && !plan.parameters.iter().any(has_decay)
        {
            notes.insert(
                "train.decay-on has no effect: train.optimizer has no weight-decay".to_owned(),
            );
        }
    }
    notes
}

/// The end of an augmentation that no trial has.
fn until_of_nothing(experiment: &Experiment) -> Option<String> {
    let mut plans = experiment.trials.iter().map(|trial| &*trial.plan.augment);
    let does_nothing = |augment: &AugmentPlan| {
        augment.until.is_none() || augment.train.steps.is_empty() && augment.mixing.is_none()
    };
    let is_written = experiment.trials.iter().any(|trial| trial.plan.augment.until.is_some());
    (is_written && plans.all(does_nothing))
        .then(|| "augment.until has no effect: augment.train has no transforms".to_owned())
}

/// Means of weights that never begin, or that hold on to the first weights until the end.
fn averages(experiment: &Experiment, images: &data::Cache) -> BTreeSet<String> {
    let mut notes = BTreeSet::new();
    for trial in &experiment.trials {
        let plan = &trial.plan.train;
        let Some(first) = plan.average.from_epoch() else { continue };
        let epochs = (plan.epochs + 1).saturating_sub(first);
        if epochs == 0 {
            notes.insert(format!(
                "train.average starts in epoch {first}, but a trial has {} epochs: it never starts",
                plan.epochs
            ));
            continue;
        }
        let Average::Ema(Ema { decay, warmup: false, .. }) = plan.average else { continue };
        let taught = Counts::of(&trial.plan.data, images).train;
        let spread = Steps::of(plan, taught);
        let steps = spread.before(plan.epochs + 1) - spread.before(first);
        let horizon = 1.0 / (1.0 - decay);
        if taught > 0 && 2.0 * horizon > steps as f64 {
            notes.insert(format!(
                "train.average = {{ ema = {decay} }} covers about {} steps, but a trial has {} from epoch \
                 {first} on: its first weights still count at the end; use a smaller decay or warmup = true",
                number(horizon.round() as u64),
                number(steps)
            ));
        }
    }
    notes
}

/// What batch norms get too little of, each sentence once.
fn norms_of_little(experiment: &Experiment, images: &data::Cache) -> Vec<String> {
    let mut told = BTreeSet::new();
    let mut all = Vec::new();
    // Of a million trials most share their network and their images.
    let mut checked = HashSet::new();
    for trial in &experiment.trials {
        let plan = &trial.plan;
        let TrainPlan { batch_size, batch_sizes, drop_last, .. } = &*plan.train;
        let sizes: Vec<usize> =
            batch_sizes.iter().map(|stage| stage.size).chain([*batch_size]).collect();
        let what = (Arc::as_ptr(&plan.model), Arc::as_ptr(&plan.data), sizes.clone(), *drop_last);
        if !checked.insert(what) {
            continue;
        }
        let train = Counts::of(&plan.data, images).train;
        // How large the last batch is, is said only where it is known.
        let is_known = !matches!(plan.data.subset, Subset::Fraction(_))
            && plan.data.group.is_none()
            && !plan.data.duplicates.leave_out()
            && plan.data.on_bad_image == OnBadImage::Error;
        let train = if is_known { train } else { 0 };
        let found = sizes.into_iter().filter_map(|size| norms_of_one_value(plan, size, train));
        all.extend(found.filter(|sentence| told.insert(sentence.clone())));
    }
    all
}

/// Batch norms that get one value for each channel: its deviation from itself is 0, so nothing is learnt from
/// the batch, and the running variance moves towards 0.
fn norms_of_one_value(plan: &Plan, size: usize, train: usize) -> Option<String> {
    let last = match train % size.max(1) {
        0 => size,
        // Left out, unless it is the only one.
        _ if plan.train.drop_last && train > size => size,
        rest => rest,
    };
    let gets_one = |batch: usize| {
        let layers = plan.model.layers.iter();
        let layers = layers.filter(|layer| layer.learns(usize::MAX) && has_batch_norm(layer));
        let area = |layer: &LayerPlan| layer.output[1..].iter().product::<usize>();
        layers.filter(|layer| batch * area(layer) == 1).map(|layer| layer.name.clone()).next()
    };
    let of_all = gets_one(size).map(|name| {
        format!(
            "the batch norm of {name} gets one value per channel in every batch, so its variance is 0: use a \
             larger data.batch-size"
        )
    });
    of_all.or_else(|| {
        let name = gets_one(last)?;
        Some(format!(
            "the batch norm of {name} gets one value per channel in the last batch of each epoch, which has \
             {last} of {train} training images: its variance is 0. Use data.drop-last = true or another data.batch-size"
        ))
    })
}

fn has_batch_norm(layer: &LayerPlan) -> bool {
    let of_tail = |tail: &Tail| tail.norm.is_some();
    match &layer.kind {
        LayerKind::Conv(conv) => of_tail(&conv.tail),
        LayerKind::Dense(dense) => of_tail(&dense.tail),
        LayerKind::BatchNorm(_) => true,
        _ => false,
    }
}
