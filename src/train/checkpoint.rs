//! Checkpoints: a trial's state as bytes in the safetensors format.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::model::network::Weights;
use crate::model::weights::bytes;

/// Tensors by name and a few words about them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    /// Parameters, running statistics and, to go on training, the optimiser's buffers.
    pub tensors: Weights,
    /// Counters and what the file is.
    pub words: BTreeMap<String, String>,
}

/// The word that holds the hash of all tensors.
const HASH: &str = "blake3";

/// Why bytes are no checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The tensors are not those that were written.
    #[error("damaged: the hash of its tensors is not the one that was written with them")]
    Damaged,
    /// Not of this program.
    #[error("not a checkpoint: its tensors have no hash")]
    Foreign,
    /// Not in the format.
    #[error("not a safetensors file: {0}")]
    Format(#[from] safetensors::SafeTensorError),
    /// Numbers of another type.
    #[error("the tensor {name} has the type {found:?}, a checkpoint holds F32")]
    Type {
        /// Which tensor.
        name: String,
        /// Its type.
        found: Dtype,
    },
}

impl Checkpoint {
    /// The file's bytes: the same for the same contents.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CheckpointError> {
        let raw: BTreeMap<&String, Cow<[u8]>> =
            self.tensors.iter().map(|(name, (_, values))| (name, bytes(values))).collect();
        let views = self
            .tensors
            .iter()
            .map(|(name, (shape, _))| {
                Ok((name, TensorView::new(Dtype::F32, shape.clone(), &raw[name])?))
            })
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
        // The crate writes its metadata in the order of a hash map, so there is one entry, whose
        // text is sorted.
        let mut words = self.words.clone();
        words.insert(HASH.to_owned(), self.hash());
        let words = toml::to_string(&words).expect("words are plain strings");
        let words = HashMap::from([("candlewick".to_owned(), words)]);
        Ok(safetensors::serialize(views, Some(words))?)
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Checkpoint, CheckpointError> {
        let (_, metadata) = SafeTensors::read_metadata(bytes)?;
        let mut words: BTreeMap<String, String> = metadata
            .metadata()
            .as_ref()
            .and_then(|words| words.get("candlewick"))
            .and_then(|words| toml::from_str(words).ok())
            .unwrap_or_default();
        let hash = words.remove(HASH);
        let mut tensors = Weights::new();
        for (name, view) in SafeTensors::deserialize(bytes)?.tensors() {
            if view.dtype() != Dtype::F32 {
                return Err(CheckpointError::Type { name, found: view.dtype() });
            }
            let values =
                view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
            tensors.insert(name, (view.shape().to_vec(), values));
        }
        let checkpoint = Checkpoint { tensors, words };
        match hash {
            Some(hash) if hash == checkpoint.hash() => Ok(checkpoint),
            Some(_) => Err(CheckpointError::Damaged),
            None => Err(CheckpointError::Foreign),
        }
    }

    fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for (name, (shape, values)) in &self.tensors {
            hasher.update(format!("{name} {shape:?}\n").as_bytes());
            hasher.update(&bytes(values));
        }
        hasher.finalize().to_hex().to_string()
    }

    /// The word called `name` as a number; 0 if there is none.
    pub fn number(&self, name: &str) -> u64 {
        self.words.get(name).and_then(|word| word.parse().ok()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_comes_back_as_it_was_and_its_bytes_repeat() {
        let mut checkpoint = Checkpoint::default();
        checkpoint.tensors.insert("b".to_owned(), (vec![2], vec![1.5, f32::MIN_POSITIVE]));
        checkpoint.tensors.insert("a".to_owned(), (vec![1, 1], vec![-0.0]));
        for word in ["x", "y", "z"] {
            checkpoint.words.insert(word.to_owned(), "1".to_owned());
        }
        let bytes = checkpoint.to_bytes().unwrap();
        assert_eq!(Checkpoint::from_bytes(&bytes).unwrap(), checkpoint);
        assert_eq!(checkpoint.clone().to_bytes().unwrap(), bytes);
    }

    #[test]
    fn a_flipped_bit_is_noticed() {
        let mut checkpoint = Checkpoint::default();
        checkpoint.tensors.insert("a".to_owned(), (vec![4], vec![1.0; 4]));
        let mut bytes = checkpoint.to_bytes().unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        assert!(matches!(Checkpoint::from_bytes(&bytes), Err(CheckpointError::Damaged)));
    }

    #[test]
    fn torn_bytes_are_an_error() {
        let mut checkpoint = Checkpoint::default();
        checkpoint.tensors.insert("a".to_owned(), (vec![4], vec![1.0; 4]));
        let bytes = checkpoint.to_bytes().unwrap();
        for length in 0..bytes.len() {
            assert!(Checkpoint::from_bytes(&bytes[..length]).is_err(), "{length} bytes are enough");
        }
    }
}
