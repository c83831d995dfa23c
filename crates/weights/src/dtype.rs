//! Types of numbers in files, and their way to `f32`.

use std::fmt;
use std::io::Read;

use half::{bf16, f16};

use super::error::Fault;

/// The type of an entry's numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Dtype {
    F16,
    Bf16,
    F32,
    F64,
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    /// A type that is listed and not read, by the name that the file gives it.
    Other(String),
}

impl Dtype {
    /// Bytes of one number; `None` where the type is not read.
    pub fn size(&self) -> Option<usize> {
        Some(match self {
            Dtype::Bool | Dtype::I8 | Dtype::U8 => 1,
            Dtype::F16 | Dtype::Bf16 | Dtype::I16 | Dtype::U16 => 2,
            Dtype::F32 | Dtype::I32 | Dtype::U32 => 4,
            Dtype::F64 | Dtype::I64 | Dtype::U64 => 8,
            Dtype::Other(_) => return None,
        })
    }

    /// Whether the numbers have a fraction, as weights do.
    pub fn is_float(&self) -> bool {
        matches!(self, Dtype::F16 | Dtype::Bf16 | Dtype::F32 | Dtype::F64)
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Dtype::F16 => "f16",
            Dtype::Bf16 => "bf16",
            Dtype::F32 => "f32",
            Dtype::F64 => "f64",
            Dtype::Bool => "bool",
            Dtype::I8 => "i8",
            Dtype::I16 => "i16",
            Dtype::I32 => "i32",
            Dtype::I64 => "i64",
            Dtype::U8 => "u8",
            Dtype::U16 => "u16",
            Dtype::U32 => "u32",
            Dtype::U64 => "u64",
            Dtype::Other(name) => name,
        })
    }
}

/// The order of a number's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteOrder {
    Little,
    Big,
}

/// Bytes converted at a time; a multiple of every size.
const CHUNK: usize = 1 << 16;

/// Reads `count` numbers and rounds each to the nearest `f32`; `f16`, `bf16` and `f32` are exact.
///
/// Room for all of them is taken at once only if `present` says that the file has been seen to be
/// long enough; otherwise it grows with what is really there. A finite number that only an `f64`
/// can hold is an error rather than an infinity.
pub(super) fn decode(
    read: &mut impl Read,
    dtype: &Dtype,
    order: ByteOrder,
    count: usize,
    present: bool,
) -> Result<Vec<f32>, Fault> {
    let Some(size) = dtype.size() else {
        return Err(Fault::unsupported(format!(
            "has values of type {dtype}; f16, bf16, f32, f64, integers and bool are read; convert it first"
        )));
    };
    let mut values: Vec<f32> = Vec::new();
    if present {
        reserve(&mut values, count)?;
    }
    let mut buffer = vec![0; CHUNK.min(count.saturating_mul(size))];
    let mut left = count;
    while left > 0 {
        let now = left.min(CHUNK / size);
        let bytes = &mut buffer[..now * size];
        read.read_exact(bytes)?;
        if order == ByteOrder::Big {
            bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
        }
        if !present {
            // Doubling, as a vector does by itself, except that a refusal is an error.
            let more = now.max(values.len().min(left));
            if values.capacity() - values.len() < now {
                reserve(&mut values, more)?;
            }
        }
        convert(bytes, dtype, &mut values)?;
        left -= now;
    }
    Ok(values)
}

/// Reads `count` numbers of one byte as they are; `present` as for [`decode`].
pub(super) fn bytes(
    read: &mut dyn Read,
    dtype: &Dtype,
    count: usize,
    present: bool,
) -> Result<Vec<u8>, Fault> {
    if *dtype != Dtype::U8 {
        return Err(Fault::unsupported(format!("has values of type {dtype} instead of u8")));
    }
    let mut values = Vec::new();
    if present {
        reserve(&mut values, count)?;
    }
    read.take(count as u64).read_to_end(&mut values)?;
    match values.len() == count {
        true => Ok(values),
        false => Err(Fault::damaged("it ends too early")),
    }
}

/// Room for `count` more values.
pub(super) fn reserve<T>(values: &mut Vec<T>, count: usize) -> Result<(), Fault> {
    values
        .try_reserve_exact(count)
        .map_err(|_| Fault::unsupported(format!("{count} numbers do not fit into memory")))
}

/// Appends little-endian `bytes` as `f32`.
fn convert(bytes: &[u8], dtype: &Dtype, values: &mut Vec<f32>) -> Result<(), Fault> {
    macro_rules! each {
        ($number:ty, $convert:expr) => {
            values.extend(
                bytes
                    .as_chunks::<{ size_of::<$number>() }>()
                    .0
                    .iter()
                    .map(|bytes| $convert(<$number>::from_le_bytes(*bytes))),
            )
        };
    }
    match dtype {
        Dtype::F16 => each!(f16, f16::to_f32),
        Dtype::Bf16 => each!(bf16, bf16::to_f32),
        Dtype::F32 => each!(f32, |v| v),
        Dtype::F64 => {
            for bytes in bytes.as_chunks::<8>().0 {
                let wide = f64::from_le_bytes(*bytes);
                let value = wide as f32;
                if wide.is_finite() && value.is_infinite() {
                    return Err(Fault::unsupported(format!(
                        "holds {wide:e}, which is outside the range of f32"
                    )));
                }
                values.push(value);
            }
        }
        Dtype::Bool => each!(u8, |v| f32::from(v != 0)),
        Dtype::I8 => each!(i8, f32::from),
        Dtype::I16 => each!(i16, f32::from),
        Dtype::I32 => each!(i32, |v| v as f32),
        Dtype::I64 => each!(i64, |v| v as f32),
        Dtype::U8 => each!(u8, f32::from),
        Dtype::U16 => each!(u16, f32::from),
        Dtype::U32 => each!(u32, |v| v as f32),
        Dtype::U64 => each!(u64, |v| v as f32),
        // `decode` has already refused it.
        Dtype::Other(_) => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(dtype: Dtype, order: ByteOrder, bytes: &[u8]) -> Result<Vec<f32>, Fault> {
        let count = bytes.len() / dtype.size().unwrap();
        let grown = decode(&mut &*bytes, &dtype, order, count, false);
        let reserved = decode(&mut &*bytes, &dtype, order, count, true);
        if let (Ok(grown), Ok(reserved)) = (&grown, &reserved) {
            assert_eq!(grown, reserved);
        }
        grown
    }

    #[test]
    fn every_type_arrives_in_both_orders_of_bytes() {
        let cases: [(Dtype, Vec<u8>, f32); 13] = [
            (Dtype::F16, f16::from_f32(-1.5).to_le_bytes().to_vec(), -1.5),
            (Dtype::Bf16, bf16::from_f32(-1.5).to_le_bytes().to_vec(), -1.5),
            (Dtype::F32, (-1.1f32).to_le_bytes().to_vec(), -1.1),
            (Dtype::F64, (-1.1f64).to_le_bytes().to_vec(), -1.1),
            (Dtype::Bool, vec![7], 1.0),
            (Dtype::I8, vec![0xff], -1.0),
            (Dtype::I16, (-300i16).to_le_bytes().to_vec(), -300.0),
            (Dtype::I32, (-70000i32).to_le_bytes().to_vec(), -70000.0),
            (Dtype::I64, (-70000i64).to_le_bytes().to_vec(), -70000.0),
            (Dtype::U8, vec![0xff], 255.0),
            (Dtype::U16, 40000u16.to_le_bytes().to_vec(), 40000.0),
            (Dtype::U32, 70000u32.to_le_bytes().to_vec(), 70000.0),
            (Dtype::U64, 70000u64.to_le_bytes().to_vec(), 70000.0),
        ];
        for (dtype, mut bytes, value) in cases {
            assert_eq!(read(dtype.clone(), ByteOrder::Little, &bytes).unwrap(), [value], "{dtype}");
            bytes.reverse();
            assert_eq!(read(dtype.clone(), ByteOrder::Big, &bytes).unwrap(), [value], "{dtype}");
        }
    }

    #[test]
    fn more_than_one_chunk_is_read() {
        let count = 3 * CHUNK / 4 + 5;
        let bytes: Vec<u8> = (0..count).flat_map(|i| (i as f32).to_le_bytes()).collect();
        let expected: Vec<f32> = (0..count).map(|i| i as f32).collect();
        assert_eq!(read(Dtype::F32, ByteOrder::Little, &bytes).unwrap(), expected);
    }

    #[test]
    fn a_number_beyond_f32_is_an_error_and_an_infinity_is_not() {
        let wide = read(Dtype::F64, ByteOrder::Little, &1e300f64.to_le_bytes());
        assert!(matches!(wide, Err(Fault::Unsupported(problem)) if problem.contains("1e300")));
        let infinite = read(Dtype::F64, ByteOrder::Little, &f64::INFINITY.to_le_bytes());
        assert_eq!(infinite.unwrap(), [f32::INFINITY]);
    }

    #[test]
    fn a_claim_without_bytes_takes_no_memory() {
        let claimed = decode(&mut &[][..], &Dtype::F32, ByteOrder::Little, usize::MAX / 8, false);
        assert!(matches!(claimed, Err(Fault::Damaged(problem)) if problem.contains("too early")));
    }
}
