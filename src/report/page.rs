//! `report.html`: everything that a results folder answers, in one file that needs nothing else.
//!
//! Every section is a file that looks at [`Answers`] and returns nothing where it has nothing to say.
//! `maud` escapes whatever is put in. Scripts only sort and filter: the page is whole without them.

use std::path::{Path, PathBuf};

use maud::{DOCTYPE, PreEscaped, html};
use rayon::prelude::*;

use crate::analysis::Answers;
use crate::analysis::label_predictions::LabelPredictions;
use crate::analysis::predictions::Predictions;
use crate::charts::{self, Chart, PlotFormat, RasterError};
use crate::data::Cache;
use crate::results::layout::{MODEL_CARD, REPORT};
use crate::sweep::store::{StoreError, write_whole};

use super::section::Section;
use super::sight::Sight;
use super::{
    augmentation, calibration, card, cases, checklist, classes, confusion, copies, cost, curves,
    effects, failures, importance, labels, network, numbers, pictures, question, ranking,
    reproduce, scores, seen,
};

/// The name of the file in a results folder.
pub const FILE: &str = REPORT;

/// The style of the page, for others that look like it.
pub const STYLE: &str = include_str!("page.css");

/// Writes the report of `answers` to `path`, and the model card beside it where that is the usual one. Pictures are taken
/// from `images`, if the data can be loaded.
pub fn write(answers: &Answers, images: &Cache, path: &Path) -> Result<(), StoreError> {
    let (page, card) = report(answers, images);
    if let Some(card) = card.filter(|_| path == answers.root.join(FILE)) {
        write_whole(&answers.root.join(MODEL_CARD), card.as_bytes())?;
    }
    write_whole(path, page.as_bytes())
}

/// Why a chart is not there as a file.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    /// It cannot be drawn.
    #[error(transparent)]
    Raster(#[from] RasterError),
    /// It cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes every chart of the page as a file of its own into `folder`, and returns their paths.
pub fn write_charts(
    answers: &Answers,
    folder: &Path,
    format: PlotFormat,
    dpi: u16,
) -> Result<Vec<PathBuf>, PlotError> {
    let charts = charts(answers, predictions(answers).as_ref());
    let write = |chart: &Chart| -> Result<PathBuf, PlotError> {
        let path = folder.join(format!("{}.{}", chart.name, format.ending()));
        write_whole(&path, &chart.file(format, dpi)?)?;
        Ok(path)
    };
    charts.par_iter().map(write).collect()
}

/// What the best setting predicted.
fn predictions(answers: &Answers) -> Option<Predictions> {
    Predictions::read(answers, answers.best()?)
}

/// All charts, in the order of the page.
fn charts(answers: &Answers, predictions: Option<&Predictions>) -> Vec<Chart> {
    let mut all = cases::charts(answers);
    all.extend(curves::charts(answers));
    all.extend(effects::charts(answers));
    all.extend(importance::chart(answers));
    if let Some(predictions) = predictions {
        all.push(confusion::chart(predictions));
        all.extend(calibration::chart(predictions));
    }
    all.extend(cost::charts(answers));
    all.extend(network::chart(answers));
    all
}

fn is_accuracy(answers: &Answers) -> bool {
    answers.measure.name().ends_with("_accuracy")
}

/// The page as text, and the model card if a trial was completed.
fn report(answers: &Answers, images: &Cache) -> (String, Option<String>) {
    let predictions = predictions(answers);
    let base =
        predictions.as_ref().filter(|_| is_accuracy(answers)).and_then(Predictions::most_frequent);
    let mut sight = Sight::of_best(answers, images);
    let mut sections = vec![ranking::section(answers)];
    sections.extend(cases::section(answers));
    sections.extend(curves::section(answers));
    sections.extend(effects::section(answers));
    sections.extend(importance::section(answers));
    sections.extend(scores::section(answers));
    if let Some(predictions) = &predictions {
        sections.push(confusion::section(answers, predictions));
        sections.extend(pictures::section(answers, predictions, images, &mut sight));
        sections.extend(calibration::section(predictions));
    }
    let of_labels = answers.best().and_then(|best| LabelPredictions::read(answers, best));
    if let Some(predictions) = &of_labels {
        sections.push(labels::section(answers, predictions));
        sections.extend(labels::mistakes(answers, predictions, images));
    }
    sections.extend(seen::section(answers, &mut sight));
    sections.extend(copies::section(answers, images));
    sections.extend(cost::section(answers));
    sections.extend(classes::section(answers, images));
    sections.extend(network::section(answers));
    sections.extend(augmentation::section(answers, images));
    sections.extend(failures::section(answers));
    let card = card::parts(answers, predictions.as_ref(), sight.as_ref().ok());
    let checklist = checklist::lines(answers);
    sections.extend(card.as_ref().map(|card| card::section(answers, card)));
    sections.push(checklist::section(&checklist));
    sections.push(reproduce::section(answers));
    let card = card.map(|card| {
        format!("{}{}", card::markdown(answers, &card), checklist::markdown(&checklist))
    });
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="generator" content=(concat!("candlewick ", env!("CARGO_PKG_VERSION")));
                // Nothing is asked for when the page is opened, not even an icon.
                link rel="icon" href="data:,";
                title { (answers.name) }
                style { (PreEscaped(charts::STYLE)) (PreEscaped(STYLE)) }
            }
            body {
                header {
                    (question::header(answers, base))
                    nav aria-label="Contents" {
                        @for section in &sections { a href=(format!("#{}", section.id)) { (section.title) } }
                    }
                }
                main {
                    @for Section { id, title, body } in &sections {
                        section id=(id) { h2 { (title) } (body) }
                    }
                }
                footer { p { "Made by candlewick " (env!("CARGO_PKG_VERSION")) ". The numbers of this page are in it as JSON too, under the id " code { "numbers" } "." } }
                (numbers::block(answers))
                script { (PreEscaped(include_str!("page.js"))) }
            }
        }
    };
    (page.into_string(), card)
}
