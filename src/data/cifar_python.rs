//! The Python versions of CIFAR-10 and CIFAR-100: dicts that `pickle` wrote, of pixels, labels and names.
//!
//! `data` is [N, 3072], planes of red, of green and of blue; labels are lists of numbers. The names of classes stand
//! in a file of their own.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use super::cifar::{AREA, Kind, SIDE, interleave};
use super::class_names;
use super::dataset::Part;
use super::error::{Error, enumerate};
use super::listing::{Block, Images, Listing};
use super::npz::said;
use crate::weights::Pickled;

/// What a set's Python version has.
pub(super) struct Files {
    /// The folder in the published archive.
    pub(super) folder: &'static str,
    pub(super) train: &'static [&'static str],
    pub(super) test: &'static str,
    /// Where the names of classes stand.
    pub(super) meta: &'static str,
}

/// Where the files of a set are.
pub(super) struct Paths {
    pub(super) batches: Vec<(PathBuf, Part)>,
    /// What names the classes, if it is there.
    pub(super) meta: Option<PathBuf>,
}

/// The folder that holds files of the Python version: the one in `folder` that the published archive was unpacked to, or
/// `folder` itself; none if neither does.
pub(super) fn folder(folder: &Path, kind: &Kind) -> Option<PathBuf> {
    let places = [folder.join(kind.python.folder), folder.to_owned()];
    places.into_iter().find(|place| {
        let names = kind.python.train.iter().chain([&kind.python.test]);
        names.into_iter().any(|name| place.join(name).is_file())
    })
}

/// The files in `folder`, the last one for testing, and the one that names classes.
pub(super) fn paths(folder: &Path, kind: &Kind) -> Result<Paths, Error> {
    let train = kind.python.train.iter().map(|name| (*name, Part::Train));
    let names: Vec<(&str, Part)> = train.chain([(kind.python.test, Part::Test)]).collect();
    let lacks = names.iter().filter(|(name, _)| !folder.join(name).is_file());
    let lacks: Vec<&str> = lacks.map(|(name, _)| *name).collect();
    if !lacks.is_empty() {
        let problem = format!(
            "lacks {}; the Python version of {} has {} and {}",
            lacks.join(", "),
            kind.name,
            kind.python.train.join(", "),
            kind.python.test
        );
        return Err(Error::layout(folder, problem));
    }
    let meta = Some(folder.join(kind.python.meta)).filter(|path| path.is_file());
    let batches = names.into_iter().map(|(name, part)| (folder.join(name), part)).collect();
    Ok(Paths { batches, meta })
}

/// The images of the Python version of `kind` in `folder`, with the labels called `label`.
pub(super) fn list(
    folder: &Path,
    origin: &Path,
    kind: &Kind,
    label: Option<&str>,
) -> Result<Listing, Error> {
    let labels_key = kind.labels_key(label);
    let Paths { batches, meta } = paths(folder, kind)?;
    let classes = match &meta {
        Some(path) => names(path, labels_key)?,
        None => kind.classes(label),
    };
    let (mut labels, mut parts, mut blocks) = (Vec::new(), Vec::new(), Vec::new());
    let mut beside: Vec<PathBuf> = meta.into_iter().collect();
    for (path, part) in batches {
        let wrong = |problem: String| Error::format(path.display().to_string(), problem);
        let batch = Pickled::open(&path).map_err(said)?;
        let keys: Vec<String> = batch.keys().map(str::to_owned).collect();
        let has =
            || if keys.is_empty() { "no keys that are texts".to_owned() } else { enumerate(&keys) };
        let own = batch.numbers(labels_key).ok_or_else(|| {
            wrong(format!(
                "has no list of whole numbers `{labels_key}`, but {}; it is no batch of {}",
                has(),
                kind.name
            ))
        })?;
        let count = match batch.shape("data").as_deref() {
            Some([count, bytes]) if *bytes == 3 * AREA => *count,
            Some(shape) => {
                return Err(wrong(format!(
                    "has `data` of {shape:?}; the batches of {} are [N, {}]",
                    kind.name,
                    3 * AREA
                )));
            }
            None => {
                return Err(wrong(format!(
                    "has no array of bytes `data` in C order, but {}",
                    has()
                )));
            }
        };
        if own.len() != count {
            return Err(wrong(format!("has {} labels for {count} images", own.len())));
        }
        for (index, label) in own.into_iter().enumerate() {
            let known = u32::try_from(label).ok().filter(|label| (*label as usize) < classes.len());
            labels.push(known.ok_or_else(|| {
                wrong(format!(
                    "image {index} has label {label}; {} has labels 0 to {}",
                    kind.name,
                    classes.len().saturating_sub(1)
                ))
            })?);
        }
        parts.resize(labels.len(), part);
        beside.push(path.clone());
        let read = move || {
            let bytes = Pickled::open(&path).and_then(|batch| batch.bytes("data")).map_err(said)?;
            if bytes.len() != count * 3 * AREA {
                return Err(Error::format(path.display().to_string(), "changed while it was read"));
            }
            Ok(Cow::Owned(interleave(&bytes, 0)))
        };
        blocks.push(Block { count, height: SIDE, width: SIDE, channels: 3, read: Box::new(read) });
    }
    let names = (0..labels.len()).map(|index| format!("#{index}")).collect();
    let (origin, groups) = (origin.display().to_string(), Vec::new());
    Ok(Listing {
        origin,
        classes,
        labels: labels.into(),
        parts,
        names,
        groups,
        images: Images::Blocks(blocks),
        beside,
    })
}

/// The names of the classes with the labels called `labels`, such as `fine_label_names` for `fine_labels`.
fn names(path: &Path, labels: &str) -> Result<Vec<String>, Error> {
    let meta = Pickled::open(path).map_err(said)?;
    let key = format!("{}_names", labels.trim_end_matches('s'));
    let names = meta.texts(&key).ok_or_else(|| {
        let problem = format!("has no list of texts `{key}`, which names the classes");
        Error::format(path.display().to_string(), problem)
    })?;
    let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    if let Some(twice) = class_names::twice(&names) {
        let problem = format!("names two classes `{twice}` in `{key}`; each has a name of its own");
        return Err(Error::format(path.display().to_string(), problem));
    }
    Ok(names)
}
