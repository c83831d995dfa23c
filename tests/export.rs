//! Exported networks give the logits that they give here, in another program.

use candle_core::{Device, Tensor};
use candlewick::augment::Chain;
use candlewick::config::layering::preset;
use candlewick::data::Normalisation;
use candlewick::export::{Input, Options, onnx};
use candlewick::kernels::tape::numbers;
use candlewick::model::network::{Network, Weights};
use candlewick::plan::data::{Fit, Image};
use candlewick::plan::model::ModelPlan;
use candlewick::plan::network::network;
use candlewick::train::card::Card;
use tract_onnx::prelude::*;

use super::architectures::{uniform, value};

const CLASSES: usize = 7;
const BATCH: usize = 3;

/// An export as it is without options.
const PLAIN: Options = Options { input: Input::Normalised, fold_batch_norm: false, softmax: false };

const FOLDED: Options = Options { fold_batch_norm: true, ..PLAIN };

/// A network and images for it, made from names.
struct Sample {
    card: Card,
    weights: Weights,
    /// `[batch, height, width, channels]`.
    pixels: Vec<u8>,
}

impl Sample {
    fn new(name: &str, side: usize, sets: &[&str]) -> Sample {
        // Drawing first values that are replaced would take longer than the rest.
        let sets = sets.iter().chain(&["model.defaults.init={ constant = 0 }"]);
        let sets: Vec<String> = sets.map(|set| (*set).to_owned()).collect();
        let root = preset(name, &sets).unwrap_or_else(|e| panic!("{name}: {}", e.render(false)));
        let model = network(&root, [3, side, side], CLASSES);
        let model = model.unwrap_or_else(|e| panic!("{name}: {}", e.render(false)));
        let weights = model.tensors().into_iter().map(|(name, shape)| {
            let values = value(&name, &shape);
            (name, (shape, values))
        });
        let weights = weights.collect();
        let pixels = uniform("images", BATCH * 3 * side * side);
        let pixels = pixels.map(|u| (256.0 * u) as u8).collect();
        Sample { card: card(model, side), weights, pixels }
    }

    /// `[batch, channels, height, width]`, normalised.
    fn images(&self) -> Vec<f32> {
        let Card { mean, std, .. } = &self.card;
        let table = Normalisation { mean: mean.clone(), std: std.clone() }.table();
        let mut images = vec![0.0; self.pixels.len()];
        let one = self.pixels.len() / BATCH;
        let all = self.pixels.chunks(one).zip(images.chunks_mut(one));
        all.for_each(|(pixels, out)| table.write(pixels, out));
        images
    }

    /// What the network itself says.
    fn logits(&self) -> Vec<f32> {
        let mut network =
            Network::starting_from(&self.card.model, 0, self.weights.clone()).unwrap();
        let shape = [&[BATCH], &self.card.model.input[..]].concat();
        let images = Tensor::from_vec(self.images(), shape, &Device::Cpu).unwrap();
        let pass = network.forward(&images, false, 0).unwrap();
        numbers(pass.logits.tensor()).unwrap().to_vec()
    }

    /// What tract makes of the exported file.
    fn read_back(&self, options: Options) -> Vec<f32> {
        let exported = onnx(&self.card, self.weights.clone(), options).unwrap();
        let side = self.card.image.size[0];
        let input: tract_onnx::prelude::Tensor = match options.input {
            Input::Normalised => tensor(&[BATCH, 3, side, side], &self.images()),
            Input::Pixels => {
                let places = (0..BATCH * 3 * side * side).map(|place| {
                    let (image, rest) = (place / (3 * side * side), place % (3 * side * side));
                    let (channel, pixel) = (rest / (side * side), rest % (side * side));
                    f32::from(self.pixels[(image * side * side + pixel) * 3 + channel])
                });
                tensor(&[BATCH, 3, side, side], &places.collect::<Vec<f32>>())
            }
            Input::Bytes => tensor(&[BATCH, side, side, 3], &self.pixels),
        };
        run(&exported.bytes, input)
    }
}

fn card(model: ModelPlan, side: usize) -> Card {
    Card {
        task: Default::default(),
        thresholds: Vec::new(),
        top_k: None,
        program: "candlewick 0.1.0".to_owned(),
        seed: 1,
        images: String::new(),
        classes: (0..CLASSES).map(|class| format!("class, \"{class}\"")).collect(),
        mean: vec![0.485, 0.456, 0.406],
        std: vec![0.229, 0.224, 0.225],
        image: Image { size: [side, side], channels: 3 },
        fit: Fit::Stretch,
        own_size: None,
        centre: false,
        evaluation: Chain::default(),
        test_time: Vec::new(),
        data: None,
        model,
    }
}

fn tensor<T: Datum + Copy>(shape: &[usize], values: &[T]) -> tract_onnx::prelude::Tensor {
    tract_onnx::prelude::Tensor::from_shape(shape, values).unwrap()
}

/// The result of an ONNX file for `input`; the number of images is open in it.
fn run(file: &[u8], input: tract_onnx::prelude::Tensor) -> Vec<f32> {
    let model = tract_onnx::onnx().model_for_read(&mut &file[..]).unwrap();
    let model = model.into_optimized().unwrap().into_runnable().unwrap();
    let results = model.run(tvec!(input.into())).unwrap();
    assert_eq!(results[0].shape(), [BATCH, CLASSES]);
    results[0].to_plain_array_view::<f32>().unwrap().iter().copied().collect()
}

/// Fails if logits differ by more than 1e-4 of the largest one.
fn assert_same(name: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let largest = expected.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
    assert!(largest > 0.0, "{name}: all logits are 0");
    for (found, expected) in found.iter().zip(expected) {
        let error = (found - expected).abs() / largest;
        assert!(error < 1e-4, "{name}: {found}, not {expected}: {error} of the largest logit");
    }
}

#[test]
fn every_small_preset_gives_the_same_logits_in_tract_folded_or_not() {
    let presets = [
        ("plain", 32, ""),
        ("demo", 32, ""),
        ("vgg6", 32, ""),
        ("alexnet-32", 32, "model.parameters.width=16"),
        ("vgg11-32", 32, "model.parameters.width=16"),
        ("resnet18-32", 32, "model.parameters.width=16"),
        ("resnet34-32", 32, "model.parameters.width=8"),
        ("googlenet-32", 32, "model.parameters.width=0.25"),
        ("resnet50", 64, "model.parameters.width=16"),
        ("googlenet", 64, "model.parameters.width=0.25"),
        ("squeezenet1_1", 64, ""),
        ("mobilenet_v2", 64, ""),
        ("resnext50_32x4d", 64, "model.parameters.width=16"),
        ("densenet121", 64, "model.parameters.growth=8"),
        ("mobilenet_v3_small", 64, ""),
        ("shufflenet_v2_x0_5", 64, ""),
        ("mnasnet0_5", 64, ""),
        ("efficientnet_b0", 64, ""),
        ("tf_efficientnet_lite0", 63, ""),
        ("regnet_y_400mf", 64, ""),
        ("inception_v3", 96, "model.parameters.width=0.25; model.parameters.auxiliary=0"),
        ("convnext_tiny", 64, "model.parameters.widths=[24, 32, 40, 48]"),
        ("lenet5", 32, ""),
        ("resnet9", 32, "model.parameters.width=16"),
        ("resnet20", 32, ""),
        ("wrn-28-10", 32, "model.parameters.width=1"),
        ("airbench", 28, "model.parameters.widths=[16, 32, 32]"),
        ("alexnet_lrn", 64, "model.parameters.width=12; model.parameters.dense=32"),
        ("cbam_resnet18", 64, "model.parameters.width=16"),
    ];
    for (name, side, set) in presets {
        let sets: Vec<&str> = set.split("; ").filter(|set| !set.is_empty()).collect();
        let sample = Sample::new(name, side, &sets);
        let logits = sample.logits();
        for options in [PLAIN, FOLDED] {
            let fold = if options.fold_batch_norm { "folded" } else { "as it is" };
            assert_same(&format!("{name}, {fold}"), &sample.read_back(options), &logits);
        }
    }
}

/// Every kind of layer with every parameter that changes what it does, on maps of uneven sides.
const EVERYTHING: &str = r#"model.layers=[
  { conv = 12, kernel = [3, 5], stride = [1, 2], padding = "same", norm = "batch", activation = "silu", dropout = 0.2 },
  { conv = 12, kernel = 3, padding = 1, norm = { batch = { weight = false } }, init = "dirac" },
  { blur-pool = 3, stride = 1 },
  { branches = [[], [
    { branches = [[{ channel-pool = "max" }], [{ channel-pool = "mean" }]] },
    { conv = 1, kernel = 7, padding = 3, norm = "batch", activation = "sigmoid" },
  ]], merge = "multiply" },
  { branches = [[], [
    { branches = [[{ adaptive-avg-pool = 1 }], [{ adaptive-max-pool = 1 }]], merge = "rows" },
    { dense = 12, each-pixel = true, activation = "sigmoid" },
    { avg-pool = [2, 1] },
    { scale = 1.5 },
  ]], merge = "multiply" },
  { conv = 12, kernel = 3, padding = 2, dilation = 2, groups = 3, bias = false, norm = "none", activation = "gelu" },
  { separable-conv = 16, kernel = 3, padding = 1, norm = "batch", activation = "hardswish" },
  { max-pool = 3, stride = 2, padding = 1, ceil = true },
  { residual = [
    { conv = 16, kernel = 3, padding = 1, norm = "batch", activation = "none" },
    { squeeze-excite = 4 },
  ], activation = { leaky-relu = 0.1 }, stochastic-depth = 0.3 },
  { avg-pool = 3, stride = 2, padding = 1, ceil = true },
  { branches = [
    [{ chunk = 0, of = 2 }, "layer-norm"],
    [{ chunk = 1, of = 2 }, { group-norm = 4 }, { global-response-norm = true }],
  ] },
  { channel-shuffle = 2 },
  { residual = [
    { dense = 16, each-pixel = true, norm = "batch", activation = "hardsigmoid" },
    { local-response-norm = 5, alpha = 0.5, k = 2.0 },
    { conv = 16, kernel = 1, norm = { group = 4 }, activation = "relu", dropout = 0.1 },
    { separable-conv = 16, kernel = 3, padding = 1, norm = "layer", activation = "tanh" },
    { layer-scale = 0.5 },
    { eca = 3 },
  ], shortcut = [{ chunk = 1, of = 2 }, { pad-channels = [3, 5] }, "instance-norm"], activation = "none" },
  { branches = [[{ squeeze-excite = { neurons = 3 } }], []], merge = "multiply" },
  { auxiliary = ["flatten", { dense = "classes" }] },
  { branches = [
    [{ conv = 8, kernel = 1, norm = "none", activation = { elu = 0.7 } }],
    [{ avg-pool = 3, stride = 1, padding = 1, count-padding = false }, { conv = 6, kernel = 1, norm = "none", activation = "tanh" }],
    [],
  ] },
  { branches = [
    [{ conv = 10, kernel = 1, norm = "none", activation = "none" }, { dropout = { channels = 0.2 } }, "batch-norm"],
    [{ conv = 10, kernel = 1, norm = "none", activation = "relu" }, "batch-norm"],
    [{ conv = 10, kernel = 1, norm = "none", activation = "relu6" }],
  ], merge = "sum" },
  { activation = "sigmoid" },
  { branches = [[{ adaptive-avg-pool = [3, 4] }], [{ adaptive-max-pool = [3, 4] }]] },
  { avg-pool = 2, stride = 1, padding = 1 },
  { max-pool = [2, 1], stride = [3, 1], ceil = true },
  "flatten",
  { dense = 20, norm = "batch", activation = "relu", dropout = 0.5 },
  { dense = 20, bias = false, norm = "none", activation = "none" },
  "batch-norm",
  { dense = "classes" },
]"#;

#[test]
fn every_kind_of_layer_gives_the_same_logits_in_tract_whatever_comes_in() {
    // Pools that round up meet rows and columns that are left over at some of these sizes.
    for side in [27, 28, 29, 30, 31] {
        let sample = Sample::new("plain", side, &[EVERYTHING]);
        let logits = sample.logits();
        for input in [Input::Normalised, Input::Pixels, Input::Bytes] {
            for fold_batch_norm in [false, true] {
                let options = Options { input, fold_batch_norm, softmax: false };
                let found = sample.read_back(options);
                assert_same(&format!("{side}, {options:?}"), &found, &logits);
            }
        }
    }
}

#[test]
fn batch_norms_are_folded_where_a_product_is_all_that_they_see() {
    let sample = Sample::new("plain", 28, &[EVERYTHING]);
    let left = |options| onnx(&sample.card, sample.weights.clone(), options).unwrap().batch_norms;
    assert_eq!(left(PLAIN), 11);
    // One stands behind an activation.
    assert_eq!(left(FOLDED), 1);
}

#[test]
fn adaptive_pools_with_uneven_or_more_bins_than_pixels_are_the_same_too() {
    let bins = ["[1, 1]", "[5, 5]", "[10, 2]", "[7, 3]", "[13, 1]", "[10, 10]", "[2, 17]"];
    for (bins, kind) in bins.into_iter().flat_map(|bins| ["avg", "max"].map(|kind| (bins, kind))) {
        let layers = format!(
            "model.layers=[{{ adaptive-{kind}-pool = {bins} }}, \"flatten\", {{ dense = \"classes\" }}]"
        );
        let sample = Sample::new("plain", 10, &[&layers]);
        assert_same(bins, &sample.read_back(PLAIN), &sample.logits());
    }
}

#[test]
fn local_response_norms_see_the_same_channels_be_they_even_or_odd_in_number() {
    for size in [1, 2, 3, 4, 5, 8, 20] {
        let layers = format!(
            "model.layers=[{{ conv = 6, kernel = 3 }}, {{ local-response-norm = {size}, alpha = 2.0, k = 0.5 }}, \
             \"flatten\", {{ dense = \"classes\" }}]"
        );
        let sample = Sample::new("plain", 8, &[&layers]);
        assert_same(&format!("{size} channels"), &sample.read_back(PLAIN), &sample.logits());
    }
}

#[test]
fn probabilities_are_the_softmax_of_the_logits() {
    let sample = Sample::new("plain", 32, &[]);
    let found = sample.read_back(Options { softmax: true, ..PLAIN });
    for (row, logits) in found.chunks(CLASSES).zip(sample.logits().chunks(CLASSES)) {
        let total: f32 = logits.iter().map(|logit| libm::expf(*logit)).sum();
        for (found, logit) in row.iter().zip(logits) {
            assert!((found - libm::expf(*logit) / total).abs() < 1e-5);
        }
    }
}

#[test]
fn a_file_says_what_its_classes_are_and_how_images_come_to_it() {
    let sample = Sample::new("plain", 32, &[]);
    let bytes = |seed| {
        let card = Card { seed, ..sample.card.clone() };
        onnx(&card, sample.weights.clone(), PLAIN).unwrap().bytes
    };
    assert_eq!(bytes(1), bytes(1), "the same network gives the same bytes");
    let file = bytes(1);
    let model = tract_onnx::onnx().model_for_read(&mut &file[..]).unwrap();
    let word = |key: &str| {
        let value = model.properties.get(&format!("onnx.{key}")).unwrap_or_else(|| panic!("{key}"));
        value.to_plain_array_view::<String>().unwrap().iter().next().unwrap().clone()
    };
    let classes: Vec<String> = serde_json::from_str(&word("metadata_props.classes")).unwrap();
    assert_eq!(classes, sample.card.classes);
    let preprocessing: serde_json::Value =
        serde_json::from_str(&word("metadata_props.preprocessing")).unwrap();
    assert_eq!(
        preprocessing,
        serde_json::json!({
            "size": [32, 32], "channels": 3, "resize": "stretch",
            "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
        })
    );
    assert_eq!(word("metadata_props.input"), "normalised");
    assert_eq!(word("metadata_props.trained-by"), "candlewick 0.1.0");
    assert_eq!(word("metadata_props.weights").len(), 64);
    assert_eq!(word("producer_name"), "candlewick");
}

#[test]
fn weights_that_are_not_the_networks_are_refused() {
    let sample = Sample::new("plain", 32, &[]);
    let mut weights = sample.weights.clone();
    weights.insert("dense1.weight".to_owned(), (vec![2], vec![0.0; 2]));
    let wrong = |weights: Weights| onnx(&sample.card, weights, PLAIN).err().unwrap().to_string();
    assert_eq!(
        wrong(weights.clone()),
        "dense1.weight is 2 in the weights, the network needs 120×576"
    );
    weights.remove("conv1.bias");
    assert_eq!(wrong(weights), "conv1.bias is missing from the weights");
}
