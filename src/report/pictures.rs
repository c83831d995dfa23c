//! The most confident mistakes, as pictures where the images can be loaded, else by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use maud::{Markup, html};

use crate::analysis::Answers;
use crate::analysis::predictions::{Mistake, Predictions};
use crate::charts::plate::Tile;
use crate::data::{Cache, Dataset};

use super::images::{data_uri, of_best, tile_uri};
use super::section::Section;
use super::sight::Sight;

/// Mistakes in the page, and of one cell of the matrix.
const MISTAKES: usize = 2000;
const PER_CELL: usize = 12;
/// The first of them are shown as pictures, the others by name.
const PICTURES: usize = 240;
/// Mistakes that are seen without asking for more.
const OPEN: usize = 24;

/// The section; none if there are no mistakes.
pub(super) fn section(
    answers: &Answers,
    predictions: &Predictions,
    images: &Cache,
    sight: &mut Result<Sight, String>,
) -> Option<Section> {
    let chosen = chosen(&predictions.mistakes);
    if chosen.is_empty() {
        return None;
    }
    let (pictures, why) = match of_best(answers, images) {
        Ok((_, dataset)) => (pictures(&dataset, &chosen[..chosen.len().min(PICTURES)]), None),
        Err(why) => (BTreeMap::new(), Some(why)),
    };
    let all = predictions.mistakes.len();
    let (first, more) = chosen.split_at(chosen.len().min(OPEN));
    let maps = match (pictures.is_empty(), sight) {
        (false, Ok(sight)) => maps(predictions, sight, first),
        _ => BTreeMap::new(),
    };
    let card = |mistake: &&Mistake| {
        let map = maps.get(&(mistake.image.as_str(), mistake.predicted));
        card(predictions, mistake, pictures.get(&mistake.image), map)
    };
    let body = html! {
        p {
            "Mistakes, most confident first"
            @if all > chosen.len() { ": " (chosen.len()) " of " (all) " are in this page, at most " (PER_CELL) " of a cell" }
            ". Below each are its class, the predicted class, and the mean probability of that"
            @if predictions.trials > 1 { " with the number of trials with this mistake" }
            ". " a href="#mistakes" class="scripted all" hidden { "Show all again" }
        }
        @if !maps.is_empty() {
            p class="note" { "Beside the first images stands where the network of the best trial looks for the class that they were taken for, by Grad-CAM." }
        }
        p class="note scripted" id="mistakes-shown" aria-live="polite" {}
        ul class="mistakes" { @for mistake in first { (card(mistake)) } }
        @if !more.is_empty() {
            details { summary { (more.len()) " more" } ul class="mistakes" { @for mistake in more { (card(mistake)) } } }
        }
        @if let Some(why) = why { p class="note" { "Names instead of pictures: " (why) "." } }
    };
    Some(Section { id: "mistakes", title: "Mistakes", body })
}

/// The first mistakes, and not too many of one kind.
fn chosen(mistakes: &[Mistake]) -> Vec<&Mistake> {
    let mut of_cell: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    let is_wanted = |mistake: &&Mistake| {
        let count = of_cell.entry((mistake.class, mistake.predicted)).or_insert(0);
        *count += 1;
        *count <= PER_CELL
    };
    mistakes.iter().filter(is_wanted).take(MISTAKES).collect()
}

/// Where the best network looks in the first `mistakes` for the class that they were taken for.
fn maps<'a>(
    predictions: &Predictions,
    sight: &mut Sight,
    mistakes: &[&'a Mistake],
) -> BTreeMap<(&'a str, usize), String> {
    if predictions.classes != sight.card.classes {
        return BTreeMap::new();
    }
    let dataset = Arc::clone(&sight.dataset);
    let index: BTreeMap<&str, u32> = dataset.names().iter().map(String::as_str).zip(0..).collect();
    let known = mistakes.iter().take(sight.affordable_maps());
    let known = known.filter_map(|it| Some((*it, *index.get(it.image.as_str())?)));
    let (known, images): (Vec<&Mistake>, Vec<u32>) = known.unzip();
    let classes: Vec<usize> = known.iter().map(|mistake| mistake.predicted).collect();
    let tiles = sight.saliency(&images, &classes).unwrap_or_default();
    let of = |(mistake, [_, map]): (&&'a Mistake, &[Tile; 2])| {
        Some(((mistake.image.as_str(), mistake.predicted), tile_uri(map)?))
    };
    known.iter().zip(&tiles).filter_map(of).collect()
}

fn card(
    predictions: &Predictions,
    mistake: &Mistake,
    picture: Option<&String>,
    map: Option<&String>,
) -> Markup {
    let [class, predicted] =
        [mistake.class, mistake.predicted].map(|class| &predictions.classes[class]);
    html! {
        li data-cell=(format!("{}-{}", mistake.class, mistake.predicted)) title=(mistake.image) {
            @if let Some(picture) = picture {
                @if let Some(map) = map {
                    div class="beside" {
                        img src=(picture) alt=(mistake.image);
                        img src=(map) alt={ "where the network looks for " (predicted) };
                    }
                } @else {
                    img src=(picture) alt=(mistake.image);
                }
            } @else {
                span class="name" { (mistake.image) }
            }
            span { (class) }
            span class="taken" { "→ " (predicted) }
            span class="soft" {
                (format!("{:.1} %", 100.0 * mistake.probability))
                @if predictions.trials > 1 { " · " (mistake.trials) "/" (predictions.trials) }
            }
        }
    }
}

/// The pictures of `mistakes` as data URIs, by name.
fn pictures(dataset: &Dataset, mistakes: &[&Mistake]) -> BTreeMap<String, String> {
    let index: BTreeMap<&str, usize> =
        dataset.names().iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
    let picture = |mistake: &&Mistake| {
        let index = *index.get(mistake.image.as_str())? as u32;
        Some((mistake.image.clone(), data_uri(dataset.frame(index), &dataset.image(index).ok()?)?))
    };
    mistakes.iter().filter_map(picture).collect()
}
