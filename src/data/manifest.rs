//! A table of images in CSV.
//!
//! ```csv
//! path,label,split,x1,y1,x2,y2
//! images/0001.png,stop,train,5,5,48,49
//! ```
//!
//! `path` is relative to the table and `label` a name or a number. Optional: `split` (train,
//! validation, test, or empty for "not declared") and a box of pixels with x1 ≤ x < x2 and
//! y1 ≤ y < y2, to which the image is cropped. Other columns are passed over, unless their names
//! look like a misspelt optional one: an unnoticed `spilt` would let test images into training.

use std::path::Path;

use super::dataset::Part;
use super::error::{Error, reason};
use super::listing::{Crop, ImageFile, Images, Listing, classes_of};

const SPLIT: &str = "split";
const BOX: [&str; 4] = ["x1", "y1", "x2", "y2"];

/// Where the columns are.
struct Columns {
    path: usize,
    label: usize,
    split: Option<usize>,
    crop: Option<[usize; 4]>,
}

/// The images of the table at `path`.
pub(super) fn list(path: &Path) -> Result<Listing, Error> {
    let file = std::fs::read(path).map_err(|cause| Error::unreadable(path, &cause))?;
    let name = path.display().to_string();
    let broken = |error: csv::Error| Error::format(name.clone(), in_words(&error));
    let mut table = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file.as_slice());
    let columns = Columns::find(table.headers().map_err(broken)?, &name)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let (mut written, mut parts, mut names, mut files) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for record in table.records() {
        let record = record.map_err(broken)?;
        let line = record.position().map_or(0, csv::Position::line);
        let wrong = |problem: String| Error::format(format!("{name}:{line}"), problem);
        let cell = |column: usize| record.get(column).unwrap_or("");
        let (image, label) = (cell(columns.path), cell(columns.label));
        if image.is_empty() || label.is_empty() {
            let empty = if image.is_empty() { "path" } else { "label" };
            return Err(wrong(format!("the {empty} is empty; every row needs a path and a label")));
        }
        let crop = match columns.crop {
            Some(places) => crop(places.map(cell)).map_err(wrong)?,
            None => None,
        };
        parts.push(columns.split.map_or(Ok(Part::Undeclared), |at| part(cell(at))).map_err(wrong)?);
        written.push(label.to_owned());
        names.push(image.to_owned());
        files.push(ImageFile { path: folder.join(image), crop });
    }
    if files.is_empty() {
        return Err(Error::format(name, "lists no images; every row names one"));
    }
    let (classes, labels) = classes_of(&written);
    Ok(Listing { origin: name, classes, labels, parts, names, images: Images::Files(files) })
}

impl Columns {
    fn find(header: &csv::StringRecord, file: &str) -> Result<Columns, Error> {
        let header: Vec<String> = header.iter().map(str::to_lowercase).collect();
        let find = |name: &str| header.iter().position(|column| column == name);
        let found = || header.join(", ");
        let needed = |name: &str| {
            find(name).ok_or_else(|| {
                Error::format(
                    file,
                    format!("has no column `{name}`; its first line names {}; `path` and `label` are needed", found()),
                )
            })
        };
        let (path, label, split) = (needed("path")?, needed("label")?, find(SPLIT));
        let corners = BOX.map(find);
        let crop = match corners {
            [Some(x1), Some(y1), Some(x2), Some(y2)] => Some([x1, y1, x2, y2]),
            [None, None, None, None] => None,
            _ => {
                let problem = "has some of the columns x1, y1, x2, y2; a box needs all four";
                return Err(Error::format(file, problem));
            }
        };
        let known =
            |column: &str| ["path", "label", SPLIT].contains(&column) || BOX.contains(&column);
        for column in header.iter().filter(|column| !known(column)) {
            if split.is_none() && strsim::damerau_levenshtein(column, SPLIT) <= 2 {
                return Err(Error::format(
                    file,
                    format!("has a column `{column}`; did you mean `{SPLIT}`? (rename it)"),
                ));
            }
        }
        Ok(Columns { path, label, split, crop })
    }
}

fn part(written: &str) -> Result<Part, String> {
    match written.to_lowercase().as_str() {
        "" => Ok(Part::Undeclared),
        "train" | "training" => Ok(Part::Train),
        "val" | "valid" | "validation" => Ok(Part::Validation),
        "test" | "testing" => Ok(Part::Test),
        _ => Err(format!("the split `{written}` is not one of train, validation and test")),
    }
}

fn crop(cells: [&str; 4]) -> Result<Option<Crop>, String> {
    if cells.iter().all(|cell| cell.is_empty()) {
        return Ok(None);
    }
    let number = |cell: &str| cell.parse::<u32>();
    match cells.map(number) {
        [Ok(left), Ok(top), Ok(right), Ok(bottom)] if left < right && top < bottom => {
            Ok(Some(Crop { left, top, right, bottom }))
        }
        _ => Err(format!(
            "the box {} is not four whole numbers with x1 < x2 and y1 < y2",
            cells.join(",")
        )),
    }
}

fn in_words(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Io(cause) => reason(cause),
        csv::ErrorKind::Utf8 { .. } => "is not UTF-8 text".to_owned(),
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => format!(
            "line {} has {len} cells where the first line names {expected_len} columns",
            pos.as_ref().map_or(0, csv::Position::line)
        ),
        _ => error.to_string().to_lowercase(),
    }
}
