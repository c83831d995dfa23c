//! The confusion matrix for a terminal.

use super::grid::grid;
use crate::basis::printable;

/// Rows of true classes, columns of predicted ones, for a terminal of `width` columns.
pub fn matrix(confusion: &[Vec<u64>], classes: &[String], width: usize) -> String {
    let classes: Vec<String> =
        classes.iter().map(|class| printable::name(class).into_owned()).collect();
    let header = std::iter::once(String::new()).chain(classes.iter().cloned());
    let mut table = grid(header.collect(), 1..classes.len() + 1, width);
    for (class, row) in classes.iter().zip(confusion) {
        let cells =
            row.iter().map(|count| if *count == 0 { "·".to_owned() } else { count.to_string() });
        table.add_row(std::iter::once(class.clone()).chain(cells));
    }
    table.trim_fmt() + "\nrows are true classes, columns predicted ones\n"
}
