//! The one look of tables on the terminal.

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

const STYLE: TableStyle = TableStyle::new()
    .top_border(LineStyle::none().fill('─').junction('─'))
    .header_separator(LineStyle::none().fill('─').junction('─'))
    .bottom_border(LineStyle::none().fill('─').junction('─'));

/// A table that fits into `width` columns; the columns in `numbers` are aligned to the right.
pub(super) fn grid(header: Vec<String>, numbers: std::ops::Range<usize>, width: usize) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(width.clamp(40, 240) as u16);
    table.set_header(header);
    for column in numbers {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Leaves out columns, in the order of `dispensable`, until a grid of them fits into `width` or nothing
/// dispensable is left. Of columns of one name the last is meant.
pub(super) fn fit(
    header: &mut Vec<String>,
    rows: &mut [Vec<String>],
    dispensable: &[String],
    width: usize,
) {
    for name in dispensable {
        let letters = |cell: &String| cell.chars().count();
        let natural: usize = (0..header.len())
            .map(|column| {
                let cells = rows.iter().map(|row| letters(&row[column]));
                3 + cells.max().unwrap_or(0).max(letters(&header[column]))
            })
            .sum();
        if natural <= width {
            return;
        }
        if let Some(column) = header.iter().rposition(|column| column == name) {
            header.remove(column);
            rows.iter_mut().for_each(|row| _ = row.remove(column));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fit;

    #[test]
    fn columns_are_left_out_until_the_table_fits_and_no_others() {
        let header = ["", "lr", "n", "val_loss", "val_loss", "test_accuracy", "epoch"];
        let row = ["1", "0.1", "3", "0.5", "0.5", "90.00 %", "4"];
        let fitted = |dispensable: &[&str], width: usize| {
            let mut header = header.map(str::to_owned).to_vec();
            let mut rows = vec![row.map(str::to_owned).to_vec()];
            let dispensable: Vec<String> =
                dispensable.iter().map(|name| name.to_string()).collect();
            fit(&mut header, &mut rows, &dispensable, width);
            assert_eq!(header.len(), rows[0].len());
            header.join(" ")
        };
        let all = ["FLOPs", "epoch", "val_loss", "test_accuracy"];
        assert_eq!(fitted(&all, 100), " lr n val_loss val_loss test_accuracy epoch");
        assert_eq!(fitted(&all, 56), " lr n val_loss val_loss test_accuracy");
        assert_eq!(fitted(&all, 44), " lr n val_loss test_accuracy");
        assert_eq!(fitted(&all, 10), " lr n val_loss");
        assert_eq!(fitted(&["epoch"], 10), " lr n val_loss val_loss test_accuracy");
    }
}
