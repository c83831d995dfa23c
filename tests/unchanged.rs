//! What must not change unless it is meant to: digests of all experiments, and what short runs of them
//! leave behind, byte for byte (`goldens/unchanged.csv`).
//!
//! All of it is the same on every processor and with every instruction set; CI runs this under each that its
//! processor has. Without an instruction for a product and a sum, larger networks take minutes, so that CI takes
//! the smaller ones there (`just test-portable` takes all). `INSTA_UPDATE=always` writes the file anew; a digest or
//! table that changes on purpose changes `REVISION` too.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use candlewick::basis::instructions::{self, Set};
use candlewick::config::layering::{Request, load};
use candlewick::data::Cache;
use candlewick::plan::prune::Nothing;
use candlewick::plan::sweep::expand;
use candlewick::sweep::survey::Files;

use super::bench::Bench;

const GOLDEN: &str = "tests/goldens/unchanged.csv";

/// Settings that make a run of an experiment take a second.
const SHORT: [&str; 5] = [
    "train.epochs=1",
    "data.subset={ per-class = 4 }",
    "data.validation=0.02",
    "data.batch-size=16",
    "sweep.seeds=1",
];

/// Without advice, which takes minutes.
const FOUR_CASES: &str = "sweep.grid.\"transfer.case\"=[\"small-similar\", \"small-different\", \"large-similar\", \"large-different\"]";

/// What an experiment asks for that is not in the repository, or takes long to find.
fn elsewhere(name: &str) -> &'static [&'static str] {
    match name {
        "plain-cnn" => &["data.source=\"openclipart9\""],
        "fashion-mnist" => &["data.source=\"fashion-mnist\"", "data.test=0.02"],
        "transfer-four-cases" => &[FOUR_CASES],
        _ => &[],
    }
}

/// Settings of single experiments, laid over [`SHORT`].
fn own(name: &str) -> &'static [&'static str] {
    match name {
        "augmentation" => &["train.epochs=2"],
        "fashion-mnist" | "plain-cnn" => elsewhere(name),
        "attention" | "layers" | "norms" | "every-recipe" | "newer-recipes" => &["train.epochs=2"],
        "pruning" => &["train.epochs=3", "sweep.seeds=2"],
        "transfer-squeezenet-clipart" => &["data.validation=0.1", "sweep.folds=2"],
        "small-data" => &["data.test=0.9", "train.epochs=2"],
        // Advice measures the features of all training images of each size.
        "transfer-four-cases" => {
            &["data.test=0.02", "sweep.grid.\"data.subset\"=[{ per-class = 4 }]", FOUR_CASES]
        }
        // Images with several labels are of no class to take some of.
        "multi-label" => &["data.subset=\"none\"", "data.test=0.02"],
        "unfreeze" => &["train.epochs=13"],
        _ => &["data.test=0.02"],
    }
}

/// Experiments with networks that are small enough for arithmetic without the instruction, which have every layer
/// (`attention`, `layers` and `norms` together) and optimiser, augmentation, pruning and search.
const SMALL: [&str; 8] = [
    "attention",
    "every-recipe",
    "layers",
    "newer-recipes",
    "norms",
    "optimizers",
    "quickstart",
    "search",
];

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
    let sets = elsewhere(&name(file)).iter().map(|set| (*set).to_owned()).collect();
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
fn run(file: &Path, bench: &Bench, found: &mut Found) {
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
        found.insert((name.clone(), what.to_owned()), value);
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
}

#[test]
fn experiments_keep_their_digests_tables_and_weights() {
    let is_slow = instructions::used().set() == Set::Portable;
    hold(|name| !is_slow || SMALL.contains(&name));
}

#[test]
#[ignore = "takes a quarter of an hour without the instruction: `just test-portable`"]
fn all_experiments_keep_them_with_every_instruction_set() {
    hold(|_| true);
}

/// Holds the chosen experiments against the file.
fn hold(is_chosen: impl Fn(&str) -> bool) {
    let bench = Bench::new("");
    let mut found = Found::new();
    let (others, alone): (Vec<_>, Vec<_>) = experiments()
        .into_iter()
        .filter(|file| is_chosen(&name(file)))
        .partition(|file| stands_on_another(file));
    for file in alone.iter().chain(&others) {
        let results = bench.path().join("results");
        found.insert((name(file), "digests".to_owned()), digests(file, &results));
        // Networks of full size are not trained here.
        if !["presets", "modern"].contains(&name(file).as_str()) {
            run(file, &bench, &mut found);
        }
    }
    if std::env::var_os("INSTA_UPDATE").is_some_and(|value| value == "always") {
        let mut writer = csv::Writer::from_path(GOLDEN).unwrap();
        writer.write_record(["experiment", "what", "value"]).unwrap();
        found.iter().for_each(|((name, what), value)| {
            writer.write_record([name, what, value]).unwrap();
        });
        writer.flush().unwrap();
        return;
    }
    let mut golden = csv::Reader::from_path(GOLDEN).unwrap();
    let golden = golden.deserialize().map(|row| {
        let [name, what, value]: [String; 3] = row.unwrap();
        ((name, what), value)
    });
    assert_eq!(found, golden.filter(|((name, _), _)| is_chosen(name)).collect::<Found>());
}
