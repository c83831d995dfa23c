//! `wick presets`: the built-in networks, listed or printed.

use anyhow::Result;

use crate::config::presets::{PRESETS, nearest, text};

use super::arguments::Presets;
use super::exit::{Exit, print, say};

/// Runs the command.
pub(super) fn presets(arguments: &Presets) -> Result<Exit> {
    let Some(name) = &arguments.name else {
        let width = PRESETS.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, text) in PRESETS {
            print(&format!("{name:width$}  {}\n", headline(text)));
        }
        return Ok(Exit::Done);
    };
    match text(name) {
        Some(text) => {
            print(text);
            Ok(Exit::Done)
        }
        None => {
            let near = nearest(name).map(|near| format!(": did you mean \"{near}\"?"));
            say(&format!("error: there is no preset \"{name}\"{}\n", near.unwrap_or_default()));
            say("the presets are listed by: wick presets\n");
            Ok(Exit::Wrong)
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
