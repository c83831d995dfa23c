//! Operations at random, all of one magnitude (Cubuk et al., "RandAugment: practical automated data
//! augmentation with a reduced search space", NeurIPS 2020), as torchvision's `RandAugment`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::boxes::BBox;
use super::image::{Frame, Image};
use super::operations::Operation;
use super::parameters::Fill;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Operations at random, all of one magnitude: `{ rand-augment = [2, 9], fill = 0 }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RandAugment {
    /// How many operations, and their magnitude of 0..=30.
    rand_augment: [u32; 2],
    /// What stands where operations move pixels away.
    #[serde(default)]
    fill: Fill,
}

/// The steps of magnitudes above 0.
const STEPS: f64 = 30.0;

impl Transform for RandAugment {
    type Drawn = Vec<Operation>;

    const P: f64 = 1.0;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        let [n, magnitude] = self.rand_augment;
        let fault = |found: String, allowed: &str| {
            let fault = Fault::new("rand-augment", format!("rand-augment: {found}"), allowed);
            Err(fault.help("rand-augment = [2, 9] applies 2 operations of magnitude 9"))
        };
        if !(1..=100).contains(&n) {
            return fault(format!("{n} operations"), "1 to 100 operations");
        }
        if f64::from(magnitude) > STEPS {
            return fault(format!("a magnitude of {magnitude}"), "a magnitude from 0 to 30");
        }
        Ok(frame)
    }

    fn draw(&self, scene: &Scene, stream: &mut Stream) -> Vec<Operation> {
        let [n, magnitude] = self.rand_augment;
        (0..n).map(|_| draw_one(f64::from(magnitude) / STEPS, scene.frame, stream)).collect()
    }

    fn pixels(&self, drawn: &Vec<Operation>, image: &mut Image) {
        drawn.iter().for_each(|operation| operation.apply(self.fill, image));
    }

    fn boxes(&self, drawn: &Vec<Operation>, frame: Frame, boxes: &mut [BBox]) {
        drawn.iter().for_each(|operation| operation.boxes(frame, boxes));
    }
}

/// One of the fourteen operations, of a `magnitude` of 0..=1.
fn draw_one(magnitude: f64, frame: Frame, stream: &mut Stream) -> Operation {
    let kind = stream.below(14);
    let sign = if stream.below(2) == 0 { 1.0 } else { -1.0 };
    let signed = |most: f64| sign * most * magnitude;
    match kind {
        0 => Operation::Identity,
        1 => Operation::ShearX(signed(0.3)),
        2 => Operation::ShearY(signed(0.3)),
        3 => Operation::TranslateX(signed(150.0 / 331.0 * frame.width as f64)),
        4 => Operation::TranslateY(signed(150.0 / 331.0 * frame.height as f64)),
        5 => Operation::Rotate(signed(30.0)),
        6 => Operation::Brightness(signed(0.9)),
        7 => Operation::Color(signed(0.9)),
        8 => Operation::Contrast(signed(0.9)),
        9 => Operation::Sharpness(signed(0.9)),
        10 => Operation::Posterize(8 - (4.0 * magnitude).round_ties_even() as u32),
        11 => Operation::Solarize(255.0 * (1.0 - magnitude)),
        12 => Operation::AutoContrast,
        _ => Operation::Equalize,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlewick_basis::seed::derive;

    #[test]
    fn magnitudes_are_those_of_torchvision() {
        // RandAugment()._augmentation_space(31, (331, 662)) at bin 9.
        let frame = Frame { height: 331, width: 662, channels: 3 };
        let transform: RandAugment = serde_json::from_str(r#"{"rand-augment": [100, 9]}"#).unwrap();
        let drawn = transform.draw(&Scene { frame, boxes: &[] }, &mut derive(1, "draw", &[]));
        let near = |a: f64, b: f64| (a.abs() - b).abs() < 1e-5;
        for operation in &drawn {
            assert!(
                match *operation {
                    Operation::ShearX(m) | Operation::ShearY(m) => near(m, 0.09),
                    Operation::TranslateX(m) => near(m, 90.0),
                    Operation::TranslateY(m) => near(m, 45.0),
                    Operation::Rotate(m) => near(m, 9.0),
                    Operation::Brightness(m)
                    | Operation::Color(m)
                    | Operation::Contrast(m)
                    | Operation::Sharpness(m) => near(m, 0.27),
                    Operation::Posterize(bits) => bits == 7,
                    Operation::Solarize(m) => near(m, 178.5),
                    Operation::Invert => false,
                    Operation::Identity | Operation::AutoContrast | Operation::Equalize => true,
                },
                "{operation:?}"
            );
        }
        assert!(
            drawn.iter().any(|operation| matches!(operation, Operation::Rotate(m) if *m < 0.0))
        );
        assert!(drawn.contains(&Operation::Equalize) && drawn.contains(&Operation::Identity));
    }
}
