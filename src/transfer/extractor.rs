//! The frozen part of a network, from images to features.

use std::sync::{Mutex, PoisonError};

use candle_core::{Device, Result, Tensor};

use crate::model::network::{Network, Weights};
use crate::plan::model::ModelPlan;

/// Images of a pass. Always so many, so that how they are summed up, and with it each bit of their
/// features, does not depend on which images are asked for together.
pub const IMAGES: usize = 32;

/// Leading layers that do not learn.
pub struct Extractor {
    network: Mutex<Network>,
    layers: usize,
    input: Vec<usize>,
    output: Vec<usize>,
    identity: [u8; 32],
}

impl Extractor {
    /// The first `layers` layers of the network of `plan` with `weights`.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape.
    pub fn new(plan: &ModelPlan, layers: usize, weights: &Weights) -> Result<Extractor> {
        let leading = ModelPlan {
            layers: plan.layers[..layers].to_vec(),
            auxiliary: Vec::new(),
            weights: None,
            transfer: None,
            ..plan.clone()
        };
        let mut hasher = blake3::Hasher::new();
        let mut own = Weights::new();
        for (name, _) in leading.tensors() {
            if let Some((shape, numbers)) = weights.get(&name) {
                numbers.iter().for_each(|number| {
                    hasher.update(&number.to_le_bytes());
                });
                own.insert(name, (shape.clone(), numbers.clone()));
            }
        }
        // What a layer does, whatever it is called and however it would start.
        for layer in &leading.layers {
            let what = (&layer.from, &layer.input, &layer.output, &layer.kind);
            hasher.update(serde_json::to_string(&what).expect("a plan is plain data").as_bytes());
        }
        let mut network = Network::new(&leading, 0)?;
        network.load(&own)?;
        let output = leading.layers.last().map_or(&leading.input, |last| &last.output).clone();
        Ok(Extractor {
            network: Mutex::new(network),
            layers,
            input: leading.input,
            output,
            identity: *hasher.finalize().as_bytes(),
        })
    }

    /// How many layers it has.
    pub fn layers(&self) -> usize {
        self.layers
    }

    /// Shape of the features of an image, `[channels, height, width]` or `[features]`.
    pub fn output(&self) -> &[usize] {
        &self.output
    }

    /// Numbers of one image's features.
    pub fn width(&self) -> usize {
        self.output.iter().product()
    }

    /// Equal for layers that give the same for every image.
    pub fn identity(&self) -> [u8; 32] {
        self.identity
    }

    /// The features of images.
    ///
    /// # Shapes
    /// pixels `[images, channels, height, width]`, normalised; the result `[images, features]`.
    pub fn features(&self, pixels: &[f32]) -> Result<Vec<f32>> {
        let size: usize = self.input.iter().product();
        let images = pixels.len() / size.max(1);
        let mut features = Vec::with_capacity(images * self.width());
        let mut network = self.network.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in pixels.chunks(IMAGES * size) {
            let mut whole = chunk.to_vec();
            whole.resize(IMAGES * size, 0.0);
            let mut shape = vec![IMAGES];
            shape.extend_from_slice(&self.input);
            let whole = Tensor::from_vec(whole, shape, &Device::Cpu)?;
            let rows = network.features(&whole, self.layers)?;
            features.extend_from_slice(&rows[..chunk.len() / size * self.width()]);
        }
        Ok(features)
    }
}
