//! `trials.csv`, `metrics.csv`, `decisions.csv` and `timings.csv`: rebuilt from the trials' own records, in plan
//! order, so that they depend on nothing else.

use rayon::prelude::*;

use crate::basis::record::Scores;
use crate::plan::prune::Decision;
use crate::plan::sweep::Experiment;
use crate::sweep::standing::{Known, Standing};
use crate::sweep::store::{Store, StoreError, Timing, csv_bytes, write_whole};

/// Writes the tables.
pub fn write(
    experiment: &Experiment,
    store: &Store,
    standing: &Standing,
) -> Result<(), StoreError> {
    let Standing { known, decisions } = standing;
    let mut tables = vec![
        ("trials.csv", trials(experiment, known)),
        ("metrics.csv", metrics(known)),
        ("timings.csv", timings(known)),
    ];
    if experiment.prune.is_some() {
        tables.push(("decisions.csv", self::decisions(decisions)));
    }
    for (name, rows) in tables {
        let bytes = csv_bytes(rows).expect("writing to memory does not fail");
        write_whole(&store.root().join(name), &bytes)?;
    }
    Ok(())
}

fn decisions(decisions: &[Decision]) -> Vec<Vec<String>> {
    let header = ["epoch", "trial", "digest", "value", "threshold", "decision", "reason"];
    let rows = decisions.iter().map(|decision| {
        let threshold = decision.threshold.map_or(String::new(), |value| value.to_string());
        vec![
            decision.epoch.to_string(),
            decision.trial.to_string(),
            decision.digest.clone(),
            decision.value.to_string(),
            threshold,
            if decision.kept { "kept" } else { "pruned" }.to_owned(),
            decision.reason.clone(),
        ]
    });
    std::iter::once(header.map(str::to_owned).to_vec()).chain(rows).collect()
}

fn columns(prefix: &str) -> impl Iterator<Item = String> {
    Scores::NAMES.into_iter().map(move |name| format!("{prefix}_{name}"))
}

fn cells(scores: Option<&Scores>) -> Vec<String> {
    match scores {
        Some(scores) => scores.values().iter().map(f64::to_string).collect(),
        None => vec![String::new(); Scores::NAMES.len()],
    }
}

fn trials(experiment: &Experiment, known: &[Known]) -> Vec<Vec<String>> {
    let mut header = vec!["trial".to_owned(), "digest".to_owned()];
    header.extend(experiment.axes.iter().cloned());
    header.extend(["seed", "fold", "status", "reason", "best_epoch"].map(str::to_owned));
    header.extend(columns("val").chain(columns("test")));
    header.extend(["parameters", "trainable", "flops"].map(str::to_owned));
    let rows = known.iter().map(|known| {
        let Known { trial, outcome, .. } = known;
        let mut row = vec![trial.number.to_string(), trial.digest.clone()];
        row.extend(trial.settings.iter().cloned());
        row.push(trial.plan.seed.to_string());
        let fold = trial.plan.data.fold;
        row.push(fold.map_or(String::new(), |fold| (fold.index + 1).to_string()));
        row.push(known.status().name().to_owned());
        row.push(outcome.as_ref().map_or(String::new(), |outcome| outcome.reason.clone()));
        let best = outcome.as_ref().map(|outcome| outcome.best_epoch).filter(|epoch| *epoch > 0);
        row.push(best.map_or(String::new(), |epoch| epoch.to_string()));
        row.extend(cells(outcome.as_ref().and_then(|outcome| outcome.validation.as_ref())));
        row.extend(cells(outcome.as_ref().and_then(|outcome| outcome.test.as_ref())));
        row.extend(
            [trial.plan.model.parameters(), trial.plan.model.trainable(), trial.plan.model.flops()]
                .map(|n| n.to_string()),
        );
        row
    });
    std::iter::once(header).chain(rows).collect()
}

fn metrics(known: &[Known]) -> Vec<Vec<String>> {
    let mut header = ["trial", "digest", "epoch", "steps", "lr"].map(str::to_owned).to_vec();
    header.extend(columns("train").chain(columns("val")));
    let rows = known.iter().flat_map(|Known { trial, records, .. }| {
        records.iter().map(|record| {
            let mut row = vec![
                trial.number.to_string(),
                trial.digest.clone(),
                record.epoch.to_string(),
                record.steps.to_string(),
                record.lr.to_string(),
            ];
            row.extend(cells(Some(&record.train)));
            row.extend(cells(record.validation.as_ref()));
            row
        })
    });
    std::iter::once(header).chain(rows).collect()
}

fn timings(known: &[Known]) -> Vec<Vec<String>> {
    let header = [
        "trial",
        "digest",
        "epoch",
        "seconds",
        "images_per_second",
        "threads",
        "augmented",
        "shared",
        "augment_seconds",
        "device",
        "slot",
    ];
    let all: Vec<Vec<Timing>> = known.par_iter().map(|known| known.store.timings()).collect();
    let rows = known.iter().zip(all).flat_map(|(Known { trial, .. }, timings)| {
        timings.into_iter().map(|timing| {
            let Timing { epoch, seconds, images_per_second, threads, .. } = timing;
            vec![
                trial.number.to_string(),
                trial.digest.clone(),
                epoch.to_string(),
                format!("{seconds:.6}"),
                format!("{images_per_second:.1}"),
                threads.to_string(),
                timing.augmented.to_string(),
                timing.shared.to_string(),
                format!("{:.6}", timing.augment_seconds),
                timing.device,
                timing.slot.to_string(),
            ]
        })
    });
    std::iter::once(header.map(str::to_owned).to_vec()).chain(rows).collect()
}
