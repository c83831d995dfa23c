//! `wick predict`: the classes of images.

use std::fmt::Write;

use anyhow::{Context, Result};

use crate::sweep::store::write_whole;

use super::arguments::Predict;
use super::exit::{Exit, print, say};
use super::trained::{BATCH, Ready, softmax};

/// Runs the command.
pub(super) fn predict(arguments: &Predict) -> Result<Exit> {
    let mut ready = match Ready::new(&arguments.trained) {
        Ok(ready) => ready,
        Err(message) => {
            say(&message);
            return Ok(Exit::Wrong);
        }
    };
    let mut table = csv::Writer::from_writer(Vec::new());
    let header = std::iter::once("image").chain(ready.card.classes.iter().map(String::as_str));
    table.write_record(header)?;
    let mut bad = 0;
    for paths in arguments.images.chunks(BATCH) {
        let mut decoded = Vec::new();
        for path in paths {
            match ready.decode(path) {
                Ok(pixels) => decoded.push((path, pixels)),
                Err(message) => {
                    say(&format!("error: {message}\n"));
                    bad += 1;
                }
            }
        }
        let images: Vec<&[u8]> = decoded.iter().map(|(_, pixels)| &pixels[..]).collect();
        if images.is_empty() {
            continue;
        }
        let logits = ready.logits(&images)?;
        let classes = &ready.card.classes;
        for ((path, _), row) in decoded.iter().zip(logits.chunks(classes.len())) {
            let name = path.display().to_string();
            print(&format!("{name}\n{}", best(row, classes, arguments.top)));
            let numbers = row.iter().map(f32::to_string);
            table.write_record(std::iter::once(name).chain(numbers))?;
        }
    }
    if let Some(path) = &arguments.logits {
        write_whole(path, &table.into_inner().context("failed to write the logits")?)?;
    }
    Ok(if bad > 0 { Exit::Wrong } else { Exit::Done })
}

/// The most probable classes, one on a line; of equal ones the first.
fn best(row: &[f32], classes: &[String], top: usize) -> String {
    let probabilities = softmax(row);
    let mut order: Vec<usize> = (0..row.len()).collect();
    order.sort_by(|a, b| row[*b].total_cmp(&row[*a]).then(a.cmp(b)));
    let mut text = String::new();
    for class in order.into_iter().take(top.max(1)) {
        let _ = writeln!(text, "  {:6.2} %  {}", 100.0 * probabilities[class], classes[class]);
    }
    text
}
