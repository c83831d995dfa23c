//! Presets against torchvision: the same weights and images give the same logits, losses and
//! gradients (`goldens/architectures.py`).

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use candlewick::config::layering::preset;
use candlewick::kernels::loss::cross_entropy;
use candlewick::kernels::merge::weighted_sum;
use candlewick::kernels::tape::numbers;
use candlewick::model::network::Network;
use candlewick::model::whitening::Patches;
use candlewick::plan::model::ModelPlan;
use candlewick::plan::network::network;

const CLASSES: usize = 10;
const SIZE: usize = 64;
const BATCH: usize = 4;

/// `count` numbers in [0, 1): SplitMix64 from the FNV-1a hash of `name`.
pub(super) fn uniform(name: &str, count: usize) -> impl Iterator<Item = f64> + use<> {
    let state = name.bytes().fold(0xCBF2_9CE4_8422_2325u64, |state, byte| {
        (state ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3)
    });
    (1..=count as u64).map(move |index| {
        let mut z = index.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(state);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        (z >> 40) as f64 / 16_777_216.0
    })
}

/// Numbers for the tensor `name` that keep a deep network's values in bounds.
pub(super) fn value(name: &str, shape: &[usize]) -> Vec<f32> {
    let signed = uniform(name, shape.iter().product()).map(|u| 2.0 * u - 1.0);
    let fan_in: usize = shape[1..].iter().product();
    let (start, spread) = if name.ends_with("running_var") {
        (1.0, 0.5)
    } else if name.ends_with("weight") && shape.len() == 1 {
        (0.4, 0.2)
    } else if name.ends_with("weight") {
        (0.0, (6.0 / fan_in as f64).sqrt())
    } else {
        (0.0, 0.1)
    };
    signed.map(|s| (start + spread * s) as f32).collect()
}

/// Numbers for the tensor `name` with which every ReLU and every max pool decides clearly, as in the script:
/// even channels pass a ReLU, odd ones do not, and maps are as monotone as the images.
fn decided(name: &str, shape: &[usize]) -> Vec<f32> {
    if name.contains("running") {
        return value(name, shape);
    }
    let signed: Vec<f64> = uniform(name, shape.iter().product()).map(|u| 2.0 * u - 1.0).collect();
    let each = |number: &dyn Fn(usize, f64) -> f64| -> Vec<f32> {
        signed.iter().enumerate().map(|(index, s)| number(index, *s) as f32).collect()
    };
    match *shape {
        _ if name.ends_with("layer_scale") => each(&|_, s| 0.5 + 0.1 * s),
        [_] if name.ends_with("weight") => each(&|_, s| 0.15 + 0.05 * s),
        [count] => each(&|index, s| match index % 2 == 0 || count == CLASSES {
            true => 1.0 + 0.1 * s,
            false => -16.0,
        }),
        _ => {
            let channels = shape[1];
            let taps: usize = shape[2..].iter().product();
            let middle = shape[2..].iter().fold(0, |at, size| at * size + size / 2);
            let aside = 0.003 / ((channels * taps) as f64).sqrt();
            each(&|index, s| {
                let (filter, channel) = (index / taps / channels, index / taps % channels);
                let main = match channels % 2 {
                    0 => (filter / 2 * 6 + 2) % channels,
                    _ => filter % channels,
                };
                match index % taps == middle {
                    false => aside * s,
                    true if channel == main => {
                        0.3 / channels as f64 * (1.0 + 0.5 * s) + 0.7 * (1.0 + 0.5 * s)
                    }
                    true => 0.3 / channels as f64 * (1.0 + 0.5 * s),
                }
            })
        }
    }
}

pub(super) fn plan(name: &str, size: usize, sets: &[&str]) -> ModelPlan {
    // Drawing first values that are replaced would take longer than the rest.
    let sets = sets.iter().chain(&["model.defaults.init={ constant = 0 }"]);
    let sets: Vec<String> = sets.map(|set| (*set).to_owned()).collect();
    let root = preset(name, &sets).unwrap_or_else(|e| panic!("{name}: {}", e.render(false)));
    network(&root, [3, size, size], CLASSES).unwrap_or_else(|e| panic!("{}", e.render(false)))
}

/// The network with weights made from their names.
pub(super) fn filled(plan: &ModelPlan, value: fn(&str, &[usize]) -> Vec<f32>) -> Network {
    let mut network = Network::new(plan, 1).unwrap();
    let mut weights = network.weights().unwrap();
    for (name, (shape, values)) in &mut weights {
        *values = value(name, shape);
    }
    network.load(&weights).unwrap();
    network
}

fn images(size: usize) -> Tensor {
    let pixels: Vec<f32> =
        uniform("images", BATCH * 3 * size * size).map(|u| (2.0 * u - 1.0) as f32).collect();
    Tensor::from_vec(pixels, (BATCH, 3, size, size), &Device::Cpu).unwrap()
}

/// Images that grow with each row and each column.
fn ramps(size: usize, batch: usize) -> Tensor {
    let drawn: Vec<f64> = uniform("ramps", batch * 3 * 5).collect();
    let mut pixels = Vec::new();
    for drawn in drawn.as_chunks::<5>().0 {
        let along = |slope: f64, bend: f64, at: usize| {
            let at = (at as f64 + 0.5) / size as f64;
            (0.6 + slope) * (at + (bend - 0.5) * at * (1.0 - at))
        };
        for (y, x) in (0..size).flat_map(|y| (0..size).map(move |x| (y, x))) {
            let both = along(drawn[0], drawn[1], x) + along(drawn[2], drawn[3], y);
            pixels.push((both + drawn[4] - 0.5) as f32);
        }
    }
    Tensor::from_vec(pixels, (batch, 3, size, size), &Device::Cpu).unwrap()
}

/// Rows of (what, norm, value).
type Rows = Vec<(String, f64, f64)>;

/// A number that a preset's rows may have.
fn number(rows: &Rows, what: &str) -> Option<usize> {
    rows.iter().find(|row| row.0 == what).map(|row| row.2 as usize)
}

/// What torchvision says of each preset.
fn golden() -> BTreeMap<String, Rows> {
    let mut golden = BTreeMap::<_, Vec<_>>::new();
    let mut reader = csv::Reader::from_path("tests/goldens/architectures.csv").unwrap();
    for row in reader.deserialize::<(String, String, Option<f64>, f64)>() {
        let (preset, what, norm, value) = row.unwrap();
        golden.entry(preset).or_default().push((what, norm.unwrap_or(0.0), value));
    }
    golden
}

/// One of each family; eleven larger ones of the same blocks are looked at now and then.
const SMALL: [&str; 30] = [
    "alexnet",
    "alexnet_lrn",
    "vgg11",
    "vgg11-bn",
    "resnet18",
    "resnet50",
    "resnext50_32x4d",
    "googlenet",
    "squeezenet1_0",
    "squeezenet1_1",
    "densenet121",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "shufflenet_v2_x0_5",
    "mnasnet0_5",
    "mnasnet1_3",
    "efficientnet_b0",
    "efficientnet_v2_s",
    "tf_efficientnet_lite0",
    "regnet_x_400mf",
    "regnet_y_400mf",
    "inception_v3",
    "convnext_tiny",
    "lenet5",
    "resnet9",
    "resnet20",
    "resnet56",
    "airbench",
    "cbam_resnet18",
];

#[test]
fn a_preset_of_each_family_gives_torchvisions_logits() {
    give_the_logits(|name| SMALL.contains(&name), 30);
}

#[test]
#[ignore = "some minutes: just test-presets"]
fn eleven_larger_presets_give_torchvisions_logits() {
    give_the_logits(|name| !SMALL.contains(&name), 11);
}

fn give_the_logits(wanted: impl Fn(&str) -> bool, count: usize) {
    let mut golden = golden();
    golden.retain(|name, _| wanted(name));
    assert_eq!(golden.len(), count);
    for (name, rows) in golden {
        let size = number(&rows, "size").unwrap_or(SIZE);
        // Its auxiliary head does not fit on images of this size.
        let sets: &[&str] = match name.as_str() {
            "inception_v3" => &["model.parameters.auxiliary=0"],
            _ => &[],
        };
        let mut network = filled(&plan(&name, size, sets), value);
        let pass = network.forward(&images(size), false, 0).unwrap();
        let found = numbers(pass.logits.tensor()).unwrap();
        let expected: Vec<f64> =
            rows.iter().filter(|(what, ..)| what.starts_with("logit ")).map(|row| row.2).collect();
        assert_eq!(expected.len(), found.len(), "{name}");
        let scale = expected.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
        for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let error = (f64::from(*found) - expected).abs() / scale;
            assert!(error < 1e-4, "{name}: logit {index} is {found}, not {expected}");
        }
    }
}

/// The smallest distance of a ReLU's input from 0, or of a window's largest number from the next, in what
/// torchvision computes. All these numbers are about 1, and rounding is some 1e-6 of them: a ReLU or a pool that
/// decided the other way would change the gradients of all layers below by percents.
const MARGIN: f64 = 1e-4;

/// Of so many decisions one may be closer. Images of Inception's size have so many windows that in some the two
/// largest numbers are close, and which of two pixels takes the gradient of one of them does not show.
const FEW: usize = 100_000;

#[test]
fn each_family_gives_torchvisions_loss_and_gradients() {
    let (mut families, mut wrong) = (0, Vec::new());
    for (name, rows) in golden() {
        let Some((_, _, loss)) = rows.iter().find(|(what, ..)| what == "loss") else { continue };
        families += 1;
        let margin = rows.iter().find(|(what, ..)| what == "margin").unwrap().2;
        if margin <= MARGIN {
            let [close, of] =
                ["close decisions", "decisions"].map(|what| number(&rows, what).unwrap());
            assert!(close * FEW <= of, "{name}: {close} of {of} decisions are close: {margin}");
        }
        // torchvision's dropout layers are switched off for this.
        let mut sets = vec!["model.parameters.dropout=0"];
        if name == "googlenet" {
            sets.push("model.parameters.auxiliary-dropout=0");
        }
        if name.starts_with("efficientnet") || name.starts_with("convnext") {
            sets.push("model.parameters.stochastic-depth=0");
        }
        let of_logits = number(&rows, "size").unwrap_or(SIZE);
        let size = number(&rows, "training size").unwrap_or(of_logits);
        let batch = number(&rows, "training batch").unwrap_or(BATCH);
        let plan = plan(&name, size, &sets);
        let mut network = filled(&plan, decided);
        let labels: Vec<u32> = (0..batch).map(|i| ((3 * i + 1) % CLASSES) as u32).collect();
        let mut pass = network.forward(&ramps(size, batch), true, 0).unwrap();
        let mut losses = Vec::new();
        let heads = pass.auxiliary.iter().zip(&plan.auxiliary);
        let logits =
            [(&pass.logits, 1.0)].into_iter().chain(heads.map(|(l, h)| (l, h.loss_weight)));
        for (logits, weight) in logits.map(|(l, w)| (l.clone(), w)).collect::<Vec<_>>() {
            let loss = cross_entropy(&mut pass.tape, &logits, &labels, 0.0, None).unwrap();
            losses.push((loss.mean, weight));
        }
        let total = weighted_sum(&mut pass.tape, &losses).unwrap();
        let found = f64::from(total.tensor().to_scalar::<f32>().unwrap());
        assert!((found / loss - 1.0).abs() < 1e-5, "{name}: the loss is {found}, not {loss}");
        let gradients = network.backward(pass, &total).unwrap();
        let largest = rows.iter().fold(0.0f64, |largest, row| largest.max(row.1));
        let mut checked = 0;
        let all = network.parameters().iter().zip(&gradients);
        for (parameter, gradient) in all.filter(|(parameter, _)| parameter.learns) {
            let row = rows.iter().find(|(what, ..)| *what == parameter.name);
            let (_, norm, dot) = row.unwrap_or_else(|| panic!("{name}: no {}", parameter.name));
            let gradient = gradient.numbers().unwrap();
            let pattern = uniform(&format!("{} pattern", parameter.name), gradient.len());
            let found_dot: f64 =
                gradient.iter().zip(pattern).map(|(g, u)| f64::from(*g) * (2.0 * u - 1.0)).sum();
            let found_norm = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
            // A bias in front of batch norm has no gradient but rounding, and filters in front of one that sees
            // four pixels of four images have little else: 1.2e-6 of the largest in MobileNetV2's last layer,
            // 8e-7 in EfficientNet's, 5.1e-7 in MnasNet's, 1.3e-7 in ShuffleNetV2's, below 1e-7 everywhere else.
            let narrow = [("mobile", 2e-6), ("efficient", 2e-6), ("mnas", 1e-6), ("shuffle", 2e-7)];
            let found = narrow.into_iter().find(|(word, _)| name.contains(word));
            let rounding = found.map_or(1e-7, |(_, rounding)| rounding);
            let allowed = 1e-4 * norm + rounding * largest;
            for (found, expected) in [(found_norm, norm), (found_dot, dot)] {
                let error = (found - expected).abs();
                if error >= allowed {
                    let (of, all) = (error / norm, error / largest);
                    wrong.push(format!(
                        "{name}: {}: {found} instead of {expected}: {of:e} of its norm, {all:e} of the largest",
                        parameter.name
                    ));
                }
            }
            checked += 1;
        }
        assert_eq!(checked, rows.iter().filter(|(_, norm, _)| *norm > 0.0).count(), "{name}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(families, 23);
}

#[test]
fn whitening_filters_are_those_of_airbench() {
    const IMAGE: [usize; 3] = [3, 6, 6];
    let mut images: Vec<f32> =
        uniform("whitened", 20 * 108).map(|u| (2.0 * u - 1.0) as f32).collect();
    for row in images.chunks_mut(6) {
        // From behind: each pixel gets half of what its neighbour was.
        for at in (1..6).rev() {
            row[at] = (f64::from(row[at]) + 0.5 * f64::from(row[at - 1])) as f32;
        }
    }
    let mut patches = Patches::new(IMAGE, [2, 2]);
    images.chunks(7 * 108).for_each(|some| patches.add(some));
    let found = patches.filters(5e-4);
    let golden = std::fs::read_to_string("tests/goldens/whitening.csv").unwrap();
    let expected: Vec<f64> =
        golden.lines().flat_map(|line| line.split(',')).map(|x| x.parse().unwrap()).collect();
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert!((f64::from(*found) - expected).abs() < 1e-5, "{index}: {found}, not {expected}");
    }
}
