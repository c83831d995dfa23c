//! Every operation against what PyTorch computes; `kernels.py`, `norms.py` and `recipes.py` in `tests/goldens` have
//! made the numbers.

use std::collections::BTreeMap;

use candle_core::{Result, Tensor};

use candlewick_basis::loss::LossFunction;
use candlewick_basis::optimizer::{
    Adadelta, Adagrad, Adam, AdamW, AdjustLr, Lamb, Lion, Muon, NAdam, Optimizer, Rmsprop, Sgd,
};
use candlewick_basis::shape::Window;

use super::activation::{Activation, activation};
use super::arrange::channels;
use super::buffer::Buffer;
use super::conv::conv2d;
use super::dense::dense;
use super::device::Device;
use super::group_norm::group_norm;
use super::lanes::leave;
use super::layer_norm::layer_norm;
use super::layer_scale::layer_scale;
use super::loss::{cross_entropy, loss};
use super::norm::{Statistics, batch_norm};
use super::pool::{adaptive_avg_pool2d, adaptive_max_pool2d, avg_pool2d, max_pool2d};
use super::response_norm::{LocalResponse, global_response_norm, local_response_norm};
use super::tape::{Tape, Value, numbers, tensor};
use super::tests::taken;
use super::update::apply;

/// The tensors of a case by name.
type Case = BTreeMap<String, Tensor>;

/// The cases of one operation: settings and tensors.
fn cases(operation: &str) -> Vec<(BTreeMap<String, String>, Case)> {
    let tensors = ["kernels", "norms", "recipes"].into_iter().flat_map(|file| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/goldens");
        let path = format!("{folder}/{file}.safetensors");
        candle_core::safetensors::load(path, &candle_core::Device::Cpu).unwrap()
    });
    let mut cases: BTreeMap<String, Case> = BTreeMap::new();
    for (name, tensor) in tensors.collect::<BTreeMap<_, _>>() {
        let (key, label) = name.split_once('|').unwrap();
        if key.split(' ').next() == Some(operation) {
            cases.entry(key.to_owned()).or_default().insert(label.to_owned(), tensor);
        }
    }
    assert!(!cases.is_empty(), "no cases of {operation}");
    let settings = |key: &str| {
        let words = key.split(' ').skip(1);
        words
            .map(|word| word.split_once('=').unwrap_or(("name", word)))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    };
    cases.into_iter().map(|(key, case)| (settings(&key), case)).collect()
}

fn close(found: &[f32], expected: &Tensor, tolerance: f32, what: &str) {
    let expected = numbers(expected).unwrap();
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1.0f32, |largest, x| largest.max(x.abs()));
    for (place, (found, expected)) in found.iter().zip(expected.iter()).enumerate() {
        let error = (found - expected).abs() / scale;
        assert!(error < tolerance, "{what}[{place}]: {found}, PyTorch has {expected}");
    }
}

/// Compares `forward` of the leaves x, w and b, as far as there are, and their gradients: the kernels'
/// and candle's.
fn compare(
    operation: &str,
    tolerance: f32,
    forward: impl Fn(&mut Tape, &[Value], &dyn Fn(&str) -> String) -> Result<Value>,
) {
    for device in [Device::cpu(), Device::cpu_by_candle()] {
        compare_on(&device, operation, tolerance, &forward);
    }
}

fn compare_on(
    device: &Device,
    operation: &str,
    tolerance: f32,
    forward: impl Fn(&mut Tape, &[Value], &dyn Fn(&str) -> String) -> Result<Value>,
) {
    for (settings, case) in cases(operation) {
        let labels: Vec<&str> =
            ["x", "w", "b"].into_iter().filter(|label| case.contains_key(*label)).collect();
        let mut tape = Tape::recording_on(device);
        let leaves: Vec<Value> =
            labels.iter().map(|label| tape.leaf(&case[*label], true)).collect();
        let out = forward(&mut tape, &leaves, &|name| settings[name].clone()).unwrap();
        let out = leave(&mut tape, &out).unwrap();
        let what = |label: &str| format!("{operation} {settings:?} {label} by {}", device.name());
        assert_eq!(out.dims(), case["out"].dims(), "{}", what("shape"));
        close(&numbers(out.tensor()).unwrap(), &case["out"], tolerance, &what("out"));
        let weights = numbers(&case["r"]).unwrap().to_vec();
        let total = tensor(vec![0.0], ()).unwrap();
        let total = tape.record(total, &[&out], move |_, _| Ok(vec![Some(weights)]));
        let mut gradients = tape.backward(&total).unwrap();
        for (label, leaf) in labels.iter().zip(&leaves) {
            let label = format!("d{label}");
            let found = taken(&mut gradients, leaf).unwrap();
            close(&found, &case[&label], tolerance, &what(&label));
        }
    }
}

fn window(setting: &dyn Fn(&str) -> String, kernel: usize, dilation: usize) -> [Window; 2] {
    let number = |name: &str| setting(name).parse().unwrap();
    [Window { kernel, stride: number("stride"), padding: [number("padding"); 2], dilation }; 2]
}

#[test]
fn convolution_is_that_of_pytorch() {
    compare("conv2d", 1e-5, |tape, v, setting| {
        let number = |name: &str| setting(name).parse().unwrap();
        let windows = window(setting, v[1].dims()[2], number("dilation"));
        conv2d(tape, &v[0], &v[1], Some(&v[2]), windows, number("groups"), None)
    });
}

#[test]
fn pooling_is_that_of_pytorch() {
    let number =
        |setting: &dyn Fn(&str) -> String, name: &str| -> usize { setting(name).parse().unwrap() };
    compare("max_pool2d", 1e-6, |tape, v, setting| {
        let windows = window(setting, number(setting, "kernel"), 1);
        max_pool2d(tape, &v[0], windows, number(setting, "ceil") == 1)
    });
    compare("avg_pool2d", 1e-6, |tape, v, setting| {
        let windows = window(setting, number(setting, "kernel"), 1);
        let counts = number(setting, "count") == 1;
        avg_pool2d(tape, &v[0], windows, number(setting, "ceil") == 1, counts)
    });
    compare("adaptive_max_pool2d", 1e-6, |tape, v, setting| {
        adaptive_max_pool2d(tape, &v[0], [number(setting, "height"), number(setting, "width")])
    });
    compare("adaptive_avg_pool2d", 1e-6, |tape, v, setting| {
        adaptive_avg_pool2d(tape, &v[0], [number(setting, "height"), number(setting, "width")])
    });
}

#[test]
fn batch_norm_is_that_of_pytorch() {
    compare("batch_norm", 1e-5, |tape, v, setting| {
        let channels = v[0].dims()[1];
        let [mean, variance] = [0.25, 1.5].map(|value| Buffer::Host(vec![value; channels]));
        let statistics = if setting("training") == "1" {
            Statistics::Batch
        } else {
            Statistics::Running { mean: &mean, variance: &variance }
        };
        Ok(batch_norm(tape, &v[0], &v[1], &v[2], 1e-5, statistics, None)?.0)
    });
}

#[test]
fn norms_of_single_images_are_those_of_pytorch() {
    let number =
        |setting: &dyn Fn(&str) -> String, name: &str| -> usize { setting(name).parse().unwrap() };
    compare("layer_norm", 1e-5, |tape, v, _| layer_norm(tape, &v[0], &v[1], &v[2], 1e-5));
    compare("group_norm", 1e-5, |tape, v, setting| {
        group_norm(tape, &v[0], &v[1], &v[2], number(setting, "groups"), 1e-5)
    });
    compare("global_response_norm", 1e-5, |tape, v, _| {
        global_response_norm(tape, &v[0], &v[1], &v[2], 1e-6)
    });
    compare("local_response_norm", 1e-5, |tape, v, setting| {
        let size = number(setting, "count");
        local_response_norm(tape, &v[0], LocalResponse { size, alpha: 0.3, beta: 0.75, k: 2.0 })
    });
    compare("layer_scale", 1e-5, |tape, v, _| layer_scale(tape, &v[0], &v[1]));
}

#[test]
fn channels_go_where_pytorch_has_them() {
    let count = |v: &[Value]| v[0].dims()[1];
    compare("shuffle", 1e-6, |tape, v, _| {
        let each = count(v) / 2;
        let order: Vec<_> = (0..count(v)).map(|c| Some(c % 2 * each + c / 2)).collect();
        channels(tape, &v[0], &order)
    });
    compare("chunk", 1e-6, |tape, v, _| {
        let order: Vec<_> = (count(v) / 2..count(v)).map(Some).collect();
        channels(tape, &v[0], &order)
    });
    compare("pad", 1e-6, |tape, v, _| {
        let order: Vec<_> = [None].into_iter().chain((0..count(v)).map(Some)).collect();
        channels(tape, &v[0], &[order, vec![None, None]].concat())
    });
}

#[test]
fn activations_are_those_of_pytorch() {
    for (_, case) in cases("hardsigmoid") {
        for device in [Device::cpu(), Device::cpu_by_candle()] {
            let mut tape = Tape::recording_on(&device);
            let x: Vec<f32> = numbers(&case["x"]).unwrap().iter().map(|x| 3.0 * x).collect();
            let x = tape.leaf(&tensor(x, case["x"].shape()).unwrap(), true);
            let y = activation(&mut tape, &x, Activation::Hardsigmoid).unwrap();
            close(&numbers(y.tensor()).unwrap(), &case["out"], 1e-6, "out of hardsigmoid");
            let slopes = numbers(&case["r"]).unwrap().iter().map(|r| 3.0 * r).collect();
            let found = taken(&mut tape.backward_from(&y, slopes).unwrap(), &x).unwrap();
            close(&found, &case["dx"], 1e-6, "dx of hardsigmoid");
        }
    }
    for (settings, case) in cases("activation") {
        let (function, factor) = match settings["function"].as_str() {
            "relu" => (Activation::Relu, 1.0),
            "relu6" => (Activation::Relu6, 4.0),
            "leaky-relu" => (Activation::LeakyRelu(0.1), 1.0),
            "elu" => (Activation::Elu(0.7), 1.0),
            "gelu" => (Activation::Gelu, 1.0),
            "silu" => (Activation::Silu, 1.0),
            "hardswish" => (Activation::Hardswish, 3.0),
            "tanh" => (Activation::Tanh, 1.0),
            "sigmoid" => (Activation::Sigmoid, 1.0),
            other => panic!("{other} is not known here"),
        };
        let scaled = |name: &str| {
            let values: Vec<f32> =
                numbers(&case[name]).unwrap().iter().map(|x| x * factor).collect();
            values
        };
        for device in [Device::cpu(), Device::cpu_by_candle()] {
            let what = |label: &str| format!("{settings:?} {label} by {}", device.name());
            let mut tape = Tape::recording_on(&device);
            let x = tape.leaf(&tensor(scaled("x"), case["x"].shape()).unwrap(), true);
            let y = activation(&mut tape, &x, function).unwrap();
            close(&numbers(y.tensor()).unwrap(), &case["out"], 1e-6, &what("out"));
            let gradients = tape.backward_from(&y, scaled("r"));
            let found = taken(&mut gradients.unwrap(), &x).unwrap();
            close(&found, &case["dx"], 1e-6, &what("dx"));
        }
    }
}

#[test]
fn dense_is_that_of_pytorch() {
    compare("dense", 1e-5, |tape, v, _| dense(tape, &v[0], &v[1], Some(&v[2]), None));
}

#[test]
fn cross_entropy_is_that_of_pytorch() {
    compare("cross_entropy", 1e-6, |tape, v, setting| {
        let weights = [0.5, 1.0, 2.0, 0.25, 1.5];
        let weights = (setting("weighted") == "1").then_some(&weights[..]);
        let smoothing = setting("smoothing").parse().unwrap();
        Ok(cross_entropy(tape, &v[0], &[2, 0, 4, 4, 1, 3], smoothing, weights)?.mean)
    });
}

#[test]
fn optimisers_take_the_steps_of_pytorch() {
    for device in [Device::cpu(), Device::cpu_by_candle()] {
        for (settings, case) in cases("optimizer") {
            takes_the_steps(&device, settings["name"].as_str(), &case);
        }
    }
}

#[test]
fn focal_and_binary_losses_are_those_of_pytorch() {
    for name in ["focal", "bce"] {
        compare(name, 1e-6, |tape, v, setting| {
            let number = |name: &str| setting(name).parse::<f64>().unwrap();
            let weights = [0.5, 1.0, 2.0, 0.25, 1.5];
            let weights = (setting("weighted") == "1").then_some(&weights[..]);
            let function = match name {
                "bce" => LossFunction::Bce,
                _ => LossFunction::Focal(number("gamma")),
            };
            let labels = [2, 0, 4, 4, 1, 3];
            Ok(loss(tape, &v[0], &labels, function, number("smoothing"), weights)?.mean)
        });
    }
}

fn takes_the_steps(device: &Device, name: &str, case: &Case) {
    let parameter = case["x"].copy().unwrap();
    let (lr, eps, weight_decay, betas) = (0.05, 1e-8, 0.01, [0.9, 0.999]);
    let momentum = if name == "sgd" { 0.0 } else { 0.9 };
    let optimizer = match name {
        "sgd" | "momentum" | "nesterov" => {
            Optimizer::Sgd(Sgd { lr, momentum, nesterov: name == "nesterov", weight_decay })
        }
        "adam" => Optimizer::Adam(Adam { lr, betas, eps, weight_decay }),
        "adamw" => Optimizer::AdamW(AdamW { lr, betas, eps, weight_decay }),
        "rmsprop" => Optimizer::Rmsprop(Rmsprop { lr, alpha: 0.9, eps, momentum, weight_decay }),
        "lion" => Optimizer::Lion(Lion { lr, betas: [0.9, 0.99], weight_decay }),
        "lamb" => Optimizer::Lamb(Lamb { lr, betas, eps: 1e-6, weight_decay }),
        "nadam" => Optimizer::NAdam(NAdam { lr, betas, eps, weight_decay, momentum_decay: 4e-3 }),
        "adagrad" => Optimizer::Adagrad(Adagrad { lr, lr_decay: 0.1, eps: 1e-10, weight_decay }),
        "adadelta" => Optimizer::Adadelta(Adadelta { lr, rho: 0.9, eps: 1e-6, weight_decay }),
        "muon-wide" | "muon-tall" => {
            let adjust_lr =
                if name == "muon-tall" { AdjustLr::MatchRmsAdamw } else { AdjustLr::Original };
            let (momentum, nesterov, ns_steps) = (0.95, true, 5);
            let adamw = AdamW { lr, betas, eps, weight_decay };
            let weight_decay = 0.1;
            let muon = Muon { lr, momentum, nesterov, weight_decay, ns_steps, adjust_lr, adamw };
            Optimizer::Muon(muon)
        }
        other => panic!("{other} is not known here"),
    };
    let mut state = [Buffer::default(), Buffer::default()];
    for (index, gradient) in numbers(&case["r"]).unwrap().chunks(parameter.elem_count()).enumerate()
    {
        let gradient = device.buffer(gradient.to_vec(), parameter.dims()).unwrap();
        apply(&optimizer, state.each_mut(), &parameter, gradient, lr, index as u64 + 1).unwrap();
    }
    let what = format!("{name} by {}", device.name());
    close(&numbers(&parameter).unwrap(), &case["out"], 1e-6, &what);
}
