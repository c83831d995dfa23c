//! Every transform against Albumentations and OpenCV; `tests/goldens/augment_*.py` made the images.

use std::collections::BTreeMap;

use safetensors::SafeTensors;
use serde_json::Value;

use super::boxes::BBox;
use super::image::{Frame, Image};
use super::registry::AnyTransform;
use crate::basis::seed::derive;

/// Compares every case of `tests/goldens/augment_<group>.safetensors`. The parameters of a case stand
/// in its metadata as they would in TOML; what is drawn stands there too, or follows from ranges
/// whose ends are equal.
fn compare(group: &str) {
    let path = format!("{}/tests/goldens/augment_{group}.safetensors", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(&path).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let cases: BTreeMap<&String, &String> = header.metadata().as_ref().unwrap().iter().collect();
    assert!(!cases.is_empty());
    let mut wrong = Vec::new();
    for (key, case) in cases {
        let case: Value = serde_json::from_str(case).unwrap();
        let transform: AnyTransform = serde_json::from_value(case["transform"].clone())
            .unwrap_or_else(|error| panic!("{key} {case}: {error}"));
        let load = |name: &str| tensors.tensor(&format!("{key}.{name}")).ok();
        let image = |name: &str| {
            let tensor = load(name).unwrap();
            let [height, width, channels] = tensor.shape().try_into().unwrap();
            (Frame { height, width, channels }, tensor.data().to_vec())
        };
        let boxes = |name: &str| -> Vec<BBox> {
            let Some(tensor) = load(name) else { return Vec::new() };
            let (numbers, _) = tensor.data().as_chunks::<8>();
            let numbers: Vec<f64> =
                numbers.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
            let (corners, _) = numbers.as_chunks::<4>();
            corners
                .iter()
                .zip(0..)
                .map(|(&[x_min, y_min, x_max, y_max], label)| BBox {
                    x_min,
                    y_min,
                    x_max,
                    y_max,
                    label,
                })
                .collect()
        };
        let (frame, pixels) = image("in");
        let mut found = Image::new(frame, pixels);
        let mut found_boxes = boxes("boxes");
        let expected_frame =
            transform.check(frame).unwrap_or_else(|fault| panic!("{case}: {fault}"));
        match &case["drawn"] {
            Value::Null => {
                let mut stream = derive(1, "golden", &[]);
                transform.apply(&mut found, &mut found_boxes, &mut stream, None);
            }
            drawn => transform
                .apply_drawn(drawn.clone(), &mut found, &mut found_boxes)
                .unwrap_or_else(|error| panic!("{case}: {error}")),
        }
        let (frame, expected) = image("out");
        assert_eq!((found.frame(), expected_frame), (frame, frame), "{case}");
        let off = |allowed: u8| {
            let pairs = found.pixels().iter().zip(&expected);
            pairs.filter(|(found, expected)| found.abs_diff(**expected) > allowed).count()
        };
        // "exact", or one grey level off in at least so large a part of all values.
        let share = case["within-one"].as_f64();
        let bad = off(u8::from(share.is_some())) as f64 / expected.len() as f64;
        if bad > share.map_or(0.0, |share| 1.0 - share) {
            let worst = found.pixels().iter().zip(&expected);
            let worst = worst.map(|(a, b)| a.abs_diff(*b)).max();
            wrong.push(format!("{key} {case}: {bad:.4} of values differ, by up to {worst:?}"));
        }
        for (found, expected) in found_boxes.iter().zip(boxes("boxes_out")) {
            let corners = |b: &BBox| [b.x_min, b.y_min, b.x_max, b.y_max];
            for (found, expected) in corners(found).into_iter().zip(corners(&expected)) {
                if (found - expected).abs() > 1e-4 * frame.width.max(frame.height) as f64 {
                    wrong.push(format!("{key} {case}: a box at {found}, not {expected}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} cases differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn flips_and_inversion_are_those_of_albumentations() {
    compare("basics");
}

#[test]
fn noise_compression_dropout_weather_and_policies_are_those_of_albumentations_and_torchvision() {
    compare("effects");
}

#[test]
fn effects_do_not_panic_on_the_smallest_images() {
    let kinds = [
        r#"{"auto-augment": "imagenet"}"#,
        r#"{"auto-augment": "cifar10"}"#,
        r#"{"auto-augment": "svhn"}"#,
        r#"{"coarse-dropout": [1, 4], "fill": "random"}"#,
        r#"{"coarse-dropout": [1, 4], "hole-height-range": [1, 30], "hole-width-range": [0, 9]}"#,
        r#"{"downscale": [0.01, 1]}"#,
        r#"{"fog": [0, 1]}"#,
        r#"{"gauss-noise": [0, 1], "mean-range": [-1, 1]}"#,
        r#"{"gauss-noise": [0, 1], "per-channel": false}"#,
        r#"{"grid-dropout": 0.9, "fill": "random-uniform"}"#,
        r#"{"grid-dropout": 0.1, "holes-number-xy": [1, 1], "random-offset": false}"#,
        r#"{"iso-noise": [0, 100], "color-shift": [0, 1]}"#,
        r#"{"jpeg": [1, 100]}"#,
        r#"{"multiplicative-noise": [0, 255], "elementwise": true}"#,
        r#"{"multiplicative-noise": [0, 255], "per-channel": true}"#,
        r#"{"pixelate": [1, 20]}"#,
        r#"{"rain": "torrential", "slant-range": [-20, 20]}"#,
        r#"{"rain": "drizzle", "blur-value": 40}"#,
        r#"{"rand-augment": [4, 30]}"#,
        r#"{"random-erasing": [0, 1], "fill": "random"}"#,
        r#"{"shadow": [0, 1], "shadow-roi": [0, 0, 1, 1]}"#,
        r#"{"shot-noise": [0.0001, 1000]}"#,
        r#"{"snow": [0, 1]}"#,
        r#"{"snow": [0, 1], "method": "texture"}"#,
        r#"{"sun-flare": [1, 10]}"#,
        r#"{"sun-flare": [1, 10], "src-radius": 2}"#,
        r#"{"trivial-augment": true}"#,
    ];
    let mut applied = 0;
    for text in kinds {
        let transform: AnyTransform =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        for (height, width) in [(1, 1), (1, 7), (3, 2), (5, 5), (40, 33)] {
            for channels in [1, 3] {
                let frame = Frame { height, width, channels };
                if transform.check(frame).is_err() {
                    continue;
                }
                for round in 0..20 {
                    let mut stream = derive(round, text, &[]);
                    let pixels = (0..frame.bytes()).map(|_| stream.next_u64() as u8).collect();
                    let mut image = Image::new(frame, pixels);
                    let mut boxes = vec![
                        BBox { x_min: 0.0, y_min: 0.0, x_max: 1.0, y_max: 1.0, label: 0 },
                        BBox { x_min: 0.2, y_min: 0.3, x_max: 0.4, y_max: 0.9, label: 1 },
                    ];
                    let mut told = Value::Null;
                    let before = image.clone();
                    let boxes_before = boxes.clone();
                    transform.apply(&mut image, &mut boxes, &mut stream, Some(&mut told));
                    assert_eq!(image.frame(), frame);
                    // What was told is all that chance decided.
                    let (mut again, mut boxes_again) = (before, boxes_before);
                    transform.apply_drawn(told, &mut again, &mut boxes_again).unwrap();
                    assert_eq!(image.pixels(), again.pixels(), "{text} {frame}");
                    assert_eq!(boxes, boxes_again);
                    applied += 1;
                }
            }
        }
    }
    assert!(applied > 3000, "{applied}");
}

#[test]
fn blurs_and_colours_are_those_of_albumentations() {
    compare("pixels");
fn geometric_transforms_are_those_of_albumentations() {
    compare("geometric");
}

/// Blurs and colours, with parameters that reach all of their branches.
const PIXEL_LEVEL: &[&str] = &[
    r#"{"blur": [3, 31]}"#,
    r#"{"median-blur": 15}"#,
    r#"{"gaussian-blur": 9, "sigma-limit": 4}"#,
    r#"{"motion-blur": 9}"#,
    r#"{"defocus": 10}"#,
    r#"{"sharpen": [0, 1]}"#,
    r#"{"emboss": [0, 1]}"#,
    r#"{"brightness-contrast": [2, 2], "brightness-by-max": false, "ensure-safe-range": true}"#,
    r#"{"gamma": 300}"#,
    r#"{"solarize": [0, 1]}"#,
    r#"{"posterize": [1, 7]}"#,
    r#"{"equalize": true, "by-channels": false}"#,
    r#"{"equalize": true, "mode": "pil"}"#,
    r#"{"clahe": 40, "tile-grid-size": [3, 64]}"#,
    r#"{"auto-contrast": true, "cutoff": 30}"#,
    r#"{"auto-contrast": true, "cutoff": 100, "method": "pil"}"#,
    r#"{"invert": true}"#,
];

/// Those that are of colours alone.
const COLOURS: &[&str] = &[
    r#"{"hue-saturation-value": [180, 255, 255]}"#,
    r#"{"color-jitter": [1, 1, 1, 0.5]}"#,
    r#"{"rgb-shift": [255, 1, [-3, 9]]}"#,
    r#"{"channel-shuffle": true}"#,
    r#"{"channel-dropout": [1, 2], "fill": [1, 2, 3]}"#,
    r#"{"to-gray": true, "method": "from-lab"}"#,
    r#"{"to-sepia": true}"#,
];

#[test]
fn blurs_and_colours_work_on_images_of_any_size() {
    for (written, gray) in [(PIXEL_LEVEL, true), (COLOURS, false)] {
        for text in written {
            let transform: AnyTransform = serde_json::from_str(text).unwrap();
            for (height, width) in [(1, 1), (1, 7), (3, 2), (5, 5), (2, 43), (40, 1)] {
                for channels in [1, 3] {
                    let frame = Frame { height, width, channels };
                    let checked = transform.check(frame);
                    assert_eq!(checked.is_ok(), gray || channels == 3, "{text} {frame}");
                    for draw in 0..8 * u64::from(checked.is_ok()) {
                        let mut stream = derive(2, "sizes", &[draw]);
                        let pixels = (0..frame.bytes()).map(|_| stream.next_u64() as u8).collect();
                        let mut image = Image::new(frame, pixels);
                        transform.apply(&mut image, &mut Vec::new(), &mut stream, None);
                        assert_eq!(image.frame(), frame, "{text}");
                        assert_eq!(image.pixels().len(), frame.bytes(), "{text}");
                    }
                }
            }
        }
    }
}

#[test]
fn blurs_and_colours_refuse_what_they_cannot_do() {
    let faults = [
        (r#"{"blur": 4}"#, "blur = 4: a kernel has an odd size"),
        (r#"{"blur": 1}"#, "blur = 1 is not between 3 and 255"),
        (r#"{"blur": [7, 3]}"#, "blur = [7, 3] is upside down"),
        (r#"{"median-blur": 17}"#, "median-blur = [3, 17] is not between 3 and 15"),
        (r#"{"gaussian-blur": 4}"#, "gaussian-blur = 4: a kernel has an odd size"),
        (r#"{"defocus": 0}"#, "defocus = 0 is not between 1 and 50"),
        (r#"{"posterize": 8}"#, "posterize = 8 is not between 1 and 7"),
        (r#"{"solarize": 1.5}"#, "solarize = 1.5 is not between 0 and 1"),
        (r#"{"to-sepia": true}"#, "to-sepia changes colours, and the images are gray"),
    ];
    let frame = Frame { height: 8, width: 8, channels: 1 };
    for (text, message) in faults {
        let transform: AnyTransform = serde_json::from_str(text).unwrap();
        assert_eq!(transform.check(frame).unwrap_err().message, message);
    }
}
