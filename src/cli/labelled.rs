//! The labelled images that a trained network is evaluated on. A checkpoint knows which images its trial has
//! learnt from: these are looked at only where they are asked for, and then it is said.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::basis::number::number;
use crate::config::data::Data;
use crate::config::layering::preset;
use crate::data::{Cache, Dataset, Part as Declared, split};
use crate::document::{KeyPath, read};
use crate::plan::Plan;
use crate::plan::data::{
    DataPlan, Duplicates, Group, Normalise, OnBadImage, Sampling, Source, Subset, TestSet,
    data_plan,
};
use crate::sweep::store::TrialStore;
use crate::train::card::{Card, without_folders};

use super::arguments::Part;
use super::error::{Error, Result};
use super::trained::{Ready, wrong};

/// Which labelled images are asked for.
pub(super) struct Asked<'a> {
    /// Where they are; none for those of the network's trial.
    pub(super) data: Option<&'a str>,
    /// Which of these.
    pub(super) part: Option<Part>,
    /// Of the trial's own images, what is looked at if no part is named: the first one that has images.
    pub(super) preferred: [Part; 2],
    /// The most pixels that a file may have, if it was said.
    pub(super) max_pixels: Option<u64>,
}

/// Images of a data set, chosen by their use.
pub(super) struct Labelled {
    pub(super) dataset: Arc<Dataset>,
    /// Ascending indices.
    pub(super) images: Vec<u32>,
    pub(super) part: Part,
    /// Which ones these are, to stand behind the name of the data set.
    pub(super) which: String,
}

impl Labelled {
    /// What `asked` names, for the network that is `ready`.
    pub(super) fn of(asked: &Asked, ready: &Ready, cache: &Cache) -> Result<Labelled> {
        let card = &ready.card;
        let load = |plan: &DataPlan| cache.get(plan).map_err(Error::wrong);
        let beside = ready.checkpoint.as_deref().and_then(|checkpoint| beside(checkpoint, card));
        // The trial's own plan may allow larger files than a card.
        let beside = beside.map(|plan| DataPlan {
            max_pixels: asked.max_pixels.unwrap_or(plan.max_pixels),
            ..plan
        });
        let Some(text) = asked.data else {
            let plan = own(card, beside)?;
            let dataset = load(&plan)?;
            if dataset.fingerprint().map_err(Error::wrong)? != card.images {
                return Err(Error::wrong(format!(
                    "the images of {} have changed since the network was trained and tested on them\n\
                     --data SOURCE evaluates it on them anyway",
                    dataset.origin()
                )));
            }
            return own_part(dataset, &plan, card, asked);
        };
        let source = source(text)?;
        let plans = [
            beside.clone().filter(|plan| is_same(&plan.source, &source)),
            card.data.clone().filter(|data| !matches!(data.test, TestSet::Source(_))).map(|data| {
                DataPlan { source: source.clone(), max_pixels: ready.max_pixels, ..data }
            }),
        ];
        for plan in plans.into_iter().flatten() {
            // Where it does not come to a data set of the same classes and parts, it is another one.
            let Ok(dataset) = cache.get(&plan) else { continue };
            if dataset.fingerprint().is_ok_and(|fingerprint| fingerprint == card.images) {
                return own_part(dataset, &plan, card, asked);
            }
        }
        let plan = foreign(source, ready);
        let dataset = load(&plan)?;
        let related = beside.filter(|own| is_related(&own.source, &plan.source));
        let taught = related.and_then(|own| taught(&own, card, cache));
        foreign_part(dataset, asked.part, taught.as_ref())
    }
}

/// What the plan says of images that lies beside the `checkpoint`, if that is the plan of `card`.
fn beside(checkpoint: &Path, card: &Card) -> Option<DataPlan> {
    let Plan { seed, data, .. } = TrialStore::at(checkpoint.parent()?.to_owned()).plan().ok()?;
    (seed == card.seed && card.data == Some(without_folders(&data))).then(|| DataPlan::clone(&data))
}

/// The trial's own images.
fn own(card: &Card, beside: Option<DataPlan>) -> Result<DataPlan> {
    let is_bundled = |data: &DataPlan| {
        let test = match &data.test {
            TestSet::Source(source) => source.path().is_none(),
            TestSet::Declared | TestSet::Part(_) => true,
        };
        data.source.path().is_none() && test
    };
    beside.or_else(|| card.data.clone().filter(is_bundled)).ok_or_else(|| {
        let why = match &card.data {
            None => "these weights do not say which images they were trained on",
            Some(_) => "no plan.toml beside the checkpoint says where the images of its trial are",
        };
        Error::wrong(format!(
            "{why}\nname them: --data SOURCE, such as --data '{{ folder = \"photos\" }}'"
        ))
    })
}

/// The data source that was written on the command line.
fn source(text: &str) -> Result<Source> {
    let sets = [format!("data.source={text}"), "data.validation=0".to_owned()];
    // Any preset will do: only the data is looked at.
    let root = preset("plain", &sets).map_err(wrong)?;
    let at = KeyPath::root().key("data");
    let data: Data = root
        .at(&at)
        .ok_or_else(|| Error::wrong("no data"))
        .and_then(|node| read(node, &at).map_err(|problem| wrong(problem.locate(&root).into())))?;
    Ok(data_plan(&data, None, &|path| path.path.clone()).source)
}

/// How images of `source` are loaded that no trial of the network has had.
fn foreign(source: Source, ready: &Ready) -> DataPlan {
    let card = &ready.card;
    // Whether a network looks at boxes or at whole images it has learnt.
    let boxes = card.data.as_ref().filter(|_| source.has_boxes()).map(|data| data.boxes);
    // A source of the kind that was learnt from calls its columns alike.
    let alike = card.data.as_ref().filter(|data| is_of_kind(&data.source, &source));
    let columns = alike.map(|data| data.columns.clone()).unwrap_or_default();
    DataPlan {
        source,
        test: TestSet::Declared,
        validation: 0.0,
        fold: None,
        task: card.task,
        class_attributes: card
            .data
            .as_ref()
            .map(|data| data.class_attributes.clone())
            .unwrap_or_default(),
        classes: Vec::new(),
        subset: Subset::All,
        image: card.image,
        fit: card.fit,
        own_size: card.own_size.clone(),
        normalise: Normalise::None,
        on_bad_image: OnBadImage::Error,
        max_pixels: ready.max_pixels,
        boxes: boxes.unwrap_or_default(),
        columns,
        group: Group::None,
        duplicates: Duplicates::Keep,
        sampling: Sampling::Shuffle,
    }
}

/// A part of the trial's own images.
fn own_part(
    dataset: Arc<Dataset>,
    plan: &DataPlan,
    card: &Card,
    asked: &Asked,
) -> Result<Labelled> {
    let split = split(&dataset, plan, card.seed).map_err(Error::wrong)?;
    let taught = number(split.train.len() as u64);
    let has_images = |part: &Part| match part {
        Part::Test => !split.test.is_empty(),
        Part::Validation => !split.validation.is_empty(),
        Part::Train | Part::All => true,
    };
    let part = asked.part.or_else(|| asked.preferred.into_iter().find(has_images));
    let part = part.ok_or_else(|| {
        Error::wrong(
            "the trial has no validation and no test images\n\
             --part train uses its training images, --data SOURCE other images",
        )
    })?;
    let (images, which) = match part {
        Part::Test => (split.test, "its own test images".to_owned()),
        Part::Validation => {
            let which = "its own validation images, by which its best epoch was chosen";
            (split.validation, which.to_owned())
        }
        Part::Train => (split.train, "its training images".to_owned()),
        Part::All => {
            let all = (0..dataset.len() as u32).collect();
            (all, format!("all of them, including {taught} training images"))
        }
    };
    if images.is_empty() {
        return Err(Error::wrong("the trial has no such images: try another --part"));
    }
    Ok(Labelled { dataset, images, part, which: format!(": {which}") })
}

/// A part of other images; those with hashes among `taught` the network has learnt from.
fn foreign_part(
    dataset: Arc<Dataset>,
    part: Option<Part>,
    taught: Option<&BTreeSet<[u8; 32]>>,
) -> Result<Labelled> {
    let has_test = dataset.parts().contains(&Declared::Test);
    let part = part.unwrap_or(if has_test { Part::Test } else { Part::All });
    let is_wanted = |index: &u32| match (part, dataset.parts()[*index as usize]) {
        (Part::All, _) => true,
        (Part::Test, declared) => declared == Declared::Test,
        (Part::Validation, declared) => declared == Declared::Validation,
        (Part::Train, declared) => !matches!(declared, Declared::Test | Declared::Validation),
    };
    let images: Vec<u32> = (0..dataset.len() as u32).filter(is_wanted).collect();
    if images.is_empty() {
        let origin = dataset.origin();
        return Err(Error::wrong(format!("{origin} has no such images: try --part all")));
    }
    let is_known = |index: &&u32| {
        hash(&dataset, **index)
            .is_some_and(|hash| taught.is_some_and(|taught| taught.contains(&hash)))
    };
    let which = match images.iter().filter(is_known).count() {
        0 => String::new(),
        known => format!(": {} of them are training images", number(known as u64)),
    };
    Ok(Labelled { dataset, images, part, which })
}

/// The hashes of the images that the trial has learnt from; none if they are not there any more.
fn taught(plan: &DataPlan, card: &Card, cache: &Cache) -> Option<BTreeSet<[u8; 32]>> {
    let dataset = cache.get(plan).ok()?;
    let split = split(&dataset, plan, card.seed).ok()?;
    split.train.iter().map(|index| hash(&dataset, *index)).collect()
}

/// The hash of an image; none if it cannot be decoded any more.
fn hash(dataset: &Dataset, index: u32) -> Option<[u8; 32]> {
    Some(*blake3::hash(&dataset.image(index).ok()?).as_bytes())
}

/// The folder or file of a source as the system names it; of a pattern, as far as it names one folder.
fn place(source: &Source) -> Option<PathBuf> {
    let path = source.path()?;
    path.ancestors().find_map(|above| {
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        let rest = path.strip_prefix(above).unwrap_or(path);
        let place = above.canonicalize().ok()?;
        Some(if rest.as_os_str().is_empty() { place } else { place.join(rest) })
    })
}

fn is_of_kind(a: &Source, b: &Source) -> bool {
    a.with_path(&|_| ()) == b.with_path(&|_| ())
}

fn is_same(a: &Source, b: &Source) -> bool {
    a == b || (is_of_kind(a, b) && place(a).is_some() && place(a) == place(b))
}

/// Whether two sources may have files in common.
fn is_related(a: &Source, b: &Source) -> bool {
    let folder = |source: &Source| {
        let place = place(source)?;
        place.ancestors().find(|above| above.is_dir()).map(Path::to_owned)
    };
    match (folder(a), folder(b)) {
        (Some(a), Some(b)) => a.starts_with(&b) || b.starts_with(&a),
        _ => false,
    }
}
