//! `train.progressive-resizing`: smaller images in the first epochs.
//!
//! ```toml
//! progressive-resizing = [{ until = 4, size = [16, 16] }, { until = 8, size = [24, 24] }]
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::basis::fault::Faults;

/// A size of training images, until an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ResizingStage {
    /// The last epoch with this size, counted from 1.
    #[schemars(range(min = 1))]
    pub until: usize,
    /// `[height, width]` of what the network sees in training.
    pub size: [usize; 2],
}

/// The size of training images in epoch `epoch`, counted from 1; none: their own.
pub fn size_in(stages: &[ResizingStage], epoch: usize) -> Option<[usize; 2]> {
    stages.iter().find(|stage| epoch <= stage.until).map(|stage| stage.size)
}

/// Says what is wrong with the stages, which stand at `at` in the file.
pub fn check(stages: &[ResizingStage], at: &str, faults: &mut Faults) {
    let mut before = 0;
    for (index, stage) in stages.iter().enumerate() {
        let message = "until must rise from stage to stage, from 1 on";
        faults.that(stage.until > before, format!("{at}[{index}].until"), message, "too early");
        before = before.max(stage.until);
        let sound = stage.size.iter().all(|side| *side > 0);
        faults.that(sound, format!("{at}[{index}].size"), "size must be at least 1", "0 pixels");
    }
}
