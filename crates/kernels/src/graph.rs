//! The kernels as operations of candle's own graph, for code that trains with candle's `backward`.
//!
//! ```
//! # use candle_core::{Device, Tensor, Var};
//! # use candlewick::basis::shape::Window;
//! # use candlewick::kernels::graph;
//! # fn main() -> candle_core::Result<()> {
//! # let images = Tensor::ones((2, 3, 8, 8), candle_core::DType::F32, &Device::Cpu)?;
//! let w = Var::ones((4, 3, 3, 3), candle_core::DType::F32, &Device::Cpu)?;
//! let window = Window { kernel: 3, stride: 1, padding: [1; 2], dilation: 1 };
//! let maps = images.apply_op2(&w, graph::conv2d([window; 2], 1, None))?;
//! let gradients = maps.sum_all()?.backward()?;
//! assert!(gradients.get(&w).is_some());
//! # Ok(())
//! # }
//! ```
//!
//! Each operation here is a [`Tape`] of its own, from its arguments to its result: `cpu_fwd` records
//! it, and `bwd` plays it back from the gradient that candle hands over. So results and gradients are
//! those of the tape, bit for bit as far as candle hands the same gradients on. What a tape of a whole
//! network saves is lost at the borders: arguments are copied, maps lie image by image between
//! operations, all gradients are computed, wanted or not, and candle adds each to zeros.
//! [`operation`] makes one of any stretch of kernels, which keeps the savings within.

use std::sync::{Mutex, PoisonError};

use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, Device, Layout, Result, Shape, Tensor,
};

use candlewick_basis::shape::Window;

use super::activation::Activation;
use super::buffer::Buffer;
use super::norm::Statistics;
use super::tape::{Tape, Value, numbers, tensor};
use super::{conv, dense as fully_connected, lanes, loss, norm, pool};

/// An operation for `Tensor::apply_op1`, `apply_op2` or `apply_op3`, by its number of arguments.
pub struct Operation<F> {
    name: &'static str,
    run: F,
    /// What the forward pass has left for the backward pass.
    record: Mutex<Option<Record>>,
}

struct Record {
    tape: Tape,
    leaves: Vec<Value>,
    result: Value,
}

/// A stretch of kernels, from the values of its arguments to that of its result, as one operation.
pub fn operation<F>(name: &'static str, run: F) -> Operation<F>
where
    F: Fn(&mut Tape, &[Value]) -> Result<Value> + Send + Sync,
{
    Operation { name, run, record: Mutex::new(None) }
}

/// [`conv::conv2d`] of x, w and, if there is a third argument, bias.
pub fn conv2d(
    windows: [Window; 2],
    groups: usize,
    activation: Option<Activation>,
) -> Operation<impl Fn(&mut Tape, &[Value]) -> Result<Value> + Send + Sync> {
    operation("conv2d", move |tape, v| {
        conv::conv2d(tape, &v[0], &v[1], v.get(2), windows, groups, activation)
    })
}

/// [`pool::max_pool2d`] of x.
pub fn max_pool2d(
    windows: [Window; 2],
    ceil: bool,
) -> Operation<impl Fn(&mut Tape, &[Value]) -> Result<Value> + Send + Sync> {
    operation("max_pool2d", move |tape, v| pool::max_pool2d(tape, &v[0], windows, ceil))
}

/// [`pool::avg_pool2d`] of x.
pub fn avg_pool2d(
    windows: [Window; 2],
    ceil: bool,
    count_padding: bool,
) -> Operation<impl Fn(&mut Tape, &[Value]) -> Result<Value> + Send + Sync> {
    operation("avg_pool2d", move |tape, v| {
        pool::avg_pool2d(tape, &v[0], windows, ceil, count_padding)
    })
}

/// [`norm::batch_norm`] of x, gamma and beta with the statistics of the batch.
pub fn batch_norm(
    eps: f64,
    activation: Option<Activation>,
) -> Operation<impl Fn(&mut Tape, &[Value]) -> Result<Value> + Send + Sync> {
    operation("batch_norm", move |tape, v| {
        let statistics = Statistics::Batch;
        Ok(norm::batch_norm(tape, &v[0], &v[1], &v[2], eps, statistics, activation)?.0)
    })
}

/// [`dense`](fully_connected::dense) of x, w and, if there is a third argument, bias.
pub fn dense(
    activation: Option<Activation>,
) -> Operation<impl Fn(&mut Tape, &[Value]) -> Result<Value> + Send + Sync> {
    operation("dense", move |tape, v| {
        fully_connected::dense(tape, &v[0], &v[1], v.get(2), activation)
    })
}

/// The mean [`loss::cross_entropy`] of logits against `labels`.
pub fn cross_entropy(
    labels: Vec<u32>,
    label_smoothing: f64,
    class_weights: Option<Vec<f64>>,
) -> Operation<impl Fn(&mut Tape, &[Value]) -> Result<Value> + Send + Sync> {
    operation("cross_entropy", move |tape, v| {
        let weights = class_weights.as_deref();
        Ok(loss::cross_entropy(tape, &v[0], &labels, label_smoothing, weights)?.mean)
    })
}

impl<F: Fn(&mut Tape, &[Value]) -> Result<Value>> Operation<F> {
    fn record(&self, arguments: &[Tensor]) -> Result<Record> {
        let mut tape = Tape::recording();
        let leaves: Vec<Value> =
            arguments.iter().map(|argument| tape.leaf(argument, true)).collect();
        let result = (self.run)(&mut tape, &leaves)?;
        let result = lanes::leave(&mut tape, &result)?;
        Ok(Record { tape, leaves, result })
    }

    fn forward(&self, arguments: &[(&CpuStorage, &Layout)]) -> Result<(CpuStorage, Shape)> {
        let arguments: Vec<Tensor> = arguments
            .iter()
            .map(|(storage, layout)| copy(storage, layout))
            .collect::<Result<_>>()?;
        let record = self.record(&arguments)?;
        let result = numbers(record.result.tensor())?.to_vec();
        let shape = record.result.tensor().shape().clone();
        *self.record.lock().unwrap_or_else(PoisonError::into_inner) = Some(record);
        Ok((CpuStorage::F32(result), shape))
    }

    fn backward<const N: usize>(
        &self,
        arguments: [&Tensor; N],
        slopes: &Tensor,
    ) -> Result<[Option<Tensor>; N]> {
        let kept = self.record.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Record { tape, leaves, result } = match kept {
            Some(record) => record,
            // A second backward pass through the same graph.
            None => {
                let arguments: Vec<Tensor> = arguments
                    .iter()
                    .map(|argument| argument.contiguous())
                    .collect::<Result<_>>()?;
                self.record(&arguments)?
            }
        };
        let slopes = numbers(&slopes.contiguous()?)?.to_vec();
        let mut gradients = tape.backward_from(&result, slopes)?;
        let mut found = [const { None }; N];
        for ((found, argument), leaf) in found.iter_mut().zip(arguments).zip(&leaves) {
            let gradient = gradients.take(leaf).map(Buffer::into_numbers).transpose()?;
            *found = gradient.map(|gradient| tensor(gradient, argument.shape())).transpose()?;
        }
        Ok(found)
    }
}

fn copy(storage: &CpuStorage, layout: &Layout) -> Result<Tensor> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => {
            Tensor::from_slice(&values[start..end], layout.shape(), &Device::Cpu)
        }
        (CpuStorage::F32(_), None) => {
            candle_core::bail!("kernels work on contiguous tensors: call `contiguous` first")
        }
        _ => candle_core::bail!("kernels work on f32"),
    }
}

impl<F: Fn(&mut Tape, &[Value]) -> Result<Value>> CustomOp1 for Operation<F> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        self.forward(&[(storage, layout)])
    }

    fn bwd(&self, argument: &Tensor, _: &Tensor, slopes: &Tensor) -> Result<Option<Tensor>> {
        let [gradient] = self.backward([argument], slopes)?;
        Ok(gradient)
    }
}

impl<F: Fn(&mut Tape, &[Value]) -> Result<Value>> CustomOp2 for Operation<F> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward(&[(s1, l1), (s2, l2)])
    }

    fn bwd(
        &self,
        first: &Tensor,
        second: &Tensor,
        _: &Tensor,
        slopes: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok(self.backward([first, second], slopes)?.into())
    }
}

impl<F: Fn(&mut Tape, &[Value]) -> Result<Value>> CustomOp3 for Operation<F> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward(&[(s1, l1), (s2, l2), (s3, l3)])
    }

    fn bwd(
        &self,
        first: &Tensor,
        second: &Tensor,
        third: &Tensor,
        _: &Tensor,
        slopes: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        Ok(self.backward([first, second, third], slopes)?.into())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Var;

    use crate::arrange::flatten;
    use candlewick_basis::seed::derive;

    use super::*;

    fn normal(shape: &[usize], name: &str) -> Tensor {
        let mut stream = derive(1, name, &[]);
        let count = shape.iter().product();
        tensor((0..count).map(|_| stream.normal() as f32 * 0.3).collect(), shape).unwrap()
    }

    const SHAPES: [&[usize]; 7] = [&[6, 3, 3, 3], &[6], &[6], &[6], &[6, 1, 3, 3], &[4, 24], &[4]];

    fn window(kernel: usize, stride: usize, padding: usize) -> [Window; 2] {
        [Window { kernel, stride, padding: [padding; 2], dilation: 1 }; 2]
    }

    fn bits(numbers: &[f32]) -> Vec<u32> {
        numbers.iter().map(|number| number.to_bits()).collect()
    }

    /// Convolution, norm, pools, a depthwise convolution, dense and loss: once in candle's graph and
    /// once on one tape.
    fn both(batch: usize) {
        const RELU: Option<Activation> = Some(Activation::Relu);
        let images = normal(&[batch, 3, 10, 10], "images");
        let labels: Vec<u32> = (0..batch).map(|image| (image % 4) as u32).collect();
        let parameters: Vec<Tensor> = SHAPES.iter().map(|shape| normal(shape, "w")).collect();

        let vars: Vec<Var> =
            parameters.iter().map(|tensor| Var::from_tensor(tensor).unwrap()).collect();
        let graph = || {
            let x = images.apply_op3(&vars[0], &vars[1], conv2d(window(3, 1, 0), 1, None))?;
            let x = x.apply_op3(&vars[2], &vars[3], batch_norm(1e-5, RELU))?;
            let x = x.apply_op1(max_pool2d(window(2, 2, 0), false))?;
            let x = x.apply_op2(&vars[4], conv2d(window(3, 1, 1), 6, None))?;
            let x = x.apply_op1(avg_pool2d(window(2, 2, 0), false, true))?.flatten_from(1)?;
            let x = x.apply_op3(&vars[5], &vars[6], dense(None))?;
            x.apply_op1(cross_entropy(labels.clone(), 0.1, None))
        };
        let loss = graph().unwrap();
        let by_graph = loss.backward().unwrap();

        let mut tape = Tape::recording();
        let x = tape.leaf(&images, false);
        let v: Vec<Value> = parameters.iter().map(|tensor| tape.leaf(tensor, true)).collect();
        let mut on_tape = || {
            let tape = &mut tape;
            let x = conv::conv2d(tape, &x, &v[0], Some(&v[1]), window(3, 1, 0), 1, None)?;
            let batch = Statistics::Batch;
            let (x, _) = norm::batch_norm(tape, &x, &v[2], &v[3], 1e-5, batch, RELU)?;
            let x = pool::max_pool2d(tape, &x, window(2, 2, 0), false)?;
            let x = conv::conv2d(tape, &x, &v[4], None, window(3, 1, 1), 6, None)?;
            let x = pool::avg_pool2d(tape, &x, window(2, 2, 0), false, true)?;
            let x = flatten(tape, &x)?;
            let x = fully_connected::dense(tape, &x, &v[5], Some(&v[6]), None)?;
            loss::cross_entropy(tape, &x, &labels, 0.1, None)
        };
        let mean = on_tape().unwrap().mean;
        let expected = numbers(mean.tensor()).unwrap()[0];
        let mut by_tape = tape.backward(&mean).unwrap();

        let error = (loss.to_scalar::<f32>().unwrap() - expected).abs();
        assert!(error < 1e-6, "a loss of {expected} is {error} off");
        for (index, (var, leaf)) in vars.iter().zip(&v).enumerate() {
            let found = by_graph.get(var).unwrap();
            assert_eq!(found.dims(), var.dims());
            let expected = by_tape.take(leaf).unwrap().into_numbers().unwrap();
            let found = numbers(found).unwrap();
            if batch < 8 {
                assert_eq!(bits(&found), bits(&expected), "parameter {index}");
            }
            let largest = expected.iter().fold(0.01f32, |largest, g| largest.max(g.abs()));
            for (a, b) in found.iter().zip(&expected) {
                assert!((a - b).abs() < 1e-5 * largest, "parameter {index}: {a}, by tape {b}");
            }
        }
        // Once more through the same graph.
        let again = loss.backward().unwrap();
        for var in &vars {
            let (first, again) = (by_graph.get(var).unwrap(), again.get(var).unwrap());
            assert_eq!(bits(&numbers(first).unwrap()), bits(&numbers(again).unwrap()));
        }
    }

    #[test]
    fn backward_of_candle_finds_the_gradients_of_the_tape() {
        both(5);
        // In lanes, the norm of a graph sums up in another order: its maps lie image by image.
        both(19);
    }

    #[test]
    fn arguments_that_do_not_fit_are_errors() {
        let pool = || max_pool2d(window(2, 2, 0), false);
        let x = normal(&[5, 4, 4, 3], "x");
        let turned = x.permute((0, 3, 1, 2)).unwrap();
        let message = turned.apply_op1(pool()).unwrap_err().to_string();
        assert!(message.contains("call `contiguous` first"), "{message}");
        assert!(turned.contiguous().unwrap().apply_op1(pool()).is_ok());
        assert!(x.flatten_from(1).unwrap().apply_op1(pool()).is_err());
        let whole = x.to_dtype(candle_core::DType::U32).unwrap();
        assert!(whole.apply_op1(pool()).unwrap_err().to_string().contains("f32"));
    }
}
