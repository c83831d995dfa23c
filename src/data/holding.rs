//! How decoded images are held that do not fit into memory.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Where decoded images may be kept, and how many of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Bytes of memory for all data sets together.
    pub memory: u64,
    /// Where those are kept that memory has no room for; none: they are decoded each time.
    pub disk: Option<Disk>,
}

/// A folder for decoded images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// The folder, which may be deleted at any time.
    pub folder: PathBuf,
    /// Bytes that all files in it may take.
    pub most: u64,
    /// What names the program, such as the hash of its file: another one may come to other pixels, and does not take
    /// those of this one.
    pub program: String,
}

impl Default for Holding {
    /// All in memory.
    fn default() -> Holding {
        Holding { memory: u64::MAX, disk: None }
    }
}

/// Where is told how images get into memory and onto the disk.
#[derive(Clone, Default)]
pub(super) struct Teller(Arc<Mutex<Option<Box<Tell>>>>);

/// What there is to tell of images.
#[derive(Clone, Copy, Debug)]
pub enum News<'a> {
    /// They are slower to get at than they should be.
    Warning(&'a str),
    /// So far they have been looked at.
    Progress(&'a str),
}

/// Is called with what there is to tell.
pub(super) type Tell = dyn Fn(News) + Send;

impl std::fmt::Debug for Teller {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("Teller")
    }
}

impl Teller {
    pub(super) fn set(&self, tell: Box<Tell>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(tell);
    }

    pub(super) fn tell(&self, news: News) {
        if let Some(tell) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            tell(news);
        }
    }
}
