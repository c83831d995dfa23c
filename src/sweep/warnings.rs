//! What is allowed and hardly meant, told before anything runs.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use crate::data;
use crate::plan::Plan;
use crate::plan::data::{Duplicates, OnBadImage, Subset};
use crate::plan::model::{LayerKind, LayerPlan, Tail};
use crate::plan::sweep::Experiment;
use crate::plan::train::TrainPlan;

use super::counts::Counts;

/// Sentences about the trials of `experiment`, each once.
pub fn warnings(experiment: &Experiment, images: &data::Cache) -> Vec<String> {
    let mut told = BTreeSet::new();
    let mut all = Vec::new();
    // Of a million trials most share their network and their images.
    let mut checked = HashSet::new();
    for trial in &experiment.trials {
        let plan = &trial.plan;
        let TrainPlan { batch_size, drop_last, .. } = *plan.train;
        let what = (Arc::as_ptr(&plan.model), Arc::as_ptr(&plan.data), batch_size, drop_last);
        if !checked.insert(what) {
            continue;
        }
        let train = Counts::of(&plan.data, images).train;
        // How large the last batch is, is said only where it is known.
        let is_known = !matches!(plan.data.subset, Subset::Fraction(_))
            && plan.data.group.is_none()
            && plan.data.duplicates != Duplicates::Drop
            && plan.data.on_bad_image == OnBadImage::Error;
        let train = if is_known { train } else { 0 };
        if let Some(sentence) = norms_of_one_value(plan, train)
            && told.insert(sentence.clone())
        {
            all.push(sentence);
        }
    }
    all
}

/// Batch norms that get one value for each channel: its deviation from itself is 0, so nothing is learnt from
/// the batch, and the running variance moves towards 0.
fn norms_of_one_value(plan: &Plan, train: usize) -> Option<String> {
    let size = plan.train.batch_size;
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
            "the batch norm of {name} sees one value per channel in every batch, whose variance is 0: a \
             larger data.batch-size gives it more"
        )
    });
    of_all.or_else(|| {
        let name = gets_one(last)?;
        Some(format!(
            "the batch norm of {name} sees one value per channel in the last batch of each epoch, which has \
             {last} of {train} training images: its variance is 0. data.drop-last = true leaves that batch \
             out, as does another data.batch-size"
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
