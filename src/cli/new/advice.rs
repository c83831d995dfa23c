//! What to begin with, and why: choices that are sensible on a processor, from what is in a folder.

use std::fmt::Write;

use crate::data::Measured;

/// Steps of the optimiser after which a small network has mostly learnt what it will.
const STEPS: usize = 3000;

/// A commented experiment file named `name` for the folder that is written as `source`.
pub(super) fn experiment(name: &str, source: &str, measured: &Measured) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let mut text = String::new();
    let _ = writeln!(
        text,
        "# A first experiment with {} classes of images. All keys: docs/reference/README.md;\n\
         # `wick schema` lets editors complete this file.\n\
         name = {}\nseed = 123                 # all randomness comes from it\n",
        measured.classes.len(),
        quoted(name)
    );
    let parts = Parts::of(measured);
    let _ = writeln!(text, "[data]\nsource = {{ folder = {} }}", quoted(source));
    let size = image(measured, &mut text);
    parts.write(measured, &mut text);
    if !measured.bad.is_empty() {
        let _ = writeln!(
            text,
            "# Some images ({}) cannot be read; \"error\" stops at them instead.\non-bad-image = \"skip\"",
            measured.bad.len()
        );
    }
    let batch = batch(parts.train, &mut text);
    augment(&mut text);
    network(size, parts.train, &mut text);
    recipe(measured, &parts, batch, &mut text);
    sweep(&parts, &mut text);
    text
}

/// What a folder declares beside training images: `; 10 for validation`.
pub(super) fn declared(measured: &Measured) -> String {
    let parts =
        [(measured.declared_validation, "for validation"), (measured.declared_test, "for testing")];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    parts.map(|(count, what)| format!("; {count} {what}")).collect()
}

/// Which images are held out, and how many are left.
struct Parts {
    /// A part for testing; none if the folder declares one, or there are too few.
    test: Option<f64>,
    /// A part for validation; none if the folder declares one, or there are too few.
    validation: Option<f64>,
    /// Images to learn from, about.
    train: usize,
}

impl Parts {
    fn of(measured: &Measured) -> Parts {
        let all: usize = measured.classes.iter().map(|(_, count)| count).sum();
        let each = all / measured.classes.len().max(1);
        let test = (measured.declared_test == 0 && all >= 200 && each >= 10).then_some(0.15);
        let validation = (measured.declared_validation == 0 && each >= 2)
            .then_some(if all >= 2000 { 0.1 } else { 0.2 });
        let left = all as f64 * (1.0 - test.unwrap_or(0.0)) * (1.0 - validation.unwrap_or(0.0));
        Parts { test, validation, train: left as usize }
    }

    fn has_validation(&self, measured: &Measured) -> bool {
        self.validation.is_some() || measured.declared_validation > 0
    }

    fn write(&self, measured: &Measured, text: &mut String) {
        let _ = match (measured.declared_test, self.test) {
            (0, Some(test)) => writeln!(
                text,
                "# Held out by class, the same for every seed, and looked at once, at the end of a trial.\n\
                 test = {test}"
            ),
            (0, None) => writeln!(
                text,
                "# So few images are all needed for training and validation; sweep.folds makes the most of\n\
                 # them. A part such as test = 0.15 would be looked at once, at the end of a trial."
            ),
            (count, _) => {
                writeln!(
                    text,
                    "test = \"declared\"          # the folder's own {count} test images"
                )
            }
        };
        let _ = match (measured.declared_validation, self.validation) {
            (0, Some(part)) => writeln!(
                text,
                "# Chooses the best epoch. {}\nvalidation = {part}",
                if part > 0.1 {
                    "With few images it is a larger part, so that its accuracy is more exact."
                } else {
                    "With many images a tenth is enough."
                }
            ),
            (0, None) => writeln!(
                text,
                "# With one image of some class there is none to spare for validation: take more images.\n\
                 validation = 0"
            ),
            (count, _) => writeln!(
                text,
                "# The folder has {count} validation images of its own. They choose the best epoch."
            ),
        };
    }
}

/// Size and channels; the height and width.
fn image(measured: &Measured, text: &mut String) -> [usize; 2] {
    let ([_, height, _], [_, width, _]) = (measured.heights, measured.widths);
    let short = height.min(width);
    let side = match short {
        0..48 => 32,
        48..128 => 64,
        _ => 96,
    };
    let ratio = height.max(width) as f64 / short as f64;
    let long = match ratio {
        0.0..1.25 => side,
        _ => ((side as f64 * ratio.min(2.0) / 8.0).round() * 8.0) as usize,
    };
    let size = if height > width { [long, side] } else { [side, long] };
    let channels = if measured.coloured > 0 { 3 } else { 1 };
    let _ = writeln!(
        text,
        "# The median image is {height}×{width}{}. {}",
        if channels == 1 { ", and all are gray" } else { "" },
        match side {
            32 if short < 32 => "Networks for small images need at least 32.".to_owned(),
            32 => "That is near 32, where training is fast.".to_owned(),
            _ => format!(
                "The cost of a step grows with the area: {side} keeps details\n\
                 # and is fast enough on a CPU. Try twice the size later."
            ),
        }
    );
    let _ =
        writeln!(text, "image = {{ size = [{}, {}], channels = {channels} }}", size[0], size[1]);
    size
}

/// Images in a batch.
fn batch(train: usize, text: &mut String) -> usize {
    let mut batch = 8;
    while batch < 128 && 2 * batch <= train / 20 {
        batch *= 2;
    }
    let _ = writeln!(
        text,
        "# About {train} training images give {} batches per epoch; larger batches {}.\n\
         batch-size = {batch}\n",
        train.div_ceil(batch),
        if batch == 128 { "save no time" } else { "would give too few steps" }
    );
    batch
}

fn augment(text: &mut String) {
    text.push_str(
        "# Every epoch sees each image moved, scaled, turned and lit a little differently. Add\n\
         # \"horizontal-flip\" if a mirrored image still is of its class (an arrow or a letter is not).\n\
         # `wick augment FILE --out sheet.png` shows what comes out.\n\
         [augment]\n\
         train = [\n\
         \x20 { affine = true, translate-percent = [-0.1, 0.1], scale = [0.9, 1.1], rotate = [-10, 10], p = 0.7 },\n\
         \x20 { brightness-contrast = [0.2, 0.2], p = 0.5 },\n\
         ]\n\n[model]\n",
    );
}

/// Images to learn from, from which on a ResNet is worth its time.
const MANY: usize = 5000;

fn network(size: [usize; 2], train: usize, text: &mut String) {
    let side = size[0].min(size[1]);
    if train >= MANY && side <= 64 {
        text.push_str(
            "# With thousands of images a ResNet learns more than plain convolutions; half the width of the\n\
             # paper's takes a quarter of the time. `wick presets resnet18-32` prints it.\n\
             preset = \"resnet18-32\"\nparameters.width = 32\n\n",
        );
        return;
    }
    if train >= MANY {
        text.push_str(
            "# With thousands of images a ResNet learns more than plain convolutions. Its stem makes the\n\
             # image four times smaller at once, which saves most of the time: `wick presets resnet18`.\n\
             preset = \"resnet18\"\n\n",
        );
        return;
    }
    text.push_str(
        "# Few images teach few parameters: convolutions with batch norm, each followed by a pool that\n\
         # halves the sides, then the mean over what is left instead of a large dense layer.\n\
         defaults = { norm = \"batch\" }\nlayers = [\n",
    );
    let (mut width, mut height, mut breadth) = (32, size[0], size[1]);
    while height.min(breadth) > 4 && height.min(breadth) % 2 == 0 {
        let layer = format!("  {{ conv = {width}, kernel = 3, padding = \"same\" }},");
        let _ = writeln!(text, "{layer:58}# {height}×{breadth}");
        text.push_str("  { max-pool = 2 },\n");
        width = (2 * width).min(128);
        height /= 2;
        breadth /= 2;
    }
    let layer = format!("  {{ conv = {width}, kernel = 3, padding = \"same\" }},");
    let _ = writeln!(text, "{layer:58}# {height}×{breadth}");
    text.push_str(
        "  { adaptive-avg-pool = 1 },\n\
         \x20 \"flatten\",\n\
         \x20 { dropout = 0.2 },\n\
         \x20 { dense = \"classes\" },\n\
         ]\n\n",
    );
}

fn recipe(measured: &Measured, parts: &Parts, batch: usize, text: &mut String) {
    let steps = parts.train.div_ceil(batch).max(1);
    let epochs = (STEPS / steps).clamp(10, 60);
    let _ = writeln!(
        text,
        "[train]\n\
         # {epochs} epochs of {steps} steps. If `metrics.csv` still improves at the end, use more.\n\
         epochs = {epochs}\n\
         # A rate that works for most small networks, falling to 0 along half a cosine.\n\
         optimizer = {{ adamw = {{ lr = 1e-3 }} }}\n\
         schedule = \"cosine\""
    );
    let counts = || measured.classes.iter().map(|(_, count)| *count);
    let (least, most) = (counts().min().unwrap_or(1).max(1), counts().max().unwrap_or(1));
    let is_uneven = most >= 3 * least;
    if is_uneven {
        let _ = writeln!(
            text,
            "# The largest class has {most} images, the smallest {least}: each class gets\n\
             # the same weight in the loss, so that the network also learns small classes.\n\
             class-weights = \"balanced\""
        );
    }
    if !parts.has_validation(measured) {
        text.push_str(
            "best = \"train_loss\"        # without validation there is no better judge\n",
        );
    } else if is_uneven {
        text.push_str(
            "best = \"val_f1\"            # accuracy would be that of the large classes\n",
        );
    }
    if measured.classes.len() <= 5 {
        let k = (measured.classes.len() - 1).max(1);
        let _ = writeln!(
            text,
            "top-k = {k}                  # top-5 of so few classes is always right"
        );
    }
    text.push('\n');
}

fn sweep(parts: &Parts, text: &mut String) {
    text.push_str(
        "# One seed is luck: three show how far results scatter. Compare settings with [sweep.grid].\n\
         [sweep]\nseeds = 3\n",
    );
    if parts.test.is_none() && parts.validation.is_some() {
        text.push_str(
            "# folds = 5                # or a cross-validation: every image is validated on once\n",
        );
    }
}
