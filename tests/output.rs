//! What becomes of what cannot be printed or written.

use std::fs::{self, File};
use std::io::pipe;
use std::process::{Output, Stdio};

use super::bench::{Bench, bare};

const ONE: &str = r#"
name = "one"

[data]
source = "digits"
image = { size = [8, 8], channels = 1 }
subset = { fraction = 0.1 }
test = 0.2
batch-size = 50

[model]
layers = ["flatten", { dense = "classes" }]

[train]
epochs = 1
optimizer = { sgd = { lr = 0.1 } }
"#;

/// Commands that print, in a folder where the experiment has been run.
const PRINTING: &[&[&str]] = &[
    &["--help"],
    &["--version"],
    &["check", "--help"],
    &["check", "experiment.toml"],
    &["run", "experiment.toml"],
    &["run", "experiment.toml", "--json"],
    &["status", "results/one"],
    &["clean", "results/one"],
    &["report", "results/one"],
    &["report", "results/one", "--format", "csv"],
    &["curves", "results/one"],
    &["compare", "results/one", "results/other"],
    &["repro", "results/one"],
    &["schema"],
    &["presets"],
    &["presets", "plain"],
    &["completions", "bash"],
    &["man"],
    &["predict", "--model", "best.safetensors", "digit.png"],
    &["evaluate", "--model", "best.safetensors", "--data", "digits"],
    &["export", "--model", "best.safetensors", "--to", "onnx"],
    &["augment", "experiment.toml", "--out", "sheet.png"],
    &["run", "experiment.toml", "--set", "name=new", "--launcher", "slurm", "--dry-run"],
];

fn bench() -> Bench {
    let bench = Bench::new(ONE);
    bench.done(&["run", "experiment.toml"]);
    bench.done(&["run", "experiment.toml", "--set", "name=other"]);
    fs::copy(bench.trial("one").join("best.safetensors"), bench.path().join("best.safetensors"))
        .unwrap();
    image::GrayImage::new(8, 8).save(bench.path().join("digit.png")).unwrap();
    bench
}

fn printed_to(bench: &Bench, arguments: &[&str], stdout: impl Into<Stdio>) -> Output {
    let mut command = bare(env!("CARGO_BIN_EXE_wick"));
    command.current_dir(bench.path()).args(arguments).stdout(stdout);
    command.output().unwrap()
}

#[test]
fn what_a_full_device_does_not_take_ends_every_command_with_1_and_the_reason() {
    let bench = bench();
    for arguments in PRINTING {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = printed_to(&bench, arguments, full);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        let reason = "error: failed to write to standard output: No space left on device";
        assert_eq!(said.matches(reason).count(), 1, "{arguments:?}: {said}");
    }
}

#[test]
fn a_reader_that_has_gone_away_has_seen_enough() {
    let bench = bench();
    for arguments in PRINTING {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let output = printed_to(&bench, arguments, writer);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
        assert!(!said.contains("standard output"), "{arguments:?}: {said}");
    }
}

#[test]
fn a_run_whose_report_cannot_be_written_has_its_results_and_ends_with_1() {
    let bench = Bench::new(ONE);
    fs::create_dir_all(bench.path().join("results/one/report.html")).unwrap();
    let output = bench.wick(&["run", "experiment.toml"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("error: failed to write the report: "), "{said}");
    assert!(said.contains("results/one/report.html"), "{said}");
    let table = fs::read_to_string(bench.path().join("results/one/trials.csv")).unwrap();
    assert!(table.contains(",completed,"), "{table}");
}
