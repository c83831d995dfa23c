//! `wick repro`: execute stored trials again and compare, bit for bit.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;

use crate::analysis::Folder;
use crate::basis::number::{count, number};
use crate::config::layering::{Request, load};
use crate::data::Cache;
use crate::plan::sweep::{Experiment, Trial};
use crate::results::hashes::verified;
use crate::results::layout::EXPERIMENT;
use crate::results::trials::Row;
use crate::sweep::environment;
use crate::sweep::memory::hold_usually;
use crate::sweep::repro::{Again, Compared, Repro, Tables, repro};
use crate::sweep::store::{Store, TrialStore};
use crate::sweep::survey::expand_in;
use crate::train::trainer::Event;

use super::arguments;
use super::error::{Error, Result};
use super::exit::Exit;
use super::output::{print, say_drawn};
use super::status::folder;

/// Runs the command.
pub(super) fn run(arguments: &arguments::Repro) -> Result {
    let folder = folder(&arguments.folder)?;
    let rows = chosen(arguments, &folder)?;
    let interrupt = interrupt()?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let images = Cache::new(cores);
    hold_usually(&images, folder.root().parent());
    let scratch =
        tempfile::tempdir().context("failed to create a folder for the repeated trials")?;
    let home = Store::of(folder.root());
    let again = Again {
        home: &home,
        images: &images,
        scratch: scratch.path(),
        threads: arguments.threads.map_or(cores, usize::from),
        interrupt: &interrupt,
    };
    let tables = Tables::are_all(folder.root())
        .then(|| {
            let tables = Tables::read(folder.root(), &folder.trials).map_err(Error::wrong)?;
            Ok::<_, Error>((tables, experiment(&home, &images)?))
        })
        .transpose()?;
    if tables.is_some() {
        print("the folders of the trials are missing: only the tables are compared\n");
    }
    let mut differ = 0;
    for row in &rows {
        let done = match &tables {
            Some((tables, experiment)) => {
                let epochs = folder.folders.epochs(row).unwrap_or(0);
                let callback = |event: &Event| progress(row.number, epochs, event);
                tables.repro(row, experiment, &again, &callback)
            }
            None => by_folder(row, &folder.trial(row), &again),
        };
        let name = format!("trial {} ({})", row.number, row.digest);
        match done {
            Repro::Identical(compared) => {
                print(&format!("{name}: identical: {}\n", all(&compared)))
            }
            Repro::Partly(compared, unknown) => {
                differ += 1;
                print(&format!(
                    "{name}: identical, but not everything could be compared: {}\n",
                    all(&compared)
                ));
                for words in unknown {
                    print(&format!("  {words}\n"));
                }
                print("  = help: `wick verify` names all files of the folder that are damaged\n");
            }
            Repro::Differs(differences) => {
                differ += 1;
                print(&format!("{name}: differs\n"));
                for difference in differences {
                    print(&format!("  {difference}\n"));
                }
            }
            Repro::Impossible(reason) => {
                differ += 1;
                print(&format!("{name}: cannot be compared: {reason}\n"));
            }
            Repro::Interrupted => return Err(Exit::Interrupted.into()),
        }
    }
    let environment = environment::differences(folder.root());
    for difference in &environment {
        print(&format!("{difference}\n"));
    }
    if differ > 0 {
        let rows = rows.len();
        print(&format!("{differ} of {rows} trials differ or could not be compared completely\n"));
        if environment.is_empty() {
            print("program and machine are the same as in the last run\n");
        }
        return Err(Exit::Failed.into());
    }
    Ok(())
}

/// The experiment of the results folder `home`, as it lies there with all layers merged.
fn experiment(home: &Store, images: &Cache) -> Result<Experiment> {
    // Whatever else is wrong with the file, it is the one that the tables are of.
    verified(home.root(), EXPERIMENT).map_err(Error::wrong)?;
    let file = home.root().join(EXPERIMENT);
    let root = load(&Request { file, profile: None, environment: Vec::new(), sets: Vec::new() })?;
    Ok(expand_in(home, &root, images)?)
}

/// Executes the trial of `row`, which is stored in `store`, again.
fn by_folder(row: &Row, store: &TrialStore, again: &Again) -> Repro {
    let plan = match store.plan() {
        Err(error) => return Repro::Impossible(error.to_string()),
        Ok(plan) => plan,
    };
    let epochs = plan.train.epochs;
    let trial = Trial {
        number: row.number,
        digest: row.digest.clone(),
        settings: std::sync::Arc::default(),
        setting: 0,
        round: 0,
        plan,
    };
    repro(&trial, store, again, &|event| progress(row.number, epochs, event))
}

/// How much was compared, in words.
fn all(compared: &Compared) -> String {
    let Compared { epochs, batches, tensors } = *compared;
    let counts = [(epochs, "epoch"), (batches, "batch"), (tensors, "tensor")];
    let some = counts.into_iter().filter(|(of, one)| *of > 0 || *one == "epoch");
    let words = some.map(|(of, one)| match (one, of) {
        ("batch", 2..) => format!("{} batches", number(of as u64)),
        _ => count(of, one),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// The rows that were asked for.
fn chosen<'a>(arguments: &arguments::Repro, folder: &'a Folder) -> Result<Vec<&'a Row>> {
    let all = &folder.trials.rows;
    let mut rows = Vec::new();
    for name in &arguments.trials {
        let by_number = all.iter().find(|row| row.number.to_string() == *name);
        let by_digest = || {
            let mut found = all.iter().filter(|row| row.digest.starts_with(name.as_str()));
            found.next().filter(|_| found.next().is_none())
        };
        let last = all.len();
        rows.push(by_number.or_else(by_digest).ok_or_else(|| {
            Error::wrong(format!(
                "there is no trial {name}: use a number from 1 to {last}, or a digest"
            ))
        })?);
    }
    if rows.is_empty() {
        rows = all.iter().filter(|row| row.status != "unfinished").collect();
    }
    if rows.is_empty() {
        return Err(Error::wrong("no trial has ended"));
    }
    if let Some(sample) = arguments.sample {
        // Digests are as good as drawn.
        rows.sort_by_key(|row| blake3::hash(row.digest.as_bytes()).to_hex().to_string());
        rows.truncate(sample.into());
        rows.sort_by_key(|row| row.number);
    }
    Ok(rows)
}

/// One line that is written over, on a terminal: how far the trial with this number is of so many `epochs`.
fn progress(trial: usize, epochs: usize, event: &Event) {
    if let Event::Epoch { record, .. } = event
        && std::io::stderr().is_terminal()
    {
        say_drawn(&format!("\rtrial {trial} epoch {}/{epochs} ", record.epoch));
        if record.epoch == epochs {
            say_drawn("\r\x1b[K");
        }
    }
}

/// Set by Ctrl-C; the second one ends the program.
fn interrupt() -> Result<Arc<AtomicBool>> {
    let interrupt = Arc::new(AtomicBool::new(false));
    let flag = interrupt.clone();
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            Exit::Interrupted.now();
        }
    })
    .context("failed to listen for Ctrl-C")?;
    Ok(interrupt)
}
