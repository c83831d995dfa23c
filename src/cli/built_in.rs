//! `wick presets` and `wick examples`: files that are built into the program, listed or printed.

use crate::config::examples::EXAMPLES;
use crate::config::presets::PRESETS;
use crate::document::suggest;

use super::arguments::{Examples, Presets};
use super::error::{Error, Result};
use super::output::{print, print_data};

/// Name and text.
type Files = &'static [(&'static str, &'static str)];

/// Runs `wick presets`.
pub(super) fn presets(arguments: &Presets) -> Result {
    show("preset", &PRESETS, arguments.name.as_deref())
}

/// Runs `wick examples`.
pub(super) fn examples(arguments: &Examples) -> Result {
    show("example", &EXAMPLES, arguments.name.as_deref())
}

/// Lists `files`, or prints the file called `name`. Messages call a file a `kind`.
fn show(kind: &str, files: Files, name: Option<&str>) -> Result {
    let Some(name) = name else {
        let width = files.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, text) in files {
            print(&format!("{name:width$}  {}\n", headline(text)));
        }
        return Ok(());
    };
    if let Some((_, text)) = files.iter().find(|(other, _)| *other == name) {
        print_data(text);
        return Ok(());
    }
    let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    let near = suggest::nearest(name, &names).map(|near| format!(": did you mean \"{near}\"?"));
    Err(Error::wrong(format!(
        "there is no {kind} \"{name}\"{}\nthe {kind}s are listed by: wick {kind}s",
        near.unwrap_or_default()
    )))
}

/// The first sentence of a file's opening comment.
fn headline(text: &str) -> String {
    let comment: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("# ")).collect();
    let comment = comment.join(" ");
    // "al." and "1.1" end no sentence.
    let end = comment
        .match_indices(". ")
        .map(|(end, _)| end)
        .find(|end| !comment[..*end].ends_with("al"));
    comment[..end.unwrap_or(comment.trim_end_matches('.').len())].to_owned()
}
