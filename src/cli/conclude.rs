//! The end of a run: the report, the ranking, and what is worth a word.

use std::path::PathBuf;

use crate::analysis::Answers;
use crate::basis::number::count;
use crate::basis::record::Status;
use crate::data::{Cache, left_out_as_copies};
use crate::plan::data::Duplicates;
use crate::plan::sweep::Experiment;
use crate::progress::View;
use crate::report::page;
use crate::results::layout::BEST;
use crate::sweep::clock::Stopwatch;
use crate::sweep::slurm::script::quoted;
use crate::sweep::standing::standing;
use crate::sweep::store::Store;
use crate::terminal::data::as_copies;
use crate::terminal::ranking::ranking;

use super::check::width;
use super::error::{Error, Result};
use super::exit::Exit;
use super::output::{print, say};
use super::report::tell_damaged;

/// Of so many images that were left out the reasons are told.
const REASONS: usize = 3;

/// The end of a run, for people and scripts.
pub(super) struct Conclusion<'a> {
    pub(super) images: &'a Cache,
    pub(super) store: &'a Store,
    pub(super) view: View,
    /// Whether it was asked to stop.
    pub(super) is_stopped: bool,
}

impl Conclusion<'_> {
    /// Writes the page of answers: the best weights of all.
    fn report(&self) -> anyhow::Result<Option<PathBuf>> {
        let root = self.store.root();
        let answers = Answers::read(root, None)?;
        tell_damaged(&answers);
        let best = answers.best_trial().map(|best| answers.folder(best).join(BEST));
        page::write(&answers, self.images, &root.join(page::FILE))?;
        Ok(best)
    }

    /// Writes the report, prints the ranking and what is worth a word.
    pub(super) fn tell(&self, experiment: &Experiment, stopwatch: Stopwatch) -> Result {
        // Standard output is for the ranking, or for events.
        let print = |text: &str| {
            if self.view != View::Json {
                print(text);
            }
        };
        let standing = standing(experiment, self.store);
        print(&ranking(experiment, &standing.known, width()));
        if let Some(told) = &experiment.told {
            print(&format!("{told}\n"));
        }
        for (path, images) in self.store.images() {
            let path = path.display();
            let skipped = &images.skipped;
            if !skipped.is_empty() {
                let images = skipped.len();
                let were = if images == 1 { "was" } else { "were" };
                print(&format!(
                    "{} could not be decoded and {were} left out: see {path}\n",
                    count(images, "image")
                ));
                skipped.iter().take(REASONS).for_each(|reason| print(&format!("  {reason}\n")));
            }
            if let Some(copies) = &images.copies {
                print(&format!("{copies}: see {path}\n"));
            }
            if images.set_aside > 0 {
                let were = if images.set_aside == 1 { "was" } else { "were" };
                print(&format!(
                    "{} of the source {were} left out for data.test: see {path}\n",
                    count(images.set_aside, "test image")
                ));
            }
        }
        if let Some(first) = experiment.trials.first().map(|trial| &trial.plan)
            && first.data.duplicates == Duplicates::DropFromTrain
            // Nothing is decoded for a line.
            && let Some(dataset) = self.images.loaded(&first.data)
            && let Ok(left_out) = left_out_as_copies(&dataset, &first.data, first.seed)
        {
            print(&as_copies(left_out, "trial 1"));
        }
        let root = self.store.root().display();
        let reported = self.report();
        match &reported {
            Ok(best) if self.view.is_for_people() => {
                let seconds = stopwatch.seconds();
                say(&format!("{seconds:.1} s; results in {root}, with {}\n", page::FILE));
                if let Some(best) = best {
                    let (best, model) = (best.display(), quoted(self.store.root()));
                    say(&format!(
                        "the best trial's weights are {best}; next: wick predict --model {model} IMAGE, or wick \
                         evaluate --model {model}\n"
                    ));
                }
            }
            Ok(_) => {}
            // The results are there all the same.
            Err(error) => say(&format!(
                "error: failed to write the report: {error:#}; the results are in {root}; wick report writes it again\n"
            )),
        }
        let unfinished = standing.count(Status::Unfinished);
        let failed = standing.count(Status::Failed);
        if unfinished > 0 && self.is_stopped {
            return Err(Error::new(
                Exit::Interrupted,
                format!(
                    "interrupted with {} left: run the command again to resume\n",
                    count(unfinished, "trial")
                ),
            ));
        }
        if unfinished > 0 {
            let trials = count(unfinished, "trial");
            let are = if unfinished == 1 { "is" } else { "are" };
            say(&format!("{trials} {are} not finished: run the command again for the rest\n"));
        }
        if failed > 0 {
            let trials = count(failed, "trial");
            let text = format!("{trials} failed: the reasons are in {root}/trials.csv\n");
            return Err(Error::new(Exit::Failed, text));
        }
        // It has been told.
        reported.map(|_| ()).map_err(|_| Exit::Trouble.into())
    }
}
