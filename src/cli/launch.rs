//! `wick run --launcher slurm` and `--launcher worker`: trials are handed out, not run here.

use crate::basis::record::Status;
use crate::config::frozen::Frozen;
use crate::data::Cache;
use crate::report::progress::View;
use crate::sweep::clock::Stopwatch;
use crate::sweep::machine::Mount;
use crate::sweep::slots::Share;
use crate::sweep::slurm::client;
use crate::sweep::slurm::script::quoted;
use crate::sweep::standing::standing;
use crate::sweep::store::Store;
use crate::sweep::{environment, tables};

use super::arguments::{Launcher, Run};
use super::check::experiment;
use super::conclude::Conclusion;
use super::error::{Error, Result};
use super::exit::{Exit, print, say};
use super::follow::{Followed, follow};
use super::run::{epochs_changed, write_advice, write_experiment};
use super::shared::{freeze, wait_until_seen};
use super::submit::{Submitter, absolute, program, tell_submitted};
use super::supervise::new_name;

/// Runs the command.
pub(super) fn launch(arguments: &Run) -> Result {
    let watch = Stopwatch::start();
    if arguments.json {
        let message = "--json tells what happens in this process, and with --launcher nothing does";
        return Err(Error::wrong(message));
    }
    let is_slurm = arguments.launch.launcher == Launcher::Slurm;
    let images = Cache::new(std::thread::available_parallelism().map_or(1, usize::from));
    let mut written = arguments.written();
    written.results = absolute(&written.results)?;
    let (root, mut experiment, store) = experiment(&written, &images)?;
    if is_slurm && !arguments.launch.dry_run && !client::is_here() {
        return Err(Error::trouble(
            "there is no sbatch on the PATH, by which jobs are submitted\n  \
             = help: submit where Slurm's commands are, as on a login node; or --launcher worker, or none",
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
    store.prepare()?;
    let view = View::new(arguments.quiet, false);
    if view.is_for_people()
        && let Some(notice) = epochs_changed(&experiment, &store)
    {
        say(&notice);
    }
    write_experiment(&root, &store)?;
    let frozen = freeze(&written, &store, &new_name())?;
    let plan = &experiment.slurm;
    let (workers, threads) = match is_slurm {
        true => (plan.max_parallel, plan.cpus_per_task),
        false => (1, 1),
    };
    let run = &experiment.run;
    let share = Share::new(threads, workers, run, Some(workers), Some(threads));
    environment::write(&store, &share, threads)?;
    tables::write(&experiment, &store, &standing(&experiment, &store))?;
    warn_of_memory(&store);
    let asked = match is_slurm {
        true => {
            let submitter = Submitter {
                experiment: &experiment,
                frozen: &frozen,
                images: &images,
                store: &store,
                program,
            };
            let submitted = submitter.submit()?;
            if submitted.queued > 0 {
                let queued = submitted.queued;
                say(&format!("{queued} trials are in the queue already, or run\n"));
            }
            let is_any = submitted.trials > 0;
            if is_any {
                tell_submitted(&submitted, &experiment);
                if view.is_for_people() && !arguments.launch.wait {
                    let ids = submitted.jobs.ids();
                    let ids: Vec<String> = ids.iter().map(u64::to_string).collect();
                    let folder = quoted(store.root());
                    say(&format!(
                        "wick status {folder} shows how it goes; scancel {} ends it\n",
                        ids.join(" ")
                    ));
                }
            }
            is_any || submitted.queued > 0
        }
        false => {
            let open = standing(&experiment, &store);
            let open = open.known.iter().filter(|known| !known.is_done()).count();
            if open > 0 {
                print(&format!(
                    "{}: {open} trials to run; start on as many machines as you like:\n  {} worker {}\n",
                    experiment.name,
                    quoted(&program),
                    quoted(store.root())
                ));
            }
            open > 0
        }
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
    let is_unfinished = || {
        let known = standing(&experiment, &store).known;
        known.iter().any(|known| known.status() == Status::Unfinished)
    };
    let is_cut_short = asked && is_unfinished() && {
        wait_until_seen(store.root());
        is_unfinished()
    };
    tables::write(&experiment, &store, &standing(&experiment, &store))?;
    write_advice(&root, &experiment, &images, &store)?;
    Conclusion { images: &images, store: &store, view, is_stopped: is_cut_short }
        .tell(&experiment, watch)
}

/// A word on results that other machines certainly do not see.
fn warn_of_memory(store: &Store) {
    if Mount::of(store.root()).is_some_and(|mount| mount.is_in_memory()) {
        say(&format!(
            "note: {} is in this machine's memory, where other machines do not see it: \
             --results says where results are\n",
            store.root().display()
        ));
    }
}
