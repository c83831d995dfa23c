//! What must not change unless it is meant to: digests of all experiments, and what short runs of them
//! leave behind, byte for byte (`goldens/unchanged.csv`).
//!
//! Digests are the same on every machine. Tables and weights are the same bits on one kind of processor;
//! on a kind that the file does not know, the losses are held instead. `INSTA_UPDATE=always` writes the
//! file anew; a digest or table that changes on purpose changes `REVISION` too.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use candlewick::config::layering::{Request, load};
use candlewick::data::Cache;
use candlewick::plan::prune::Nothing;
use candlewick::plan::sweep::expand;
use candlewick::sweep::survey::Files;

use super::bench::Bench;

const GOLDEN: &str = "tests/goldens/unchanged.csv";

/// How far the first epoch's loss may be away on a processor that rounds in another order.
const CLOSE: f64 = 1e-3;

/// Settings that make a run of an experiment take a second.
const SHORT: [&str; 5] = [
    "train.epochs=1",
    "data.subset={ per-class = 4 }",
    "data.validation=0.02",
    "data.batch-size=16",
    "sweep.seeds=1",
];

/// Settings of single experiments, laid over [`SHORT`].
fn own(name: &str) -> &'static [&'static str] {
    match name {
        "augmentation" => &["train.epochs=2"],
        "plain-cnn" => &["data.source=\"openclipart9\""],
        "layers" | "recipes" => &["train.epochs=2"],
        "pruning" => &["train.epochs=3", "sweep.seeds=2"],
        "transfer-squeezenet-clipart" => &["data.validation=0.1", "sweep.folds=2"],
        "small-data" => &["data.test=0.9", "train.epochs=2"],
        // Advice measures the features of all training images of each size.
        "transfer-four-cases" => {
            &["data.test=0.02", "sweep.grid.\"data.subset\"=[{ per-class = 4 }]"]
        }
        "unfreeze" => &["train.epochs=13"],
        _ => &["data.test=0.02"],
    }
}

/// Experiment and what of it → what it is.
type Found = BTreeMap<(String, String), String>;

fn experiments() -> Vec<PathBuf> {
    let folders = ["experiments", "tests/unchanged"];
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    files
}

fn name(file: &Path) -> String {
    file.file_stem().unwrap().to_str().unwrap().to_owned()
}

/// Whether an experiment starts from the weights that another one has trained, whose bits are in its digests.
fn stands_on_another(file: &Path) -> bool {
    fs::read_to_string(file).unwrap().contains("experiment = ")
}

/// The digests of the first trials of an experiment as it is written.
fn digests(file: &Path, results: &Path) -> String {
    let sets = if name(file) == "plain-cnn" { own("plain-cnn") } else { &[] };
    let sets = sets.iter().map(|set| (*set).to_owned()).collect();
    let request = Request { file: file.to_owned(), sets, ..Request::default() };
    let root = load(&request).unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    let images = Cache::new(1);
    let survey = Files::new(&images, results);
    let experiment = expand(&root, &survey, &Nothing)
        .unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    let digests: Vec<_> = experiment.trials.iter().map(|trial| trial.digest.as_str()).collect();
    hash(digests.join("\n").as_bytes())
}

fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex()[..16].to_owned()
}

/// Whether the sweep of an experiment replaces in every trial what is set.
fn is_replaced(experiment: &toml::Table, set: &str) -> bool {
    let key = set.split('=').next().unwrap();
    let Some(sweep) = experiment.get("sweep").and_then(toml::Value::as_table) else { return false };
    let is_in = |table: &toml::Value| table.get(key).is_some();
    let is_axis =
        ["grid", "zip", "random", "search"].iter().any(|kind| sweep.get(*kind).is_some_and(is_in));
    let variants = sweep.get("list").and_then(toml::Value::as_array);
    is_axis || variants.is_some_and(|variants| variants.iter().all(is_in))
}

/// Runs a short form of the experiment and adds what it leaves behind.
fn run(file: &Path, bench: &Bench, exact: &mut Found, close: &mut Found) {
    let name = name(file);
    let file = fs::canonicalize(file).unwrap();
    let mut arguments = vec!["run", file.to_str().unwrap(), "--quiet", "--workers", "2"];
    let text: toml::Table = fs::read_to_string(&file).unwrap().parse().unwrap();
    for set in SHORT.iter().chain(own(&name)).filter(|set| !is_replaced(&text, set)) {
        arguments.extend(["--set", set]);
    }
    bench.done(&arguments);
    let folder = bench.path().join("results").join(&name);
    let mut add = |what: &str, value: String| {
        exact.insert((name.clone(), what.to_owned()), value);
    };
    for table in ["trials.csv", "metrics.csv"] {
        add(table, hash(&fs::read(folder.join(table)).unwrap()));
    }
    let mut best = blake3::Hasher::new();
    let mut reader = csv::Reader::from_path(folder.join("trials.csv")).unwrap();
    for row in reader.records() {
        let trial = folder.join("trials").join(&row.unwrap()[1]);
        if let Ok(bytes) = fs::read(trial.join("best.safetensors")) {
            best.update(&bytes);
        }
    }
    add("best.safetensors", best.finalize().to_hex()[..16].to_owned());
    let mut reader = csv::Reader::from_path(folder.join("metrics.csv")).unwrap();
    let column = reader.headers().unwrap().iter().position(|name| name == "train_loss").unwrap();
    let first = reader.records().next().unwrap().unwrap();
    close.insert((name, "train_loss".to_owned()), first[column].to_owned());
}

/// What decides bits today: the instruction set, and the caches by which products are cut.
fn processor(bench: &Bench) -> String {
    let text =
        fs::read_to_string(bench.path().join("results/quickstart/environment.toml")).unwrap();
    let set = text.lines().find_map(|line| line.strip_prefix("instruction-set = "));
    let caches = (0..4).filter_map(|index| {
        let path = format!("/sys/devices/system/cpu/cpu0/cache/index{index}/size");
        fs::read_to_string(path).ok()
    });
    let caches: Vec<String> = caches.map(|size| size.trim().to_owned()).collect();
    format!("{} {}", set.unwrap().trim_matches('"'), caches.join(" ")).trim().to_owned()
}

#[test]
fn experiments_keep_their_digests_tables_and_weights() {
    let bench = Bench::new("");
    let (mut everywhere, mut exact, mut close) = (Found::new(), Found::new(), Found::new());
    let (others, alone): (Vec<_>, Vec<_>) =
        experiments().into_iter().partition(|file| stands_on_another(file));
    for file in alone.iter().chain(&others) {
        let found = if stands_on_another(file) { &mut exact } else { &mut everywhere };
        let results = bench.path().join("results");
        found.insert((name(file), "digests".to_owned()), digests(file, &results));
        // Networks of full size are not trained here.
        if name(file) != "presets" {
            run(file, &bench, &mut exact, &mut close);
        }
    }
    let processor = processor(&bench);
    let mut golden: Vec<[String; 4]> = csv::Reader::from_path(GOLDEN)
        .map(|mut reader| reader.deserialize().map(Result::unwrap).collect())
        .unwrap_or_default();
    if std::env::var_os("INSTA_UPDATE").is_some_and(|value| value == "always") {
        golden.retain(|[_, _, on, _]| *on != processor && !["any", "close"].contains(&on.as_str()));
        let parts = [("any", everywhere), ("close", close), (processor.as_str(), exact)];
        for (on, found) in parts {
            golden.extend(
                found.into_iter().map(|((name, what), value)| [name, what, on.to_owned(), value]),
            );
        }
        golden.sort();
        let mut writer = csv::Writer::from_path(GOLDEN).unwrap();
        writer.write_record(["experiment", "what", "processor", "value"]).unwrap();
        golden.iter().for_each(|row| writer.write_record(row).unwrap());
        writer.flush().unwrap();
        return;
    }
    let expected = |on: &str| -> Found {
        let rows = golden.iter().filter(|[_, _, kind, _]| kind == on).cloned();
        rows.map(|[name, what, _, value]| ((name, what), value)).collect()
    };
    assert_eq!(everywhere, expected("any"));
    let known = expected(&processor);
    if !known.is_empty() {
        assert_eq!(exact, known, "on {processor}");
    }
    let losses = expected("close");
    assert!(close.keys().eq(losses.keys()), "experiments come and go: INSTA_UPDATE=always");
    for (what, found) in &close {
        let (found, expected): (f64, f64) = (found.parse().unwrap(), losses[what].parse().unwrap());
        assert!((found / expected - 1.0).abs() < CLOSE, "{what:?}: {found}, not {expected}");
    }
}
