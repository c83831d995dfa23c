//! Weights from files: which tensors a network takes, and their numbers.

use std::borrow::Cow;
use std::path::PathBuf;

use crate::plan::model::{ModelPlan, WeightsPlan};
use crate::weights::{Entry, Mismatch, Rename, RenameError, Report, WeightsError, match_names};

use super::bundled_weights::{self, Hashed};
use super::network::Weights;

/// Why a file gives a network no weights.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] WeightsError),
    /// A rename has no meaning.
    #[error(transparent)]
    Rename(#[from] RenameError),
    /// Its tensors are not those of the network.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// It is not the one that the plan was made with.
    #[error(
        "the weights {} have changed since the trial was planned: their hash was {} and is {}; restore the file, \
         or run the experiment again, which makes new trials",
        file.display(), short(then), short(now)
    )]
    Changed {
        /// Where they are.
        file: PathBuf,
        /// The hash in the plan.
        then: String,
        /// The hash of the file.
        now: String,
    },
    /// Not one of its tensors is one of the network.
    #[error("no tensor of the file belongs to the network\n{0}")]
    Nothing(Box<Report>),
}

/// Which of `entries` the network takes.
pub fn matched(
    plan: &WeightsPlan,
    network: &ModelPlan,
    entries: &[Entry],
) -> Result<Report, LoadError> {
    let renames = plan.rename.iter().map(|[from, to]| Rename::new(from, to));
    let renames = renames.collect::<Result<Vec<_>, _>>()?;
    let mut report = match_names(&network.pretrained_tensors(), entries, &renames);
    if network.input.first() == Some(&1) {
        report.sum_colours(|parameter| looks_at_image(network, parameter));
    }
    if network.transfer.is_some() {
        // What was cut off is in the file, too.
        report.unexpected.clear();
    }
    if plan.strict {
        Ok(report.strict()?)
    } else if report.matched.is_empty() && report.summed.is_empty() {
        Err(LoadError::Nothing(Box::new(report)))
    } else {
        Ok(report)
    }
}

/// The first digits of a hash, which tell it from others.
fn short(hash: &str) -> &str {
    hash.get(..16).unwrap_or(hash)
}

/// The tensors of the file that the network takes, under the network's names, and the report.
///
/// # Errors
/// If the file cannot be read or is not the one that the plan has the hash of, if it has one, and as [`matched`].
pub fn read(plan: &WeightsPlan, network: &ModelPlan) -> Result<(Weights, Report), LoadError> {
    let state_dict = plan.state_dict.as_deref();
    let archive = if plan.hash.is_empty() {
        bundled_weights::open(&plan.file, state_dict)?
    } else {
        let found = Hashed::open(&plan.file)?;
        if found.hash != plan.hash {
            return Err(LoadError::Changed {
                file: plan.file.clone(),
                then: plan.hash.clone(),
                now: found.hash,
            });
        }
        found.archive(state_dict)?
    };
    let mut report = matched(plan, network, archive.entries())?;
    let mut weights = Weights::new();
    for found in &report.matched {
        let numbers = archive.read(&found.entry)?;
        weights.insert(found.parameter.clone(), (found.shape.clone(), numbers));
    }
    for found in &report.summed {
        let area: usize = found.shape[2..].iter().product();
        let colours = archive.read(&found.entry)?;
        let summed = colours.chunks_exact(3 * area.max(1)).flat_map(|filter| {
            (0..area).map(|at| filter[at] + filter[area + at] + filter[2 * area + at])
        });
        weights.insert(found.parameter.clone(), (found.shape.clone(), summed.collect()));
    }
    report.state_dict =
        archive.state_dict().map(|(taken, others)| (taken.to_owned(), others.to_vec()));
    Ok((weights, report))
}

/// Whether `parameter` is the weights of a convolution over the image itself.
fn looks_at_image(network: &ModelPlan, parameter: &str) -> bool {
    (0..network.layers.len()).any(|index| {
        parameter.strip_suffix(".weight") == Some(&network.layers[index].name)
            && network.sources(index) == [0]
    })
}

/// Numbers as they lie in a file: little-endian, which is how most processors hold them.
pub fn bytes(values: &[f32]) -> Cow<'_, [u8]> {
    if cfg!(target_endian = "little") {
        return Cow::Borrowed(bytemuck::cast_slice(values));
    }
    Cow::Owned(values.iter().flat_map(|value| value.to_le_bytes()).collect())
}
