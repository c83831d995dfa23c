//! The page: what is there before the first data are, and where its script puts them.

use std::path::Path;

use maud::{DOCTYPE, html};

/// The charts, in their order: the place of a score in each point, what it is called, and the place of the one whose
/// range it shares.
const CHARTS: [(usize, &str, usize); 4] = [
    (3, "Validation accuracy, %", 1),
    (1, "Training accuracy, %", 3),
    (2, "Validation loss", 0),
    (0, "Training loss", 2),
];

/// The page of the results folder `root`.
pub(super) fn page(root: &Path) -> String {
    let folder = root.display().to_string();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="generator" content=(concat!("candlewick ", env!("CARGO_PKG_VERSION")));
                // Nothing is asked for beside what is here, not even an icon.
                link rel="icon" href="data:,";
                title { "candlewick: " (folder) }
                link rel="stylesheet" href="watch.css";
                script src="watch.js" defer {}
            }
            // Until there is something to show, only what is waited for is said.
            body class="waiting" {
                header {
                    p class="kicker" { "candlewick watch" span id="link" role="status" class="link" { "connecting" } }
                    h1 id="name" { (folder) }
                    p class="lead" id="description" hidden {}
                    aside class="note" id="notice" role="status" hidden {}
                    noscript { p class="answer" { "This page shows the progress of trials and needs its script. \
                                                   " code { "wick status" } " shows the same in a terminal." } }
                    nav aria-label="Contents" {
                        a href="#state" { "State" }
                        a href="#curves" { "Curves" }
                        a href="#ranking" { "Ranking so far" }
                        a href="#trials" { "Trials" }
                        a href="#pictures" id="to-pictures" hidden { "Pictures" }
                        a href="report" id="to-report" target="_blank" rel="noopener" hidden { "Report ↗" }
                    }
                }
                main {
                    section id="state" {
                        h2 { "State" }
                        p class="answer" id="summary" { "Nothing is known yet." }
                        div class="bar" id="bar" role="img" aria-label="" {}
                        ul class="states" id="states" {}
                        p class="note" id="epochs" {}
                    }
                    section id="curves" {
                        h2 { "Learning curves" }
                        ul class="legend" id="legend" {}
                        div class="charts" {
                            @for (score, title, other) in CHARTS {
                                figure class="empty" data-score=(score) data-other=(other) {
                                    figcaption { (title) }
                                    svg class="chart" role="img" aria-label=(title) viewBox="0 0 400 236" {}
                                }
                            }
                        }
                        p class="note" {
                            "In colour: the best trial so far and running trials, or up to six trials that you \
                             choose in the table below. In grey: others. "
                            "Training scores are those of the training batches, with dropout and augmentation, while the weights move."
                        }
                    }
                    section id="ranking" {
                        h2 { "Ranking so far" }
                        div class="scroll" { table class="data" { thead {} tbody {} } }
                        p class="note" id="ranked" { "No trial is completed yet." }
                    }
                    section id="trials" {
                        h2 { "Trials" }
                        div class="filters" {
                            input class="filter" type="search" id="words" placeholder="Filter trials" aria-label="Filter trials by words";
                            select class="filter" id="wanted" aria-label="Filter trials by state" { option value="" { "all states" } }
                            button class="filter" type="button" id="unpin" hidden { "Show the best and running curves" }
                        }
                        div class="scroll tall" tabindex="0" role="region" aria-label="Table of trials" { table class="data" { thead {} tbody {} } }
                        p class="note" id="listed" role="status" {}
                    }
                    section id="pictures" hidden {
                        h2 { "Pictures" }
                        ul class="album" id="album" {}
                    }
                }
                footer { p { "candlewick " (env!("CARGO_PKG_VERSION")) " reads the files in \
                                                                        " code { (folder) } " and changes none. This page only contacts this machine." } }
            }
        }
    }
    .into_string()
}

#[cfg(test)]
mod tests {
    use super::page;

    #[test]
    fn a_folder_with_a_hostile_name_is_text() {
        let text = page(std::path::Path::new("a<script>alert(1)</script>\"'&"));
        assert!(!text.contains("<script>") && text.contains("a&lt;script&gt;"), "{text}");
    }

    #[test]
    fn the_page_loads_its_own_style_and_script_and_holds_none() {
        let text = page(std::path::Path::new("results/a"));
        assert!(!text.contains("style=") && !text.contains("<style") && !text.contains("://"));
        assert!(!text.contains("onclick") && !text.contains("javascript:"));
    }
}
