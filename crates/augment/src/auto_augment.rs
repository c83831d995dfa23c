//! Learned pairs of operations (Cubuk et al., "AutoAugment: learning augmentation strategies from
//! data", CVPR 2019), as torchvision's `AutoAugment`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::Kind::*;
use super::boxes::BBox;
use super::image::{Frame, Image};
use super::operations::Operation;
use super::parameters::Fill;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Learned pairs of operations: `{ auto-augment = "imagenet", fill = 0 }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AutoAugment {
    /// The data for which the pairs were learned: "imagenet", "cifar10" or "svhn".
    auto_augment: Learned,
    /// What stands where operations move pixels away.
    #[serde(default)]
    fill: Fill,
}

/// On what a policy was learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Learned {
    /// ImageNet.
    Imagenet,
    /// CIFAR-10.
    Cifar10,
    /// Street view house numbers.
    Svhn,
}

impl Transform for AutoAugment {
    type Drawn = Vec<Operation>;

    const P: f64 = 1.0;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        Ok(frame)
    }

    fn draw(&self, scene: &Scene, stream: &mut Stream) -> Vec<Operation> {
        let policies = match self.auto_augment {
            Learned::Imagenet => &IMAGENET,
            Learned::Cifar10 => &CIFAR10,
            Learned::Svhn => &SVHN,
        };
        let policy = policies[stream.below(25) as usize];
        let drawn = policy.map(|(kind, p, bin)| {
            let (chosen, positive) = (stream.uniform() <= p, stream.below(2) == 1);
            chosen.then(|| kind.of_bin(bin, positive, scene.frame))
        });
        drawn.into_iter().flatten().collect()
    }

    fn pixels(&self, drawn: &Vec<Operation>, image: &mut Image) {
        drawn.iter().for_each(|operation| operation.apply(self.fill, image));
    }

    fn boxes(&self, drawn: &Vec<Operation>, frame: Frame, boxes: &mut [BBox]) {
        drawn.iter().for_each(|operation| operation.boxes(frame, boxes));
    }
}

/// Which operation.
#[derive(Clone, Copy)]
enum Kind {
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
    Rotate,
    Brightness,
    Color,
    Contrast,
    Sharpness,
    Posterize,
    Solarize,
    AutoContrast,
    Equalize,
    Invert,
}

impl Kind {
    /// With the magnitude of one of ten bins.
    fn of_bin(self, bin: u32, positive: bool, frame: Frame) -> Operation {
        let part = f64::from(bin) / 9.0;
        let signed = |most: f64| if positive { most * part } else { -most * part };
        match self {
            ShearX => Operation::ShearX(signed(0.3)),
            ShearY => Operation::ShearY(signed(0.3)),
            TranslateX => Operation::TranslateX(signed(150.0 / 331.0 * frame.width as f64)),
            TranslateY => Operation::TranslateY(signed(150.0 / 331.0 * frame.height as f64)),
            Rotate => Operation::Rotate(signed(30.0)),
            Brightness => Operation::Brightness(signed(0.9)),
            Color => Operation::Color(signed(0.9)),
            Contrast => Operation::Contrast(signed(0.9)),
            Sharpness => Operation::Sharpness(signed(0.9)),
            Posterize => Operation::Posterize(8 - (4.0 * part).round_ties_even() as u32),
            Solarize => Operation::Solarize(255.0 * (1.0 - part)),
            AutoContrast => Operation::AutoContrast,
            Equalize => Operation::Equalize,
            Invert => Operation::Invert,
        }
    }
}

/// Two operations, each with its probability and the bin of its magnitude (0 for those without).
type Policy = [(Kind, f64, u32); 2];

const IMAGENET: [Policy; 25] = [
    [(Posterize, 0.4, 8), (Rotate, 0.6, 9)],
    [(Solarize, 0.6, 5), (AutoContrast, 0.6, 0)],
    [(Equalize, 0.8, 0), (Equalize, 0.6, 0)],
    [(Posterize, 0.6, 7), (Posterize, 0.6, 6)],
    [(Equalize, 0.4, 0), (Solarize, 0.2, 4)],
    [(Equalize, 0.4, 0), (Rotate, 0.8, 8)],
    [(Solarize, 0.6, 3), (Equalize, 0.6, 0)],
    [(Posterize, 0.8, 5), (Equalize, 1.0, 0)],
    [(Rotate, 0.2, 3), (Solarize, 0.6, 8)],
    [(Equalize, 0.6, 0), (Posterize, 0.4, 6)],
    [(Rotate, 0.8, 8), (Color, 0.4, 0)],
    [(Rotate, 0.4, 9), (Equalize, 0.6, 0)],
    [(Equalize, 0.0, 0), (Equalize, 0.8, 0)],
    [(Invert, 0.6, 0), (Equalize, 1.0, 0)],
    [(Color, 0.6, 4), (Contrast, 1.0, 8)],
    [(Rotate, 0.8, 8), (Color, 1.0, 2)],
    [(Color, 0.8, 8), (Solarize, 0.8, 7)],
    [(Sharpness, 0.4, 7), (Invert, 0.6, 0)],
    [(ShearX, 0.6, 5), (Equalize, 1.0, 0)],
    [(Color, 0.4, 0), (Equalize, 0.6, 0)],
    [(Equalize, 0.4, 0), (Solarize, 0.2, 4)],
    [(Solarize, 0.6, 5), (AutoContrast, 0.6, 0)],
    [(Invert, 0.6, 0), (Equalize, 1.0, 0)],
    [(Color, 0.6, 4), (Contrast, 1.0, 8)],
    [(Equalize, 0.8, 0), (Equalize, 0.6, 0)],
];

const CIFAR10: [Policy; 25] = [
    [(Invert, 0.1, 0), (Contrast, 0.2, 6)],
    [(Rotate, 0.7, 2), (TranslateX, 0.3, 9)],
    [(Sharpness, 0.8, 1), (Sharpness, 0.9, 3)],
    [(ShearY, 0.5, 8), (TranslateY, 0.7, 9)],
    [(AutoContrast, 0.5, 0), (Equalize, 0.9, 0)],
    [(ShearY, 0.2, 7), (Posterize, 0.3, 7)],
    [(Color, 0.4, 3), (Brightness, 0.6, 7)],
    [(Sharpness, 0.3, 9), (Brightness, 0.7, 9)],
    [(Equalize, 0.6, 0), (Equalize, 0.5, 0)],
    [(Contrast, 0.6, 7), (Sharpness, 0.6, 5)],
    [(Color, 0.7, 7), (TranslateX, 0.5, 8)],
    [(Equalize, 0.3, 0), (AutoContrast, 0.4, 0)],
    [(TranslateY, 0.4, 3), (Sharpness, 0.2, 6)],
    [(Brightness, 0.9, 6), (Color, 0.2, 8)],
    [(Solarize, 0.5, 2), (Invert, 0.0, 0)],
    [(Equalize, 0.2, 0), (AutoContrast, 0.6, 0)],
    [(Equalize, 0.2, 0), (Equalize, 0.6, 0)],
    [(Color, 0.9, 9), (Equalize, 0.6, 0)],
    [(AutoContrast, 0.8, 0), (Solarize, 0.2, 8)],
    [(Brightness, 0.1, 3), (Color, 0.7, 0)],
    [(Solarize, 0.4, 5), (AutoContrast, 0.9, 0)],
    [(TranslateY, 0.9, 9), (TranslateY, 0.7, 9)],
    [(AutoContrast, 0.9, 0), (Solarize, 0.8, 3)],
    [(Equalize, 0.8, 0), (Invert, 0.1, 0)],
    [(TranslateY, 0.7, 9), (AutoContrast, 0.9, 0)],
];

const SVHN: [Policy; 25] = [
    [(ShearX, 0.9, 4), (Invert, 0.2, 0)],
    [(ShearY, 0.9, 8), (Invert, 0.7, 0)],
    [(Equalize, 0.6, 0), (Solarize, 0.6, 6)],
    [(Invert, 0.9, 0), (Equalize, 0.6, 0)],
    [(Equalize, 0.6, 0), (Rotate, 0.9, 3)],
    [(ShearX, 0.9, 4), (AutoContrast, 0.8, 0)],
    [(ShearY, 0.9, 8), (Invert, 0.4, 0)],
    [(ShearY, 0.9, 5), (Solarize, 0.2, 6)],
    [(Invert, 0.9, 0), (AutoContrast, 0.8, 0)],
    [(Equalize, 0.6, 0), (Rotate, 0.9, 3)],
    [(ShearX, 0.9, 4), (Solarize, 0.3, 3)],
    [(ShearY, 0.8, 8), (Invert, 0.7, 0)],
    [(Equalize, 0.9, 0), (TranslateY, 0.6, 6)],
    [(Invert, 0.9, 0), (Equalize, 0.6, 0)],
    [(Contrast, 0.3, 3), (Rotate, 0.8, 4)],
    [(Invert, 0.8, 0), (TranslateY, 0.0, 2)],
    [(ShearY, 0.7, 6), (Solarize, 0.4, 8)],
    [(Invert, 0.6, 0), (Rotate, 0.8, 4)],
    [(ShearY, 0.3, 7), (TranslateX, 0.9, 3)],
    [(ShearX, 0.1, 6), (Invert, 0.6, 0)],
    [(Solarize, 0.7, 2), (TranslateY, 0.6, 7)],
    [(ShearY, 0.8, 4), (Invert, 0.8, 0)],
    [(ShearX, 0.7, 9), (TranslateY, 0.8, 3)],
    [(ShearY, 0.8, 5), (AutoContrast, 0.7, 0)],
    [(ShearX, 0.7, 2), (Invert, 0.1, 0)],
];

#[cfg(test)]
mod tests {
    use super::*;
    use candlewick_basis::seed::derive;

    #[test]
    fn pairs_are_drawn_with_their_probabilities() {
        let transform: AutoAugment = serde_json::from_str(r#"{"auto-augment": "svhn"}"#).unwrap();
        let frame = Frame { height: 331, width: 331, channels: 3 };
        let mut stream = derive(1, "draw", &[]);
        let n = 20_000;
        let mut count = 0;
        let mut shear = Vec::new();
        for _ in 0..n {
            let drawn = transform.draw(&Scene { frame, boxes: &[] }, &mut stream);
            count += drawn.len();
            shear.extend(drawn.iter().filter_map(|operation| match operation {
                Operation::ShearX(magnitude) => Some(magnitude.abs()),
                _ => None,
            }));
        }
        // The mean of all probabilities of the table, twice.
        let expected = SVHN.iter().flatten().map(|(_, p, _)| p).sum::<f64>() / 25.0;
        assert!((count as f64 / f64::from(n) - expected).abs() < 0.02);
        // Bins 4, 6, 9 and 2 of 0.3.
        let allowed = [0.4 / 3.0, 0.2, 0.3, 0.2 / 3.0];
        assert!(shear.iter().all(|m| allowed.iter().any(|a| (m - a).abs() < 1e-9)));
    }
}
