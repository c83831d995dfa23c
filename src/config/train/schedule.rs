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
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
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
    /// Half a cosine from 1 to `floor` over the steps after warm-up.
    Cosine {
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
        matches!(self, Schedule::Cosine { .. } | Schedule::OneCycle { .. })
    }

    /// The metric that it depends on, if it depends on one.
    pub fn metric(&self) -> Option<Metric> {
        match self {
            Schedule::Plateau { metric, .. } => Some(*metric),
            _ => None,
        }
    }

    /// Says what is wrong with the schedule, which stands at `at` in the file.
    pub fn check(&self, at: &str, faults: &mut Faults) {
        match *self {
            Schedule::Constant => {}
            Schedule::Step { every, factor } => {
                let message = "a stair is one epoch at least";
                faults.that(every >= 1, format!("{at}.step.every"), message, "0 epochs");
                faults.fraction(factor, format!("{at}.step.factor"));
            }
            Schedule::Exponential { factor } => {
                faults.fraction(factor, format!("{at}.exponential.factor"));
            }
            Schedule::Cosine { floor } => {
                faults.within(floor, 0.0, 1.0, format!("{at}.cosine.floor"));
            }
            Schedule::OneCycle { rise, start_divisor, end_divisor } => {
                faults.within(rise, 0.0, 1.0, format!("{at}.one-cycle.rise"));
                for (key, divisor) in [("start", start_divisor), ("end", end_divisor)] {
                    let at = format!("{at}.one-cycle.{key}-divisor");
                    faults.that(divisor >= 1.0, at, "a divisor is at least 1", "below 1");
                }
            }
            Schedule::Plateau { factor, .. } => {
                faults.fraction(factor, format!("{at}.plateau.factor"));
            }
        }
    }
}

/// How the learning rate moves: a factor on the optimiser's `lr`. `warmup` is a number of epochs
/// over which the factor rises linearly from 0.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Schedule")]
pub enum Written {
    /// Stays at 1.
    Constant(Option<Constant>),
    /// Times `factor` after each `every` epochs.
    Step(Step),
    /// Times `factor` after each epoch.
    Exponential(Exponential),
    /// Half a cosine from 1 down to `floor` over all steps (Loshchilov and Hutter, 2017).
    Cosine(Option<Cosine>),
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
        match *self {
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
