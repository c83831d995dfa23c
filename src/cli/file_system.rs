//! The file system that a results folder is on, as far as other machines work there.

use std::path::Path;
use std::time::Duration;

use crate::sweep::mount::Mount;

use super::output::say;

/// A word on results that other machines certainly do not see.
pub(super) fn warn_of_memory(results: &Path) {
    if Mount::of(results).is_some_and(|mount| mount.is_in_memory()) {
        say(&format!(
            "note: {} is in this machine's memory, so other machines do not see it: choose another folder with \
             --results\n",
            results.display()
        ));
    }
}

/// A word on a results folder whose locks hold on this machine alone.
pub(super) fn warn_of_local_locks(results: &Path) {
    if Mount::of(results).is_some_and(|mount| mount.has_local_locks()) {
        say(&format!(
            "note: {} is mounted so that locks work only on this machine; two machines may train the same trial, \
             which takes longer but does not change results: docs/clusters.md says how to mount it\n",
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
        say("trying again in a minute: files of other machines may not be visible yet\n");
        std::thread::sleep(UNSEEN);
    }
    is_of_network
}
