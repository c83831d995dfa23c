//! Recipes through the whole program: what they keep is what is evaluated, tested and predicted with, and they go on
//! where they were left.

use std::fs;
use std::path::{Path, PathBuf};

use super::bench::Bench;
use super::trained::SIGNS;

/// The weights that a recipe keeps, by each that keeps others than those of the last step.
const AVERAGES: [&str; 3] = [
    "{ ema = 0.9 }",
    "{ ema = { decay = 0.9, from-epoch = 2, warmup = true } }",
    "{ swa = { from-epoch = 2 } }",
];

impl Bench {
    /// Trains the experiment into the folder `results` with these settings.
    fn trains(&self, results: &str, sets: &[&str]) {
        let sets = sets.iter().flat_map(|set| ["--set", *set]);
        let all: Vec<&str> = ["run", "experiment.toml", "--quiet", "--results", results]
            .into_iter()
            .chain(sets)
            .collect();
        self.done(&all);
    }

    fn file_of(&self, results: &str, name: &str) -> PathBuf {
        self.path().join(results).join("signs").join(name)
    }

    /// The checkpoint `name` of the only trial in `results`.
    fn checkpoint(&self, results: &str, name: &str) -> PathBuf {
        let trials = fs::read_dir(self.file_of(results, "trials")).unwrap();
        let folders = trials.map(|entry| entry.unwrap().path());
        folders.filter(|path| path.is_dir()).min().unwrap().join(name)
    }
}

fn signs() -> Bench {
    let bench = Bench::new(SIGNS);
    bench.images("train", &["a", "b", "c"], 20);
    bench.images("test", &["a", "b", "c"], 6);
    bench
}

fn bytes(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn a_trial_with_a_mean_goes_on_with_more_epochs_as_if_it_had_always_had_them() {
    let bench = signs();
    for (index, average) in AVERAGES.into_iter().enumerate() {
        let average = format!("train.average={average}");
        let with =
            |epochs: &'static str| [average.as_str(), epochs, "train.look-ahead={ steps = 2 }"];
        let [whole, parts] = ["whole", "parts"].map(|name| format!("{name}{index}"));
        bench.trains(&whole, &with("train.epochs=4"));
        for epochs in ["train.epochs=1", "train.epochs=2", "train.epochs=4"] {
            bench.trains(&parts, &with(epochs));
        }
        for table in ["metrics.csv", "trials.csv"] {
            let [whole, parts] = [&whole, &parts].map(|results| bench.file_of(results, table));
            assert_eq!(bytes(&whole), bytes(&parts), "{average}: {table}");
        }
        for name in ["best.safetensors", "last.safetensors"] {
            let [whole, parts] = [&whole, &parts].map(|results| bench.checkpoint(results, name));
            assert_eq!(bytes(&whole), bytes(&parts), "{average}: {name}");
        }
    }
}

#[test]
fn what_a_mean_is_tested_with_is_what_its_checkpoints_predict_with() {
    let bench = signs();
    let last = |table: &Path, column: &str| -> f64 {
        let mut rows = csv::Reader::from_path(table).unwrap();
        let place = rows.headers().unwrap().iter().position(|name| name == column).unwrap();
        rows.records().last().unwrap().unwrap()[place].parse().unwrap()
    };
    let evaluated = |checkpoint: &str, part: &str| {
        let model = bench.checkpoint("mean", checkpoint);
        let model = model.to_str().unwrap();
        let all =
            ["evaluate", "--model", model, "--data", "{ folder = \"signs\" }", "--part", part];
        bench.done(&all)
    };
    for average in AVERAGES {
        bench.trains("mean", &[&format!("train.average={average}"), "train.epochs=3"]);
        let tested = last(&bench.file_of("mean", "trials.csv"), "test_loss");
        let said = evaluated("best.safetensors", "test");
        assert!(said.contains(&format!("loss {tested:.4} ")), "{average}: {tested}, {said}");
        let validated = last(&bench.file_of("mean", "metrics.csv"), "val_loss");
        let said = evaluated("last.safetensors", "validation");
        assert!(said.contains(&format!("loss {validated:.4} ")), "{average}: {validated}, {said}");
        fs::remove_dir_all(bench.path().join("mean")).unwrap();
    }
}

#[test]
fn a_student_learns_from_the_best_trial_of_another_experiment_with_the_same_numbers_whoever_keeps_them()
 {
    let bench = signs();
    bench.write("teacher.toml", &SIGNS.replace("name = \"signs\"", "name = \"teacher\""));
    bench.done(&["run", "teacher.toml", "--quiet", "--results", "kept"]);
    let taught = "train.distill={ teacher = { experiment = \"teacher\" }, weight = 0.5 }";
    bench.trains("kept", &[taught, "train.epochs=3"]);
    let table = bytes(&bench.file_of("kept", "metrics.csv"));
    // Where logits are kept, and in how many runs, changes nothing.
    let copy = |results: &str| {
        let from = bench.path().join("kept/teacher");
        let options = ["-r", from.to_str().unwrap()];
        let into = bench.path().join(results);
        fs::create_dir_all(&into).unwrap();
        let status = std::process::Command::new("cp").args(options).arg(&into).status().unwrap();
        assert!(status.success());
    };
    copy("unkept");
    bench.trains("unkept", &[taught, "train.epochs=1", "run.feature-cache=\"none\""]);
    bench.trains("unkept", &[taught, "train.epochs=3", "run.feature-cache=\"none\""]);
    assert_eq!(table, bytes(&bench.file_of("unkept", "metrics.csv")));
    // With another seed the parts of the images are others than those of the teacher.
    let said = |seed: &str| {
        let sets = ["--set", taught, "--set", seed];
        let all = [&["check", "experiment.toml", "--results", "kept"][..], &sets].concat();
        bench.done(&all)
    };
    let warning = "may have seen the validation images of 1 trial";
    assert!(!said("seed=123").contains(warning));
    assert!(said("seed=124").contains(warning), "{}", said("seed=124"));
    let plain = "train.distill=none";
    bench.trains("plain", &[plain, "train.epochs=3"]);
    assert_ne!(table, bytes(&bench.file_of("plain", "metrics.csv")));
    let teacher = bench.path().join("kept/teacher/trials");
    let said = bench.done(&["repro", "kept/signs"]);
    assert!(said.contains("identical"), "{said}");
    fs::remove_dir_all(&teacher).unwrap();
    let own = taught.replace("\"teacher\"", "\"signs\"");
    let output = bench.wick(&["check", "experiment.toml", "--results", "kept", "--set", &own]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("the experiment signs is its own teacher"), "{said}");
    let output = bench.wick(&["check", "experiment.toml", "--results", "kept", "--set", taught]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("this teacher"), "{said}");
}

#[test]
fn a_teacher_of_other_classes_or_images_is_refused_with_the_way_out() {
    let bench = signs();
    bench.done(&["run", "experiment.toml", "--quiet", "--set", "train.epochs=1"]);
    let said = |sets: &[&str]| {
        let teacher = "train.distill={ teacher = { experiment = \"signs\" }, temperature = 0 }";
        let sets = sets.iter().flat_map(|set| ["--set", *set]);
        let all = ["check", "experiment.toml", "--set", teacher, "--set", "name=student"];
        let output = bench.wick(&all.into_iter().chain(sets).collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let text = said(&["data.classes=[\"a\", \"b\"]", "data.image.size=[10, 10]"]);
    for words in [
        "train.distill.temperature = 0 is not positive",
        "the teacher takes images of 3×12×12, the trial has images of 3×10×10",
        "the teacher has 3 classes, a, b, c; the trial has 2, a, b",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn layers_may_have_the_names_of_what_checkpoints_hold_beside_weights() {
    let bench = signs();
    let named = SIGNS
        .replace("{ dense = \"classes\" }", "{ dense = \"classes\", name = \"training\" }")
        .replace(
            "{ max-pool = 2 }",
            "{ max-pool = 2 }, { conv = 4, kernel = 3, name = \"optimizer\" }",
        );
    bench.write("experiment.toml", &named);
    bench.trains("named", &["train.average={ ema = 0.9 }", "train.epochs=1"]);
    bench.trains("named", &["train.average={ ema = 0.9 }", "train.epochs=2"]);
    let model = bench.checkpoint("named", "best.safetensors");
    let bytes = String::from_utf8_lossy(&bytes(&model)).into_owned();
    assert!(bytes.contains("training.weight") && bytes.contains("optimizer.weight"));
}

#[test]
fn a_climb_that_leads_nowhere_fails_a_trial_and_what_does_nothing_is_noted() {
    let bench = signs();
    let climb = ["run", "experiment.toml", "--quiet", "--set", "train.sam=1e30"];
    let output = bench.wick(&climb);
    assert_eq!(output.status.code(), Some(3));
    let table = fs::read_to_string(bench.file_of("results", "trials.csv")).unwrap();
    assert!(table.contains("the loss became"), "{table}");
    let sets = [
        "train.progressive-resizing=[{ until = 5, size = [12, 12] }]",
        "train.schedule={ steps = { at = [1, 7] } }",
        "train.look-ahead={ steps = 1000 }",
        "train.decay-on=\"weights\"",
        "train.average={ ema = { decay = 0.99, from-epoch = 2 } }",
        "augment.until=2",
    ];
    let sets = sets.iter().flat_map(|set| ["--set", *set]);
    let said =
        bench.done(&["check", "experiment.toml"].into_iter().chain(sets).collect::<Vec<_>>());
    for words in [
        "no epoch uses the test size",
        "lowers the rate after epoch 7, but a trial has 3 epochs",
        "train.look-ahead needs 1,000 steps, but a trial has 18",
        "train.decay-on has no effect",
        "covers about 100 steps, but a trial has 12 from epoch 2 on",
        "augment.until has no effect",
    ] {
        assert!(said.replace('\n', " ").contains(words), "{words}: {said}");
    }
    let sizes = "train.batch-sizes=[{ until = 5, size = 3 }]";
    let said = bench.done(&["check", "experiment.toml", "--set", sizes]);
    assert!(said.contains("train.batch-sizes ends after 3 epochs"), "{said}");
}
