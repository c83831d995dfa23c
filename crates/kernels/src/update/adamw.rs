//! The step of AdamW: weights shrink by themselves, then Adam's step.

use candle_core::{Result, Tensor};
use candlewick_basis::optimizer::{Adam, AdamW};

use super::{Row, Update, adam};
use crate::buffer::Buffer;
use crate::device::update::times;

impl Update for AdamW {
    fn on_host(&self, row: Row<&mut [f32], Vec<f32>>) {
        let kept = 1.0 - row.lr as f32 * self.weight_decay as f32;
        adam::on_host(&Adam { weight_decay: 0.0, ..self.as_adam() }, kept, row);
    }

    fn on_device(&self, row: Row<Tensor, Buffer>) -> Result<Tensor> {
        let values = times(&row.values, 1.0 - row.lr * self.weight_decay)?;
        Adam { weight_decay: 0.0, ..self.as_adam() }.on_device(Row { values, ..row })
    }
}
