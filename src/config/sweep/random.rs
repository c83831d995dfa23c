//! `[sweep.random]`: settings that are drawn at random, so many times.

use crate::basis::written::written;
use crate::document::{KeyPath, Node, Problem, read};

use super::axes::Axis;
use super::distribution::{Distribution, read_axes};

/// The table `[sweep.random]`.
#[derive(Clone, Debug)]
pub struct Random {
    /// How many samples are drawn of all axes.
    pub samples: usize,
    /// What is drawn.
    pub axes: Vec<Axis<Distribution>>,
}

written!(Random, "Random", |types| {
    "type": "object",
    "properties": {
        "samples": {
            "description": "How many samples are drawn of all axes.",
            "type": "integer",
            "minimum": 1,
        },
    },
    "required": ["samples"],
    "additionalProperties": types.subschema_for::<Axis<Distribution>>(),
});

impl Random {
    /// Reads the table at `node`, which stands at `at`.
    pub(super) fn read(node: &Node, at: &KeyPath, problems: &mut Vec<Problem>) -> Option<Random> {
        if node.entries().is_none() {
            problems.push(
                Problem::value(at.clone(), format!("{at} is a table of samples and axes"))
                    .label("not a table"),
            );
            return None;
        }
        let axes = read_axes(node, at, &["samples"], problems);
        let Some(samples) = node.get("samples") else {
            problems.push(
                Problem::key(at.clone(), format!("[{at}] needs the number of samples"))
                    .label("needs \"samples\"")
                    .help("for instance samples = 20"),
            );
            return None;
        };
        let at = at.key("samples");
        match read(samples, &at) {
            Ok(0) => {
                let problem = Problem::value(at, "0 samples leave no trials").label("at least 1");
                problems.push(problem);
                None
            }
            Ok(samples) => Some(Random { samples, axes }),
            Err(problem) => {
                problems.push(problem);
                None
            }
        }
    }
}
