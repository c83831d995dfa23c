//! What `wick check` shows and warns of.

use std::fs;

use candlewick::train::checkpoint::Checkpoint;

use super::bench::Bench;

#[test]
fn tables_of_set_and_of_sweeps_are_laid_over_the_defaults() {
    let bench = Bench::new(
        r#"
name = "laid"
[data]
source = "digits"
image = { size = [8, 8], channels = 1 }
[model]
defaults = { activation = "tanh", dropout = 0.25 }
layers = ["flatten", { dense = 4 }, { dense = "classes" }]
[sweep.grid]
"model.defaults" = [{ norm = "batch" }, { activation = "elu", dropout = { channels = 0.5 } }]
"#,
    );
    let shown = |trial: &str| bench.done(&["check", "experiment.toml", "--trial", trial]);
    assert!(shown("1").contains("dense 4, batch-norm, tanh, dropout 0.25"), "{}", shown("1"));
    assert!(shown("2").contains("dense 4, elu 1, dropout 0.5 of channels"), "{}", shown("2"));
    let set = "model.defaults={ norm = \"batch\" }";
    let sets = ["--set", "sweep.grid={}", "--set", set];
    let said = bench.done(&[&["check", "experiment.toml"][..], &sets].concat());
    assert!(said.contains("dense 4, batch-norm, tanh, dropout 0.25"), "{said}");
}

#[test]
fn a_batch_norm_of_one_value_per_channel_is_warned_of() {
    let bench = Bench::new(
        r#"
name = "norms"
[data]
source = "digits"
image = { size = [8, 8], channels = 1 }
test = 0.2
batch-size = 1293
[model]
layers = ["flatten", { dense = 4, norm = "batch" }, { dense = "classes" }]
[train]
epochs = 1
"#,
    );
    // 1,797 digits, 359 of them for testing and 144 for validation, leave 1,294.
    let check = |sets: &[&str]| {
        let sets = sets.iter().flat_map(|set| ["--set", set]);
        bench.done(&["check", "experiment.toml"].into_iter().chain(sets).collect::<Vec<_>>())
    };
    let said = check(&[]);
    assert!(
        said.contains(
            "warning: the batch norm of dense1 gets one value per channel in the last batch of each \
             epoch, which has 1 of 1294 training images"
        ),
        "{said}"
    );
    let said = check(&["data.batch-size=1"]);
    assert!(said.contains("of dense1 gets one value per channel in every batch"), "{said}");
    let no_norm = "model.layers[1]={ dense = 4 }";
    for fine in ["data.drop-last=true", "data.batch-size=1294", no_norm] {
        assert!(!check(&[fine]).contains("warning:"), "{fine}");
    }
    // A map of more than one place has more values.
    let conv = "model.layers=[{ conv = 2, kernel = 3, norm = \"batch\" }, \"flatten\", { dense = \"classes\" }]";
    assert!(!check(&["data.batch-size=1", conv]).contains("warning:"));
    // What is warned of comes true: without the last batch, running variances stay.
    let variance = |drop: &str| {
        let set = format!("data.drop-last={drop}");
        bench.done(&["run", "experiment.toml", "--set", &set, "--results", drop]);
        let results = bench.path().join(drop).join("norms");
        let mut rows = csv::Reader::from_path(results.join("trials.csv")).unwrap();
        let digest = rows.records().next().unwrap().unwrap()[1].to_owned();
        let folder = results.join("trials").join(digest);
        let best = fs::read(folder.join("best.safetensors")).unwrap();
        let steps = fs::read_to_string(folder.join("epochs.csv")).unwrap();
        let tensors = Checkpoint::from_bytes(&best).unwrap().tensors;
        let steps = steps.lines().nth(1).unwrap().split(',').nth(1).unwrap().to_owned();
        (tensors["dense1.norm.running_var"].1.clone(), steps)
    };
    let ((with, two), (without, one)) = (variance("false"), variance("true"));
    assert_eq!((two.as_str(), one.as_str()), ("2", "1"));
    assert!(
        with.iter().zip(&without).all(|(with, without)| with < without),
        "{with:?} {without:?}"
    );
}
