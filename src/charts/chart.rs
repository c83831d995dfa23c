//! A drawing with its title: for a page, which brings the colours, or as a file of its own, which carries
//! them.

use std::collections::BTreeMap;

use maud::{Markup, PreEscaped, html};

use super::letters::lines_of;
use super::raster::{self, RasterError};

/// Colours by name, for light and dark, and how charts use them.
pub const STYLE: &str = include_str!("charts.css");

/// Colours that tell series apart.
pub const COLOURS: usize = 6;

/// How a chart is written as a file of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PlotFormat {
    /// Lines and letters, as sharp as the paper
    Svg,
    /// Pixels, as many as --dpi says
    Png,
}

impl PlotFormat {
    /// The ending of a file's name.
    pub fn ending(self) -> &'static str {
        match self {
            PlotFormat::Svg => "svg",
            PlotFormat::Png => "png",
        }
    }
}

/// A drawing with its title.
#[derive(Clone, Debug)]
pub struct Chart {
    /// The name of its file, without the ending.
    pub name: String,
    /// What it shows.
    pub title: String,
    /// Width in pixels.
    pub width: f64,
    /// Height in pixels.
    pub height: f64,
    /// What is drawn.
    pub body: Markup,
    /// What colours mean: class and words. A page says it once for several charts.
    pub legend: Vec<(String, String)>,
}

impl Chart {
    /// For a page.
    pub fn inline(&self) -> Markup {
        html! {
            svg class="chart" role="img" aria-label=(self.title) viewBox=(format!("0 0 {} {}", at(self.width), at(self.height))) style=(format!("max-width:{}px", at(self.width * 1.25))) {
                (self.body)
            }
        }
    }

    /// With its title above it.
    pub fn figure(&self) -> Markup {
        html! { figure { figcaption { (self.title) } (self.inline()) } }
    }

    /// The bytes of a file of its own; `dpi` is for pixels.
    ///
    /// # Errors
    /// If there would be more pixels than memory can hold.
    pub fn file(&self, format: PlotFormat, dpi: u16) -> Result<Vec<u8>, RasterError> {
        let svg = self.standalone();
        match format {
            PlotFormat::Svg => Ok(svg.into_bytes()),
            PlotFormat::Png => raster::png(&svg, dpi),
        }
    }

    /// An SVG file of its own, twice as large as in a page, in the colours of paper.
    fn standalone(&self) -> String {
        // Bold letters are wider.
        let title = lines_of(&self.title, (self.width - 8.0) / 1.2);
        let top = 10.0 + 14.0 * title.len() as f64;
        let lines = |(class, words): &(String, String)| -> Vec<(Option<String>, String)> {
            let lines = lines_of(words, self.width - 36.0).into_iter().enumerate();
            lines.map(|(line, words)| ((line == 0).then(|| class.clone()), words)).collect()
        };
        let legend: Vec<(Option<String>, String)> = self.legend.iter().flat_map(lines).collect();
        let height = self.height + top + 6.0 + 16.0 * legend.len() as f64;
        let viewbox = format!("0 {} {} {}", at(-top), at(self.width), at(height));
        html! {
            (PreEscaped("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"))
            svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox=(viewbox) width=(at(self.width * 2.0)) height=(at(height * 2.0)) {
                style { (PreEscaped(plain_style())) }
                rect class="paper" x="0" y=(at(-top)) width=(at(self.width)) height=(at(height)) {}
                @for (index, line) in title.iter().rev().enumerate() {
                    text class="title" x="4" y=(at(-9.0 - 14.0 * index as f64)) { (line) }
                }
                (self.body)
                @for (row, (class, words)) in legend.iter().enumerate() {
                    @let y = self.height + 12.0 + 16.0 * row as f64;
                    @if let Some(class) = class {
                        line class=(format!("curve {class}")) x1="8" x2="26" y1=(at(y - 4.0)) y2=(at(y - 4.0)) {}
                    }
                    text x="32" y=(at(y)) { (words) }
                }
            }
        }
        .into_string()
    }
}

/// [`STYLE`] for paper, without variables and conditions: few programs beside browsers know these.
fn plain_style() -> String {
    let variables: BTreeMap<&str, &str> = STYLE
        .split_once('}')
        .map_or("", |(first, _)| first)
        .split(['{', ';', '\n'])
        .filter_map(|declaration| declaration.trim().split_once(": "))
        .collect();
    let mut style: String = STYLE
        .lines()
        .filter(|line| line.starts_with(".chart"))
        .flat_map(|line| [line, "\n"])
        .collect();
    // The reader's own letters are for pages; a file looks the same everywhere.
    style = style.replace("system-ui", raster::FAMILY);
    for (name, value) in variables {
        style = style.replace(&format!("var({name})"), value);
    }
    style
}

/// A coordinate: a tenth of a pixel is enough.
pub(super) fn at(x: f64) -> String {
    let text = format!("{x:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::plain_style;

    #[test]
    fn files_carry_colours_that_every_program_knows() {
        let style = plain_style();
        assert!(!style.contains("var(") && !style.contains('@'), "{style}");
        assert!(style.contains(".chart .curve.s0, .chart .dot.s0 { stroke: #0072b2; }"), "{style}");
        assert!(style.contains(".chart .paper { fill: #ffffff; }"), "{style}");
    }
}
