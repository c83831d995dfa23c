//! Learning-rate schedules: the factor on the optimiser's rate for each step.
//!
//! A factor is a function of the step and of the epochs so far, with no memory of its own, so a
//! resumed trial needs nothing but its records.

use std::f64::consts::PI;

use crate::basis::record::EpochRecord;
use crate::config::train::schedule::Schedule;
use crate::plan::train::TrainPlan;

use super::steps::Steps;
use super::stopping::epochs_since_improvement;

/// The factor for a step.
pub struct Factor<'a> {
    plan: &'a TrainPlan,
    steps: &'a Steps,
}

impl<'a> Factor<'a> {
    /// For a trial with these steps.
    pub fn new(plan: &'a TrainPlan, steps: &'a Steps) -> Factor<'a> {
        Factor { plan, steps }
    }

    /// The factor for `step`, counted from 0, when `records` are the epochs that have ended.
    pub fn at(&self, step: u64, records: &[EpochRecord]) -> f64 {
        let step_f = self.steps.at_usual_pace(step);
        let per_epoch = self.steps.usual() as f64;
        let total = self.plan.epochs as f64 * per_epoch;
        let warmup = (self.plan.warmup * per_epoch).round();
        if step_f < warmup {
            return (step_f + 1.0) / warmup;
        }
        let schedule = &self.plan.schedule;
        match *schedule {
            Schedule::Constant
            | Schedule::Step { .. }
            | Schedule::Exponential { .. }
            | Schedule::Steps { .. } => schedule.by_epoch(self.steps.epoch_of(step)).unwrap_or(1.0),
            Schedule::CosineRestarts { period, growth, floor } => {
                let (mut start, mut length) = (warmup, period as f64 * per_epoch);
                while step_f >= start + length {
                    start += length;
                    length *= growth as f64;
                }
                floor + (1.0 - floor) * 0.5 * (1.0 + libm::cos(PI * (step_f - start) / length))
            }
            Schedule::Poly { power, floor } => {
                let progress = (step_f - warmup) / (total - warmup).max(1.0);
                floor + (1.0 - floor) * libm::pow(1.0 - progress.min(1.0), power)
            }
            Schedule::Cosine { floor } => {
                let progress = (step_f - warmup) / (total - warmup).max(1.0);
                floor + (1.0 - floor) * 0.5 * (1.0 + libm::cos(PI * progress.min(1.0)))
            }
            Schedule::OneCycle { rise, start_divisor, end_divisor } => {
                let (start, end) = (1.0 / start_divisor, 1.0 / (start_divisor * end_divisor));
                // PyTorch's corners: the peak at step rise · total − 1, the end at the last step.
                let (peak, last) = (rise * total - 1.0, total - 1.0);
                if step_f <= peak {
                    anneal(start, 1.0, step_f / peak)
                } else {
                    anneal(1.0, end, ((step_f - peak) / (last - peak)).min(1.0))
                }
            }
            Schedule::Plateau { metric, patience, factor } => {
                // A fall of the rate starts the count anew, so walk through the epochs.
                let (mut start, mut falls) = (0, 0);
                for end in 1..=records.len() {
                    // The best so far counts from the beginning, patience from the last fall.
                    let waited = epochs_since_improvement(&records[..end], metric, 0.0);
                    if waited.min(end - start) > patience {
                        falls += 1;
                        start = end;
                    }
                }
                factor.powi(falls)
            }
        }
    }
}

fn anneal(from: f64, to: f64, progress: f64) -> f64 {
    to + (from - to) * 0.5 * (1.0 + libm::cos(PI * progress))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::basis::loss::LossFunction;
    use crate::basis::optimizer::{Optimizer, Sgd};
    use crate::basis::record::{Metric, Scores};
    use crate::config::train::average::Average;
    use crate::config::train::parameters::DecayOn;
    use crate::config::train::{ClassWeights, Clip};

    fn plan(schedule: Schedule, warmup: f64, epochs: usize) -> TrainPlan {
        TrainPlan {
            epochs,
            batch_size: 1,
            drop_last: false,
            accumulate: 1,
            optimizer: Optimizer::Sgd(Sgd {
                lr: 1.0,
                momentum: 0.0,
                nesterov: false,
                weight_decay: 0.0,
            }),
            schedule,
            warmup,
            early_stop: None,
            best: Metric::TrainLoss,
            label_smoothing: 0.0,
            loss: LossFunction::CrossEntropy,
            class_weights: ClassWeights::None,
            clip: Clip::None,
            decay_on: DecayOn::All,
            parameters: Vec::new(),
            sam: 0.0,
            look_ahead: None,
            batch_sizes: Vec::new(),
            progressive_resizing: Vec::new(),
            distill: None,
            average: Average::None,
            top_k: 1,
        }
    }

    fn factors(schedule: Schedule, warmup: f64, epochs: usize, per_epoch: u64) -> Vec<f64> {
        let plan = plan(schedule, warmup, epochs);
        let steps = Steps::even(per_epoch);
        let factor = Factor::new(&plan, &steps);
        (0..epochs as u64 * per_epoch)
            .map(|step| (factor.at(step, &[]) * 1e4).round() / 1e4)
            .collect()
    }

    #[test]
    fn a_constant_rate_rises_and_stays() {
        assert_eq!(
            factors(Schedule::Constant, 1.0, 2, 4),
            [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0]
        );
    }

    #[test]
    fn stairs_and_decay_move_with_epochs() {
        let stairs = Schedule::Step { every: 2, factor: 0.1 };
        assert_eq!(factors(stairs, 0.0, 4, 1), [1.0, 1.0, 0.1, 0.1]);
        assert_eq!(factors(Schedule::Exponential { factor: 0.5 }, 0.0, 3, 1), [1.0, 0.5, 0.25]);
    }

    #[test]
    fn a_cosine_follows_pytorch() {
        // CosineAnnealingLR(T_max=4), and with eta_min=0.1.
        let cosine = factors(Schedule::Cosine { floor: 0.0 }, 0.0, 4, 1);
        assert_eq!(cosine, [1.0, 0.8536, 0.5, 0.1464]);
        let floor = factors(Schedule::Cosine { floor: 0.1 }, 0.0, 4, 1);
        assert_eq!(floor, [1.0, 0.8682, 0.55, 0.2318]);
    }

    #[test]
    fn stairs_at_chosen_epochs_cosines_with_restarts_and_powers_follow_pytorch() {
        // MultiStepLR([1, 3], 0.1).
        let steps = Schedule::Steps { at: vec![1, 3], factor: 0.1 };
        assert_eq!(factors(steps, 0.0, 5, 1), [1.0, 0.1, 0.1, 0.01, 0.01]);
        // CosineAnnealingWarmRestarts(T_0=2, T_mult=2).
        let restarts = Schedule::CosineRestarts { period: 2, growth: 2, floor: 0.0 };
        let expected = [1.0, 0.5, 1.0, 0.8536, 0.5, 0.1464, 1.0, 0.9619];
        assert_eq!(factors(restarts, 0.0, 8, 1), expected);
        // PolynomialLR(total_iters=4, power=2).
        let poly = Schedule::Poly { power: 2.0, floor: 0.0 };
        assert_eq!(factors(poly, 0.0, 4, 1), [1.0, 0.5625, 0.25, 0.0625]);
    }

    #[test]
    fn one_cycle_follows_pytorch() {
        // OneCycleLR(max_lr=1, total_steps=10, cycle_momentum=False).
        let cycle = Schedule::OneCycle { rise: 0.3, start_divisor: 25.0, end_divisor: 1e4 };
        let expected = [0.04, 0.52, 1.0, 0.9505, 0.8117, 0.6113, 0.3887, 0.1883, 0.0495, 0.0];
        assert_eq!(factors(cycle, 0.0, 10, 1), expected);
    }

    #[test]
    fn a_plateau_lowers_the_rate_after_patience_and_counts_anew() {
        let schedule = Schedule::Plateau { metric: Metric::TrainLoss, patience: 1, factor: 0.5 };
        let plan = plan(schedule, 0.0, 9);
        let record = |loss: f64| EpochRecord {
            epoch: 1,
            steps: 1,
            lr: 1.0,
            train: Scores { loss, accuracy: 0.0, top_k: 0.0, precision: 0.0, recall: 0.0, f1: 0.0 },
            validation: None,
        };
        let records: Vec<EpochRecord> = [3.0, 2.0, 2.0, 2.0, 2.0, 2.0, 1.0].map(record).into();
        let steps = Steps::even(1);
        let factor = Factor::new(&plan, &steps);
        let after: Vec<f64> = (0..=7).map(|end| factor.at(end as u64, &records[..end])).collect();
        assert_eq!(after, [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25]);
    }
}
