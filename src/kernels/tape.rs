//! The tape: which operations made a value, played backwards for its gradient.
//!
//! candle's own `backward` fills a gradient with zeros and adds to it at every node. Here a
//! gradient with one consumer is handed on as it is, gradients that nobody wants are never computed,
//! and what an operation has kept is freed as soon as its backward pass is done.

use std::ops::Deref;

use candle_core::{CpuStorage, Device, Error, Result, Shape, Storage, Tensor};

use super::lanes::to_lanes;
use super::pieces::add_to;

/// A tensor and, while recording, the operation that made it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Value {
    tensor: Tensor,
    node: Option<usize>,
    /// `[batch, …]`, in whatever order the numbers lie.
    dims: Vec<usize>,
    in_lanes: bool,
}

impl Value {
    /// The numbers as they lie in memory. Those of maps, `[batch, channels, height, width]`, may be
    /// interleaved by image; those of `[batch, features]` and of leaves are as the shape says.
    pub fn tensor(&self) -> &Tensor {
        &self.tensor
    }

    /// The shape, batch axis first.
    pub fn dims(&self) -> &[usize] {
        &self.dims
    }

    /// Whether the numbers are interleaved by image.
    pub(super) fn is_in_lanes(&self) -> bool {
        self.in_lanes
    }

    /// Whether a gradient will reach this value.
    pub fn wants_gradient(&self) -> bool {
        self.node.is_some()
    }
}

/// A gradient, in the order of its value's elements.
pub type Gradient = Vec<f32>;

/// The backward pass of one operation: from the gradient of its result to those of its arguments;
/// only the wanted ones need be given.
type Backward = Box<dyn FnOnce(Gradient, &[bool]) -> Result<Vec<Option<Gradient>>> + Send>;

struct Node {
    /// The nodes of the arguments; none for arguments without gradient.
    arguments: Vec<Option<usize>>,
    /// None for a leaf.
    backward: Option<Backward>,
}

/// Records operations, or only lets them run.
pub struct Tape {
    nodes: Vec<Node>,
    recording: bool,
}

impl Tape {
    /// A tape for training.
    pub fn recording() -> Tape {
        Tape { nodes: Vec::new(), recording: true }
    }

    /// A tape that keeps nothing.
    pub fn inference() -> Tape {
        Tape { nodes: Vec::new(), recording: false }
    }

    /// A value that no operation made. Only a parameter wants a gradient.
    pub fn leaf(&mut self, tensor: &Tensor, wants_gradient: bool) -> Value {
        let node = (wants_gradient && self.recording).then(|| {
            self.nodes.push(Node { arguments: Vec::new(), backward: None });
            self.nodes.len() - 1
        });
        let dims = tensor.dims().to_vec();
        Value { tensor: tensor.clone(), node, dims, in_lanes: false }
    }

    /// The result of an operation on `arguments`, with its backward pass. The latter is dropped at
    /// once if no gradient is wanted.
    pub(super) fn record(
        &mut self,
        tensor: Tensor,
        arguments: &[&Value],
        backward: impl FnOnce(Gradient, &[bool]) -> Result<Vec<Option<Gradient>>> + Send + 'static,
    ) -> Value {
        let dims = tensor.dims().to_vec();
        let node = self.node(arguments, backward);
        Value { tensor, node, dims, in_lanes: false }
    }

    /// As [`record`](Self::record), of a result `[blocks, channels, height, width, 16]` that stands
    /// for `batch` images; its gradient has the same order.
    pub(super) fn record_lanes(
        &mut self,
        batch: usize,
        tensor: Tensor,
        arguments: &[&Value],
        backward: impl FnOnce(Gradient, &[bool]) -> Result<Vec<Option<Gradient>>> + Send + 'static,
    ) -> Value {
        let mut dims = tensor.dims()[..4].to_vec();
        dims[0] = batch;
        let node = self.node(arguments, backward);
        Value { tensor, node, dims, in_lanes: true }
    }

    /// As [`record`](Self::record), of a result with the shape and order of `like`.
    pub(super) fn record_like(
        &mut self,
        like: &Value,
        tensor: Tensor,
        arguments: &[&Value],
        backward: impl FnOnce(Gradient, &[bool]) -> Result<Vec<Option<Gradient>>> + Send + 'static,
    ) -> Value {
        let node = self.node(arguments, backward);
        Value { tensor, node, dims: like.dims.clone(), in_lanes: like.in_lanes }
    }

    fn node(
        &mut self,
        arguments: &[&Value],
        backward: impl FnOnce(Gradient, &[bool]) -> Result<Vec<Option<Gradient>>> + Send + 'static,
    ) -> Option<usize> {
        let arguments: Vec<Option<usize>> = arguments.iter().map(|value| value.node).collect();
        (self.recording && arguments.iter().any(Option::is_some)).then(|| {
            self.nodes.push(Node { arguments, backward: Some(Box::new(backward)) });
            self.nodes.len() - 1
        })
    }

    /// The gradients of the scalar `of` with respect to all leaves that want one.
    ///
    /// # Errors
    /// If `of` is no scalar, or an operation fails.
    pub fn backward(self, of: &Value) -> Result<Gradients> {
        if of.tensor.elem_count() != 1 {
            candle_core::bail!("a gradient is taken of one number, not of {:?}", of.dims());
        }
        self.backward_from(of, vec![1.0])
    }

    /// The gradients of Σ `of` · `slopes` with respect to all leaves that want one: `slopes` is the
    /// gradient of something by `of`, in the order of its shape.
    ///
    /// # Errors
    /// If the numbers are not as many as those of `of`, or an operation fails.
    pub fn backward_from(self, of: &Value, slopes: Gradient) -> Result<Gradients> {
        let count: usize = of.dims.iter().product();
        if slopes.len() != count {
            candle_core::bail!("{} slopes do not fit {:?}", slopes.len(), of.dims());
        }
        let mut gradients: Vec<Option<Gradient>> = self.nodes.iter().map(|_| None).collect();
        let Some(last) = of.node else { return Ok(Gradients(gradients)) };
        gradients[last] = Some(if of.in_lanes {
            to_lanes(&slopes, of.dims[0], count / of.dims[0].max(1))
        } else {
            slopes
        });
        for (index, node) in self.nodes.into_iter().enumerate().rev() {
            let Some(backward) = node.backward else { continue };
            let Some(gradient) = gradients[index].take() else { continue };
            let wanted: Vec<bool> = node.arguments.iter().map(Option::is_some).collect();
            let results = backward(gradient, &wanted)?;
            for (argument, result) in node.arguments.iter().zip(results) {
                let (Some(argument), Some(result)) = (argument, result) else { continue };
                match &mut gradients[*argument] {
                    empty @ None => *empty = Some(result),
                    Some(sum) => add_to(sum, &result),
                }
            }
        }
        Ok(Gradients(gradients))
    }
}

/// What [`Tape::backward`] found.
pub struct Gradients(Vec<Option<Gradient>>);

impl Gradients {
    /// The gradient of a leaf; none if it has no influence.
    pub fn take(&mut self, leaf: &Value) -> Option<Gradient> {
        leaf.node.and_then(|node| self.0[node].take())
    }
}

/// The numbers of a tensor, for reading.
pub struct Numbers<Guard> {
    guard: Guard,
    start: usize,
    len: usize,
}

impl<Guard: Deref<Target = Storage>> Deref for Numbers<Guard> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &*self.guard {
            Storage::Cpu(CpuStorage::F32(numbers)) => &numbers[self.start..self.start + self.len],
            // `numbers` has looked.
            _ => &[],
        }
    }
}

/// The elements of a contiguous f32 tensor on the CPU.
pub fn numbers(tensor: &Tensor) -> Result<Numbers<impl Deref<Target = Storage>>> {
    let (guard, layout) = tensor.storage_and_layout();
    let Some((start, end)) = layout.contiguous_offsets() else {
        candle_core::bail!("kernels work on contiguous tensors, not on {:?}", layout);
    };
    match &*guard {
        Storage::Cpu(CpuStorage::F32(_)) => {}
        Storage::Cpu(_) => candle_core::bail!("kernels work on f32, not on {:?}", tensor.dtype()),
        _ => candle_core::bail!("kernels work on the CPU, not on {:?}", tensor.device()),
    }
    Ok(Numbers { guard, start, len: end - start })
}

/// A tensor that takes over `numbers`.
pub(super) fn tensor(numbers: Vec<f32>, shape: impl Into<Shape>) -> Result<Tensor> {
    Tensor::from_vec(numbers, shape, &Device::Cpu)
}

/// `[batch, channels, height, width]`.
pub(super) fn image_dims(value: &Value) -> Result<[usize; 4]> {
    <[usize; 4]>::try_from(value.dims()).map_err(|_| {
        Error::Msg(format!("expected [batch, channels, height, width], found {:?}", value.dims()))
    })
}
