//! Exit codes.

use std::process::{ExitCode, Termination};

/// How the program ends. Scripts rely on the codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: all done.
    Done,
    /// 1: a bug or the environment.
    Trouble,
    /// 2: the file or the command line is wrong.
    Wrong,
    /// 3: some trial failed; the rest ran.
    Failed,
    /// 75: a trial hangs, whose threads cannot be ended in another way. The supervising process
    /// starts a new one: nobody else sees this code.
    Hung,
    /// 130: interrupted; it can be resumed.
    Interrupted,
}

impl Exit {
    const ALL: [Exit; 6] =
        [Exit::Done, Exit::Trouble, Exit::Wrong, Exit::Failed, Exit::Hung, Exit::Interrupted];

    fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Trouble => 1,
            Exit::Wrong => 2,
            Exit::Failed => 3,
            Exit::Hung => 75,
            Exit::Interrupted => 130,
        }
    }

    /// The exit of a process that ended with `code`; none if this program has no such code.
    pub(super) fn from_code(code: i32) -> Option<Exit> {
        Exit::ALL.into_iter().find(|exit| i32::from(exit.code()) == code)
    }

    /// Ends the process here, whatever its threads do.
    pub(super) fn now(self) -> ! {
        std::process::exit(self.code().into())
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self.code())
    }
}
