//! Checkpoints: a trial's state as bytes in the safetensors format, with the hash of everything in them.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::io::Read;

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

/// The word that holds the hash of all tensors and of the other words.
const HASH: &str = "blake3";

/// The entry of the file's metadata that holds the words, as TOML.
const ENTRY: &str = "candlewick";

/// The words that count how far training is.
pub(super) const COUNTERS: [&str; 3] = ["epoch", "steps", "batches"];

/// Names of what an optimiser remembers begin with this, which no name of a layer does.
pub(super) const OPTIMIZER: &str = "|optimizer|";

/// As do, with this, those of the weights in training, where what is evaluated is their mean.
const TRAINING: &str = "|training|";

/// `weights` under the names that weights in training have beside their mean.
pub(super) fn in_training(weights: Weights) -> impl Iterator<Item = (String, Tensor)> {
    weights.into_iter().map(|(name, tensor)| (format!("{TRAINING}{name}"), tensor))
}

/// The name of a weight that may be one of those in training.
pub(super) fn without_training(name: &str) -> &str {
    name.strip_prefix(TRAINING).unwrap_or(name)
}

/// Shape and numbers of a tensor.
type Tensor = (Vec<usize>, Vec<f32>);

/// Why bytes are no checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// It does not hold what was written.
    #[error("damaged: the hash of its content does not match")]
    Damaged,
    /// Not of this program.
    #[error("not a checkpoint: it contains no hash")]
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
        // text is sorted. The hash comes first, where `identity` finds it.
        let words = self.words_as_toml();
        let words = format!("{HASH} = \"{}\"\n{words}", self.hash());
        let words = HashMap::from([(ENTRY.to_owned(), words)]);
        Ok(safetensors::serialize(views, Some(words))?)
    }

    fn words_as_toml(&self) -> String {
        toml::to_string(&self.words).expect("words are plain strings")
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Checkpoint, CheckpointError> {
        let (_, metadata) = SafeTensors::read_metadata(bytes)?;
        let mut words: BTreeMap<String, String> = metadata
            .metadata()
            .as_ref()
            .and_then(|words| words.get(ENTRY))
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

    /// The hash of all tensors and words.
    pub fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.words_as_toml().as_bytes());
        for (name, (shape, values)) in &self.tensors {
            hasher.update(format!("{name} {shape:?}\n").as_bytes());
            hasher.update(&bytes(values));
        }
        hasher.finalize().to_hex().to_string()
    }

    /// The weights alone, without what only going on needs.
    pub fn weights(&self) -> Weights {
        let is_weight =
            |name: &&String| !name.starts_with(OPTIMIZER) && !name.starts_with(TRAINING);
        let names = self.tensors.keys().filter(is_weight);
        names.map(|name| (name.clone(), self.tensors[name].clone())).collect()
    }

    /// The weights that training goes on with, where they are not those that are evaluated.
    pub fn in_training(&self) -> Option<Weights> {
        let named = |(name, tensor): (&String, &Tensor)| {
            Some((name.strip_prefix(TRAINING)?.to_owned(), tensor.clone()))
        };
        let weights: Weights = self.tensors.iter().filter_map(named).collect();
        (!weights.is_empty()).then_some(weights)
    }

    /// The checkpoint without what it says of itself: how far training is, and the tensors.
    pub fn without_card(&self) -> Checkpoint {
        let counted = |(name, _): &(&String, &String)| COUNTERS.contains(&name.as_str());
        let words = self.words.iter().filter(counted);
        Checkpoint {
            tensors: self.tensors.clone(),
            words: words.map(|(name, word)| (name.clone(), word.clone())).collect(),
        }
    }

    /// The word called `name` as a number; 0 if there is none.
    pub fn number(&self, name: &str) -> u64 {
        self.words.get(name).and_then(|word| word.parse().ok()).unwrap_or(0)
    }
}

/// The hash that a checkpoint says of what it holds, from its first bytes; none if they are those of something else.
/// Whether it is true shows when the whole is read.
pub fn identity(file: &mut impl Read) -> Option<String> {
    let mut first = Vec::new();
    file.take(256).read_to_end(&mut first).ok()?;
    // Behind the length of the header, which is JSON: its metadata comes first.
    let start = format!("{{\"__metadata__\":{{\"{ENTRY}\":\"{HASH} = \\\"");
    let hash = first.get(8..)?.strip_prefix(start.as_bytes())?.get(..64)?;
    let is_hash = hash.iter().all(u8::is_ascii_hexdigit);
    is_hash.then(|| String::from_utf8_lossy(hash).into_owned())
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

    /// A bit may be another one where nothing is read from it: in blanks behind the header.
    #[test]
    fn a_flipped_bit_is_noticed_or_changes_nothing() {
        let mut checkpoint = Checkpoint::default();
        checkpoint.tensors.insert("a".to_owned(), (vec![4], vec![1.0; 4]));
        for (word, value) in [("batch", "3"), ("epoch", "12"), ("card", "classes = [\"a\"]\n")] {
            checkpoint.words.insert(word.to_owned(), value.to_owned());
        }
        let whole = checkpoint.to_bytes().unwrap();
        let mut noticed = 0;
        for (place, bit) in (0..whole.len()).flat_map(|place| (0..8).map(move |bit| (place, bit))) {
            let mut bytes = whole.clone();
            bytes[place] ^= 1 << bit;
            match Checkpoint::from_bytes(&bytes) {
                Ok(other) => assert_eq!(other, checkpoint, "bit {bit} of byte {place}"),
                Err(_) => noticed += 1,
            }
        }
        assert!(noticed > 8 * (whole.len() - 16), "{noticed} of {}", 8 * whole.len());
    }

    #[test]
    fn a_checkpoint_says_its_hash_in_its_first_bytes() {
        let mut checkpoint = Checkpoint::default();
        checkpoint.tensors.insert("a".to_owned(), (vec![1], vec![1.0]));
        let bytes = checkpoint.to_bytes().unwrap();
        assert_eq!(identity(&mut &bytes[..]), Some(checkpoint.hash()));
        assert_eq!(identity(&mut &bytes[..60]), None);
        checkpoint.words.insert("epoch".to_owned(), "1".to_owned());
        assert_ne!(identity(&mut &bytes[..]), Some(checkpoint.hash()));
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
