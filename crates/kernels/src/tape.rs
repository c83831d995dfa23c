//! The tape: which operations made a value, played backwards for its gradient.
//!
//! candle's own `backward` fills a gradient with zeros and adds to it at every node. Here a
//! gradient with one consumer is handed on as it is, gradients that are not wanted are never computed,
//! and what an operation has kept is freed as soon as its backward pass is done.
//!
//! A tape belongs to a [`Device`]. On the processor operations are the kernels and gradients plain rows
//! of numbers; elsewhere both are candle's tensors, and each operation's backward pass is written in
//! candle's operations.

use std::ops::Deref;

use candle_core::{CpuStorage, Error, Result, Shape, Storage, Tensor};

use super::buffer::Buffer;
use super::device::Device;
use super::lanes::to_lanes;

/// A tensor and, while recording, the operation that made it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Value {
    tensor: Tensor,
    node: Option<usize>,
    /// `[batch, …]`, in whatever order the numbers lie.
    dims: Vec<usize>,
    order: Order,
}

/// In which order the numbers of a value lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// As the shape says.
    Plain,
    /// Interleaved by image.
    Lanes,
    /// As the shape says, on a device; the kernels would have interleaved them, and masks of dropout
    /// count elements in that order.
    PlainForLanes,
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
        self.order == Order::Lanes
    }

    /// Whether masks of dropout count elements interleaved by image.
    pub(super) fn counts_in_lanes(&self) -> bool {
        self.order != Order::Plain
    }

    /// Has masks of dropout count elements as if they lay in lanes.
    pub(super) fn counted_in_lanes(mut self, is_so: bool) -> Value {
        self.order = if is_so { Order::PlainForLanes } else { Order::Plain };
        self
    }

    /// Whether both are the result of one operation on one tape, and no constants.
    pub fn is_same(&self, other: &Value) -> bool {
        self.node.is_some() && self.node == other.node
    }

    /// Whether a gradient will reach this value.
    pub fn wants_gradient(&self) -> bool {
        self.node.is_some()
    }
}

/// A gradient beside the kernels, in the order of its value's elements.
pub type Gradient = Vec<f32>;

/// The backward pass of one operation: from the gradient of its result to those of its arguments;
/// only the wanted ones need be given.
type Backward = Box<dyn FnOnce(Buffer, &[bool]) -> Result<Vec<Option<Buffer>>> + Send>;

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
    device: Device,
}

impl Tape {
    /// A tape for training with the kernels.
    pub fn recording() -> Tape {
        Tape::recording_on(&Device::cpu())
    }

    /// A tape for the kernels that keeps nothing.
    pub fn inference() -> Tape {
        Tape::inference_on(&Device::cpu())
    }

    /// A tape for training on `device`, where all its leaves have to be.
    pub fn recording_on(device: &Device) -> Tape {
        Tape { nodes: Vec::new(), recording: true, device: device.clone() }
    }

    /// A tape for `device` that keeps nothing.
    pub fn inference_on(device: &Device) -> Tape {
        Tape { nodes: Vec::new(), recording: false, device: device.clone() }
    }

    /// Whether operations are candle's and not the kernels.
    pub(super) fn is_by_candle(&self) -> bool {
        self.device.is_by_candle()
    }

    /// A value that no operation made. Only a parameter wants a gradient.
    pub fn leaf(&mut self, tensor: &Tensor, wants_gradient: bool) -> Value {
        let node = self.leaf_node(wants_gradient);
        let dims = tensor.dims().to_vec();
        Value { tensor: tensor.clone(), node, dims, order: Order::Plain }
    }

    /// A leaf with the numbers of `value`, which another tape has made, as they lie. It wants a gradient if `value`
    /// does.
    pub fn leaf_of(&mut self, value: &Value) -> Value {
        Value { node: self.leaf_node(value.wants_gradient()), ..value.clone() }
    }

    fn leaf_node(&mut self, wants_gradient: bool) -> Option<usize> {
        (wants_gradient && self.recording).then(|| {
            self.nodes.push(Node { arguments: Vec::new(), backward: None });
            self.nodes.len() - 1
        })
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
        let node = self.node(arguments, on_host(backward));
        Value { tensor, node, dims, order: Order::Plain }
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
        let node = self.node(arguments, on_host(backward));
        Value { tensor, node, dims, order: Order::Lanes }
    }

    /// As [`record`](Self::record), of a result with the shape and order of `like`.
    pub(super) fn record_like(
        &mut self,
        like: &Value,
        tensor: Tensor,
        arguments: &[&Value],
        backward: impl FnOnce(Gradient, &[bool]) -> Result<Vec<Option<Gradient>>> + Send + 'static,
    ) -> Value {
        let node = self.node(arguments, on_host(backward));
        Value { tensor, node, dims: like.dims.clone(), order: like.order }
    }

    /// The result of candle's operations on `arguments`, with its backward pass in candle's operations.
    pub(super) fn record_by_candle(
        &mut self,
        tensor: Tensor,
        arguments: &[&Value],
        backward: impl FnOnce(Tensor, &[bool]) -> Result<Vec<Option<Tensor>>> + Send + 'static,
    ) -> Result<Value> {
        let tensor = tensor.contiguous()?;
        let dims = tensor.dims().to_vec();
        let (shape, device) = (dims.clone(), tensor.device().clone());
        let node = self.node(arguments, move |gradient: Buffer, wanted: &[bool]| {
            let found = backward(gradient.into_tensor(&shape, &device)?, wanted)?;
            Ok(found.into_iter().map(|gradient| gradient.map(Buffer::Device)).collect())
        });
        Ok(Value { tensor, node, dims, order: Order::Plain })
    }

    fn node(
        &mut self,
        arguments: &[&Value],
        backward: impl FnOnce(Buffer, &[bool]) -> Result<Vec<Option<Buffer>>> + Send + 'static,
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
        let slopes = if of.is_in_lanes() {
            to_lanes(&slopes, of.dims[0], count / of.dims[0].max(1))
        } else {
            slopes
        };
        self.backward_from_all([(of, Buffer::Host(slopes))])
    }

    /// As [`backward_from`](Self::backward_from), of several values together, with the slopes of each in the
    /// order in which its numbers lie.
    ///
    /// # Errors
    /// If an operation fails.
    pub fn backward_from_all<'a>(
        self,
        of: impl IntoIterator<Item = (&'a Value, Buffer)>,
    ) -> Result<Gradients> {
        let mut gradients: Vec<Option<Buffer>> = self.nodes.iter().map(|_| None).collect();
        for (value, slopes) in of {
            match value.node.map(|node| &mut gradients[node]) {
                None => {}
                Some(empty @ None) => *empty = Some(slopes),
                Some(Some(sum)) => sum.add(&slopes)?,
            }
        }
        for (index, node) in self.nodes.into_iter().enumerate().rev() {
            let Some(backward) = node.backward else { continue };
            let Some(gradient) = gradients[index].take() else { continue };
            let wanted: Vec<bool> = node.arguments.iter().map(Option::is_some).collect();
            let results = backward(gradient, &wanted)?;
            for (argument, result) in node.arguments.iter().zip(results) {
                let (Some(argument), Some(result)) = (argument, result) else { continue };
                match &mut gradients[*argument] {
                    empty @ None => *empty = Some(result),
                    Some(sum) => sum.add(&result)?,
                }
            }
        }
        Ok(Gradients(gradients))
    }
}

/// What [`Tape::backward`] found.
pub struct Gradients(Vec<Option<Buffer>>);

impl Gradients {
    /// The gradient of a leaf, where the leaf is; none if it has no influence.
    pub fn take(&mut self, leaf: &Value) -> Option<Buffer> {
        leaf.node.and_then(|node| self.0[node].take())
    }
}

/// The backward pass of a kernel.
fn on_host(
    backward: impl FnOnce(Gradient, &[bool]) -> Result<Vec<Option<Gradient>>> + Send + 'static,
) -> impl FnOnce(Buffer, &[bool]) -> Result<Vec<Option<Buffer>>> + Send + 'static {
    move |gradient, wanted| {
        let found = backward(gradient.into_numbers()?, wanted)?;
        Ok(found.into_iter().map(|gradient| gradient.map(Buffer::Host)).collect())
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

/// A copy of the elements of an f32 tensor on any device.
pub fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    match tensor.device() {
        candle_core::Device::Cpu if tensor.is_contiguous() => Ok(numbers(tensor)?.to_vec()),
        _ => tensor.flatten_all()?.to_vec1(),
    }
}

/// A tensor that takes over `numbers`.
pub(super) fn tensor(numbers: Vec<f32>, shape: impl Into<Shape>) -> Result<Tensor> {
    Tensor::from_vec(numbers, shape, &candle_core::Device::Cpu)
}

/// `[batch, channels, height, width]`.
pub(super) fn image_dims(value: &Value) -> Result<[usize; 4]> {
    <[usize; 4]>::try_from(value.dims()).map_err(|_| {
        Error::Msg(format!("expected [batch, channels, height, width], found {:?}", value.dims()))
    })
}
