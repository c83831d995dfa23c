//! Progress as lines, for pipes and logs.

use crate::basis::device::Device;
use crate::basis::record::{EpochRecord, Metric, Status};
use crate::plan::sweep::Trial;
use crate::sweep::runner::SweepEvent;
use crate::sweep::trial::Ended;
use crate::train::trainer::Event;

use super::situation::Situation;

/// The line about an event that `situation` has taken notice of; none for what happens too often.
pub(super) fn line(situation: &Situation, event: &SweepEvent) -> Option<String> {
    let total = situation.total;
    match event {
        SweepEvent::In(trial, Event::Epoch { record, .. }) => {
            let (number, epochs) = (trial.number, trial.plan.train.epochs);
            let words = words(record);
            Some(format!("trial {number}/{total} epoch {}/{epochs} {words}", record.epoch))
        }
        // It goes on, or is pruned, as soon as that is known.
        SweepEvent::Ended(_, Ended::Paused) => None,
        SweepEvent::Ended(trial, ended) => {
            let end = end(situation, trial, ended);
            Some(match situation.best() {
                Some(best) => format!(
                    "{end}; best so far {} ({})",
                    metric(situation.metric, best.value),
                    named(best.trial, &best.settings)
                ),
                None => end,
            })
        }
        SweepEvent::Pruned(trial, _, reason) => {
            Some(format!("trial {}/{total} pruned: {reason}", trial.number))
        }
        SweepEvent::Damaged(trial, words) => {
            Some(format!("trial {}/{total}: {words}", trial.number))
        }
        SweepEvent::Started(trial, slot) if slot.device != Device::Cpu => {
            Some(format!("trial {}/{total} runs on {}", trial.number, slot.device))
        }
        SweepEvent::Started(..)
        | SweepEvent::In(_, Event::Batch { .. } | Event::Checkpoint(_))
        | SweepEvent::Trained(_) => None,
    }
}

/// The line that stays above the bars when a trial is left.
pub(super) fn above(situation: &Situation, event: &SweepEvent) -> Option<String> {
    match event {
        SweepEvent::Ended(_, Ended::Paused) => None,
        SweepEvent::Ended(trial, ended) => Some(end(situation, trial, ended)),
        event => line(situation, event),
    }
}

/// How a trial was left. What is wrong with the images of all trials is told once.
fn end(situation: &Situation, trial: &Trial, ended: &Ended) -> String {
    let (number, total) = (trial.number, situation.total);
    match ended {
        Ended::Interrupted => format!("trial {number}/{total} interrupted; it can be resumed"),
        Ended::Paused => format!("trial {number}/{total} waits for others at its rung"),
        Ended::With(outcome) if outcome.status == Status::Failed => {
            match situation.first_failure(&outcome.reason) {
                Some(first) if first != number => {
                    format!("trial {number}/{total} failed for the same reason as trial {first}")
                }
                _ => format!("trial {number}/{total} failed: {}", outcome.reason),
            }
        }
        Ended::With(outcome) => {
            let scores = outcome.validation.or(outcome.train);
            let accuracy = scores.map_or(String::new(), |scores| {
                format!(", accuracy {:.2} %", 100.0 * scores.accuracy)
            });
            let best = match outcome.best_epoch {
                0 => "without training".to_owned(),
                epoch => format!("best epoch {epoch}"),
            };
            format!("trial {number}/{total} completed: {best}{accuracy}")
        }
    }
}

/// A metric and its value: losses as they are, parts of one in per cent.
pub(super) fn metric(metric: Metric, value: f64) -> String {
    match metric.is_loss() {
        true => format!("{} {value:.4}", metric.name()),
        false => format!("{} {:.2} %", metric.name(), 100.0 * value),
    }
}

/// A trial by its number and what tells it from others.
pub(super) fn named(trial: usize, settings: &str) -> String {
    if settings.is_empty() {
        format!("trial {trial}")
    } else {
        format!("trial {trial}: {settings}")
    }
}

fn words(record: &EpochRecord) -> String {
    let metrics = [Metric::TrainLoss, Metric::TrainAccuracy, Metric::ValLoss, Metric::ValAccuracy];
    let words = metrics.iter().filter_map(|it| Some(metric(*it, it.of(record)?)));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::synthetic::{batch, completed, epoch, experiment, failed, record, started};
    use super::*;

    #[test]
    fn epochs_and_ends_are_lines_that_name_the_trial() {
        let experiment = experiment(&[]);
        let [_, second, third, _] = &experiment.trials[..] else { panic!("four trials") };
        let mut situation = Situation::new(&experiment, 0);
        let mut line = |event: SweepEvent| {
            situation.notice(&event, 1.0);
            line(&situation, &event)
        };
        assert_eq!(line(started(second)), None);
        assert_eq!(line(SweepEvent::In(second, &batch(1, 1))), None);
        assert_eq!(
            line(SweepEvent::In(second, &epoch(&record(1, 0.5, Some(0.75))))).unwrap(),
            "trial 2/4 epoch 1/2 train_loss 0.5000 train_accuracy 50.00 % val_loss 0.5000 \
             val_accuracy 75.00 %"
        );
        assert_eq!(
            line(SweepEvent::In(second, &epoch(&record(2, 0.25, None)))).unwrap(),
            "trial 2/4 epoch 2/2 train_loss 0.2500 train_accuracy 50.00 %"
        );
        assert_eq!(
            line(SweepEvent::Ended(second, &completed(Some(0.75)))).unwrap(),
            "trial 2/4 completed: best epoch 1, accuracy 75.00 %; \
             best so far val_accuracy 75.00 % (trial 2: dropout = 0.0, lr = 0.1)"
        );
        line(started(third));
        assert_eq!(
            line(SweepEvent::Ended(third, &failed("the loss became NaN"))).unwrap(),
            "trial 3/4 failed: the loss became NaN; \
             best so far val_accuracy 75.00 % (trial 2: dropout = 0.0, lr = 0.1)"
        );
    }

    #[test]
    fn a_reason_that_trials_share_is_told_once() {
        let experiment = experiment(&[]);
        let [first, second, third, _] = &experiment.trials[..] else { panic!("four trials") };
        let mut situation = Situation::new(&experiment, 0);
        let mut line = |trial, reason| {
            situation.notice(&started(trial), 1.0);
            let event = SweepEvent::Ended(trial, &failed(reason));
            situation.notice(&event, 1.0);
            line(&situation, &event).unwrap()
        };
        assert_eq!(line(first, "a.png is damaged"), "trial 1/4 failed: a.png is damaged");
        assert_eq!(line(second, "the loss became NaN"), "trial 2/4 failed: the loss became NaN");
        let same = "trial 3/4 failed for the same reason as trial 1";
        assert_eq!(line(third, "a.png is damaged"), same);
    }

    #[test]
    fn a_trial_that_waits_is_no_line_and_one_that_is_pruned_says_why() {
        let experiment = experiment(&[]);
        let trial = &experiment.trials[1];
        let mut situation = Situation::new(&experiment, 0);
        let mut line = |event: SweepEvent| {
            situation.notice(&event, 1.0);
            line(&situation, &event)
        };
        line(started(trial));
        assert_eq!(line(SweepEvent::Ended(trial, &Ended::Paused)), None);
        assert_eq!(
            line(SweepEvent::Pruned(trial, 1, "rank 2 of the 2 up to it, 1 go on")).unwrap(),
            "trial 2/4 pruned: rank 2 of the 2 up to it, 1 go on"
        );
    }

    #[test]
    fn as_long_as_there_is_no_best_trial_none_is_named() {
        let experiment = experiment(&[]);
        let trial = &experiment.trials[0];
        let mut situation = Situation::new(&experiment, 0);
        situation.notice(&started(trial), 0.0);
        let event = SweepEvent::Ended(trial, &Ended::Interrupted);
        situation.notice(&event, 1.0);
        assert_eq!(line(&situation, &event).unwrap(), "trial 1/4 interrupted; it can be resumed");
    }
}
