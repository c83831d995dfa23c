//! The house: a file imports only storeys below its own, and rooms on one storey do not know each other.
//! The compiler holds this between the crates under `crates/`, these tests between the rooms of `src/`.

use std::fs;
use std::path::{Path, PathBuf};

/// The storeys, lowest first; each lists its rooms. The crates are rooms too: `lib.rs` calls them so.
const STOREYS: [&[&str]; 12] = [
    &["basis"],
    &["augment", "charts", "document"],
    &["config"],
    &["plan"],
    &["kernels", "data", "weights", "results"],
    &["model"],
    &["transfer"],
    &["train"],
    &["sweep"],
    &["analysis", "progress"],
    &["export", "report", "terminal"],
    &["cli"],
];

/// The first storey that may know candle.
const CANDLE_FROM: usize = 4;

fn storey(room: &str) -> Option<usize> {
    STOREYS.iter().position(|rooms| rooms.contains(&room))
}

fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

#[test]
fn every_file_imports_only_storeys_below_its_own() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let relative = file.strip_prefix(&src).unwrap();
        let room = relative.iter().next().unwrap().to_str().unwrap();
        if matches!(room, "lib.rs" | "main.rs") {
            continue;
        }
        let home =
            storey(room).unwrap_or_else(|| panic!("{room} has no storey: add it to this test"));
        for (number, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            let place = || format!("{}:{}: {}", relative.display(), number + 1, line.trim());
            if home < CANDLE_FROM && line.contains("candle_") {
                wrong.push(format!("{} (candle below storey {CANDLE_FROM})", place()));
            }
            for import in line.split("crate::").skip(1) {
                let name: String =
                    import.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let Some(other) = storey(&name) else { continue };
                if other > home || (name != room && other == home) {
                    wrong.push(format!("{} ({room} may not import {name})", place()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "imports against the storeys:\n{}", wrong.join("\n"));
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    let mut files = Vec::new();
    for folder in ["src", "crates", "tests"] {
        rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut files);
    }
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//!"), "{} does not open with //!", file.display());
    }
}
