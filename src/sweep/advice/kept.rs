//! Answers that are kept: a file for each, beside the features of frozen layers, and while one is looked for, what
//! has been tried for it. A file that is not as it was written is one that is not there.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::document::Node;
use crate::plan::Plan;
use crate::sweep::store::write_whole;

use super::Answer;

/// The folder beside those of experiments in which answers are kept. It may be deleted at any time.
pub const ADVICE: &str = ".advice";

/// Raised when the same question would have another answer than before.
const REVISION: u32 = 1;

/// All that an answer depends on.
pub(super) struct Asked<'a> {
    /// What is measured.
    pub(super) plan: &'a Plan,
    /// `[transfer]` as it is written.
    pub(super) written: Option<&'a Node>,
    pub(super) border: usize,
    pub(super) budget: f64,
    /// Processors differ in their last bits.
    pub(super) computed_by: &'a str,
    /// The fingerprint of all images.
    pub(super) images: &'a str,
}

/// The name of the answer to a question.
pub(super) fn name(question: &Asked) -> String {
    let Asked { plan, written, border, budget, computed_by, images } = question;
    let mut hasher = blake3::Hasher::new();
    let mut add = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
    };
    add(&REVISION.to_string());
    add(&Plan::clone(plan).digest());
    add(&plan.train.epochs.to_string());
    // Whatever the case and the order in which keys are written.
    let entries = written.and_then(Node::entries).unwrap_or_default().iter();
    let mut keys: Vec<String> = entries
        .filter(|entry| entry.key != "case")
        .map(|entry| format!("{} = {}", entry.key, entry.value.to_toml()))
        .collect();
    keys.sort_unstable();
    keys.iter().for_each(|key| add(key));
    add(&format!("{border} {budget:?} {computed_by} {images}"));
    hasher.finalize().to_hex()[..32].to_owned()
}

/// Where the answer to one question is kept.
pub(super) struct Shelf {
    folder: PathBuf,
    name: String,
}

/// An entrant, the epoch until which it was trained, and the fold that was left out.
pub(super) type Key = (usize, usize, usize);

impl Shelf {
    pub(super) fn new(results: &Path, name: String) -> Shelf {
        Shelf { folder: results.join(ADVICE), name }
    }

    fn path(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", self.name))
    }

    /// A line's hash, which knows whose line it is.
    fn hash(&self, text: &str) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.name.as_bytes()).update(text.as_bytes());
        hasher.finalize().to_hex()[..32].to_owned()
    }

    /// The answer, if it is there.
    pub(super) fn answer(&self) -> Option<Answer> {
        let whole = fs::read_to_string(self.path("toml")).ok()?;
        let (hash, text) = whole.strip_prefix("# ")?.split_once('\n')?;
        if hash != self.hash(text) {
            return None;
        }
        let answer: Answer = toml::from_str(text).ok()?;
        let indices = answer.tied.iter().chain([&answer.chosen, &answer.best]);
        let is_sound = indices.into_iter().all(|index| *index < answer.tries.len())
            && answer.cut.max(answer.peak) < answer.depths.len();
        is_sound.then_some(answer)
    }

    /// Keeps the answer, and none of what was tried for it.
    pub(super) fn keep(&self, answer: &Answer) {
        let text = toml::to_string(answer).expect("an answer is plain data");
        let whole = format!("# {}\n{text}", self.hash(&text));
        let is_kept = fs::create_dir_all(&self.folder).is_ok()
            && write_whole(&self.path("toml"), whole.as_bytes()).is_ok();
        if is_kept {
            let _ = fs::remove_file(self.path("tries"));
        }
    }

    /// What has been tried already: which images of the fold were right; none where it failed.
    pub(super) fn tried(&self) -> BTreeMap<Key, Option<Vec<bool>>> {
        let text = fs::read_to_string(self.path("tries")).unwrap_or_default();
        text.lines().filter_map(|line| self.parse(line)).collect()
    }

    fn parse(&self, line: &str) -> Option<(Key, Option<Vec<bool>>)> {
        let (text, hash) = line.rsplit_once(' ')?;
        let words: Vec<&str> = text.split(' ').collect();
        let [entrant, epochs, fold, right] = words[..] else { return None };
        if hash != self.hash(text) {
            return None;
        }
        let key = (entrant.parse().ok()?, epochs.parse().ok()?, fold.parse().ok()?);
        let right = (right != "failed").then(|| right.bytes().map(|byte| byte == b'1').collect());
        Some((key, right))
    }

    /// Adds what was tried. A line that cannot be written is tried again by whoever comes after a kill.
    pub(super) fn add(&self, (entrant, epochs, fold): Key, right: Option<&[bool]>) {
        let right = match right {
            None => "failed".to_owned(),
            Some(right) => right.iter().map(|right| if *right { '1' } else { '0' }).collect(),
        };
        let text = format!("{entrant} {epochs} {fold} {right}");
        // What a writer that was killed has left of a line is closed by the next one.
        let line = format!("\n{text} {}\n", self.hash(&text));
        let _ = fs::create_dir_all(&self.folder);
        let file = OpenOptions::new().create(true).append(true).open(self.path("tries"));
        let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}
