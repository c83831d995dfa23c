//! The standard streams: the one door to them. What could not be written is remembered, so that no command can
//! end as if it had been.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::OnceLock;

use crate::basis::printable;

use super::exit::Exit;

/// Why standard output took nothing more.
static FAILURE: OnceLock<io::Error> = OnceLock::new();

#[expect(clippy::disallowed_methods, reason = "this is the door")]
fn stdout() -> io::Stdout {
    io::stdout()
}

/// Writes to standard output, for people. What a name in it would have a terminal do is shown instead.
pub(super) fn print(text: &str) {
    print_data(&printable::lines(text));
}

/// Writes to standard output as it is, for programs.
pub(super) fn print_data(text: &str) {
    let mut stdout = stdout().lock();
    // What stays in the buffer would be written when nobody looks any more whether it could be.
    remember(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()));
}

/// Takes notice of how a write to standard output ended that another crate has made.
pub(super) fn remember(written: io::Result<()>) {
    if let Err(error) = written.and_then(|()| stdout().flush()) {
        FAILURE.get_or_init(|| error);
    }
}

/// Whether nobody takes what is printed from here on.
pub(super) fn is_closed() -> bool {
    FAILURE.get().is_some()
}

/// Whether standard output is a terminal.
pub(super) fn is_terminal() -> bool {
    stdout().is_terminal()
}

/// How the program ends that would end with `exit`: otherwise if something that it printed is lost. A reader
/// that has gone away has seen enough.
pub(super) fn settled(exit: Exit) -> Exit {
    match FAILURE.get().filter(|error| error.kind() != ErrorKind::BrokenPipe) {
        None => exit,
        Some(error) => {
            say(&format!("error: failed to write to standard output: {error}\n"));
            if exit == Exit::Done { Exit::Trouble } else { exit }
        }
    }
}

/// Writes to standard error, for people. What a name in it would have a terminal do is shown instead. Nobody may be
/// listening, which changes nothing.
pub(super) fn say(text: &str) {
    say_drawn(&printable::lines(text));
}

/// Writes to standard error what orders the terminal about, and in which names of strangers are harmless.
pub(super) fn say_drawn(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
