//! Results folders in which a bit is another one, a file is torn, older or gone: what is said of them is right, or
//! it is said what is wrong with which file; and the next run makes whole again what can be made again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use candlewick::analysis::Answers;
use candlewick::basis::seed::{Stream, derive};
use candlewick::config::layering::{Request, load};
use candlewick::data::Cache;
use candlewick::plan::sweep::{Experiment, Trial};
use candlewick::results::trials::Trials;
use candlewick::sweep::changed::unchanged;
use candlewick::sweep::repro::{Again, Repro, repro};
use candlewick::sweep::runner::SweepEvent;
use candlewick::sweep::store::{Store, TrialStore};
use candlewick::sweep::survey::expand_in;
use candlewick::sweep::verify::verify;
use candlewick::sweep::work::{Audience, Scope, Work};
use candlewick::terminal::printed::{Format, tables};
use candlewick::train::checkpoint::Checkpoint;
use candlewick::train::trainer::Event;

/// Trials of a few hundredths of a second.
const SMALL: &str = r#"
name = "small"
seed = 7

[data]
source = "digits"
image = { size = [8, 8], channels = 1 }
subset = { per-class = 12 }
test = 0.8
batch-size = 20

[model]
layers = [
  { conv = 3, kernel = 3 },
  { max-pool = 2 },
  "flatten",
  { dense = "classes" },
]

[train]
epochs = 3
optimizer = { sgd = { lr = 0.1, momentum = 0.9 } }

[sweep.grid]
"train.optimizer.sgd.lr" = [0.03, 0.1]
"model.defaults.norm" = ["none", "batch"]
"#;

/// What a network is trained on before it is transferred to the digits.
const BEFORE: &str = r#"
extends = "experiment.toml"
name = "before"
[data]
classes = ["0", "1", "2", "3", "4"]
"#;

const TRANSFER: &str = r#"
extends = "experiment.toml"
name = "small"
[data]
classes = ["5", "6", "7", "8", "9"]
[transfer]
weights = { experiment = "before" }
case = "small-similar"
"#;

/// A results folder to damage.
struct Base {
    name: &'static str,
    /// The file of its experiment, and what is set on it.
    file: &'static str,
    sets: &'static [&'static str],
    /// After so many checkpoints in the middle of epochs the run was interrupted.
    interrupted: Option<usize>,
}

const ASHA: &str = "sweep.prune={ asha = { first = 1, factor = 2 } }";
const STEPS: &str = "run.checkpoint-every={ steps = 2 }";

const BASES: [Base; 5] = [
    Base {
        name: "interrupted between steps",
        file: "experiment.toml",
        sets: &[STEPS],
        interrupted: Some(9),
    },
    Base { name: "finished", file: "experiment.toml", sets: &[], interrupted: None },
    Base { name: "pruned", file: "experiment.toml", sets: &[ASHA], interrupted: None },
    Base {
        name: "searched",
        file: "experiment.toml",
        sets: &[
            "sweep.prune={ median = { warmup = 2, after = 1 } }",
            "sweep.grid={}",
            "sweep.search={ tpe = 6, round = 3, startup = 3, \"train.optimizer.sgd.lr\" = { log-uniform = [0.01, 1.0] } }",
        ],
        interrupted: None,
    },
    Base {
        name: "transferred",
        file: "transfer.toml",
        sets: &["sweep.grid={ \"train.optimizer.sgd.lr\" = [0.03, 0.1] }"],
        interrupted: None,
    },
];

/// Tells what it heard, and interrupts when it has heard enough.
#[derive(Default)]
struct Ear {
    told: Mutex<Vec<String>>,
    checkpoints: AtomicUsize,
    until: Option<usize>,
    interrupt: Arc<AtomicBool>,
}

impl Audience for Ear {
    fn begins(&self, _: &Experiment, _: usize, _: &str) {}

    fn notice(&self, event: &SweepEvent) {
        match event {
            SweepEvent::Damaged(_, words) => self.told.lock().unwrap().push((*words).to_owned()),
            SweepEvent::In(_, Event::Checkpoint(_)) => {
                let heard = self.checkpoints.fetch_add(1, Ordering::Relaxed) + 1;
                if self.until.is_some_and(|until| heard >= until) {
                    self.interrupt.store(true, Ordering::Relaxed);
                }
            }
            _ => {}
        }
    }

    fn extends(&self, _: &Experiment) {}
}

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Everything below `folder`, by its path there.
fn files(folder: &Path) -> Files {
    fn walk(folder: &Path, below: &Path, found: &mut Files) {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let below = below.join(path.file_name().unwrap());
            if path.is_dir() {
                walk(&path, &below, found);
            } else {
                found.insert(below, fs::read(&path).unwrap());
            }
        }
    }
    let mut found = Files::new();
    walk(folder, Path::new(""), &mut found);
    found
}

/// A bench on which a results folder is damaged again and again.
struct Range<'a> {
    base: &'a Base,
    folder: tempfile::TempDir,
    images: Cache,
    /// The results as they were.
    pristine: Files,
    /// Those of a run that nobody interrupted.
    whole: BTreeMap<String, Vec<u8>>,
    /// What the report says of the results as they were.
    report: String,
    /// What a re-execution says of each trial, by digest.
    repros: BTreeMap<String, Repro>,
}

impl<'a> Range<'a> {
    fn new(base: &'a Base) -> Range<'a> {
        let folder = tempfile::tempdir().unwrap();
        let texts =
            [("experiment.toml", SMALL), ("before.toml", BEFORE), ("transfer.toml", TRANSFER)];
        for (name, text) in texts {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let mut range = Range {
            base,
            folder,
            images: Cache::new(2),
            pristine: Files::new(),
            whole: BTreeMap::new(),
            report: String::new(),
            repros: BTreeMap::new(),
        };
        range.before();
        range.run(None).unwrap();
        range.whole = range.results();
        assert!(range.whole.len() > 2, "{}", base.name);
        range.clear();
        range.before();
        range.run(base.interrupted).unwrap();
        range.report = range.reported().unwrap();
        for trial in range.trials() {
            range.repros.insert(trial.digest.clone(), range.repro(&trial).unwrap());
        }
        range.pristine = files(&range.at());
        range
    }

    fn at(&self) -> PathBuf {
        self.folder.path().join("results")
    }

    fn root(&self) -> PathBuf {
        self.at().join("small")
    }

    fn clear(&self) {
        let _ = fs::remove_dir_all(self.at());
    }

    /// Puts `files` there, and nothing else.
    fn restore(&self, files: &Files) {
        self.clear();
        for (name, bytes) in files {
            let path = self.at().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }

    /// Trains what is transferred from.
    fn before(&self) {
        if self.base.file == "transfer.toml" {
            self.run_file("before", "before.toml", &["sweep.grid={}"], None).unwrap();
        }
    }

    /// Runs what is missing; what was said of damaged files. A refusal is an error in words.
    fn run(&self, until: Option<usize>) -> Result<Vec<String>, String> {
        self.run_file("small", self.base.file, self.base.sets, until)
    }

    fn run_file(
        &self,
        name: &str,
        file: &str,
        sets: &[&str],
        until: Option<usize>,
    ) -> Result<Vec<String>, String> {
        let request = Request {
            file: self.folder.path().join(file),
            sets: sets.iter().map(|set| (*set).to_owned()).collect(),
            ..Request::default()
        };
        let root = load(&request).map_err(|problems| problems.render(false))?;
        let store = Store::at(&self.at(), name);
        let mut experiment =
            expand_in(&store, &root, &self.images).map_err(|problems| problems.render(false))?;
        unchanged(&experiment, &store, &self.images, true).map_err(|error| error.to_string())?;
        store.prepare().unwrap();
        store.write_experiment(&root, "frozen").unwrap();
        let ear = Ear { until, ..Ear::default() };
        let mut work = Work {
            scope: Scope::Sweep,
            workers: Some(1),
            threads: Some(1),
            augment_memory: 1 << 20,
            cores: 1,
            images: &self.images,
            store: &store,
            run: "run",
            supervisor: "supervisor",
            death: None,
            interrupt: &ear.interrupt,
            hung: &|| {},
            audience: &ear,
        };
        work.run(&root, &mut experiment).map_err(|error| error.to_string())?;
        Ok(ear.told.into_inner().unwrap())
    }

    /// The tables and the best weights of completed trials: what may not depend on anything that happened.
    fn results(&self) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        for name in ["trials.csv", "metrics.csv", "decisions.csv"] {
            if let Ok(bytes) = fs::read(self.root().join(name)) {
                found.insert(name.to_owned(), bytes);
            }
        }
        let completed = Trials::read(&self.root()).unwrap().rows.into_iter();
        for row in completed.filter(|row| row.is_completed()) {
            let best = self.root().join("trials").join(&row.digest).join("best.safetensors");
            found.insert(row.digest, fs::read(best).unwrap_or_default());
        }
        found
    }

    /// What the report says, as tables; or why it does not, or what it leaves out.
    fn reported(&self) -> Result<String, String> {
        let answers = Answers::read(&self.root(), None).map_err(|error| error.to_string())?;
        let text = tables(&answers, Format::Csv, None, 100);
        assert!(
            self.report.is_empty() || text == self.report,
            "{}: a wrong report",
            self.base.name
        );
        match answers.damaged.first() {
            Some(damage) => Err(damage.to_string()),
            None => Ok(text),
        }
    }

    /// The trials in the table whose plan can be read.
    fn trials(&self) -> Vec<Trial> {
        let Ok(table) = Trials::read(&self.root()) else { return Vec::new() };
        let stored = |digest: &str| TrialStore::at(self.root().join("trials").join(digest));
        table
            .rows
            .into_iter()
            .filter_map(|row| {
                let plan = stored(&row.digest).plan().ok()?;
                let (number, digest) = (row.number, row.digest);
                Some(Trial { number, digest, settings: Arc::new([]), setting: 0, round: 0, plan })
            })
            .collect()
    }

    fn repro(&self, trial: &Trial) -> Option<Repro> {
        let scratch = tempfile::tempdir().unwrap();
        let again = Again {
            home: &Store::of(&self.root()),
            images: &self.images,
            scratch: scratch.path(),
            threads: 1,
            interrupt: &AtomicBool::new(false),
        };
        let stored = TrialStore::at(self.root().join("trials").join(&trial.digest));
        Some(repro(trial, &stored, &again, &|_| {}))
    }
}

/// Where in a file something is changed.
fn place(name: &Path, bytes: &[u8], stream: &mut Stream) -> usize {
    let mut below = |count: usize| stream.below(count.max(1) as u64) as usize;
    if name.extension().is_some_and(|ending| ending == "safetensors") {
        // Its header says more in each byte than its tensors do.
        let length = bytes.first_chunk().map_or(0, |length| u64::from_le_bytes(*length) as usize);
        return match below(10) {
            0 => below(8),
            1..=6 => 8 + below(length.min(bytes.len() - 8)),
            _ => below(bytes.len()),
        };
    }
    below(bytes.len())
}

/// Changes `bytes`.
fn mutate(name: &Path, bytes: &mut Vec<u8>, stream: &mut Stream) {
    let at = place(name, bytes, stream);
    match stream.below(10) {
        0 => bytes.truncate(at),
        // One digit for another one, the next time that there is one.
        1 | 2 => {
            let digit = bytes[at..].iter().position(u8::is_ascii_digit).map(|digit| at + digit);
            let digit = digit.unwrap_or(at);
            bytes[digit] = b'0' + (bytes[digit].wrapping_add(1 + stream.below(8) as u8)) % 10;
        }
        _ => bytes[at] ^= 1 << stream.below(8),
    }
}

/// Whether a file decides nothing: who works there, what the clock said, what is kept to save time.
fn is_beside(name: &Path) -> bool {
    let file = name.file_name().unwrap().to_string_lossy();
    let beside = ["lock", "holder", "mark", "hashes.lock", "timings.csv", "machines.csv"];
    beside.contains(&&*file) || file.ends_with(".features")
}

/// Whether both hold the same for whoever reads them.
fn same(name: &Path, one: &[u8], other: &[u8]) -> bool {
    if one == other {
        return true;
    }
    let is_checkpoint = name.extension().is_some_and(|ending| ending == "safetensors");
    is_checkpoint
        && Checkpoint::from_bytes(one)
            .is_ok_and(|one| Checkpoint::from_bytes(other).is_ok_and(|other| one == other))
}

/// Damages results folders so often, and looks at what is made of them.
fn damage(mutants: usize, bases: &[Base]) {
    let per_base = mutants.div_ceil(bases.len());
    for base in bases {
        let range = Range::new(base);
        let mut stream = derive(1, base.name, &[]);
        let names: Vec<&PathBuf> =
            range.pristine.iter().filter(|(_, bytes)| !bytes.is_empty()).map(|it| it.0).collect();
        let (mut refused, mut told, mut silent) = (0, 0, 0);
        for mutant in 0..per_base {
            // Every file, and then every file again; those of trials in another order each time.
            let name = names[(mutant * 37 + stream.below(3) as usize) % names.len()];
            let mut files = range.pristine.clone();
            let bytes = files.get_mut(name).unwrap();
            mutate(name, bytes, &mut stream);
            let is_same = same(name, &range.pristine[name], &files[name]);
            let what = format!("{}, mutant {mutant}: {}", base.name, name.display());
            range.restore(&files);

            // The report is the one of before, or says what is wrong.
            let reported = range.reported();
            if let Err(words) = &reported {
                assert!(
                    words.contains(&*name.file_name().unwrap().to_string_lossy()),
                    "{what}: {words}"
                );
            }
            // A checkpoint is the one of before, or none.
            if let Ok(checkpoint) = Checkpoint::from_bytes(&files[name]) {
                let before = Checkpoint::from_bytes(&range.pristine[name]);
                assert!(
                    before.is_ok_and(|before| before == checkpoint),
                    "{what}: another checkpoint"
                );
            }
            let of_results = name.starts_with("small");
            if of_results {
                let found = verify(&range.root());
                let names_it = found.is_ok_and(|found| {
                    found
                        .damaged
                        .iter()
                        .any(|(damage, _)| damage.path.ends_with(name.file_name().unwrap()))
                });
                assert!(names_it || is_same || is_beside(name), "{what}: not verified");
            }
            if mutant % 5 == 0 && of_results {
                let trials = range.trials();
                let own = trials
                    .iter()
                    .find(|trial| name.components().any(|part| part.as_os_str() == &*trial.digest));
                if let Some(trial) = own {
                    let again = range.repro(trial).unwrap();
                    let before = &range.repros[&trial.digest];
                    let is_right = is_same
                        || is_beside(name)
                        || again != *before
                        || !matches!(before, Repro::Identical(_));
                    assert!(is_right, "{what}: {again:?}");
                }
            }

            // The next run makes it whole again, or says which file is in its way.
            match range.run(None) {
                Ok(words) => {
                    let results = range.results();
                    for (table, bytes) in &range.whole {
                        let found = results.get(table).map(|bytes| String::from_utf8_lossy(bytes));
                        let is_table = table.ends_with(".csv");
                        if is_table {
                            assert_eq!(
                                found,
                                Some(String::from_utf8_lossy(bytes)),
                                "{what}: {table}"
                            );
                        } else if !(name.ends_with("best.safetensors") && reported.is_ok()) {
                            // The best weights of a finished trial are looked at when they are used.
                            assert!(results[table] == *bytes, "{what}: {table} is another one");
                        }
                    }
                    told += usize::from(!words.is_empty());
                    silent += usize::from(words.is_empty());
                }
                Err(words) => {
                    let file = name.file_name().unwrap().to_string_lossy();
                    assert!(words.contains(&*file) || words.contains("before"), "{what}: {words}");
                    refused += 1;
                }
            }
        }
        say(&format!(
            "{}: {per_base} mutants of {} files: {told} told, {silent} without a word, {refused} refused",
            base.name,
            names.len()
        ));
    }
}

#[expect(clippy::print_stdout, reason = "shown with --nocapture")]
fn say(text: &str) {
    println!("{text}");
}

#[test]
fn a_flipped_bit_gives_no_wrong_number_wherever_it_is() {
    damage(150, &BASES);
}

#[test]
#[ignore = "takes some minutes: cargo test -- --ignored two_thousand_flipped_bits"]
fn two_thousand_flipped_bits() {
    damage(2_000, &BASES);
}

/// Files of a finished or pruned trial that are looked at when somebody uses them.
const WHEN_USED: [&str; 7] = [
    "predictions.csv",
    "confusion.csv",
    "scores.csv",
    "batches.csv",
    "plan.toml",
    "last.safetensors",
    "best.safetensors",
];

/// What a loss of power leaves of files that were written lately.
fn crash(files: &mut Files, older: &Files, stream: &mut Stream) {
    let names: Vec<PathBuf> =
        files.keys().filter(|name| name.starts_with("small")).cloned().collect();
    for _ in 0..=stream.below(4) {
        let name = &names[stream.below(names.len() as u64) as usize];
        let Some(bytes) = files.get_mut(name) else { continue };
        match stream.below(6) {
            // The name was written and the content was not, or a part of it.
            0 => bytes.truncate(stream.below(bytes.len() as u64 + 1) as usize),
            1 => bytes.fill(0),
            // The name was not written.
            2 => drop(files.remove(name)),
            // It is still that of before; and what should have taken its place lies beside it.
            3 | 4 => {
                let mut beside = name.clone().into_os_string();
                beside.push(".host-1-0123abcd-7.new");
                let newer = bytes.clone();
                match older.get(name) {
                    Some(before) => *bytes = before.clone(),
                    None => drop(files.remove(name)),
                }
                files.insert(beside.into(), newer);
            }
            // The folder was not written.
            _ => {
                let folder = name.parent().unwrap().to_owned();
                if folder != Path::new("small") {
                    files.retain(|name, _| !name.starts_with(&folder));
                }
            }
        }
    }
}

#[test]
fn a_loss_of_power_at_any_moment_leaves_what_the_next_run_makes_whole() {
    let bases = [&BASES[1], &BASES[2]];
    for base in bases {
        let early = Base { sets: base.sets, interrupted: Some(5), ..BASES[0] };
        let with_steps: Vec<&'static str> = base.sets.iter().copied().chain([STEPS]).collect();
        let early = Base { sets: Box::leak(with_steps.into_boxed_slice()), ..early };
        let older = Range::new(&early);
        let range = Range::new(base);
        let mut stream = derive(2, base.name, &[]);
        for state in 0..20 {
            let mut files = range.pristine.clone();
            crash(&mut files, &older.pristine, &mut stream);
            range.restore(&files);
            let what = format!("{}, state {state}", base.name);
            // Whatever the report says before, it is not wrong.
            let _ = Answers::read(&range.root(), None);
            let ran = range.run(None);
            if let Err(words) = &ran {
                // Which images it were nobody knows any more: whoever knows removes the file.
                assert!(
                    words.contains("images-") && words.contains("remove it"),
                    "{what}: {words}"
                );
                for (name, _) in
                    files.iter().filter(|it| it.0.to_string_lossy().contains("images-"))
                {
                    let _ = fs::remove_file(range.at().join(name));
                }
                range.run(None).unwrap();
            }
            let results = range.results();
            for (table, bytes) in range.whole.iter().filter(|it| it.0.ends_with(".csv")) {
                let found = results.get(table).map(|bytes| String::from_utf8_lossy(bytes));
                assert_eq!(found, Some(String::from_utf8_lossy(bytes)), "{what}: {table}");
            }
            for (digest, bytes) in range.whole.iter().filter(|it| !it.0.ends_with(".csv")) {
                // It is the same, or whoever uses it is told.
                let store = TrialStore::at(range.root().join("trials").join(digest));
                let is_told = store.vouch("best.safetensors").is_err()
                    || !matches!(store.checkpoint("best"), Ok(Some(_)));
                assert!(results[digest] == *bytes || is_told, "{what}: another best of {digest}");
            }
            let found = verify(&range.root()).unwrap();
            let damaged: Vec<String> = found.damaged.iter().map(|it| it.0.to_string()).collect();
            let only_beside = found.damaged.iter().all(|(damage, _)| {
                is_beside(&damage.path)
                    || WHEN_USED.contains(&damage.path.file_name().unwrap().to_str().unwrap())
            });
            assert!(only_beside, "{what}: {damaged:?}");
        }
    }
}
