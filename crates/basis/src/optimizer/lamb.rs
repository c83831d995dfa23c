//! The numbers of LAMB.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Numbers;
use super::adam::{Adam, betas};
use crate::fault::Faults;

/// LAMB's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all(deserialize = "kebab-case"), deny_unknown_fields)]
pub struct Lamb {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the two moments; [0.9, 0.999] if not given.
    #[serde(default = "betas")]
    pub betas: [f64; 2],
    /// 1e-6 if not given.
    #[serde(default = "eps")]
    pub eps: f64,
    /// Part of the weight that is added to the direction of the step; 0.01 if not given.
    #[serde(default = "hundredth")]
    pub weight_decay: f64,
}

fn eps() -> f64 {
    1e-6
}

fn hundredth() -> f64 {
    0.01
}

impl Numbers for Lamb {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn weight_decay(&mut self) -> &mut f64 {
        &mut self.weight_decay
    }

    fn state_rows(&self) -> u64 {
        2
    }

    fn check(&self, at: &str, faults: &mut Faults) {
        let Lamb { lr, betas, eps, weight_decay } = *self;
        Adam { lr, betas, eps, weight_decay }.check(at, faults);
    }
}
