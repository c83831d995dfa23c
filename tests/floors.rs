//! The house: a file imports only storeys below its own, and rooms on one storey do not know each other.
//! The compiler holds this between the crates under `crates/`, these tests between the rooms of `src/`.

use std::fs;
use std::path::{Path, PathBuf};

/// The storeys, lowest first; each lists its rooms. The crates are rooms too: `lib.rs` calls them so.
const STOREYS: [&[&str]; 13] = [
    &["basis"],
    &["augment", "charts", "document", "looks", "measures", "weights"],
    &["config"],
    &["plan"],
    &["kernels", "data", "results"],
    &["model"],
    &["look", "transfer"],
    &["train"],
    &["sweep"],
    &["analysis", "progress"],
    &["export", "report", "terminal"],
    &["watch"],
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

/// Of each kind one that is there, as code names it, and how many files may name it. Tests do not count.
const VARIANTS: [(&str, &[&str], usize); 5] = [
    ("an activation", &["Gelu", "\"gelu\""], 4),
    ("a layer", &["AvgPool", "AvgPoolPlan", "\"avg-pool\""], 7),
    ("a data source", &["Gtsrb", "gtsrb"], 5),
    ("an optimiser", &["Rmsprop", "\"rmsprop\""], 4),
    ("a transform", &["ToSepia", "to_sepia", "\"to-sepia\""], 4),
];

/// Whether `word` stands in `line`, not as a part of a longer one.
fn names(line: &str, word: &str) -> bool {
    let belongs = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(belongs) && !line[at + word.len()..].starts_with(belongs)
    })
}

#[test]
fn a_new_variant_costs_no_more_files_than_the_table_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let mut files = Vec::new();
    for folder in ["src", "crates"] {
        rust_files(&root.join(folder), &mut files);
    }
    let texts: Vec<String> = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    // Modules that only tests have.
    let of_tests: Vec<&str> = texts
        .iter()
        .flat_map(|text| text.split("#[cfg(test)]\n").skip(1))
        .filter_map(|rest| rest.lines().next()?.strip_suffix(';')?.split("mod ").nth(1))
        .collect();
    // The names of its folders and its own, without the ending.
    let parts = |file: &Path| -> Vec<String> {
        let module = file.strip_prefix(root).unwrap().with_extension("");
        module.iter().map(|part| part.to_str().unwrap().to_owned()).collect()
    };
    for (kind, words, most) in VARIANTS {
        assert!(table.contains(&format!("| {kind} ({most} files)")), "the table on {kind}");
        let is_named = |(file, text): &(&PathBuf, &String)| {
            let parts = parts(file);
            let own = words.contains(&parts.last().unwrap().as_str());
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let mut code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            let mut in_code = || code.any(|line| words.iter().any(|word| names(line, word)));
            !parts.iter().any(|part| of_tests.contains(&part.as_str())) && (own || in_code())
        };
        let named: Vec<_> =
            files.iter().zip(&texts).filter(is_named).map(|(file, _)| file).collect();
        assert!(!named.is_empty() && named.len() <= most, "{kind} is named in {named:#?}");
    }
}
