//! What learns: a network with its optimiser, and what the recipe makes of a batch.

use candle_core::{Result, Tensor};

use crate::kernels::buffer::{Buffer, global_norm};
use crate::kernels::device::Device;
use crate::kernels::distillation::distillation;
use crate::kernels::loss::{Loss, Targets, loss};
use crate::kernels::merge::weighted_sum;
use crate::kernels::tape::values;
use crate::model::network::{Network, Parameter, Weights};
use crate::plan::Plan;
use crate::plan::model::ModelPlan;
use crate::plan::train::TrainPlan;

use super::average::Averaged;
use super::optimizer::Optimizer;
use super::steps::Steps;

/// A network in training.
pub struct Learner<'a> {
    recipe: &'a TrainPlan,
    model: &'a ModelPlan,
    /// The network as it stands.
    pub network: Network,
    /// What moves it.
    pub optimizer: Optimizer,
    /// The mean of its weights.
    pub averaged: Averaged,
    class_weights: Option<Vec<f64>>,
    /// What L2-SP pulls towards: the pretrained weights of each parameter that started with some.
    anchors: Vec<Option<Buffer>>,
    /// Batches so far.
    pub batches: u64,
}

/// What a batch has come to.
pub struct Learnt {
    /// The sum of the weighted terms of the loss.
    pub sum: f64,
    /// The sum of their weights: the mean loss is `sum` over this.
    pub weight: f64,
    /// `[batch, classes]`.
    pub logits: Vec<f32>,
    /// By the parameters, in their order.
    pub gradients: Vec<Buffer>,
}

impl<'a> Learner<'a> {
    /// The network of `plan` at its beginning on `device`, which starts with `start`, as far as it goes, and gives
    /// these weights to classes.
    ///
    /// # Errors
    /// If a tensor of `start` has another shape than the network's, or the device has no room.
    pub fn new(
        plan: &'a Plan,
        device: &Device,
        start: Weights,
        class_weights: Option<Vec<f64>>,
    ) -> Result<Learner<'a>> {
        let network = Network::starting_from(&plan.model, plan.seed, start)?.on(device)?;
        let anchors = match plan.model.transfer {
            Some(transfer) if transfer.l2_sp > 0.0 => {
                let parameters = network.parameters().iter();
                parameters.map(|parameter| anchor(parameter, device)).collect::<Result<_>>()?
            }
            _ => Vec::new(),
        };
        Ok(Learner {
            recipe: &plan.train,
            model: &plan.model,
            optimizer: Optimizer::new(&plan.train, network.parameters()),
            averaged: Averaged::new(plan.train.average),
            network,
            class_weights,
            anchors,
            batches: 0,
        })
    }

    /// The loss of one batch and its gradients; with SAM, a loss uphill that is not finite takes its place. `from` is the layer whose results `inputs` are, see
    /// [`forward_from`](Network::forward_from), `teacher` the logits of a teacher, if there is one. A loss that is
    /// not finite has no gradients.
    ///
    /// # Errors
    /// If an operation cannot be done.
    pub fn learn_from(
        &mut self,
        from: usize,
        inputs: &Tensor,
        targets: Targets,
        teacher: Option<&[f32]>,
    ) -> Result<Learnt> {
        let mut learnt = self.pass(from, inputs, targets, teacher)?;
        if self.recipe.sam > 0.0 && (learnt.sum / learnt.weight).is_finite() {
            let mut before = self.network.copy()?;
            // PyTorch's usual implementations add 1e-12 to the norm.
            let factor = self.recipe.sam / (global_norm(&learnt.gradients)? + 1e-12);
            self.network.shift(&learnt.gradients, factor as f32)?;
            let uphill = self.pass(from, inputs, targets, teacher)?;
            if !(uphill.sum / uphill.weight).is_finite() {
                // The caller ends on a loss that is not finite, wherever it was.
                (learnt.sum, learnt.weight) = (uphill.sum, uphill.weight);
            }
            learnt.gradients = uphill.gradients;
            // Weights and running statistics are those of before the climb.
            self.network.exchange(&mut before)?;
        }
        self.batches += 1;
        Ok(learnt)
    }

    fn pass(
        &mut self,
        from: usize,
        inputs: &Tensor,
        targets: Targets,
        teacher: Option<&[f32]>,
    ) -> Result<Learnt> {
        let TrainPlan { loss: function, label_smoothing, .. } = *self.recipe;
        let mut forward = self.network.forward_from(from, inputs, true, self.batches)?;
        let weights = self.class_weights.as_deref();
        let main =
            loss(&mut forward.tape, &forward.logits, targets, function, label_smoothing, weights)?;
        let Loss { mean, mut sum, weight } = main;
        let mut losses = vec![(mean, 1.0)];
        if let (Some(distill), Some(teacher)) = (&self.recipe.distill, teacher) {
            let temperature = distill.temperature;
            let taught = distillation(&mut forward.tape, &forward.logits, teacher, temperature)?;
            sum =
                (1.0 - distill.weight) * sum + distill.weight * weight * taught.sum / taught.weight;
            losses[0].1 = 1.0 - distill.weight;
            losses.push((taught.mean, distill.weight));
        }
        let mut learnt =
            Learnt { sum, weight, logits: values(forward.logits.tensor())?, gradients: Vec::new() };
        if !(sum / weight).is_finite() {
            return Ok(learnt);
        }
        for (logits, head) in forward.auxiliary.iter().zip(&self.model.auxiliary) {
            let loss =
                loss(&mut forward.tape, logits, targets, function, label_smoothing, weights)?;
            losses.push((loss.mean, head.loss_weight));
        }
        let total = match &losses[..] {
            [(only, _)] => only.clone(),
            _ => weighted_sum(&mut forward.tape, &losses)?,
        };
        learnt.gradients = self.network.backward(forward, &total)?;
        Ok(learnt)
    }

    /// One step with these gradients in epoch `epoch`, counted from 1, at the optimiser's rate times `factor`; that
    /// rate. `spread` is that of all steps.
    ///
    /// # Errors
    /// If a gradient is not where its parameter is.
    pub fn step(
        &mut self,
        mut gradients: Vec<Buffer>,
        factor: f64,
        epoch: usize,
        spread: &Steps,
    ) -> Result<f64> {
        self.pull(&mut gradients)?;
        let parameters = self.network.parameters();
        let lr = self.optimizer.step(parameters, gradients, factor, spread)?;
        let step = self.optimizer.steps();
        self.averaged.after_step(&mut self.network, step, epoch, spread)?;
        Ok(lr)
    }

    /// Adds the gradient of L2-SP, α (w − w₀).
    fn pull(&self, gradients: &mut [Buffer]) -> Result<()> {
        let alpha = self.model.transfer.map_or(0.0, |transfer| transfer.l2_sp) as f32;
        let parameters = self.network.parameters().iter();
        for ((parameter, anchor), gradient) in parameters.zip(&self.anchors).zip(gradients) {
            let Some(anchor) = anchor.as_ref().filter(|_| parameter.learns) else { continue };
            gradient.pull(&parameter.tensor, anchor, alpha)?;
        }
        Ok(())
    }
}

/// What L2-SP pulls a parameter towards.
fn anchor(parameter: &Parameter, device: &Device) -> Result<Option<Buffer>> {
    let copy = || device.buffer(values(&parameter.tensor)?, parameter.tensor.dims());
    parameter.pretrained.then(copy).transpose()
}
