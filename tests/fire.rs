//! Sweeps under fire: killed at any instant, on full disks, with damaged files, by several processes
//! at once. Whatever happens, the results are those of an undisturbed run, byte for byte.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use candlewick::basis::seed::derive;

use super::bench::{Bench, bare};

/// Twelve trials of a few hundredths of a second.
const TWELVE: &str = r#"
name = "fire"
seed = 7

[data]
source = "digits"
image = { size = [8, 8], channels = 1 }
test = 0.2
batch-size = 100

[model]
layers = [
  { conv = 4, kernel = 3, padding = "same" },
  { max-pool = 2 },
  "flatten",
  { dense = 16 },
  { dense = "classes" },
]

[train]
epochs = 4
optimizer = { sgd = { lr = 0.1, momentum = 0.9 } }

[sweep.grid]
"train.optimizer.sgd.lr" = [0.03, 0.1, 0.3]
"model.defaults.norm" = ["none", "batch"]
"model.defaults.dropout" = [0.0, 0.3]
"#;

/// Ways in which a sweep is run, each laid over [`TWELVE`].
const WAYS: [(&str, &[&str]); 7] = [
    ("as written", &[]),
    (
        "a tree of stages",
        &[
            "sweep.grid={ \"train.schedule\" = [{ steps = { at = [1] } }, { steps = { at = [2] } }, { steps = { at = [3] } }], \"train.early-stop\" = [\"none\", { patience = 1 }], \"train.best\" = [\"val_loss\", \"val_accuracy\"] }",
        ],
    ),
    (
        "checkpoints inside of augmented epochs",
        &[
            "run.checkpoint-every={ steps = 3 }",
            "augment.train=[{ rotate = 15, p = 0.5 }, { blur = 3, p = 0.5 }]",
        ],
    ),
    (
        "images that memory has no room for",
        &[
            "run.data-memory=\"20kB\"",
            "data.image={ size = [12, 12], channels = 3 }",
            "data.normalise={ sample = 100 }",
            "augment.train=[{ rotate = 15, p = 0.5 }]",
        ],
    ),
    ("asha", &["sweep.prune={ asha = { first = 1, factor = 2 } }"]),
    (
        "successive halving over seeds",
        &[
            "sweep.prune={ successive-halving = { first = 1, factor = 2 } }",
            "sweep.seeds=3",
            "sweep.grid={ \"model.defaults.norm\" = [\"none\", \"batch\"], \"model.defaults.dropout\" = [0.0, 0.3] }",
        ],
    ),
    (
        "a search with median pruning",
        &[
            "sweep.prune={ median = { warmup = 3, after = 1 } }",
            "sweep.grid={}",
            "sweep.search={ tpe = 12, round = 4, startup = 4, \"train.optimizer.sgd.lr\" = { log-uniform = [0.01, 1.0] }, \"model.defaults.dropout\" = { uniform = [0.0, 0.5] } }",
        ],
    ),
];

#[expect(clippy::print_stdout, reason = "shown with --nocapture")]
fn say(text: &str) {
    println!("{text}");
}

fn arguments<'a>(way: &[&'a str], results: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["run", "experiment.toml", "--results", results];
    all.extend(way.iter().flat_map(|set| ["--set", set]));
    all.extend(more);
    all
}

fn command(bench: &Bench, arguments: &[&str]) -> Command {
    let mut command = bare(env!("CARGO_BIN_EXE_wick"));
    command.current_dir(bench.path()).args(arguments);
    command
}

fn start(bench: &Bench, arguments: &[&str]) -> Child {
    use std::os::unix::process::CommandExt;
    command(bench, arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap()
}

fn signal(name: &str, process: &str) {
    // It may have ended by itself.
    let _ = Command::new("kill").args([name, "--", process]).stderr(Stdio::null()).status();
}

/// Waits until a worker whose supervisor was killed has noticed it and stored where it is.
fn wait_for(group: u32) {
    for _ in 0..500 {
        let mut probe = Command::new("kill");
        probe.args(["-0", "--", &format!("-{group}")]).stderr(Stdio::null());
        if !probe.status().unwrap().success() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Everything that may not depend on what happened: the tables and the best checkpoints.
fn results(bench: &Bench, results: &str) -> BTreeMap<String, Vec<u8>> {
    let root = bench.path().join(results).join("fire");
    let mut found = BTreeMap::new();
    for name in ["trials.csv", "metrics.csv", "decisions.csv"] {
        if let Ok(bytes) = fs::read(root.join(name)) {
            found.insert(name.to_owned(), bytes);
        }
    }
    for folder in folders(&root) {
        let best = fs::read(folder.join("best.safetensors")).unwrap_or_default();
        found.insert(folder.file_name().unwrap().to_string_lossy().into_owned(), best);
    }
    assert!(found.len() > 12);
    found
}

fn folders(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root.join("trials")).unwrap();
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn assert_same(
    expected: &BTreeMap<String, Vec<u8>>,
    found: &BTreeMap<String, Vec<u8>>,
    what: &str,
) {
    for (name, bytes) in expected {
        let other = found.get(name).map(|bytes| String::from_utf8_lossy(bytes));
        if name.ends_with(".csv") {
            assert_eq!(Some(String::from_utf8_lossy(bytes)), other, "{what}: {name}");
        }
        assert!(found.get(name) == Some(bytes), "{what}: {name} differs");
    }
    assert_eq!(expected.len(), found.len(), "{what}");
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Kills sweeps `kills` times, resumes them each time, and compares.
fn kill(kills: usize) {
    let mut stream = derive(1, "kills", &[]);
    let per_way = kills.div_ceil(WAYS.len());
    for (what, way) in WAYS {
        let bench = Bench::new(TWELVE);
        bench.done(&arguments(way, "whole", &["--set", "run.data-memory=\"none\""]));
        let expected = results(&bench, "whole");
        let (mut hits, mut sweeps) = (0, 0);
        let mut groups = Vec::new();
        while hits < per_way {
            let mut child = start(&bench, &arguments(way, "killed", &[]));
            std::thread::sleep(Duration::from_millis(20 + stream.below(400)));
            if child.try_wait().unwrap().is_some() {
                // That sweep is whole: the next one.
                assert_same(&expected, &results(&bench, "killed"), what);
                fs::remove_dir_all(bench.path().join("killed")).unwrap();
                sweeps += 1;
                continue;
            }
            // Both processes of the run, or the one that watches alone.
            match stream.below(3) {
                0 => signal("-KILL", &child.id().to_string()),
                _ => signal("-KILL", &format!("-{}", child.id())),
            }
            child.wait().unwrap();
            groups.push(child.id());
            hits += 1;
        }
        bench.done(&arguments(way, "killed", &[]));
        groups.into_iter().for_each(wait_for);
        assert_same(&expected, &results(&bench, "killed"), what);
        say(&format!("{what}: {hits} kills over {} sweeps", sweeps + 1));
    }
}

/// The process that `parent` has started, once there is another one than `before`.
#[cfg(target_os = "linux")]
fn child_of(parent: u32, before: Option<u32>) -> u32 {
    let parent_of = |stat: &str| -> Option<u32> {
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
    };
    loop {
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok())
            else {
                continue;
            };
            let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            if parent_of(&stat) == Some(parent) && before != Some(process) {
                return process;
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_working_process_that_never_comes_to_a_trial_is_given_up_with_the_reason() {
    let bench = Bench::new("");
    // Whoever reads this file waits for somebody who writes it.
    let made = Command::new("mkfifo").arg(bench.path().join("waits.toml")).status().unwrap();
    assert!(made.success());
    let mut command = command(&bench, &["run", "waits.toml"]);
    let run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut before = None;
    for _ in 0..3 {
        let working = child_of(run.id(), before);
        Command::new("kill").args(["-KILL", "--", &working.to_string()]).status().unwrap();
        before = Some(working);
    }
    let output = run.wait_with_output().unwrap();
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("died 3 times in a row before it started a trial: signal 9"), "{said}");
    assert_eq!(said.matches("continuing without it").count(), 2, "{said}");
}

#[test]
fn a_sweep_that_was_killed_at_any_instant_comes_out_as_if_nothing_had_happened() {
    kill(30);
}

#[test]
#[ignore = "takes some minutes: cargo test -- --ignored two_hundred_kills"]
fn two_hundred_kills() {
    kill(200);
}

#[test]
#[ignore = "takes a quarter of an hour: cargo test -- --ignored fourteen_hundred_kills"]
fn fourteen_hundred_kills_are_two_hundred_of_each_way() {
    kill(200 * WAYS.len());
}

#[test]
fn results_do_not_depend_on_workers_or_threads_with_pruning_and_search() {
    for (what, way) in &WAYS[4..] {
        let bench = Bench::new(TWELVE);
        bench.done(&arguments(way, "one", &["--workers", "1", "--threads", "1"]));
        let expected = results(&bench, "one");
        assert!(expected.contains_key("decisions.csv"));
        for (workers, threads) in [("2", "1"), ("4", "1"), ("1", "2"), ("2", "4")] {
            bench.done(&arguments(way, "other", &["--workers", workers, "--threads", threads]));
            let found = results(&bench, "other");
            assert_same(&expected, &found, &format!("{what}, {workers} × {threads}"));
            fs::remove_dir_all(bench.path().join("other")).unwrap();
        }
    }
}

#[test]
fn two_processes_on_one_folder_share_the_trials_out() {
    for (what, way) in WAYS {
        let bench = Bench::new(TWELVE);
        bench.done(&arguments(way, "one", &[]));
        let arguments = arguments(way, "two", &["--workers", "2", "--threads", "1"]);
        let mut both = [start(&bench, &arguments), start(&bench, &arguments)];
        for child in &mut both {
            assert_eq!(child.wait().unwrap().code(), Some(0), "{what}");
        }
        assert_same(&results(&bench, "one"), &results(&bench, "two"), what);
        // No epoch was trained twice.
        let timings = fs::read_to_string(bench.path().join("two/fire/timings.csv")).unwrap();
        let mut epochs: Vec<(&str, &str)> = timings
            .lines()
            .skip(1)
            .map(|row| (row.split(',').next().unwrap(), row.split(',').nth(2).unwrap()))
            .filter(|(_, epoch)| *epoch != "0")
            .collect();
        let all = epochs.len();
        epochs.sort();
        epochs.dedup();
        assert_eq!(epochs.len(), all, "{what}: {timings}");
    }
}

#[test]
fn a_flipped_byte_or_a_torn_file_is_noticed_wherever_it_is() {
    let bench = Bench::new(TWELVE);
    bench.done(&arguments(&[], "whole", &[]));
    let expected = results(&bench, "whole");
    bench.done(&arguments(&["train.epochs=2"], "damaged", &[]));
    let mut stream = derive(1, "damage", &[]);
    let names = ["last.safetensors", "best.safetensors", "epochs.csv", "outcome.toml"];
    for (index, folder) in folders(&bench.path().join("damaged/fire")).iter().enumerate() {
        let name = names[index % names.len()];
        let path = folder.join(name);
        let mut bytes = fs::read(&path).unwrap();
        let place = stream.below(bytes.len() as u64) as usize;
        match index / names.len() {
            // A whole line is gone, or half of one.
            0 => bytes.truncate(place),
            1 => bytes.truncate(bytes.len() - 3),
            _ => bytes[place] ^= 1,
        }
        fs::write(&path, bytes).unwrap();
        if name == "best.safetensors" {
            // Of a finished trial it is only looked at when it is used, which says what to do.
            let model = path.to_string_lossy();
            let output = bench.wick(&["evaluate", "--model", &model, "--data", "digits"]);
            assert_ne!(output.status.code(), Some(0));
            assert!(errors(&output).contains("remove the file"), "{}", errors(&output));
            fs::remove_file(&path).unwrap();
        }
    }
    // Asking for as much as was there, and for more.
    bench.done(&arguments(&["train.epochs=2"], "damaged", &[]));
    bench.done(&arguments(&["train.epochs=2"], "two", &[]));
    assert_same(&results(&bench, "two"), &results(&bench, "damaged"), "two epochs");
    bench.done(&arguments(&[], "damaged", &[]));
    assert_same(&expected, &results(&bench, "damaged"), "four epochs");
}

/// Nothing reads the time of day, and nothing may read the dates of files.
#[test]
fn a_pruned_trial_whose_weights_a_power_cut_took_is_trained_to_the_same_ones() {
    let (_, way) = WAYS.iter().find(|(what, _)| *what == "asha").unwrap();
    let bench = Bench::new(TWELVE);
    bench.done(&arguments(way, "whole", &[]));
    let expected = results(&bench, "whole");
    let root = bench.path().join("whole/fire");
    let table = fs::read_to_string(root.join("trials.csv")).unwrap();
    let pruned = table.lines().find(|row| row.contains(",pruned,")).unwrap();
    let folder = root.join("trials").join(pruned.split(',').nth(1).unwrap());
    // Its rows are there, as before.
    fs::remove_file(folder.join("best.safetensors")).unwrap();
    fs::remove_file(folder.join("last.safetensors")).unwrap();
    bench.done(&arguments(way, "whole", &[]));
    assert_same(&expected, &results(&bench, "whole"), "asha");
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_and_not_a_trial_without_epochs() {
    let bench = Bench::new(TWELVE);
    bench.done(&arguments(&[], "whole", &[]));
    let root = bench.path().join("whole/fire");
    let before = fs::read(root.join("trials.csv")).unwrap();
    let epochs = folders(&root)[0].join("epochs.csv");
    fs::remove_file(&epochs).unwrap();
    fs::create_dir(&epochs).unwrap();
    let output = bench.wick(&arguments(&[], "whole", &[]));
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    assert!(errors(&output).contains("epochs.csv"), "{}", errors(&output));
    assert_eq!(fs::read(root.join("trials.csv")).unwrap(), before);
}

#[test]
fn a_clock_that_was_set_back_or_forward_changes_nothing() {
    let way = WAYS[4].1;
    let bench = Bench::new(TWELVE);
    bench.done(&arguments(way, "whole", &["--set", "train.epochs=6"]));
    for epochs in ["2", "4", "6"] {
        let set = format!("train.epochs={epochs}");
        bench.done(&arguments(way, "dated", &["--set", &set]));
        // The newest files are the oldest now, and half of them come from the future.
        for (index, folder) in folders(&bench.path().join("dated/fire")).iter().enumerate() {
            for entry in fs::read_dir(folder).unwrap() {
                let years = if index % 2 == 0 { 31 } else { 130 };
                let date = Duration::from_secs(years * 365 * 24 * 3600);
                let file = fs::File::options().append(true).open(entry.unwrap().path()).unwrap();
                file.set_modified(std::time::SystemTime::UNIX_EPOCH + date).unwrap();
            }
        }
    }
    assert_same(&results(&bench, "whole"), &results(&bench, "dated"), "other dates");
}

#[test]
fn a_results_folder_that_vanishes_is_an_error_and_the_next_run_starts_it_anew() {
    let bench = Bench::new(TWELVE);
    let way = ["train.epochs=2000"];
    let child = command(&bench, &arguments(&way, "gone", &[]))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let table = bench.path().join("gone/fire/trials");
    while folders_if_any(&table) == 0 {
        std::thread::sleep(Duration::from_millis(10));
    }
    fs::rename(bench.path().join("gone"), bench.path().join("elsewhere")).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    assert!(errors(&output).contains("error: failed to write gone/fire/"), "{}", errors(&output));
    bench.done(&arguments(&[], "gone", &[]));
    bench.done(&arguments(&[], "whole", &[]));
    assert_same(&results(&bench, "whole"), &results(&bench, "gone"), "anew");
}

fn folders_if_any(trials: &Path) -> usize {
    let entries = fs::read_dir(trials).into_iter().flatten().flatten();
    entries.filter(|entry| entry.path().join("last.safetensors").exists()).count()
}

/// Runs a script with a file system of 3 MB at `small` and a read-only one at `fixed`; none where
/// the system does not let anybody mount.
#[cfg(target_os = "linux")]
fn with_mounts(bench: &Bench, script: &str) -> Option<String> {
    let probe = Command::new("unshare").args(["-rm", "true"]).status();
    if !probe.is_ok_and(|status| status.success()) {
        say("skipped: nobody may mount here");
        return None;
    }
    fs::create_dir_all(bench.path().join("small")).unwrap();
    fs::create_dir_all(bench.path().join("fixed")).unwrap();
    let script = format!(
        "mount -t tmpfs -o size=3m small small || exit 77\n\
         mount -t tmpfs -o ro fixed fixed || exit 77\n{script}"
    );
    let output = Command::new("unshare")
        .args(["-rm", "sh", "-c", &script])
        .current_dir(bench.path())
        .env("WICK", env!("CARGO_BIN_EXE_wick"))
        .output()
        .unwrap();
    if output.status.code() == Some(77) {
        say("skipped: nobody may mount here");
        return None;
    }
    Some(format!("{}{}", String::from_utf8_lossy(&output.stdout), errors(&output)))
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_stops_the_sweep_and_with_room_it_goes_on() {
    let bench = Bench::new(TWELVE);
    // A few hundred kilobytes for each trial.
    let way = "--set 'model.layers[3].dense=300'";
    let Some(said) = with_mounts(
        &bench,
        &format!(
            "$WICK run experiment.toml --results small {way} >/dev/null; echo exit $?\n\
             mount -o remount,size=90m small\n\
             $WICK run experiment.toml --results small {way} >/dev/null 2>&1; echo exit $?\n\
             cp -r small/fire kept"
        ),
    ) else {
        return;
    };
    let codes: Vec<&str> = said.lines().filter(|line| line.starts_with("exit ")).collect();
    assert_eq!(codes, ["exit 1", "exit 0"], "{said}");
    assert!(said.contains("No space left on device"), "{said}");
    fs::create_dir(bench.path().join("roomy")).unwrap();
    fs::rename(bench.path().join("kept"), bench.path().join("roomy/fire")).unwrap();
    bench.done(&arguments(&["model.layers[3].dense=300"], "whole", &[]));
    assert_same(&results(&bench, "whole"), &results(&bench, "roomy"), "after a full disk");
}

#[test]
#[cfg(target_os = "linux")]
fn a_read_only_results_folder_is_told_before_training() {
    let bench = Bench::new(TWELVE);
    let script = "$WICK run experiment.toml --results fixed; echo exit $?";
    let Some(said) = with_mounts(&bench, script) else { return };
    assert!(said.contains("exit 1") && said.contains("Read-only file system"), "{said}");
    assert!(!said.contains("epoch 1/"), "{said}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_panic_a_nan_a_lack_of_memory_and_a_hang_are_four_rows_and_the_other_trials_finish() {
    let bench = Bench::new(TWELVE);
    let mut list = String::from("sweep.list=[");
    for index in 1..=12 {
        let setting = match index {
            2 => "\"train.optimizer.sgd.lr\" = 1e30",
            // The weights of one layer: some 6 GB.
            11 => "\"model.layers[3].dense\" = 100000, \"model.layers[0].conv\" = 1000",
            _ => "",
        };
        list.push_str(&format!("{{ name = \"v{index}\", \"seed\" = {index}, {setting} }},"));
    }
    list.push(']');
    let list = list.replace(", }", " }");
    let way = ["sweep.grid={}", &list, "run.time-limit=6s", "run.memory-limit=none"];
    let mut all = arguments(&way, "results", &["--workers", "2", "--threads", "1"]);
    let wick = env!("CARGO_BIN_EXE_wick");
    all.insert(0, wick);
    let output = bare("sh")
        .current_dir(bench.path())
        .env("CANDLEWICK_FAULT", "panic 5, hang 7")
        .args(["-c", "ulimit -v 5000000; exec \"$@\"", "sh"])
        .args(&all)
        .output()
        .unwrap();
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    let table = fs::read_to_string(bench.path().join("results/fire/trials.csv")).unwrap();
    let rows: Vec<&str> = table.lines().skip(1).collect();
    assert_eq!(rows.len(), 12, "{table}\n{said}");
    for (index, row) in rows.iter().enumerate() {
        let reason = match index + 1 {
            2 => "the loss became",
            5 => "a panic, which is a bug: a fault was asked for",
            7 => "it hangs after its time limit of 6 s",
            11 => "its process died of signal 6 (aborted: out of memory, or a bug)",
            _ => {
                assert!(row.contains(",completed,"), "{row}\n{said}");
                continue;
            }
        };
        assert!(row.contains(",failed,") && row.contains(reason), "{row}\n{said}");
    }
}

#[test]
fn fail_fast_stops_the_sweep_and_retries_go_on_from_the_last_checkpoint() {
    let bench = Bench::new(TWELVE);
    let mut panics = command(&bench, &arguments(&[], "fast", &["--fail-fast", "--workers", "1"]));
    let output = panics.env("CANDLEWICK_FAULT", "panic 3").output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", errors(&output));
    let table = fs::read_to_string(bench.path().join("fast/fire/trials.csv")).unwrap();
    let count = |word: &str| table.matches(word).count();
    assert_eq!((count(",completed,"), count(",failed,"), count(",unfinished,")), (2, 1, 9));
    // The fault comes again, so that every attempt is needed; NaN is not tried again.
    let way = ["run.on-failure={ retry = 2 }"];
    let mut panics = command(&bench, &arguments(&way, "fast", &[]));
    let output = panics.env("CANDLEWICK_FAULT", "panic 3").output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", errors(&output));
    let table = fs::read_to_string(bench.path().join("fast/fire/trials.csv")).unwrap();
    assert!(table.contains("a fault was asked for (in 3 attempts)"), "{table}");
    // Without the fault nothing of it is left.
    bench.done(&arguments(&[], "fast", &[]));
    bench.done(&arguments(&[], "whole", &[]));
    assert_same(&results(&bench, "whole"), &results(&bench, "fast"), "after a panic");
}
