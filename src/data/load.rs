//! Decodes the images of a source: all of them at once, in parallel, where memory has room for them.

use std::path::Path;
use std::sync::OnceLock;

use fast_image_resize::Resizer;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::dataset::{Dataset, Facts, Part, keep};
use super::decode::{check_size, decode_file};
use super::error::{BadImage, Error};
use super::fit::{fit, fit_with_box};
use super::held::{Held, Listed, Means, Seen, is_changed};
use super::holding::{Holding, Teller};
use super::labels::Labels;
use super::leaks::looks;
use super::listing::{OUTSIDE, Opened, check_taught, relabel};
use super::own_size::arrive;
use super::pixels::Pixels;
use super::source::list_classes;
use super::survey::check_test;
use crate::augment::{self, BBox, Frame};
use crate::plan::data::{DataPlan, Duplicates, Fit, Image, OnBadImage, OwnSize, TestSet};

/// Reads, decodes and resizes all images that `plan` names, and holds them in memory; the split is made later, by each
/// trial.
///
/// With `test` from another source, that source's images come after the others and are declared for
/// testing; its own declared test part is used if it has one, else all of it. What the training
/// source declares for testing is then set aside, so that nobody trains on it by accident; so it is
/// where nothing is to be tested on.
///
/// Images are in the order of the listing, whatever the number of threads.
pub fn load(plan: &DataPlan) -> Result<Dataset, Error> {
    let (holding, teller) = (Holding::default(), Teller::default());
    load_into(plan, Means { holding, threads: rayon::current_num_threads(), teller })
}

/// As [`load`], with no more in memory than `means` say. Where not all have room, images are decoded when they are
/// needed, unless one of them may be left out or have a size or a box that only shows in its file: then all are looked
/// at first.
pub(super) fn load_into(plan: &DataPlan, means: Means) -> Result<Dataset, Error> {
    let mut dataset = with_pixels(plan, means)?;
    if plan.duplicates.look_at_splits() {
        dataset.looks = looks(&dataset)?;
    }
    Ok(dataset)
}

fn with_pixels(plan: &DataPlan, means: Means) -> Result<Dataset, Error> {
    let (parts, set_aside) = listed(plan)?;
    let dataset = Dataset::listed(&parts, plan, set_aside);
    if let Some((pixels, found)) = in_memory(&parts, plan, means.holding.memory)? {
        return Finding {
            dataset: Dataset { pixels, ..dataset },
            found,
            sums: Vec::new(),
            hashes: Vec::new(),
        }
        .finish(plan);
    }
    held(Held::new(parts, plan, means)?, dataset, plan)
}

/// The images that `plan` names, and how many were set aside.
fn listed(plan: &DataPlan) -> Result<(Vec<Listed>, usize), Error> {
    let main = list_classes(&plan.source, plan)?;
    main.check()?;
    let declared = main.picks(|part| part == Part::Test).len();
    check_test(plan, declared)?;
    let source = match &plan.test {
        TestSet::Source(source) => source,
        // Nothing is to be tested on.
        TestSet::Part(0.0) => {
            let picks = main.picks(|part| part != Part::Test);
            return Ok((vec![Listed { listing: main, picks }], declared));
        }
        TestSet::Declared | TestSet::Part(_) => {
            let picks = main.picks(|_| true);
            return Ok((vec![Listed { listing: main, picks }], 0));
        }
    };
    let mut test = list_classes(source, plan)?;
    let places = relabel((&main.origin, &main.classes), (&test.origin, &test.classes))?;
    test.labels.rename(OUTSIDE, |label| places.get(label as usize).copied());
    let has_part = test.parts.contains(&Part::Test);
    let tested = test.picks(|part| !has_part || part == Part::Test);
    test.parts.fill(Part::Test);
    let picks = main.picks(|part| part != Part::Test);
    let parts = vec![Listed { listing: main, picks }, Listed { listing: test, picks: tested }];
    Ok((parts, declared))
}

/// Decodes one image file to the size and channels of `plan`, brought there as `how` says, as [`load`] does.
///
/// # Shapes
/// [height, width, channels]
pub fn decode_image(
    path: &Path,
    plan: &Image,
    how: &Fit,
    max_pixels: u64,
) -> Result<Vec<u8>, Error> {
    let picture = decode_file(path, max_pixels)
        .map_err(|reason| Error::format(path.display().to_string(), reason))?;
    let mut pixels = vec![0; plan.size[0] * plan.size[1] * plan.channels];
    fit(picture, plan, how, &mut Resizer::new(), &mut pixels);
    Ok(pixels)
}

/// Decodes one image file for a network that was trained on centres: its shorter side becomes 8/7 of
/// the input's (256 pixels for 224), and the centre is cut out. A picture that has the input's size
/// already is taken as it is.
///
/// # Shapes
/// [height, width, channels]
pub fn decode_centre(path: &Path, plan: &Image, max_pixels: u64) -> Result<Vec<u8>, Error> {
    let bad = |reason| Error::format(path.display().to_string(), reason);
    let picture = decode_file(path, max_pixels).map_err(bad)?;
    let [height, width] = plan.size;
    let mut pixels = vec![0; height * width * plan.channels];
    if (picture.height, picture.width) == (height, width) {
        fit(picture, plan, &Fit::Stretch, &mut Resizer::new(), &mut pixels);
        return Ok(pixels);
    }
    let shorter = height.min(width) as f64 * 8.0 / 7.0;
    let factor = shorter / picture.height.min(picture.width) as f64;
    let scaled = |side: usize, least: usize| ((side as f64 * factor) as usize).max(least);
    let size = [scaled(picture.height, height), scaled(picture.width, width)];
    // The longer side of a narrow picture grows with the shorter one.
    let [high, wide] = size.map(|side| u32::try_from(side).unwrap_or(u32::MAX));
    check_size(wide, high, max_pixels).map_err(|reason| {
        bad(format!(
            "{}×{} pixels are too narrow: with its shorter side brought to the network's it has {reason}",
            picture.width, picture.height
        ))
    })?;
    let whole = Image { size, channels: plan.channels };
    let mut resized = vec![0; size[0] * size[1] * plan.channels];
    fit(picture, &whole, &Fit::Stretch, &mut Resizer::new(), &mut resized);
    // torchvision's CenterCrop rounds half to even.
    let [top, left] =
        [0, 1].map(|axis| ((size[axis] - plan.size[axis]) as f64 / 2.0).round_ties_even() as usize);
    for (row, into) in pixels.chunks_mut(width * plan.channels).enumerate() {
        let from = ((top + row) * size[1] + left) * plan.channels;
        into.copy_from_slice(&resized[from..from + into.len()]);
    }
    Ok(pixels)
}

/// Decodes one image file that keeps its own size until the transforms of `how` bring it to another.
pub fn decode_own_size(
    path: &Path,
    channels: usize,
    how: &OwnSize,
    max_pixels: u64,
) -> Result<augment::Image, Error> {
    let broken = |reason: String| Error::format(path.display().to_string(), reason);
    let picture = decode_file(path, max_pixels).map_err(broken)?;
    let (image, _) = arrive(picture, None, channels, how).map_err(broken)?;
    Ok(image)
}

impl Dataset {
    /// What listings say of the picked images, without their pixels.
    fn listed(parts: &[Listed], plan: &DataPlan, set_aside: usize) -> Dataset {
        let main = &parts[0].listing;
        let Image { size: [height, width], channels } = plan.image;
        let mut dataset = Dataset {
            origin: main.origin.clone(),
            classes: main.classes.clone(),
            height,
            width,
            channels,
            pixels: Pixels::Whole { bytes: Vec::new(), starts: Vec::new() },
            own: Vec::new(),
            labels: Labels::default(),
            parts: Vec::new(),
            names: Vec::new(),
            boxes: Vec::new(),
            groups: Vec::new(),
            group_names: Vec::new(),
            skipped: Vec::new(),
            looks: Vec::new(),
            set_aside,
            facts: OnceLock::new(),
        };
        for Listed { listing, picks } in parts {
            dataset.labels.append(listing.labels.at(picks.iter().copied()));
            dataset.parts.extend(picks.iter().map(|pick| listing.parts[*pick]));
            dataset.names.extend(picks.iter().map(|pick| listing.names[*pick].clone()));
            let groups = picks.iter().filter_map(|pick| listing.groups.get(*pick));
            dataset.group_names.extend(groups.cloned());
        }
        dataset
    }

    /// Gives each group a number, in the order of their names, from one name for each image.
    fn number_groups(&mut self) {
        let written = std::mem::take(&mut self.group_names);
        let mut names = written.clone();
        names.sort();
        names.dedup();
        let place = |name: &String| names.binary_search(name).unwrap_or(0) as u32;
        self.groups = written.iter().map(place).collect();
        self.group_names = names;
    }

    /// Gives images the sizes of their own that they were found to have. Where all have one size, it is that of the
    /// data set.
    fn take_sizes(&mut self, own: Vec<Frame>) {
        self.own = own;
        let Some(first) = self.own.first().copied() else { return };
        if self.own.iter().all(|frame| *frame == first) {
            (self.height, self.width) = (first.height, first.width);
            self.own.clear();
        } else {
            (self.height, self.width) = (0, 0);
        }
    }
}

/// Size of an image and the box in it, or why it cannot be decoded.
type Found = Result<(Frame, Option<BBox>), BadImage>;

/// Decodes all picked images; none if they take more than `limit` bytes. Those that are bad take no room.
fn in_memory(
    parts: &[Listed],
    plan: &DataPlan,
    limit: u64,
) -> Result<Option<(Pixels, Vec<Found>)>, Error> {
    let count = parts.iter().map(|part| part.picks.len()).sum();
    let mut found = Vec::with_capacity(count);
    let (mut bytes, mut starts) = (Vec::new(), Vec::new());
    let Image { size: [height, width], channels } = plan.image;
    let frame = Frame { height, width, channels };
    if plan.own_size.is_none() {
        let room = (height * width * channels).checked_mul(count);
        if room.is_none_or(|room| room as u64 > limit) && limit < u64::MAX {
            return Ok(None);
        }
        if room.is_none_or(|room| bytes.try_reserve_exact(room).is_err()) {
            return Err(Error::TooLarge { images: count, height, width, channels });
        }
    }
    for part in parts {
        let opened = part.listing.open()?;
        match &plan.own_size {
            None => decode(part, &opened, plan, frame, &mut bytes, &mut found),
            Some(how) => {
                let mut places = (&mut bytes, &mut starts);
                if !decode_own_sizes(part, &opened, plan, how, &mut places, limit, &mut found)? {
                    return Ok(None);
                }
            }
        }
    }
    Ok(Some((Pixels::Whole { bytes, starts }, found)))
}

/// Decodes the picked images of a listing to one size.
fn decode(
    Listed { listing, picks }: &Listed,
    opened: &Opened,
    plan: &DataPlan,
    frame: Frame,
    all: &mut Vec<u8>,
    found: &mut Vec<Found>,
) {
    let bytes = frame.bytes();
    let mut end = all.len();
    all.resize(end + picks.len() * bytes, 0);
    let decoded: Vec<Result<Option<BBox>, String>> = all[end..]
        .par_chunks_exact_mut(bytes)
        .zip(picks)
        .map_init(Resizer::new, |resizer, (out, pick)| {
            let (picture, bbox) = listing.picture(opened, *pick, plan)?;
            Ok(fit_with_box(picture, bbox, &plan.image, &plan.fit, resizer, out))
        })
        .collect();
    for (place, (pick, decoded)) in picks.iter().zip(decoded).enumerate() {
        let bad = |reason| BadImage { file: listing.file(*pick), reason };
        found.push(decoded.map(|bbox| (frame, bbox)).map_err(bad));
        if matches!(found.last(), Some(Ok(_))) {
            let from = all.len() - (picks.len() - place) * bytes;
            if from != end {
                all.copy_within(from..from + bytes, end);
            }
            end += bytes;
        }
    }
    all.truncate(end);
}

/// Images of their own sizes that are decoded before they are put with the others: one may take 300 MB.
const AT_ONCE: usize = 32;

/// As [`decode`], for images that keep their own sizes, with the place of each one's first byte: whether all have room.
fn decode_own_sizes(
    Listed { listing, picks }: &Listed,
    opened: &Opened,
    plan: &DataPlan,
    how: &OwnSize,
    (all, starts): &mut (&mut Vec<u8>, &mut Vec<usize>),
    limit: u64,
    found: &mut Vec<Found>,
) -> Result<bool, Error> {
    for picks in picks.chunks(AT_ONCE) {
        let decoded: Vec<_> = picks
            .par_iter()
            .map(|pick| {
                let (picture, bbox) = listing.picture(opened, *pick, plan)?;
                arrive(picture, bbox, plan.image.channels, how)
            })
            .collect();
        for (pick, decoded) in picks.iter().zip(decoded) {
            let (image, bbox) = match decoded {
                Ok(arrived) => arrived,
                Err(reason) => {
                    found.push(Err(BadImage { file: listing.file(*pick), reason }));
                    continue;
                }
            };
            if (all.len() + image.pixels().len()) as u64 > limit {
                return Ok(false);
            }
            if all.try_reserve(image.pixels().len()).is_err() {
                return Err(Error::TooManyPixels { images: picks.len() });
            }
            starts.push(all.len());
            all.extend_from_slice(image.pixels());
            found.push(Ok((image.frame(), bbox)));
        }
    }
    Ok(true)
}

/// The data set of images that are `held` and listed in `dataset`.
fn held(mut held: Held, mut dataset: Dataset, plan: &DataPlan) -> Result<Dataset, Error> {
    let (picks, own) = (dataset.len(), held.has_own_sizes());
    let looked = held.looked::<Looked>();
    if let Some(looked) = looked.filter(|looked| looked.fits(picks, dataset.channels, own)) {
        return Ok(looked.apply(held, dataset));
    }
    let may_be_left_out =
        plan.on_bad_image != OnBadImage::Error || plan.duplicates != Duplicates::Keep;
    if !may_be_left_out && !held.has_own_sizes() && !held.has_boxes() && !held.is_sequential() {
        held.settle((0..dataset.len() as u32).map(|index| dataset.frame(index)));
        dataset.pixels = Pixels::Held(Box::new(held));
        if !dataset.group_names.is_empty() {
            dataset.number_groups();
        }
        return Ok(dataset);
    }
    let (mut found, mut sums, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    held.look(&format!("looking at every image of {} once", dataset.origin), |seen| {
        let index = found.len() as u32;
        found.push(match seen {
            Ok((Seen { frame, bbox, sums: of_image, hash }, _)) => {
                sums.extend(of_image);
                hashes.push(hash);
                Ok((frame, bbox))
            }
            Err(reason) => {
                let file = held.file_of(index, &dataset.names[index as usize]);
                Err(BadImage { file, reason })
            }
        });
    });
    let frames: Vec<Option<Frame>> =
        found.iter().map(|found| found.as_ref().ok().map(|(frame, _)| *frame)).collect();
    if own {
        held.place(frames.iter().copied());
    }
    let changed = |found: &Found| matches!(found, Err(image) if is_changed(&image.reason));
    if let Some(Err(image)) = found.iter().find(|found| changed(found)) {
        return Err(Error::bad_images(&dataset.origin, picks, vec![image.clone()]));
    }
    let (kept, bad): (Vec<u32>, Vec<u32>) =
        (0..picks as u32).partition(|pick| found[*pick as usize].is_ok());
    held.kept = kept;
    dataset.pixels = Pixels::Held(Box::new(held));
    let mut dataset = Finding { dataset, found, sums, hashes }.finish(plan)?;
    let all: Vec<Frame> = (0..dataset.len() as u32).map(|index| dataset.frame(index)).collect();
    // A bad image may be one that could only not be read this time.
    if bad.is_empty()
        && let Pixels::Held(held) = &dataset.pixels
    {
        held.keep_look(&Looked::of(&dataset, held, bad, frames)?);
    }
    if let Pixels::Held(held) = &mut dataset.pixels {
        held.settle(all.into_iter());
    }
    Ok(dataset)
}

/// A data set all of whose images have been decoded.
struct Finding {
    /// Its lists still name those that are bad; its pixels do not hold them.
    dataset: Dataset,
    found: Vec<Found>,
    /// Of those that are not bad; empty if nobody has looked.
    sums: Vec<[u64; 2]>,
    hashes: Vec<[u8; 32]>,
}

impl Finding {
    /// Decides about the bad images, and computes what follows from the good ones.
    fn finish(self, plan: &DataPlan) -> Result<Dataset, Error> {
        let Finding { mut dataset, found, mut sums, mut hashes } = self;
        let stays: Vec<bool> = found.iter().map(Result::is_ok).collect();
        let (mut frames, mut bad) = (Vec::new(), Vec::new());
        for found in found {
            match found {
                Err(image) => bad.push(image),
                Ok((frame, bbox)) => {
                    frames.push(frame);
                    dataset.boxes.push(bbox);
                }
            }
        }
        if dataset.boxes.iter().all(Option::is_none) {
            dataset.boxes.clear();
        }
        if !bad.is_empty() {
            if plan.on_bad_image == OnBadImage::Error {
                return Err(Error::bad_images(&dataset.origin, stays.len(), bad));
            }
            let boxes = std::mem::take(&mut dataset.boxes);
            dataset.retain_lists(&stays);
            keep(&mut dataset.group_names, &stays);
            dataset.boxes = boxes;
            let way_out = "all of its images were left out because they cannot be read";
            let Dataset { origin, classes, labels, parts, .. } = &dataset;
            check_taught(origin, classes, labels, parts, way_out)?;
        }
        if plan.own_size.is_some() {
            dataset.take_sizes(frames);
        }
        dataset.skipped = bad;
        if !dataset.group_names.is_empty() {
            dataset.number_groups();
        }
        if hashes.is_empty() {
            let all = (0..dataset.len() as u32).into_par_iter();
            let look = |index| {
                let frame = dataset.frame(index);
                let Seen { sums, hash, .. } =
                    Seen::of(frame, None, dataset.pixels.whole(index, frame));
                (sums, hash)
            };
            let (of_images, of_pixels): (Vec<_>, _) = all.map(look).unzip();
            (sums, hashes) = (of_images.concat(), of_pixels);
        }
        let (copies, stays) = dataset.find_copies(&hashes, plan.duplicates)?;
        if let Some(stays) = stays {
            let channels = dataset.channels;
            let of_values: Vec<bool> =
                stays.iter().flat_map(|stays| vec![*stays; channels]).collect();
            keep(&mut sums, &of_values);
            dataset.retain(&stays);
        }
        let way_out =
            "all of its images are copies of others with contradicting labels, which were left out";
        let Dataset { origin, classes, labels, parts, .. } = &dataset;
        check_taught(origin, classes, labels, parts, way_out)?;
        let fingerprint = dataset.hash()?;
        dataset.facts = OnceLock::from(Ok(Facts { copies, sums, fingerprint }));
        Ok(dataset)
    }
}

/// What a look at all images has come to, for those who come later.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Looked {
    /// The picks that are bad.
    bad: Vec<u32>,
    skipped: Vec<BadImage>,
    /// The pick of each image; empty: none was left out.
    kept: Vec<u32>,
    /// Height and width of each pick where they have sizes of their own, if it is not bad; else empty.
    frames: Vec<Option<[usize; 2]>>,
    /// The bits of the corners of each image's box; empty where there are none.
    boxes: Vec<Option<[u64; 4]>>,
    facts: Facts,
}

impl Looked {
    /// Of a data set of which no image was left out or has a box or a size of its own.
    pub(super) fn plain(facts: &Facts) -> Looked {
        let facts = facts.clone();
        let (bad, kept) = (Vec::new(), Vec::new());
        Looked { bad, skipped: Vec::new(), kept, frames: Vec::new(), boxes: Vec::new(), facts }
    }

    fn of(
        dataset: &Dataset,
        held: &Held,
        bad: Vec<u32>,
        frames: Vec<Option<Frame>>,
    ) -> Result<Looked, Error> {
        let corners = |b: BBox| [b.x_min, b.y_min, b.x_max, b.y_max].map(f64::to_bits);
        Ok(Looked {
            bad,
            skipped: dataset.skipped.clone(),
            kept: held.kept.clone(),
            frames: match held.has_own_sizes() {
                true => frames.iter().map(|f| f.map(|f| [f.height, f.width])).collect(),
                false => Vec::new(),
            },
            boxes: dataset.boxes.iter().map(|bbox| bbox.map(corners)).collect(),
            facts: dataset.facts()?.clone(),
        })
    }

    /// Whether it can be said of so many picks, with so many channels.
    fn fits(&self, picks: usize, channels: usize, has_own_sizes: bool) -> bool {
        let Looked { bad, kept, frames, boxes, facts, .. } = self;
        let images = if kept.is_empty() { picks } else { kept.len() };
        let are_picks = |some: &[u32]| {
            some.is_sorted() && some.last().is_none_or(|last| (*last as usize) < picks)
        };
        let is_there = |pick: &u32| frames.get(*pick as usize).is_some_and(Option::is_some);
        are_picks(bad)
            && are_picks(kept)
            && facts.sums.len() == images * channels
            && (boxes.is_empty() || boxes.len() == images)
            && match has_own_sizes {
                true => frames.len() == picks && !kept.is_empty() && kept.iter().all(is_there),
                false => frames.is_empty(),
            }
    }

    /// The data set of the images that are `held` and listed in `dataset`.
    fn apply(self, mut held: Held, mut dataset: Dataset) -> Dataset {
        let Looked { bad, skipped, kept, frames, boxes, facts } = self;
        let without = |left_out: &[u32], all: u32| -> Vec<bool> {
            (0..all).map(|pick| left_out.binary_search(&pick).is_err()).collect()
        };
        let picks = dataset.len() as u32;
        let mut stays = without(&bad, picks);
        dataset.retain_lists(&stays);
        keep(&mut dataset.group_names, &stays);
        if !dataset.group_names.is_empty() {
            dataset.number_groups();
        }
        if !kept.is_empty() {
            let mut good = stays.iter().zip(0..picks).filter(|(stays, _)| **stays);
            stays = good.by_ref().map(|(_, pick)| kept.binary_search(&pick).is_ok()).collect();
            dataset.retain_lists(&stays);
        }
        if held.has_own_sizes() {
            let channels = dataset.channels;
            let frame = |[height, width]: [usize; 2]| Frame { height, width, channels };
            let frames: Vec<Option<Frame>> =
                frames.into_iter().map(|sides| sides.map(frame)).collect();
            held.place(frames.iter().copied());
            dataset.take_sizes(kept.iter().filter_map(|pick| frames[*pick as usize]).collect());
        }
        let bbox = |corners: [u64; 4]| {
            let [x_min, y_min, x_max, y_max] = corners.map(f64::from_bits);
            BBox { x_min, y_min, x_max, y_max, label: 0 }
        };
        dataset.boxes = boxes.into_iter().map(|corners| corners.map(bbox)).collect();
        (held.kept, dataset.skipped) = (kept, skipped);
        held.settle((0..dataset.len() as u32).map(|index| dataset.frame(index)));
        dataset.pixels = Pixels::Held(Box::new(held));
        dataset.facts = OnceLock::from(Ok(facts));
        dataset
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::data::{
        BoxPlan, Bundled, Columns, Duplicates, Group, MOST_PIXELS, Normalise, Sampling, Source,
        Subset,
    };

    fn plan(set: Bundled, size: usize, channels: usize) -> DataPlan {
        DataPlan {
            source: Source::Bundled(set),
            test: TestSet::Declared,
            validation: 0.1,
            fold: None,
            task: Default::default(),
            class_attributes: Default::default(),
            classes: Vec::new(),
            subset: Subset::All,
            image: Image { size: [size, size], channels },
            fit: Fit::Stretch,
            own_size: None,
            normalise: Normalise::Dataset,
            on_bad_image: OnBadImage::Error,
            max_pixels: MOST_PIXELS,
            boxes: BoxPlan::default(),
            columns: Columns::default(),
            group: Group::None,
            duplicates: Duplicates::Keep,
            sampling: Sampling::Shuffle,
        }
    }

    #[test]
    fn every_bundled_set_loads_and_survey_agrees() {
        for (name, set) in Bundled::NAMES {
            let plan = plan(set, 32, 3);
            let dataset = load(&plan).unwrap();
            let facts = crate::data::survey(&plan).unwrap();
            assert_eq!((facts.images, facts.declared_test), (dataset.len(), 0), "{name}");
            assert_eq!(facts.classes, dataset.classes(), "{name}");
            assert_eq!(dataset.memory() as usize, dataset.len() * 32 * 32 * 3, "{name}");
            assert!(dataset.skipped().is_empty() && dataset.origin() == name);
        }
    }

    #[test]
    fn images_of_the_declared_size_keep_their_bytes() {
        let dataset = load(&plan(Bundled::Digits, 8, 1)).unwrap();
        assert_eq!(dataset.image(0).unwrap()[..6], [0, 0, 80, 207, 143, 16]);
        let colour = load(&plan(Bundled::Digits, 8, 3)).unwrap();
        assert_eq!(colour.image(0).unwrap()[6..12], [80, 80, 80, 207, 207, 207]);
    }

    #[test]
    fn the_number_of_threads_does_not_change_the_data() {
        let plan = plan(Bundled::Openclipart9, 20, 3);
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| load(&plan)).unwrap()
        };
        let (one, three) = (on(1), on(3));
        assert_eq!(one.fingerprint(), three.fingerprint());
        assert_eq!(one.names, three.names);
        assert_eq!(one.sums(), three.sums());
    }

    #[test]
    fn sums_are_those_of_the_pixels() {
        let dataset = load(&plan(Bundled::Openclipart9, 16, 3)).unwrap();
        let image = dataset.image(5).unwrap();
        for channel in 0..3 {
            let values = image.iter().skip(channel).step_by(3).map(|value| u64::from(*value));
            let expected: [u64; 2] =
                [values.clone().sum(), values.map(|value| value * value).sum()];
            assert_eq!(dataset.sums().unwrap()[5 * 3 + channel], expected);
        }
    }
}
