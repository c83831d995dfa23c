//! By what settings are compared: one score on one part of the images, at the best epoch.

use std::path::Path;
use std::str::FromStr;

use crate::basis::record::{EpochRecord, Scores};
use crate::results::layout;
use crate::results::table::TableError;
use crate::sweep::store::{Damage, TrialStore};

use super::scores::words;

/// Parts of the images, as columns name them and as people do.
const PARTS: [(&str, &str); 3] = [("train", "training"), ("val", "validation"), ("test", "test")];

/// A score on a part of the images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// Index of the part: training, validation, test.
    pub(super) part: usize,
    /// Index into [`Scores::NAMES`].
    pub(super) score: usize,
}

impl Measure {
    /// All of them, as they are written.
    pub fn names() -> impl Iterator<Item = String> {
        PARTS.into_iter().flat_map(|(part, _)| {
            Scores::NAMES.into_iter().map(move |score| format!("{part}_{score}"))
        })
    }

    /// The name in tables: `val_accuracy`.
    pub fn name(self) -> String {
        format!("{}_{}", PARTS[self.part].0, Scores::NAMES[self.score])
    }

    /// In words: `validation accuracy`.
    pub fn words(self) -> String {
        format!("{} {}", PARTS[self.part].1, words(Scores::NAMES[self.score]))
    }

    /// The same score on the test images.
    pub fn on_test(self) -> Measure {
        Measure { part: 2, ..self }
    }

    /// Its value in an epoch; none on test images, which no epoch looks at, and without validation images.
    pub fn of(self, record: &EpochRecord) -> Option<f64> {
        let scores = [Some(&record.train), record.validation.as_ref(), None][self.part]?;
        Some(scores.values()[self.score])
    }

    /// Whether it is taken on the test images.
    pub fn is_test(self) -> bool {
        self.part == 2
    }

    /// Whether less is better.
    pub fn is_loss(self) -> bool {
        self.score == 0
    }

    /// Whether `a` is better than `b`.
    pub fn improves(self, a: f64, b: f64) -> bool {
        if self.is_loss() { a < b } else { a > b }
    }

    /// A number of this kind without its unit: losses as they are, parts of one in per cent.
    pub fn show(self, value: f64) -> String {
        if self.is_loss() { format!("{value:.4}") } else { format!("{:.2}", 100.0 * value) }
    }

    /// A difference with its sign, without its unit.
    pub fn show_difference(self, value: f64) -> String {
        let number = self.show(value.abs());
        let is_zero = number.chars().all(|c| matches!(c, '0' | '.'));
        let sign = if is_zero {
            ""
        } else if value < 0.0 {
            "−"
        } else {
            "+"
        };
        format!("{sign}{number}")
    }

    /// The unit of a number, with the blank before it.
    pub fn unit(self) -> &'static str {
        if self.is_loss() { "" } else { " %" }
    }

    /// The unit of a difference, with the blank before it: per cent differ by points.
    pub fn unit_of_difference(self) -> &'static str {
        if self.is_loss() { "" } else { " points" }
    }
}

impl FromStr for Measure {
    type Err = String;

    fn from_str(text: &str) -> Result<Measure, String> {
        let index = Measure::names().position(|name| name == text);
        let scores = Scores::NAMES.len();
        let of = |index: usize| Measure { part: index / scores, score: index % scores };
        index.map(of).ok_or_else(|| {
            format!("expected one of {}", Measure::names().collect::<Vec<_>>().join(", "))
        })
    }
}

/// The metric that chose the best epochs in the folder `root`: what the plan of the trial with
/// the digest `first` says, or the experiment.
///
/// # Errors
/// If the plan is damaged.
pub(super) fn of_folder(
    root: &Path,
    first: Option<&str>,
    experiment: &toml::Table,
) -> Result<Measure, TableError> {
    let experiment = || experiment.get("train")?.get("best")?.as_str()?.parse().ok();
    let store = first.map(|first| TrialStore::at(layout::trial(root, first)));
    let plan = store.filter(|store| store.folder().join(layout::PLAN).exists());
    let planned = match plan.map(|store| (store.plan(), store)) {
        None => None,
        Some((Ok(plan), _)) => plan.train.best.name().parse().ok(),
        Some((Err(error), store)) => {
            let damage = Damage::at(&store.folder().join(layout::PLAN), error.cause());
            let reason = format!("{}\n  = help: {}", damage.what, damage.way_out());
            return Err(TableError::Table { path: damage.path, reason });
        }
    };
    // val_accuracy is the default.
    Ok(planned.or_else(experiment).unwrap_or(Measure { part: 1, score: 1 }))
}
