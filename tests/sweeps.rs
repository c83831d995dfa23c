//! Sweeps from end to end: results that repeat, trials that fail, runs that go on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use candlewick::sweep::survey::Files;
use tempfile::TempDir;

use super::bench::bare;

/// An experiment in a folder of its own.
struct Bench {
    folder: TempDir,
}

const SMALL: &str = r#"
name = "small"
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
epochs = 2
optimizer = { sgd = { lr = 0.1, momentum = 0.9 } }

[sweep]
seeds = 2
[sweep.grid]
"model.defaults.norm" = ["none", "batch"]
"model.defaults.dropout" = [0.0, 0.3]
"#;

impl Bench {
    fn new(experiment: &str) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("experiment.toml"), experiment).unwrap();
        Bench { folder }
    }

    fn wick(&self, command: &str, results: &str, arguments: &[&str]) -> Output {
        bare(env!("CARGO_BIN_EXE_wick"))
            .current_dir(self.folder.path())
            .args([command, "experiment.toml", "--results", results])
            .args(arguments)
            .output()
            .unwrap()
    }

    fn run(&self, results: &str, arguments: &[&str]) -> Output {
        self.wick("run", results, arguments)
    }

    fn path(&self, results: &str, name: &str) -> PathBuf {
        self.folder.path().join(results).join("small").join(name)
    }

    fn table(&self, results: &str, name: &str) -> String {
        fs::read_to_string(self.path(results, name)).unwrap()
    }

    /// Both tables and every best checkpoint.
    fn results(&self, results: &str) -> (String, String, Vec<(String, Vec<u8>)>) {
        let mut checkpoints = Vec::new();
        for entry in fs::read_dir(self.path(results, "trials")).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                checkpoints.push((name, fs::read(path.join("best.safetensors")).unwrap()));
            }
        }
        checkpoints.sort();
        (self.table(results, "trials.csv"), self.table(results, "metrics.csv"), checkpoints)
    }
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn results_are_the_same_bytes_for_any_number_of_workers_and_threads() {
    let bench = Bench::new(SMALL);
    assert_eq!(code(&bench.run("one", &["--workers", "1", "--threads", "1"])), Some(0));
    let expected = bench.results("one");
    assert_eq!(expected.0.lines().count(), 1 + 8);
    assert_eq!(expected.1.lines().count(), 1 + 16);
    for (workers, threads) in [("2", "1"), ("1", "4"), ("3", "2")] {
        let output = bench.run("other", &["--workers", workers, "--threads", threads]);
        assert_eq!(code(&output), Some(0), "{}", text(&output.stderr));
        assert!(bench.results("other") == expected, "{workers} workers × {threads} threads differ");
        fs::remove_dir_all(bench.path("other", "")).unwrap();
    }
}

/// Twelve convolutions: enough for segments to pay.
const DEEP: &str = r#"model.layers=[{ conv = 8, kernel = 3, padding = 1 }, { repeat = 6, layers = [{ residual = [{ conv = 8, kernel = 3, padding = 1 }, { conv = 8, kernel = 3, padding = 1 }] }] }, { adaptive-avg-pool = 1 }, "flatten", { dense = "classes" }]"#;

#[test]
fn checkpointing_gradients_takes_less_memory_and_changes_no_byte() {
    let bench = Bench::new(SMALL);
    const ON: &str = "run.gradient-checkpointing=true";
    fn sets<'a>(more: &[&'a str]) -> Vec<&'a str> {
        [&["--set", DEEP], more].concat()
    }
    assert_eq!(code(&bench.run("whole", &sets(&[]))), Some(0));
    let output = bench.run("segments", &sets(&["--set", ON]));
    assert_eq!(code(&output), Some(0), "{}", text(&output.stderr));
    assert!(bench.results("segments") == bench.results("whole"));
    let said = text(&bench.wick("check", "check", &sets(&["--set", ON])).stdout);
    assert!(said.contains("with gradient checkpointing, for up to"), "{said}");
    // What a limit leaves too little room for may fit then.
    let batches = "data.batch-size=1000";
    let needs = |sets: &[&str]| -> u64 {
        let said = text(&bench.wick("check", "check", sets).stdout);
        let (_, rest) = said.split_once("a trial takes about ").unwrap();
        rest.split(" MB").next().unwrap().rsplit(' ').next().unwrap().parse().unwrap()
    };
    let whole = needs(&sets(&["--set", batches]));
    let parts = needs(&sets(&["--set", batches, "--set", ON]));
    assert!(3 * parts < 2 * whole, "{parts} of {whole} MB");
    let limit = format!("run.memory-limit=\"{} MB\"", (whole + parts) / 2);
    let all = sets(&["--set", batches, "--set", &limit]);
    let said = text(&bench.wick("check", "check", &all).stdout);
    assert!(said.contains("with run.gradient-checkpointing = true, a trial takes about"), "{said}");
    let output = bench.run("little", &all);
    assert_ne!(code(&output), Some(0));
    let said = text(&output.stderr);
    assert!(said.contains("run.gradient-checkpointing = true"), "{said}");
}

#[test]
fn what_is_done_is_skipped_and_what_is_new_is_run() {
    let bench = Bench::new(SMALL);
    bench.run("results", &["--set", "sweep.seeds=1"]);
    let first = text(&bench.wick("check", "results", &[]).stdout);
    assert!(first.contains("8 trials, 4 done, 4 to run"), "{first}");
    let again = bench.run("results", &[]);
    assert!(text(&again.stderr).contains("8 trials, 4 done, 4 to run"));
    let idle = bench.run("results", &["--set", "name=small"]);
    assert!(text(&idle.stderr).contains("8 trials, 8 done, 0 to run"));
    let whole = Bench::new(SMALL);
    whole.run("results", &[]);
    assert!(bench.results("results") == whole.results("results"));
}

#[test]
fn training_for_longer_goes_on_from_the_last_checkpoint_and_changes_nothing_before_it() {
    let bench = Bench::new(SMALL);
    bench.run("longer", &[]);
    let start = bench.table("longer", "metrics.csv");
    let output = bench.run("longer", &["--set", "train.epochs=4"]);
    assert_eq!(code(&output), Some(0), "{}", text(&output.stderr));
    assert!(!text(&output.stderr).contains("epoch 1/4"), "it started again");
    bench.run("whole", &["--set", "train.epochs=4"]);
    assert!(bench.results("longer") == bench.results("whole"));
    let longer = bench.table("longer", "metrics.csv");
    assert!(start.lines().all(|row| longer.contains(row)));
    // And back: the shorter trial is known, or run in a folder of its own; nothing is lost.
    bench.run("longer", &[]);
    assert_eq!(bench.table("longer", "metrics.csv"), start);
    bench.run("longer", &["--set", "train.epochs=4"]);
    assert_eq!(bench.table("longer", "metrics.csv"), longer);
}

#[test]
fn a_schedule_over_all_epochs_gives_a_longer_trial_another_digest() {
    let bench = Bench::new(SMALL);
    let digests = |arguments: &[&str]| text(&bench.wick("check", "results", arguments).stdout);
    let cosine = ["--set", "train.schedule=cosine"];
    let longer = ["--set", "train.schedule=cosine", "--set", "train.epochs=4"];
    let first = |text: &str| text.lines().find(|line| line.contains("    1  ")).unwrap().to_owned();
    assert_ne!(first(&digests(&cosine)), first(&digests(&longer)));
    assert_eq!(first(&digests(&[])), first(&digests(&["--set", "train.epochs=4"])));
    assert_eq!(first(&digests(&[])), first(&digests(&["--set", "description=x"])));
    assert_ne!(first(&digests(&[])), first(&digests(&["--set", "seed=8"])));
}

#[test]
fn a_trial_that_fails_is_a_row_with_its_reason_and_the_others_go_on() {
    let bench = Bench::new(SMALL);
    let grid = r#"sweep.grid={ "train.optimizer.sgd.lr" = [0.1, 1e30] }"#;
    let output = bench.run("results", &["--set", grid, "--set", "sweep.seeds=1"]);
    assert_eq!(code(&output), Some(3), "{}", text(&output.stderr));
    let trials = bench.table("results", "trials.csv");
    let rows: Vec<&str> = trials.lines().skip(1).collect();
    assert!(rows[0].contains(",completed,"), "{}", rows[0]);
    assert!(rows[1].contains(",failed,") && rows[1].contains("the loss became"), "{}", rows[1]);
    assert!(text(&output.stdout).contains("trial 2 failed: the loss became"));
}

#[test]
fn a_panic_in_a_trial_is_a_row_with_its_reason_and_the_others_go_on() {
    use candlewick::basis::record::Status;
    use candlewick::config::layering::{Request, load};
    use candlewick::data::Cache;
    use candlewick::plan::prune::Nothing;
    use candlewick::plan::run::RunPlan;
    use candlewick::plan::sweep::expand;
    use candlewick::sweep::runner::{Runner, SweepEvent};
    use candlewick::sweep::slots::Allocation;
    use candlewick::sweep::standing::standing;
    use candlewick::sweep::store::Store;
    use candlewick::train::trainer::Event;
    let bench = Bench::new(SMALL);
    let file = bench.folder.path().join("experiment.toml");
    let root = load(&Request { file, ..Request::default() }).unwrap();
    let images = Cache::new(1);
    let survey = Files::new(&images, Path::new("results"));
    let experiment = expand(&root, &survey, &Nothing).unwrap();
    let store = Store::at(&bench.folder.path().join("results"), &experiment.name);
    store.prepare().unwrap();
    let runner = Runner {
        experiment: &experiment,
        store: &store,
        images: &images,
        allocation: Allocation::new(2, 8, &RunPlan::default(), None, None),
        augment_memory: 1 << 20,
        interrupt: &std::sync::atomic::AtomicBool::new(false),
        order: None,
        memory: None,
        waits_for_others: false,
        run: "a test",
        supervisor: "test",
        hung: None,
    };
    runner
        .run(&|event| match event {
            SweepEvent::In(trial, Event::Batch { epoch: 2, .. }) if trial.number == 3 => {
                panic!("the watcher of trial 3 fell off the chair")
            }
            _ => {}
        })
        .unwrap();
    for known in &standing(&experiment, &store).known {
        let failed = known.trial.number == 3;
        let expected = if failed { Status::Failed } else { Status::Completed };
        assert_eq!(known.status(), expected, "trial {}", known.trial.number);
        let reason = &known.outcome.as_ref().unwrap().reason;
        assert_eq!(reason.contains("fell off the chair"), failed, "{reason}");
    }
}

#[test]
fn scripts_get_events_and_nothing_else_and_the_quiet_get_the_ranking() {
    let bench = Bench::new(SMALL);
    let output = bench.run("json", &["--json", "--set", "sweep.seeds=1"]);
    assert_eq!((code(&output), &text(&output.stderr)[..]), (Some(0), ""));
    let told = text(&output.stdout);
    let events: Vec<serde_json::Value> =
        told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let count = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!(["started", "epoch", "ended", "finished"].map(count), [4, 8, 4, 1]);
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["completed"]), (&"finished".into(), &4.into()));
    // What is told is what is stored, to the last digit.
    for row in bench.table("json", "metrics.csv").lines().skip(1) {
        let [trial, digest, epoch, steps, lr, loss] =
            row.split(',').take(6).collect::<Vec<_>>()[..]
        else {
            panic!("{row}")
        };
        let start = format!("{{\"event\":\"epoch\",\"trial\":{trial},\"digest\":\"{digest}\",");
        let end = format!("\"epoch\":{epoch},\"steps\":{steps},\"lr\":{lr},\"train_loss\":{loss},");
        let is_told = |line: &str| line.starts_with(&start) && line.contains(&end);
        assert!(told.lines().any(is_told), "{row} is not in {told}");
    }
    let loud = bench.run("loud", &["--set", "sweep.seeds=1"]);
    let quiet = bench.run("quiet", &["--quiet", "--set", "sweep.seeds=1"]);
    assert_eq!((code(&quiet), &text(&quiet.stderr)[..]), (Some(0), ""));
    assert_eq!(text(&quiet.stdout), text(&loud.stdout));
}

#[test]
fn folds_are_trials_that_validate_on_every_training_image_once() {
    let bench = Bench::new(SMALL);
    let one = ["--set", "sweep.seeds=1", "--set", "sweep.folds=3", "--set", "sweep.grid={}"];
    let output = bench.run("results", &one);
    assert_eq!(code(&output), Some(0), "{}", text(&output.stderr));
    let trials = bench.table("results", "trials.csv");
    let folds: Vec<&str> =
        trials.lines().skip(1).map(|row| row.split(',').nth(3).unwrap()).collect();
    assert_eq!(folds, ["1", "2", "3"]);
    let table = bench.table("results", "metrics.csv");
    let digests: std::collections::BTreeSet<&str> =
        table.lines().skip(1).map(|row| row.split(',').nth(1).unwrap()).collect();
    assert_eq!(digests.len(), 3);
    assert!(text(&output.stdout).contains("mean ± half of its 95 % interval"));
}

#[test]
fn a_shorter_trial_does_not_take_over_the_early_stop_of_a_longer_one() {
    let bench = Bench::new(SMALL);
    // With so high a bar nothing counts as an improvement after the first epoch.
    let stop = "train.early-stop={ metric = \"val_loss\", patience = 3, min-delta = 9.0 }";
    let best = "train.best=\"train_accuracy\"";
    let with = |epochs: &'static str| {
        ["--set", stop, "--set", best, "--set", "sweep.seeds=1", "--set", epochs]
    };
    bench.run("both", &with("train.epochs=8"));
    let longer = bench.table("both", "trials.csv");
    assert!(longer.contains("stopped early: val_loss did not improve for 3 epochs"));
    assert_eq!(bench.table("both", "metrics.csv").lines().count(), 1 + 4 * 4);
    bench.run("both", &with("train.epochs=2"));
    bench.run("short", &with("train.epochs=2"));
    assert_eq!(bench.table("both", "trials.csv"), bench.table("short", "trials.csv"));
    assert_eq!(bench.table("both", "metrics.csv"), bench.table("short", "metrics.csv"));
    // What reads the folder without the experiment file finds the shorter trials, too.
    for command in [["verify", "both/small"], ["repro", "both/small"]] {
        let output = bare(env!("CARGO_BIN_EXE_wick"))
            .current_dir(bench.folder.path())
            .args(command)
            .output()
            .unwrap();
        assert_eq!(code(&output), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    }
}

#[test]
fn a_damaged_checkpoint_is_never_trusted() {
    let bench = Bench::new(SMALL);
    bench.run("whole", &["--set", "train.epochs=3"]);
    bench.run("damaged", &[]);
    for entry in fs::read_dir(bench.path("damaged", "trials")).unwrap() {
        let last = entry.unwrap().path().join("last.safetensors");
        if let Ok(mut bytes) = fs::read(&last) {
            let place = bytes.len() - 5;
            bytes[place] ^= 0x40;
            fs::write(&last, bytes).unwrap();
        }
    }
    let output = bench.run("damaged", &["--set", "train.epochs=3"]);
    assert!(text(&output.stderr).contains("epoch 1/3"), "it went on from damaged files");
    assert!(bench.results("damaged") == bench.results("whole"));
}

#[test]
fn a_kill_between_the_best_weights_and_the_last_ones_changes_nothing() {
    let bench = Bench::new(SMALL);
    bench.run("early", &["--set", "train.epochs=1"]);
    for results in ["whole", "torn"] {
        bench.run(results, &["--set", "train.epochs=4"]);
    }
    for entry in fs::read_dir(bench.path("early", "trials")).unwrap() {
        let early = entry.unwrap().path();
        let torn = bench.path("torn", "trials").join(early.file_name().unwrap());
        if fs::copy(early.join("last.safetensors"), torn.join("last.safetensors")).is_ok() {
            fs::remove_file(torn.join("outcome.toml")).unwrap();
        }
    }
    let output = bench.run("torn", &["--set", "train.epochs=4"]);
    let said = text(&output.stderr);
    assert!(said.contains("epoch 2/4") && !said.contains("epoch 1/4"), "{said}");
    assert!(bench.results("torn") == bench.results("whole"));
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_exits_with_130_and_goes_on_as_if_nothing_had_happened() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    let bench = Bench::new(SMALL);
    let whole = ["--set", "train.epochs=30", "--set", "sweep.seeds=1"];
    bench.run("whole", &whole);
    let mut child = bare(env!("CARGO_BIN_EXE_wick"))
        .current_dir(bench.folder.path())
        .args(["run", "experiment.toml", "--results", "broken"])
        .args(whole)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let started = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("epoch 2/30")));
    assert!(started.is_some());
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("run the command again to resume")), "{rest:?}");
    let output = bench.run("broken", &whole);
    assert_eq!(code(&output), Some(0));
    assert!(bench.results("broken") == bench.results("whole"));
}

#[test]
fn a_results_folder_that_cannot_be_used_is_told_before_training() {
    let bench = Bench::new(SMALL);
    fs::write(bench.folder.path().join("taken"), "a file").unwrap();
    let output = bench.run("taken", &[]);
    assert_eq!(code(&output), Some(1));
    assert!(text(&output.stderr).contains("failed to make the folder taken/small/trials"));
}

#[test]
fn wrong_files_and_wrong_commands_exit_with_2() {
    let bench = Bench::new("name = \"small\"\n[data]\nsource = \"digit\"\n");
    let output = bench.run("results", &[]);
    assert_eq!(code(&output), Some(2));
    assert!(text(&output.stderr).contains("did you mean \"digits\"?"));
    assert!(!Path::new(&bench.path("results", "")).exists(), "a wrong file leaves nothing behind");
    let output = Bench::new(SMALL).run("results", &["--workers", "0"]);
    assert_eq!(code(&output), Some(2));
    let output = Bench::new(SMALL).wick("check", "results", &["--trial", "99"]);
    assert_eq!((code(&output), text(&output.stderr).contains("from 1 to 8")), (Some(2), true));
    let output = Command::new(env!("CARGO_BIN_EXE_wick")).args(["check", "nothing.toml"]).output();
    let output = output.unwrap();
    assert_eq!(code(&output), Some(2));
    assert!(text(&output.stderr).contains("failed to read nothing.toml"));
}

#[test]
fn images_that_changed_under_a_results_folder_are_never_mixed_with_the_old_ones() {
    let bench = Bench::new(&SMALL.replace("\"digits\"", "{ csv = \"images.csv\" }"));
    let write = |shade: u8| {
        let mut rows = "path,label\n".to_owned();
        for index in 0..20u8 {
            let name = format!("{index}.pgm");
            let mut image = b"P5 8 8 255\n".to_vec();
            image.extend([shade.wrapping_add(index * 9); 64]);
            fs::write(bench.folder.path().join(&name), image).unwrap();
            rows.push_str(&format!("{name},{}\n", ["a", "b"][usize::from(index % 2)]));
        }
        fs::write(bench.folder.path().join("images.csv"), rows).unwrap();
    };
    write(0);
    let output = bench.run("results", &["--set", "sweep.seeds=1"]);
    assert_eq!(code(&output), Some(0), "{}", text(&output.stderr));
    let before = bench.table("results", "trials.csv");
    write(50);
    let output = bench.run("results", &[]);
    assert_eq!(code(&output), Some(2));
    assert!(text(&output.stderr).contains("changed: 0.pgm"), "{}", text(&output.stderr));
    assert_eq!(bench.table("results", "trials.csv"), before);
}

#[test]
fn bad_images_fail_the_trial_by_name_or_are_skipped_and_counted() {
    let bench = Bench::new(&SMALL.replace("\"digits\"", "{ folder = \"images\" }"));
    for class in ["a", "b"] {
        let folder = bench.folder.path().join("images").join(class);
        fs::create_dir_all(&folder).unwrap();
        for index in 0..10u8 {
            let mut image = b"P5 8 8 255\n".to_vec();
            image.extend([index * 20; 64]);
            fs::write(folder.join(format!("{index}.pgm")), image).unwrap();
        }
    }
    fs::write(bench.folder.path().join("images/a/words.png"), "these are words").unwrap();
    let output = bench.run("strict", &["--set", "sweep.seeds=1"]);
    assert_eq!(code(&output), Some(3));
    assert!(bench.table("strict", "trials.csv").contains("words.png"));
    let skip = ["--set", "sweep.seeds=1", "--set", "data.on-bad-image=skip"];
    let output = bench.run("lenient", &skip);
    assert_eq!(code(&output), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("1 image could not be decoded and was left out"));
}

#[test]
fn every_experiment_of_the_repository_is_sound() {
    let mut seen = 0;
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        seen += 1;
        let text_of = fs::read_to_string(&path).unwrap();
        assert!(text_of.starts_with("# "), "{} does not say what it shows", path.display());
        let mut command = Command::new(env!("CARGO_BIN_EXE_wick"));
        command.arg("check").arg(&path);
        if text_of.contains("\"auto\"]") {
            // Advice takes minutes.
            command.args(["--set", "sweep.grid.\"transfer.case\"=[\"small-similar\"]"]);
        }
        if text_of.contains("idx = ") {
            // The user's own files, for which those of the repository stand.
            command.args(["--set", "data.source=\"fashion-mnist\"", "--set", "data.test=0.1"]);
        }
        if text_of.contains("folder = ") {
            // The user's own images: any folder of classes will do here.
            let folder = tempfile::tempdir().unwrap();
            for class in ["stop", "yield"] {
                fs::create_dir(folder.path().join(class)).unwrap();
                for index in 0..4 {
                    fs::write(folder.path().join(class).join(format!("{index}.png")), "").unwrap();
                }
            }
            command.arg("--set").arg(format!("data.source.folder={}", folder.path().display()));
            let output = command.output().unwrap();
            assert_eq!(code(&output), Some(0), "{}", text(&output.stderr));
            continue;
        }
        // What stands on an earlier experiment is sound once that one has been run, for however long.
        let results = tempfile::tempdir().unwrap();
        command.arg("--results").arg(results.path());
        if let Some((_, name)) = text_of.split_once("weights = { experiment = \"") {
            let name = name.split('"').next().unwrap();
            let mut earlier = Command::new(env!("CARGO_BIN_EXE_wick"));
            earlier.arg("run").arg(path.with_file_name(format!("{name}.toml")));
            earlier.args(["--set", "train.epochs=1", "--set", "data.subset={per-class=4}"]);
            let output = earlier.arg("--results").arg(results.path()).output().unwrap();
            assert_eq!(code(&output), Some(0), "{name}: {}", text(&output.stderr));
        }
        let output = command.output().unwrap();
        assert_eq!(code(&output), Some(0), "{}: {}", path.display(), text(&output.stderr));
    }
    assert!(seen >= 4);
}
