//! The layers of an experiment, lowest first: built-in defaults, the files named by `extends`, the
//! file, a profile, the environment, `--set`.
//!
//! Tables merge, lists and plain values replace, and so do choices ([`CHOICES`]) and axes of a sweep:
//! `optimizer = { sgd = … }` over `{ adam = … }` is SGD, not both.
//! The environment and `--set` come last and may reach into lists, which a merge cannot, so they
//! are put into the merged tree one by one.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::defaults::{CHOICES, defaults};
use super::setting::{lay, look_up, set};
use super::{presets, sweep};
use crate::document::merge::merge;
use crate::document::parse::{parse, value};
use crate::document::{Content, Entry, KeyPath, Node, Place, Problem, Problems, SourceFile, read};

/// Prefix of the environment's variables: `WICK_DATA__BATCH_SIZE` is `data.batch-size`.
pub const ENVIRONMENT_PREFIX: &str = "WICK_";

/// What the user asked for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The experiment file.
    pub file: PathBuf,
    /// The table under `[profile]` to lay over the file.
    pub profile: Option<String>,
    /// Variables of the environment, any; those with the prefix count.
    pub environment: Vec<(String, String)>,
    /// `key=value`, in order.
    pub sets: Vec<String>,
}

/// Reads and merges all layers.
pub fn load(request: &Request) -> Result<Node, Problems> {
    load_by(request, &text_of)
}

/// The most bytes that a file of an experiment may have.
const LONGEST: u64 = 16 << 20;

/// The text of a file; some files never end.
pub(super) fn text_of(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(LONGEST + 1).read_to_string(&mut text)?;
    if read as u64 > LONGEST {
        let message = format!("it has more than {} MiB", LONGEST >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(text)
}

/// Gives the text of a file.
type ReadFile<'a> = dyn Fn(&Path) -> std::io::Result<String> + 'a;

/// As [`load`], with the text of files from `by`.
pub(super) fn load_by(request: &Request, by: &ReadFile) -> Result<Node, Problems> {
    let mut layers = vec![defaults()];
    files(&request.file, by, &mut Vec::new(), None, request.profile.as_deref(), &mut layers)?;
    finish(merge(&layers, &replaces), &request.environment, &request.sets)
}

/// Whether a table stands for one value: a choice, or an axis of a sweep.
fn replaces(path: &str, table: &Node) -> bool {
    CHOICES.contains(&path) || (path.starts_with("sweep.") && sweep::is_axis(table))
}

/// The built-in defaults with the preset `name` and `sets`: an experiment about a network alone.
pub fn preset(name: &str, sets: &[String]) -> Result<Node, Problems> {
    let mut all = vec![format!("model.preset={name}")];
    all.extend_from_slice(sets);
    finish(defaults(), &[], &all)
}

/// Lays the preset under the tree and puts values from outside into it.
fn finish(
    mut root: Node,
    environment: &[(String, String)],
    sets: &[String],
) -> Result<Node, Problems> {
    let mut problems = Problems::none();
    let mut environment: Vec<_> = environment
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(ENVIRONMENT_PREFIX)?, name, value)))
        .collect();
    environment.sort();
    let mut puts = Vec::new();
    for (key, name, value) in environment {
        let dotted = key.to_lowercase().replace("__", ".").replace('_', "-");
        puts.push((dotted, value.as_str(), Place::Environment(format!("{name}={value}").into())));
    }
    for set in sets {
        let place = Place::Set(set.as_str().into());
        match set.split_once('=') {
            Some((dotted, value)) => puts.push((dotted.trim().to_owned(), value, place)),
            None => problems.add(
                Problem::at(place, format!("\"{set}\" sets nothing"))
                    .label("no =")
                    .help("write --set train.epochs=3"),
            ),
        }
    }
    // The preset comes first, so that others can reach into it.
    let (presets, others): (Vec<_>, Vec<_>) =
        puts.into_iter().partition(|(dotted, _, _)| dotted == "model.preset");
    for (dotted, value, place) in presets {
        put(&mut root, &dotted, value, place, &mut problems);
    }
    if let Err(problem) = presets::apply(&mut root) {
        problems.add(problem.locate(&root));
    }
    for (dotted, value, place) in others {
        put(&mut root, &dotted, value, place, &mut problems);
    }
    if problems.is_empty() { Ok(root) } else { Err(problems) }
}

/// Pushes the layers of a file and of all it extends, lowest first.
fn files(
    path: &Path,
    by: &ReadFile,
    chain: &mut Vec<(PathBuf, PathBuf)>,
    named_at: Option<Place>,
    profile: Option<&str>,
    layers: &mut Vec<Node>,
) -> Result<(), Problems> {
    let identity = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let trouble = |message: String| match &named_at {
        Some(place) => Problem::at(place.clone(), message),
        None => Problem::value(KeyPath::root(), message),
    };
    if chain.iter().any(|(_, known)| *known == identity) {
        let names: Vec<String> = chain
            .iter()
            .map(|(name, _)| name.as_path())
            .chain([path])
            .map(|path| path.display().to_string())
            .collect();
        return Err(trouble("the file extends itself".to_owned())
            .label("closes the circle")
            .note(names.join(" → "))
            .into());
    }
    let text = by(path).map_err(|error| {
        let help = match error.kind() {
            std::io::ErrorKind::NotFound => {
                "wick new FOLDER writes a first experiment for a folder of images"
            }
            _ => "an experiment is a TOML file in UTF-8",
        };
        Problems::from(
            trouble(format!("failed to read {}: {error}", path.display()))
                .label("named here")
                .help(help),
        )
    })?;
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let source = SourceFile { path: path.display().to_string(), text, folder: folder.clone() };
    let mut node = parse(Arc::new(source))?;
    let profiles = take(&mut node, "profile").map(|entry| entry.value);
    let extends = take(&mut node, "extends").map(|entry| entry.value);
    chain.push((path.to_owned(), identity));
    if let Some(extends) = extends {
        let list = match extends.content {
            Content::Array(items) => items,
            _ => vec![extends],
        };
        for (index, item) in list.into_iter().enumerate() {
            let at = KeyPath::root().key("extends").index(index);
            let name = read::<String>(&item, &at).map_err(|problem| {
                Problems::from(Problem::at(item.place.clone(), problem.message()))
            })?;
            files(&folder.join(name), by, chain, Some(item.place), None, layers)?;
        }
    }
    chain.pop();
    layers.push(node);
    if let Some(name) = profile {
        layers.push(find_profile(name, profiles)?);
    }
    Ok(())
}

fn find_profile(name: &str, profiles: Option<Node>) -> Result<Node, Problems> {
    let mut profiles = profiles;
    let entries = match &mut profiles {
        Some(Node { content: Content::Table(entries), .. }) => std::mem::take(entries),
        _ => Vec::new(),
    };
    let names: Vec<String> = entries.iter().map(|entry| entry.key.clone()).collect();
    if let Some(entry) = entries.into_iter().find(|entry| entry.key == name) {
        return Ok(entry.value);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let message = format!("the file has no profile \"{name}\"");
    let problem = match profiles {
        Some(profiles) => Problem::at(profiles.place, message),
        None => Problem::value(KeyPath::root(), message),
    };
    let problem = problem.did_you_mean(name, &names, "profiles stand here");
    Err(problem
        .help(match names[..] {
            [] => format!("a profile is a table: [profile.{name}]"),
            _ => format!("the profiles are {}", names.join(", ")),
        })
        .into())
}

fn take(node: &mut Node, key: &str) -> Option<Entry> {
    match &mut node.content {
        Content::Table(entries) => {
            let index = entries.iter().position(|entry| entry.key == key)?;
            Some(entries.remove(index))
        }
        _ => None,
    }
}

/// Puts one value from the command line or the environment into the tree, making tables on the way.
fn put(root: &mut Node, dotted: &str, text: &str, place: Place, problems: &mut Problems) {
    // A tables' worth of missing parents is made: reading will find unknown keys and say so.
    let segments = KeyPath::split(dotted);
    for depth in 1..segments.len() {
        let above = segments[..depth].join(".");
        if look_up(root, &above).is_none() {
            let table = Node { content: Content::Table(Vec::new()), place: place.clone() };
            if let Err(problem) = set(root, &above, table, &KeyPath::root()) {
                problems.add(at_place(problem, place));
                return;
            }
        }
    }
    let node = match value(text, &place) {
        Ok(node) => node,
        Err(problem) => return problems.add(problem),
    };
    if let Err(problem) = lay(root, dotted, node, &KeyPath::root()) {
        problems.add(at_place(problem, place));
    }
}

fn at_place(problem: Problem, place: Place) -> Problem {
    Problem::at(place, problem.message()).label("leads nowhere")
}
