//! Predictions for folders of images, networks for other programs, and what is wrong with either.

use std::fmt::Write;
use std::fs;

use candle_core::Device;
use candlewick::train::card::Card;
use candlewick::train::checkpoint::Checkpoint;
use image::{Rgb, RgbImage};

use super::bench::Bench;
use super::trained::SIGNS;

/// A folder with a trained network in `model.safetensors` and no images but those it learnt from.
fn trained() -> Bench {
    let bench = Bench::new(SIGNS);
    bench.images("train", &["left", "middle", "right"], 8);
    bench.done(&["run", "experiment.toml", "--set", "train.epochs=1"]);
    let best = bench.trial("signs").join("best.safetensors");
    fs::copy(best, bench.path().join("model.safetensors")).unwrap();
    bench
}

/// The rows of a table, the header first.
fn rows(bench: &Bench, name: &str) -> Vec<Vec<String>> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).from_path(bench.path().join(name)).unwrap();
    let rows = reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect());
    rows.collect()
}

#[test]
fn folders_are_searched_to_the_bottom_and_predictions_are_a_table() {
    let bench = trained();
    bench.write("signs/notes.txt", "no image");
    fs::copy(bench.path().join("signs/train/left/000.png"), bench.path().join("signs/.hidden.png"))
        .unwrap();
    let text = bench.done(&[
        "predict",
        "--model",
        "model.safetensors",
        "signs",
        "--csv",
        "out.csv",
        "--logits",
        "logits.csv",
        "--top",
        "2",
    ]);
    assert_eq!(text, "out.csv: predictions for 24 images\n");
    let (table, logits) = (rows(&bench, "out.csv"), rows(&bench, "logits.csv"));
    assert_eq!(table[0].join(","), "image,predicted,probability,predicted_2,probability_2");
    // In order of paths, without hidden files and texts.
    let mut paths: Vec<&str> = table[1..].iter().map(|row| row[0].as_str()).collect();
    assert_eq!(
        (paths.len(), paths[0], paths[23]),
        (24, "signs/train/left/000.png", "signs/train/right/007.png")
    );
    assert!(paths.is_sorted());
    assert!(logits[1..].iter().map(|row| row[0].as_str()).eq(paths.drain(..)));
    for (row, logits) in table[1..].iter().zip(&logits[1..]) {
        let numbers: Vec<f64> = logits[1..].iter().map(|cell| cell.parse().unwrap()).collect();
        let total: f64 = numbers.iter().map(|logit| libm::exp(*logit)).sum();
        let of = |class: &str| {
            let place = ["left", "middle", "right"].iter().position(|name| *name == class).unwrap();
            libm::exp(numbers[place]) / total
        };
        let probability = |column: usize| row[column].parse::<f64>().unwrap();
        assert!((of(&row[1]) - probability(2)).abs() < 1e-6, "{row:?}");
        assert!((of(&row[3]) - probability(4)).abs() < 1e-6, "{row:?}");
        assert!(probability(2) >= probability(4));
    }
    // An image alone gives what it gave among others, and is shown.
    let text = bench.done(&["predict", "--model", "model.safetensors", &table[5][0], "--top", "1"]);
    let shown =
        format!("  {:6.2} %  {}\n", 100.0 * table[5][2].parse::<f64>().unwrap(), table[5][1]);
    assert_eq!(text, format!("{}\n{shown}", table[5][0]));
}

#[test]
fn more_classes_than_there_are_is_all_of_them_and_a_batch_is_not_seen_in_the_numbers() {
    let bench = trained();
    let folder = bench.path().join("many");
    fs::create_dir(&folder).unwrap();
    for number in 0..40 {
        let image =
            RgbImage::from_fn(12, 12, |x, y| Rgb([number * 6, (x * 20) as u8, (y * 20) as u8]));
        image.save(folder.join(format!("{number:02}.png"))).unwrap();
    }
    bench.done(&[
        "predict",
        "--model",
        "model.safetensors",
        "many",
        "--csv",
        "all.csv",
        "--top",
        "99",
    ]);
    bench.done(&[
        "predict",
        "--model",
        "model.safetensors",
        "many/39.png",
        "--csv",
        "one.csv",
        "--top",
        "99",
    ]);
    let (all, one) = (rows(&bench, "all.csv"), rows(&bench, "one.csv"));
    assert_eq!((all.len(), all[0].len()), (41, 7));
    assert_eq!(all[40], one[1]);
}

#[test]
fn bad_images_are_told_and_counted_and_the_others_are_predicted() {
    let bench = trained();
    fs::create_dir(bench.path().join("mixed")).unwrap();
    let good = fs::read(bench.path().join("signs/train/left/000.png")).unwrap();
    fs::write(bench.path().join("mixed/a.png"), &good).unwrap();
    fs::write(bench.path().join("mixed/b.png"), &good[..good.len() / 2]).unwrap();
    bench.write("mixed/c.png", "text");
    bench.write("mixed/d.tif", "another format");
    fs::write(bench.path().join("mixed/e.png"), &good).unwrap();
    let output =
        bench.wick(&["predict", "--model", "model.safetensors", "mixed", "--csv", "out.csv"]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(String::from_utf8_lossy(&output.stderr), @r"
    error: mixed/b.png: a PNG file that ends too early
    error: mixed/c.png: text, not an image; PNG, JPEG, BMP, GIF, WebP, PNM and TIFF are read
    error: mixed/d.tif: text, not an image; PNG, JPEG, BMP, GIF, WebP, PNM and TIFF are read
    3 of 5 images could not be read
    ");
    let table = rows(&bench, "out.csv");
    assert_eq!(
        table.iter().map(|row| row[0].as_str()).collect::<Vec<_>>(),
        ["image", "mixed/a.png", "mixed/e.png"]
    );
}

#[test]
fn an_exported_network_is_a_file_here_and_weights_are_a_checkpoint() {
    let bench = trained();
    let said = bench.done(&[
        "export",
        "--model",
        "model.safetensors",
        "--to",
        "onnx",
        "--fold-batch-norm",
        "--input",
        "bytes",
        "--softmax",
    ]);
    insta::assert_snapshot!(said, @"model.onnx: opset 18, 12 nodes, images N×12×12×3 (u8) → probabilities N×3");
    assert!(bench.path().join("model.onnx").is_file());
    let said = bench.done(&["export", "--model", "model.safetensors", "--to", "safetensors"]);
    insta::assert_snapshot!(said, @"model.weights.safetensors: 414 parameters in 7 tensors");
    let logits = |model: &str| {
        bench.done(&[
            "predict",
            "--model",
            model,
            "signs",
            "--csv",
            "out.csv",
            "--logits",
            "logits.csv",
        ]);
        rows(&bench, "logits.csv")
    };
    assert_eq!(logits("model.safetensors"), logits("model.weights.safetensors"));
    // What anybody reads who knows the format, without momenta and counters.
    let tensors = candle_core::safetensors::load(
        bench.path().join("model.weights.safetensors"),
        &Device::Cpu,
    )
    .unwrap();
    let mut names: Vec<&String> = tensors.keys().collect();
    names.sort();
    insta::assert_snapshot!(names.iter().map(|name| format!("{name}\n")).collect::<String>(), @r"
    dense1.bias
    dense1.weight
    residual1.conv1.norm.bias
    residual1.conv1.norm.running_mean
    residual1.conv1.norm.running_var
    residual1.conv1.norm.weight
    residual1.conv1.weight
    ");
}

#[test]
fn a_preset_starts_with_the_weights_of_its_seed_and_comes_back_as_weights() {
    let bench = trained();
    let size = ["--preset", "plain", "--image-size", "12"];
    let out = |seed: &str, out: &str| {
        let export = ["export", "--seed", seed, "--to", "safetensors", "--out", out];
        bench.done(&[&export[..], &size].concat());
        fs::read(bench.path().join(out)).unwrap()
    };
    assert_eq!(out("1", "a.safetensors"), out("1", "b.safetensors"));
    let tensors = |bytes: &[u8]| Checkpoint::from_bytes(bytes).unwrap().tensors;
    assert_ne!(tensors(&out("1", "a.safetensors")), tensors(&out("2", "b.safetensors")));
    let predict = |network: &[&str]| {
        let rest = ["signs/train/left/000.png", "--logits", "logits.csv"];
        bench.done(&[&["predict"], network, &rest].concat());
        rows(&bench, "logits.csv")
    };
    let as_weights = predict(&[&size[..], &["--weights", "a.safetensors"]].concat());
    assert_eq!(as_weights, predict(&["--model", "a.safetensors"]));
}

/// The network of [`trained`] alone, for weights from elsewhere.
const OWN: &str = r#"
name = "own"
[data]
image = { size = [12, 12], channels = 3 }
[model]
defaults = { norm = "batch" }
layers = [
  { residual = [{ conv = 3, kernel = 3, padding = 1, activation = "none" }], name = "body" },
  { max-pool = 2 },
  "flatten",
  { dense = 3 },
]
"#;

#[test]
fn a_network_of_ones_own_takes_weights_from_elsewhere() {
    let bench = trained();
    bench.done(&[
        "export",
        "--model",
        "model.safetensors",
        "--to",
        "safetensors",
        "--out",
        "w.safetensors",
    ]);
    let bytes = fs::read(bench.path().join("model.safetensors")).unwrap();
    let card = Card::of(&Checkpoint::from_bytes(&bytes).unwrap()).unwrap();
    bench.write("net.toml", OWN);
    bench.write("names.txt", "left\nmiddle\nright\n");
    let moments = format!("data.normalise={{ mean = {:?}, std = {:?} }}", card.mean, card.std);
    let own: &[&str] = &["--experiment", "net.toml", "--weights", "w.safetensors"];
    let renamed: &[&str] = &["--rename", "residual1.*=body.*"];
    let named: &[&str] = &["--classes", "names.txt", "--set", &moments];
    let image: &[&str] = &["signs/train/left/000.png", "--logits", "logits.csv"];
    let logits = |network: &[&[&str]]| {
        bench.done(&[&[&["predict"][..]], network, &[image]].concat().concat());
        rows(&bench, "logits.csv")
    };
    let expected = logits(&[&["--model", "model.safetensors"]]);
    assert_eq!(logits(&[own, renamed, named]), expected);
    // What it is trained on says as much as names and numbers.
    let data = ["--set", "data.source={ folder = \"signs\" }", "--set", "data.validation=0.2"];
    assert_eq!(logits(&[own, renamed, &data]), expected);
    let evaluated = |network: &[&[&str]]| {
        let rest: &[&str] = &["--data", "{ folder = \"signs\" }", "--part", "all"];
        bench.done(&[&[&["evaluate"][..]], network, &[rest]].concat().concat())
    };
    // A checkpoint knows which images it has learnt from, and says so in the first line.
    let scores = |network: &[&[&str]]| evaluated(network).split_once('\n').unwrap().1.to_owned();
    // And by which k it was trained.
    let expected = scores(&[&["--model", "model.safetensors"]]);
    assert_eq!(expected.matches("  top-2 100.00 %").count(), 1);
    assert_eq!(scores(&[own, renamed, named]), expected.replace("  top-2 100.00 %", ""));
    let to: &[&str] = &["--to", "safetensors", "--out", "x.safetensors"];
    let said = bench.done(&[&["export"], own, renamed, named, to].concat());
    assert!(said.contains("414 parameters"), "{said}");
    let wrong = |rest: &[&[&str]]| {
        let output = bench.wick(&[&[&["predict"][..]], rest, &[image]].concat().concat());
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = wrong(&[own, named]);
    assert!(said.contains("2 of 7 parameters of the network are in the file"), "{said}");
    let said = wrong(&[own, renamed, &["--set", &moments]]);
    assert!(said.contains("name them with --classes FILE"), "{said}");
    let said = wrong(&[own, renamed, &["--classes", "names.txt"]]);
    assert!(said.contains("set the normalisation that the weights were trained with"), "{said}");
    bench.write("two.txt", "left\nright\n");
    let said = wrong(&[own, renamed, &["--classes", "two.txt", "--set", &moments]]);
    assert!(said.contains("gives 3 logits, but the data has 2 classes"), "{said}");
    let said = wrong(&[own, renamed, named, &["--set", "train.epochs=3"]]);
    assert!(said.contains("--set train.epochs=3 has no effect here"), "{said}");
    let said = wrong(&[&["--experiment", "net.toml"]]);
    assert!(said.contains("needs its weights: --weights FILE"), "{said}");
    let said = wrong(&[own, renamed, named, &["--state-dict", "ema"]]);
    assert!(said.contains("has one set of tensors and no `ema`"), "{said}");
}

#[test]
fn what_cannot_be_predicted_or_exported_says_why_and_what_to_do() {
    let bench = trained();
    fs::create_dir_all(bench.path().join("empty/deeper")).unwrap();
    bench.write("empty/deeper/notes.txt", "no image");
    bench.write("text.png", "not an image");
    bench.write("text.safetensors", "not a checkpoint, but long enough to be one");
    let model = ["--model", "model.safetensors"];
    let to_onnx = ["--to", "onnx"];
    let cases: [&[&str]; 11] = [
        &["predict", model[0], model[1], "empty"],
        &["predict", model[0], model[1], "nowhere.png"],
        &["predict", model[0], model[1], "text.png"],
        &[
            "predict",
            model[0],
            model[1],
            "text.png",
            "signs/train/left/000.png",
            "--csv",
            "out.csv",
        ],
        &["predict", model[0], "text.safetensors", "text.png"],
        &["predict", "--preset", "plain", "text.png"],
        &["export", model[0], "text.safetensors", to_onnx[0], to_onnx[1]],
        &["export", model[0], model[1], "--to", "tensorflow"],
        &["export", model[0], model[1], "--to", "safetensors", "--softmax"],
        &["export", model[0], model[1], "--to", "safetensors", "--out", "model.safetensors"],
        &["export", "--preset", "plain", to_onnx[0], to_onnx[1]],
    ];
    let mut said = String::new();
    for arguments in cases {
        let output = bench.wick(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        writeln!(
            said,
            "$ wick {}\n{errors}exit {}\n",
            arguments.join(" "),
            output.status.code().unwrap()
        )
        .unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
    }
    insta::assert_snapshot!(said);
    // A trained network has its weights.
    let output = bench.wick(&["export", model[0], model[1], "--seed", "1", "--to", "onnx"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot be used with '--seed <N>'"));
    // A table that cannot be written is the environment's trouble, and told before the work.
    let output =
        bench.wick(&["predict", model[0], model[1], "text.png", "--csv", "nowhere/out.csv"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("failed to write nowhere/out.csv"));
}

#[cfg(unix)]
#[test]
fn what_a_name_would_have_a_terminal_do_is_shown_and_tables_have_names_as_they_are() {
    let bench = Bench::new(SIGNS);
    let (clear, red, formula) = ("cl\u{1b}[2Jear", "red\u{1b}[31m\u{202e}", "=1+1");
    bench.images("train", &[clear, red, formula], 8);
    let run = bench.wick(&["run", "experiment.toml", "--set", "train.epochs=1"]);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    let model = ["--model", "results/signs"];
    let image = format!("signs/train/{clear}/000.png");
    fs::write(bench.path().join("a\u{1b}]0;title\u{7}.png"), "no image").unwrap();
    let said = [
        bench.wick(&[&["predict"][..], &model, &[&image, "a\u{1b}]0;title\u{7}.png"]].concat()),
        bench.wick(&[&["evaluate"][..], &model].concat()),
        bench.wick(&["check", "experiment.toml", "--set", "name=a\u{1b}[1mb"]),
        bench.wick(&["check", "no\u{1b}[1mfile.toml"]),
        run,
    ];
    for output in &said {
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(!said.chars().any(|c| c.is_control() && c != '\n' || c == '\u{202e}'), "{said:?}");
    }
    let shown = text(&said[0].stdout);
    assert!(shown.contains("signs/train/cl\\u{1b}[2Jear/000.png"), "{shown}");
    assert!(text(&said[0].stderr).contains("a\\u{1b}]0;title\\u{7}.png: text"), "{shown}");
    // Programs read tables: whatever a name is, it leads back to its file and its class.
    bench.done(&[&["predict"][..], &model, &["signs", "--csv", "out.csv", "--top", "3"]].concat());
    let table = rows(&bench, "out.csv");
    assert!(table.iter().any(|row| row[0] == image), "{table:?}");
    assert!(
        table[1..]
            .iter()
            .all(|row| row.contains(&clear.to_owned()) && row.contains(&formula.to_owned()))
    );
}
