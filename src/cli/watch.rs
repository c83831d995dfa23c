//! `wick watch`: a results folder as a live page.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::mpsc::channel;

use anyhow::Context;

use crate::watch::{Server, has_results};

use super::arguments::Watch;
use super::error::{Error, Result};
use super::exit::Exit;
use super::output::{print, say};

/// Runs the command, until it is interrupted.
pub(super) fn watch(arguments: &Watch) -> Result {
    let Watch { folder, address } = arguments;
    if folder.exists() && !folder.is_dir() {
        let folder = folder.display();
        return Err(Error::wrong(format!(
            "{folder} is no folder\n  = help: wick watch takes the results folder of an experiment, such as \
             results/quickstart"
        )));
    }
    // Before the address is printed, so that whoever has it may also end the program.
    let (interrupt, interrupted) = channel();
    ctrlc::set_handler(move || _ = interrupt.send(())).context("failed to listen for Ctrl-C")?;
    let server = Server::bind(*address, folder).map_err(|error| {
        let kind = error.kind();
        let help = match kind {
            ErrorKind::AddrInUse => {
                "another program uses this port, perhaps another wick watch; --address 127.0.0.1:0 uses any free port"
            }
            ErrorKind::AddrNotAvailable => {
                "this machine has no such address; 127.0.0.1 is for this machine only, 0.0.0.0 for all of its addresses"
            }
            ErrorKind::PermissionDenied => "ports below 1024 are reserved for the system; use a higher one",
            _ => "--address 127.0.0.1:0 uses any free port of this machine",
        };
        Error::trouble(format!("failed to listen on {address}: {error}\n  = help: {help}"))
    })?;
    if !server.address().ip().is_loopback() {
        say(&note_of_others(server.address()));
    }
    if !has_results(folder) {
        say(&format!(
            "note: there are no results in {} yet: the page waits for them\n",
            folder.display()
        ));
    }
    print(&format!("{}\n", server.url()));
    say("the page follows the folder until Ctrl-C\n");
    std::thread::Builder::new()
        .name("watch".to_owned())
        .spawn(move || server.serve())
        .context("failed to start a thread")?;
    // The server goes on for ever; only a signal ends this.
    interrupted.recv().context("failed to wait for Ctrl-C")?;
    Err(Error::new(Exit::Interrupted, "the page has ended; the folder is unchanged\n"))
}

/// What it means that other machines can ask.
fn note_of_others(address: SocketAddr) -> String {
    let port = address.port();
    format!(
        "note: {address} is open to other machines: everybody who can reach it and knows the token can see the \
         page, and the connection is not encrypted\n  = help: --address 127.0.0.1:{port} here and \
         ssh -L {port}:127.0.0.1:{port} from the other machine show the page there too, encrypted\n"
    )
}
