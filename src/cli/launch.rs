//! Where trials of `wick run` run: here, or, with `--launcher slurm` and `--launcher worker`, wherever they are
//! handed out to.

use std::path::Path;

use crate::basis::number::count;
use crate::basis::record::Status;
use crate::config::frozen::Frozen;
use crate::data::Cache;
use crate::plan::sweep::Experiment;
use crate::progress::View;
use crate::sweep::advised::write_advice;
use crate::sweep::clock::Stopwatch;
use crate::sweep::slots::Allocation;
use crate::sweep::slurm::client;
use crate::sweep::slurm::script::quoted;
use crate::sweep::standing::standing;
use crate::sweep::store::Store;
use crate::sweep::{environment, tables};

use super::arguments::{Launcher, Run};
use super::begin::begin;
use super::check::experiment;
use super::conclude::Conclusion;
use super::error::{Error, Result};
use super::exit::Exit;
use super::file_system::{wait_until_seen, warn_of_memory};
use super::follow::{Followed, follow};
use super::output::{print, say};
use super::run::run;
use super::submit::{Submitter, absolute, program, tell_submitted};
use super::supervise::new_name;

/// Runs `wick run`: here, or by handing trials out.
pub(super) fn launch(arguments: &Run) -> Result {
    if let Some(option) = arguments.launch.misplaced() {
        let option = option.trim_start_matches('-');
        return Err(Error::wrong(format!("--{option} is for --launcher slurm")));
    }
    if arguments.launch.launcher == Launcher::Local {
        return run(arguments);
    }
    let stopwatch = Stopwatch::start();
    if arguments.json {
        let message = "--json reports this process, but with --launcher no trial runs in it";
        return Err(Error::wrong(message));
    }
    let is_slurm = arguments.launch.launcher == Launcher::Slurm;
    let images = Cache::new(std::thread::available_parallelism().map_or(1, usize::from));
    let mut written = arguments.written();
    written.results = absolute(&written.results)?;
    let (root, mut experiment, store) = experiment(&written, &images, true)?;
    if is_slurm && !arguments.launch.dry_run && !client::is_here() {
        return Err(Error::trouble(
            "there is no sbatch on the PATH\n  \
             = help: submit on a machine with Slurm's commands, such as a login node; or use --launcher worker, \
             or no launcher",
        ));
    }
    let program = program()?;
    if arguments.launch.dry_run {
        let folder = std::env::current_dir()?;
        let frozen = Frozen::of(&written.request(), &folder, "")?;
        let (experiment, frozen) = (&experiment, &frozen);
        Submitter { experiment, frozen, images: &images, store: &store, program }.rehearse();
        return Ok(());
    }
    let view = View::new(arguments.quiet, false);
    let frozen =
        begin(&written, &root, &experiment, &store, &images, &new_name(), view, arguments.replace)?;
    let plan = &experiment.slurm;
    let (workers, threads) = match is_slurm {
        true => (plan.max_parallel, plan.cpus_per_task),
        false => (1, 1),
    };
    let allocation =
        Allocation::new(threads, workers, &experiment.run, Some(workers), Some(threads));
    environment::write(&store, &allocation, threads)?;
    tables::write(&experiment, &store, &standing(&experiment, &store))?;
    warn_of_memory(store.root());
    let asked = match is_slurm {
        true => {
            let (experiment, frozen) = (&experiment, &frozen);
            let submitter =
                Submitter { experiment, frozen, images: &images, store: &store, program };
            submit(&submitter, view.is_for_people() && !arguments.launch.wait)?
        }
        false => invite(&experiment, &store, &program),
    };
    if asked && !arguments.launch.wait {
        return Ok(());
    }
    if asked
        && let Followed::Stopped =
            follow(&root, &mut experiment, &store, &images, &frozen.run, is_slurm, view)?
    {
        return Err(Exit::Interrupted.into());
    }
    let is_unfinished = || standing(&experiment, &store).count(Status::Unfinished) > 0;
    let is_cut_short = asked && is_unfinished() && {
        wait_until_seen(store.root());
        is_unfinished()
    };
    tables::write(&experiment, &store, &standing(&experiment, &store))?;
    write_advice(&root, &experiment, &images, &store)?;
    Conclusion { images: &images, store: &store, view, is_stopped: is_cut_short }
        .tell(&experiment, stopwatch)
}

/// Submits what is missing: whether anything is in the queue now. `is_left` says that nobody waits for it.
fn submit(submitter: &Submitter, is_left: bool) -> Result<bool> {
    let submitted = submitter.submit()?;
    let queued = submitted.queued;
    if queued > 0 {
        let are = if queued == 1 {
            "is in the queue already, or runs"
        } else {
            "are in the queue already, or run"
        };
        say(&format!("{} {are}\n", count(queued, "trial")));
    }
    if submitted.trials > 0 {
        tell_submitted(&submitted, submitter.experiment);
        if is_left {
            let ids: Vec<String> = submitted.jobs.ids().iter().map(u64::to_string).collect();
            let (folder, ids) = (quoted(submitter.store.root()), ids.join(" "));
            say(&format!("wick status {folder} shows its progress; scancel {ids} ends it\n"));
        }
    }
    Ok(submitted.trials > 0 || queued > 0)
}

/// Says how workers are started: whether there is anything to run.
fn invite(experiment: &Experiment, store: &Store, program: &Path) -> bool {
    let known = standing(experiment, store).known;
    let open = known.iter().filter(|known| !known.is_done()).count();
    if open > 0 {
        print(&format!(
            "{}: {} to run; start on as many machines as you like:\n  {} worker {}\n",
            experiment.name,
            count(open, "trial"),
            quoted(program),
            quoted(store.root())
        ));
    }
    open > 0
}
