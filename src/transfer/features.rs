//! Features of images that frozen layers have given, kept for every epoch, trial and sweep that asks
//! for the same.
//!
//! A *table* holds the features of one set of images, seen in one way, behind one stack of frozen
//! layers with one set of weights; its name is the hash of all that. Rows are computed once, by
//! whoever needs them first, and shared out when several need them at once. A table lies in memory
//! and, with a folder, in a file that later runs read. Nothing depends on what was kept: a row is
//! the same, bit for bit, whoever computes it and when.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

/// Rows that one asker takes on at a time.
const CLAIM: usize = 64;

/// All tables of a run.
#[derive(Debug)]
pub struct Features {
    folder: Option<PathBuf>,
    limit: u64,
    tables: Mutex<BTreeMap<String, Arc<Table>>>,
}

impl Features {
    /// No tables yet. Those of a folder are read when they are asked for; all together take at most
    /// `limit` bytes of memory.
    pub fn new(folder: Option<PathBuf>, limit: u64) -> Features {
        Features { folder, limit, tables: Mutex::default() }
    }

    /// The table called `name` for `images` images with `width` numbers each, of which `needed` will
    /// be asked for; none if the limit leaves no room for these.
    pub fn table(
        &self,
        name: &[u8; 32],
        images: usize,
        needed: usize,
        width: usize,
    ) -> Option<Arc<Table>> {
        let name = blake3::Hash::from_bytes(*name).to_hex()[..32].to_owned();
        let mut tables = lock(&self.tables);
        if let Some(table) = tables.get(&name) {
            return Some(table.clone());
        }
        let bytes = (4 * needed * width) as u64;
        let taken: u64 = tables.values().map(|table| table.bytes).sum();
        let table = Table {
            name: name.clone(),
            rows: (0..images).map(|_| OnceLock::new()).collect(),
            width,
            bytes,
            claims: Mutex::new(vec![false; images]),
            change: Condvar::new(),
            file: self.folder.as_ref().map(|folder| folder.join(format!("{name}.features"))),
        };
        if taken + bytes > self.limit {
            return None;
        }
        table.read();
        let table = Arc::new(table);
        tables.insert(name, table.clone());
        Some(table)
    }
}

/// The features of one set of images.
#[derive(Debug)]
pub struct Table {
    /// Hashed with each block: rows of another table do not fit.
    name: String,
    rows: Vec<OnceLock<Box<[f32]>>>,
    width: usize,
    /// What it was expected to take.
    bytes: u64,
    /// Which rows somebody is at, or has been.
    claims: Mutex<Vec<bool>>,
    change: Condvar,
    file: Option<PathBuf>,
}

/// Rows that somebody has taken on: whether they are there afterwards or not, others may look again.
struct Claim<'a> {
    table: &'a Table,
    images: Vec<u32>,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut claims = lock(&self.table.claims);
        for image in &self.images {
            claims[*image as usize] = self.table.rows[*image as usize].get().is_some();
        }
        self.table.change.notify_all();
    }
}

impl Table {
    /// Makes sure that the rows of `images` are there; `make` computes those of the images that it
    /// is given, one behind the other. How many it has computed.
    pub fn prepare<E>(
        &self,
        images: &[u32],
        make: impl Fn(&[u32]) -> Result<Vec<f32>, E>,
    ) -> Result<usize, E> {
        let mut own = Vec::new();
        while let Some(claim) = self.claim(images) {
            if claim.images.is_empty() {
                // Somebody else is at the last ones.
                continue;
            }
            let numbers = make(&claim.images)?;
            for (image, row) in claim.images.iter().zip(numbers.chunks_exact(self.width.max(1))) {
                let _ = self.rows[*image as usize].set(row.into());
            }
            own.extend_from_slice(&claim.images);
        }
        // A file that cannot be written makes a later run compute again, and nothing else.
        let _ = self.append(&own);
        Ok(own.len())
    }

    /// The next rows to compute; nothing in it after waiting for somebody else's; none if all are
    /// there.
    fn claim(&self, images: &[u32]) -> Option<Claim<'_>> {
        let mut claims = lock(&self.claims);
        let is_there = |image: &&u32| self.rows[**image as usize].get().is_some();
        let missing: Vec<u32> = images.iter().filter(|image| !is_there(image)).copied().collect();
        if missing.is_empty() {
            return None;
        }
        let free = missing.into_iter().filter(|image| !claims[*image as usize]);
        let images: Vec<u32> = free.take(CLAIM).collect();
        if images.is_empty() {
            drop(self.change.wait(claims).unwrap_or_else(PoisonError::into_inner));
        } else {
            images.iter().for_each(|image| claims[*image as usize] = true);
        }
        Some(Claim { table: self, images })
    }

    /// The row of an image that was prepared.
    pub fn row(&self, image: u32) -> Option<&[f32]> {
        self.rows[image as usize].get().map(|row| &row[..])
    }

    /// Takes the rows of the file, if there is one; what is behind a damaged place does not count.
    fn read(&self) {
        let Some(bytes) = self.file.as_ref().and_then(|path| fs::read(path).ok()) else { return };
        let mut claims = lock(&self.claims);
        let mut rest = &bytes[..];
        while let Some((block, behind)) = split(rest, &self.name, self.width) {
            for row in block.chunks_exact(4 + 4 * self.width) {
                let (image, numbers) = row.split_at(4);
                let image = u32::from_le_bytes([image[0], image[1], image[2], image[3]]) as usize;
                let numbers = numbers
                    .as_chunks::<4>()
                    .0
                    .iter()
                    .map(|number| f32::from_le_bytes(*number))
                    .collect();
                if let Some(cell) = self.rows.get(image) {
                    let _ = cell.set(numbers);
                    claims[image] = true;
                }
            }
            rest = behind;
        }
    }

    /// Puts rows behind those of the file: their number, each with its image, and a hash.
    fn append(&self, images: &[u32]) -> io::Result<()> {
        let Some(path) = self.file.as_ref().filter(|_| !images.is_empty()) else { return Ok(()) };
        let mut block = (images.len() as u64).to_le_bytes().to_vec();
        for image in images {
            block.extend_from_slice(&image.to_le_bytes());
            let row = self.row(*image).unwrap_or_default();
            row.iter().for_each(|number| block.extend_from_slice(&number.to_le_bytes()));
        }
        let hash = hash(&self.name, &block);
        block.extend_from_slice(&hash);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
        // Two processes may have computed for the same table.
        file.lock()?;
        mend(&mut file, &self.name, self.width)?;
        file.write_all(&block)
    }
}

/// Cuts off what a writer has left that was killed: nothing behind it would be found.
fn mend(file: &mut File, name: &str, width: usize) -> io::Result<()> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let mut rest = &bytes[..];
    let mut whole = 0;
    while let Some((block, behind)) = split(rest, name, width) {
        whole += (8 + block.len() + 32) as u64;
        rest = behind;
    }
    if rest.is_empty() { Ok(()) } else { file.set_len(whole) }
}

/// The hash of a block of the table `name`.
fn hash(name: &str, block: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(name.as_bytes()).update(block);
    *hasher.finalize().as_bytes()
}

/// The rows of the first block, if it is whole, and what is behind it.
fn split<'a>(bytes: &'a [u8], name: &str, width: usize) -> Option<(&'a [u8], &'a [u8])> {
    let count = u64::from_le_bytes(*bytes.first_chunk::<8>()?);
    let rows = usize::try_from(count).ok()?.checked_mul(4 + 4 * width)?;
    let end = rows.checked_add(8)?;
    if bytes.len() < end.checked_add(32)? {
        return None;
    }
    let (block, behind) = bytes.split_at(end + 32);
    let is_whole = hash(name, &block[..end])[..] == block[end..];
    is_whole.then_some((&block[8..end], behind))
}

/// How many bytes are free where `folder` is or would be; none if that cannot be known.
pub fn free_space(folder: &Path) -> Option<u64> {
    // Of a relative path, what is there at last is the working folder, whose name is empty.
    let is_empty = |folder: &Path| folder.as_os_str().is_empty();
    let there = folder.ancestors().find(|folder| is_empty(folder) || folder.exists())?;
    let there = if is_empty(there) { Path::new(".") } else { there };
    let disks = sysinfo::Disks::new_with_refreshed_list().ok()?;
    let there = there.canonicalize().ok()?;
    // The innermost mount holds it.
    let holds = |disk: &&sysinfo::Disk| there.starts_with(disk.mount_point());
    let innermost = |disk: &&sysinfo::Disk| disk.mount_point().components().count();
    disks.iter().filter(holds).max_by_key(innermost).map(sysinfo::Disk::available_space)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while a lock is held can only come from allocation, and leaves everything whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const NAME: [u8; 32] = [7; 32];

    /// Image i has the features i and i/2.
    fn make(images: &[u32]) -> Result<Vec<f32>, ()> {
        Ok(images.iter().flat_map(|image| [*image as f32, *image as f32 / 2.0]).collect())
    }

    #[test]
    fn each_row_is_computed_once_however_many_ask_at_once() {
        let features = Features::new(None, 1 << 20);
        let computed = AtomicUsize::new(0);
        let table = features.table(&NAME, 1000, 1000, 2).unwrap();
        std::thread::scope(|scope| {
            for asker in 0..4_u32 {
                let (table, computed) = (&table, &computed);
                scope.spawn(move || {
                    let images: Vec<u32> = (asker * 100..600 + asker * 100).collect();
                    let own = table.prepare(&images, make).unwrap();
                    computed.fetch_add(own, Ordering::Relaxed);
                    assert!(
                        images.iter().all(|image| table.row(*image).unwrap()[0] == *image as f32)
                    );
                });
            }
        });
        assert_eq!(computed.into_inner(), 900);
        assert_eq!(table.row(950), None);
    }

    #[test]
    fn what_fails_is_free_for_the_next_one() {
        let features = Features::new(None, 1 << 20);
        let table = features.table(&NAME, 10, 10, 2).unwrap();
        assert_eq!(
            table.prepare(&[1, 2], |_| Err::<Vec<f32>, _>("out of order")),
            Err("out of order")
        );
        assert_eq!(table.prepare(&[1, 2], make), Ok(2));
    }

    #[test]
    fn a_later_run_finds_rows_on_the_disk_and_a_torn_end_costs_only_itself() {
        let folder = tempfile::tempdir().unwrap();
        let open = || {
            let features = Features::new(Some(folder.path().to_owned()), 1 << 20);
            features.table(&NAME, 10, 10, 2).unwrap()
        };
        assert_eq!(open().prepare(&[1, 2, 3], make), Ok(3));
        assert_eq!(open().prepare(&[3, 4], make), Ok(1));
        let path = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        bytes.truncate(bytes.len() - 5);
        fs::write(&path, bytes).unwrap();
        assert_eq!(open().row(3), Some(&[3.0, 1.5][..]));
        assert_eq!(open().row(4), None);
        assert_eq!(open().prepare(&[4, 5], make), Ok(2));
        assert_eq!(open().row(5), Some(&[5.0, 2.5][..]));
        // Under the name of another table they are rows of something else.
        let features = Features::new(Some(folder.path().to_owned()), 1 << 20);
        let other = path.with_file_name(format!("{}.features", &"08".repeat(16)));
        fs::copy(&path, other).unwrap();
        assert_eq!(features.table(&[8; 32], 10, 10, 2).unwrap().row(1), None);
    }

    #[test]
    fn a_flipped_bit_costs_rows_and_changes_none() {
        let folder = tempfile::tempdir().unwrap();
        let open = || {
            let features = Features::new(Some(folder.path().to_owned()), 1 << 20);
            features.table(&NAME, 10, 10, 2).unwrap()
        };
        open().prepare(&[1, 2], make).unwrap();
        open().prepare(&[3], make).unwrap();
        let path = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        let whole = fs::read(&path).unwrap();
        for (place, bit) in (0..whole.len()).flat_map(|place| (0..8).map(move |bit| (place, bit))) {
            let mut bytes = whole.clone();
            bytes[place] ^= 1 << bit;
            fs::write(&path, bytes).unwrap();
            let table = open();
            for image in 0..10 {
                let row = table.row(image).unwrap_or_default().to_vec();
                let expected = [image as f32, image as f32 / 2.0];
                assert!(row.is_empty() || row == expected, "bit {bit} of byte {place}: {row:?}");
            }
        }
    }

    #[test]
    fn a_table_that_does_not_fit_is_not_kept() {
        let features = Features::new(None, 100);
        assert!(features.table(&NAME, 10, 10, 2).is_some());
        assert!(features.table(&[8; 32], 10, 10, 2).is_none());
    }
}
