//! What holds for every kind of transform, every image and all boxes.

use proptest::prelude::*;

use super::boxes::{BBox, BoxRules};
use super::chain::{Chain, Step};
use super::image::{Frame, Image};
use super::registry::{AnyTransform, KINDS};
use candlewick_basis::seed::derive;

/// Tables of parameters for every kind, as JSON: a kind may have many.
const TABLES: &[&str] = &[
    r#"{ "affine": true, "scale": [0.5, 2], "translate-percent": [-0.3, 0.3], "rotate": [-180, 180], "shear": [-40, 40], "border": "reflect-101" }"#,
    r#"{ "affine": true, "scale": { "x": [0.01, 9], "y": 1 }, "translate-px": [-30, 30], "keep-ratio": false, "balanced-scale": true, "interpolation": "cubic", "border": "wrap" }"#,
    r#"{"auto-augment": "svhn"}"#,
    r#"{"auto-augment": "cifar10"}"#,
    r#"{"auto-augment": "imagenet"}"#,
    r#"{"auto-contrast": true, "cutoff": 30}"#,
    r#"{"auto-contrast": true, "cutoff": 100, "method": "pil"}"#,
    r#"{"blur": [3, 31]}"#,
    r#"{"brightness-contrast": [2, 2], "brightness-by-max": false, "ensure-safe-range": true}"#,
    r#"{ "center-crop": [3, 2] }"#,
    r#"{"channel-dropout": [1, 2], "fill": [1, 2, 3]}"#,
    r#"{"channel-shuffle": true}"#,
    r#"{"clahe": 40, "tile-grid-size": [3, 64]}"#,
    r#"{"coarse-dropout": [1, 4], "hole-height-range": [1, 30], "hole-width-range": [0, 9]}"#,
    r#"{"coarse-dropout": [1, 4], "fill": "random"}"#,
    r#"{"color-jitter": [1, 1, 1, 0.5]}"#,
    r#"{ "crop": [1, 0, 4, 3] }"#,
    r#"{ "crop-and-pad": true, "px": [-30, 9], "sample-independently": false, "interpolation": "cubic", "border": "reflect" }"#,
    r#"{ "crop-and-pad": true, "percent": [-1, 0.5], "border": "wrap" }"#,
    r#"{ "crop-and-pad": true, "px": -3, "keep-size": false }"#,
    r#"{"defocus": 10}"#,
    r#"{"downscale": [0.01, 1]}"#,
    r#"{ "elastic": 300, "sigma": 50, "same-dxdy": true, "noise-distribution": "uniform", "interpolation": "nearest" }"#,
    r#"{ "elastic": 40, "sigma": 3, "border": "reflect" }"#,
    r#"{"emboss": [0, 1]}"#,
    r#"{"equalize": true, "by-channels": false}"#,
    r#"{"equalize": true, "mode": "pil"}"#,
    r#"{"fog": [0, 1]}"#,
    r#"{"gamma": 300}"#,
    r#"{"gauss-noise": [0, 1], "mean-range": [-1, 1]}"#,
    r#"{"gauss-noise": [0, 1], "per-channel": false}"#,
    r#"{"gaussian-blur": 9, "sigma-limit": 4}"#,
    r#"{ "grid-distortion": 1, "num-steps": 3, "border": "replicate" }"#,
    r#"{ "grid-distortion": [0.2, 0.5], "num-steps": 2, "normalized": false, "interpolation": "cubic" }"#,
    r#"{"grid-dropout": 0.9, "fill": "random-uniform"}"#,
    r#"{"grid-dropout": 0.1, "holes-number-xy": [1, 1], "random-offset": false}"#,
    r#"{ "horizontal-flip": true }"#,
    r#"{"hue-saturation-value": [180, 255, 255]}"#,
    r#"{ "invert": true }"#,
    r#"{"iso-noise": [0, 100], "color-shift": [0, 1]}"#,
    r#"{"jpeg": [1, 100]}"#,
    r#"{ "longest-max-size": 9, "interpolation": "area" }"#,
    r#"{"median-blur": 15}"#,
    r#"{"motion-blur": 9}"#,
    r#"{"multiplicative-noise": [0, 255], "per-channel": true}"#,
    r#"{"multiplicative-noise": [0, 255], "elementwise": true}"#,
    r#"{ "optical-distortion": 1, "mode": "camera", "interpolation": "cubic" }"#,
    r#"{ "optical-distortion": 2, "mode": "fisheye", "border": "reflect-101" }"#,
    r#"{ "pad-if-needed": [20, 31], "position": "random", "border": "reflect-101" }"#,
    r#"{ "perspective": 0.1, "interpolation": "nearest", "fill": [1, 2, 3] }"#,
    r#"{ "perspective": [0, 1], "border": "reflect" }"#,
    r#"{"pixelate": [1, 20]}"#,
    r#"{"posterize": [1, 7]}"#,
    r#"{"rain": "torrential", "slant-range": [-20, 20]}"#,
    r#"{"rain": "drizzle", "blur-value": 40}"#,
    r#"{"rand-augment": [4, 30]}"#,
    r#"{ "random-crop": [2, 5] }"#,
    r#"{"random-erasing": [0, 1], "fill": "random"}"#,
    r#"{ "random-resized-crop": [7, 33], "scale": [0, 1], "ratio": [0.1, 10], "interpolation": "cubic" }"#,
    r#"{ "random-sized-bbox-safe-crop": [12, 9], "erosion-rate": 0.4 }"#,
    r#"{ "resize": [17, 8], "interpolation": "area" }"#,
    r#"{ "resize": 23 }"#,
    r#"{"rgb-shift": [255, 1, [-3, 9]]}"#,
    r#"{ "rotate": 45, "interpolation": "nearest", "border": "wrap" }"#,
    r#"{ "rotate": 360, "border": "reflect" }"#,
    r#"{ "rotate-90": true }"#,
    r#"{"shadow": [0, 1], "shadow-roi": [0, 0, 1, 1]}"#,
    r#"{"sharpen": [0, 1]}"#,
    r#"{ "shift-scale-rotate": true, "shift-limit": 1, "scale-limit": [-0.9, 2] }"#,
    r#"{"shot-noise": [0.0001, 1000]}"#,
    r#"{ "smallest-max-size": 11, "interpolation": "cubic" }"#,
    r#"{"snow": [0, 1], "method": "texture"}"#,
    r#"{"snow": [0, 1]}"#,
    r#"{"solarize": [0, 1]}"#,
    r#"{"sun-flare": [1, 10], "src-radius": 2}"#,
    r#"{"sun-flare": [1, 10]}"#,
    r#"{"to-gray": true, "method": "from-lab"}"#,
    r#"{"to-sepia": true}"#,
    r#"{ "transpose": true }"#,
    r#"{"trivial-augment": true}"#,
    r#"{ "vertical-flip": true }"#,
];

fn transforms() -> Vec<AnyTransform> {
    let read = |table: &&str| {
        serde_json::from_str(table).unwrap_or_else(|error| panic!("{table}: {error}"))
    };
    TABLES.iter().map(read).collect()
}

#[test]
fn every_kind_has_parameters_to_be_tried_with() {
    let tried: Vec<&str> = transforms().iter().map(AnyTransform::kind).collect();
    let missing: Vec<_> = KINDS.iter().filter(|kind| !tried.contains(kind)).collect();
    assert!(missing.is_empty(), "no table in TABLES for {missing:?}");
}

fn frames() -> impl Strategy<Value = Frame> {
    // Squares often enough that what needs them is tried.
    let sides =
        prop_oneof![(1usize..=40, 1usize..=40), (1usize..=40).prop_map(|side| (side, side)),];
    (sides, prop_oneof![Just(1usize), Just(3)]).prop_map(|((height, width), channels)| Frame {
        height,
        width,
        channels,
    })
}

/// Boxes as parts of the image: some are no larger than a point, some are all of it.
fn boxes() -> impl Strategy<Value = Vec<[f64; 4]>> {
    let part = || prop_oneof![Just(0.0), Just(1.0), 0.0..=1.0f64];
    prop::collection::vec([part(), part(), part(), part()], 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_chain_panics_and_all_give_the_size_that_was_promised(
        frame in frames(),
        parts in boxes(),
        chosen in prop::collection::vec((0..TABLES.len(), any::<bool>()), 1..6),
        seed in any::<u64>(),
    ) {
        let all = transforms();
        let mut expected = frame;
        let mut steps = Vec::new();
        for (index, sure) in chosen {
            // What is refused is left out: to refuse is all that is asked of it.
            let Ok(after) = all[index].check(expected) else { continue };
            // What changes the size has to be applied to every image.
            let p = if sure || after != expected { 1.0 } else { 0.5 };
            steps.push(Step::Transform { transform: all[index].clone(), p });
            expected = after;
        }
        let chain = Chain { steps };
        let mut stream = derive(seed, "properties", &[]);
        let pixels = (0..frame.bytes()).map(|_| stream.next_u64() as u8).collect();
        let mut image = Image::new(frame, pixels);
        let (height, width) = (frame.height as f64, frame.width as f64);
        let mut boxes: Vec<BBox> = parts
            .iter()
            .zip(0..)
            .map(|(&[a, b, c, d], label)| BBox {
                x_min: a.min(b) * width,
                y_min: c.min(d) * height,
                x_max: a.max(b) * width,
                y_max: c.max(d) * height,
                label,
            })
            .collect();
        let mut again = (image.clone(), boxes.clone());
        let mut stream_again = stream;
        let mut applied = Vec::new();

        chain.apply(&mut image, &mut boxes, BoxRules::default(), &mut stream, Some(&mut applied));

        prop_assert_eq!(image.frame(), expected);
        prop_assert_eq!(image.pixels().len(), expected.bytes());
        // Boxes without an area are dropped by the first transform that is applied.
        for bbox in boxes.iter().filter(|_| !applied.is_empty()) {
            prop_assert!(0.0 <= bbox.x_min && bbox.x_min < bbox.x_max, "{:?}", bbox);
            prop_assert!(0.0 <= bbox.y_min && bbox.y_min < bbox.y_max, "{:?}", bbox);
            prop_assert!(bbox.x_max <= expected.width as f64, "{:?}", bbox);
            prop_assert!(bbox.y_max <= expected.height as f64, "{:?}", bbox);
        }

        // What was drawn is all there is to know.
        let transform = |kind| {
            let of_kind = |step: &&Step| matches!(
                step, Step::Transform { transform, .. } if transform.kind() == kind
            );
            chain.steps.iter().filter(of_kind).count()
        };
        if applied.iter().all(|(kind, _)| transform(*kind) == 1) {
            for (kind, drawn) in applied {
                let step = chain.steps.iter().find_map(|step| match step {
                    Step::Transform { transform, .. } if transform.kind() == kind => {
                        Some(transform)
                    }
                    _ => None,
                });
                let (image, boxes) = &mut again;
                step.expect("one step").apply_drawn(drawn, image, boxes).expect("its own draw");
                BoxRules::default().apply(boxes, image.frame());
            }
        } else {
            let (image, boxes) = &mut again;
            chain.apply(image, boxes, BoxRules::default(), &mut stream_again, None);
        }
        prop_assert_eq!(again.0.pixels(), image.pixels());
        prop_assert_eq!(again.1, boxes);

        // For validation and test images, it says the same of the size.
        let calm = chain.at_evaluation(frame);
        let mut image = Image::new(frame, vec![0; frame.bytes()]);
        calm.apply(&mut image, &mut Vec::new(), BoxRules::default(), &mut stream, None);
        prop_assert_eq!(image.frame(), expected);
    }
}
