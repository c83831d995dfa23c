//! The sets of images that trials were run on, and the files that they came from.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::basis::regular;
use crate::data::{Changes, Dataset, Error, Inventory};
use crate::plan::data::{BoxPlan, DataPlan, MOST_PIXELS};
use crate::results::layout;
use crate::results::seal::{sealed, unsealed};

use super::file::{Lasting, write_as};
use super::rows::{self, Rows};
use super::{Damage, Store, StoreError, write_whole};

/// A set of images as trials found it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Images {
    /// Equal for equal images.
    pub fingerprint: String,
    /// How many there are.
    pub images: usize,
    /// Images that the source declares for testing and that were left out because another source
    /// is the test set.
    pub set_aside: usize,
    /// Files that were left out, each with its reason.
    pub skipped: Vec<String>,
    /// What there is to say of images with the same pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copies: Option<String>,
    /// The check of the table of files beside this file, as it is and as it was before.
    #[serde(default)]
    files_blake3: Vec<String>,
}

/// What the names of the files about sets of images begin with.
const PREFIX: &str = "images-";

impl Images {
    /// Whether `name` is that of a file about a set of images.
    pub fn is_file(name: &str) -> bool {
        name.starts_with(PREFIX) && (name.ends_with(".toml") || name.ends_with(".csv"))
    }

    /// What the file at `path` says; none if there is none.
    ///
    /// # Errors
    /// If it is damaged.
    fn at(path: &Path) -> Result<Option<Images>, Damage> {
        let Ok(bytes) = regular::read(path) else { return Ok(None) };
        let text = String::from_utf8(bytes).unwrap_or_default();
        let read = unsealed(&text).and_then(|text| toml::from_str(text).ok());
        let what = "is damaged: its hash does not match";
        read.map(Some).ok_or_else(|| Damage::at(path, what))
    }

    /// The files that the images came from, from the table beside `path`.
    ///
    /// # Errors
    /// If it is damaged or missing.
    fn inventory(&self, path: &Path) -> Result<Inventory, Damage> {
        let path = path.with_extension("csv");
        let Rows { rows: files, checks, is_whole, .. } = rows::read(&path);
        let last = checks.last().map_or_else(|| rows::nothing(&path), |check| *check);
        match is_whole && self.files_blake3.contains(&last.to_string()) {
            true => Ok(Inventory { files }),
            false => Err(Damage::at(&path, "is damaged, missing or out of date")),
        }
    }

    /// Finds out whether the file about a set of images at `path`, or the table of files, is whole.
    pub fn verify(path: &Path) -> Result<(), Damage> {
        match Images::at(&path.with_extension("toml"))? {
            Some(images) => images.inventory(path).map(drop),
            None => Err(Damage::at(&path.with_extension("toml"), "is missing")),
        }
    }
}

/// How images differ from those that trials were run on.
#[derive(Debug, thiserror::Error)]
pub enum ImagesError {
    /// What is known of them is damaged.
    #[error(
        "{0}\n  = help: remove it and run the experiment again, which writes it again; make sure that the images \
         have not changed since the trials"
    )]
    Damaged(Damage),
    /// They cannot be looked at.
    #[error(transparent)]
    Data(#[from] Error),
    /// What was found cannot be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// The file about the images of `plan`: equal for trials that have the same images.
    pub fn path_of_images(&self, plan: &DataPlan) -> PathBuf {
        let mut key =
            format!("{:?} {:?} {:?} {:?}", plan.source, plan.test, plan.image, plan.on_bad_image);
        if !plan.classes.is_empty() {
            key.push_str(&format!(" {:?}", plan.classes));
        }
        if plan.max_pixels != MOST_PIXELS {
            key.push_str(&format!(" {}", plan.max_pixels));
        }
        if plan.boxes != BoxPlan::default() {
            key.push_str(&format!(" {:?}", plan.boxes));
        }
        if !plan.fit.is_stretch() {
            key.push_str(&format!(" {:?}", plan.fit));
        }
        if let Some(own_size) = &plan.own_size {
            key.push_str(&format!(" {own_size:?}"));
        }
        if !plan.group.is_none() {
            let group = serde_json::to_string(&plan.group).expect("a group is plain data");
            key.push_str(&format!(" group {group}"));
        }
        if !plan.columns.are_usual() {
            key.push_str(&format!(" {:?}", plan.columns));
        }
        if plan.task.is_multi_label() {
            key.push_str(&format!(" {:?} {:?}", plan.task, plan.class_attributes));
        }
        if !plan.duplicates.are_kept() {
            key.push_str(&format!(" {:?}", plan.duplicates));
        }
        let name = &blake3::hash(key.as_bytes()).to_hex()[..16];
        layout::trials(&self.root).join(format!("{PREFIX}{name}.toml"))
    }

    /// Compares the images of `plan`, which are `dataset`, with those of earlier trials, and remembers them if
    /// there are none: whether they are the same.
    pub fn check_images(&self, plan: &DataPlan, dataset: &Dataset) -> Result<bool, ImagesError> {
        /// Trials that begin at once ask for the same images; one of them looks at the files.
        static LOOKS: Mutex<()> = Mutex::new(());
        let path = self.path_of_images(plan);
        let _looks = LOOKS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = Images::at(&path).map_err(ImagesError::Damaged)? {
            return Ok(known.fingerprint == dataset.fingerprint()?);
        }
        let images = Images {
            fingerprint: dataset.fingerprint()?.to_owned(),
            images: dataset.len(),
            set_aside: dataset.set_aside(),
            skipped: dataset.skipped().iter().map(ToString::to_string).collect(),
            copies: dataset.copies()?.sentence(),
            files_blake3: Vec::new(),
        };
        let files = Inventory::described(plan)?.hashed();
        write(&path, images, &files)?;
        Ok(true)
    }

    /// How the files of the images of `plan` differ from what they were when trials were run on them; none if nothing
    /// is known. `keeps` the dates of files that were touched only, so that they are not read the next time.
    pub fn changed_images(
        &self,
        plan: &DataPlan,
        keeps: bool,
    ) -> Result<Option<Changes>, ImagesError> {
        let path = self.path_of_images(plan);
        let Some(images) = Images::at(&path).map_err(ImagesError::Damaged)? else {
            return Ok(None);
        };
        let then = images.inventory(&path).map_err(ImagesError::Damaged)?;
        let mut now = Inventory::described(plan)?;
        let changes = then.changes(&mut now);
        if keeps && changes.is_empty() && now != then {
            write(&path, images, &now)?;
        }
        Ok(Some(changes))
    }

    /// Forgets what is known of the images of `plan`.
    pub fn forget_images(&self, plan: &DataPlan) {
        let path = self.path_of_images(plan);
        // Whoever needs it writes it anew.
        let _ = fs::remove_file(&path);
        let _ = fs::remove_file(path.with_extension("csv"));
    }

    /// The sets of images that trials were run on, in the order of their files' names.
    pub fn images(&self) -> Vec<(PathBuf, Images)> {
        let Ok(entries) = fs::read_dir(layout::trials(&self.root)) else { return Vec::new() };
        let mut paths: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
            .collect();
        paths.sort();
        let read = |path: PathBuf| Some((path.clone(), Images::at(&path).ok()??));
        paths.into_iter().filter_map(read).collect()
    }
}

/// Writes what is known of images. Whenever this is cut short, the table of files is one of the two that are named.
fn write(path: &Path, mut images: Images, files: &Inventory) -> Result<(), StoreError> {
    let table = path.with_extension("csv");
    let bytes = rows::table(&table, &files.files);
    let last = rows::last(&table, &bytes).to_string();
    images.files_blake3.retain(|check| *check != last);
    images.files_blake3.insert(0, last);
    images.files_blake3.truncate(2);
    let text = toml::to_string(&images).expect("images are plain data");
    write_whole(path, sealed(&text).as_bytes())?;
    write_as(&table, &bytes, Lasting::Power)
}
