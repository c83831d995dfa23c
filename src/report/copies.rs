//! Copies of images across the parts of a split and across classes: those that are most alike, as pictures.

use maud::{Markup, html};

use crate::analysis::Answers;
use crate::basis::number::count;
use crate::data::{Cache, Copied, Dataset, leaks, split};
use crate::looks::{Likeness, Pair};

use super::images::{data_uri, of_best};
use super::section::Section;

/// Pairs that are shown of each kind.
const PAIRS: usize = 24;

/// Larger sets are not searched for the page: `wick check --data` does that.
const MOST_IMAGES: usize = 100_000;

/// The section; none if there are no copies, or the images cannot be loaded.
pub(super) fn section(answers: &Answers, images: &Cache) -> Option<Section> {
    let (plan, dataset) = of_best(answers, images).ok()?;
    if dataset.len() > MOST_IMAGES {
        return None;
    }
    let split = split(&dataset, &plan.data, plan.seed).ok()?;
    let found = leaks(&dataset, &split).ok()?;
    if found.is_empty() {
        return None;
    }
    let body = html! {
        p {
            "Images that are copies of others: the same pixels, or nearly the same picture, as it is or mirrored. Copies "
            "of training images in the test set make its results better than they are. Parts are those of the best "
            "setting's first trial; " code { "data.duplicates = \"drop-from-train\"" } " leaves out training images "
            "that are copies of validation or test images."
        }
        @for copied in &found { (kind(&dataset, copied)) }
    };
    Some(Section { id: "copies", title: "Copies", body })
}

fn kind(dataset: &Dataset, copied: &Copied) -> Markup {
    let mut worst: Vec<&Pair> = copied.pairs.iter().collect();
    worst.sort_by_key(|pair| (pair.likeness, pair.image));
    html! {
        p { (copied.sentence()) @if worst.len() > PAIRS { ", of which the " (PAIRS) " most alike are shown" } ":" }
        ul class="mistakes" { @for pair in worst.iter().take(PAIRS) { (card(dataset, pair)) } }
    }
}

fn card(dataset: &Dataset, Pair { image, of, likeness }: &Pair) -> Markup {
    let picture = |index: u32| data_uri(dataset.frame(index), &dataset.image(index).ok()?);
    let name = |index: u32| &dataset.names()[index as usize];
    let class = |index: u32| dataset.label_names(index);
    let words = match likeness {
        Likeness::Exact => "same pixels".to_owned(),
        Likeness::Near { levels, mirrored } => {
            let how = if *mirrored { "mirrored, " } else { "" };
            format!("{how}{} apart", count(usize::from(*levels), "grey level"))
        }
    };
    html! {
        li title=(format!("{} and {}", name(*image), name(*of))) {
            @for index in [*image, *of] {
                @if let Some(picture) = picture(index) { img src=(picture) alt=(name(index)); }
                span { (class(index)) }
            }
            span class="soft" { (words) }
        }
    }
}
