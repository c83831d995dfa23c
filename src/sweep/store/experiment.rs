//! `experiment.toml`: the experiment with all layers merged, for people.

use std::io;

use crate::basis::regular;
use crate::config::presets;
use crate::document::Node;
use crate::plan::sweep::Experiment;
use crate::results::layout::{EXPERIMENT, FROZEN};

use super::{Store, StoreError, trouble};

impl Store {
    /// Writes the experiment `root`, and as it was `frozen`.
    pub fn write_experiment(&self, root: &Node, frozen: &str) -> Result<(), StoreError> {
        let mut root = root.clone();
        presets::withdraw(&mut root);
        let path = self.root.join(EXPERIMENT);
        let text = toml::to_string(&root.to_toml())
            .map_err(|error| trouble("write", &path)(io::Error::other(error)))?;
        self.write_hashed(&[(EXPERIMENT, text.as_bytes()), (FROZEN, frozen.as_bytes())])
    }

    /// `train.epochs` of the run before this one and of `experiment`, if they differ and trials cannot go on
    /// for longer: their schedule depends on all epochs.
    pub fn epochs_changed(&self, experiment: &Experiment) -> Option<(i64, i64)> {
        let text = regular::read_to_string(&self.root.join(EXPERIMENT)).ok()?;
        let before: toml::Table = toml::from_str(&text).ok()?;
        let before = before.get("train")?.get("epochs")?.as_integer()?;
        let train = &experiment.trials.first()?.plan.train;
        let now = train.epochs as i64;
        (train.schedule.depends_on_epochs() && before != now).then_some((before, now))
    }
}
