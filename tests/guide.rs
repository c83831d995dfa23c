//! The guide: its files are checked, its commands are run with little data and few epochs, and its links lead somewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::bench::{Bench, bare};

const PAGES: [&str; 6] =
    ["first-experiment", "comparing", "transfer-cases", "coming-from", "lecture", "sameness"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The blocks of a page: language and text.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in page.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => open = Some((language.to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some((_, text)), None) => *text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

/// A folder with all that the guide takes for granted: two folders of images, a table, the experiments.
fn folder() -> Bench {
    let bench = Bench::new("");
    let (mut table, mut boxes) =
        ("image_path,label\n".to_owned(), "path,label,x1,y1,x2,y2\n".to_owned());
    for (class, name) in ["bird", "bug", "fruit"].into_iter().enumerate() {
        for number in 0..12 {
            for folder in ["photos", "signs"] {
                let folder = bench.path().join(folder).join(name);
                fs::create_dir_all(&folder).unwrap();
                let shade = |x: u32, y: u32| (x * y * (number + 1)) as u8 / 2;
                let image = image::RgbImage::from_fn(24, 24, |x, y| {
                    let mut pixel = [shade(x, y); 3];
                    pixel[class] = 250;
                    image::Rgb(pixel)
                });
                image.save(folder.join(format!("p{number:02}_1.png"))).unwrap();
            }
            table += &format!("photos/{name}/p{number:02}_1.png,{name}\n");
            boxes += &format!("photos/{name}/p{number:02}_1.png,{name},4,4,20,20\n");
        }
    }
    bench.write("photos.csv", &table);
    bench.write("boxes.csv", &boxes);
    let experiments = bench.path().join("experiments");
    fs::create_dir_all(&experiments).unwrap();
    for entry in fs::read_dir(root().join("experiments")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, experiments.join(path.file_name().unwrap())).unwrap();
    }
    bench
}

/// Words of a command line, of which those in single quotes are one.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for letter in line.chars().chain([' ']) {
        match letter {
            '\'' => quoted = !quoted,
            ' ' if !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            other => word.push(other),
        }
    }
    assert!(!quoted, "{line}");
    words
}

/// Runs a command of the guide. Experiments of the repository are only checked, unless they are the quick start; others
/// learn from few images for one epoch. What needs the results of one that was not run has to have the right options.
fn follow(bench: &Bench, line: &str, ran: &mut BTreeSet<String>) {
    let mut words = words(line);
    if words[0] == "cmp" {
        let [one, other] = [1, 2].map(|word| fs::read(bench.path().join(&words[word])).unwrap());
        assert_eq!(one, other, "{line}");
        return;
    }
    assert_eq!(words[0], "wick", "{line}");
    let mut arguments = words.split_off(1);
    let is_foreign = |word: &String| {
        word.strip_prefix("experiments/").is_some_and(|name| name != "quickstart.toml")
    };
    // What stands in the file may need an experiment that was not run.
    let mut may_lack = arguments.iter().any(|word| word.contains("transfer-four-cases"));
    if arguments[0] == "run" {
        match arguments.iter().any(is_foreign) {
            true => "check".clone_into(&mut arguments[0]),
            false => {
                let few = ["--quiet", "--set", "train.epochs=1", "--set"];
                arguments.extend(few.map(str::to_owned));
                arguments.push("data.subset={ per-class = 3 }".to_owned());
                let given = arguments.iter().position(|word| word == "--results");
                let name = Path::new(&arguments[1]).file_stem().unwrap().to_str().unwrap();
                let results = given.map_or("results", |place| &arguments[place + 1]);
                ran.insert(format!("{results}/{name}"));
            }
        }
    } else {
        let of_results = |word: &&String| {
            (word.starts_with("results/") || word.starts_with("one/")) && !word.ends_with(".toml")
        };
        may_lack |= arguments.iter().find(of_results).is_some_and(|word| !ran.contains(word));
    }
    let output = bare(env!("CARGO_BIN_EXE_wick"))
        .current_dir(bench.path())
        .args(&arguments)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    match may_lack {
        true => assert!(
            ["unexpected argument", "invalid value", "unrecognized"]
                .iter()
                .all(|words| !errors.contains(words)),
            "{line}: {errors}"
        ),
        false => assert_eq!(output.status.code(), Some(0), "{line} ({arguments:?}): {errors}"),
    }
}

#[test]
fn every_file_and_command_of_the_guide_works() {
    for name in PAGES {
        let bench = folder();
        let page = fs::read_to_string(root().join(format!("docs/guide/{name}.md"))).unwrap();
        let mut ran = BTreeSet::new();
        let (mut files, mut commands) = (0, 0);
        for (language, text) in blocks(&page) {
            match &*language {
                "toml" => {
                    let first = text.lines().next().unwrap();
                    let file = first.strip_prefix("# ").filter(|file| file.ends_with(".toml"));
                    let Some(file) = file else { continue };
                    bench.write(file, &text);
                    bench.done(&["check", file]);
                    files += 1;
                }
                "sh" => {
                    for line in text.lines() {
                        follow(&bench, line, &mut ran);
                        commands += 1;
                    }
                }
                _ => {}
            }
        }
        assert!(commands > 0 && (files > 0 || name != "lecture"), "{name}");
    }
}

/// All pages in a folder and in its folders, by name.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(pages(&path));
        } else if path.extension().is_some_and(|ending| ending == "md") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The anchors of a page: its headings as they stand in addresses.
fn anchors(page: &str) -> BTreeSet<String> {
    let mut is_code = false;
    let mut anchors = BTreeSet::new();
    for line in page.lines() {
        is_code ^= line.starts_with("```");
        if is_code || !line.starts_with('#') {
            continue;
        }
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        anchors.insert(kept.map(|c| if c == ' ' { '-' } else { c }).collect());
    }
    anchors
}

#[test]
fn every_link_of_the_docs_and_the_pages_beside_the_readme_leads_somewhere() {
    let mut pages = pages(&root().join("docs"));
    for name in ["README", "ARCHITECTURE", "CHANGELOG", "CONTRIBUTING", "RELEASE", "SECURITY"] {
        pages.push(root().join(format!("{name}.md")));
    }
    assert!(pages.len() > 35, "{}", pages.len());
    let pattern = regex::Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let mut wrong = Vec::new();
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for found in pattern.captures_iter(&text) {
            let link = &found[1];
            if link.contains("://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => page.clone(),
                path => page.parent().unwrap().join(path),
            };
            let is_page = target.extension().is_some_and(|ending| ending == "md");
            let leads = match (target.exists(), is_page && !anchor.is_empty()) {
                (true, true) => anchors(&fs::read_to_string(&target).unwrap()).contains(anchor),
                (exists, _) => exists,
            };
            if !leads {
                wrong.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_summary_of_the_book_has_every_page() {
    let summary = fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    let docs = root().join("docs");
    for page in pages(&docs) {
        let name = page.strip_prefix(&docs).unwrap().to_str().unwrap();
        assert!(name == "SUMMARY.md" || summary.contains(&format!("({name})")), "{name}");
    }
}
