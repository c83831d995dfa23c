//! What the targets beside share: files in a folder of their own, experiments that need no files, and edits of texts.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use candlewick::config::examples::EXAMPLES;
use candlewick::config::layering::{Request, load};
use candlewick::config::presets::PRESETS;
use candlewick::config::weights::Which;
use candlewick::document::{Node, Problem, Problems};
use candlewick::plan::data::{DataFacts, DataPlan, Fold};
use candlewick::plan::distill::TeacherFacts;
use candlewick::plan::model::{ModelPlan, WeightsPlan};
use candlewick::plan::prune::Nothing;
use candlewick::plan::strategy::Strategy;
use candlewick::plan::survey::{Survey, WeightsFacts};
use candlewick::plan::sweep::{Experiment, expand};

/// Where the files of this process are: in memory, where there is such a folder.
static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a folder for files")
});

/// The path of the file `name` of this process.
pub fn path(name: &str) -> PathBuf {
    FOLDER.path().join(name)
}

/// Writes the file `name`, and returns its path.
pub fn write(name: &str, bytes: &[u8]) -> PathBuf {
    let path = path(name);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).expect("a folder for the file");
    }
    std::fs::write(&path, bytes).expect("a file");
    path
}

/// Takes every data set for a thousand images of ten classes, and knows no weights.
struct Anything;

impl Survey for Anything {
    fn data(&self, _: &DataPlan) -> Result<DataFacts, String> {
        Ok(DataFacts {
            classes: (0..10).map(|class| class.to_string()).collect(),
            images: 1000,
            declared_test: 0,
            declared_validation: 0,
            counts: vec![100; 10],
            left_out: Vec::new(),
        })
    }

    fn weights(&self, _: &WeightsPlan, _: &ModelPlan) -> Result<WeightsFacts, String> {
        Err("there are no weights".to_owned())
    }

    fn earlier(&self, _: &str, _: Which) -> Result<PathBuf, String> {
        Err("nothing has been run".to_owned())
    }

    fn teacher(&self, _: &Path) -> Result<TeacherFacts, String> {
        Err("there is no teacher".to_owned())
    }

    fn advise(&self, _: &Node, _: Option<Fold>) -> Result<Strategy, Vec<Problem>> {
        Err(Vec::new())
    }
}

/// The trials of the experiment `text`.
pub fn trials(text: &str) -> Result<Experiment, Problems> {
    let file = write("experiment.toml", text.as_bytes());
    let root = load(&Request { file, ..Request::default() })?;
    expand(&root, &Anything, &Nothing)
}

/// Words that experiments are made of, and numbers at which programs fail.
static WORDS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let texts = EXAMPLES.iter().chain(&PRESETS).map(|(_, text)| *text);
    let mut words: Vec<&str> = texts
        .flat_map(|text| text.lines().filter(|line| !line.starts_with('#')))
        .flat_map(parts)
        .filter(|part| !part.trim().is_empty())
        .collect();
    words.extend([
        "0", "-1", "1e308", "-0.0", "nan", "inf", "1e-320", "0.5", "9223372036854775807", "-9223372036854775808",
        "4294967296", "65536", "true", "[]", "{}", "\"\"", "[[]]", "[0, 0]", "[1, 1000000000]", "\"classes\"", "\n",
    ]);
    words.sort_unstable();
    words.dedup();
    words
});

/// Words, numbers, and what stands between them.
fn parts(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let is_word = |letter: char| letter.is_alphanumeric() || "_-.".contains(letter);
    let mut from = 0;
    for (at, letter) in text.char_indices() {
        let before = text[..at].chars().next_back();
        if at > from && (before.is_some_and(is_word) != is_word(letter) || !is_word(letter)) {
            parts.push(&text[from..at]);
            from = at;
        }
    }
    parts.push(&text[from..]);
    parts
}

/// An example with edits: the first byte says which, then each four bytes say where a word is put, which one, and
/// whether it is added, or takes the place of another one. What does not begin so is taken for a text.
pub fn edited(data: &[u8]) -> String {
    let Some((&first, edits)) = data.split_first() else { return String::new() };
    if usize::from(first) >= EXAMPLES.len() {
        return String::from_utf8_lossy(data).into_owned();
    }
    let mut parts: Vec<&str> = parts(EXAMPLES[usize::from(first)].1);
    for edit in edits.chunks_exact(4).take(8) {
        let number = |at: usize| usize::from(u16::from_le_bytes([edit[at], edit[at + 1]]));
        let (at, word) = (number(0) % parts.len(), number(2));
        match word % 4 {
            0 => parts.insert(at, WORDS[word / 4 % WORDS.len()]),
            1 if parts.len() > 1 => drop(parts.remove(at)),
            _ => parts[at] = WORDS[word / 4 % WORDS.len()],
        }
    }
    parts.concat()
}
