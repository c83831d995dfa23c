//! Words of other tools, Keras, PyTorch and their scripts, and what they are here. They are no further names of
//! settings: who writes one is told the right one.

use crate::document::KeyPath;

/// What the word `word`, which is not understood at `path`, is here.
pub fn explanation(path: &KeyPath, word: &str) -> Option<String> {
    let path = path.to_string();
    if path.starts_with("data.source") || path.starts_with("data.test") {
        let looks_like_path = word.contains(['/', '\\']) || word.contains('.');
        if looks_like_path && !word.is_empty() {
            let kind = match word.rsplit('.').next() {
                Some("csv" | "tsv") => "csv",
                Some("npz") => "npz",
                Some("parquet") => "parquet",
                Some("tar") => "tar",
                _ => "folder",
            };
            return Some(format!(
                "a path needs a table with the kind of source: {{ {kind} = \"{word}\" }}"
            ));
        }
    }
    let plain: String =
        word.to_lowercase().chars().filter(|c| !matches!(c, '-' | '_' | ' ' | '.')).collect();
    // What an optimiser has of its own is known there.
    let tables = if path.contains("optimizer") { &TABLES[1..] } else { &TABLES[..] };
    let rows = tables.iter().flat_map(|table| table.iter());
    rows.filter(|(words, _)| words.contains(&&plain[..])).map(|(_, text)| (*text).to_owned()).next()
}

/// What an option of `wick run` that there is not is here; `name` is without dashes.
pub fn option(name: &str) -> Option<String> {
    let plain = name.to_lowercase().replace('_', "-");
    let set = |key: &str, value: &str| {
        Some(format!("set values of the file by their paths: --set {key}={value}"))
    };
    match plain.as_str() {
        "epochs" | "num-epochs" | "max-epochs" => set("train.epochs", "10"),
        "lr" | "learning-rate" => set("train.optimizer.adam.lr", "0.001"),
        "batch-size" => set("data.batch-size", "64"),
        "seed" => set("seed", "1"),
        "seeds" => set("sweep.seeds", "3"),
        "name" => set("name", "NAME"),
        "data" | "imdir" | "dataset" | "data-dir" => set("data.source.folder", "FOLDER"),
        "model" | "arch" => set("model.preset", "resnet18-32"),
        "device" | "gpu" | "gpus" | "cuda" => set("'run.devices", "[\"cuda:0\"]'"),
        "resume" | "continue" | "checkpoint" => {
            Some("a run resumes by itself: use the same command again".to_owned())
        }
        "out" | "output" | "output-dir" | "save-dir" | "logdir" => {
            Some("results go to DIR/NAME with --results DIR".to_owned())
        }
        "num-workers" | "jobs" => Some(
            "--workers N is how many trials run at once, --threads N how many threads each has"
                .to_owned(),
        ),
        "config" | "file" => Some("the experiment file needs no option: wick run FILE".to_owned()),
        _ => None,
    }
}

type Table = &'static [(&'static [&'static str], &'static str)];

const TABLES: [Table; 3] = [
    // Of optimisers.
    &[
        (
            &["lr", "learningrate", "baselr"],
            "the learning rate belongs to the optimiser: train.optimizer = { adam = { lr = 1e-3 } }",
        ),
        (
            &["momentum", "weightdecay", "betas", "nesterov"],
            "it belongs to the optimiser: train.optimizer = { sgd = { lr = 0.1, momentum = 0.9, weight-decay = 5e-4 } }",
        ),
    ],
    // Of everything else in a recipe and of data.
    &[
        (
            &["loss", "losses", "criterion", "lossfunction", "lossfn"],
            "it is train.loss: \"cross-entropy\" if not given, { focal = 2 } or \"bce\"; train.label-smoothing and train.class-weights change it",
        ),
        (
            &["metrics", "metric"],
            "loss, accuracy, top-k, precision, recall and F1 are always recorded; train.best names the one that chooses the best epoch",
        ),
        (&["epochs", "numepochs", "nepochs", "maxepochs"], "it is train.epochs"),
        (&["batchsize", "batch", "trainbatchsize"], "it is data.batch-size"),
        (
            &["optimizer", "optim", "optimiser"],
            "it is train.optimizer, as { adam = { lr = 1e-3 } }",
        ),
        (
            &["scheduler", "lrscheduler", "lrschedule", "lrdecay"],
            "it is train.schedule: constant, step, steps, exponential, cosine, cosine-restarts, poly, one-cycle or plateau",
        ),
        (
            &["callbacks", "earlystopping", "patience"],
            "training stops early by train.early-stop = { metric = \"val_loss\", patience = 3 }; the best epoch is always kept",
        ),
        (
            &["transform", "transforms", "augmentation", "augmentations", "dataaugmentation"],
            "they are augment.train, as [{ rotate = 30, p = 0.5 }]",
        ),
        (
            &["dataset", "datasets", "datadir", "traindir", "traindata", "imdir", "directory"],
            "images are data.source, as { folder = \"path\" } for one folder per class",
        ),
        (
            &["numclasses", "nclasses", "nbclasses"],
            "{ dense = \"classes\" } has an output for each class of the data",
        ),
        (
            &["inputshape", "inputsize", "imagesize", "imgsize", "targetsize"],
            "it is data.image = { size = [32, 32], channels = 3 }",
        ),
        (
            &["validationsplit", "valsplit", "validsplit"],
            "it is data.validation, a part such as 0.1",
        ),
        (&["testsplit", "testsize"], "it is data.test, a part such as 0.1"),
        (&["shuffle"], "training images are always shuffled in each epoch, by the seed"),
        (
            &["numworkers", "workers", "threads"],
            "wick run takes --workers for trials at once, and --threads for each",
        ),
        (&["device", "gpu", "gpus", "cuda"], "it is run.devices, as [\"cuda:0\"]"),
        (
            &["arch", "architecture", "backbone"],
            "a built-in network is model.preset: wick presets lists them",
        ),
        (&["pretrained"], "use model.weights, or [transfer] for transfer learning"),
        (
            &["softmax", "logsoftmax"],
            "a network gives logits, without an activation: the loss and wick predict compute the softmax",
        ),
        (
            &[
                "sparsecategoricalcrossentropy",
                "categoricalcrossentropy",
                "crossentropy",
                "crossentropyloss",
            ],
            "it is \"cross-entropy\" of the logits, the default",
        ),
        (&["steplr", "stepdecay"], "it is { step = { every = 10, factor = 0.1 } }"),
        (&["multisteplr", "milestones"], "it is { steps = { at = [30, 60], factor = 0.1 } }"),
        (
            &["cosineannealingwarmrestarts", "sgdr"],
            "it is { cosine-restarts = { period = 10, growth = 2 } }",
        ),
        (&["polynomiallr", "polynomial", "polylr"], "it is { poly = { power = 0.9 } }"),
        (&["bcewithlogitsloss", "binarycrossentropy"], "it is \"bce\""),
        (&["focalloss"], "it is { focal = 2 }"),
        (
            &["ema", "modelema", "swa", "averagedmodel", "weightaveraging"],
            "it is train.average, as { ema = 0.999 } or { swa = { from-epoch = 8 } }",
        ),
        (&["lookahead"], "it is train.look-ahead, as { steps = 5, rate = 0.5 }"),
        (&["reducelronplateau"], "it is { plateau = { patience = 3, factor = 0.1 } }"),
        (
            &["cosineannealing", "cosineannealinglr", "cosinedecay"],
            "it is \"cosine\", or { cosine = { warmup = 1 } }",
        ),
        (&["onecyclelr", "onecycle"], "it is \"one-cycle\""),
        (&["exponentiallr", "exponentialdecay"], "it is { exponential = { factor = 0.9 } }"),
        (&["mnist"], "MNIST's files are { idx = \"folder\" }"),
        (&["imagefolder", "imagenet"], "one folder of images per class is { folder = \"path\" }"),
        (&["cifar"], "it is { cifar10 = \"folder\" } or { cifar100 = \"folder\" }"),
    ],
    // Of networks.
    &[
        (&["conv2d", "convolution", "convolution2d"], "it is { conv = 32, kernel = 3 }"),
        (&["linear", "fc", "fullyconnected"], "it is { dense = 120 }"),
        (&["maxpool2d", "maxpooling2d", "maxpooling"], "it is { max-pool = 2 }"),
        (&["avgpool2d", "averagepooling2d", "averagepooling"], "it is { avg-pool = 2 }"),
        (
            &["globalaveragepooling2d", "adaptiveavgpool2d", "globalavgpool"],
            "it is { adaptive-avg-pool = 1 }",
        ),
        (
            &["batchnorm2d", "batchnormalization", "bn"],
            "it is \"batch-norm\", or norm = \"batch\" of the layer before",
        ),
        (&["dropout2d", "spatialdropout2d"], "it is { dropout = { channels = 0.2 } }"),
        (&["depthwiseconv2d"], "it is { conv = \"channels\", kernel = 3, groups = \"channels\" }"),
        (&["separableconv2d"], "it is { separable-conv = 32, kernel = 3 }"),
        (
            &["input", "inputlayer"],
            "the input size is data.image; model.layers need no input layer",
        ),
        (&["sequential"], "model.layers is the sequence"),
        (&["kernelsize", "filtersize"], "it is kernel"),
        (
            &["outchannels", "filters"],
            "the number of filters is the layer's main argument: { conv = 32, kernel = 3 }",
        ),
        (&["inchannels", "infeatures"], "the input size is known from the layer before"),
        (
            &["units", "outfeatures", "neurons"],
            "the number of neurons is the layer's main argument: { dense = 120 }",
        ),
        (&["poolsize"], "the window is the layer's main argument: { max-pool = 2 }"),
        (&["usebias"], "it is bias"),
        (&["kernelinitializer", "initializer"], "it is init"),
        (&["glorotuniform", "xavieruniform"], "it is \"xavier-uniform\""),
        (&["glorotnormal"], "it is \"xavier-normal\""),
        (&["henormal", "hekaiming"], "it is \"kaiming-normal\""),
        (&["heuniform"], "it is \"kaiming-uniform\""),
    ],
];

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str, word: &str) -> Option<String> {
        let parts = KeyPath::split(path);
        let path = parts.iter().fold(KeyPath::root(), |path, part| path.key(part));
        explanation(&path, word)
    }

    #[test]
    fn words_of_other_tools_are_known_in_every_spelling() {
        for word in ["batch_size", "batch-size", "BATCH_SIZE", "batchSize"] {
            assert_eq!(at("train.batch_size", word).unwrap(), "it is data.batch-size");
        }
        assert!(at("model.layers.activation", "softmax").unwrap().contains("gives logits"));
        assert!(at("train.loss", "loss").unwrap().contains("cross-entropy"));
        assert!(at("train.lr", "lr").unwrap().contains("{ adam = { lr"));
        // In an optimiser that has none, it is no help to send to an optimiser.
        assert_eq!(at("train.optimizer.adam.momentum", "momentum"), None);
        assert_eq!(at("train.spede", "spede"), None);
    }

    #[test]
    fn a_path_that_stands_for_a_source_is_put_into_its_table() {
        let found = |word| at("data.source", word).unwrap();
        assert!(found("data/signs").ends_with("{ folder = \"data/signs\" }"));
        assert!(found("signs.csv").ends_with("{ csv = \"signs.csv\" }"));
        assert!(found("train-*.parquet").ends_with("{ parquet = \"train-*.parquet\" }"));
        assert!(found("mnist").contains("{ idx = "));
        assert_eq!(at("data.source", "digit"), None);
    }

    #[test]
    fn options_that_there_are_not_say_what_there_is() {
        assert!(option("epochs").unwrap().ends_with("--set train.epochs=10"));
        assert!(option("resume").unwrap().contains("resumes by itself"));
        assert_eq!(option("quietly"), None);
    }
}
