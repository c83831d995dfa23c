//! A strategy of transfer, as advice gives it: where to cut, what head, what learns, at which rate. It is
//! a few settings of an experiment, so that what is advised, what is written and what runs are one.

use serde::{Deserialize, Serialize};

use crate::config::setting::set;
use crate::config::transfer::Case;
use crate::document::parse::value;
use crate::document::{Content, KeyPath, Node, Place, Problem};

use super::model::ModelPlan;
use super::transfer::grid;

/// Numbers of a hidden layer of a head.
const HIDDEN: usize = 128;

/// The layers on top of what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Head {
    /// One dense layer: the head where nothing else is written.
    Dense,
    /// One dense layer behind batch norm: features of one layer differ in size by far.
    Normalised,
    /// A hidden layer behind batch norm.
    Hidden,
}

/// What of the pretrained network learns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Learns {
    /// The head alone.
    Head,
    /// The layers behind these, which are frozen.
    Upper(Vec<String>),
    /// Everything, from the pretrained weights.
    Everything,
    /// Everything, from scratch.
    Anew,
}

/// What to do with a pretrained network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Strategy {
    /// The layer behind which it is cut.
    pub cut: String,
    /// Shape of what the head sees.
    pub features: Vec<usize>,
    /// Whether the cut leaves more than half of the layers with weights.
    pub is_deep: bool,
    /// What is put on top.
    pub head: Head,
    /// What learns.
    pub learns: Learns,
    /// Its part of the learning rate that the experiment writes.
    pub rate: f64,
}

impl Strategy {
    /// The nearest of the four cases.
    pub fn case(&self) -> Case {
        match self.learns {
            Learns::Head if self.is_deep => Case::SmallSimilar,
            Learns::Head => Case::SmallDifferent,
            Learns::Upper(_) | Learns::Everything => Case::LargeSimilar,
            Learns::Anew => Case::LargeDifferent,
        }
    }

    /// What it does, in words, without its learning rate.
    pub fn words(&self) -> String {
        let head = match self.head {
            Head::Dense => "a dense layer",
            Head::Normalised => "batch norm and a dense layer",
            Head::Hidden => "batch norm and a hidden layer",
        };
        let cut = &self.cut;
        match &self.learns {
            Learns::Head => format!("{head} on frozen {cut}"),
            Learns::Upper(frozen) => format!(
                "{head} on {cut}, layers behind {} learn",
                frozen.last().map_or("", String::as_str)
            ),
            Learns::Everything => format!("{head} on {cut}, everything learns"),
            Learns::Anew => format!("{head} on {cut}, everything learns from scratch"),
        }
    }

    /// The keys of `[transfer]` that it settles, with their values as TOML.
    pub fn transfer(&self) -> Vec<(&'static str, String)> {
        let mut keys =
            vec![("case", format!("{:?}", self.case().name())), ("cut", format!("{:?}", self.cut))];
        keys.extend(self.layers().map(|layers| ("head", layers)));
        if let Learns::Upper(frozen) = &self.learns {
            keys.push(("freeze", format!("{frozen:?}")));
        }
        keys
    }

    /// The head's layers; none for the one that needs no words.
    fn layers(&self) -> Option<String> {
        let mut layers = Vec::new();
        if self.features.len() == 3 {
            if let Some([height, width]) = grid(&self.features) {
                layers.push(format!("{{ adaptive-avg-pool = [{height}, {width}] }}"));
            }
            layers.push("\"flatten\"".to_owned());
        }
        match self.head {
            Head::Dense => return None,
            Head::Normalised => layers.push("\"batch-norm\"".to_owned()),
            Head::Hidden => layers.extend([
                "\"batch-norm\"".to_owned(),
                format!("{{ dense = {HIDDEN}, activation = \"relu\" }}"),
            ]),
        }
        layers.push("{ dense = \"classes\" }".to_owned());
        Some(format!("[{}]", layers.join(", ")))
    }

    /// Lays it over the experiment `root`. What the file writes of `[transfer]` stays, and so does what is
    /// swept, by its paths. Beside the tree, what of it is a matter of the recipe.
    ///
    /// # Errors
    /// If the experiment has no optimiser to set the rate of.
    pub fn laid_over(
        &self,
        root: &Node,
        swept: &[&str],
    ) -> Result<(Node, Vec<(String, Node)>), Vec<Problem>> {
        let at = KeyPath::root().key("transfer");
        let place = root.get("transfer").map_or(&root.place, |node| &node.place).clone();
        let mut laid = root.clone();
        for (key, text) in self.transfer() {
            let is_written = root.get("transfer").is_some_and(|node| node.get(key).is_some());
            if key == "case" || !is_written {
                set(&mut laid, &format!("transfer.{key}"), value(&text, &place)?, &at)?;
            }
        }
        let mut recipe = Vec::new();
        let is_swept = swept.iter().any(|path| touches(path, "train.optimizer"));
        if self.rate != 1.0 && !is_swept {
            let (path, rate) = lr(root, self.rate, &place)?;
            set(&mut laid, &path, rate.clone(), &at)?;
            recipe.push((path, rate));
        }
        Ok((laid, recipe))
    }
}

/// Whether what stands at the dotted path `swept` is a part of what stands at `path`, or holds it.
fn touches(swept: &str, path: &str) -> bool {
    let within = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    // What is written in an unusual way may be anything.
    swept.contains('"') || within(swept, path) || within(path, swept)
}

/// Where the learning rate of `root` stands, and `rate` times what it is.
fn lr(root: &Node, rate: f64, place: &Place) -> Result<(String, Node), Problem> {
    let at = KeyPath::root().key("train").key("optimizer");
    let optimizer = root.at(&at).and_then(Node::entries).unwrap_or_default();
    let found = optimizer.iter().find_map(|entry| {
        let lr = match entry.value.get("lr").map(|node| &node.content) {
            Some(Content::Float(lr)) => *lr,
            Some(Content::Integer(lr)) => *lr as f64,
            _ => return None,
        };
        Some((format!("train.optimizer.{}.lr", entry.key), lr))
    });
    let Some((path, lr)) = found else {
        return Err(Problem::value(at, "its learning rate is not written")
            .label("advice tries parts of it")
            .help("write lr = 1e-3"));
    };
    Ok((path, Node { content: Content::Float(rounded(rate * lr)), place: place.clone() }))
}

/// To three digits, as people write rates.
fn rounded(rate: f64) -> f64 {
    format!("{rate:.2e}").parse().unwrap_or(rate)
}

/// The first half of the layers with weights of `kept`, as far as it can be frozen as a whole: the
/// shortest names that mean these and no others, in order. Nothing if the network cannot be parted.
pub fn lower_half(network: &ModelPlan, kept: usize) -> Vec<String> {
    let weighted: Vec<usize> =
        (0..kept).filter(|index| network.layers[*index].parameters() > 0).collect();
    let half = weighted.len() / 2;
    let places = (1..=kept).rev().filter(|place| network.is_neck(*place));
    let count = |place: usize| weighted.iter().filter(|index| **index < place).count();
    let Some(place) = places.into_iter().find(|place| (1..=half).contains(&count(*place))) else {
        return Vec::new();
    };
    let name = |index: usize| network.layers[index].name.as_str();
    let mut names: Vec<String> = Vec::new();
    for index in weighted.iter().copied().filter(|index| *index < place) {
        let ends = name(index).match_indices('.').map(|(at, _)| at).chain([name(index).len()]);
        let means_others = |prefix: &str| {
            let mut others = (place..network.layers.len()).map(name);
            others.any(|other| {
                other
                    .strip_prefix(prefix)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
        };
        let mut prefixes = ends.map(|end| &name(index)[..end]);
        let prefix = prefixes.find(|prefix| !means_others(prefix)).unwrap_or(name(index));
        if names.last().is_none_or(|last| last != prefix) {
            names.push(prefix.to_owned());
        }
    }
    names
}
