//! Which request gets what.
//!
//! A path names one of a few things, or a picture by its number: no part of it is ever the name of a file.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::basis::regular;
use crate::charts;
use crate::report::page::STYLE;
use crate::results::layout::REPORT;

use super::guard::Guard;
use super::live::Live;
use super::page;
use super::request::{Method, Refused, Request};
use super::response::{FOREIGN, Response, STILL};

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// The page.
    Page,
    /// Its style.
    Style,
    /// Its script.
    Script,
    /// What is new since a version.
    Data,
    /// The report in the folder.
    Report,
    /// A picture in the folder, by its number.
    Picture(usize),
}

impl Route {
    /// What stands behind the token.
    fn of(rest: &str) -> Option<Route> {
        match rest {
            "/" => Some(Route::Page),
            "/watch.css" => Some(Route::Style),
            "/watch.js" => Some(Route::Script),
            "/data" => Some(Route::Data),
            "/report" => Some(Route::Report),
            _ => {
                let digits = rest.strip_prefix("/picture/")?;
                let is_plain =
                    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
                is_plain.then(|| digits.parse().ok()).flatten().map(Route::Picture)
            }
        }
    }
}

/// What answers requests.
#[derive(Debug)]
pub(super) struct Answerer {
    pub(super) guard: Guard,
    root: PathBuf,
    live: Mutex<Live>,
}

impl Answerer {
    /// For the results folder `root`.
    pub(super) fn new(guard: Guard, root: PathBuf) -> Answerer {
        let live = Mutex::new(Live::new(root.clone()));
        Answerer { guard, root, live }
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to `request`.
    pub(super) fn answer(&self, request: &Request) -> Response {
        if !self.guard.knows(&request.host) {
            return Response::refusal(
                403,
                "Forbidden",
                "The host name of this request is not allowed. Use the address that wick watch printed.",
            );
        }
        if request.method == Method::Other {
            let mut response = Response::refusal(
                405,
                "Method Not Allowed",
                "This server only answers GET and HEAD.",
            );
            response.line = Some("Allow: GET, HEAD".to_owned());
            return response;
        }
        let Some(rest) = self.guard.behind_token(&request.path) else {
            return Response::refusal(
                403,
                "Forbidden",
                "The token in the address is missing or old. wick watch prints the full address.",
            );
        };
        if rest.is_empty() {
            let mut response =
                Response::refusal(308, "Permanent Redirect", "The address ends with \"/\".");
            response.line = Some(format!("Location: /{}/", self.guard.token()));
            return response;
        }
        match Route::of(rest) {
            None => nothing("There is no page at this address."),
            Some(Route::Page) => {
                Response::own("text/html; charset=utf-8", page::page(&self.root).into_bytes())
            }
            Some(Route::Style) => {
                let style = [charts::STYLE, STYLE, include_str!("watch.css")].concat();
                Response::own("text/css; charset=utf-8", style.into_bytes())
            }
            Some(Route::Script) => {
                Response::own("text/javascript; charset=utf-8", include_bytes!("watch.js").to_vec())
            }
            Some(Route::Data) => {
                let since = match request.query.as_deref().map(|query| query.strip_prefix("since="))
                {
                    None => Some(0),
                    Some(version) => version.and_then(|version| version.parse().ok()),
                };
                let Some(since) = since else {
                    return Response::refusal(
                        400,
                        "Bad Request",
                        "since= is the number of a version.",
                    );
                };
                Response::own("application/json", self.live().news(since).into_bytes())
            }
            Some(Route::Report) => match plain(&self.root.join(REPORT)) {
                Some((file, bytes)) => {
                    Response::file("text/html; charset=utf-8", FOREIGN, file, bytes)
                }
                None => nothing(
                    "There is no report yet: wick run writes it at its end, wick report at any time.",
                ),
            },
            Some(Route::Picture(number)) => {
                let picture = self.live().picture(number);
                match picture.and_then(|(path, kind)| Some((plain(&path)?, kind))) {
                    Some(((file, bytes), kind)) => Response::file(kind, STILL, file, bytes),
                    None => nothing("There is no picture of this number."),
                }
            }
        }
    }
}

/// The answer to what is no request; none if nobody waits for one.
pub(super) fn refused(refused: Refused) -> Option<Response> {
    match refused {
        Refused::Gone => None,
        Refused::Malformed => Some(Response::refusal(400, "Bad Request", "This is no request.")),
        Refused::TooLarge => {
            let word = "Request Header Fields Too Large";
            Some(Response::refusal(431, word, "The head of the request is too long."))
        }
    }
}

fn nothing(text: &str) -> Response {
    Response::refusal(404, "Not Found", text)
}

/// The file at `path`, opened, with its size; none unless it is a regular one, and no link to one elsewhere.
fn plain(path: &std::path::Path) -> Option<(std::fs::File, u64)> {
    if !path.symlink_metadata().ok()?.is_file() {
        return None;
    }
    let file = regular::open(path).ok()?;
    let bytes = file.metadata().ok()?.len();
    Some((file, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::response::Body;

    fn answerer(root: &std::path::Path) -> Answerer {
        let guard = Guard::new("127.0.0.1:80".parse().unwrap(), "here".to_owned()).unwrap();
        Answerer::new(guard, root.to_owned())
    }

    fn ask(answerer: &Answerer, method: Method, host: &str, rest: &str) -> (u16, String) {
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (rest, None),
        };
        let path = path.replace("TOKEN", answerer.guard.token());
        let request = Request { method, host: host.to_owned(), path, query };
        let response = answerer.answer(&request);
        let text = match response.body {
            Body::Bytes(bytes) => String::from_utf8(bytes).unwrap(),
            Body::File(mut file, _) => {
                let mut text = String::new();
                std::io::Read::read_to_string(&mut file, &mut text).unwrap();
                text
            }
        };
        (response.status.0, text)
    }

    #[test]
    fn each_thing_is_there_for_who_knows_the_token() {
        let folder = tempfile::tempdir().unwrap();
        let answerer = answerer(folder.path());
        let get = |rest: &str| ask(&answerer, Method::Get, "localhost:80", rest);
        assert!(get("/TOKEN/").1.starts_with("<!DOCTYPE html>"));
        assert!(get("/TOKEN/watch.css").1.contains("--paper"));
        assert!(get("/TOKEN/watch.js").1.starts_with("\"use strict\";"));
        assert!(get("/TOKEN/data").1.starts_with('{'));
        assert!(get("/TOKEN/data?since=0").1.starts_with('{'));
        assert_eq!(get("/TOKEN/report").0, 404);
        std::fs::write(folder.path().join("report.html"), "<p>so").unwrap();
        assert_eq!(get("/TOKEN/report"), (200, "<p>so".to_owned()));
        assert_eq!(get("/TOKEN").0, 308);
    }

    #[test]
    fn without_the_token_or_under_a_foreign_name_there_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("report.html"), "secret").unwrap();
        let answerer = answerer(folder.path());
        for path in ["/", "/data", "/report", "/0123456789abcdef0123456789abcdef/report"] {
            let (code, text) = ask(&answerer, Method::Get, "127.0.0.1", path);
            assert_eq!(code, 403, "{path}");
            assert!(!text.contains(answerer.guard.token()), "{text}");
        }
        for path in ["/TOKEN/", "/TOKEN/report", "/TOKEN/data"] {
            assert_eq!(ask(&answerer, Method::Get, "evil.example:80", path).0, 403, "{path}");
        }
    }

    #[test]
    fn nothing_can_be_done_but_reading() {
        let folder = tempfile::tempdir().unwrap();
        let answerer = answerer(folder.path());
        assert_eq!(ask(&answerer, Method::Other, "localhost", "/TOKEN/").0, 405);
        assert_eq!(ask(&answerer, Method::Head, "localhost", "/TOKEN/").0, 200);
    }

    #[test]
    fn no_path_leads_to_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("results");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(folder.path().join("secret.png"), "secret").unwrap();
        std::fs::write(root.join("experiment.toml"), "secret").unwrap();
        let answerer = answerer(&root);
        for path in [
            "/TOKEN/../secret.png",
            "/TOKEN/%2e%2e/secret.png",
            "/TOKEN/experiment.toml",
            "/TOKEN//etc/passwd",
            "/TOKEN/report/",
            "/TOKEN/picture/",
            "/TOKEN/picture/0",
            "/TOKEN/picture/-1",
            "/TOKEN/picture/+1",
            "/TOKEN/picture/99999999999999999999999",
            "/TOKEN/picture/../../secret.png",
            "/TOKEN/picture/0/../../secret.png",
            "/TOKEN/watch.js/",
        ] {
            let (code, text) = ask(&answerer, Method::Get, "localhost", path);
            assert_eq!(code, 404, "{path}");
            assert!(!text.contains("secret"), "{path}: {text}");
        }
        assert_eq!(ask(&answerer, Method::Get, "localhost", "/TOKEN/data?since=x").0, 400);
        assert_eq!(ask(&answerer, Method::Get, "localhost", "/TOKEN/data?until=1").0, 400);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_a_file_elsewhere_is_no_report() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("results");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(folder.path().join("secret"), "secret").unwrap();
        std::os::unix::fs::symlink(folder.path().join("secret"), root.join("report.html")).unwrap();
        let answerer = answerer(&root);
        assert_eq!(ask(&answerer, Method::Get, "localhost", "/TOKEN/report").0, 404);
    }
}
