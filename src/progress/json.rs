//! Progress as events for scripts: one JSON object on a line. The keys are documented in
//! `docs/reference/results.md`.

use serde_json::{Map, Value, json};

use crate::basis::record::{Scores, Status};
use crate::plan::sweep::Trial;
use crate::sweep::runner::SweepEvent;
use crate::sweep::trial::Ended;
use crate::train::trainer::Event;

use super::situation::Situation;

/// The object about an event that `situation` has taken notice of, and that ended something which
/// took `seconds`; none for what happens too often.
pub(super) fn event(situation: &Situation, event: &SweepEvent, seconds: f64) -> Option<Value> {
    let (trial, name) = match event {
        SweepEvent::Started(trial, _) => (trial, "started"),
        SweepEvent::In(trial, Event::Epoch { .. }) => (trial, "epoch"),
        SweepEvent::In(_, Event::Batch { .. } | Event::Checkpoint(_)) => return None,
        SweepEvent::Trained(trial) => (trial, "trained"),
        SweepEvent::Ended(trial, _) => (trial, "ended"),
        SweepEvent::Pruned(trial, ..) => (trial, "pruned"),
        SweepEvent::Damaged(trial, _) => (trial, "damaged"),
    };
    let mut object = about(name, situation, trial);
    match event {
        SweepEvent::Started(_, slot) => {
            put(&mut object, "device", slot.device.to_string());
            put(&mut object, "slot", slot.number);
            put(&mut object, "seed", trial.plan.seed);
            put(&mut object, "fold", trial.plan.data.fold.map(|fold| fold.index + 1));
            put(&mut object, "epochs", trial.plan.train.epochs);
        }
        SweepEvent::In(_, Event::Epoch { record, is_best, .. }) => {
            put(&mut object, "epoch", record.epoch);
            put(&mut object, "steps", record.steps);
            put(&mut object, "lr", record.lr);
            put_scores(&mut object, "train", Some(&record.train));
            put_scores(&mut object, "val", record.validation.as_ref());
            put(&mut object, "is_best", *is_best);
            put(&mut object, "seconds", rounded(seconds));
        }
        SweepEvent::In(_, Event::Batch { .. } | Event::Checkpoint(_)) | SweepEvent::Trained(_) => {}
        SweepEvent::Pruned(_, epoch, reason) => {
            put(&mut object, "epoch", *epoch);
            put(&mut object, "reason", *reason);
        }
        SweepEvent::Damaged(_, words) => put(&mut object, "reason", *words),
        SweepEvent::Ended(_, ended) => {
            let (status, reason, outcome) = match ended {
                Ended::Interrupted => (Status::Unfinished, "interrupted", None),
                Ended::Paused => (Status::Unfinished, "paused", None),
                Ended::With(outcome) => (outcome.status, &outcome.reason[..], Some(outcome)),
            };
            put(&mut object, "status", status.name());
            put(&mut object, "reason", reason);
            let best = outcome.map(|outcome| outcome.best_epoch).filter(|epoch| *epoch > 0);
            put(&mut object, "best_epoch", best);
            let validation = outcome.and_then(|outcome| outcome.validation.as_ref());
            put_scores(&mut object, "val", validation);
            put_scores(&mut object, "test", outcome.and_then(|outcome| outcome.test.as_ref()));
            put(&mut object, "seconds", rounded(seconds));
        }
    }
    Some(object.into())
}

/// The last object, `seconds` after the start.
pub(super) fn finished(situation: &Situation, seconds: f64) -> Value {
    let best = situation.best();
    json!({
        "event": "finished",
        "name": situation.name,
        "trials": situation.total,
        "done": situation.done,
        "completed": situation.completed,
        "pruned": situation.pruned,
        "failed": situation.failed,
        "unfinished": situation.total.saturating_sub(situation.ended()),
        "best_trial": best.as_ref().map(|best| best.trial),
        "best_metric": situation.metric.name(),
        "best_value": best.map(|best| best.value),
        "seconds": rounded(seconds),
    })
}

/// What every event of a trial says of it.
fn about(name: &str, situation: &Situation, trial: &Trial) -> Map<String, Value> {
    let values = trial.settings.iter().map(|text| value(text));
    let settings: Map<String, Value> = situation.axes.iter().cloned().zip(values).collect();
    let mut object = Map::new();
    put(&mut object, "event", name);
    put(&mut object, "trial", trial.number);
    put(&mut object, "digest", trial.digest.clone());
    put(&mut object, "settings", settings);
    object
}

/// A swept value: a number or a truth value as such, all else as text.
fn value(text: &str) -> Value {
    let whole = || text.parse::<i64>().ok().map(Value::from);
    let decimal = || text.parse::<f64>().ok().filter(|it| it.is_finite()).map(Value::from);
    let truth = || text.parse::<bool>().ok().map(Value::from);
    whole().or_else(decimal).or_else(truth).unwrap_or_else(|| text.into())
}

/// Scores by their names in the tables. JSON has no NaN: it is null, like what was not measured.
fn put_scores(object: &mut Map<String, Value>, set: &str, scores: Option<&Scores>) {
    for (index, name) in Scores::NAMES.iter().enumerate() {
        put(object, &format!("{set}_{name}"), scores.map(|scores| scores.values()[index]));
    }
}

fn put(object: &mut Map<String, Value>, key: &str, value: impl Into<Value>) {
    object.insert(key.to_owned(), value.into());
}

/// To milliseconds: the clock is not worth more digits.
fn rounded(seconds: f64) -> f64 {
    (1e3 * seconds).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::super::synthetic::{batch, completed, epoch, experiment, failed, record, started};
    use super::*;
    use crate::plan::sweep::Experiment;

    const PAGE: &str = include_str!("../../docs/reference/results.md");

    /// What is written about `happened`, read again.
    fn written(situation: &mut Situation, happened: SweepEvent, now: f64) -> Option<Value> {
        let seconds = situation.notice(&happened, now);
        let line = event(situation, &happened, seconds)?.to_string();
        assert!(!line.contains('\n'), "{line}");
        Some(serde_json::from_str(&line).unwrap())
    }

    /// One trial from its start to its end, and the end of the run.
    fn events(experiment: &Experiment) -> Vec<Value> {
        let mut situation = Situation::new(experiment, 1);
        let trial = &experiment.trials[1];
        let record = record(1, f64::NAN, Some(0.75));
        let mut all = vec![
            written(&mut situation, started(trial), 1.0),
            written(&mut situation, SweepEvent::In(trial, &epoch(&record)), 3.5),
            written(&mut situation, SweepEvent::Ended(trial, &completed(Some(0.75))), 5.0),
            written(&mut situation, SweepEvent::Pruned(&experiment.trials[2], 1, "why"), 5.0),
        ];
        assert_eq!(written(&mut situation, SweepEvent::In(trial, &batch(1, 1)), 5.0), None);
        all.push(Some(finished(&situation, 6.0)));
        all.into_iter().map(Option::unwrap).collect()
    }

    #[test]
    fn every_event_has_the_documented_keys_and_no_other() {
        let mut rows = PAGE.lines().skip_while(|line| *line != "## Events for scripts");
        assert!(rows.next().is_some(), "the page has no such heading");
        let rows = rows.take_while(|line| !line.starts_with('#'));
        let documented: Vec<(Vec<String>, String)> = rows
            .filter(|line| line.starts_with("| `"))
            .map(|line| {
                let mut cells = line.trim_matches('|').split(" | ");
                let keys = cells.next().unwrap().split('`').skip(1).step_by(2);
                (keys.map(str::to_owned).collect(), cells.next().unwrap().trim().to_owned())
            })
            .collect();
        assert!(!documented.is_empty());
        for event in events(&experiment(&[])) {
            let name = event["event"].as_str().unwrap();
            let has = |events: &str| events == "all" || events.split(", ").any(|it| it == name);
            let mut expected: Vec<String> = documented
                .iter()
                .filter(|(_, events)| has(events))
                .flat_map(|(keys, _)| keys)
                .flat_map(|key| match key.strip_suffix('*') {
                    Some(set) => Scores::NAMES.map(|name| format!("{set}{name}")).to_vec(),
                    None => vec![key.clone()],
                })
                .collect();
            let mut keys: Vec<String> = event.as_object().unwrap().keys().cloned().collect();
            expected.sort();
            keys.sort();
            assert_eq!(keys, expected, "of {name}");
        }
    }

    #[test]
    fn events_say_what_the_tables_say() {
        let experiment = experiment(&[]);
        let events = events(&experiment);
        let [started, epoch, ended, pruned, finished] = &events[..] else { panic!("five events") };
        assert_eq!(started["trial"], 2);
        assert_eq!(started["digest"], experiment.trials[1].digest);
        let settings = json!({ "model.defaults.dropout": 0.0, "train.optimizer.adam.lr": 0.1 });
        assert_eq!(started["settings"], settings);
        assert_eq!((&epoch["epoch"], &epoch["val_accuracy"]), (&json!(1), &json!(0.75)));
        assert_eq!(epoch["train_loss"], Value::Null, "NaN");
        assert_eq!(epoch["seconds"], 2.5);
        assert_eq!((&ended["status"], &ended["reason"]), (&json!("completed"), &json!("")));
        assert_eq!((&ended["test_accuracy"], &ended["seconds"]), (&Value::Null, &json!(4.0)));
        assert_eq!((&pruned["epoch"], &pruned["reason"]), (&json!(1), &json!("why")));
        assert_eq!((&finished["completed"], &finished["pruned"]), (&json!(1), &json!(1)));
        assert_eq!(finished["unfinished"], 1);
        assert_eq!((&finished["best_trial"], &finished["best_value"]), (&json!(2), &json!(0.75)));
    }

    #[test]
    fn a_trial_without_a_best_epoch_has_none_and_says_why() {
        let experiment = experiment(&[]);
        let mut situation = Situation::new(&experiment, 0);
        for (ended, status, reason) in [
            (failed("\"so\"\nand so"), "failed", "\"so\"\nand so"),
            (Ended::Interrupted, "unfinished", "interrupted"),
        ] {
            let trial = &experiment.trials[0];
            situation.notice(&started(trial), 0.0);
            let event = written(&mut situation, SweepEvent::Ended(trial, &ended), 1.0).unwrap();
            assert_eq!((&event["status"], &event["reason"]), (&json!(status), &json!(reason)));
            assert_eq!(event["best_epoch"], Value::Null);
        }
    }

    #[test]
    fn swept_values_are_numbers_and_truth_values_where_they_can_be() {
        for (text, expected) in [
            ("3", json!(3)),
            ("0.001", json!(0.001)),
            ("1e30", json!(1e30)),
            ("true", json!(true)),
            ("batch", json!("batch")),
            ("nan", json!("nan")),
            ("1e999", json!("1e999")),
            ("[3, 3]", json!("[3, 3]")),
            ("1 2", json!("1 2")),
            ("", json!("")),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
    }
}
