//! The pictures that are in a results folder: found by looking, and told by their numbers.

use std::fs;
use std::path::{Path, PathBuf};

use crate::data::Stamp;

/// Pictures that are told.
const MOST: usize = 400;
/// Folders beside those of trials that are looked into.
const FOLDERS: usize = 50;
/// Bytes of a picture that is told.
const BYTES: u64 = 32 << 20;

/// The endings of names, and the types of what they hold.
const KINDS: [(&str, &str); 6] = [
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("svg", "image/svg+xml"),
];

/// A picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Picture {
    path: PathBuf,
    /// What it is called: its path in the results folder, or its name and that of its trial.
    pub(super) name: String,
    kind: &'static str,
    stamp: Stamp,
    /// Which of its contents this is, counted from 1.
    pub(super) edition: u32,
    /// Whether it is there still.
    pub(super) is_there: bool,
}

/// The pictures of a results folder. A picture keeps its number.
#[derive(Debug, Default)]
pub(super) struct Pictures {
    all: Vec<Picture>,
    /// The folders beside those of trials, as they were looked into last.
    folders: Vec<Looked>,
    root: Looked,
}

/// A folder as it was looked into last.
#[derive(Clone, Debug, Default)]
struct Looked {
    path: PathBuf,
    stamp: Option<Stamp>,
    /// Whether it was another one than before. A date has steps of some milliseconds, so that what happens in the one in
    /// which somebody looks does not change it: it is looked into once more.
    is_fresh: bool,
}

impl Looked {
    /// Whether it has to be looked into now.
    fn is_due(&mut self) -> bool {
        let stamp = Stamp::of(&self.path);
        let is_other = stamp != self.stamp;
        self.stamp = stamp;
        std::mem::replace(&mut self.is_fresh, is_other) || is_other
    }
}

impl Pictures {
    /// The pictures with their numbers.
    pub(super) fn all(&self) -> impl Iterator<Item = (usize, &Picture)> {
        self.all.iter().enumerate().filter(|(_, picture)| picture.is_there)
    }

    /// The file of a picture, and its type.
    pub(super) fn file(&self, number: usize) -> Option<(PathBuf, &'static str)> {
        let picture = self.all.get(number).filter(|picture| picture.is_there)?;
        Some((picture.path.clone(), picture.kind))
    }

    /// Looks into the results folder `root` and the folders in it, but not into those of trials: whether there is
    /// anything new.
    pub(super) fn look(&mut self, root: &Path) -> bool {
        let mut is_new = false;
        self.root.path = root.to_owned();
        if self.root.is_due() {
            is_new |= self.look_into(root, |name| name.to_owned());
            let mut known = std::mem::take(&mut self.folders);
            let found = folders(root).into_iter().take(FOLDERS);
            self.folders = found
                .map(|path| match known.iter().position(|it| it.path == path) {
                    Some(place) => known.swap_remove(place),
                    None => Looked { path, ..Looked::default() },
                })
                .collect();
        }
        for index in 0..self.folders.len() {
            if self.folders[index].is_due() {
                let folder = self.folders[index].path.clone();
                let of = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
                is_new |= self.look_into(&folder, |name| format!("{of}/{name}"));
            }
        }
        is_new
    }

    /// Looks for pictures in `folder`, which `called` calls by their names there: whether there is anything new.
    pub(super) fn look_into(&mut self, folder: &Path, called: impl Fn(&str) -> String) -> bool {
        let mut found: Vec<(PathBuf, String, &'static str)> = fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            // A link may lead to what is none of this folder.
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
            .filter_map(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                let (_, ending) = name.rsplit_once('.')?;
                let ending = ending.to_ascii_lowercase();
                let (_, kind) = KINDS.into_iter().find(|(known, _)| *known == ending)?;
                Some((entry.path(), name, kind))
            })
            .collect();
        found.sort();
        let mut is_new = false;
        for picture in self.all.iter_mut().filter(|it| it.path.parent() == Some(folder)) {
            let is_there = found.iter().any(|(path, ..)| *path == picture.path);
            is_new |= picture.is_there != is_there;
            picture.is_there = is_there;
        }
        for (path, name, kind) in found {
            let Some(stamp) = Stamp::of(&path).filter(|stamp| stamp.bytes <= BYTES) else {
                continue;
            };
            match self.all.iter().position(|picture| picture.path == path) {
                Some(known) if self.all[known].stamp == stamp => {}
                Some(known) => {
                    self.all[known].stamp = stamp;
                    self.all[known].edition += 1;
                    is_new = true;
                }
                None if self.all.len() < MOST => {
                    let name = called(&name);
                    self.all.push(Picture { path, name, kind, stamp, edition: 1, is_there: true });
                    is_new = true;
                }
                None => {}
            }
        }
        is_new
    }
}

/// The folders in `root` that may hold pictures.
fn folders(root: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = fs::read_dir(root)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            !name.starts_with('.') && name != "trials" && name != "slurm"
        })
        .map(|entry| entry.path())
        .collect();
    folders.sort();
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pictures: &Pictures) -> Vec<(usize, String, u32)> {
        pictures.all().map(|(n, it)| (n, it.name.clone(), it.edition)).collect()
    }

    #[test]
    fn pictures_are_told_as_they_come_change_and_go() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let mut pictures = Pictures::default();
        // More than a step of the dates lies between two looks.
        let pause = || std::thread::sleep(std::time::Duration::from_millis(30));
        assert!(!pictures.look(root));
        pause();
        fs::write(root.join("sheet.png"), "1").unwrap();
        fs::write(root.join("report.html"), "1").unwrap();
        fs::create_dir_all(root.join("trials/a")).unwrap();
        fs::write(root.join("trials/b.png"), "1").unwrap();
        assert!(pictures.look(root));
        assert_eq!(names(&pictures), [(0, "sheet.png".to_owned(), 1)]);
        assert!(!pictures.look(root));
        pause();
        fs::create_dir(root.join("figures")).unwrap();
        fs::write(root.join("figures/A.SVG"), "1").unwrap();
        assert!(pictures.look(root));
        assert_eq!(pictures.file(1).unwrap().1, "image/svg+xml");
        pause();
        // Written anew beside itself, as all that wick writes.
        fs::write(root.join("new"), "22").unwrap();
        fs::rename(root.join("new"), root.join("sheet.png")).unwrap();
        assert!(pictures.look(root));
        assert_eq!(names(&pictures)[0], (0, "sheet.png".to_owned(), 2));
        pause();
        fs::remove_file(root.join("sheet.png")).unwrap();
        assert!(pictures.look(root));
        assert_eq!(names(&pictures), [(1, "figures/A.SVG".to_owned(), 1)]);
        assert_eq!(pictures.file(0), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_no_picture() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("secret"), "1").unwrap();
        let root = folder.path().join("results");
        fs::create_dir(&root).unwrap();
        std::os::unix::fs::symlink("../secret", root.join("a.png")).unwrap();
        std::os::unix::fs::symlink("..", root.join("figures")).unwrap();
        let mut pictures = Pictures::default();
        assert!(!pictures.look(&root));
        assert!(names(&pictures).is_empty());
    }
}
