//! `wick evaluate`: metrics and confusion matrix of a trained network on labelled images.

use std::path::Path;

use anyhow::Context;
use clap::ValueEnum;
use rayon::prelude::*;

use crate::analysis::scores::words;
use crate::augment::Frame;
use crate::basis::number::number;
use crate::basis::record::Scores;
use crate::data::{Cache, Dataset, Labels};
use crate::measures::label_predictions::{average_precisions, counts};
use crate::measures::{LabelScores, PredictionScores};
use crate::results::label_tables::LABEL_COUNTS;
use crate::results::scores::{Row, label_rows, rows};
use crate::results::table::csv_bytes;
use crate::sweep::memory::hold_usually;
use crate::sweep::store::write_whole;
use crate::terminal::confusion::matrix;
use crate::terminal::labels::{self, LabelRow};
use crate::train::card::TOP_K;
use crate::train::metrics::{Tally, loss_of, probabilities};

use super::arguments::{Evaluate, Part};
use super::check::width;
use super::error::{Error, Result};
use super::labelled::{Asked, Labelled};
use super::output::print;
use super::trained::{BATCH, Ready};

/// A confusion matrix of more classes is only written as CSV.
const MOST_COLUMNS: usize = 20;

/// Runs the command.
pub(super) fn evaluate(arguments: &Evaluate) -> Result {
    let mut ready = Ready::new(&arguments.trained, &arguments.looking)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let cache = Cache::new(cores);
    hold_usually(&cache, None);
    let asked = Asked {
        data: arguments.data.as_deref(),
        part: arguments.part,
        preferred: [Part::Test, Part::Validation],
        max_pixels: arguments.looking.max_pixels,
    };
    let labelled = Labelled::of(&asked, &ready, &cache)?;
    let Labelled { dataset, images, part, which, .. } = &labelled;
    let classes = classes(dataset, &ready)?;
    let chains = [&ready.card.evaluation].into_iter().chain(&ready.card.test_time);
    dataset.check(chains).map_err(Error::wrong)?;
    let count = ready.card.classes.len();
    let task = ready.card.task;
    // By the network's own numbers of classes.
    let labels_at = |images: &[u32]| {
        let mut labels = dataset.labels_at(images);
        labels.rename(u32::MAX, |label| classes.get(label as usize).copied());
        labels
    };
    let top_k = ready.card.top_k.unwrap_or(TOP_K);
    let mut tally = Tally::new(count, top_k, task);
    let mut found = Vec::new();
    for images in images.chunks(BATCH) {
        let pixels = images.par_iter().map(|image| dataset.image(*image));
        let pixels: Vec<_> = pixels.collect::<std::result::Result<_, _>>().map_err(Error::wrong)?;
        let pixels: Vec<(Frame, &[u8])> =
            images.iter().zip(&pixels).map(|(image, p)| (dataset.frame(*image), &**p)).collect();
        let labels = labels_at(images);
        let logits = ready.logits(&pixels)?;
        let loss = loss_of(&logits, &labels, count)?;
        tally.add(&logits, &labels, loss.sum, loss.weight);
        found.extend(probabilities(logits, count, task)?);
    }
    let labels = labels_at(images);
    let scores = tally.scores().context("there are no images")?;
    // Among so few classes, the true one always is one of the first.
    let top = match count > top_k {
        true => format!("  top-{top_k} {:.2} %", 100.0 * scores.top_k),
        false => String::new(),
    };
    print(&format!(
        "{} images of {}{which}\nloss {:.4}  accuracy {:.2} %{top}  precision {:.2} %  recall {:.2} %  F1 {:.2} %\n",
        number(images.len() as u64),
        dataset.origin(),
        scores.loss,
        100.0 * scores.accuracy,
        100.0 * scores.precision,
        100.0 * scores.recall,
        100.0 * scores.f1,
    ));
    let confusion = tally.confusion();
    let set = part.to_possible_value().context("every part has a name")?.get_name().to_owned();
    let own = &ready.card.classes;
    let (table, counted): (Vec<Row>, Vec<&str>) = match &labels {
        Labels::One(labels) => {
            let more = PredictionScores::of(&found, count, labels);
            (rows(&set, Some(&scores), &more), own.iter().map(String::as_str).collect())
        }
        Labels::Several(_) => {
            let has = labels.flags(count);
            let thresholds = &ready.card.thresholds;
            // Those that were chosen on these images say too much.
            let chosen_here = *part == Part::Validation;
            let at = (!thresholds.is_empty() && !chosen_here).then_some(&thresholds[..]);
            let more = LabelScores::of(&found, count, &has, at);
            (label_rows(&set, Some(&scores), &more), LABEL_COUNTS.to_vec())
        }
    };
    print(&format!("{}\n", in_words(&table)));
    match &labels {
        Labels::Several(_) => {
            let has = labels.flags(count);
            print(&labels::table(&label_table(&found, &has, &ready), width()));
        }
        Labels::One(_) if count <= MOST_COLUMNS => print(&matrix(&confusion, own, width())),
        Labels::One(_) => {}
    }
    if let Some(path) = &arguments.confusion {
        write_confusion(path, &confusion, own, &counted)?;
    }
    if let Some(path) = &arguments.scores {
        write_whole(path, &csv_bytes(table))?;
    }
    Ok(())
}

/// What is said of each label.
fn label_table(probabilities: &[f32], has: &[bool], ready: &Ready) -> Vec<LabelRow> {
    let classes = &ready.card.classes;
    let count = classes.len();
    let (counts, _) = counts(probabilities, count, has, &vec![0.5; count]);
    let precisions = average_precisions(probabilities, count, has);
    let thresholds = ready.card.thresholds.iter().map(|threshold| Some(*threshold));
    let thresholds = thresholds.chain(std::iter::repeat(None));
    let all = classes.iter().zip(counts).zip(precisions).zip(thresholds);
    let rows = all.map(|(((class, counts), average_precision), threshold)| LabelRow {
        class: class.clone(),
        counts,
        average_precision,
        threshold,
    });
    rows.collect()
}

/// The scores of predictions alone that are defined, each with its name.
fn in_words(rows: &[Row]) -> String {
    let alone = rows.iter().filter(|row| !Scores::NAMES.contains(&row.score.as_str()));
    let defined = alone.filter_map(|row| Some(format!("{} {:.4}", words(&row.score), row.value?)));
    defined.collect::<Vec<_>>().join("  ")
}

/// For each class of the data, the network's class of the same name.
fn classes(dataset: &Dataset, ready: &Ready) -> Result<Vec<u32>> {
    let known = &ready.card.classes;
    let mut unknown = Vec::new();
    let mut found = Vec::new();
    for class in dataset.classes() {
        match known.iter().position(|other| other == class) {
            Some(index) => found.push(index as u32),
            None => unknown.push(class.as_str()),
        }
    }
    if unknown.is_empty() {
        return Ok(found);
    }
    let shown =
        |names: &mut dyn Iterator<Item = &str>| names.take(10).collect::<Vec<_>>().join(", ");
    Err(Error::wrong(format!(
        "the network does not know {} of the {} classes of {}: {}\nits classes are {}{}",
        unknown.len(),
        dataset.classes().len(),
        dataset.origin(),
        shown(&mut unknown.iter().copied()),
        shown(&mut known.iter().map(String::as_str)),
        if known.len() > 10 { ", …" } else { "" }
    )))
}

fn write_confusion(
    path: &Path,
    confusion: &[Vec<u64>],
    classes: &[String],
    counted: &[&str],
) -> Result {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(std::iter::once("class").chain(counted.iter().copied()))?;
    for (class, row) in classes.iter().zip(confusion) {
        let cells = row.iter().map(u64::to_string);
        table.write_record(std::iter::once(class.clone()).chain(cells))?;
    }
    write_whole(path, &table.into_inner().context("failed to write the confusion matrix")?)?;
    Ok(())
}
