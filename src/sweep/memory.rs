//! The memory of the machine: how much there is, what images take, and what is left for trials.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::data::{self, Disk, Holding, cached_bytes};
use crate::document::Node;
use crate::plan::memory::{image_bytes, trial_bytes};
use crate::plan::run::{DataCache, Memory, RunPlan, run};
use crate::plan::sweep::{Experiment, Trial};
use crate::plan::{self, Plan};

use super::counts::Counts;
use super::platform::Platform;
use crate::transfer::features::free_space;

/// The memory of the machine, or of the group of processes that this one is confined to, in bytes;
/// none where the system does not tell.
pub fn installed() -> Option<u64> {
    let mut system = sysinfo::System::new().ok()?;
    system.refresh_memory();
    let all = system.total_memory();
    let group = system.cgroup_limits().map_or(all, |limits| limits.total_memory);
    Some(all.min(group)).filter(|bytes| *bytes > 0)
}

/// `limit` in bytes; none: no limit.
pub fn limit_in_bytes(limit: Memory) -> Option<u64> {
    match limit {
        Memory::None => None,
        Memory::Part(part) => Some((installed()? as f64 * part) as u64),
        Memory::Bytes(bytes) => Some(bytes),
    }
}

/// What an experiment takes, in bytes, by estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// All decoded images, which trials share, as far as they are held in memory.
    pub images: u64,
    /// All decoded images, wherever they are.
    pub decoded: u64,
    /// Whether images keep sizes of their own, which only show when they are decoded: then that is what
    /// they would take in the size of the network.
    pub in_own_sizes: bool,
    /// Augmented images that are kept for other trials, at most.
    pub augmented: u64,
    /// The smallest trial.
    pub least: u64,
    /// The largest trial.
    pub most: u64,
    /// The largest trial if it were as `run.gradient-checkpointing` does not say.
    pub otherwise: u64,
}

/// What `experiment` takes, with at most so many bytes for augmented images.
pub fn needs(experiment: &Experiment, images: &data::Cache, augment_memory: usize) -> Needs {
    let mut sets = BTreeMap::new();
    let mut augmented = 0;
    let mut in_own_sizes = false;
    let (mut least, mut most, mut otherwise) = (u64::MAX, 0, 0);
    let in_segments = experiment.run.gradient_checkpointing;
    // Of a million trials most share their data and their network.
    let (mut known_data, mut known_trials) = (HashMap::new(), HashSet::new());
    for trial in &experiment.trials {
        let Plan { data, augment, model, train, .. } = &trial.plan;
        let bytes = *known_data.entry(Arc::as_ptr(data)).or_insert_with(|| {
            let count = images.survey(data).map_or(0, |facts| facts.images);
            let bytes = image_bytes(count, data.image);
            let own_size = &data.own_size;
            in_own_sizes |= own_size.as_ref().is_some_and(|own_size| !own_size.settles(data.image));
            sets.insert(format!("{:?}", data.of_images()), bytes);
            bytes
        });
        if !augment.train.is_empty() {
            augmented = augmented.max(bytes * train.epochs as u64);
        }
        let (optimizer, _) = train.optimizer.named();
        if known_trials.insert((Arc::as_ptr(model), train.largest_batch(), optimizer)) {
            let bytes = trial_bytes(&trial.plan, in_segments);
            (least, most) = (least.min(bytes), most.max(bytes));
            otherwise = otherwise.max(trial_bytes(&trial.plan, !in_segments));
        }
    }
    let decoded: u64 = sets.values().sum();
    let least = least.min(most);
    Needs {
        images: decoded.min(data_memory(&experiment.run, most)),
        decoded,
        in_own_sizes,
        augmented: augmented.min(augment_memory as u64),
        least,
        most,
        otherwise,
    }
}

/// The bytes of memory for decoded images. A part leaves room for a trial that takes `most`; what was said in bytes
/// counts as it was said.
fn data_memory(run: &RunPlan, most: u64) -> u64 {
    let limit = || limit_in_bytes(run.memory_limit).or_else(installed);
    match run.data_memory {
        Memory::None => u64::MAX,
        Memory::Bytes(bytes) => bytes,
        Memory::Part(part) => limit().map_or(u64::MAX, |limit| {
            ((limit as f64 * part) as u64).min(limit.saturating_sub(most))
        }),
    }
}

/// The folder beside those of experiments in which decoded images are kept. It may be deleted at any time.
pub const IMAGES: &str = ".images";

/// The part of what a disk has left that decoded images may take: trials store their checkpoints there, too.
const OF_FREE: f64 = 0.9;

/// Where decoded images are kept that memory has no room for, and how many bytes of them at most; none: nowhere.
pub fn data_cache(run: &RunPlan, results: &Path) -> Option<(PathBuf, u64)> {
    match &run.data_cache {
        DataCache::None => None,
        DataCache::Beside(size) => Some((results.join(IMAGES), *size)),
        DataCache::In { folder, size } => Some((folder.path.clone(), *size)),
    }
}

/// Has `images` held as where nothing is said, for what belongs to no experiment; `results` is the folder of results,
/// if there is one.
pub fn hold_usually(images: &data::Cache, results: Option<&Path>) {
    let memory = installed().map_or(u64::MAX, |bytes| bytes / 2);
    let disk = results.map(|results| disk(results.join(IMAGES), USUAL_SIZE));
    images.hold(Holding { memory, disk });
}

/// The bytes of decoded images on disk where nothing is said.
const USUAL_SIZE: u64 = 100_000_000_000;

/// The folder with so many bytes of `size` as it has room for.
fn disk(folder: PathBuf, size: u64) -> Disk {
    let free = free_space(&folder).unwrap_or(u64::MAX);
    let room = cached_bytes(&folder).saturating_add((free as f64 * OF_FREE) as u64);
    Disk { folder, most: size.min(room), program: Platform::here().binary.clone() }
}

/// Has `images` held as `[run]` of the experiment `root` says, before its trials are known: working these out may take
/// images. Its results are in a folder of `results`.
pub fn hold_before(images: &data::Cache, root: &Node, results: &Path) {
    // What is wrong with it is told with the trials.
    hold_for(images, &run(root).unwrap_or_default(), 0, results);
}

/// Has `images` held as `experiment` says; its results are in a folder of `results`.
pub fn hold(images: &data::Cache, experiment: &Experiment, results: &Path) {
    let in_segments = experiment.run.gradient_checkpointing;
    let bytes = |trial: &Trial| trial_bytes(&trial.plan, in_segments);
    let most = experiment.trials.iter().map(bytes).max().unwrap_or(0);
    hold_for(images, &experiment.run, most, results);
}

/// Leaves room for a trial that takes `most`.
fn hold_for(images: &data::Cache, run: &RunPlan, most: u64, results: &Path) {
    let disk = data_cache(run, results).map(|(folder, size)| disk(folder, size));
    images.hold(Holding { memory: data_memory(run, most), disk });
}

/// The bytes of the features that `trial` keeps, by estimate; 0 if it keeps none.
pub fn feature_bytes(trial: &Trial, images: &data::Cache) -> u64 {
    let Plan { data, model, .. } = &trial.plan;
    match model.transfer {
        // Nothing is frozen.
        None => 0,
        Some(_) => plan::memory::feature_bytes(&trial.plan, Counts::of(data, images).all()),
    }
}

impl Needs {
    /// What a limit leaves for trials; none if not even the smallest fits.
    pub fn left_of(&self, limit: u64) -> Option<u64> {
        let left = limit.checked_sub(self.images)?;
        // Augmented images are kept where there is room; without them, they are made again.
        let left = left.saturating_sub(self.augmented).max(self.least.min(left));
        (left >= self.least).then_some(left)
    }

    /// Whether the largest trial does not fit into `limit`, and would with the other setting of gradient checkpointing.
    pub fn fit_otherwise(&self, limit: u64) -> bool {
        self.images + self.most > limit && self.images + self.otherwise <= limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_leaves_room_for_trials_or_says_that_none_fits() {
        let needs = Needs {
            images: 100,
            decoded: 100,
            in_own_sizes: false,
            augmented: 50,
            least: 30,
            most: 90,
            otherwise: 90,
        };
        assert_eq!(needs.left_of(400), Some(250));
        assert_eq!(needs.left_of(150), Some(30), "augmented images give way");
        assert_eq!(needs.left_of(130), Some(30));
        assert_eq!(needs.left_of(129), None);
        assert_eq!(needs.left_of(50), None);
    }
}
