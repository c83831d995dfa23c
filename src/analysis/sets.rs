//! Which trials are on the same images: only these are ranked together.

use std::collections::BTreeMap;

use super::tables::Trial;

/// Settings of `[data]` that decide which images and labels results are about. What a network learns from may differ,
/// as by `data.subset`, and so may how it sees them.
const DECIDING: [&str; 6] = [
    "data.source",
    "data.classes",
    "data.class-attributes",
    "data.task",
    "data.test",
    "data.columns",
];

/// The axis that names entries of `[[sweep.list]]`.
const VARIANT: &str = "variant";

fn decides(key: &str) -> bool {
    DECIDING
        .iter()
        .any(|it| key == *it || key.strip_prefix(it).is_some_and(|rest| rest.starts_with('.')))
}

/// For each trial the number of its set of images, and what each set is called. A single set has no name.
pub(super) fn sets(
    axes: &[String],
    trials: &[Trial],
    experiment: &toml::Table,
) -> (Vec<usize>, Vec<String>) {
    let variants = variants(experiment);
    let mut known: BTreeMap<Vec<&str>, usize> = BTreeMap::new();
    let mut names: Vec<String> = Vec::new();
    let of_trial = trials.iter().map(|trial| {
        let mut key = Vec::new();
        let mut words = Vec::new();
        for (axis, value) in axes.iter().zip(&trial.values) {
            let decided = match variants.get(value.as_str()) {
                Some(decided) if axis == VARIANT && !variants.values().all(|it| it == decided) => {
                    decided.as_str()
                }
                _ if decides(axis) => value.as_str(),
                _ => continue,
            };
            key.push(decided);
            words.push(value.as_str());
        }
        *known.entry(key).or_insert_with(|| {
            names.push(words.join(", "));
            names.len() - 1
        })
    });
    let of_trial: Vec<usize> = of_trial.collect();
    if let [only] = &mut names[..] {
        only.clear();
    }
    (of_trial, names)
}

/// What each entry of `[[sweep.list]]` says of its images, by name.
fn variants(experiment: &toml::Table) -> BTreeMap<&str, String> {
    let list = experiment.get("sweep").and_then(|sweep| sweep.get("list")?.as_array());
    let said = |entry: &toml::Table| {
        let mut said = Vec::new();
        for (key, value) in entry {
            match value.as_table().filter(|_| key == "data") {
                Some(data) => {
                    said.extend(data.iter().map(|(key, value)| (format!("data.{key}"), value)))
                }
                None => said.push((key.clone(), value)),
            }
        }
        let said = said.into_iter().filter(|(key, _)| decides(key));
        said.map(|(key, value)| format!("{key} = {value}")).collect::<Vec<_>>().join("; ")
    };
    let entries = list.into_iter().flatten().filter_map(toml::Value::as_table);
    entries.filter_map(|entry| Some((entry.get("name")?.as_str()?, said(entry)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_name_other_images_are_told_apart_by_what_they_say_of_them() {
        let text = "[[sweep.list]]\nname = \"a\"\n\"data.source\" = \"digits\"\n\"train.epochs\" = 3\n\
                    [[sweep.list]]\nname = \"b\"\n[sweep.list.data]\nsource = \"digits\"\n\
                    [[sweep.list]]\nname = \"c\"\n\"model.depth\" = 2\n";
        let experiment: toml::Table = toml::from_str(text).unwrap();
        let found = variants(&experiment);
        assert_eq!(found["a"], found["b"]);
        assert_eq!(found["c"], "");
    }

    #[test]
    fn what_is_learnt_from_decides_nothing() {
        assert!(decides("data.source") && decides("data.source.folder"));
        assert!(!decides("data.subset") && !decides("data.image.size") && !decides("data.sources"));
    }
}
