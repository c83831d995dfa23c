//! Decisions by the epochs so far. They decide; the trainer acts.

use crate::basis::record::{EpochRecord, Metric, Outcome};
use crate::config::train::EarlyStop;

/// Epochs since `metric` was last better than ever before by more than `min_delta`.
pub fn epochs_since_improvement(records: &[EpochRecord], metric: Metric, min_delta: f64) -> usize {
    let (mut best, mut at) = (None, 0);
    for (index, record) in records.iter().enumerate() {
        let Some(value) = metric.of(record) else { continue };
        if best.is_none_or(|best| metric.improves(value, best, min_delta)) {
            (best, at) = (Some(value), index + 1);
        }
    }
    records.len() - at
}

/// The first of the best epochs, as an index; none without records that have the metric.
pub fn best_epoch(records: &[EpochRecord], metric: Metric) -> Option<usize> {
    let mut best: Option<(f64, usize)> = None;
    for (index, record) in records.iter().enumerate() {
        let Some(value) = metric.of(record) else { continue };
        if best.is_none_or(|(best, _)| metric.improves(value, best, 0.0)) {
            best = Some((value, index));
        }
    }
    best.map(|(_, index)| index)
}

/// The metric that an outcome says; none where it was not measured, as on training images of which nothing
/// was learnt.
pub fn value(metric: Metric, outcome: &Outcome) -> Option<f64> {
    let Outcome { best_epoch: epoch, train, validation, .. } = *outcome;
    // A metric of validation images looks at nothing else.
    let train = train.or(validation.filter(|_| metric.needs_validation()))?;
    metric.of(&EpochRecord { epoch, steps: 0, lr: 0.0, train, validation })
}

/// Whether to stop, and why.
pub fn early_stop(records: &[EpochRecord], rule: Option<&EarlyStop>) -> Option<String> {
    let rule = rule?;
    let waited = epochs_since_improvement(records, rule.metric, rule.min_delta);
    (waited >= rule.patience).then(|| {
        format!("stopped early: {} did not improve for {waited} epochs", rule.metric.name())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::basis::record::Scores;

    fn records(losses: &[f64]) -> Vec<EpochRecord> {
        let scores =
            |loss| Scores { loss, accuracy: 0.5, top_k: 0.5, precision: 0.5, recall: 0.5, f1: 0.5 };
        losses
            .iter()
            .enumerate()
            .map(|(index, loss)| EpochRecord {
                epoch: index + 1,
                steps: 1,
                lr: 1.0,
                train: scores(1.0),
                validation: Some(scores(*loss)),
            })
            .collect()
    }

    #[test]
    fn early_stopping_waits_as_long_as_it_is_told() {
        let rule = EarlyStop { metric: Metric::ValLoss, patience: 2, min_delta: 0.1 };
        for (losses, stops, sentence) in [
            (&[][..], false, "nothing has happened yet"),
            (&[1.0], false, "the first epoch is always the best"),
            (&[1.0, 0.8, 0.6], false, "every epoch improves"),
            (&[1.0, 1.1], false, "one bad epoch is borne"),
            (&[1.0, 1.1, 1.0], true, "two epochs without improvement are too many"),
            (&[1.0, 0.95, 0.92], true, "less than the least change does not count"),
            (&[1.0, 1.1, 0.8, 0.9], false, "an improvement starts the count anew"),
            (&[1.0, f64::NAN, f64::NAN], true, "what is not a number is no improvement"),
        ] {
            assert_eq!(early_stop(&records(losses), Some(&rule)).is_some(), stops, "{sentence}");
        }
        assert_eq!(early_stop(&records(&[1.0, 2.0, 3.0]), None), None);
    }

    #[test]
    fn of_equal_epochs_the_first_is_the_best() {
        assert_eq!(best_epoch(&records(&[2.0, 1.0, 1.0]), Metric::ValLoss), Some(1));
        assert_eq!(best_epoch(&records(&[2.0, 1.0, 1.0]), Metric::ValAccuracy), Some(0));
        assert_eq!(best_epoch(&[], Metric::ValLoss), None);
    }
}
