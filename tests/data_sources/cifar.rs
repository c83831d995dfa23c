//! The binary versions of CIFAR-10 and CIFAR-100.

use std::fs;

use candlewick::data::{Cache, Disk, Holding, load};
use candlewick::plan::data::{DataPlan, Source};
use tempfile::TempDir;

use super::{complaint, counts, plan};

/// A CIFAR record: labels, then planes of the three values.
fn record(labels: &[u8], rgb: [u8; 3]) -> Vec<u8> {
    let mut record = labels.to_vec();
    rgb.iter().for_each(|value| record.extend([*value; 1024]));
    record
}

#[test]
fn cifar_planes_become_pixels() {
    let root = TempDir::new().unwrap();
    let folder = root.path().join("cifar-10-batches-bin");
    fs::create_dir(&folder).unwrap();
    for batch in 1..=5 {
        let two = [record(&[batch * 2 - 2], [batch, 0, 9]), record(&[batch * 2 - 1], [1, 2, 3])];
        fs::write(folder.join(format!("data_batch_{batch}.bin")), two.concat()).unwrap();
    }
    fs::write(folder.join("test_batch.bin"), record(&[9], [7, 7, 7])).unwrap();
    let plan = plan(Source::Cifar10(root.path().to_owned()));
    assert_eq!(counts(&plan), (11, 0, 1));
    let dataset = load(&plan).unwrap();
    assert_eq!((dataset.label(0), dataset.label(9)), (0, 9));
    assert_eq!(
        (&dataset.classes()[0], &dataset.classes()[9]),
        (&"airplane".into(), &"truck".into())
    );
    assert_eq!(*dataset.image(8).unwrap(), [5, 0, 9].repeat(4));

    fs::write(folder.join("test_batch.bin"), record(&[10], [7, 7, 7])).unwrap();
    let error = load(&plan).unwrap_err().to_string();
    assert!(error.ends_with("record 0 has label 10; CIFAR-10 has labels 0 to 9"), "{error}");
    fs::write(folder.join("test_batch.bin"), [0; 3074]).unwrap();
    let inner = "DATA/cifar-10-batches-bin";
    assert_eq!(
        complaint(&plan, root.path()),
        format!(
            "{inner}/test_batch.bin: has 3074 bytes, not a multiple of the 3073 of a CIFAR-10 record"
        )
    );
    fs::remove_file(folder.join("data_batch_4.bin")).unwrap();
    fs::remove_file(folder.join("test_batch.bin")).unwrap();
    assert!(complaint(&plan, root.path()).starts_with(&format!(
        "{inner}: lacks data_batch_4.bin, test_batch.bin; the binary version"
    )));
}

#[test]
fn cifar_100_has_fine_labels() {
    let root = TempDir::new().unwrap();
    let all: Vec<u8> =
        (0..100).flat_map(|fine| record(&[19 - fine % 20, fine], [fine; 3])).collect();
    fs::write(root.path().join("train.bin"), &all).unwrap();
    fs::write(root.path().join("test.bin"), record(&[0, 99], [1; 3])).unwrap();
    let plan = plan(Source::Cifar100(root.path().to_owned()));
    assert_eq!(counts(&plan), (101, 0, 1));
    let dataset = load(&plan).unwrap();
    assert_eq!((dataset.label(42), dataset.image(42).unwrap()[0]), (42, 42));
    assert_eq!((&dataset.classes()[0], &dataset.classes()[99]), (&"apple".into(), &"worm".into()));
}

#[test]
fn pixels_that_were_kept_of_another_batch_are_not_taken_for_those_of_this_one() {
    let root = TempDir::new().unwrap();
    let write = |red: u8| {
        for name in ["1", "2", "3", "4", "5"].map(|batch| format!("data_batch_{batch}.bin")) {
            let own = if name.contains('1') { red } else { 0 };
            // A new file in its place, as whoever gets a data set anew has it.
            let aside = root.path().join("aside");
            fs::write(&aside, [record(&[0], [own; 3]), record(&[1], [own; 3])].concat()).unwrap();
            fs::rename(&aside, root.path().join(name)).unwrap();
        }
        fs::write(root.path().join("test_batch.bin"), record(&[1], [7; 3])).unwrap();
    };
    let kept = TempDir::new().unwrap();
    let classes = ["airplane", "automobile"].map(str::to_owned).to_vec();
    let plan = DataPlan { classes, ..plan(Source::Cifar10(root.path().to_owned())) };
    for red in [10, 20] {
        write(red);
        let cache = Cache::new(1);
        cache.hold(Holding {
            memory: 0,
            disk: Some(Disk {
                folder: kept.path().to_owned(),
                most: 1 << 20,
                program: String::new(),
            }),
        });
        let dataset = cache.get(&plan).unwrap();
        assert_eq!(dataset.image(0).unwrap()[0], red);
        assert!(dataset.fingerprint().is_ok());
    }
}
