//! Arrays of NumPy's as MedMNIST and Keras publish them; `npz/make.py` wrote those that are read here.

use std::fs;
use std::path::{Path, PathBuf};

use candlewick::data::{Inventory, Part, load};
use candlewick::plan::data::{Columns, DataPlan, Source};
use tempfile::TempDir;

use super::{complaint, counts, plan, survive_damage_at_every};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data_sources/npz")
}

fn made(name: &str) -> DataPlan {
    plan(Source::Npz(folder().join(name)))
}

/// The first value of each image.
fn firsts(plan: &DataPlan) -> Vec<u8> {
    let dataset = load(plan).unwrap();
    (0..dataset.len() as u32).map(|index| dataset.image(index).unwrap()[0]).collect()
}

#[test]
fn the_arrays_of_medmnist_are_three_declared_parts() {
    let mut plan = made("gray.npz");
    assert_eq!(counts(&plan), (7, 2, 1));
    plan.image.channels = 1;
    let dataset = load(&plan).unwrap();
    assert_eq!(
        (dataset.classes(), dataset.labels()),
        (&["0", "2"].map(String::from)[..], &[0, 1, 0, 1, 1, 0, 1][..])
    );
    assert_eq!(firsts(&plan), [0, 1, 2, 3, 10, 11, 20]);
    assert_eq!(*dataset.image(1).unwrap(), [1, 0, 0, 200]);
    assert_eq!((dataset.parts()[4], dataset.parts()[6]), (Part::Validation, Part::Test));
    let colour = load(&made("colour.npz")).unwrap();
    assert_eq!(*colour.image(2).unwrap(), [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 200]);
}

#[test]
fn the_arrays_of_keras_and_others_are_read_by_their_names() {
    let keras = made("keras.npz");
    assert_eq!(counts(&keras), (4, 0, 1));
    // In whatever order memory had them.
    assert_eq!(firsts(&keras), [0, 1, 2, 9]);
    assert_eq!(load(&keras).unwrap().image(1).unwrap()[..3], [1, 1, 1]);
    let name = |name: &str| Some(name.to_owned());
    let columns = Columns { image: name("pictures"), label: name("kinds"), ..Columns::default() };
    let other = DataPlan { columns, ..made("other-names.npz") };
    assert_eq!(counts(&other), (2, 0, 0));
    let root = TempDir::new().unwrap();
    let path = root.path().join("x.npz");
    fs::copy(folder().join("gray.npz"), &path).unwrap();
    fs::write(root.path().join("classes.txt"), "healthy\n\nill\n").unwrap();
    let named = plan(Source::Npz(path.clone()));
    assert_eq!(load(&named).unwrap().classes(), ["healthy", "ill"]);
    let files: Vec<String> =
        Inventory::described(&named).unwrap().files.into_iter().map(|it| it.file).collect();
    assert_eq!(files, [root.path().join("classes.txt"), path].map(|it| it.display().to_string()));
}

#[test]
fn arrays_that_are_not_there_or_hold_something_else_are_explained() {
    for (file, problem) in [
        (
            "no-labels",
            "has train_images and no train_labels beside it; data.columns = { image = \"NAME\", label",
        ),
        (
            "floats",
            "train_images holds f64; pixels are bytes from 0 to 255: save array.astype(numpy.uint8)",
        ),
        ("unequal", "train_labels has 3 labels for the 2 images of train_images"),
        ("several", "train_labels has 14 labels for each image; an image has one class"),
        (
            "volumes",
            "train_images is [2, 4, 4, 4]; images are [N, height, width] or [N, height, width, 3], and volumes",
        ),
        (
            "channels-first",
            "train_images is [2, 3, 4, 4], with its 3 channels first; save it with the channels last",
        ),
        ("negative", "train_labels holds -1 for image 1; labels are whole numbers from 0 on"),
        ("float-labels", "train_labels holds f64; labels are whole numbers"),
        ("empty-sides", "train_images has images of 0×4 pixels"),
        ("other-names", "has no train_images, but `kinds`, `pictures`; data.columns = { image"),
    ] {
        let said = complaint(&made(&format!("{file}.npz")), &folder());
        assert!(
            said.starts_with(&format!("DATA/{file}.npz: ")) && said.contains(problem),
            "{said}"
        );
    }
    let columns = Columns { image: Some("pixels".to_owned()), ..Columns::default() };
    let said = complaint(&DataPlan { columns, ..made("gray.npz") }, &folder());
    assert!(said.contains("has no array `pixels`, but `test_images`"), "{said}");
}

#[test]
fn what_is_no_whole_file_of_arrays_is_explained() {
    let root = TempDir::new().unwrap();
    let path = root.path().join("x.npz");
    let plan = plan(Source::Npz(path.clone()));
    let say = |content: &[u8]| {
        fs::write(&path, content).unwrap();
        complaint(&plan, root.path())
    };
    let whole = fs::read(folder().join("colour.npz")).unwrap();
    for content in [&b""[..], b"no arrays"] {
        assert_eq!(say(content), "DATA/x.npz: does not begin as what numpy.savez writes does");
    }
    let cut = say(&whole[..whole.len() - 40]);
    assert!(cut.starts_with("DATA/x.npz: is damaged") && cut.contains("is it cut off?"), "{cut}");
    fs::remove_file(&path).unwrap();
    assert!(
        complaint(&plan, root.path()).starts_with("cannot read DATA/x.npz: there is no such file")
    );
    // A compressed array that claims more than it has shows when it is read.
    let mut short = fs::read(folder().join("gray.npz")).unwrap();
    let place = short.windows(4).position(|it| it == b"PK\x03\x04").unwrap() + 120;
    short[place] ^= 0x55;
    fs::write(&path, &short).unwrap();
    let said = load(&plan).unwrap_err().to_string();
    assert!(said.contains("x.npz: is damaged: "), "{said}");
}

#[test]
fn damaged_files_of_arrays_never_cause_a_panic() {
    let root = TempDir::new().unwrap();
    let path = root.path().join("x.npz");
    for (file, every) in [("gray", 2), ("colour", 3)] {
        fs::copy(folder().join(format!("{file}.npz")), &path).unwrap();
        survive_damage_at_every(every, &path, &plan(Source::Npz(path.clone())));
    }
}
