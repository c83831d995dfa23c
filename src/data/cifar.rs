//! The binary versions of CIFAR-10 and CIFAR-100.
//!
//! A file is a row of records: the label (CIFAR-100: coarse label, fine label), then 1,024 bytes of
//! red, of green and of blue, row by row. Given is the folder that holds the files, or the one that
//! the published archive was unpacked in. The test batch is the declared test set.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use super::dataset::Part;
use super::error::Error;
use super::listing::{Block, Images, Listing};
use super::source::Counts;

const SIDE: usize = 32;
const AREA: usize = SIDE * SIDE;

/// What tells the two sets apart.
pub(super) struct Kind {
    name: &'static str,
    /// The folder in the published archive.
    folder: &'static str,
    train: &'static [&'static str],
    test: &'static str,
    /// Bytes before the pixels; the last one is the label.
    label_bytes: usize,
    classes: &'static str,
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
};

/// A hundred classes, by their fine labels.
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
};

impl Kind {
    fn record(&self) -> usize {
        self.label_bytes + 3 * AREA
    }

    fn classes(&self) -> Vec<String> {
        self.classes.split_whitespace().map(str::to_owned).collect()
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
                    "lacks {}; the binary version of {} has {} and {}",
                    missing.join(", "),
                    self.name,
                    self.train.join(", "),
                    self.test
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

/// The images of a folder with the files of `kind`.
pub(super) fn list(folder: &Path, kind: &'static Kind) -> Result<Listing, Error> {
    let classes = kind.classes();
    let (mut labels, mut parts, mut blocks) = (Vec::new(), Vec::new(), Vec::new());
    for (path, part, count) in kind.files(folder)? {
        let bytes = read(&path, count * kind.record())?;
        for (index, record) in bytes.chunks_exact(kind.record()).enumerate() {
            let label = record[kind.label_bytes - 1];
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
        let read = move || {
            let bytes = read(&path, count * kind.record())?;
            Ok(Cow::Owned(interleave(&bytes, kind)))
        };
        blocks.push(Block { count, height: SIDE, width: SIDE, channels: 3, read: Box::new(read) });
    }
    let names = (0..labels.len()).map(|index| format!("#{index}")).collect();
    let origin = folder.display().to_string();
    Ok(Listing {
        origin,
        classes,
        labels,
        parts,
        names,
        groups: Vec::new(),
        images: Images::Blocks(blocks),
        beside: Vec::new(),
    })
}

/// The files of `kind` in a folder.
pub(super) fn paths(folder: &Path, kind: &Kind) -> Result<Vec<PathBuf>, Error> {
    Ok(kind.files(folder)?.into_iter().map(|(path, ..)| path).collect())
}

/// The number of images, from the sizes of the files alone.
pub(super) fn count(folder: &Path, kind: &Kind) -> Result<Counts, Error> {
    let files = kind.files(folder)?;
    let sum = |wanted: &dyn Fn(Part) -> bool| {
        files.iter().filter(|(_, part, _)| wanted(*part)).map(|(.., count)| count).sum()
    };
    Ok(Counts {
        classes: kind.classes(),
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
    let bytes = fs::read(path).map_err(|cause| Error::unreadable(path, &cause))?;
    if bytes.len() != size {
        return Err(Error::format(path.display().to_string(), "changed while it was read"));
    }
    Ok(bytes)
}

/// Planes of red, green and blue become pixels.
fn interleave(records: &[u8], kind: &Kind) -> Vec<u8> {
    let mut pixels = Vec::with_capacity(records.len());
    for record in records.chunks_exact(kind.record()) {
        let (red, rest) = record[kind.label_bytes..].split_at(AREA);
        let (green, blue) = rest.split_at(AREA);
        for ((r, g), b) in red.iter().zip(green).zip(blue) {
            pixels.extend_from_slice(&[*r, *g, *b]);
        }
    }
    pixels
}
