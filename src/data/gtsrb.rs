//! The German Traffic Sign Recognition Benchmark (Stallkamp et al., "The German Traffic Sign
//! Recognition Benchmark", IJCNN 2011), with the boxes of its annotations.
//!
//! Two layouts are in use: the published archives (`…/00000/GT-00000.csv` beside the images of each
//! class, and `GT-final_test.csv` for the test images), and the one with `Train.csv` and `Test.csv`.
//! Tables have the columns `Filename` or `Path`, `ClassId` and `Roi.X1` to `Roi.Y2`.

use std::path::{Path, PathBuf};

use super::dataset::Part;
use super::error::Error;
use super::listing::{Listing, classes_of};
use super::manifest::{Rows, rows};
use crate::plan::data::{BoxPlan, Columns, Task};

/// Folders nested deeper than this are not looked into.
const MAX_DEPTH: usize = 6;

/// The images below `folder`.
pub(super) fn list(folder: &Path, boxes: BoxPlan) -> Result<Listing, Error> {
    let mut tables = Vec::new();
    search(folder, 0, &mut tables)?;
    tables.sort();
    if !tables.iter().any(|(part, _)| *part != Part::Test) {
        return Err(Error::layout(
            folder,
            "holds no annotations of training images: Train.csv, or GT-00000.csv and so on in the folders of classes",
        ));
    }
    let mut all = Rows::default();
    for (part, table) in tables {
        let mut rows = rows(&table, boxes, &Columns::default(), None, Task::SingleLabel)?;
        let inside = table.parent().and_then(|parent| parent.strip_prefix(folder).ok());
        for name in &mut rows.names {
            let path = inside.unwrap_or(Path::new("")).join(&*name);
            *name = path.to_string_lossy().replace('\\', "/");
        }
        rows.parts.fill(part);
        all.append(rows);
    }
    let (classes, labels) = classes_of(&all.labels);
    Ok(all.into_listing(folder.display().to_string(), classes, labels.into()))
}

/// Finds tables and says what their images are for.
fn search(folder: &Path, depth: usize, tables: &mut Vec<(Part, PathBuf)>) -> Result<(), Error> {
    let unreadable = |cause: std::io::Error| Error::unreadable(folder, &cause);
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase());
        let name = name.unwrap_or_default();
        if path.is_dir() {
            if depth < MAX_DEPTH {
                search(&path, depth + 1, tables)?;
            }
            continue;
        }
        let number = name.strip_prefix("gt-").and_then(|name| name.strip_suffix(".csv"));
        if name == "train.csv" || number.is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit())) {
            tables.push((Part::Train, path));
        } else if name == "test.csv" || name == "gt-final_test.csv" {
            tables.push((Part::Test, path));
        }
    }
    Ok(())
}
