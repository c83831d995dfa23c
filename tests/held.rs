//! Data sets that memory has no room for: the same bytes in every table, wherever the images are.

use std::collections::BTreeMap;
use std::fs;

use super::bench::Bench;

/// Small drawings, trained on in folds with augmentation that trials share, and with evaluation behind each epoch.
const DRAWINGS: &str = r#"
name = "drawings"
seed = 5

[data]
source = "openclipart9"
image = { size = [16, 16], channels = 3 }
test = 0.2
batch-size = 32

[augment]
train = [{ rotate = 20, p = 0.5 }, { brightness-contrast = [0.2, 0.2], p = 0.5 }]

[model]
layers = [
  { conv = 4, kernel = 3 },
  { max-pool = 2 },
  "flatten",
  { dense = "classes" },
]

[train]
epochs = 2
optimizer = { adam = { lr = 3e-3 } }

[sweep]
folds = 2
[sweep.grid]
"train.optimizer.adam.lr" = [1e-3, 3e-3]
"#;

/// What the first two layers make of drawings, frozen, with a head on it.
const FROZEN: &str = r#"
extends = "experiment.toml"
name = "frozen"
augment.train = "none"

[transfer]
weights = { experiment = "drawings" }
case = "small-similar"
"#;

/// Tables and best checkpoints of an experiment.
fn results(bench: &Bench, results: &str, name: &str) -> BTreeMap<String, Vec<u8>> {
    let root = bench.path().join(results).join(name);
    let mut found: BTreeMap<String, Vec<u8>> = ["trials.csv", "metrics.csv"]
        .map(|name| (name.to_owned(), fs::read(root.join(name)).unwrap()))
        .into();
    for entry in fs::read_dir(root.join("trials")).unwrap() {
        let folder = entry.unwrap().path();
        if folder.is_dir() {
            let name = folder.file_name().unwrap().to_string_lossy().into_owned();
            for file in ["best.safetensors", "predictions.csv"] {
                let bytes = fs::read(folder.join(file)).unwrap();
                found.insert(format!("{name}/{file}"), bytes);
            }
        }
    }
    found
}

/// Ways to hold images, each with the options that ask for it.
const WAYS: [(&str, &[&str]); 5] = [
    ("some in memory", &["run.data-memory=\"50kB\""]),
    ("from the disk", &["run.data-memory=\"1kB\"", "run.checkpoint-every={ steps = 3 }"]),
    ("nowhere", &["run.data-memory=\"1kB\"", "run.data-cache=\"none\""]),
    ("little of the disk", &["run.data-memory=\"1kB\"", "run.data-cache=\"20kB\""]),
    (
        "a folder",
        &["run.data-memory=\"1kB\"", "run.data-cache={ folder = \"kept\", size = \"1GB\" }"],
    ),
];

#[test]
fn tables_and_weights_are_the_same_wherever_the_images_are() {
    let bench = Bench::new(DRAWINGS);
    bench.write("frozen.toml", FROZEN);
    let files = [("experiment.toml", "drawings"), ("frozen.toml", "frozen")];
    for normalise in ["data.normalise=\"dataset\"", "data.normalise={ sample = 30 }"] {
        let run = |file: &str, folder: &str, sets: &[&str], workers: &str| {
            let mut all = vec!["run", file, "--results", folder, "--workers", workers];
            sets.iter().chain(&[normalise]).for_each(|set| all.extend(["--set", set]));
            bench.done(&all)
        };
        let _ = fs::remove_dir_all(bench.path().join("whole"));
        for (file, _) in files {
            let said = run(file, "whole", &["run.data-memory=\"none\""], "1");
            assert!(!said.contains("in memory"), "{said}");
        }
        assert!(!bench.path().join("whole/.images").exists());
        let expected = files.map(|(_, name)| results(&bench, "whole", name));
        for (index, (what, sets)) in WAYS.into_iter().enumerate() {
            // Each way has a folder of decoded images of its own.
            let folder = format!("held/{normalise}/{index}").replace(['"', ' ', '{', '}'], "");
            for ((file, name), expected) in files.into_iter().zip(&expected) {
                run(file, &folder, sets, "3");
                let found = results(&bench, &folder, name);
                assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
                for (file, bytes) in expected {
                    assert!(found[file] == *bytes, "{what}, {normalise}: {name}: {file} differs");
                }
            }
        }
    }
    assert!(fs::read_dir(bench.path().join("kept")).unwrap().count() > 0);
}

#[test]
fn check_and_run_say_where_images_are() {
    let bench = Bench::new(DRAWINGS);
    let said = |arguments: &[&str]| {
        let output = bench.wick(arguments);
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let little = ["--set", "run.data-memory=\"100kB\""];
    for command in ["check", "run"] {
        let arguments = [&[command, "experiment.toml", "--set", "train.epochs=1"], &little[..]];
        let text = said(&arguments.concat());
        assert!(
            text.contains("100 kB of it in memory and the rest kept in results/.images"),
            "{text}"
        );
    }
    let text = said(&["check", "experiment.toml"]);
    assert!(!text.contains("in memory and the rest"), "{text}");
}

#[test]
fn a_folder_of_decoded_images_that_cannot_be_is_told_and_done_without() {
    let bench = Bench::new(DRAWINGS);
    bench.write("kept", "a file");
    let cache = "run.data-cache={ folder = \"kept\", size = \"1GB\" }";
    let output = bench.wick(&[
        "run",
        "experiment.toml",
        "--quiet",
        "--set",
        "run.data-memory=\"1kB\"",
        "--set",
        cache,
    ]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(said.matches("warning: decoded images cannot be kept in kept").count(), 1, "{said}");
}

#[test]
fn what_is_written_of_memory_and_disk_is_checked() {
    let bench = Bench::new(DRAWINGS);
    for (set, words) in [
        ("run.data-memory=3", "\"8GB\""),
        ("run.data-memory=\"100\"", "\"8GB\""),
        ("run.data-memory=\"0%\"", "\"8GB\""),
        ("run.data-cache=\"100\"", "\"100GB\""),
        ("run.data-cache=\"50%\"", "\"100GB\""),
        ("run.data-cache={ folder = \"x\" }", "size"),
        ("run.data-cache={ folder = \"\", size = \"1GB\" }", "path"),
        ("run.data-cache={ folder = \"x\", size = \"none\" }", "\"100GB\""),
        ("run.data-cache={ size = \"1GB\", folder = \"x\", most = 1 }", "most"),
        ("data.normalise={ sample = 0 }", "at least 1"),
        ("data.normalise={ sample = -1 }", "sample"),
        ("data.normalise={ sample = 10, mean = [0.5] }", "stands alone"),
        ("data.normalise={ mean = [0.5, 0.5, 0.5] }", "std"),
        ("data.normalise={}", "mean"),
    ] {
        let output = bench.wick(&["check", "experiment.toml", "--set", set]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{set}: {said}");
        assert!(said.contains(words), "{set}: {said}");
    }
}

/// A tiny network on a source that is named by `--set data.source=…`, with augmentation that draws from each image.
const ANY: &str = r#"
name = "any"

[data]
source = "digits"
image = { size = [8, 8], channels = 3 }
test = "declared"
validation = 0.0
batch-size = 2

[augment]
train = [{ rotate = 20, p = 0.5 }]

[model]
layers = ["flatten", { dense = "classes" }]

[train]
epochs = 3
best = "train_loss"
"#;

#[test]
fn images_of_every_source_can_be_held_anywhere() {
    let bench = Bench::new(ANY);
    let made = |path: &str| format!("{}/tests/data_sources/{path}", env!("CARGO_MANIFEST_DIR"));
    for (what, source, column) in [
        ("tar", "{ tar = \"tar/{train,test}-*.tar\" }", None),
        (
            "parquet",
            "{ parquet = \"parquet/{train,test}-*.parquet\" }",
            Some("data.columns={ label = \"fine_label\" }"),
        ),
        ("npz", "{ npz = \"npz/keras.npz\" }", None),
        ("CIFAR-10", "{ cifar10 = \"cifar_python/cifar-10-batches-py\" }", None),
        (
            "CIFAR-100",
            "{ cifar100 = \"cifar_python/cifar-100-python\" }",
            Some("data.classes=[\"fine7\", \"fine42\", \"fine99\"]"),
        ),
    ] {
        let source = source.replacen(" = \"", &format!(" = \"{}", made("")), 1);
        let source = format!("data.source={source}");
        let run = |folder: &str, more: &[&str]| {
            let mut all = vec!["run", "experiment.toml", "--quiet", "--results", folder];
            let sets = [&source[..]].into_iter().chain(column).chain(more.iter().copied());
            sets.for_each(|set| all.extend(["--set", set]));
            bench.done(&all)
        };
        let whole = format!("whole {what}");
        run(&whole, &["run.data-memory=\"none\""]);
        let expected = results(&bench, &whole, "any");
        assert!(expected.keys().any(|file| file.ends_with("predictions.csv")), "{what}");
        for (index, (way, sets)) in WAYS.into_iter().enumerate() {
            let folder = format!("held {what} {index}");
            run(&folder, sets);
            let found = results(&bench, &folder, "any");
            assert!(found == expected, "{what}, {way}");
        }
    }
}
