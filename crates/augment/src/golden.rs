//! Every transform against Albumentations and OpenCV; `tests/goldens/augment_*.py` made the images.

use std::collections::BTreeMap;

use safetensors::SafeTensors;
use serde_json::Value;

use super::boxes::BBox;
use super::image::{Frame, Image};
use super::registry::AnyTransform;
use candlewick_basis::seed::derive;

/// Compares every case of `tests/goldens/augment_<group>.safetensors`. The parameters of a case stand
/// in its metadata as they would in TOML; what is drawn stands there too, or follows from ranges
/// whose ends are equal.
fn compare(group: &str) {
    let path =
        format!("{}/../../tests/goldens/augment_{group}.safetensors", env!("CARGO_MANIFEST_DIR"));
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
fn blurs_and_colours_are_those_of_albumentations() {
    compare("pixels");
}

#[test]
fn geometric_transforms_are_those_of_albumentations() {
    compare("geometric");
}

#[test]
fn blurs_and_colours_refuse_what_they_cannot_do() {
    let faults = [
        (r#"{"blur": 4}"#, "blur = 4: the size of a kernel must be odd"),
        (r#"{"blur": 1}"#, "blur = 1 is not between 3 and 255"),
        (r#"{"blur": [7, 3]}"#, "blur = [7, 3] is in the wrong order"),
        (r#"{"median-blur": 17}"#, "median-blur = [3, 17] is not between 3 and 15"),
        (r#"{"gaussian-blur": 4}"#, "gaussian-blur = 4: the size of a kernel must be odd"),
        (r#"{"defocus": 0}"#, "defocus = 0 is not between 1 and 50"),
        (r#"{"posterize": 8}"#, "posterize = 8 is not between 1 and 7"),
        (r#"{"solarize": 1.5}"#, "solarize = 1.5 is not between 0 and 1"),
        (r#"{"to-sepia": true}"#, "to-sepia changes colours, but the images are gray"),
    ];
    let frame = Frame { height: 8, width: 8, channels: 1 };
    for (text, message) in faults {
        let transform: AnyTransform = serde_json::from_str(text).unwrap();
        assert_eq!(transform.check(frame).unwrap_err().message, message);
    }
}
