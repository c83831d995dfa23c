//! What lies in a folder of images, by its names and the headers of its files alone.

use std::path::Path;

use rayon::prelude::*;

use super::dataset::Part;
use super::decode::{FORMATS, measure_file};
use super::error::{BadImage, Error};
use super::folder;
use super::labels::Labels;
use super::listing::{Images, check_taught};
use crate::plan::data::MOST_PIXELS;

/// A folder of images as it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Each class and how many images there are to learn it from.
    pub classes: Vec<(String, usize)>,
    /// Images that the folder declares for validation.
    pub declared_validation: usize,
    /// Images that the folder declares for testing.
    pub declared_test: usize,
    /// The least, the median and the greatest height.
    pub heights: [usize; 3],
    /// The least, the median and the greatest width.
    pub widths: [usize; 3],
    /// Images with colours.
    pub coloured: usize,
    /// Images that can be read.
    pub readable: usize,
    /// Images that cannot.
    pub bad: Vec<BadImage>,
}

/// Measures a folder with one folder of images per class. Whether pixels are damaged shows only when
/// they are decoded.
///
/// # Errors
/// If the folder is laid out in another way, or holds a class of which no image can be read.
pub fn measure(folder: &Path) -> Result<Measured, Error> {
    let listing = folder::list(folder, false)?;
    let files = match &listing.images {
        Images::Files(files) => &files[..],
        _ => &[],
    };
    let frames: Vec<_> =
        files.par_iter().map(|file| measure_file(&file.path, MOST_PIXELS)).collect();
    let (mut heights, mut widths) = (Vec::new(), Vec::new());
    let (mut labels, mut parts, mut bad) = (Vec::<u32>::new(), Vec::new(), Vec::new());
    let mut coloured = 0;
    for (index, frame) in frames.into_iter().enumerate() {
        match frame {
            Ok(frame) => {
                heights.push(frame.height);
                widths.push(frame.width);
                coloured += usize::from(frame.channels == 3);
                labels.extend_from_slice(listing.labels.of(index));
                parts.push(listing.parts[index]);
            }
            Err(reason) => bad.push(BadImage { file: listing.names[index].clone(), reason }),
        }
    }
    if heights.is_empty() {
        let (origin, total, of) = (listing.origin, bad.len(), bad.len());
        return Err(Error::BadImages { origin, total, of, images: bad });
    }
    let way_out = format!("its files cannot be read as images ({FORMATS}): repair or remove them");
    let labels = Labels::from(labels);
    check_taught(&listing.origin, &listing.classes, &labels, &parts, &way_out)?;
    let mut classes: Vec<(String, usize)> =
        listing.classes.into_iter().map(|class| (class, 0)).collect();
    for (own, part) in labels.iter().zip(&parts) {
        let is_learnt = matches!(part, Part::Train | Part::Undeclared);
        own.iter().for_each(|label| classes[*label as usize].1 += usize::from(is_learnt));
    }
    let declared = |wanted: Part| parts.iter().filter(|part| **part == wanted).count();
    Ok(Measured {
        classes,
        declared_validation: declared(Part::Validation),
        declared_test: declared(Part::Test),
        readable: heights.len(),
        heights: spread(heights),
        widths: spread(widths),
        coloured,
        bad,
    })
}

/// The least, the median (the lower of two) and the greatest of at least one number.
fn spread(mut numbers: Vec<usize>) -> [usize; 3] {
    numbers.sort_unstable();
    let last = numbers.len() - 1;
    [numbers[0], numbers[last / 2], numbers[last]]
}
