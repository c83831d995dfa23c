//! What happens to images between the data set and the network.

use serde::{Deserialize, Serialize};

use crate::augment::{BoxRules, Chain, Fault, Frame, Mixing, Step};
use crate::config::augment::{Augment, WrittenChain};
use crate::config::data::Image;
use crate::document::{KeyPath, Node, Problem};

use super::section::take;

/// The augmentation of one trial. Validation and test images get `evaluation` only.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AugmentPlan {
    /// For each training image, drawn anew in each epoch.
    pub train: Chain,
    /// For each training batch, behind `train`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixing: Option<Mixing>,
    /// What validation and test images get: nothing in it should be left to chance.
    pub evaluation: Chain,
    /// Further views of each test image: its logits are the mean over the plain view and these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub test_time: Vec<Chain>,
    /// Which boxes are left after a transform.
    pub boxes: BoxRules,
}

impl AugmentPlan {
    /// Whether images reach the network as they are.
    pub fn is_nothing(&self) -> bool {
        *self == AugmentPlan::default()
    }
}

/// `[augment]` as it will run, and the images that the network gets.
pub(super) fn augmentation(
    root: &Node,
    image: Option<Image>,
    problems: &mut Vec<Problem>,
) -> Option<(AugmentPlan, Frame)> {
    let written = match root.get("augment") {
        Some(node) => Some(take(Augment::read(node), problems)?),
        None => None,
    };
    let image = image?;
    // Sizes that cannot be are told elsewhere.
    let [height, width] = image.size;
    let is_image = [height, width].iter().all(|side| (1..=4096).contains(side));
    if !is_image || !matches!(image.channels, 1 | 3) {
        return None;
    }
    let frame = Frame { height, width, channels: image.channels };
    match written {
        None => Some((AugmentPlan::default(), frame)),
        Some(written) => take(augment(&written, frame), problems),
    }
}

/// The plan of `[augment]` for images of `frame`, and what comes out of it.
pub fn augment(written: &Augment, frame: Frame) -> Result<(AugmentPlan, Frame), Vec<Problem>> {
    let mut problems = Vec::new();
    let out = check(&written.train, frame, &mut problems);
    let evaluation = match &written.evaluation {
        Some(written) => {
            let other = check(written, frame, &mut problems);
            if other != out && problems.is_empty() {
                problems.push(sizes(&written.at, other, out));
            }
            written.chain.clone()
        }
        None => written.train.chain.at_evaluation(frame),
    };
    let mut test_time = Vec::new();
    for view in &written.test_time {
        // A view that does not bring images to the size of the network is one of what does.
        let mut found = Vec::new();
        let own = check(view, frame, &mut found);
        if found.is_empty() && own == out {
            test_time.push(view.chain.clone());
            continue;
        }
        found.clear();
        let other = check(view, out, &mut found);
        if found.is_empty() && other != out {
            found.push(sizes(&view.at, other, out));
        }
        problems.extend(found);
        let steps = evaluation.steps.iter().chain(&view.chain.steps).cloned().collect();
        test_time.push(Chain { steps });
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let plan = AugmentPlan {
        train: written.train.chain.clone(),
        mixing: written.train.mixing.clone(),
        evaluation,
        test_time,
        boxes: written.boxes,
    };
    Ok((plan, out))
}

/// What comes out of a chain that was read from a file, for images of `frame`.
///
/// # Errors
/// In words, if it cannot be applied to them.
pub fn behind(chain: &Chain, frame: Frame) -> Result<Frame, String> {
    chain.steps.iter().try_for_each(choices)?;
    let mut problems = Vec::new();
    let out = steps(&chain.steps, &KeyPath::root(), frame, &mut problems);
    match problems.first() {
        Some(problem) => Err(problem.message().to_owned()),
        None => Ok(out),
    }
}

/// The probabilities of a step and of those in it, and how many of them can be chosen. What people write is held
/// to this where it is read.
fn choices(step: &Step) -> Result<(), String> {
    let p = step.p();
    if !(0.0..=f64::MAX).contains(&p) {
        return Err(format!("p = {p} is no probability and no weight"));
    }
    let inside = match step {
        Step::Transform { .. } => return Ok(()),
        Step::Sometimes { sometimes, .. } => sometimes,
        Step::OneOf { one_of, .. } => one_of,
        Step::SomeOf { some_of, n: [least, most], replace, .. } => {
            let all = if *replace { MOST_CHOSEN } else { some_of.len() };
            if least > most || *most > all || some_of.is_empty() {
                return Err(format!(
                    "{least} to {most} of {} steps cannot be chosen",
                    some_of.len()
                ));
            }
            some_of
        }
    };
    inside.iter().try_for_each(choices)
}

/// So many steps are chosen at most where one can be chosen twice.
const MOST_CHOSEN: usize = 1000;

fn sizes(at: &KeyPath, found: Frame, wanted: Frame) -> Problem {
    Problem::value(at.clone(), format!("images of {found} where training images are {wanted}"))
        .label("leads to another size")
        .help("the network takes one size: make both chains end in it")
}

fn check(written: &WrittenChain, frame: Frame, problems: &mut Vec<Problem>) -> Frame {
    steps(&written.chain.steps, &written.at, frame, problems)
}

/// Follows the size of images through `steps`, which stand at `at`.
fn steps(steps: &[Step], at: &KeyPath, frame: Frame, problems: &mut Vec<Problem>) -> Frame {
    steps
        .iter()
        .enumerate()
        .fold(frame, |frame, (index, step)| self::step(step, &at.index(index), frame, problems))
}

fn step(step: &Step, at: &KeyPath, frame: Frame, problems: &mut Vec<Problem>) -> Frame {
    let before = problems.len();
    let after = match step {
        Step::Transform { transform, .. } => match transform.check(frame) {
            Ok(after) => after,
            Err(fault) => {
                problems.push(problem(fault, transform.kind(), at));
                frame
            }
        },
        Step::Sometimes { sometimes, .. } => {
            steps(sometimes, &at.key("sometimes"), frame, problems)
        }
        Step::OneOf { one_of, .. } => {
            let at = at.key("one-of");
            let mut all = one_of
                .iter()
                .enumerate()
                // Inside of `one-of`, p is a weight: whoever is chosen is applied.
                .map(|(index, step)| (index, self::inside(step, &at.index(index), frame, problems)))
                .collect::<Vec<_>>()
                .into_iter();
            let first = all.next().map_or(frame, |(_, after)| after);
            if let Some((index, other)) = all.find(|(_, after)| *after != first)
                && problems.len() == before
            {
                problems.push(
                    Problem::value(at.index(index), format!("{other} here, {first} before"))
                        .label("another size")
                        .help("whichever is chosen, one-of has to lead to the same size"),
                );
            }
            first
        }
        Step::SomeOf { some_of, .. } => {
            let at = at.key("some-of");
            for (index, step) in some_of.iter().enumerate() {
                let after = self::inside(step, &at.index(index), frame, problems);
                if after != frame && problems.len() == before {
                    problems.push(
                        Problem::value(at.index(index), format!("{frame} becomes {after}"))
                            .label("changes the size")
                            .help("what is not always chosen cannot change the size of images"),
                    );
                }
            }
            frame
        }
    };
    if after != frame && step.p() < 1.0 && problems.len() == before {
        problems.push(
            Problem::value(at.clone(), format!("{frame} becomes {after} with p = {}", step.p()))
                .label("changes the size now and then")
                .help("what changes the size of images has p = 1"),
        );
        return frame;
    }
    after
}

/// A step that is applied for sure if it is chosen.
fn inside(step: &Step, at: &KeyPath, frame: Frame, problems: &mut Vec<Problem>) -> Frame {
    let mut sure = step.clone();
    match &mut sure {
        Step::Transform { p, .. }
        | Step::Sometimes { p, .. }
        | Step::OneOf { p, .. }
        | Step::SomeOf { p, .. } => *p = 1.0,
    }
    self::step(&sure, at, frame, problems)
}

fn problem(fault: Fault, kind: &str, at: &KeyPath) -> Problem {
    let path = if fault.key.is_empty() { at.key(kind) } else { at.key(fault.key) };
    let problem = Problem::value(path, fault.message).label(fault.label);
    match fault.help {
        Some(help) => problem.help(help),
        None => problem,
    }
}
