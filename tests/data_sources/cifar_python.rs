//! CIFAR's batches as Python pickled them; `cifar_python/make.py` wrote those that are read here.

use std::fs;
use std::path::{Path, PathBuf};

use candlewick::data::{Inventory, load};
use candlewick::plan::data::{Columns, DataPlan, Source};
use tempfile::TempDir;

use super::{complaint, counts, plan, survive_damage_at_every};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data_sources/cifar_python")
}

/// A folder whose five training batches and test batch are all this file, as somebody pickled it.
fn all_of(name: &str) -> (TempDir, DataPlan) {
    let root = TempDir::new().unwrap();
    for batch in [
        "data_batch_1",
        "data_batch_2",
        "data_batch_3",
        "data_batch_4",
        "data_batch_5",
        "test_batch",
    ] {
        fs::copy(folder().join(name), root.path().join(batch)).unwrap();
    }
    let classes = vec!["airplane".to_owned(), "automobile".to_owned()];
    let plan = DataPlan { classes, ..plan(Source::Cifar10(root.path().to_owned())) };
    (root, plan)
}

#[test]
fn the_batches_that_are_published_are_read_with_the_names_of_their_classes() {
    // The folder that the archive was unpacked in, or the one inside it.
    for place in [folder(), folder().join("cifar-10-batches-py")] {
        let plan = plan(Source::Cifar10(place));
        assert_eq!(counts(&plan), (11, 0, 1));
        let dataset = load(&plan).unwrap();
        assert_eq!(
            (&dataset.classes()[0], &dataset.classes()[9]),
            (&"kind0".into(), &"kind9".into())
        );
        assert_eq!(dataset.labels(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9]);
        assert_eq!(dataset.image(7).unwrap()[..6], [7, 14, 255, 7, 14, 255]);
    }
    let files = Inventory::described(&plan(Source::Cifar10(folder()))).unwrap().files;
    assert_eq!(files.len(), 7);
    assert!(files[0].file.ends_with("cifar-10-batches-py/batches.meta"));
}

#[test]
fn cifar_100_has_fine_and_coarse_labels() {
    let of = |classes: &[&str], label: Option<&str>| DataPlan {
        classes: classes.iter().map(|class| (*class).to_owned()).collect(),
        columns: Columns { label: label.map(str::to_owned), ..Columns::default() },
        ..plan(Source::Cifar100(folder()))
    };
    let fine = load(&of(&["fine7", "fine42", "fine99"], None)).unwrap();
    assert_eq!(fine.labels(), [2, 0, 1, 1]);
    assert_eq!(
        (fine.image(0).unwrap()[..3].to_vec(), fine.image(3).unwrap()[..3].to_vec()),
        (vec![0, 0, 255], vec![0, 0, 0])
    );
    let coarse = load(&of(&["coarse8", "coarse1"], Some("coarse_labels"))).unwrap();
    assert_eq!(coarse.labels(), [1, 0, 0, 0]);
    let wrong = complaint(&of(&["a", "b"], Some("super")), &folder());
    assert_eq!(wrong, "DATA: has no labels `super`; CIFAR-100 has fine_labels and coarse_labels");
}

#[test]
fn no_two_classes_have_one_name() {
    let (root, plan) = all_of("protocol-4");
    let path = root.path().join("batches.meta");
    let meta = fs::read(folder().join("cifar-10-batches-py/batches.meta")).unwrap();
    fs::write(&path, &meta).unwrap();
    assert!(complaint(&plan, root.path()).contains("has no class `airplane`"));
    let mut twins = meta;
    let place = twins.windows(5).position(|it| it == b"kind7").unwrap();
    twins[place + 4] = b'3';
    fs::write(&path, &twins).unwrap();
    assert_eq!(
        complaint(&plan, root.path()),
        "DATA/batches.meta: names two classes `kind3` in `label_names`; each has a name of its own"
    );
    let columns = Columns { label: Some("fine_labels".to_owned()), ..Columns::default() };
    assert_eq!(
        complaint(&DataPlan { columns, ..plan }, root.path()),
        "DATA: has no labels `fine_labels`; CIFAR-10 has labels of one kind, which data.columns need not name"
    );
}

#[test]
fn batches_that_python_3_saved_again_are_read_in_every_protocol() {
    for protocol in [2, 3, 4, 5] {
        let (_root, plan) = all_of(&format!("protocol-{protocol}"));
        assert_eq!(counts(&plan), (12, 0, 2), "{protocol}");
        let dataset = load(&plan).unwrap();
        assert_eq!(dataset.labels()[..2], [1, 0], "{protocol}");
        assert_eq!(dataset.image(1).unwrap()[..3], [4, 8, 255], "{protocol}");
    }
}

#[test]
fn what_is_no_batch_is_explained_and_nothing_of_it_is_run() {
    for (file, problem) in [
        (
            "no-labels",
            "has no list of whole numbers `labels`, but `data`, `names`; it is no batch of CIFAR-10",
        ),
        (
            "floats",
            "has no array of bytes `data` in C order, but `batch_label`, `labels`, `data`, `filenames`",
        ),
        ("sides", "has `data` of [1, 3, 32, 32]; the batches of CIFAR-10 are [N, 3072]"),
        ("order", "has no array of bytes `data` in C order"),
        ("unequal", "has 1 labels for 2 images"),
        ("label", "image 0 has label 10; CIFAR-10 has labels 0 to 9"),
        ("list", "is a pickle of a list and not of a dict"),
        ("harm", "posix.system"),
    ] {
        let (root, plan) = all_of(&format!("wrong-{file}"));
        let said = complaint(&plan, root.path());
        assert!(said.contains("DATA/data_batch_1") && said.contains(problem), "{said}");
    }
    let (root, plan) = all_of("protocol-4");
    fs::remove_file(root.path().join("data_batch_3")).unwrap();
    fs::remove_file(root.path().join("test_batch")).unwrap();
    assert!(
        complaint(&plan, root.path())
            .starts_with("DATA: lacks data_batch_3, test_batch; the Python version of")
    );
    let (root, plan) = all_of("protocol-4");
    let path = root.path().join("data_batch_1");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let said = complaint(&plan, root.path());
    assert_eq!(said, "DATA/data_batch_1: is damaged: its pickle does not end within 3197 bytes");
    // Bytes that are shorter than the array's sides say.
    let place = whole.windows(4).position(|it| it == 6144_u32.to_le_bytes()).unwrap();
    let mut short = whole.clone();
    short[place..place + 4].copy_from_slice(&6143_u32.to_le_bytes());
    short.remove(place + 4);
    fs::write(&path, &short).unwrap();
    assert!(load(&plan).is_err());
}

#[test]
fn damaged_batches_never_cause_a_panic() {
    for (file, every) in
        [("protocol-2", 43), ("protocol-5", 31), ("cifar-10-batches-py/data_batch_1", 37)]
    {
        let (root, plan) = all_of(file);
        survive_damage_at_every(every, &root.path().join("data_batch_1"), &plan);
    }
}
