//! The numbers of Adagrad.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Numbers;
use crate::fault::Faults;

/// Adagrad's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all(deserialize = "kebab-case"), deny_unknown_fields)]
pub struct Adagrad {
    /// Learning rate.
    pub lr: f64,
    /// The rate of step t, counted from 0, is `lr / (1 + t · lr-decay)`; 0 if not given.
    #[serde(default)]
    pub lr_decay: f64,
    /// 1e-10 if not given.
    #[serde(default = "eps")]
    pub eps: f64,
    /// 0 if not given.
    #[serde(default)]
    pub weight_decay: f64,
}

fn eps() -> f64 {
    1e-10
}

impl Adagrad {
    /// The factor on the rate of the step `step`, counted from 1.
    pub fn factor(&self, step: u64) -> f64 {
        1.0 / (1.0 + step.saturating_sub(1) as f64 * self.lr_decay)
    }
}

impl Numbers for Adagrad {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn weight_decay(&mut self) -> &mut f64 {
        &mut self.weight_decay
    }

    fn state_rows(&self) -> u64 {
        1
    }

    fn check(&self, at: &str, faults: &mut Faults) {
        faults.positive(self.lr, format!("{at}.lr"));
        faults.not_negative(self.lr_decay, format!("{at}.lr-decay"));
        faults.positive(self.eps, format!("{at}.eps"));
        faults.not_negative(self.weight_decay, format!("{at}.weight-decay"));
    }
}
