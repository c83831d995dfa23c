//! Values of distributions: drawing them, and the line on which a search thinks of them.

use crate::basis::seed::Stream;
use crate::config::sweep::distribution::Distribution;
use crate::document::{Content, Node, Place};

use super::setting::matches;
use super::text;

/// Where the values of a distribution lie on the line on which searches work: numbers as they are or as
/// their logarithms, choices by their index.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Line {
    /// From `low` to `high`; whole numbers are `step` apart and take half of it on both sides, elsewhere
    /// it is 0.
    Numbers { low: f64, high: f64, step: f64 },
    /// So many choices without an order.
    Choices(usize),
}

impl Distribution {
    /// A value by the distribution itself.
    pub(super) fn draw(&self, stream: &mut Stream) -> Node {
        let position = match self.line() {
            Line::Choices(count) => stream.below(count as u64) as f64,
            // Drawn with both ends as likely as the others.
            Line::Numbers { low, step, .. } if step > 0.0 => {
                let count = self.size().unwrap_or(1);
                low + step / 2.0 + step * stream.below(count) as f64
            }
            Line::Numbers { low, high, .. } => low + (high - low) * stream.uniform(),
        };
        self.value_at(position)
    }

    pub(super) fn line(&self) -> Line {
        match self {
            Distribution::Uniform(range) => {
                Line::Numbers { low: range.low, high: range.high, step: 0.0 }
            }
            Distribution::LogUniform(range) => {
                Line::Numbers { low: libm::log(range.low), high: libm::log(range.high), step: 0.0 }
            }
            // Each number has the stretch that rounds to it.
            Distribution::Integer { range, is_log: true, .. } => Line::Numbers {
                low: libm::log(range.low as f64 - 0.5),
                high: libm::log(range.high as f64 + 0.5),
                step: 0.0,
            },
            Distribution::Integer { range, step, .. } => {
                let step = *step as f64;
                let last = range.low as f64 + step * (self.size().unwrap_or(1) - 1) as f64;
                Line::Numbers { low: range.low as f64 - step / 2.0, high: last + step / 2.0, step }
            }
            Distribution::Choice(values) => Line::Choices(values.len()),
        }
    }

    /// The value at a place on the line.
    pub(super) fn value_at(&self, position: f64) -> Node {
        match self {
            Distribution::Uniform(range) => {
                float(rounded(position).clamp(range.low, range.high), &range.place)
            }
            Distribution::LogUniform(range) => {
                float(rounded(libm::exp(position)).clamp(range.low, range.high), &range.place)
            }
            Distribution::Integer { range, step, is_log } => {
                let number = if *is_log { libm::exp(position) } else { position };
                let steps = ((number - range.low as f64) / *step as f64).round().max(0.0) as u64;
                let last = self.size().unwrap_or(1) - 1;
                let number = range.low + step * steps.min(last) as i64;
                Node { content: Content::Integer(number), place: range.place.clone() }
            }
            Distribution::Choice(values) => {
                values[(position.max(0.0) as usize).min(values.len() - 1)].clone()
            }
        }
    }

    /// The place of a value on the line.
    pub(super) fn position(&self, value: &Node) -> Option<f64> {
        let number = number(value);
        match self {
            Distribution::Uniform(_) | Distribution::Integer { is_log: false, .. } => number,
            Distribution::LogUniform(_) | Distribution::Integer { is_log: true, .. } => {
                number.map(libm::log)
            }
            Distribution::Choice(values) => {
                let index = values.iter().position(|known| known.content == value.content);
                index.map(|index| index as f64)
            }
        }
    }

    /// The place on the line of a value as tables have it; none if it is none of these.
    pub(super) fn position_of(&self, shown: &str) -> Option<f64> {
        if let Distribution::Choice(values) = self {
            let index = values.iter().position(|known| text(known) == shown);
            return index.map(|index| index as f64);
        }
        let number: f64 = shown.parse().ok()?;
        let position = match self {
            Distribution::LogUniform(_) | Distribution::Integer { is_log: true, .. } => {
                libm::log(number)
            }
            _ => number,
        };
        let Line::Numbers { low, high, .. } = self.line() else { return None };
        (low..=high).contains(&position).then_some(position)
    }

    /// The place that all drawn values share, if they are no choices.
    pub(super) fn range(&self) -> Option<&Place> {
        match self {
            Distribution::Uniform(range) | Distribution::LogUniform(range) => Some(&range.place),
            Distribution::Integer { range, .. } => Some(&range.place),
            Distribution::Choice(_) => None,
        }
    }

    /// Both ends of a range, or every choice, each where it is written.
    pub(super) fn ends(&self) -> Vec<Node> {
        match self {
            Distribution::Uniform(range) | Distribution::LogUniform(range) => {
                vec![float(range.low, &range.ends[0]), float(range.high, &range.ends[1])]
            }
            Distribution::Integer { range, .. } => {
                let last = self.value_at(f64::INFINITY).content;
                let ends = [Content::Integer(range.low), last].into_iter().zip(&range.ends);
                ends.map(|(content, place)| Node { content, place: place.clone() }).collect()
            }
            Distribution::Choice(values) => values.clone(),
        }
    }

    /// How many values there are, if they can be counted.
    pub(super) fn size(&self) -> Option<u64> {
        match self {
            Distribution::Uniform(_) | Distribution::LogUniform(_) => None,
            Distribution::Integer { range, step, .. } => {
                Some(range.high.abs_diff(range.low) / step.unsigned_abs().max(1) + 1)
            }
            Distribution::Choice(values) => Some(values.len() as u64),
        }
    }

    /// The value with this index, where values can be counted.
    pub(super) fn nth(&self, index: u64) -> Node {
        match self {
            Distribution::Integer { range, step, .. } => {
                let content = Content::Integer(range.low + step * index as i64);
                Node { content, place: range.place.clone() }
            }
            _ => self.value_at(index as f64),
        }
    }

    /// A value that `wanted` is met by, if there is one.
    pub(super) fn find(&self, wanted: &Node) -> Option<Node> {
        if let Distribution::Choice(values) = self {
            return values.iter().find(|value| matches(value, wanted)).cloned();
        }
        let number = number(wanted)?;
        let found = self.value_at(match self.line() {
            Line::Numbers { .. } => self.position(wanted)?,
            Line::Choices(_) => number,
        });
        (found.content == wanted.content).then_some(found)
    }
}

fn number(node: &Node) -> Option<f64> {
    match node.content {
        Content::Integer(number) => Some(number as f64),
        Content::Float(number) => Some(number),
        _ => None,
    }
}

fn float(number: f64, place: &Place) -> Node {
    Node { content: Content::Float(number), place: place.clone() }
}

/// To four significant digits, which read well and are exactly what stands in the tables.
fn rounded(number: f64) -> f64 {
    format!("{number:.3e}").parse().unwrap_or(number)
}
