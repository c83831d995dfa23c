//! An opened file of weights.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use candlewick_basis::regular;

use super::container::{Bytes, Container, finish};
use super::dtype::{ByteOrder, Dtype, bytes, decode};
use super::entry::{Contents, Entry, Place};
use super::error::{Fault, MAX_NAME, WeightsError, shown};
use super::{hub, npz, safetensors, torch_legacy, torch_zip};

/// How a file keeps its tensors, as its first bytes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// safetensors.
    Safetensors,
    /// `torch.save` since PyTorch 1.6.
    TorchZip,
    /// `torch.save` before PyTorch 1.6.
    TorchLegacy,
    /// `numpy.savez`, compressed or not.
    Npz,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Format::Safetensors => "safetensors",
            Format::TorchZip => "PyTorch",
            Format::TorchLegacy => "PyTorch before 1.6",
            Format::Npz => "NumPy",
        })
    }
}

/// A file of weights whose list of tensors has been read and held against the file's length.
///
/// Numbers are read one tensor at a time, by seeking: memory never holds more than the tensor that
/// was asked for (twice that, if the file stores it in another order). Mapping the file would need
/// `unsafe`, and a file that shrinks meanwhile would end the program instead of giving an error.
pub struct Archive {
    file: String,
    format: Format,
    entries: Vec<Entry>,
    places: Vec<Place>,
    metadata: BTreeMap<String, String>,
    state_dict: Option<(String, Vec<String>)>,
    source: Mutex<Source>,
}

/// Where the bytes are.
enum Source {
    Plain(Box<dyn Bytes>),
    Zip(Box<Container>),
}

impl Archive {
    /// Opens the file at `path`, of the format that its content says; its name does not matter. It
    /// may be on the [Hub](hub). `state_dict` is the key of the tensors that are meant, where a file of
    /// PyTorch's holds several sets of them.
    pub fn open(path: &Path, state_dict: Option<&str>) -> Result<Archive, WeightsError> {
        let path = &hub::locate(path)?;
        let unreadable = |cause: io::Error| WeightsError::Unreadable {
            path: path.to_owned(),
            reason: match cause.kind() {
                io::ErrorKind::NotFound => "there is no such file".to_owned(),
                io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
                _ => cause.to_string().to_lowercase(),
            },
        };
        if path.is_dir() {
            return Err(WeightsError::Unreadable {
                path: path.to_owned(),
                reason: "is a folder; give a file of weights".to_owned(),
            });
        }
        let file = regular::open(path).map_err(unreadable)?;
        Archive::from_reader(path.display().to_string(), BufReader::new(file), state_dict)
    }

    /// Reads from `reader`, as [`open`](Self::open); `file` is what messages call it.
    pub fn from_reader(
        file: impl Into<String>,
        reader: impl Read + Seek + Send + 'static,
        state_dict: Option<&str>,
    ) -> Result<Archive, WeightsError> {
        let file = file.into();
        match detect(Box::new(reader), state_dict) {
            Ok((format, contents, source)) => {
                let Contents { entries: found, metadata, state_dict } = contents;
                let (mut entries, mut places) = (Vec::new(), Vec::new());
                for (name, (dtype, shape, place)) in found {
                    entries.push(Entry { name, dtype, shape });
                    places.push(place);
                }
                let source = Mutex::new(source);
                Ok(Archive { file, format, entries, places, metadata, state_dict, source })
            }
            Err(fault) => Err(fault.of(&file)),
        }
    }

    /// Reads from `bytes`; `file` is what messages call them.
    pub fn from_bytes(
        file: impl Into<String>,
        bytes: impl AsRef<[u8]> + Send + 'static,
    ) -> Result<Archive, WeightsError> {
        Archive::from_reader(file, Cursor::new(bytes), None)
    }

    /// What messages call the file.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// How it keeps its tensors.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The tensors, sorted by name.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The tensor called `name`.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.index(name).map(|index| &self.entries[index])
    }

    fn index(&self, name: &str) -> Option<usize> {
        self.entries.binary_search_by(|entry| entry.name.as_str().cmp(name)).ok()
    }

    /// Words that stand beside the tensors: safetensors' `__metadata__`, or plain values such as
    /// `epoch` beside a pickled state dict.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// Where in the file these tensors stand, if it holds several sets of them, and where the others do.
    pub fn state_dict(&self) -> Option<(&str, &[String])> {
        self.state_dict.as_ref().map(|(taken, others)| (taken.as_str(), &others[..]))
    }

    /// The numbers of the tensor called `name`, the last dimension fastest.
    ///
    /// `f16`, `bf16` and `f32` come exactly, other types are rounded to the nearest `f32`.
    pub fn read(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        self.elements(name, |mut read, dtype, order, count, present| {
            decode(&mut read, dtype, order, count, present)
        })
    }

    /// The numbers of the array called `name`, which have the type `u8`, the last dimension fastest.
    pub fn read_bytes(&self, name: &str) -> Result<Vec<u8>, WeightsError> {
        self.elements(name, |read, dtype, _, count, present| bytes(read, dtype, count, present))
    }

    /// The elements of the tensor called `name`, of which `read` makes numbers.
    fn elements<T: Copy>(
        &self,
        name: &str,
        read: impl Fn(&mut dyn Read, &Dtype, ByteOrder, usize, bool) -> Result<Vec<T>, Fault>,
    ) -> Result<Vec<T>, WeightsError> {
        let Some(index) = self.index(name) else {
            let allowed = name.len() / 3;
            let nearest = self
                .entries
                .iter()
                .filter(|entry| entry.name.len().abs_diff(name.len()) <= allowed.min(MAX_NAME / 4))
                .map(|entry| (strsim::damerau_levenshtein(name, &entry.name), &entry.name))
                .min()
                .filter(|(distance, _)| *distance <= allowed)
                .map(|(_, name)| name.clone());
            return Err(WeightsError::NoEntry {
                file: self.file.clone(),
                name: shown(name),
                nearest,
            });
        };
        self.elements_at(index, read)
            .map_err(|fault| fault.within(shown(&self.entries[index].name)).of(&self.file))
    }

    fn elements_at<T: Copy>(
        &self,
        index: usize,
        make: impl Fn(&mut dyn Read, &Dtype, ByteOrder, usize, bool) -> Result<Vec<T>, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let (dtype, place) = (&self.entries[index].dtype, &self.places[index]);
        let extent = place.view.extent;
        // A panic elsewhere can leave only the position wrong, which is set anew each time.
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        let numbers = match (&mut *source, place.member) {
            (Source::Plain(read), _) => {
                read.seek(SeekFrom::Start(place.start))?;
                make(read, dtype, place.order, extent, true)?
            }
            (Source::Zip(container), Some((member, present))) => {
                let mut read = container.read(member)?;
                io::copy(&mut (&mut read).take(place.start), &mut io::sink())?;
                let numbers = make(&mut read, dtype, place.order, extent, present)?;
                finish(read)?;
                numbers
            }
            (Source::Zip(_), None) => return Err(Fault::damaged("is in no member")),
        };
        drop(source);
        place.view.gather(numbers)
    }
}

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Archive({}, {}, {} entries)", self.file, self.format, self.entries.len())
    }
}

/// Opens `bytes` as what their beginning says they are.
fn detect(
    mut bytes: Box<dyn Bytes>,
    state_dict: Option<&str>,
) -> Result<(Format, Contents, Source), Fault> {
    let length = bytes.seek(SeekFrom::End(0))?;
    bytes.rewind()?;
    let mut start = Vec::new();
    (&mut bytes).take(16).read_to_end(&mut start)?;
    bytes.rewind()?;
    if start.is_empty() {
        return Err(Fault::damaged("the file is empty"));
    }
    // An archive without members begins with its directory's end.
    if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
        let mut container = Container::open(bytes, length)?;
        if let Some(folder) = torch_zip::folder(&container).map(str::to_owned) {
            let contents = torch_zip::contents(&mut container, &folder, state_dict)?;
            return Ok((Format::TorchZip, contents, Source::Zip(Box::new(container))));
        }
        if !container.members().is_empty()
            && !container.members().iter().any(|member| member.name.ends_with(".npy"))
        {
            let names: Vec<String> = container
                .members()
                .iter()
                .take(5)
                .map(|m| format!("`{}`", shown(&m.name)))
                .collect();
            return Err(Fault::unsupported(format!(
                "is a zip archive with neither data.pkl (PyTorch) nor .npy arrays (NumPy), but with {}",
                names.join(", ")
            )));
        }
        only_one(state_dict)?;
        let contents = npz::contents(&mut container)?;
        return Ok((Format::Npz, contents, Source::Zip(Box::new(container))));
    }
    if safetensors::recognise(&start, length) {
        only_one(state_dict)?;
        let contents = safetensors::contents(&mut bytes, length)?;
        return Ok((Format::Safetensors, contents, Source::Plain(bytes)));
    }
    if start[0] == 0x80 {
        let contents = torch_legacy::contents(&mut bytes, length, state_dict)?;
        return Ok((Format::TorchLegacy, contents, Source::Plain(bytes)));
    }
    Err(Fault::unsupported(unknown(&start)))
}

/// Formats without keys hold one set of tensors.
fn only_one(state_dict: Option<&str>) -> Result<(), Fault> {
    match state_dict {
        None => Ok(()),
        Some(key) => Err(Fault::unsupported(format!(
            "has one set of tensors and no `{}`; only files of torch.save have keys",
            shown(key)
        ))),
    }
}

/// What a file is that is none of the formats, as far as its first bytes tell.
fn unknown(start: &[u8]) -> String {
    let found = if start.get(8) == Some(&b'{') {
        "looks like a safetensors file that is cut off in its header"
    } else if start.starts_with(b"\x89HDF") {
        "is an HDF5 file"
    } else if start.starts_with(b"\x93NUMPY") {
        "is a single NumPy array without a name; write numpy.savez(path, name=array)"
    } else if start.starts_with(&[0x1f, 0x8b]) {
        "is compressed with gzip; unpack it first"
    } else if start.starts_with(b"version https:") {
        "is a pointer to a large file that has not been downloaded"
    } else if start.starts_with(b"<") {
        "is a web page, not a weights file"
    } else {
        "is not a weights file"
    };
    format!("{found}; safetensors, PyTorch's .pth and .pt, and NumPy's .npz are read")
}
