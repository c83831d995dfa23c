//! A results folder that several processes work on, on one machine or many: the experiment as it was
//! frozen there.

use std::path::Path;
use std::time::Duration;

use crate::config::frozen::Frozen;
use crate::config::tree::Node;
use crate::data::Cache;
use crate::plan::sweep::Experiment;
use crate::results::layout::FROZEN;
use crate::sweep::machine::Mount;
use crate::sweep::slurm::submission::Submission;
use crate::sweep::store::{Store, host};
use crate::sweep::survey::expand_in;

use super::error::{Error, Result};
use super::exit::say;

/// An experiment as it was frozen.
pub(super) struct Shared {
    pub(super) frozen: Frozen,
    pub(super) root: Node,
    pub(super) experiment: Experiment,
    pub(super) store: Store,
}

/// The experiment that was frozen in the results folder `folder`, or for the submission of this number.
/// From here on the working folder is that of then.
pub(super) fn shared(folder: &Path, submission: Option<usize>, images: &Cache) -> Result<Shared> {
    let results = folder.canonicalize().map_err(|_| {
        Error::wrong(format!(
            "there is no folder {} on {}: the results have to be on a file system that all machines \
             see, under the same path",
            folder.display(),
            host()
        ))
    })?;
    let path = match submission {
        Some(number) => Submission::at(&results, number).file(FROZEN),
        None => results.join(FROZEN),
    };
    let shown = path.display();
    let text = std::fs::read_to_string(&path).map_err(|_| {
        Error::wrong(format!("there is no {shown}: `wick run FILE --launcher worker` writes it"))
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
            "note: there is no folder {} on {}: relative paths of the experiment lead nowhere\n",
            frozen.folder.display(),
            host()
        ));
    }
    let root = frozen.load()?;
    let store = Store::of(&results);
    let experiment = expand_in(&store, &root, images)?;
    Ok(Shared { frozen, root, experiment, store })
}

/// A word on a results folder whose locks hold on this machine alone.
pub(super) fn warn_of_local_locks(results: &Path) {
    if Mount::of(results).is_some_and(|mount| mount.has_local_locks()) {
        say(&format!(
            "note: {} is mounted so that locks hold on this machine alone; two machines may work on one \
             trial, which takes longer and changes nothing: docs/clusters.md says how to mount it\n",
            results.display()
        ));
    }
}

/// What other machines have written may stay unseen for so long on a network file system that remembers
/// what is in its folders.
const UNSEEN: Duration = Duration::from_secs(61);

/// Waits until everything must be seen that other machines have written; false if it is seen at once.
pub(super) fn wait_until_seen(results: &Path) -> bool {
    let is_of_network = Mount::of(results).is_some_and(|mount| mount.is_of_network());
    if is_of_network {
        say("looking again in a minute: what other machines have written may not be seen yet\n");
        std::thread::sleep(UNSEEN);
    }
    is_of_network
}
