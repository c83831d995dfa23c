//! Names of classes that are written as numbers.
//!
//! Classes are the labels that occur, named by their numbers; a file `classes.txt` beside the data, one name a
//! line, names them better (line 1 is label 0).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::error::{Error, enumerate};
use super::listing::classes_of;
use crate::basis::regular;

/// The file with the names of classes.
const FILE: &str = "classes.txt";

/// The file in `folder` that names classes, if there is one.
pub(super) fn file(folder: &Path) -> Option<PathBuf> {
    Some(folder.join(FILE)).filter(|path| path.is_file())
}

/// The classes among labels that are numbers, in order, and each label's index into them. Their names stand in
/// `folder`, if they have any.
pub(super) fn classes(folder: &Path, values: &[u64]) -> Result<(Vec<String>, Vec<u32>), Error> {
    let path = folder.join(FILE);
    let names: Option<Vec<String>> = match regular::read_to_string(&path) {
        Ok(text) => Some(text.lines().map(|line| line.trim().to_owned()).collect()),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => None,
        Err(cause) => return Err(Error::unreadable(&path, &cause)),
    };
    let mut index: BTreeMap<u64, u32> = values.iter().map(|value| (*value, 0)).collect();
    let mut classes: Vec<String> = Vec::new();
    let mut known: BTreeSet<&str> = BTreeSet::new();
    for (value, place) in &mut index {
        *place = classes.len() as u32;
        let name = match &names {
            None => value.to_string(),
            Some(names) => {
                let at = usize::try_from(*value).unwrap_or(usize::MAX);
                match names.get(at).filter(|name| !name.is_empty()) {
                    Some(name) if known.insert(name) => name.clone(),
                    found => {
                        let line = value.saturating_add(1);
                        let problem = match found {
                            Some(name) => format!("line {line} names `{name}` again"),
                            None => format!("line {line} has no name for label {value}"),
                        };
                        return Err(Error::format(path.display().to_string(), problem));
                    }
                }
            }
        };
        classes.push(name);
    }
    Ok((classes, values.iter().map(|value| index[value]).collect()))
}

/// The classes among labels that are `written`, each once, and the index of each into them; if all are numbers, as
/// [`classes`] names them. They are those of `origin`.
pub(super) fn of_written(
    origin: &str,
    folder: &Path,
    written: &[String],
) -> Result<(Vec<String>, Vec<u32>), Error> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = |text: &String| text.parse::<u64>().ok().filter(|_| is_number(text));
    let is_negative = |text: &&String| text.strip_prefix('-').is_some_and(is_number);
    if let Some(negative) = written.iter().find(is_negative) {
        let problem = format!(
            "has the label {negative}, which stands for an image without a label; leave such images out"
        );
        return Err(Error::format(origin, problem));
    }
    if let Some(values) = written.iter().map(number).collect::<Option<Vec<u64>>>() {
        return classes(folder, &values);
    }
    let others: Vec<String> =
        written.iter().filter(|text| number(text).is_none()).cloned().collect();
    if let Some(path) = file(folder).filter(|_| others.len() < written.len()) {
        let problem = format!(
            "names classes that are numbers, but these labels of {origin} are none: {}; write all of them as numbers, or \
             all as names and remove the file",
            enumerate(&others)
        );
        return Err(Error::format(path.display().to_string(), problem));
    }
    Ok(classes_of(written))
}

/// A name that stands twice.
pub(super) fn twice(names: &[String]) -> Option<&str> {
    let mut sorted: Vec<&str> = names.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    sorted.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}
