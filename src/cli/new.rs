//! `wick new`: an experiment file for a folder of images, from what is in it.

mod advice;

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};

use anyhow::Context;

use crate::data::{Measured, measure};

use super::arguments::New;
use super::error::{Error, Result};
use super::output::print;

/// Runs the command.
pub(super) fn new(arguments: &New) -> Result {
    let folder = &arguments.folder;
    let name = name(folder);
    let out = arguments.out.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.toml")));
    // Before anything is measured, which may take a while.
    if out.exists() {
        return Err(exists(&out));
    }
    let measured = measure(folder).map_err(Error::wrong)?;
    let text = advice::experiment(&name, &written(folder, &out)?, &measured);
    let file = OpenOptions::new().write(true).create_new(true).open(&out);
    match file {
        Ok(mut file) => file.write_all(text.as_bytes()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(exists(&out));
        }
        Err(error) => Err(error),
    }
    .with_context(|| format!("failed to write {}", out.display()))?;
    print(&found(folder, &measured));
    print(&format!("\nwrote {0}; next: wick check {0}, then wick run {0}\n", shown(&out)));
    Ok(())
}

fn exists(out: &Path) -> Error {
    let out = out.display();
    Error::wrong(format!("{out} exists and is not changed; --out FILE writes another file"))
}

/// The folder's own name, as far as an experiment can be called so.
fn name(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    let name: String = name
        .unwrap_or_default()
        .chars()
        .map(|c| if c.is_alphanumeric() || "-_.+".contains(c) { c } else { '-' })
        .collect();
    match name.trim_start_matches(['.', '-']) {
        "" => "images".to_owned(),
        name => name.to_owned(),
    }
}

/// The folder as it is written in the file `out`, whose own folder paths in it start from.
fn written(folder: &Path, out: &Path) -> Result<String> {
    let base = out.parent().unwrap_or(Path::new(""));
    let goes_down = |path: &Path| {
        path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
    };
    let path = if folder.is_absolute() {
        folder.to_owned()
    } else if let Ok(within) = folder.strip_prefix(base) {
        match within.as_os_str().is_empty() {
            true => PathBuf::from("."),
            false => within.to_owned(),
        }
    } else if goes_down(base) {
        let steps = base.components().filter(|part| matches!(part, Component::Normal(_)));
        steps.map(|_| Path::new("..")).collect::<PathBuf>().join(folder)
    } else {
        folder.canonicalize().with_context(|| format!("failed to find {}", folder.display()))?
    };
    Ok(path.display().to_string())
}

/// A path for a command line.
fn shown(path: &Path) -> String {
    let text = path.display().to_string();
    if text.contains(' ') { format!("\"{text}\"") } else { text }
}

/// What is in the folder.
fn found(folder: &Path, measured: &Measured) -> String {
    let counts = measured.classes.iter().map(|(_, count)| *count);
    let (least, most) = (counts.clone().min().unwrap_or(0), counts.clone().max().unwrap_or(0));
    let learnt: usize = counts.sum();
    let each = match least == most {
        true => format!("{most} of each"),
        false => format!("{least} to {most} of each"),
    };
    let mut text = format!(
        "{}: {} classes, {learnt} training images, {each}{}\n",
        folder.display(),
        measured.classes.len(),
        advice::declared(measured)
    );
    let spread = |[least, median, most]: [usize; 3]| match least == most {
        true => format!("{median}"),
        false => format!("{least} to {most} (median {median})"),
    };
    let _ = writeln!(
        text,
        "height {}, width {}; {}",
        spread(measured.heights),
        spread(measured.widths),
        match measured.readable - measured.coloured {
            0 => "all with colours".to_owned(),
            gray if gray == measured.readable => "all gray".to_owned(),
            gray => format!("{} with colours, {gray} gray", measured.coloured),
        }
    );
    if !measured.bad.is_empty() {
        let count = match measured.bad.len() {
            1 => "1 file".to_owned(),
            count => format!("{count} files"),
        };
        let _ = writeln!(text, "{count} cannot be read, left out:");
        for bad in measured.bad.iter().take(5) {
            let _ = writeln!(text, "  {bad}");
        }
        if measured.bad.len() > 5 {
            let _ = writeln!(text, "  … and {} more", measured.bad.len() - 5);
        }
    }
    text
}
