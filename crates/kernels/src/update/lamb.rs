//! The step of LAMB: Adam's direction, as long as the parameter itself. The state is that of Adam.

use candle_core::{Result, Tensor};
use candlewick_basis::optimizer::Lamb;

use super::adam::correction;
use super::{Row, Update, each_piece};
use crate::buffer::Buffer;
use crate::device::update::{average, times};

/// ‖values‖ / ‖direction‖, or 1 where one of them is 0.
fn trust(values: f64, direction: f64) -> f64 {
    if values > 0.0 && direction > 0.0 { values / direction } else { 1.0 }
}

/// The 2-norm, in f64 and in the order of the numbers.
fn norm(numbers: &[f32]) -> f64 {
    numbers.iter().map(|number| f64::from(*number) * f64::from(*number)).sum::<f64>().sqrt()
}

impl Update for Lamb {
    fn on_host(&self, row: Row<&mut [f32], Vec<f32>>) {
        let Row { values, gradient, state: [first, second], lr, step, .. } = row;
        first.resize(values.len(), 0.0);
        second.resize(values.len(), 0.0);
        let correction = correction(self.betas, step);
        let (mean, root) = (correction[0] as f32, correction[1].sqrt() as f32);
        let (eps, decay) = (self.eps as f32, self.weight_decay as f32);
        let [keep_1, keep_2] = self.betas.map(|beta| beta as f32);
        let [new_1, new_2] = self.betas.map(|beta| (1.0 - beta) as f32);
        each_piece(values, gradient, [first, second], |values, gradient, [first, second]| {
            let moments = first.iter_mut().zip(second.iter_mut());
            for ((value, g), (m, v)) in values.iter().zip(gradient).zip(moments) {
                *m = keep_1 * *m + new_1 * *g;
                *v = keep_2 * *v + new_2 * *g * *g;
                *g = *m / mean / (v.sqrt() / root + eps) + decay * *value;
            }
        });
        let rate = (lr * trust(norm(values), norm(gradient))) as f32;
        each_piece(values, gradient, [], |values, gradient, []| {
            values.iter_mut().zip(gradient).for_each(|(value, g)| *value -= rate * *g);
        });
    }

    fn on_device(&self, row: Row<Tensor, Buffer>) -> Result<Tensor> {
        let Row { values, gradient, state: [first, second], lr, step, .. } = row;
        let correction = correction(self.betas, step);
        let m = average(first, &gradient, self.betas[0], &values)?;
        let v = average(second, &gradient.sqr()?, self.betas[1], &values)?;
        let root = (times(&v.sqrt()?, 1.0 / correction[1].sqrt())? + self.eps)?;
        let direction = (times(&m, 1.0 / correction[0])? / root)?;
        let direction = (direction + times(&values, self.weight_decay)?)?;
        let norm = |tensor: &Tensor| -> Result<f64> {
            Ok(f64::from(tensor.sqr()?.sum_all()?.sqrt()?.to_scalar::<f32>()?))
        };
        let rate = lr * trust(norm(&values)?, norm(&direction)?);
        values - times(&direction, rate)?
    }
}
