//! From `[train]` as written to the recipe of a trial, with every number checked.

use crate::config::path::KeyPath;
use crate::config::problem::Problem;
use crate::config::train::{self as written, OrNone};

use super::train::{ClassWeights, Clip, EarlyStop, Optimizer, Schedule, TrainPlan};

/// The recipe, or what is wrong with it. `has_validation` says whether metrics of a validation set
/// exist.
pub fn recipe(
    train: &written::Train,
    batch_size: usize,
    classes: usize,
    has_validation: bool,
) -> Result<TrainPlan, Vec<Problem>> {
    let at = KeyPath::root().key("train");
    let mut check = Check { problems: Vec::new() };
    check.that(train.epochs >= 1, &at.key("epochs"), "a trial has at least one epoch", "0 epochs");
    let batch_at = KeyPath::root().key("data").key("batch-size");
    check.that(batch_size >= 1, &batch_at, "a batch has at least one image", "0 images");
    check.that(
        train.accumulate >= 1,
        &at.key("accumulate"),
        "a step takes at least one batch",
        "0 batches",
    );
    check.that(
        train.top_k >= 1,
        &at.key("top-k"),
        "top-k accuracy looks at one class at least",
        "0 classes",
    );
    check.within(train.label_smoothing, 0.0, 1.0, &at.key("label-smoothing"));
    let optimizer = check.optimizer(&train.optimizer, &at.key("optimizer"));
    let (schedule, warmup) = check.schedule(&train.schedule, &at.key("schedule"));
    let schedule_at = at.key("schedule");
    check.that(warmup >= 0.0, &schedule_at, "a warm-up does not take negative time", "negative");
    if schedule.depends_on_epochs() {
        let message = format!("a warm-up of {warmup} epochs leaves nothing of {}", train.epochs);
        check.that(warmup < train.epochs as f64, &schedule_at, &message, "too long");
    }
    let early_stop = match train.early_stop {
        OrNone::None => None,
        OrNone::Some(stop) => {
            let at = at.key("early-stop");
            check.that(
                stop.patience >= 1,
                &at.key("patience"),
                "patience lasts at least one epoch",
                "0",
            );
            check.that(
                stop.min_delta >= 0.0,
                &at.key("min-delta"),
                "a least change is not negative",
                "negative",
            );
            Some(EarlyStop {
                metric: stop.metric,
                patience: stop.patience,
                min_delta: stop.min_delta,
            })
        }
    };
    let mut metrics = vec![(train.best, at.key("best"))];
    metrics.extend(early_stop.map(|stop| (stop.metric, at.key("early-stop"))));
    if let Schedule::Plateau { metric, .. } = schedule {
        metrics.push((metric, schedule_at));
    }
    for (metric, at) in metrics {
        if metric.needs_validation() && !has_validation {
            check.problems.push(
                Problem::value(
                    at,
                    format!("{} needs a validation set, and there is none", metric.name()),
                )
                .label("cannot be measured")
                .help("set data.validation = 0.1, or use train_loss or train_accuracy"),
            );
        }
    }
    let class_weights =
        check.class_weights(&train.class_weights, classes, &at.key("class-weights"));
    let clip = match train.clip {
        written::Clip::None => Clip::None,
        written::Clip::Norm(norm) => {
            check.that(
                norm > 0.0,
                &at.key("clip").key("norm"),
                "a limit is positive",
                "not positive",
            );
            Clip::Norm(norm)
        }
        written::Clip::Value(value) => {
            check.that(
                value > 0.0,
                &at.key("clip").key("value"),
                "a limit is positive",
                "not positive",
            );
            Clip::Value(value)
        }
    };
    if !check.problems.is_empty() {
        return Err(check.problems);
    }
    Ok(TrainPlan {
        epochs: train.epochs,
        batch_size,
        accumulate: train.accumulate,
        optimizer,
        schedule,
        warmup,
        early_stop,
        best: train.best,
        label_smoothing: train.label_smoothing,
        class_weights,
        clip,
        top_k: train.top_k.min(classes),
    })
}

struct Check {
    problems: Vec<Problem>,
}

impl Check {
    fn that(&mut self, sound: bool, at: &KeyPath, message: &str, label: &str) {
        if !sound {
            self.problems.push(Problem::value(at.clone(), message).label(label));
        }
    }

    /// `from` ≤ number < `below`.
    fn within(&mut self, number: f64, from: f64, below: f64, at: &KeyPath) {
        let message = format!("{at} = {number} is not in [{from}, {below})");
        self.that((from..below).contains(&number), at, &message, "out of range");
    }

    fn positive(&mut self, number: f64, at: &KeyPath) {
        self.that(number > 0.0, at, &format!("{at} = {number} is not positive"), "must be > 0");
    }

    fn not_negative(&mut self, number: f64, at: &KeyPath) {
        self.that(number >= 0.0, at, &format!("{at} = {number} is negative"), "must be ≥ 0");
    }

    fn optimizer(&mut self, optimizer: &written::Optimizer, at: &KeyPath) -> Optimizer {
        match *optimizer {
            written::Optimizer::Sgd(sgd) => {
                let at = at.key("sgd");
                self.positive(sgd.lr, &at.key("lr"));
                self.within(sgd.momentum, 0.0, 1.0, &at.key("momentum"));
                self.not_negative(sgd.weight_decay, &at.key("weight-decay"));
                let sound = !sgd.nesterov || sgd.momentum > 0.0;
                self.that(
                    sound,
                    &at.key("nesterov"),
                    "Nesterov's step needs momentum",
                    "momentum is 0",
                );
                Optimizer::Sgd {
                    lr: sgd.lr,
                    momentum: sgd.momentum,
                    nesterov: sgd.nesterov,
                    weight_decay: sgd.weight_decay,
                }
            }
            written::Optimizer::Adam(adam) => {
                let weight_decay = adam.weight_decay.unwrap_or(0.0);
                self.adam(&adam, weight_decay, &at.key("adam"));
                Optimizer::Adam { lr: adam.lr, betas: adam.betas, eps: adam.eps, weight_decay }
            }
            written::Optimizer::AdamW(adam) => {
                let weight_decay = adam.weight_decay.unwrap_or(0.01);
                self.adam(&adam, weight_decay, &at.key("adamw"));
                Optimizer::Adamw { lr: adam.lr, betas: adam.betas, eps: adam.eps, weight_decay }
            }
            written::Optimizer::Rmsprop(rmsprop) => {
                let at = at.key("rmsprop");
                self.positive(rmsprop.lr, &at.key("lr"));
                self.within(rmsprop.alpha, 0.0, 1.0, &at.key("alpha"));
                self.positive(rmsprop.eps, &at.key("eps"));
                self.within(rmsprop.momentum, 0.0, 1.0, &at.key("momentum"));
                self.not_negative(rmsprop.weight_decay, &at.key("weight-decay"));
                Optimizer::Rmsprop {
                    lr: rmsprop.lr,
                    alpha: rmsprop.alpha,
                    eps: rmsprop.eps,
                    momentum: rmsprop.momentum,
                    weight_decay: rmsprop.weight_decay,
                }
            }
        }
    }

    fn adam(&mut self, adam: &written::Adam, weight_decay: f64, at: &KeyPath) {
        self.positive(adam.lr, &at.key("lr"));
        for (index, beta) in adam.betas.into_iter().enumerate() {
            self.within(beta, 0.0, 1.0, &at.key("betas").index(index));
        }
        self.positive(adam.eps, &at.key("eps"));
        self.not_negative(weight_decay, &at.key("weight-decay"));
    }

    fn factor(&mut self, factor: f64, at: &KeyPath) {
        let message = format!("{at} = {factor} is not in (0, 1]");
        self.that(factor > 0.0 && factor <= 1.0, at, &message, "out of range");
    }

    fn schedule(&mut self, schedule: &written::Schedule, at: &KeyPath) -> (Schedule, f64) {
        match *schedule {
            written::Schedule::Constant(constant) => {
                (Schedule::Constant, constant.map_or(0.0, |constant| constant.warmup))
            }
            written::Schedule::Step(step) => {
                let at = at.key("step");
                self.that(
                    step.every >= 1,
                    &at.key("every"),
                    "a stair is one epoch at least",
                    "0 epochs",
                );
                self.factor(step.factor, &at.key("factor"));
                (Schedule::Step { every: step.every, factor: step.factor }, step.warmup)
            }
            written::Schedule::Exponential(decay) => {
                self.factor(decay.factor, &at.key("exponential").key("factor"));
                (Schedule::Exponential { factor: decay.factor }, decay.warmup)
            }
            written::Schedule::Cosine(cosine) => {
                let floor = cosine.map_or(0.0, |cosine| cosine.floor);
                self.within(floor, 0.0, 1.0, &at.key("cosine").key("floor"));
                (Schedule::Cosine { floor }, cosine.map_or(0.0, |cosine| cosine.warmup))
            }
            written::Schedule::OneCycle(cycle) => {
                let cycle = cycle.unwrap_or(written::OneCycle {
                    rise: 0.3,
                    start_divisor: 25.0,
                    end_divisor: 10_000.0,
                });
                let at = at.key("one-cycle");
                self.within(cycle.rise, 0.0, 1.0, &at.key("rise"));
                let divisors =
                    [("start-divisor", cycle.start_divisor), ("end-divisor", cycle.end_divisor)];
                for (key, divisor) in divisors {
                    self.that(divisor >= 1.0, &at.key(key), "a divisor is at least 1", "below 1");
                }
                let schedule = Schedule::OneCycle {
                    rise: cycle.rise,
                    start_divisor: cycle.start_divisor,
                    end_divisor: cycle.end_divisor,
                };
                (schedule, 0.0)
            }
            written::Schedule::Plateau(plateau) => {
                self.factor(plateau.factor, &at.key("plateau").key("factor"));
                let schedule = Schedule::Plateau {
                    metric: plateau.metric,
                    patience: plateau.patience,
                    factor: plateau.factor,
                };
                (schedule, plateau.warmup)
            }
        }
    }

    fn class_weights(
        &mut self,
        weights: &written::ClassWeights,
        classes: usize,
        at: &KeyPath,
    ) -> ClassWeights {
        match weights {
            written::ClassWeights::None => ClassWeights::None,
            written::ClassWeights::Balanced => ClassWeights::Balanced,
            written::ClassWeights::By(weights) => {
                let message = format!("{} weights for {classes} classes", weights.len());
                self.that(weights.len() == classes, at, &message, "one number per class");
                let sound = weights.iter().all(|weight| *weight > 0.0);
                self.that(sound, at, "the weight of a class is positive", "some are not");
                ClassWeights::By(weights.clone())
            }
        }
    }
}
