//! Folders of class folders.

use std::fs;

use candlewick::data::{Inventory, Part, load, split, survey};
use candlewick::plan::data::{Bundled, DataPlan, Duplicates, Group, OnBadImage, Source, TestSet};
use tempfile::TempDir;

use super::{complaint, counts, folder, images};

#[test]
fn class_folders_are_in_order_of_number_and_images_in_order_of_their_paths() {
    let root = TempDir::new().unwrap();
    images(root.path(), &["10/b.png", "10/a.png", "9/deep/er/z.bmp", "9/x.PNG", "0/i.gif"]);
    for ignored in [".hidden.png", "10/.DS_Store", "9/Thumbs.db", "0/notes.txt", "9/deep/._a.png"] {
        fs::write(root.path().join(ignored), "nothing").unwrap();
    }
    fs::create_dir(root.path().join(".cache")).unwrap();
    let dataset = load(&folder(root.path())).unwrap();
    assert_eq!(dataset.classes(), ["0", "9", "10"]);
    assert_eq!(dataset.labels(), [0, 1, 1, 2, 2]);
    let names = ["0/i.gif", "9/x.PNG", "9/deep/er/z.bmp", "10/a.png", "10/b.png"];
    assert_eq!(dataset.names(), names);
    assert_eq!(*dataset.image(3).unwrap(), [9, 8, 7].repeat(4));
    assert_eq!(dataset.parts(), [Part::Undeclared; 5]);
    counts(&folder(root.path()));
}

#[test]
fn train_val_and_test_folders_are_declared_parts() {
    let root = TempDir::new().unwrap();
    images(root.path(), &["train/a/1.png", "train/b/1.png", "train/b/2.png"]);
    images(root.path(), &["val/a/1.png", "val/b/1.png", "test/a/1.png", "test/b/1.png"]);
    let plan = folder(root.path());
    assert_eq!(counts(&plan), (7, 2, 2));
    let dataset = load(&plan).unwrap();
    assert_eq!(
        dataset.names()[3..],
        ["val/a/1.png", "val/b/1.png", "test/a/1.png", "test/b/1.png"]
    );
    assert_eq!(dataset.labels(), [0, 1, 1, 0, 1, 0, 1]);
    let drawn = DataPlan { test: TestSet::Part(0.5), ..plan };
    assert_eq!(
        complaint(&drawn, root.path()),
        "DATA declares 2 test images; test on these with test = \"declared\" instead of drawing a part of 0.5"
    );
}

#[test]
fn a_class_of_the_test_folder_that_is_not_trained_is_an_error() {
    let root = TempDir::new().unwrap();
    images(root.path(), &["train/a/1.png", "train/b/1.png", "test/a/1.png", "test/c/1.png"]);
    assert_eq!(
        complaint(&folder(root.path()), root.path()),
        "the test set DATA/test has classes that DATA lacks: `c`; DATA has `a`, `b`"
    );
}

#[test]
fn other_usual_names_of_parts_are_known() {
    for (chosen, tested) in [("dev", "eval"), ("valid", "holdout"), ("Eval", "test")] {
        let root = TempDir::new().unwrap();
        images(root.path(), &["train/a/1.png", "train/b/1.png"]);
        for class in ["a", "b"] {
            images(root.path(), &[chosen, tested].map(|part| format!("{part}/{class}/1.png")));
        }
        assert_eq!(counts(&folder(root.path())), (6, 2, 2), "{chosen} {tested}");
    }
    let root = TempDir::new().unwrap();
    images(root.path(), &["train/a/1.png", "train/b/1.png", "dev/a/1.png", "dev/b/1.png"]);
    assert_eq!(counts(&folder(root.path())), (4, 2, 0));
    images(root.path(), &["dev/c/1.png"]);
    assert_eq!(
        complaint(&folder(root.path()), root.path()),
        "the validation set DATA/dev has classes that DATA lacks: `c`; DATA has `a`, `b`"
    );
}

#[test]
fn folders_that_could_be_parts_or_classes_are_asked_about() {
    let root = TempDir::new().unwrap();
    images(root.path(), &["first/a/1.png", "first/b/1.png", "other/a/1.png", "other/b/1.png"]);
    let plan = folder(root.path());
    assert_eq!(
        complaint(&plan, root.path()),
        "DATA: holds the folders `first`, `other`, each with the same folders inside: `a`, `b`. If those are the \
         classes, name one of the outer ones as the source, or call them train, val and test; if the outer ones are \
         the classes, name them in data.classes"
    );
    let classes = ["first", "other"].map(str::to_owned).to_vec();
    assert_eq!(load(&DataPlan { classes, ..plan }).unwrap().labels(), [0, 0, 1, 1]);
    let root = TempDir::new().unwrap();
    images(root.path(), &["a/test/1.png", "a/train/1.png", "b/test/1.png", "b/train/1.png"]);
    assert_eq!(
        complaint(&folder(root.path()), root.path()),
        "DATA: holds the folders `a`, `b`, each with `test`, `train` inside; parts stand above classes: move a/test to \
         test/a, and so on"
    );
}

#[test]
fn copies_are_counted_and_told_left_out_or_refused() {
    let root = TempDir::new().unwrap();
    let colours = [("a/1", 1), ("a/2", 2), ("a/2 again", 2), ("b/1", 3), ("b/2", 1), ("b/3", 4)];
    for (name, red) in colours {
        images(root.path(), &[format!("{name}.png")]);
        let image = image::RgbImage::from_pixel(2, 2, image::Rgb([red, 0, 0]));
        image.save(root.path().join(format!("{name}.png"))).unwrap();
    }
    let plan = folder(root.path());
    let kept = load(&plan).unwrap();
    assert_eq!((kept.len(), kept.copies().unwrap().copies()), (6, 2));
    assert_eq!(
        kept.copies().unwrap().sentence().unwrap(),
        "2 images have the pixels of others, 1 of them with another label, such as a/2.png of a/2 again.png; \
         copies may be on both sides of a split: data.duplicates = \"drop\" leaves all copies out, \"drop-from-train\" only training images with copies in validation or test"
    );
    let dropped = load(&DataPlan { duplicates: Duplicates::Drop, ..plan.clone() }).unwrap();
    let fate = |duplicates| {
        let dataset = load(&DataPlan { duplicates, ..plan.clone() }).unwrap();
        let sentence = dataset.copies().unwrap().sentence().unwrap();
        sentence.rsplit("; ").next().unwrap().to_owned()
    };
    assert_eq!(fate(Duplicates::Drop), "they were left out");
    assert_eq!(
        fate(Duplicates::DropFromTrain),
        "none is both in training and in validation or test"
    );
    // Of those that contradict each other nobody knows which is right.
    assert_eq!(dropped.names(), ["a/2 again.png", "b/1.png", "b/3.png"]);
    assert_eq!((dropped.image(1).unwrap()[0], dropped.labels()), (3, &[0, 1, 1][..]));
    let error = load(&DataPlan { duplicates: Duplicates::Error, ..plan }).unwrap_err().to_string();
    assert!(error.starts_with("2 of 6 images in "), "{error}");
    assert!(error.contains("\n  b/2.png of a/1.png, with another label\n"), "{error}");
    // A copy of what is tested on is not learnt from.
    let root = TempDir::new().unwrap();
    images(root.path(), &["train/a/1.png", "test/a/1.png"]);
    fs::create_dir_all(root.path().join("test/b")).unwrap();
    for (name, red) in [("train/a/2", 1), ("train/b/1", 2), ("test/b/1", 3)] {
        fs::create_dir_all(root.path().join("train/b")).unwrap();
        let image = image::RgbImage::from_pixel(2, 2, image::Rgb([red, 0, 0]));
        image.save(root.path().join(format!("{name}.png"))).unwrap();
    }
    let dropped = DataPlan { duplicates: Duplicates::Drop, ..folder(root.path()) };
    assert_eq!(
        load(&dropped).unwrap().names(),
        ["train/a/2.png", "train/b/1.png", "test/a/1.png", "test/b/1.png"]
    );
}

#[test]
fn images_of_one_folder_belong_together_if_that_is_asked_for() {
    let root = TempDir::new().unwrap();
    let paths: Vec<String> = (0..24)
        .map(|index| format!("{}/p{}/{index}.png", ["a", "b"][index % 2], index / 6))
        .collect();
    images(root.path(), &paths);
    let group = Group::By("folder".to_owned());
    let plan = DataPlan { group, validation: 0.25, ..folder(root.path()) };
    let dataset = load(&plan).unwrap();
    let split = split(&dataset, &plan, 1).unwrap();
    let folders = |images: &[u32]| {
        let folder = |image: &u32| dataset.names()[*image as usize].rsplit_once('/').unwrap().0;
        images.iter().map(folder).collect::<std::collections::BTreeSet<_>>()
    };
    assert!(folders(&split.train).is_disjoint(&folders(&split.validation)));
    assert_eq!((split.validation.len(), split.train.len()), (6, 18));
}

#[test]
fn folders_that_are_not_what_they_should_be_are_explained() {
    let root = TempDir::new().unwrap();
    let path = root.path();
    let say = |name: &str| complaint(&folder(&path.join(name)), path);
    assert_eq!(say("none"), "cannot read DATA/none: there is no such file or folder");

    fs::create_dir(path.join("empty")).unwrap();
    assert_eq!(
        say("empty"),
        "DATA/empty has no classes; at least two classes are needed, each a folder of images"
    );
    images(path, &["flat/1.png", "flat/2.png"]);
    assert_eq!(
        say("flat"),
        "DATA/flat: holds 2 images but no class folders; put the images of each class into their own folder, or \
         list them in a table ({ csv = \"…\" })"
    );
    assert_eq!(
        say("flat/1.png"),
        "DATA/flat/1.png: is a file, not a folder with one folder per class (a table of images is { csv = \"…\" })"
    );
    images(path, &["one/cats/1.png"]);
    assert_eq!(
        say("one"),
        "DATA/one has one class only, `cats`; at least two classes are needed, each a folder of images"
    );
    images(path, &["outer/signs/stop/1.png", "outer/signs/go/1.png"]);
    assert_eq!(
        say("outer"),
        "DATA/outer has one class only, `signs`; at least two classes are needed (did you mean DATA/outer/signs?)"
    );
    images(path, &["loose/a/1.png", "loose/b/1.png", "loose/c.png"]);
    assert_eq!(
        say("loose"),
        "DATA/loose: holds 1 images beside the class folders (`c.png`); move them into one"
    );
    images(path, &["hole/a/1.png", "hole/b/1.png"]);
    fs::create_dir(path.join("hole/c")).unwrap();
    fs::write(path.join("hole/c/notes.txt"), "").unwrap();
    assert_eq!(
        say("hole"),
        "DATA/hole has no training image of `c`; add some to the class's folder, or remove it (PNG, JPEG, BMP, GIF, WebP, PNM and TIFF are read)"
    );
    images(path, &["mixed/Train/a/1.png", "mixed/Test/1.png", "mixed/Meta/1.png"]);
    assert_eq!(
        say("mixed"),
        "DATA/mixed: holds folders for training and testing beside `Meta`; move these away, or give the folder of the training images"
    );
    images(path, &["twice/train/a/1.png", "twice/val/a/1.png", "twice/valid/a/1.png"]);
    assert_eq!(say("twice"), "DATA/twice: holds `val` and `valid`, which mean the same; join them");
}

#[test]
fn a_vehicle_called_train_is_a_class_like_any_other() {
    let root = TempDir::new().unwrap();
    images(root.path(), &["bus/1.png", "car/1.png", "train/1.png"]);
    assert_eq!(load(&folder(root.path())).unwrap().classes(), ["bus", "car", "train"]);
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_back_is_an_error_and_a_link_to_an_image_is_an_image() {
    use std::os::unix::fs::symlink;
    let root = TempDir::new().unwrap();
    images(root.path(), &["a/1.png", "b/1.png"]);
    symlink(root.path().join("a/1.png"), root.path().join("b/2.png")).unwrap();
    assert_eq!(load(&folder(root.path())).unwrap().len(), 3);
    symlink(root.path().join("nowhere.png"), root.path().join("b/3.png")).unwrap();
    let broken = load(&folder(root.path())).unwrap_err().to_string();
    assert!(broken.contains("b/3.png: there is no such file"), "{broken}");
    symlink(root.path().join("a"), root.path().join("a/again")).unwrap();
    assert!(complaint(&folder(root.path()), root.path()).contains("does a link lead back?"));
}

#[test]
fn another_source_is_the_test_set_and_its_labels_follow_the_names() {
    let root = TempDir::new().unwrap();
    images(root.path(), &["signs/train/a/1.png", "signs/train/b/1.png", "signs/test/a/9.png"]);
    images(root.path(), &["signs/test/b/9.png", "signs/train/c/1.png"]);
    images(root.path(), &["extra/b/1.png", "extra/c/1.png", "extra/c/2.png"]);
    let mut plan = folder(&root.path().join("signs"));
    plan.test = TestSet::Source(Source::Folder(root.path().join("extra")));
    assert_eq!(counts(&plan), (6, 0, 3));
    let dataset = load(&plan).unwrap();
    assert_eq!(dataset.labels()[3..], [1, 2, 2]);
    assert_eq!(dataset.set_aside(), 2);

    plan.test = TestSet::Source(Source::Bundled(Bundled::Openclipart9));
    let message = complaint(&plan, root.path());
    assert!(
        message
            .starts_with("the test set openclipart9 has classes that DATA/signs lacks: `bird`, ")
    );
    assert!(message.ends_with("; DATA/signs has `a`, `b`, `c`"), "{message}");

    let extra = Source::Folder(root.path().join("extra"));
    let same = DataPlan { test: TestSet::Source(extra.clone()), ..super::plan(extra) };
    assert_eq!(
        complaint(&same, root.path()),
        "DATA/extra is the source and the test set, and declares no test part; draw one, such as test = 0.1"
    );
}

#[test]
fn files_of_another_source_are_told_with_the_source_that_reads_them() {
    let root = TempDir::new().unwrap();
    let hub = root.path().join("hub/data");
    fs::create_dir_all(&hub).unwrap();
    fs::write(hub.join("train-00000-of-00001.parquet"), "x").unwrap();
    let outer = complaint(&folder(&root.path().join("hub")), root.path());
    assert!(
        outer.ends_with(
            "one class only, `data`; at least two classes are needed, each a folder of images; in \
             DATA/hub/data Parquet files are { parquet = \"…\" }"
        ),
        "{outer}"
    );
    let inner = complaint(&folder(&hub), root.path());
    assert!(
        inner.ends_with("each a folder of images; Parquet files are { parquet = \"…\" }"),
        "{inner}"
    );
    let file = root.path().join("x.npz");
    fs::write(&file, "x").unwrap();
    let file = complaint(&folder(&file), root.path());
    assert!(file.ends_with("(arrays as MedMNIST's are { npz = \"…\" })"), "{file}");
}

#[test]
fn a_folder_of_images_in_formats_that_are_not_read_is_told_before_anything_is_decoded() {
    let root = TempDir::new().unwrap();
    for path in ["a/0.ico", "a/1.ICO", "b/0.ico", "b/1.ico"] {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"\0\0\x01\0\x01\0").unwrap();
    }
    let said = complaint(&folder(root.path()), root.path());
    assert!(said.starts_with("4 of 4 images in DATA cannot be read:\n"), "{said}");
    assert!(said.contains("DATA/a/0.ico: a ICO file; PNG, JPEG"), "{said}");
    // What is only called so is read by its content.
    for path in ["a/0.ico", "a/1.ICO", "b/0.ico", "b/1.ico"] {
        image::RgbImage::new(2, 2).save(root.path().join("x.png")).unwrap();
        fs::rename(root.path().join("x.png"), root.path().join(path)).unwrap();
    }
    assert_eq!(counts(&folder(root.path())).0, 4);
}

#[cfg(unix)]
#[test]
fn pipes_among_files_of_data_are_not_waited_for() {
    let root = TempDir::new().unwrap();
    let pipe = |name: &str| {
        let path = root.path().join(name);
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    };
    images(root.path(), &["a/0.png", "a/1.png", "b/0.png"]);
    let plan = folder(root.path());
    let in_a = pipe("a/2.png");
    let said = load(&plan).unwrap_err().to_string();
    assert!(said.contains("a/2.png: it is not a regular file"), "{said}");
    let skip = DataPlan { on_bad_image: OnBadImage::Skip, ..plan };
    assert_eq!(load(&skip).unwrap().len(), 3);
    let files = Inventory::described(&skip).unwrap().hashed().files;
    assert_eq!(files.len(), 3);
    assert!(files.iter().all(|it| it.file != in_a.display().to_string() && it.hash.len() == 32));
    // Those that are read whole: a table, and names of classes.
    let table = super::plan(Source::Csv(pipe("x.csv")));
    let said = survey(&table).unwrap_err().to_string();
    assert!(said.ends_with("x.csv: it is not a regular file"), "{said}");
    let numbers = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data_sources/parquet/numbers.parquet");
    fs::copy(numbers, root.path().join("x.parquet")).unwrap();
    pipe("classes.txt");
    let rows = super::plan(Source::Parquet(root.path().join("x.parquet")));
    let said = survey(&rows).unwrap_err().to_string();
    assert!(said.ends_with("classes.txt: it is not a regular file"), "{said}");
}
