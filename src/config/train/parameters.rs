//! `train.parameters`: learning rates and weight decays of their own for parameters, by name; and `train.decay-on`.
//!
//! ```toml
//! decay-on = "weights"
//! parameters = [
//!   { names = "conv1.*", lr-factor = 0.1 },
//!   { names = "*.bias", lr-factor = 2, weight-decay = 0 },
//! ]
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::basis::fault::Faults;

/// What the optimiser's weight decay works on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DecayOn {
    /// All parameters.
    #[default]
    All,
    /// Matrices and filters; not biases and the parameters of norms.
    Weights,
}

impl DecayOn {
    /// Whether all parameters shrink.
    pub fn is_all(&self) -> bool {
        *self == DecayOn::All
    }
}

/// Settings of the parameters with certain names. Of several rules that fit a name the first one counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ParameterRule {
    /// Names of parameters, in which `*` stands for any letters: `conv1.weight`, `*.bias`.
    pub names: String,
    /// Factor on the learning rate; 1 if not given.
    #[serde(default = "one")]
    pub lr_factor: f64,
    /// The weight decay in place of the optimiser's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
}

fn one() -> f64 {
    1.0
}

impl ParameterRule {
    /// Whether it is one for the parameter `name`.
    pub fn fits(&self, name: &str) -> bool {
        let mut parts = self.names.split('*');
        let first = parts.next().unwrap_or("");
        let Some(mut rest) = name.strip_prefix(first) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }

    /// Says what is wrong with it, which stands at `at` in the file.
    pub fn check(&self, at: &str, faults: &mut Faults) {
        let sets_something = self.lr_factor != 1.0 || self.weight_decay.is_some();
        let message = "a rule sets lr-factor or weight-decay";
        faults.that(sets_something, at.to_owned(), message, "sets nothing");
        let message = "a rule names parameters, such as \"*.bias\"";
        faults.that(!self.names.is_empty(), format!("{at}.names"), message, "no name");
        let message = "lr-factor must be positive; to freeze layers, use transfer.freeze";
        faults.that(self.lr_factor > 0.0, format!("{at}.lr-factor"), message, "not positive");
        if let Some(decay) = self.weight_decay {
            faults.not_negative(decay, format!("{at}.weight-decay"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_letters_and_all_others_for_themselves() {
        let fits = |names: &str, name: &str| {
            ParameterRule { names: names.to_owned(), lr_factor: 1.0, weight_decay: None }.fits(name)
        };
        assert!(fits("conv1.weight", "conv1.weight"));
        assert!(!fits("conv1", "conv1.weight") && !fits("conv1.weight", "conv1.weight2"));
        assert!(fits("*.bias", "a.b.bias") && !fits("*.bias", "a.bias.x"));
        assert!(fits("a*b*c", "aXbYbZc") && !fits("a*b*c", "acb") && !fits("ab*ba", "aba"));
        assert!(fits("*", "") && fits("**", "x") && fits("a**b", "ab"));
    }
}
