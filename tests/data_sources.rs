//! Every layout that images come in, made small by the tests, and what is said about broken ones.

mod cifar;
mod cifar_python;
mod folders;
mod groups;
mod idx;
mod npz;
mod parquet;
mod tables;
mod tar;

use std::fs;
use std::path::Path;

use candlewick::data::{Part, load, survey};
use candlewick::plan::data::{
    BoxPlan, Columns, DataPlan, Duplicates, Fit, Group, Image, MOST_PIXELS, Normalise, OnBadImage,
    Sampling, Source, Subset, TestSet,
};
use image::Rgb;

pub(super) fn plan(source: Source) -> DataPlan {
    DataPlan {
        source,
        test: TestSet::Declared,
        validation: 0.0,
        fold: None,
        task: Default::default(),
        class_attributes: Default::default(),
        classes: Vec::new(),
        subset: Subset::All,
        image: Image { size: [2, 2], channels: 3 },
        fit: Fit::Stretch,
        own_size: None,
        normalise: Normalise::None,
        on_bad_image: OnBadImage::Error,
        max_pixels: MOST_PIXELS,
        boxes: BoxPlan::default(),
        columns: Columns::default(),
        group: Group::None,
        duplicates: Duplicates::Keep,
        sampling: Sampling::Shuffle,
    }
}

pub(super) fn folder(path: &Path) -> DataPlan {
    plan(Source::Folder(path.to_owned()))
}

/// Writes images that are all of one colour, making the folders on the way.
fn images(root: &Path, paths: &[impl AsRef<Path>]) {
    for path in paths {
        let path = root.join(path.as_ref());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        image::RgbImage::from_pixel(2, 2, Rgb([9, 8, 7])).save(path).unwrap();
    }
}

/// What survey and load say, which is the same, with the folder's name made short.
fn complaint(plan: &DataPlan, root: &Path) -> String {
    let survey = survey(plan).unwrap_err();
    assert_eq!(survey, load(plan).unwrap_err());
    survey.to_string().replace(&root.display().to_string(), "DATA")
}

fn counts(plan: &DataPlan) -> (usize, usize, usize) {
    let (facts, dataset) = (survey(plan).unwrap(), load(plan).unwrap());
    let of = |part| dataset.parts().iter().filter(|other| **other == part).count();
    let counts = (facts.images, facts.declared_validation, facts.declared_test);
    assert_eq!(counts, (dataset.len(), of(Part::Validation), of(Part::Test)));
    assert_eq!(facts.classes, dataset.classes());
    counts
}

/// Flips bits of every byte of `file`, and cuts it off at every byte. Whether it can still be read
/// does not matter: that reading returns does.
fn survive_damage(file: &Path, plan: &DataPlan) {
    survive_damage_at_every(1, file, plan);
}

/// The same for every `step`th byte of a longer file.
fn survive_damage_at_every(step: usize, file: &Path, plan: &DataPlan) {
    let whole = fs::read(file).unwrap();
    for place in (0..whole.len()).step_by(step) {
        for damage in [whole[place] ^ 0x01, whole[place] ^ 0x80, 0xff] {
            let mut damaged = whole.clone();
            damaged[place] = damage;
            fs::write(file, &damaged).unwrap();
            let _ = (survey(plan), load(plan));
        }
        fs::write(file, &whole[..place]).unwrap();
        let _ = (survey(plan), load(plan));
    }
    fs::write(file, &whole).unwrap();
}
