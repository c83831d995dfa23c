//! What happens to images between the data set and the network.

use serde::{Deserialize, Serialize};

use crate::augment::{BoxRules, Chain, Fault, Frame, Mixing, Step};
use crate::config::augment::{Augment, WrittenChain};
use crate::config::data::Image;
use crate::document::{KeyPath, Node, Problem};

use super::data::{Fit, OwnSize};
use super::section::take;

/// The augmentation of one trial. Validation and test images get `evaluation` only.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AugmentPlan {
    /// For each training image, drawn anew in each epoch.
    pub train: Chain,
    /// The last epoch with `train` and `mixing`, counted from 1: behind it, training images are seen as validation
    /// images are. None: all epochs have them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<usize>,
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
    /// Whether chance has a part in how training images are seen in epoch `epoch`, counted from 1, or whole batches
    /// are mixed.
    pub fn is_on(&self, epoch: u64) -> bool {
        self.until.is_none_or(|until| epoch <= until as u64)
    }

    /// Whether images reach the network as they are.
    pub fn is_nothing(&self) -> bool {
        *self == AugmentPlan::default()
    }
}

/// `[augment]` as it will run.
pub struct Augmentation {
    /// What happens to images once they are read.
    pub plan: AugmentPlan,
    /// How they are read, if they are not simply resized.
    pub own_size: Option<OwnSize>,
    /// The images that the network gets.
    pub out: Frame,
}

/// Sizes of images that chains are tried on where images keep their own: upright, across, square, and
/// long ones.
const OWN_SIZES: [[usize; 2]; 5] = [[480, 640], [640, 480], [512, 512], [200, 600], [600, 200]];

/// What `[augment]` of `root` comes to for images that `[data]` brings to the size of `image`.
pub(super) fn augmentation(
    root: &Node,
    image: Option<(Image, Fit)>,
    problems: &mut Vec<Problem>,
) -> Option<Augmentation> {
    let written = match root.get("augment") {
        Some(node) => Some(take(Augment::read(node), problems)?),
        None => None,
    };
    let (image, fit) = image?;
    // Sizes that cannot be are told elsewhere.
    if !image.is_sound() {
        return None;
    }
    let [height, width] = image.size;
    let frame = Frame { height, width, channels: image.channels };
    match written {
        None => Some(Augmentation { plan: AugmentPlan::default(), own_size: None, out: frame }),
        Some(written) => {
            let found = take(augment(&written, frame), problems)?;
            if found.own_size.is_some() && !fit.is_stretch() {
                let at = KeyPath::root().key("data").key("fit");
                let message = format!(
                    "\"{}\" has no effect: [augment] gets images in their own sizes, because its chain begins \
                     with a step that sets the size",
                    fit.name()
                );
                let problem = Problem::value(at, message).label("no effect");
                problems.push(problem.help("remove data.fit, or the first step of the chain"));
                return None;
            }
            Some(found)
        }
    }
}

/// The plan of `[augment]` for images that are brought to `frame`, unless a chain begins with a step that
/// brings images of any size to one: then they keep their own until then, and `frame` is what chains end in.
pub fn augment(written: &Augment, frame: Frame) -> Result<Augmentation, Vec<Problem>> {
    let mut problems = Vec::new();
    let chains = || std::iter::once(&written.train).chain(&written.evaluation);
    if let Some(first) = chains().find(|written| written.chain.takes_any_size(frame)) {
        return own_sizes(written, first, frame);
    }
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
        until: written.until,
        mixing: written.train.mixing.clone(),
        evaluation,
        test_time,
        boxes: written.boxes,
    };
    Ok(Augmentation { plan, own_size: None, out })
}

/// As [`augment`], where images keep their own sizes because of how the chain `first` begins: whatever they
/// are, each chain has to end in `wanted`.
fn own_sizes(
    written: &Augment,
    first: &WrittenChain,
    wanted: Frame,
) -> Result<Augmentation, Vec<Problem>> {
    let faults = |chain: &WrittenChain| of_own_sizes(chain, &first.at, wanted).unwrap_or_default();
    let mut problems = faults(&written.train);
    problems.extend(written.evaluation.iter().flat_map(faults));
    let [height, width] = OWN_SIZES[0];
    let evaluation = match &written.evaluation {
        Some(written) => written.chain.clone(),
        None => written.train.chain.at_evaluation(wanted.sized(height, width)),
    };
    let mut test_time = Vec::new();
    for view in &written.test_time {
        // A view that does not bring images to the size of the network is one of what does.
        if view.chain.takes_any_size(wanted) {
            problems.extend(faults(view));
            test_time.push(view.chain.clone());
            continue;
        }
        let mut found = Vec::new();
        let other = check(view, wanted, &mut found);
        if found.is_empty() && other != wanted {
            found.push(sizes(&view.at, other, wanted));
        }
        problems.extend(found);
        let steps = evaluation.steps.iter().chain(&view.chain.steps).cloned().collect();
        test_time.push(Chain { steps });
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut plan = AugmentPlan {
        train: written.train.chain.clone(),
        until: written.until,
        mixing: written.train.mixing.clone(),
        evaluation,
        test_time,
        boxes: written.boxes,
    };
    // What every image goes through in every chain is done once, as it is read.
    let AugmentPlan { train, evaluation, test_time, .. } = &mut plan;
    let shared = |other: &Chain| {
        train.steps.iter().zip(&other.steps).take_while(|(one, other)| one == other).count()
    };
    let others = std::iter::once(&*evaluation).chain(&*test_time);
    let count = others.map(shared).fold(train.settled(), usize::min);
    let steps = train.steps[..count].to_vec();
    for chain in [train, evaluation].into_iter().chain(test_time) {
        chain.steps.drain(..count);
    }
    let own_size = OwnSize { chain: Chain { steps }, boxes: plan.boxes };
    Ok(Augmentation { plan, own_size: Some(own_size), out: wanted })
}

impl OwnSize {
    /// Whether images have the size of `image` once they are read, whatever they had.
    pub fn settles(&self, image: Image) -> bool {
        OWN_SIZES.iter().all(|[height, width]| {
            let own = Frame { height: *height, width: *width, channels: image.channels };
            let end = self.chain.check(own);
            end.is_ok_and(|end| [end.height, end.width] == image.size)
        })
    }
}

/// What is wrong with a chain that images come to in their own sizes, because the chain at `first` brings
/// them to one; none if all end in `wanted`.
fn of_own_sizes(chain: &WrittenChain, first: &KeyPath, wanted: Frame) -> Option<Vec<Problem>> {
    let [height, width] = [wanted.height, wanted.width];
    let because = format!(
        "images have their own sizes, because {first} begins with a step that sets the size"
    );
    if !chain.chain.takes_any_size(wanted) {
        let problem = Problem::value(chain.at.clone(), because)
            .label("does not begin with a step that sets the size")
            .help(format!(
                "begin this chain with such a step, too, for example {{ resize = [{height}, {width}] }}"
            ));
        return Some(vec![problem]);
    }
    let mut ends = Vec::new();
    for [height, width] in OWN_SIZES {
        let mut found = Vec::new();
        let own = wanted.sized(height, width);
        let end = check(chain, own, &mut found);
        if !found.is_empty() {
            let note = |problem: Problem| problem.note(format!("an image of {own}: {because}"));
            return Some(found.into_iter().map(note).collect());
        }
        ends.push((own, end));
    }
    let (own, end) = ends.iter().find(|(_, end)| *end != wanted)?;
    let all_end_there = ends.iter().all(|(_, other)| other == end);
    let problem = Problem::value(
        chain.at.clone(),
        format!("an image of {own} becomes {end}, but data.image.size is {wanted}"),
    )
    .note(because);
    let problem = if all_end_there {
        problem
            .label("ends in another size")
            .help(format!("data.image.size = [{}, {}] fits this chain", end.height, end.width))
    } else {
        problem.label("the last step gives different sizes").help(format!(
            "end the chain with {{ pad-if-needed = [{height}, {width}] }}, \
             {{ center-crop = [{height}, {width}] }} or {{ resize = [{height}, {width}] }}"
        ))
    };
    Some(vec![problem])
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

/// What comes out of a chain that was read from a file, for images that come in their own sizes and pass
/// `own_size` first: the size that all of them end in.
///
/// # Errors
/// In words, if it cannot be applied to them, or leads to more than one size.
pub fn behind_own_size(own_size: &OwnSize, chain: &Chain, frame: Frame) -> Result<Frame, String> {
    let steps = own_size.chain.steps.iter().chain(&chain.steps).cloned().collect();
    let whole = Chain { steps };
    let ends = OWN_SIZES.map(|[height, width]| behind(&whole, frame.sized(height, width)));
    let mut end = None;
    for found in ends {
        let found = found?;
        match end.replace(found) {
            Some(other) if other != found => {
                return Err(format!("images end as {other} and as {found}"));
            }
            _ => {}
        }
    }
    end.ok_or_else(|| "no sizes of images are known".to_owned())
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
        .label("gives another size")
        .help("the network needs one size: both chains must end with it")
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
                    Problem::value(
                        at.index(index),
                        format!("this step gives {other}, the first one {first}"),
                    )
                    .label("another size")
                    .help("all steps of one-of must give the same size"),
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
                            .help("a step that is not always applied must not change the size"),
                    );
                }
            }
            frame
        }
    };
    if after != frame && step.p() < 1.0 && problems.len() == before {
        problems.push(
            Problem::value(at.clone(), format!("{frame} becomes {after} with p = {}", step.p()))
                .label("changes the size only sometimes")
                .help("a step that changes the size needs p = 1"),
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
