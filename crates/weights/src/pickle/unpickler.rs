//! The stack machine that a pickle is a program for.

use std::collections::HashMap;
use std::io::Read;

use crate::error::{Fault, MAX_NAME};

use super::globals::Global;
use super::rebuild;
use super::stream::Stream;
use super::value::{Heap, Id, Span, Value};

/// No more opcodes than this are followed; the state dict of a large network needs about 100 000.
const MAX_STEPS: usize = 1 << 22;

/// No more marks are open at once; a state dict needs four.
const MAX_MARKS: usize = 1 << 8;

/// No allowed name takes more arguments; `_rebuild_tensor_v3` takes eight.
const MAX_ARGUMENTS: usize = 8;

/// No longer whole numbers are read; torch's magic number has 10 bytes.
const MAX_LONG: u64 = 16;

/// Reads one pickle, whose bytes end where `stream` then stands.
pub(crate) fn load<R: Read>(stream: &mut Stream<R>) -> Result<(Heap, Id), Fault> {
    let mut unpickler = Unpickler::default();
    for _ in 0..MAX_STEPS {
        if let Some(result) = unpickler.step(stream)? {
            return Ok((unpickler.heap, result));
        }
    }
    Err(Fault::unsupported(format!(
        "its pickle takes more than {MAX_STEPS} steps; save the model's state dict alone"
    )))
}

#[derive(Default)]
struct Unpickler {
    heap: Heap,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl Unpickler {
    /// Follows one opcode; the result, once there is one.
    fn step<R: Read>(&mut self, stream: &mut Stream<R>) -> Result<Option<Id>, Fault> {
        let opcode = stream.byte()?;
        let value = match opcode {
            // What stands alone.
            b'N' => Value::None,
            0x88 => Value::Bool(true),
            0x89 => Value::Bool(false),
            b'K' => Value::Int(i64::from(stream.byte()?)),
            b'M' => Value::Int(i64::from(u16::from_le_bytes(stream.array()?))),
            b'J' => Value::Int(i64::from(i32::from_le_bytes(stream.array()?))),
            0x8a => {
                let length = stream.byte()?;
                long(stream, u64::from(length))?
            }
            0x8b => {
                let length = u32::from_le_bytes(stream.array()?);
                long(stream, u64::from(length))?
            }
            b'G' => Value::Float(f64::from_be_bytes(stream.array()?)),
            // Texts, with lengths of 1, 4 and 8 bytes.
            0x8c | b'X' | 0x8d => {
                let length = length(stream, opcode)?;
                Value::Text(stream.text(length)?)
            }
            // The texts of Python 2 are bytes, which may be no text. No name is as long as the longer ones.
            b'U' | b'T' => {
                let length = length(stream, opcode)?;
                let start = stream.position();
                match length > MAX_NAME as u64 {
                    true => {
                        stream.skip(length)?;
                        Value::Bytes(Span { start, length })
                    }
                    false => match String::from_utf8(stream.bytes(length)?) {
                        Ok(text) => Value::Text(text),
                        Err(_) => Value::Bytes(Span { start, length }),
                    },
                }
            }
            b'C' | b'B' | 0x8e | 0x96 => {
                let length = length(stream, opcode)?;
                let start = stream.position();
                stream.skip(length)?;
                Value::Bytes(Span { start, length })
            }
            // Sets, of which nothing is needed.
            0x8f => Value::Opaque,
            0x91 => {
                self.pop_mark()?;
                Value::Opaque
            }
            b']' => Value::List(Vec::new()),
            b')' => Value::Tuple(Vec::new()),
            b'}' => Value::Dict(Vec::new()),
            b'c' => {
                let (module, name) = (stream.line()?, stream.line()?);
                Value::Global(Global::named(&module, &name)?)
            }
            // What takes from the stack.
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                match (self.heap.get(module), self.heap.get(name)) {
                    (Value::Text(module), Value::Text(name)) => {
                        Value::Global(Global::named(module, name)?)
                    }
                    _ => {
                        return Err(Fault::damaged("its pickle asks for something without a name"));
                    }
                }
            }
            b'l' => Value::List(self.pop_mark()?),
            b't' => Value::Tuple(self.pop_mark()?),
            b'd' => Value::Dict(pairs(self.pop_mark()?)?),
            0x85 => Value::Tuple(vec![self.pop()?]),
            0x86 => {
                let (second, first) = (self.pop()?, self.pop()?);
                Value::Tuple(vec![first, second])
            }
            0x87 => {
                let (third, second, first) = (self.pop()?, self.pop()?, self.pop()?);
                Value::Tuple(vec![first, second, third])
            }
            b'.' => return self.stop().map(Some),
            _ => {
                self.act(opcode, stream)?;
                return Ok(None);
            }
        };
        let id = self.heap.add(value)?;
        self.stack.push(id);
        Ok(None)
    }

    /// Opcodes that do something other than push a new value.
    fn act<R: Read>(&mut self, opcode: u8, stream: &mut Stream<R>) -> Result<(), Fault> {
        match opcode {
            // The protocol.
            0x80 => match stream.byte()? {
                0..=5 => {}
                protocol => {
                    return Err(Fault::unsupported(format!(
                        "a pickle of protocol {protocol}; 2 to 5 are read"
                    )));
                }
            },
            // A frame's length, which is needed only to read ahead.
            0x95 => drop(stream.array::<8>()?),
            b'(' if self.marks.len() == MAX_MARKS => {
                return Err(Fault::damaged(format!(
                    "its pickle nests deeper than {MAX_MARKS} levels"
                )));
            }
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_mark()?),
            b'2' => self.stack.push(self.top()?),
            b'q' => {
                let key = stream.byte()?;
                self.memo.insert(u32::from(key), self.top()?);
            }
            b'r' => {
                let key = u32::from_le_bytes(stream.array()?);
                self.memo.insert(key, self.top()?);
            }
            0x94 => drop(self.memo.insert(self.memo.len() as u32, self.top()?)),
            b'h' => {
                let key = stream.byte()?;
                self.recall(u32::from(key))?;
            }
            b'j' => {
                let key = u32::from_le_bytes(stream.array()?);
                self.recall(key)?;
            }
            b'a' => {
                let item = self.pop()?;
                self.extend_list(vec![item])?;
            }
            b'e' => {
                let items = self.pop_mark()?;
                self.extend_list(items)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.extend_dict(vec![(key, value)])?;
            }
            b'u' => {
                let items = pairs(self.pop_mark()?)?;
                self.extend_dict(items)?;
            }
            b'Q' => {
                let id = self.pop()?;
                let storage = rebuild::storage(&mut self.heap, id)?;
                self.stack.push(storage);
            }
            0x90 => {
                self.pop_mark()?;
                let set = self.top()?;
                if !matches!(self.heap.get(set), Value::Opaque | Value::Object { .. }) {
                    let kind = self.heap.get(set).kind();
                    return Err(Fault::damaged(format!("its pickle adds to {kind}")));
                }
            }
            // A call, and the making of an object, which is a call for what is allowed. What is
            // foreign is neither called nor made.
            b'R' | 0x81 | 0x92 => {
                if opcode == 0x92 {
                    // Arguments with names.
                    self.pop()?;
                }
                let (arguments, function) = (self.pop()?, self.pop()?);
                if let (Value::Tuple(_), Value::Global(Global::Foreign(_))) =
                    (self.heap.get(arguments), self.heap.get(function))
                {
                    let object = Value::Object { maker: function, arguments, state: None };
                    let object = self.heap.add(object)?;
                    self.stack.push(object);
                    return Ok(());
                }
                let (Value::Tuple(arguments), Value::Global(global)) =
                    (self.heap.get(arguments), self.heap.get(function))
                else {
                    return Err(Fault::damaged(format!(
                        "its pickle calls {}",
                        self.heap.get(function).kind()
                    )));
                };
                if arguments.len() > MAX_ARGUMENTS {
                    return Err(Fault::damaged(
                        "its pickle calls something with endless arguments",
                    ));
                }
                let (arguments, global) = (arguments.clone(), global.clone());
                let made = rebuild::call(&mut self.heap, &global, &arguments)?;
                self.stack.push(made);
            }
            // Attributes, such as a state dict's `_metadata`; nothing needs them.
            b'b' => {
                let given = self.pop()?;
                let object = self.top()?;
                match self.heap.get_mut(object) {
                    Value::Object { state, .. } => *state = Some(given),
                    Value::Dict(_) | Value::Tensor(_) => {}
                    other => {
                        return Err(Fault::damaged(format!(
                            "its pickle gives attributes to {}",
                            other.kind()
                        )));
                    }
                }
            }
            _ => {
                return Err(Fault::damaged(format!(
                    "its pickle has the opcode 0x{opcode:02x} at byte {}, which no state dict needs",
                    stream.position() - 1
                )));
            }
        }
        Ok(())
    }

    fn stop(&mut self) -> Result<Id, Fault> {
        let result = self.pop()?;
        match self.stack.is_empty() && self.marks.is_empty() {
            true => Ok(result),
            false => Err(Fault::damaged("its pickle stops before it is finished")),
        }
    }

    fn top(&self) -> Result<Id, Fault> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.last() {
            Some(id) if self.stack.len() > floor => Ok(*id),
            _ => Err(Fault::damaged("its pickle takes what it has not made")),
        }
    }

    fn pop(&mut self) -> Result<Id, Fault> {
        let id = self.top()?;
        self.stack.pop();
        Ok(id)
    }

    /// What was pushed since the last mark.
    fn pop_mark(&mut self) -> Result<Vec<Id>, Fault> {
        match self.marks.pop() {
            Some(height) => Ok(self.stack.split_off(height)),
            None => Err(Fault::damaged("its pickle closes what it has not opened")),
        }
    }

    fn recall(&mut self, key: u32) -> Result<(), Fault> {
        let id = self.memo.get(&key).ok_or_else(|| {
            Fault::damaged(format!("its pickle remembers number {key}, which it never noted"))
        })?;
        self.stack.push(*id);
        Ok(())
    }

    fn extend_list(&mut self, items: Vec<Id>) -> Result<(), Fault> {
        let list = self.top()?;
        match self.heap.get_mut(list) {
            Value::List(list) => list.extend(items),
            Value::Object { .. } => {}
            other => {
                return Err(Fault::damaged(format!("its pickle appends to {}", other.kind())));
            }
        }
        Ok(())
    }

    fn extend_dict(&mut self, items: Vec<(Id, Id)>) -> Result<(), Fault> {
        let dict = self.top()?;
        match self.heap.get_mut(dict) {
            Value::Dict(dict) => dict.extend(items),
            Value::Object { .. } => {}
            other => {
                return Err(Fault::damaged(format!("its pickle sets items of {}", other.kind())));
            }
        }
        Ok(())
    }
}

/// The length that follows an opcode.
fn length<R: Read>(stream: &mut Stream<R>, opcode: u8) -> Result<u64, Fault> {
    Ok(match opcode {
        0x8c | b'U' | b'C' => u64::from(stream.byte()?),
        b'X' | b'T' | b'B' => u64::from(u32::from_le_bytes(stream.array()?)),
        _ => u64::from_le_bytes(stream.array()?),
    })
}

/// A whole number of `length` little-endian bytes in two's complement.
fn long<R: Read>(stream: &mut Stream<R>, length: u64) -> Result<Value, Fault> {
    if length > MAX_LONG {
        return Err(Fault::damaged(format!("its pickle has a whole number of {length} bytes")));
    }
    let bytes = stream.bytes(length)?;
    if bytes.len() > 8 {
        return Ok(Value::Long(bytes));
    }
    let fill = if bytes.last().is_some_and(|last| last & 0x80 != 0) { 0xff } else { 0 };
    let mut wide = [fill; 8];
    wide[..bytes.len()].copy_from_slice(&bytes);
    Ok(Value::Int(i64::from_le_bytes(wide)))
}

fn pairs(items: Vec<Id>) -> Result<Vec<(Id, Id)>, Fault> {
    match items.as_chunks::<2>() {
        (pairs, []) => Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect()),
        _ => Err(Fault::damaged("its pickle has a key without a value")),
    }
}
