//! CIFAR-10 and CIFAR-100: their binary versions; [`cifar_python`] reads the Python ones.
//!
//! A file is a row of records: the label (CIFAR-100: coarse label, fine label), then 1,024 bytes of
//! red, of green and of blue, row by row. Given is the folder that holds the files, or the one that
//! the published archive was unpacked in. The test batch is the declared test set.

use std::borrow::Cow;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::cifar_python::{self, Files, Paths};
use super::dataset::Part;
use super::error::Error;
use super::listing::{Block, Images, Listing};
use super::source::Counts;
use crate::basis::regular;
use crate::plan::data::Columns;

pub(super) const SIDE: usize = 32;
pub(super) const AREA: usize = SIDE * SIDE;

/// What tells the two sets apart.
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// The folder in the published archive.
    folder: &'static str,
    train: &'static [&'static str],
    test: &'static str,
    /// Bytes before the pixels; the last one is the label, the one before it the coarse one.
    label_bytes: usize,
    classes: &'static str,
    /// The names of coarse classes, if it has them.
    coarse: &'static str,
    pub(super) python: Files,
}

/// Ten classes, in five training batches and a test batch.
pub(super) const CIFAR10: Kind = Kind {
    name: "CIFAR-10",
    folder: "cifar-10-batches-bin",
    train: &[
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
    ],
    test: "test_batch.bin",
    label_bytes: 1,
    classes: "airplane automobile bird cat deer dog frog horse ship truck",
    coarse: "",
    python: Files {
        folder: "cifar-10-batches-py",
        train: &["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"],
        test: "test_batch",
        meta: "batches.meta",
    },
};

/// A hundred classes by their fine labels, twenty by their coarse ones.
pub(super) const CIFAR100: Kind = Kind {
    name: "CIFAR-100",
    folder: "cifar-100-binary",
    train: &["train.bin"],
    test: "test.bin",
    label_bytes: 2,
    classes: "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge \
        bus butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach \
        couch crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house \
        kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle \
        mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree \
        plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew \
        skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank \
        telephone television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf \
        woman worm",
    coarse: "aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices \
        household_furniture insects large_carnivores large_man-made_outdoor_things \
        large_natural_outdoor_scenes large_omnivores_and_herbivores medium_mammals non-insect_invertebrates \
        people reptiles small_mammals trees vehicles_1 vehicles_2",
    python: Files { folder: "cifar-100-python", train: &["train"], test: "test", meta: "meta" },
};

impl Kind {
    fn record(&self) -> usize {
        self.label_bytes + 3 * AREA
    }

    /// The classes by the labels called `label`.
    pub(super) fn classes(&self, label: Option<&str>) -> Vec<String> {
        let names = if self.is_coarse(label) { self.coarse } else { self.classes };
        names.split_whitespace().map(str::to_owned).collect()
    }

    fn is_coarse(&self, label: Option<&str>) -> bool {
        !self.coarse.is_empty() && label.is_some_and(|label| label.starts_with("coarse"))
    }

    /// What its Python version calls the labels called `label`.
    pub(super) fn labels_key(&self, label: Option<&str>) -> &'static str {
        match (self.coarse.is_empty(), self.is_coarse(label)) {
            (true, _) => "labels",
            (_, true) => "coarse_labels",
            _ => "fine_labels",
        }
    }

    /// Says so if it has no labels called `label`.
    fn check(&self, folder: &Path, label: Option<&str>) -> Result<(), Error> {
        let (known, has): (&[&str], &str) = match self.coarse.is_empty() {
            true => (&["labels"], "labels of one kind, which data.columns need not name"),
            false => (
                &["fine_labels", "fine_label", "coarse_labels", "coarse_label"],
                "fine_labels and coarse_labels",
            ),
        };
        match label.filter(|label| !known.contains(label)) {
            None => Ok(()),
            Some(other) => {
                let problem = format!("has no labels `{other}`; {} has {has}", self.name);
                Err(Error::layout(folder, problem))
            }
        }
    }

    /// The files that there have to be, with the number of their records.
    fn files(&self, folder: &Path) -> Result<Vec<(PathBuf, Part, usize)>, Error> {
        if let Err(cause) = fs::metadata(folder) {
            return Err(Error::unreadable(folder, &cause));
        }
        let inner = folder.join(self.folder);
        let folder = if inner.is_dir() { inner.as_path() } else { folder };
        let names = self.train.iter().map(|name| (*name, Part::Train));
        let names: Vec<_> = names.chain([(self.test, Part::Test)]).collect();
        let missing: Vec<&str> = names
            .iter()
            .filter_map(|(name, _)| (!folder.join(name).is_file()).then_some(*name))
            .collect();
        if !missing.is_empty() {
            return Err(Error::layout(
                folder,
                format!(
                    "lacks {}; the binary version of {} has {} and {}; the Python version has {} and {}",
                    missing.join(", "),
                    self.name,
                    self.train.join(", "),
                    self.test,
                    self.python.train.join(", "),
                    self.python.test
                ),
            ));
        }
        names.into_iter().map(|(name, part)| self.measure(folder.join(name), part)).collect()
    }

    fn measure(&self, path: PathBuf, part: Part) -> Result<(PathBuf, Part, usize), Error> {
        let size = fs::metadata(&path).map_err(|cause| Error::unreadable(&path, &cause))?.len();
        let record = self.record() as u64;
        if size == 0 || size % record != 0 {
            return Err(Error::format(
                path.display().to_string(),
                format!(
                    "has {size} bytes, not a multiple of the {record} of a {} record",
                    self.name
                ),
            ));
        }
        Ok((path, part, (size / record) as usize))
    }
}

/// The folder with the Python version of `kind`, where the binary version is not there.
fn python(folder: &Path, kind: &Kind) -> Option<PathBuf> {
    let is_binary =
        |folder: &Path| folder.join(kind.test).is_file() || folder.join(kind.train[0]).is_file();
    match is_binary(folder) || is_binary(&folder.join(kind.folder)) {
        true => None,
        false => cifar_python::folder(folder, kind),
    }
}

/// The images of a folder with the files of `kind`.
pub(super) fn list(
    folder: &Path,
    kind: &'static Kind,
    columns: &Columns,
) -> Result<Listing, Error> {
    let label = columns.label.as_deref();
    kind.check(folder, label)?;
    if let Some(inner) = python(folder, kind) {
        return cifar_python::list(&inner, folder, kind, label);
    }
    let classes = kind.classes(label);
    let place = kind.label_bytes - if kind.is_coarse(label) { 2 } else { 1 };
    let (mut labels, mut parts, mut blocks) = (Vec::new(), Vec::new(), Vec::new());
    let mut beside = Vec::new();
    for (path, part, count) in kind.files(folder)? {
        let bytes = read(&path, count * kind.record())?;
        for (index, record) in bytes.chunks_exact(kind.record()).enumerate() {
            let label = record[place];
            if usize::from(label) >= classes.len() {
                return Err(Error::format(
                    path.display().to_string(),
                    format!(
                        "record {index} has label {label}; {} has labels 0 to {}",
                        kind.name,
                        classes.len() - 1
                    ),
                ));
            }
            labels.push(u32::from(label));
        }
        parts.resize(labels.len(), part);
        beside.push(path.clone());
        let read = move || {
            let bytes = read(&path, count * kind.record())?;
            Ok(Cow::Owned(interleave(&bytes, kind.label_bytes)))
        };
        blocks.push(Block { count, height: SIDE, width: SIDE, channels: 3, read: Box::new(read) });
    }
    let names = (0..labels.len()).map(|index| format!("#{index}")).collect();
    let origin = folder.display().to_string();
    Ok(Listing {
        origin,
        classes,
        labels: labels.into(),
        parts,
        names,
        groups: Vec::new(),
        images: Images::Blocks(blocks),
        beside,
    })
}

/// The files of `kind` in a folder.
pub(super) fn paths(folder: &Path, kind: &Kind) -> Result<Vec<PathBuf>, Error> {
    if let Some(inner) = python(folder, kind) {
        let Paths { batches, meta } = cifar_python::paths(&inner, kind)?;
        return Ok(batches.into_iter().map(|(path, _)| path).chain(meta).collect());
    }
    Ok(kind.files(folder)?.into_iter().map(|(path, ..)| path).collect())
}

/// The number of images, from the sizes of the files alone; of the Python version, from its lists of labels.
pub(super) fn count(
    folder: &Path,
    kind: &'static Kind,
    columns: &Columns,
) -> Result<Counts, Error> {
    let label = columns.label.as_deref();
    kind.check(folder, label)?;
    if python(folder, kind).is_some() {
        let listing = list(folder, kind, columns)?;
        return Ok(Counts::of(listing));
    }
    let files = kind.files(folder)?;
    let sum = |wanted: &dyn Fn(Part) -> bool| {
        files.iter().filter(|(_, part, _)| wanted(*part)).map(|(.., count)| count).sum()
    };
    Ok(Counts {
        classes: kind.classes(label),
        images: sum(&|_| true),
        test: sum(&|part| part == Part::Test),
        validation: 0,
        // They stand in the records, which are not read for that.
        of_classes: Vec::new(),
        left_out: Vec::new(),
    })
}

/// The file, which must not have changed its size since it was measured.
fn read(path: &Path, size: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    // One byte more than wanted shows that there is more.
    regular::open(path)
        .and_then(|file| file.take(size as u64 + 1).read_to_end(&mut bytes))
        .map_err(|cause| Error::unreadable(path, &cause))?;
    if bytes.len() != size {
        return Err(Error::format(path.display().to_string(), "changed while it was read"));
    }
    Ok(bytes)
}

/// Planes of red, green and blue, after `label_bytes` in each record, become pixels.
pub(super) fn interleave(records: &[u8], label_bytes: usize) -> Vec<u8> {
    let mut pixels = Vec::with_capacity(records.len());
    for record in records.chunks_exact(label_bytes + 3 * AREA) {
        let (red, rest) = record[label_bytes..].split_at(AREA);
        let (green, blue) = rest.split_at(AREA);
        for ((r, g), b) in red.iter().zip(green).zip(blue) {
            pixels.extend_from_slice(&[*r, *g, *b]);
        }
    }
    pixels
}
