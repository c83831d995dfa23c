//! The layer table of `wick check`: name, what it does, output shape, parameters, FLOPs.

use crate::basis::number::number;
use crate::basis::shape::display;
use crate::plan::model::{LayerPlan, ModelPlan};

use super::grid::grid;

/// The table for a terminal of `width` columns.
pub fn layers(model: &ModelPlan, width: usize) -> String {
    let header = ["layer", "does", "output", "parameters", "FLOPs", "trainable"];
    let mut table = grid(header.map(str::to_owned).to_vec(), 2..5, width);
    table.add_row(["", "images", &display(&model.input), "", "", ""]);
    for (index, layer) in model.layers.iter().enumerate() {
        let parameters = layer.parameters();
        let trainable = if parameters == 0 { String::new() } else { learns(layer) };
        table.add_row([
            layer.name.clone(),
            does(model, index),
            display(&layer.output),
            number(parameters),
            number(layer.flops()),
            trainable,
        ]);
    }
    let mut text = table.trim_fmt();
    text.push_str(&format!(
        "\n{} parameters, {} FLOPs (multiplications with addition) for one image\n",
        number(model.parameters()),
        number(model.flops())
    ));
    text
}

/// Whether and when a layer learns, and how fast.
fn learns(layer: &LayerPlan) -> String {
    let Some(tuning) = layer.tuning else { return "yes".to_owned() };
    let mut text = match tuning.from_epoch {
        None => return "frozen".to_owned(),
        Some(1) => "yes".to_owned(),
        Some(epoch) => format!("from epoch {epoch}"),
    };
    if tuning.lr_factor != 1.0 {
        text.push_str(&format!(", lr × {:.3}", tuning.lr_factor));
    }
    text
}

/// What a layer does, and on what, if not on the result of the layer above it alone.
fn does(model: &ModelPlan, index: usize) -> String {
    let layer = &model.layers[index];
    let name = |source: &usize| match source.checked_sub(1) {
        Some(source) => model.layers[source].name.clone(),
        None => "images".to_owned(),
    };
    match &layer.from[..] {
        [] => layer.summary(),
        from => {
            let names: Vec<String> = from.iter().map(name).collect();
            format!("{} ← {}", layer.summary(), names.join(", "))
        }
    }
}
