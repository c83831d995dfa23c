//! The IDX format of MNIST and its relatives, plain or compressed.
//!
//! A folder holds `train-images-idx3-ubyte` and `train-labels-idx1-ubyte`, and usually the
//! `t10k-…` pair, which is the declared test set; `.idx3-ubyte` and a further `.gz` are accepted.
//! [`class_names`] says what classes are called.

use std::borrow::Cow;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use super::class_names;
use super::dataset::Part;
use super::error::{Error, reason};
use super::listing::{Block, Images, Listing};
use crate::basis::regular;

/// The type byte of unsigned bytes, the only one that images and labels have.
const UNSIGNED_BYTES: u8 = 0x08;

/// No image of a set like MNIST has longer sides.
const MAX_SIDE: u32 = 1 << 15;

/// Where the bytes of a file come from; compressed if they begin as gzip does.
#[derive(Clone)]
pub(super) enum Bytes {
    /// Part of the program.
    Embedded(&'static [u8]),
    /// On disk.
    File(PathBuf),
}

impl Bytes {
    fn open(&self) -> io::Result<Box<dyn Read>> {
        let mut read: Box<dyn Read> = match self {
            Bytes::Embedded(bytes) => Box::new(*bytes),
            Bytes::File(path) => Box::new(BufReader::new(regular::open(path)?)),
        };
        let mut start = [0; 2];
        let mut got = 0;
        while got < start.len() {
            match read.read(&mut start[got..])? {
                0 => break,
                more => got += more,
            }
        }
        let read = io::Cursor::new(start).take(got as u64).chain(read);
        Ok(if start == [0x1f, 0x8b] { Box::new(GzDecoder::new(read)) } else { Box::new(read) })
    }
}

/// The images of a folder in MNIST's layout.
pub(super) fn list(folder: &Path) -> Result<Listing, Error> {
    if !folder.is_dir() {
        return Err(match std::fs::metadata(folder) {
            Err(cause) => Error::unreadable(folder, &cause),
            Ok(_) => Error::layout(folder, "is a file; give the folder that holds the IDX files"),
        });
    }
    let Some(train) = pair(folder, "train")? else {
        return Err(Error::layout(
            folder,
            "has no train-images-idx3-ubyte (or train-images.idx3-ubyte, either with .gz); rename the files to MNIST's names",
        ));
    };
    let (mut values, mut parts, mut blocks) = (Vec::new(), Vec::new(), Vec::new());
    let test = pair(folder, "t10k")?.map(|files| (files, Part::Test));
    let mut beside = Vec::new();
    for ((images, labels), part) in std::iter::once((train, Part::Train)).chain(test) {
        beside.extend([images.clone(), labels.clone()]);
        let origin = labels.display().to_string();
        let read = self::labels(Bytes::File(labels), &origin)?;
        let block = block(Bytes::File(images.clone()), images.display().to_string())?;
        if block.count != read.len() {
            return Err(Error::format(
                origin,
                format!(
                    "{} labels for the {} images of {}",
                    read.len(),
                    block.count,
                    images.display()
                ),
            ));
        }
        parts.resize(parts.len() + read.len(), part);
        values.extend(read);
        blocks.push(block);
    }
    let values: Vec<u64> = values.into_iter().map(u64::from).collect();
    let (classes, labels) = class_names::classes(folder, &values)?;
    let names = (0..labels.len()).map(|index| format!("#{index}")).collect();
    let origin = folder.display().to_string();
    // It may name the classes.
    beside.extend(class_names::file(folder));
    let (groups, images) = (Vec::new(), Images::Blocks(blocks));
    Ok(Listing { origin, classes, labels: labels.into(), parts, names, groups, images, beside })
}

/// The image and label file of a part, or neither.
fn pair(folder: &Path, part: &str) -> Result<Option<(PathBuf, PathBuf)>, Error> {
    let find = |kind: &str, dimensions: u8| {
        ["-", "."].iter().flat_map(|dot| ["", ".gz"].map(|end| (dot, end))).find_map(
            |(dot, end)| {
                let path = folder.join(format!("{part}-{kind}{dot}idx{dimensions}-ubyte{end}"));
                path.is_file().then_some(path)
            },
        )
    };
    match (find("images", 3), find("labels", 1)) {
        (Some(images), Some(labels)) => Ok(Some((images, labels))),
        (None, None) => Ok(None),
        (Some(images), None) => {
            Err(Error::layout(&images, format!("has no {part}-labels-idx1-ubyte beside it")))
        }
        (None, Some(labels)) => {
            Err(Error::layout(&labels, format!("has no {part}-images-idx3-ubyte beside it")))
        }
    }
}

/// The labels of an IDX file with one dimension.
pub(super) fn labels(bytes: Bytes, file: &str) -> Result<Vec<u8>, Error> {
    let (mut read, [count]) = header::<1>(&bytes, file)?;
    content(&mut read, count as usize, file)
}

/// The images of an IDX file with three dimensions; only its header is read now.
pub(super) fn block(bytes: Bytes, file: String) -> Result<Block, Error> {
    let (_, [count, height, width]) = header::<3>(&bytes, &file)?;
    if !(1..=MAX_SIDE).contains(&height) || !(1..=MAX_SIDE).contains(&width) {
        return Err(Error::format(
            file,
            format!("the header says images of {height}×{width} pixels"),
        ));
    }
    let [count, height, width] = [count, height, width].map(|number| number as usize);
    let Some(size) = count.checked_mul(height * width) else {
        return Err(Error::format(file, format!("the header says {count} images, too many")));
    };
    // What is not compressed can be held against its header at once.
    if let Bytes::File(path) = &bytes
        && path.extension().is_none_or(|extension| extension != "gz")
        && let Ok(metadata) = std::fs::metadata(path)
        && metadata.len() != 16 + size as u64
    {
        return Err(wrong_size(&file, size, metadata.len().saturating_sub(16)));
    }
    let read = Box::new(move || {
        let (mut read, _) = header::<3>(&bytes, &file)?;
        content(&mut read, size, &file).map(Cow::Owned)
    });
    Ok(Block { count, height, width, channels: 1, read })
}

/// Reads two zero bytes, the type, the number of dimensions, and the dimensions, big-endian.
fn header<const D: usize>(bytes: &Bytes, file: &str) -> Result<(Box<dyn Read>, [u32; D]), Error> {
    let short = |cause: io::Error| match cause.kind() {
        io::ErrorKind::UnexpectedEof => Error::format(file, "ends inside the IDX header"),
        _ => Error::format(file, reason(&cause)),
    };
    let mut read = bytes.open().map_err(short)?;
    let mut magic = [0; 4];
    read.read_exact(&mut magic).map_err(short)?;
    if magic[..2] != [0, 0] {
        return Err(Error::format(
            file,
            format!("begins with {magic:02x?}, not with two zero bytes as IDX files do"),
        ));
    }
    if magic[2] != UNSIGNED_BYTES || usize::from(magic[3]) != D {
        return Err(Error::format(
            file,
            format!(
                "holds {} dimensions of type 0x{:02x}; {D} of type 0x{UNSIGNED_BYTES:02x} (unsigned bytes) are read",
                magic[3], magic[2]
            ),
        ));
    }
    let mut dimensions = [0; D];
    for dimension in &mut dimensions {
        let mut number = [0; 4];
        read.read_exact(&mut number).map_err(short)?;
        *dimension = u32::from_be_bytes(number);
    }
    Ok((read, dimensions))
}

/// Exactly `size` bytes. Memory grows with what is really there, not with what the header says.
fn content(read: &mut dyn Read, size: usize, file: &str) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(size.min(1 << 24));
    let broken = |cause: io::Error| Error::format(file, format!("breaks off: {}", reason(&cause)));
    (&mut *read).take(size as u64).read_to_end(&mut bytes).map_err(broken)?;
    if bytes.len() < size {
        return Err(wrong_size(file, size, bytes.len() as u64));
    }
    if read.read(&mut [0; 1]).map_err(broken)? > 0 {
        return Err(Error::format(
            file,
            format!("goes on after the {size} bytes that its header says"),
        ));
    }
    Ok(bytes)
}

fn wrong_size(file: &str, size: usize, found: u64) -> Error {
    Error::format(file, format!("holds {found} bytes where its header says {size}"))
}
