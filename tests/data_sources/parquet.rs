//! Parquet files; `parquet/make.py` wrote those that are read here.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candlewick::data::{Inventory, Part, load, split, survey};
use candlewick::plan::data::{Columns, DataPlan, Group, OnBadImage, Source, TestSet};
use parquet::data_type::{ByteArray, ByteArrayType, Int32Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
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
    // Some of the rows only.
    let some = DataPlan { classes: vec!["bee".to_owned(), "ant".to_owned()], ..plan };
    assert_eq!(reds(&some), [50, 0, 30, 40]);
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

/// What a column holds.
enum Values<'a> {
    Texts(&'a [&'a str]),
    Numbers(&'a [i32]),
    /// So many images.
    Images(usize),
}

/// Writes a file of columns with these types, none of which may be empty, and values.
fn write(path: &Path, columns: &[(&str, Values)]) {
    let types: String = columns.iter().map(|(own, _)| format!("required {own};")).collect();
    // Members of a structure are written one after the other.
    let types = types.replace("{;", "{ ").replace("};", "} ");
    let schema = Arc::new(parse_message_type(&format!("message rows {{ {types} }}")).unwrap());
    let file = fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::default()).unwrap();
    let mut rows = writer.next_row_group().unwrap();
    let mut png = std::io::Cursor::new(Vec::new());
    image::RgbImage::new(2, 2).write_to(&mut png, image::ImageFormat::Png).unwrap();
    for (_, values) in columns {
        let mut column = rows.next_column().unwrap().unwrap();
        let bytes: Vec<ByteArray> = match values {
            Values::Texts(texts) => texts.iter().map(|text| ByteArray::from(*text)).collect(),
            Values::Images(count) => vec![ByteArray::from(png.get_ref().clone()); *count],
            Values::Numbers(numbers) => {
                column.typed::<Int32Type>().write_batch(numbers, None, None).unwrap();
                column.close().unwrap();
                continue;
            }
        };
        column.typed::<ByteArrayType>().write_batch(&bytes, None, None).unwrap();
        column.close().unwrap();
    }
    rows.close().unwrap();
    writer.close().unwrap();
}

const IMAGE: (&str, Values) = ("binary image", Values::Images(4));

#[test]
fn files_of_one_source_say_classes_and_hold_images_in_the_same_columns() {
    let root = TempDir::new().unwrap();
    let plan = plan(Source::Parquet(root.path().to_owned()));
    let [a, b] = ["a", "b"].map(|name| root.path().join(format!("{name}.parquet")));
    let label = ("int32 label", Values::Numbers(&[0, 1, 0, 1]));
    let target = || ("int32 target", Values::Numbers(&[5, 6, 7, 8]));
    write(&a, &[IMAGE, label, target()]);
    write(&b, &[IMAGE, target()]);
    let said = complaint(&plan, root.path());
    assert!(
        said.starts_with(
            "DATA/b.parquet: has its classes in the column `target`, and not in `label` as DATA/a.parquet; files of"
        ),
        "{said}"
    );
    let named = DataPlan { columns: columns(None, Some("target"), None), ..plan.clone() };
    assert_eq!(counts(&named), (8, 0, 0));
    write(&b, &[("binary photo", Values::Images(4)), ("int32 label", Values::Numbers(&[0; 4]))]);
    let said = complaint(&plan, root.path());
    assert!(said.contains("its images in the column `photo`, and not in `image` as"), "{said}");
    write(&b, &[IMAGE, ("binary label", Values::Texts(&["x"; 4]))]);
    let said = complaint(&plan, root.path());
    assert!(said.contains("b.parquet: has texts as labels, and not numbers as DATA/a"), "{said}");
}

#[test]
fn eval_means_the_same_in_all_files_of_a_source() {
    let root = TempDir::new().unwrap();
    let columns = columns(None, None, Some("split"));
    let plan = DataPlan { columns, ..plan(Source::Parquet(root.path().to_owned())) };
    let written = |name: &str, splits: &[&str; 4]| {
        let label = ("int32 label", Values::Numbers(&[0, 1, 0, 1]));
        let split = ("binary split", Values::Texts(splits));
        write(&root.path().join(name), &[IMAGE, label, split]);
    };
    written("a.parquet", &["train", "train", "train", "eval"]);
    assert_eq!(counts(&plan), (4, 1, 0));
    // There is another set to choose by, so that all of them are for testing.
    written("b.parquet", &["train", "eval", "val", "val"]);
    assert_eq!(counts(&plan), (8, 2, 2));
    written("b.parquet", &["train", "eval", "val", "extra"]);
    let said = complaint(&plan, root.path());
    assert!(said.starts_with("DATA/b.parquet: has the split `extra`, which is not"), "{said}");
}

#[test]
fn groups_are_texts_or_whole_numbers_and_no_members_of_structures() {
    let root = TempDir::new().unwrap();
    let path = root.path().join("x.parquet");
    let grouped = |column: &str| DataPlan {
        group: Group::By(column.to_owned()),
        validation: 0.5,
        ..plan(Source::Parquet(path.clone()))
    };
    let long = "x".repeat(300);
    let texts = || Values::Texts(&["a", "a", "b", "b"]);
    let label = ("int32 label", Values::Numbers(&[0, 1, 0, 1]));
    let path_of = ("binary path", Values::Texts(&[long.as_str(); 4]));
    let patient = ("int32 patient", Values::Numbers(&[7, 7, -1, -1]));
    let [site, number] =
        [("group meta { required binary site", texts()), ("binary patient; }", texts())];
    write(&path, &[IMAGE, label, patient, path_of, site, number]);
    let plan = grouped("patient");
    let parts = split(&load(&plan).unwrap(), &plan, 1).unwrap();
    assert!([[0, 1], [2, 3]].contains(&[parts.validation[0], parts.validation[1]]));
    let said = complaint(&grouped("meta"), root.path());
    assert!(
        said.ends_with("has a structure of texts or bytes in its column `meta`; groups are texts or whole numbers"),
        "{said}"
    );
    let said = complaint(&grouped("path"), root.path());
    assert!(said.ends_with("of row 0, which is too long for the name of a group"), "{said}");
    let columns = columns(None, None, Some("meta"));
    let said = complaint(&DataPlan { columns, group: Group::None, ..plan }, root.path());
    assert!(
        said.ends_with("has a structure of texts or bytes in its column `meta`; texts are due"),
        "{said}"
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
    let then = Inventory::described(&plan).unwrap().hashed();
    let mut bytes = fs::read(&path).unwrap();
    let place = bytes.windows(4).position(|it| it == b"IDAT").unwrap() + 8;
    bytes[place] ^= 1;
    // A new file in its place, which the system describes otherwise however coarse its clock is.
    fs::write(root.path().join("aside"), bytes).unwrap();
    fs::rename(root.path().join("aside"), &path).unwrap();
    let changes = then.changes(&mut Inventory::described(&plan).unwrap());
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
            "has a text of 300 bytes in column `label` of row 1, which is a caption, not a class",
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
