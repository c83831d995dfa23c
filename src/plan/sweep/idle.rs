//! Values from the command line or the environment that no trial would ever see, because the sweep replaces them
//! in all of them.

use crate::config::setting::look_up;
use crate::config::sweep::{Seeds, Sweep};
use crate::document::{Content, Node, Place, Problem};

/// Says of every such value that it has no effect.
pub(super) fn problems(root: &Node, sweep: &Sweep) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    for path in replaced(sweep) {
        let mut places = Vec::new();
        look_up(root, path).into_iter().for_each(|node| laid_over(node, &mut places));
        if path == "model.preset" {
            // The layers go with the preset that they are of.
            look_up(root, "model.layers").into_iter().for_each(|node| laid_over(node, &mut places));
        }
        for place in places {
            let problem = Problem::at(
                place.clone(),
                format!("\"{path}\" is swept, so no trial has the value that is set here"),
            )
            .label("has no effect")
            .help(match path {
                "seed" => "set the seeds of the sweep instead: --set sweep.seeds=[5]".to_owned(),
                _ => format!(
                    "set the values of the sweep instead, as --set 'sweep.grid.\"{path}\"=[…]'"
                ),
            });
            if !problems.iter().any(|known| known.is_at(place)) {
                problems.push(problem);
            }
        }
    }
    problems
}

/// The paths that the sweep replaces in every trial.
fn replaced(sweep: &Sweep) -> Vec<&str> {
    // Where an axis is left out, the value of the file holds.
    let grid = sweep.grid.iter().filter(|axis| axis.when.is_empty()).map(|axis| &axis.path);
    let random = sweep.random.iter().flat_map(|random| &random.axes);
    let search = sweep.search.iter().flat_map(|search| &search.axes);
    let drawn = random.chain(search).filter(|axis| axis.when.is_empty()).map(|axis| &axis.path);
    let mut paths: Vec<&str> = grid
        .chain(sweep.zip.iter().map(|axis| &axis.path))
        .chain(drawn)
        .map(String::as_str)
        .collect();
    if let Some((first, others)) = sweep.list.split_first() {
        let has =
            |settings: &[(String, Node)], path: &str| settings.iter().any(|(it, _)| it == path);
        let in_all = first.settings.iter().map(|(path, _)| path.as_str());
        paths.extend(in_all.filter(|path| others.iter().all(|other| has(&other.settings, path))));
    }
    if let Seeds::List(_) = sweep.seeds {
        paths.push("seed");
    }
    paths
}

/// The places outside of files from which `node`, or something within it, is.
fn laid_over<'a>(node: &'a Node, places: &mut Vec<&'a Place>) {
    if let Place::Set(_) | Place::Environment(_) = node.place {
        places.push(&node.place);
        return;
    }
    match &node.content {
        Content::Array(items) => items.iter().for_each(|item| laid_over(item, places)),
        Content::Table(entries) => entries.iter().for_each(|entry| laid_over(&entry.value, places)),
        _ => {}
    }
}
