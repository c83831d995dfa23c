//! Copies of images: found where they were planted, and kept out of training.

use std::fs;
use std::path::Path;

use candlewick::data::{Split, leaks, load, split};
use candlewick::looks::Likeness;
use candlewick::plan::data::{Bundled, DataPlan, Duplicates, Image, Source, Subset, TestSet};
use image::RgbImage;
use image::imageops::{FilterType, flip_horizontal, resize};
use tempfile::TempDir;

use crate::bench::Bench;
use crate::data_sources::folder;

/// The bundled drawings as files, those of each class in a folder of `root`; their names.
fn drawings(root: &Path) -> Vec<(String, RgbImage)> {
    let plan = DataPlan {
        source: Source::Bundled(Bundled::Openclipart9),
        image: Image { size: [96, 96], channels: 3 },
        ..folder(root)
    };
    let dataset = load(&plan).unwrap();
    (0..dataset.len() as u32)
        .map(|index| {
            let image =
                RgbImage::from_raw(96, 96, dataset.image(index).unwrap().into_owned()).unwrap();
            let class = &dataset.classes()[dataset.label(index) as usize];
            (format!("{class}/{index}"), image)
        })
        .collect()
}

fn save(path: &Path, image: &RgbImage) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.save(path).unwrap();
}

fn save_jpeg(path: &Path, image: &RgbImage) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = fs::File::create(path).unwrap();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut file, 50);
    image.write_with_encoder(encoder).unwrap();
}

/// Drawings to learn from, and of every second one a planted copy to test on: as it is, as JPEG of quality 50,
/// mirrored, or smaller; the other half of the test set are drawings that nothing was planted of.
fn planted(root: &Path) -> usize {
    let mut copies = 0;
    for (number, (name, image)) in drawings(root).iter().enumerate() {
        let path = |part: &str, ending: &str| root.join(part).join(format!("{name}.{ending}"));
        if number % 4 == 3 {
            save(&path("test", "png"), image);
            continue;
        }
        save(&path("train", "png"), image);
        if number % 2 == 1 {
            continue;
        }
        copies += 1;
        match number / 2 % 4 {
            0 => save(&path("test", "png"), image),
            1 => save_jpeg(&path("test", "jpg"), image),
            2 => save(&path("test", "png"), &flip_horizontal(image)),
            _ => save(&path("test", "png"), &resize(image, 72, 72, FilterType::Triangle)),
        }
    }
    copies
}

fn plan(root: &Path, duplicates: Duplicates) -> DataPlan {
    DataPlan { duplicates, image: Image { size: [64, 64], channels: 3 }, ..folder(root) }
}

#[test]
fn planted_copies_are_found_and_hardly_anything_else() {
    let root = TempDir::new().unwrap();
    let copies = planted(root.path());
    let plan = plan(root.path(), Duplicates::Keep);
    let dataset = load(&plan).unwrap();
    let found = leaks(&dataset, &split(&dataset, &plan, 1).unwrap()).unwrap();
    let tested = found.iter().find(|it| (it.what, it.of) == ("test images", "training images"));
    let pairs = &tested.unwrap().pairs;
    let number = |index: u32| {
        let name = &dataset.names()[index as usize];
        name.rsplit('/').next().unwrap().split('.').next().unwrap().parse::<usize>().unwrap()
    };
    let right = pairs.iter().filter(|pair| number(pair.image) == number(pair.of)).count();
    // The set itself has drawings that stand in it twice, so a copy may be found of the other one.
    let planted = pairs.iter().filter(|pair| number(pair.image) % 4 != 3).count();
    assert_eq!(copies, 276);
    let (recall, precision) = (planted as f64 / copies as f64, planted as f64 / pairs.len() as f64);
    assert!(recall >= 0.99, "{recall}: {planted} of {copies}");
    assert!(precision >= 0.98, "{precision}: {planted} of {}", pairs.len());
    // What was not planted has the pixels of another drawing: the set has copies of its own.
    let strange = pairs.iter().filter(|pair| number(pair.image) % 4 == 3);
    let strange = strange.filter(|pair| pair.likeness != Likeness::Exact).count();
    assert_eq!(strange, 0);
    assert!(right as f64 >= 0.97 * planted as f64, "{right} of {planted}");
    let kinds =
        |wanted: fn(&Likeness) -> bool| pairs.iter().filter(|pair| wanted(&pair.likeness)).count();
    assert!(kinds(|it| *it == Likeness::Exact) >= 69);
    assert!(kinds(|it| matches!(it, Likeness::Near { mirrored: true, .. })) >= 60);
}

#[test]
fn nothing_is_learnt_from_copies_of_what_is_tested_on() {
    let root = TempDir::new().unwrap();
    let copies = planted(root.path());
    let at = |duplicates| {
        let plan = plan(root.path(), duplicates);
        let dataset = load(&plan).unwrap();
        let split = split(&dataset, &plan, 1);
        (dataset, split)
    };
    let (kept, whole) = at(Duplicates::Keep);
    let (dataset, without) = at(Duplicates::DropFromTrain);
    let (whole, without) = (whole.unwrap(), without.unwrap());
    // The images are the same, and so are those that nothing is learnt from.
    assert_eq!(dataset.fingerprint(), kept.fingerprint());
    assert_eq!((&without.test, &without.validation), (&whole.test, &whole.validation));
    assert!(without.train.iter().all(|image| whole.train.contains(image)));
    let left_out = whole.train.len() - without.train.len();
    assert!((copies * 98 / 100..=copies * 102 / 100 + 8).contains(&left_out), "{left_out}");
    let found = leaks(&dataset, &without).unwrap();
    assert!(found.iter().all(|copied| copied.of != "training images"), "{found:?}");
    // Copies with the same pixels are refused before anything is split.
    assert!(load(&plan(root.path(), Duplicates::Error)).is_err());
}

/// Eight patterns in two classes; `near` is one to learn from and to test on, encoded again.
fn patterns(root: &Path, near: bool) {
    for number in 0..8_u32 {
        let class = if number < 4 { "a" } else { "b" };
        let image = RgbImage::from_fn(32, 32, |x, y| {
            let wave = (x * (number + 1) / 2) ^ (y * (9 - number) / 2);
            image::Rgb([(wave * 8 % 256) as u8, (x * 8) as u8, (y * number % 256) as u8])
        });
        save(&root.join("train").join(class).join(format!("{number}.png")), &image);
        if number % 4 == 3 {
            let image = if near { image } else { image::imageops::rotate90(&image) };
            save_jpeg(&root.join("test").join(class).join(format!("{number}.jpg")), &image);
        }
    }
}

#[test]
fn near_copies_on_both_sides_are_an_error_where_copies_are() {
    for near in [true, false] {
        let root = TempDir::new().unwrap();
        patterns(root.path(), near);
        let plan = plan(root.path(), Duplicates::Error);
        let found = split(&load(&plan).unwrap(), &plan, 1);
        if !near {
            assert_eq!(found.unwrap().train.len(), 8);
            continue;
        }
        let error = found.unwrap_err().to_string();
        assert!(error.contains("2 training images are copies of validation or test"), "{error}");
        assert!(error.contains("train/a/3.png is a near copy of test/a/3.jpg"), "{error}");
        assert!(error.contains("\"drop-from-train\" leaves them out"), "{error}");
    }
}

#[test]
fn a_class_of_which_all_is_left_out_is_an_error() {
    let root = TempDir::new().unwrap();
    patterns(root.path(), true);
    for number in 4..7 {
        fs::remove_file(root.path().join(format!("train/b/{number}.png"))).unwrap();
    }
    let plan = plan(root.path(), Duplicates::DropFromTrain);
    let error = split(&load(&plan).unwrap(), &plan, 1).unwrap_err().to_string();
    assert!(
        error.contains("has no training image of `b`; all that there are are copies"),
        "{error}"
    );
}

#[test]
fn copies_are_left_out_of_each_fold_and_before_a_subset_is_drawn() {
    let root = TempDir::new().unwrap();
    let plan = DataPlan {
        source: Source::Bundled(Bundled::Openclipart9),
        test: TestSet::Part(0.2),
        ..plan(root.path(), Duplicates::DropFromTrain)
    };
    let dataset = load(&plan).unwrap();
    let mut left_out = 0;
    for index in 0..3 {
        let fold = Some(candlewick::plan::data::Fold { index, of: 3 });
        let plan = DataPlan { fold, ..plan.clone() };
        let found = split(&dataset, &plan, 5).unwrap();
        let Split { train, validation, test } = &found;
        left_out += dataset.len() - train.len() - validation.len() - test.len();
        let leaks = leaks(&dataset, &found).unwrap();
        assert!(leaks.iter().all(|copied| copied.of != "training images"), "{leaks:?}");
    }
    assert!(left_out > 0, "the bundled drawings have copies");
    // Drawn first, a subset would lose images.
    let few = DataPlan { subset: Subset::PerClass(20), ..plan };
    let train = split(&dataset, &few, 5).unwrap().train;
    for class in 0..dataset.classes().len() as u32 {
        assert_eq!(train.iter().filter(|image| dataset.label(**image) == class).count(), 20);
    }
}

#[test]
fn check_counts_copies_and_names_them_and_a_report_shows_them() {
    let bench = Bench::new(
        r#"
name = "copied"
[data]
source = { folder = "patterns" }
image = { size = [16, 16], channels = 3 }
validation = 0
batch-size = 4
[model]
layers = ["flatten", { dense = "classes" }]
[train]
epochs = 1
best = "train_loss"
"#,
    );
    patterns(&bench.path().join("patterns"), true);
    let plain = bench.done(&["check", "experiment.toml"]);
    assert!(!plain.contains("copies"), "{plain}");
    let said = bench.done(&["check", "experiment.toml", "--data"]);
    assert!(said.contains("2 of 2 test images are copies of training images (near):"), "{said}");
    assert!(said.contains("  test/a/3.jpg is a near copy of train/a/3.png, "), "{said}");
    let dropping = ["--set", "data.duplicates=\"drop-from-train\""];
    let said = bench.done(&[&["check", "experiment.toml", "--data"][..], &dropping].concat());
    assert!(said.contains("no image is a copy of one in another part or class"), "{said}");
    let left_out = |trial: &str| {
        format!(
            "2 training images of {trial} are copies of validation or test images and were left out\n"
        )
    };
    assert!(said.contains(&left_out("this trial")), "{said}");
    let said =
        bench.done(&[&["run", "experiment.toml", "--results", "without"][..], &dropping].concat());
    assert!(said.contains(&left_out("trial 1")), "{said}");
    bench.done(&["run", "experiment.toml"]);
    let page = fs::read_to_string(bench.path().join("results/copied/report.html")).unwrap();
    assert!(page.contains("<section id=\"copies\">"), "no copies");
    assert!(page.contains("test/a/3.jpg and train/a/3.png"));
}
