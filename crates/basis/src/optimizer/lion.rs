//! The numbers of Lion.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Numbers;
use crate::fault::Faults;

/// Lion's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all(deserialize = "kebab-case"), deny_unknown_fields)]
pub struct Lion {
    /// Learning rate; a third to a tenth of AdamW's.
    pub lr: f64,
    /// Share of the momentum in a step, and its decay; [0.9, 0.99] if not given.
    #[serde(default = "betas")]
    pub betas: [f64; 2],
    /// Part of the weight that goes in each step, times the rate; 0 if not given.
    #[serde(default)]
    pub weight_decay: f64,
}

fn betas() -> [f64; 2] {
    [0.9, 0.99]
}

impl Numbers for Lion {
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
        for (index, beta) in self.betas.into_iter().enumerate() {
            faults.within(beta, 0.0, 1.0, format!("{at}.betas[{index}]"));
        }
        faults.not_negative(self.weight_decay, format!("{at}.weight-decay"));
    }
}
