//! The numbers of Adam.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Numbers;
use crate::fault::Faults;

/// Adam's and AdamW's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all(deserialize = "kebab-case"), deny_unknown_fields)]
pub struct Adam {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the two moments; [0.9, 0.999] if not given.
    #[serde(default = "betas")]
    pub betas: [f64; 2],
    /// 1e-8 if not given.
    #[serde(default = "eps")]
    pub eps: f64,
    /// 0 for Adam and 0.01 for AdamW if not given.
    #[serde(default)]
    #[schemars(extend("default" = null))]
    pub weight_decay: f64,
}

pub(super) fn betas() -> [f64; 2] {
    [0.9, 0.999]
}

pub(super) fn eps() -> f64 {
    1e-8
}

impl Numbers for Adam {
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
        faults.positive(self.lr, format!("{at}.lr"));
        for (index, beta) in self.betas.into_iter().enumerate() {
            faults.within(beta, 0.0, 1.0, format!("{at}.betas[{index}]"));
        }
        faults.positive(self.eps, format!("{at}.eps"));
        faults.not_negative(self.weight_decay, format!("{at}.weight-decay"));
    }
}
