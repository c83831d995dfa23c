//! The files of a source that comes in several, and what their names say they are for.
//!
//! A source names one file, a folder, or a pattern: `{000..099}` and `{a,b}` stand for each of what they list, all of
//! which have to be there; `*` and `?` for the files that are there.

use std::path::{Component, Path, PathBuf};

use super::dataset::Part;
use super::error::{Error, enumerate};
use super::part_names::PartNames;

/// A pattern stands for so many files at most.
const MOST_FILES: usize = 1 << 17;

/// Folders inside the one that a source names may be nested this deep; beyond it, a link probably leads back.
const MAX_DEPTH: usize = 16;

/// Endings of compressed files.
const COMPRESSED: [&str; 11] =
    ["gz", "gzip", "tgz", "zst", "zstd", "bz2", "tbz2", "xz", "txz", "tzst", "lz4"];

/// One of the files.
#[derive(Debug, PartialEq)]
pub(super) struct Shard {
    pub(super) path: PathBuf,
    /// Its path inside the folder that the pattern begins with, with slashes.
    pub(super) name: String,
    pub(super) part: Part,
}

/// The files that `pattern` stands for, in order; of a folder, those that end in `.ending`.
pub(super) fn find(pattern: &Path, ending: &str) -> Result<Vec<Shard>, Error> {
    let (base, paths) = match pattern.metadata() {
        Ok(metadata) if metadata.is_dir() => {
            let mut paths = Vec::new();
            search(pattern, ending, 0, &mut paths)?;
            if paths.is_empty() {
                return Err(Error::layout(
                    pattern,
                    format!("holds no file that ends in .{ending}"),
                ));
            }
            (pattern.to_owned(), paths)
        }
        Ok(_) => (parent(pattern), vec![pattern.to_owned()]),
        Err(cause) => match pattern.to_str() {
            Some(text) if text.contains(['*', '?', '{']) => (literal(pattern), expand(text)?),
            _ => return Err(Error::unreadable(pattern, &cause)),
        },
    };
    // A device or a pipe may never end.
    if let Some(other) = paths.iter().find(|path| !path.is_file()) {
        return Err(Error::layout(other, "is not a file"));
    }
    let names: Vec<String> = paths
        .iter()
        .map(|path| path.strip_prefix(&base).unwrap_or(path).to_string_lossy().replace('\\', "/"))
        .collect();
    let parts = parts(pattern, &names)?;
    let shards = paths.into_iter().zip(names).zip(parts);
    Ok(shards.map(|((path, name), part)| Shard { path, name, part }).collect())
}

/// The folder of a file.
pub(super) fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).to_owned()
}

/// The folder that `pattern` lies in as far as it stands for nothing else; of a folder, itself.
pub(super) fn literal(pattern: &Path) -> PathBuf {
    if pattern.is_dir() {
        return pattern.to_owned();
    }
    let is_literal =
        |part: &Component| !part.as_os_str().to_string_lossy().contains(['*', '?', '{']);
    let plain: PathBuf = pattern.components().take_while(is_literal).collect();
    if plain == pattern { parent(pattern) } else { plain }
}

/// The files with this ending in `folder` and in the folders inside it, in order of their paths' bytes.
fn search(
    folder: &Path,
    ending: &str,
    depth: usize,
    found: &mut Vec<PathBuf>,
) -> Result<(), Error> {
    if depth > MAX_DEPTH {
        let problem =
            format!("is nested more than {MAX_DEPTH} folders deep; does a link lead back?");
        return Err(Error::layout(folder, problem));
    }
    let unreadable = |cause: std::io::Error| Error::unreadable(folder, &cause);
    let entries = std::fs::read_dir(folder).map_err(unreadable)?;
    let mut entries = entries.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for path in entries.into_iter().map(|entry| entry.path()) {
        let is_hidden = path.file_name().is_some_and(|it| it.to_string_lossy().starts_with('.'));
        if is_hidden {
            continue;
        } else if path.is_dir() {
            search(&path, ending, depth + 1, found)?;
        } else if let Some(how) = compressed(&path, ending) {
            let problem = format!(
                "is compressed ({how}), so that single images cannot be read from it; unpack it, or name the files that \
                 are meant, as with *.{ending}"
            );
            return Err(Error::layout(&path, problem));
        } else if path.extension().is_some_and(|it| it.eq_ignore_ascii_case(ending)) {
            found.push(path);
        }
    }
    Ok(())
}

/// What a file that would end in `.ending` were it not compressed ends in.
fn compressed<'a>(path: &'a Path, ending: &str) -> Option<&'a str> {
    let how = path.extension()?.to_str()?;
    let lower = how.to_lowercase();
    let inner = Path::new(path.file_stem()?).extension();
    // Those of tar files stand for both.
    let is_both = ending == "tar" && lower.starts_with('t');
    let is_one = is_both || inner.is_some_and(|it| it.eq_ignore_ascii_case(ending));
    (COMPRESSED.contains(&&lower[..]) && is_one).then_some(how)
}

/// The files that a pattern stands for.
fn expand(pattern: &str) -> Result<Vec<PathBuf>, Error> {
    let wrong = |problem: &str| Error::layout(Path::new(pattern), problem);
    let mut listed = vec![String::new()];
    let mut rest = pattern;
    while let Some(open) = rest.find('{') {
        let inside = &rest[open + 1..];
        let close = inside.find('}').ok_or_else(|| wrong("has a `{` without a `}`"))?;
        let choices = choices(&inside[..close]).ok_or_else(|| {
            wrong("has braces with neither a range, as {000..099}, nor a list, as {train,val}")
        })?;
        if choices.len().saturating_mul(listed.len()) > MOST_FILES {
            return Err(wrong(&format!("matches more than {MOST_FILES} files")));
        }
        let before = &rest[..open];
        listed = listed
            .iter()
            .flat_map(|start| choices.iter().map(move |choice| format!("{start}{before}{choice}")))
            .collect();
        rest = &inside[close + 1..];
    }
    let mut files = Vec::new();
    for path in listed.into_iter().map(|start| start + rest) {
        if !path.contains(['*', '?']) {
            let path = PathBuf::from(path);
            if path.metadata().map_err(|cause| Error::unreadable(&path, &cause))?.is_dir() {
                return Err(Error::layout(&path, "is a folder; braces list files"));
            }
            files.push(path);
            continue;
        }
        // Square brackets stand for themselves: names of folders often have them.
        let found = glob::glob(&path.replace('[', "[[]")).map_err(|error| wrong(error.msg))?;
        for found in found {
            let found = found.map_err(|error| Error::unreadable(error.path(), error.error()))?;
            if found.is_dir() {
                continue;
            }
            files.push(found);
            if files.len() > MOST_FILES {
                return Err(wrong(&format!("matches more than {MOST_FILES} files")));
            }
        }
    }
    if files.is_empty() {
        return Err(wrong("matches no file; is it relative to the experiment's folder?"));
    }
    files.sort();
    files.dedup();
    Ok(files)
}

/// What braces list: `000..099` or `a,b`.
fn choices(inside: &str) -> Option<Vec<String>> {
    if let Some((first, last)) = inside.split_once("..") {
        let is_number =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(first) || !is_number(last) {
            return None;
        }
        let (from, to): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        let width = if first.starts_with('0') { first.len() } else { 0 };
        if to < from {
            return None;
        }
        // One more than allowed is enough to be noticed.
        let numbers = (from..=to).take(MOST_FILES + 1);
        return Some(numbers.map(|number| format!("{number:0width$}")).collect());
    }
    let choices: Vec<String> = inside.split(',').map(str::to_owned).collect();
    (choices.len() > 1).then_some(choices)
}

/// What each of the files is for, by a word in its name or in that of a folder, such as `train-00000-of-00004` and
/// `default/test/0000`. Where all are for one thing, and that is not training, whoever names them knows what for.
fn parts(pattern: &Path, names: &[String]) -> Result<Vec<Part>, Error> {
    fn words(name: &str) -> impl Iterator<Item = &str> {
        // The nearest to the file counts.
        name.rsplit('/').flat_map(|part| {
            let words = part.split(|c: char| !c.is_alphanumeric());
            std::iter::once(part).chain(words)
        })
    }
    let known = PartNames::among(names.iter().flat_map(|name| words(name)));
    let of = |name: &String| words(name).find_map(|word| known.part(word));
    let parts: Vec<Option<Part>> = names.iter().map(of).collect();
    let is_declared = |part: Part| parts.contains(&Some(part));
    let declared =
        [Part::Train, Part::Validation, Part::Test].into_iter().filter(|it| is_declared(*it));
    if !is_declared(Part::Train) && declared.count() < 2 {
        return Ok(vec![Part::Undeclared; names.len()]);
    }
    let without = names.iter().zip(&parts).filter(|(_, part)| part.is_none());
    let without: Vec<String> = without.map(|(name, _)| name.clone()).collect();
    if !without.is_empty() {
        let problem = format!(
            "stands for files whose names say what they are for (train, val, test), and for {} beside them, which \
             say nothing; name those that are meant",
            enumerate(&without)
        );
        return Err(Error::layout(pattern, problem));
    }
    Ok(parts.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for name in names {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        root
    }

    fn found(root: &Path, pattern: &str) -> Result<Vec<(String, Part)>, String> {
        let shards = find(&root.join(pattern), "tar");
        let shards = shards
            .map_err(|error| error.to_string().replace(&root.display().to_string(), "DATA"))?;
        Ok(shards.into_iter().map(|shard| (shard.name, shard.part)).collect())
    }

    #[test]
    fn ranges_lists_and_wildcards_stand_for_files_in_order() {
        let root = folder(&["a[1]/x-08.tar", "a[1]/x-09.tar", "a[1]/x-10.tar", "a[1]/y-9.tar"]);
        let names = |pattern: &str| -> Vec<String> {
            found(root.path(), pattern).unwrap().into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(names("a[1]/x-{08..10}.tar"), ["x-08.tar", "x-09.tar", "x-10.tar"]);
        assert_eq!(names("a[1]/{y,x}-{9..9}.tar".replace("{y,x}", "y").as_str()), ["y-9.tar"]);
        assert_eq!(names("a[1]/{y-9,x-08}.tar"), ["x-08.tar", "y-9.tar"]);
        assert_eq!(names("a[1]/*-?9.tar"), ["x-09.tar"]);
        assert_eq!(names("a[1]"), ["x-08.tar", "x-09.tar", "x-10.tar", "y-9.tar"]);
        assert_eq!(names("a[1]/y-9.tar"), ["y-9.tar"]);
        assert_eq!(names("*/y-9.tar"), ["a[1]/y-9.tar"]);
    }

    #[test]
    fn a_pattern_that_stands_for_nothing_says_why() {
        let root = folder(&["x-00.tar", "empty/z.txt"]);
        let wrong = |pattern: &str| found(root.path(), pattern).unwrap_err();
        assert!(wrong("x-{00..02}.tar").starts_with("cannot read DATA/x-01.tar: there is no"));
        assert!(wrong("y-*.tar").starts_with("DATA/y-*.tar: matches no file"));
        assert!(wrong("x-{00..02.tar").ends_with("a `{` without a `}`"));
        assert!(wrong("x-{2..1}.tar").contains("neither a range"));
        assert!(wrong("x-{0..99999999999}.tar").contains("more than 131072 files"));
        assert!(wrong("x-{0..999}{0..999}.tar").contains("more than 131072 files"));
        assert!(wrong("empty").ends_with("holds no file that ends in .tar"));
        assert!(wrong("no.tar").contains("there is no such file or folder"));
        let device = find(Path::new("/dev/null"), "tar");
        assert!(!cfg!(unix) || device.unwrap_err().to_string() == "/dev/null: is not a file");
    }

    #[test]
    fn nothing_that_is_asked_for_is_passed_over() {
        let root = folder(&[
            "x-0.tar",
            "x-1.tar/y",
            "deep/1/2/3/4/5/6/z.tar",
            "packed/0.tar",
            "packed/1.tar.GZ",
        ]);
        let wrong = |pattern: &str| found(root.path(), pattern).unwrap_err();
        assert_eq!(wrong("x-{0..1}.tar"), "DATA/x-1.tar: is a folder; braces list files");
        assert_eq!(found(root.path(), "x-*.tar").unwrap().len(), 1);
        assert_eq!(found(root.path(), "deep").unwrap().len(), 1);
        assert!(wrong("packed").starts_with("DATA/packed/1.tar.GZ: is compressed (GZ), so that"));
        assert_eq!(found(root.path(), "packed/*.tar").unwrap().len(), 1);
        for (name, is_tar) in
            [("a.tgz", true), ("a.tar.zst", true), ("a.csv.gz", false), ("a.gz", false)]
        {
            assert_eq!(compressed(Path::new(name), "tar").is_some(), is_tar, "{name}");
        }
        assert_eq!(compressed(Path::new("a.tgz"), "parquet"), None);
        assert_eq!(compressed(Path::new("a.parquet.gz"), "parquet"), Some("gz"));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(root.path().join("deep"), root.path().join("deep/back"))
                .unwrap();
            let said = wrong("deep");
            assert!(
                said.ends_with("nested more than 16 folders deep; does a link lead back?"),
                "{said}"
            );
        }
    }

    #[test]
    fn names_of_files_and_folders_say_what_they_are_for() {
        use Part::{Test, Train, Undeclared, Validation};
        let of = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            parts(Path::new("DATA"), &names).map_err(|error| error.to_string())
        };
        assert_eq!(
            of(&["test-00000-of-00001.parquet", "train-00000-of-00001.parquet"]),
            Ok(vec![Test, Train])
        );
        assert_eq!(
            of(&["mnist/train/0.parquet", "mnist/validation/0.parquet"]),
            Ok(vec![Train, Validation])
        );
        assert_eq!(of(&["train-0.tar"]), Ok(vec![Train]));
        // Whoever names the test files alone, tests on them or learns from them.
        assert_eq!(of(&["test-0.tar", "test-1.tar"]), Ok(vec![Undeclared; 2]));
        assert_eq!(of(&["0.tar", "1.tar"]), Ok(vec![Undeclared; 2]));
        assert!(
            of(&["train-0.tar", "more-0.tar"]).unwrap_err().contains("for `more-0.tar` beside")
        );
    }
}
