//! The numbers of NAdam.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Numbers;
use super::adam::{Adam, betas, eps};
use crate::fault::Faults;

/// NAdam's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all(deserialize = "kebab-case"), deny_unknown_fields)]
#[schemars(rename = "Nadam")]
pub struct NAdam {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the two moments; [0.9, 0.999] if not given.
    #[serde(default = "betas")]
    pub betas: [f64; 2],
    /// 1e-8 if not given.
    #[serde(default = "eps")]
    pub eps: f64,
    /// 0 if not given.
    #[serde(default)]
    pub weight_decay: f64,
    /// How fast the momentum rises to its full value; 0.004 if not given.
    #[serde(default = "momentum_decay")]
    pub momentum_decay: f64,
}

fn momentum_decay() -> f64 {
    4e-3
}

impl NAdam {
    /// Adam with the same numbers.
    pub fn as_adam(&self) -> Adam {
        let NAdam { lr, betas, eps, weight_decay, .. } = *self;
        Adam { lr, betas, eps, weight_decay }
    }
}

impl Numbers for NAdam {
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
        self.as_adam().check(at, faults);
        faults.not_negative(self.momentum_decay, format!("{at}.momentum-decay"));
    }
}
