//! Images with several labels: from a table to a tested network and what is said of new images.

use std::fs;
use std::path::{Path, PathBuf};

use candlewick::data::{load, split, survey};
use candlewick::plan::data::{Columns, DataPlan, Fold, Source, Subset, Task, TestSet};
use image::{Rgb, RgbImage};

use super::bench::Bench;
use super::data_sources::plan;

const LABELS: [&str; 3] = ["blue", "green", "red"];

const SPOTS: &str = r#"
name = "spots"

[data]
source = { csv = "spots.csv" }
task = "multi-label"
image = { size = [12, 12], channels = 3 }
validation = 0.2
batch-size = 8

[model]
layers = [
  { conv = 6, kernel = 3, padding = 1 },
  { max-pool = 2 },
  "flatten",
  { dense = "classes" },
]

[train]
epochs = 3
optimizer = { adam = { lr = 1e-2 } }
top-k = 1
"#;

/// The labels of image `index`: every combination comes, none among them.
fn labels_of(index: usize) -> Vec<&'static str> {
    (0..3).filter(|label| index >> label & 1 == 1).map(|label| LABELS[label]).collect()
}

/// An image with a spot for each label, and another shade of grey around them.
fn spots(index: usize) -> RgbImage {
    let labels = labels_of(index);
    RgbImage::from_fn(12, 12, |x, y| {
        let grey = 60 + ((index * 37 + (x * 5 + y * 3) as usize) % 40) as u8;
        let has = |label: &str| labels.contains(&label);
        match (x / 4, y / 4) {
            (0, 0) if has("blue") => Rgb([0, 0, 250]),
            (2, 1) if has("green") => Rgb([0, 250, 0]),
            (1, 2) if has("red") => Rgb([250, 0, 0]),
            _ => Rgb([grey; 3]),
        }
    })
}

/// A folder with 64 images, every fourth for testing, and a table of them.
fn bench() -> Bench {
    let bench = Bench::new(SPOTS);
    let mut table = "path,labels,split\n".to_owned();
    for index in 0..64 {
        let name = format!("{index:02}.png");
        spots(index).save(bench.path().join(&name)).unwrap();
        let part = if index / 8 % 4 == 3 { "test" } else { "" };
        table.push_str(&format!("{name},{},{part}\n", labels_of(index).join("|")));
    }
    bench.write("spots.csv", &table);
    bench
}

fn trial(bench: &Bench, results: &str) -> PathBuf {
    let trials = fs::read_dir(bench.path().join(results).join("spots/trials")).unwrap();
    trials.map(|entry| entry.unwrap().path()).find(|path| path.is_dir()).unwrap()
}

/// The rows of a table behind its header.
fn rows(path: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let rows = reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect());
    rows.collect()
}

fn cell(path: &Path, column: &str) -> f64 {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let place = reader.headers().unwrap().iter().position(|name| name == column).unwrap();
    reader.records().last().unwrap().unwrap()[place].parse().unwrap()
}

#[test]
fn several_labels_are_learnt_evaluated_predicted_and_reported() {
    let bench = bench();
    let said = bench.done(&["check", "experiment.toml"]);
    assert!(said.contains("an image may have several labels, or none"), "{said}");
    bench.done(&["run", "experiment.toml", "--quiet", "--set", "train.epochs=12"]);
    let trial = trial(&bench, "results");
    let table = bench.path().join("results/spots/trials.csv");
    // What is so easy is learnt.
    assert!(cell(&table, "test_f1") > 0.9, "{}", fs::read_to_string(&table).unwrap());
    // What is evaluated again is what the tables say, and so is the file of scores.
    let model = trial.join("best.safetensors");
    let model = model.to_str().unwrap();
    let said = bench.done(&[
        "evaluate",
        "--model",
        model,
        "--scores",
        "again.csv",
        "--confusion",
        "c.csv",
    ]);
    let [loss, accuracy] = ["test_loss", "test_accuracy"].map(|column| cell(&table, column));
    assert!(
        said.contains(&format!("loss {loss:.4}  accuracy {:.2} %", 100.0 * accuracy)),
        "{said}"
    );
    assert!(said.contains("average precision ") && said.contains("Hamming loss "), "{said}");
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    // Sums of batches of another size round otherwise.
    let again = rows(&bench.path().join("again.csv"));
    for (then, now) in rows(&trial.join("scores.csv")).iter().zip(&again) {
        assert_eq!(then[..2], now[..2]);
        let [first, second] = [then, now].map(|row| row[2].parse::<f64>().unwrap());
        assert!((first - second).abs() < 1e-9, "{then:?}, {now:?}");
    }
    assert_eq!(again.len(), 12);
    assert_eq!(read(&trial.join("confusion.csv")), read(&bench.path().join("c.csv")));
    // A row for each image, whose labels and predictions are those of the table of counts.
    let predictions = rows(&trial.join("predictions.csv"));
    assert_eq!(predictions.len(), 16);
    let mut right = 0;
    for row in &predictions {
        let index: usize = row[0][..2].parse().unwrap();
        assert_eq!((&row[1][..], row[2].as_str()), ("test", &labels_of(index).join("|")[..]));
        let likely = LABELS.iter().zip(&row[4..]).filter(|(_, p)| p.parse::<f32>().unwrap() >= 0.5);
        let likely: Vec<&str> = likely.map(|(label, _)| *label).collect();
        assert_eq!(row[3], likely.join("|"));
        right += usize::from(row[2] == row[3]);
    }
    assert_eq!(right as f64 / 16.0, accuracy);
    for row in rows(&trial.join("confusion.csv")) {
        let label = LABELS.iter().position(|label| *label == row[0]).unwrap();
        let counts: Vec<usize> = row[1..].iter().map(|cell| cell.parse().unwrap()).collect();
        let has = |cell: &String| cell.split('|').any(|label| label == row[0]);
        let hits = predictions.iter().filter(|row| has(&row[2]) && has(&row[3])).count();
        assert_eq!((counts[0], counts.iter().sum::<usize>()), (hits, 16), "{label}");
    }
    // New images get their labels; whether one has a label is asked at the thresholds that the card keeps.
    let said = bench.done(&["predict", "--model", model, "07.png", "00.png"]);
    let order: Vec<&str> = said.lines().filter(|line| !line.contains('%')).collect();
    assert_eq!(order, ["07.png", "00.png", "  no label"], "{said}");
    let said = bench.done(&["predict", "--model", model, "00.png", "--threshold", "0"]);
    assert_eq!(said.lines().count(), 4, "{said}");
    bench.done(&["predict", "--model", model, "05.png", "--csv", "p.csv"]);
    assert_eq!(rows(&bench.path().join("p.csv"))[0][1], "blue|red");
    // The page has a row for each label, and the terminal the scores of several labels.
    let page = read(&bench.path().join("results/spots/report.html"));
    assert!(page.contains("false negatives") && page.contains("<td>green</td>"));
    let said = bench.done(&["report", "results/spots", "--format", "csv", "--table", "scores"]);
    assert!(said.contains("hamming_loss") && !said.contains("cohen_kappa"), "{said}");
    // The network for other programs says what its numbers are.
    bench.done(&["export", "--model", model, "--to", "onnx", "--out", "spots.onnx"]);
    let bytes = fs::read(bench.path().join("spots.onnx")).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("multi-label") && text.contains("thresholds"));
    for (arguments, words) in [
        (
            &["export", "--model", model, "--to", "onnx", "--softmax"][..],
            "the sigmoid of each logit",
        ),
        (&["predict", "--model", model, "00.png", "--top", "2"], "--threshold P"),
        (&["evaluate", "--model", model, "--data", "digits"], "gives one class to each image"),
    ] {
        let output = bench.wick(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    let said = bench.done(&["repro", "results/spots"]);
    assert!(said.contains("identical"), "{said}");
}

#[test]
fn a_trial_of_several_labels_that_was_left_goes_on_as_if_it_never_was() {
    let bench = bench();
    let sets = [
        "--set",
        "augment.train=[{ mixup = 0.4 }]",
        "--set",
        "train.class-weights=\"balanced\"",
        "--set",
        "train.label-smoothing=0.1",
        "--set",
        "run.checkpoint-every={ steps = 1 }",
    ];
    let run = |results: &str, epochs: &str| {
        let epochs = format!("train.epochs={epochs}");
        let all = ["run", "experiment.toml", "--quiet", "--results", results, "--set", &epochs];
        bench.done(&[&all[..], &sets].concat());
    };
    run("whole", "3");
    run("parts", "1");
    run("parts", "3");
    for name in ["metrics.csv", "trials.csv"] {
        let [whole, parts] = ["whole", "parts"]
            .map(|at| fs::read(bench.path().join(at).join("spots").join(name)).unwrap());
        assert_eq!(whole, parts, "{name}");
    }
    for name in ["best.safetensors", "last.safetensors", "predictions.csv", "scores.csv"] {
        let [whole, parts] =
            ["whole", "parts"].map(|at| fs::read(trial(&bench, at).join(name)).unwrap());
        assert_eq!(whole, parts, "{name}");
    }
}

#[test]
fn a_table_of_zeros_and_ones_is_the_same_data_as_one_of_labels() {
    let bench = bench();
    let mut hot = "path,red,green,blue,split\n".to_owned();
    let mut separated = "path,tags,split\n".to_owned();
    for index in 0..64 {
        let own = labels_of(index);
        let flag = |label: &str| usize::from(own.contains(&label));
        let part = if index / 8 % 4 == 3 { "test" } else { "" };
        let flags = format!("{},{},{}", flag("red"), flag("green"), flag("blue"));
        hot.push_str(&format!("{index:02}.png,{flags},{part}\n"));
        separated.push_str(&format!("{index:02}.png,{},{part}\n", own.join("; ")));
    }
    bench.write("hot.csv", &hot);
    bench.write("separated.csv", &separated);
    let of = |table: &str, columns: Columns| {
        let plan = plan(Source::Csv(bench.path().join(table)));
        let plan = DataPlan { task: Task::MultiLabel, columns, ..plan };
        load(&plan).unwrap().fingerprint().unwrap().to_owned()
    };
    let usual = of("spots.csv", Columns::default());
    assert_eq!(usual, of("hot.csv", Columns::default()));
    let named = LABELS.map(str::to_owned).to_vec();
    assert_eq!(usual, of("hot.csv", Columns { multi_hot: named, ..Columns::default() }));
    let separator = Some(";".to_owned());
    let labels = Some("tags".to_owned());
    assert_eq!(usual, of("separated.csv", Columns { labels, separator, ..Columns::default() }));
}

#[test]
fn tables_that_say_labels_wrongly_are_told_with_their_line() {
    let bench = bench();
    let multi_hot = |names: &[&str]| Columns {
        multi_hot: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Columns::default()
    };
    let usual = Columns::default;
    for (text, columns, words) in [
        (
            "path,cat,dog\n00.png,1,0\n01.png,2,1\n",
            multi_hot(&["cat", "dog"]),
            ":3: has `2` in the column cat",
        ),
        (
            "path,cat,dog\n00.png,1,\n01.png,0,1\n",
            multi_hot(&["cat", "dog"]),
            ":2: has `` in the column dog",
        ),
        (
            "path,cat,dog\n00.png,1,0\n01.png,0,1\n",
            multi_hot(&["cat", "cow"]),
            "has no column `cow`",
        ),
        ("path,labels\n00.png,cat;dog\n01.png,dog\n", usual(), "separator = \";\""),
        ("path,labels\n00.png,cat||dog\n01.png,dog\n", usual(), ":2: has the labels `cat||dog`"),
        ("path,labels\n00.png,cat\n00.png,dog\n", usual(), ":3: 00.png is also in line 2"),
        (
            "path,labels\n,cat\n00.png,dog\n",
            usual(),
            ":2: the path is empty; every row needs a path",
        ),
        ("path,author,dog\n00.png,me,1\n01.png,you,0\n", usual(), "multi-hot = [\"cat\", \"dog\"]"),
        ("path,cat,a|b\n00.png,1,0\n01.png,0,1\n", usual(), "has a label `a|b`"),
        ("path,cat,dog\n00.png,1,0\n01.png,1,0\n", usual(), "no training image of `dog`"),
    ] {
        bench.write("wrong.csv", text);
        let plan = plan(Source::Csv(bench.path().join("wrong.csv")));
        let plan = DataPlan { task: Task::MultiLabel, columns, ..plan };
        let said = survey(&plan).unwrap_err().to_string();
        assert!(said.contains(words), "{text}: {said}");
    }
}

#[test]
fn images_with_several_labels_are_split_by_all_of_them() {
    let bench = bench();
    let plan = plan(Source::Csv(bench.path().join("spots.csv")));
    let plan = DataPlan { task: Task::MultiLabel, validation: 0.25, ..plan };
    let dataset = load(&plan).unwrap();
    assert_eq!((dataset.classes(), dataset.labels()), (&LABELS.map(str::to_owned)[..], &[][..]));
    let with = |images: &[u32], label: u32| {
        images.iter().filter(|image| dataset.labels_of(**image).contains(&label)).count()
    };
    let whole = split(&dataset, &plan, 1).unwrap();
    // Each label has its part; the sum of what that comes to may be an image off.
    assert_eq!((whole.train.len() + whole.validation.len(), whole.test.len()), (48, 16));
    let near = |found: usize, wanted: usize| found.abs_diff(wanted) <= 1;
    assert!(near(whole.validation.len(), 12), "{}", whole.validation.len());
    let labels = [0, 1, 2].map(|label| with(&whole.validation, label));
    assert!(labels.iter().all(|found| near(*found, 6)), "{labels:?}");
    let mut all = Vec::new();
    for index in 0..3 {
        let plan = DataPlan { fold: Some(Fold { index, of: 3 }), ..plan.clone() };
        let fold = split(&dataset, &plan, 1).unwrap();
        let labels = [0, 1, 2].map(|label| with(&fold.validation, label));
        assert!(labels.iter().all(|found| near(*found, 8)), "{labels:?}");
        all.extend(fold.validation);
    }
    all.sort_unstable();
    let rest: Vec<u32> = [&whole.train[..], &whole.validation].concat();
    assert_eq!(all.len(), rest.len());
    let part = |part: f64| DataPlan { subset: Subset::Fraction(part), ..plan.clone() };
    let [half, tenth] = [0.5, 0.1].map(|it| split(&dataset, &part(it), 1).unwrap().train);
    assert!(
        near(half.len(), whole.train.len() / 2) && near(tenth.len(), 4),
        "{} {}",
        half.len(),
        tenth.len()
    );
    assert!(tenth.iter().all(|image| half.contains(image)));
    let drawn = DataPlan { test: TestSet::Part(0.25), ..plan.clone() };
    let text = fs::read_to_string(bench.path().join("spots.csv")).unwrap();
    bench.write("spots.csv", &text.replace(",test\n", ",\n"));
    let dataset = load(&drawn).unwrap();
    assert_eq!(split(&dataset, &drawn, 1).unwrap().test, split(&dataset, &drawn, 2).unwrap().test);
}
