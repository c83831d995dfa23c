//! What can be wrong with a file of weights. Every message names the file, what was found and the way out.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Weights that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeightsError {
    /// A file that cannot be opened or read.
    #[error("cannot read {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's words.
        reason: String,
    },
    /// Content that breaks its format: torn, overlong or made up.
    #[error("{file} is damaged: {problem}")]
    Damaged {
        /// The file.
        file: String,
        /// What was found and what is allowed.
        problem: String,
    },
    /// Content that may well be whole, but is none that is read here.
    #[error("{file}: {problem}")]
    Unsupported {
        /// The file.
        file: String,
        /// What was found, what is allowed, and the way out.
        problem: String,
    },
    /// A pickle that wants to call something which does not belong to a state dict.
    #[error(
        "{file} calls `{global}`, but a weights file may contain only tensors and plain values; no code was run; \
         {way_out}"
    )]
    Global {
        /// The file.
        file: String,
        /// The Python name asked for, `module.name`.
        global: String,
        /// What to do.
        way_out: String,
    },
    /// A name that the file does not hold.
    #[error("{file} holds no `{name}`{}", did_you_mean(nearest.as_deref()))]
    NoEntry {
        /// The file.
        file: String,
        /// The name asked for.
        name: String,
        /// The name most like it, if one is.
        nearest: Option<String>,
    },
}

/// `; did you mean …?` or nothing.
pub(super) fn did_you_mean(name: Option<&str>) -> String {
    name.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// A [`WeightsError`] before the file's name is known to it.
#[derive(Debug)]
pub(super) enum Fault {
    Damaged(String),
    Unsupported(String),
    Global { global: String, way_out: &'static str },
}

impl Fault {
    pub(super) fn damaged(problem: impl Into<String>) -> Fault {
        Fault::Damaged(problem.into())
    }

    pub(super) fn unsupported(problem: impl Into<String>) -> Fault {
        Fault::Unsupported(problem.into())
    }

    /// The same fault with the part of the file where it was found.
    pub(super) fn within(self, part: impl fmt::Display) -> Fault {
        match self {
            Fault::Damaged(problem) => Fault::Damaged(format!("{part}: {problem}")),
            Fault::Unsupported(problem) => Fault::Unsupported(format!("{part}: {problem}")),
            global => global,
        }
    }

    /// The error that a caller sees.
    pub(super) fn of(self, file: &str) -> WeightsError {
        let file = file.to_owned();
        match self {
            Fault::Damaged(problem) => WeightsError::Damaged { file, problem },
            Fault::Unsupported(problem) => WeightsError::Unsupported { file, problem },
            Fault::Global { global, way_out } => {
                WeightsError::Global { file, global, way_out: way_out.to_owned() }
            }
        }
    }
}

impl From<io::Error> for Fault {
    fn from(cause: io::Error) -> Fault {
        Fault::Damaged(match cause.kind() {
            io::ErrorKind::UnexpectedEof => "it ends too early".to_owned(),
            _ => cause.to_string(),
        })
    }
}

/// A shape in messages: `64×3×7×7`.
pub(super) fn shape_text(shape: &[usize]) -> String {
    match shape {
        [] => "a single number".to_owned(),
        sides => sides.iter().map(usize::to_string).collect::<Vec<_>>().join("×"),
    }
}

/// No name in a file may be longer.
pub(super) const MAX_NAME: usize = 1 << 10;

/// Text from a file, cut to a length that a message can bear.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 80;
    let text: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
