//! How the learning rate moves: a factor on the optimiser's.
//!
//! In a file each schedule has its warm-up among its settings; a plan has the warm-up beside the
//! schedule.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::val_loss;
use crate::basis::fault::Faults;
use crate::basis::record::Metric;

/// How the factor on the learning rate moves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Stays at 1.
    Constant,
    /// Times `factor` after each `every` epochs.
    Step {
        /// Epochs on each stair.
        every: usize,
        /// From one stair to the next.
        factor: f64,
    },
    /// Times `factor` after each epoch.
    Exponential {
        /// From one epoch to the next.
        factor: f64,
    },
    /// Times `factor` with the end of each of these epochs.
    Steps {
        /// Epochs after which the rate falls.
        at: Vec<usize>,
        /// From one stair to the next.
        factor: f64,
    },
    /// Half a cosine from 1 to `floor` over the steps after warm-up.
    Cosine {
        /// The factor at the end.
        floor: f64,
    },
    /// Cosines from 1 to `floor`, one after the other.
    CosineRestarts {
        /// Epochs of the first one.
        period: usize,
        /// How many times as long each is as the one before.
        growth: usize,
        /// The factor at the end of each.
        floor: f64,
    },
    /// (1 − progress)^power over the steps after warm-up, down to `floor`.
    Poly {
        /// The power.
        power: f64,
        /// The factor at the end.
        floor: f64,
    },
    /// Cosine up, then cosine down, over all steps.
    OneCycle {
        /// Part of all steps that rises.
        rise: f64,
        /// 1 / factor at the start.
        start_divisor: f64,
        /// Start over end.
        end_divisor: f64,
    },
    /// Times `factor` when the metric has not improved for more than `patience` epochs.
    Plateau {
        /// The metric that has to improve.
        metric: Metric,
        /// Epochs without improvement that are borne.
        patience: usize,
        /// On the rate.
        factor: f64,
    },
}

impl Schedule {
    /// Whether the rate of a step depends on how many epochs there will be. Such a trial cannot be
    /// continued with more epochs: it starts again.
    pub fn depends_on_epochs(&self) -> bool {
        matches!(self, Schedule::Cosine { .. } | Schedule::Poly { .. } | Schedule::OneCycle { .. })
    }

    /// The factor in epoch `epoch`, counted from 0, of a schedule that moves with the end of epochs and with nothing
    /// else; of others, none.
    pub fn by_epoch(&self, epoch: u64) -> Option<f64> {
        match *self {
            Schedule::Constant => Some(1.0),
            Schedule::Step { every, factor } => Some(factor.powi((epoch / every as u64) as i32)),
            Schedule::Exponential { factor } => Some(factor.powi(epoch as i32)),
            Schedule::Steps { ref at, factor } => {
                let falls = at.iter().filter(|end| **end as u64 <= epoch).count();
                Some(factor.powi(falls as i32))
            }
            Schedule::Cosine { .. }
            | Schedule::CosineRestarts { .. }
            | Schedule::Poly { .. }
            | Schedule::OneCycle { .. }
            | Schedule::Plateau { .. } => None,
        }
    }

    /// The metric that it depends on, if it depends on one.
    pub fn metric(&self) -> Option<Metric> {
        match self {
            Schedule::Plateau { metric, .. } => Some(*metric),
            _ => None,
        }
    }

    /// Says what is wrong with the schedule, which stands at `path` in the file.
    pub fn check(&self, path: &str, faults: &mut Faults) {
        match *self {
            Schedule::Constant => {}
            Schedule::Step { every, factor } => {
                let message = "every must be at least one epoch";
                faults.that(every >= 1, format!("{path}.step.every"), message, "0 epochs");
                faults.fraction(factor, format!("{path}.step.factor"));
            }
            Schedule::Exponential { factor } => {
                faults.fraction(factor, format!("{path}.exponential.factor"));
            }
            Schedule::Steps { ref at, factor } => {
                let here = format!("{path}.steps.at");
                let rises = at.first() != Some(&0) && at.is_sorted_by(|a, b| a < b);
                let message = "at must be a list of rising epochs, from 1 on";
                faults.that(rises && !at.is_empty(), here, message, "not rising, or none");
                faults.fraction(factor, format!("{path}.steps.factor"));
            }
            Schedule::Cosine { floor } => {
                faults.within(floor, 0.0, 1.0, format!("{path}.cosine.floor"));
            }
            Schedule::CosineRestarts { period, growth, floor } => {
                let here = format!("{path}.cosine-restarts");
                let message = "period must be at least one epoch";
                faults.that(period >= 1, format!("{here}.period"), message, "0 epochs");
                let message = "growth must be at least 1";
                faults.that(growth >= 1, format!("{here}.growth"), message, "0");
                faults.within(floor, 0.0, 1.0, format!("{here}.floor"));
            }
            Schedule::Poly { power, floor } => {
                faults.positive(power, format!("{path}.poly.power"));
                faults.within(floor, 0.0, 1.0, format!("{path}.poly.floor"));
            }
            Schedule::OneCycle { rise, start_divisor, end_divisor } => {
                faults.within(rise, 0.0, 1.0, format!("{path}.one-cycle.rise"));
                for (key, divisor) in [("start", start_divisor), ("end", end_divisor)] {
                    let at = format!("{path}.one-cycle.{key}-divisor");
                    faults.that(divisor >= 1.0, at, "a divisor is at least 1", "below 1");
                }
            }
            Schedule::Plateau { factor, .. } => {
                faults.fraction(factor, format!("{path}.plateau.factor"));
            }
        }
    }
}

/// How the learning rate moves: a factor on the optimiser's `lr`. `warmup` is a number of epochs
/// over which the factor rises linearly from 0.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Schedule")]
pub enum Written {
    /// Stays at 1.
    Constant(Option<Constant>),
    /// Times `factor` after each `every` epochs.
    Step(Step),
    /// Times `factor` after each epoch.
    Exponential(Exponential),
    /// Times `factor` after each of the epochs `at`.
    Steps(Steps),
    /// Half a cosine from 1 down to `floor` over all steps (Loshchilov and Hutter, 2017).
    Cosine(Option<Cosine>),
    /// Half a cosine over `period` epochs, then the next one (Loshchilov and Hutter, 2017).
    CosineRestarts(CosineRestarts),
    /// A power of what is left of all steps.
    Poly(Option<Poly>),
    /// Up to 1 and far down again over all steps (Smith and Topin, 2019).
    OneCycle(Option<OneCycle>),
    /// Times `factor` when a metric has not improved for `patience` epochs.
    Plateau(Plateau),
}

/// A constant rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Constant {
    /// Epochs of linear rise.
    #[serde(default)]
    pub warmup: f64,
}

/// Stairs.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Step {
    /// Epochs on each stair.
    pub every: usize,
    /// From one stair to the next; 0.1 if not given.
    #[serde(default = "tenth")]
    pub factor: f64,
    /// Epochs of linear rise.
    #[serde(default)]
    pub warmup: f64,
}

/// Exponential decay.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Exponential {
    /// From one epoch to the next.
    pub factor: f64,
    /// Epochs of linear rise.
    #[serde(default)]
    pub warmup: f64,
}

/// Cosine decay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Cosine {
    /// Epochs of linear rise.
    #[serde(default)]
    pub warmup: f64,
    /// The factor at the end; 0 if not given.
    #[serde(default)]
    pub floor: f64,
}

/// Stairs at chosen epochs, as PyTorch's `MultiStepLR`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Steps {
    /// Epochs after which the rate falls, counted from 1.
    pub at: Vec<usize>,
    /// From one stair to the next; 0.1 if not given.
    #[serde(default = "tenth")]
    pub factor: f64,
    /// Epochs of linear rise.
    #[serde(default)]
    pub warmup: f64,
}

/// Cosines with restarts, as PyTorch's `CosineAnnealingWarmRestarts`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CosineRestarts {
    /// Epochs of the first one.
    #[schemars(range(min = 1))]
    pub period: usize,
    /// How many times as long each is as the one before; 1 if not given.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub growth: usize,
    /// The factor at the end of each; 0 if not given.
    #[serde(default)]
    pub floor: f64,
    /// Epochs of linear rise before the first.
    #[serde(default)]
    pub warmup: f64,
}

/// Polynomial decay, as PyTorch's `PolynomialLR`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Poly {
    /// 1 if not given: a straight line.
    #[serde(default = "straight")]
    pub power: f64,
    /// The factor at the end; 0 if not given.
    #[serde(default)]
    pub floor: f64,
    /// Epochs of linear rise.
    #[serde(default)]
    pub warmup: f64,
}

fn one() -> usize {
    1
}

fn straight() -> f64 {
    1.0
}

/// One cycle, cosine up and cosine down, as PyTorch's `OneCycleLR` without the momentum cycle.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OneCycle {
    /// Part of all steps that rises; 0.3 if not given.
    #[serde(default = "rise")]
    pub rise: f64,
    /// 1 / factor at the start; 25 if not given.
    #[serde(default = "start_divisor")]
    pub start_divisor: f64,
    /// Start over end; 10,000 if not given.
    #[serde(default = "end_divisor")]
    pub end_divisor: f64,
}

/// Reduce on plateau.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Plateau {
    /// The metric that has to improve.
    #[serde(default = "val_loss")]
    pub metric: Metric,
    /// Epochs without improvement before the rate falls.
    pub patience: usize,
    /// 0.1 if not given.
    #[serde(default = "tenth")]
    pub factor: f64,
    /// Epochs of linear rise.
    #[serde(default)]
    pub warmup: f64,
}

fn tenth() -> f64 {
    0.1
}

const ONE_CYCLE: OneCycle = OneCycle { rise: 0.3, start_divisor: 25.0, end_divisor: 10_000.0 };

fn rise() -> f64 {
    ONE_CYCLE.rise
}

fn start_divisor() -> f64 {
    ONE_CYCLE.start_divisor
}

fn end_divisor() -> f64 {
    ONE_CYCLE.end_divisor
}

impl Written {
    /// The schedule, and its epochs of linear rise.
    pub fn and_warmup(&self) -> (Schedule, f64) {
        match self.clone() {
            Written::Constant(constant) => {
                (Schedule::Constant, constant.unwrap_or_default().warmup)
            }
            Written::Step(Step { every, factor, warmup }) => {
                (Schedule::Step { every, factor }, warmup)
            }
            Written::Exponential(Exponential { factor, warmup }) => {
                (Schedule::Exponential { factor }, warmup)
            }
            Written::Cosine(cosine) => {
                let Cosine { warmup, floor } = cosine.unwrap_or_default();
                (Schedule::Cosine { floor }, warmup)
            }
            Written::Steps(Steps { at, factor, warmup }) => {
                (Schedule::Steps { at, factor }, warmup)
            }
            Written::CosineRestarts(CosineRestarts { period, growth, floor, warmup }) => {
                (Schedule::CosineRestarts { period, growth, floor }, warmup)
            }
            Written::Poly(poly) => {
                let poly = poly.unwrap_or(Poly { power: straight(), floor: 0.0, warmup: 0.0 });
                (Schedule::Poly { power: poly.power, floor: poly.floor }, poly.warmup)
            }
            Written::OneCycle(cycle) => {
                let OneCycle { rise, start_divisor, end_divisor } = cycle.unwrap_or(ONE_CYCLE);
                (Schedule::OneCycle { rise, start_divisor, end_divisor }, 0.0)
            }
            Written::Plateau(Plateau { metric, patience, factor, warmup }) => {
                (Schedule::Plateau { metric, patience, factor }, warmup)
            }
        }
    }
}
