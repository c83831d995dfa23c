//! One operation of a random magnitude (Müller and Hutter, "TrivialAugment: tuning-free yet
//! state-of-the-art data augmentation", ICCV 2021), as torchvision's `TrivialAugmentWide`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::boxes::BBox;
use super::image::{Frame, Image};
use super::operations::Operation;
use super::parameters::{Always, Fill};
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// One operation of a random magnitude: `"trivial-augment"` or `{ trivial-augment = true, fill = 0
/// }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TrivialAugment {
    trivial_augment: Always,
    /// What stands where operations move pixels away.
    #[serde(default)]
    fill: Fill,
}

impl Transform for TrivialAugment {
    type Drawn = Operation;

    const P: f64 = 1.0;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        Ok(frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Operation {
        let kind = stream.below(14);
        let magnitude = stream.below(31) as f64 / 30.0;
        let sign = if stream.below(2) == 0 { 1.0 } else { -1.0 };
        let signed = |most: f64| sign * most * magnitude;
        match kind {
            0 => Operation::Identity,
            1 => Operation::ShearX(signed(0.99)),
            2 => Operation::ShearY(signed(0.99)),
            3 => Operation::TranslateX(signed(32.0)),
            4 => Operation::TranslateY(signed(32.0)),
            5 => Operation::Rotate(signed(135.0)),
            6 => Operation::Brightness(signed(0.99)),
            7 => Operation::Color(signed(0.99)),
            8 => Operation::Contrast(signed(0.99)),
            9 => Operation::Sharpness(signed(0.99)),
            10 => Operation::Posterize(8 - (6.0 * magnitude).round_ties_even() as u32),
            11 => Operation::Solarize(255.0 * (1.0 - magnitude)),
            12 => Operation::AutoContrast,
            _ => Operation::Equalize,
        }
    }

    fn pixels(&self, drawn: &Operation, image: &mut Image) {
        drawn.apply(self.fill, image);
    }

    fn boxes(&self, drawn: &Operation, frame: Frame, boxes: &mut [BBox]) {
        drawn.boxes(frame, boxes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlewick_basis::seed::derive;

    #[test]
    fn all_magnitudes_up_to_the_widest_are_drawn() {
        let transform: TrivialAugment =
            serde_json::from_str(r#"{"trivial-augment": true}"#).unwrap();
        let frame = Frame { height: 8, width: 8, channels: 3 };
        let mut stream = derive(1, "draw", &[]);
        let drawn: Vec<Operation> =
            (0..5000).map(|_| transform.draw(&Scene { frame, boxes: &[] }, &mut stream)).collect();
        let angles = drawn.iter().filter_map(|operation| match operation {
            Operation::Rotate(angle) => Some(*angle),
            _ => None,
        });
        assert!(angles.clone().all(|angle| (angle / 4.5).fract().abs() < 1e-9));
        assert_eq!(angles.clone().fold(0.0, f64::max), 135.0);
        assert_eq!(angles.fold(0.0, f64::min), -135.0);
        for bits in 2..=8 {
            assert!(drawn.contains(&Operation::Posterize(bits)), "{bits}");
        }
        assert!(!drawn.contains(&Operation::Posterize(1)));
    }
}
