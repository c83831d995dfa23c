//! `wick bench-step`, which the benchmarks read.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::bench::Bench;

const STEP: [&str; 4] = ["bench-step", "plain", "--batch", "2"];

#[test]
fn a_measured_step_tells_its_images_per_second_and_its_memory() {
    let printed = Bench::new("").done(&[&STEP[..], &["--steps", "5"]].concat());
    let (speed, rest) = printed.split_once(" img/s").unwrap();
    assert!(speed.parse::<f64>().unwrap() > 0.0, "{printed}");
    assert!(rest.contains("of which a step needs"), "{printed}");
}

#[test]
fn without_end_it_tells_each_step_and_stops_when_nobody_reads() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_wick"))
        .args(STEP)
        .arg("--endless")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let steps: Vec<String> = lines.take(3).map(Result::unwrap).collect();
    assert_eq!(steps, ["1", "2", "3"]);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_number_of_steps_and_no_end_are_not_both_possible() {
    let output = Bench::new("").wick(&[&STEP[..], &["--steps", "5", "--endless"]].concat());
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("'--endless'") && errors.contains("'--steps <N>'"), "{errors}");
}
