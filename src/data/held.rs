//! Images of a data set that does not fit into memory: the first ones stay in memory once they are decoded, the others
//! go to a file and come back from it. What is in neither is decoded when somebody asks for it.
//!
//! Nothing depends on where an image was: its pixels are the same. An image is decoded from a file only as long as the
//! system describes that file as it did when it was listed, so that what is kept under the name of a data set is of
//! that data set.

use std::borrow::Cow;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use fast_image_resize::Resizer;
use rayon::prelude::*;

use super::error::Error;
use super::fit::fit_with_box;
use super::holding::{Disk, Holding, News, Teller};
use super::inventory::stamps;
use super::labels::Labels;
use super::listing::{Images, Listing, Opened};
use super::normalise::sums;
use super::own_size::arrive;
use super::pixel_file::{BESIDE, Decoded, PixelFile};
use crate::augment::{BBox, Frame};
use crate::basis::number::number;
use crate::plan::data::{Bundled, DataPlan, Source, TestSet};

/// Begins what the name of a file is the hash of.
const FORMAT: &str = "decoded images 1";

/// Why the image of a file that was touched since it was listed is not decoded.
const CHANGED: &str = "was changed while it was in use";

/// Locks: an image is decoded under one of them, so that two trials do not decode it at once.
const CLAIMS: usize = 256;

/// Bytes of images that are looked at together, at least.
const TOGETHER: usize = 4 << 20;

/// From this many images on, progress is told.
const MANY: usize = 10_000;

/// The images of a listing that are wanted.
pub(super) struct Listed {
    pub(super) listing: Listing,
    pub(super) picks: Vec<usize>,
}

/// How much may be held where, and who decodes.
pub(super) struct Means {
    pub(super) holding: Holding,
    pub(super) threads: usize,
    pub(super) teller: Teller,
}

/// Images that are held partly in memory, partly on disk.
pub(super) struct Held {
    parts: Vec<(Listed, Opened)>,
    plan: DataPlan,
    /// What each pick's file looked like when it was listed; 0 if it has none of its own.
    looks: Vec<u64>,
    file: Option<PixelFile>,
    /// Where images have sizes of their own: the place of each pick's record, once it is known.
    starts: Vec<u64>,
    /// The pick of each image; empty: none was left out.
    pub(super) kept: Vec<u32>,
    resident: Vec<OnceLock<Box<[u8]>>>,
    claims: Vec<Mutex<()>>,
    means: Means,
}

/// What a look at an image tells beside its pixels.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) frame: Frame,
    pub(super) bbox: Option<BBox>,
    /// Of its values and their squares, by channel.
    pub(super) sums: Vec<[u64; 2]>,
    pub(super) hash: [u8; 32],
}

/// What was seen of an image, with its pixels, or why there are none.
type LookedAt<'a> = Result<(Seen, Cow<'a, [u8]>), String>;

impl Held {
    /// The images of `parts`, one behind the other.
    pub(super) fn new(parts: Vec<Listed>, plan: &DataPlan, means: Means) -> Result<Held, Error> {
        let looks = parts.iter().flat_map(file_looks).collect::<Vec<_>>();
        let disk = means.holding.disk.as_ref();
        let key = key(&parts, plan, &looks, disk.map_or("", |disk| &disk.program));
        let wanted = looks.len() as u64 * (BESIDE + bytes(plan) as u64);
        let open = |Disk { folder, most, .. }: &Disk| {
            let [height, width] = plan.image.size;
            let pixels = plan.max_pixels.max((height * width) as u64);
            let sizes = (plan.image.channels, pixels);
            let teller = means.teller.clone();
            match PixelFile::open((folder, *most), key, sizes, wanted, teller) {
                Ok(file) => Some(file),
                Err(cause) => {
                    let folder = folder.display();
                    means.teller.tell(News::Warning(&format!(
                        "decoded images cannot be kept in {folder}: {cause}; images that do not fit into memory \
                         are decoded each time, which is slower but does not change results"
                    )));
                    None
                }
            }
        };
        let file = disk.and_then(open);
        let open = |part: Listed| {
            let opened = part.listing.open()?;
            Ok((part, opened))
        };
        let parts = parts.into_iter().map(open).collect::<Result<_, Error>>()?;
        let claims = (0..CLAIMS).map(|_| Mutex::default()).collect();
        let plan = plan.clone();
        let (starts, kept, resident) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Held { parts, plan, looks, file, starts, kept, resident, claims, means })
    }

    /// Whether boxes go along with images, which are in pixels only when these are decoded.
    pub(super) fn has_boxes(&self) -> bool {
        !self.plan.boxes.crop
            && self.parts.iter().any(|(Listed { listing, picks }, _)| match &listing.images {
                Images::Files(files) => picks.iter().any(|pick| files[*pick].bbox.is_some()),
                _ => false,
            })
    }

    /// Whether images are read much faster one after the other than in any order.
    pub(super) fn is_sequential(&self) -> bool {
        self.parts.iter().any(|(part, _)| part.listing.images.is_sequential())
    }

    /// Whether images keep sizes of their own, which only show when they are decoded.
    pub(super) fn has_own_sizes(&self) -> bool {
        self.plan.own_size.is_some()
    }

    /// Keeps as many of the `frames`' images in memory, from now on, as there is room for.
    pub(super) fn settle(&mut self, frames: impl Iterator<Item = Frame>) {
        let mut left = self.means.holding.memory;
        let fits = |frame: &Frame| match left.checked_sub(frame.bytes() as u64) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        };
        self.resident = frames.take_while(fits).map(|_| OnceLock::new()).collect();
        for (Listed { listing, .. }, _) in &mut self.parts {
            // The data set has them too.
            (listing.labels, listing.parts, listing.groups) =
                (Labels::default(), Vec::new(), Vec::new());
            if matches!(listing.images, Images::Files(_)) {
                listing.names = Vec::new();
            }
        }
    }

    /// What an earlier look at all images has come to.
    pub(super) fn looked<T: serde::de::DeserializeOwned>(&self) -> Option<T> {
        self.file.as_ref()?.looked()
    }

    /// Keeps what a look at all images has come to.
    pub(super) fn keep_look(&self, look: &impl serde::Serialize) {
        self.file.iter().for_each(|file| file.keep_look(look));
    }

    /// The places of the records of picks that have these sizes; those without one were left out.
    pub(super) fn place(&mut self, frames: impl Iterator<Item = Option<Frame>>) {
        let mut next = 0;
        let start = |frame: Option<Frame>| {
            let start = next;
            next += frame.map_or(0, |frame| frame.bytes() as u64 + BESIDE);
            start
        };
        self.starts = frames.map(start).collect();
    }

    /// The pixels of image `index`, which has this size; or why there are none.
    pub(super) fn image(&self, index: u32, frame: Frame) -> Result<Cow<'_, [u8]>, String> {
        let slot = self.resident.get(index as usize);
        if let Some(pixels) = slot.and_then(OnceLock::get) {
            return Ok(Cow::Borrowed(pixels));
        }
        let Decoded { frame: found, pixels, .. } = self.fetch(self.pick(index), Some(frame))?;
        if found != frame {
            return Err(format!("its {frame} pixels have become {found}"));
        }
        Ok(match slot {
            Some(slot) => Cow::Borrowed(slot.get_or_init(|| pixels.into())),
            None => Cow::Owned(pixels),
        })
    }

    fn pick(&self, index: u32) -> usize {
        self.kept.get(index as usize).map_or(index as usize, |pick| *pick as usize)
    }

    /// The file of image `index`, which is called `name`, for messages.
    pub(super) fn file_of(&self, index: u32, name: &str) -> String {
        let (part, pick) = self.locate(self.pick(index));
        part.0.listing.file_called(pick, name)
    }

    /// From the file, or decoded and put there.
    fn fetch(&self, pick: usize, frame: Option<Frame>) -> Result<Decoded, String> {
        let start = match self.starts.get(pick) {
            Some(start) => *start,
            None => pick as u64 * (BESIDE + bytes(&self.plan) as u64),
        };
        let Some(file) = &self.file else { return self.decode(pick) };
        if let Some(found) = file.read(start, pick, frame) {
            return Ok(found);
        }
        let claim = &self.claims[pick % CLAIMS];
        let _claim = claim.lock().unwrap_or_else(PoisonError::into_inner);
        // Another trial may have been at it.
        if let Some(found) = file.read(start, pick, frame) {
            return Ok(found);
        }
        let decoded = self.decode(pick)?;
        if frame.is_none_or(|frame| frame == decoded.frame) {
            file.write(start, pick, &decoded);
        }
        Ok(decoded)
    }

    fn locate(&self, pick: usize) -> (&(Listed, Opened), usize) {
        let mut first = 0;
        for part in &self.parts {
            if pick < first + part.0.picks.len() {
                return (part, part.0.picks[pick - first]);
            }
            first += part.0.picks.len();
        }
        unreachable!("every pick is one of a part's")
    }

    fn decode(&self, pick: usize) -> Result<Decoded, String> {
        thread_local! {
            static RESIZER: RefCell<Resizer> = RefCell::new(Resizer::new());
        }
        let ((Listed { listing, .. }, opened), index) = self.locate(pick);
        let (picture, bbox) = listing.picture(opened, index, &self.plan)?;
        let decoded = match &self.plan.own_size {
            None => {
                let [height, width] = self.plan.image.size;
                let frame = Frame { height, width, channels: self.plan.image.channels };
                let mut pixels = vec![0; frame.bytes()];
                let bbox = RESIZER.with_borrow_mut(|resizer| {
                    fit_with_box(
                        picture,
                        bbox,
                        &self.plan.image,
                        &self.plan.fit,
                        resizer,
                        &mut pixels,
                    )
                });
                Decoded { frame, bbox, pixels }
            }
            Some(how) => {
                let (image, bbox) = arrive(picture, bbox, self.plan.image.channels, how)?;
                Decoded { frame: image.frame(), bbox, pixels: image.pixels().to_vec() }
            }
        };
        if let Some(file) = listing.images.file(index)
            && look_of(file) != self.looks[pick]
        {
            return Err(CHANGED.to_owned());
        }
        Ok(decoded)
    }

    /// Looks at every pick once, in order: `each` is given what was seen with the pixels, or why there are none. Fills
    /// memory, as far as there is room, and the file.
    pub(super) fn look(&self, what: &str, mut each: impl FnMut(Result<(Seen, &[u8]), String>)) {
        let picks = self.looks.len();
        // Of images in sizes of their own, one may be larger than thousands of the others.
        let least = if self.has_own_sizes() { 2 } else { 8 } * self.means.threads;
        let together = match self.has_own_sizes() {
            true => least,
            false => (TOGETHER / bytes(&self.plan)).max(least),
        };
        let (mut done, mut told, mut next) = (0, 0, 0);
        while done < picks {
            let chunk = done..(done + together).min(picks);
            let found = match self.has_own_sizes() {
                false => chunk.clone().into_par_iter().map(|pick| self.seen(pick)).collect(),
                true => self.next_own_sizes(chunk.clone(), &mut next),
            };
            for found in found {
                each(
                    found
                        .as_ref()
                        .map(|(seen, pixels)| (seen.clone(), &**pixels))
                        .map_err(Clone::clone),
                );
            }
            done = chunk.end;
            let tenths = 10 * done / picks;
            if picks >= MANY && tenths > told && done < picks {
                told = tenths;
                let (done, all) = (number(done as u64), number(picks as u64));
                let line = format!("{what}: {done} of {all}");
                self.means.teller.tell(News::Progress(&line));
            }
        }
    }

    fn seen(&self, pick: usize) -> LookedAt<'_> {
        let slot = if self.kept.is_empty() { self.resident.get(pick) } else { None };
        let [height, width] = self.plan.image.size;
        let frame = Frame { height, width, channels: self.plan.image.channels };
        if let Some(pixels) = slot.and_then(OnceLock::get) {
            return Ok((Seen::of(frame, None, pixels), Cow::Borrowed(pixels)));
        }
        let Decoded { bbox, pixels, .. } = self.fetch(pick, Some(frame))?;
        let seen = Seen::of(frame, bbox, &pixels);
        Ok((
            seen,
            match slot {
                Some(slot) => Cow::Borrowed(slot.get_or_init(|| pixels.into())),
                None => Cow::Owned(pixels),
            },
        ))
    }

    /// Images whose sizes are not known, of which the first one's record is at `next`: records are read as long as
    /// they are there, since each says where the one behind it is.
    fn next_own_sizes(&self, chunk: std::ops::Range<usize>, next: &mut u64) -> Vec<LookedAt<'_>> {
        let mut found = Vec::with_capacity(chunk.len());
        for pick in chunk.clone() {
            let Some(image) = self.file.as_ref().and_then(|file| file.read(*next, pick, None))
            else {
                break;
            };
            *next += image.pixels.len() as u64 + BESIDE;
            found.push(Ok(image));
        }
        let rest: Vec<_> = (chunk.start + found.len()..chunk.end).collect();
        let decoded: Vec<_> = rest.par_iter().map(|pick| self.decode(*pick)).collect();
        for (pick, decoded) in rest.into_iter().zip(decoded) {
            if let Ok(image) = &decoded {
                self.file.iter().for_each(|file| file.write(*next, pick, image));
                *next += image.pixels.len() as u64 + BESIDE;
            }
            found.push(decoded);
        }
        let seen = |image: Decoded| {
            (Seen::of(image.frame, image.bbox, &image.pixels), Cow::Owned(image.pixels))
        };
        found.into_par_iter().map(|image| image.map(seen)).collect()
    }

    /// Does `work` on as many threads of their own as images are decoded on, as [`apart`] says.
    pub(super) fn apart<R: Send>(&self, work: impl FnOnce() -> R + Send) -> Result<R, Error> {
        apart(self.means.threads, work)
    }

    /// Bytes that may come to be in memory.
    pub(super) fn memory(&self, frame: impl Fn(u32) -> Frame) -> u64 {
        (0..self.resident.len() as u32).map(|index| frame(index).bytes() as u64).sum()
    }
}

/// Whether an image has no pixels for this reason only because its file was touched: that is no bad image.
pub(super) fn is_changed(reason: &str) -> bool {
    reason == CHANGED
}

/// Does `work` on `threads` threads of its own. A trial runs on a thread of rayon's; were images decoded on the same
/// threads, this one could, while it waits for them, pick up another trial that asks for the same data, and then wait
/// for itself.
pub(super) fn apart<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> Result<R, Error> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|cause| Error::Threads(cause.to_string()))?;
    std::thread::scope(|scope| {
        let working = std::thread::Builder::new()
            .spawn_scoped(scope, || pool.install(work))
            .map_err(|cause| Error::Threads(cause.to_string()))?;
        Ok(working.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

impl Seen {
    pub(super) fn of(frame: Frame, bbox: Option<BBox>, pixels: &[u8]) -> Seen {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(frame.width as u64).to_le_bytes());
        hasher.update(pixels);
        let hash = *hasher.finalize().as_bytes();
        Seen { frame, bbox, sums: sums(pixels, frame.channels), hash }
    }
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{} images, {} in memory", self.looks.len(), self.resident.len())
    }
}

/// Bytes of an image of the declared size.
fn bytes(plan: &DataPlan) -> usize {
    plan.image.size[0] * plan.image.size[1] * plan.image.channels
}

/// How the system describes the file of each pick.
fn file_looks(part: &Listed) -> Vec<u64> {
    let images = &part.listing.images;
    let look = |known: &mut Option<(PathBuf, u64)>, pick: &usize| {
        let Some(file) = images.file(*pick) else { return 0 };
        // Many images may lie in one file.
        match known {
            Some((path, look)) if path == file => *look,
            _ => known.insert((file.to_owned(), look_of(file))).1,
        }
    };
    part.picks.par_iter().map_init(|| None, look).collect()
}

/// How the system describes the file at `path`: equal as long as nobody touches it.
fn look_of(path: &Path) -> u64 {
    let Ok(metadata) = path.metadata() else { return 0 };
    let (modified, changed, inode) = stamps(&metadata);
    let mut hasher = blake3::Hasher::new();
    for number in [metadata.len(), modified as u64, changed as u64, inode] {
        hasher.update(&number.to_le_bytes());
    }
    u64::from_le_bytes(std::array::from_fn(|byte| hasher.finalize().as_bytes()[byte]))
}

/// The hash of everything that the pixels, and what is said of them, depend on.
fn key(parts: &[Listed], plan: &DataPlan, looks: &[u64], program: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let mut text = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    text(FORMAT);
    text(program);
    // Where the images lie is no part of it.
    let how = DataPlan { source: Source::Bundled(Bundled::Digits), ..plan.of_images() };
    let how = DataPlan { test: TestSet::Declared, ..how };
    text(&serde_json::to_string(&how).expect("a plan is plain data"));
    for Listed { listing, picks } in parts {
        listing.classes.iter().for_each(|class| text(class));
        if !matches!(listing.images, Images::Files(_)) {
            text(&listing.origin);
        }
        listing.beside.iter().for_each(|path| text(&look_of(path).to_string()));
        for pick in picks {
            text(&listing.names[*pick]);
            let group = listing.groups.get(*pick).map_or("", String::as_str);
            let bbox = match &listing.images {
                Images::Files(files) => files[*pick].bbox,
                _ => None,
            };
            let labels = listing.labels.of(*pick);
            let labels = match listing.labels.are_several() {
                false => labels.iter().map(u32::to_string).collect(),
                true => format!("{labels:?}"),
            };
            text(&format!("{labels} {:?} {bbox:?} {group}", listing.parts[*pick]));
        }
    }
    looks.iter().for_each(|look| _ = hasher.update(&look.to_le_bytes()));
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::dataset::Dataset;
    use super::super::load::{load, load_into};
    use super::*;
    use crate::augment::Chain;
    use crate::config::data::Subset;
    use crate::plan::data::{
        BoxPlan, Columns, Duplicates, Fit, Group, Image, MOST_PIXELS, Normalise, OnBadImage,
        OwnSize, Sampling,
    };
    use std::sync::Arc;

    fn plan(source: Source) -> DataPlan {
        DataPlan {
            source,
            test: TestSet::Declared,
            validation: 0.1,
            fold: None,
            task: Default::default(),
            class_attributes: Default::default(),
            classes: Vec::new(),
            subset: Subset::All,
            image: Image { size: [12, 10], channels: 3 },
            own_size: None,
            normalise: Normalise::Dataset,
            on_bad_image: OnBadImage::Error,
            max_pixels: MOST_PIXELS,
            boxes: BoxPlan::default(),
            columns: Columns::default(),
            group: Group::None,
            duplicates: Duplicates::Keep,
            fit: Fit::Stretch,
            sampling: Sampling::Shuffle,
        }
    }

    /// Two classes of images, of which two are alike, in a folder, with a table of boxes beside them.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let mut table = "path,label,x_min,y_min,x_max,y_max\n".to_owned();
        for class in ["a", "b"] {
            std::fs::create_dir_all(folder.path().join(class)).unwrap();
            for index in 0..20_u32 {
                let (width, height) = (10 + index % 5, 12 + index % 3);
                let value = if index == 19 { 18 } else { index };
                let image = image::RgbImage::from_fn(width, height, |x, y| {
                    image::Rgb([(x * 9) as u8, (y * value) as u8, class.as_bytes()[0]])
                });
                let name = format!("{class}/{index:02}.png");
                image.save(folder.path().join(&name)).unwrap();
                table.push_str(&format!("{name},{class},1,2,{},{}\n", 5 + index % 4, 9));
            }
        }
        std::fs::write(folder.path().join("boxes.csv"), table).unwrap();
        folder
    }

    /// Ways to read the images of [`folder`].
    fn ways(folder: &Path) -> Vec<(&'static str, DataPlan)> {
        let of_folder = || plan(Source::Folder(folder.to_owned()));
        let boxes = || plan(Source::Csv(folder.join("boxes.csv")));
        let chain: Chain =
            serde_json::from_str(r#"[{ "smallest-max-size": 11, "p": 1.0 }]"#).unwrap();
        let own_size = Some(OwnSize { chain, ..OwnSize::default() });
        vec![
            ("bundled", plan(Source::Bundled(Bundled::Openclipart9))),
            ("plain", of_folder()),
            ("boxes", boxes()),
            ("crops", DataPlan { boxes: BoxPlan { crop: true, ..BoxPlan::default() }, ..boxes() }),
            ("own sizes", DataPlan { own_size: own_size.clone(), ..of_folder() }),
            ("no copies", DataPlan { duplicates: Duplicates::Drop, ..of_folder() }),
            (
                "own sizes without copies",
                DataPlan { duplicates: Duplicates::Drop, own_size, ..boxes() },
            ),
            ("bad left out", DataPlan { on_bad_image: OnBadImage::Skip, ..of_folder() }),
        ]
    }

    fn means(memory: u64, disk: Option<(PathBuf, u64)>) -> (Means, Arc<Mutex<Vec<String>>>) {
        let program = String::new();
        let disk = disk.map(|(folder, most)| Disk { folder, most, program });
        let told = Arc::new(Mutex::new(Vec::new()));
        let (teller, into) = (Teller::default(), told.clone());
        teller.set(Box::new(move |news| {
            into.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{news:?}"));
        }));
        (Means { holding: Holding { memory, disk }, threads: 2, teller }, told)
    }

    fn assert_same(held: &Dataset, whole: &Dataset, what: &str) {
        assert_eq!(held.names(), whole.names(), "{what}");
        for index in (0..whole.len() as u32).rev() {
            assert_eq!(held.frame(index), whole.frame(index), "{what}: image {index}");
            assert_eq!(held.bbox(index), whole.bbox(index), "{what}: image {index}");
            assert_eq!(held.image(index), whole.image(index), "{what}: image {index}");
        }
        assert_eq!(held.fingerprint(), whole.fingerprint(), "{what}");
        assert_eq!(held.sums(), whole.sums(), "{what}");
        assert_eq!(held.copies(), whole.copies(), "{what}");
        assert_eq!(held.skipped(), whole.skipped(), "{what}");
        assert_eq!(held.labels(), whole.labels(), "{what}");
        assert_eq!((held.height, held.width), (whole.height, whole.width), "{what}");
    }

    #[test]
    fn images_are_the_same_wherever_they_are_held() {
        let folder = folder();
        for (what, plan) in ways(folder.path()) {
            if what == "bad left out" {
                std::fs::write(folder.path().join("a/05.png"), "no image").unwrap();
            }
            let whole = load(&plan).unwrap();
            let disk = tempfile::tempdir().unwrap();
            for memory in [0, 1000, 5000] {
                let kept = |most| Some((disk.path().to_owned(), most));
                // Nowhere, on disk, from there, with half of it gone, and with all of it gone.
                for (round, place) in
                    [None, kept(1 << 30), kept(1 << 30), kept(4000), kept(1 << 30)]
                        .into_iter()
                        .enumerate()
                {
                    let (means, told) = means(memory, place);
                    let held = load_into(&plan, means).unwrap();
                    assert!(matches!(held.pixels, super::super::pixels::Pixels::Held(_)));
                    assert!(held.memory() <= memory);
                    if round == 3 {
                        for entry in std::fs::read_dir(disk.path()).unwrap() {
                            std::fs::remove_file(entry.unwrap().path()).unwrap();
                        }
                    }
                    assert_same(&held, &whole, &format!("{what}, {memory} bytes, round {round}"));
                    let told = told.lock().unwrap();
                    assert!(told.iter().all(|news| news.starts_with("Progress")), "{told:?}");
                }
            }
        }
    }

    #[test]
    fn what_was_decoded_once_is_not_decoded_again_and_a_touched_file_is() {
        let folder = folder();
        let plan = plan(Source::Folder(folder.path().to_owned()));
        let disk = tempfile::tempdir().unwrap();
        let held = || {
            let (means, _) = means(0, Some((disk.path().to_owned(), 1 << 30)));
            load_into(&plan, means).unwrap()
        };
        let first = held();
        assert!(!first.is_known(), "nothing was looked at yet");
        let fingerprint = first.fingerprint().unwrap().to_owned();
        let path = folder.path().join("a/03.png");
        let second = held();
        assert!(second.is_known(), "an earlier run has looked at all of them");
        // Its pixels are on the disk, so that nobody asks for the file.
        std::fs::write(&path, "torn").unwrap();
        assert!(second.image(3).is_ok());
        // Whoever begins now sees another file.
        let error = held().fingerprint().unwrap_err().to_string();
        assert!(error.contains("1 of 40 images") && error.contains("03.png: text, not"), "{error}");
        image::RgbImage::from_pixel(12, 12, image::Rgb([9; 3])).save(&path).unwrap();
        assert_ne!(held().fingerprint().unwrap(), fingerprint);
    }

    #[test]
    fn a_file_that_changes_under_a_run_is_an_error_and_leaves_nothing_behind() {
        let folder = folder();
        let plan = plan(Source::Folder(folder.path().to_owned()));
        let disk = tempfile::tempdir().unwrap();
        let (means, _) = means(0, Some((disk.path().to_owned(), 1 << 30)));
        let held = load_into(&plan, means).unwrap();
        let path = folder.path().join("a/03.png");
        image::RgbImage::from_pixel(12, 12, image::Rgb([9; 3])).save(&path).unwrap();
        let error = held.image(3).unwrap_err().to_string();
        assert!(error.contains("03.png: was changed while it was in use"), "{error}");
        assert!(held.image(4).is_ok());
    }

    #[test]
    fn all_bad_images_are_told_when_one_is_met() {
        let folder = folder();
        for name in ["a/02.png", "b/07.png"] {
            std::fs::write(folder.path().join(name), "no image").unwrap();
        }
        let plan = plan(Source::Folder(folder.path().to_owned()));
        let held = load_into(&plan, means(0, None).0).unwrap();
        assert!(held.image(0).is_ok());
        assert_eq!(held.image(2).unwrap_err(), load(&plan).unwrap_err());
    }
}
