//! `wick run`: train what is missing, keep the tables up to date, rank.

use crate::data::Cache;
use crate::progress::View;
use crate::results::layout::ADVICE;
use crate::sweep::advised::write_advice;
use crate::sweep::clock::Stopwatch;
use crate::sweep::work::Scope;

use super::arguments::Run;
use super::begin::begin;
use super::check::experiment;
use super::conclude::Conclusion;
use super::error::Result;
use super::supervise::{supervise, supervised};
use super::work::Task;

/// Runs the command, where trials run on this machine.
pub(super) fn run(arguments: &Run) -> Result {
    let Some(supervised) = supervised() else { return supervise(0) };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let images = Cache::new(cores);
    let view = View::new(arguments.quiet, arguments.json);
    let (root, mut experiment, store) =
        experiment(&arguments.written(), &images, view.is_for_people())?;
    let frozen = begin(
        &arguments.written(),
        &root,
        &experiment,
        &store,
        &images,
        &supervised.supervisor,
        view,
        arguments.replace,
    )?;
    let stopwatch = Stopwatch::start();
    let (scope, effort, run) = (Scope::Sweep, arguments.effort, &frozen.run);
    let task = Task { scope, effort, view, cores, images: &images, store: &store, run, supervised };
    let (has_run, is_stopped) = task.work(&root, &mut experiment)?;
    if !is_stopped && (has_run || !store.root().join(ADVICE).exists()) {
        write_advice(&root, &experiment, &images, &store)?;
    }
    Conclusion { images: &images, store: &store, view, is_stopped }.tell(&experiment, stopwatch)
}
