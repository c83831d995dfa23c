//! `wick evaluate`: metrics and confusion matrix of a trained network on labelled images.

use std::path::Path;

use anyhow::Context;
use candle_core::{Device, Tensor};
use candle_nn::ops::softmax_last_dim;
use clap::ValueEnum;
use rayon::prelude::*;

use crate::analysis::scores::words;
use crate::augment::Frame;
use crate::basis::number::number;
use crate::data::{Cache, Dataset};
use crate::kernels::loss::cross_entropy;
use crate::kernels::tape::Tape;
use crate::measures::PredictionScores;
use crate::results::scores::rows;
use crate::results::table::csv_bytes;
use crate::sweep::memory::hold_usually;
use crate::sweep::store::write_whole;
use crate::terminal::confusion::matrix;
use crate::train::metrics::Tally;

use super::arguments::Evaluate;
use super::check::width;
use super::error::{Error, Result};
use super::labelled::Labelled;
use super::output::print;
use super::trained::{BATCH, Ready};

/// A confusion matrix of more classes is only written as CSV.
const MOST_COLUMNS: usize = 20;

/// The k of top-k accuracy, where there are more classes.
const TOP: usize = 5;

/// Runs the command.
pub(super) fn evaluate(arguments: &Evaluate) -> Result {
    let mut ready = Ready::new(&arguments.trained, &arguments.looking)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let cache = Cache::new(cores);
    hold_usually(&cache, None);
    let labelled = Labelled::of(arguments, &ready, &cache)?;
    let Labelled { dataset, images, part, which } = &labelled;
    let classes = classes(dataset, &ready)?;
    let chains = [&ready.card.evaluation].into_iter().chain(&ready.card.test_time);
    dataset.check(chains).map_err(Error::wrong)?;
    let count = ready.card.classes.len();
    let mut tally = Tally::new(count, TOP);
    let (mut probabilities, mut all_labels) = (Vec::new(), Vec::new());
    for images in images.chunks(BATCH) {
        let pixels = images.par_iter().map(|image| dataset.image(*image));
        let pixels: Vec<_> = pixels.collect::<std::result::Result<_, _>>().map_err(Error::wrong)?;
        let pixels: Vec<(Frame, &[u8])> =
            images.iter().zip(&pixels).map(|(image, p)| (dataset.frame(*image), &**p)).collect();
        let labels: Vec<u32> =
            images.iter().map(|image| classes[dataset.label(*image) as usize]).collect();
        let logits = ready.logits(&pixels)?;
        let mut tape = Tape::inference();
        let value = Tensor::from_slice(&logits, (images.len(), count), &Device::Cpu)?;
        probabilities.extend(softmax_last_dim(&value)?.flatten_all()?.to_vec1::<f32>()?);
        let value = tape.leaf(&value, false);
        let loss = cross_entropy(&mut tape, &value, &labels, 0.0, None)?;
        tally.add(&logits, &labels, loss.sum, loss.weight);
        all_labels.extend(labels);
    }
    let scores = tally.scores().context("there are no images")?;
    // Among so few classes, the true one always is one of the first.
    let top = match count > TOP {
        true => format!("  top-{TOP} {:.2} %", 100.0 * scores.top_k),
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
    let more = PredictionScores::of(&probabilities, count, &all_labels);
    print(&format!("{}\n", in_words(&more)));
    let confusion = tally.confusion();
    if count <= MOST_COLUMNS {
        print(&matrix(&confusion, &ready.card.classes, width()));
    }
    if let Some(path) = &arguments.confusion {
        write_confusion(path, &confusion, &ready.card.classes)?;
    }
    if let Some(path) = &arguments.scores {
        let part = part.to_possible_value().context("every part has a name")?;
        write_whole(path, &csv_bytes(rows(part.get_name(), Some(&scores), &more)))?;
    }
    Ok(())
}

/// The scores that are defined, each with its name.
fn in_words(scores: &PredictionScores) -> String {
    let values = PredictionScores::NAMES.into_iter().zip(scores.values());
    let defined = values.filter_map(|(name, value)| Some(format!("{} {:.4}", words(name), value?)));
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

fn write_confusion(path: &Path, confusion: &[Vec<u64>], classes: &[String]) -> Result {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(std::iter::once("class").chain(classes.iter().map(String::as_str)))?;
    for (class, row) in classes.iter().zip(confusion) {
        let cells = row.iter().map(u64::to_string);
        table.write_record(std::iter::once(class.clone()).chain(cells))?;
    }
    write_whole(path, &table.into_inner().context("failed to write the confusion matrix")?)?;
    Ok(())
}
