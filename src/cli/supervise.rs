//! A run has two processes: one does the work, the other watches over it. A trial that takes its
//! process down (out of memory, a crash in foreign code) or that hangs is a row with its reason then,
//! and not the end of the sweep: the work goes on in a new process, from the last checkpoints.
//!
//! The working process listens on its standard input: a byte asks it to stop, and the end of the
//! input says that nobody watches any more.

use std::io::{Read, Write};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};

use super::exit::{Exit, say};

/// Names the run in the environment of the working process.
const RUN: &str = "CANDLEWICK_RUN";

/// Says there how the working process before it died.
const DEATH: &str = "CANDLEWICK_DEATH";

/// The exit code of a working process with a trial that hangs.
const HUNG: i32 = 75;

/// What the working process knows of its run.
pub(super) struct Watched {
    /// The name of the run.
    pub(super) run: String,
    /// How the process before this one died.
    pub(super) death: Option<String>,
}

/// Whether this is the working process.
pub(super) fn watched() -> Option<Watched> {
    let run = std::env::var(RUN).ok()?;
    Some(Watched { run, death: std::env::var(DEATH).ok() })
}

/// Runs the same command line in a working process, and in further ones for as long as they die.
pub(super) fn supervise() -> Result<Exit> {
    let program = std::env::current_exe().context("failed to find the program's own file")?;
    // Only has to differ from the names of other runs.
    let run =
        blake3::hash(format!("{:?}", std::collections::hash_map::RandomState::new()).as_bytes());
    let run = format!("{}-{}", std::process::id(), &run.to_hex()[..8]);
    let input: Arc<Mutex<Option<ChildStdin>>> = Arc::default();
    let interrupted = Arc::new(AtomicBool::new(false));
    let (to, flag) = (input.clone(), interrupted.clone());
    ctrlc::set_handler(move || {
        flag.store(true, Ordering::Relaxed);
        if let Some(input) = to.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            // If it is gone, there is nobody to stop.
            let _ = input.write_all(b"\n").and_then(|()| input.flush());
        }
    })
    .context("failed to listen for Ctrl-C")?;
    let mut death: Option<String> = None;
    loop {
        let mut command = Command::new(&program);
        command.args(std::env::args_os().skip(1)).env(RUN, &run).stdin(Stdio::piped());
        match &death {
            Some(death) => command.env(DEATH, death),
            None => command.env_remove(DEATH),
        };
        let mut child = command.spawn().context("failed to start the working process")?;
        *input.lock().unwrap_or_else(PoisonError::into_inner) = child.stdin.take();
        let status = child.wait().context("failed to wait for the working process")?;
        death = match status.code() {
            Some(HUNG) => None,
            Some(code) => return Ok(Exit::from_code(code)),
            None if interrupted.load(Ordering::Relaxed) => return Ok(Exit::Interrupted),
            None => Some(cause(status)),
        };
        match &death {
            Some(death) => {
                say(&format!("the working process died: {death}; going on without it\n"))
            }
            None => say("a trial hangs; going on without it\n"),
        }
    }
}

/// What killed a process.
fn cause(status: ExitStatus) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        match status.signal() {
            Some(6) => "signal 6 (aborted: out of memory, or a bug)".to_owned(),
            Some(9) => "signal 9 (killed, perhaps for want of memory)".to_owned(),
            Some(11) => "signal 11 (a bug)".to_owned(),
            Some(signal) => format!("signal {signal}"),
            None => status.to_string(),
        }
    }
    #[cfg(not(unix))]
    status.to_string()
}

/// Ends a working process with a trial that hangs; its threads cannot be ended in another way.
pub(super) fn end_hung() {
    std::process::exit(HUNG)
}

/// Puts a line on standard error, whatever is drawn there.
pub(super) type Voice = Arc<Mutex<Box<dyn Fn(&str) + Send>>>;

/// The flag that is set when the run shall stop at its next batch. The second request ends the
/// process, and so does the end of whoever watches.
pub(super) fn interrupt(voice: Voice) -> Result<Arc<AtomicBool>> {
    // Ctrl-C reaches both processes of a terminal; what it means comes by the input.
    ctrlc::set_handler(|| {}).context("failed to listen for Ctrl-C")?;
    let interrupt = Arc::new(AtomicBool::new(false));
    let flag = interrupt.clone();
    std::thread::Builder::new()
        .name("interrupts".to_owned())
        .spawn(move || {
            let mut input = std::io::stdin();
            while let Ok(1) = input.read(&mut [0]) {
                if flag.swap(true, Ordering::Relaxed) {
                    break;
                }
                let voice = voice.lock().unwrap_or_else(PoisonError::into_inner);
                voice("interrupted: stopping at the next batch (once more to stop at once)");
            }
            std::process::exit(130);
        })
        .context("failed to start a thread")?;
    Ok(interrupt)
}
