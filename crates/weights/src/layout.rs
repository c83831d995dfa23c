//! Names of the same networks elsewhere.
//!
//! timm calls the parts of its ResNets as torchvision does; its VGGs and its MobileNetV2 it calls
//! otherwise, and it has no AlexNet, GoogLeNet or SqueezeNet (version 1.0.31).

use std::collections::{BTreeMap, BTreeSet};

/// A way of naming that is not torchvision's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// The classifier as convolutions.
    TimmVgg,
    /// Blocks numbered in stages.
    TimmMobileNetV2 {
        /// Blocks before each stage.
        before: Vec<usize>,
        /// Blocks of all stages.
        blocks: usize,
        /// Blocks without a widening convolution, by stage and number.
        narrow: BTreeSet<(usize, usize)>,
    },
}

impl Layout {
    /// The layout that has all of `names`, if it is a known one.
    pub(super) fn of(names: &BTreeSet<&str>) -> Option<Layout> {
        if names.contains("pre_logits.fc1.weight") {
            return Some(Layout::TimmVgg);
        }
        if !names.contains("conv_stem.weight") {
            return None;
        }
        // Stages and their blocks, numbered from zero without gaps.
        let mut stages: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        let mut wide = BTreeSet::new();
        for (stage, block, part) in names.iter().filter_map(|name| block(name)) {
            stages.entry(stage).or_default().insert(block);
            if part.starts_with("conv_pwl.") {
                wide.insert((stage, block));
            }
        }
        let (mut before, mut blocks) = (Vec::new(), 0);
        let mut narrow = BTreeSet::new();
        for (due, (stage, numbers)) in stages.into_iter().enumerate() {
            if stage != due || numbers.iter().ne(&(0..numbers.len()).collect::<Vec<_>>()) {
                return None;
            }
            before.push(blocks);
            blocks += numbers.len();
            narrow.extend(numbers.iter().map(|b| (stage, *b)).filter(|at| !wide.contains(at)));
        }
        (blocks > 0).then_some(Layout::TimmMobileNetV2 { before, blocks, narrow })
    }

    /// Whose names these are.
    pub(super) fn origin(&self) -> &'static str {
        match self {
            Layout::TimmVgg => "timm's VGG",
            Layout::TimmMobileNetV2 { .. } => "timm's MobileNetV2",
        }
    }

    /// What torchvision calls the tensor `name`.
    pub(super) fn translate(&self, name: &str) -> Option<String> {
        let replaced = |parts: &[(&str, &str)], name: &str| {
            parts.iter().find_map(|(from, to)| Some(format!("{to}{}", name.strip_prefix(from)?)))
        };
        match self {
            Layout::TimmVgg => replaced(
                &[
                    ("pre_logits.fc1.", "classifier.0."),
                    ("pre_logits.fc2.", "classifier.3."),
                    ("head.fc.", "classifier.6."),
                ],
                name,
            ),
            Layout::TimmMobileNetV2 { before, blocks, narrow } => {
                if let Some((stage, block, part)) = block(name) {
                    let parts: &[(&str, &str)] = match narrow.contains(&(stage, block)) {
                        true => &[
                            ("conv_dw.", "conv.0.0."),
                            ("bn1.", "conv.0.1."),
                            ("conv_pw.", "conv.1."),
                            ("bn2.", "conv.2."),
                        ],
                        false => &[
                            ("conv_pw.", "conv.0.0."),
                            ("bn1.", "conv.0.1."),
                            ("conv_dw.", "conv.1.0."),
                            ("bn2.", "conv.1.1."),
                            ("conv_pwl.", "conv.2."),
                            ("bn3.", "conv.3."),
                        ],
                    };
                    let index = 1 + before.get(stage)? + block;
                    return Some(format!("features.{index}.{}", replaced(parts, part)?));
                }
                let last = 1 + blocks;
                replaced(
                    &[
                        ("conv_stem.", "features.0.0."),
                        ("bn1.", "features.0.1."),
                        ("conv_head.", &format!("features.{last}.0.")),
                        ("bn2.", &format!("features.{last}.1.")),
                        ("classifier.", "classifier.1."),
                    ],
                    name,
                )
            }
        }
    }
}

/// `blocks.STAGE.BLOCK.PART`
fn block(name: &str) -> Option<(usize, usize, &str)> {
    let (stage, rest) = name.strip_prefix("blocks.")?.split_once('.')?;
    let (block, part) = rest.split_once('.')?;
    // Bounded, since a file may number its blocks as it likes.
    let number = |text: &str| text.parse().ok().filter(|number| *number < 1000);
    Some((number(stage)?, number(block)?, part))
}
