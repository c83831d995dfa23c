//! The numbers of stochastic gradient descent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Numbers;
use crate::fault::Faults;

/// Stochastic gradient descent with momentum.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all(deserialize = "kebab-case"), deny_unknown_fields)]
pub struct Sgd {
    /// Learning rate.
    pub lr: f64,
    /// 0 if not given.
    #[serde(default)]
    pub momentum: f64,
    /// Look ahead along the momentum; false if not given.
    #[serde(default)]
    pub nesterov: bool,
    /// 0 if not given.
    #[serde(default)]
    pub weight_decay: f64,
}

impl Numbers for Sgd {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn weight_decay(&mut self) -> &mut f64 {
        &mut self.weight_decay
    }

    fn state_rows(&self) -> u64 {
        u64::from(self.momentum != 0.0)
    }

    fn check(&self, at: &str, faults: &mut Faults) {
        faults.positive(self.lr, format!("{at}.lr"));
        faults.within(self.momentum, 0.0, 1.0, format!("{at}.momentum"));
        faults.not_negative(self.weight_decay, format!("{at}.weight-decay"));
        let sound = !self.nesterov || self.momentum > 0.0;
        let message = "nesterov = true needs momentum";
        faults.that(sound, format!("{at}.nesterov"), message, "momentum is 0");
    }
}
