//! The recipe of one trial.

use serde::{Deserialize, Serialize};

use crate::basis::record::Metric;

/// Everything about training that is not data or model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TrainPlan {
    /// Passes over the training images, at least 1.
    pub epochs: usize,
    /// Images in one batch.
    pub batch_size: usize,
    /// Batches whose gradients are averaged into one step.
    pub accumulate: usize,
    /// The optimiser.
    pub optimizer: Optimizer,
    /// The factor on its learning rate.
    pub schedule: Schedule,
    /// Epochs over which the factor rises linearly from 0.
    pub warmup: f64,
    /// When to stop before the last epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stop: Option<EarlyStop>,
    /// The metric that chooses the best epoch.
    pub best: Metric,
    /// Part of the target that is spread over all classes, 0 ≤ s < 1.
    pub label_smoothing: f64,
    /// Weight of each class in the loss.
    pub class_weights: ClassWeights,
    /// Limit on gradients.
    pub clip: Clip,
    /// The k of top-k accuracy, at most the number of classes.
    pub top_k: usize,
}

/// Optimisers; formulas as in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Optimizer {
    /// Stochastic gradient descent.
    Sgd {
        /// Learning rate.
        lr: f64,
        /// Decay of the velocity.
        momentum: f64,
        /// Look ahead along the velocity.
        nesterov: bool,
        /// L2 term.
        weight_decay: f64,
    },
    /// Adam.
    Adam {
        /// Learning rate.
        lr: f64,
        /// Decay of the two moments.
        betas: [f64; 2],
        /// Added to the root.
        eps: f64,
        /// L2 term.
        weight_decay: f64,
    },
    /// Adam with decoupled weight decay.
    Adamw {
        /// Learning rate.
        lr: f64,
        /// Decay of the two moments.
        betas: [f64; 2],
        /// Added to the root.
        eps: f64,
        /// Part of the weight that goes in each step, times the rate.
        weight_decay: f64,
    },
    /// RMSprop.
    Rmsprop {
        /// Learning rate.
        lr: f64,
        /// Decay of the squared gradient.
        alpha: f64,
        /// Added to the root.
        eps: f64,
        /// Decay of the velocity.
        momentum: f64,
        /// L2 term.
        weight_decay: f64,
    },
}

impl Optimizer {
    /// The learning rate before the schedule.
    pub fn lr(&self) -> f64 {
        match self {
            Optimizer::Sgd { lr, .. }
            | Optimizer::Adam { lr, .. }
            | Optimizer::Adamw { lr, .. }
            | Optimizer::Rmsprop { lr, .. } => *lr,
        }
    }
}

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
}

/// Stop when `metric` has not improved by more than `min_delta` for `patience` epochs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EarlyStop {
    /// The metric that has to improve.
    pub metric: Metric,
    /// Epochs without improvement.
    pub patience: usize,
    /// The least change that counts.
    pub min_delta: f64,
}

/// Weight of each class in the loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassWeights {
    /// All the same.
    None,
    /// images / (classes · images of the class), over the training images.
    Balanced,
    /// One number per class.
    By(Vec<f64>),
}

/// Limit on gradients before each step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clip {
    /// No limit.
    None,
    /// Scale all gradients so that their common 2-norm is at most this.
    Norm(f64),
    /// Cut each element to ± this.
    Value(f64),
}
