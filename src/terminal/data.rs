//! What was read: images, classes, parts, sizes, and what was left out.

use std::fmt::Write;

use crate::basis::number::{count, number};
use crate::data::{Copied, Dataset, Error, Sizes, Split, listed};
use crate::plan::data::{DataFacts, DataPlan, Fit};

/// Classes that are shown before they are only counted.
const CLASSES: usize = 12;

/// Lines of one kind that are shown before they are only counted.
const LINES: usize = 10;

/// What is known of the images of a trial without decoding them; `parts` are those to learn from, to choose by
/// and to test on.
pub fn data(
    plan: &DataPlan,
    facts: &DataFacts,
    parts: [usize; 3],
    sizes: Option<&Sizes>,
) -> String {
    let mut text = String::new();
    let classes = count(facts.classes.len(), "class").replace("classs", "classes");
    let _ = write!(text, "{} of {classes}", count(facts.images, "image"));
    if facts.declared_test > 0 {
        let tested = number(facts.declared_test as u64);
        let _ = write!(text, ", {tested} of them declared for testing");
    }
    let _ = writeln!(text, "{}", of_classes(facts));
    if plan.task.is_multi_label() {
        let _ = writeln!(text, "an image may have several labels, or none");
    }
    let [train, validation, test] = parts.map(|part| number(part as u64));
    let about = if is_about(plan) { "about " } else { "" };
    let fold = plan.fold.map(|fold| format!(" (fold {} of {})", fold.index + 1, fold.of));
    let _ = writeln!(
        text,
        "{about}{train} for training, {validation} for validation{}, {test} for testing",
        fold.unwrap_or_default()
    );
    if let Some(sizes) = sizes {
        let _ = writeln!(text, "{}", of_sizes(plan, facts, sizes));
    }
    if !facts.left_out.is_empty() {
        let _ = writeln!(text, "left out, because of data.on-bad-image = \"skip\":");
        lines(&mut text, facts.left_out.iter());
    }
    text
}

/// Whether parts can differ from what is known without decoding.
fn is_about(plan: &DataPlan) -> bool {
    !plan.group.is_none()
        // Parts have their share of each label, and the number of images that comes to.
        || plan.task.is_multi_label()
        || plan.duplicates.leave_out()
        || plan.on_bad_image != crate::plan::data::OnBadImage::Error
        || matches!(plan.subset, crate::plan::data::Subset::Fraction(_))
}

/// The classes with their images, shortened when there are many.
fn of_classes(facts: &DataFacts) -> String {
    let (Some(least), Some(most)) = (facts.counts.iter().min(), facts.counts.iter().max()) else {
        return String::new();
    };
    let named = facts.classes.iter().zip(&facts.counts);
    let named = named.map(|(class, count)| format!("{class} {}", number(*count as u64)));
    let mut words: Vec<String> = named.take(CLASSES).collect();
    if facts.classes.len() > CLASSES {
        words.push(format!("and {} more", number((facts.classes.len() - CLASSES) as u64)));
        let (least, most) = (number(*least as u64), number(*most as u64));
        words.push(match least == most {
            true => format!("{least} of each"),
            false => format!("{least} to {most} of each"),
        });
    }
    let others = if facts.declared_test > 0 { "; of the others, " } else { ": " };
    format!("{others}{}", words.join(", "))
}

/// The sizes that were found, and what becomes of them.
fn of_sizes(plan: &DataPlan, facts: &DataFacts, sizes: &Sizes) -> String {
    let Sizes { looked_at, heights, widths, ratios } = sizes;
    let [height, width] = plan.image.size;
    let wanted = format!("{height}×{width}");
    let range = |[least, most, median]: [usize; 3]| match least == most {
        true => least.to_string(),
        false => format!("{least} to {most} (median {median})"),
    };
    let are_equal = heights[0] == heights[1] && widths[0] == widths[1];
    let mut found = match are_equal {
        true => format!("{}×{} pixels each", heights[0], widths[0]),
        false => format!("{} pixels high and {} wide", range(*heights), range(*widths)),
    };
    if ratios[1] - ratios[0] > 0.005 {
        let _ = write!(found, ", aspect ratios {:.2} to {:.2}", ratios[0], ratios[1]);
    }
    if *looked_at < facts.images {
        let _ = write!(found, " ({} of them were read)", number(*looked_at as u64));
    }
    let becomes = if plan.own_size.is_some() {
        format!("the chains of [augment] give them {wanted}")
    } else if are_equal && [heights[0], widths[0]] == plan.image.size {
        "as they are".to_owned()
    } else {
        match plan.fit {
            Fit::Stretch => format!("stretched to {wanted}"),
            Fit::Crop(_) => format!("cropped to {wanted}"),
            Fit::Pad(_) => format!("padded to {wanted}"),
        }
    };
    let aspect = width as f64 / height as f64;
    let is_bent = |ratio: f64| !(0.8..=1.25).contains(&(ratio / aspect));
    if becomes.starts_with("stretched") && (is_bent(ratios[0]) || is_bent(ratios[1])) {
        return format!(
            "{found}; {becomes}, which changes their aspect ratio: data.fit = \"pad\" or \"crop\" keeps it"
        );
    }
    format!("{found}; {becomes}")
}

/// What was read and how it is split, exactly: a table of classes, what was left out, `left_out` of it as copies, and
/// copies that are still there.
///
/// # Errors
/// If an image cannot be decoded.
pub fn read(
    dataset: &Dataset,
    split: &Split,
    copied: &[Copied],
    left_out: usize,
) -> Result<String, Error> {
    let parts = [&split.train, &split.validation, &split.test];
    let mut counts = vec![[0_usize; 3]; dataset.classes().len()];
    for (part, images) in parts.into_iter().enumerate() {
        for label in images.iter().flat_map(|image| dataset.labels_of(*image)) {
            counts[*label as usize][part] += 1;
        }
    }
    let mut rows = vec![["", "learn from", "choose by", "test on"].map(str::to_owned)];
    let row = |name: &str, counts: [usize; 3]| {
        let [train, validation, test] = counts.map(|count| number(count as u64));
        [name.to_owned(), train, validation, test]
    };
    let named = dataset.classes().iter().zip(&counts);
    rows.extend(named.take(3 * CLASSES).map(|(class, counts)| row(class, *counts)));
    rows.push(row("all", parts.map(Vec::len)));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths = [0, 1, 2, 3].map(|column| width(column).unwrap_or(0));
    let mut text = String::from("\nwhen read\n");
    for (place, row) in rows.iter().enumerate() {
        if place + 1 == rows.len() && counts.len() > 3 * CLASSES {
            let more = number((counts.len() - 3 * CLASSES) as u64);
            let _ = writeln!(text, "and {more} more classes");
        }
        let [name, numbers @ ..] = row;
        let _ = write!(text, "{name:<width$}", width = widths[0]);
        for (cell, width) in numbers.iter().zip(&widths[1..]) {
            let _ = write!(text, "  {cell:>width$}");
        }
        text.push('\n');
    }
    text.push_str(&as_copies(left_out, "this trial"));
    let used: usize = parts.iter().map(|part| part.len()).sum();
    if used + left_out < dataset.len() {
        let left = count(dataset.len() - used - left_out, "image");
        let _ = writeln!(text, "{left} not used, because of data.subset");
    }
    if dataset.set_aside() > 0 {
        let _ = writeln!(
            text,
            "{} of the source left out for data.test",
            count(dataset.set_aside(), "test image")
        );
    }
    if !dataset.skipped().is_empty() {
        let _ = writeln!(text, "{} left out:", count(dataset.skipped().len(), "image"));
        lines(&mut text, dataset.skipped().iter());
    }
    if let Some(sentence) = dataset.copies()?.sentence() {
        let _ = writeln!(text, "{sentence}");
    }
    for copied in copied {
        let _ = writeln!(text, "{}:", copied.sentence());
        listed(dataset, &copied.pairs).iter().for_each(|line| _ = writeln!(text, "  {line}"));
    }
    if copied.is_empty() {
        let _ = writeln!(text, "no image is a copy of one in another part or class");
    }
    Ok(text)
}

/// How many training images of a trial were left out as copies; nothing if none were.
pub fn as_copies(left_out: usize, trial: &str) -> String {
    let are = if left_out == 1 { "is a copy" } else { "are copies" };
    match left_out {
        0 => String::new(),
        _ => format!(
            "{} of {trial} {are} of validation or test images and were left out\n",
            count(left_out, "training image")
        ),
    }
}

fn lines<T: std::fmt::Display>(text: &mut String, all: impl ExactSizeIterator<Item = T>) {
    let more = all.len().saturating_sub(LINES);
    for line in all.take(LINES) {
        let _ = writeln!(text, "  {line}");
    }
    if more > 0 {
        let _ = writeln!(text, "  and {} more", number(more as u64));
    }
}
