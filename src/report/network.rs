//! The network of the best setting: what its layers give, with shapes.

use maud::html;

use crate::analysis::Answers;
use crate::basis::number::number;
use crate::charts::Chart;
use crate::charts::network::{Block, network};
use crate::plan::model::{LayerKind, ModelPlan};
use crate::sweep::store::TrialStore;

use super::section::Section;

/// Layers that are drawn; of larger networks the stages are.
const DRAWN: usize = 27;
/// Layers that the table names.
const ROWS: usize = 400;

/// The network of the best trial; none where its plan is not there.
fn model(answers: &Answers) -> Option<ModelPlan> {
    let plan = TrialStore::at(answers.folder(answers.best_trial()?)).plan().ok()?;
    Some(plan.model.without_auxiliary())
}

/// The drawing; none without the plan.
pub(super) fn chart(answers: &Answers) -> Option<Chart> {
    Some(drawing(&model(answers)?))
}

fn drawing(model: &ModelPlan) -> Chart {
    let changes = |index: &usize| {
        let layer = &model.layers[*index];
        layer.input != layer.output
            || matches!(layer.kind, LayerKind::Conv(_) | LayerKind::Dense(_))
    };
    let all: Vec<usize> = (0..model.layers.len()).filter(changes).collect();
    let is_whole = all.len() <= DRAWN;
    let shown = if is_whole {
        all
    } else {
        let mut stages: Vec<usize> = model.stages().into_iter().map(|place| place - 1).collect();
        let last = model.layers.len() - 1;
        if stages.last() != Some(&last) {
            stages.push(last);
        }
        stages
    };
    let image = Block {
        name: "image".to_owned(),
        what: "an image as the network takes it in".to_owned(),
        shape: model.input.clone(),
    };
    let block = |index: &usize| {
        let layer = &model.layers[*index];
        Block { name: layer.name.clone(), what: layer.summary(), shape: layer.output.clone() }
    };
    let blocks: Vec<Block> = std::iter::once(image).chain(shown.iter().map(block)).collect();
    let title = match is_whole {
        true => "What each layer gives, channels×height×width: higher are larger maps, wider are more channels".to_owned(),
        false => format!(
            "The stages of {} layers, channels×height×width: higher are larger maps, wider are more channels",
            model.layers.len()
        ),
    };
    network("network", &title, &blocks)
}

/// The section; none where the plan of the best trial is not there.
pub(super) fn section(answers: &Answers) -> Option<Section> {
    let model = model(answers)?;
    let label = answers.best().map_or("", |best| &best.label);
    let shape = |shape: &[usize]| shape.iter().map(usize::to_string).collect::<Vec<_>>().join("×");
    let body = html! {
        p {
            "The network of " strong { (label) } ": " (number(model.parameters())) " parameters, "
            (number(model.flops())) " multiplications with addition for one image."
        }
        div class="scroll wide" { (drawing(&model).figure()) }
        details {
            summary { "Every layer" }
            div class="scroll tall" { table class="data wide" {
                thead { tr {
                    th { "layer" } th { "what it does" } th class="number" { "output" } th class="number" { "parameters" } th class="number" { "multiplications" }
                } }
                tbody { @for layer in model.layers.iter().take(ROWS) { tr {
                    td { (layer.name) }
                    td title=(layer.summary()) { (layer.summary()) }
                    td class="number" { (shape(&layer.output)) }
                    td class="number" { (number(layer.parameters())) }
                    td class="number" { (number(layer.flops())) }
                } } }
            } }
            @if model.layers.len() > ROWS { p class="note" { "The first " (ROWS) " of " (model.layers.len()) " layers." } }
        }
    };
    Some(Section { id: "network", title: "Network", body })
}
