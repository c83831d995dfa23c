//! Trials that begin alike train what they have in common once, and come out as if each had been trained alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candlewick::basis::record::EpochRecord;
use candlewick::basis::seed::{Stream, derive};
use candlewick::config::layering::{Request, load};
use candlewick::data::{self, Cache, Epochs};
use candlewick::kernels::device::Device;
use candlewick::model::network::Weights;
use candlewick::plan::Plan;
use candlewick::plan::prune::Nothing;
use candlewick::plan::stage::{StageDigest, StageDigests};
use candlewick::plan::sweep::expand;
use candlewick::sweep::clock;
use candlewick::sweep::survey::Files;
use candlewick::train::checkpoint::Checkpoint;
use candlewick::train::stopping::best_epoch;
use candlewick::train::trainer::{Event, Observer, Trainer, TrialData};
use candlewick::transfer::features::Features;

use super::bench::{Bench, bare};

const BASE: &str = r#"
name = "tree"
seed = 7

[data]
source = "digits"
image = { size = [8, 8], channels = 1 }
subset = { per-class = 12 }
test = 0.2
batch-size = 32

[augment]
train = [{ rotate = 15, p = 0.5 }]

[model]
layers = [
  { conv = 4, kernel = 3, padding = "same", norm = "batch" },
  { adaptive-avg-pool = 2 },
  "flatten",
  { dense = 16, dropout = 0.2 },
  { dense = "classes", norm = "none", dropout = 0.0 },
]

[train]
epochs = 6
optimizer = { sgd = { lr = 0.1, momentum = 0.9 } }
schedule = { steps = { at = [4] } }
"#;

/// Settings of which trials of the property test have some, each with what it may be.
const CHOICES: [(&str, &[&str]); 10] = [
    ("train.epochs", &["4", "3", "5"]),
    (
        "train.schedule",
        &[
            "\"constant\"",
            "{ steps = { at = [2], factor = 0.1 } }",
            "{ steps = { at = [1, 3], factor = 0.5 } }",
            "{ step = { every = 2, factor = 0.1 } }",
            "{ exponential = { factor = 0.5 } }",
            "{ constant = { warmup = 1.5 } }",
            "{ steps = { at = [3], factor = 0.1, warmup = 1.5 } }",
            "{ cosine = { warmup = 1.5 } }",
            "\"cosine\"",
            "{ cosine-restarts = { period = 2 } }",
            "{ cosine-restarts = { period = 2, growth = 2 } }",
            "{ plateau = { metric = \"train_loss\", patience = 0 } }",
            "{ plateau = { metric = \"val_loss\", patience = 1, factor = 0.5 } }",
        ],
    ),
    ("train.early-stop", &["\"none\"", "{ patience = 1 }"]),
    ("train.best", &["\"val_accuracy\"", "\"train_loss\""]),
    (
        "train.average",
        &[
            "\"none\"",
            "{ ema = { decay = 0.5, from-epoch = 2 } }",
            "{ ema = { decay = 0.9, from-epoch = 3 } }",
            "{ swa = { from-epoch = 2 } }",
            "{ swa = { from-epoch = 4 } }",
        ],
    ),
    (
        "train.progressive-resizing",
        &[
            "[]",
            "[{ until = 1, size = [6, 6] }]",
            "[{ until = 1, size = [6, 6] }, { until = 3, size = [7, 7] }]",
        ],
    ),
    (
        "train.batch-sizes",
        &["[]", "[{ until = 1, size = 7 }]", "[{ until = 1, size = 7 }, { until = 2, size = 30 }]"],
    ),
    ("augment.until", &["\"end\"", "1", "2"]),
    ("augment.test-time", &["[]", "[[\"horizontal-flip\"]]"]),
    (
        "transfer",
        &[
            "{ probe = 2 }",
            "{ probe = 3 }",
            "{ freeze = \"all\" }",
            "{ freeze = \"all\", unfreeze = [{ epoch = 2, layers = [\"dense1\"] }, { epoch = 3, layers = \"all\" }] }",
            "{ freeze = \"all\", unfreeze = [{ epoch = 3, layers = \"all\" }], layer-lr-decay = 0.5 }",
            "{}",
            "{ freeze = [\"conv1\"] }",
        ],
    ),
];

/// A trial of the property test: mostly what others are, so that many have much in common. Images of a transfer have
/// one size.
fn sets(stream: &mut Stream, is_transfer: bool) -> Vec<String> {
    let left_out = if is_transfer { "train.progressive-resizing" } else { "transfer" };
    let mut sets = Vec::new();
    for (key, choices) in CHOICES.into_iter().filter(|(key, _)| *key != left_out) {
        let choice = match stream.below(10) {
            0..6 => choices[0],
            _ => choices[stream.below(choices.len() as u64) as usize],
        };
        if key == "transfer" {
            let rest = choice.trim_start_matches('{').trim_end_matches('}').trim();
            let comma = if rest.is_empty() { "" } else { ", " };
            let weights = "weights = { experiment = \"base\" }, case = \"large-similar\"";
            let head = "head = [{ dense = \"classes\", norm = \"none\", dropout = 0.0 }]";
            sets.push(format!("{key}={{ {weights}, {head}{comma}{rest} }}"));
        } else {
            sets.push(format!("{key}={choice}"));
        }
    }
    sets
}

fn plan(bench: &Bench, sets: Vec<String>) -> Plan {
    let file = bench.path().join("experiment.toml");
    let root = load(&Request { file, sets, ..Request::default() }).unwrap();
    let images = Cache::new(1);
    let survey = Files::new(&images, &bench.path().join("results"));
    let mut experiment = expand(&root, &survey, &Nothing)
        .unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    experiment.trials.remove(0).plan
}

/// What a trial leaves after each epoch.
#[derive(Default)]
struct Heard(Vec<Checkpoint>);

impl Observer for Heard {
    fn notice(&mut self, event: &Event) -> Result<(), String> {
        if let Event::Epoch { last, .. } = event {
            self.0.push((*last).clone());
        }
        Ok(())
    }
}

fn trainer(plan: &Plan) -> Trainer<'_> {
    let images = Cache::new(1);
    let dataset = images.get(&plan.data).unwrap();
    let split = data::split(&dataset, &plan.data, plan.seed).unwrap();
    let normalisation =
        data::normalisation(&dataset, &split.train, &plan.data.normalise, plan.seed).unwrap();
    let data = TrialData { dataset, split: Arc::new(split), normalisation };
    let epochs = Arc::new(Epochs::new(0, [plan], clock::seconds)).of(plan);
    let features = Arc::new(Features::new(None, 1 << 20));
    let start = match &plan.model.weights {
        Some(file) => candlewick::model::weights::read(file, &plan.model).unwrap().0,
        None => Weights::new(),
    };
    Trainer::new(plan, &Device::cpu(), data, epochs, features, start, None).unwrap()
}

/// One trained trial of the property test.
struct Trained {
    plan: Plan,
    digests: Vec<StageDigest>,
    records: Vec<EpochRecord>,
    checkpoints: Vec<Checkpoint>,
}

impl Trained {
    fn new(plan: Plan) -> Trained {
        let mut heard = Heard::default();
        let mut trainer = trainer(&plan);
        trainer.run(&mut heard).unwrap();
        let records = trainer.records().to_vec();
        drop(trainer);
        let digests = StageDigests::default().of(&plan).collect();
        Trained { digests, records, checkpoints: heard.0, plan }
    }

    /// Goes on from what `other` has come to after so many epochs: has to come to the same as without it.
    fn goes_on_from(&self, other: &Trained, epochs: usize) {
        let mut trainer = trainer(&self.plan);
        let last = trainer.as_own(&other.checkpoints[epochs - 1].without_card()).unwrap();
        assert_eq!(last, self.checkpoints[epochs - 1], "after {epochs} epochs");
        let records = other.records[..epochs].to_vec();
        let best = best_epoch(&records, self.plan.train.best).unwrap();
        let best = trainer.as_own(&other.checkpoints[best].without_card()).unwrap().weights();
        trainer.resume(records, &last, Some(best)).unwrap();
        let mut heard = Heard::default();
        trainer.run(&mut heard).unwrap();
        assert_eq!(trainer.records(), self.records, "from {epochs} epochs");
        assert!(heard.0[..] == self.checkpoints[epochs..], "from {epochs} epochs");
    }
}

#[test]
fn trials_with_one_stage_digest_come_to_the_same_bits_and_go_on_from_each_other() {
    let bench = Bench::new(BASE);
    bench.done(&["run", "experiment.toml", "--set", "name=base", "--set", "train.epochs=1"]);
    let mut stream = derive(3, "plans", &[]);
    let trial = |index| Trained::new(plan(&bench, sets(&mut stream, index % 2 == 0)));
    let all: Vec<Trained> = (0..40).map(trial).collect();
    let (mut same, mut other, mut alike) = (0, 0, 0);
    for (index, one) in all.iter().enumerate() {
        for two in &all[..index] {
            let epochs = one.checkpoints.len().min(two.checkpoints.len());
            let mut from = 0;
            for epoch in 1..=epochs {
                let is_same = one.digests[epoch - 1] == two.digests[epoch - 1];
                let [a, b] = [one, two].map(|it| &it.checkpoints[epoch - 1]);
                if is_same {
                    assert_eq!(
                        format!("{:?}", one.records[epoch - 1]),
                        format!("{:?}", two.records[epoch - 1])
                    );
                    assert_eq!(from, epoch - 1, "equal digests behind unequal ones");
                    from = epoch;
                    same += 1;
                } else {
                    other += 1;
                    alike += usize::from(a.tensors == b.tensors);
                }
            }
            if from > 0 {
                one.goes_on_from(two, from);
                two.goes_on_from(one, from);
            }
        }
    }
    assert!(same > 100 && other > 100, "{same} pairs of epochs are the same, {other} are not");
    // Digests may tell apart what comes to the same, as where an average has just begun, but seldom.
    assert!(alike * 5 < other, "{alike} of {other} that are told apart come to the same");
}

/// A tree: when the rate falls, by how much, when to stop, what is best, how long.
const TREE: &str = r#"
[sweep.grid]
"train.schedule.steps.at" = [[2], [4], [2, 4]]
"train.early-stop" = ["none", { metric = "val_accuracy", patience = 1 }, { metric = "val_accuracy", patience = 2 }]
"train.best" = ["val_accuracy", "val_loss"]
"#;

/// All files of a results folder that do not depend on the clock or on who was at work.
fn results(bench: &Bench, results: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let root = bench.path().join(results).join("tree");
    let passing = [
        "timings.csv",
        "lock",
        "holder",
        "mark",
        "hashes.lock",
        "report.html",
        "model-card.md",
        "environment.toml",
        "hashes.toml",
    ];
    let mut found = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !passing.contains(&path.file_name().unwrap().to_str().unwrap()) {
                found
                    .insert(path.strip_prefix(&root).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    assert!(found.contains_key(Path::new("metrics.csv")));
    found
}

fn assert_same(one: &BTreeMap<PathBuf, Vec<u8>>, two: &BTreeMap<PathBuf, Vec<u8>>, what: &str) {
    let names = |all: &BTreeMap<PathBuf, Vec<u8>>| all.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(one), names(two), "{what}");
    for (name, bytes) in one {
        // What the file says of [run] differs.
        if !["experiment.toml", "frozen.toml"].map(Path::new).contains(&name.as_path()) {
            assert!(*bytes == two[name], "{what}: {} differs", name.display());
        }
    }
}

/// Epochs that were trained.
fn trained(bench: &Bench, results: &str) -> usize {
    let table = fs::read_to_string(bench.path().join(results).join("tree/timings.csv")).unwrap();
    let epochs = table.lines().skip(1).map(|row| row.split(',').nth(2).unwrap());
    epochs.filter(|epoch| *epoch != "0").count()
}

fn tree(tree: &str) -> Bench {
    Bench::new(&format!("{BASE}{tree}"))
}

#[test]
fn a_tree_of_trials_trains_common_epochs_once_and_every_file_is_as_if_each_had_run_alone() {
    let bench = tree(TREE);
    let run = |results: &str, more: &[&str]| {
        bench.done(&[&["run", "experiment.toml", "--results", results], more].concat())
    };
    run("alone", &["--no-sharing", "--threads", "1"]);
    assert!(!bench.path().join("alone/.stages").exists());
    let expected = results(&bench, "alone");
    let alone = trained(&bench, "alone");
    let mut least = usize::MAX;
    for (workers, threads) in [("1", "1"), ("2", "1"), ("4", "1")] {
        run("shared", &["--workers", workers, "--threads", threads]);
        assert_same(&expected, &results(&bench, "shared"), &format!("{workers} workers"));
        let shared = trained(&bench, "shared");
        assert!(shared * 3 < alone, "{shared} of {alone} epochs with {workers} workers");
        least = least.min(shared);
        assert_eq!(shared, least, "with {workers} workers");
        fs::remove_dir_all(bench.path().join("shared/tree")).unwrap();
        if workers == "4" {
            // What is kept serves another run, or nobody if it is damaged.
            for entry in fs::read_dir(bench.path().join("shared/.stages")).unwrap() {
                let path = entry.unwrap().path();
                let mut bytes = fs::read(&path).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                fs::write(&path, bytes).unwrap();
            }
            run("shared", &[]);
            assert_same(&expected, &results(&bench, "shared"), "damaged stages");
        } else {
            fs::remove_dir_all(bench.path().join("shared/.stages")).unwrap();
        }
    }
    let said = bench.done(&["check", "experiment.toml"]);
    assert!(said.contains(" of 108 epochs are shared"), "{said}");
    assert!(
        !bench
            .done(&["check", "experiment.toml", "--set", "run.stage-cache=none"])
            .contains("are shared")
    );
    // A trial that has gone on from another one is computed alone.
    let said = bench.done(&["repro", "shared/tree"]);
    assert!(said.contains("identical"), "{said}");
}

#[test]
fn trials_that_have_nothing_in_common_leave_nothing_behind() {
    let bench =
        tree("\n[sweep]\nseeds = 2\n[sweep.grid]\n\"train.optimizer.sgd.lr\" = [0.1, 0.2]\n");
    bench.done(&["run", "experiment.toml"]);
    assert!(!bench.path().join("results/.stages").exists());
    assert!(!bench.done(&["check", "experiment.toml"]).contains("shared:"));
}

#[test]
fn where_the_first_trial_fails_the_others_come_out_as_alone() {
    let grid = "\"train.schedule.steps.at\" = [[4], [5]]\n\"train.early-stop\" = [\"none\", { patience = 5 }]";
    let bench = tree(&format!("\n[sweep.grid]\n{grid}\n"));
    let run = |results: &str, more: &[&str]| {
        let output = bare(env!("CARGO_BIN_EXE_wick"))
            .current_dir(bench.path())
            .env("CANDLEWICK_FAULT", "panic 1")
            .args(["run", "experiment.toml", "--results", results])
            .args(more)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(3));
    };
    run("alone", &["--no-sharing"]);
    run("shared", &["--workers", "2"]);
    // How many losses are stored of an epoch that a trial fails in depends on the clock.
    let found = |name: &str| {
        let is_lasting = |(path, _): &(PathBuf, Vec<u8>)| !path.ends_with("batches.csv");
        results(&bench, name).into_iter().filter(is_lasting).collect()
    };
    assert_same(&found("alone"), &found("shared"), "failed");
}

#[test]
fn pruned_trials_share_what_they_have_in_common_until_their_rungs() {
    for rule in [
        "{ asha = { first = 1, factor = 2 }, metric = \"val_accuracy\" }",
        "{ successive-halving = { first = 2, factor = 2 }, metric = \"val_accuracy\" }",
    ] {
        let bench = tree(TREE);
        let prune = format!("sweep.prune={rule}");
        let run = |results: &str, more: &[&str]| {
            let all = ["run", "experiment.toml", "--results", results, "--set", &prune];
            bench.done(&[&all[..], more].concat());
        };
        run("alone", &["--no-sharing"]);
        run("shared", &["--workers", "2"]);
        let [alone, shared] = ["alone", "shared"].map(|name| trained(&bench, name));
        let tables = |name: &str| {
            let root = bench.path().join(name).join("tree");
            ["metrics.csv", "trials.csv", "decisions.csv"]
                .map(|table| fs::read_to_string(root.join(table)).unwrap())
        };
        assert_eq!(tables("alone"), tables("shared"), "{rule}");
        assert!(shared < alone, "{rule}: {shared} of {alone} epochs");
    }
}
