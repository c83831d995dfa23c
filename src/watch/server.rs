//! The server: one thread takes connections, and each connection has a thread for as long as its one request takes.
//!
//! It is written on the standard library and `httparse`, the parser of `hyper`. One page asks once a second, on the same
//! machine, and gets small answers; a framework would bring an asynchronous runtime for that, and the small servers on
//! crates.io have had no release for years.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::sweep::store::host;

use super::answer::{Answerer, refused};
use super::guard::Guard;
use super::request::{Method, read};
use super::response::Response;

/// Connections at the same time.
const CONNECTIONS: usize = 32;
/// How long a connection may be silent.
const SILENCE: Duration = Duration::from_secs(5);

/// Serves the page of a results folder.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    answerer: Arc<Answerer>,
}

impl Server {
    /// Takes `address` for the page of the results folder `root`; port 0 is any that is free.
    ///
    /// # Errors
    /// If the address cannot be had, or the system gives no random numbers for the token.
    pub fn bind(address: SocketAddr, root: &Path) -> io::Result<Server> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let guard = Guard::new(address, host()).map_err(io::Error::other)?;
        let answerer = Arc::new(Answerer::new(guard, root.to_owned()));
        Ok(Server { listener, address, answerer })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of the page, with its token.
    pub fn url(&self) -> String {
        // All addresses of a machine are none that a browser can open.
        let name = match self.address.ip() {
            ip if ip.is_unspecified() => host(),
            _ => String::new(),
        };
        let place = match name.is_empty() {
            true => self.address.to_string(),
            false => format!("{name}:{}", self.address.port()),
        };
        format!("http://{place}/{}/", self.answerer.guard.token())
    }

    /// Answers requests for ever.
    pub fn serve(self) {
        let open = Arc::new(AtomicUsize::new(0));
        for stream in self.listener.incoming() {
            let Ok(stream) = stream else {
                // Such as too many open files: others may close some.
                std::thread::sleep(Duration::from_millis(50));
                continue;
            };
            if open.fetch_add(1, Ordering::AcqRel) >= CONNECTIONS {
                open.fetch_sub(1, Ordering::AcqRel);
                continue;
            }
            let (answerer, of_thread) = (self.answerer.clone(), open.clone());
            let work = move || {
                // Whoever has gone away wants no answer.
                let _ = converse(&answerer, stream);
                of_thread.fetch_sub(1, Ordering::AcqRel);
            };
            if std::thread::Builder::new().name("request".to_owned()).spawn(work).is_err() {
                open.fetch_sub(1, Ordering::AcqRel);
            }
        }
    }
}

/// Answers the request that comes by `stream`.
fn converse(answerer: &Answerer, mut stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_write_timeout(Some(SILENCE))?;
    stream.set_nodelay(true)?;
    let (response, is_head) = match read(&mut stream) {
        Ok(request) => {
            // What goes wrong over a damaged folder ends neither the thread's count nor the program.
            let answer = std::panic::AssertUnwindSafe(|| answerer.answer(&request));
            let response = std::panic::catch_unwind(answer).unwrap_or_else(|_| {
                Response::refusal(500, "Internal Server Error", "This request cannot be answered.")
            });
            (Some(response), request.method == Method::Head)
        }
        Err(reason) => (refused(reason), false),
    };
    match response {
        Some(response) => response.write(&mut stream, is_head),
        None => Ok(()),
    }
}
