//! The safetensors format: a JSON header, then the numbers.
//!
//! The `safetensors` crate checks that the header's offsets follow one another without gaps, that
//! they fit the shapes, and that nothing overflows. Here stands what it does not do: names that
//! occur twice (it keeps the last), the file's length without the file in memory, and a bound that
//! keeps a header's own size small.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Read;

use safetensors::tensor::{Metadata, TensorInfo};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

use super::dtype::{ByteOrder, Dtype};
use super::entry::{Contents, Place};
use super::error::{Fault, shown};
use super::view::View;

/// Bytes of a header; that of a large network has 0.2 million.
const MAX_HEADER: u64 = 1 << 25;

/// Where the header begins.
const LENGTH: u64 = 8;

/// Whether a file of `length` that begins with `start` can be of this format.
pub(super) fn recognise(start: &[u8], length: u64) -> bool {
    match start.first_chunk::<8>() {
        Some(header) => {
            start.get(8) == Some(&b'{') && (2..=length).contains(&u64::from_le_bytes(*header))
        }
        None => false,
    }
}

/// Reads the header of a file of `length` from its start.
pub(super) fn contents(read: &mut impl Read, length: u64) -> Result<Contents, Fault> {
    let mut header = [0; 8];
    read.read_exact(&mut header)?;
    let header = u64::from_le_bytes(header);
    if header > length.saturating_sub(LENGTH) {
        return Err(Fault::damaged(format!(
            "its header claims {header} bytes, the file has {length}"
        )));
    }
    if header > MAX_HEADER {
        return Err(Fault::unsupported(format!(
            "its header has {header} bytes, at most {MAX_HEADER} are read"
        )));
    }
    let mut json = vec![0; header as usize];
    read.read_exact(&mut json)?;
    let json: Header = serde_json::from_slice(&json).map_err(|cause| {
        Fault::damaged(format!("its header is not what safetensors writes ({cause})"))
    })?;
    let names: Vec<String> = json.tensors.iter().map(|(name, _)| name.clone()).collect();
    let metadata = Metadata::new(None, json.tensors)
        .map_err(|cause| Fault::damaged(format!("its header contradicts itself ({cause})")))?;
    let data = length - LENGTH - header;
    let claimed = metadata.data_len() as u64;
    if claimed != data {
        return Err(Fault::damaged(format!(
            "its header describes {claimed} bytes of numbers, the file has {data}{}",
            if claimed > data { "; it is cut off" } else { "" }
        )));
    }
    let mut contents = Contents { metadata: json.words, ..Contents::default() };
    for name in names {
        let Some(info) = metadata.info(&name) else { continue };
        let place = Place {
            member: None,
            start: LENGTH + header + info.data_offsets.0 as u64,
            order: ByteOrder::Little,
            view: View::contiguous(&info.shape).map_err(|fault| fault.within(shown(&name)))?,
        };
        contents.add(name, dtype(info.dtype), info.shape.clone(), place)?;
    }
    Ok(contents)
}

fn dtype(dtype: safetensors::Dtype) -> Dtype {
    use safetensors::Dtype as Written;
    match dtype {
        Written::F16 => Dtype::F16,
        Written::BF16 => Dtype::Bf16,
        Written::F32 => Dtype::F32,
        Written::F64 => Dtype::F64,
        Written::BOOL => Dtype::Bool,
        Written::I8 => Dtype::I8,
        Written::I16 => Dtype::I16,
        Written::I32 => Dtype::I32,
        Written::I64 => Dtype::I64,
        Written::U8 => Dtype::U8,
        Written::U16 => Dtype::U16,
        Written::U32 => Dtype::U32,
        Written::U64 => Dtype::U64,
        other => Dtype::Other(other.to_string()),
    }
}

/// The header, its tensors by offset.
struct Header {
    words: BTreeMap<String, String>,
    tensors: Vec<(String, TensorInfo)>,
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Header, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut header = Header { words: BTreeMap::new(), tensors: Vec::new() };
                let mut seen = BTreeSet::new();
                while let Some(name) = map.next_key::<String>()? {
                    if !seen.insert(name.clone()) {
                        return Err(A::Error::custom(format!("it holds `{}` twice", shown(&name))));
                    }
                    match name.as_str() {
                        "__metadata__" => header.words = map.next_value()?,
                        _ => header.tensors.push((name, map.next_value()?)),
                    }
                }
                header.tensors.sort_by_key(|(_, info)| info.data_offsets);
                Ok(header)
            }
        }

        deserializer.deserialize_map(Entries)
    }
}
