//! The presets are the networks of the papers: torchvision's parameters, and costs as published.

use candlewick::config::layering::preset;
use candlewick::config::presets::PRESETS;
use candlewick::plan::model::ModelPlan;
use candlewick::plan::network::network;

fn plan(name: &str, size: usize, classes: usize, sets: &[&str]) -> ModelPlan {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    let root = preset(name, &sets).unwrap_or_else(|e| panic!("{name}: {}", e.render(false)));
    let plan = network(&root, [3, size, size], classes);
    plan.unwrap_or_else(|e| panic!("{name}: {}", e.render(false)))
}

/// torchvision's number of parameters for 1,000 classes, and GFLOPs as its tables have them.
const PUBLISHED: [(&str, u64, f64); 18] = [
    ("alexnet", 61_100_840, 0.714),
    ("vgg11", 132_863_336, 7.609),
    ("vgg11-bn", 132_868_840, 7.609),
    ("vgg13", 133_047_848, 11.308),
    ("vgg13-bn", 133_053_736, 11.308),
    ("vgg16", 138_357_544, 15.47),
    ("vgg16-bn", 138_365_992, 15.47),
    ("vgg19", 143_667_240, 19.632),
    ("vgg19-bn", 143_678_248, 19.632),
    ("resnet18", 11_689_512, 1.814),
    ("resnet34", 21_797_672, 3.664),
    ("resnet50", 25_557_032, 4.089),
    ("resnet101", 44_549_160, 7.801),
    ("resnet152", 60_192_808, 11.514),
    ("googlenet", 13_004_888, 1.498),
    ("squeezenet1_0", 1_248_424, 0.819),
    ("squeezenet1_1", 1_235_496, 0.349),
    ("mobilenet_v2", 3_504_872, 0.301),
];

#[test]
fn presets_have_the_published_parameters_and_flops() {
    for (name, parameters, gflops) in PUBLISHED {
        let plan = plan(name, 224, 1000, &[]);
        assert_eq!(plan.parameters(), parameters, "{name}");
        let found = plan.flops() as f64 / 1e9;
        assert!((found / gflops - 1.0).abs() < 0.01, "{name}: {found} instead of {gflops} GFLOPs");
    }
    let headless = plan("googlenet", 224, 1000, &["model.parameters.auxiliary=0"]);
    assert_eq!(headless.parameters(), 6_624_904);
}

/// FNV-1a of the names and shapes of all tensors, as `goldens/presets.py` has it.
fn names(plan: &ModelPlan) -> String {
    let mut tensors = plan.tensors();
    tensors.sort();
    let mut state = 0xCBF2_9CE4_8422_2325u64;
    for (name, shape) in tensors {
        let sides: Vec<String> = shape.iter().map(ToString::to_string).collect();
        for byte in format!("{name} {}\n", sides.join("x")).bytes() {
            state = (state ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3);
        }
    }
    format!("{state:016x}")
}

#[test]
fn presets_have_the_names_parameters_and_flops_of_torchvision_timm_or_the_paper() {
    let mut reader = csv::Reader::from_path("tests/goldens/presets.csv").unwrap();
    let mut wrong = Vec::new();
    for row in reader.deserialize::<(String, usize, u64, String, String)>() {
        let (name, size, parameters, written, hash) = row.unwrap();
        let gflops: f64 = written.parse().unwrap();
        // Nobody has said what the small ones' layers are called.
        let has_names = !["lenet5", "resnet9"].contains(&name.as_str());
        let plan = plan(&name, size, 1000, &[]);
        if plan.parameters() != parameters {
            wrong.push(format!("{name}: {} parameters, not {parameters}", plan.parameters()));
        } else if has_names && names(&plan) != hash {
            wrong.push(format!("{name}: other names"));
        }
        let found = plan.flops() as f64 / 1e9;
        // torchvision's tables have three digits behind the point, the script's own counts six.
        let rounding = if written.len() > "0.000".len() && gflops < 1.0 { 0.0 } else { 0.0005 };
        if (found - gflops).abs() > 0.01 * gflops + rounding {
            wrong.push(format!("{name}: {found} instead of {gflops} GFLOPs"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_preset_has_a_network_for_its_images_and_says_what_it_is() {
    for (name, text) in PRESETS {
        let cifar = ["resnet9", "resnet20", "resnet32", "resnet44", "resnet56", "resnet110"];
        let small = ["plain", "demo", "vgg6", "lenet5", "wrn-28-10", "airbench"];
        let is_small = name.ends_with("-32") || small.contains(&name) || cifar.contains(&name);
        let size = match name {
            "inception_v3" => 299,
            _ => {
                if is_small {
                    32
                } else {
                    224
                }
            }
        };
        let plan = plan(name, size, 43, &[]);
        assert_eq!(plan.layers.last().unwrap().output, [43], "{name}");
        assert!(text.starts_with("# "), "{name} does not say what it is");
        assert!(text.contains("\n[model]\n"), "{name} has no table [model]");
    }
}

#[test]
fn width_depth_stem_and_dropout_are_parameters_of_a_preset() {
    let narrow = plan("resnet18-32", 32, 10, &["model.parameters.width=16"]);
    assert_eq!(narrow.layers[0].output, [16, 32, 32]);
    let deep = plan("resnet18-32", 32, 10, &["model.parameters.blocks=[3, 3, 3, 3]"]);
    let count = |plan: &ModelPlan| plan.layers.iter().filter(|l| l.name.contains("conv")).count();
    assert_eq!(count(&deep), count(&narrow) + 8);
    let stem = "model.parameters.stem=[{ conv = \"$width\", kernel = 5, stride = 2, padding = 2, name = \"conv1\" }]";
    assert_eq!(plan("resnet18", 64, 10, &[stem]).layers[0].output, [64, 32, 32]);
    let dropped = plan("vgg16", 32, 10, &["model.parameters.dropout=0.1"]);
    assert!(dropped.layers.iter().any(|layer| layer.summary().contains("dropout 0.1")));
}

#[test]
fn norms_of_single_images_are_settings_like_batch_norm() {
    for (norm, kind) in [
        ("\"layer\"", "layer-norm"),
        ("\"instance\"", "group-norm 6"),
        ("{ group = 2 }", "group-norm 2"),
    ] {
        let norm = format!("model.defaults.norm={norm}");
        let set = "model.defaults.dropout=0.1";
        let layers =
            "model.layers=[{ conv = 6, kernel = 3 }, \"flatten\", { dense = \"classes\" }]";
        let plan = plan("plain", 32, 10, &[layers, &norm, set]);
        let names: Vec<&str> = plan.layers.iter().map(|layer| layer.name.as_str()).collect();
        let own = ["conv1", "conv1.norm", "conv1.activation", "conv1.dropout"];
        assert_eq!(names[..4], own, "{norm}");
        assert_eq!(plan.layers[1].summary(), kind);
        assert!(plan.tensors().contains(&("conv1.norm.weight".to_owned(), vec![6])));
        assert_eq!(names[4..], ["flatten1", "dense1"], "the last layer has no norm");
    }
}

#[test]
fn attention_takes_its_place_at_the_end_of_each_residual_and_costs_what_its_layers_do() {
    let [plain, gated] = ["resnet18", "cbam_resnet18"].map(|name| plan(name, 64, 10, &[]));
    let more = |channels: u64| 2 * (channels * channels / 16) + channels / 16 + channels + 98 + 2;
    let expected: u64 = [64, 128, 256, 512].map(|channels| 2 * more(channels)).iter().sum();
    assert_eq!(gated.parameters() - plain.parameters(), expected);
    let squeeze = "model.blocks.attention.layers=[{ squeeze-excite = 16, name = \"se\" }]";
    let squeezed = plan("resnet18", 64, 10, &[squeeze]);
    assert!(squeezed.layers.iter().any(|layer| layer.name == "layer4.1.se.fc2"));
    let names = |plan: &ModelPlan| -> Vec<String> {
        plan.layers.iter().map(|layer| layer.name.clone()).collect()
    };
    let kept: Vec<String> =
        names(&gated).into_iter().filter(|name| !name.contains("cbam")).collect();
    assert_eq!(names(&plain), kept);
}

#[test]
fn airbench_follows_the_channels_of_images_and_has_widths_to_choose() {
    let root = preset("airbench", &["model.parameters.widths=[16, 32, 32]".to_owned()]).unwrap();
    let plan = network(&root, [1, 28, 28], 10).unwrap();
    // Whitening filters are 2 · channels · 4.
    let products: u64 = 8 * 4 + 8 + 9 * (8 * 16 + 16 * 16 + 16 * 32 + 3 * 32 * 32) + 32 * 10;
    // Norms have biases alone.
    assert_eq!(plan.parameters(), products + 2 * (16 + 32 + 32));
    assert_eq!(plan.trainable(), plan.parameters() - 8 * 4);
    assert_eq!(plan.layers.last().unwrap().summary(), format!("scale {}", 1.0 / 9.0));
}

#[test]
fn a_blurring_pool_costs_a_product_for_each_pixel_of_its_windows() {
    let layers =
        "model.layers=[{ blur-pool = [3, 5], stride = 2 }, \"flatten\", { dense = \"classes\" }]";
    let plan = plan("plain", 32, 10, &[layers]);
    assert_eq!(plan.layers[0].output, [3, 16, 16]);
    assert_eq!(plan.layers[0].flops(), 3 * 16 * 16 * 15);
    assert_eq!(plan.layers[0].parameters(), 0);
}
