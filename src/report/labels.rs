//! What the best setting says of several labels: how often each is rightly and wrongly said, and the images with wrong
//! ones.

use std::collections::BTreeMap;

use maud::{Markup, html};

use crate::analysis::Answers;
use crate::analysis::label_predictions::{LabelMistake, LabelPredictions, WrongLabel};
use crate::basis::number::number;
use crate::data::Cache;

use super::images::{data_uri, of_best};
use super::section::Section;

/// Mistakes in the page; the first of them are shown as pictures and without asking for more.
const MISTAKES: usize = 500;
const PICTURES: usize = 240;
const OPEN: usize = 24;

/// The section of a 2×2 table for each label.
pub(super) fn section(answers: &Answers, predictions: &LabelPredictions) -> Section {
    let LabelPredictions { trials, set, classes, counts, average_precisions, .. } = predictions;
    let label = answers.best().map_or("", |best| &best.label);
    let columns = [
        "images",
        "true positives",
        "false positives",
        "false negatives",
        "true negatives",
        "precision, %",
        "recall, %",
        "F1, %",
        "average precision, %",
    ];
    let body = html! {
        p {
            "Labels that " strong { (label) } " says of its "
            @if set.is_empty() { "images" } @else { (set) " images" }
            ", each at a probability of ½ or more"
            @if *trials > 1 { ", summed over its " (trials) " trials; average precision is their mean" } "."
        }
        div class="scroll" { table class="data sortable" data-filter=[(classes.len() > 12).then_some("labels")] {
            thead { tr {
                th { "label" }
                @for name in columns { th class="number" { (name) } }
            } }
            tbody {
                @for ((class, counts), average_precision) in classes.iter().zip(counts).zip(average_precisions) {
                    tr {
                        td { (class) }
                        @for count in std::iter::once(counts.images()).chain(counts.numbers()) {
                            td class="number" data-value=(count) { (number(count)) }
                        }
                        @for score in [Some(counts.precision()), counts.recall(), counts.f1(), *average_precision] {
                            td class="number" data-value=(score.map_or(String::new(), |score| score.to_string())) {
                                (score.map_or("–".to_owned(), percent))
                            }
                        }
                    }
                }
            }
        } }
    };
    Section { id: "confusion", title: "Labels", body }
}

fn percent(part: f64) -> String {
    format!("{:.1}", 100.0 * part)
}

/// The section of images with wrong labels; none if there are none.
pub(super) fn mistakes(
    answers: &Answers,
    predictions: &LabelPredictions,
    images: &Cache,
) -> Option<Section> {
    let all = &predictions.mistakes;
    if all.is_empty() {
        return None;
    }
    let chosen = &all[..all.len().min(MISTAKES)];
    let (pictures, why) = match of_best(answers, images) {
        Ok((_, dataset)) => {
            let index: BTreeMap<&str, u32> =
                dataset.names().iter().map(String::as_str).zip(0..).collect();
            let picture = |mistake: &LabelMistake| {
                let index = *index.get(mistake.image.as_str())?;
                let picture = data_uri(dataset.frame(index), &dataset.image(index).ok()?)?;
                Some((mistake.image.clone(), picture))
            };
            let pictures: BTreeMap<String, String> =
                chosen.iter().take(PICTURES).filter_map(picture).collect();
            (pictures, None)
        }
        Err(why) => (BTreeMap::new(), Some(why)),
    };
    let (first, more) = chosen.split_at(chosen.len().min(OPEN));
    let card = |mistake: &LabelMistake| card(predictions, mistake, pictures.get(&mistake.image));
    let body = html! {
        p {
            "Images with wrong labels, most confident mistakes first"
            @if all.len() > chosen.len() { ": " (chosen.len()) " of " (all.len()) " are in this page" }
            ". Below each are its labels, the missed (−) and added (+) labels, and the mean probability of each"
            @if predictions.trials > 1 { " with the number of trials that were wrong" } "."
        }
        ul class="mistakes" { @for mistake in first { (card(mistake)) } }
        @if !more.is_empty() {
            details { summary { (more.len()) " more" } ul class="mistakes" { @for mistake in more { (card(mistake)) } } }
        }
        @if let Some(why) = why { p class="note" { "Names instead of pictures: " (why) "." } }
    };
    Some(Section { id: "mistakes", title: "Mistakes", body })
}

fn card(
    predictions: &LabelPredictions,
    mistake: &LabelMistake,
    picture: Option<&String>,
) -> Markup {
    let wrong = |sign: &str, wrong: &WrongLabel| {
        html! {
            span class="taken" { (sign) (predictions.classes[wrong.class]) }
            span class="soft" {
                (format!("{:.1} %", 100.0 * wrong.probability))
                @if predictions.trials > 1 { " · " (wrong.trials) "/" (predictions.trials) }
            }
        }
    };
    html! {
        li title=(mistake.image) {
            @if let Some(picture) = picture {
                img src=(picture) alt=(mistake.image);
            } @else {
                span class="name" { (mistake.image) }
            }
            span { @if mistake.labels.is_empty() { "no label" } @else { (mistake.labels) } }
            @for missed in &mistake.missed { (wrong("− ", missed)) }
            @for added in &mistake.added { (wrong("+ ", added)) }
        }
    }
}
