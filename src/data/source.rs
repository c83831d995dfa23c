//! From a declared source to its listing.

use std::mem::discriminant;
use std::path::PathBuf;

use super::attributes::attribute;
use super::dataset::Part;
use super::error::Error;
use super::group::{apart, group};
use super::listing::{Images, Listing, check_taught};
use super::{bundled, cifar, folder, gtsrb, idx, manifest, npz, parquet, tar};
use crate::plan::data::{Bundled, Columns, DataPlan, Source, TestSet};

/// The images of `source` without their pixels, as `plan` says how to read it. `data.columns` holds for the source of the
/// plan and for a test source of the same kind. A test source of another kind has usual names, unless the source of the
/// plan has no columns at all.
fn list(source: &Source, plan: &DataPlan) -> Result<Listing, Error> {
    let is_meant =
        discriminant(source) == discriminant(&plan.source) || plan.source.columns().is_empty();
    let usual = (!is_meant).then(|| DataPlan { columns: Columns::default(), ..plan.clone() });
    let plan = usual.as_ref().unwrap_or(plan);
    if plan.task.is_multi_label() && !plan.has_attributes() && !source.has_several_labels() {
        return Err(Error::format(
            in_words(source),
            "gives one class to each image; several labels are read from tables, { csv = … }, and \
             data.class-attributes says which labels the images of a class have",
        ));
    }
    match source {
        Source::Bundled(set) => bundled::list(*set),
        Source::Folder(path) => {
            folder::list(path, !plan.group.is_none() || !plan.classes.is_empty())
        }
        Source::Idx(path) => idx::list(path),
        Source::Cifar10(path) => cifar::list(path, &cifar::CIFAR10, &plan.columns),
        Source::Cifar100(path) => cifar::list(path, &cifar::CIFAR100, &plan.columns),
        Source::Csv(path) => manifest::list(path, plan),
        Source::Gtsrb(path) => gtsrb::list(path, plan.boxes),
        Source::Tar(path) => tar::list(path, &plan.columns),
        Source::Npz(path) => npz::list(path, &plan.columns),
        Source::Parquet(path) => parquet::list(path, plan),
    }
}

/// The images of `source` that belong to the classes of `plan`.
pub(super) fn list_classes(source: &Source, plan: &DataPlan) -> Result<Listing, Error> {
    let mut listing = list(source, plan)?;
    if plan.has_attributes() {
        attribute(&mut listing, &plan.class_attributes, *source == plan.source)?;
    }
    if !plan.classes.is_empty() {
        listing = listing.only(&plan.classes)?;
    }
    group(&mut listing, source, &plan.group)?;
    Ok(listing)
}

/// The files from which the images of `source` that belong to the classes of `plan` are read, and their labels.
pub(super) fn files(source: &Source, plan: &DataPlan) -> Result<Vec<PathBuf>, Error> {
    match source {
        // Their records need not be read for that.
        Source::Cifar10(path) => cifar::paths(path, &cifar::CIFAR10),
        Source::Cifar100(path) => cifar::paths(path, &cifar::CIFAR100),
        Source::Tar(path) => tar::paths(path),
        Source::Parquet(path) => parquet::paths(path),
        Source::Bundled(_) => Ok(Vec::new()),
        other => {
            let listing = list_classes(other, plan)?;
            let mut files = listing.beside.clone();
            if let Images::Files(images) = &listing.images {
                let picks = listing.picks(|_| true).into_iter();
                files.extend(picks.map(|pick| images[pick].path.clone()));
            }
            Ok(files)
        }
    }
}

/// How many images the source of `plan` has, without reading more than that takes.
pub(super) fn count(plan: &DataPlan) -> Result<Counts, Error> {
    match &plan.source {
        Source::Cifar10(path) if plan.has_plain_classes() => {
            cifar::count(path, &cifar::CIFAR10, &plan.columns)
        }
        Source::Cifar100(path) if plan.has_plain_classes() => {
            cifar::count(path, &cifar::CIFAR100, &plan.columns)
        }
        other => {
            let mut listing = list_classes(other, plan)?;
            listing.check()?;
            let left_out = listing.check_files(plan.on_bad_image)?;
            let way_out = "all of its images were left out because they cannot be read";
            let Listing { origin, classes, labels, parts, .. } = &listing;
            check_taught(origin, classes, labels, parts, way_out)?;
            if plan.test == TestSet::Declared {
                let groups = |is_tested: bool| {
                    let picks = listing.picks(|part| (part == Part::Test) == is_tested);
                    picks.into_iter().filter_map(|pick| listing.groups.get(pick))
                };
                apart(origin, groups(false), groups(true))?;
            }
            Ok(Counts { left_out, ..Counts::of(listing) })
        }
    }
}

/// What a source holds, in numbers.
pub(super) struct Counts {
    pub(super) classes: Vec<String>,
    /// All images.
    pub(super) images: usize,
    /// Of these, the declared test part.
    pub(super) test: usize,
    /// Of these, the declared validation part.
    pub(super) validation: usize,
    /// Of each class, outside of the declared test part; empty where that is not known.
    pub(super) of_classes: Vec<usize>,
    /// Images that are left out, each with the reason.
    pub(super) left_out: Vec<String>,
}

impl Counts {
    /// What `listing` holds, of which nothing is left out.
    pub(super) fn of(listing: Listing) -> Counts {
        let of = |part: Part| listing.picks(|other| other == part).len();
        let (test, validation) = (of(Part::Test), of(Part::Validation));
        let images = listing.picks(|_| true).len();
        let mut of_classes = vec![0; listing.classes.len()];
        for pick in listing.picks(|part| part != Part::Test) {
            for label in listing.labels.of(pick) {
                of_classes[*label as usize] += 1;
            }
        }
        let classes = listing.classes;
        Counts { images, test, validation, classes, of_classes, left_out: Vec::new() }
    }
}

/// The source in words, as messages name it.
pub(super) fn in_words(source: &Source) -> String {
    match source {
        Source::Bundled(set) => name(*set).to_owned(),
        other => other.path().map_or_else(String::new, |path| path.display().to_string()),
    }
}

/// A bundled set's name in an experiment file.
pub(super) fn name(set: Bundled) -> &'static str {
    Bundled::NAMES
        .iter()
        .find_map(|(name, other)| (*other == set).then_some(*name))
        .expect("every bundled set has a name")
}
