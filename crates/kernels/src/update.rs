//! Optimiser updates in place, one parameter at a time, with PyTorch's formulas: one file for each
//! optimiser, with its step by the kernel and in candle's operations.

mod adadelta;
mod adagrad;
mod adam;
mod adamw;
mod lamb;
mod lion;
mod muon;
mod nadam;
mod rmsprop;
mod sgd;

use std::sync::Mutex;

use candle_core::{CpuStorage, Device, InplaceOp1, Layout, Result, Tensor};
use candlewick_basis::optimizer::Optimizer;
use rayon::prelude::*;

use super::buffer::Buffer;
use super::device as on_device;
use super::pieces::PIECE;
use super::simd::dispatch;

/// What an optimiser does to one parameter in a step.
trait Update {
    /// By the kernel.
    fn on_host(&self, row: Row<&mut [f32], Vec<f32>>);

    /// In candle's operations: the new values.
    fn on_device(&self, row: Row<Tensor, Buffer>) -> Result<Tensor>;
}

/// A parameter in a step.
struct Row<'a, T, S> {
    values: T,
    gradient: T,
    /// What the optimiser remembers of it.
    state: [&'a mut S; 2],
    lr: f64,
    /// The number of the step, counted from 1.
    step: u64,
    /// The parameter as a matrix has so many rows, one for each output.
    rows: usize,
}

fn update_of(optimizer: &Optimizer) -> &dyn Update {
    match optimizer {
        Optimizer::Sgd(sgd) => sgd,
        Optimizer::Adam(adam) => adam,
        Optimizer::AdamW(adamw) => adamw,
        Optimizer::Rmsprop(rmsprop) => rmsprop,
        Optimizer::Lion(lion) => lion,
        Optimizer::Lamb(lamb) => lamb,
        Optimizer::Muon(muon) => muon,
        Optimizer::NAdam(nadam) => nadam,
        Optimizer::Adagrad(adagrad) => adagrad,
        Optimizer::Adadelta(adadelta) => adadelta,
    }
}

/// One step of `optimizer`, its number `step` counted from 1, at rate `lr` on `parameter`, for
/// all tensors that share its storage. The gradient is used up. `state` is what the optimiser remembers of the
/// parameter: empty before the first step, and where it needs none.
///
/// # Errors
/// If the state or the gradient is not where the parameter is.
pub fn apply(
    optimizer: &Optimizer,
    state: [&mut Buffer; 2],
    parameter: &Tensor,
    gradient: Buffer,
    lr: f64,
    step: u64,
) -> Result<()> {
    let (update, [first, second]) = (update_of(optimizer), state);
    let rows = parameter.dims().first().copied().unwrap_or(1);
    match gradient {
        Buffer::Host(mut gradient) => {
            let (first, second) = (on_host(first)?, on_host(second)?);
            change(parameter, |values| {
                let state = [&mut *first, &mut *second];
                update.on_host(Row { values, gradient: &mut gradient, state, lr, step, rows });
            })
        }
        Buffer::Device(gradient) => {
            let (values, gradient) = (parameter.clone(), gradient.reshape(parameter.shape())?);
            let row = Row { values, gradient, state: [first, second], lr, step, rows };
            on_device::update::assign(parameter, &update.on_device(row)?)
        }
    }
}

/// Overwrites `parameter` with `values`, for all tensors that share its storage.
///
/// # Errors
/// If they are not as many.
pub fn assign(parameter: &Tensor, values: &[f32]) -> Result<()> {
    if parameter.elem_count() != values.len() {
        candle_core::bail!("{} values do not fit {:?}", values.len(), parameter.dims());
    }
    match parameter.device() {
        Device::Cpu => change(parameter, |into| into.copy_from_slice(values)),
        device => {
            let values = Tensor::from_slice(values, parameter.shape(), device)?;
            on_device::update::assign(parameter, &values)
        }
    }
}

/// `parameter += factor · direction`, for all tensors that share its storage.
///
/// # Errors
/// If the direction is not where the parameter is, or has another size.
pub fn shift(parameter: &Tensor, direction: &Buffer, factor: f32) -> Result<()> {
    match direction {
        Buffer::Host(direction) => change(parameter, |values| {
            values.iter_mut().zip(direction).for_each(|(value, d)| *value += factor * *d);
        }),
        Buffer::Device(direction) => {
            let direction = direction.reshape(parameter.shape())?;
            let moved = (parameter + direction.affine(f64::from(factor), 0.0)?)?;
            on_device::update::assign(parameter, &moved)
        }
    }
}

/// Exchanges the numbers of `parameter`, for all tensors that share its storage, and of `other`.
///
/// # Errors
/// If they are not as many, or on two devices.
pub fn exchange(parameter: &Tensor, other: &mut Buffer) -> Result<()> {
    if parameter.elem_count() != other.len() {
        candle_core::bail!("{} numbers do not fit {:?}", other.len(), parameter.dims());
    }
    match other {
        Buffer::Host(other) => change(parameter, |values| values.swap_with_slice(other)),
        Buffer::Device(other) => {
            let kept = parameter.copy()?;
            on_device::update::assign(parameter, &other.reshape(parameter.shape())?)?;
            *other = kept;
            Ok(())
        }
    }
}

/// Changes the numbers of `tensor`, which is on the CPU, for all tensors that share its storage.
pub(super) fn change(tensor: &Tensor, change: impl FnMut(&mut [f32])) -> Result<()> {
    tensor.inplace_op1(&InPlace(Mutex::new(change)))
}

struct InPlace<F>(Mutex<F>);

impl<F: FnMut(&mut [f32])> InplaceOp1 for InPlace<F> {
    fn name(&self) -> &'static str {
        "update"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (CpuStorage::F32(values), Some((start, end))) = (storage, layout.contiguous_offsets())
        else {
            candle_core::bail!("updates work on contiguous f32 parameters");
        };
        let mut run = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        run(&mut values[start..end]);
        Ok(())
    }
}

/// The state of a parameter on the host.
fn on_host(state: &mut Buffer) -> Result<&mut Vec<f32>> {
    match state {
        Buffer::Host(numbers) => Ok(numbers),
        Buffer::Device(_) => candle_core::bail!("a parameter and its state are on two devices"),
    }
}

/// Adds the gradient of an L2 term of `values`.
#[inline(always)]
fn add_decay(weight_decay: f32, values: &[f32], gradient: &mut [f32]) {
    if weight_decay != 0.0 {
        gradient.iter_mut().zip(values).for_each(|(g, value)| *g += weight_decay * *value);
    }
}

/// Runs `work` on equal pieces of values, gradient and `N` rows of state, all equally long.
fn each_piece<const N: usize>(
    values: &mut [f32],
    gradient: &mut [f32],
    state: [&mut Vec<f32>; N],
    work: impl Fn(&mut [f32], &mut [f32], [&mut [f32]; N]) + Sync,
) {
    let mut rest = state.map(|state| &mut state[..]);
    let mut pieces = Vec::new();
    for (values, gradient) in values.chunks_mut(PIECE).zip(gradient.chunks_mut(PIECE)) {
        let state = rest.each_mut().map(|rest| {
            let (piece, behind) = std::mem::take(rest).split_at_mut(values.len());
            *rest = behind;
            piece
        });
        pieces.push((values, gradient, state));
    }
    pieces.into_par_iter().for_each(|(values, gradient, state)| {
        dispatch(
            #[inline(always)]
            || work(values, gradient, state),
        );
    });
}
