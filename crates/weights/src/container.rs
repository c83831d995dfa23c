//! Zip archives of members: those of `torch.save` and of `numpy.savez`.

use std::io::{self, Read, Seek};

use zip::{CompressionMethod, ZipArchive};

use super::error::{Fault, shown};

/// What files are read from; `Send` so that an archive can be shared by threads.
pub(super) trait Bytes: Read + Seek + Send {}

impl<T: Read + Seek + Send> Bytes for T {}

/// No compressed member becomes longer than this; the largest array of VGG has 0.4 GB.
const MAX_INFLATED: u64 = 1 << 31;

/// Deflate makes no more than this of a byte.
const MAX_RATIO: u64 = 1032;

/// A zip archive whose members have been held against the file's length.
pub(super) struct Container {
    zip: ZipArchive<Box<dyn Bytes>>,
    members: Vec<Member>,
}

/// A file inside the archive. Nothing is ever unpacked to disk, so that its name is but a label.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) index: usize,
    pub(super) name: String,
    /// Bytes after decompression.
    pub(super) size: u64,
    /// Whether all its bytes are known to be in the file, which a compressed member only claims.
    pub(super) present: bool,
}

impl Container {
    /// Opens `bytes`, a file of `length`.
    pub(super) fn open(bytes: Box<dyn Bytes>, length: u64) -> Result<Container, Fault> {
        let mut zip = ZipArchive::new(bytes).map_err(|cause| {
            Fault::damaged(format!("its zip directory cannot be read ({cause}); is it cut off?"))
        })?;
        if zip.has_duplicate_names() {
            return Err(Fault::damaged("its zip directory names a member twice"));
        }
        let mut members = Vec::new();
        for index in 0..zip.len() {
            // Raw, since members that nobody reads may be of any method.
            let member = zip.by_index_raw(index).map_err(zip_fault)?;
            let name = member.name().map_err(zip_fault)?.into_owned();
            if member.is_dir() {
                continue;
            }
            let (size, packed) = (member.size(), member.compressed_size());
            let start = member.data_start().unwrap_or(u64::MAX);
            if start.checked_add(packed).is_none_or(|end| end > length) {
                return Err(Fault::damaged(format!(
                    "member {} of {packed} bytes does not fit into the file's {length}; it is cut off",
                    shown(&name)
                )));
            }
            let present = member.compression() == CompressionMethod::Stored;
            if present && size != packed {
                return Err(Fault::damaged(format!(
                    "member {} has {packed} bytes and claims {size}",
                    shown(&name)
                )));
            }
            if !present && (size > MAX_INFLATED || size / MAX_RATIO > packed) {
                return Err(Fault::damaged(format!(
                    "member {} claims to unpack {packed} bytes to {size}; at most {MAX_RATIO} times as many and {MAX_INFLATED} are read",
                    shown(&name)
                )));
            }
            members.push(Member { index, name, size, present });
        }
        Ok(Container { zip, members })
    }

    /// All members but folders, in the directory's order.
    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    /// The member called `name`.
    pub(super) fn member(&self, name: &str) -> Option<&Member> {
        let index = self.zip.index_for_name(name)?;
        self.members
            .binary_search_by_key(&index, |member| member.index)
            .ok()
            .map(|at| &self.members[at])
    }

    /// A reader of the member at `index`, which fails at its end if its checksum is another.
    pub(super) fn read(&mut self, index: usize) -> Result<impl Read, Fault> {
        self.zip.by_index(index).map_err(zip_fault)
    }

    /// All bytes of `member`, at most `limit`.
    pub(super) fn bytes(&mut self, member: &Member, limit: u64) -> Result<Vec<u8>, Fault> {
        if member.size > limit {
            return Err(Fault::unsupported(format!(
                "member {} has {} bytes, at most {limit} are read",
                shown(&member.name),
                member.size
            )));
        }
        let mut bytes = Vec::new();
        // The reader ends with an error if there is more than the member's size.
        self.read(member.index)?.read_to_end(&mut bytes).map_err(checksum)?;
        Ok(bytes)
    }
}

/// Reads what is left, so that a wrong checksum is noticed.
pub(super) fn finish(mut member: impl Read) -> Result<(), Fault> {
    io::copy(&mut member, &mut io::sink()).map_err(checksum)?;
    Ok(())
}

/// What an error at the end of a member usually means.
fn checksum(cause: io::Error) -> Fault {
    match cause.kind() {
        io::ErrorKind::UnexpectedEof => Fault::damaged("it ends too early"),
        _ => Fault::damaged(format!("its content does not match its checksum ({cause})")),
    }
}

fn zip_fault(cause: zip::result::ZipError) -> Fault {
    match cause {
        zip::result::ZipError::UnsupportedArchive(what) => {
            Fault::unsupported(format!("an unsupported zip archive: {what}"))
        }
        cause => Fault::damaged(format!("its zip archive cannot be read ({cause})")),
    }
}
