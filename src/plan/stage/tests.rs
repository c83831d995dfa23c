//! What trials have in common follows from their plans.

use super::*;
use crate::config::layering::preset;
use crate::plan::resolve::resolve;
use crate::plan::sweep::Trial;
use crate::plan::sweep::tests::Digits;

fn plan(sets: &[&str]) -> Plan {
    let layers = r#"model.layers=[{ conv = 4, kernel = 3 }, { adaptive-avg-pool = 1 }, "flatten", { dense = "classes" }]"#;
    let usual = ["data.source=digits", "train.epochs=6", layers];
    let sets: Vec<String> = usual.iter().chain(sets).map(|set| (*set).to_owned()).collect();
    resolve(&preset("plain", &sets).unwrap(), None, &Digits).unwrap().0
}

/// How many first epochs two plans have in common.
fn in_common(one: &Plan, other: &Plan) -> usize {
    let mut digests = StageDigests::default();
    let [one, other] = [one, other].map(|plan| digests.of(plan).collect::<Vec<_>>());
    one.iter().zip(&other).take_while(|(one, other)| one == other).count()
}

#[test]
fn plans_have_the_epochs_in_common_before_the_first_difference_that_matters() {
    let until = "augment={ train = [{ rotate = 15 }], until = 4 }";
    for (one, other, expected, sentence) in [
        (&[][..], &[][..], 6, "all epochs of equal plans"),
        (&[], &["train.early-stop={ patience = 2 }"], 6, "when it stops decides about no epoch"),
        (&[], &["train.best=val_loss"], 6, "nor does which one is best"),
        (&[], &["augment.test-time=[[\"horizontal-flip\"]]"], 6, "nor what test images get"),
        (&[], &["train.epochs=4"], 4, "a shorter one is the beginning of a longer one"),
        (&[], &["train.top-k=3"], 0, "what rows say counts from the beginning"),
        (&[], &["train.optimizer.adam.lr=0.1"], 0, "so does the rate"),
        (&[], &["data.batch-size=32"], 0, "and the batch"),
        (&[], &["train.schedule={ steps = { at = [2] } }"], 2, "until the rate falls"),
        (
            &[],
            &["train.schedule={ steps = { at = [2], factor = 1.0 } }"],
            6,
            "or until it does not",
        ),
        (
            &["train.schedule={ step = { every = 3 } }"],
            &["train.schedule={ steps = { at = [3, 5] } }"],
            5,
            "however it is written",
        ),
        (&[], &["train.schedule={ exponential = { factor = 0.9 } }"], 1, "it falls behind one"),
        (
            &["train.schedule=cosine"],
            &["train.schedule=cosine", "train.epochs=5"],
            0,
            "by all epochs",
        ),
        (
            &["train.schedule={ cosine = { warmup = 2 } }"],
            &["train.schedule={ poly = { warmup = 2 } }", "train.epochs=5"],
            2,
            "a warm-up is the same whatever follows",
        ),
        (
            &["train.schedule={ constant = { warmup = 1.5 } }"],
            &["train.schedule={ steps = { at = [3], warmup = 1.5 } }"],
            3,
            "a warm-up that ends within an epoch",
        ),
        (
            &["train.schedule={ constant = { warmup = 1.5 } }"],
            &["train.schedule={ constant = { warmup = 1.25 } }"],
            0,
            "another one rises otherwise",
        ),
        (
            &["train.schedule={ cosine-restarts = { period = 2 } }"],
            &["train.schedule={ cosine-restarts = { period = 2, growth = 2 } }"],
            2,
            "the first cosine",
        ),
        (&[], &["train.schedule={ plateau = { patience = 1 } }"], 2, "before the rate can fall"),
        (
            &[],
            &["train.average={ ema = { decay = 0.9, from-epoch = 3 } }"],
            2,
            "before a mean begins",
        ),
        (&[], &["train.average={ swa = { from-epoch = 4 } }"], 3, "of any kind"),
        (
            &["train.average={ ema = { decay = 0.9, from-epoch = 3 } }"],
            &["train.average={ ema = { decay = 0.99, from-epoch = 3 } }"],
            2,
            "of other numbers",
        ),
        (
            &["train.progressive-resizing=[{ until = 2, size = [16, 16] }]"],
            &["train.progressive-resizing=[{ until = 3, size = [16, 16] }]"],
            2,
            "as long as images are of one size",
        ),
        (
            &["train.batch-sizes=[{ until = 2, size = 16 }]"],
            &["train.batch-sizes=[{ until = 3, size = 16 }]"],
            2,
            "as long as batches are of one size",
        ),
        (&[until], &["augment={ train = [{ rotate = 15 }] }"], 4, "as long as both are augmented"),
    ] {
        assert_eq!(in_common(&plan(one), &plan(other)), expected, "{sentence}");
        assert_eq!(in_common(&plan(other), &plan(one)), expected, "{sentence}");
    }
    let other_seed = Plan { seed: 1, ..plan(&[]) };
    assert_eq!(in_common(&plan(&[]), &other_seed), 0);
}

#[test]
fn layers_that_do_not_learn_yet_may_begin_at_any_time_and_rate() {
    let tuned = |first: Option<usize>, lr_factor: f64| {
        let mut plan = plan(&[]);
        let model = Arc::make_mut(&mut plan.model);
        model.layers[0].tuning = Some(Tuning { pretrained: true, from_epoch: first, lr_factor });
        plan
    };
    let never = tuned(None, 1.0);
    assert_eq!(in_common(&never, &tuned(Some(4), 0.5)), 3);
    assert_eq!(in_common(&tuned(Some(4), 1.0), &tuned(Some(4), 0.5)), 3);
    assert_eq!(in_common(&tuned(Some(2), 1.0), &tuned(Some(4), 1.0)), 1);
    assert_eq!(in_common(&never, &tuned(Some(1), 1.0)), 0);
    assert_eq!(in_common(&tuned(Some(1), 1.0), &tuned(Some(1), 0.5)), 0);
}

fn trials(all: &[&[&str]]) -> Vec<Trial> {
    let trial = |(index, sets): (usize, &&[&str])| Trial {
        number: index + 1,
        digest: format!("{index:016x}"),
        setting: index,
        round: 0,
        settings: Arc::default(),
        plan: plan(sets),
    };
    all.iter().enumerate().map(trial).collect()
}

#[test]
fn a_tree_has_each_stage_once_with_all_its_trials() {
    let trials = trials(&[
        &["train.schedule={ steps = { at = [2] } }"],
        &["train.schedule={ steps = { at = [4] } }"],
        &["data.batch-size=32"],
        &["train.schedule={ steps = { at = [2, 4] } }"],
        &["train.schedule={ steps = { at = [4] } }", "train.epochs=3"],
        &["train.schedule={ steps = { at = [4] } }", "train.best=val_loss"],
    ]);
    let tree = StageTree::new(&trials);
    let path = |index: usize| -> Vec<(usize, usize, &[usize])> {
        let stages = tree.path(index).iter().map(|stage| tree.stage(*stage));
        stages.map(|stage| (stage.start, stage.end, &stage.trials[..])).collect()
    };
    let stem = (0, 2, &[0, 1, 3, 4, 5][..]);
    assert_eq!(path(0), [stem, (2, 4, &[0, 3])]);
    assert_eq!(path(1), [stem, (2, 3, &[1, 4, 5]), (3, 6, &[1, 5])]);
    assert_eq!(path(2), []);
    assert_eq!(path(4), [stem, (2, 3, &[1, 4, 5])]);
    assert_eq!([0, 1, 2, 3, 4, 5].map(|index| tree.in_common(index)), [0, 2, 0, 4, 3, 6]);
    assert_eq!(tree.shared(), 2 * 4 + 2 + 2 + 3);
    let ends = tree.path(1).iter().map(|stage| tree.stage(*stage).digest);
    let digests: Vec<_> = StageDigests::default().of(&trials[1].plan).collect();
    assert_eq!(ends.collect::<Vec<_>>(), [digests[1], digests[2], digests[5]]);
    assert!(StageTree::new(&trials[1..3]).is_empty());
}
