//! Why a command ends otherwise than with everything done: the exit code, and what is printed.

use std::fmt::Display;
use std::io::IsTerminal;

use crate::basis::printable;
use crate::document::Problems;

use super::exit::Exit;
use super::output::say_drawn;

/// Ends a command. Whatever is no mistake of the user is a bug or the environment: `?` makes
/// [`Exit::Trouble`] of every other error.
#[derive(Debug)]
pub(super) struct Error {
    exit: Exit,
    text: String,
}

/// What commands return.
pub(super) type Result<T = (), E = Error> = std::result::Result<T, E>;

impl Error {
    /// Ends with `exit`, after `text` was printed.
    pub(super) fn new(exit: Exit, text: impl Into<String>) -> Error {
        Error { exit, text: printable::lines(&text.into()).into_owned() }
    }

    /// The file or the command line is wrong, as `message` says.
    pub(super) fn wrong(message: impl Display) -> Error {
        Error::new(Exit::Wrong, format!("error: {message}\n"))
    }

    /// The environment does not allow it, as `message` says.
    pub(super) fn trouble(message: impl Display) -> Error {
        Error::new(Exit::Trouble, format!("error: {message}\n"))
    }

    /// What there is to say, for those who go on all the same.
    pub(super) fn message(&self) -> &str {
        let text = self.text.trim_end();
        text.strip_prefix("error: ").unwrap_or(text)
    }

    /// Prints what there is to say. Only the program itself ends this way.
    pub(super) fn tell(self) -> Exit {
        say_drawn(&self.text);
        self.exit
    }
}

impl<E: Into<anyhow::Error>> From<E> for Error {
    fn from(error: E) -> Error {
        Error::trouble(format!("{:#}", error.into()))
    }
}

/// In colours on a terminal.
impl From<Problems> for Error {
    fn from(problems: Problems) -> Error {
        // Whose texts are harmless, and may stand between colours.
        Error { exit: Exit::Wrong, text: problems.render(std::io::stderr().is_terminal()) }
    }
}

/// Everything has been said.
impl From<Exit> for Error {
    fn from(exit: Exit) -> Error {
        Error::new(exit, "")
    }
}
