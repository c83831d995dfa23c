//! The messages of ONNX that an exported network needs, with the field numbers of `onnx.proto`. Their
//! fields are those of the standard; what is never written is left out.

/// ModelProto.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Model {
    #[prost(int64, tag = "1")]
    pub(super) ir_version: i64,
    #[prost(message, repeated, tag = "8")]
    pub(super) opset_import: Vec<OperatorSet>,
    #[prost(string, tag = "2")]
    pub(super) producer_name: String,
    #[prost(string, tag = "3")]
    pub(super) producer_version: String,
    #[prost(message, optional, tag = "7")]
    pub(super) graph: Option<GraphMessage>,
    #[prost(message, repeated, tag = "14")]
    pub(super) metadata_props: Vec<Property>,
}

/// OperatorSetIdProto.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct OperatorSet {
    /// Empty: ONNX's own.
    #[prost(string, tag = "1")]
    pub(super) domain: String,
    #[prost(int64, tag = "2")]
    pub(super) version: i64,
}

/// StringStringEntryProto.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Property {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

/// GraphProto.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct GraphMessage {
    #[prost(message, repeated, tag = "1")]
    pub(super) node: Vec<Node>,
    #[prost(string, tag = "2")]
    pub(super) name: String,
    #[prost(message, repeated, tag = "5")]
    pub(super) initializer: Vec<TensorMessage>,
    #[prost(message, repeated, tag = "11")]
    pub(super) input: Vec<Value>,
    #[prost(message, repeated, tag = "12")]
    pub(super) output: Vec<Value>,
}

/// NodeProto.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Node {
    #[prost(string, repeated, tag = "1")]
    pub(super) input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub(super) output: Vec<String>,
    #[prost(string, tag = "3")]
    pub(super) name: String,
    #[prost(string, tag = "4")]
    pub(super) op_type: String,
    #[prost(message, repeated, tag = "5")]
    pub(super) attribute: Vec<Attribute>,
}

/// AttributeProto. Values are optional because a 0 that is left out is, to a checker, no value.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Attribute {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(enumeration = "AttributeType", tag = "20")]
    r#type: i32,
    #[prost(float, optional, tag = "2")]
    f: Option<f32>,
    #[prost(int64, optional, tag = "3")]
    i: Option<i64>,
    #[prost(bytes = "vec", optional, tag = "4")]
    s: Option<Vec<u8>>,
    #[prost(int64, repeated, packed = "false", tag = "8")]
    ints: Vec<i64>,
}

/// AttributeProto.AttributeType.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub(super) enum AttributeType {
    Undefined = 0,
    Float = 1,
    Int = 2,
    String = 3,
    Ints = 7,
}

impl Attribute {
    pub(super) fn float(name: &str, value: f64) -> Attribute {
        Attribute { f: Some(value as f32), ..Attribute::empty(name, AttributeType::Float) }
    }

    pub(super) fn int(name: &str, value: usize) -> Attribute {
        Attribute { i: Some(value as i64), ..Attribute::empty(name, AttributeType::Int) }
    }

    pub(super) fn string(name: &str, value: &str) -> Attribute {
        let s = Some(value.as_bytes().to_vec());
        Attribute { s, ..Attribute::empty(name, AttributeType::String) }
    }

    pub(super) fn ints(name: &str, values: impl IntoIterator<Item = usize>) -> Attribute {
        let ints = values.into_iter().map(|value| value as i64).collect();
        Attribute { ints, ..Attribute::empty(name, AttributeType::Ints) }
    }

    fn empty(name: &str, kind: AttributeType) -> Attribute {
        Attribute { name: name.to_owned(), r#type: kind.into(), ..Attribute::default() }
    }
}

/// TensorProto.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct TensorMessage {
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub(super) dims: Vec<i64>,
    #[prost(enumeration = "DataType", tag = "2")]
    pub(super) data_type: i32,
    #[prost(string, tag = "8")]
    pub(super) name: String,
    /// Little-endian.
    #[prost(bytes = "vec", tag = "9")]
    pub(super) raw_data: Vec<u8>,
}

/// TensorProto.DataType.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub(super) enum DataType {
    Undefined = 0,
    Float = 1,
    Uint8 = 2,
    Int64 = 7,
}

/// ValueInfoProto.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Value {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    r#type: Option<Type>,
    #[prost(string, tag = "3")]
    doc_string: String,
}

impl Value {
    /// A tensor of any number of images, each of this shape.
    pub(super) fn new(name: &str, elements: DataType, shape: &[usize], about: &str) -> Value {
        let images = Dimension { size: None, name: Some("batch".to_owned()) };
        let sides = shape.iter().map(|side| Dimension { size: Some(*side as i64), name: None });
        let shape = Shape { dim: std::iter::once(images).chain(sides).collect() };
        let tensor = TensorType { elem_type: elements.into(), shape: Some(shape) };
        Value {
            name: name.to_owned(),
            r#type: Some(Type { tensor_type: Some(tensor) }),
            doc_string: about.to_owned(),
        }
    }
}

/// TypeProto.
#[derive(Clone, PartialEq, prost::Message)]
struct Type {
    #[prost(message, optional, tag = "1")]
    tensor_type: Option<TensorType>,
}

/// TypeProto.Tensor.
#[derive(Clone, PartialEq, prost::Message)]
struct TensorType {
    #[prost(enumeration = "DataType", tag = "1")]
    elem_type: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<Shape>,
}

/// TensorShapeProto.
#[derive(Clone, PartialEq, prost::Message)]
struct Shape {
    #[prost(message, repeated, tag = "1")]
    dim: Vec<Dimension>,
}

/// TensorShapeProto.Dimension: either of both.
#[derive(Clone, PartialEq, prost::Message)]
struct Dimension {
    #[prost(int64, optional, tag = "1")]
    size: Option<i64>,
    #[prost(string, optional, tag = "2")]
    name: Option<String>,
}
