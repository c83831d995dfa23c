//! Pruning is the same whoever comes first, and comes to an end.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;
use crate::basis::record::Scores;
use crate::basis::seed::{Stream, derive};
use crate::config::layering::preset;
use crate::config::sweep::prune::{Halving, Median, Paired};
use crate::plan::Plan;
use crate::plan::data::Fold;
use crate::plan::resolve::resolve;
use crate::plan::sweep::tests::Digits;

fn plan() -> Plan {
    let sets = ["data.source=digits", "train.epochs=10"].map(str::to_owned);
    resolve(&preset("plain", &sets).unwrap(), None, &Digits).unwrap().0
}

/// Trials with metrics that are fixed but unknown until they are trained.
struct World {
    trials: Vec<Trial>,
    /// All records that a trial would ever have, and how it would end.
    fates: Vec<(Vec<EpochRecord>, Status)>,
}

fn record(epoch: usize, accuracy: f64) -> EpochRecord {
    let scores =
        Scores { loss: 1.0 - accuracy, accuracy, top_k: 1.0, precision: 0.5, recall: 0.5, f1: 0.5 };
    EpochRecord { epoch, steps: 1, lr: 1.0, train: scores, validation: Some(scores) }
}

/// `settings` with so many seeds and folds; some trials stop early, some fail, some give NaN, some are
/// equal.
fn world(seed: u64, settings: usize, seeds: u64, rounds: usize) -> World {
    let base = plan();
    let mut world = World { trials: Vec::new(), fates: Vec::new() };
    for setting in 0..settings {
        for own in 0..seeds {
            let number = world.trials.len() + 1;
            let mut stream = derive(seed, "fate", &[number as u64]);
            let mut plan = base.clone();
            plan.seed = own;
            Arc::make_mut(&mut plan.data).fold = Some(Fold { index: 0, of: 2 });
            Arc::make_mut(&mut plan.train).epochs = [10, 10, 10, 4][stream.below(4) as usize];
            let (length, status) = match stream.below(6) {
                0 => (1 + stream.below(plan.train.epochs as u64) as usize, Status::Completed),
                1 => (stream.below(plan.train.epochs as u64) as usize, Status::Failed),
                _ => (plan.train.epochs, Status::Completed),
            };
            let level = stream.uniform();
            let records = (1..=length)
                .map(|epoch| {
                    let noise = match stream.below(20) {
                        0 => f64::NAN,
                        _ => stream.uniform(),
                    };
                    // Coarse, so that some are equal.
                    record(epoch, ((level + 0.2 * noise) * 20.0).round() / 20.0)
                })
                .collect();
            world.fates.push((records, status));
            world.trials.push(Trial {
                number,
                digest: format!("{number:016x}"),
                setting,
                round: setting * rounds / settings,
                settings: Arc::default(),
                plan,
            });
        }
    }
    world
}

/// Advances trials in a random order until all are settled; `head_start` epochs are known before.
fn simulate(
    world: &World,
    prune: &PrunePlan,
    order: &mut Stream,
    head_start: usize,
) -> (Vec<Verdict>, Vec<Decision>) {
    let advance = |progress: &mut Progress, index: usize, epochs: usize| {
        let (records, status) = &world.fates[index];
        progress.records = until(records, epochs).to_vec();
        if epochs >= records.len() && (*status == Status::Completed || epochs > records.len()) {
            progress.ended = Some(*status);
        }
    };
    let mut progress = vec![Progress::default(); world.trials.len()];
    for index in 0..progress.len() {
        if head_start > 0 && order.below(2) == 0 {
            advance(&mut progress[index], index, head_start);
        }
    }
    // Whatever was once decided has to stand.
    let mut decided = BTreeSet::new();
    let text = |decision: &Decision| format!("{decision:?}");
    loop {
        // A round of suggestions begins when the one before is settled.
        let mut shown = 0;
        let (verdicts, decisions) = loop {
            let round = world.trials.get(shown).map(|trial| trial.round);
            let Some(round) = round else { break judge(Some(prune), &world.trials, &progress) };
            shown = world.trials.iter().filter(|trial| trial.round <= round).count();
            let (verdicts, decisions) =
                judge(Some(prune), &world.trials[..shown], &progress[..shown]);
            let settled = |(verdict, progress): (&Verdict, &Progress)| verdict.is_settled(progress);
            if !verdicts.iter().zip(&progress).all(settled) {
                break (verdicts, decisions);
            }
        };
        decided.extend(decisions.iter().map(text));
        let runnable: Vec<(usize, usize)> = verdicts
            .iter()
            .enumerate()
            .filter_map(|(index, verdict)| match verdict {
                Verdict::Runs { until } if progress[index].ended.is_none() => Some((index, *until)),
                _ => None,
            })
            .collect();
        if runnable.is_empty() {
            let settled =
                verdicts.iter().zip(&progress).all(|(it, progress)| it.is_settled(progress));
            assert!(settled, "nobody can go on: {verdicts:?}");
            assert_eq!(decided, decisions.iter().map(text).collect());
            return (verdicts, decisions);
        }
        let (index, epochs) = runnable[order.below(runnable.len() as u64) as usize];
        assert!(epochs > progress[index].records.len(), "trial {index} would stand still");
        // One that fails does so on the way to its next rung.
        advance(&mut progress[index], index, epochs);
        if progress[index].records.len() < epochs {
            progress[index].ended = Some(world.fates[index].1);
        }
    }
}

fn rules() -> Vec<Rule> {
    vec![
        Rule::Median(Median { warmup: 3, after: 1, every: 2 }),
        Rule::SuccessiveHalving(Halving { first: 1, factor: 3 }),
        Rule::Asha(Halving { first: 1, factor: 2 }),
        Rule::Hyperband(Halving { first: 1, factor: 2 }),
        Rule::Paired(Paired { rungs: vec![2, 5], confidence: 0.8 }),
    ]
}

#[test]
fn the_outcome_does_not_depend_on_the_order_in_which_trials_are_run() {
    for rule in rules() {
        let mut pruned = 0;
        for case in 0..12 {
            let metric = if case % 2 == 0 { Metric::ValAccuracy } else { Metric::ValLoss };
            let prune = PrunePlan { rule: rule.clone(), metric, seed: case };
            let world = world(case, 12, 1 + case % 4, 1 + case as usize % 3);
            let counted = |verdicts: &[Verdict]| -> Vec<Option<usize>> {
                let epochs = verdicts.iter().map(|verdict| match verdict {
                    Verdict::Pruned { epoch, .. } => Some(*epoch),
                    _ => None,
                });
                epochs.collect()
            };
            let mut first = None;
            for attempt in 0..12 {
                let mut order = derive(case, "order", &[attempt]);
                let head_start = [0, 0, 3, 10][attempt as usize % 4];
                let (verdicts, decisions) = simulate(&world, &prune, &mut order, head_start);
                pruned += counted(&verdicts).iter().flatten().count();
                // Compared as text: NaN is the same as NaN.
                let outcome = format!("{:?} {decisions:?}", counted(&verdicts));
                let expected = first.get_or_insert(outcome.clone());
                assert_eq!(*expected, outcome, "{rule:?}, case {case}, order {attempt}");
            }
        }
        assert!(pruned > 0, "{rule:?} prunes nothing");
    }
}

#[test]
fn later_trials_do_not_change_what_was_decided_by_looking_back() {
    let rules = rules();
    for rule in rules.iter().filter(|rule| matches!(rule, Rule::Median(_) | Rule::Asha(_))) {
        for case in 0..20 {
            let prune = PrunePlan { rule: rule.clone(), metric: Metric::ValAccuracy, seed: case };
            let all = world(case, 15, 2, 1);
            let (_, more) = simulate(&all, &prune, &mut derive(case, "order", &[]), 0);
            let few = World { trials: all.trials[..16].to_vec(), fates: all.fates[..16].to_vec() };
            let (_, less) = simulate(&few, &prune, &mut derive(case, "order", &[]), 0);
            let more: Vec<Decision> = more.into_iter().filter(|it| it.trial <= 16).collect();
            assert_eq!(format!("{more:?}"), format!("{less:?}"));
        }
    }
}

/// Trials with these accuracies epoch by epoch, all of them known.
fn known(accuracies: &[&[f64]]) -> (Vec<Trial>, Vec<Progress>) {
    let world = world(1, accuracies.len(), 1, 1);
    let trials = world.trials.into_iter().map(|mut trial| {
        Arc::make_mut(&mut trial.plan.train).epochs = 10;
        trial
    });
    let progress = accuracies.iter().map(|accuracies| {
        let values = accuracies.iter().enumerate();
        let records = values.map(|(index, value)| record(index + 1, *value)).collect();
        Progress { records, ended: None }
    });
    (trials.collect(), progress.collect())
}

fn pruned(prune: &PrunePlan, trials: &[Trial], progress: &[Progress]) -> Vec<usize> {
    let (verdicts, _) = judge(Some(prune), trials, progress);
    let is_pruned = |verdict: &Verdict| matches!(verdict, Verdict::Pruned { .. });
    (0..trials.len()).filter(|index| is_pruned(&verdicts[*index])).collect()
}

#[test]
fn rules_stop_those_that_they_should() {
    let plan = |rule| PrunePlan { rule, metric: Metric::ValAccuracy, seed: 1 };
    let halving = Halving { first: 2, factor: 3 };
    // The best so far counts: trial 3 is at 0.5, although its last epoch is worse.
    let values: [&[f64]; 5] = [&[0.1, 0.4], &[0.2, 0.6], &[0.3, 0.3], &[0.5, 0.1], &[0.2, 0.5]];
    let (trials, progress) = known(&values);
    let successive = plan(Rule::SuccessiveHalving(halving.clone()));
    assert_eq!(pruned(&successive, &trials, &progress), [0, 2, 4]);
    // Up to trial 0: 1 of 1; 1: 1 of 2; 2: 1 of 3; 3: 2 of 4; 4: 2 of 5, third behind 1 and its equal 3.
    assert_eq!(pruned(&plan(Rule::Asha(halving)), &trials, &progress), [2, 4]);
    let median = plan(Rule::Median(Median { warmup: 2, after: 2, every: 1 }));
    // Medians of 0.4 0.6, of 0.4 0.6 0.3, and of 0.4 0.6 0.3 0.5.
    assert_eq!(pruned(&median, &trials, &progress), [2]);
}

#[test]
fn a_setting_is_dropped_only_if_its_seeds_agree() {
    let values: [&[f64]; 9] = [
        &[0.80, 0.80],
        &[0.90, 0.90],
        &[0.70, 0.70], // the best
        &[0.75, 0.75],
        &[0.84, 0.84],
        &[0.66, 0.66], // worse by 0.05 ± 0.02 for each seed
        &[0.99, 0.99],
        &[0.70, 0.70],
        &[0.60, 0.60], // worse in the mean, but by luck
    ];
    let (mut trials, progress) = known(&values);
    for (index, trial) in trials.iter_mut().enumerate() {
        trial.setting = index / 3;
        trial.plan.seed = index as u64 % 3;
    }
    let paired = |confidence| PrunePlan {
        rule: Rule::Paired(Paired { rungs: vec![2], confidence }),
        metric: Metric::ValAccuracy,
        seed: 1,
    };
    assert_eq!(pruned(&paired(0.95), &trials, &progress), [3, 4, 5]);
    assert_eq!(pruned(&paired(0.9999), &trials, &progress), [0; 0]);
    // One pair proves nothing.
    let few: Vec<Trial> = trials.iter().filter(|trial| trial.plan.seed == 0).cloned().collect();
    let few_progress: Vec<Progress> = progress.iter().step_by(3).cloned().collect();
    assert_eq!(pruned(&paired(0.5), &few, &few_progress), [0; 0]);
}

#[test]
fn a_trial_waits_for_those_that_its_decision_needs_and_for_no_other() {
    let (trials, mut progress) = known(&[&[0.1], &[], &[0.3], &[0.4]]);
    let prune = |rule| PrunePlan { rule, metric: Metric::ValAccuracy, seed: 1 };
    let halving = Halving { first: 1, factor: 3 };
    let verdicts = |rule, progress: &[Progress]| judge(Some(&prune(rule)), &trials, progress).0;
    let (runs, waits) = (|until| Verdict::Runs { until }, Verdict::Waits { at: 1 });
    assert_eq!(
        verdicts(Rule::SuccessiveHalving(halving.clone()), &progress),
        [waits.clone(), runs(1), waits.clone(), waits.clone()]
    );
    // The first trial has nobody before it.
    assert_eq!(
        verdicts(Rule::Asha(halving.clone()), &progress),
        [runs(3), runs(1), waits.clone(), waits.clone()]
    );
    // Nobody waits for one that failed before the rung.
    progress[1].ended = Some(Status::Failed);
    assert_eq!(verdicts(Rule::Asha(halving), &progress)[2], runs(3));
    assert_eq!(judge(None, &trials, &progress).0, vec![runs(10); 4]);

    // One that stopped by itself takes part, but is not pruned.
    let (trials, mut progress) = known(&[&[0.3, 0.3], &[0.1], &[0.2]]);
    progress[1].ended = Some(Status::Completed);
    let halving = Rule::SuccessiveHalving(Halving { first: 1, factor: 2 });
    let (verdicts, decisions) = judge(Some(&prune(halving)), &trials, &progress);
    assert_eq!(verdicts[1], runs(10));
    let kept: Vec<(usize, bool)> = decisions.iter().map(|it| (it.trial, it.kept)).collect();
    assert_eq!(kept[..2], [(1, true), (3, true)]);
}
