//! Decodes every image of a source once, in parallel.

use std::borrow::Cow;
use std::path::Path;

use fast_image_resize::Resizer;
use rayon::prelude::*;

use super::dataset::{Dataset, Part};
use super::decode::{Picture, check_size, decode, decode_file};
use super::duplicates::Copies;
use super::error::{BadImage, Error};
use super::fit::{fit, fit_box};
use super::leaks::looks;
use super::listing::{Block, Images, Listing, OUTSIDE, check_taught, relabel};
use super::own_size::arrive;
use super::source::list_classes;
use super::survey::check_test;
use crate::augment::{self, BBox};
use crate::plan::data::{DataPlan, Fit, Image, OnBadImage, OwnSize, TestSet};

/// Reads, decodes and resizes all images that `plan` names; the split is made later, by each trial.
///
/// With `test` from another source, that source's images come after the others and are declared for
/// testing; its own declared test part is used if it has one, else all of it. What the training
/// source declares for testing is then set aside, so that nobody trains on it by accident; so it is
/// where nothing is to be tested on.
///
/// Images are in the order of the listing, whatever the number of threads.
pub fn load(plan: &DataPlan) -> Result<Dataset, Error> {
    let main = list_classes(&plan.source, plan)?;
    main.check()?;
    let declared = main.picks(|part| part == Part::Test).len();
    check_test(plan, declared)?;
    let kept = main.picks(|part| part != Part::Test);
    let source = match &plan.test {
        TestSet::Source(source) => source,
        // Nothing is to be tested on.
        TestSet::Part(0.0) => {
            return Assembly::new(&main, plan, kept.len(), declared)?
                .add(&main, &kept, plan)?
                .finish(plan);
        }
        TestSet::Declared | TestSet::Part(_) => {
            let all = main.picks(|_| true);
            return Assembly::new(&main, plan, all.len(), 0)?.add(&main, &all, plan)?.finish(plan);
        }
    };
    let mut test = list_classes(source, plan)?;
    let places = relabel((&main.origin, &main.classes), (&test.origin, &test.classes))?;
    for label in test.labels.iter_mut().filter(|label| **label != OUTSIDE) {
        *label = places[*label as usize];
    }
    let has_part = test.parts.contains(&Part::Test);
    let tested = test.picks(|part| !has_part || part == Part::Test);
    test.parts.fill(Part::Test);
    Assembly::new(&main, plan, kept.len() + tested.len(), declared)?
        .add(&main, &kept, plan)?
        .add(&test, &tested, plan)?
        .finish(plan)
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
    /// Notes what the listing says of the image whose pixels were added last.
    fn note(&mut self, listing: &Listing, pick: usize, bbox: Option<BBox>) {
        self.labels.push(listing.labels[pick]);
        self.parts.push(listing.parts[pick]);
        self.names.push(listing.names[pick].clone());
        self.boxes.push(bbox);
        if let Some(name) = listing.groups.get(pick) {
            self.group_names.push(name.clone());
        }
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
}

impl Listing {
    /// The image's file, as messages name it.
    fn file(&self, index: usize) -> String {
        match &self.images {
            Images::Files(files) => files[index].path.display().to_string(),
            Images::Encoded(_) | Images::Blocks(_) => {
                format!("{} {}", self.origin, self.names[index])
            }
        }
    }
}

/// A data set to which listings are added one after the other.
struct Assembly {
    dataset: Dataset,
    bad: Vec<BadImage>,
    seen: usize,
}

impl Assembly {
    /// Makes room for `count` images of the classes of `main`.
    fn new(main: &Listing, plan: &DataPlan, count: usize, set_aside: usize) -> Result<Self, Error> {
        let Image { size: [height, width], channels } = plan.image;
        let mut pixels = Vec::new();
        // What images of their own sizes take is known when they are decoded.
        let bytes = if plan.own_size.is_some() { 0 } else { height * width * channels };
        let room =
            bytes.checked_mul(count).is_some_and(|bytes| pixels.try_reserve_exact(bytes).is_ok());
        if !room {
            return Err(Error::TooLarge { images: count, height, width, channels });
        }
        let dataset = Dataset {
            origin: main.origin.clone(),
            classes: main.classes.clone(),
            height,
            width,
            channels,
            pixels,
            own: Vec::new(),
            labels: Vec::with_capacity(count),
            parts: Vec::with_capacity(count),
            names: Vec::with_capacity(count),
            boxes: Vec::new(),
            groups: Vec::new(),
            group_names: Vec::new(),
            skipped: Vec::new(),
            copies: Copies::default(),
            looks: Vec::new(),
            set_aside,
            sums: Vec::new(),
            fingerprint: String::new(),
        };
        Ok(Assembly { dataset, bad: Vec::new(), seen: 0 })
    }

    /// Decodes the picked images of a listing; those that are bad leave no trace but their name.
    fn add(mut self, listing: &Listing, picks: &[usize], plan: &DataPlan) -> Result<Self, Error> {
        let pixels = Pixels::open(&listing.images)?;
        if let Some(how) = &plan.own_size {
            return self.add_own_sizes(listing, picks, &pixels, how, plan);
        }
        let dataset = &mut self.dataset;
        let bytes = dataset.height * dataset.width * dataset.channels;
        let mut end = dataset.pixels.len();
        dataset.pixels.resize(end + picks.len() * bytes, 0);
        let decoded: Vec<Result<Option<BBox>, String>> = dataset.pixels[end..]
            .par_chunks_exact_mut(bytes)
            .zip(picks)
            .map_init(Resizer::new, |resizer, (out, pick)| {
                let (picture, bbox) = pixels.picture(*pick, plan)?;
                let size = [picture.height, picture.width];
                fit(picture, &plan.image, &plan.fit, resizer, out);
                Ok(bbox.and_then(|bbox| fit_box(&bbox, size, &plan.image, &plan.fit)))
            })
            .collect();
        for (place, (pick, decoded)) in picks.iter().zip(decoded).enumerate() {
            let bbox = match decoded {
                Ok(bbox) => bbox,
                Err(reason) => {
                    self.bad.push(BadImage { file: listing.file(*pick), reason });
                    continue;
                }
            };
            let from = dataset.pixels.len() - (picks.len() - place) * bytes;
            if from != end {
                dataset.pixels.copy_within(from..from + bytes, end);
            }
            end += bytes;
            dataset.note(listing, *pick, bbox);
        }
        dataset.pixels.truncate(end);
        self.seen += picks.len();
        Ok(self)
    }

    /// As [`add`](Self::add), for images that keep their own sizes.
    fn add_own_sizes(
        mut self,
        listing: &Listing,
        picks: &[usize],
        pixels: &Pixels,
        how: &OwnSize,
        plan: &DataPlan,
    ) -> Result<Self, Error> {
        let decoded: Vec<_> = picks
            .par_iter()
            .map(|pick| {
                let (picture, bbox) = pixels.picture(*pick, plan)?;
                arrive(picture, bbox, plan.image.channels, how)
            })
            .collect();
        let dataset = &mut self.dataset;
        for (pick, decoded) in picks.iter().zip(decoded) {
            let (image, bbox) = match decoded {
                Ok(arrived) => arrived,
                Err(reason) => {
                    self.bad.push(BadImage { file: listing.file(*pick), reason });
                    continue;
                }
            };
            if dataset.pixels.try_reserve(image.pixels().len()).is_err() {
                return Err(Error::TooManyPixels { images: picks.len() });
            }
            dataset.own.push((dataset.pixels.len(), image.frame()));
            dataset.pixels.extend_from_slice(image.pixels());
            dataset.note(listing, *pick, bbox);
        }
        self.seen += picks.len();
        Ok(self)
    }

    /// Decides about the bad images, and computes what follows from the good ones.
    fn finish(self, plan: &DataPlan) -> Result<Dataset, Error> {
        let Assembly { mut dataset, bad, seen } = self;
        if !bad.is_empty() {
            if plan.on_bad_image == OnBadImage::Error {
                return Err(Error::bad_images(&dataset.origin, seen, bad));
            }
            let way_out = "all of its images were left out because they cannot be read";
            let Dataset { origin, classes, labels, parts, .. } = &dataset;
            check_taught(origin, classes, labels, parts, way_out)?;
        }
        if dataset.boxes.iter().all(Option::is_none) {
            dataset.boxes.clear();
        }
        // Where all have one size, it is that of the data set.
        if let Some((_, first)) = dataset.own.first().copied()
            && dataset.own.iter().all(|(_, frame)| *frame == first)
        {
            (dataset.height, dataset.width) = (first.height, first.width);
            dataset.own.clear();
        } else if !dataset.own.is_empty() {
            (dataset.height, dataset.width) = (0, 0);
        }
        dataset.skipped = bad;
        if !dataset.group_names.is_empty() {
            dataset.number_groups();
        }
        dataset.settle_copies(plan.duplicates)?;
        let way_out =
            "all of its images are copies of others with contradicting labels, which were left out";
        let Dataset { origin, classes, labels, parts, .. } = &dataset;
        check_taught(origin, classes, labels, parts, way_out)?;
        if plan.duplicates.look_at_splits() {
            dataset.looks = looks(&dataset);
        }
        dataset.sums = sums(&dataset);
        dataset.fingerprint = dataset.hash();
        Ok(dataset)
    }
}

/// The sums of each image's values and squares, by channel. They are integers, so that the order of
/// summation does not matter.
fn sums(dataset: &Dataset) -> Vec<[u64; 2]> {
    let channels = dataset.channels;
    let of_image = |image: &[u8]| {
        let mut sums = [[0_u64; 2]; 3];
        // 65,536 pixels of 255² fit 32 bits, in which the compiler can work on many at a time.
        for block in image.chunks((1 << 16) * channels) {
            let mut block_sums = [[0_u32; 2]; 3];
            for pixel in block.chunks_exact(channels) {
                for (sums, value) in block_sums.iter_mut().zip(pixel) {
                    sums[0] += u32::from(*value);
                    sums[1] += u32::from(*value) * u32::from(*value);
                }
            }
            for (sums, block) in sums.iter_mut().zip(block_sums) {
                sums[0] += u64::from(block[0]);
                sums[1] += u64::from(block[1]);
            }
        }
        sums
    };
    let images = (0..dataset.len() as u32).into_par_iter().map(|index| dataset.image(index));
    let images: Vec<[[u64; 2]; 3]> = images.map(of_image).collect();
    images.iter().flat_map(|sums| &sums[..channels]).copied().collect()
}

/// The pixels of a listing, opened for random access.
enum Pixels<'a> {
    /// Decoded one by one.
    Encoded(&'a Images),
    /// Read already, block by block, each with the index of its first image.
    Read(Vec<(usize, &'a Block, Cow<'static, [u8]>)>),
}

impl<'a> Pixels<'a> {
    fn open(images: &'a Images) -> Result<Self, Error> {
        let Images::Blocks(blocks) = images else { return Ok(Pixels::Encoded(images)) };
        let mut read = Vec::new();
        let mut first = 0;
        for block in blocks {
            read.push((first, block, (block.read)()?));
            first += block.count;
        }
        Ok(Pixels::Read(read))
    }

    /// The picture, or what its box holds, and the box that goes along with it.
    fn picture(
        &self,
        index: usize,
        plan: &DataPlan,
    ) -> Result<(Picture<'_>, Option<BBox>), String> {
        let picture = match self {
            Pixels::Encoded(Images::Files(files)) => {
                let picture = decode_file(&files[index].path, plan.max_pixels)?;
                let bbox = files[index].bbox.map(|bbox| picture.bbox(bbox)).transpose()?;
                return Ok(match bbox {
                    Some(bbox) if plan.boxes.crop => (picture.crop(&bbox), None),
                    bbox => (picture, bbox),
                });
            }
            Pixels::Encoded(Images::Encoded(files)) => decode(files[index], plan.max_pixels),
            Pixels::Encoded(Images::Blocks(_)) => Err("pixels that were not read".to_owned()),
            Pixels::Read(blocks) => {
                let after = blocks.partition_point(|(first, ..)| *first <= index);
                let (first, block, pixels) = &blocks[after - 1];
                let Block { height, width, channels, .. } = **block;
                let bytes = height * width * channels;
                let image = &pixels[(index - first) * bytes..][..bytes];
                Ok(Picture { height, width, channels, pixels: Cow::Borrowed(image) })
            }
        };
        picture.map(|picture| (picture, None))
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
            assert_eq!(dataset.pixels.len(), dataset.len() * 32 * 32 * 3, "{name}");
            assert!(dataset.skipped().is_empty() && dataset.origin() == name);
        }
    }

    #[test]
    fn images_of_the_declared_size_keep_their_bytes() {
        let dataset = load(&plan(Bundled::Digits, 8, 1)).unwrap();
        assert_eq!(dataset.image(0)[..6], [0, 0, 80, 207, 143, 16]);
        let colour = load(&plan(Bundled::Digits, 8, 3)).unwrap();
        assert_eq!(colour.image(0)[6..12], [80, 80, 80, 207, 207, 207]);
    }

    #[test]
    fn the_number_of_threads_does_not_change_the_data() {
        let plan = plan(Bundled::Openclipart9, 20, 3);
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| load(&plan)).unwrap()
        };
        assert_eq!(on(1), on(3));
    }

    #[test]
    fn sums_are_those_of_the_pixels() {
        let dataset = load(&plan(Bundled::Openclipart9, 16, 3)).unwrap();
        let image = dataset.image(5);
        for channel in 0..3 {
            let values = image.iter().skip(channel).step_by(3).map(|value| u64::from(*value));
            let expected: [u64; 2] =
                [values.clone().sum(), values.map(|value| value * value).sum()];
            assert_eq!(dataset.sums[5 * 3 + channel], expected);
        }
    }
}
