//! From a network and `[transfer]` to the network that is trained: cut, given a new head, and told
//! what learns when.

use crate::config::layer::{self, Element, Layer};
use crate::config::layer_values::{Pair, Width, Yes};
use crate::config::model::Defaults;
use crate::config::template::{self, HEAD};
use crate::config::transfer::{Cut, Layers, Probe, Start, Transfer};
use crate::config::written::Written;
use crate::document::{KeyPath, Node, Problem, read};

use super::architecture::extended;
use super::model::{DensePlan, LayerKind, LayerPlan, ModelPlan, TransferPlan, Tuning};
use super::section::take;

pub use crate::config::transfer::Case;

/// The part of the layers with weights that `cut = "beginning"` keeps: of three convolutions and
/// three dense layers the first one, of SqueezeNet's 26 the first five.
const BEGINNING: f64 = 0.2;

/// Images from which on a data set is large, unless `border` says otherwise. Textbooks call about 2,000
/// small and about 1,000,000 large; this is the middle of the two in factors, √(2,000 · 1,000,000).
pub const BORDER: usize = 45_000;

/// Pooling before the default head leaves as fine a grid as so many features allow.
const FEATURES: usize = 1024;

impl Case {
    /// What it stands for: where to cut, how the rest starts, what never learns.
    pub(super) fn settings(self) -> (Cut, Start, Layers) {
        match self {
            Case::SmallSimilar => (Cut::End, Start::Pretrained, Layers::All),
            Case::SmallDifferent => (Cut::Beginning, Start::Pretrained, Layers::All),
            Case::LargeSimilar => (Cut::End, Start::Pretrained, Layers::None),
            Case::LargeDifferent => (Cut::End, Start::Random, Layers::None),
        }
    }
}

/// The network that `[transfer]` makes of `base`, if there is one. What advice is to find has been found, and
/// stands in `root`.
pub(super) fn transferred(
    root: &Node,
    base: ModelPlan,
    defaults: &Defaults,
    epochs: usize,
    problems: &mut Vec<Problem>,
) -> Option<ModelPlan> {
    let at = KeyPath::root().key("transfer");
    let Some(node) = root.get("transfer") else { return Some(base) };
    let written = take(read::<Transfer>(node, &at), problems)?;
    let head = match (node.get("head"), root.get("model")) {
        (Some(head), Some(model)) => {
            Some(take(template::head(model, head, &at.key("head")), problems)?)
        }
        _ => None,
    };
    let case = match written.case.unwrap_or(Written(Some(Case::LargeSimilar))) {
        Written(Some(case)) => case,
        Written(None) => {
            let problem = Problem::value(at.key("case"), "case = \"auto\" needs measurements");
            problems
                .push(problem.label("not settled").help("name the case: --set transfer.case=…"));
            return None;
        }
    };
    take(transfer(&base, &written, case, head.as_deref(), defaults, epochs), problems)
}

/// The network of `transfer` on top of `base`, with `head` as written or the default one; or what is
/// wrong. Whether the weights fit is not looked at.
fn transfer(
    base: &ModelPlan,
    transfer: &Transfer,
    case: Case,
    head: Option<&[Element]>,
    defaults: &Defaults,
    epochs: usize,
) -> Result<ModelPlan, Vec<Problem>> {
    let mut problems = check(transfer, epochs);
    let (cut, start, freeze) = case.settings();
    let cut = transfer.cut.as_ref().unwrap_or(&cut);
    let start = transfer.init.unwrap_or(start);
    let freeze = transfer.freeze.as_ref().unwrap_or(&freeze);
    // Auxiliary heads belong to what the network was trained for.
    let mut kept = base.without_auxiliary();
    let classes = kept.classes;
    match place_of(cut, &kept) {
        Ok(place) => kept.layers.truncate(place),
        Err(problem) => {
            problems.push(problem);
            return Err(problems);
        }
    }
    let kept_layers = kept.layers.len();
    let of_default;
    let head = match head {
        Some(head) => head,
        None => {
            let last = kept.layers.last().map_or(&kept.input, |last| &last.output);
            of_default = default_head(last);
            &of_default
        }
    };
    let mut network = match extended(kept, head, defaults, classes) {
        Ok(network) => network,
        Err(found) => {
            problems.extend(found);
            return Err(problems);
        }
    };
    tune(&mut network, kept_layers, transfer, start, freeze, &mut problems);
    network.transfer = Some(TransferPlan {
        l2_sp: transfer.l2_sp,
        feature_variants: transfer.feature_variants.unwrap_or(0),
        fits_head: transfer.probe == Probe::Fitted,
    });
    if transfer.probe == Probe::Fitted {
        problems.extend(unfitting(&network, kept_layers));
    }
    if problems.is_empty() { Ok(network) } else { Err(problems) }
}

fn at(key: &str) -> KeyPath {
    KeyPath::root().key("transfer").key(key)
}

/// Why the head of `network`, which begins behind `kept` layers, cannot be fitted; none if it can.
fn unfitting(network: &ModelPlan, kept: usize) -> Option<Problem> {
    let weighted = network.layers[kept..].iter().filter(|layer| layer.parameters() > 0).count();
    let is_linear = network.layers.last().is_some_and(|last| match &last.kind {
        LayerKind::Dense(DensePlan { bias, tail, .. }) => {
            *bias && last.input.len() == 1 && tail.norm.is_none() && tail.activation.is_none()
        }
        _ => false,
    });
    let message = "probe = \"fitted\" needs a head of one dense layer";
    (weighted != 1 || !is_linear).then(|| {
        Problem::value(at("probe"), message).label("not with this head").help(
            "use head = [\"flatten\", { dense = \"classes\" }], or a number of epochs in which only the head learns",
        )
    })
}

/// Looks at the numbers.
fn check(transfer: &Transfer, epochs: usize) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut that = |sound: bool, at: KeyPath, message: String, label: &str| {
        if !sound {
            problems.push(Problem::value(at, message).label(label));
        }
    };
    if let Some(Cut::Part(part)) = transfer.cut {
        let sound = part > 0.0 && part < 1.0;
        that(
            sound,
            at("cut"),
            format!("a fraction of {part} is not in (0, 1)"),
            "a part of the network",
        );
    }
    if let Some(decay) = transfer.layer_lr_decay {
        let sound = decay > 0.0 && decay <= 1.0;
        that(
            sound,
            at("layer-lr-decay"),
            format!("a factor of {decay} is not in (0, 1]"),
            "a factor",
        );
    }
    let sound = transfer.l2_sp >= 0.0 && transfer.l2_sp.is_finite();
    that(sound, at("l2-sp"), format!("a strength of {} is negative", transfer.l2_sp), "0 or more");
    that(
        transfer.feature_variants != Some(0),
        at("feature-variants"),
        "0 variants of each image".to_owned(),
        "at least 1; without this key each epoch has its own variants",
    );
    that(
        transfer.border != Some(0),
        at("border"),
        "border must be positive".to_owned(),
        "size from which a data set is large",
    );
    that(
        transfer.probe.epochs() < epochs || transfer.probe.epochs() == 0,
        at("probe"),
        format!(
            "only the head learns in {} of {epochs} epochs: no other layer would learn",
            transfer.probe.epochs()
        ),
        "fewer than train.epochs",
    );
    for (index, unfreeze) in transfer.unfreeze.iter().enumerate() {
        let at = at("unfreeze").index(index);
        that(
            (1..=epochs).contains(&unfreeze.epoch),
            at.key("epoch"),
            format!("there is no epoch {}: epochs are numbered from 1 to {epochs}", unfreeze.epoch),
            "an epoch",
        );
        that(
            unfreeze.layers != Layers::None,
            at.key("layers"),
            "no layers".to_owned(),
            "names of layers, or \"all\"",
        );
    }
    problems
}

/// How many layers stay.
fn place_of(cut: &Cut, network: &ModelPlan) -> Result<usize, Problem> {
    let weighted: Vec<usize> =
        (0..network.layers.len()).filter(|index| network.layers[*index].parameters() > 0).collect();
    let necks: Vec<usize> =
        (1..network.layers.len()).filter(|place| network.is_neck(*place)).collect();
    let last = *weighted.last().unwrap_or(&0);
    let keep = match cut {
        Cut::Layer(name) => return place_of_layer(name, network, last),
        Cut::End => weighted.len().saturating_sub(1),
        Cut::Beginning => (weighted.len() as f64 * BEGINNING) as usize,
        Cut::Part(part) => (weighted.len() as f64 * part).round() as usize,
    };
    let keep = keep.clamp(1, weighted.len().saturating_sub(1).max(1));
    let enough = |place: &usize| weighted.iter().filter(|index| *index < place).count();
    // The deepest place with so many layers, or where blocks leave none, the first one behind.
    let fitting = necks.iter().filter(|place| **place <= last);
    let deepest = fitting.clone().rev().find(|place| (1..=keep).contains(&enough(place)));
    let place = deepest.or_else(|| fitting.clone().find(|place| enough(place) > keep));
    let Some(place) = place else {
        let message = "the network has no place for a cut: it is one block or one layer";
        return Err(Problem::value(at("cut"), message).label("nothing would be left"));
    };
    // How maps become features is for the head to say, and so is dropout.
    let kept = network.layers[..*place]
        .iter()
        .rposition(|layer| !matches!(layer.kind, LayerKind::Flatten {} | LayerKind::Dropout(_)));
    Ok(kept.map_or(*place, |index| index + 1))
}

fn place_of_layer(name: &str, network: &ModelPlan, last: usize) -> Result<usize, Problem> {
    let problem = |message: String| Problem::value(at("cut"), message);
    let Some(index) = network.layers.iter().rposition(|layer| matches(name, layer)) else {
        let problem = problem(format!("there is no layer \"{name}\""));
        return Err(unknown(problem, name, network));
    };
    if index >= last {
        return Err(problem(format!("after \"{name}\" there is nothing to cut off"))
            .label("the last layer with weights")
            .help("its logits are for other classes; cut = \"end\" keeps everything before it"));
    }
    if !network.is_neck(index + 1) {
        let necks = (1..=last).filter(|place| network.is_neck(*place));
        let mut near: Vec<usize> = necks.collect();
        near.sort_by_key(|place| place.abs_diff(index + 1));
        let mut names: Vec<&str> =
            near.iter().take(2).map(|place| network.layers[place - 1].name.as_str()).collect();
        names.sort_unstable();
        return Err(problem(format!("\"{name}\" is inside a block with a shortcut or branches"))
            .label("cannot be cut here")
            .help(format!("the nearest places are {}", names.join(" and "))));
    }
    Ok(index + 1)
}

/// Whether `pattern` means the layer: its name, that of a block around it, or one with stars.
fn matches(pattern: &str, layer: &LayerPlan) -> bool {
    let name = layer.name.as_str();
    let within = name.strip_prefix(pattern).is_some_and(|rest| rest.starts_with('.'));
    name == pattern || within || (pattern.contains('*') && fits(pattern, name))
}

/// Whether `text` is `pattern` with something for each star.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            (0..=text.len())
                .filter(|from| text.is_char_boundary(*from))
                .any(|from| fits(rest, &text[from..]))
        }),
    }
}

/// The problem with what the name may have meant.
fn unknown(problem: Problem, name: &str, network: &ModelPlan) -> Problem {
    let names: Vec<&str> = network
        .layers
        .iter()
        .filter(|layer| layer.parameters() > 0)
        .map(|layer| layer.name.as_str())
        .collect();
    let problem = problem.did_you_mean(name, &names, "unknown");
    match &names[..] {
        [first, .., last] if names.len() > 12 => problem.help(format!(
            "{} layers have weights, from {first} to {last}: `wick check` without [transfer] lists them",
            names.len()
        )),
        _ => problem.help(format!("layers with weights are {}", names.join(", "))),
    }
}

/// The height and width to which features of shape `[channels, height, width]` are pooled for a head
/// on top of them; none if they are few enough, or no maps.
pub fn grid(shape: &[usize]) -> Option<[usize; 2]> {
    let [channels, height, width] = *shape else { return None };
    let side = ((FEATURES / channels.max(1)) as f64).sqrt().max(1.0) as usize;
    (height > side || width > side).then(|| [side.min(height), side.min(width)])
}

/// One dense layer, behind pooling where maps come in.
fn default_head(shape: &[usize]) -> Vec<Element> {
    let mut layers = Vec::new();
    if shape.len() == 3 {
        if let Some(size) = grid(shape) {
            let pool = layer::AdaptiveAvgPool { adaptive_avg_pool: Pair(size), name: None };
            layers.push(("adaptiveavgpool1", Layer::AdaptiveAvgPool(pool)));
        }
        layers.push(("flatten1", Layer::Flatten(layer::Flatten { flatten: Yes, name: None })));
    }
    layers.push((
        "dense1",
        Layer::Dense(layer::Dense {
            each_pixel: None,
            dense: Width::Classes,
            bias: None,
            norm: None,
            activation: None,
            dropout: None,
            init: None,
            name: None,
            norm_name: None,
        }),
    ));
    let element = |(name, layer): (&str, Layer)| Element {
        layer,
        at: KeyPath::root().key("transfer"),
        name: format!("{HEAD}{name}"),
        scope: HEAD.to_owned(),
        inner: format!("{HEAD}{name}."),
        is_named: false,
        through: Vec::new(),
    };
    layers.into_iter().map(element).collect()
}

/// Says of each kept layer with weights how it starts and when it learns.
fn tune(
    network: &mut ModelPlan,
    kept: usize,
    transfer: &Transfer,
    start: Start,
    freeze: &Layers,
    problems: &mut Vec<Problem>,
) {
    let frozen = named(freeze, &at("freeze"), network, kept, problems);
    let later: Vec<(usize, Vec<bool>)> = transfer
        .unfreeze
        .iter()
        .enumerate()
        .map(|(index, unfreeze)| {
            let at = at("unfreeze").index(index).key("layers");
            (unfreeze.epoch, named(&unfreeze.layers, &at, network, kept, problems))
        })
        .collect();
    let weighted: Vec<usize> =
        (0..kept).filter(|index| network.layers[*index].parameters() > 0).collect();
    if transfer.reinit >= weighted.len() && start == Start::Pretrained && !weighted.is_empty() {
        problems.push(
            Problem::value(
                at("reinit"),
                format!(
                    "{} of {} layers start from random weights: no pretrained layer is left",
                    transfer.reinit,
                    weighted.len()
                ),
            )
            .label("too many")
            .help("use init = \"random\" for random weights in all layers"),
        );
    }
    let decay = transfer.layer_lr_decay.unwrap_or(1.0);
    for (index, layer) in network.layers.iter_mut().enumerate() {
        if layer.parameters() == 0 {
            continue;
        }
        let first = if frozen[index] {
            later.iter().filter(|(_, layers)| layers[index]).map(|(epoch, _)| *epoch).min()
        } else {
            Some(1)
        };
        match weighted.iter().rev().position(|other| *other == index) {
            Some(depth) => {
                layer.tuning = Some(Tuning {
                    pretrained: start == Start::Pretrained && depth >= transfer.reinit,
                    from_epoch: first.map(|epoch| epoch.max(transfer.probe.epochs() + 1)),
                    lr_factor: decay.powi(depth as i32 + 1),
                });
            }
            None if frozen[index] => {
                layer.tuning =
                    Some(Tuning { pretrained: false, from_epoch: first, lr_factor: 1.0 });
            }
            None => {}
        }
    }
    let is_noise = |index: &&usize| {
        let tuning = network.layers[**index].tuning;
        tuning.is_some_and(|tuning| !tuning.pretrained && tuning.from_epoch.is_none())
    };
    if let Some(index) = weighted.iter().find(is_noise).filter(|_| transfer.reinit > 0) {
        let name = &network.layers[*index].name;
        problems.push(
            Problem::value(
                at("reinit"),
                format!("\"{name}\" would start from random weights and never learn"),
            )
            .label("resets frozen layers")
            .help("freeze names the layers that never learn; unfreeze lets them learn later"),
        );
    }
    if network.trainable() == 0 {
        problems.push(
            Problem::value(at("freeze"), "all layers are frozen: nothing would be trained")
                .label("the head, too")
                .help("\"all\" freezes everything except the head"),
        );
    }
    let idle = transfer.unfreeze.iter().zip(&later).enumerate().find(|(_, (_, (_, layers)))| {
        !layers.iter().zip(&frozen).any(|(later, frozen)| *later && *frozen)
    });
    if let Some((index, _)) = idle.filter(|_| problems.is_empty()) {
        problems.push(
            Problem::value(
                at("unfreeze").index(index).key("layers"),
                "these layers learn from the start",
            )
            .label("not frozen")
            .help("freeze = \"all\" freezes everything except the head"),
        );
    }
}

/// Which layers are meant.
fn named(
    layers: &Layers,
    at: &KeyPath,
    network: &ModelPlan,
    kept: usize,
    problems: &mut Vec<Problem>,
) -> Vec<bool> {
    let all = network.layers.iter();
    match layers {
        Layers::None => vec![false; network.layers.len()],
        Layers::All => (0..network.layers.len()).map(|index| index < kept).collect(),
        Layers::Named(names) => {
            for (index, name) in names.iter().enumerate() {
                let mut found = network.layers.iter().filter(|layer| layer.parameters() > 0);
                if !found.any(|layer| matches(name, layer)) {
                    let message = format!("no layer with weights is called \"{name}\"");
                    problems.push(unknown(Problem::value(at.index(index), message), name, network));
                }
            }
            all.map(|layer| names.iter().any(|name| matches(name, layer))).collect()
        }
    }
}
