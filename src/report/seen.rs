//! What the best network sees: its first filters, where it looks, and what transfer changed. The pictures are those of
//! `wick look`.

use maud::{Markup, html};

use crate::analysis::Answers;
use crate::basis::number::{count, number};
use crate::charts::plate::Tile;
use crate::look::filters::Filters;
use crate::model::bundled_weights::SCHEME;
use crate::model::weights::read;
use crate::train::said::{Said, surest};

use super::images::tile_uri;
use super::section::Section;
use super::sight::Sight;

/// Filters that are shown, and of those that transfer changed.
const FILTERS: usize = 64;
const CHANGED: usize = 12;
/// Of mistakes, and of right images, so many are shown.
const OF_EACH: usize = 4;
/// Files of pretrained weights that are larger are not read for a few pictures.
const MOST_BYTES: u64 = 100 << 20;

/// The section; a sentence where there is nothing to see.
pub(super) fn section(answers: &Answers, sight: &mut Result<Sight, String>) -> Option<Section> {
    answers.best()?;
    let title = "What the best network sees";
    let body = match sight {
        Err(why) => html! { p class="note" { "The network cannot be shown: " (why) "." } },
        Ok(sight) => {
            let label = answers.best().map_or("", |best| &best.label);
            html! {
                p {
                    "The network of trial " (sight.trial) ", the best one of " strong { (label) } ". "
                    code { "wick look" } " shows more of it: maps of its layers and patches that excite them."
                }
                (filters(sight))
                (changed(sight))
                (looks(sight))
            }
        }
    };
    Some(Section { id: "seen", title, body })
}

fn picture(tile: &Tile, words: &str) -> Markup {
    html! { @if let Some(uri) = tile_uri(tile) { img src=(uri) alt=(words) title=(words); } }
}

/// The filters of the first layer.
fn filters(sight: &mut Sight) -> Markup {
    let Some(found) = sight.filters(FILTERS) else {
        return html! { p class="note" { "Its first layer with weights does not see pixels, so that its filters are no pictures." } };
    };
    let [channels, height, width] = found.shape;
    let shown = found.tiles.len();
    html! {
        figure {
            figcaption {
                "First layer, " (found.layer) ": "
                @if shown < found.count { "the first " (shown) " of " }
                (count(found.count, "filter")) " of " (channels) "×" (height) "×" (width)
            }
            div class=(if height.max(width) > 16 { "filters large" } else { "filters" }) {
                @for (at, tile) in found.tiles.iter().enumerate() { (picture(tile, &format!("filter {}", at + 1))) }
            }
        }
        p class="note" {
            (found.note())
            @if height.max(width) < 5 { " Filters of " (height) "×" (width) " are too small to show edges." }
        }
    }
}

/// What fine-tuning changed in the first filters; nothing unless they started as pretrained.
fn changed(sight: &mut Sight) -> Markup {
    let nothing = || html! {};
    let (Some(now), Some(weights)) = (sight.filters(usize::MAX), sight.weights()) else {
        return nothing();
    };
    let model = &sight.card.model;
    let Some(index) = model.layers.iter().position(|layer| layer.name == now.layer) else {
        return nothing();
    };
    let Some(file) = sight.plan.model.weights.as_ref().filter(|_| model.starts_pretrained(index))
    else {
        return nothing();
    };
    let tuning = model.layers[index].tuning;
    let learns =
        tuning.is_none_or(|it| it.from_epoch.is_some_and(|epoch| epoch <= sight.plan.train.epochs));
    if !learns {
        return html! { p class="note" { "The layer was frozen: its filters are those of the pretrained network." } };
    }
    let is_small = std::fs::metadata(&file.file).is_ok_and(|found| found.len() <= MOST_BYTES);
    let is_bundled = file.file.to_string_lossy().starts_with(SCHEME);
    let before = (is_small || is_bundled).then(|| read(file, model).ok()).flatten();
    let Some((before, _)) = before else {
        return html! { p class="note" { "What fine-tuning changed in them is not shown: the file of the pretrained weights cannot be read." } };
    };
    let name = format!("{}.weight", now.layer);
    let (Some(old), Some((_, new))) = (before.get(&name), weights.get(&name)) else {
        return nothing();
    };
    let Some(was) = Filters::of(model, &before, usize::MAX) else { return nothing() };
    let size = now.shape.iter().product::<usize>().max(1);
    let norm = |numbers: &mut dyn Iterator<Item = f32>| {
        numbers.map(|it| f64::from(it).powi(2)).sum::<f64>().sqrt()
    };
    let pairs = old.1.chunks_exact(size).zip(new.chunks_exact(size));
    let change = |(old, new): (&[f32], &[f32])| {
        let moved = norm(&mut old.iter().zip(new).map(|(old, new)| new - old));
        moved / norm(&mut old.iter().copied()).max(1e-12)
    };
    let changes: Vec<f64> = pairs.map(change).collect();
    let mut order: Vec<usize> = (0..changes.len()).collect();
    order.sort_by(|a, b| changes[*b].total_cmp(&changes[*a]));
    let mut sorted = changes.clone();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
    html! {
        figure {
            figcaption { "What fine-tuning changed most in them: pretrained above, now below" }
            ul class="pairs" {
                @for at in order.iter().take(CHANGED) { li {
                    (picture(&was.tiles[*at], "pretrained"))
                    (picture(&now.tiles[*at], "fine-tuned"))
                    span class="soft" { (format!("{:.2} %", 100.0 * changes[*at])) }
                } }
            }
        }
        p class="note" {
            (format!("The change of a filter is ‖w − w₀‖ / ‖w₀‖; of half of the {} filters it is {:.2} % or more.", changes.len(), 100.0 * middle))
        }
    }
}

/// Where it looks in images that it mistakes, and in right ones.
fn looks(sight: &mut Sight) -> Markup {
    let Some(place) = sight.place() else {
        return html! { p class="note" { "No layer of this network has maps, so that there is nothing to show of where it looks." } };
    };
    let found = sight.survey().and_then(|survey| {
        let kinds = surest(&sight.card, &sight.dataset, &survey.images, &survey.logits, OF_EACH);
        let classes = sight.card.classes.len();
        let said = |at: usize| Said::of(&sight.card, &survey.logits[at * classes..][..classes]);
        let kinds = kinds.map(|kind| -> Vec<(u32, Said)> {
            kind.into_iter().map(|at| (survey.images[at], said(at))).collect()
        });
        let all: Vec<(u32, Said)> = kinds.iter().flatten().copied().collect();
        let (images, classes): (Vec<u32>, Vec<usize>) =
            all.iter().map(|(image, said)| (*image, said.class)).unzip();
        let tiles = sight.saliency(&images, &classes)?;
        Ok((survey, kinds, tiles))
    });
    let (survey, [mistakes, right], tiles) = match found {
        Ok(found) => found,
        Err(why) => return html! { p class="note" { "Where it looks is not shown: " (why) "." } },
    };
    let layer = &sight.card.model.layers[place - 1];
    let card = |(image, said): &(u32, Said), [own, map]: &[Tile; 2], is_mistake: bool| {
        let name = &sight.dataset.names()[*image as usize];
        let class = &sight.card.classes[said.class];
        html! {
            li title=(name) {
                div class="beside" { (picture(own, name)) (picture(map, &format!("where it looks for {class}"))) }
                span { (sight.dataset.label_names(*image)) }
                @if is_mistake { span class="taken" { "→ " (class) } }
                span class="soft" { (format!("{:.1} %", 100.0 * said.probability)) }
            }
        }
    };
    let (of_mistakes, of_right) = tiles.split_at(mistakes.len());
    let kind = |words: &str, images: &[(u32, Said)], tiles: &[[Tile; 2]], is_mistake: bool| {
        html! {
            @if !images.is_empty() { figure {
                figcaption { (words) }
                ul class="mistakes looks" { @for (image, tiles) in images.iter().zip(tiles) { (card(image, tiles, is_mistake)) } }
            } }
        }
    };
    html! {
        div class="charts" {
            (kind("Where it looks: its surest mistakes", &mistakes, of_mistakes, true))
            (kind("Where it looks: its surest right answers, one of a class", &right, of_right, false))
        }
        p class="note" {
            "Of " (number(survey.images.len() as u64))
            @if survey.images.len() < survey.all { " of its " (number(survey.all as u64)) } @else { " of its" }
            " " (survey.set) " images. The map beside an image is Grad-CAM at " (layer.name) " ("
            (layer.output[1]) "×" (layer.output[2]) " places) for the class that it says, scaled for each image by itself: "
            "light yellow speaks most for the class, dark not at all. A map does not explain a decision; one that lights up "
            "the background is a reason to check the data."
        }
    }
}
