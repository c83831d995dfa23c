//! Checkpoints whose card somebody has tampered with, and has hashed again: whatever it says, it is used as it
//! says or refused in words.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;
use crate::basis::seed::{Stream, derive};
use crate::config::layering::{Request, load};
use crate::export::{Input, Options, onnx};
use crate::plan::data::{
    BoxPlan, Bundled, Columns, DataPlan, Duplicates, Fit, Fold, Group, Normalise, OnBadImage,
    Sampling, Source, Subset, TestSet,
};

/// A part of everything that networks are made of.
const EVERYTHING: &str = r#"
name = "everything"
[data]
source = "digits"
[model]
defaults = { norm = "batch", dropout = 0.1 }
layers = [
  { conv = 4, kernel = 3, padding = "same" },
  { conv = 4, kernel = [3, 1], groups = 2, dilation = 2, padding = 1 },
  { residual = [{ conv = 4, kernel = 3, padding = 1 }, { squeeze-excite = 2 }], stochastic-depth = 0.1 },
  { branches = [[{ conv = 2, kernel = 1 }], [{ max-pool = 3, stride = 1, padding = 1 }]] },
  { auxiliary = ["flatten", { dense = "classes" }] },
  { avg-pool = 2, ceil = true },
  { adaptive-avg-pool = 2 },
  "flatten",
  { dense = 5 },
  { dense = "classes" },
]
[train]
epochs = 1
optimizer = { adam = { lr = 1e-3 } }
"#;

const CLASSES: [&str; 3] = ["ash", "birch", "cedar"];

/// A checkpoint of a network of all kinds of layers, and its card as text.
fn checkpoint(folder: &Path) -> (Checkpoint, String) {
    let file = folder.join("everything.toml");
    std::fs::write(&file, EVERYTHING).unwrap();
    let request = Request { file, ..Request::default() };
    let root = load(&request).unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    let model = network(&root, [1, 10, 10], CLASSES.len())
        .unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    let chain = |text: &str| toml::from_str::<Wrapped>(&format!("chain = {text}")).unwrap().chain;
    let card = Card {
        task: Default::default(),
        thresholds: Vec::new(),
        top_k: None,
        program: "candlewick".to_owned(),
        seed: 7,
        images: "0123".to_owned(),
        classes: CLASSES.map(str::to_owned).to_vec(),
        mean: vec![0.5],
        std: vec![0.25],
        image: data::Image { size: [12, 12], channels: 1 },
        fit: Fit::Stretch,
        own_size: None,
        centre: false,
        evaluation: chain("[{ resize = [10, 10], p = 1.0 }]"),
        test_time: vec![chain(
            "[{ one-of = [{ horizontal-flip = true, p = 0.5 }, { blur = 3, p = 1.0 }], p = 0.5 }, \
             { resize = [10, 10], p = 1.0 }]",
        )],
        data: Some(images()),
        model,
    };
    let mut network = Network::new(&card.model, 1).unwrap();
    let (word, text) = card.word();
    let words = [(word, text.clone())].into();
    (Checkpoint { tensors: network.weights().unwrap(), words }, text)
}

/// The images of its trial.
fn images() -> DataPlan {
    DataPlan {
        source: Source::Bundled(Bundled::Digits),
        test: TestSet::Part(0.1),
        validation: 0.1,
        fold: Some(Fold { index: 0, of: 3 }),
        task: Task::default(),
        class_attributes: BTreeMap::new(),
        classes: CLASSES.map(str::to_owned).to_vec(),
        subset: Subset::Fraction(0.5),
        image: data::Image { size: [12, 12], channels: 1 },
        fit: Fit::Stretch,
        own_size: None,
        normalise: Normalise::Dataset,
        on_bad_image: OnBadImage::Error,
        max_pixels: MOST_PIXELS,
        boxes: BoxPlan::default(),
        columns: Columns::default(),
        group: Group::None,
        duplicates: Duplicates::Keep,
        sampling: Sampling::Shuffle,
    }
}

#[derive(serde::Deserialize)]
struct Wrapped {
    chain: Chain,
}

/// The checkpoint at `path`, as it is named on the command line.
fn trained(path: &Path) -> Trained {
    Trained {
        model: Some(PathBuf::from(path)),
        preset: None,
        experiment: None,
        rename: Vec::new(),
        state_dict: None,
        weights: None,
        classes: None,
        image_size: [224, 224],
        sets: Vec::new(),
    }
}

const LOOKING: Looking =
    Looking { test_time: None, device: crate::basis::device::Device::Cpu, max_pixels: None };

/// What `wick predict` makes of the checkpoint, for a batch of one image, and `wick export`.
fn used(checkpoint: &Checkpoint, path: &Path) -> std::result::Result<Vec<f32>, String> {
    std::fs::write(path, checkpoint.to_bytes().unwrap()).unwrap();
    let trained = trained(path);
    let refused = |error: Error| {
        let text = format!("{error:?}");
        assert!(text.contains("Wrong"), "{text}");
        text
    };
    let Loaded { card, weights, .. } = Loaded::new(&trained).map_err(refused)?;
    let options = Options { input: Input::Normalised, fold_batch_norm: true, softmax: true };
    // It may be one that cannot be exported, which is told.
    let _ = onnx(&card, weights, options);
    let mut ready = Ready::new(&trained, &LOOKING).map_err(refused)?;
    let frame = frame(&ready.card);
    let logits =
        ready.logits(&[(frame, &vec![100; frame.bytes()])]).map_err(|error| error.to_string())?;
    assert_eq!(logits.len(), ready.card.classes.len());
    Ok(logits)
}

/// Numbers that are nothing good almost anywhere.
const NUMBERS: [&str; 16] = [
    "0",
    "-1",
    "1",
    "2",
    "3",
    "7",
    "64",
    "4097",
    "65536",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "0.0",
    "1e308",
    "nan",
    "-inf",
];

/// Where numbers stand in `text`.
fn numbers(text: &str) -> Vec<std::ops::Range<usize>> {
    let is_digit = |c: char| c.is_ascii_digit() || c == '.' || c == '-';
    let mut found = Vec::new();
    let mut start = None;
    for (place, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (start, is_digit(c)) {
            (None, true) => start = Some(place),
            (Some(from), false) => {
                found.push(from..place);
                start = None;
            }
            _ => {}
        }
    }
    found
}

/// A card with something else in it.
fn tampered(text: &str, stream: &mut Stream) -> String {
    let mut below = |count: usize| stream.below(count.max(1) as u64) as usize;
    let mut lines: Vec<&str> = text.lines().collect();
    if lines.is_empty() || numbers(text).is_empty() {
        return text.to_owned();
    }
    match below(9) {
        0 => {
            let mut bytes = text.as_bytes().to_vec();
            let place = below(bytes.len());
            bytes[place] ^= 1 << below(7);
            return String::from_utf8_lossy(&bytes).into_owned();
        }
        1..=3 => {
            let all = numbers(text);
            let place = all[below(all.len())].clone();
            let mut text = text.to_owned();
            text.replace_range(place, NUMBERS[below(NUMBERS.len())]);
            return text;
        }
        4 => drop(lines.remove(below(lines.len()))),
        5 => lines.insert(below(lines.len()), lines[below(lines.len())]),
        6 => {
            let (one, other) = (below(lines.len()), below(lines.len()));
            lines.swap(one, other);
        }
        7 => lines.truncate(below(lines.len())),
        _ => {
            // One value for another one.
            let (one, other) = (below(lines.len()), below(lines.len()));
            let parts = lines[one].split_once(" = ").zip(lines[other].split_once(" = "));
            if let Some(((key, _), (_, value))) = parts {
                let line = format!("{key} = {value}");
                lines[one] = &line;
                return lines.join("\n");
            }
        }
    }
    lines.join("\n")
}

/// Uses so many checkpoints with tampered cards, and some with other tensors.
fn tamper(mutants: usize) {
    let folder = tempfile::tempdir().unwrap();
    let (whole, text) = checkpoint(folder.path());
    let path = folder.path().join("tampered.safetensors");
    let expected = used(&whole, &path).unwrap();
    let mut stream = derive(1, "tampered cards", &[]);
    let (mut refused, mut used_otherwise) = (0, 0);
    for mutant in 0..mutants {
        let mut other = whole.clone();
        if mutant % 10 == 9 {
            let names: Vec<String> = other.tensors.keys().cloned().collect();
            let name = &names[stream.below(names.len() as u64) as usize];
            let (shape, values) = other.tensors.remove(name).unwrap();
            match stream.below(3) {
                0 => {}
                1 => drop(other.tensors.insert(format!("{name}2"), (shape, values))),
                _ => {
                    let shape = [vec![1], shape].concat();
                    other.tensors.insert(name.clone(), (shape, values));
                }
            }
        } else {
            let mut card = text.clone();
            for _ in 0..=stream.below(3) {
                card = tampered(&card, &mut stream);
            }
            other.words.insert("card".to_owned(), card);
        }
        match used(&other, &path) {
            Ok(logits) if logits == expected => {}
            Ok(_) => used_otherwise += 1,
            Err(_) => refused += 1,
        }
    }
    // Most of it matters.
    assert!(
        refused > mutants / 2,
        "{refused} of {mutants} refused, {used_otherwise} used otherwise"
    );
}

#[test]
fn a_card_whose_images_cannot_be_split_as_it_says_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, text) = checkpoint(folder.path());
    let path = folder.path().join("tampered.safetensors");
    let card: Card = toml::from_str(&text).unwrap();
    let mut refusals = Vec::new();
    let mut says = |change: &dyn Fn(&mut DataPlan)| {
        let mut card = card.clone();
        card.data.iter_mut().for_each(change);
        let words = [card.word()].into();
        let error = used(&Checkpoint { words, ..whole.clone() }, &path).unwrap_err();
        let words = error.split("is wrong: ").nth(1).unwrap_or(&error);
        refusals.push(words.split("\\n").next().unwrap_or_default().to_owned());
    };
    says(&|data| data.fold = Some(Fold { index: 0, of: 0 }));
    says(&|data| data.fold = Some(Fold { index: 3, of: 3 }));
    says(&|data| data.validation = 7.5);
    says(&|data| data.test = TestSet::Part(f64::NAN));
    says(&|data| data.subset = Subset::PerClass(0));
    says(&|data| data.max_pixels = 0);
    says(&|data| data.image.size = [24, 24]);
    let expected = [
        "fold 0 of 0, which are counted from 0 and at least two",
        "fold 3 of 3, which are counted from 0 and at least two",
        "data.validation: a fraction of 7.5 is not in [0, 1)",
        "data.test: a fraction of NaN is not in [0, 1)",
        "data.subset.per-class: a subset needs at least one image of each class",
        "data.max-pixels: an image has at least one pixel",
        "its data gives images of another size",
    ];
    assert_eq!(refusals, expected);
}

#[test]
fn a_card_does_not_lift_the_bound_on_image_files() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, text) = checkpoint(folder.path());
    let path = folder.path().join("tampered.safetensors");
    let mut card: Card = toml::from_str(&text).unwrap();
    card.data.as_mut().unwrap().max_pixels = i64::MAX as u64;
    let words = [card.word()].into();
    std::fs::write(&path, Checkpoint { words, ..whole }.to_bytes().unwrap()).unwrap();
    let ready = |max_pixels| {
        let looking = Looking { max_pixels, ..LOOKING };
        Ready::new(&trained(&path), &looking).unwrap().max_pixels
    };
    assert_eq!(ready(None), MOST_PIXELS);
    assert_eq!(ready(Some(2 * MOST_PIXELS)), 2 * MOST_PIXELS);
}

#[test]
fn a_tampered_card_is_used_as_it_says_or_refused_in_words() {
    tamper(200);
}

#[test]
#[ignore = "takes a minute: cargo test --lib -- --ignored two_thousand_tampered_cards"]
fn two_thousand_tampered_cards() {
    tamper(2_000);
}

#[test]
fn a_card_that_asks_for_more_than_the_machine_has_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, text) = checkpoint(folder.path());
    let path = folder.path().join("large.safetensors");
    let try_with = |from: &str, to: &str| {
        assert!(text.contains(from), "{from} in {text}");
        let mut other = whole.clone();
        other.words.insert("card".to_owned(), text.replace(from, to));
        used(&other, &path).unwrap_err()
    };
    assert!(
        try_with("size = [12, 12]", "size = [12, 9999999999]").contains("images of 12×9999999999")
    );
    assert!(
        try_with("classes = 3", "classes = 3000000000").contains("3 names for 3000000000 classes")
    );
    assert!(try_with("std = [0.25]", "std = [0.0]").contains("deviation of [0.0]"));
    assert!(try_with("mean = [0.5]", "mean = [0.5, 0.5]").contains("for 1 channels"));
    assert!(try_with("\"cedar\"]", "\"cedar\", \"fir\"]").contains("4 names for 3 classes"));
}
