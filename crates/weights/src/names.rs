//! Which tensor of a file is which parameter of a network.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::Entry;
use super::layout::Layout;
use super::rename::Rename;
use super::report::{Clash, Match, Missing, Prefix, Report, WrongShape};

/// Prefixes that wrappers put before every name: `DataParallel`, `torch.compile`.
const PREFIXES: [&str; 2] = ["module.", "_orig_mod."];

/// Ends of names that training keeps and nothing else needs.
const BOOKKEEPING: [&str; 5] =
    ["num_batches_tracked", "n_averaged", "_extra_state", "total_ops", "total_params"];

/// Classifiers that help only while an Inception is trained.
const AUXILIARY: [&str; 3] = ["aux1.", "aux2.", "AuxLogits."];

/// Missing parameters that a like name is looked for; more are not read anyway.
const SUGGESTED: usize = 10;

/// Longer names are not compared letter by letter.
const COMPARED: usize = 200;

/// How sure it is that a tensor is a parameter; what the user says comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ground {
    Renamed,
    SameName,
    Layout,
}

/// Finds the tensor among `entries` for each parameter of `expected`, names and shapes in torchvision's
/// terms.
///
/// A tensor belongs to the parameter that a rename says, else to the one of its own name, else to
/// the one that the known names of timm say. The prefix `module.` is taken off if all names have
/// it. A convolution's weights fit a dense layer's, and the other way, if they are the same but for
/// the sides being one number or three. What is only bookkeeping is ignored.
pub fn match_names(
    expected: &[(String, Vec<usize>)],
    entries: &[Entry],
    renames: &[Rename],
) -> Report {
    let parameters: BTreeMap<&str, &[usize]> =
        expected.iter().map(|(name, shape)| (name.as_str(), shape.as_slice())).collect();
    let stripped = strip(entries, &parameters);
    let layout = Layout::of(&stripped.iter().copied().collect());
    let mut report = Report { expected: parameters.len(), ..Report::default() };
    let mut used = vec![false; renames.len()];
    let mut claims: BTreeMap<String, Vec<(Ground, &Entry)>> = BTreeMap::new();
    let mut left: Vec<&Entry> = Vec::new();
    for (entry, name) in entries.iter().zip(&stripped) {
        let renamed = renames.iter().enumerate().find_map(|(index, rename)| {
            let to = rename.apply(&entry.name).or_else(|| rename.apply(name))?;
            used[index] = true;
            Some((Ground::Renamed, to))
        });
        let claim = renamed
            .or_else(|| Some((Ground::SameName, (*name).to_owned())).filter(known(&parameters)))
            .or_else(|| {
                let to = layout.as_ref()?.translate(name)?;
                Some((Ground::Layout, to)).filter(known(&parameters))
            })
            .filter(known(&parameters));
        match claim {
            Some((ground, parameter)) => {
                claims.entry(parameter).or_default().push((ground, entry));
            }
            None if bookkeeping(name) => report.ignored.push(entry.name.clone()),
            None => left.push(entry),
        }
    }
    for (name, shape) in &parameters {
        let Some(claims) = claims.remove(*name) else {
            report.missing.push(Missing {
                parameter: (*name).to_owned(),
                shape: shape.to_vec(),
                nearest: None,
            });
            continue;
        };
        let best = claims.iter().map(|(ground, _)| *ground).min();
        let (winners, losers): (Vec<_>, Vec<_>) =
            claims.into_iter().partition(|(ground, _)| Some(*ground) == best);
        left.extend(losers.into_iter().map(|(_, entry)| entry));
        match winners[..] {
            [(ground, entry)] => {
                if ground == Ground::Layout {
                    report.layout = layout.as_ref().map(Layout::origin);
                }
                assign(&mut report, name, shape, entry);
            }
            _ => report.clashes.push(Clash {
                parameter: (*name).to_owned(),
                entries: winners.iter().map(|(_, entry)| entry.name.clone()).collect(),
            }),
        }
    }
    left.sort_by(|one, other| one.name.cmp(&other.name));
    for missing in report.missing.iter_mut().take(SUGGESTED) {
        missing.nearest = nearest(missing, &left);
    }
    report.prefix = prefix(&report.missing, &left);
    report.unexpected = left.into_iter().map(|entry| entry.name.clone()).collect();
    report.unused = renames
        .iter()
        .zip(used)
        .filter(|(_, used)| !used)
        .map(|(rename, _)| rename.clone())
        .collect();
    report
}

fn known(parameters: &BTreeMap<&str, &[usize]>) -> impl Fn(&(Ground, String)) -> bool {
    |(_, name)| parameters.contains_key(name.as_str())
}

/// The names without the prefixes that all of them have and no parameter has.
fn strip<'a>(entries: &'a [Entry], parameters: &BTreeMap<&str, &[usize]>) -> Vec<&'a str> {
    let mut names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    // A model may be compiled and then wrapped, or wrapped and then compiled.
    for prefix in PREFIXES.iter().chain(&PREFIXES) {
        let wanted = parameters.keys().any(|name| name.starts_with(prefix));
        let shared = names.iter().all(|name| name.starts_with(prefix) || bookkeeping(name));
        if !wanted && shared {
            names.iter_mut().for_each(|name| *name = name.strip_prefix(prefix).unwrap_or(name));
        }
    }
    names
}

fn bookkeeping(name: &str) -> bool {
    BOOKKEEPING.contains(&name.rsplit('.').next().unwrap_or(name))
        || AUXILIARY.iter().any(|prefix| name.starts_with(prefix))
}

fn assign(report: &mut Report, name: &str, shape: &[usize], entry: &Entry) {
    let (parameter, found) = (name.to_owned(), entry.name.clone());
    if fits(shape, &entry.shape) {
        report.matched.push(Match { parameter, entry: found, shape: shape.to_vec() });
    } else {
        report.wrong_shape.push(WrongShape {
            parameter,
            entry: found,
            expected: shape.to_vec(),
            found: entry.shape.clone(),
        });
    }
}

/// Whether the shapes are the same, or a convolution's and a dense layer's of the same order.
fn fits(expected: &[usize], found: &[usize]) -> bool {
    let flat = |dense: &[usize], conv: &[usize]| match (dense, conv) {
        ([outputs, inputs], [filters, channels, height, width]) => {
            outputs == filters
                && channels.checked_mul(*height).and_then(|n| n.checked_mul(*width))
                    == Some(*inputs)
        }
        _ => false,
    };
    expected == found || flat(expected, found) || flat(found, expected)
}

/// The name among `left` that was probably meant: one that ends in it or is alike, or the only one
/// of the shape.
fn nearest(missing: &Missing, left: &[&Entry]) -> Option<String> {
    let name = missing.parameter.as_str();
    fn last(name: &str) -> Option<&str> {
        name.rsplit('.').next()
    }
    let longer =
        |entry: &&&Entry| entry.name.strip_suffix(name).is_some_and(|before| before.ends_with('.'));
    if let Some(entry) = left.iter().find(longer) {
        return Some(entry.name.clone());
    }
    // The cheap conditions come first: a file may have very many names.
    let allowed = (name.len() / 4).max(1);
    let alike = left
        .iter()
        .filter(|entry| name.len() <= COMPARED && entry.name.len().abs_diff(name.len()) <= allowed)
        .filter(|entry| last(name) == last(&entry.name))
        .map(|entry| {
            let other_shape = !fits(&missing.shape, &entry.shape);
            (other_shape, strsim::damerau_levenshtein(name, &entry.name), *entry)
        })
        .filter(|(_, distance, _)| *distance <= allowed)
        .min_by_key(|(other_shape, distance, _)| (*other_shape, *distance));
    if let Some((_, _, entry)) = alike {
        return Some(entry.name.clone());
    }
    let mut same = left
        .iter()
        .filter(|entry| fits(&missing.shape, &entry.shape) && last(name) == last(&entry.name));
    match (same.next(), same.next()) {
        (Some(entry), None) => Some(entry.name.clone()),
        _ => None,
    }
}

/// The prefix under which at least half of the missing parameters are in the file.
fn prefix(missing: &[Missing], left: &[&Entry]) -> Option<Prefix> {
    let wanted: BTreeSet<&str> = missing.iter().map(|missing| missing.parameter.as_str()).collect();
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in left.iter().filter(|entry| entry.name.len() <= COMPARED) {
        for (dot, _) in entry.name.match_indices('.') {
            if wanted.contains(&entry.name[dot + 1..]) {
                *found.entry(&entry.name[..=dot]).or_default() += 1;
            }
        }
    }
    let (prefix, count) = found.into_iter().max_by_key(|(_, count)| *count)?;
    (2 * count >= missing.len()).then(|| Prefix { prefix: prefix.to_owned(), count })
}
