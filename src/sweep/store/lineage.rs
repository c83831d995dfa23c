//! Whose results a folder holds. Its tables and its report are about one experiment, which may grow and change: it
//! is still the same one as long as it has a trial in common with what is there, or its file describes the same
//! images and the same network. Everything else that has the folder's name is another experiment.

use crate::basis::record::Status;
use crate::basis::regular;
use crate::config::frozen::Frozen;
use crate::config::layering::Request;
use crate::document::Node;
use crate::plan::sweep::Experiment;
use crate::results::layout::{self, EXPERIMENT, FROZEN};
use crate::results::trials::{Row, Trials};

use super::{Store, TrialStore};

/// What of the file says which experiment it is, and what that is called in messages. All else, the recipe, the
/// augmentation, defaults of layers and the sweep, is what one varies.
const IDENTITY: [(&[&[&str]], &str); 2] = [
    (&[&["data", "source"]], "other images"),
    (&[&["model", "preset"], &["model", "layers"], &["model", "blocks"]], "another network"),
];

impl Store {
    /// In what the experiment that `request` names, which comes to `root` and `experiment`, is another one than
    /// that whose results are here; none if it is the same one, or if there are none.
    pub fn other_experiment(
        &self,
        request: &Request,
        root: &Node,
        experiment: &Experiment,
    ) -> Option<Vec<&'static str>> {
        let rows = Trials::read(&self.root).ok()?.rows;
        let (before, now) = self.written(request, root)?;
        let part = |table: &toml::Value, path: &[&str]| {
            path.iter().try_fold(table, |table, key| table.get(*key)).cloned()
        };
        let differs =
            |paths: &[&[&str]]| paths.iter().any(|path| part(&before, path) != part(&now, path));
        let identity = IDENTITY.iter().filter(|(paths, _)| differs(paths));
        let differences: Vec<&'static str> = identity.map(|(_, words)| *words).collect();
        let is_known = |digest: &str| layout::trial(&self.root, digest).exists();
        let has_result = |row: &Row| {
            row.status != Status::Failed.name()
                && !TrialStore::at(layout::trial(&self.root, &row.digest)).epochs().is_empty()
        };
        let is_other = !differences.is_empty()
            && !experiment.trials.iter().any(|trial| is_known(&trial.digest))
            && rows.iter().any(has_result);
        is_other.then_some(differences)
    }

    /// The experiment of the folder and this one as their files have them, without what was laid over them: who
    /// sets a value for one run has no other experiment.
    fn written(&self, request: &Request, root: &Node) -> Option<(toml::Value, toml::Value)> {
        let frozen = regular::read_to_string(&self.root.join(FROZEN)).ok();
        let frozen = frozen.and_then(|text| Frozen::from_text(&text).ok());
        let folder = std::env::current_dir().ok()?;
        let bare = Request { file: request.file.clone(), ..Request::default() };
        let now = Frozen::of(&bare, &folder, "").ok();
        if let (Some(before), Some(now)) = (frozen, now)
            && let (Ok(before), Ok(now)) = (before.bare().load(), now.load())
        {
            return Some((before.to_toml(), now.to_toml()));
        }
        // Older results, or a file that is nothing without what is laid over it.
        let before = regular::read_to_string(&self.root.join(EXPERIMENT)).ok()?;
        let mut root = root.clone();
        crate::config::presets::withdraw(&mut root);
        Some((toml::from_str(&before).ok()?, root.to_toml()))
    }

    /// How many trials the tables name that `experiment` does not have, and how many they name.
    pub fn left_behind(&self, experiment: &Experiment) -> (usize, usize) {
        let Ok(Trials { rows, .. }) = Trials::read(&self.root) else { return (0, 0) };
        let own: std::collections::BTreeSet<&str> =
            experiment.trials.iter().map(|trial| &trial.digest[..]).collect();
        let left = rows.iter().filter(|row| !own.contains(&row.digest[..])).count();
        (left, rows.len())
    }
}
