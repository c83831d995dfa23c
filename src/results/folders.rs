//! Which folder each trial of a results folder has, as its tables and its experiment say it.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::hashes::verified;
use super::layout::{self, EXPERIMENT};
use super::table::TableError;
use super::trials::Row;

/// The folders of trials. One that was trained for fewer epochs than another of the same plan has a folder of its own.
#[derive(Clone, Debug)]
pub struct Folders {
    root: PathBuf,
    /// Of trials that do not say how many.
    epochs: Option<usize>,
    /// The column that says how many, if they are swept.
    column: Option<usize>,
    /// The column of variants, and those that have epochs of their own.
    variants: Option<(usize, Vec<(String, usize)>)>,
}

/// The key of the epochs, as an axis and in a variant.
const KEY: &str = "train.epochs";

impl Folders {
    /// Those of the trials in `root`, whose table has the columns `axes`, by the experiment that lies there.
    ///
    /// # Errors
    /// If the experiment is not as it was written.
    pub fn read(root: &Path, axes: &[String]) -> Result<Folders, TableError> {
        let text = verified(root, EXPERIMENT)?.unwrap_or_default();
        let experiment = String::from_utf8(text).ok().and_then(|text| toml::from_str(&text).ok());
        Ok(Folders::of(root, axes, &experiment.unwrap_or_default()))
    }

    /// Those of the trials of `experiment`; where that is empty, nothing is known of epochs.
    pub fn of(root: &Path, axes: &[String], experiment: &Table) -> Folders {
        let column = |name: &str| axes.iter().position(|axis| axis == name);
        let whole = |value: &Value| usize::try_from(value.as_integer()?).ok();
        let own = |variant: &Value| {
            Some((variant.get("name")?.as_str()?.to_owned(), whole(variant.get(KEY)?)?))
        };
        let variants = experiment.get("sweep").and_then(|sweep| sweep.get("list")?.as_array());
        let own = variants.into_iter().flatten().filter_map(own).collect();
        Folders {
            root: root.to_owned(),
            epochs: experiment.get("train").and_then(|train| whole(train.get("epochs")?)),
            column: column(KEY),
            variants: column("variant").map(|column| (column, own)),
        }
    }

    /// How many epochs the trial of `row` is to be trained for; none if nothing says so.
    pub fn epochs(&self, row: &Row) -> Option<usize> {
        let swept = || row.values.get(self.column?)?.parse().ok();
        let own = || {
            let (column, variants) = self.variants.as_ref()?;
            let name = row.values.get(*column)?;
            variants.iter().find(|(variant, _)| variant == name).map(|(_, epochs)| *epochs)
        };
        swept().or_else(own).or(self.epochs)
    }

    /// The folder of the trial of `row`, which may not be there.
    pub fn folder(&self, row: &Row) -> PathBuf {
        let epochs = self.epochs(row);
        let shorter = epochs.map(|epochs| layout::shorter_trial(&self.root, &row.digest, epochs));
        let own = || layout::trial(&self.root, &row.digest);
        shorter.filter(|folder| folder.is_dir()).unwrap_or_else(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPERIMENT: &str = r#"
[train]
epochs = 5
[[sweep.list]]
name = "short"
"train.epochs" = 2
[[sweep.list]]
name = "usual"
"train.epochs-of-something-else" = 3
"#;

    fn row(value: &str) -> Row {
        let mut row = Row {
            number: 1,
            digest: "0123456789abcdef".to_owned(),
            values: Vec::new(),
            seed: String::new(),
            fold: String::new(),
            status: String::new(),
            reason: String::new(),
            best_epoch: 0,
            validation: Default::default(),
            test: Default::default(),
            parameters: None,
            trainable: None,
            flops: None,
        };
        row.values.push(value.to_owned());
        row
    }

    #[test]
    fn a_trial_has_the_epochs_of_its_column_or_its_variant_or_the_experiment() {
        let experiment = toml::from_str(EXPERIMENT).unwrap();
        for (axis, value, epochs) in [
            ("train.epochs", "7", Some(7)),
            ("variant", "short", Some(2)),
            ("variant", "usual", Some(5)),
            ("train.batch-size", "short", Some(5)),
        ] {
            let folders = Folders::of(Path::new(""), &[axis.to_owned()], &experiment);
            assert_eq!(folders.epochs(&row(value)), epochs, "{axis} {value}");
        }
        let folders = Folders::of(Path::new(""), &[], &Table::new());
        assert_eq!(folders.epochs(&row("")), None);
    }

    #[test]
    fn the_folder_of_fewer_epochs_is_taken_where_it_is_there() {
        let root = tempfile::tempdir().unwrap();
        let axes = ["variant".to_owned()];
        let folders = Folders::of(root.path(), &axes, &toml::from_str(EXPERIMENT).unwrap());
        let digest = row("").digest;
        let own = layout::trial(root.path(), &digest);
        assert_eq!(folders.folder(&row("short")), own);
        let shorter = layout::shorter_trial(root.path(), &digest, 2);
        std::fs::create_dir_all(&shorter).unwrap();
        assert_eq!(folders.folder(&row("short")), shorter);
        assert_eq!(folders.folder(&row("usual")), own);
    }
}
