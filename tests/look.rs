//! What a trained network sees: maps and saliency against PyTorch and pytorch-grad-cam (`goldens/look.py`), and the
//! pictures of `wick look`.

use std::fs;
use std::path::Path;

use candle_core::{Device, Tensor};
use candlewick::look::saliency::{Method, over_image};
use safetensors::SafeTensors;

use super::architectures::{filled, plan, uniform, value};
use super::bench::Bench;
use super::trained::SIGNS;

const SIZE: usize = 64;

fn golden(all: &SafeTensors, name: &str) -> Vec<f32> {
    let data = all.tensor(name).unwrap_or_else(|_| panic!("no {name}"));
    data.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

fn largest(numbers: &[f32]) -> f32 {
    numbers.iter().fold(0.0, |largest, number| largest.max(number.abs()))
}

fn close(what: &str, found: &[f32], expected: &[f32], part: f32) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let (bound, all) = (part * largest(expected), found.iter().zip(expected));
    assert!(bound > 0.0, "{what} is 0 everywhere");
    let error = all.fold(0.0_f32, |error, (a, b)| error.max((a - b).abs()));
    assert!(error <= bound, "{what}: off by {error}, allowed {bound}");
}

#[test]
fn maps_are_pytorchs_and_saliency_is_that_of_pytorch_grad_cam() {
    let bytes = fs::read("tests/goldens/look.safetensors").unwrap();
    let all = SafeTensors::deserialize(&bytes).unwrap();
    let pixels: Vec<f32> = uniform("image", 3 * SIZE * SIZE).map(|number| number as f32).collect();
    let image = Tensor::from_vec(pixels, (1, 3, SIZE, SIZE), &Device::Cpu).unwrap();
    for (name, preset, layer) in [
        ("squeezenet1_1", "squeezenet1_1", "features.12."),
        ("resnet20", "resnet20", "layer3.2."),
        ("resnet20-early", "resnet20", "layer1.2."),
    ] {
        let model = plan(preset, SIZE, &[]);
        let mut network = filled(&model, value);
        // The last layer of the module that the script looks at.
        let is_in = |index: &usize| model.layers[*index].name.starts_with(layer);
        let place = 1 + (0..model.layers.len()).rev().find(is_in).unwrap();
        let [channels, height, width] = model.layers[place - 1].output[..] else {
            panic!("{name}")
        };
        let mut logits = Vec::new();
        for class in [1, 3] {
            let found = network.sensitivity(&image, place, &[class]).unwrap();
            let (every, step) = ((channels / 8).max(1), (height / 8).max(1));
            let thinned: Vec<f32> = (0..channels)
                .step_by(every)
                .flat_map(|c| (0..height).step_by(step).map(move |y| (c * height + y) * width))
                .flat_map(|row| (0..width).step_by(step).map(move |x| row + x))
                .map(|index| found.outputs[index])
                .collect();
            close(name, &thinned, &golden(&all, &format!("{name}.maps")), 1e-5);
            for (method, theirs) in Method::ALL.into_iter().zip(["GradCAM", "LayerCAM"]) {
                let map = method.map(&found.outputs, &found.gradients, height * width);
                let map = over_image(&map, [height, width], [SIZE; 2]);
                let row = |y: usize| map[y * SIZE..][..SIZE].iter().copied().step_by(4);
                let thinned: Vec<f32> = (0..SIZE).step_by(4).flat_map(row).collect();
                let what = format!("{name}.{theirs}.{class}");
                close(&what, &thinned, &golden(&all, &what), 1e-3);
            }
            logits = found.logits;
        }
        close(name, &logits, &golden(&all, &format!("{name}.logits")), 1e-5);
    }
}

fn trained() -> Bench {
    let bench = Bench::new(SIGNS);
    bench.images("train", &["left", "middle", "right"], 20);
    bench.images("test", &["left", "middle", "right"], 10);
    bench.done(&["run", "experiment.toml", "--quiet"]);
    bench
}

fn size(path: &Path) -> (u32, u32) {
    image::image_dimensions(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn a_results_folder_alone_shows_filters_maps_saliency_patches_and_features() {
    let bench = trained();
    let said = bench.done(&["look", "results/signs"]);
    let folder = bench.path().join("look");
    for name in ["filters.png", "maps-1.png", "saliency.png", "patches.png", "features.png"] {
        assert!(said.contains(name), "{name}: {said}");
        let (width, height) = size(&folder.join(name));
        assert!(width >= 100 && height >= 50, "{name}: {width}×{height}");
    }
    let chart = fs::read_to_string(folder.join("features.svg")).unwrap();
    assert!(chart.contains("principal component") && chart.contains("left"), "{chart}");
    // Nothing of it is left to chance.
    let before = fs::read(folder.join("patches.png")).unwrap();
    bench.done(&["look", "results/signs", "--out", "again"]);
    assert_eq!(before, fs::read(bench.path().join("again/patches.png")).unwrap());
}

#[test]
fn an_image_is_shown_with_its_class_and_another_class_can_be_asked_for() {
    let bench = trained();
    let image = "signs/test/left/000.png";
    let said = bench.done(&["look", "results/signs", image, "--out", "own"]);
    assert!(said.contains(&format!("{image}: ")) && said.contains(" %"), "{said}");
    let own = fs::read(bench.path().join("own/saliency.png")).unwrap();
    bench.done(&["look", "results/signs", image, "--class", "right", "--out", "other"]);
    let other = fs::read(bench.path().join("other/saliency.png")).unwrap();
    assert_ne!(own, other);
    assert!(!bench.path().join("own/patches.png").exists(), "patches take a data set");
}

#[test]
fn what_cannot_be_looked_at_is_told_with_what_can() {
    let bench = trained();
    fs::write(bench.path().join("broken.png"), "no image").unwrap();
    let complaint = |arguments: &[&str], code: i32| {
        let output = bench.wick(&[&["look", "results/signs"], arguments].concat());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let said = complaint(&["--layers", "conv7"], 2);
    assert!(said.contains("the network has no layer conv7"), "{said}");
    assert!(said.contains("layers with maps are "), "{said}");
    let said = complaint(&["--layers", "dense1"], 2);
    assert!(said.contains("the layer dense1 has no maps"), "{said}");
    let said = complaint(&["--class", "rigth"], 2);
    assert!(said.contains("did you mean right?"), "{said}");
    assert!(said.contains("its classes are left, middle, right"), "{said}");
    let said = complaint(&["broken.png"], 2);
    assert!(said.contains("broken.png"), "{said}");
    let said = complaint(&["missing.png"], 2);
    assert!(said.contains("missing.png"), "{said}");
    complaint(&["--channels", "0"], 2);
    complaint(&["--data", "{ folder = \"nowhere\" }"], 2);
    let output = bench.wick(&["look"]);
    assert_eq!(output.status.code(), Some(2));
    let output = bench.wick(&["look", "nothing.safetensors"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_network_without_maps_shows_what_its_neurons_weigh() {
    let bench = trained();
    let dense = "model.layers=[\"flatten\", { dense = \"classes\", norm = \"none\" }]";
    bench.done(&["run", "experiment.toml", "--quiet", "--set", dense, "--results", "flat"]);
    let output = bench.wick(&["look", "flat/signs"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(bench.path().join("look/filters.png").exists());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("no layer of this network has maps"), "{told}");
}
