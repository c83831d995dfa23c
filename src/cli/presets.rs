//! `wick presets`: the built-in networks, listed or printed.

use crate::config::presets::{PRESETS, nearest, text};

use super::arguments::Presets;
use super::error::{Error, Result};
use super::output::{print, print_data};

/// Runs the command.
pub(super) fn presets(arguments: &Presets) -> Result {
    let Some(name) = &arguments.name else {
        let width = PRESETS.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, text) in PRESETS {
            print(&format!("{name:width$}  {}\n", headline(text)));
        }
        return Ok(());
    };
    match text(name) {
        Some(text) => {
            print_data(text);
            Ok(())
        }
        None => {
            let near = nearest(name).map(|near| format!(": did you mean \"{near}\"?"));
            Err(Error::wrong(format!(
                "there is no preset \"{name}\"{}\nthe presets are listed by: wick presets",
                near.unwrap_or_default()
            )))
        }
    }
}

/// The first sentence of a preset's opening comment.
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
