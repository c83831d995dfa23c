//! Sweeps that draw, have conditions, or search.

use super::*;
use crate::basis::record::{EpochRecord, Scores, Status};
use crate::config::layering::{Request, load, preset};
use crate::config::weights::Which;
use crate::plan::Plan;
use crate::plan::data::{DataFacts, DataPlan};
use crate::plan::distill::TeacherFacts;
use crate::plan::model::{ModelPlan, WeightsPlan};
use crate::plan::prune::{Nothing, Progress};
use crate::plan::strategy::Strategy;
use crate::plan::survey::{Tried, WeightsFacts};

/// A survey that knows the digits, without looking.
pub(in crate::plan) struct Digits;

impl Survey for Digits {
    fn data(&self, _: &DataPlan) -> Result<DataFacts, String> {
        let classes = (0..10).map(|digit| digit.to_string()).collect();
        Ok(DataFacts {
            classes,
            images: 1797,
            declared_test: 0,
            declared_validation: 0,
            counts: Vec::new(),
            left_out: Vec::new(),
        })
    }

    fn weights(&self, _: &WeightsPlan, _: &ModelPlan) -> Result<WeightsFacts, String> {
        Err("no weights here".to_owned())
    }

    fn earlier(&self, _: &str, _: Which) -> Result<std::path::PathBuf, String> {
        Err("no results here".to_owned())
    }

    fn tried(&self, _: &str) -> Result<Vec<Tried>, String> {
        Err("no results here".to_owned())
    }

    fn teacher(&self, _: &std::path::Path) -> Result<TeacherFacts, String> {
        Err("there are no teachers here".to_owned())
    }

    fn advise(&self, _: &Node, _: Option<Fold>) -> Result<Strategy, Vec<Problem>> {
        Err(Problem::value(KeyPath::root(), "nothing to measure here").into())
    }
}

fn expanded(sweep: &str, history: &dyn History) -> Result<Experiment, String> {
    let sets = ["name=x".to_owned(), "data.source=digits".to_owned(), format!("sweep={sweep}")];
    let root = preset("plain", &sets).unwrap();
    expand(&root, &Digits, history).map_err(|problems| problems.to_string())
}

fn settings(experiment: &Experiment) -> Vec<Vec<String>> {
    experiment.trials.iter().map(|trial| trial.settings.to_vec()).collect()
}

#[test]
fn the_kth_sample_depends_on_k_and_its_path_alone() {
    const LR: &str = r#""train.optimizer.adam.lr" = { log-uniform = [1e-4, 1e-1] }"#;
    const DROPOUT: &str = r#""model.defaults.dropout" = { uniform = [0.0, 0.5] }"#;
    let sweep = |samples: usize, axes: &[&str]| {
        let axes = axes.join(", ");
        expanded(&format!("{{ random = {{ samples = {samples}, {axes} }} }}"), &Nothing).unwrap()
    };
    let few = sweep(5, &[LR]);
    let more = sweep(9, &[DROPOUT, LR]);
    assert_eq!(more.axes, ["model.defaults.dropout", "train.optimizer.adam.lr"]);
    for (few, more) in few.trials.iter().zip(&more.trials) {
        assert_eq!(few.settings[0], more.settings[1]);
    }
    let rates = more.trials.iter().map(|trial| trial.settings[1].clone());
    let mut rates: Vec<String> = rates.collect();
    for rate in &rates {
        let value: f64 = rate.parse().unwrap();
        assert!((1e-4..=1e-1).contains(&value));
        let digits = rate.split('e').next().unwrap().replace('.', "");
        assert!(digits.trim_start_matches('0').len() <= 4, "{rate}");
    }
    rates.sort();
    rates.dedup();
    assert_eq!(rates.len(), 9);
}

#[test]
fn integers_reach_both_ends_and_nothing_else() {
    for (range, expected) in [
        ("integer = [2, 9], step = 3", vec![2, 5, 8]),
        ("integer = [1, 3], log = true", vec![1, 2, 3]),
        ("integer = [-1, 1]", vec![-1, 0, 1]),
    ] {
        let path = "model.parameters.x";
        let sweep = format!("{{ random = {{ samples = 60, \"{path}\" = {{ {range} }} }} }}");
        let sets = ["name=x", "data.source=digits", "model.parameters.x=1"].map(str::to_owned);
        let root = preset("plain", &[&sets[..], &[format!("sweep={sweep}")]].concat()).unwrap();
        let sweep = Sweep::read(root.get("sweep").unwrap()).unwrap();
        let samples = samples(&sweep.random.unwrap(), 1).unwrap();
        let mut values: Vec<i64> = samples
            .iter()
            .map(|sample| match sample[0].content {
                Content::Integer(value) => value,
                _ => panic!("{range} gives something else"),
            })
            .collect();
        values.sort_unstable();
        values.dedup();
        assert_eq!(values, expected, "{range}");
    }
}

#[test]
fn an_axis_whose_condition_does_not_hold_is_left_out() {
    let sweep = r#"{ seeds = 2, grid = {
        "train.optimizer" = [{ sgd = { lr = 0.1 } }, { adam = { lr = 0.1 } }],
        "train.optimizer.sgd.momentum" = { values = [0.0, 0.9], when = { "train.optimizer" = "sgd" } },
        "train.optimizer.adam.eps" = { values = [1e-8, 1e-4], when = { "train.optimizer" = ["adam"] } },
    } }"#;
    let experiment = expanded(&sweep.replace('\n', " "), &Nothing).unwrap();
    let values = settings(&experiment);
    let values: Vec<[&str; 2]> =
        values.iter().map(|values| [values[1].as_str(), values[2].as_str()]).collect();
    let expected = [["0.0", ""], ["0.9", ""], ["", "1e-8"], ["", "0.0001"]];
    assert_eq!(values, expected.iter().flat_map(|pair| [*pair; 2]).collect::<Vec<_>>());
    let indices: Vec<usize> = experiment.trials.iter().map(|trial| trial.setting).collect();
    assert_eq!(indices, [0, 0, 1, 1, 2, 2, 3, 3]);
    // Left out, the setting is what the file says, here that of momentum's own default.
    assert_ne!(experiment.trials[0].digest, experiment.trials[2].digest);
}

#[test]
fn a_condition_may_look_at_the_file_and_at_variants() {
    let sweep = r#"{ list = [{ name = "a", "train.epochs" = 2 }, { name = "b", "train.epochs" = 3 }], random = {
        samples = 2,
        "model.defaults.dropout" = { uniform = [0.1, 0.5], when = { variant = "a", "train.optimizer" = "adam" } },
    } }"#;
    let experiment = expanded(&sweep.replace('\n', " "), &Nothing).unwrap();
    let drawn: Vec<bool> = settings(&experiment).iter().map(|it| !it[1].is_empty()).collect();
    // Both samples of b are one trial.
    assert_eq!(drawn, [true, true, false]);
}

#[test]
fn conditions_of_a_search_hold_too() {
    let sweep = SEARCH.replace("tpe = 40", "tpe = 10, round = 10");
    for trial in expanded(&sweep, &Nothing).unwrap().trials {
        let [optimizer, momentum, _, _] = &trial.settings[..] else { panic!("four axes") };
        assert_eq!(optimizer.contains("sgd"), !momentum.is_empty(), "{:?}", trial.settings);
    }
}

const SEARCH: &str = r#"{ seeds = 2, search = { tpe = 40, "train.optimizer" = { choice = [{ sgd = { lr = 0.1 } }, { rmsprop = { lr = 0.1 } }] }, "train.optimizer.sgd.momentum" = { uniform = [0.0, 0.9], when = { "train.optimizer" = "sgd" } }, "model.defaults.dropout" = { uniform = [0.0, 0.9] }, "data.batch-size" = { integer = [16, 512], log = true } } }"#;

/// A history in which trials up to a number are complete, best where dropout is 0.6 and batches are
/// small.
struct Until(usize);

impl History for Until {
    fn progress(&self, trial: &Trial) -> Progress {
        if trial.number > self.0 {
            return Progress::default();
        }
        if trial.number.is_multiple_of(13) {
            return Progress { records: Vec::new(), ended: Some(Status::Failed) };
        }
        let accuracy =
            -(dropout(trial) - 0.6).abs() - libm::log(trial.plan.train.batch_size as f64) / 10.0;
        let scores =
            Scores { loss: 1.0, accuracy, top_k: 1.0, precision: 1.0, recall: 1.0, f1: 1.0 };
        let record =
            EpochRecord { epoch: 1, steps: 1, lr: 1.0, train: scores, validation: Some(scores) };
        Progress { records: vec![record], ended: Some(Status::Completed) }
    }
}

fn dropout(trial: &Trial) -> f64 {
    trial.settings[2].parse().unwrap()
}

#[test]
fn a_search_goes_as_far_as_its_history_and_no_result_changes_what_was_suggested_before() {
    let whole = expanded(SEARCH, &Until(1000)).unwrap();
    assert_eq!((whole.trials.len(), whole.unsuggested), (80, 0));
    // A round has 8 settings with 2 seeds.
    for (known, suggested) in [(0, 16), (15, 16), (16, 32), (31, 32), (70, 80), (80, 80)] {
        let part = expanded(SEARCH, &Until(known)).unwrap();
        assert_eq!((part.trials.len(), part.unsuggested), (suggested, 80 - suggested));
        for (part, whole) in part.trials.iter().zip(&whole.trials) {
            assert_eq!((&part.digest, part.round), (&whole.digest, whole.round));
        }
    }
    let rounds: Vec<usize> = whole.trials.iter().map(|trial| trial.round).collect();
    assert_eq!(rounds, (0..80).map(|index| index / 16).collect::<Vec<_>>());
    let mut digests: Vec<&str> = whole.trials.iter().map(|trial| trial.digest.as_str()).collect();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), 80);
}

#[test]
fn a_search_finds_what_chance_does_not() {
    let trials = expanded(SEARCH, &Until(1000)).unwrap().trials;
    let distance = |trials: &[Trial]| {
        trials.iter().map(|trial| (dropout(trial) - 0.6).abs()).sum::<f64>() / trials.len() as f64
    };
    let (first, last) = (distance(&trials[..20]), distance(&trials[40..]));
    assert!(last < first / 1.5, "{first} at first, {last} in the end");
}

/// A survey that knows the digits and the trials of one earlier sweep, in which a dropout of 0.6 was best.
struct Earlier;

impl Survey for Earlier {
    fn data(&self, plan: &DataPlan) -> Result<DataFacts, String> {
        Digits.data(plan)
    }

    fn weights(&self, plan: &WeightsPlan, network: &ModelPlan) -> Result<WeightsFacts, String> {
        Digits.weights(plan, network)
    }

    fn earlier(&self, experiment: &str, trial: Which) -> Result<std::path::PathBuf, String> {
        Digits.earlier(experiment, trial)
    }

    fn tried(&self, experiment: &str) -> Result<Vec<Tried>, String> {
        if experiment != "coarse" {
            return Digits.tried(experiment);
        }
        let tried = |index: usize| {
            let dropout = index as f64 / 20.0;
            let scores = Scores::from([0.0, 1.0 - (dropout - 0.6).abs(), 0.0, 0.0, 0.0, 0.0]);
            let record = EpochRecord {
                epoch: 1,
                steps: 1,
                lr: 0.1,
                train: scores,
                validation: Some(scores),
            };
            Tried {
                settings: vec![
                    ("model.defaults.dropout".to_owned(), dropout.to_string()),
                    ("model.defaults.norm".to_owned(), "none".to_owned()),
                ],
                metric: Metric::ValAccuracy,
                // One has failed.
                records: if index == 3 { Vec::new() } else { vec![record] },
            }
        };
        Ok((0..19).map(tried).collect())
    }

    fn teacher(&self, file: &std::path::Path) -> Result<TeacherFacts, String> {
        Digits.teacher(file)
    }

    fn advise(&self, root: &Node, fold: Option<Fold>) -> Result<Strategy, Vec<Problem>> {
        Digits.advise(root, fold)
    }
}

#[test]
fn a_search_that_starts_warm_suggests_what_was_good_from_its_first_round_on() {
    let dropouts = |more: &str| -> Vec<f64> {
        let sweep = format!(
            "{{ search = {{ tpe = 16, {more} \"model.defaults.dropout\" = {{ uniform = [0.0, 0.9] }} }} }}"
        );
        let sets = ["name=x".to_owned(), "data.source=digits".to_owned(), format!("sweep={sweep}")];
        let root = preset("plain", &sets).unwrap();
        let trials = expand(&root, &Earlier, &Nothing).unwrap().trials;
        trials.iter().map(|trial| trial.settings[0].parse().unwrap()).collect()
    };
    let distance = |found: Vec<f64>| {
        assert_eq!(found.len(), 8);
        found.iter().map(|dropout| (dropout - 0.6).abs()).sum::<f64>()
    };
    let (cold, warm) = (distance(dropouts("")), distance(dropouts("warm-start = \"coarse\",")));
    assert!(warm < cold / 2.0, "{warm} with earlier trials, {cold} without");
    // As long as they do not suffice, chance draws what it draws without them.
    assert_eq!(dropouts("warm-start = \"coarse\", startup = 30,"), dropouts(""));
}

#[test]
fn earlier_trials_that_do_not_fit_a_search_are_told() {
    let found = |axes: &str, best: &str| {
        let sweep = format!("sweep={{ search = {{ tpe = 16, {axes} }} }}");
        let best = format!("train.best={best}");
        let sets = ["name=x".to_owned(), "data.source=digits".to_owned(), sweep, best];
        let root = preset("plain", &sets).unwrap();
        expand(&root, &Earlier, &Nothing).map(|_| ()).unwrap_err().to_string()
    };
    const DROPOUT: &str = "\"model.defaults.dropout\" = { uniform = [0.0, 0.9] }";
    const LR: &str = "\"train.optimizer.adam.lr\" = { uniform = [0.1, 0.2] }";
    const OTHER: &str = "compared by val_accuracy, these are by val_loss";
    for (name, axis, best, words) in [
        ("\"coarse\"", LR, "val_accuracy", "\"coarse\" has no axis of this search"),
        ("\"fine\"", DROPOUT, "val_accuracy", "no results here"),
        ("3", DROPOUT, "val_accuracy", "warm-start"),
        ("\"coarse\"", DROPOUT, "val_loss", OTHER),
    ] {
        let axes = format!("warm-start = {name}, {axis}");
        let found = found(&axes, best);
        assert!(found.contains(words), "{axes}: {found}");
    }
}

#[test]
fn a_search_whose_best_value_stays_ends_early_and_says_so() {
    let stopping =
        |stop: &str| SEARCH.replace("tpe = 40", &format!("tpe = 40, early-stop = {stop}"));
    let whole = expanded(SEARCH, &Until(1000)).unwrap();
    let patient = expanded(&stopping("{ patience = 40 }"), &Until(1000)).unwrap();
    assert_eq!((patient.trials.len(), patient.unsuggested, patient.told), (80, 0, None));
    let text = stopping("{ patience = 8, min-delta = 0.01 }");
    let ended = expanded(&text, &Until(1000)).unwrap();
    let count = ended.trials.len();
    assert!(count < 80 && count.is_multiple_of(16), "{count}");
    assert_eq!(ended.unsuggested, 0);
    let words = format!("ended after {} of 40 settings: its best val_accuracy", count / 2);
    assert!(ended.told.unwrap().contains(&words));
    for (ended, whole) in ended.trials.iter().zip(&whole.trials) {
        assert_eq!(ended.digest, whole.digest);
    }
    // Not before the trials of its last round are known.
    let part = expanded(&text, &Until(count - 1)).unwrap();
    assert_eq!((part.trials.len(), part.told), (count, None));
    for wrong in ["{ patience = 0 }", "{ patience = 4, min-delta = -1 }", "{ min-delta = 1 }", "3"]
    {
        assert!(expanded(&stopping(wrong), &Until(0)).is_err(), "{wrong}");
    }
}

#[test]
fn a_space_that_is_used_up_ends_the_search() {
    let sweep = r#"{ search = { tpe = 40, round = 4, startup = 2, "model.defaults.norm" = { choice = ["none", "batch"] }, "data.batch-size" = { integer = [32, 96], step = 32 } } }"#;
    let history = |number| expanded(sweep, &Searched(number)).unwrap();
    assert_eq!((history(0).trials.len(), history(0).unsuggested), (4, 36));
    assert_eq!((history(6).trials.len(), history(6).unsuggested), (6, 0));
}

/// A history in which trials up to a number are complete with the same value.
struct Searched(usize);

impl History for Searched {
    fn progress(&self, trial: &Trial) -> Progress {
        let ended = (trial.number <= self.0).then_some(Status::Completed);
        Progress { records: Vec::new(), ended }
    }
}

#[test]
fn epochs_that_are_searched_do_not_rename_trials_that_are_known() {
    let sweep = r#"{ search = { tpe = 12, round = 3, startup = 3, "train.epochs" = { integer = [1, 12] } } }"#;
    let whole = expanded(sweep, &Searched(12)).unwrap().trials;
    assert_eq!(whole.len(), 12);
    let first = expanded(sweep, &Nothing).unwrap().trials;
    for (first, whole) in first.iter().zip(&whole) {
        assert_eq!(first.digest, whole.digest);
    }
}

#[test]
fn an_axis_of_a_higher_layer_replaces_the_one_below_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "base.toml",
        "[data]\nsource = \"digits\"\n[model]\npreset = \"plain\"\n[sweep]\nprune = { median = { warmup = 1 } }\n\
         [sweep.random]\nsamples = 3\n\"train.optimizer.adam.lr\" = { uniform = [0.1, 0.2] }\n",
    );
    write(
        "top.toml",
        "name = \"top\"\nextends = \"base.toml\"\n[sweep]\nprune = { asha = {} }\n\
         [sweep.random]\n\"train.optimizer.adam.lr\" = { choice = [0.3] }\n",
    );
    let request = Request { file: folder.path().join("top.toml"), ..Request::default() };
    let experiment = expand(&load(&request).unwrap(), &Digits, &Nothing).unwrap();
    // Three samples of one value are one trial.
    assert_eq!(settings(&experiment), [["0.3"]]);
    assert!(matches!(experiment.prune.unwrap().rule, Rule::Asha(_)));
}

/// Trials share what they have in common; each is what it would be alone.
#[test]
fn a_trial_among_others_is_the_one_that_its_values_give_alone() {
    let sweep = r#"{ seeds = 2, folds = 2, grid = {
        "train.optimizer.adam.lr" = [0.001, 0.01], "data.batch-size" = [16, 32], "train.epochs" = [2, 3],
        "model.defaults.dropout" = [0.0, 0.5], "train.label-smoothing" = [0.1, 0.2],
        "data.image.size" = [[32, 32], [40, 40]], "augment.train" = ["none", [{ rotate = 15 }]] } }"#
        .replace('\n', " ");
    let experiment = expanded(&sweep, &Nothing).unwrap();
    assert_eq!(experiment.trials.len(), 2 * 2 * 2_usize.pow(7));
    for trial in experiment.trials.iter().step_by(7) {
        let mut sets = vec!["name=x".to_owned(), "data.source=digits".to_owned()];
        let axes = experiment.axes.iter().zip(trial.settings.iter());
        sets.extend(axes.map(|(axis, value)| format!("{axis}={value}")));
        sets.push(format!("seed={}", trial.plan.seed));
        let root = preset("plain", &sets).unwrap();
        let (plan, digest) = resolve(&root, trial.plan.data.fold, &Digits).unwrap();
        assert_eq!(plan, trial.plan, "{:?}", trial.settings);
        // Epochs are swept, so they tell trials apart.
        let apart = format!("{digest} for {} epochs", plan.train.epochs);
        assert_eq!(blake3::hash(apart.as_bytes()).to_hex()[..16], *trial.digest);
        assert_eq!(digest, whole_digest(&plan), "{:?}", trial.settings);
        assert_eq!(digest, plan.digest());
    }
    let mut digests: Vec<&String> = experiment.trials.iter().map(|trial| &trial.digest).collect();
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), experiment.trials.len());
}

/// The digest of a plan without files, by its definition: the hash of the revision and the plan as text.
fn whole_digest(plan: &Plan) -> String {
    let mut plan = plan.clone();
    if !plan.train.schedule.depends_on_epochs() {
        std::sync::Arc::make_mut(&mut plan.train).epochs = 0;
    }
    let text = toml::to_string(&plan).unwrap();
    let revision = crate::plan::plan::REVISION.to_le_bytes();
    let hash = blake3::hash(&[&revision[..], text.as_bytes()].concat());
    hash.to_hex()[..16].to_owned()
}

#[test]
fn ten_thousand_trials_with_something_wrong_are_told_once_for_each_thing() {
    let wrong = expanded(
        "{ seeds = 10000, grid = { \"train.optimizer.adam.lr\" = [-1.0, 0.1, -2.0] } }",
        &Nothing,
    )
    .unwrap_err();
    assert!(wrong.contains("2 errors found"), "{wrong}");
    assert!(wrong.contains("in 10000 of 30000 trials, first in trial 1: "), "{wrong}");
    assert!(wrong.contains("in 10000 of 30000 trials, first in trial 20001: "), "{wrong}");
}
