//! Why a network cannot be exported, and taking its tensors out of weights.

use crate::basis::shape::display;
use crate::model::network::Weights;

/// Why a network cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The weights are not all there.
    #[error("{0} is missing from the weights")]
    Missing(String),
    /// The weights are those of another network.
    #[error("{name} is {found} in the weights, the network needs {needed}")]
    Shape {
        /// Which tensor.
        name: String,
        /// Its shape in the weights.
        found: String,
        /// Its shape in the network.
        needed: String,
    },
    /// Protocol buffers, which ONNX files are, end at 2 GiB.
    #[error(
        "the network has {0} bytes of weights, and an ONNX file holds 2 GiB at most: \
         --to safetensors has no such limit"
    )]
    TooLarge(u64),
    /// A softmax gives one label to an image.
    #[error(
        "the network predicts several labels, whose probabilities are the sigmoid of each logit, not a softmax: \
         remove --softmax"
    )]
    SeveralLabels,
    /// The safetensors format does not hold it.
    #[error("the weights cannot be written: {0}")]
    Written(#[from] crate::train::checkpoint::CheckpointError),
}

/// The numbers of the tensor `name`, which are then no longer among the weights.
pub(super) fn take(
    weights: &mut Weights,
    name: &str,
    shape: &[usize],
) -> Result<Vec<f32>, ExportError> {
    let missing = || ExportError::Missing(name.to_owned());
    let (found, values) = weights.remove(name).ok_or_else(missing)?;
    if found != shape {
        let (found, needed) = (display(&found), display(shape));
        return Err(ExportError::Shape { name: name.to_owned(), found, needed });
    }
    Ok(values)
}
