//! Images that belong together by what their paths say.

use std::collections::BTreeSet;

use candlewick::data::{Split, load, split, survey};
use candlewick::plan::data::{DataPlan, Group, Pattern, Source, TestSet};
use tempfile::TempDir;

use super::{folder, images};

fn by_name(pattern: &str) -> Group {
    Group::Name(Pattern(pattern.to_owned()))
}

/// Four images of each of twelve patients, half of them sick.
fn patients(root: &TempDir, path: impl Fn(&str, usize, usize) -> String) {
    let paths: Vec<String> = (0..48)
        .map(|index| {
            let class = if index / 2 % 2 == 0 { "sick" } else { "well" };
            path(class, index / 4, index)
        })
        .collect();
    images(root.path(), &paths);
}

#[test]
fn patients_with_images_in_several_classes_stay_together() {
    type Path = fn(&str, usize, usize) -> String;
    let cases: [(Group, Path, &str); 2] = [
        (Group::FolderPrefix(1), |class, p, i| format!("{class}/p{p}/scan/{i}.png"), "/p"),
        (by_name("/(p[0-9]+)_"), |class, p, i| format!("{class}/p{p}_{i}.png"), "/p"),
    ];
    for (group, path, mark) in cases {
        let root = TempDir::new().unwrap();
        patients(&root, path);
        let plan =
            DataPlan { group, test: TestSet::Part(0.25), validation: 0.25, ..folder(root.path()) };
        let dataset = load(&plan).unwrap();
        let patients = |images: &[u32]| {
            let name = |image: &u32| dataset.names()[*image as usize].split(mark).nth(1).unwrap();
            let patient = |name: &str| name.split(['/', '_']).next().unwrap().to_owned();
            images.iter().map(|image| patient(name(image))).collect::<BTreeSet<String>>()
        };
        for seed in 0..5 {
            let Split { train, validation, test } = split(&dataset, &plan, seed).unwrap();
            let [train, validation, test] = [train, validation, test].map(|part| patients(&part));
            assert_eq!([train.len(), validation.len(), test.len()], [7, 2, 3], "{:?}", plan.group);
            assert!(train.is_disjoint(&validation) && train.is_disjoint(&test));
            assert!(validation.is_disjoint(&test));
        }
    }
}

#[test]
fn an_image_without_a_group_is_named() {
    let root = TempDir::new().unwrap();
    patients(&root, |class, p, i| match i {
        5 => format!("{class}/stray.png"),
        _ => format!("{class}/p{p}/{i}.png"),
    });
    let told = |group: Group| {
        let error = survey(&DataPlan { group, ..folder(root.path()) }).unwrap_err().to_string();
        error.replace(&root.path().display().to_string(), "DATA")
    };
    assert_eq!(
        told(Group::FolderPrefix(1)),
        "DATA: 1 of its images are in no group, as their paths have fewer folders inside of the class's: \
         `sick/stray.png`"
    );
    let error = told(by_name("/(p1.)/"));
    assert!(
        error.starts_with("DATA: 40 of its images are in no group, as \"/(p1.)/\" is"),
        "{error}"
    );
    assert!(error.ends_with("and 30 more"), "{error}");
}

#[test]
fn a_test_set_that_shares_a_group_with_training_is_told_before_anything_is_decoded() {
    let root = TempDir::new().unwrap();
    patients(&root, |class, p, i| {
        // Patients 3 and 4 are on both sides.
        let part =
            if i % 2 == 0 && p == 3 || p == 4 && i % 4 == 0 || p > 9 { "test" } else { "train" };
        format!("{part}/{class}/p{p}/{i}.png")
    });
    let plan = DataPlan { group: Group::FolderPrefix(1), ..folder(root.path()) };
    let words = "has images for training and for test; images of a group must be on one side";
    for error in [survey(&plan).unwrap_err(), split(&load(&plan).unwrap(), &plan, 1).unwrap_err()] {
        let error = error.to_string();
        assert!(error.contains("the group `p3` of") && error.contains(", and 1 more,"), "{error}");
        assert!(error.contains(words), "{error}");
    }
    // Nobody is tested on what is left out.
    assert!(survey(&DataPlan { test: TestSet::Part(0.0), ..plan.clone() }).is_ok());
    // The same from two sources.
    let [train, test] = ["train", "test"].map(|part| Source::Folder(root.path().join(part)));
    let apart = DataPlan { source: train, test: TestSet::Source(test), ..plan };
    let error = survey(&apart).unwrap_err().to_string();
    assert!(error.contains("the group `p3`") && error.contains(words), "{error}");
}

#[test]
fn sources_of_one_experiment_are_grouped_in_one_way() {
    let root = TempDir::new().unwrap();
    patients(&root, |class, p, i| format!("{class}/p{p}/{i}.png"));
    let digits = Source::Bundled(candlewick::plan::data::Bundled::Digits);
    let plan = DataPlan {
        test: TestSet::Source(digits),
        group: Group::FolderPrefix(1),
        ..folder(root.path())
    };
    for error in [survey(&plan).unwrap_err(), load(&plan).unwrap_err()] {
        let error = error.to_string();
        assert!(error.starts_with("digits: its images have no groups"), "{error}");
    }
    // Rows of a Parquet file have numbers and no names.
    let rows = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data_sources/parquet/numbers.parquet");
    let plan =
        DataPlan { test: TestSet::Source(Source::Parquet(rows)), group: by_name("(.)"), ..plan };
    let error = survey(&plan).unwrap_err().to_string();
    assert!(error.contains("numbers.parquet: its images have no groups"), "{error}");
}
