//! Copies of images on both sides of a split, and in two classes.

use super::dataset::Dataset;
use super::error::{Error, LISTED};
use rayon::prelude::*;

use super::split::Split;
use crate::augment::Frame;
use crate::basis::number::{count, number};
use crate::looks::{Likeness, Look, Pair, copies};

/// Copies between two parts of a split, or two classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// What the images are that have copies: `"test images"`.
    pub what: &'static str,
    /// What they are copies of: `"training images"`.
    pub of: &'static str,
    /// How many of these images there are.
    pub among: usize,
    /// Each that is a copy, with the image that it is most like.
    pub pairs: Vec<Pair>,
}

impl Copied {
    /// How many of them have the same pixels.
    pub fn exact(&self) -> usize {
        self.pairs.iter().filter(|pair| pair.likeness == Likeness::Exact).count()
    }

    /// All about them in a sentence without its end.
    pub fn sentence(&self) -> String {
        let (all, exact) = (self.pairs.len(), self.exact());
        let kinds = match (exact, all - exact) {
            (0, _) => "near".to_owned(),
            (_, 0) => "with the same pixels".to_owned(),
            (exact, near) => {
                format!(
                    "{} with the same pixels, {} near",
                    number(exact as u64),
                    number(near as u64)
                )
            }
        };
        let are = if all == 1 { "is a copy" } else { "are copies" };
        format!(
            "{} of {} {} {are} of {} ({kinds})",
            number(all as u64),
            number(self.among as u64),
            self.what,
            self.of
        )
    }
}

/// How each image of `dataset` looks.
///
/// # Errors
/// If one cannot be decoded.
pub(super) fn looks(dataset: &Dataset) -> Result<Vec<Look>, Error> {
    let look = |index: u32| {
        let Frame { height, width, channels } = dataset.frame(index);
        Ok(Look::new([height, width, channels], &dataset.image(index)?))
    };
    (0..dataset.len() as u32).into_par_iter().map(look).collect()
}

/// Copies across the parts of `split` and across classes; what has none is left out.
///
/// # Errors
/// If an image cannot be decoded.
pub fn leaks(dataset: &Dataset, split: &Split) -> Result<Vec<Copied>, Error> {
    let looks = looks(dataset)?;
    let Split { train, validation, test } = split;
    let mut all = [&train[..], validation, test].concat();
    all.sort_unstable();
    let any = |_: u32, _: u32| true;
    let copied = |what, of, images: &[u32], others: &[u32]| Copied {
        what,
        of,
        among: images.len(),
        pairs: copies(&looks, images, others, &any),
    };
    let other_class = |image: u32, other: u32| {
        other < image && dataset.labels_of(image) != dataset.labels_of(other)
    };
    let found = [
        copied("test images", "training images", test, train),
        copied("validation images", "training images", validation, train),
        copied("test images", "validation images", test, validation),
        Copied {
            what: "images",
            of: "images of another class",
            among: all.len(),
            pairs: copies(&looks, &all, &all, &other_class),
        },
    ];
    Ok(found.into_iter().filter(|copied| !copied.pairs.is_empty()).collect())
}

/// The first pairs, a line each, by the names of the images.
pub fn listed(dataset: &Dataset, pairs: &[Pair]) -> Vec<String> {
    let mut lines: Vec<String> = pairs.iter().take(LISTED).map(|it| line(dataset, it)).collect();
    if let more @ 1.. = pairs.len().saturating_sub(LISTED) {
        lines.push(format!("and {} more", number(more as u64)));
    }
    lines
}

fn line(dataset: &Dataset, Pair { image, of, likeness }: &Pair) -> String {
    let [one, other] = [image, of].map(|index| &dataset.names()[*index as usize]);
    match likeness {
        Likeness::Exact => format!("{one} has the pixels of {other}"),
        Likeness::Near { levels, mirrored } => {
            let how = if *mirrored { "is a mirrored near copy of" } else { "is a near copy of" };
            format!("{one} {how} {other}, {} apart", count(usize::from(*levels), "grey level"))
        }
    }
}
