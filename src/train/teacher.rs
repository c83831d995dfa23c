//! A trained network whose logits a trial learns from.

use candle_core::Result;

use crate::data::Normalisation;
use crate::kernels::device::Device;
use crate::model::network::Network;
use crate::transfer::extractor::Extractor;

use super::card::Card;
use super::checkpoint::Checkpoint;

/// A network that is looked at as it is at test time.
pub struct Teacher {
    card: Card,
    network: Network,
}

impl Teacher {
    /// The network of `checkpoint` on `device`.
    ///
    /// # Errors
    /// If it is no checkpoint of a network, lacks some of its weights, or the device has no room.
    pub fn new(checkpoint: Checkpoint, device: &Device) -> std::result::Result<Teacher, String> {
        let mut card = Card::of(&checkpoint).map_err(|error| error.to_string())?;
        card.model = card.model.without_auxiliary();
        for (name, _) in card.model.tensors() {
            if !checkpoint.tensors.contains_key(&name) {
                return Err(format!("{name} is missing from the weights"));
            }
        }
        let network = Network::starting_from(&card.model, 0, checkpoint.tensors);
        let network = network.and_then(|network| network.on(device));
        let network = network.map_err(|error| error.to_string())?;
        Ok(Teacher { card, network })
    }

    /// What gives its logits for images that are normalised as `student` does it.
    ///
    /// # Errors
    /// If the device does not give its numbers.
    pub(super) fn extractor(mut self, student: &Normalisation) -> Result<TeacherExtractor> {
        let model = &self.card.model;
        let extractor = Extractor::new(model, model.layers.len(), &mut self.network)?;
        let own = self.card.normalisation();
        let (mean, std) = (own.mean.iter().zip(&student.mean), own.std.iter().zip(&student.std));
        let change = mean.zip(std).map(|((own_mean, mean), (own_std, std))| {
            // (x · std + mean − own mean) / own std; exactly x where both are the same.
            (std / own_std, (mean - own_mean) / own_std)
        });
        let [_, height, width] = <[usize; 3]>::try_from(&model.input[..]).unwrap_or_default();
        Ok(TeacherExtractor { change: change.collect(), map: height * width, extractor })
    }
}

/// Gives a teacher's logits for a student's images.
pub(super) struct TeacherExtractor {
    /// Factor and summand of each channel, from the student's numbers to the teacher's.
    change: Vec<(f32, f32)>,
    /// Pixels of a channel.
    map: usize,
    extractor: Extractor,
}

impl TeacherExtractor {
    /// Classes.
    pub(super) fn width(&self) -> usize {
        self.extractor.width()
    }

    /// Equal for teachers that give the same logits for every image of the student.
    pub(super) fn identity(&self) -> Vec<u8> {
        let mut identity = self.extractor.identity().to_vec();
        let numbers = self.change.iter().flat_map(|(factor, summand)| [*factor, *summand]);
        numbers.for_each(|number| identity.extend_from_slice(&number.to_le_bytes()));
        identity
    }

    /// What computes the logits: each device rounds in its own way.
    pub(super) fn computed_by(&self) -> String {
        self.extractor.computed_by()
    }

    /// The logits of images.
    ///
    /// # Shapes
    /// pixels `[images, channels, height, width]`, normalised as the student does it; the result `[images, classes]`.
    pub(super) fn logits(&self, pixels: &[f32]) -> Result<Vec<f32>> {
        if self.change.iter().all(|change| *change == (1.0, 0.0)) {
            return self.extractor.features(pixels);
        }
        let mut pixels = pixels.to_vec();
        for (map, (factor, summand)) in pixels.chunks_mut(self.map).zip(self.change.iter().cycle())
        {
            map.iter_mut().for_each(|pixel| *pixel = *pixel * factor + summand);
        }
        self.extractor.features(&pixels)
    }
}
