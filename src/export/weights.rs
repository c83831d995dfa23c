//! Plain weights in the safetensors format, under the names that the network's layers have: for a
//! preset those of torchvision.

use crate::model::network::Weights;
use crate::train::card::Card;
use crate::train::checkpoint::Checkpoint;

use super::error::{ExportError, take};

/// The bytes of a file with every parameter and running statistic of the network and nothing else. It
/// is a checkpoint, too: its metadata holds the card.
pub fn safetensors(card: &Card, mut weights: Weights) -> Result<Vec<u8>, ExportError> {
    let mut tensors = Weights::new();
    for (name, shape) in card.model.tensors() {
        let values = take(&mut weights, &name, &shape)?;
        tensors.insert(name, (shape, values));
    }
    let words = [card.word()].into();
    Ok(Checkpoint { tensors, words }.to_bytes()?)
}
