//! Who may look: who knows the token, and came by an address of this machine.
//!
//! A page of a stranger in the same browser can send requests to any port of this machine. It does not know the token.
//! If its owner has the name of its own server point to this machine (DNS rebinding), the browser even believes that both
//! are one site; but then it names that server as the host.

use std::net::{IpAddr, SocketAddr};

/// What stands between the folder and whoever sends requests.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    token: String,
    /// Whether other machines may come.
    is_open: bool,
    /// The name of this machine.
    own: String,
}

/// Bytes of a token: nobody guesses 128 bits.
const BYTES: usize = 16;

impl Guard {
    /// For a server on `address` of the machine called `own`, with a new token.
    ///
    /// # Errors
    /// If the system gives no random numbers.
    pub(super) fn new(address: SocketAddr, own: String) -> Result<Guard, getrandom::Error> {
        // The one place where a number must not be the same each time. It is part of no result.
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes)?;
        let token = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let is_open = !address.ip().is_loopback();
        Ok(Guard { token, is_open, own: own.to_lowercase() })
    }

    /// The secret part of the address.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Whether `host`, as a browser names the server that it asks, means this machine. Ports are not compared: one that
    /// ssh forwards is another one at its other end.
    pub(super) fn knows(&self, host: &str) -> bool {
        let Some(name) = without_port(host) else { return false };
        let name = name.to_lowercase();
        let address = match name.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').and_then(|inside| inside.parse().ok()),
            None => name.parse::<IpAddr>().ok().filter(IpAddr::is_ipv4),
        };
        match address {
            // An address is no name that somebody else could turn to this machine.
            Some(address) => self.is_open || address.is_loopback(),
            None => name == "localhost" || (self.is_open && name == self.own),
        }
    }

    /// What `path` asks for, if it begins with the token: what stands behind it.
    pub(super) fn behind_token<'a>(&self, path: &'a str) -> Option<&'a str> {
        let path = path.strip_prefix('/')?;
        let (token, rest) = path.split_at_checked(self.token.len())?;
        // All of it is looked at, so that the time says nothing of how much is right.
        let differences =
            token.bytes().zip(self.token.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
        (differences == 0 && (rest.is_empty() || rest.starts_with('/'))).then_some(rest)
    }
}

/// A host without its port; none if what stands behind the colon is none.
fn without_port(host: &str) -> Option<&str> {
    let end = host.rfind(']').map_or(0, |end| end + 1);
    match host[end..].find(':') {
        None => Some(host),
        Some(colon) => {
            let port = &host[end + colon + 1..];
            port.parse::<u16>().ok().map(|_| &host[..end + colon])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(address: &str) -> Guard {
        Guard::new(address.parse().unwrap(), "Node17".to_owned()).unwrap()
    }

    #[test]
    fn on_loopback_only_names_of_loopback_are_known() {
        let guard = guard("127.0.0.1:0");
        for host in ["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:80", "[::1]", "127.0.0.2"]
        {
            assert!(guard.knows(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "node17",
            "10.0.0.1",
            "0.0.0.0",
            "::1",
            "[::1",
            "[::1]evil",
            "localhost:port",
            "localhost:80:80",
            "user@localhost",
        ] {
            assert!(!guard.knows(host), "{host}");
        }
    }

    #[test]
    fn on_other_addresses_any_address_is_known_and_the_name_of_the_machine() {
        for address in ["0.0.0.0:80", "10.1.2.3:80", "[::]:80"] {
            let guard = guard(address);
            for host in ["10.1.2.3:80", "[fe80::1]:80", "node17:9", "NODE17", "localhost"] {
                assert!(guard.knows(host), "{host}");
            }
            for host in ["evil.example", "node17.evil.example", "node18"] {
                assert!(!guard.knows(host), "{host}");
            }
        }
    }

    #[test]
    fn a_path_has_to_begin_with_the_token() {
        let guard = guard("127.0.0.1:0");
        let token = guard.token();
        assert_eq!(token.len(), 2 * BYTES);
        assert_eq!(guard.behind_token(&format!("/{token}/data")), Some("/data"));
        assert_eq!(guard.behind_token(&format!("/{token}")), Some(""));
        let almost = format!("{}{}", &token[..31], if token.ends_with('0') { '1' } else { '0' });
        for path in [
            "/".to_owned(),
            "/data".to_owned(),
            token.to_owned(),
            format!("/{almost}/"),
            format!("/{token}x"),
            format!("/{}", &token[..31]),
            format!("//{token}/"),
            "/ä".repeat(40),
        ] {
            assert_eq!(guard.behind_token(&path), None, "{path}");
        }
    }

    #[test]
    fn no_two_tokens_are_alike() {
        assert_ne!(guard("127.0.0.1:0").token(), guard("127.0.0.1:0").token());
    }
}
