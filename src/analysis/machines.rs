//! On what machines the trials of a results folder ran, and whether that may show in their numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rayon::prelude::*;

use crate::results::layout;
use crate::sweep::platform::Platform;
use crate::sweep::store::{Station, TrialStore};

/// Machines on which the same trial gives the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// In what they differ from the other kinds, as "version 0.1.0"; empty if there is one kind.
    pub words: String,
    /// Their names.
    pub hosts: BTreeSet<String>,
    /// What their processors call themselves.
    pub processors: BTreeSet<String>,
    /// The numbers of the trials that ran there, or a part of them.
    pub trials: BTreeSet<usize>,
}

/// What may show in a number: the name of a property, and its value.
fn properties(machine: &Platform) -> [(&'static str, &str); 4] {
    [
        ("architecture", &machine.architecture),
        ("system", &machine.os),
        ("version", &machine.version),
        ("binary", &machine.binary),
    ]
}

/// The kinds of machines on which the trials ran that `trials` names by number and digest, in the folder
/// `root`; the kind of the first trial first.
pub fn kinds<'a>(root: &Path, trials: impl Iterator<Item = (usize, &'a str)>) -> Vec<Kind> {
    let mut found: Vec<(Platform, Kind)> = Vec::new();
    let mut values: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let trials: Vec<(usize, &str)> = trials.collect();
    let stations =
        |(_, digest): &(usize, &str)| TrialStore::at(layout::trial(root, digest)).stations();
    let stations: Vec<Vec<Station>> = trials.par_iter().map(stations).collect();
    for ((number, _), stations) in trials.into_iter().zip(stations) {
        for station in stations {
            let machine = station.machine;
            let place = found.iter().position(|(it, _)| properties(it) == properties(&machine));
            for (name, value) in properties(&machine) {
                values.entry(name).or_default().insert(value.to_owned());
            }
            let place = place.unwrap_or_else(|| {
                let (hosts, processors) = (BTreeSet::new(), BTreeSet::new());
                let kind =
                    Kind { words: String::new(), hosts, processors, trials: BTreeSet::new() };
                found.push((machine.clone(), kind));
                found.len() - 1
            });
            let kind = &mut found[place].1;
            kind.hosts.insert(machine.host);
            kind.processors.insert(machine.processor);
            kind.trials.insert(number);
        }
    }
    let words = |machine: &Platform| {
        let differ = properties(machine).into_iter().filter(|(name, _)| values[name].len() > 1);
        let words: Vec<String> = differ.map(|(name, value)| format!("{name} {value}")).collect();
        words.join(", ")
    };
    found.into_iter().map(|(machine, kind)| Kind { words: words(&machine), ..kind }).collect()
}

/// Lines about the kinds, if there are several.
pub fn differences(kinds: &[Kind]) -> Vec<String> {
    if kinds.len() < 2 {
        return Vec::new();
    }
    let mut lines = vec![
        "the trials ran on different kinds of machines, whose numbers may differ in their last digits:"
            .to_owned(),
    ];
    lines.extend(kinds.iter().map(|Kind { words, hosts, trials, .. }| {
        let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
        let word = if trials.len() == 1 { "trial" } else { "trials" };
        format!("  {words}: {word} {} on {}", ranges(trials), hosts.join(", "))
    }));
    lines
}

/// As "1, 3–5".
pub fn ranges(numbers: &BTreeSet<usize>) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => ranges.push((*number, *number)),
        }
    }
    let words = ranges.into_iter().map(|(first, last)| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first}–{last}"),
    });
    words.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_a_row_are_a_range() {
        assert_eq!(ranges(&BTreeSet::from([1, 3, 4, 5, 8, 9])), "1, 3–5, 8, 9");
        assert_eq!(ranges(&BTreeSet::new()), "");
    }
}
