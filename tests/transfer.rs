//! Transfer: what is frozen stays, what learns changes, and features that were kept are those that
//! would have been computed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use candlewick::train::checkpoint::Checkpoint;

use super::bench::{Bench, bare};

/// Five digits are learnt; the other five are where it is transferred to.
const PRETRAIN: &str = r#"
name = "pretrain"
seed = 7

[data]
source = "digits"
classes = ["0", "1", "2", "3", "4"]
image = { size = [16, 16], channels = 1 }
normalise = { mean = [0.3], std = [0.37] }
test = 0.1
batch-size = 64

[model]
layers = [
  { conv = 8, kernel = 3, norm = "batch" },
  { max-pool = 2 },
  { conv = 16, kernel = 3, norm = "batch", name = "second" },
  { max-pool = 2 },
  "flatten",
  { dense = 24, dropout = 0.2 },
  { dense = "classes" },
]

[train]
epochs = 2
optimizer = { adam = { lr = 3e-3, weight-decay = 1e-3 } }
"#;

const TRANSFER: &str = r#"
extends = "experiment.toml"
name = "transfer"
data.classes = ["5", "6", "7", "8", "9"]

[transfer]
weights = { experiment = "pretrain" }
case = "small-similar"
"#;

fn bench() -> Bench {
    let bench = Bench::new(PRETRAIN);
    bench.done(&["run", "experiment.toml"]);
    fs::write(bench.path().join("transfer.toml"), TRANSFER).unwrap();
    bench
}

type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

fn trials(bench: &Bench, name: &str) -> Vec<PathBuf> {
    let folder = bench.path().join("results").join(name);
    let table = fs::read_to_string(folder.join("trials.csv")).unwrap();
    let digests = table.lines().skip(1).map(|row| row.split(',').nth(1).unwrap().to_owned());
    digests.map(|digest| folder.join("trials").join(digest)).collect()
}

fn best(folder: &Path) -> Tensors {
    let bytes = fs::read(folder.join("best.safetensors")).unwrap();
    Checkpoint::from_bytes(&bytes).unwrap().tensors
}

/// The names of `a`'s tensors that `b` has with the same bits.
fn same<'a>(a: &'a Tensors, b: &Tensors) -> Vec<&'a str> {
    let bits = |numbers: &[f32]| numbers.iter().map(|n| n.to_bits()).collect::<Vec<_>>();
    a.iter()
        .filter(|(name, (_, numbers))| {
            b.get(*name).is_some_and(|(_, other)| bits(numbers) == bits(other))
        })
        .map(|(name, _)| name.as_str())
        .collect()
}

const CONVOLUTIONS: [&str; 10] = [
    "conv1.norm.bias",
    "conv1.norm.running_mean",
    "conv1.norm.running_var",
    "conv1.norm.weight",
    "conv1.weight",
    "second.norm.bias",
    "second.norm.running_mean",
    "second.norm.running_var",
    "second.norm.weight",
    "second.weight",
];

#[test]
fn frozen_parameters_and_statistics_keep_every_bit_and_the_others_do_not() {
    let bench = bench();
    let cases = r#"["small-similar","small-different","large-similar","large-different"]"#;
    let axis = format!(r#"sweep.grid."transfer.case"={cases}"#);
    bench.done(&["run", "transfer.toml", "--set", &axis]);
    let before = best(&trials(&bench, "pretrain")[0]);
    let after: Vec<Tensors> =
        trials(&bench, "transfer").iter().map(|folder| best(folder)).collect();
    let dense = ["dense1.bias", "dense1.weight"];
    let all = || CONVOLUTIONS.iter().chain(&dense).copied().collect::<Vec<_>>();
    let mut expected = all();
    expected.sort_unstable();
    assert_eq!(same(&before, &after[0]), expected);
    // Near the beginning: nothing but the first convolution is left.
    assert_eq!(same(&before, &after[1]), &CONVOLUTIONS[..5]);
    assert!(!after[1].contains_key("second.weight"));
    for (case, tensors) in after.iter().enumerate().skip(2) {
        assert_eq!(same(&before, tensors), [""; 0], "case {}", case + 1);
        assert!(all().iter().all(|name| tensors.contains_key(*name)));
    }
    // From scratch: what it would be without any pretrained network.
    let start = |case: &str| {
        let sets = [format!("transfer.case={case}"), "train.optimizer.adam.lr=1e-12".to_owned()];
        bench.done(&["run", "transfer.toml", "--set", &sets[0], "--set", &sets[1]]);
        best(&trials(&bench, "transfer")[0])
    };
    let (pretrained, scratch) = (start("large-similar"), start("large-different"));
    let close = |a: &Tensors, name: &str| {
        let pairs = a[name].1.iter().zip(&before[name].1);
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) < 1e-6
    };
    assert!(close(&pretrained, "conv1.weight") && close(&pretrained, "dense1.weight"));
    assert!(!close(&scratch, "conv1.weight") && !close(&scratch, "dense1.weight"));
}

/// `trials.csv`, `metrics.csv` and the best checkpoints of `transfer`.
fn results(bench: &Bench) -> Vec<Vec<u8>> {
    let folder = bench.path().join("results/transfer");
    let tables = ["trials.csv", "metrics.csv"].map(|name| fs::read(folder.join(name)).unwrap());
    let best = trials(bench, "transfer").into_iter();
    tables
        .into_iter()
        .chain(best.map(|folder| fs::read(folder.join("best.safetensors")).unwrap()))
        .collect()
}

#[test]
fn kept_features_are_those_that_would_have_been_computed_bit_for_bit() {
    let bench = bench();
    for sets in [
        // Every view: plain, at evaluation and at test time, two seeds, two subsets.
        &["sweep.seeds=2", r#"sweep.grid."data.subset"=["none",{per-class=20}]"#][..],
        &["transfer.cut=\"second\"", "augment.evaluation=[\"horizontal-flip\"]"],
        &["augment.train=[{rotate=20,p=0.7}]", "transfer.feature-variants=2", "train.epochs=4"],
        &["augment.test-time=[[{horizontal-flip=true,p=1.0}]]", "data.batch-size=48"],
        // Behind a dense layer, whose products depend on how many rows they have.
        &["transfer.probe=1", "transfer.freeze=[\"conv1\", \"second\"]"],
    ] {
        let mut arguments = vec!["run", "transfer.toml"];
        sets.iter().for_each(|set| arguments.extend(["--set", set]));
        let run = |more: &[&str]| {
            let _ = fs::remove_dir_all(bench.path().join("results/transfer"));
            let _ = fs::remove_dir_all(bench.path().join("results/.features"));
            bench.done(&[&arguments[..], more].concat());
            results(&bench)
        };
        let kept = run(&["--workers", "2", "--threads", "1"]);
        assert!(bench.path().join("results/.features").is_dir(), "{sets:?}: nothing was kept");
        assert!(
            kept == run(&["--set", "run.feature-cache=none", "--workers", "1", "--threads", "3"]),
            "{sets:?}"
        );
        // A later run reads what the first has stored.
        run(&[]);
        fs::remove_dir_all(bench.path().join("results/transfer")).unwrap();
        bench.done(&arguments);
        assert!(kept == results(&bench), "{sets:?}: from the disk");
    }
}

/// Pretrained on colours, transferred to gray images.
fn gray_on_colours() -> Bench {
    let bench = Bench::new(
        &PRETRAIN
            .replace("channels = 1", "channels = 3")
            .replace("normalise = { mean = [0.3], std = [0.37] }", "normalise = \"none\""),
    );
    bench.done(&["run", "experiment.toml", "--set", "train.epochs=1"]);
    fs::write(bench.path().join("transfer.toml"), TRANSFER).unwrap();
    bench
}

#[test]
fn filters_of_colour_images_are_summed_for_gray_ones_and_that_is_said() {
    let bench = gray_on_colours();
    let gray = ["--set", "data.image.channels=1"];
    let said = bench.done(&[&["check", "transfer.toml"][..], &gray].concat());
    assert!(said.contains("conv1.weight summed over red, green and blue"), "{said}");
    assert!(said.contains("of these all start from pretrained weights, all are frozen"), "{said}");
    bench.done(&[&["run", "transfer.toml"][..], &gray].concat());
    let before = best(&trials(&bench, "pretrain")[0]);
    let after = best(&trials(&bench, "transfer")[0]);
    let (shape, colours) = &before["conv1.weight"];
    assert_eq!((&shape[..], &after["conv1.weight"].0[..]), (&[8, 3, 3, 3][..], &[8, 1, 3, 3][..]));
    let sums = colours
        .chunks(27)
        .flat_map(|filter| (0..9).map(|at| filter[at] + filter[9 + at] + filter[18 + at]));
    assert_eq!(after["conv1.weight"].1, sums.collect::<Vec<f32>>());
}

#[test]
fn layers_that_the_file_has_nothing_for_are_never_called_pretrained_nor_frozen_as_noise() {
    let bench = bench();
    let weights = bench.path().join("w.safetensors");
    fs::copy(trials(&bench, "pretrain")[0].join("best.safetensors"), weights).unwrap();
    let check = |sets: &[&str]| {
        let other = [
            "model.layers.second.kernel=1",
            "transfer.weights={file=\"w.safetensors\",strict=false}",
        ];
        let sets = other.iter().chain(sets).flat_map(|set| ["--set", set]);
        bench.wick(&["check", "transfer.toml"].into_iter().chain(sets).collect::<Vec<_>>())
    };
    let frozen = check(&["model.layers[5].dense=24"]);
    let said = String::from_utf8_lossy(&frozen.stderr);
    assert_eq!(frozen.status.code(), Some(2), "{said}");
    assert!(
        said.contains("second and 1 more layers would be frozen with random weights"),
        "{said}"
    );
    assert!(said.contains("transfer.weights=") && said.contains("freeze = \"none\""), "{said}");
    let learns = check(&["transfer.freeze=\"none\""]);
    let said = String::from_utf8_lossy(&learns.stdout);
    assert_eq!(learns.status.code(), Some(0), "{said}");
    assert!(
        said.contains("of these 1 of 3 start from pretrained weights, none are frozen"),
        "{said}"
    );
    assert!(said.contains("weights: dense1.weight, second.weight start with init"), "{said}");
    // Said and done: layers that start anew would be noise, too.
    let anew = bench.wick(&["check", "transfer.toml", "--set", "transfer.reinit=1"]);
    let said = String::from_utf8_lossy(&anew.stderr);
    assert_eq!(anew.status.code(), Some(2), "{said}");
    assert!(said.contains("\"dense1\" would start from random weights and never learn"), "{said}");
}

#[test]
fn layers_begin_to_learn_with_their_epoch_and_an_interrupted_trial_goes_on() {
    let bench = bench();
    let run = |epochs: &str| {
        let epochs = format!("train.epochs={epochs}");
        let mut arguments = vec!["run", "transfer.toml", "--set", &epochs];
        for set in [
            "transfer.unfreeze=[{epoch=2,layers=[\"dense1\"]},{epoch=3,layers=[\"second\"]}]",
            "transfer.layer-lr-decay=0.5",
            "train.best=train_loss",
        ] {
            arguments.extend(["--set", set]);
        }
        bench.done(&arguments);
        best(&trials(&bench, "transfer")[0])
    };
    let before = best(&trials(&bench, "pretrain")[0]);
    let changed = |tensors: &Tensors, name: &str| !same(&before, tensors).contains(&name);
    let names = ["conv1.weight", "second.weight", "second.norm.running_mean", "dense1.weight"];
    let folder = bench.path().join("results/transfer");
    // Epochs that are added one by one give what they give in one go.
    let growing = ["3", "4"].map(run);
    assert_eq!(names.map(|name| changed(&growing[1], name)), [false, true, true, true]);
    let in_steps = fs::read(folder.join("metrics.csv")).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    let at_once = run("4");
    assert!(at_once == growing[1] && in_steps == fs::read(folder.join("metrics.csv")).unwrap());
}

#[test]
fn a_fitted_head_knows_the_classes_before_anything_has_learnt() {
    let bench = bench();
    let accuracy = |sets: &[&str]| -> f64 {
        let mut arguments = vec!["run", "transfer.toml"];
        let still = ["train.epochs=1", "train.optimizer.adam.lr=1e-9"];
        sets.iter().chain(&still).for_each(|set| arguments.extend(["--set", set]));
        bench.done(&arguments);
        let table = bench.path().join("results/transfer/trials.csv");
        let mut table = csv::Reader::from_path(table).unwrap();
        let place = table.headers().unwrap().iter().position(|name| name == "test_accuracy");
        table.records().next().unwrap().unwrap()[place.unwrap()].parse().unwrap()
    };
    // Where nothing is frozen, running statistics of batch norm have moved on by the end of the epoch.
    for (case, least) in [("small-similar", 0.85), ("large-similar", 0.6)] {
        let case = format!("transfer.case={case}");
        let drawn = accuracy(&[&case]);
        let fitted = accuracy(&[&case, "transfer.probe=fitted"]);
        assert!(drawn < 0.5 && fitted > least, "{case}: {drawn}, {fitted}");
    }
    let fitted = ["--set", "transfer.probe=fitted"];
    let said = bench.done(&[&["check", "transfer.toml"][..], &fitted].concat());
    assert!(said.contains("fits the training images best"), "{said}");
}

#[test]
fn the_pull_towards_the_pretrained_weights_keeps_them_nearer() {
    let bench = bench();
    let before = best(&trials(&bench, "pretrain")[0]);
    let distance = |l2_sp: &str| {
        let pull = format!("transfer.l2-sp={l2_sp}");
        bench.done(&[
            "run",
            "transfer.toml",
            "--set",
            "transfer.case=large-similar",
            "--set",
            &pull,
        ]);
        let after = best(&trials(&bench, "transfer")[0]);
        let pairs = after["dense1.weight"].1.iter().zip(&before["dense1.weight"].1);
        pairs.map(|(a, b)| f64::from((a - b) * (a - b))).sum::<f64>().sqrt()
    };
    let (free, pulled) = (distance("0.0"), distance("1.0"));
    assert!(pulled < 0.5 * free, "{pulled} with, {free} without");
}

#[test]
fn heads_on_a_network_with_pretrained_weights_of_torchvision_predict_from_one_file() {
    let bench = Bench::new(
        r#"
name = "clipart"
[data]
source = "openclipart9"
test = 0.2
subset = { per-class = 4 }
image = { size = [64, 64], channels = 3 }
normalise = { mean = [0.485, 0.456, 0.406], std = [0.229, 0.224, 0.225] }
batch-size = 16
[model]
preset = "squeezenet1_1"
[transfer]
weights = "bundled:squeezenet1_1"
case = "small-similar"
[train]
epochs = 3
"#,
    );
    bench.done(&["run", "experiment.toml"]);
    let folder = trials(&bench, "clipart").remove(0);
    let best = folder.join("best.safetensors");
    let model = best.to_str().unwrap();
    let said =
        bench.done(&["evaluate", "--model", model, "--data", "openclipart9", "--part", "all"]);
    assert!(said.contains("551 images"), "{said}");
    // The last checkpoint holds what learns, and nothing else.
    let last = fs::metadata(folder.join("last.safetensors")).unwrap().len();
    assert!(last < 200_000 && fs::metadata(&best).unwrap().len() > 2_000_000, "{last}");
}

#[test]
fn a_last_checkpoint_takes_what_never_changed_from_the_best_one_beside_it() {
    let bench = bench();
    bench.done(&["run", "transfer.toml"]);
    let folder = &trials(&bench, "transfer")[0];
    let last = fs::read(folder.join("last.safetensors")).unwrap();
    let tensors = Checkpoint::from_bytes(&last).unwrap().tensors;
    assert!(!tensors.contains_key("conv1.weight"), "frozen layers are written once");
    let export = |model: &str, out: &str| {
        bench.wick(&["export", "--model", model, "--to", "safetensors", "--out", out])
    };
    let output = export(folder.join("last.safetensors").to_str().unwrap(), "whole.safetensors");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let whole = fs::read(bench.path().join("whole.safetensors")).unwrap();
    let whole = Checkpoint::from_bytes(&whole).unwrap().tensors;
    let names = |tensors: &Tensors| tensors.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&whole), names(&best(folder)), "the network and nothing else");
    let before = best(&trials(&bench, "pretrain")[0]);
    assert!(CONVOLUTIONS.iter().all(|name| same(&whole, &before).contains(name)));
    // Alone, it is not enough.
    fs::write(bench.path().join("last.safetensors"), last).unwrap();
    let output = export("last.safetensors", "whole.safetensors");
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(String::from_utf8_lossy(&output.stderr), @"error: last.safetensors: it does not contain the frozen layers, such as conv1.norm.bias; the best.safetensors of a finished trial contains all layers");
}

/// The digests of the trials of `name`.
fn digests(bench: &Bench, name: &str) -> Vec<String> {
    let folders = trials(bench, name).into_iter();
    folders.map(|folder| folder.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

/// Settings that make advice on [`TRANSFER`] take a second.
const FEW: [&str; 4] = ["--set", "data.subset={per-class=12}", "--set", "train.epochs=4"];

#[test]
fn what_is_advised_is_what_is_written_and_what_auto_runs() {
    let bench = bench();
    let advise = [&["advise", "transfer.toml", "--write", "advised.toml"][..], &FEW].concat();
    let said = bench.done(&advise);
    for words in [
        "linear head",
        "the pixels",
        "advised: ",
        "nearest of the four cases",
        "the textbook's rule gives",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let written = fs::read_to_string(bench.path().join("advised.toml")).unwrap();
    assert!(written.contains("extends = \"transfer.toml\""), "{written}");
    bench.done(&["run", "advised.toml"]);
    let auto = ["--set", "transfer.case=auto", "--set", "sweep.seeds=2"];
    bench.done(&[&["run", "transfer.toml"][..], &FEW, &auto].concat());
    // Both seeds have the strategy that the images of the first one have decided.
    let both = digests(&bench, "transfer");
    assert_eq!((both.len(), &both[..1]), (2, &digests(&bench, "transfer-advised")[..]), "{said}");
    // A file that is there is not written over, and nothing is measured before that is said.
    let output = bench.wick(&advise);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(String::from_utf8_lossy(&output.stderr), @"error: advised.toml already exists");
    assert_eq!(fs::read_to_string(bench.path().join("advised.toml")).unwrap(), written);
    // Nor is one that would not run what is advised.
    let cuts = ["--set", "sweep.grid.\"transfer.cut\"=[\"end\",\"second\"]"];
    let output =
        bench.wick(&[&["advise", "transfer.toml", "--write", "other.toml"][..], &cuts].concat());
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("if the sweep varies transfer.cut"), "{said}");
}

/// The answers that are kept, by name.
fn kept(bench: &Bench) -> BTreeMap<String, Vec<u8>> {
    let folder = fs::read_dir(bench.path().join("results/.advice")).unwrap();
    let files = folder.map(|entry| entry.unwrap());
    files
        .map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap()))
        .collect()
}

#[test]
fn advice_is_found_once_for_all_seeds_and_rates_and_is_the_same_after_a_kill() {
    let bench = bench();
    let advise = [&["advise", "transfer.toml"][..], &FEW].concat();
    let said = bench.done(&advise);
    let answers = kept(&bench);
    assert_eq!(answers.len(), 1, "{:?}", answers.keys());
    // Whoever asks the same takes what was found: with seeds, with rates, in another command.
    let rates = "sweep.grid.\"train.optimizer.adam.lr\"=[1e-3,2e-3]";
    let auto = ["--set", "transfer.case=auto", "--set", "sweep.seeds=2", "--set", rates];
    let output = bench.wick(&[&["check", "transfer.toml"][..], &FEW, &auto].concat());
    assert!(!String::from_utf8_lossy(&output.stderr).contains("advice:"));
    assert_eq!(kept(&bench), answers);
    // From nothing, and from the half of the tries that a killed process has left.
    let name = answers.keys().next().unwrap();
    let path = bench.path().join("results/.advice").join(name);
    let again = |damage: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = answers[name].clone();
        damage(&mut bytes);
        fs::write(&path, bytes).unwrap();
        assert_eq!(bench.done(&advise), said);
        assert_eq!(kept(&bench), answers);
    };
    again(&|bytes| bytes.truncate(bytes.len() / 2));
    again(&|bytes| {
        let place = bytes.len() - 40;
        bytes[place] ^= 1;
    });
}

#[test]
fn advice_is_the_same_for_any_number_of_threads_and_from_what_killed_processes_have_left() {
    let bench = bench();
    let results = bench.path().join("results");
    let start = |threads: &str| {
        let mut command = bare(env!("CARGO_BIN_EXE_wick"));
        command.current_dir(bench.path()).env("RAYON_NUM_THREADS", threads);
        command.args(["advise", "transfer.toml"]).args(FEW);
        command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
    };
    let said = |threads: &str| {
        let output = start(threads).wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let forget = || {
        [".advice", ".features"].iter().for_each(|name| {
            let _ = fs::remove_dir_all(results.join(name));
        });
    };
    let expected = said("1");
    let answers = kept(&bench);
    assert_eq!(answers.len(), 1);
    forget();
    assert_eq!(said("3"), expected);
    assert_eq!(kept(&bench), answers);
    // Killed when so many bytes of tries are kept.
    let bytes = || {
        let folder = fs::read_dir(results.join(".advice")).into_iter().flatten();
        folder.map(|entry| entry.unwrap().metadata().map_or(0, |it| it.len())).sum::<u64>()
    };
    for least in [0, 1, 200, 1000] {
        forget();
        let mut process = start("2");
        while process.try_wait().unwrap().is_none() && bytes() < least {
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = process.kill();
        process.wait().unwrap();
        assert_eq!(said("2"), expected, "killed at {least} bytes");
        assert_eq!(kept(&bench), answers, "killed at {least} bytes");
    }
}

#[test]
fn labels_of_validation_and_test_images_change_nothing_in_advice() {
    let bench = bench();
    let folder = bench.path().join("data");
    // Images in folders by class: those that are learnt from, chosen by and tested on.
    let picture = |seed: u32| {
        let pixels = (0..256u32).map(|at| (at * seed % 251) as u8).collect();
        image::GrayImage::from_vec(16, 16, pixels).unwrap()
    };
    let put = |part: &str, swapped: bool| {
        let _ = fs::remove_dir_all(folder.join(part));
        for class in 0..2u8 {
            let named = if swapped { 1 - class } else { class };
            let folder = folder.join(part).join(["a", "b"][usize::from(named)]);
            fs::create_dir_all(&folder).unwrap();
            for image in 0..8 {
                let seed = 1 + u32::from(class) + 2 * image + 20 * part.len() as u32;
                picture(seed).save(folder.join(format!("{class}{image}.png"))).unwrap();
            }
        }
    };
    ["train", "val", "test"].iter().for_each(|part| put(part, false));
    let sets = ["--set", "data.source={folder=\"data\"}", "--set", "data.classes=all"];
    let declared = ["--set", "data.test=declared", "--set", "train.epochs=2"];
    let advise = [&["advise", "transfer.toml"][..], &sets, &declared].concat();
    let said = bench.done(&advise);
    ["val", "test"].iter().for_each(|part| put(part, true));
    assert_eq!(bench.done(&advise), said);
}

#[test]
fn a_budget_of_nothing_advises_what_the_measures_promise_and_says_so() {
    let bench = bench();
    let said = bench.done(&[&["advise", "transfer.toml", "--budget", "0"][..], &FEW].concat());
    assert!(said.contains("no strategy fits into the budget"), "{said}");
    assert!(said.contains("no room in the budget"), "{said}");
    let output = bench.wick(&["advise", "transfer.toml", "--budget", "-1"]);
    assert_eq!(output.status.code(), Some(2));
    // A set of five images cannot be parted.
    let output = bench.wick(&["advise", "transfer.toml", "--set", "data.subset={per-class=1}"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("advice needs at least 6 training images, but there are 5"), "{said}");
}

#[test]
fn a_border_below_the_number_of_images_makes_the_textbook_call_them_large() {
    let bench = bench();
    let border = ["--set", "transfer.border=10"];
    let large = bench.done(&[&["advise", "transfer.toml"][..], &FEW, &border].concat());
    assert!(large.contains("the textbook's rule gives large-"), "{large}");
}

#[cfg(unix)]
#[test]
fn a_measured_case_beside_the_named_ones_is_run_once_and_that_is_said() {
    let bench = bench();
    // With its head, its cut and its rate settled, what is advised is one of the cases, whichever it is.
    let cases = r#"sweep.grid."transfer.case"=["auto","large-similar","large-different"]"#;
    let settled = [
        "transfer.cut=\"end\"",
        "transfer.head=[\"flatten\", { dense = \"classes\" }]",
        "transfer.freeze=\"none\"",
        "sweep.grid.\"train.optimizer.adam.lr\"=[3e-3]",
        "sweep.seeds=2",
        "data.subset={per-class=12}",
        "train.epochs=2",
    ];
    let mut sets = vec!["--set", cases];
    settled.iter().for_each(|set| sets.extend(["--set", set]));
    let said = bench.done(&[&["check", "transfer.toml"][..], &sets].concat());
    assert!(said.contains("transfer.case = \"auto\" is the same as "), "{said}");
    assert!(said.contains("2 of its 2 trials are those of that case, and run once"), "{said}");
}

#[test]
fn advice_ends_with_the_command_that_holds_it_against_training() {
    let bench = bench();
    let few = ["--set", "train.epochs=1", "--set", "data.subset={per-class=12}"];
    let said = bench.done(&[&["advise", "transfer.toml"][..], &few].concat());
    let command = said.lines().find_map(|line| line.trim().strip_prefix("wick run ")).unwrap();
    let status = std::process::Command::new("sh")
        .current_dir(bench.path())
        .args(["-c", &format!("\"$0\" run {command} --quiet"), env!("CARGO_BIN_EXE_wick")])
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{command}");
    // What is advised runs beside the four cases, and is held against them as it was advised.
    assert_eq!(trials(&bench, "transfer-cases").len(), 25);
    let advised =
        fs::read_to_string(bench.path().join("results/transfer-cases/advice.csv")).unwrap();
    assert_eq!(advised.lines().count(), 2);
    assert!(advised.trim_end().ends_with(",auto"), "{advised}");
    let report = fs::read_to_string(bench.path().join("results/transfer-cases/report.html"));
    assert!(report.unwrap().contains("wick advise recommended "));
    // What is settled already is not compared.
    let settled = ["--set", "transfer.cut=second"];
    let settled = bench.done(&[&["advise", "transfer.toml"][..], &few, &settled].concat());
    assert!(!settled.contains("wick run"), "{settled}");
}

#[test]
fn features_without_room_are_told_at_the_line_before_anything_runs() {
    let bench = bench();
    let output = bench.wick(&["run", "transfer.toml", "--set", "run.feature-cache=\"10kB\""]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("run.feature-cache=\"10kB\"") && said.contains("no room"), "{said}");
    assert!(!bench.path().join("results/transfer/trials").exists());
}
