//! `wick run`: train what is missing, keep the tables up to date, rank.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};

use crate::basis::record::Status;
use crate::config::presets;
use crate::data::Cache;
use crate::plan::sweep::Experiment;
use crate::report::progress::{Progress, View};
use crate::report::ranking::ranking;
use crate::report::{environment, tables};
use crate::sweep::clock::Stopwatch;
use crate::sweep::runner::{Runner, Share, SweepEvent};
use crate::sweep::store::{Store, write_whole};

use super::arguments::Run;
use super::check::{experiment, width};
use super::exit::{Exit, print, say};

/// The tables are rebuilt at most this often while trials run, in seconds.
const REBUILD_EVERY: f64 = 2.0;

/// Runs the command.
pub(super) fn run(arguments: &Run) -> Result<Exit> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let images = Cache::new(cores);
    let (root, experiment) = match experiment(&arguments.written, &images) {
        Ok(found) => found,
        Err(exit) => return Ok(exit),
    };
    let store = Store::at(&arguments.written.results, &experiment.name);
    store.prepare()?;
    let mut resolved = root.clone();
    presets::withdraw(&mut resolved);
    let resolved =
        toml::to_string(&resolved.to_toml()).context("failed to write the experiment as TOML")?;
    write_whole(&store.root().join("experiment.toml"), resolved.as_bytes())?;
    let interrupt = Arc::new(AtomicBool::new(false));
    let mut runner = Runner {
        experiment: &experiment,
        store: &store,
        share: Share { workers: 1, threads: 1 },
        images: &images,
        augment_memory: arguments.augment_memory << 20,
        interrupt: &interrupt,
    };
    let missing = runner.missing().len();
    let (workers, threads) =
        (arguments.workers.map(usize::from), arguments.threads.map(usize::from));
    runner.share = Share::new(cores, missing, workers, threads);
    environment::write(&store, runner.share, cores)?;
    let view = View::new(arguments.quiet, arguments.json);
    // Standard output is for the ranking, or for events.
    let print = |text: &str| {
        if view != View::Json {
            print(text)
        }
    };
    let tell = |text: &str| {
        if view.is_for_people() {
            say(text)
        }
    };
    tell(&format!(
        "{}: {} trials, {} done, {missing} to run, {} at once with {} {} each\n",
        experiment.name,
        experiment.trials.len(),
        experiment.trials.len() - missing,
        runner.share.workers,
        runner.share.threads,
        if runner.share.threads == 1 { "thread" } else { "threads" }
    ));
    quiet_panics_of_trials();
    let watch = Stopwatch::start();
    let progress = Progress::new(view, &experiment, experiment.trials.len() - missing);
    interrupt_by_signal(interrupt.clone(), progress.voice())?;
    let rebuilt = Mutex::new(Stopwatch::start());
    let ran = runner.run(&|event| {
        progress.notice(event);
        if matches!(event, SweepEvent::Ended(..)) {
            rebuild_now_and_then(&experiment, &store, &rebuilt);
        }
    });
    progress.finish();
    let known = tables::known(&experiment, &store);
    tables::write(&experiment, &store, &known)?;
    ran?;
    print(&ranking(&experiment, &known, width()));
    for (path, images) in store.images() {
        let path = path.display();
        if !images.skipped.is_empty() {
            let count = images.skipped.len();
            print(&format!("{count} images could not be decoded and were left out: see {path}\n"));
        }
        if images.set_aside > 0 {
            let count = images.set_aside;
            print(&format!(
                "{count} test images of the source were left out for data.test: see {path}\n"
            ));
        }
    }
    let root = store.root().display();
    tell(&format!("{:.1} s; results in {root}\n", watch.seconds()));
    let unfinished = known.iter().filter(|known| known.status() == Status::Unfinished).count();
    let failed = known.iter().filter(|known| known.status() == Status::Failed).count();
    Ok(if unfinished > 0 && interrupt.load(Ordering::Relaxed) {
        say(&format!(
            "interrupted with {unfinished} trials to go: run the command again to resume\n"
        ));
        Exit::Interrupted
    } else if failed > 0 {
        say(&format!("{failed} trials failed: the reasons are in {root}/trials.csv\n"));
        Exit::Failed
    } else {
        Exit::Done
    })
}

/// Rows become visible while a long run goes on; the last rebuild is the one that counts.
fn rebuild_now_and_then(experiment: &Experiment, store: &Store, rebuilt: &Mutex<Stopwatch>) {
    let Ok(mut rebuilt) = rebuilt.try_lock() else { return };
    if rebuilt.seconds() > REBUILD_EVERY {
        let known = tables::known(experiment, store);
        // A disk that is full now may have room at the end, where trouble is told.
        let _ = tables::write(experiment, store, &known);
        *rebuilt = Stopwatch::start();
    }
}

/// The first signal asks trials to stop at their next batch; the second ends the program.
fn interrupt_by_signal(interrupt: Arc<AtomicBool>, voice: Box<dyn Fn(&str) + Send>) -> Result<()> {
    ctrlc::set_handler(move || {
        if interrupt.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        voice("interrupted: stopping at the next batch (once more to stop at once)");
    })
    .context("failed to listen for Ctrl-C")
}

/// A panic in a trial is an outcome with its reason, not a message in the middle of the bars.
fn quiet_panics_of_trials() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        let is_of_trial = |name: &str| name.starts_with("trial-") || name.starts_with("batches-");
        if !thread.name().is_some_and(is_of_trial) {
            usual(panic);
        }
    }));
}
