//! A table as a Parquet file.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::Result;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};

use super::column::{Column, Row};
use super::typed::{Kind, Value};

/// Rows that are in memory together.
const GROUP: usize = 1 << 18;

/// Writes `rows` and returns how many there are.
pub(super) fn write<'a>(
    columns: &[Column<'a>],
    mut rows: impl Iterator<Item = Row<'a>>,
    into: impl Write + Send,
) -> Result<usize> {
    let fields = columns.iter().map(field).collect::<Result<Vec<TypePtr>>>()?;
    let schema = Type::group_type_builder("long").with_fields(fields).build()?;
    // Without a compression: words are written once and then numbered, and every reader takes it.
    let properties = Arc::new(WriterProperties::builder().build());
    let mut file = SerializedFileWriter::new(into, Arc::new(schema), properties)?;
    let mut count = 0;
    loop {
        let group: Vec<Row> = rows.by_ref().take(GROUP).collect();
        if group.is_empty() {
            file.close()?;
            return Ok(count);
        }
        count += group.len();
        let mut writer = file.next_row_group()?;
        for column in columns {
            let into = writer.next_column()?.expect("as many columns as the schema has");
            write_column(column, &group, into)?;
        }
        writer.close()?;
    }
}

fn field(column: &Column) -> Result<TypePtr> {
    let (physical, logical) = match column.kind {
        Kind::Flag => (Physical::BOOLEAN, None),
        Kind::Whole => (Physical::INT64, None),
        Kind::Real => (Physical::DOUBLE, None),
        Kind::Words => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
    };
    let repetition = if column.is_full { Repetition::REQUIRED } else { Repetition::OPTIONAL };
    let field = Type::primitive_type_builder(&column.name, physical)
        .with_repetition(repetition)
        .with_logical_type(logical)
        .build()?;
    Ok(Arc::new(field))
}

fn write_column<'a>(
    column: &Column<'a>,
    rows: &[Row<'a>],
    into: SerializedColumnWriter,
) -> Result<()> {
    match column.kind {
        Kind::Flag => write_typed::<BoolType>(column, rows, into, |value| match value {
            Value::Flag(flag) => Some(flag),
            _ => None,
        }),
        Kind::Whole => write_typed::<Int64Type>(column, rows, into, |value| match value {
            Value::Whole(number) => Some(number),
            _ => None,
        }),
        Kind::Real => write_typed::<DoubleType>(column, rows, into, |value| match value {
            Value::Real(number) => Some(number),
            _ => None,
        }),
        Kind::Words => write_typed::<ByteArrayType>(column, rows, into, |value| match value {
            Value::Words(words) => Some(ByteArray::from(words)),
            _ => None,
        }),
    }
}

/// Writes the cells that hold something, and for each row whether it does.
fn write_typed<'a, T: DataType>(
    column: &Column<'a>,
    rows: &[Row<'a>],
    mut into: SerializedColumnWriter,
    read: impl Fn(Value) -> Option<T::T>,
) -> Result<()> {
    let mut values = Vec::with_capacity(rows.len());
    let mut levels = Vec::with_capacity(rows.len());
    for row in rows {
        let value = (column.cell)(row).and_then(&read);
        levels.push(i16::from(value.is_some()));
        values.extend(value);
    }
    let levels = (!column.is_full).then_some(&levels[..]);
    into.typed::<T>().write_batch(&values, levels, None)?;
    into.close()
}
