//! `report.html`: everything that a results folder answers, in one file that needs nothing else.
//!
//! Every section is a file that looks at [`Answers`] and returns nothing where it has nothing to say.
//! `maud` escapes whatever is put in. Scripts only sort and filter: the page is whole without them.

mod augmentation;
mod calibration;
mod cases;
mod confusion;
mod cost;
mod curves;
mod effects;
mod failures;
mod images;
mod numbers;
mod pictures;
mod question;
mod ranking;
mod reproduce;

use std::path::{Path, PathBuf};

use maud::{DOCTYPE, Markup, PreEscaped, html};
use rayon::prelude::*;

use super::answers::predictions::Predictions;
use super::answers::{Answers, Setting};
use super::charts::{self, Chart, PlotFormat, RasterError};
use crate::data::Cache;
use crate::sweep::store::{StoreError, write_whole};

/// The name of the file in a results folder.
pub const FILE: &str = "report.html";

/// A part of the page.
struct Section {
    /// Its place in the page.
    id: &'static str,
    /// Its heading.
    title: &'static str,
    body: Markup,
}

/// Writes the report of `answers` to `path`. Pictures are taken from `images`, if the data can be
/// loaded.
pub fn write(answers: &Answers, images: &Cache, path: &Path) -> Result<(), StoreError> {
    write_whole(path, page(answers, images).as_bytes())
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
    if let Some(predictions) = predictions {
        all.push(confusion::chart(predictions));
        all.extend(calibration::chart(predictions));
    }
    all.extend(cost::charts(answers));
    all
}

/// The page as text.
pub fn page(answers: &Answers, images: &Cache) -> String {
    let predictions = predictions(answers);
    let mut sections = vec![ranking::section(answers)];
    sections.extend(cases::section(answers));
    sections.extend(curves::section(answers));
    sections.extend(effects::section(answers));
    if let Some(predictions) = &predictions {
        sections.push(confusion::section(answers, predictions));
        sections.extend(pictures::section(answers, predictions, images));
        sections.extend(calibration::section(predictions));
    }
    sections.extend(cost::section(answers));
    sections.extend(augmentation::section(answers, images));
    sections.extend(failures::section(answers));
    sections.push(reproduce::section(answers));
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="generator" content=(concat!("candlewick ", env!("CARGO_PKG_VERSION")));
                // Nothing is asked for when the page is opened, not even an icon.
                link rel="icon" href="data:,";
                title { (answers.name) }
                style { (PreEscaped(charts::STYLE)) (PreEscaped(include_str!("html/page.css"))) }
            }
            body {
                header {
                    (question::header(answers))
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
                script { (PreEscaped(include_str!("html/page.js"))) }
            }
        }
    }
    .into_string()
}

/// A mean with half the width of its interval, and its unit.
fn estimate(answers: &Answers, estimate: &crate::report::statistics::Estimate) -> String {
    let measure = answers.measure;
    let mean = measure.show(estimate.mean);
    match estimate.half_width {
        Some(half) => format!("{mean} ± {}{}", measure.show(half), measure.unit()),
        None => format!("{mean}{}", measure.unit()),
    }
}

/// A p-value in words.
fn p_value(p: f64) -> String {
    if p < 0.001 { "p < 0.001".to_owned() } else { format!("p = {p:.3}") }
}

/// The colour of the setting with this rank.
fn colour(rank: usize) -> String {
    if rank < charts::COLOURS { format!("s{rank}") } else { "rest".to_owned() }
}

/// What a setting is called in a chart: its values if they are short, else its rank.
fn called(settings: &[&Setting], rank: usize) -> String {
    const LETTERS: usize = 17;
    let words = |setting: &Setting| -> String {
        let named = setting.names.iter().filter(|name| !name.is_empty());
        named.map(String::as_str).collect::<Vec<_>>().join(" · ")
    };
    let fits =
        settings.iter().all(|setting| (1..=LETTERS).contains(&words(setting).chars().count()));
    if fits { words(settings[rank]) } else { format!("#{}", rank + 1) }
}

/// Words that begin with a capital letter.
fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
