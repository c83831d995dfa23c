//! `train.batch-sizes`: other batches in the first epochs.
//!
//! ```toml
//! batch-sizes = [{ until = 4, size = 32 }, { until = 8, size = 64 }]
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::basis::fault::Faults;

/// A size of batches, until an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BatchStage {
    /// The last epoch with this size, counted from 1.
    #[schemars(range(min = 1))]
    pub until: usize,
    /// Images in a batch.
    #[schemars(range(min = 1))]
    pub size: usize,
}

/// Says what is wrong with the stages, which stand at `at` in the file.
pub fn check(stages: &[BatchStage], at: &str, faults: &mut Faults) {
    let mut before = 0;
    for (index, stage) in stages.iter().enumerate() {
        let message = "until must rise from stage to stage, from 1 on";
        faults.that(stage.until > before, format!("{at}[{index}].until"), message, "too early");
        before = before.max(stage.until);
        let message = "a batch needs at least one image";
        faults.that(stage.size >= 1, format!("{at}[{index}].size"), message, "0 images");
    }
}
