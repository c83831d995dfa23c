//! A data set of a kind that the first byte chooses, in one file: it is listed and loaded, or told to be none.
#![no_main]

use std::collections::HashMap;
use std::sync::LazyLock;

use candlewick::data::load;
use candlewick::plan::data::DataPlan;
use candlewick_fuzz_program::{path, trials, write};

/// How a source is written, and its file.
const KINDS: [(&str, &str); 7] = [
    ("{ csv = 'SOURCE' }", "list.csv"),
    ("{ idx = 'FOLDER' }", "idx/train-images-idx3-ubyte"),
    ("{ cifar10 = 'FOLDER' }", "cifar/data_batch_1.bin"),
    ("{ cifar10 = 'FOLDER' }", "python/data_batch_1"),
    ("{ parquet = 'SOURCE' }", "train.parquet"),
    ("{ tar = 'SOURCE' }", "shard.tar"),
    ("{ npz = 'SOURCE' }", "set.npz"),
];

/// What is loaded of each.
static PLANS: LazyLock<HashMap<usize, DataPlan>> = LazyLock::new(|| {
    // The labels of four images: the target exchanges the images.
    write("idx/train-labels-idx1-ubyte", &[0, 0, 8, 1, 0, 0, 0, 4, 0, 1, 0, 1]);
    let mut plans = HashMap::new();
    for (index, (source, file)) in KINDS.iter().enumerate() {
        let file = path(file);
        let source = source
            .replace("SOURCE", file.to_str().expect("UTF-8"))
            .replace("FOLDER", file.parent().and_then(|folder| folder.to_str()).expect("UTF-8"));
        let text = format!(
            "name = \"fuzz\"\nseed = 1\n[data]\nsource = {source}\nimage = {{ size = [8, 8], channels = 1 }}\n\
             validation = 0.2\nbatch-size = 4\n[model]\npreset = \"plain\"\nlayers = [\"flatten\", {{ dense = \
             \"classes\" }}]\n[train]\nepochs = 1\noptimizer = {{ sgd = {{ lr = 0.1 }} }}\n",
        )
        .replace("preset = \"plain\"\n", "");
        let experiment = match trials(&text) {
            Ok(experiment) => experiment,
            Err(problems) => panic!("{}", problems.render(false)),
        };
        plans.insert(index, experiment.trials[0].plan.data.as_ref().clone());
    }
    plans
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((&first, bytes)) = data.split_first() else { return };
    let kind = usize::from(first) % KINDS.len();
    let plan = &PLANS[&kind];
    let file = write(KINDS[kind].1, bytes);
    if let Ok(dataset) = load(plan) {
        let _ = dataset.fingerprint();
    }
    std::fs::remove_file(file).expect("the file was written");
});
