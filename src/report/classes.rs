//! The images: how many each class has in each part, with examples.

use maud::{Markup, html};

use crate::analysis::Answers;
use crate::basis::number::number;
use crate::data::{Cache, Dataset, Split, split};

use super::images::{data_uri, of_best};
use super::section::Section;

/// Classes that are listed.
const ROWS: usize = 300;
/// Up to so many classes have so many examples.
const EXAMPLES: [(usize, usize); 3] = [(12, 5), (48, 2), (120, 1)];
/// The width of the longest bar in pixels.
const BAR: f64 = 160.0;

/// Images of each class in each part.
struct Counts([Vec<usize>; 3]);

impl Counts {
    fn of(dataset: &Dataset, split: &Split) -> Counts {
        Counts([&split.train, &split.validation, &split.test].map(|images| {
            let mut counts = vec![0; dataset.classes().len()];
            for label in images.iter().flat_map(|image| dataset.labels_of(*image)) {
                counts[*label as usize] += 1;
            }
            counts
        }))
    }

    /// The section's sentence on how even classes are among training images.
    fn balance(&self, classes: &[String]) -> String {
        let train = &self.0[0];
        let place = |count: Option<usize>| {
            let place = train.iter().position(|other| Some(*other) == count).unwrap_or(0);
            (&classes[place], train[place])
        };
        let (most, least) =
            (place(train.iter().max().copied()), place(train.iter().min().copied()));
        match (most.1, least.1) {
            (most, least) if most == least => {
                "All classes have as many training images.".to_owned()
            }
            (_, 0) => format!("{} has no training images.", least.0),
            (all, few) if 2 * all < 3 * few => {
                format!(
                    "Classes are nearly even among training images: from {} to {} of them.",
                    number(few as u64),
                    number(all as u64)
                )
            }
            (all, few) => format!(
                "Classes are uneven: {} has {} training images, {:.1} times as many as {} with {}. Mean recall and F1 over classes say more than accuracy.",
                most.0,
                number(all as u64),
                all as f64 / few as f64,
                least.0,
                number(few as u64)
            ),
        }
    }
}

/// The section; none if the images cannot be loaded.
pub(super) fn section(answers: &Answers, images: &Cache) -> Option<Section> {
    let (plan, dataset) = of_best(answers, images).ok()?;
    let split = split(&dataset, &plan.data, plan.seed).ok()?;
    let classes = dataset.classes();
    let counts = Counts::of(&dataset, &split);
    let most = counts.0[0].iter().max().copied().unwrap_or(0).max(1) as f64;
    let examples = EXAMPLES.iter().find(|(many, _)| classes.len() <= *many).map_or(0, |it| it.1);
    let several = dataset.is_multi_label();
    let body = html! {
        p {
            (dataset.origin()) ": " (number(split.train.len() as u64)) " images for training, "
            (number(split.validation.len() as u64)) " for validation, " (number(split.test.len() as u64)) " for testing, as the best setting's first trial had them. "
            @if several { "An image may have several labels. " }
            (counts.balance(classes))
        }
        div class=(if classes.len() > 20 { "scroll tall" } else { "scroll" }) { table class="data sortable wide" data-filter=[(classes.len() > 12).then_some("classes")] {
            thead { tr {
                th { (if several { "label" } else { "class" }) }
                th class="plain" { span class="unseen" { "training images as a bar" } }
                @for part in ["training", "validation", "test"] { th class="number" { (part) } }
                @if examples > 0 { th class="plain" { "examples, from training" } }
            } }
            tbody { @for (class, name) in classes.iter().enumerate().take(ROWS) { tr {
                td { (name) }
                td class="plain" { (bar(counts.0[0][class] as f64 / most)) }
                @for part in &counts.0 { td class="number" data-value=(part[class]) { (number(part[class] as u64)) } }
                @if examples > 0 { td class="plain examples" {
                    @for image in split.train.iter().filter(|image| dataset.labels_of(**image).contains(&(class as u32))).take(examples) {
                        (example(&dataset, *image))
                    }
                } }
            } } }
        } }
        @if classes.len() > ROWS { p class="note" { "The first " (ROWS) " of " (classes.len()) " classes." } }
    };
    Some(Section { id: "images", title: "Images", body })
}

fn bar(part: f64) -> Markup {
    html! {
        svg class="chart" width=(BAR) height="12" viewBox=(format!("0 0 {BAR} 12")) aria-hidden="true" {
            rect class="heat" x="0" y="2" width=(format!("{:.1}", part * BAR)) height="8" {}
        }
    }
}

fn example(dataset: &Dataset, image: u32) -> Markup {
    let uri = dataset.image(image).ok().and_then(|pixels| data_uri(dataset.frame(image), &pixels));
    let name = &dataset.names()[image as usize];
    html! { @if let Some(uri) = uri { img src=(uri) alt=(name) title=(name); } }
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn balance_is_told_by_the_most_and_the_least_frequent_class() {
        let said = |train: &[usize]| {
            let classes: Vec<String> = (0..train.len()).map(|class| format!("c{class}")).collect();
            Counts([train.to_vec(), Vec::new(), Vec::new()]).balance(&classes)
        };
        assert_eq!(said(&[5, 5]), "All classes have as many training images.");
        assert_eq!(said(&[5, 0]), "c1 has no training images.");
        assert!(said(&[100, 90]).starts_with("Classes are nearly even"));
        assert!(said(&[10, 40]).starts_with(
            "Classes are uneven: c1 has 40 training images, 4.0 times as many as c0 with 10."
        ));
    }
}
