//! What can be done with a results folder: look at it, execute it again, clean it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use candlewick::results::seal::{sealed, unsealed};

use super::bench::Bench;

const TWO: &str = r#"
name = "two"
seed = 7

[data]
source = "digits"
image = { size = [8, 8], channels = 1 }
test = 0.2
batch-size = 100

[model]
layers = ["flatten", { dense = 16 }, { dense = "classes" }]

[train]
epochs = 3
optimizer = { adam = { lr = 0.01 } }

[sweep.grid]
"model.defaults.dropout" = [0.0, 0.3]
"#;

fn bench() -> Bench {
    let bench = Bench::new(TWO);
    bench.done(&["run", "experiment.toml"]);
    bench
}

/// The digests of the trials, in plan order.
fn digests(bench: &Bench) -> Vec<String> {
    let table = fs::read_to_string(bench.path().join("results/two/trials.csv")).unwrap();
    table.lines().skip(1).map(|row| row.split(',').nth(1).unwrap().to_owned()).collect()
}

#[test]
fn a_trial_that_is_executed_again_is_identical() {
    let bench = bench();
    let said = bench.done(&["repro", "results/two", "--threads", "2"]);
    assert_eq!(said.matches("identical: 3 epochs, 39 batches, 16 tensors").count(), 2, "{said}");
    let one = bench.done(&["repro", "results/two", "2"]);
    assert!(one.starts_with("trial 2 (") && one.lines().count() == 1, "{one}");
    let sample = bench.done(&["repro", "results/two", "--sample", "1"]);
    assert_eq!(sample.lines().count(), 1, "{sample}");
    let digest = &digests(&bench)[0];
    assert!(bench.done(&["repro", "results/two", digest]).starts_with("trial 1 ("));
}

#[test]
fn what_differs_is_named_the_first_epoch_and_batch_and_tensor() {
    let bench = bench();
    let folder = bench.path().join("results/two/trials").join(&digests(&bench)[0]);
    // Another learning rate would have given other losses from the second batch on.
    let plan = fs::read_to_string(folder.join("plan.toml")).unwrap();
    let plan = unsealed(&plan).unwrap().replace("lr = 0.01", "lr = 0.02");
    fs::write(folder.join("plan.toml"), sealed(&plan)).unwrap();
    let output = bench.wick(&["repro", "results/two", "1"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("epoch 1, batch 2: the loss was"), "{said}");
    assert!(said.contains("epoch 1: the learning rate, the scores"), "{said}");
    assert!(said.contains("last.safetensors (epoch 3): 12 of 12 tensors, first "), "{said}");
    assert!(said.contains("1 of 1 trials differ"), "{said}");
}

#[test]
fn a_folder_is_looked_at_without_its_experiment() {
    let bench = bench();
    fs::remove_file(bench.path().join("experiment.toml")).unwrap();
    let said = bench.done(&["status", "results/two"]);
    assert!(said.contains("2 trials: 2 completed"), "{said}");
    assert!(said.contains("model.defaults.dropout = 0.3") && said.contains("3/3"), "{said}");
    let output = bench.wick(&["status", "results"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("holds no trials.csv"));
}

#[test]
fn what_no_trial_refers_to_can_be_removed_and_nothing_else_is() {
    let bench = bench();
    assert_eq!(bench.done(&["clean", "results/two"]), "nothing to remove\n");
    let old = digests(&bench);
    bench.done(&["run", "experiment.toml", "--set", "train.optimizer.adam.lr=0.02"]);
    let new = digests(&bench);
    let listed = bench.done(&["clean", "results/two"]);
    assert!(old.iter().all(|digest| listed.contains(digest)), "{listed}");
    assert!(new.iter().all(|digest| !listed.contains(digest)), "{listed}");
    let trial = |digest: &String| bench.path().join("results/two/trials").join(digest).exists();
    assert!(old.iter().chain(&new).all(trial), "a list removes nothing");
    bench.done(&["clean", "results/two", "--yes"]);
    assert!(new.iter().all(trial) && !old.iter().any(trial));
}

#[test]
fn an_experiment_that_cannot_fit_is_told_before_training_and_a_trial_that_cannot_is_a_row() {
    let bench = Bench::new(TWO);
    let run = |limit: &str| {
        let sizes = "sweep.list=[{ name = \"small\" }, { name = \"large\", \"model.layers[1].dense\" = 40000 }]";
        let sets = ["--set", sizes, "--set", "sweep.grid={}"];
        let run = ["run", "experiment.toml", "--memory-limit", limit];
        bench.wick(&[&run[..], &sets[..]].concat())
    };
    let output = run("10MB");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("error: no trial fits into 10 MB"), "{said}");
    assert!(!bench.path().join("results/two/trials.csv").exists());
    let output = run("60MB");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    let table = fs::read_to_string(bench.path().join("results/two/trials.csv")).unwrap();
    let rows: Vec<&str> = table.lines().skip(1).collect();
    assert!(rows[0].contains(",completed,"), "{table}");
    assert!(rows[1].contains(",failed,\"needs about "), "{table}");
}

#[test]
fn a_budget_leaves_what_does_not_fit_for_another_run() {
    let bench = Bench::new(TWO);
    let output = bench.wick(&["run", "experiment.toml", "--budget", "1us"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("0 of 2 trials fit the budget"), "{said}");
    assert!(said.contains("2 trials are not finished"), "{said}");
    let said = bench.wick(&["run", "experiment.toml", "--budget", "1h"]);
    assert!(!String::from_utf8_lossy(&said.stderr).contains("budget"));
}

#[test]
fn every_device_has_so_many_slots_for_trials() {
    let bench = Bench::new(TWO);
    let sets = ["--set", "run.slots-per-device=3", "--set", "sweep.seeds=4"];
    let run = |more: &[&str]| {
        let arguments = [&["run", "experiment.toml"][..], &sets[..], more].concat();
        let said = bench.wick(&arguments).stderr;
        fs::remove_dir_all(bench.path().join("results")).unwrap();
        String::from_utf8_lossy(&said).into_owned()
    };
    assert!(run(&[]).contains("8 to run, 3 at once"));
    assert!(run(&["--workers", "2"]).contains("8 to run, 2 at once"), "the command line is nearer");
}

#[test]
fn every_running_trial_holds_a_slot_of_its_own() {
    let bench = Bench::new(TWO);
    let sets = ["--set", "run.slots-per-device=3", "--set", "sweep.seeds=4"];
    let output = bench.wick(&[&["run", "experiment.toml", "--json"][..], &sets].concat());
    let mut held = BTreeMap::new();
    let (mut all, mut trained) = (BTreeSet::new(), BTreeSet::new());
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        let trial = event["trial"].as_u64();
        if event["event"] == "started" {
            let slot = format!("{}/{}", event["device"].as_str().unwrap(), event["slot"]);
            all.insert(slot.clone());
            assert!(!held.values().any(|other| *other == slot), "{slot} twice: {held:?}");
            held.insert(trial, slot);
        } else if event["event"] == "trained" {
            // While the disk takes what it has left, the next one may train.
            assert!(held.remove(&trial).is_some());
            trained.insert(trial);
        } else if event["event"] == "ended" {
            assert!(trained.remove(&trial), "{event}");
        }
    }
    assert!(held.is_empty() && trained.is_empty());
    let known = ["cpu/1", "cpu/2", "cpu/3"];
    assert!(all.iter().all(|slot| known.contains(&&slot[..])), "{all:?}");
    let timings = fs::read_to_string(bench.path().join("results/two/timings.csv")).unwrap();
    assert!(timings.lines().next().unwrap().ends_with(",device,slot"), "{timings}");
    for row in timings.lines().skip(1) {
        let [slot, device] = row.rsplit(',').take(2).collect::<Vec<_>>()[..] else {
            panic!("{row}")
        };
        assert!(all.contains(&format!("{device}/{slot}")), "{row}");
    }
    let environment =
        fs::read_to_string(bench.path().join("results/two/environment.toml")).unwrap();
    assert!(environment.contains("devices = [\"cpu\"]"), "{environment}");
}

#[test]
fn a_schedule_that_depends_on_all_epochs_says_that_trials_start_again() {
    let bench = Bench::new(TWO);
    let run = |schedule: &str, epochs: &str| {
        let sets = [format!("train.schedule={schedule}"), format!("train.epochs={epochs}")];
        let output = bench.wick(&["run", "experiment.toml", "--set", &sets[0], "--set", &sets[1]]);
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    run("cosine", "2");
    assert!(run("cosine", "3").contains("train.epochs was 2 and is 3: the schedule depends on it"));
    run("constant", "2");
    assert!(!run("constant", "3").contains("train.epochs was"));
}
