//! The numbers of RMSprop.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Numbers;
use super::adam::eps;
use crate::fault::Faults;

/// RMSprop's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all(deserialize = "kebab-case"), deny_unknown_fields)]
pub struct Rmsprop {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the squared gradient; 0.99 if not given.
    #[serde(default = "alpha")]
    pub alpha: f64,
    /// 1e-8 if not given.
    #[serde(default = "eps")]
    pub eps: f64,
    /// 0 if not given.
    #[serde(default)]
    pub momentum: f64,
    /// 0 if not given.
    #[serde(default)]
    pub weight_decay: f64,
}

fn alpha() -> f64 {
    0.99
}

impl Numbers for Rmsprop {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn weight_decay(&mut self) -> &mut f64 {
        &mut self.weight_decay
    }

    fn state_rows(&self) -> u64 {
        1 + u64::from(self.momentum != 0.0)
    }

    fn check(&self, at: &str, faults: &mut Faults) {
        faults.positive(self.lr, format!("{at}.lr"));
        faults.within(self.alpha, 0.0, 1.0, format!("{at}.alpha"));
        faults.positive(self.eps, format!("{at}.eps"));
        faults.within(self.momentum, 0.0, 1.0, format!("{at}.momentum"));
        faults.not_negative(self.weight_decay, format!("{at}.weight-decay"));
    }
}
