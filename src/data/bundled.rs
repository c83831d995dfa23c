//! The sets that travel inside the program; `data/bundled/README.md` says where they are from.

use std::borrow::Cow;
use std::io::Read;

use candlewick_data::{DIGITS, FASHION_IMAGES, FASHION_LABELS, OPENCLIPART9};
use flate2::read::GzDecoder;

use super::dataset::Part;
use super::error::Error;
use super::idx;
use super::listing::{Block, Images, Listing, classes_of};
use super::source::name;
use crate::plan::data::Bundled;

/// The ten kinds of clothing, in the order of their labels.
const FASHION_CLASSES: [&str; 10] = [
    "t-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle-boot",
];

/// The images of a bundled set.
pub(super) fn list(set: Bundled) -> Result<Listing, Error> {
    match set {
        Bundled::Digits => digits(),
        Bundled::FashionMnist => fashion_mnist(),
        Bundled::Openclipart9 => openclipart9(),
    }
}

/// 65 numbers a line: 64 pixels of 0 to 16, brought to 0 to 255, and the label.
fn digits() -> Result<Listing, Error> {
    let origin = name(Bundled::Digits);
    let mut text = String::new();
    GzDecoder::new(DIGITS)
        .read_to_string(&mut text)
        .map_err(|cause| Error::format(origin, cause.to_string()))?;
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let mut numbers = line.split(',').map(|number| number.parse::<u32>().unwrap_or(0));
        pixels.extend(numbers.by_ref().take(64).map(|ink| ((ink * 255 + 8) / 16) as u8));
        labels.extend(numbers.next());
    }
    let count = labels.len();
    let block = Block {
        count,
        height: 8,
        width: 8,
        channels: 1,
        read: Box::new(move || Ok(Cow::Owned(pixels.clone()))),
    };
    let classes = (0..10).map(|digit| digit.to_string()).collect();
    Ok(undeclared(origin, classes, labels, numbered(count), Images::Blocks(vec![block])))
}

fn fashion_mnist() -> Result<Listing, Error> {
    let origin = name(Bundled::FashionMnist);
    let labels = idx::labels(idx::Bytes::Embedded(FASHION_LABELS), origin)?;
    let block = idx::block(idx::Bytes::Embedded(FASHION_IMAGES), origin.to_owned())?;
    let classes = FASHION_CLASSES.map(str::to_owned).to_vec();
    let labels: Vec<u32> = labels.into_iter().map(u32::from).collect();
    let names = numbered(labels.len());
    Ok(undeclared(origin, classes, labels, names, Images::Blocks(vec![block])))
}

/// The pack's layout is documented in `data/pack.py`.
fn openclipart9() -> Result<Listing, Error> {
    let origin = name(Bundled::Openclipart9);
    let files = unpack(OPENCLIPART9)
        .ok_or_else(|| Error::format(origin, "the pack inside the program is damaged"))?;
    let class = |name: &str| name.split('/').next().unwrap_or(name).to_owned();
    let written: Vec<String> = files.iter().map(|(name, _)| class(name)).collect();
    let (classes, labels) = classes_of(&written);
    let (names, files) =
        files.into_iter().map(|(name, content)| (name.to_owned(), content)).unzip();
    Ok(undeclared(origin, classes, labels, names, Images::Encoded(files)))
}

fn unpack(pack: &'static [u8]) -> Option<Vec<(&'static str, &'static [u8])>> {
    let mut rest = pack.strip_prefix(b"WICKPACK")?;
    let mut take = |length: usize| {
        let (taken, left) = rest.split_at_checked(length)?;
        rest = left;
        Some(taken)
    };
    let count = u32::from_le_bytes(take(4)?.try_into().ok()?);
    let mut entries = Vec::new();
    for _ in 0..count {
        let length = u16::from_le_bytes(take(2)?.try_into().ok()?);
        let name = std::str::from_utf8(take(length.into())?).ok()?;
        entries.push((name, u32::from_le_bytes(take(4)?.try_into().ok()?)));
    }
    entries.into_iter().map(|(name, length)| Some((name, take(length as usize)?))).collect()
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("#{index}")).collect()
}

/// The bundled sets leave the split to the experiment.
fn undeclared(
    origin: &str,
    classes: Vec<String>,
    labels: Vec<u32>,
    names: Vec<String>,
    images: Images,
) -> Listing {
    let parts = vec![Part::Undeclared; labels.len()];
    let (origin, groups, beside) = (origin.to_owned(), Vec::new(), Vec::new());
    let labels = labels.into();
    Listing { origin, classes, labels, parts, names, groups, images, beside }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(listing: &Listing) -> Vec<usize> {
        let mut counts = vec![0; listing.classes.len()];
        for label in listing.labels.iter().flatten() {
            counts[*label as usize] += 1;
        }
        counts
    }

    #[test]
    fn digits_are_the_1797_of_the_published_test_part() {
        let listing = list(Bundled::Digits).unwrap();
        assert_eq!(listing.classes[9], "9");
        assert_eq!(counts(&listing), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        let Images::Blocks(blocks) = &listing.images else { panic!("digits are blocks") };
        let pixels = (blocks[0].read)().unwrap();
        assert_eq!(pixels.len(), 1797 * 64);
        // The first line begins 0,0,5,13,9,1.
        assert_eq!(pixels[..6], [0, 0, 80, 207, 143, 16]);
    }

    #[test]
    fn fashion_mnist_has_a_thousand_images_of_each_kind() {
        let listing = list(Bundled::FashionMnist).unwrap();
        assert_eq!(counts(&listing), [1000; 10]);
        assert_eq!(listing.names[9999], "#9999");
    }

    #[test]
    fn openclipart9_has_the_drawings_of_nine_classes() {
        let listing = list(Bundled::Openclipart9).unwrap();
        assert_eq!(listing.classes[0], "bird");
        assert_eq!(counts(&listing), [50, 49, 66, 75, 75, 49, 75, 68, 44]);
        assert!(listing.names[0].starts_with("bird/"));
    }

    #[test]
    fn a_damaged_pack_is_noticed() {
        assert!(unpack(b"PACK").is_none());
        assert!(unpack(&OPENCLIPART9[..1000]).is_none());
        assert!(unpack(&OPENCLIPART9[..OPENCLIPART9.len() - 1]).is_none());
    }
}
