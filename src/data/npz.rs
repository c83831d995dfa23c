//! Arrays of images and labels that NumPy has saved in one file, as MedMNIST and Keras publish their sets (Yang et
//! al., "MedMNIST v2", Scientific Data 10, 2023).
//!
//! Images are bytes, [N, height, width] or [N, height, width, 3], labels whole numbers, [N] or [N, 1]. The names of arrays
//! say what they are for: `train_images` and `train_labels`, or `x_train` and `y_train`. To list a file, labels and headers
//! are read; pixels are read when they are needed.

use std::borrow::Cow;
use std::io::Read;
use std::path::Path;

use super::class_names;
use super::dataset::Part;
use super::error::{Error, enumerate};
use super::listing::{Block, Images, Listing};
use super::shards::parent;
use crate::basis::regular;
use crate::plan::data::Columns;
use crate::weights::{Archive, Dtype, Entry, Format, WeightsError};

/// Names of the images and the labels that belong together.
const PAIRS: [([&str; 2], Part); 8] = [
    (["train_images", "train_labels"], Part::Train),
    (["val_images", "val_labels"], Part::Validation),
    (["test_images", "test_labels"], Part::Test),
    (["x_train", "y_train"], Part::Train),
    (["x_val", "y_val"], Part::Validation),
    (["x_test", "y_test"], Part::Test),
    (["images", "labels"], Part::Undeclared),
    (["x", "y"], Part::Undeclared),
];

/// No image of such a set has longer sides.
const MAX_SIDE: usize = 1 << 15;

/// Labels are read as numbers that are exact up to here.
const MAX_LABEL: f32 = 16_777_216.0;

/// The images of the file at `path`. `columns` says what arrays are called where they have other names.
pub(super) fn list(path: &Path, columns: &Columns) -> Result<Listing, Error> {
    let file = path.display().to_string();
    let wrong = |problem: String| Error::format(file.clone(), problem);
    let archive = open(path)?;
    let pairs = pairs(&archive, columns).map_err(wrong)?;
    let (mut values, mut parts, mut blocks) = (Vec::new(), Vec::new(), Vec::new());
    for ([images, labels], part) in pairs {
        let block = block(&archive, images, path).map_err(wrong)?;
        let entry = archive.entry(labels).expect("the pair was found");
        let count = match entry.shape[..] {
            [count] | [count, 1] => count,
            [_, several] => {
                return Err(wrong(format!(
                    "{labels} has {several} labels for each image; an image has one class, and several labels for \
                     one image are not read"
                )));
            }
            _ => {
                return Err(wrong(format!(
                    "{labels} is {}; labels are [N] or [N, 1]",
                    shape(entry)
                )));
            }
        };
        if count != block.count {
            return Err(wrong(format!(
                "{labels} has {count} labels for the {} images of {images}",
                block.count
            )));
        }
        if entry.dtype.is_float() {
            return Err(wrong(format!("{labels} holds {}; labels are whole numbers", entry.dtype)));
        }
        for (index, label) in archive.read(labels).map_err(said)?.into_iter().enumerate() {
            if !(0.0..MAX_LABEL).contains(&label) {
                return Err(wrong(format!(
                    "{labels} holds {label} for image {index}; labels are whole numbers from 0 on"
                )));
            }
            values.push(label as u64);
        }
        parts.resize(values.len(), part);
        blocks.push(block);
    }
    let folder = parent(path);
    let (classes, labels) = class_names::classes(&folder, &values)?;
    let names = (0..labels.len()).map(|index| format!("#{index}")).collect();
    let beside = [path.to_owned()].into_iter().chain(class_names::file(&folder)).collect();
    let (groups, images) = (Vec::new(), Images::Blocks(blocks));
    Ok(Listing {
        origin: file,
        classes,
        labels: labels.into(),
        parts,
        names,
        groups,
        images,
        beside,
    })
}

fn open(path: &Path) -> Result<Archive, Error> {
    let unreadable = |cause: std::io::Error| Error::unreadable(path, &cause);
    let wrong = |problem: &str| Error::layout(path, problem);
    if !path.metadata().map_err(unreadable)?.is_file() {
        return Err(wrong("is not a file; give the one that numpy.savez wrote"));
    }
    let mut start = Vec::new();
    let file = regular::open(path).map_err(unreadable)?;
    file.take(2).read_to_end(&mut start).map_err(unreadable)?;
    if start != b"PK" {
        return Err(wrong("does not begin as what numpy.savez writes does"));
    }
    let archive = Archive::open(path, None).map_err(said)?;
    match archive.format() {
        Format::Npz => Ok(archive),
        _ => Err(wrong("holds no arrays as numpy.savez writes them")),
    }
}

/// What is said of files of arrays, as what is said of data.
pub(super) fn said(error: WeightsError) -> Error {
    match error {
        WeightsError::Unreadable { path, reason } => Error::Unreadable { path, reason },
        WeightsError::Damaged { file, problem } => {
            Error::format(file, format!("is damaged: {problem}"))
        }
        WeightsError::Unsupported { file, problem } => Error::format(file, problem),
        other => Error::format("", other.to_string()),
    }
}

/// The names of the arrays of images and labels, and what they are for.
fn pairs<'a>(archive: &Archive, columns: &'a Columns) -> Result<Vec<([&'a str; 2], Part)>, String> {
    let has = |name: &str| archive.entry(name).is_some();
    let names: Vec<String> = archive.entries().iter().map(|entry| entry.name.clone()).collect();
    let found = if names.is_empty() { "no arrays".to_owned() } else { enumerate(&names) };
    let hint =
        "data.columns = { image = \"NAME\", label = \"NAME\" } names arrays with other names";
    if columns.image.is_some() || columns.label.is_some() {
        let (image, label) = (columns.image.as_deref(), columns.label.as_deref());
        let pair = [image.unwrap_or("images"), label.unwrap_or("labels")];
        return match pair.into_iter().find(|name| !has(name)) {
            None => Ok(vec![(pair, Part::Undeclared)]),
            Some(name) => Err(format!("has no array `{name}`, but {found}; {hint}")),
        };
    }
    let mut pairs = Vec::new();
    for (pair, part) in PAIRS {
        match pair.map(has) {
            [true, true] => pairs.push((pair, part)),
            [false, false] => {}
            [is_images, _] => {
                let [there, lacks] =
                    if is_images { [pair[0], pair[1]] } else { [pair[1], pair[0]] };
                return Err(format!("has {there} and no {lacks} beside it; {hint}"));
            }
        }
    }
    let is_twice = |part| pairs.iter().filter(|(_, other)| *other == part).count() > 1;
    if [Part::Train, Part::Validation, Part::Test, Part::Undeclared].into_iter().any(is_twice) {
        return Err(format!("has several arrays of images for one thing: {found}; {hint}"));
    }
    match pairs.is_empty() {
        true => Err(format!("has no train_images, but {found}; {hint}")),
        false => Ok(pairs),
    }
}

fn shape(entry: &Entry) -> String {
    format!("{:?}", entry.shape)
}

/// The images of an array; their pixels are read later.
fn block(archive: &Archive, name: &str, path: &Path) -> Result<Block, String> {
    let entry = archive.entry(name).expect("the pair was found");
    let (count, height, width, channels) = match entry.shape[..] {
        [count, height, width] => (count, height, width, 1),
        [count, height, width, channels @ (1 | 3)] => (count, height, width, channels),
        [_, channels @ (1 | 3), ..] => {
            return Err(format!(
                "{name} is {}, with its {channels} channels first; save it with the channels last: \
                 array.transpose(0, 2, 3, 1)",
                shape(entry)
            ));
        }
        _ => {
            return Err(format!(
                "{name} is {}; images are [N, height, width] or [N, height, width, 3], and volumes are not read",
                shape(entry)
            ));
        }
    };
    if entry.dtype != Dtype::U8 {
        return Err(format!(
            "{name} holds {}; pixels are bytes from 0 to 255: save array.astype(numpy.uint8)",
            entry.dtype
        ));
    }
    if !(1..=MAX_SIDE).contains(&height) || !(1..=MAX_SIDE).contains(&width) {
        return Err(format!("{name} has images of {height}×{width} pixels"));
    }
    let (path, name) = (path.to_owned(), name.to_owned());
    let bytes = count * height * width * channels;
    let read = move || {
        let pixels = open(&path)?.read_bytes(&name).map_err(said)?;
        match pixels.len() == bytes {
            true => Ok(Cow::Owned(pixels)),
            false => Err(Error::format(path.display().to_string(), "changed while it was read")),
        }
    };
    Ok(Block { count, height, width, channels, read: Box::new(read) })
}
