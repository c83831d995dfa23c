//! The live page of a results folder: the real program, asked as a browser asks it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use candlewick::basis::record::{EpochRecord, Outcome, Scores, Status};
use candlewick::results::timings::Timing;
use candlewick::results::trials::{Row, Trials};
use candlewick::sweep::clock::Stopwatch;
use candlewick::sweep::store::{Lasting, TrialStore};
use serde_json::Value;

use super::bench::{Bench, bare};

/// `wick watch` at work.
struct Watching {
    child: Child,
    address: String,
    token: String,
}

impl Watching {
    /// Starts it for a folder, on any free port.
    fn start(folder: &Path) -> Watching {
        let mut child = bare(env!("CARGO_BIN_EXE_wick"))
            .arg("watch")
            .arg(folder)
            .args(["--address", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let place = line.trim().strip_prefix("http://").unwrap_or_else(|| panic!("{line}"));
        let (address, rest) = place.split_once('/').unwrap();
        let token = rest.strip_suffix('/').unwrap().to_owned();
        Watching { child, address: address.to_owned(), token }
    }

    /// The answer to a request as it is written here: its code, its head and its body.
    fn ask(&self, request: &str) -> (u16, String, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request = request.replace("TOKEN", &self.token).replace("HOST", &self.address);
        stream.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let end = bytes.windows(4).position(|it| it == b"\r\n\r\n").expect("an answer has a head");
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let code = head.split(' ').nth(1).unwrap().parse().unwrap();
        (code, head, bytes[end + 4..].to_vec())
    }

    fn get(&self, path: &str) -> (u16, String) {
        let (code, _, body) =
            self.ask(&format!("GET /TOKEN/{path} HTTP/1.1\r\nHost: HOST\r\n\r\n"));
        (code, String::from_utf8_lossy(&body).into_owned())
    }

    /// What is new since a version.
    fn news(&self, since: u64) -> Value {
        let (code, text) = self.get(&format!("data?since={since}"));
        assert_eq!(code, 200, "{text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The news that `has` waits for, of those since a version, and the seconds until they were there.
    fn news_with(&self, since: u64, has: impl Fn(&Value) -> bool) -> (Value, f64) {
        let begun = Stopwatch::start();
        let mut since = since;
        loop {
            let news = self.news(since);
            if has(&news) {
                return (news, begun.seconds());
            }
            assert!(begun.seconds() < 20.0, "{news}");
            since = version(&news);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends it as Ctrl-C does; its exit code.
    fn interrupt(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-INT", &id]).status().unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn version(news: &Value) -> u64 {
    news["version"].as_u64().unwrap()
}

fn digest(number: usize) -> String {
    format!("{number:016x}")
}

/// A results folder of so many trials, none of which has begun.
struct Folder {
    _folder: tempfile::TempDir,
    root: PathBuf,
    rows: Vec<Row>,
}

const AXIS: &str = "model.<img src=x onerror=alert(1)>";

impl Folder {
    fn new(trials: usize, epochs: usize) -> Folder {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("results");
        fs::create_dir_all(root.join("trials")).unwrap();
        let text = format!("name = \"a<script>b\"\n[train]\nepochs = {epochs}\n");
        fs::write(root.join("experiment.toml"), text).unwrap();
        let row = |number: usize| Row {
            number,
            digest: digest(number),
            values: vec![format!("</script>{}", number % 7)],
            seed: (123 + number % 3).to_string(),
            fold: String::new(),
            status: Status::Unfinished.name().to_owned(),
            reason: String::new(),
            best_epoch: 0,
            validation: [None; 6],
            test: [None; 6],
            parameters: Some(1000.0),
            trainable: Some(1000.0),
            flops: Some(5000.0),
        };
        let folder = Folder { _folder: folder, root, rows: (1..=trials).map(row).collect() };
        folder.write_table();
        folder
    }

    fn write_table(&self) {
        let trials = Trials { axes: vec![AXIS.to_owned()], rows: self.rows.clone() };
        let beside = self.root.join("trials.csv.new");
        fs::write(&beside, trials.csv()).unwrap();
        fs::rename(beside, self.root.join("trials.csv")).unwrap();
    }

    fn trial(&self, number: usize) -> TrialStore {
        let store = TrialStore::at(self.root.join("trials").join(digest(number)));
        fs::create_dir_all(store.folder()).unwrap();
        store
    }
}

fn record(epoch: usize) -> EpochRecord {
    let accuracy = 1.0 - 0.5 / epoch as f64;
    let scores = Scores::from([1.0 / epoch as f64, accuracy, 1.0, 0.5, 0.5, 0.5]);
    EpochRecord { epoch, steps: epoch as u64, lr: 0.1, train: scores, validation: Some(scores) }
}

/// The state of the trial with this index in the rows of `news`, in words; none if it has none.
fn state<'a>(head: &'a Value, news: &Value, index: u64) -> Option<&'a str> {
    let row = news["rows"].as_array()?.iter().find(|row| row[0] == index)?;
    head["states"][row[1].as_u64()? as usize].as_str()
}

#[test]
fn the_page_grows_with_the_folder() {
    let folder = Folder::new(3, 4);
    let watching = Watching::start(&folder.root);
    let (code, page) = watching.get("");
    assert_eq!(code, 200);
    assert!(page.starts_with("<!DOCTYPE html>") && !page.contains("<script>"), "{page}");
    let whole = watching.news(0);
    let head = &whole["head"];
    // Names are data, and nothing of them is markup in the page.
    assert_eq!(head["name"], "a<script>b");
    assert_eq!(head["axes"][0], AXIS);
    assert_eq!(head["trials"].as_array().unwrap().len(), 3);
    assert_eq!(state(head, &whole, 0), Some("to run"));
    assert_eq!(whole["counts"]["planned"], 12);
    // Nothing is new.
    let at = version(&whole);
    let news = watching.news(at);
    assert_eq!(news.as_object().unwrap().len(), 2, "{news}");
    // A trial begins.
    let store = folder.trial(2);
    let lock = store.lock().unwrap().unwrap();
    store.add_epoch(&record(1), Lasting::Process).unwrap();
    let (news, seconds) = watching.news_with(at, |news| !news["curves"].is_null());
    assert!(seconds < 2.0, "{seconds} s");
    assert_eq!(news["curves"], serde_json::json!([[1, false, [[1, 1, 0.5, 1, 0.5]]]]));
    assert_eq!(state(head, &news, 1), Some("running"));
    assert_eq!(state(head, &news, 0), None, "only what is new is told: {news}");
    let at = version(&news);
    for epoch in 2..=4 {
        store.add_epoch(&record(epoch), Lasting::Process).unwrap();
    }
    let (news, _) = watching.news_with(at, |news| !news["curves"].is_null());
    let points = news["curves"][0][2].as_array().unwrap().len();
    assert!((1..=3).contains(&points), "the first point is not told again: {news}");
    // It ends, before any table says so: as on a cluster.
    let outcome = Outcome {
        status: Status::Completed,
        reason: String::new(),
        epochs: 4,
        best_epoch: 4,
        train: Some(record(4).train),
        validation: record(4).validation,
        test: None,
    };
    store.finish(&outcome).unwrap();
    drop(lock);
    let is_ended = |news: &Value| state(head, news, 1) == Some("completed");
    let (news, _) = watching.news_with(version(&news), is_ended);
    let (ranked, _) = watching.news_with(0, |news| news["ranking"]["known"] == 1);
    assert_eq!(ranked["ranking"]["settings"][0]["words"], "87.50 %");
    assert_eq!(ranked["counts"]["states"], serde_json::json!([1, 0, 0, 0, 0, 2]));
    assert!(version(&ranked) >= version(&news));
    // Another version of the table, with further trials, as a search has them: what is known stays.
    let mut folder = folder;
    folder.rows.push(Row { number: 4, digest: digest(4), ..folder.rows[0].clone() });
    folder.write_table();
    let more = |news: &Value| news["head"]["trials"].as_array().is_some_and(|it| it.len() == 4);
    let (news, _) = watching.news_with(version(&ranked), more);
    assert_eq!(news["whole"], false);
    assert!(news["curves"].is_null(), "{news}");
    // Another trial takes two epochs over, trains a third, and its process dies.
    let store = folder.trial(4);
    let lock = store.lock().unwrap().unwrap();
    for epoch in 1..=3 {
        store.add_epoch(&record(epoch), Lasting::Process).unwrap();
    }
    store.time(&[Timing { epoch: 3, seconds: 2.5, ..Timing::default() }]).unwrap();
    drop(lock);
    let is_left = |news: &Value| state(head, news, 3) == Some("interrupted");
    let (news, _) = watching.news_with(version(&news), is_left);
    assert_eq!(news["counts"]["shared"], 2);
    // It is taken up again from the start.
    let lock = store.lock().unwrap().unwrap();
    store.forget().unwrap();
    store.add_epoch(&record(1), Lasting::Process).unwrap();
    let is_anew = |news: &Value| news["curves"][0][2].as_array().is_some_and(|it| it.len() == 1);
    let (news, _) = watching.news_with(version(&news), is_anew);
    assert_eq!((&news["curves"][0][0], &news["curves"][0][1]), (&3.into(), &true.into()));
    drop(lock);
    assert_eq!(watching.interrupt(), Some(130));
}

#[test]
fn a_folder_without_results_is_waited_for_and_one_that_has_ended_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("later");
    let watching = Watching::start(&root);
    let news = watching.news(0);
    assert!(news["notice"].as_str().unwrap().contains("no results"), "{news}");
    assert!(news["head"].is_null());
    // Tables alone, as of a folder that was copied from elsewhere.
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("results/reference/unfreeze");
    fs::create_dir(&root).unwrap();
    for name in ["trials.csv", "metrics.csv", "experiment.toml", "hashes.toml", "report.html"] {
        fs::copy(reference.join(name), root.join(name)).unwrap();
    }
    let (news, _) = watching.news_with(version(&news), |news| !news["head"].is_null());
    assert_eq!(news["head"]["name"], "unfreeze");
    let (whole, _) = watching.news_with(0, |news| !news["ranking"].is_null());
    let states = whole["counts"]["states"].as_array().unwrap();
    assert!(states[0].as_u64() > Some(0) && states[1..].iter().all(|it| it == 0), "{states:?}");
    assert!(whole["curves"].as_array().unwrap().len() > 1);
    assert!(whole["notice"].is_null() && whole["report"] == true, "{}", whole["notice"]);
    let (code, head, report) = watching.ask("GET /TOKEN/report HTTP/1.1\r\nHost: HOST\r\n\r\n");
    assert_eq!((code, report), (200, fs::read(reference.join("report.html")).unwrap()));
    assert!(head.contains("sandbox allow-scripts"), "{head}");
    // A table that was changed is told by name, and what was shown stays.
    let table = fs::read_to_string(root.join("trials.csv")).unwrap();
    fs::write(root.join("trials.csv"), table.replacen("completed", "failed", 1)).unwrap();
    let (news, _) = watching.news_with(version(&whole), |news| news["notice"].is_string());
    assert!(news["notice"].as_str().unwrap().contains("trials.csv was changed"), "{news}");
    assert_eq!(news["whole"], false);
}

#[test]
fn only_who_has_the_address_gets_anything() {
    let folder = Folder::new(1, 1);
    fs::write(folder.root.join("sheet.png"), "a picture").unwrap();
    let watching = Watching::start(&folder.root);
    let code = |request: &str| watching.ask(&format!("{request}\r\n\r\n")).0;
    assert_eq!(code("GET /TOKEN/ HTTP/1.1\r\nHost: HOST"), 200);
    assert_eq!(code("GET / HTTP/1.1\r\nHost: HOST"), 403);
    assert_eq!(code("GET /data HTTP/1.1\r\nHost: HOST"), 403);
    assert_eq!(code("GET /TOKEN/ HTTP/1.1\r\nHost: evil.example"), 403);
    assert_eq!(code("POST /TOKEN/data HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0"), 405);
    assert_eq!(code("GET /TOKEN/ HTTP/1.1"), 400);
    assert_eq!(code("nonsense"), 400);
    assert_eq!(code("GET /TOKEN/../trials.csv HTTP/1.1\r\nHost: HOST"), 404);
    assert_eq!(code("GET /TOKEN/trials.csv HTTP/1.1\r\nHost: HOST"), 404);
    let (_, head, body) = watching.ask("HEAD /TOKEN/ HTTP/1.1\r\nHost: HOST\r\n\r\n");
    assert!(body.is_empty() && head.contains("default-src 'none'"), "{head}");
    let news = watching.news(0);
    assert_eq!(news["pictures"], serde_json::json!([[0, "sheet.png", 1]]));
    let (_, head, picture) = watching.ask("GET /TOKEN/picture/0?1 HTTP/1.1\r\nHost: HOST\r\n\r\n");
    assert!(head.contains("Content-Type: image/png") && picture == b"a picture", "{head}");
}

#[test]
fn a_port_that_is_taken_and_an_address_that_is_none_are_told_with_a_way_out() {
    let bench = Bench::new("");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = bench.wick(&["watch", ".", "--address", &address]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&address) && said.contains("--address 127.0.0.1:0"), "{said}");
    let output = bench.wick(&["watch", ".", "--address", "8080"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("127.0.0.1:8642"), "{said}");
    let output = bench.wick(&["watch", "experiment.toml"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("is no folder"), "{said}");
}

/// How long a change takes to be told, and what the program takes while nothing changes, of 2,000 trials of which `begun`
/// run.
#[cfg(target_os = "linux")]
#[expect(clippy::print_stdout, reason = "what was measured is the point of it")]
fn measured(begun: usize) {
    const TRIALS: usize = 2000;
    const EPOCHS: usize = 20;
    let folder = Folder::new(TRIALS, EPOCHS);
    let stores: Vec<TrialStore> = (1..=begun).map(|number| folder.trial(number)).collect();
    let locks: Vec<_> = stores.iter().map(|store| store.lock().unwrap().unwrap()).collect();
    for store in &stores {
        for epoch in 1..=EPOCHS / 2 {
            store.add_epoch(&record(epoch), Lasting::Process).unwrap();
        }
    }
    let watching = Watching::start(&folder.root);
    let begun_at = Stopwatch::start();
    let whole = watching.news(0);
    let first = begun_at.seconds();
    let bytes = whole.to_string().len();
    let mut at = version(&whole);
    let mut slowest: f64 = 0.0;
    let last = stores.last().unwrap();
    for epoch in EPOCHS / 2 + 1..=EPOCHS {
        // As the page does: a second lies between two questions.
        std::thread::sleep(Duration::from_millis(137 * (epoch as u64 % 7)));
        last.add_epoch(&record(epoch), Lasting::Process).unwrap();
        let begun_at = Stopwatch::start();
        loop {
            let news = watching.news(at);
            at = version(&news);
            if !news["curves"].is_null() {
                break;
            }
            std::thread::sleep(Duration::from_millis(1000));
        }
        slowest = slowest.max(begun_at.seconds());
    }
    let status = format!("/proc/{}", watching.child.id());
    let ticks = || -> f64 {
        let text = fs::read_to_string(format!("{status}/stat")).unwrap();
        let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()
    };
    let (before, idle) = (ticks(), 20);
    for _ in 0..idle {
        at = version(&watching.news(at));
        std::thread::sleep(Duration::from_secs(1));
    }
    // A hundred of them are a second.
    let share = (ticks() - before) / f64::from(idle);
    let memory = fs::read_to_string(format!("{status}/status")).unwrap();
    let memory = memory.lines().find(|line| line.starts_with("VmHWM")).unwrap().to_owned();
    println!(
        "{begun} of {TRIALS} trials run: first answer {first:.2} s and {bytes} bytes; a new epoch is told after at most \
         {slowest:.2} s; {share:.2} % of a core while nothing changes; {memory}"
    );
    assert!(slowest < 2.0 && share < 1.0);
    drop(locks);
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "takes two minutes, and measures what other programs disturb"]
fn two_thousand_trials_are_followed_within_two_seconds_for_less_than_a_hundredth_of_a_core() {
    for running in [8, 500] {
        measured(running);
    }
}
