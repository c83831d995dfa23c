//! The numbers of AdamW: those of Adam, but weights shrink by themselves, and do if nothing is said.

use serde::{Deserialize, Serialize};

use super::Numbers;
use super::adam::{Adam, betas, eps};
use crate::fault::Faults;

/// AdamW's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "kebab-case"), deny_unknown_fields)]
pub struct AdamW {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the two moments; [0.9, 0.999] if not given.
    #[serde(default = "betas")]
    pub betas: [f64; 2],
    /// 1e-8 if not given.
    #[serde(default = "eps")]
    pub eps: f64,
    /// Part of the weight that goes in each step, times the rate; 0.01 if not given.
    #[serde(default = "hundredth")]
    pub weight_decay: f64,
}

fn hundredth() -> f64 {
    0.01
}

impl AdamW {
    /// Adam with the same numbers.
    pub fn as_adam(&self) -> Adam {
        let AdamW { lr, betas, eps, weight_decay } = *self;
        Adam { lr, betas, eps, weight_decay }
    }
}

impl Numbers for AdamW {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn weight_decay(&mut self) -> &mut f64 {
        &mut self.weight_decay
    }

    fn state_rows(&self) -> u64 {
        self.as_adam().state_rows()
    }

    fn check(&self, at: &str, faults: &mut Faults) {
        self.as_adam().check(at, faults);
    }
}
