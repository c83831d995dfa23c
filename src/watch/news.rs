//! What is new in a results folder since a version, as JSON.
//!
//! Numbers make most of it, so that it is written straight into a text.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::analysis::State;

use super::course::{Course, Shown};
use super::curve::Point;
use super::live::Live;

impl Live {
    /// What is new since the version `since`; everything if that is 0, or of another start of the program.
    pub(super) fn news(&mut self, since: u64) -> String {
        self.look();
        let is_whole = since < self.begun || since == 0 || since > self.version;
        let since = if is_whole { 0 } else { since };
        let mut text = format!("{{\"version\":{},\"whole\":{is_whole}", self.version);
        let parts = [
            ("head", &self.head),
            ("counts", &self.counts),
            ("ranking", &self.ranking),
            ("pictures", &self.album),
            ("notice", &self.notice),
            ("report", &self.has_report),
        ];
        for (name, part) in parts {
            if part.since > since || is_whole {
                let _ = write!(text, ",\"{name}\":{}", part.value);
            }
        }
        let changed =
            self.courses.iter().enumerate().filter(|(_, it)| it.changed > since || is_whole);
        list(&mut text, "rows", changed, |text, (index, course)| row(text, index, course));
        let grown = self.courses.iter().enumerate().filter_map(|(index, course)| {
            let (is_all, points) = course.curve.since(since);
            (!points.is_empty() || is_all && !is_whole).then_some((index, is_all, points))
        });
        list(&mut text, "curves", grown, curve);
        text.push('}');
        text
    }
}

/// Writes a list called `name`, if there is anything in it.
fn list<T>(
    text: &mut String,
    name: &str,
    items: impl Iterator<Item = T>,
    write_one: impl Fn(&mut String, T),
) {
    let mut is_empty = true;
    for item in items {
        match std::mem::replace(&mut is_empty, false) {
            true => _ = write!(text, ",\"{name}\":["),
            false => text.push(','),
        }
        write_one(text, item);
    }
    if !is_empty {
        text.push(']');
    }
}

/// The index of a trial, its state by its place among all states, and what else its row shows.
fn row(text: &mut String, index: usize, course: &Course) {
    let Shown { state, reason, place, epochs, planned, best, seconds, shared } = &course.shown;
    let state = State::ALL.iter().position(|it| it == state).unwrap_or_default();
    let words: Value = json!([reason, place]);
    let planned = planned.map_or("null".to_owned(), |planned| planned.to_string());
    let best = best.filter(|(_, value)| value.is_finite());
    let best = best.map_or("null".to_owned(), |(epoch, value)| format!("[{epoch},{value}]"));
    let seconds = seconds.map_or("null".to_owned(), |seconds| format!("{seconds:.1}"));
    let _ = write!(text, "[{index},{state},{words},{epochs},{planned},{best},{seconds},{shared}]");
}

/// The index of a trial, whether these are all its points, and the points: epoch and scores.
fn curve(text: &mut String, (index, is_all, points): (usize, bool, &[Point])) {
    let _ = write!(text, "[{index},{is_all},[");
    for (place, point) in points.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        let _ = write!(text, "[{}", point.epoch);
        for value in point.values {
            match value.is_finite() {
                // A screen has no more digits.
                true => _ = write!(text, ",{}", (f64::from(value) * 1e5).round() / 1e5),
                false => text.push_str(",null"),
            }
        }
        text.push(']');
    }
    text.push_str("]]");
}
