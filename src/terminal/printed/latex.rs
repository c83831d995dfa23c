//! Tables for LaTeX.

use std::fmt::Write;

/// A `tabular` with the rules of booktabs; columns behind the first `words` are numbers.
pub(super) fn tabular(header: &[String], words: usize, rows: &[Vec<String>]) -> String {
    let columns: String =
        (0..header.len()).map(|column| if column < words { 'l' } else { 'r' }).collect();
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| escape(cell)).collect();
        format!("{} \\\\\n", cells.join(" & "))
    };
    let mut text =
        format!("% \\usepackage{{booktabs}}\n\\begin{{tabular}}{{{columns}}}\n\\toprule\n");
    let _ = writeln!(text, "{}\\midrule", line(header));
    rows.iter().for_each(|row| text.push_str(&line(row)));
    text.push_str("\\bottomrule\n\\end{tabular}\n");
    text
}

fn escape(cell: &str) -> String {
    let mut text = String::new();
    for letter in cell.chars() {
        match letter {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => text.extend(['\\', letter]),
            '\\' => text.push_str("\\textbackslash{}"),
            '~' => text.push_str("\\textasciitilde{}"),
            '^' => text.push_str("\\textasciicircum{}"),
            '<' => text.push_str("\\textless{}"),
            '>' => text.push_str("\\textgreater{}"),
            '±' => text.push_str("$\\pm$"),
            '−' => text.push_str("$-$"),
            '×' => text.push_str("$\\times$"),
            '–' => text.push_str("--"),
            letter if letter.is_control() => text.push(' '),
            letter => text.push(letter),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::tabular;

    #[test]
    fn what_means_something_to_latex_is_escaped() {
        let header = ["lr_max".to_owned(), "n".to_owned()];
        let rows = [vec!["50 % & \\x^2 − {a}".to_owned(), "1 ± 2".to_owned()]];
        let text = tabular(&header, 1, &rows);
        assert!(
            text.contains("\\begin{tabular}{lr}") && text.contains("lr\\_max & n \\\\"),
            "{text}"
        );
        let escaped =
            "50 \\% \\& \\textbackslash{}x\\textasciicircum{}2 $-$ \\{a\\} & 1 $\\pm$ 2 \\\\";
        assert!(text.contains(escaped), "{text}");
    }
}
