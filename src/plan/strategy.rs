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

/// Settings by their dotted paths.
pub type Settings = Vec<(String, Node)>;

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
    pub fn laid_over(&self, root: &Node, swept: &[&str]) -> Result<(Node, Settings), Vec<Problem>> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::layering::preset;
    use crate::plan::network::network;

    fn strategy(learns: Learns, rate: f64) -> Strategy {
        Strategy {
            cut: "pool3".to_owned(),
            features: vec![64, 16, 16],
            is_deep: false,
            head: Head::Normalised,
            learns,
            rate,
        }
    }

    fn root(sets: &[&str]) -> Node {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        preset("demo", &sets).unwrap()
    }

    #[test]
    fn a_strategy_is_settings_of_an_experiment() {
        let root =
            root(&["transfer={case=\"auto\"}", "train.optimizer={sgd={lr=0.02,momentum=0.9}}"]);
        let (laid, recipe) = strategy(Learns::Head, 3.0).laid_over(&root, &[]).unwrap();
        assert_eq!(
            laid.get("transfer").unwrap().to_toml(),
            toml::from_str::<toml::Value>(
                "case = \"small-different\"\ncut = \"pool3\"\n\
                 head = [{ adaptive-avg-pool = [4, 4] }, \"flatten\", \"batch-norm\", { dense = \"classes\" }]"
            )
            .unwrap()
        );
        assert_eq!(recipe[0].0, "train.optimizer.sgd.lr");
        let optimizer = laid.get("train").unwrap().get("optimizer").unwrap().to_toml();
        assert_eq!(optimizer.to_string(), "{ sgd = { lr = 0.06, momentum = 0.9 } }");
    }

    #[test]
    fn what_the_file_writes_and_what_is_swept_stays() {
        let root = root(&["transfer={case=\"auto\",cut=\"end\"}"]);
        let upper = strategy(Learns::Upper(vec!["conv1".to_owned()]), 0.1);
        let (laid, recipe) = upper.laid_over(&root, &["train.optimizer.adam.lr"]).unwrap();
        let transfer = laid.get("transfer").unwrap().to_toml();
        assert_eq!(transfer["cut"].as_str(), Some("end"));
        assert_eq!(transfer["case"].as_str(), Some("large-similar"));
        assert_eq!(transfer["freeze"].as_array().unwrap().len(), 1);
        assert!(recipe.is_empty());
        assert_eq!(laid.get("train").unwrap().to_toml(), root.get("train").unwrap().to_toml());
        let (_, recipe) = upper.laid_over(&root, &["train.epochs"]).unwrap();
        assert_eq!(text_of(&recipe), "train.optimizer.adam.lr 0.0001");
    }

    fn text_of(recipe: &[(String, Node)]) -> String {
        recipe.iter().map(|(path, node)| format!("{path} {}", node.to_toml())).collect()
    }

    #[test]
    fn the_nearest_case_is_what_learns_and_where_it_is_cut() {
        let near = |learns, is_deep| Strategy { is_deep, ..strategy(learns, 1.0) }.case();
        assert_eq!(near(Learns::Head, true), Case::SmallSimilar);
        assert_eq!(near(Learns::Head, false), Case::SmallDifferent);
        assert_eq!(near(Learns::Upper(Vec::new()), true), Case::LargeSimilar);
        assert_eq!(near(Learns::Everything, true), Case::LargeSimilar);
        assert_eq!(near(Learns::Anew, true), Case::LargeDifferent);
    }

    #[test]
    fn half_of_a_network_is_named_by_its_blocks() {
        let named = |name: &str, input: [usize; 3]| {
            let model = network(&preset(name, &[]).unwrap(), input, 10).unwrap();
            let names = lower_half(&model, model.layers.len() - 1);
            // They mean layers of the lower half and no others.
            let means = |name: &str, layer: &str| {
                layer
                    .strip_prefix(name)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            let frozen: Vec<bool> = model
                .layers
                .iter()
                .filter(|layer| layer.parameters() > 0)
                .map(|layer| names.iter().any(|name| means(name, &layer.name)))
                .collect();
            let first = frozen.iter().position(|frozen| !frozen).unwrap();
            assert!(frozen[first..].iter().all(|frozen| !frozen), "{names:?}");
            assert!(first > 0 && 2 * first <= frozen.len(), "{first} of {}", frozen.len());
            names
        };
        assert_eq!(named("demo", [3, 32, 32]), ["conv1", "conv2"]);
        assert!(named("squeezenet1_1", [3, 64, 64]).contains(&"features.3".to_owned()));
        named("mobilenet_v2", [3, 64, 64]);
        named("resnet18", [3, 64, 64]);
    }
}
