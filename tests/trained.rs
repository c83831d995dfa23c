//! What becomes of trained networks: predictions, evaluations, starting points.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use candlewick::basis::seed::derive;
use candlewick::config::presets::PRESETS;
use image::{Rgb, RgbImage};

use super::bench::Bench;

impl Bench {
    /// The value of `column` in the first row of a table, of which the folder has one.
    fn cell(&self, table: &Path, column: &str) -> String {
        let mut reader = csv::Reader::from_path(table).unwrap();
        let place = reader.headers().unwrap().iter().position(|name| name == column);
        let row = reader.records().next().unwrap().unwrap();
        row[place.unwrap_or_else(|| panic!("no column {column}"))].to_owned()
    }

    fn trials(&self, name: &str) -> PathBuf {
        self.path().join("results").join(name).join("trials.csv")
    }

    /// The folder of the only trial.
    pub(super) fn trial(&self, name: &str) -> PathBuf {
        let trials = self.path().join("results").join(name).join("trials");
        let folders = fs::read_dir(trials).unwrap().map(|entry| entry.unwrap().path());
        folders.filter(|path| path.is_dir()).min().unwrap()
    }

    /// `count` noisy images of 12×12 for each class; those of class `n` are brighter in stripe `n`.
    pub(super) fn images(&self, part: &str, classes: &[&str], count: usize) {
        for (class, name) in classes.iter().enumerate() {
            let folder = self.path().join("signs").join(part).join(name);
            fs::create_dir_all(&folder).unwrap();
            for number in 0..count {
                let mut stream = derive(1, &format!("{part} {name}"), &[number as u64]);
                let image = RgbImage::from_fn(12, 12, |x, _| {
                    let bright = if x as usize / 4 == class { 90 } else { 0 };
                    Rgb([0; 3].map(|value: u8| value + bright + stream.below(160) as u8))
                });
                image.save(folder.join(format!("{number:03}.png"))).unwrap();
            }
        }
    }
}

/// Three classes of noisy images, told apart by a stripe, and a small network.
pub(super) const SIGNS: &str = r#"
name = "signs"

[data]
source = { folder = "signs" }
image = { size = [12, 12], channels = 3 }
validation = 0.2
batch-size = 8

[model]
defaults = { norm = "batch" }
layers = [
  { residual = [{ conv = 3, kernel = 3, padding = 1, activation = "none" }] },
  { max-pool = 2 },
  "flatten",
  { dense = "classes" },
]

[train]
epochs = 3
optimizer = { adam = { lr = 1e-2 } }
top-k = 2
"#;

#[test]
fn a_checkpoint_alone_evaluates_and_predicts_as_its_trial_did() {
    let bench = Bench::new(SIGNS);
    bench.images("train", &["left", "middle", "right"], 20);
    bench.images("test", &["left", "middle", "right"], 10);
    bench.done(&["run", "experiment.toml"]);
    let trial = bench.trial("signs");
    // The card knows all that is needed: it may be carried anywhere.
    let model = bench.path().join("carried.safetensors");
    fs::copy(trial.join("best.safetensors"), &model).unwrap();
    let text = bench.done(&[
        "evaluate",
        "--model",
        "carried.safetensors",
        "--data",
        "{ folder = \"signs\" }",
    ]);
    let number = |column: &str| bench.cell(&bench.trials("signs"), column).parse::<f64>().unwrap();
    assert!(text.starts_with("30 images of signs: its own test images\n"), "{text}");
    assert!(text.contains(&format!("loss {:.4}", number("test_loss"))), "{text}");
    let accuracy = format!("accuracy {:.2} %", 100.0 * number("test_accuracy"));
    assert!(text.contains(&accuracy), "{accuracy}: {text}");
    let all = ["evaluate", "--model", "carried.safetensors", "--data", "{ folder = \"signs\" }"];
    let all = bench.done(&[&all[..], &["--part", "all", "--confusion", "all.csv"]].concat());
    assert!(all.contains("\nCohen's kappa ") && all.contains("  Brier score "), "{all}");
    let which = ": all of them, including 48 training images\n";
    assert!(all.starts_with(&format!("90 images of signs{which}")), "{all}");
    assert!(fs::read_to_string(bench.path().join("all.csv")).unwrap().starts_with("class,left,"));

    let predictions = trial.join("predictions.csv");
    let image = bench.cell(&predictions, "image");
    let file = format!("signs/{image}");
    let text = bench.done(&[
        "predict",
        "--model",
        "carried.safetensors",
        &file,
        "--top",
        "1",
        "--logits",
        "logits.csv",
    ]);
    let probability: f64 = bench.cell(&predictions, "probability").parse().unwrap();
    let expected =
        format!("{:6.2} %  {}", 100.0 * probability, bench.cell(&predictions, "predicted"));
    assert!(text.contains(&expected), "{expected}: {text}");
    let logits = fs::read_to_string(bench.path().join("logits.csv")).unwrap();
    assert!(logits.starts_with("image,left,middle,right\nsigns/"), "{logits}");
    assert_eq!(logits.lines().count(), 2);
}

#[test]
fn a_trial_keeps_the_scores_of_its_predictions_and_evaluate_gives_the_same() {
    let bench = Bench::new(SIGNS);
    bench.images("train", &["left", "middle", "right"], 20);
    bench.images("test", &["left", "middle", "right"], 10);
    bench.done(&["run", "experiment.toml"]);
    let trial = bench.trial("signs");
    let scores = |path: &Path| -> Vec<(String, String, f64)> {
        let rows = csv::Reader::from_path(path).unwrap().into_deserialize().map(Result::unwrap);
        rows.collect()
    };
    let kept = scores(&trial.join("scores.csv"));
    bench.done(&["evaluate", "--model", "results/signs", "--scores", "again.csv"]);
    let again = scores(&bench.path().join("again.csv"));
    assert_eq!(kept.len(), 12);
    for ((set, name, value), (other_set, other, again)) in kept.iter().zip(&again) {
        assert_eq!((set, name), (other_set, other));
        assert!((value - again).abs() < 1e-6, "{name}: {value} and {again}");
    }
    let of = |name: &str| kept.iter().find(|(_, other, _)| other == name).unwrap().2;
    let number = |column: &str| bench.cell(&bench.trials("signs"), column).parse::<f64>().unwrap();
    for name in ["loss", "accuracy", "top_k", "precision", "recall", "f1"] {
        assert_eq!(of(name), number(&format!("test_{name}")), "{name}");
    }
    // From what else is kept: ten images of each class make chance a third.
    let kappa = (of("accuracy") - 1.0 / 3.0) / (1.0 - 1.0 / 3.0);
    assert!((of("cohen_kappa") - kappa).abs() < 1e-9, "{} is not {kappa}", of("cohen_kappa"));
    let mut bins = [0.0; 10];
    let mut rows = csv::Reader::from_path(trial.join("predictions.csv")).unwrap();
    for row in rows.records().map(Result::unwrap) {
        let sure: f32 = row[4].parse().unwrap();
        let right = if row[2] == row[3] { 1.0 } else { 0.0 };
        bins[((f64::from(sure) * 10.0) as usize).min(9)] += f64::from(sure) - right;
    }
    let error = bins.iter().map(|distance: &f64| distance.abs()).sum::<f64>() / 30.0;
    assert!((of("calibration_error") - error).abs() < 1e-9);
}

#[test]
fn losses_on_validation_and_test_images_are_plain_whatever_is_minimised_and_evaluate_agrees() {
    let classes = ["left", "middle", "right"];
    for recipe in ["train.label-smoothing=0.3", "train.class-weights=[1, 5, 2]"] {
        let bench = Bench::new(SIGNS);
        for (part, count) in [("train", 12), ("val", 7), ("test", 9)] {
            bench.images(part, &classes, count);
        }
        bench.done(&["run", "experiment.toml", "--set", recipe]);
        let table = bench.trials("signs");
        let model = bench.trial("signs").join("best.safetensors");
        let model = model.to_str().unwrap();
        for part in ["val", "test"] {
            let folder = format!("signs/{part}");
            bench.done(&["predict", "--model", model, &folder, "--csv", "p", "--logits", "l.csv"]);
            // The definition, from the logits: −log softmax of the image's own class.
            let mut reader = csv::Reader::from_path(bench.path().join("l.csv")).unwrap();
            let losses: Vec<f64> = reader
                .records()
                .map(|row| {
                    let row = row.unwrap();
                    let logits: Vec<f64> =
                        row.iter().skip(1).map(|cell| cell.parse().unwrap()).collect();
                    let own = classes.iter().position(|class| row[0].contains(class)).unwrap();
                    let total: f64 = logits.iter().map(|logit| libm::exp(*logit)).sum();
                    libm::log(total) - logits[own]
                })
                .collect();
            let mean = losses.iter().sum::<f64>() / losses.len() as f64;
            let stored: f64 = bench.cell(&table, &format!("{part}_loss")).parse().unwrap();
            assert!((mean - stored).abs() < 1e-6, "{recipe}, {part}: {mean}, not {stored}");
            let data = format!("{{ folder = \"{folder}\" }}");
            let said = bench.done(&["evaluate", "--model", model, "--data", &data]);
            assert!(said.contains(&format!("loss {stored:.4}  ")), "{recipe}, {part}: {said}");
        }
    }
}

#[test]
fn a_network_can_start_from_the_weights_of_another_trial() {
    let bench = Bench::new(SIGNS);
    bench.images("train", &["left", "middle", "right"], 20);
    bench.done(&["run", "experiment.toml"]);
    fs::copy(bench.trial("signs").join("best.safetensors"), bench.path().join("w.safetensors"))
        .unwrap();
    let start = SIGNS.replace("name = \"signs\"", "name = \"started\"");
    // With hardly a step, and statistics that hardly move, the first epoch is the trial's best.
    let start = start.replace("lr = 1e-2", "lr = 1e-30").replace("epochs = 3", "epochs = 1");
    let start = start.replace("norm = \"batch\"", "norm = { batch = { momentum = 1e-30 } }");
    let start = start.replace("[train]", "[model.weights]\nfile = \"w.safetensors\"\n[train]");
    bench.write("started.toml", &start);
    bench.done(&["run", "started.toml"]);
    for column in ["val_loss", "val_accuracy"] {
        let of = |name| bench.cell(&bench.trials(name), column);
        assert_eq!(of("signs"), of("started"), "{column}");
    }
    let digest = || bench.cell(&bench.trials("started"), "digest");
    let before = digest();
    // A file of weights is what is in it: another place changes nothing, another content does.
    let folder = bench.path();
    fs::copy(folder.join("w.safetensors"), folder.join("v.safetensors")).unwrap();
    let moved = start.replace("w.safetensors", "v.safetensors");
    bench.write("started.toml", &moved);
    bench.done(&["run", "started.toml"]);
    assert_eq!(before, digest());
    fs::copy(bench.trial("signs").join("last.safetensors"), folder.join("v.safetensors")).unwrap();
    let loose = moved.replace("[train]", "strict = false\n[train]");
    bench.write("started.toml", &loose);
    bench.done(&["run", "started.toml"]);
    assert_ne!(before, digest());
}

#[test]
fn no_epochs_evaluate_a_network_as_it_is() {
    let bench = Bench::new(SIGNS);
    for part in ["train", "val", "test"] {
        bench.images(part, &["left", "middle", "right"], 10);
    }
    bench.done(&["run", "experiment.toml"]);
    let trained = bench.trial("signs").join("best.safetensors");
    fs::copy(&trained, bench.path().join("w.safetensors")).unwrap();
    let sets = ["name=looked-at", "model.weights=w.safetensors", "train.epochs=0"];
    let sets = sets.iter().flat_map(|set| ["--set", set]);
    let run: Vec<&str> = ["run", "experiment.toml"].into_iter().chain(sets).collect();
    let ranking = bench.done(&run);
    let accuracy: f64 = bench.cell(&bench.trials("looked-at"), "val_accuracy").parse().unwrap();
    assert!(ranking.contains(&format!("{:.2} %", 100.0 * accuracy)), "{ranking}");
    for column in ["val_loss", "val_accuracy", "test_loss", "test_accuracy", "test_f1"] {
        let of = |name| bench.cell(&bench.trials(name), column);
        assert_eq!(of("signs"), of("looked-at"), "{column}");
    }
    assert_eq!(bench.cell(&bench.trials("looked-at"), "status"), "completed");
    assert_eq!(bench.cell(&bench.trials("looked-at"), "best_epoch"), "");
    let metrics = bench.trials("looked-at").with_file_name("metrics.csv");
    assert_eq!(fs::read_to_string(metrics).unwrap().lines().count(), 1);
    let evaluate = |model: PathBuf| {
        let model = model.to_str().unwrap().to_owned();
        bench.done(&["evaluate", "--model", &model, "--data", "{ folder = \"signs\" }"])
    };
    let looked_at = bench.trial("looked-at").join("best.safetensors");
    assert_eq!(evaluate(trained), evaluate(looked_at));
    // Training it afterwards is another trial, and looking at it again is none.
    let digest = bench.cell(&bench.trials("looked-at"), "digest");
    let again: Vec<&str> = run.iter().copied().chain(["--set", "train.epochs=1"]).collect();
    bench.done(&again);
    assert_ne!(digest, bench.cell(&bench.trials("looked-at"), "digest"));
}

#[test]
fn a_score_that_is_always_right_is_not_printed() {
    let bench = Bench::new(SIGNS);
    bench.images("train", &["left", "right"], 10);
    bench.done(&["run", "experiment.toml", "--set", "train.epochs=1"]);
    let model = bench.trial("signs").join("best.safetensors");
    let data = "{ folder = \"signs\" }";
    let said = bench.done(&["evaluate", "--model", model.to_str().unwrap(), "--data", data]);
    assert!(said.contains("accuracy") && !said.contains("top-"), "{said}");
}

#[test]
fn wrong_networks_images_and_data_exit_with_2_and_say_why() {
    let bench = Bench::new(SIGNS);
    bench.images("train", &["left", "middle", "right"], 5);
    bench.done(&["run", "experiment.toml", "--set", "train.epochs=1"]);
    let model = bench.trial("signs").join("best.safetensors");
    let model = model.to_str().unwrap();
    bench.write("text.png", "not an image");
    bench.write("classes.txt", "cat\ndog\n");
    fs::write(bench.path().join("torn.safetensors"), &fs::read(model).unwrap()[..900]).unwrap();
    let cases: [(&[&str], &str); 9] = [
        (&["predict", "text.png"], "--model <CHECKPOINT>|--preset <NAME>"),
        (&["predict", "--preset", "plain", "text.png"], "--weights"),
        (
            &["predict", "--model", "nowhere.safetensors", "text.png"],
            "nowhere.safetensors: No such file",
        ),
        (&["predict", "--model", "torn.safetensors", "text.png"], "not a safetensors file"),
        (&["predict", "--model", model, "text.png"], "text, not an image"),
        (
            &["predict", "--preset", "plian", "--weights", model, "text.png"],
            "did you mean \"plain\"?",
        ),
        (
            &["predict", "--preset", "plain", "--weights", model, "--image-size", "0", "text.png"],
            "between 1 and 4096",
        ),
        (
            &[
                "predict",
                "--preset",
                "plain",
                "--weights",
                model,
                "--classes",
                "classes.txt",
                "--image-size",
                "32",
                "text.png",
            ],
            "no tensor of the file belongs to the network",
        ),
        (
            &["evaluate", "--model", model, "--data", "digits"],
            "does not know 10 of the 10 classes of digits",
        ),
    ];
    for (arguments, reason) in cases {
        let output = bench.wick(arguments);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(reason), "{arguments:?}: {text}");
    }
}

#[test]
fn presets_are_listed_and_printed_as_files_to_copy() {
    let bench = Bench::new(SIGNS);
    let list = bench.done(&["presets"]);
    assert_eq!(list.lines().count(), PRESETS.len());
    for (name, text) in PRESETS {
        assert!(list.lines().any(|line| line.split_whitespace().next() == Some(name)), "{name}");
        assert_eq!(bench.done(&["presets", name]), text);
    }
    let output = bench.wick(&["presets", "resnet81"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("did you mean \"resnet18\"?"));
}

#[test]
fn each_small_classic_learns_64_images_by_heart() {
    let classes = ["a", "b", "c", "d"];
    let bench = Bench::new(
        r#"
name = "by-heart"

[data]
source = { folder = "signs" }
image = { size = [32, 32], channels = 3 }
validation = 0.0
batch-size = 16

[model]
parameters = { dropout = 0.0 }

[train]
epochs = 25
optimizer = { adam = { lr = 2e-3 } }
best = "train_loss"
top-k = 2

[[sweep.list]]
name = "alexnet-32"
"model.preset" = "alexnet-32"
"model.parameters.width" = 8
"model.parameters.dense" = 64

[[sweep.list]]
name = "vgg11-32"
"model.preset" = "vgg11-32"
"model.parameters.width" = 8
"model.parameters.dense" = 64

[[sweep.list]]
name = "googlenet-32"
"model.preset" = "googlenet-32"
"model.parameters.width" = 0.125
"model.parameters.auxiliary-dropout" = 0.0

[[sweep.list]]
name = "resnet18-32"
"model.preset" = "resnet18-32"
"model.parameters.width" = 8
"#,
    );
    // Noise alone: nothing can be learnt but the images themselves.
    for class in classes {
        let folder = bench.path().join("signs").join(class);
        fs::create_dir_all(&folder).unwrap();
        for number in 0..16 {
            let mut stream = derive(2, class, &[number]);
            let image =
                RgbImage::from_fn(8, 8, |_, _| Rgb([0; 3].map(|_: u8| stream.below(256) as u8)));
            image.save(folder.join(format!("{number}.png"))).unwrap();
        }
    }
    bench.done(&["run", "experiment.toml"]);
    let metrics = bench.trials("by-heart").with_file_name("metrics.csv");
    let mut reader = csv::Reader::from_path(metrics).unwrap();
    let headers = reader.headers().unwrap().clone();
    let place = |name: &str| headers.iter().position(|header| header == name).unwrap();
    // The last row of each trial.
    let last: BTreeMap<String, f64> = reader
        .records()
        .map(Result::unwrap)
        .map(|row| (row[place("trial")].to_owned(), row[place("train_accuracy")].parse().unwrap()))
        .collect();
    assert_eq!(last, ["1", "2", "3", "4"].map(|trial| (trial.to_owned(), 1.0)).into());
}

#[test]
fn a_trial_is_evaluated_on_its_own_test_images_and_on_others_only_where_that_is_said() {
    let bench = Bench::new(&SIGNS.replace("validation = 0.2", "validation = 0.2\ntest = 0.3"));
    bench.images("all", &["left", "middle", "right"], 20);
    let experiment = ["--set", "data.source={ folder = \"signs/all\" }"];
    bench.done(&[&["run", "experiment.toml"][..], &experiment].concat());
    let number = |column: &str| bench.cell(&bench.trials("signs"), column).parse::<f64>().unwrap();
    let scores = |part: &str| {
        let accuracy = 100.0 * number(&format!("{part}_accuracy"));
        format!("loss {:.4}  accuracy {accuracy:.2} %", number(&format!("{part}_loss")))
    };
    let evaluate = |model: &str, more: &[&str]| {
        bench.done(&[&["evaluate", "--model", model][..], more].concat())
    };
    // The folder of the results, of the trial and the file are the same network, which knows its images.
    let own = evaluate("results/signs", &[]);
    assert!(own.starts_with("18 images of signs/all: its own test images\n"), "{own}");
    assert!(own.contains(&scores("test")), "{own}");
    let folder = bench.trial("signs");
    let file = folder.join("best.safetensors");
    assert_eq!(own, evaluate(folder.to_str().unwrap(), &[]));
    assert_eq!(own, evaluate(file.to_str().unwrap(), &["--data", "{ folder = \"signs/all\" }"]));
    let part = |part: &str| evaluate("results/signs", &["--part", part]);
    let validation = part("validation");
    assert!(
        validation.starts_with("8 images of signs/all: its own validation images"),
        "{validation}"
    );
    assert!(validation.contains(&scores("val")), "{validation}");
    assert!(part("train").starts_with("34 images of signs/all: its training images"));
    assert!(
        part("all")
            .starts_with("60 images of signs/all: all of them, including 34 training images")
    );
    // Carried elsewhere, it still knows them when it sees them, but not where they are.
    fs::copy(&file, bench.path().join("carried.safetensors")).unwrap();
    fs::rename(bench.path().join("signs"), bench.path().join("moved")).unwrap();
    let moved = evaluate("carried.safetensors", &["--data", "{ folder = \"moved/all\" }"]);
    assert_eq!(moved, own.replace("signs/all", "moved/all"));
    let lost = bench.wick(&["evaluate", "--model", "carried.safetensors"]);
    assert_eq!(lost.status.code(), Some(2));
    let said = String::from_utf8_lossy(&lost.stderr);
    assert!(said.contains("no plan.toml beside the checkpoint says where"), "{said}");
    assert!(said.contains("--data SOURCE"), "{said}");
    // A part of its images that is given as if it were another data set is seen through.
    fs::rename(bench.path().join("moved"), bench.path().join("signs")).unwrap();
    for class in ["left", "middle", "right"] {
        let part = bench.path().join("signs/all/part").join(class);
        fs::create_dir_all(&part).unwrap();
        for image in ["000.png", "001.png", "002.png", "003.png", "004.png"] {
            fs::copy(bench.path().join("signs/all").join(class).join(image), part.join(image))
                .unwrap();
        }
    }
    fs::rename(bench.path().join("signs/all/part"), bench.path().join("signs/part")).unwrap();
    let seen = evaluate("results/signs", &["--data", "{ folder = \"signs/part\" }"]);
    assert!(seen.starts_with("15 images of signs/part\n"), "{seen}");
    fs::remove_file(bench.path().join("signs/all/left/000.png")).unwrap();
    let changed = bench.wick(&["evaluate", "--model", "results/signs"]);
    assert_eq!(changed.status.code(), Some(2));
    let said = String::from_utf8_lossy(&changed.stderr);
    assert!(
        said.contains("have changed since the network was trained and tested on them"),
        "{said}"
    );
}

#[test]
fn a_trial_without_test_images_is_evaluated_on_its_validation_images() {
    let bench = Bench::new(SIGNS);
    bench.images("train", &["left", "middle", "right"], 10);
    let set = ["--set", "train.epochs=1"];
    let run = bench.wick(&[&["run", "experiment.toml"][..], &set].concat());
    let said = String::from_utf8_lossy(&run.stderr);
    let best = bench.trial("signs").join("best.safetensors");
    let end = best.strip_prefix(bench.path()).unwrap().display().to_string();
    assert!(said.contains(&format!("the best trial's weights are {end}")), "{said}");
    assert!(said.contains("next: wick predict --model results/signs IMAGE"), "{said}");
    let said = bench.done(&["evaluate", "--model", "results/signs"]);
    let which = "6 images of signs: its own validation images, by which its best epoch was chosen";
    assert!(said.starts_with(which), "{said}");
    let none =
        ["--set", "data.validation=0", "--set", "train.best=train_loss", "--set", "name=none"];
    bench.done(&[&["run", "experiment.toml"][..], &set, &none].concat());
    let output = bench.wick(&["evaluate", "--model", "results/none"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("has no validation and no test images")
    );
}

#[test]
fn what_a_preset_does_not_use_is_an_error() {
    let bench = Bench::new("");
    for (set, is_wrong) in [
        ("data.normalise=none", true),
        ("nonsense=1", true),
        ("model.preset=vgg11", true),
        ("model.weights=w.pth", true),
        ("modell.defaults.activation=elu", true),
        ("model.nonsense=1", true),
        ("model.defaults.activation=elu", false),
    ] {
        let export =
            ["export", "--preset", "plain", "--seed", "1", "--to", "safetensors", "--set", set];
        let output = bench.wick(&export);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(if is_wrong { 2 } else { 0 }), "{set}: {said}");
        let key = set.split('=').next().unwrap();
        assert!(!is_wrong || said.contains(key), "{set}: {said}");
    }
}
