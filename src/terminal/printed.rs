//! The tables of a report as text: for a terminal, for Markdown and LaTeX documents, and as CSV.

mod latex;

use std::fmt::Write;

use super::grid::{fit, grid};
use crate::analysis::cases::{accounts, advisors, contests, verdict};
use crate::analysis::cost::Cost;
use crate::analysis::effects::{effects, interactions};
use crate::analysis::importance::{Part, importances};
use crate::analysis::statistics::{Estimate, Paired};
use crate::analysis::{Answers, Setting, Verdict, scores};
use crate::basis::naming::short;
use crate::charts::axis::compact;

/// How tables are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people, as wide as the terminal.
    Terminal,
    /// Pipe tables.
    Markdown,
    /// The tabular environment, with the rules of booktabs.
    Latex,
    /// Numbers in full, without units.
    Csv,
}

/// A table of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Table {
    /// Settings, the best one first.
    Ranking,
    /// Differences of trials that differ in one factor alone.
    Effects,
    /// How the effect of one factor depends on another.
    Interactions,
    /// What the predictions of each setting are worth, by every score.
    Scores,
    /// Which drawn axes matter.
    Importance,
    /// What each setting costs, and whether it is on the Pareto front: no other one is as good and as cheap, and
    /// better in one of both.
    Cost,
}

/// A table before it is written: cells as words and as CSV has them.
struct Rows {
    title: &'static str,
    header: Vec<String>,
    /// Columns that are words; those behind them are numbers.
    words: usize,
    rows: Vec<Vec<String>>,
    /// Columns that a narrow terminal does without, first things first.
    dispensable: Vec<String>,
}

/// The tables of `answers` in a format; all of them, or one. CSV is one table: the ranking, unless
/// another one is asked for.
pub fn tables(answers: &Answers, format: Format, table: Option<Table>, width: usize) -> String {
    let all = [Table::Ranking, Table::Effects, Table::Interactions, Table::Importance];
    let asked = match (table, format) {
        (Some(table), _) => vec![table],
        (None, Format::Csv) => vec![Table::Ranking],
        (None, _) => all.to_vec(),
    };
    let is_csv = format == Format::Csv;
    let built: Vec<Rows> = asked
        .iter()
        .map(|table| match table {
            Table::Ranking => ranking(answers, is_csv),
            Table::Effects => effects_rows(answers, is_csv),
            Table::Interactions => interactions_rows(answers, is_csv),
            Table::Scores => scores_rows(answers, is_csv),
            Table::Importance => importance_rows(answers, is_csv),
            Table::Cost => cost_rows(answers, is_csv),
        })
        .filter(|rows| table.is_some() || !rows.rows.is_empty())
        .collect();
    let mut text = String::new();
    for (index, rows) in built.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        match format {
            Format::Terminal => terminal(rows, width, &mut text),
            Format::Markdown => markdown(rows, &mut text),
            Format::Latex => text.push_str(&latex::tabular(&rows.header, rows.words, &rows.rows)),
            Format::Csv => csv(rows, &mut text),
        }
    }
    match (format, table) {
        (Format::Terminal, Some(Table::Scores)) => text.push_str(
            "mean ± half of the 95 % interval over completed trials; recall is the balanced accuracy, loss the log loss\n",
        ),
        (Format::Terminal, Some(Table::Importance)) => text.push_str(&importance_note(answers)),
        (Format::Terminal, Some(Table::Cost)) => text.push_str(
            "front: no other setting is at least as cheap and at least as good, and better in one of them, by \
             the means\n",
        ),
        (Format::Terminal, _) => text.push_str(&notes(answers)),
        _ => {}
    }
    text
}

/// The cells of an estimate: n, mean, half width as CSV has them; n and "mean ± half" for people.
fn estimate(answers: &Answers, found: Option<&Estimate>, is_csv: bool) -> Vec<String> {
    let measure = answers.measure;
    let full = |number: Option<f64>| number.map_or(String::new(), |number| number.to_string());
    match (found, is_csv) {
        (found, true) => vec![
            found.map_or("0".to_owned(), |found| found.n.to_string()),
            full(found.map(|found| found.mean)),
            full(found.and_then(|found| found.half_width)),
        ],
        (None, false) => vec!["0".to_owned(), "–".to_owned()],
        (Some(found), false) => {
            let half =
                found.half_width.map_or(String::new(), |half| format!(" ± {}", measure.show(half)));
            vec![found.n.to_string(), format!("{}{half}", measure.show(found.mean))]
        }
    }
}

fn p_value(p: Option<f64>, is_csv: bool) -> String {
    match (p, is_csv) {
        (None, true) => String::new(),
        (None, false) => "–".to_owned(),
        (Some(p), true) => p.to_string(),
        (Some(p), false) if p < 0.001 => "< 0.001".to_owned(),
        (Some(p), false) => format!("{p:.3}"),
    }
}

fn ranking(answers: &Answers, is_csv: bool) -> Rows {
    let measure = answers.measure;
    let has_test = !measure.is_test() && answers.settings.iter().any(|it| it.test.is_some());
    let mut header = vec![if is_csv { "rank" } else { "" }.to_owned()];
    let axis = |axis: &String| if is_csv { axis.clone() } else { short(axis, &answers.axes) };
    header.extend(answers.axes.iter().map(axis));
    let words = header.len();
    let unit = measure.unit().replace(' ', ", ");
    let (name, test) = (measure.name(), measure.on_test().name());
    if is_csv {
        header.extend(["n".to_owned(), name.clone(), format!("{name}_half_width")]);
        header.extend(["behind", "behind_half_width", "p", "p_holm", "verdict"].map(str::to_owned));
        header.extend(
            has_test.then(|| [test.clone(), format!("{test}_half_width")]).into_iter().flatten(),
        );
    } else {
        header.extend([
            "n".to_owned(),
            format!("{name}{unit}"),
            "behind".to_owned(),
            "p".to_owned(),
            "verdict".to_owned(),
        ]);
        header.extend(has_test.then(|| format!("{test}{unit}")));
    }
    let rows = answers.settings.iter().enumerate().map(|(rank, setting)| {
        let mut row = vec![(rank + 1).to_string()];
        row.extend(if is_csv { &setting.values } else { &setting.names }.iter().cloned());
        row.extend(estimate(answers, setting.estimate.as_ref(), is_csv));
        let behind = setting.behind.as_ref().map(|behind| &behind.difference);
        row.extend(estimate(answers, behind, is_csv).into_iter().skip(1));
        let verdict = match setting.verdict {
            Verdict::Best => "best",
            Verdict::Tied => "tied",
            Verdict::Worse => "worse",
            Verdict::Unknown if is_csv => "unknown",
            Verdict::Unknown => "–",
        };
        if is_csv {
            row.push(p_value(setting.behind.and_then(|behind| behind.p), true));
        }
        row.push(p_value(setting.corrected, is_csv));
        row.push(verdict.to_owned());
        if has_test {
            row.extend(estimate(answers, setting.test.as_ref(), is_csv).into_iter().skip(1));
        }
        row
    });
    let rows = rows.collect();
    let dispensable = vec![format!("{test}{unit}"), "behind".to_owned(), "p".to_owned()];
    Rows { title: "Ranking", header, words, rows, dispensable }
}

fn difference(
    answers: &Answers,
    paired: &Paired,
    corrected: Option<f64>,
    is_csv: bool,
) -> Vec<String> {
    let found = &paired.difference;
    let mut row = vec![found.n.to_string()];
    if is_csv {
        row.push(found.mean.to_string());
        row.push(found.half_width.map_or(String::new(), |half| half.to_string()));
        row.push(p_value(paired.p, true));
    } else {
        let half = found
            .half_width
            .map_or(String::new(), |half| format!(" ± {}", answers.measure.show(half)));
        row.push(format!("{}{half}", answers.measure.show_difference(found.mean)));
    }
    row.push(p_value(corrected, is_csv));
    row
}

/// The columns of differences, behind those that say between what.
fn columns(answers: &Answers, is_csv: bool) -> Vec<String> {
    let name = answers.measure.name();
    let unit = answers.measure.unit_of_difference().replace(' ', ", ");
    match is_csv {
        true => {
            vec!["n".to_owned(), name, "half_width".to_owned(), "p".to_owned(), "p_holm".to_owned()]
        }
        false => vec!["pairs".to_owned(), format!("{name}{unit}"), "p".to_owned()],
    }
}

fn effects_rows(answers: &Answers, is_csv: bool) -> Rows {
    let mut header = ["factor", "to", "from"].map(str::to_owned).to_vec();
    header.extend(columns(answers, is_csv));
    let rows = effects(answers).into_iter().map(|effect| {
        let factor = &answers.factors[effect.factor];
        let level = |level: usize| factor.levels[level].name.clone();
        let mut row = vec![factor.name.clone(), level(effect.to), level(effect.from)];
        row.extend(difference(answers, &effect.paired, effect.corrected, is_csv));
        row
    });
    let rows = rows.collect();
    Rows { title: "Effects, by matched pairs", header, words: 3, rows, dispensable: Vec::new() }
}

fn interactions_rows(answers: &Answers, is_csv: bool) -> Rows {
    let mut header = ["factor", "to", "from", "and", "to", "from"].map(str::to_owned).to_vec();
    header.extend(columns(answers, is_csv));
    let rows = interactions(answers).into_iter().map(|found| {
        let mut row = Vec::new();
        for which in [0, 1] {
            let factor = &answers.factors[found.factors[which]];
            row.push(factor.name.clone());
            row.extend(
                [found.to[which], found.from[which]].map(|level| factor.levels[level].name.clone()),
            );
        }
        row.extend(difference(answers, &found.paired, found.corrected, is_csv));
        row
    });
    let rows = rows.collect();
    Rows { title: "Interactions", header, words: 6, rows, dispensable: Vec::new() }
}

fn scores_rows(answers: &Answers, is_csv: bool) -> Rows {
    let axis = |axis: &String| if is_csv { axis.clone() } else { short(axis, &answers.axes) };
    let mut header = vec![if is_csv { "rank" } else { "" }.to_owned()];
    header.extend(answers.axes.iter().map(axis));
    header.push("set".to_owned());
    let shown: Vec<(usize, &str)> = match is_csv {
        true => scores::all(answers).collect(),
        false => scores::shown(answers).collect(),
    };
    let columns = header.len();
    header.extend(shown.iter().flat_map(|(_, name)| match is_csv {
        true => vec![format!("{name}_n"), (*name).to_owned(), format!("{name}_half_width")],
        false => vec![scores::words(name).to_owned()],
    }));
    let cells = |found: Option<Estimate>| match (found, is_csv) {
        (found, true) => estimate(answers, found.as_ref(), true),
        (None, false) => vec!["–".to_owned()],
        (Some(Estimate { mean, half_width, .. }), false) => {
            let half = half_width.map_or(String::new(), |half| format!(" ± {half:.4}"));
            vec![format!("{mean:.4}{half}")]
        }
    };
    let row = |(rank, setting): (usize, &Setting)| {
        let found = scores::of_setting(answers, setting)?;
        let mut row = vec![(rank + 1).to_string()];
        row.extend(if is_csv { &setting.values } else { &setting.names }.iter().cloned());
        row.push(found.set);
        row.extend(shown.iter().flat_map(|(place, _)| cells(found.estimates[*place])));
        Some(row)
    };
    let rows = answers.settings.iter().enumerate().filter_map(row).collect();
    // Those that say most by themselves stay longest.
    let dispensable = [
        "brier_score",
        "average_precision",
        "matthews_correlation",
        "loss",
        "recall",
        "set",
        "calibration_error",
    ];
    let dispensable = dispensable.map(|name| scores::words(name).to_owned()).to_vec();
    Rows { title: "Scores of predictions", header, words: columns, rows, dispensable }
}

fn importance_rows(answers: &Answers, is_csv: bool) -> Rows {
    let header = match is_csv {
        true => ["factor", "lost", "half_width"].map(str::to_owned).to_vec(),
        false => ["factor", "lost without it, %"].map(str::to_owned).to_vec(),
    };
    let found = importances(answers).and_then(Result::ok);
    let rows = found.into_iter().flat_map(|found| &found.factors).map(|it| {
        let name = answers.factors[it.factor].name.clone();
        let Part { mean, half_width } = it.lost;
        match is_csv {
            true => vec![name, mean.to_string(), half_width.to_string()],
            false => vec![name, it.lost.in_words()],
        }
    });
    let (title, rows) = ("Importance, by a random forest", rows.collect());
    Rows { title, header, words: 1, rows, dispensable: Vec::new() }
}

fn importance_note(answers: &Answers) -> String {
    match importances(answers) {
        None => "importance needs two or more varying axes, of which some are random\n".to_owned(),
        Some(Err(untold)) => format!("{untold}\n"),
        Some(Ok(found)) => format!(
            "mean ± 1.96 standard deviations of the variance between settings that a forest loses without the axis; it \
             explains {} % of it\n",
            found.explained.in_words()
        ),
    }
}

fn cost_rows(answers: &Answers, is_csv: bool) -> Rows {
    let axis = |axis: &String| if is_csv { axis.clone() } else { short(axis, &answers.axes) };
    let mut header = vec![if is_csv { "rank" } else { "" }.to_owned()];
    header.extend(answers.axes.iter().map(axis));
    let words = header.len();
    let (name, unit) = (answers.measure.name(), answers.measure.unit().replace(' ', ", "));
    header.extend(match is_csv {
        true => vec!["n".to_owned(), name.clone(), format!("{name}_half_width")],
        false => vec!["n".to_owned(), format!("{name}{unit}")],
    });
    header.extend(Cost::EXACT.map(|cost| cost.name().to_owned()));
    header.extend(Cost::EXACT.map(|cost| format!("front_{}", cost.name())));
    let fronts = Cost::EXACT.map(|cost| cost.front(answers));
    let row = |(rank, setting): (usize, &Setting)| {
        let mut row = vec![(rank + 1).to_string()];
        row.extend(if is_csv { &setting.values } else { &setting.names }.iter().cloned());
        row.extend(estimate(answers, setting.estimate.as_ref(), is_csv));
        row.extend(Cost::EXACT.map(|cost| match (cost.of(setting), is_csv) {
            (None, true) => String::new(),
            (None, false) => "–".to_owned(),
            (Some(cost), true) => cost.to_string(),
            (Some(cost), false) => compact(cost),
        }));
        row.extend(fronts.iter().map(|front| match (front.contains(&rank), is_csv) {
            (is_on, true) => is_on.to_string(),
            (true, false) => "yes".to_owned(),
            (false, false) => String::new(),
        }));
        row
    };
    let rows = answers.settings.iter().enumerate().map(row).collect();
    Rows { title: "Cost", header, words, rows, dispensable: vec!["n".to_owned()] }
}

fn terminal(rows: &Rows, width: usize, text: &mut String) {
    let (mut header, mut cells) = (rows.header.clone(), rows.rows.clone());
    fit(&mut header, &mut cells, &rows.dispensable, width);
    let mut table = grid(header.clone(), rows.words..header.len(), width);
    cells.into_iter().for_each(|row| _ = table.add_row(row));
    let _ = writeln!(text, "{}\n{}", rows.title, table.trim_fmt());
}

fn markdown(rows: &Rows, text: &mut String) {
    let cell = |cell: &String| {
        cell.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace('\n', " ")
    };
    let line = |cells: &[String]| {
        format!("| {} |\n", cells.iter().map(cell).collect::<Vec<_>>().join(" | "))
    };
    text.push_str(&line(&rows.header));
    let rules =
        (0..rows.header.len()).map(|column| if column < rows.words { "---" } else { "---:" });
    let _ = writeln!(text, "|{}|", rules.collect::<Vec<_>>().join("|"));
    rows.rows.iter().for_each(|row| text.push_str(&line(row)));
}

fn csv(rows: &Rows, text: &mut String) {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    let all = std::iter::once(&rows.header).chain(&rows.rows);
    for row in all {
        writer.write_record(row).expect("writing to memory does not fail");
    }
    let bytes = writer.into_inner().expect("writing to memory does not fail");
    text.push_str(&String::from_utf8_lossy(&bytes));
}

/// What numbers mean, and what is in no mean.
fn notes(answers: &Answers) -> String {
    let mut text = format!(
        "mean ± half of the 95 % interval of {} over n trials; behind: paired differences from the best; p by Holm\n",
        answers.measure.name()
    );
    let contests = contests(answers);
    for contest in &contests {
        let place = if contest.surroundings.is_empty() { "cases" } else { &contest.surroundings };
        let _ = writeln!(text, "{place}: {}", verdict(answers, contest));
    }
    for account in accounts(answers, &contests) {
        let pair = if account.pair.is_empty() { "in short" } else { &account.pair };
        let _ = writeln!(text, "{pair}: {}", account.text());
    }
    if let Some(sentence) = advisors(&contests) {
        let _ = writeln!(text, "{sentence}");
    }
    let open = answers.trials.iter().filter(|trial| !trial.is_completed()).count();
    if open > 0 {
        let _ = writeln!(
            text,
            "{open} of {} trials were not completed and do not count",
            answers.trials.len()
        );
    }
    text
}
