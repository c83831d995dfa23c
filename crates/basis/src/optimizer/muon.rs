//! The numbers of Muon, and those of AdamW for what Muon does not move.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::adam::Adam;
use super::{AdamW, Numbers};
use crate::fault::Faults;

/// Muon's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all(deserialize = "kebab-case"), deny_unknown_fields)]
pub struct Muon {
    /// Learning rate of hidden matrices and filters.
    pub lr: f64,
    /// 0.95 if not given.
    #[serde(default = "momentum")]
    pub momentum: f64,
    /// Look ahead along the momentum; true if not given.
    #[serde(default = "yes")]
    pub nesterov: bool,
    /// Part of the weight that goes in each step, times the rate; 0.1 if not given.
    #[serde(default = "tenth")]
    pub weight_decay: f64,
    /// Steps of the Newton-Schulz iteration; 5 if not given.
    #[serde(default = "five")]
    pub ns_steps: u32,
    /// What the rate is multiplied by for a matrix of a × b; `"original"` if not given.
    #[serde(default)]
    pub adjust_lr: AdjustLr,
    /// The optimiser of all else: biases, norms, the first layer with weights and the last ones.
    #[schemars(with = "Adam")]
    pub adamw: AdamW,
}

/// The factor on the rate of a matrix with `a` rows (outputs) and `b` columns, with PyTorch's names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AdjustLr {
    /// √max(1, a/b) (Jordan et al., 2024).
    #[default]
    Original,
    /// 0.2 √max(a, b): steps as large as AdamW's, so that its rates fit (Liu et al., 2025).
    MatchRmsAdamw,
}

impl AdjustLr {
    /// The factor for a matrix of so many `rows` and `columns`.
    pub fn factor(self, rows: usize, columns: usize) -> f64 {
        match self {
            AdjustLr::Original => (rows as f64 / columns as f64).max(1.0).sqrt(),
            AdjustLr::MatchRmsAdamw => 0.2 * (rows.max(columns) as f64).sqrt(),
        }
    }
}

fn momentum() -> f64 {
    0.95
}

fn yes() -> bool {
    true
}

fn tenth() -> f64 {
    0.1
}

fn five() -> u32 {
    5
}

/// So many steps take a direction to where rounding decides.
const MOST_STEPS: u32 = 100;

impl Numbers for Muon {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn weight_decay(&mut self) -> &mut f64 {
        &mut self.weight_decay
    }

    fn state_rows(&self) -> u64 {
        // Two where AdamW is at work, one for most numbers.
        2
    }

    fn check(&self, at: &str, faults: &mut Faults) {
        faults.positive(self.lr, format!("{at}.lr"));
        faults.within(self.momentum, 0.0, 1.0, format!("{at}.momentum"));
        faults.not_negative(self.weight_decay, format!("{at}.weight-decay"));
        let sound = (1..=MOST_STEPS).contains(&self.ns_steps);
        let message = format!("{at}.ns-steps = {} is not in [1, {MOST_STEPS}]", self.ns_steps);
        faults.that(sound, format!("{at}.ns-steps"), &message, "out of range");
        self.adamw.check(&format!("{at}.adamw"), faults);
    }
}
