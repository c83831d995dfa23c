//! A folder with one folder of images per class, or `train`, `val` and `test` folders of those.
//!
//! Class folders are in order of number if all their names are numbers, else of their names' bytes;
//! images are in order of their paths' bytes, so a listing never depends on the file system. Inside
//! a class folder, further folders are searched. Hidden files and files that no image has the
//! extension of are passed over; what is called an image is one, or is reported as a bad image.

use std::fs;
use std::path::{Path, PathBuf};

use super::dataset::Part;
use super::decode::{FORMATS, NOT_READ, READ};
use super::error::{Error, enumerate};
use super::labels::Labels;
use super::listing::{ImageFile, Images, Listing, check_classes, sort_classes};
use super::part_names::PartNames;

/// A data set comes in so many parts at most.
const MOST_PARTS: usize = 4;

/// Folders inside class folders may be nested this deep; beyond it, a link probably leads back.
const MAX_DEPTH: usize = 16;

/// What lies in a folder, without hidden files, in order of bytes.
struct Entries {
    folders: Vec<String>,
    images: Vec<String>,
}

/// The images of the class folders in `folder`. Whoever names classes, or groups by folders inside of them,
/// knows which folders are which: then it `is_known`.
pub(super) fn list(folder: &Path, is_known: bool) -> Result<Listing, Error> {
    match fs::metadata(folder) {
        Err(cause) => return Err(Error::unreadable(folder, &cause)),
        Ok(metadata) if !metadata.is_dir() => {
            let what = other_source(folder).unwrap_or("a table of images is { csv = \"…\" }");
            let problem = format!("is a file, not a folder with one folder per class ({what})");
            return Err(Error::layout(folder, problem));
        }
        Ok(_) => (),
    }
    let entries = entries(folder)?;
    let names = PartNames::among(entries.folders.iter().map(String::as_str));
    let part = |name: &str| names.part(name);
    let parts: Vec<Part> = entries.folders.iter().filter_map(|name| part(name)).collect();
    let trains = parts.contains(&Part::Train);
    let declares = trains && parts.len() > 1;
    let mut found = Found { root: folder.to_owned(), images: Vec::new() };
    if (trains || declares) && parts.len() == entries.folders.len() {
        return declared(found, &entries, &names);
    }
    if declares {
        let others: Vec<String> =
            entries.folders.iter().filter(|name| part(name).is_none()).cloned().collect();
        return Err(Error::layout(
            folder,
            format!(
                "holds folders for training and testing beside {}; move these away, or give the folder of the training images",
                enumerate(&others)
            ),
        ));
    }
    if let Some(inside) = repeated(folder, &entries)?.filter(|_| !is_known) {
        let (outer, inner) = (enumerate(&entries.folders), enumerate(&inside));
        let parts = PartNames::among(inside.iter().map(String::as_str));
        let problem = if inside.iter().any(|name| parts.part(name) == Some(Part::Train)) {
            let (class, part) = (&entries.folders[0], &inside[0]);
            format!(
                "holds the folders {outer}, each with {inner} inside; parts stand above classes: move \
                 {class}/{part} to {part}/{class}, and so on"
            )
        } else {
            format!(
                "holds the folders {outer}, each with the same folders inside: {inner}. If those are the \
                 classes, name one of the outer ones as the source, or call them train, val and test; if \
                 the outer ones are the classes, name them in data.classes"
            )
        };
        return Err(Error::layout(folder, problem));
    }
    let classes = class_folders(folder, &entries)?;
    for (label, class) in classes.iter().enumerate() {
        found.search(Path::new(class), label as u32, Part::Undeclared, 0)?;
    }
    found.finish(classes)
}

/// The folders that each of the folders in `folder` holds, if they hold the same ones, two or more, and no
/// images beside them: then they look like parts of a data set, not like classes.
fn repeated(folder: &Path, entries: &Entries) -> Result<Option<Vec<String>>, Error> {
    let mut folders = entries.folders.iter();
    let Some(first) = folders.next() else { return Ok(None) };
    let inside = |name: &String| self::entries(&folder.join(name));
    let first = inside(first)?;
    let are_few = (2..=MOST_PARTS).contains(&entries.folders.len());
    if !are_few || first.folders.len() < 2 || !first.images.is_empty() {
        return Ok(None);
    }
    for name in folders {
        let other = inside(name)?;
        if other.folders != first.folders || !other.images.is_empty() {
            return Ok(None);
        }
    }
    Ok(Some(first.folders))
}

/// The image files in `folder` and in the folders inside it, in order of their paths' bytes; images in
/// formats that are not read are among them.
///
/// # Errors
/// If a folder cannot be read or a name is not UTF-8, and if there is no image.
pub fn images_in(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Found { root: folder.to_owned(), images: Vec::new() };
    found.search(Path::new(""), 0, Part::Undeclared, 0)?;
    if found.images.is_empty() {
        return Err(Error::layout(folder, format!("holds no images ({FORMATS})")));
    }
    found.images.sort();
    Ok(found.images.into_iter().map(|(_, path, ..)| path).collect())
}

/// The classes are those of the training folders; the other parts may lack some.
fn declared(mut found: Found, top: &Entries, names: &PartNames) -> Result<Listing, Error> {
    let mut parts: Vec<(Part, &String)> =
        top.folders.iter().filter_map(|name| names.part(name).map(|part| (part, name))).collect();
    parts.sort();
    if let Some(twice) = parts.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(Error::layout(
            &found.root,
            format!("holds `{}` and `{}`, which mean the same; join them", twice[0].1, twice[1].1),
        ));
    }
    let root = found.root.clone();
    let mut classes: Vec<String> = Vec::new();
    for (part, name) in parts {
        let folder = root.join(name);
        let own = class_folders(&folder, &entries(&folder)?)?;
        if part == Part::Train {
            classes = own.clone();
        }
        let unknown: Vec<String> =
            own.iter().filter(|class| !classes.contains(class)).cloned().collect();
        if !unknown.is_empty() {
            return Err(Error::OtherClasses {
                part,
                origin: root.display().to_string(),
                test: folder.display().to_string(),
                unknown,
                classes,
            });
        }
        for class in &own {
            let label = classes.iter().position(|other| other == class).unwrap_or(0);
            found.search(&Path::new(name).join(class), label as u32, part, 0)?;
        }
    }
    found.finish(classes)
}

/// The class folders in order, at least two of them, with no images beside them.
fn class_folders(folder: &Path, entries: &Entries) -> Result<Vec<String>, Error> {
    let (folders, images) = (entries.folders.len(), entries.images.len());
    if images > 0 {
        let problem = match folders {
            0 => format!(
                "holds {images} images but no class folders; put the images of each class into their own folder, \
                 or list them in a table ({{ csv = \"…\" }})"
            ),
            _ => format!(
                "holds {images} images beside the class folders ({}); move them into one",
                enumerate(&entries.images)
            ),
        };
        return Err(Error::layout(folder, problem));
    }
    let mut classes = entries.folders.clone();
    let others = other_files(folder)?;
    let hint = match classes.as_slice() {
        [] if others.is_some() => {
            format!(", each a folder of images; {}", others.unwrap_or_default())
        }
        [only] if other_files(&folder.join(only))?.is_some() => format!(
            ", each a folder of images; in {} {}",
            folder.join(only).display(),
            other_files(&folder.join(only))?.unwrap_or_default()
        ),
        [only] if !self::entries(&folder.join(only))?.folders.is_empty() => {
            format!(" (did you mean {}?)", folder.join(only).display())
        }
        _ => ", each a folder of images".to_owned(),
    };
    sort_classes(&mut classes);
    check_classes(&folder.display().to_string(), &classes, &hint)?;
    Ok(classes)
}

/// The source that reads a file of this name, in words; none where it is no file of images.
fn other_source(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    let stem = name.strip_suffix(".gz").unwrap_or(&name);
    Some(match stem.rsplit('.').next()? {
        "parquet" => "Parquet files are { parquet = \"…\" }",
        "tar" => "tar files as WebDataset's are { tar = \"…\" }",
        "npz" => "arrays as MedMNIST's are { npz = \"…\" }",
        "csv" | "tsv" => "a table of images is { csv = \"…\" }",
        _ if stem.contains("-idx3-ubyte") || stem.contains("idx3-ubyte") => {
            "MNIST's files are { idx = \"…\" }"
        }
        _ if stem.starts_with("data_batch_1") => "CIFAR-10's batches are { cifar10 = \"…\" }",
        _ => return None,
    })
}

/// What else a folder holds than folders of images, if that is a source of another kind, in order of bytes the first.
fn other_files(folder: &Path) -> Result<Option<&'static str>, Error> {
    let unreadable = |cause: std::io::Error| Error::unreadable(folder, &cause);
    let paths = fs::read_dir(folder).map_err(unreadable)?;
    let mut paths: Vec<PathBuf> = paths.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    Ok(paths.iter().filter(|path| path.is_file()).find_map(|path| other_source(path)))
}

/// Images found so far, in order.
struct Found {
    root: PathBuf,
    images: Vec<(String, PathBuf, u32, Part)>,
}

impl Found {
    /// Adds the images in the folder `relative` and in the folders inside it.
    fn search(
        &mut self,
        relative: &Path,
        label: u32,
        part: Part,
        depth: usize,
    ) -> Result<(), Error> {
        let folder = self.root.join(relative);
        if depth > MAX_DEPTH {
            return Err(Error::layout(
                &folder,
                format!("is nested more than {MAX_DEPTH} folders deep; does a link lead back?"),
            ));
        }
        let entries = entries(&folder)?;
        for image in entries.images {
            let relative = relative.join(image);
            let name = relative.to_string_lossy().replace('\\', "/");
            self.images.push((name, self.root.join(relative), label, part));
        }
        for inner in entries.folders {
            self.search(&relative.join(inner), label, part, depth + 1)?;
        }
        Ok(())
    }

    fn finish(self, classes: Vec<String>) -> Result<Listing, Error> {
        let origin = self.root.display().to_string();
        let trained = |class: usize| {
            self.images.iter().any(|(_, _, label, part)| {
                *label as usize == class && matches!(part, Part::Train | Part::Undeclared)
            })
        };
        let empty: Vec<String> =
            (0..classes.len()).filter(|c| !trained(*c)).map(|c| classes[c].clone()).collect();
        if !empty.is_empty() {
            let way_out = format!("add some to the class's folder, or remove it ({FORMATS})");
            return Err(Error::EmptyClasses { origin, classes: empty, way_out });
        }
        let mut listing = Listing {
            origin,
            classes,
            labels: Labels::default(),
            parts: Vec::new(),
            names: Vec::new(),
            groups: Vec::new(),
            images: Images::Files(Vec::new()),
            beside: Vec::new(),
        };
        let mut files = Vec::with_capacity(self.images.len());
        let mut labels = Vec::with_capacity(self.images.len());
        for (name, path, label, part) in self.images {
            labels.push(label);
            listing.parts.push(part);
            listing.names.push(name);
            files.push(ImageFile { path, bbox: None });
        }
        (listing.images, listing.labels) = (Images::Files(files), labels.into());
        Ok(listing)
    }
}

fn entries(folder: &Path) -> Result<Entries, Error> {
    let unreadable = |cause: std::io::Error| Error::unreadable(folder, &cause);
    let (mut folders, mut images) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let Ok(name) = entry.file_name().into_string() else {
            return Err(Error::layout(&entry.path(), "has a name that is not UTF-8; rename it"));
        };
        // `__MACOSX` is what archives made on a Mac leave behind.
        if name.starts_with('.') || name == "__MACOSX" {
            continue;
        }
        let kind = entry.file_type().map_err(unreadable)?;
        if kind.is_dir() || (kind.is_symlink() && entry.path().is_dir()) {
            folders.push(name);
        } else if is_image(&name) {
            images.push(name);
        }
    }
    folders.sort();
    images.sort();
    Ok(Entries { folders, images })
}

fn is_image(name: &str) -> bool {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_lowercase());
    extension.is_some_and(|extension| {
        READ.contains(&extension.as_str()) || NOT_READ.contains(&extension.as_str())
    })
}
