//! Images with the same pixels.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::dataset::{Dataset, Part};
use super::error::{Error, LISTED};
use crate::plan::data::Duplicates;

/// Sets of images that have the same pixels once they have the declared size.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copies {
    /// Images that have the pixels of one before them.
    count: usize,
    /// Those of them whose label is another one than that image's.
    contradicting: usize,
    /// What becomes of them.
    fate: Duplicates,
    /// The first of them, each with the one before it.
    examples: Vec<String>,
}

impl Copies {
    /// How many images have the pixels of one before them.
    pub fn copies(&self) -> usize {
        self.count
    }

    /// The first of them, a line each.
    pub(super) fn listed(&self) -> String {
        let mut text: String = self.examples.iter().map(|line| format!("\n  {line}")).collect();
        if self.count > self.examples.len() {
            text.push_str(&format!("\n  and {} more", self.count - self.examples.len()));
        }
        text
    }

    /// All about them in a sentence; none if there are none.
    pub fn sentence(&self) -> Option<String> {
        if self.count == 0 {
            return None;
        }
        let mut text = match self.count {
            1 => "1 image has the pixels of another one".to_owned(),
            count => format!("{count} images have the pixels of others"),
        };
        if self.contradicting > 0 {
            text.push_str(&format!(", {} of them with another label", self.contradicting));
        }
        if let Some(first) = self.examples.first() {
            text.push_str(&format!(", such as {first}"));
        }
        text.push_str(match self.fate {
            Duplicates::Drop => "; they were left out",
            Duplicates::DropFromTrain => {
                "; none is both in training and in validation or test"
            }
            Duplicates::Keep | Duplicates::Error => {
                "; copies may be on both sides of a split: data.duplicates = \"drop\" leaves all copies out, \
                 \"drop-from-train\" only training images with copies in validation or test"
            }
        });
        Some(text)
    }
}

impl Dataset {
    /// Finds images with the same pixels, each of which has its hash in `hashes`, and does with them what `wanted`
    /// says: what was found, and which images stay; none: all.
    ///
    /// # Errors
    /// If there are some and there shall be none.
    pub(super) fn find_copies(
        &self,
        hashes: &[[u8; 32]],
        wanted: Duplicates,
    ) -> Result<(Copies, Option<Vec<bool>>), Error> {
        let mut stays = None;
        // The maps are looked into and never iterated over.
        let mut first: HashMap<[u8; 32], usize> = HashMap::new();
        let mut contradicts: HashSet<[u8; 32]> = HashSet::new();
        let mut copies = Copies { fate: wanted, ..Copies::default() };
        for (index, hash) in hashes.iter().enumerate() {
            let Some(original) = first.get(hash).copied() else {
                first.insert(*hash, index);
                continue;
            };
            let differs = self.labels.of(original) != self.labels.of(index);
            copies.count += 1;
            copies.contradicting += usize::from(differs);
            if differs {
                contradicts.insert(*hash);
            }
            if copies.examples.len() < LISTED {
                let label = if differs { ", with another label" } else { "" };
                let [one, other] = [index, original].map(|index| &self.names[index]);
                copies.examples.push(format!("{one} of {other}{label}"));
            }
        }
        match wanted {
            _ if copies.count == 0 => {}
            // Splits look at them.
            Duplicates::Keep | Duplicates::DropFromTrain => {}
            Duplicates::Error => {
                let (origin, of) = (self.origin.clone(), self.len());
                return Err(Error::Duplicates { origin, found: copies, of });
            }
            Duplicates::Drop => {
                // One of those that are tested on stays before one that is chosen by or learnt from.
                let rank = |index: usize| match self.parts[index] {
                    Part::Test => 0,
                    Part::Validation => 1,
                    Part::Train | Part::Undeclared => 2,
                };
                let mut first: HashMap<[u8; 32], usize> = HashMap::new();
                for (index, hash) in hashes.iter().enumerate() {
                    let kept = first.entry(*hash).or_insert(index);
                    if rank(index) < rank(*kept) {
                        *kept = index;
                    }
                }
                let is_kept = |(index, hash)| first[hash] == index && !contradicts.contains(hash);
                stays = Some(hashes.iter().enumerate().map(is_kept).collect());
            }
        }
        Ok((copies, stays))
    }
}
