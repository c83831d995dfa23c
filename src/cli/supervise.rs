//! A run has two processes: one does the work, the other supervises it. A trial that takes its
//! process down (out of memory, a crash in foreign code) or that hangs is a row with its reason then,
//! and not the end of the sweep: the work goes on in a new process, from the last checkpoints.
//!
//! The working process listens on its standard input: a byte asks it to stop, and the end of the
//! input says that its supervisor is gone. In a job of Slurm the signal USR1 says that the time is over
//! soon: then the work stops at the next batch, and the job goes back into the queue.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;

use crate::sweep::slurm::client;

use super::error::{Error, Result};
use super::exit::Exit;
use super::output::say;

/// Names the supervisor in the environment of the working process.
const SUPERVISOR: &str = "CANDLEWICK_RUN";

/// Says there how the working process before it died.
const DEATH: &str = "CANDLEWICK_DEATH";

/// Names the file there by which the working process says that it has come to its trials.
const SIGN: &str = "CANDLEWICK_SIGN";

/// So often in a row the working process may die before it has come to its trials: what kills it then is no
/// trial, and will kill the next one too.
const DEATHS: usize = 3;

/// What the working process knows of its supervisor.
pub(super) struct Supervised {
    /// A name that nobody else has.
    pub(super) supervisor: String,
    /// How the process before this one died.
    pub(super) death: Option<String>,
    /// The file by which this process says that it has come to its trials.
    sign: PathBuf,
}

impl Supervised {
    /// Says that this process has come to its trials. Where that cannot be said, it counts as if it had died
    /// before, should it die.
    pub(super) fn has_come_to_trials(&self) {
        let _ = std::fs::write(&self.sign, "");
    }
}

/// Whether this is the working process.
pub(super) fn supervised() -> Option<Supervised> {
    let supervisor = std::env::var(SUPERVISOR).ok()?;
    let sign = std::env::var_os(SIGN).map(PathBuf::from).unwrap_or_default();
    Some(Supervised { supervisor, death: std::env::var(DEATH).ok(), sign })
}

/// A name that nothing else has.
pub(super) fn new_name() -> String {
    let drawn = format!("{:?}", std::collections::hash_map::RandomState::new());
    format!("{}-{}", std::process::id(), &blake3::hash(drawn.as_bytes()).to_hex()[..8])
}

/// Runs the same command line in a working process, and in further ones for as long as they die. A job
/// of Slurm whose time is over soon goes back into the queue, `requeues` times at most.
pub(super) fn supervise(requeues: u32) -> Result {
    let program = std::env::current_exe().context("failed to find the program's own file")?;
    let supervisor = new_name();
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
    let is_expiring = on_expiry(input.clone())?;
    let mut death: Option<String> = None;
    let sign = std::env::temp_dir().join(format!("candlewick-{supervisor}"));
    let mut deaths = 0;
    loop {
        let mut command = Command::new(&program);
        command
            .args(std::env::args_os().skip(1))
            .env(SUPERVISOR, &supervisor)
            .env(SIGN, &sign)
            .stdin(Stdio::piped());
        match &death {
            Some(death) => command.env(DEATH, death),
            None => command.env_remove(DEATH),
        };
        let mut child = command.spawn().context("failed to start the working process")?;
        *input.lock().unwrap_or_else(PoisonError::into_inner) = child.stdin.take();
        let status = child.wait().context("failed to wait for the working process")?;
        // It is there if the process came to its trials, and is not needed any more.
        let has_come_to_trials = std::fs::remove_file(&sign).is_ok();
        let exit = status.code().map(|code| Exit::from_code(code).ok_or(code));
        death = match exit {
            Some(Err(code)) => {
                return Err(Error::trouble(format!(
                    "the working process ended with exit code {code}, which is not one of wick's: see its last output"
                )));
            }
            Some(Ok(Exit::Hung)) => None,
            Some(Ok(Exit::Done)) => return Ok(()),
            Some(Ok(exit)) => {
                if exit == Exit::Interrupted && is_expiring.load(Ordering::Relaxed) {
                    requeue(requeues);
                }
                return Err(exit.into());
            }
            None if interrupted.load(Ordering::Relaxed) => {
                return Err(Exit::Interrupted.into());
            }
            None => Some(cause(status)),
        };
        deaths = if has_come_to_trials || death.is_none() { 0 } else { deaths + 1 };
        match &death {
            Some(death) if deaths >= DEATHS => {
                return Err(Error::trouble(format!(
                    "the working process died {deaths} times in a row before it started a trial: {death}; a \
                     memory limit may be too low for the program itself (see ulimit -a)"
                )));
            }
            Some(death) => {
                say(&format!("the working process died: {death}; continuing without it\n"))
            }
            None => say("a trial hangs; continuing without it\n"),
        }
    }
}

/// The flag that is set when the time of this job is over soon; the working process is told.
#[cfg(unix)]
fn on_expiry(input: Arc<Mutex<Option<ChildStdin>>>) -> Result<Arc<AtomicBool>> {
    use signal_hook::consts::SIGUSR1;
    use signal_hook::iterator::Signals;
    let is_expiring = Arc::new(AtomicBool::new(false));
    let flag = is_expiring.clone();
    let mut signals = Signals::new([SIGUSR1]).context("failed to listen for signals")?;
    std::thread::Builder::new()
        .name("expiry".to_owned())
        .spawn(move || {
            for _ in signals.forever() {
                if !flag.swap(true, Ordering::Relaxed)
                    && let Some(input) =
                        input.lock().unwrap_or_else(PoisonError::into_inner).as_mut()
                {
                    say("the time limit of this job is near\n");
                    let _ = input.write_all(b"\n").and_then(|()| input.flush());
                }
            }
        })
        .context("failed to start a thread")?;
    Ok(is_expiring)
}

#[cfg(not(unix))]
fn on_expiry(_: Arc<Mutex<Option<ChildStdin>>>) -> Result<Arc<AtomicBool>> {
    Ok(Arc::default())
}

/// Puts this job back into the queue, if it is one and has not been there too often.
fn requeue(most: u32) {
    if std::env::var_os("SLURM_JOB_ID").is_none() || most == 0 {
        return;
    }
    let restarts = client::restarts();
    if restarts >= most {
        say(&format!("it has already been started again {restarts} times (max-requeues)\n"));
    } else if let Err(error) = client::requeue_this() {
        say(&format!("failed to queue this job again: {error}\n"));
    } else {
        say("back into the queue\n");
    }
}

/// What killed a process.
fn cause(status: ExitStatus) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        match status.signal() {
            Some(6) => "signal 6 (aborted: out of memory, or a bug)".to_owned(),
            Some(9) => "signal 9 (killed, perhaps out of memory)".to_owned(),
            Some(11) => "signal 11 (a bug)".to_owned(),
            Some(signal) => format!("signal {signal}"),
            None => status.to_string(),
        }
    }
    #[cfg(not(unix))]
    status.to_string()
}

/// Ends a working process with a trial that hangs.
pub(super) fn end_hung() {
    Exit::Hung.now()
}

/// Puts a line on standard error, whatever is drawn there.
pub(super) type Voice = Arc<Mutex<Box<dyn Fn(&str) + Send>>>;

/// The flag that is set when the run shall stop at its next batch. The second request ends the
/// process, and so does the end of its supervisor.
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
            Exit::Interrupted.now();
        })
        .context("failed to start a thread")?;
    Ok(interrupt)
}
