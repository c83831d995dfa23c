//! Which pixels of the image a number of a layer's maps can depend on.

use crate::basis::shape::Window;

use super::{LayerKind, ModelPlan};

/// The pixels of one axis: position p of the maps sees `first + p · jump` and the `size − 1` behind it. Some of them
/// may lie outside of the image, where there is padding.
///
/// Source: Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill, 2019.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceptiveField {
    /// How many pixels it has.
    pub size: usize,
    /// Pixels from one position to the next.
    pub jump: usize,
    /// Where that of position 0 begins.
    pub first: i64,
}

impl ReceptiveField {
    const PIXEL: ReceptiveField = ReceptiveField { size: 1, jump: 1, first: 0 };

    /// The first pixel of position `place`.
    pub fn start(&self, place: usize) -> i64 {
        self.first + (place * self.jump) as i64
    }

    /// Through a window over the maps that have this field.
    fn through(self, window: Window) -> ReceptiveField {
        ReceptiveField {
            size: self.size + (window.extent() - 1) * self.jump,
            jump: self.jump * window.stride,
            first: self.first - (window.padding[0] * self.jump) as i64,
        }
    }

    /// What covers both.
    fn with(self, other: ReceptiveField) -> ReceptiveField {
        let first = self.first.min(other.first);
        let end = |field: ReceptiveField| field.first + field.size as i64;
        let size = (end(self).max(end(other)) - first) as usize;
        ReceptiveField { size, jump: self.jump.max(other.jump), first }
    }
}

impl ModelPlan {
    /// The receptive field of layer number `place`, counted from 1, along height and width. Gates that weigh whole
    /// channels by all of their pixels, and norms over whole maps, do not count. None where maps come from anything
    /// else that has seen all pixels.
    pub fn receptive_field(&self, place: usize) -> Option<[ReceptiveField; 2]> {
        let mut fields = vec![Some([ReceptiveField::PIXEL; 2])];
        for (index, layer) in self.layers[..place].iter().enumerate() {
            let sources = self.sources(index);
            let first = fields[sources[0]];
            let through = |windows: [Window; 2]| {
                first.map(|f| [0, 1].map(|axis| f[axis].through(windows[axis])))
            };
            if let Some(windows) = layer.kind.windows() {
                fields.push(through(windows));
                continue;
            }
            fields.push(match &layer.kind {
                LayerKind::AdaptiveAvgPool {} | LayerKind::AdaptiveMaxPool {} => {
                    first.filter(|_| layer.output[1..] == layer.input[1..])
                }
                LayerKind::Dense(_)
                | LayerKind::Flatten {}
                | LayerKind::AcrossChannels(_)
                | LayerKind::ConcatRows {} => None,
                LayerKind::Sum(_) | LayerKind::Product {} | LayerKind::Concat {} => {
                    let mut all = sources.iter().map(|source| fields[*source]);
                    let start = all.next().flatten();
                    all.fold(start, |a, b| {
                        let (a, b) = (a?, b?);
                        Some([0, 1].map(|axis| a[axis].with(b[axis])))
                    })
                }
                _ => first,
            });
        }
        fields.pop().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::layering::preset;
    use crate::plan::network::network;

    fn field(name: &str, side: usize, layer: &str) -> Option<[ReceptiveField; 2]> {
        let model = network(&preset(name, &[]).unwrap(), [3, side, side], 10).unwrap();
        let index = model.layers.iter().position(|found| found.name == layer).unwrap();
        model.receptive_field(index + 1)
    }

    #[test]
    fn windows_add_up_as_in_the_textbook() {
        let of = |size, jump, first| Some([ReceptiveField { size, jump, first }; 2]);
        // 3×3, pool 2, 3×3 without padding.
        assert_eq!(field("plain", 32, "conv1"), of(3, 1, 0));
        assert_eq!(field("plain", 32, "conv2"), of(8, 2, 0));
        assert_eq!(field("demo", 32, "conv1"), of(3, 1, -1));
        assert_eq!(field("demo", 32, "conv3"), of(18, 4, -7));
        // The figure of Araujo et al. for VGG-16's last convolution.
        let model = network(&preset("vgg16", &[]).unwrap(), [3, 224, 224], 10).unwrap();
        let last = *model.stages().last().unwrap();
        assert_eq!(model.receptive_field(last).map(|[rows, _]| rows.size), Some(196));
    }

    #[test]
    fn a_sum_sees_what_its_inputs_see_and_dense_layers_see_everything() {
        let model = network(&preset("resnet18", &[]).unwrap(), [3, 224, 224], 10).unwrap();
        let last = *model.stages().last().unwrap();
        // The figure of Araujo et al. is 435 for ResNet-18.
        assert_eq!(model.receptive_field(last).map(|[rows, _]| rows.size), Some(435));
        assert_eq!(field("plain", 32, "dense1"), None);
    }
}
