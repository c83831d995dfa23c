//! What training does to images: some of them, as they are and as they are seen in the first epochs.

use maud::{Markup, html};

use super::augmented::Augmented;
use super::sheet::Picture;
use crate::analysis::{Answers, Setting};
use crate::augment::{Mixing, Step};
use crate::data::{Cache, Error, split};
use crate::plan::Plan;
use crate::sweep::store::TrialStore;

use super::images::{data_uri, dataset};
use super::section::{Section, capital};

/// Chains that are shown, of the settings that are looked at for them, the best first.
const CHAINS: usize = 4;
const LOOKED_AT: usize = 64;
/// Images across, and epochs down.
const IMAGES: usize = 6;
const EPOCHS: u64 = 3;

/// What one or more settings do to images.
struct Chain<'a> {
    plan: Plan,
    setting: &'a Setting,
}

/// The different chains of the best settings that augment.
fn chains(answers: &Answers) -> Vec<Chain<'_>> {
    let mut chains: Vec<Chain> = Vec::new();
    for setting in answers.settings.iter().take(LOOKED_AT) {
        let trial = &answers.trials[setting.trials[0]];
        let Ok(plan) = TrialStore::at(answers.folder(trial)).plan() else { continue };
        let augment = &plan.augment;
        let is_idle = augment.train.is_empty() && augment.mixing.is_none();
        let is_known = |chain: &Chain| {
            let known = &chain.plan.augment;
            (&known.train, &known.mixing, known.until)
                == (&augment.train, &augment.mixing, augment.until)
        };
        if !is_idle && !chains.iter().any(is_known) {
            chains.push(Chain { plan, setting });
        }
    }
    chains
}

/// What a setting is called beside others that augment in another way: by its values of `[augment]` alone,
/// where that is what was varied.
fn called(answers: &Answers, setting: &Setting) -> String {
    let names: Vec<&str> = answers
        .axes
        .iter()
        .zip(&setting.names)
        .filter(|(axis, name)| axis.starts_with("augment") && !name.is_empty())
        .map(|(_, name)| name.as_str())
        .collect();
    if names.is_empty() { setting.label.clone() } else { names.join(", ") }
}

/// `rotate, flip-horizontal (p = 0.5)`
fn in_words(steps: &[Step]) -> String {
    let word = |step: &Step| {
        let what = match step {
            Step::Transform { transform, .. } => transform.kind().to_owned(),
            Step::Sometimes { sometimes, .. } => format!("all of [{}]", in_words(sometimes)),
            Step::OneOf { one_of, .. } => format!("one of [{}]", in_words(one_of)),
            Step::SomeOf { some_of, n: [least, most], .. } if least == most => {
                format!("{least} of [{}]", in_words(some_of))
            }
            Step::SomeOf { some_of, n: [least, most], .. } => {
                format!("{least} to {most} of [{}]", in_words(some_of))
            }
        };
        if step.p() == 1.0 { what } else { format!("{what} (p = {})", step.p()) }
    };
    steps.iter().map(word).collect::<Vec<_>>().join(", ")
}

fn mixing_in_words(mixing: &Option<Mixing>) -> &'static str {
    match mixing {
        Some(_) => "; batches are mixed",
        None => "",
    }
}

/// The images of a chain, those of the data set first and then epoch by epoch; or why there are none.
fn pictures(
    answers: &Answers,
    plan: &Plan,
    images: &Cache,
) -> Result<Vec<(String, Vec<Picture>)>, String> {
    let dataset = dataset(answers, plan, images)?;
    dataset.check([&plan.augment.train]).map_err(|error| error.to_string())?;
    let train = split(&dataset, &plan.data, plan.seed).map_err(|error| error.to_string())?.train;
    let images = Augmented { plan, dataset };
    let chosen = images.some_of_each_class(&train, IMAGES);
    let originals = chosen.iter().map(|image| images.original_picture(*image)).collect();
    let epochs = (1..=EPOCHS).map(|epoch| (format!("epoch {epoch}"), images.epoch(&chosen, epoch)));
    std::iter::once(("original".to_owned(), originals))
        .chain(epochs)
        .map(|(name, pictures)| Ok((name, pictures.map_err(|error: Error| error.to_string())?)))
        .collect()
}

fn sheet(rows: &[(String, Vec<Picture>)]) -> Markup {
    html! {
        div class="scroll" { table class="contact" { tbody {
            @for (name, pictures) in rows { tr {
                th { (name) }
                @for picture in pictures {
                    @let words = picture.words.join(", ");
                    td {
                        @if let Some(uri) = data_uri(picture.image.frame(), picture.image.pixels()) {
                            img src=(uri) alt=(words) title=(words);
                        }
                    }
                }
            } }
        } } }
    }
}

fn until_in_words(until: Option<usize>) -> String {
    until.map_or(String::new(), |epoch| format!(", until epoch {epoch}"))
}

/// The section; none if no setting that was looked at augments.
pub(super) fn section(answers: &Answers, images: &Cache) -> Option<Section> {
    let chains = chains(answers);
    if chains.is_empty() {
        return None;
    }
    let body = html! {
        p {
            "Training images: originals, and augmented as in the first epochs"
            span class="scripted" { ": point at an image to see its transforms" } "."
        }
        @for Chain { plan, setting } in chains.iter().take(CHAINS) {
            figure class="augmented" {
                figcaption {
                    @if chains.len() > 1 { (capital(&called(answers, setting))) ": " }
                    span class="chain" { (in_words(&plan.augment.train.steps)) (mixing_in_words(&plan.augment.mixing)) (until_in_words(plan.augment.until)) }
                }
                @match pictures(answers, plan, images) {
                    Ok(rows) => (sheet(&rows)),
                    Err(why) => p class="note" { "No pictures: " (why) "." },
                }
            }
        }
        @if chains.len() > CHAINS { p class="note" { (chains.len() - CHAINS) " other ways to augment are not shown." } }
    };
    Some(Section { id: "augmentation", title: "Augmentation", body })
}
