//! Which images of a listing belong together, by the paths of their files.

use std::collections::BTreeSet;

use super::dataset::Part;
use super::error::{Error, enumerate};
use super::listing::Listing;
use crate::plan::data::{Group, Source};

/// Notes the group of each image whose class takes part. A column of a table has been read with its rows.
///
/// # Errors
/// If an image belongs to no group.
pub(super) fn group(listing: &mut Listing, source: &Source, how: &Group) -> Result<(), Error> {
    let has_folders = matches!(source, Source::Folder(_));
    let names = || listing.names.iter().zip(&listing.parts);
    let found: Vec<Option<String>> = match how {
        Group::None => return Ok(()),
        Group::By(_) if !listing.groups.is_empty() => return Ok(()),
        Group::By(column) if column == "folder" && has_folders => {
            let folder = |name: &str| name.rsplit_once('/').map(|(folder, _)| folder.to_owned());
            names().map(|(name, _)| folder(name)).collect()
        }
        Group::FolderPrefix(folders) if has_folders => {
            names().map(|(name, part)| prefix(name, *part, *folders)).collect()
        }
        Group::Name(pattern) if source.has_names() => {
            let pattern = pattern.compiled().map_err(|m| Error::format(&*listing.origin, m))?;
            let captured = |name: &str| Some(pattern.captures(name)?.get(1)?.as_str().to_owned());
            names().map(|(name, _)| captured(name)).collect()
        }
        Group::By(_) | Group::FolderPrefix(_) | Group::Name(_) => {
            return Err(Error::format(
                &*listing.origin,
                "its images have no groups as in data.group; all sources of an experiment need the same kind of \
                 groups, such as { name = \"…\" }",
            ));
        }
    };
    let takes_part = |index: &usize| listing.takes_part(*index);
    let alone = |index: &usize| takes_part(index) && found[*index].is_none();
    let alone: Vec<String> =
        (0..found.len()).filter(alone).map(|index| listing.names[index].clone()).collect();
    if !alone.is_empty() {
        let why = match how {
            Group::Name(pattern) => format!("\"{}\" is not found in their paths", pattern.0),
            _ => "their paths have fewer folders inside of the class's".to_owned(),
        };
        return Err(Error::format(
            &*listing.origin,
            format!(
                "{} of its images are in no group, as {why}: {}",
                alone.len(),
                enumerate(&alone)
            ),
        ));
    }
    listing.groups = found.into_iter().map(Option::unwrap_or_default).collect();
    Ok(())
}

/// The first `folders` folders inside of the class's in the path of an image, which stands in a folder for
/// its part if one is declared.
fn prefix(name: &str, part: Part, folders: usize) -> Option<String> {
    let outer = if part == Part::Undeclared { 1 } else { 2 };
    let path: Vec<&str> = name.split('/').collect();
    // The last one is the file.
    let inside = path.get(outer..path.len().saturating_sub(1))?;
    Some(inside.get(..folders)?.join("/"))
}

/// No group of `training` images is among `tested` ones.
///
/// # Errors
/// If one is.
pub(super) fn apart<'a>(
    origin: &str,
    training: impl Iterator<Item = &'a String>,
    tested: impl Iterator<Item = &'a String>,
) -> Result<(), Error> {
    let known: BTreeSet<&String> = training.collect();
    let shared: BTreeSet<&String> = tested.filter(|group| known.contains(group)).collect();
    match shared.first() {
        None => Ok(()),
        Some(group) => Err(Error::TornGroup {
            origin: origin.to_owned(),
            group: (*group).clone(),
            more: shared.len() - 1,
            parts: [Part::Train.word(), Part::Test.word()],
        }),
    }
}
