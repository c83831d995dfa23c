//! The frozen part of a network, from images to features.

use std::sync::{Mutex, PoisonError};

use candle_core::{Result, Tensor};

use crate::kernels::device::Device;
use crate::model::network::Network;
use crate::model::weights::bytes;
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
    device: Device,
}

impl Extractor {
    /// The first `layers` layers of `network`, which has the plan `plan`; their tensors are not copied.
    ///
    /// # Errors
    /// If the device does not give their numbers.
    pub fn new(plan: &ModelPlan, layers: usize, network: &mut Network) -> Result<Extractor> {
        let leading = ModelPlan {
            layers: plan.layers[..layers].to_vec(),
            auxiliary: Vec::new(),
            weights: None,
            transfer: None,
            ..plan.clone()
        };
        let mut own = network.leading(&leading);
        let mut hasher = blake3::Hasher::new();
        own.show(|numbers| {
            hasher.update(&bytes(numbers));
        })?;
        // What a layer does, whatever it is called and however it would start.
        for layer in &leading.layers {
            let what = (&layer.from, &layer.input, &layer.output, &layer.kind);
            hasher.update(serde_json::to_string(&what).expect("a plan is plain data").as_bytes());
        }
        let output = leading.layers.last().map_or(&leading.input, |last| &last.output).clone();
        Ok(Extractor {
            network: Mutex::new(own),
            layers,
            input: leading.input,
            output,
            identity: *hasher.finalize().as_bytes(),
            device: network.device().clone(),
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

    /// What computes the features: each device rounds in its own way.
    pub fn computed_by(&self) -> String {
        self.device.name()
    }

    /// The features of images.
    ///
    /// # Shapes
    /// pixels `[images, channels, height, width]`, normalised; the result `[images, features]`.
    ///
    /// # Errors
    /// If a tensor has another shape than its layer.
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
            let whole = Tensor::from_vec(whole, shape, &candle_core::Device::Cpu)?;
            let rows = network.features(&whole, self.layers)?;
            features.extend_from_slice(&rows[..chunk.len() / size * self.width()]);
        }
        Ok(features)
    }
}
