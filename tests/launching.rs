//! Trials that run elsewhere: job arrays and workers. Slurm is played by scripts that write down what
//! they were asked for; `tests/slurm/run.sh` runs the same on a real one.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use candlewick::results::seal::Chain;

use super::bench::{Bench, bare};

const SIX: &str = r#"
name = "six"
seed = 7

[data]
source = "digits"
image = { size = [8, 8], channels = 1 }
test = 0.2
batch-size = 100

[model]
layers = ["flatten", { dense = 16 }, { dense = "classes" }]

[train]
epochs = 3

[launcher.slurm]
trials-per-task = 1

[sweep.grid]
"model.defaults.norm" = ["none", "batch"]
"model.defaults.dropout" = [0.0, 0.1, 0.3]
"#;

/// A search in rounds, with pruning: what may run next follows from what has come out.
const SEARCH: [&str; 4] = [
    "sweep.grid={}",
    "train.epochs=4",
    "sweep.prune={ asha = { first = 1, factor = 2 } }",
    "sweep.search={ tpe = 12, round = 4, startup = 4, \"train.optimizer.adam.lr\" = { log-uniform = [1e-4, 0.1] } }",
];

/// Writes down a job, and answers with its number.
const SBATCH: &str = r#"#!/bin/sh
[ -n "$SLURM_JOB_ID$SLURM_RESTART_COUNT$RAYON_NUM_THREADS$CANDLEWICK_RUN" ] && { echo "a job's environment" >&2; exit 1; }
number=$(($(cat "$FAKE/number" 2>/dev/null || echo 16) + 1))
if [ -e "$FAKE/refuse-$number" ]; then cat "$FAKE/refuse-$number" >&2; exit 1; fi
echo $number >"$FAKE/number"
echo "$number $*" >>"$FAKE/jobs"
echo "$number;cluster"
"#;

const SQUEUE: &str = r#"#!/bin/sh
[ -s "$FAKE/queue" ] || { echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1; }
cat "$FAKE/queue"
"#;

const SCONTROL: &str = r#"#!/bin/sh
case "$1" in
  show) echo "MaxArraySize            = $(cat "$FAKE/max-array-size" 2>/dev/null || echo 1001)" ;;
  *) echo "$*" >>"$FAKE/requeued" ;;
esac
"#;

const SINFO: &str = r#"#!/bin/sh
case "$*" in
  *%C*) echo "main* 1/3/0/4"; echo "gpu 0/8/0/8" ;;
  *) echo main; echo gpu ;;
esac
"#;

const SCANCEL: &str = "#!/bin/sh\necho \"$*\" >>\"$FAKE/cancelled\"\n";

/// An experiment in a folder, and a Slurm that only writes down.
struct Cluster {
    bench: Bench,
}

impl Cluster {
    fn new() -> Cluster {
        let cluster = Cluster { bench: Bench::new(SIX) };
        fs::create_dir(cluster.fake("")).unwrap();
        let commands = [
            ("sbatch", SBATCH),
            ("squeue", SQUEUE),
            ("scontrol", SCONTROL),
            ("sinfo", SINFO),
            ("scancel", SCANCEL),
        ];
        for (name, text) in commands {
            let path = cluster.fake(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        cluster
    }

    fn fake(&self, name: &str) -> PathBuf {
        self.bench.path().join("fake").join(name)
    }

    fn say(&self, name: &str, text: &str) {
        fs::write(self.fake(name), text).unwrap();
    }

    fn said(&self, name: &str) -> String {
        fs::read_to_string(self.fake(name)).unwrap_or_default()
    }

    fn results(&self) -> PathBuf {
        self.bench.path().join("results/six")
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = bare(program);
        let path = format!("{}:/usr/bin:/bin", self.fake("").display());
        command.current_dir(self.bench.path()).env("PATH", path);
        command.env("FAKE", self.fake(""));
        command
    }

    fn wick(&self, arguments: &[&str]) -> Output {
        self.command(Path::new(env!("CARGO_BIN_EXE_wick"))).args(arguments).output().unwrap()
    }

    /// `wick run` through Slurm.
    fn launch(&self, more: &[&str]) -> Output {
        let mut arguments = vec!["run", "experiment.toml", "--launcher", "slurm"];
        arguments.extend(more);
        self.wick(&arguments)
    }

    fn launched(&self, more: &[&str]) -> String {
        let output = self.launch(more);
        assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
        self.neutral(&String::from_utf8(output.stdout).unwrap())
    }

    /// Text without what differs from one test to the next.
    fn neutral(&self, text: &str) -> String {
        let folder = self.bench.path().canonicalize().unwrap();
        text.replace(env!("CARGO_BIN_EXE_wick"), "/bin/wick")
            .replace(&folder.display().to_string(), "/work")
            .replace(&self.bench.path().display().to_string(), "/work")
    }

    /// Runs all jobs that were submitted, in their order, and those that they submit: how many.
    fn run_jobs(&self) -> usize {
        let mut done = 0;
        loop {
            let jobs = self.said("jobs");
            let Some(job) = jobs.lines().nth(done) else { return done };
            done += 1;
            let words: Vec<&str> = job.split(' ').collect();
            let script = words.iter().position(|word| word.ends_with(".sh")).unwrap();
            let array = words.iter().find_map(|word| word.strip_prefix("--array=0-"));
            let last = array.map_or(0, |array| array.split('%').next().unwrap().parse().unwrap());
            for task in 0..=last {
                let mut shell = self.command(Path::new("sh"));
                shell.args(&words[script..]).env("SLURM_JOB_ID", words[0]);
                shell.env("SLURM_CPUS_PER_TASK", "1");
                if array.is_some() {
                    shell.env("SLURM_ARRAY_JOB_ID", words[0]);
                    shell.env("SLURM_ARRAY_TASK_ID", task.to_string());
                }
                let output = shell.output().unwrap();
                assert_eq!(output.status.code(), Some(0), "{job}, {task}: {}", errors(&output));
            }
        }
    }
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The tables that must not depend on where trials ran.
fn tables(root: &Path) -> BTreeMap<&'static str, String> {
    let names = ["trials.csv", "metrics.csv", "decisions.csv"];
    names
        .into_iter()
        .filter_map(|name| Some((name, fs::read_to_string(root.join(name)).ok()?)))
        .collect()
}

fn sets<'a>(sets: &[&'a str]) -> Vec<&'a str> {
    sets.iter().flat_map(|set| ["--set", set]).collect()
}

#[test]
fn a_rehearsal_prints_the_scripts_and_does_nothing() {
    let cluster = Cluster::new();
    let said = cluster.launched(&[
        "--dry-run",
        "--partition",
        "short",
        "--time",
        "2h",
        "--max-parallel",
        "2",
        "--sbatch-arg=--account=vision",
        "--sbatch-arg=--qos=long",
        "--set",
        "launcher.slurm.trials-per-task=4",
        "--set",
        "launcher.slurm.mem=8GB",
    ]);
    // A new version is no new script.
    insta::assert_snapshot!(said.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
    assert!(!cluster.results().exists() && cluster.said("jobs").is_empty());
}

#[test]
fn an_array_runs_the_trials_and_the_tables_are_those_of_a_local_run() {
    let cluster = Cluster::new();
    cluster.bench.done(&["run", "experiment.toml", "--results", "local"]);
    let said = cluster.launched(&["--max-parallel", "2"]);
    assert_eq!(said, "six: 6 trials in 6 tasks, at most 2 at once: job 17; job 18 collects\n");
    let jobs = cluster.neutral(&cluster.said("jobs"));
    let folder = "/work/results/six/slurm/1";
    assert_eq!(
        jobs,
        format!(
            "17 --parsable --array=0-5%2 {folder}/tasks.sh 0\n\
             18 --parsable --dependency=afterany:17 {folder}/collect.sh\n"
        )
    );
    assert_eq!(cluster.run_jobs(), 2);
    assert_eq!(tables(&cluster.results()), tables(&cluster.bench.path().join("local/six")));
    assert!(cluster.results().join("report.html").exists());
    // Nothing is missing: nothing is submitted.
    cluster.launched(&[]);
    assert_eq!(cluster.said("jobs").lines().count(), 2);
}

#[test]
fn what_is_in_the_queue_is_not_submitted_again_and_the_rest_is() {
    let cluster = Cluster::new();
    cluster.launched(&[]);
    // Tasks 0 and 1 are over without a result; the others are still to come.
    let live: String = (2..6).map(|task| format!("17|{task}|PENDING|Resources|\n")).collect();
    cluster.say(
        "queue",
        &format!(
            "17|0|CANCELLED|None|n1\n17|1|RUNNING|None|n2\n{live}18|N/A|PENDING|Dependency|\n"
        ),
    );
    let status = cluster.wick(&["status", "results/six"]);
    let status = String::from_utf8(status.stdout).unwrap();
    assert!(
        status
            .contains("job 17: 6 tasks: 1 cancelled on n1; 4 pending (Resources); 1 running on n2"),
        "{status}"
    );
    assert!(status.contains("job 18: collects: 1 pending (Dependency)"), "{status}");
    let output = cluster.launch(&[]);
    assert!(errors(&output).contains("5 trials are in the queue already"), "{}", errors(&output));
    let given = fs::read_to_string(cluster.results().join("slurm/2/tasks.csv")).unwrap();
    assert_eq!(given.lines().count(), 2, "{given}");
    assert!(given.lines().nth(1).unwrap().starts_with("0,1,"), "{given}");
}

#[test]
fn pruning_and_search_are_chains_of_arrays_with_the_decisions_of_a_local_run() {
    let cluster = Cluster::new();
    let sets = sets(&SEARCH);
    let mut local = vec!["run", "experiment.toml", "--results", "local"];
    local.extend(&sets);
    cluster.bench.done(&local);
    let mut more = sets.clone();
    more.extend(["--set", "launcher.slurm.trials-per-task=2"]);
    cluster.launched(&more);
    let jobs = cluster.run_jobs();
    assert!(jobs >= 6 && jobs.is_multiple_of(2), "three rounds at least, {jobs} jobs");
    let expected = tables(&cluster.bench.path().join("local/six"));
    assert!(expected["decisions.csv"].contains("pruned"));
    assert_eq!(tables(&cluster.results()), expected);
    assert!(cluster.results().join("report.html").exists());
}

#[test]
fn behind_tasks_that_were_ended_nothing_is_submitted() {
    let cluster = Cluster::new();
    cluster.launched(&sets(&SEARCH));
    // The tasks never run.
    let results = cluster.results();
    let output = cluster.wick(&["collect", &results.display().to_string(), "--submission", "1"]);
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    assert!(errors(&output).contains("run the command again"), "{}", errors(&output));
    assert_eq!(cluster.said("jobs").lines().count(), 2);
}

#[test]
fn more_tasks_than_an_array_may_have_are_several_arrays_one_after_the_other() {
    let cluster = Cluster::new();
    cluster.say("max-array-size", "4");
    let said = cluster.launched(&["--max-parallel", "3"]);
    assert!(said.contains("at most 3 at once: jobs 17, 18; job 19 collects"), "{said}");
    let jobs: Vec<String> = cluster
        .said("jobs")
        .lines()
        .map(|job| {
            job.split(' ').filter(|word| !word.starts_with('/')).collect::<Vec<_>>().join(" ")
        })
        .collect();
    assert_eq!(
        jobs,
        [
            "17 --parsable --array=0-3%3 0",
            "18 --parsable --array=0-1%2 --dependency=afterany:17 4",
            "19 --parsable --dependency=afterany:17:18",
        ]
    );
    cluster.run_jobs();
    assert_eq!(
        fs::read_to_string(cluster.results().join("trials.csv"))
            .unwrap()
            .matches("completed")
            .count(),
        6
    );
}

#[test]
fn what_slurm_refuses_is_told_in_its_own_words_and_leaves_nothing_behind() {
    let cluster = Cluster::new();
    cluster.say(
        "refuse-17",
        "sbatch: error: invalid partition specified: shrot\n\
         sbatch: error: Batch job submission failed: Invalid partition name specified\n",
    );
    let output = cluster.launch(&["--partition", "shrot"]);
    assert_eq!(output.status.code(), Some(2));
    // A note may come before it, where the folder is in memory.
    let said = errors(&output);
    insta::assert_snapshot!(said[said.find("error:").unwrap()..].to_owned());
    assert!(!cluster.results().join("slurm/1").exists());
    // The array is taken, and the job behind it is not.
    fs::remove_file(cluster.fake("refuse-17")).unwrap();
    cluster
        .say("refuse-18", "sbatch: error: Unable to contact slurm controller (connect failure)\n");
    let output = cluster.launch(&[]);
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    assert_eq!(cluster.said("cancelled"), "17\n");
    assert!(!cluster.results().join("slurm/1").exists());
}

#[test]
fn without_slurm_or_with_options_that_are_for_it_alone_the_command_says_so() {
    let bench = Bench::new(SIX);
    let refused = |arguments: &[&str]| {
        let output = bench.wick(&[&["run", "experiment.toml"], arguments].concat());
        (output.status.code(), errors(&output))
    };
    let (code, said) = refused(&["--launcher", "slurm"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("there is no sbatch on the PATH"), "{said}");
    for arguments in [
        &["--partition", "short"][..],
        &["--wait"],
        &["--launcher", "worker", "--max-parallel", "3"],
        &["--launcher", "slurm", "--json"],
        &["--launcher", "slurm", "--time", "soon"],
        &["--launcher", "slurm", "--sbatch-arg=--array=1-3"],
    ] {
        let (code, said) = refused(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
        assert!(said.starts_with("error: "), "{arguments:?}: {said}");
    }
    assert!(!bench.path().join("results").exists());
}

#[test]
fn a_task_whose_time_is_over_soon_stops_with_a_checkpoint_and_goes_back_into_the_queue() {
    let cluster = Cluster::new();
    cluster.launched(&["--set", "train.epochs=2000"]);
    let results = cluster.results();
    let run = |restarts: &str| {
        let mut task = cluster
            .command(Path::new(env!("CARGO_BIN_EXE_wick")))
            .arg("trial")
            .arg(&results)
            .args(["3", "--submission", "1", "--max-requeues", "2"])
            .env("SLURM_JOB_ID", "20")
            .env("SLURM_ARRAY_JOB_ID", "17")
            .env("SLURM_ARRAY_TASK_ID", "3")
            .env("SLURM_RESTART_COUNT", restarts)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let before = epochs(&results);
        while epochs(&results) < before + 3 {
            assert_eq!(task.try_wait().unwrap(), None, "it ends by itself");
            std::thread::sleep(Duration::from_millis(10));
        }
        let signalled =
            Command::new("kill").args(["-USR1", &task.id().to_string()]).status().unwrap();
        assert!(signalled.success());
        let output = task.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{}", errors(&output));
        errors(&output)
    };
    let said = run("0");
    assert!(said.contains("back into the queue"), "{said}");
    assert_eq!(cluster.said("requeued"), "requeue 17_3\n");
    let before = epochs(&results);
    let said = run("2");
    assert!(said.contains("started again 2 times (max-requeues)"), "{said}");
    assert_eq!(cluster.said("requeued"), "requeue 17_3\n");
    assert!(epochs(&results) > before, "it goes on where it was");
}

/// Epochs that are finished, of all trials.
fn epochs(results: &Path) -> usize {
    let trials = fs::read_dir(results.join("trials")).into_iter().flatten().flatten();
    trials
        .filter_map(|trial| fs::read_to_string(trial.path().join("epochs.csv")).ok())
        .map(|rows| rows.lines().count().saturating_sub(1))
        .sum()
}

#[test]
fn workers_share_a_folder_without_a_scheduler_whatever_has_become_of_the_file() {
    for sets in [vec![], sets(&SEARCH)] {
        let bench = Bench::new(SIX);
        let run = |results, more: &[&str]| {
            let mut arguments = vec!["run", "experiment.toml", "--results", results];
            arguments.extend(&sets);
            arguments.extend(more);
            bench.done(&arguments)
        };
        run("local", &[]);
        let said = run("shared", &["--launcher", "worker"]);
        assert!(said.contains("trials to run; start on as many machines as you like"), "{said}");
        fs::remove_file(bench.path().join("experiment.toml")).unwrap();
        let start = || {
            bare(env!("CARGO_BIN_EXE_wick"))
                .current_dir("/")
                .arg("worker")
                .arg(bench.path().join("shared/six"))
                .args(["--cores", "1"])
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        };
        for worker in [start(), start()] {
            let output = worker.wait_with_output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
        }
        let folder = bench.path().join("shared/six");
        assert_eq!(tables(&folder), tables(&bench.path().join("local/six")));
        assert!(folder.join("report.html").exists());
    }
}

#[test]
fn a_task_works_on_the_trials_that_it_names_and_on_no_others() {
    let bench = Bench::new(SIX);
    bench.done(&["run", "experiment.toml", "--launcher", "worker"]);
    bench.done(&["trial", "results/six", "2", "5"]);
    bench.done(&["collect", "results/six"]);
    let table = fs::read_to_string(bench.path().join("results/six/trials.csv")).unwrap();
    let done: Vec<usize> = table
        .lines()
        .skip(1)
        .enumerate()
        .filter(|(_, row)| row.contains(",completed,"))
        .map(|(index, _)| index + 1)
        .collect();
    assert_eq!(done, [2, 5]);
    for (arguments, words) in [
        (
            &["trial", "results/six", "7"][..],
            "there is no trial 7: trials are numbered from 1 to 6",
        ),
        (&["trial", "results/seven", "1"], "there is no folder results/seven on "),
        (&["worker", "results"], "`wick run FILE --launcher worker` writes it"),
    ] {
        let output = bench.wick(arguments);
        assert_eq!(output.status.code(), Some(2), "{}", errors(&output));
        assert!(errors(&output).contains(words), "{}", errors(&output));
    }
}

#[test]
fn machines_that_may_give_other_numbers_are_told_and_instruction_sets_do_not() {
    let bench = Bench::new(SIX);
    bench.done(&["run", "experiment.toml"]);
    let root = bench.path().join("results/six");
    let status = bench.done(&["status", "results/six"]);
    assert!(!status.contains("different kinds of machines"), "{status}");
    let digest = |number: usize| {
        let table = fs::read_to_string(root.join("trials.csv")).unwrap();
        table.lines().nth(number).unwrap().split(',').nth(1).unwrap().to_owned()
    };
    // Trial 2 has come from another machine.
    let path = root.join("trials").join(digest(2)).join("machines.csv");
    let rows = fs::read_to_string(&path).unwrap();
    let cells: Vec<&str> = rows.lines().nth(1).unwrap().split(',').collect();
    let header: Vec<&str> = rows.lines().next().unwrap().split(',').collect();
    let moved = |version| {
        let cells = header.iter().zip(&cells).map(|(name, cell)| match *name {
            "host" => "n2",
            "instruction_set" => "Sse9",
            "version" => version,
            _ => cell,
        });
        let cells: Vec<&str> = cells.collect();
        let (header, row) = (format!("{}\n", header.join(",")), cells[..cells.len() - 1].join(","));
        let mut chain = Chain::new(&format!("{} machines.csv", digest(2)));
        chain.add(header.as_bytes());
        let check = chain.add(row.as_bytes());
        fs::write(&path, format!("{header}{row},{check}\n")).unwrap();
        bench.done(&["status", "results/six"])
    };
    let status = moved(env!("CARGO_PKG_VERSION"));
    assert!(!status.contains("different kinds of machines"), "{status}");
    let status = moved("0.0.9");
    assert!(status.contains("different kinds of machines"), "{status}");
    assert!(status.contains("version 0.0.9: trial 2 on n2"), "{status}");
    bench.done(&["report", "results/six"]);
    let page = fs::read_to_string(root.join("report.html")).unwrap();
    assert!(page.contains("different kinds of machines") && page.contains("0.0.9"));
}
