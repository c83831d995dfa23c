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
fn tables_alone_are_executed_again_too_and_what_differs_is_named_by_its_column() {
    let bench = bench();
    let root = bench.path().join("results/two");
    fs::remove_dir_all(root.join("trials")).unwrap();
    let said = bench.done(&["repro", "results/two"]);
    assert!(said.starts_with("the folders of the trials are missing: only the tables"), "{said}");
    assert_eq!(said.matches(": identical: 3 epochs\n").count(), 2, "{said}");
    // Without their hashes, tables that were edited are believed.
    fs::remove_file(root.join("hashes.toml")).unwrap();
    for (name, row, column) in [("metrics.csv", 2, "lr"), ("trials.csv", 2, "flops")] {
        let whole = fs::read_to_string(root.join(name)).unwrap();
        let mut rows: Vec<Vec<&str>> =
            whole.lines().map(|line| line.split(',').collect()).collect();
        let place = rows[0].iter().position(|cell| *cell == column).unwrap();
        let then = std::mem::replace(&mut rows[row][place], "7");
        let rows: Vec<String> = rows.iter().map(|cells| cells.join(",") + "\n").collect();
        fs::write(root.join(name), rows.concat()).unwrap();
        let output = bench.wick(&["repro", "results/two"]);
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains(&format!("{column} was 7 and is {then}")), "{said}");
        assert!(said.contains("1 of 2 trials differ"), "{said}");
        fs::write(root.join(name), whole).unwrap();
    }
    // Another experiment has other trials.
    let experiment = root.join("experiment.toml");
    let text = fs::read_to_string(&experiment).unwrap();
    fs::write(&experiment, text.replace("batch-size = 100", "batch-size = 50")).unwrap();
    let output = bench.wick(&["repro", "results/two"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("the experiment gives no trial with this digest"), "{said}");
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
    assert!(String::from_utf8_lossy(&output.stderr).contains("has no trials.csv"));
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
    // What a table has named is removed only where that is asked for.
    let torn = bench.path().join("results/two/trials.csv.x.new");
    fs::write(&torn, "torn").unwrap();
    let said = bench.done(&["clean", "results/two", "--yes"]);
    assert!(said.contains("removed 0.0 MB\nkept ") && said.contains("--yes --earlier"), "{said}");
    assert!(old.iter().chain(&new).all(trial) && !torn.exists());
    bench.done(&["clean", "results/two", "--yes", "--earlier"]);
    assert!(new.iter().all(trial) && !old.iter().any(trial));
}

#[test]
fn another_experiment_of_the_same_name_is_refused_and_the_same_one_may_grow_and_change() {
    let bench = bench();
    let root = bench.path().join("results/two");
    let tables = || {
        ["trials.csv", "metrics.csv", "report.html", "experiment.toml"]
            .map(|name| fs::read(root.join(name)).unwrap())
    };
    let before = tables();
    // Other images, or another network.
    for (other, words) in [
        (TWO.replace("\"digits\"", "\"fashion-mnist\""), "with other images and no common trial"),
        (
            TWO.replace("{ dense = 16 }", "{ dense = 8 }"),
            "with another network and no common trial",
        ),
        (
            TWO.replace("\"digits\"", "\"fashion-mnist\"")
                .replace("{ dense = 16 }", "{ dense = 4 }"),
            "with other images and another network and no common trial",
        ),
    ] {
        bench.write("other.toml", &other);
        let output = bench.wick(&["run", "other.toml"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("results/two contains the results of another experiment"), "{said}");
        assert!(said.contains(words) && said.contains("--set name=two-2"), "{said}");
        assert!(said.contains("--replace") && said.contains("--results DIR"), "{said}");
        assert_eq!(tables(), before, "nothing is touched");
    }
    // The same one: more seeds, more values, another recipe, values for one run.
    let mut file = TWO
        .replace("[0.0, 0.3]", "[0.0, 0.3, 0.5]")
        .replace("[sweep.grid]", "[sweep]\nseeds = 2\n[sweep.grid]");
    for more in [
        &[][..],
        &["--set", "train.epochs=4"],
        &["--set", "data.source=fashion-mnist", "--set", "data.subset={ per-class = 3 }"],
        &["--set", "model.layers=[\"flatten\", { dense = 4 }, { dense = \"classes\" }]"],
    ] {
        bench.write("experiment.toml", &file);
        bench.done(&[&["run", "experiment.toml"][..], more].concat());
        file = file.replace("lr = 0.01", "lr = 0.02");
    }
    // A file that has the other's images and network again.
    bench.write("copy.toml", TWO);
    let output = bench.wick(&["run", "copy.toml"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("2 done, 0 to run") && said.contains("note: "), "{said}");
    assert_eq!(tables()[..2], before[..2]);
    // Replaced, the trials stay, and are only removed where that is asked for.
    let old = digests(&bench);
    bench.done(&["run", "other.toml", "--replace", "--set", "data.subset={ per-class = 3 }"]);
    assert_ne!(digests(&bench), old);
    bench.done(&["clean", "results/two", "--yes"]);
    bench.done(&["run", "copy.toml", "--replace"]);
    assert_eq!(tables()[..2], before[..2]);
}

#[test]
fn what_has_come_to_nothing_does_not_stand_in_the_way() {
    let bench = Bench::new(&TWO.replace("lr = 0.01", "lr = 1e30"));
    assert_eq!(bench.wick(&["run", "experiment.toml"]).status.code(), Some(3));
    bench.write("experiment.toml", &TWO.replace("{ dense = 16 }", "{ dense = 8 }"));
    bench.done(&["run", "experiment.toml"]);
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
    assert!(
        said.contains("0 of 2 trials fit the budget, by estimate: the cheapest takes about "),
        "{said}"
    );
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

#[test]
fn status_says_what_the_ranking_says_after_a_longer_run_was_begun() {
    let bench = bench();
    let first = digests(&bench)[0].clone();
    // As if a run of 100 epochs had been interrupted: the plan is the longer one, the rows go on.
    let folder = bench.path().join("results/two/trials").join(first);
    let long = ["run", "experiment.toml", "--set", "train.epochs=100", "--budget", "1us"];
    bench.wick(&long);
    let said = bench.done(&["status", "results/two"]);
    assert!(said.contains("2 trials: 2 interrupted"), "{said}");
    assert!(said.contains("3/100") && !said.contains("completed"), "{said}");
    // The shorter experiment is done, whatever was begun since.
    let plan = fs::read_to_string(folder.join("plan.toml")).unwrap();
    let longer = unsealed(&plan).unwrap().replace("epochs = 3", "epochs = 100");
    fs::write(folder.join("plan.toml"), sealed(&longer)).unwrap();
    bench.done(&["run", "experiment.toml"]);
    let said = bench.done(&["status", "results/two"]);
    assert!(said.contains("2 trials: 2 completed"), "{said}");
    assert!(said.contains("3/3") && !said.contains("100"), "{said}");
}

#[test]
fn a_batch_of_more_images_than_there_are_is_told_and_a_default_is_not() {
    let bench = Bench::new(&TWO.replace("batch-size = 100\n", ""));
    let few = ["--set", "data.subset={ per-class = 2 }"];
    let check =
        |more: &[&str]| bench.done(&[&["check", "experiment.toml"], &few[..], more].concat());
    assert!(!check(&[]).contains("note:"), "256 images are the default");
    let note =
        "note: data.batch-size = 5,000 is more than the 20 training images: an epoch is one step\n";
    assert!(check(&["--set", "data.batch-size=5000"]).contains(note));
    let run = [&["run", "experiment.toml"], &few[..], &["--set", "data.batch-size=5000"]].concat();
    let said = bench.wick(&run).stderr;
    assert!(String::from_utf8_lossy(&said).contains(note));
}

#[test]
fn a_check_tells_the_memory_that_is_needed_and_not_all_that_there_is() {
    let bench = Bench::new(TWO);
    let said = bench.done(&["check", "experiment.toml"]);
    let line = said.lines().find(|line| line.contains("shared by all trials")).unwrap();
    assert!(line.contains(" MB in all") && !line.contains("at most"), "{line}");
    let numbers: Vec<u64> =
        line.split(' ').filter_map(|word| word.replace(',', "").parse().ok()).collect();
    assert!(numbers.iter().all(|number| *number < 500), "{line}");
}

#[test]
fn a_damaged_image_is_told_once_for_all_trials() {
    let bench = Bench::new(&TWO.replace("\"digits\"", "{ folder = \"signs\" }"));
    bench.images("train", &["left", "middle", "right"], 8);
    fs::write(bench.path().join("signs/train/left/000.png"), "torn").unwrap();
    let output = bench.wick(&["run", "experiment.toml"]);
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.matches("000.png: text, not an image").count(), 1, "{said}");
    assert!(said.contains("failed for the same reason as trial "), "{said}");
    let ranking = String::from_utf8_lossy(&output.stdout);
    assert_eq!(ranking.matches("000.png").count(), 1, "{ranking}");
    assert!(ranking.contains("trials 1, 2 failed: "), "{ranking}");
}

#[test]
fn options_and_commands_that_other_tools_have_say_what_there_is() {
    let bench = Bench::new(TWO);
    let said = |arguments: &[&str]| {
        let output = bench.wick(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(said(&["run", "experiment.toml", "--epochs", "5"]).contains("--set train.epochs=10"));
    assert!(said(&["run", "experiment.toml", "--resume"]).contains("a run resumes by itself"));
    let jpeg = said(&["augment", "experiment.toml", "--out", "sheet.jpg"]);
    assert!(jpeg.contains("use a name that ends with .png"), "{jpeg}");
    assert!(!bench.path().join("sheet.jpg").exists());
    // An experiment of which nothing is done cannot be compared with anything.
    bench.wick(&["run", "experiment.toml", "--budget", "1us"]);
    bench.done(&["run", "experiment.toml", "--set", "name=full"]);
    let empty = said(&["compare", "results/full", "results/two"]);
    assert!(empty.contains("results/two has no completed trial"), "{empty}");
    assert!(said(&["run", "none.toml"]).contains("wick new FOLDER"));
}

#[test]
fn one_trial_is_no_plural_and_the_interval_of_a_mean_is_the_same_everywhere() {
    let bench = Bench::new(TWO);
    let one = ["--set", "sweep.grid={}"];
    let said = bench.done(&[&["check", "experiment.toml"][..], &one].concat());
    assert!(said.contains("\n1 trial, 0 done, 1 to run\n"), "{said}");
    let seeds = ["--set", "sweep.seeds=3"];
    let ranking = bench.done(&[&["run", "experiment.toml"][..], &one, &seeds].concat());
    assert!(ranking.contains("mean ± half of its 95 % interval over n trials"), "{ranking}");
    let report = bench.done(&["report", "results/two"]);
    let estimate = |text: &str| {
        let line = text
            .lines()
            .find(|line| line.contains('±') && line.trim_start().starts_with('1'))
            .unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        let place = words.iter().position(|word| *word == "±").unwrap();
        [words[place - 1].to_owned(), words[place + 1].to_owned()]
    };
    assert_eq!(estimate(&ranking), estimate(&report), "{ranking}\n{report}");
}
