//! Parquet files; `parquet/make.py` wrote those that are read here.

use std::fs;
use std::path::{Path, PathBuf};

use candlewick::data::{Inventory, Part, load, split, survey};
use candlewick::plan::data::{Columns, DataPlan, Group, OnBadImage, Source, TestSet};
use tempfile::TempDir;

use super::{complaint, counts, plan, survive_damage_at_every};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data_sources/parquet")
}

/// The files that were written by `datasets` and pyarrow.
fn made(pattern: &str) -> DataPlan {
    plan(Source::Parquet(folder().join(pattern)))
}

fn columns(image: Option<&str>, label: Option<&str>, split: Option<&str>) -> Columns {
    let owned = |name: Option<&str>| name.map(str::to_owned);
    Columns { image: owned(image), label: owned(label), split: owned(split), ..Columns::default() }
}

/// The files of the Hub's layout, with labels from this column.
fn hub(pattern: &str, label: &str) -> DataPlan {
    DataPlan { columns: columns(None, Some(label), None), ..made(pattern) }
}

/// The first value of each image.
fn reds(plan: &DataPlan) -> Vec<u8> {
    let dataset = load(plan).unwrap();
    (0..dataset.len() as u32).map(|index| dataset.image(index).unwrap()[0]).collect()
}

fn refusal(plan: &DataPlan) -> String {
    complaint(plan, &folder())
}

#[test]
fn the_layout_of_the_hub_is_read_with_the_names_of_its_classes() {
    let plan = hub("{train,test}-*.parquet", "fine_label");
    assert_eq!(counts(&plan), (6, 0, 1));
    let dataset = load(&plan).unwrap();
    // In the order of their numbers; `pine` does not come.
    assert_eq!(dataset.classes(), ["oak", "ant", "bee"]);
    assert_eq!(dataset.labels(), [1, 2, 0, 0, 1, 2]);
    assert_eq!(reds(&plan), [50, 0, 10, 20, 30, 40]);
    assert_eq!((dataset.parts()[0], dataset.parts()[1]), (Part::Test, Part::Train));
    assert_eq!(dataset.names()[3], "train-00000-of-00002.parquet#2");
    let coarse = load(&hub("train-*.parquet", "coarse_label")).unwrap();
    assert_eq!(coarse.classes(), ["tree", "insect"]);
    let test = TestSet::Source(made("test-*.parquet").source);
    assert_eq!(counts(&DataPlan { test, ..hub("train-*.parquet", "fine_label") }), (6, 0, 1));
    let ambiguous = refusal(&made("train-*.parquet"));
    assert_eq!(
        ambiguous,
        "DATA/train-00000-of-00002.parquet: has several columns of classes, `fine_label`, `coarse_label`; \
         data.columns = { label = \"NAME\" } names the column of classes"
    );
}

#[test]
fn every_codec_and_any_order_give_the_same_images() {
    for codec in ["none", "snappy", "gzip", "zstd", "lz4"] {
        let columns = columns(Some("photo"), Some("animal"), Some("use"));
        let plan = DataPlan { columns, ..made(&format!("{codec}.parquet")) };
        assert_eq!(counts(&plan), (7, 2, 1), "{codec}");
        assert_eq!(reds(&plan), [0, 1, 2, 3, 4, 5, 6], "{codec}");
        assert_eq!(load(&plan).unwrap().labels(), [1, 0, 1, 0, 1, 0, 1], "{codec}");
        // Some of the rows only, in both groups of them.
        let columns = Columns { split: None, ..plan.columns.clone() };
        let some = DataPlan { classes: vec!["dog".to_owned(), "cat".to_owned()], columns, ..plan };
        assert_eq!(reds(&some), [0, 1, 2, 3, 4, 5, 6], "{codec}");
    }
}

#[test]
fn a_column_says_which_images_stay_together() {
    let columns = columns(Some("photo"), Some("animal"), None);
    let plan = DataPlan {
        columns,
        group: Group::By("owner".to_owned()),
        validation: 0.3,
        ..made("none.parquet")
    };
    let dataset = load(&plan).unwrap();
    let parts = split(&dataset, &plan, 1).unwrap();
    for pair in [[0, 1], [2, 3], [4, 5]] {
        let held = pair.map(|index: u32| parts.validation.contains(&index));
        assert_eq!(held[0], held[1], "{pair:?}");
    }
    let none = DataPlan { group: Group::By("herd".to_owned()), ..plan };
    assert!(
        refusal(&none)
            .contains("has no column `herd`, but `photo`, `animal`, `owner`, `use`; data.group")
    );
}

#[test]
fn numbers_without_names_are_classes_in_their_order_or_are_named_beside_the_file() {
    let plan = made("numbers.parquet");
    let dataset = load(&plan).unwrap();
    assert_eq!(
        (dataset.classes(), dataset.labels()),
        (&["2", "10"].map(String::from)[..], &[0, 1, 0, 1][..])
    );
    let root = TempDir::new().unwrap();
    let path = root.path().join("x.parquet");
    fs::copy(folder().join("numbers.parquet"), &path).unwrap();
    fs::write(root.path().join("classes.txt"), "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\n").unwrap();
    let plan = super::plan(Source::Parquet(root.path().to_owned()));
    assert_eq!(load(&plan).unwrap().classes(), ["c", "k"]);
    let then = Inventory::described(&plan).unwrap().hashed().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let place = bytes.windows(4).position(|it| it == b"IDAT").unwrap() + 8;
    bytes[place] ^= 1;
    fs::write(&path, bytes).unwrap();
    let changes = then.changes(&mut Inventory::described(&plan).unwrap()).unwrap();
    assert_eq!(changes.changed, [path.display().to_string()]);
}

#[test]
fn columns_that_are_not_there_or_hold_something_else_are_explained() {
    for (file, problem) in [
        (
            "no-label",
            "has no column `label`, but `image`, `caption`; data.columns = { label = \"NAME\" } names the",
        ),
        (
            "no-image",
            "has no column `image`, but `label`, `pixels`; data.columns = { image = \"NAME\" } names the",
        ),
        ("lists", "an image has one class, and several labels for one image are not read"),
        (
            "floats",
            "has numbers with a fraction in its column `label`; labels are whole numbers or texts",
        ),
        ("missing", "has nothing in column `label` of row 1; every row needs a value there"),
        ("unlabelled", "has the label -1 in row 1, which stands for an image without a label"),
        (
            "caption",
            "has a text of 300 bytes in column `label` of row 1, which is no class but a caption",
        ),
        ("brotli", "is compressed with brotli; snappy, gzip, zstd, lz4 and none are read"),
    ] {
        let said = refusal(&made(&format!("{file}.parquet")));
        assert!(
            said.starts_with(&format!("DATA/{file}.parquet: ")) && said.contains(problem),
            "{said}"
        );
    }
    let pixels =
        DataPlan { columns: columns(Some("pixels"), None, None), ..made("no-image.parquet") };
    let said = refusal(&pixels);
    assert!(
        said.contains("has no encoded images in its column `pixels`, but lists of whole numbers"),
        "{said}"
    );
    let labels =
        DataPlan { columns: columns(Some("label"), None, None), ..made("no-image.parquet") };
    assert!(
        refusal(&labels).contains("has no encoded images in its column `label`, but whole numbers")
    );
    let two = refusal(&made("{numbers,caption}.parquet"));
    assert!(two.contains("caption.parquet: has a text of 300"), "{two}");
    let names = refusal(&hub("{numbers,train-*}.parquet", "label"));
    assert!(names.contains("and for `numbers.parquet` beside them"), "{names}");
}

#[test]
fn images_that_are_only_a_path_are_bad_images() {
    let plan = made("paths.parquet");
    let said = load(&plan).unwrap_err().to_string();
    assert!(
        said.contains("paths.parquet#0: no bytes, but perhaps a path; `datasets` writes"),
        "{said}"
    );
    let skip = DataPlan { on_bad_image: OnBadImage::Skip, ..plan };
    let said = load(&skip).unwrap_err().to_string();
    assert!(said.contains("has no training image of `0`"), "{said}");
}

#[test]
fn what_is_no_whole_parquet_file_is_explained() {
    let root = TempDir::new().unwrap();
    let path = root.path().join("x.parquet");
    let plan = plan(Source::Parquet(path.clone()));
    let say = |content: &[u8]| {
        fs::write(&path, content).unwrap();
        complaint(&plan, root.path())
    };
    let whole = fs::read(folder().join("numbers.parquet")).unwrap();
    assert_eq!(say(b""), "DATA/x.parquet: is empty");
    assert_eq!(say(b"no table at all"), "DATA/x.parquet: does not begin as a Parquet file does");
    assert!(
        say(b"version https://git-lfs.github.com/spec/v1\n")
            .contains("has not been downloaded: git lfs pull")
    );
    let cut = say(&whole[..whole.len() / 2]);
    assert!(
        cut.starts_with("DATA/x.parquet: is damaged (")
            && cut.ends_with("get it anew, or write it anew"),
        "{cut}"
    );
    // The length of the footer.
    let mut long = whole.clone();
    let end = long.len();
    long[end - 8..end - 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(say(&long).contains("is damaged ("));
    // Its last bytes are lost: the columns lie outside.
    let footer = whole[whole.len() - 900..].to_vec();
    let moved = [&b"PAR1"[..], &footer].concat();
    assert!(say(&moved).starts_with("DATA/x.parquet: is damaged"), "{}", say(&moved));
}

#[test]
fn damaged_parquet_files_never_cause_a_panic() {
    let root = TempDir::new().unwrap();
    let path = root.path().join("x.parquet");
    for (file, every) in [("numbers", 3), ("snappy", 11), ("zstd", 17), ("gzip", 31), ("lz4", 29)] {
        fs::copy(folder().join(format!("{file}.parquet")), &path).unwrap();
        let columns = match file {
            "numbers" => Columns::default(),
            _ => columns(Some("photo"), Some("animal"), Some("use")),
        };
        let plan = DataPlan { columns, ..plan(Source::Parquet(path.clone())) };
        survive_damage_at_every(every, &path, &plan);
        assert!(survey(&plan).is_ok());
    }
}
