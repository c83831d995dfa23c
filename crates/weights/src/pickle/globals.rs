//! The names that a pickle may ask for.

use crate::dtype::Dtype;
use crate::error::{Fault, shown};

/// Something of Python that a state dict needs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Global {
    /// `collections.OrderedDict`, read as a dict.
    OrderedDict,
    /// `torch._utils._rebuild_tensor` and `_rebuild_tensor_v2`.
    RebuildTensor,
    /// `torch._utils._rebuild_tensor_v3`, which names the type itself.
    RebuildTypedTensor,
    /// `torch._utils._rebuild_parameter` and `_rebuild_parameter_with_state`.
    RebuildParameter,
    /// `torch.FloatStorage` and the like; `None` is the one of plain bytes.
    Storage(Option<Dtype>),
    /// `torch.float32` and the like.
    Dtype(Dtype),
    /// `torch.Size`, a tuple.
    Size,
    /// `torch.device`, which is read over.
    Device,
    /// Any other class, by its name. Its objects are read over: no tensor depends on them.
    Foreign(String),
}

/// Modules that handle tensors. An unknown name of one of them is refused: it could make a tensor, which would be
/// missing.
const OF_TENSORS: [&str; 9] = [
    "torch",
    "torch.cuda",
    "torch.storage",
    "torch._utils",
    "torch._tensor",
    "torch.hub",
    "torch.jit",
    "torch.serialization",
    "torch.package",
];

/// Packages that no checkpoint asks for without meaning harm.
const HARMFUL: [&str; 16] = [
    "posix",
    "nt",
    "os",
    "subprocess",
    "sys",
    "shutil",
    "socket",
    "pty",
    "runpy",
    "importlib",
    "ctypes",
    "webbrowser",
    "code",
    "timeit",
    "pip",
    "multiprocessing",
];

/// Names of Python's own that only hold values.
const PLAIN: [&str; 15] = [
    "set",
    "frozenset",
    "bytearray",
    "bytes",
    "complex",
    "slice",
    "range",
    "object",
    "int",
    "float",
    "str",
    "bool",
    "list",
    "dict",
    "tuple",
];

impl Global {
    /// The meaning of `module.name`, if it is allowed.
    pub(super) fn named(module: &str, name: &str) -> Result<Global, Fault> {
        let global = match (module, name) {
            ("collections", "OrderedDict") => Some(Global::OrderedDict),
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => {
                Some(Global::RebuildTensor)
            }
            ("torch._utils", "_rebuild_tensor_v3") => Some(Global::RebuildTypedTensor),
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
                Some(Global::RebuildParameter)
            }
            ("torch.storage", "UntypedStorage") | ("torch", "UntypedStorage") => {
                Some(Global::Storage(None))
            }
            ("torch", "Size") => Some(Global::Size),
            ("torch", "device") => Some(Global::Device),
            ("torch" | "torch.cuda", name) if name.ends_with("Storage") => {
                storage(name).map(|dtype| Global::Storage(Some(dtype)))
            }
            ("torch", name) => dtype(name).map(Global::Dtype),
            _ => None,
        };
        let root = module.split('.').next().unwrap_or_default();
        let is_plain = match root {
            "builtins" | "__builtin__" => PLAIN.contains(&name),
            _ => !HARMFUL.contains(&root) && !OF_TENSORS.contains(&module),
        };
        let foreign = || is_plain.then(|| Global::Foreign(shown(&format!("{module}.{name}"))));
        global.or_else(foreign).ok_or_else(|| Fault::Global {
            global: shown(&format!("{module}.{name}")),
            way_out: way_out(module),
        })
    }
}

/// What to do about a name that is not allowed.
fn way_out(module: &str) -> &'static str {
    let root = module.split('.').next().unwrap_or_default();
    if HARMFUL.contains(&root) || matches!(root, "builtins" | "__builtin__") {
        "do not open this file in Python unless you trust its author"
    } else {
        "if you trust its author, load it in Python and save only the state dict: \
         `torch.save(model.state_dict(), path)`, or write safetensors"
    }
}

fn storage(name: &str) -> Option<Dtype> {
    Some(match name.strip_suffix("Storage")? {
        "Float" => Dtype::F32,
        "Double" => Dtype::F64,
        "Half" => Dtype::F16,
        "BFloat16" => Dtype::Bf16,
        "Long" => Dtype::I64,
        "Int" => Dtype::I32,
        "Short" => Dtype::I16,
        "Char" => Dtype::I8,
        "Byte" => Dtype::U8,
        "Bool" => Dtype::Bool,
        "ComplexFloat" => Dtype::Other("complex64".to_owned()),
        "ComplexDouble" => Dtype::Other("complex128".to_owned()),
        _ => return None,
    })
}

fn dtype(name: &str) -> Option<Dtype> {
    Some(match name {
        "float32" | "float" => Dtype::F32,
        "float64" | "double" => Dtype::F64,
        "float16" | "half" => Dtype::F16,
        "bfloat16" => Dtype::Bf16,
        "int64" | "long" => Dtype::I64,
        "int32" | "int" => Dtype::I32,
        "int16" | "short" => Dtype::I16,
        "int8" => Dtype::I8,
        "uint8" => Dtype::U8,
        "uint16" => Dtype::U16,
        "uint32" => Dtype::U32,
        "uint64" => Dtype::U64,
        "bool" => Dtype::Bool,
        "complex32" | "complex64" | "complex128" | "float8_e4m3fn" | "float8_e5m2"
        | "float8_e4m3fnuz" | "float8_e5m2fnuz" | "float8_e8m0fnu" => Dtype::Other(name.to_owned()),
        _ => return None,
    })
}
