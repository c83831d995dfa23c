//! What `[transfer]` has come to for one trial, in words: the cut, what starts as pretrained, what
//! learns, and what is computed once.

use std::fmt::Write;

use crate::basis::shape::display;
use crate::config::template::HEAD;
use crate::plan::Plan;
use crate::plan::memory::feature_bytes;
use crate::plan::model::LayerPlan;

use crate::basis::number::number;

/// The transfer of a trial on `images` images; empty if it has none.
pub fn transfer(plan: &Plan, images: usize) -> String {
    let model = &plan.model;
    let Some(transfer) = model.transfer else { return String::new() };
    let kept: Vec<&LayerPlan> =
        model.layers.iter().take_while(|layer| !layer.name.starts_with(HEAD)).collect();
    let weighted = || kept.iter().filter(|layer| layer.parameters() > 0);
    let count =
        |wanted: &dyn Fn(&LayerPlan) -> bool| weighted().filter(|layer| wanted(layer)).count();
    let all = weighted().count();
    let of_all = |some: usize| match some {
        0 => "none".to_owned(),
        some if some == all => "all".to_owned(),
        some => format!("{some} of {all}"),
    };
    let cut = kept.last().map_or("", |layer| layer.name.as_str());
    let mut text = format!("transfer: kept up to {cut}, {all} layers with weights; ");
    let starts_pretrained =
        |index: &usize| model.layers[*index].parameters() > 0 && model.starts_pretrained(*index);
    let pretrained = (0..kept.len()).filter(starts_pretrained).count();
    let _ = write!(text, "of these {} start from pretrained weights", of_all(pretrained));
    let frozen = count(&|layer| !layer.learns(usize::MAX));
    let later = count(&|layer| layer.learns(usize::MAX) && !layer.learns(1));
    let _ = write!(text, ", {} are frozen", of_all(frozen));
    if later > 0 {
        let _ = write!(text, ", {} learn later", of_all(later));
    }
    let _ = writeln!(
        text,
        "\n{} of {} parameters learn",
        number(model.trainable()),
        number(model.parameters())
    );
    let noise = (0..kept.len())
        .filter(|index| model.layers[*index].parameters() > 0 && !model.starts_pretrained(*index))
        .filter(|index| !model.layers[*index].learns(usize::MAX))
        .count();
    if noise > 0 {
        let _ = writeln!(text, "warning: {noise} layers start from random weights and never learn");
    }
    if transfer.fits_head {
        text.push_str("the head starts as the linear head that fits the training images best\n");
    }
    if transfer.l2_sp > 0.0 {
        let _ =
            writeln!(text, "L2-SP pulls towards the pretrained weights with {}", transfer.l2_sp);
    }
    let prefix = model.frozen_prefix(1);
    if prefix == 0 {
        return text;
    }
    let last = &model.layers[prefix - 1];
    let shape = display(&last.output);
    let is_fixed = plan.augment.train.is_empty() && plan.augment.mixing.is_none();
    let until = match (1..=plan.train.epochs).find(|epoch| model.frozen_prefix(*epoch) != prefix) {
        Some(epoch) => format!(" until epoch {epoch}"),
        None => String::new(),
    };
    let variants = transfer.feature_variants;
    let _ = match feature_bytes(plan, images) {
        bytes @ 1.. => {
            let what = if is_fixed || variants == 1 {
                String::new()
            } else {
                format!(" in {variants} variants")
            };
            writeln!(
                text,
                "features {shape} behind {} are computed once for each image{what}{until}: {:.1} MB",
                last.name,
                bytes as f64 / 1e6
            )
        }
        _ => writeln!(
            text,
            "features {shape} behind {} are computed again for every image and epoch{until}, because \
             augmentation changes images: about {} times the work; feature-variants = 4 would keep four variants \
             of each image",
            last.name, plan.train.epochs
        ),
    };
    text
}
