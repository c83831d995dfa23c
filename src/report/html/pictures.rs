//! The most confident mistakes, as pictures where the images can be loaded, else by name.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use image::imageops::thumbnail;
use image::{GrayImage, RgbImage};
use maud::{Markup, html};

use crate::augment::Frame;
use crate::data::{Cache, Dataset};
use crate::report::answers::Answers;
use crate::report::answers::predictions::{Mistake, Predictions, folder};
use crate::report::sheet::png;
use crate::sweep::store::{Store, TrialStore};

use super::Section;

/// Mistakes in the page, and of one cell of the matrix.
const MISTAKES: usize = 2000;
const PER_CELL: usize = 12;
/// The first of them are shown as pictures, the others by name.
const PICTURES: usize = 240;
/// Mistakes that are seen without asking for more.
const OPEN: usize = 24;
/// The longer side of a picture in pixels, at most.
const SIDE: u32 = 64;
/// Sets of images that take more bytes than this are not loaded for a few pictures.
const MOST_BYTES: usize = 1 << 29;

/// The section; none if there are no mistakes.
pub(super) fn section(
    answers: &Answers,
    predictions: &Predictions,
    images: &Cache,
) -> Option<Section> {
    let chosen = chosen(&predictions.mistakes);
    if chosen.is_empty() {
        return None;
    }
    let (pictures, why) = match dataset(answers, images) {
        Ok(dataset) => (pictures(&dataset, &chosen[..chosen.len().min(PICTURES)]), None),
        Err(why) => (BTreeMap::new(), Some(why)),
    };
    let all = predictions.mistakes.len();
    let (first, more) = chosen.split_at(chosen.len().min(OPEN));
    let card = |mistake: &&Mistake| card(predictions, mistake, pictures.get(&mistake.image));
    let body = html! {
        p {
            "Images that were taken for another class, those first that the trials were most sure of"
            @if all > chosen.len() { ": " (chosen.len()) " of " (all) " are in this page, at most " (PER_CELL) " of a cell" }
            ". Below each stand its class, what it was taken for, and the mean probability of that"
            @if predictions.trials > 1 { " with the number of trials that took it so" }
            ". " a href="#mistakes" class="scripted all" hidden { "Show all again" }
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

fn card(predictions: &Predictions, mistake: &Mistake, picture: Option<&String>) -> Markup {
    let [class, predicted] =
        [mistake.class, mistake.predicted].map(|class| &predictions.classes[class]);
    html! {
        li data-cell=(format!("{}-{}", mistake.class, mistake.predicted)) title=(mistake.image) {
            @if let Some(picture) = picture {
                img src=(picture) alt=(mistake.image);
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

/// The images of the best setting's first trial; or why there are none.
fn dataset(answers: &Answers, images: &Cache) -> Result<std::sync::Arc<Dataset>, String> {
    let trial = answers.best().and_then(|best| answers.completed(best).next());
    let trial = trial.ok_or("no trial was completed")?;
    let store = TrialStore::at(folder(answers, trial));
    let plan = store.plan().map_err(|error| error.to_string())?;
    let known = Store::of(&answers.root).images();
    let bytes = plan.data.image.size.iter().product::<usize>() * plan.data.image.channels;
    let most = known.iter().map(|(_, images)| images.images).max().unwrap_or(0);
    if most.saturating_mul(bytes) > MOST_BYTES {
        return Err("the set of images is too large to be loaded for a few of them".to_owned());
    }
    let dataset = images.get(&plan.data).map_err(|error| error.to_string())?;
    let is_known = known.iter().any(|(_, images)| images.fingerprint == dataset.fingerprint());
    if is_known {
        Ok(dataset)
    } else {
        Err("the images are other ones than those that trials were run on".to_owned())
    }
}

/// The pictures of `mistakes` as data URIs, by name.
fn pictures(dataset: &Dataset, mistakes: &[&Mistake]) -> BTreeMap<String, String> {
    let index: BTreeMap<&str, usize> =
        dataset.names().iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
    let picture = |mistake: &&Mistake| {
        let index = *index.get(mistake.image.as_str())?;
        Some((mistake.image.clone(), picture(dataset.frame(), dataset.image(index as u32))?))
    };
    mistakes.iter().filter_map(picture).collect()
}

fn picture(frame: Frame, pixels: &[u8]) -> Option<String> {
    let [height, width] = [frame.height as u32, frame.width as u32];
    let longer = height.max(width);
    let bytes = if longer <= SIDE {
        png(frame, pixels).ok()?
    } else {
        let [height, width] = [height, width].map(|side| (side * SIDE / longer).max(1));
        let small = match frame.channels {
            1 => {
                let image =
                    GrayImage::from_raw(frame.width as u32, frame.height as u32, pixels.to_vec())?;
                thumbnail(&image, width, height).into_raw()
            }
            _ => {
                let image =
                    RgbImage::from_raw(frame.width as u32, frame.height as u32, pixels.to_vec())?;
                thumbnail(&image, width, height).into_raw()
            }
        };
        let [height, width] = [height, width].map(|side| side as usize);
        png(Frame { height, width, channels: frame.channels }, &small).ok()?
    };
    Some(format!("data:image/png;base64,{}", BASE64_STANDARD.encode(bytes)))
}
