//! Images of any shape at one size: as Albumentations brings them there, and the same in training, from a
//! checkpoint and for other programs.

use std::collections::BTreeMap;
use std::fs;

use candlewick::config::fit::Fit;
use candlewick::data::decode_image;
use candlewick::plan::data::{Image, MOST_PIXELS};
use safetensors::SafeTensors;
use serde::Deserialize;

use crate::augment::{SHAPES, shapes};
use crate::bench::Bench;

#[derive(Deserialize)]
struct Case {
    r#in: String,
    fit: String,
    size: [usize; 2],
}

#[derive(Deserialize)]
struct Written {
    fit: Fit,
}

/// `tests/goldens/fit.py` made the images, with Albumentations 2.0.8.
#[test]
fn images_are_cropped_and_padded_as_albumentations_does_it_pixel_for_pixel() {
    let bytes = fs::read("tests/goldens/fit.safetensors").unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let cases: BTreeMap<&String, &String> = header.metadata().as_ref().unwrap().iter().collect();
    assert_eq!(cases.len(), 45);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.png");
    for (key, case) in cases {
        let Case { r#in, fit, size } = serde_json::from_str(case).unwrap();
        let how: Written = toml::from_str(&format!("fit = {fit}")).unwrap();
        let image = tensors.tensor(&r#in).unwrap();
        let [height, width, channels] = image.shape().try_into().unwrap();
        let colours = match channels {
            1 => image::ColorType::L8,
            _ => image::ColorType::Rgb8,
        };
        image::save_buffer(&path, image.data(), width as u32, height as u32, colours).unwrap();
        let found = decode_image(&path, &Image { size, channels }, &how.fit, MOST_PIXELS).unwrap();
        assert_eq!(found, tensors.tensor(key).unwrap().data(), "{case}");
    }
}

#[test]
fn a_padded_image_keeps_its_aspect_ratio_with_and_without_antialiasing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.png");
    image::RgbImage::from_pixel(240, 60, image::Rgb([250, 250, 250])).save(&path).unwrap();
    for settings in ["", "interpolation = \"antialias\", "] {
        let text = format!("fit = {{ pad = {{ {settings}fill = [9, 0, 0] }} }}");
        let how: Written = toml::from_str(&text).unwrap();
        let image = Image { size: [64, 64], channels: 3 };
        let pixels = decode_image(&path, &image, &how.fit, MOST_PIXELS).unwrap();
        for (y, row) in pixels.chunks(64 * 3).enumerate() {
            let wanted = if (24..40).contains(&y) { [250; 3] } else { [9, 0, 0] };
            assert!(row.chunks(3).all(|pixel| pixel == wanted), "{y} {text}");
        }
    }
}

#[test]
fn a_checkpoint_brings_images_to_their_size_as_its_trial_did() {
    let bench = Bench::new(SHAPES);
    shapes(&bench);
    let fits = r#"sweep.grid."data.fit"=["stretch", "crop", "pad", { pad = { fill = 200, interpolation = "antialias" } }]"#;
    let sets = ["--set", "augment.train=\"none\"", "--set", fits];
    bench.done(&[&["run", "experiment.toml"][..], &sets].concat());
    let said = bench.done(&["repro", "results/shapes"]);
    assert_eq!(said.matches("identical: 2 epochs").count(), 4, "{said}");
    let table = fs::read_to_string(bench.path().join("results/shapes/trials.csv")).unwrap();
    let mut rows = csv::Reader::from_reader(table.as_bytes());
    let (mut losses, mut told) = (Vec::new(), Vec::new());
    for row in rows.deserialize::<BTreeMap<String, String>>() {
        let row = row.unwrap();
        losses.push(row["test_loss"].clone());
        let trial = bench.path().join("results/shapes/trials").join(&row["digest"]);
        let model = trial.join("best.safetensors");
        let model = model.to_str().unwrap();
        let mut predictions = csv::Reader::from_path(trial.join("predictions.csv")).unwrap();
        for found in predictions.deserialize::<BTreeMap<String, String>>() {
            let found = found.unwrap();
            let image = format!("shapes/{}", found["image"]);
            let said = bench.done(&["predict", "--model", model, &image, "--top", "1"]);
            let probability: f64 = found["probability"].parse().unwrap();
            let expected = format!("{:6.2} %  {}", 100.0 * probability, found["predicted"]);
            assert!(said.contains(&expected), "{expected}: {said}");
        }
        let data = ["evaluate", "--model", model, "--data", "{ folder = \"shapes\" }"];
        let said = bench.done(&[&data[..], &["--part", "all"]].concat());
        assert!(said.starts_with("20 images"), "{said}");
        bench.done(&["export", "--model", model, "--to", "onnx", "--out", "net.onnx"]);
        let file = fs::read(bench.path().join("net.onnx")).unwrap();
        let text = String::from_utf8_lossy(&file).into_owned();
        let start = text.find("{\"size\":[16,16]").unwrap();
        told.push(text[start..].split(",\"mean\"").next().unwrap().to_owned());
    }
    losses.dedup();
    assert_eq!(losses.len(), 4, "each way shows other pixels: {losses:?}");
    let sized = "{\"size\":[16,16],\"channels\":3,\"resize\":";
    assert_eq!(
        told,
        [
            "\"stretch\"",
            "\"crop\",\"interpolation\":\"linear\"",
            "\"pad\",\"interpolation\":\"linear\",\"fill\":[0,0,0]",
            "\"pad\",\"interpolation\":\"antialias\",\"fill\":[200,200,200]"
        ]
        .map(|rest| format!("{sized}{rest}"))
    );
}
