//! An experiment as it was when it was handed out: the text of its files and everything that was laid
//! over them. Whoever loads it, on whatever machine and whatever has become of the files since, reads
//! the same experiment, with the same places in its messages.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::layering::{ENVIRONMENT_PREFIX, Request, load_by, text_of};
use crate::document::{Node, Problems};

/// An experiment with all that [`load`](super::layering::load) has read of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Frozen {
    /// The program that froze it.
    pub version: String,
    /// Names the run for which it was frozen: what has failed in it is not tried again.
    pub run: String,
    /// The folder that relative paths lead on from.
    pub folder: PathBuf,
    /// The experiment file.
    pub file: PathBuf,
    /// The profile that was laid over it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// What was set on the command line.
    pub sets: Vec<String>,
    /// What was set in the environment.
    pub environment: BTreeMap<String, String>,
    /// The file and those that it extends, by their paths.
    pub files: BTreeMap<PathBuf, String>,
}

impl Frozen {
    /// Freezes what `request` asks for in the working folder `folder`, for the run `run`.
    pub fn of(request: &Request, folder: &Path, run: &str) -> Result<Frozen, Problems> {
        let files = Mutex::new(BTreeMap::new());
        load_by(request, &|path| {
            let text = text_of(path)?;
            let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
            files.insert(path.to_owned(), text.clone());
            Ok(text)
        })?;
        let counts = |(name, _): &&(String, String)| name.starts_with(ENVIRONMENT_PREFIX);
        Ok(Frozen {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            run: run.to_owned(),
            folder: folder.to_owned(),
            file: request.file.clone(),
            profile: request.profile.clone(),
            sets: request.sets.clone(),
            environment: request.environment.iter().filter(counts).cloned().collect(),
            files: files.into_inner().unwrap_or_else(PoisonError::into_inner),
        })
    }

    /// The experiment as it was.
    pub fn load(&self) -> Result<Node, Problems> {
        let request = Request {
            file: self.file.clone(),
            profile: self.profile.clone(),
            environment: self.environment.clone().into_iter().collect(),
            sets: self.sets.clone(),
        };
        load_by(&request, &|path| {
            let text = self.files.get(path).cloned();
            text.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
        })
    }

    /// The same without what was laid over the files.
    pub fn bare(mut self) -> Frozen {
        self.profile = None;
        self.sets.clear();
        self.environment.clear();
        self
    }

    /// As a file.
    pub fn to_text(&self) -> String {
        toml::to_string_pretty(self).expect("a frozen experiment is plain data")
    }

    /// What was written by [`Frozen::to_text`].
    ///
    /// # Errors
    /// In words, if it is something else.
    pub fn from_text(text: &str) -> Result<Frozen, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frozen_experiment_does_not_change_with_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("base.toml"), "name = \"x\"\nseed = 1\n").unwrap();
        let text = "extends = \"base.toml\"\n[data]\nsource = { folder = \"signs\" }\n\
                    [profile.short.train]\nepochs = 2\n";
        std::fs::write(path("experiment.toml"), text).unwrap();
        let request = Request {
            file: path("experiment.toml"),
            profile: Some("short".to_owned()),
            environment: vec![
                ("WICK_SEED".to_owned(), "5".to_owned()),
                ("HOME".to_owned(), "/root".to_owned()),
            ],
            sets: vec!["model.preset=plain".to_owned(), "name='\"\"\"'".to_owned()],
        };
        let whole = super::super::layering::load(&request).unwrap();
        let frozen = Frozen::of(&request, folder.path(), "run").unwrap();
        std::fs::remove_file(path("base.toml")).unwrap();
        std::fs::write(path("experiment.toml"), "not TOML").unwrap();
        let thawed = Frozen::from_text(&frozen.to_text()).unwrap();
        assert_eq!(thawed, frozen);
        assert!(!thawed.environment.contains_key("HOME"));
        // Values and the places where they stand.
        assert_eq!(format!("{:?}", thawed.load().unwrap()), format!("{whole:?}"));
        assert!(Frozen::from_text("file = 1").is_err());
    }
}
