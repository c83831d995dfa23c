//! MNIST's format.

use std::fs;
use std::io::Write;

use candlewick::data::{Cache, Part, load, split, survey};
use candlewick::plan::data::{DataPlan, Source, TestSet};
use flate2::{Compression, write::GzEncoder};
use tempfile::TempDir;

use super::{complaint, counts, plan, survive_damage};

/// An IDX file of unsigned bytes.
fn idx(dimensions: &[u32], content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dimensions.len() as u8];
    dimensions.iter().for_each(|dimension| bytes.extend(dimension.to_be_bytes()));
    bytes.extend_from_slice(content);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Three 2×2 training images of labels 7, 3, 7 and one test image of label 3.
fn mnist_like() -> TempDir {
    let root = TempDir::new().unwrap();
    let write = |name: &str, bytes: Vec<u8>| fs::write(root.path().join(name), bytes).unwrap();
    write("train-images-idx3-ubyte", idx(&[3, 2, 2], &(0..12).collect::<Vec<u8>>()));
    write("train-labels.idx1-ubyte.gz", gzip(&idx(&[3], &[7, 3, 7])));
    write("t10k-images.idx3-ubyte.gz", gzip(&idx(&[1, 2, 2], &[50, 60, 70, 80])));
    write("t10k-labels-idx1-ubyte", idx(&[1], &[3]));
    root
}

#[test]
fn idx_files_are_read_plain_and_compressed_under_both_names() {
    let root = mnist_like();
    let mut plan = plan(Source::Idx(root.path().to_owned()));
    plan.image.channels = 1;
    assert_eq!(counts(&plan), (4, 0, 1));
    let dataset = load(&plan).unwrap();
    assert_eq!(
        (dataset.classes(), dataset.labels()),
        (&["3", "7"].map(String::from)[..], &[1, 0, 1, 0][..])
    );
    assert_eq!(*dataset.image(2).unwrap(), [8, 9, 10, 11]);
    assert_eq!(*dataset.image(3).unwrap(), [50, 60, 70, 80]);
    assert_eq!(dataset.parts()[2..], [Part::Train, Part::Test]);

    fs::write(root.path().join("classes.txt"), "zero\none\ntwo\nthree\n4\n5\n6\nseven\n").unwrap();
    assert_eq!(load(&plan).unwrap().classes(), ["three", "seven"]);
    fs::write(root.path().join("classes.txt"), "zero\none\ntwo\nthree\n").unwrap();
    assert_eq!(complaint(&plan, root.path()), "DATA/classes.txt: line 8 has no name for label 7");
}

#[test]
fn damaged_idx_files_are_explained_and_no_header_is_believed() {
    let root = mnist_like();
    let plan = plan(Source::Idx(root.path().to_owned()));
    let images = root.path().join("train-images-idx3-ubyte");
    let say = |content: &[u8]| {
        fs::write(&images, content).unwrap();
        complaint(&plan, root.path())
    };
    let file = "DATA/train-images-idx3-ubyte";
    assert_eq!(say(b""), format!("{file}: ends inside the IDX header"));
    assert_eq!(
        say(b"P5 28 28 255 "),
        format!("{file}: begins with [50, 35, 20, 32], not with two zero bytes as IDX files do")
    );
    assert_eq!(
        say(&idx(&[3], &[1, 2, 3])),
        format!(
            "{file}: holds 1 dimensions of type 0x08; 3 of type 0x08 (unsigned bytes) are read"
        )
    );
    assert_eq!(
        say(&idx(&[3, 2, 2], &[0; 11])),
        format!("{file}: holds 11 bytes where its header says 12")
    );
    assert_eq!(
        say(&idx(&[u32::MAX, 30_000, 30_000], &[0; 12])),
        format!(
            "{file}: holds 12 bytes where its header says {}",
            u64::from(u32::MAX) * 30_000 * 30_000
        )
    );
    assert_eq!(say(&idx(&[3, 0, 2], &[])), format!("{file}: the header says images of 0×2 pixels"));
    assert_eq!(
        say(&idx(&[2, 2, 2], &[0; 8])),
        format!("DATA/train-labels.idx1-ubyte.gz: 3 labels for the 2 images of {file}")
    );
    // Of a compressed file only the header is looked at by survey; loading sees the rest.
    fs::remove_file(&images).unwrap();
    let compressed = root.path().join("train-images-idx3-ubyte.gz");
    for (content, problem) in [
        (&[0; 11][..], "holds 11 bytes where its header says 12"),
        (&[0; 13][..], "goes on after the 12 bytes that its header says"),
    ] {
        fs::write(&compressed, gzip(&idx(&[3, 2, 2], content))).unwrap();
        assert!(load(&plan).unwrap_err().to_string().ends_with(problem));
    }
    fs::remove_file(&compressed).unwrap();
    assert_eq!(
        complaint(&plan, root.path()),
        "DATA/train-labels.idx1-ubyte.gz: has no train-images-idx3-ubyte beside it"
    );
}

#[test]
fn nothing_to_test_on_leaves_the_declared_test_images_out_and_trains_on_none_of_them() {
    let root = mnist_like();
    let all = plan(Source::Idx(root.path().to_owned()));
    let (images, _, tested) = counts(&all);
    assert!(tested > 0);
    let untested = DataPlan { test: TestSet::Part(0.0), ..all };
    assert_eq!(counts(&untested), (images - tested, 0, 0));
    let dataset = load(&untested).unwrap();
    assert_eq!(dataset.set_aside(), tested);
    assert!(split(&dataset, &untested, 1).unwrap().test.is_empty());
    // A cache keeps the two apart.
    let cache = Cache::new(1);
    for plan in [&untested, &DataPlan { test: TestSet::Declared, ..untested.clone() }] {
        assert_eq!(*cache.get(plan).unwrap(), load(plan).unwrap());
        assert_eq!(cache.survey(plan).unwrap(), survey(plan).unwrap());
    }
}

#[test]
fn damaged_idx_files_never_cause_a_panic() {
    let root = mnist_like();
    let plan = plan(Source::Idx(root.path().to_owned()));
    for entry in fs::read_dir(root.path()).unwrap() {
        survive_damage(&entry.unwrap().path(), &plan);
    }
}
