//! The frozen experiment of a results folder, from which processes on one machine or many work.

use std::path::Path;

use crate::basis::regular;
use crate::config::frozen::Frozen;
use crate::data::Cache;
use crate::document::Node;
use crate::plan::sweep::Experiment;
use crate::results::hashes::verified;
use crate::results::layout::FROZEN;
use crate::sweep::memory::{hold, hold_before};
use crate::sweep::slurm::submission::Submission;
use crate::sweep::store::{Store, host};
use crate::sweep::survey::expand_in;

use super::error::{Error, Result};
use super::output::say;

/// An experiment as it was frozen, expanded.
pub(super) struct FrozenExperiment {
    pub(super) frozen: Frozen,
    pub(super) root: Node,
    pub(super) experiment: Experiment,
    pub(super) store: Store,
}

impl FrozenExperiment {
    /// The experiment that was frozen in the results folder `folder`, or for the submission of this number.
    /// From here on the working folder is that of then.
    pub(super) fn open(folder: &Path, submission: Option<usize>, images: &Cache) -> Result<Self> {
        let results = folder.canonicalize().map_err(|_| {
            Error::wrong(format!(
                "there is no folder {} on {}: the results must be on a file system that all machines see under \
                 the same path",
                folder.display(),
                host()
            ))
        })?;
        let path = match submission {
            Some(number) => Submission::at(&results, number).file(FROZEN),
            None => results.join(FROZEN),
        };
        let shown = path.display();
        let bytes = match submission {
            Some(_) => regular::read(&path).ok(),
            None => verified(&results, FROZEN).map_err(Error::wrong)?,
        };
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(|| {
            Error::wrong(format!(
                "there is no {shown}: `wick run FILE --launcher worker` writes it"
            ))
        })?;
        let frozen = Frozen::from_text(&text).map_err(|reason| {
            Error::wrong(format!("{shown}, which wick run writes, cannot be read: {reason}"))
        })?;
        if frozen.version != env!("CARGO_PKG_VERSION") {
            say(&format!(
                "note: the experiment was frozen by wick {}, and this is {}\n",
                frozen.version,
                env!("CARGO_PKG_VERSION")
            ));
        }
        // A machine that has the results alone may do without: bundled data is in the program.
        if std::env::set_current_dir(&frozen.folder).is_err() {
            say(&format!(
                "note: there is no folder {} on {}: relative paths of the experiment do not work\n",
                frozen.folder.display(),
                host()
            ));
        }
        let root = frozen.load()?;
        let store = Store::of(&results);
        let folder = results.parent().unwrap_or(&results);
        hold_before(images, &root, folder);
        let experiment = expand_in(&store, &root, images)?;
        hold(images, &experiment, folder);
        Ok(FrozenExperiment { frozen, root, experiment, store })
    }
}
