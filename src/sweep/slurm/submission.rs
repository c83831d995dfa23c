//! What was submitted, as it stands in the results folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::basis::record::Status;
use crate::basis::regular;
use crate::results::layout::FROZEN;
use crate::results::table::csv_bytes;
use crate::sweep::standing::{Known, Standing};
use crate::sweep::store::{Lock, StoreError, trouble, write_whole};

/// An array of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Array {
    /// The number of the job.
    pub job: u64,
    /// The task of the submission that is number 0 of the array.
    pub first: usize,
    /// How many there are.
    pub tasks: usize,
}

/// The jobs of a submission.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Jobs {
    /// The job that collects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collect: Option<u64>,
    /// Those that run trials.
    #[serde(default)]
    pub arrays: Vec<Array>,
}

impl Jobs {
    /// The numbers of all jobs.
    pub fn ids(&self) -> Vec<u64> {
        self.arrays.iter().map(|array| array.job).chain(self.collect).collect()
    }
}

/// A trial that a task runs: a row of `tasks.csv`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// Counted from 0.
    pub task: usize,
    /// The number of the trial.
    pub trial: usize,
    /// Its digest.
    pub digest: String,
    /// The epoch until which it could run when it was submitted.
    pub until: usize,
}

/// One submission.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Counted from 1.
    pub number: usize,
    folder: PathBuf,
}

/// The folder of all submissions of the results folder `results`.
fn home(results: &Path) -> PathBuf {
    results.join("slurm")
}

impl Submission {
    /// The submission `number` of the results folder `results`.
    pub fn at(results: &Path, number: usize) -> Submission {
        Submission { number, folder: home(results).join(number.to_string()) }
    }

    /// All of them, the first one first.
    pub fn all(results: &Path) -> Vec<Submission> {
        let entries = fs::read_dir(home(results)).into_iter().flatten().flatten();
        let mut numbers: Vec<usize> =
            entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        numbers.sort();
        numbers.into_iter().map(|number| Submission::at(results, number)).collect()
    }

    /// The number of the next one.
    pub fn next(results: &Path) -> usize {
        Submission::all(results).last().map_or(1, |last| last.number + 1)
    }

    /// The right to submit for the results folder `results`; none if another process has it.
    pub fn lock(results: &Path) -> Result<Option<Lock>, StoreError> {
        let home = home(results);
        fs::create_dir_all(&home).map_err(trouble("make the folder", &home))?;
        let path = home.join("lock");
        Lock::take(&path).map_err(trouble("lock", &path))
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file in its folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Makes the folder with what tasks need.
    pub fn write(
        &self,
        frozen: &str,
        given: &[Given],
        scripts: [(&str, &str); 2],
    ) -> Result<(), StoreError> {
        let folder = &self.folder;
        fs::create_dir_all(folder).map_err(trouble("make the folder", folder))?;
        write_whole(&self.file(FROZEN), frozen.as_bytes())?;
        write_whole(&self.file("tasks.csv"), &csv_bytes(given))?;
        for (name, text) in scripts {
            write_whole(&self.file(name), text.as_bytes())?;
        }
        Ok(())
    }

    /// Which trials were given to which task.
    pub fn given(&self) -> Result<Vec<Given>, StoreError> {
        let path = self.file("tasks.csv");
        let read = || -> Result<Vec<Given>, csv::Error> {
            csv::Reader::from_reader(regular::open(&path)?).into_deserialize().collect()
        };
        read().map_err(|error| trouble("read", &path)(io::Error::other(error)))
    }

    /// The trials that have not come as far as they could. If there are any, their tasks were ended from
    /// outside, and whoever did that decides what is submitted next.
    pub fn left(&self, standing: &Standing) -> Result<Vec<Given>, StoreError> {
        let mut given = self.given()?;
        given.retain(|row| {
            let is_left = |known: &&Known| {
                known.status() == Status::Unfinished && known.records.len() < row.until
            };
            let mut known = standing.known.iter();
            known.find(|known| known.trial.digest == row.digest).filter(is_left).is_some()
        });
        Ok(given)
    }

    /// The jobs, as far as they were submitted.
    pub fn jobs(&self) -> Jobs {
        let text = regular::read_to_string(&self.file("submission.toml")).unwrap_or_default();
        toml::from_str(&text).unwrap_or_default()
    }

    /// Writes down the jobs.
    pub fn note(&self, jobs: &Jobs) -> Result<(), StoreError> {
        let text = toml::to_string(jobs).expect("jobs are plain data");
        write_whole(&self.file("submission.toml"), text.as_bytes())
    }

    /// Takes away what was not submitted after all.
    pub fn remove(&self) -> Result<(), StoreError> {
        fs::remove_dir_all(&self.folder).map_err(trouble("remove", &self.folder))
    }

    /// Whether any task of `array` has left a log, as Slurm makes one when it starts.
    pub fn has_log(&self, array: &Array) -> bool {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let start = format!("{}_", array.job);
        entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with(&start))
    }
}
