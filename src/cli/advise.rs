//! `wick advise`: which of the four cases of transfer an experiment's data is in, measured.

use crate::config::layering::load;
use crate::data::Cache;
use crate::document::{Content, Node, Problems};
use crate::plan::resolve::advisable;
use crate::plan::transfer::Case;
use crate::sweep::memory::hold_before;
use crate::sweep::survey::{self, Files};
use crate::terminal::advice::advice;

use super::arguments::{Advise, Written};
use super::check::width;
use super::error::{Error, Result};
use super::output::print;

/// Runs the command.
pub(super) fn advise(arguments: &Advise) -> Result {
    let root = load(&arguments.written.request())?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let images = Cache::new(cores);
    hold_before(&images, &root, &arguments.written.results);
    let files = Files::new(&images, &arguments.written.results);
    let (plan, border) =
        advisable(&root, &files).map_err(|problems| Problems::located(problems, &root))?;
    let (evidence, found) = survey::advice(&plan, border, &images).map_err(Error::trouble)?;
    print(&advice(&evidence, &found, width()));
    if let Some(command) = comparison(&root, &arguments.written) {
        print(&format!(
            "\nThe textbook is not always right. All four cases on this data, five seeds:\n\n  {command}\n"
        ));
    }
    Ok(())
}

/// Keys of `[transfer]` that win over what a case says.
const OVER_A_CASE: [&str; 4] = ["cut", "init", "freeze", "unfreeze"];

/// The run that holds advice against training; none where the file settles more than a case, or sweeps
/// something already.
fn comparison(root: &Node, written: &Written) -> Option<String> {
    let entries = |table: &str| match root.get(table).map(|node| &node.content) {
        Some(Content::Table(entries)) => &entries[..],
        _ => &[],
    };
    let settles = entries("transfer").iter().any(|entry| OVER_A_CASE.contains(&&entry.key[..]));
    let sweeps = !entries("sweep").is_empty();
    let Some(Content::String(name)) = root.get("name").map(|node| &node.content) else {
        return None;
    };
    if settles || sweeps {
        return None;
    }
    let request = written.request();
    let cases = Case::ALL.map(|case| format!("\"{}\"", case.name())).join(", ");
    let mut words = vec!["wick run".to_owned(), quoted(&request.file.display().to_string())];
    words.extend(request.profile.map(|profile| format!("--profile {}", quoted(&profile))));
    let own = [
        format!("name={name}-cases"),
        "sweep.seeds=5".to_owned(),
        format!("sweep.grid.\"transfer.case\"=[{cases}]"),
    ];
    words.extend(request.sets.into_iter().chain(own).map(|set| format!("--set {}", quoted(&set))));
    Some(words.join(" "))
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=+:,@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_reach_a_shell_as_they_are() {
        assert_eq!(quoted("train.epochs=3"), "train.epochs=3");
        assert_eq!(quoted("name=a b"), "'name=a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
