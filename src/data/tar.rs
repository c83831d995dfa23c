//! Tar files as WebDataset writes them (Aizman, Maltby and Breuel, "High Performance I/O For Large Scale Deep
//! Learning", IEEE Big Data 2019).
//!
//! Members that share a name up to its first dot, one after the other, are a sample: `a/0001.jpg` is its image,
//! `a/0001.cls` its label, a number as text; or `.json`, an object with `label`, or `.txt`, a class's name. Only
//! headers and labels are read to list a file; images are read from their places when they are needed, and nothing
//! is unpacked.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rayon::prelude::*;
use tar::EntryType;

use super::class_names;
use super::decode::{NOT_READ, READ, check_length};
use super::error::{Error, enumerate, reason};
use super::listing::{Images, Inside, Listing};
use super::shards::{self, Shard};
use crate::basis::regular;
use crate::plan::data::Columns;

/// A block: headers have one, and content is filled up to whole ones.
const BLOCK: u64 = 512;

/// No label is longer, be it in JSON beside much else.
const LONGEST_LABEL: u64 = 1 << 20;

/// No name of a class is longer: it would be a caption.
const LONGEST_CLASS: usize = 256;

/// Names and attributes of one member that are too long for its header take no more than this.
const LONGEST_HEADERS: u64 = 1 << 20;

/// Where a label is looked for, the first before others.
const LABELS: [&str; 3] = ["cls", "json", "txt"];

/// What a label in JSON is called, the first before others.
const KEYS: [&str; 4] = ["label", "class", "cls", "class_name"];

/// The images of the tar files that `pattern` stands for. `columns` says how endings and keys are called.
pub(super) fn list(pattern: &Path, columns: &Columns) -> Result<Listing, Error> {
    let found = shards::find(pattern, "tar")?;
    // In order, so that of several errors the first is told.
    let read: Vec<Result<Samples, Error>> =
        found.par_iter().map(|shard| Samples::read(shard, columns)).collect();
    let mut known: BTreeMap<String, u32> = BTreeMap::new();
    let mut said: Option<Said> = None;
    let (mut written, mut parts, mut names) = (Vec::new(), Vec::new(), Vec::new());
    let mut members = Members { files: Vec::new(), places: Vec::new() };
    for (shard, samples) in found.into_iter().zip(read) {
        let samples = samples?;
        let first = samples.said.expect("a file without samples is an error");
        if let Some(said) = &said {
            let check = said.check(&first);
            check.map_err(|problem| Error::format(shard.path.display().to_string(), problem))?;
        }
        said.get_or_insert(first);
        let own: Vec<u32> = samples
            .classes
            .into_iter()
            .map(|class| {
                let next = known.len() as u32;
                *known.entry(class).or_insert(next)
            })
            .collect();
        let file = members.files.len() as u32;
        for Sample { name, class, offset, length } in samples.samples {
            written.push(own[class as usize]);
            names.push(name);
            members.places.push((file, offset, length));
        }
        parts.resize(names.len(), shard.part);
        members.files.push(shard.path);
    }
    let mut order: Vec<(String, u32)> = known.into_iter().collect();
    order.sort_by_key(|(_, index)| *index);
    let order: Vec<String> = order.into_iter().map(|(class, _)| class).collect();
    let folder = shards::literal(pattern);
    let (origin, groups) = (pattern.display().to_string(), Vec::new());
    let (classes, places) = class_names::of_written(&origin, &folder, &order)?;
    let labels: Vec<u32> = written.into_iter().map(|class: u32| places[class as usize]).collect();
    let beside = members.files.iter().cloned().chain(class_names::file(&folder)).collect();
    let images = Images::Inside(Box::new(members));
    Ok(Listing { origin, classes, labels: labels.into(), parts, names, groups, images, beside })
}

/// The files that `pattern` stands for, and what names their classes.
pub(super) fn paths(pattern: &Path) -> Result<Vec<PathBuf>, Error> {
    let files = shards::find(pattern, "tar")?.into_iter().map(|shard| shard.path);
    Ok(files.chain(class_names::file(&shards::literal(pattern))).collect())
}

/// Where images stand in tar files.
struct Members {
    files: Vec<PathBuf>,
    /// Of each image its file, and where in it how many bytes are its own.
    places: Vec<(u32, u64, u64)>,
}

impl Inside for Members {
    fn read(&self, index: usize, max_pixels: u64) -> Result<Vec<u8>, String> {
        let (file, offset, length) = self.places[index];
        check_length(length, max_pixels)?;
        let read = || {
            let mut file = regular::open(&self.files[file as usize])?;
            file.seek(SeekFrom::Start(offset))?;
            let mut bytes = vec![0; length as usize];
            file.read_exact(&mut bytes).map(|()| bytes)
        };
        read().map_err(|cause| match cause.kind() {
            io::ErrorKind::UnexpectedEof => "its file has become shorter meanwhile".to_owned(),
            _ => reason(&cause),
        })
    }

    fn file(&self, index: usize) -> &Path {
        &self.files[self.places[index].0 as usize]
    }
}

/// The samples of one file.
#[derive(Default)]
struct Samples {
    samples: Vec<Sample>,
    /// Their classes as they are written, each once.
    classes: Vec<String>,
    places: BTreeMap<String, u32>,
    /// Where the first of them says its class.
    said: Option<Said>,
}

/// Where a sample says its class.
struct Said {
    /// The sample.
    name: String,
    /// `.cls`, or a key in .json.
    place: String,
}

impl Said {
    /// An error if another sample says its class elsewhere: labels of two kinds would be mixed, such as classes and
    /// captions.
    fn check(&self, other: &Said) -> Result<(), String> {
        if self.place == other.place {
            return Ok(());
        }
        Err(format!(
            "says the class of {} in {}, and that of {} in {}; all samples say it in one place: data.columns = {{ label = \
             \"NAME\" }} names it, or add what the others have",
            other.name, other.place, self.name, self.place
        ))
    }
}

/// An image with a class.
struct Sample {
    name: String,
    class: u32,
    offset: u64,
    length: u64,
}

/// What was read of a sample so far.
#[derive(Default)]
struct Begun {
    stem: String,
    /// Each image's ending and place.
    images: Vec<(String, u64, u64)>,
    /// What may say its class, by the place among those that may.
    labels: BTreeMap<usize, Label>,
    /// Endings of all members.
    endings: Vec<String>,
}

/// A member that may say the class of a sample.
struct Label {
    path: String,
    ending: String,
    text: Vec<u8>,
}

impl Samples {
    fn read(shard: &Shard, columns: &Columns) -> Result<Samples, Error> {
        let wrong = |problem: String| Error::format(shard.path.display().to_string(), problem);
        let unreadable = |cause: io::Error| Error::unreadable(&shard.path, &cause);
        let mut file = regular::open(&shard.path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        let mut start = Vec::new();
        (&mut file).take(BLOCK).read_to_end(&mut start).map_err(unreadable)?;
        if let Some((kind, tool)) = compressed(&start) {
            return Err(wrong(format!(
                "is compressed with {kind}, so that single images cannot be read from it; unpack it with \
                 {tool}: images are compressed already"
            )));
        }
        let is_tar = start.get(257..262) == Some(&b"ustar"[..]);
        file.rewind().map_err(unreadable)?;
        let left = Rc::new(Cell::new(0));
        let mut archive =
            tar::Archive::new(Steps { read: BufReader::new(file), left: Rc::clone(&left) });
        let mut samples = Samples::default();
        let mut begun = Begun::default();
        let mut end = 0;
        let broken = |cause: io::Error, end: u64| match cause.kind() {
            io::ErrorKind::InvalidData => wrong(cause.to_string()),
            _ if end == 0 && !is_tar => wrong("does not begin as a tar file does".to_owned()),
            _ => wrong(format!(
                "is a damaged tar file after {end} bytes ({cause}); get it anew, or pack it anew"
            )),
        };
        let mut entries = archive.entries_with_seek().map_err(|cause| broken(cause, 0))?;
        loop {
            left.set(LONGEST_HEADERS);
            let Some(entry) = entries.next() else { break };
            let mut entry = entry.map_err(|cause| broken(cause, end))?;
            let path = entry.path_bytes().into_owned();
            let Ok(path) = String::from_utf8(path) else {
                return Err(wrong(format!(
                    "has a member after {end} bytes whose name is not UTF-8; rename it"
                )));
            };
            let shown = &path;
            let (at, size, kind) =
                (entry.raw_file_position(), entry.size(), entry.header().entry_type());
            let whole = at.checked_add(size).filter(|end| *end <= length);
            let Some(last) = whole else {
                return Err(wrong(format!(
                    "ends inside of {shown}, which has {size} bytes; it is cut off: get it anew"
                )));
            };
            end = last.div_ceil(BLOCK) * BLOCK;
            let is_sparse =
                kind == EntryType::GNUSparse || is_sparse(&mut entry).map_err(&wrong)?;
            let member = path.rsplit('/').next().unwrap_or_default();
            match kind {
                EntryType::Directory | EntryType::XGlobalHeader => continue,
                // What archives made on a Mac leave behind, and hidden files.
                _ if member.starts_with('.') || path.starts_with("__MACOSX/") => continue,
                _ if is_sparse => {
                    return Err(wrong(format!(
                        "holds {shown} as a sparse file, in pieces; pack it without --sparse"
                    )));
                }
                EntryType::Regular | EntryType::Continuous => {}
                EntryType::Link | EntryType::Symlink => {
                    return Err(wrong(format!(
                        "holds {shown} as a link and not as a file; pack what it leads to, with tar \
                         --dereference --hard-dereference"
                    )));
                }
                _ => {
                    return Err(wrong(format!(
                        "holds {shown}, which is no file of images or labels; leave it out"
                    )));
                }
            }
            let Some((name, ending)) = member.split_once('.') else { continue };
            let stem = &path[..path.len() - member.len() + name.len()];
            if begun.stem != stem {
                samples.add(std::mem::take(&mut begun), shard, columns).map_err(&wrong)?;
                begun.stem = stem.to_owned();
            }
            let written = ending.to_owned();
            let ending = ending.to_lowercase();
            let is_image = match &columns.image {
                Some(wanted) => ending == wanted.to_lowercase(),
                None => READ.contains(&ending.as_str()),
            };
            if is_image {
                if begun.endings.contains(&written) {
                    return Err(wrong(format!("holds {shown} twice; a sample has one image")));
                }
                begun.images.push((written.clone(), at, size));
            } else if let Some(rank) = rank(&ending, columns) {
                if size > LONGEST_LABEL {
                    return Err(wrong(format!("holds {shown} of {size} bytes, which is no label")));
                }
                left.set(size);
                let mut text = Vec::new();
                entry.read_to_end(&mut text).map_err(unreadable)?;
                let label = Label { path: shown.clone(), ending: ending.clone(), text };
                if begun.labels.insert(rank, label).is_some() {
                    return Err(wrong(format!("holds {shown} twice; a sample has one label")));
                }
            }
            begun.endings.push(written);
        }
        let Steps { mut read, .. } = archive.into_inner();
        let after = nothing_after(&mut read, end).map_err(unreadable)?;
        match after {
            After::Nothing if end == 0 => Err(wrong("is empty; it holds no images".to_owned())),
            After::Nothing => Err(wrong(format!(
                "ends after {end} bytes without the two empty blocks that end a tar file; it is cut off: get it \
                 anew, or pack it anew"
            ))),
            After::Zeros => {
                samples.add(begun, shard, columns).map_err(&wrong)?;
                match samples.samples.is_empty() {
                    true => Err(wrong(format!(
                        "holds no sample; a sample is an image ({}) and a label beside it, such as 0.jpg and 0.cls",
                        READ.join(", ")
                    ))),
                    false => Ok(samples),
                }
            }
            After::More => Err(wrong(format!(
                "goes on after the end of a tar file at byte {end}; if it was joined of several, give them one by \
                 one: {{ tar = \"part-{{0..9}}.tar\" }}"
            ))),
        }
    }

    /// Adds what was begun; says what it lacks.
    fn add(&mut self, begun: Begun, shard: &Shard, columns: &Columns) -> Result<(), String> {
        let Begun { stem, mut images, labels, endings } = begun;
        let mut label = None;
        for Label { path, ending, text } in labels.into_values() {
            let said =
                class(&text, &ending, columns).map_err(|problem| format!("{path} {problem}"))?;
            if let Some((class, place)) = said {
                let said = Said { name: stem.clone(), place };
                label = Some((class, said));
                break;
            }
        }
        let has =
            || enumerate(&endings.iter().map(|ending| format!(".{ending}")).collect::<Vec<_>>());
        let image = match (images.len(), &label) {
            // Beside the samples, such as a README.
            (0, None) => {
                let passed = endings.iter().find(|ending| is_meant(ending));
                return passed.map_or(Ok(()), |ending| {
                    Err(format!(
                        "holds {stem}.{ending}, which belongs to no sample: names are shared up to their first dot, and \
                         .{ending}, which comes after it, is no ending that is looked for; rename it, or \
                         data.columns = {{ image = \"ENDING\" }} names the ending that is meant"
                    ))
                });
            }
            (0, Some(_)) => {
                return Err(format!(
                    "has a label of {stem} and no image beside it, but {}; what belongs together stands one after \
                     the other and shares its name up to the first dot; data.columns = {{ image = \"ENDING\" }} \
                     names the ending of images ({})",
                    has(),
                    READ.join(", "),
                ));
            }
            (1, _) => images.remove(0),
            _ => {
                let (first, last) = (&images[0].0, &images[images.len() - 1].0);
                return Err(format!(
                    "has several images of {stem}, .{first} and .{last}; data.columns = {{ image = \"{first}\" }} names \
                     the ending of the one that is meant"
                ));
            }
        };
        let Some((class, said)) = label else {
            let wanted = match &columns.label {
                Some(name) => {
                    format!("a member that ends in .{name}, or .json with `{name}` in it")
                }
                None => "a label in .cls, .json (`label` or `class`) or .txt".to_owned(),
            };
            return Err(format!(
                "has no label of {stem}, but {}; beside each image stands {wanted}; data.columns = {{ label = \"NAME\" }} \
                 names another ending, or another key in .json",
                has()
            ));
        };
        match &self.said {
            Some(first) => first.check(&said)?,
            None => self.said = Some(said),
        }
        let next = self.classes.len() as u32;
        let class = match self.places.get(&class) {
            Some(place) => *place,
            None => {
                self.classes.push(class.clone());
                self.places.insert(class, next);
                next
            }
        };
        let (ending, offset, length) = image;
        let name = format!("{}/{stem}.{ending}", shard.name);
        self.samples.push(Sample { name, class, offset, length });
        Ok(())
    }
}

/// Whether a member with this ending, which is none of those that are looked for, would be an image or a label had it a
/// name of its own.
fn is_meant(ending: &str) -> bool {
    let last = ending.rsplit('.').next().unwrap_or(ending).to_lowercase();
    // A text without an image may stand beside the samples, such as a README.txt.
    let is_label = LABELS.contains(&&last[..]) && last.len() < ending.len();
    is_label || READ.contains(&&last[..]) || NOT_READ.contains(&&last[..])
}

/// How good a place for a label a member with this ending is; the least is best.
fn rank(ending: &str, columns: &Columns) -> Option<usize> {
    match &columns.label {
        Some(wanted) if wanted.to_lowercase() == ending => Some(0),
        Some(_) => (ending == "json").then_some(1),
        None => LABELS.iter().position(|label| *label == ending),
    }
}

/// The class that a member says, and where it does; none if it is JSON that says none.
fn class(text: &[u8], ending: &str, columns: &Columns) -> Result<Option<(String, String)>, String> {
    let text = std::str::from_utf8(text).map_err(|_| "is not UTF-8 text".to_owned())?;
    let mut place = format!(".{ending}");
    let class = if ending == "json" {
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(|error| format!("is not JSON ({error})"))?;
        let serde_json::Value::Object(object) = value else {
            return Err("holds JSON that is no object with a label in it".to_owned());
        };
        let found = match &columns.label {
            Some(wanted) => object.get_key_value(wanted),
            None => KEYS.iter().find_map(|key| object.get_key_value(*key)),
        };
        let Some((key, found)) = found else { return Ok(None) };
        place = format!("`{key}` of .json");
        match found {
            serde_json::Value::String(name) => name.trim().to_owned(),
            serde_json::Value::Number(number) if number.is_i64() || number.is_u64() => {
                number.to_string()
            }
            other => {
                return Err(format!(
                    "has the label {}, which is neither a whole number nor a text",
                    short(&other.to_string())
                ));
            }
        }
    } else {
        text.trim().to_owned()
    };
    if class.is_empty() {
        return Err("says no class; every image has one".to_owned());
    }
    if class.len() > LONGEST_CLASS || class.contains('\n') {
        return Err(format!(
            "says `{}`, which is a caption, not a class; data.columns = {{ label = \"NAME\" }} names the ending of \
             labels, or their key in .json",
            short(&class)
        ));
    }
    Ok(Some((class, place)))
}

/// The beginning of what may be long.
fn short(text: &str) -> String {
    const LONGEST: usize = 60;
    let shown: String = text.chars().take(LONGEST).collect();
    let more = if text.chars().nth(LONGEST).is_some() { "…" } else { "" };
    shown + more
}

/// Whether the attributes of an entry say that it is stored in pieces, as GNU tar has it in PAX headers.
fn is_sparse<R: Read>(entry: &mut tar::Entry<R>) -> Result<bool, String> {
    let extensions = entry.pax_extensions().map_err(|cause| cause.to_string())?;
    let keys = extensions.into_iter().flatten().filter_map(Result::ok);
    Ok(keys.into_iter().any(|extension| extension.key_bytes().starts_with(b"GNU.sparse")))
}

/// What a file is compressed with, and what unpacks it.
fn compressed(start: &[u8]) -> Option<(&'static str, &'static str)> {
    match start {
        [0x1f, 0x8b, ..] => Some(("gzip", "gunzip")),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(("zstd", "unzstd")),
        [b'B', b'Z', b'h', ..] => Some(("bzip2", "bunzip2")),
        [0xfd, b'7', b'z', b'X', ..] => Some(("xz", "unxz")),
        _ => None,
    }
}

/// What follows the last member.
enum After {
    Nothing,
    Zeros,
    More,
}

fn nothing_after(read: &mut BufReader<File>, end: u64) -> io::Result<After> {
    read.seek(SeekFrom::Start(end))?;
    let mut buffer = vec![0; 1 << 16];
    let mut count = 0;
    loop {
        match read.read(&mut buffer)? {
            0 if count < BLOCK => return Ok(After::Nothing),
            0 => return Ok(After::Zeros),
            got if buffer[..got].iter().any(|byte| *byte != 0) => return Ok(After::More),
            got => count += got as u64,
        }
    }
}

/// A reader that keeps what it has read ahead when it is moved, and that stops where names and attributes of one
/// member are too long.
struct Steps {
    read: BufReader<File>,
    left: Rc<Cell<u64>>,
}

impl Read for Steps {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let got = self.read.read(into)?;
        let left = self.left.get().checked_sub(got as u64);
        self.left.set(left.ok_or_else(|| {
            let problem = format!(
                "has a member with a name or attributes of more than {LONGEST_HEADERS} bytes"
            );
            io::Error::new(io::ErrorKind::InvalidData, problem)
        })?);
        Ok(got)
    }
}

impl Seek for Steps {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match to {
            SeekFrom::Current(by) => {
                self.read.seek_relative(by)?;
                self.read.stream_position()
            }
            to => self.read.seek(to),
        }
    }
}
