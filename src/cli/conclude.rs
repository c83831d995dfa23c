//! The end of a run: the report, the ranking, and what is worth a word.

use crate::analysis::Answers;
use crate::basis::record::Status;
use crate::data::Cache;
use crate::plan::sweep::Experiment;
use crate::progress::View;
use crate::report::page;
use crate::sweep::clock::Stopwatch;
use crate::sweep::standing::standing;
use crate::sweep::store::Store;
use crate::terminal::ranking::ranking;

use super::check::width;
use super::error::{Error, Result};
use super::exit::{Exit, print, say};

/// The end of a run, for people and scripts.
pub(super) struct Conclusion<'a> {
    pub(super) images: &'a Cache,
    pub(super) store: &'a Store,
    pub(super) view: View,
    /// Whether it was asked to stop.
    pub(super) is_stopped: bool,
}

impl Conclusion<'_> {
    /// The page of answers.
    fn report(&self) -> anyhow::Result<()> {
        let root = self.store.root();
        page::write(&Answers::read(root, None)?, self.images, &root.join(page::FILE))?;
        Ok(())
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
        for (path, images) in self.store.images() {
            let path = path.display();
            if !images.skipped.is_empty() {
                let count = images.skipped.len();
                print(&format!(
                    "{count} images could not be decoded and were left out: see {path}\n"
                ));
            }
            if let Some(copies) = &images.copies {
                print(&format!("{copies}: see {path}\n"));
            }
            if images.set_aside > 0 {
                let count = images.set_aside;
                print(&format!(
                    "{count} test images of the source were left out for data.test: see {path}\n"
                ));
            }
        }
        let root = self.store.root().display();
        match self.report() {
            Ok(()) => {
                if self.view.is_for_people() {
                    let seconds = stopwatch.seconds();
                    say(&format!("{seconds:.1} s; results in {root}, with {}\n", page::FILE));
                }
            }
            // The results are there all the same.
            Err(error) => say(&format!("failed to make the report: {error:#}\n")),
        }
        let unfinished = standing.count(Status::Unfinished);
        let failed = standing.count(Status::Failed);
        if unfinished > 0 && self.is_stopped {
            return Err(Error::new(
                Exit::Interrupted,
                format!(
                    "interrupted with {unfinished} trials to go: run the command again to resume\n"
                ),
            ));
        }
        if unfinished > 0 {
            say(&format!("{unfinished} trials are not finished: run the command again for them\n"));
        }
        if failed > 0 {
            let text = format!("{failed} trials failed: the reasons are in {root}/trials.csv\n");
            return Err(Error::new(Exit::Failed, text));
        }
        Ok(())
    }
}
