//! Chains: transforms in sequence, one of several, some of several, each with its probability.

use serde::de::{DeserializeOwned, Deserializer, Error};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::boxes::{BBox, BoxRules};
use super::image::{Frame, Image};
use super::registry::AnyTransform;
use super::transform::Fault;
use candlewick_basis::seed::Stream;

/// One element of a chain.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged, rename_all_fields = "kebab-case")]
pub enum Step {
    /// One transform.
    Transform {
        /// Which, with its parameters.
        #[serde(flatten)]
        transform: AnyTransform,
        /// The probability with which it is applied; inside of `one-of` its weight.
        p: f64,
    },
    /// All of them in their order, or none: Albumentations' `Sequential`.
    Sometimes {
        /// The steps.
        sometimes: Vec<Step>,
        /// The probability of all.
        p: f64,
    },
    /// One of them, chosen in proportion to their `p`, and applied for sure: Albumentations' `OneOf`.
    OneOf {
        /// The steps to choose from.
        one_of: Vec<Step>,
        /// The probability that one is chosen.
        p: f64,
    },
    /// So many of them, in their order, each with its own `p`: Albumentations' `SomeOf`.
    SomeOf {
        /// The steps to choose from.
        some_of: Vec<Step>,
        /// The least and the greatest number that is chosen.
        n: [usize; 2],
        /// Whether one can be chosen twice.
        replace: bool,
        /// The probability that any is chosen.
        p: f64,
    },
}

impl Step {
    /// Its probability, or its weight inside of `one-of`.
    pub fn p(&self) -> f64 {
        match self {
            Step::Transform { p, .. }
            | Step::Sometimes { p, .. }
            | Step::OneOf { p, .. }
            | Step::SomeOf { p, .. } => *p,
        }
    }

    fn apply(&self, surely: bool, state: &mut State) {
        if !surely && self.p() < 1.0 && state.stream.uniform() >= self.p() {
            return;
        }
        match self {
            Step::Transform { transform, .. } => state.apply(transform),
            Step::Sometimes { sometimes, .. } => {
                sometimes.iter().for_each(|step| step.apply(false, state));
            }
            Step::OneOf { one_of, .. } => {
                let total: f64 = one_of.iter().map(Step::p).sum();
                let mut at = state.stream.uniform() * total;
                let chosen = one_of.iter().find(|step| {
                    at -= step.p();
                    at < 0.0
                });
                // Rounding can leave a little behind the last one.
                if let Some(step) = chosen.or(one_of.last()) {
                    step.apply(true, state);
                }
            }
            Step::SomeOf { some_of, n: [least, most], replace, .. } => {
                let n = *least + state.stream.below((most - least) as u64 + 1) as usize;
                let mut chosen: Vec<usize> = if *replace {
                    (0..n).map(|_| state.stream.below(some_of.len() as u64) as usize).collect()
                } else {
                    let mut all: Vec<usize> = (0..some_of.len()).collect();
                    state.stream.shuffle(&mut all);
                    all.truncate(n);
                    all
                };
                chosen.sort_unstable();
                chosen.into_iter().for_each(|index| some_of[index].apply(false, state));
            }
        }
    }

    /// What stands in its place for validation and test images of `frame`, which are what comes
    /// into this step.
    fn at_evaluation(&self, frame: Frame, into: &mut Vec<Step>) -> Frame {
        match self {
            Step::Transform { transform, p } if *p >= 1.0 => {
                let Some(transform) = transform.at_evaluation(frame) else { return frame };
                let after = transform.check(frame).unwrap_or(frame);
                into.push(Step::Transform { transform, p: 1.0 });
                after
            }
            Step::Sometimes { sometimes, p } if *p >= 1.0 => {
                sometimes.iter().fold(frame, |frame, step| step.at_evaluation(frame, into))
            }
            // All of them lead to the same size, or the chain would not stand.
            Step::OneOf { one_of, p } if *p >= 1.0 => match one_of.first() {
                Some(Step::Transform { transform, .. }) => {
                    let sure = Step::Transform { transform: transform.clone(), p: 1.0 };
                    sure.at_evaluation(frame, into)
                }
                Some(step) => step.at_evaluation(frame, into),
                None => frame,
            },
            _ => frame,
        }
    }

    /// As [`Chain::takes_any_size`].
    fn takes_any_size(&self, wanted: Frame) -> bool {
        self.p() >= 1.0
            && match self {
                Step::Transform { transform, .. } => transform.takes_any_size(wanted),
                Step::Sometimes { sometimes, .. } => {
                    sometimes.first().is_some_and(|step| step.takes_any_size(wanted))
                }
                // Inside of `one-of`, p is a weight.
                Step::OneOf { one_of, .. } => one_of.iter().all(|step| match step {
                    Step::Transform { transform, .. } => transform.takes_any_size(wanted),
                    other => other.takes_any_size(wanted),
                }),
                Step::SomeOf { .. } => false,
            }
    }

    /// As [`Chain::check`].
    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        match self {
            Step::Transform { transform, .. } => transform.check(frame),
            Step::Sometimes { sometimes, .. } => {
                sometimes.iter().try_fold(frame, |frame, step| step.check(frame))
            }
            // All of them lead to the same size, or the chain would not stand.
            Step::OneOf { one_of, .. } => {
                one_of.iter().try_fold(frame, |_, step| step.check(frame))
            }
            Step::SomeOf { some_of, .. } => {
                some_of.iter().try_for_each(|step| step.check(frame).map(|_| ()))?;
                Ok(frame)
            }
        }
    }
}

/// A transform that was applied, and what was drawn for it.
pub type Applied = (&'static str, Value);

struct State<'a> {
    image: &'a mut Image,
    boxes: &'a mut Vec<BBox>,
    rules: BoxRules,
    stream: &'a mut Stream,
    trace: Option<&'a mut Vec<Applied>>,
}

impl State<'_> {
    fn apply(&mut self, transform: &AnyTransform) {
        match &mut self.trace {
            None => transform.apply(self.image, self.boxes, self.stream, None),
            Some(trace) => {
                let mut told = Value::Null;
                transform.apply(self.image, self.boxes, self.stream, Some(&mut told));
                trace.push((transform.kind(), told));
            }
        }
        self.rules.apply(self.boxes, self.image.frame());
    }
}

/// Steps that are applied one after the other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Chain {
    /// In their order.
    pub steps: Vec<Step>,
}

impl Chain {
    /// Whether it does nothing.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether images may come to it in sizes of their own, where the network gets those of `wanted`: its
    /// first step surely brings them to a size, or cuts out a window of that very size.
    pub fn takes_any_size(&self, wanted: Frame) -> bool {
        self.steps.first().is_some_and(|step| step.takes_any_size(wanted))
    }

    /// How many leading steps are always applied and leave nothing to chance.
    pub fn settled(&self) -> usize {
        let is_settled = |step: &&Step| match step {
            Step::Transform { transform, p } => *p >= 1.0 && transform.is_settled(),
            _ => false,
        };
        self.steps.iter().take_while(is_settled).count()
    }

    /// What an image of `frame` becomes; or what cannot be done with it.
    ///
    /// # Errors
    /// If a step that may be applied cannot be.
    pub fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.steps.iter().try_fold(frame, |frame, step| step.check(frame))
    }

    /// Changes `image` and its boxes; all chance comes from `stream`. `trace` gets what was applied.
    pub fn apply(
        &self,
        image: &mut Image,
        boxes: &mut Vec<BBox>,
        rules: BoxRules,
        stream: &mut Stream,
        trace: Option<&mut Vec<Applied>>,
    ) {
        let mut state = State { image, boxes, rules, stream, trace };
        self.steps.iter().for_each(|step| step.apply(false, &mut state));
    }

    /// The chain for validation and test images of `frame`: what decides their size, with nothing
    /// left to chance. The rest falls away.
    pub fn at_evaluation(&self, frame: Frame) -> Chain {
        let mut steps = Vec::new();
        self.steps.iter().fold(frame, |frame, step| step.at_evaluation(frame, &mut steps));
        Chain { steps }
    }
}

impl<'de> Deserialize<'de> for Step {
    /// As it was serialised, with nothing left out. What people write is read with places, elsewhere.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut value = Value::deserialize(deserializer)?;
        let fields = value.as_object_mut().ok_or_else(|| D::Error::custom("a step is a table"))?;
        let mut take = |key: &str| fields.remove(key);
        fn field<T: DeserializeOwned, E: Error>(value: Option<Value>) -> Result<T, E> {
            serde_json::from_value(value.unwrap_or_default()).map_err(E::custom)
        }
        let p = field(take("p"))?;
        if let Some(steps) = take("sometimes") {
            return Ok(Step::Sometimes { sometimes: field(Some(steps))?, p });
        }
        if let Some(steps) = take("one-of") {
            return Ok(Step::OneOf { one_of: field(Some(steps))?, p });
        }
        if let Some(steps) = take("some-of") {
            let (n, replace) = (field(take("n"))?, field(take("replace"))?);
            return Ok(Step::SomeOf { some_of: field(Some(steps))?, n, replace, p });
        }
        Ok(Step::Transform { transform: field(Some(value))?, p })
    }
}
