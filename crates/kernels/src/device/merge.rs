//! Where branches meet, in candle's operations.

use candle_core::{Result, Tensor};

use crate::activation::Activation;
use crate::tape::{Tape, Value};

use super::activation::then;

fn any_in_lanes(values: &[Value]) -> bool {
    values.iter().any(Value::counts_in_lanes)
}

/// [`sum`](crate::merge::sum) on a device, of values of one shape.
pub(crate) fn sum(
    tape: &mut Tape,
    values: &[Value],
    activation: Option<Activation>,
) -> Result<Value> {
    let mut terms = values.iter().map(Value::tensor);
    let Some(first) = terms.next() else { candle_core::bail!("a sum of nothing") };
    let total = terms.try_fold(first.clone(), |total, term| total + term)?;
    let arguments: Vec<&Value> = values.iter().collect();
    let y = tape.record_by_candle(total, &arguments, move |gradient, wanted| {
        Ok(wanted.iter().map(|wanted| wanted.then(|| gradient.clone())).collect())
    })?;
    then(tape, y.counted_in_lanes(any_in_lanes(values)), activation)
}

/// [`product`](crate::merge::product) on a device, of values of one shape.
pub(crate) fn product(tape: &mut Tape, values: &[Value]) -> Result<Value> {
    let factors: Vec<Tensor> = values.iter().map(|value| value.tensor().clone()).collect();
    let Some((first, rest)) = factors.split_first() else {
        candle_core::bail!("a product of nothing")
    };
    let y = rest.iter().try_fold(first.clone(), |product, factor| product * factor)?;
    let arguments: Vec<&Value> = values.iter().collect();
    let y = tape.record_by_candle(y, &arguments, move |gradient, wanted| {
        let of = |index: usize| {
            let others = factors.iter().enumerate().filter(|(other, _)| *other != index);
            others.map(|(_, factor)| factor).try_fold(gradient.clone(), |own, factor| own * factor)
        };
        let gradients = wanted.iter().enumerate();
        gradients.map(|(index, wanted)| wanted.then(|| of(index)).transpose()).collect()
    })?;
    Ok(y.counted_in_lanes(any_in_lanes(values)))
}

/// [`concat`](crate::merge::concat) on a device.
pub(crate) fn concat(tape: &mut Tape, values: &[Value], axis: usize) -> Result<Value> {
    let tensors: Vec<&Tensor> = values.iter().map(Value::tensor).collect();
    let sizes: Vec<usize> = values.iter().map(|value| value.dims()[axis]).collect();
    let arguments: Vec<&Value> = values.iter().collect();
    let y = Tensor::cat(&tensors, axis)?;
    let y = tape.record_by_candle(y, &arguments, move |gradient, wanted| {
        let mut start = 0;
        let parts = sizes.iter().zip(wanted).map(|(count, wanted)| {
            let from = start;
            start += count;
            wanted.then(|| gradient.narrow(axis, from, *count)?.contiguous()).transpose()
        });
        parts.collect()
    })?;
    Ok(y.counted_in_lanes(any_in_lanes(values)))
}

/// [`scale`](crate::merge::scale) on a device.
pub(crate) fn scale(tape: &mut Tape, x: &Value, factors: &Value) -> Result<Value> {
    let of_channels = factors.dims()[1] == x.dims()[1] && factors.dims()[2..] == [1, 1];
    let y = x.tensor().broadcast_mul(factors.tensor())?;
    let (kept_x, kept_factors) = (x.tensor().clone(), factors.tensor().clone());
    let y = tape.record_by_candle(y, &[x, factors], move |gradient, wanted| {
        let for_factors = || match of_channels {
            true => (&gradient * &kept_x)?.sum_keepdim((2, 3)),
            false => (&gradient * &kept_x)?.sum_keepdim(1),
        };
        Ok(vec![
            wanted[0].then(|| gradient.broadcast_mul(&kept_factors)).transpose()?,
            wanted[1].then(for_factors).transpose()?,
        ])
    })?;
    Ok(y.counted_in_lanes(x.counts_in_lanes() || factors.counts_in_lanes()))
}
