//! Decoded images on disk, for data sets that do not fit into memory.
//!
//! A file holds the images of one data set, read in one way; its name is the hash of all that its pixels depend on.
//! Each image has its place there from the start, so that several threads and processes may write at once: whoever
//! writes a place writes the same bytes. A record ends with a hash of all of it, of its place and of the name of the
//! file. What does not have its hash counts as if it were not there. So a file may be torn, swapped or deleted at any
//! time, and is never made to last: whatever it lacks is decoded again.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::holding::{News, Teller};
use crate::augment::{BBox, Frame};
use crate::basis::regular;

/// Bytes of a record before the pixels: height, width, and the corners of a box.
const HEAD: usize = 2 * 4 + 4 * 8;

/// Bytes of the hash behind the pixels.
const HASH: usize = 32;

/// What a record takes beside its pixels.
pub(super) const BESIDE: u64 = (HEAD + HASH) as u64;

/// Endings of the names of files in the folder.
const PIXELS: &str = "pixels";
const LOOKED: &str = "looked";

/// What decoding an image gives.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Decoded {
    pub(super) frame: Frame,
    pub(super) bbox: Option<BBox>,
    /// [height, width, channels]
    pub(super) pixels: Vec<u8>,
}

/// The file of a data set.
pub(super) struct PixelFile {
    file: File,
    path: PathBuf,
    key: [u8; 32],
    channels: usize,
    /// Pixels of an image, at most.
    max_pixels: u64,
    /// Bytes of the file that may be used.
    limit: u64,
    is_full: AtomicBool,
    teller: Teller,
}

impl PixelFile {
    /// The file of the data set with the hash `key` in `folder`, where all files together may take `most` bytes and
    /// this one is to take `wanted`: those that were not written for the longest time give way.
    pub(super) fn open(
        (folder, most): (&Path, u64),
        key: [u8; 32],
        (channels, max_pixels): (usize, u64),
        wanted: u64,
        teller: Teller,
    ) -> io::Result<PixelFile> {
        fs::create_dir_all(folder)?;
        let name = &blake3::Hash::from_bytes(key).to_hex()[..32];
        let path = folder.join(format!("{name}.{PIXELS}"));
        let options = &mut OpenOptions::new();
        let options = options.create(true).truncate(false).read(true).write(true);
        let file = regular::open_as(&path, options)?;
        // As long as it is held, nobody removes the file. Some file systems have no locks, and no image is lost
        // without one.
        let _ = file.lock_shared();
        // Others that open files here see what this one is to take. What is not written takes no room.
        if file.metadata()?.len() < wanted.min(most) {
            file.set_len(wanted.min(most))?;
        }
        let limit = most.saturating_sub(make_room(folder, &path, most.saturating_sub(wanted)));
        let is_full = AtomicBool::new(false);
        Ok(PixelFile { file, path, key, channels, max_pixels, limit, is_full, teller })
    }

    /// The record of image `index` at `start`, if it is whole; `frame` is its size, if that is known.
    pub(super) fn read(&self, start: u64, index: usize, frame: Option<Frame>) -> Option<Decoded> {
        let frame = match frame {
            Some(frame) => frame,
            None => {
                let mut head = [0; HEAD];
                self.read_at(&mut head, start)?;
                self.frame(&head)?
            }
        };
        let bytes = frame.bytes();
        if start.checked_add(bytes as u64 + BESIDE)? > self.limit {
            return None;
        }
        let mut record = vec![0; HEAD + bytes + HASH];
        self.read_at(&mut record, start)?;
        let head = *record.first_chunk::<HEAD>()?;
        let (image, hash) = record[HEAD..].split_at(bytes);
        if self.hash(index, &head, image)[..] != *hash || self.frame(&head)? != frame {
            return None;
        }
        let corner = |number: usize| {
            let place = 8 + 8 * number;
            f64::from_le_bytes(std::array::from_fn(|byte| head[place + byte]))
        };
        let [x_min, y_min, x_max, y_max] = [0, 1, 2, 3].map(corner);
        let bbox = (!x_min.is_nan()).then_some(BBox { x_min, y_min, x_max, y_max, label: 0 });
        record.truncate(HEAD + bytes);
        record.drain(..HEAD);
        Some(Decoded { frame, bbox, pixels: record })
    }

    /// Puts image `index` at `start`, if there is room.
    pub(super) fn write(&self, start: u64, index: usize, image: &Decoded) {
        let bytes = image.pixels.len() + BESIDE as usize;
        if self.is_full.load(Ordering::Relaxed) || start + bytes as u64 > self.limit {
            return;
        }
        let mut record = Vec::with_capacity(bytes);
        for side in [image.frame.height, image.frame.width] {
            record.extend_from_slice(&(side as u32).to_le_bytes());
        }
        let nowhere = [f64::NAN; 4];
        let corners = image.bbox.map_or(nowhere, |b| [b.x_min, b.y_min, b.x_max, b.y_max]);
        corners.iter().for_each(|corner| record.extend_from_slice(&corner.to_le_bytes()));
        let hash = self.hash(index, &record, &image.pixels);
        record.extend_from_slice(&image.pixels);
        record.extend_from_slice(&hash);
        if let Err(cause) = write_at(&self.file, &record, start)
            && !self.is_full.swap(true, Ordering::Relaxed)
        {
            let path = self.path.display();
            self.teller.tell(News::Warning(&format!(
                "failed to keep decoded images in {path}: {cause}; missing images are decoded each time, which \
                 is slower but does not change results"
            )));
        }
    }

    /// What a look at all images has come to, if there was one.
    pub(super) fn looked<T: DeserializeOwned>(&self) -> Option<T> {
        let bytes = regular::read(&self.path.with_extension(LOOKED)).ok()?;
        let (hash, text) = bytes.split_at_checked(HASH)?;
        let is_whole = blake3::keyed_hash(&self.key, text).as_bytes()[..] == *hash;
        is_whole.then(|| serde_json::from_slice(text).ok()).flatten()
    }

    /// Keeps what a look at all images has come to.
    pub(super) fn keep_look<T: Serialize>(&self, look: &T) {
        let text = serde_json::to_vec(look).expect("what was seen is plain data");
        let mut bytes = blake3::keyed_hash(&self.key, &text).as_bytes().to_vec();
        bytes.extend_from_slice(&text);
        // Whoever does not find it looks again. Another process may write it too.
        let own = self.path.with_extension(format!("{LOOKED}-{}", std::process::id()));
        let written = fs::write(&own, bytes);
        if written.and_then(|()| fs::rename(&own, self.path.with_extension(LOOKED))).is_err() {
            let _ = fs::remove_file(&own);
        }
    }

    fn read_at(&self, into: &mut [u8], start: u64) -> Option<()> {
        read_at(&self.file, into, start).ok()
    }

    /// The size of an image that a record begins with, if there can be such a one.
    fn frame(&self, head: &[u8; HEAD]) -> Option<Frame> {
        let side =
            |place: usize| u32::from_le_bytes(std::array::from_fn(|byte| head[place + byte]));
        let (height, width) = (side(0), side(4));
        // No decoder gives more, whatever the file says.
        let pixels = u64::from(height) * u64::from(width);
        (pixels > 0 && pixels <= self.max_pixels).then_some(Frame {
            height: height as usize,
            width: width as usize,
            channels: self.channels,
        })
    }

    fn hash(&self, index: usize, head: &[u8], pixels: &[u8]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(pixels).update(head).update(&(index as u64).to_le_bytes());
        *hasher.finalize().as_bytes()
    }
}

/// Removes files from `folder` that nobody has open, but not the one at `own`, until they take `most` bytes or less: how
/// many they take then. Those that are open count with all that they are to take.
fn make_room(folder: &Path, own: &Path, most: u64) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let mut others: Vec<(bool, std::time::SystemTime, PathBuf, u64)> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| is_pixel_file(path) && path != own)
        .filter_map(|path| {
            let file = regular::open(&path).ok()?;
            let metadata = file.metadata().ok()?;
            let is_open = matches!(file.try_lock(), Err(TryLockError::WouldBlock));
            let bytes = if is_open { metadata.len() } else { on_disk(&metadata) };
            Some((is_open, written(&metadata), path, bytes))
        })
        .collect();
    others.sort();
    let mut taken: u64 = others.iter().map(|(.., bytes)| bytes).sum();
    for (is_open, _, path, bytes) in others {
        if taken <= most || is_open {
            break;
        }
        if fs::remove_file(&path).is_ok() {
            let _ = fs::remove_file(path.with_extension(LOOKED));
            taken -= bytes;
        }
    }
    taken
}

/// Whether `path` has a name that is given here: the folder may be the user's, with other files in it.
fn is_pixel_file(path: &Path) -> bool {
    let is_ours =
        |stem: &str| stem.len() == 32 && stem.bytes().all(|byte| byte.is_ascii_hexdigit());
    path.extension().is_some_and(|ending| ending == PIXELS)
        && path.file_stem().and_then(|stem| stem.to_str()).is_some_and(is_ours)
}

/// The bytes of all decoded images in `folder`.
pub fn cached_bytes(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let ours = entries.flatten().filter(|entry| is_pixel_file(&entry.path()));
    ours.filter_map(|entry| entry.metadata().ok()).map(|file| on_disk(&file)).sum()
}

#[expect(clippy::disallowed_methods, reason = "a date decides only which file gives way")]
fn written(metadata: &fs::Metadata) -> std::time::SystemTime {
    metadata.modified().unwrap_or(std::time::UNIX_EPOCH)
}

/// The bytes that a file takes: places that were not written take none.
fn on_disk(metadata: &fs::Metadata) -> u64 {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        metadata.blocks() * 512
    }
    #[cfg(not(unix))]
    metadata.len()
}

#[cfg(unix)]
fn read_at(file: &File, into: &mut [u8], start: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, into, start)
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], start: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, start)
}

#[cfg(windows)]
fn read_at(file: &File, mut into: &mut [u8], mut start: u64) -> io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !into.is_empty() {
        let read = file.seek_read(into, start)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        into = &mut into[read..];
        start += read as u64;
    }
    Ok(())
}

#[cfg(windows)]
fn write_at(file: &File, mut bytes: &[u8], mut start: u64) -> io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !bytes.is_empty() {
        let written = file.seek_write(bytes, start)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[written..];
        start += written as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];
    const SIZE: u64 = 2 * 3 * 3 + BESIDE;

    fn image(value: u8) -> Decoded {
        let frame = Frame { height: 2, width: 3, channels: 3 };
        let bbox = BBox { x_min: 0.5, y_min: 0.0, x_max: 3.0, y_max: 1.25, label: 0 };
        Decoded { frame, bbox: (value > 1).then_some(bbox), pixels: vec![value; frame.bytes()] }
    }

    fn open(folder: &Path, key: [u8; 32], most: u64) -> PixelFile {
        PixelFile::open((folder, most), key, (3, 100), SIZE, Teller::default()).unwrap()
    }

    #[test]
    fn a_record_comes_back_from_its_own_place_in_its_own_file_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = open(folder.path(), KEY, 1 << 20);
        file.write(0, 0, &image(1));
        file.write(2 * SIZE, 2, &image(2));
        let again = open(folder.path(), KEY, 1 << 20);
        for file in [&file, &again] {
            assert_eq!(file.read(0, 0, Some(image(1).frame)), Some(image(1)));
            assert_eq!(file.read(2 * SIZE, 2, None), Some(image(2)));
            // Nobody has written there, or behind it.
            assert_eq!(file.read(SIZE, 1, Some(image(1).frame)), None);
            assert_eq!(file.read(3 * SIZE, 3, None), None);
            // It is another image's.
            assert_eq!(file.read(0, 1, Some(image(1).frame)), None);
            assert_eq!(file.read(0, 0, Some(Frame { height: 3, width: 2, channels: 3 })), None);
        }
        let other = open(folder.path(), [8; 32], 1 << 20);
        fs::copy(&file.path, &other.path).unwrap();
        assert_eq!(other.read(0, 0, None), None);
    }

    #[test]
    fn a_flipped_bit_costs_a_record_and_changes_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = open(folder.path(), KEY, 1 << 20);
        file.write(0, 0, &image(2));
        file.keep_look(&"what was seen");
        let (path, looked) = (file.path.clone(), file.path.with_extension(LOOKED));
        let (whole, of_look) = (fs::read(&path).unwrap(), fs::read(&looked).unwrap());
        assert_eq!(whole.len() as u64, SIZE);
        for bit in 0..8 * whole.len() {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, bytes).unwrap();
            assert_eq!(file.read(0, 0, Some(image(2).frame)), None, "bit {bit}");
            assert_eq!(file.read(0, 0, None), None, "bit {bit}");
        }
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(file.read(0, 0, None), None, "{length} bytes");
        }
        fs::write(&path, &whole).unwrap();
        assert_eq!(file.read(0, 0, None), Some(image(2)));
        for bit in 0..8 * of_look.len() {
            let mut bytes = of_look.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            fs::write(&looked, bytes).unwrap();
            assert_eq!(file.looked::<String>(), None, "bit {bit}");
        }
    }

    #[test]
    fn a_file_takes_no_more_than_its_bytes_and_older_files_give_way() {
        let folder = tempfile::tempdir().unwrap();
        let stranger = folder.path().join("my.pixels");
        fs::write(&stranger, [0; 4096]).unwrap();
        let file = open(folder.path(), KEY, 2 * SIZE);
        (0..4).for_each(|index| file.write(index * SIZE, index as usize, &image(1)));
        assert_eq!(fs::metadata(&file.path).unwrap().len(), 2 * SIZE);
        assert_eq!(file.read(3 * SIZE, 3, Some(image(1).frame)), None);
        // As long as somebody has it open it stays, and others have what is left.
        let other = open(folder.path(), [8; 32], 3 * SIZE);
        (0..4).for_each(|index| other.write(index * SIZE, index as usize, &image(1)));
        assert!(other.read(0, 0, None).is_some() && other.read(SIZE, 1, None).is_none());
        assert_eq!(file.read(0, 0, None), Some(image(1)));
        drop(other);
        let path = file.path.clone();
        drop(file);
        let other = open(folder.path(), [9; 32], SIZE);
        assert!(!path.exists() && other.path.exists() && stranger.exists());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_told_once_and_nothing_is_read_from_it() {
        use std::sync::{Arc, Mutex};
        let folder = tempfile::tempdir().unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let (teller, into) = (Teller::default(), told.clone());
        teller.set(Box::new(move |news| into.lock().unwrap().push(format!("{news:?}"))));
        let file = PixelFile::open((folder.path(), 1 << 20), KEY, (3, 100), SIZE, teller).unwrap();
        let full = OpenOptions::new().read(true).write(true).open("/dev/full").unwrap();
        let file = PixelFile { file: full, ..file };
        (0..3).for_each(|index| file.write(index * SIZE, index as usize, &image(1)));
        assert_eq!(file.read(0, 0, Some(image(1).frame)), None);
        let told = told.lock().unwrap();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("No space left on device"), "{told:?}");
    }
}
