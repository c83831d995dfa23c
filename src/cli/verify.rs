//! `wick verify`: a results folder against its hashes, and against a manifest that somebody has signed.

use std::path::Path;

use crate::basis::number::number;
use crate::results::manifest::{MANIFEST, Manifest};
use crate::sweep::{store, verify};

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
            "{root}: {files} files of {trials} trials and their tables are unchanged\n"
        ));
    } else {
        let damaged = number(found.damaged.len() as u64);
        print(&format!("{root}: {damaged} of {files} files are damaged, missing or out of date\n"));
    }
    if let Some(key) = &arguments.signed_by {
        signed(&arguments.folder, key)?;
    }
    if !found.damaged.is_empty() {
        return Err(Exit::Wrong.into());
    }
    if arguments.manifest {
        write(&arguments.folder)?;
    }
    Ok(())
}

/// Holds the files against the manifest that the owner of `key` has signed.
fn signed(root: &Path, key: &str) -> Result {
    let (manifest, comment) = Manifest::signed(root, key).map_err(Error::wrong)?;
    let found = Manifest::of(root).map_err(Error::wrong)?;
    let changes = manifest.changes(&found);
    for (name, what) in &changes {
        print(&format!("{}: {what} since the manifest was signed\n", root.join(name).display()));
    }
    if !changes.is_empty() {
        return Err(Exit::Wrong.into());
    }
    let files = number(manifest.files() as u64);
    print(&format!("{}: {files} files are as they were signed ({comment})\n", root.display()));
    Ok(())
}

/// Writes the manifest, to be signed.
fn write(root: &Path) -> Result {
    let manifest = Manifest::of(root).map_err(Error::wrong)?;
    let path = root.join(MANIFEST);
    store::write_whole(&path, manifest.to_text().as_bytes())
        .map_err(|error| Error::from(anyhow::Error::from(error)))?;
    let files = number(manifest.files() as u64);
    let path = path.display();
    print(&format!("wrote {path} with {files} files; sign it: minisign -Sm {path}\n"));
    Ok(())
}
