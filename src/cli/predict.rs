//! `wick predict`: the classes of images, or their labels.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;

use crate::augment::Frame;
use crate::basis::number::number;
use crate::basis::printable;
use crate::data::{images_in, written_labels};
use crate::plan::data::Task;
use crate::sweep::store::Gradual;
use crate::train::card::Card;
use crate::train::metrics::sigmoid;
use crate::train::said::softmax;

use super::arguments::Predict;
use super::error::{Error, Result};
use super::exit::Exit;
use super::output::{is_closed, is_terminal, print, say};
use super::trained::{BATCH, Ready};

/// Runs the command.
pub(super) fn predict(arguments: &Predict) -> Result {
    let images = images(&arguments.images)?;
    let mut ready = Ready::new(&arguments.trained, &arguments.looking)?;
    let classes = ready.card.classes.clone();
    let answer = Answer::of(arguments, &ready.card)?;
    let mut predictions = arguments
        .csv
        .as_ref()
        .map(|path| Table::new(path, answer.columns(&classes)))
        .transpose()?;
    let header = std::iter::once("image").chain(classes.iter().map(String::as_str));
    let mut logits = arguments.logits.as_ref().map(|path| Table::new(path, header)).transpose()?;
    let decoder = ready.decoder();
    let bar = bar(images.len(), arguments.csv.is_some());
    let mut bad = 0;
    // No more than a batch of images and logits is in memory.
    for paths in images.chunks(BATCH) {
        if is_closed() && predictions.is_none() && logits.is_none() {
            // Nobody sees what the others are.
            break;
        }
        let read: Vec<_> = paths.par_iter().map(|path| (path, decoder.decode(path))).collect();
        let mut decoded = Vec::new();
        for (path, pixels) in read {
            match pixels {
                Ok(pixels) => decoded.push((path, pixels)),
                Err(message) => {
                    bar.suspend(|| say(&format!("error: {message}\n")));
                    bad += 1;
                }
            }
        }
        let pixels: Vec<(Frame, &[u8])> =
            decoded.iter().map(|(_, image)| (image.frame(), image.pixels())).collect();
        let rows = if pixels.is_empty() { Vec::new() } else { ready.logits(&pixels)? };
        for ((path, _), row) in decoded.iter().zip(rows.chunks(classes.len())) {
            let name = path.display().to_string();
            match &mut predictions {
                Some(table) => {
                    let cells = answer.cells(row, &classes);
                    table.row(std::iter::once(name.clone()).chain(cells))?;
                }
                None => {
                    let name = printable::name(&name);
                    print(&format!("{name}\n{}", answer.shown(row, &classes)));
                }
            }
            if let Some(table) = &mut logits {
                let numbers = row.iter().map(f32::to_string);
                table.row(std::iter::once(name).chain(numbers))?;
            }
        }
        bar.inc(paths.len() as u64);
    }
    bar.finish_and_clear();
    for table in [predictions, logits].into_iter().flatten() {
        table.finish()?;
    }
    let count = |images: usize| number(images as u64);
    if let Some(path) = &arguments.csv {
        let read = count(images.len() - bad);
        print(&format!("{}: predictions for {read} images\n", path.display()));
    }
    match (bad, images.len()) {
        (0, _) => Ok(()),
        (_, 1) => Err(Exit::Wrong.into()),
        (bad, all) => {
            let text = format!("{} of {} images could not be read\n", count(bad), count(all));
            Err(Error::new(Exit::Wrong, text))
        }
    }
}

/// The files that were named, and those in the folders that were.
pub(super) fn images(named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut images = Vec::new();
    for path in named {
        if path.is_dir() {
            images.extend(images_in(path).map_err(Error::wrong)?);
        } else {
            images.push(path.clone());
        }
    }
    Ok(images)
}

/// A table that grows row by row and is there when it is whole.
struct Table {
    rows: csv::Writer<Gradual>,
}

impl Table {
    fn new(path: &Path, header: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Result<Table> {
        let mut rows = csv::Writer::from_writer(Gradual::new(path)?);
        rows.write_record(header)?;
        Ok(Table { rows })
    }

    fn row(&mut self, cells: impl IntoIterator<Item = String>) -> Result {
        Ok(self.rows.write_record(cells)?)
    }

    fn finish(self) -> Result {
        let file = self.rows.into_inner().map_err(|error| error.into_error());
        Ok(file.context("failed to write a table")?.finish()?)
    }
}

/// What is said of an image.
enum Answer {
    /// The most probable classes; how many of them.
    Top(usize),
    /// Each label that has its least probability.
    Labels(Vec<f64>),
}

impl Answer {
    /// What was asked for, of the network of `card`.
    fn of(arguments: &Predict, card: &Card) -> Result<Answer> {
        match (card.task, arguments.top, arguments.threshold) {
            (Task::SingleLabel, _, Some(_)) => Err(Error::wrong(
                "--threshold is for networks with several labels per image; this one predicts one class: --top K \
                 shows the most probable classes",
            )),
            (Task::SingleLabel, top, None) => {
                Ok(Answer::Top(top.unwrap_or(TOP).clamp(1, card.classes.len())))
            }
            (Task::MultiLabel, Some(_), _) => Err(Error::wrong(
                "--top is for networks with one class per image; this one predicts several labels: --threshold P \
                 shows those with at least this probability",
            )),
            (Task::MultiLabel, None, Some(threshold)) => {
                Ok(Answer::Labels(vec![threshold; card.classes.len()]))
            }
            (Task::MultiLabel, None, None) => Ok(Answer::Labels(match &card.thresholds[..] {
                [] => vec![0.5; card.classes.len()],
                chosen => chosen.to_vec(),
            })),
        }
    }

    /// The header of the table.
    fn columns(&self, classes: &[String]) -> Vec<String> {
        match self {
            Answer::Top(top) => columns(*top),
            Answer::Labels(_) => {
                let named = ["image", "labels"].map(str::to_owned);
                named.into_iter().chain(classes.iter().cloned()).collect()
            }
        }
    }

    /// The cells of an image with these logits, behind that of its name.
    fn cells(&self, row: &[f32], classes: &[String]) -> Vec<String> {
        match self {
            Answer::Top(top) => {
                let cells = ranked(row, *top).into_iter().flat_map(|(class, probability)| {
                    [classes[class].clone(), probability.to_string()]
                });
                cells.collect()
            }
            Answer::Labels(thresholds) => {
                let labels: Vec<u32> =
                    said(row, thresholds).map(|(class, _)| class as u32).collect();
                let probabilities = row.iter().map(|logit| sigmoid(*logit).to_string());
                [written_labels(&labels, classes)].into_iter().chain(probabilities).collect()
            }
        }
    }

    /// The same for people.
    fn shown(&self, row: &[f32], classes: &[String]) -> String {
        match self {
            Answer::Top(top) => shown(&ranked(row, *top), classes),
            Answer::Labels(thresholds) => {
                let mut all: Vec<(usize, f64)> = said(row, thresholds).collect();
                all.sort_by(|a, b| b.1.total_cmp(&a.1));
                match all.is_empty() {
                    true => "  no label\n".to_owned(),
                    false => shown(&all, classes),
                }
            }
        }
    }
}

/// The labels that have their least probability, and their probabilities.
pub(super) fn said(row: &[f32], thresholds: &[f64]) -> impl Iterator<Item = (usize, f64)> {
    let all = row.iter().map(|logit| f64::from(sigmoid(*logit))).enumerate().zip(thresholds);
    all.filter(|((_, probability), threshold)| probability >= threshold).map(|(label, _)| label)
}

/// Classes that are shown of an image.
const TOP: usize = 5;

/// `image,predicted,probability,predicted_2,probability_2,…`
fn columns(top: usize) -> Vec<String> {
    let ranks = (1..=top).flat_map(|rank| {
        let end = if rank == 1 { String::new() } else { format!("_{rank}") };
        ["predicted", "probability"].map(|word| format!("{word}{end}"))
    });
    std::iter::once("image".to_owned()).chain(ranks).collect()
}

/// How far it is, if somebody can see it and predictions do not pass by.
fn bar(images: usize, is_silent: bool) -> ProgressBar {
    let fills_terminal = !is_silent && is_terminal();
    if images <= BATCH || fills_terminal {
        return ProgressBar::hidden();
    }
    let style = "{bar:30} {human_pos}/{human_len} images, {per_sec}, {eta} left";
    let bar = ProgressBar::new(images as u64);
    bar.with_style(ProgressStyle::with_template(style).expect("a valid template"))
}

/// The most probable classes and their probabilities; of equal ones the first.
fn ranked(row: &[f32], top: usize) -> Vec<(usize, f64)> {
    let probabilities = softmax(row);
    let mut order: Vec<usize> = (0..row.len()).collect();
    order.sort_by(|a, b| row[*b].total_cmp(&row[*a]).then(a.cmp(b)));
    order.into_iter().take(top).map(|class| (class, probabilities[class])).collect()
}

/// One class on a line.
fn shown(ranked: &[(usize, f64)], classes: &[String]) -> String {
    let mut text = String::new();
    for (class, probability) in ranked {
        let _ = writeln!(
            text,
            "  {:6.2} %  {}",
            100.0 * probability,
            printable::name(&classes[*class])
        );
    }
    text
}
