//! Files that travel inside the program, as bytes; `bundled/README.md` says where they are from, and their licences.
//!
//! A package of its own, because a package of the registry may take 10 MB, and so that a change of the program does not
//! compile them again.

/// 1,797 handwritten digits of 8×8 pixels: a gzip of CSV, 64 numbers of 0 to 16 and the label in each line.
pub static DIGITS: &[u8] = include_bytes!("bundled/digits.csv.gz");

/// The 10,000 test images of Fashion-MNIST, 28×28: a gzip of IDX.
pub static FASHION_IMAGES: &[u8] =
    include_bytes!("bundled/fashion-mnist/t10k-images-idx3-ubyte.gz");

/// Their labels: a gzip of IDX.
pub static FASHION_LABELS: &[u8] =
    include_bytes!("bundled/fashion-mnist/t10k-labels-idx1-ubyte.gz");

/// 551 drawings of nine classes, 96×96 in colour; `pack.py` documents the layout.
pub static OPENCLIPART9: &[u8] = include_bytes!("bundled/openclipart9.pack");

/// The regular and the semi-bold letters of Inter: OpenType.
pub static INTER: [&[u8]; 2] =
    [include_bytes!("fonts/Inter-Regular.otf"), include_bytes!("fonts/Inter-SemiBold.otf")];
