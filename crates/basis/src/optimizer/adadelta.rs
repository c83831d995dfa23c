//! The numbers of Adadelta.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Numbers;
use crate::fault::Faults;

/// Adadelta's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all(deserialize = "kebab-case"), deny_unknown_fields)]
pub struct Adadelta {
    /// Learning rate; 1 is the method as published.
    pub lr: f64,
    /// Decay of the squared gradients and of the squared changes; 0.9 if not given.
    #[serde(default = "rho")]
    pub rho: f64,
    /// 1e-6 if not given.
    #[serde(default = "eps")]
    pub eps: f64,
    /// 0 if not given.
    #[serde(default)]
    pub weight_decay: f64,
}

fn rho() -> f64 {
    0.9
}

fn eps() -> f64 {
    1e-6
}

impl Numbers for Adadelta {
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
        faults.within(self.rho, 0.0, 1.0, format!("{at}.rho"));
        faults.positive(self.eps, format!("{at}.eps"));
        faults.not_negative(self.weight_decay, format!("{at}.weight-decay"));
    }
}
