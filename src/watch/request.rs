//! A request: its head alone, and of that what decides about the answer.

use std::io::{self, Read};

use crate::sweep::clock::Stopwatch;

/// Bytes that a head may have.
const BYTES: usize = 8 << 10;
/// Fields that a head may have.
const FIELDS: usize = 64;
/// Seconds that a head may take to arrive.
const SECONDS: f64 = 5.0;

/// What is asked for a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// All of it.
    Get,
    /// What a GET would say of it.
    Head,
    /// Anything else, which nobody gets here.
    Other,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: Method,
    /// The one that the address in the browser names.
    pub(super) host: String,
    /// As it came, without the query: begins with "/".
    pub(super) path: String,
    /// What stands behind "?".
    pub(super) query: Option<String>,
}

/// Why there is no request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is none that HTTP knows.
    Malformed,
    /// Its head is too long.
    TooLarge,
    /// It did not come in time, or was cut off.
    Gone,
}

/// Reads a request from `stream`.
pub(super) fn read(stream: &mut impl Read) -> Result<Request, Refused> {
    let clock = Stopwatch::start();
    let mut bytes = vec![0; BYTES];
    let mut length = 0;
    loop {
        match stream.read(&mut bytes[length..]) {
            Ok(0) => return Err(Refused::Gone),
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Err(Refused::Gone),
        }
        if let Some(request) = parsed(&bytes[..length])? {
            return Ok(request);
        }
        if length == BYTES {
            return Err(Refused::TooLarge);
        }
        if clock.seconds() > SECONDS {
            return Err(Refused::Gone);
        }
    }
}

/// The request whose head `bytes` are; none if more is to come.
fn parsed(bytes: &[u8]) -> Result<Option<Request>, Refused> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut head = httparse::Request::new(&mut fields);
    match head.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Refused::TooLarge),
        Err(_) => return Err(Refused::Malformed),
    }
    let mut hosts = head.headers.iter().filter(|field| field.name.eq_ignore_ascii_case("host"));
    // Two of them are a trick.
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(Refused::Malformed) };
    let host = String::from_utf8(host.value.to_vec()).map_err(|_| Refused::Malformed)?;
    let target = head.path.filter(|path| path.starts_with('/')).ok_or(Refused::Malformed)?;
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (target, None),
    };
    let method = match head.method {
        Some("GET") => Method::Get,
        Some("HEAD") => Method::Head,
        _ => Method::Other,
    };
    Ok(Some(Request { method, host, path: path.to_owned(), query }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Request, Refused> {
        read(&mut text.as_bytes())
    }

    #[test]
    fn a_request_is_its_method_host_path_and_query() {
        let found = of("GET /t/data?since=3 HTTP/1.1\r\nHost: localhost:80\r\nAccept: */*\r\n\r\n");
        let expected = Request {
            method: Method::Get,
            host: "localhost:80".to_owned(),
            path: "/t/data".to_owned(),
            query: Some("since=3".to_owned()),
        };
        assert_eq!(found, Ok(expected));
        let post = of("POST / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
        assert_eq!((post.method, post.query), (Method::Other, None));
    }

    #[test]
    fn a_request_that_comes_in_pieces_is_put_together() {
        struct Drops<'a>(&'a [u8]);
        impl Read for Drops<'_> {
            fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
                let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
                bytes[0] = *first;
                self.0 = rest;
                Ok(1)
            }
        }
        let request = read(&mut Drops(b"HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n")).unwrap();
        assert_eq!((request.method, &request.path[..]), (Method::Head, "/x"));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(BYTES));
        let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(FIELDS));
        for (text, expected) in [
            ("", Refused::Gone),
            ("GET / HT", Refused::Gone),
            ("\u{16}\u{3}\u{1}\0\u{1}", Refused::Malformed),
            ("GET / HTTP/1.1\r\n\r\n", Refused::Malformed),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", Refused::Malformed),
            ("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", Refused::Malformed),
            ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", Refused::Malformed),
            (&long, Refused::TooLarge),
            (&many, Refused::TooLarge),
        ] {
            assert_eq!(of(text), Err(expected), "{text:?}");
        }
    }
}
