//! Augmentation from end to end: the same pixels for everybody, computed once, seen, exported.

use std::collections::BTreeMap;
use std::fs;

use super::bench::Bench;

const CHAIN: &str = r#"
name = "augmented"
seed = 7

[data]
source = "digits"
image = { size = [8, 8], channels = 1 }
test = 0.2
batch-size = 100

[augment]
train = [
  { rotate = 20, p = 0.5 },
  { one-of = [{ blur = 3 }, { gauss-noise = 0.1, p = 1.0 }], p = 0.5 },
]

[model]
layers = [{ conv = 4, kernel = 3 }, "flatten", { dense = "classes" }]

[train]
epochs = 2
optimizer = { sgd = { lr = 0.05, momentum = 0.9 } }

[sweep.grid]
"train.optimizer.sgd.lr" = [0.02, 0.05, 0.1]
"#;

impl Bench {
    pub(super) fn run(&self, results: &str, arguments: &[&str]) {
        let mut all = vec!["run", "experiment.toml", "--results", results];
        all.extend_from_slice(arguments);
        self.done(&all);
    }

    /// The only experiment's table of this name.
    pub(super) fn table(&self, results: &str, name: &str) -> String {
        let mut folders = fs::read_dir(self.path().join(results)).unwrap();
        fs::read_to_string(folders.next().unwrap().unwrap().path().join(name)).unwrap()
    }

    /// The sum of a column of timings.csv.
    fn sum(&self, results: &str, column: &str) -> f64 {
        let text = self.table(results, "timings.csv");
        let mut table = csv::Reader::from_reader(text.as_bytes());
        let rows = table.deserialize::<BTreeMap<String, String>>();
        rows.map(|row| row.unwrap()[column].parse::<f64>().unwrap()).sum()
    }
}

#[test]
fn augmented_results_are_the_same_for_any_number_of_workers_and_threads() {
    let bench = Bench::new(CHAIN);
    bench.run("one", &["--workers", "1", "--threads", "1"]);
    bench.run("three", &["--workers", "3", "--threads", "2"]);
    for name in ["trials.csv", "metrics.csv"] {
        assert_eq!(bench.table("one", name), bench.table("three", name), "{name}");
    }
    bench.run("none", &["--set", "augment.train=none"]);
    assert_ne!(bench.table("one", "metrics.csv"), bench.table("none", "metrics.csv"));
}

#[test]
fn trials_with_one_chain_and_seed_augment_every_image_once_between_them() {
    let bench = Bench::new(CHAIN);
    bench.run("shared", &["--workers", "2"]);
    bench.run("alone", &["--workers", "2", "--augment-memory", "0"]);
    // 1,797 digits, less a fifth for testing and a tenth of the rest for validation.
    let once = bench.sum("shared", "augmented");
    assert!((2.0 * 1280.0..2.0 * 1310.0).contains(&once), "{once}");
    assert_eq!(bench.sum("shared", "shared"), 2.0 * once);
    assert_eq!(bench.sum("alone", "augmented"), 3.0 * once);
    assert_eq!(bench.sum("alone", "shared"), 0.0);
    assert_eq!(bench.table("shared", "metrics.csv"), bench.table("alone", "metrics.csv"));
}

#[test]
fn trials_that_wait_at_a_rung_still_share_what_they_see_behind_it() {
    let bench = Bench::new(CHAIN);
    bench.run("all", &["--workers", "1"]);
    let prune = "sweep.prune={ successive-halving = { first = 1, factor = 2 } }";
    bench.run("pruned", &["--workers", "1", "--set", prune]);
    assert!(bench.table("pruned", "trials.csv").contains(",pruned,"));
    assert_eq!(bench.sum("pruned", "augmented"), bench.sum("all", "augmented"));
}

#[test]
fn little_memory_for_shared_images_changes_no_result() {
    let bench = Bench::new(&CHAIN.replace("size = [8, 8]", "size = [40, 40]"));
    bench.run("much", &[]);
    // One epoch is 2 MB.
    bench.run("little", &["--augment-memory", "1"]);
    assert_eq!(bench.table("much", "metrics.csv"), bench.table("little", "metrics.csv"));
    assert!(bench.sum("little", "augmented") > bench.sum("much", "augmented"));
}

#[test]
fn a_trial_that_is_trained_for_longer_sees_what_it_would_have_seen_at_once() {
    let bench = Bench::new(CHAIN);
    bench.run("twice", &["--set", "train.epochs=1"]);
    bench.run("twice", &[]);
    bench.run("once", &[]);
    assert_eq!(bench.table("twice", "metrics.csv"), bench.table("once", "metrics.csv"));
}

#[test]
fn mixed_batches_train_and_repeat() {
    let chain = r#"train = [{ one-of = [{ mixup = 0.4 }, { cutmix = 1.0 }], p = 0.8 }]"#;
    let start = CHAIN.find("train = [").unwrap();
    let end = CHAIN.find("[model]").unwrap();
    let mixed = format!("{}{chain}\n\n{}", &CHAIN[..start], &CHAIN[end..]);
    let bench = Bench::new(&mixed);
    bench.run("one", &["--workers", "1"]);
    bench.run("two", &["--workers", "2", "--threads", "2"]);
    assert_eq!(bench.table("one", "metrics.csv"), bench.table("two", "metrics.csv"));
    let trials = bench.table("one", "trials.csv");
    assert_eq!(trials.matches("completed").count(), 3, "{trials}");
}

/// Bright images with a dark left half, across and upright, in two classes.
pub(super) fn shapes(bench: &Bench) {
    for (class, shade) in [("bright", 250), ("dim", 90)] {
        let folder = bench.path().join("shapes").join(class);
        fs::create_dir_all(&folder).unwrap();
        for number in 0..10u32 {
            let (width, height) = if number % 2 == 0 { (80, 20) } else { (30, 60) };
            let image = image::RgbImage::from_fn(width, height, |x, y| {
                let left = if x < width / 2 { 30 } else { shade };
                image::Rgb([left, left, (number * 7 + y) as u8 | 1])
            });
            image.save(folder.join(format!("{number}.png"))).unwrap();
        }
    }
}

pub(super) const SHAPES: &str = r#"
name = "shapes"
[data]
source = { folder = "shapes" }
image = { size = [16, 16], channels = 3 }
test = 0.3
validation = 0.2
batch-size = 4
[augment]
train = [{ longest-max-size = 16 }, { pad-if-needed = 16 }, { horizontal-flip = true, p = 0.5 }]
[model]
layers = [{ conv = 4, kernel = 3 }, "flatten", { dense = "classes" }]
[train]
epochs = 2
"#;

#[test]
fn a_letterbox_keeps_the_shape_of_images() {
    let bench = Bench::new(SHAPES);
    shapes(&bench);
    let chain = r#"augment.train=[{ longest-max-size = 16 }, { pad-if-needed = 16 }]"#;
    bench.done(&["augment", "experiment.toml", "--export", "out", "--set", chain]);
    let mut seen = [0, 0];
    for class in ["bright", "dim"] {
        for entry in fs::read_dir(bench.path().join("out").join(class)).unwrap() {
            let image = image::open(entry.unwrap().path()).unwrap().into_rgb8();
            assert_eq!(image.dimensions(), (16, 16));
            // Padding is black, and images have blue everywhere.
            let is_image = |x: u32, y: u32| image.get_pixel(x, y)[2] > 0;
            let across = (0..16).filter(|x| is_image(*x, 8)).count();
            let upright = (0..16).filter(|y| is_image(8, *y)).count();
            match (upright, across) {
                (4, 16) => seen[0] += 1,
                (16, 8) => seen[1] += 1,
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
}

#[test]
fn images_in_their_own_sizes_train_predict_and_repeat() {
    let bench = Bench::new(SHAPES);
    shapes(&bench);
    let chains = r#"sweep.grid."augment.train"=["none", "letterbox", "crops", "windows"]"#;
    let named = r#"augment.chains={ letterbox = [{ longest-max-size = 16 }, { pad-if-needed = 16 }, "horizontal-flip"], crops = [{ random-resized-crop = [16, 16] }], windows = [{ smallest-max-size = 20 }, { random-crop = 16 }] }"#;
    let sets = ["--set", named, "--set", chains];
    bench.done(&[&["run", "experiment.toml"][..], &sets].concat());
    let said = bench.done(&["repro", "results/shapes"]);
    assert_eq!(said.matches("identical: 2 epochs").count(), 4, "{said}");
    let table = fs::read_to_string(bench.path().join("results/shapes/trials.csv")).unwrap();
    let mut rows = csv::Reader::from_reader(table.as_bytes());
    let mut losses = Vec::new();
    for row in rows.deserialize::<BTreeMap<String, String>>() {
        let row = row.unwrap();
        losses.push(row["test_loss"].clone());
        let trial = bench.path().join("results/shapes/trials").join(&row["digest"]);
        let model = trial.join("best.safetensors");
        // A file alone gives what the trial found in testing.
        let mut predictions = csv::Reader::from_path(trial.join("predictions.csv")).unwrap();
        for found in predictions.deserialize::<BTreeMap<String, String>>() {
            let found = found.unwrap();
            let image = format!("shapes/{}", found["image"]);
            let model = model.to_str().unwrap();
            let said = bench.done(&["predict", "--model", model, &image, "--top", "1"]);
            let probability: f64 = found["probability"].parse().unwrap();
            let expected = format!("{:6.2} %  {}", 100.0 * probability, found["predicted"]);
            assert!(said.contains(&expected), "{expected}: {said}");
        }
        let data = "{ folder = \"shapes\" }";
        let all = ["evaluate", "--model", model.to_str().unwrap(), "--data", data, "--part", "all"];
        assert!(bench.done(&all).starts_with("20 images"));
    }
    losses.dedup();
    assert_eq!(losses.len(), 4, "each chain sees other pixels: {losses:?}");
    // An image that no step fits is told by name, and stops nothing but its trial.
    image::RgbImage::from_pixel(9, 9, image::Rgb([1, 2, 3]))
        .save(bench.path().join("shapes/dim/small.png"))
        .unwrap();
    let train = "augment.train=[{ random-crop = 16 }]";
    let output = bench.wick(&["augment", "experiment.toml", "--export", "small", "--set", train]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("dim/small.png") && said.contains("9×9 pixels do not fit"), "{said}");
}

/// A chain that changes the size, with a further view of test images.
const CROPPED: &str = r#"
name = "cropped"
[data]
source = "digits"
image = { size = [10, 10], channels = 1 }
test = 0.2
[augment]
train = [{ random-crop = 8 }, { invert = true, p = 0.5 }]
test-time = ["inverted"]
[augment.chains]
inverted = ["invert"]
[model]
layers = [{ conv = 4, kernel = 3 }, "flatten", { dense = "classes" }]
[train]
epochs = 2
"#;

#[test]
fn checkpoints_know_how_test_images_are_seen() {
    let bench = Bench::new(CROPPED);
    bench.run("results", &[]);
    let trials = bench.table("results", "trials.csv");
    let mut table = csv::Reader::from_reader(trials.as_bytes());
    let row: BTreeMap<String, String> = table.deserialize().next().unwrap().unwrap();
    let folder = bench.path().join("results/cropped/trials").join(&row["digest"]);
    let predictions = fs::read_to_string(folder.join("predictions.csv")).unwrap();
    assert_eq!(predictions.matches(",test,").count(), 359);
    let model = folder.join("best.safetensors");
    let evaluate = |more: &[&str]| {
        let mut arguments =
            vec!["evaluate", "--model", model.to_str().unwrap(), "--data", "digits"];
        arguments.extend_from_slice(more);
        bench.done(&arguments)
    };
    let as_tested = evaluate(&[]);
    assert_eq!(as_tested, evaluate(&["--test-time", "[[\"invert\"]]"]));
    let plain = evaluate(&["--test-time", "[]"]);
    assert_ne!(as_tested, plain);
    assert_eq!(
        plain,
        evaluate(&[
            "--test-time",
            "[[{ sometimes = [{ invert = true, p = 1 }, { invert = true, p = 1 }] }]]"
        ])
    );
    let wrong = bench.wick(&[
        "evaluate",
        "--model",
        model.to_str().unwrap(),
        "--data",
        "digits",
        "--test-time",
        "[[\"inwert\"]]",
    ]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("did you mean \"invert\"?"));
}

/// Photos with a box each, the boxed part red.
fn boxed() -> Bench {
    let bench = Bench::new(
        r#"
name = "boxed"
[data]
source = { csv = "signs.csv" }
image = { size = [32, 32], channels = 3 }
validation = 0
[augment]
train = [{ horizontal-flip = true, p = 1 }]
[model]
layers = ["flatten", { dense = "classes" }]
[train]
epochs = 1
best = "train_loss"
"#,
    );
    let mut table = "path,label,x1,y1,x2,y2\n".to_owned();
    for index in 0..8u32 {
        let image = image::RgbImage::from_fn(64, 64, |x, y| {
            let inside = (8..24).contains(&x) && (16 + index..40).contains(&y);
            image::Rgb(if inside { [255, 0, 0] } else { [0, 90, 0] })
        });
        let name = format!("{index}.png");
        image.save(bench.path().join(&name)).unwrap();
        table.push_str(&format!("{name},{},8,{},24,40\n", index % 2, 16 + index));
    }
    fs::write(bench.path().join("signs.csv"), table).unwrap();
    bench
}

#[test]
fn exported_images_are_a_data_set_with_boxes_that_followed() {
    let bench = boxed();
    let said = bench.done(&["augment", "experiment.toml", "--export", "out", "--variants", "2"]);
    assert!(said.contains("16 images, 2 of each of 8"), "{said}");
    let table = fs::read_to_string(bench.path().join("out/images.csv")).unwrap();
    let mut rows = csv::Reader::from_reader(table.as_bytes());
    let mut seen = 0;
    for row in rows.deserialize::<BTreeMap<String, String>>() {
        let row = row.unwrap();
        let edge = |name: &str| row[name].parse::<f64>().unwrap();
        // 32 − 24 / 2 and 32 − 8 / 2.
        assert_eq!((edge("x1"), edge("x2"), edge("y2")), (20.0, 28.0, 20.0));
        let image = image::open(bench.path().join("out").join(&row["path"])).unwrap().into_rgb8();
        assert!(image.get_pixel(24, 18)[0] > 200 && image.get_pixel(8, 18)[0] < 50);
        seen += 1;
    }
    assert_eq!(seen, 16);
    // It can be trained on, and a folder with files in it is left alone.
    bench.run("results", &["--set", "data.source={ csv = \"out/images.csv\" }"]);
    let again = bench.wick(&["augment", "experiment.toml", "--export", "out"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stderr).contains("out is not empty"));
}

#[test]
fn a_contact_sheet_shows_what_training_sees() {
    let bench = boxed();
    let sheet = |arguments: &[&str]| {
        let mut all = vec!["augment", "experiment.toml", "--out", "sheet.png"];
        all.extend_from_slice(arguments);
        bench.done(&all);
        image::open(bench.path().join("sheet.png")).unwrap().into_rgb8()
    };
    let count = |image: &image::RgbImage, color: [u8; 3]| {
        image.pixels().filter(|pixel| pixel.0 == color).count()
    };
    let plain = sheet(&["--images", "2", "--variants", "3"]);
    // Two rows of an original and three variants, four times enlarged.
    let red = count(&plain, [255, 0, 0]);
    // The box is 8 columns of 16 to 24 pixels' height in the file, and half of it here; its edges are
    // of other reds.
    assert!(red > 2 * 4 * 16 * 6 * 9, "{red}");
    let pink = [255, 64, 160];
    assert_eq!(count(&plain, pink), 0);
    assert!(count(&sheet(&["--images", "2", "--boxes"]), pink) > 500);
    let range = sheet(&["--transform", "{ rotate = 45 }", "--images", "1", "--variants", "5"]);
    assert!(range.width() > 5 * 128);
    for (arguments, message) in [
        (&["--transform", "rotate"][..], "needs its argument"),
        (&["--transform", "rotat"], "there is no transform \"rotat\""),
        (&["--trial", "5"], "there is no trial 5"),
        (&["--images", "0"], "a whole number from 1"),
    ] {
        let mut all = vec!["augment", "experiment.toml", "--out", "x.png"];
        all.extend_from_slice(arguments);
        let output = bench.wick(&all);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(message), "{said}");
    }
}
