//! What can be wrong with data. Every message names the place, what was found and the way out.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::dataset::Part;
use super::duplicates::Copies;

/// An image that could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadImage {
    /// The file as found, or `#index` of an image inside a larger file.
    pub file: String,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for BadImage {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.reason)
    }
}

/// How many bad images or names a message lists before it only counts.
pub(super) const LISTED: usize = 10;

/// Data that cannot be used, and why. Cloning is cheap enough to hand the same error to every
/// trial that wanted the data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A file or folder that cannot be opened or read.
    #[error("cannot read {}: {reason}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's words.
        reason: String,
    },
    /// A source whose layout is not the declared one.
    #[error("{}: {problem}", path.display())]
    Layout {
        /// The file or folder at fault.
        path: PathBuf,
        /// What was found, what is allowed, and the way out.
        problem: String,
    },
    /// A file whose content breaks its format.
    #[error("{file}: {problem}")]
    Format {
        /// The file, with the line if it is a table.
        file: String,
        /// What was found and what is allowed.
        problem: String,
    },
    /// Classification of fewer than two classes.
    #[error(
        "{origin} has {}; at least two classes are needed{hint}",
        match classes.first() {
            Some(only) => format!("one class only, `{only}`"),
            None => "no classes".to_owned(),
        }
    )]
    TooFewClasses {
        /// The source.
        origin: String,
        /// The classes found, none or one.
        classes: Vec<String>,
        /// Where the classes may be instead; empty if nothing is known.
        hint: String,
    },
    /// Classes that nothing can be learnt about.
    #[error("{origin} has no training image of {}; {way_out}", enumerate(classes))]
    EmptyClasses {
        /// The source.
        origin: String,
        /// The classes without a training image.
        classes: Vec<String>,
        /// What to do.
        way_out: String,
    },
    /// A test or validation set with classes that training does not know.
    #[error(
        "the {} set {test} has classes that {origin} lacks: {}; {origin} has {}",
        part.word(),
        enumerate(unknown),
        enumerate(classes)
    )]
    OtherClasses {
        /// What the set is for.
        part: Part,
        /// The training source.
        origin: String,
        /// The set.
        test: String,
        /// Classes of that set only.
        unknown: Vec<String>,
        /// The classes of the training source.
        classes: Vec<String>,
    },
    /// Classes that were asked for and are not there.
    #[error("{origin} has no class {}; its classes are {}", enumerate(unknown), enumerate(classes))]
    NoSuchClasses {
        /// The source.
        origin: String,
        /// Those that are not there.
        unknown: Vec<String>,
        /// Its classes.
        classes: Vec<String>,
    },
    /// A test set that contradicts what the source declares.
    #[error("{problem}")]
    TestTwice {
        /// What contradicts what, and the way out.
        problem: String,
    },
    /// Images that cannot be decoded.
    #[error(
        "{total} of {of} images in {origin} cannot be read:{}\n(repair or remove them, or leave them out with data.on-bad-image = \"skip\")",
        list(images, *total)
    )]
    BadImages {
        /// The source.
        origin: String,
        /// How many are bad.
        total: usize,
        /// Out of how many.
        of: usize,
        /// The first of them.
        images: Vec<BadImage>,
    },
    /// Images with the same pixels, where there shall be none.
    #[error(
        "{} of {of} images in {origin} have the pixels of another one:{}\n(leave them out with data.duplicates = \"drop\", or keep them with \"keep\")",
        found.copies(),
        found.listed()
    )]
    Duplicates {
        /// The source.
        origin: String,
        /// Which they are.
        found: Copies,
        /// Out of how many.
        of: usize,
    },
    /// Training images that are copies of validation or test images, where there shall be none.
    #[error(
        "{origin}: {total} training images are copies of validation or test images:{}\n(data.duplicates = \
         \"drop-from-train\" leaves them out, \"keep\" keeps them; the reference explains near copies)",
        lines(pairs)
    )]
    Leaks {
        /// The source.
        origin: String,
        /// How many there are.
        total: usize,
        /// The first of them, a line each.
        pairs: Vec<String>,
    },
    /// A group of images on both sides of a split that the source declares.
    #[error(
        "the group `{group}` of {origin}{} has images for {} and for {}; images of a group must be on one side: \
         correct the declared split, or data.group",
        match more {
            0 => String::new(),
            more => format!(", and {more} more,"),
        },
        parts[0],
        parts[1]
    )]
    TornGroup {
        /// The source.
        origin: String,
        /// The group.
        group: String,
        /// How many others are like it.
        more: usize,
        /// Two uses of its images.
        parts: [&'static str; 2],
    },
    /// A part of the split that is needed and would be empty.
    #[error("{0}")]
    EmptyPart(String),
    /// The operating system gives no threads to decode with.
    #[error("cannot start threads to decode images: {0}")]
    Threads(String),
    /// More pixels than memory.
    #[error(
        "{images} images of {height}×{width}×{channels} need {:.1} GiB of memory, more than there is; make data.image smaller",
        *images as f64 * (*height * *width * *channels) as f64 / (1u64 << 30) as f64
    )]
    TooLarge {
        /// How many images.
        images: usize,
        /// Their height.
        height: usize,
        /// Their width.
        width: usize,
        /// Their channels.
        channels: usize,
    },
    /// More pixels than memory, of images that keep their own sizes.
    #[error(
        "{images} images in their own sizes need more memory than there is; start the chains of [augment] with \
         smallest-max-size or resize, which is then applied once"
    )]
    TooManyPixels {
        /// How many images.
        images: usize,
    },
}

impl Error {
    /// A file or folder that the operating system does not hand out.
    pub(super) fn unreadable(path: &Path, cause: &std::io::Error) -> Error {
        Error::Unreadable { path: path.to_owned(), reason: reason(cause) }
    }

    /// A wrong layout at `path`.
    pub(super) fn layout(path: &Path, problem: impl Into<String>) -> Error {
        Error::Layout { path: path.to_owned(), problem: problem.into() }
    }

    /// Wrong content of `file`.
    pub(super) fn format(file: impl Into<String>, problem: impl Into<String>) -> Error {
        Error::Format { file: file.into(), problem: problem.into() }
    }

    /// The bad images of `origin`, of which only the first ones are kept.
    pub(super) fn bad_images(origin: &str, of: usize, mut images: Vec<BadImage>) -> Error {
        let total = images.len();
        images.truncate(LISTED);
        Error::BadImages { origin: origin.to_owned(), total, of, images }
    }
}

/// An operating system's error in our words where it has a usual cause, else in its own.
pub(super) fn reason(cause: &std::io::Error) -> String {
    match cause.kind() {
        std::io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => cause.to_string().to_lowercase(),
    }
}

/// `a`, `b` and 3 more.
pub(super) fn enumerate(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(LISTED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn lines(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n  {line}")).collect()
}

fn list(images: &[BadImage], total: usize) -> String {
    let mut text: String = images.iter().map(|image| format!("\n  {image}")).collect();
    if total > images.len() {
        text.push_str(&format!("\n  and {} more", total - images.len()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_images_are_listed_up_to_ten_with_the_total() {
        let bad = |i: usize| BadImage { file: format!("{i}.png"), reason: "empty file".into() };
        let message = Error::bad_images("signs", 40, (0..12).map(bad).collect()).to_string();
        assert!(message.starts_with("12 of 40 images in signs cannot be read:\n  0.png: empty"));
        assert!(message.contains("9.png") && !message.contains("10.png"));
        assert!(message.contains("and 2 more\n(repair"), "{message}");
    }
}
