//! Training images that are drawn by class: the same for every worker, augmented anew where one comes again.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use candlewick::config::layering::{Request, load};
use candlewick::data::{Batch, Cache, Epochs, Order, Views, normalisation, split};
use candlewick::plan::prune::Nothing;
use candlewick::plan::sweep::expand;
use candlewick::sweep::survey::Files;

use super::bench::Bench;

const UNEVEN: &str = r#"
name = "uneven"
[data]
source = { folder = "shades" }
image = { size = [12, 12], channels = 1 }
test = 0.2
validation = 0.2
batch-size = 8
sampling = "balanced"
[augment]
train = [{ rotate = 40, p = 1.0 }, { brightness-contrast = [0.3, 0.3], p = 0.8 }]
[model]
layers = [{ conv = 4, kernel = 3 }, "flatten", { dense = "classes" }]
[train]
epochs = 3
[sweep.grid]
"train.optimizer.adam.lr" = [1e-3, 1e-2]
"#;

/// 60 images of one class and 10 of another.
fn shades(root: &Path) {
    for (class, count) in [("many", 60_u32), ("few", 10)] {
        let folder = root.join("shades").join(class);
        fs::create_dir_all(&folder).unwrap();
        for number in 0..count {
            let image = image::GrayImage::from_fn(12, 12, |x, y| {
                let slope = if class == "few" { x } else { y };
                image::Luma([(slope * 15 + number * 3 + (x * y) % 7) as u8])
            });
            image.save(folder.join(format!("{number}.png"))).unwrap();
        }
    }
}

#[test]
fn sampled_trials_are_the_same_for_any_workers_and_memory_and_when_they_are_repeated() {
    let bench = Bench::new(UNEVEN);
    shades(bench.path());
    bench.run("one", &["--workers", "1"]);
    bench.run("two", &["--workers", "2", "--threads", "2"]);
    bench.run("none", &["--augment-memory", "0"]);
    let table = bench.table("one", "metrics.csv");
    assert_eq!(table, bench.table("two", "metrics.csv"));
    assert_eq!(table, bench.table("none", "metrics.csv"));
    bench.run("resumed", &["--set", "train.epochs=1"]);
    bench.run("resumed", &[]);
    assert_eq!(table, bench.table("resumed", "metrics.csv"));
    bench.run("shuffled", &["--set", "data.sampling=\"shuffle\""]);
    assert_ne!(table, bench.table("shuffled", "metrics.csv"));
    bench.run("power", &["--set", "data.sampling={ power = 0 }"]);
    let losses = |table: &str| {
        let mut rows = csv::Reader::from_reader(table.as_bytes());
        let of = |row: csv::StringRecord| row.iter().skip(2).map(str::to_owned).collect::<Vec<_>>();
        rows.records().map(|row| of(row.unwrap())).collect::<Vec<_>>()
    };
    let (balanced, power) = (losses(&table), losses(&bench.table("power", "metrics.csv")));
    assert_eq!(balanced, power);
}

#[test]
fn an_image_that_comes_again_is_augmented_anew_whatever_the_batches() {
    let bench = Bench::new(UNEVEN);
    shades(bench.path());
    let images = Cache::new(1);
    let survey = Files::new(&images, Path::new("results"));
    let request = Request { file: bench.path().join("experiment.toml"), ..Request::default() };
    let experiment = expand(&load(&request).unwrap(), &survey, &Nothing).unwrap();
    let plan = &experiment.trials[0].plan;
    let dataset = images.get(&plan.data).unwrap();
    let split = split(&dataset, &plan.data, plan.seed).unwrap();
    let order = Order::new(&dataset, &split.train, &plan.data, plan.seed, 2);
    let count = order.images().len();
    assert_eq!(count, split.train.len());
    let views = |limit: usize| {
        let plans = experiment.trials.iter().map(|trial| &trial.plan);
        let epochs = Arc::new(Epochs::new(limit, plans, || 0.0)).of(plan);
        let normalisation =
            normalisation(&dataset, &split.train, &plan.data.normalise, plan.seed).unwrap();
        Views::new(dataset.clone(), &normalisation, plan, epochs).unwrap()
    };
    let pixels = |size: usize, limit: usize| -> Vec<f32> {
        let views = views(limit);
        let batches = (0..count).step_by(size).enumerate();
        let batch = |(index, start): (usize, usize)| -> Batch {
            views.training(2, &order, start..(start + size).min(count), index).unwrap()
        };
        batches.flat_map(|batch_at| batch(batch_at).pixels).collect()
    };
    let all = pixels(count, 1 << 20);
    assert_eq!(all, pixels(7, 0));
    assert_eq!(all, pixels(8, 1 << 20));
    let of_few = |place: &usize| dataset.label(order.images()[*place]) == 0;
    let few: Vec<usize> = (0..count).filter(of_few).collect();
    // Half of them are drawn from seven images.
    assert!(few.len() > 14, "{}", few.len());
    let seen = |place: usize| &all[place * 144..][..144];
    for (at, place) in few.iter().enumerate() {
        assert!(few[..at].iter().all(|other| seen(*other) != seen(*place)), "twice the same");
    }
}

#[test]
fn uneven_classes_are_told_with_what_makes_up_for_them() {
    let bench = Bench::new(UNEVEN);
    shades(bench.path());
    let said = |sets: &[&str]| {
        let sets = sets.iter().flat_map(|set| ["--set", set]);
        bench.done(&["check", "experiment.toml"].into_iter().chain(sets).collect::<Vec<_>>())
    };
    let note = "note: class many has 6.0 times as many images as class few, 60 and 10: data.sampling = \"balanced\"";
    let shuffled = "data.sampling=\"shuffle\"";
    assert!(said(&[shuffled]).contains(note), "{}", said(&[shuffled]));
    for sets in [
        &[][..],
        &[shuffled, "train.class-weights=\"balanced\""],
        &[shuffled, "data.subset={ per-class = 4 }"],
    ] {
        assert!(!said(sets).contains("note: class many"), "{}", said(sets));
    }
    let twice = said(&["train.class-weights=\"balanced\""]);
    assert!(twice.contains("both compensate for rare classes"), "{twice}");
}
