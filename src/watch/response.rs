//! What a browser gets.

use std::fs::File;
use std::io::{self, Read, Write};

/// What a page of the program may load: its own style, script, data and pictures, and nothing from anywhere else.
pub(super) const OWN: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
                              connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What a file of the results folder may do, which a stranger may have made: show what is in it, on a site of its own,
/// from where nothing of this one can be read.
pub(super) const FOREIGN: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; \
                                  base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-scripts";

/// What a picture may do.
pub(super) const STILL: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// What is sent behind the head.
#[derive(Debug)]
pub(super) enum Body {
    Bytes(Vec<u8>),
    /// A file of so many bytes; it is not held in memory.
    File(File, u64),
}

/// An answer.
#[derive(Debug)]
pub(super) struct Response {
    /// The code and its word.
    pub(super) status: (u16, &'static str),
    /// The type of the body.
    pub(super) kind: &'static str,
    /// Its content security policy.
    pub(super) policy: &'static str,
    /// A further line of the head.
    pub(super) line: Option<String>,
    pub(super) body: Body,
}

impl Response {
    /// `bytes` of the program itself.
    pub(super) fn own(kind: &'static str, bytes: Vec<u8>) -> Response {
        Response { status: (200, "OK"), kind, policy: OWN, line: None, body: Body::Bytes(bytes) }
    }

    /// `file` of the results folder.
    pub(super) fn file(
        kind: &'static str,
        policy: &'static str,
        file: File,
        bytes: u64,
    ) -> Response {
        Response { status: (200, "OK"), kind, policy, line: None, body: Body::File(file, bytes) }
    }

    /// Why there is nothing.
    pub(super) fn refusal(code: u16, word: &'static str, text: &str) -> Response {
        let body = Body::Bytes(format!("{text}\n").into_bytes());
        let kind = "text/plain; charset=utf-8";
        Response { status: (code, word), kind, policy: OWN, line: None, body }
    }

    /// Writes it to `stream`; without its body if `is_head`.
    ///
    /// # Errors
    /// Those of the stream.
    pub(super) fn write(self, stream: &mut impl Write, is_head: bool) -> io::Result<()> {
        let length = match &self.body {
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::File(_, bytes) => *bytes,
        };
        let (code, word) = self.status;
        let mut head = format!(
            "HTTP/1.1 {code} {word}\r\nContent-Type: {}\r\nContent-Length: {length}\r\nContent-Security-Policy: {}\r\n",
            self.kind, self.policy
        );
        head.push_str(
            "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nCache-Control: no-store\r\n\
             Cross-Origin-Resource-Policy: same-origin\r\nCross-Origin-Opener-Policy: same-origin\r\n\
             Connection: close\r\n",
        );
        if let Some(line) = &self.line {
            head.push_str(line);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes())?;
        match self.body {
            _ if is_head => {}
            Body::Bytes(bytes) => stream.write_all(&bytes)?,
            // One that has become longer since is cut: its length has been said.
            Body::File(file, bytes) => _ = io::copy(&mut file.take(bytes), stream)?,
        }
        stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(response: Response, is_head: bool) -> String {
        let mut bytes = Vec::new();
        response.write(&mut bytes, is_head).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere_and_nothing_is_kept() {
        let text = written(Response::own("text/css", b"a {}".to_vec()), false);
        assert!(
            text.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/css\r\nContent-Length: 4\r\n")
        );
        assert!(text.ends_with("\r\n\r\na {}"));
        for line in ["Cache-Control: no-store", "nosniff", "no-referrer", "default-src 'none'"] {
            assert!(text.contains(line), "{line}");
        }
        for policy in [OWN, FOREIGN, STILL] {
            assert!(policy.starts_with("default-src 'none';"));
            assert!(!policy.contains("http") && !policy.contains('*'), "{policy}");
        }
        assert!(!OWN.contains("unsafe"));
    }

    #[test]
    fn a_head_says_what_the_body_would_be() {
        let head = written(Response::refusal(404, "Not Found", "nothing"), true);
        assert!(head.contains("Content-Length: 8\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    }
}
