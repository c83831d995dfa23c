//! `wick status` and `wick clean`: a results folder as it stands, and what can go.

use std::path::Path;

use anyhow::Context;

use crate::analysis::machines::{differences, kinds};
use crate::analysis::{Folder, Superfluous};
use crate::sweep::slurm::status::JobStatus;
use crate::sweep::slurm::submission::Submission;
use crate::sweep::store::Store;
use crate::terminal::status;

use super::arguments::{Clean, Status};
use super::check::width;
use super::error::{Error, Result};
use super::follow::no_trace;
use super::output::print;
use super::report::tell_notes;

/// The folder at `path`.
pub(super) fn folder(path: &Path) -> Result<Folder> {
    let folder = Folder::read(path).map_err(Error::wrong)?;
    tell_notes(path);
    Ok(folder)
}

/// Runs `wick status`.
pub(super) fn status(arguments: &Status) -> Result {
    let folder = folder(&arguments.folder)?;
    print(&status::status(&folder, width()));
    let trials = folder.trials.rows.iter().map(|row| (row.number, row.digest.as_str()));
    for line in differences(&kinds(folder.root(), trials)) {
        print(&format!("{line}\n"));
    }
    print(&jobs(folder.root()));
    Ok(())
}

/// How the jobs stand that were submitted for the folder; nothing if there were none.
fn jobs(root: &Path) -> String {
    let submissions = Submission::all(root);
    if submissions.is_empty() {
        return String::new();
    }
    let mut lines = match JobStatus::of(submissions) {
        Ok(status) => {
            let mut lines = status.lines();
            let store = Store::of(root);
            lines.extend(status.without_trace().into_iter().map(|job| no_trace(job, &store)));
            lines
        }
        Err(error) => vec![format!("the queue of jobs cannot be asked: {error}")],
    };
    lines.push(String::new());
    lines.join("\n")
}

/// Runs `wick clean`.
pub(super) fn clean(arguments: &Clean) -> Result {
    let folder = folder(&arguments.folder)?;
    let found = folder.superfluous();
    for item in &found {
        let (path, megabytes) = (item.path.display(), item.bytes as f64 / 1e6);
        print(&format!("{path}  {megabytes:.1} MB  {}\n", item.what));
    }
    let megabytes = |items: &[&Superfluous]| {
        format!("{:.1} MB", items.iter().map(|item| item.bytes).sum::<u64>() as f64 / 1e6)
    };
    let (kept, goes): (Vec<&Superfluous>, Vec<&Superfluous>) =
        found.iter().partition(|item| item.has_results && !arguments.earlier);
    if found.is_empty() {
        print("nothing to remove\n");
    } else if arguments.yes {
        for item in &goes {
            let path = &item.path;
            let removed = match path.is_dir() {
                true => std::fs::remove_dir_all(path),
                false => std::fs::remove_file(path),
            };
            removed.with_context(|| format!("failed to remove {}", path.display()))?;
        }
        print(&format!("removed {}\n", megabytes(&goes)));
        if !kept.is_empty() {
            print(&format!(
                "kept {} of trials with results that an earlier table listed: --yes --earlier removes them too\n",
                megabytes(&kept)
            ));
        }
    } else if kept.is_empty() {
        print(&format!("{} in all; remove them with --yes\n", megabytes(&goes)));
    } else {
        print(&format!(
            "{} without results, which --yes removes, and {} of trials with results that an earlier table \
             listed, which --yes --earlier removes too\n",
            megabytes(&goes),
            megabytes(&kept)
        ));
    }
    Ok(())
}
