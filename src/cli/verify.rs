//! `wick verify`: a results folder against its hashes.

use crate::basis::number::number;
use crate::sweep::verify;

use super::arguments::Verify;
use super::error::{Error, Result};
use super::exit::Exit;
use super::output::print;

/// Runs the command.
pub(super) fn verify(arguments: &Verify) -> Result {
    let root = arguments.folder.display();
    let found = verify::verify(&arguments.folder).map_err(Error::wrong)?;
    for damage in &found.foreign {
        print(&format!("note: {damage}\n"));
    }
    for (damage, way_out) in &found.damaged {
        print(&format!("{damage}\n  = help: {way_out}\n"));
    }
    let (trials, files) = (number(found.trials as u64), number(found.files as u64));
    if found.damaged.is_empty() {
        print(&format!(
            "{root}: {files} files of {trials} trials and their tables are as they were written\n"
        ));
        return Ok(());
    }
    let damaged = number(found.damaged.len() as u64);
    print(&format!(
        "{root}: {damaged} of {files} files are damaged, missing or of another moment\n"
    ));
    Err(Exit::Wrong.into())
}
