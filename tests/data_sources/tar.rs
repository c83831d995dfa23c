//! Tar files as WebDataset writes them; `tar/make.py` wrote those that are read here.

use std::fs;
use std::path::{Path, PathBuf};

use candlewick::data::{Inventory, Part, load, split, survey};
use candlewick::plan::data::{Columns, DataPlan, Group, OnBadImage, Source, TestSet};
use tempfile::TempDir;

use super::{complaint, counts, plan, survive_damage_at_every};

/// The files that were written by webdataset and tarfile.
fn made(pattern: &str) -> DataPlan {
    plan(Source::Tar(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data_sources/tar").join(pattern),
    ))
}

/// The first value of each image.
fn reds(plan: &DataPlan) -> Vec<u8> {
    let dataset = load(plan).unwrap();
    (0..dataset.len() as u32).map(|index| dataset.image(index).unwrap()[0]).collect()
}

/// A tar file with these members.
fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, name, *content).unwrap();
    }
    archive.into_inner().unwrap()
}

fn png() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbImage::new(2, 2).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A folder with a file `x.tar` of this content, and a plan that reads it.
fn written(content: &[u8]) -> (TempDir, DataPlan) {
    let root = TempDir::new().unwrap();
    let path = root.path().join("x.tar");
    fs::write(&path, content).unwrap();
    (root, plan(Source::Tar(path)))
}

/// What is said about a file `x.tar` of this content.
fn refusal(content: &[u8]) -> String {
    let (root, plan) = written(content);
    complaint(&plan, root.path())
}

#[test]
fn samples_of_several_shards_are_read_from_their_places_in_order() {
    let plan = made("{train-000,train-001,test-000}.tar");
    assert_eq!(counts(&plan), (6, 0, 1));
    let dataset = load(&plan).unwrap();
    assert_eq!(dataset.classes(), ["3", "7"]);
    // Of the files in order: the test shard is the first.
    assert_eq!(dataset.labels(), [1, 0, 1, 0, 1, 0]);
    assert_eq!(reds(&plan), [50, 0, 10, 20, 30, 40]);
    assert_eq!(dataset.image(1).unwrap()[9..], [1, 2, 3]);
    assert_eq!((dataset.parts()[0], dataset.parts()[5]), (Part::Test, Part::Train));
    assert_eq!(dataset.names()[..2], ["test-000.tar/000005.png", "train-000.tar/000000.png"]);
    assert_eq!(reds(&made("train-{000..001}.tar")), [0, 10, 20, 30, 40]);
    assert_eq!(reds(&made("train-*.tar")), [0, 10, 20, 30, 40]);
    let test = TestSet::Source(made("test-*.tar").source);
    assert_eq!(counts(&DataPlan { test, ..made("train-*.tar") }), (6, 0, 1));
}

#[test]
fn labels_stand_in_json_under_a_key_or_in_a_member_with_an_ending() {
    let named = |image: Option<&str>, label: Option<&str>| {
        let columns = Columns {
            image: image.map(str::to_owned),
            label: label.map(str::to_owned),
            ..Columns::default()
        };
        DataPlan { columns, ..made("json.tar") }
    };
    let classes = |plan: &DataPlan| load(plan).unwrap().classes().to_vec();
    assert_eq!(classes(&named(None, None)), ["cat", "dog"]);
    assert_eq!(classes(&named(None, Some("animal"))), ["CAT", "DOG"]);
    assert_eq!(classes(&named(None, Some("txt"))), ["a picture of a cat", "a picture of a dog"]);
    assert_eq!(reds(&named(Some("left.png"), None)), [100, 101, 102]);
    let say = |plan: &DataPlan| load(plan).unwrap_err().to_string();
    let number = say(&named(None, Some("weight")));
    assert!(
        number.ends_with(
            "animals/0.json has the label 1.5, which is neither a whole number nor a text"
        ),
        "{number}"
    );
    let none = say(&named(None, Some("breed")));
    assert!(
        none.contains(
            "no label of animals/0, but `.json`, `.left.png`, `.png`, `.txt`; beside each"
        ),
        "{none}"
    );
    assert!(none.contains("a member that ends in .breed, or .json with `breed` in it"), "{none}");
    let none = say(&named(Some("webp"), None));
    assert!(none.contains("a label of animals/0 and no image beside it"), "{none}");
}

#[test]
fn names_of_any_length_are_read_as_both_forms_of_tar_write_them() {
    for file in ["long-pax.tar", "long-gnu.tar"] {
        let plan = made(file);
        let dataset = load(&plan).unwrap();
        assert_eq!(
            (dataset.classes(), dataset.labels()),
            (&["cat", "dog"].map(String::from)[..], &[1, 0][..])
        );
        assert_eq!(dataset.names()[1], format!("{file}/folder/{}.png", "ö".repeat(140)));
        assert_eq!(reds(&plan), [75, 140]);
    }
}

#[test]
fn names_of_members_say_which_images_stay_together() {
    let png = png();
    let names: Vec<[String; 2]> = (0..24)
        .map(|index| {
            let stem = format!("p{}_{index:02}", index / 4);
            [format!("{stem}.png"), format!("{stem}.cls")]
        })
        .collect();
    let members: Vec<(&str, &[u8])> = names
        .iter()
        .enumerate()
        .flat_map(|(index, [image, label])| {
            let class: &[u8] = if index % 2 == 0 { b"0" } else { b"1" };
            [(image.as_str(), &png[..]), (label.as_str(), class)]
        })
        .collect();
    let (_root, plan) = written(&tar(&members));
    let group = Group::Name(candlewick::config::group::Pattern("/(p[0-9]+)_".to_owned()));
    let plan = DataPlan { group, validation: 0.3, ..plan };
    let dataset = load(&plan).unwrap();
    let validation = split(&dataset, &plan, 1).unwrap().validation;
    assert!(!validation.is_empty());
    for patient in 0..6 {
        let held = (patient * 4..patient * 4 + 4).filter(|index| validation.contains(index));
        assert!([0, 4].contains(&held.count()), "{validation:?}");
    }
}

#[test]
fn numbers_get_their_names_from_a_file_beside_the_shards() {
    let png = png();
    let (root, plan) =
        written(&tar(&[("a.cls", b"1\n"), ("a.png", &png), ("b.cls", b"0"), ("b.png", &png)]));
    fs::write(root.path().join("classes.txt"), "zero\none\n").unwrap();
    assert_eq!(load(&plan).unwrap().classes(), ["zero", "one"]);
    let files: Vec<PathBuf> =
        Inventory::described(&plan).unwrap().files.into_iter().map(|it| it.file.into()).collect();
    assert_eq!(files, [root.path().join("classes.txt"), root.path().join("x.tar")]);
    fs::write(root.path().join("classes.txt"), "zero\n").unwrap();
    assert_eq!(complaint(&plan, root.path()), "DATA/classes.txt: line 2 has no name for label 1");
    // It names numbers, and not some of the labels.
    let mixed = tar(&[("a.cls", b"1"), ("a.png", &png), ("b.cls", b"cat"), ("b.png", &png)]);
    fs::write(root.path().join("x.tar"), &mixed).unwrap();
    let said = complaint(&plan, root.path());
    assert!(
        said.starts_with("DATA/classes.txt: names classes that are numbers, but these labels of DATA/x.tar are none: `cat`;"),
        "{said}"
    );
    fs::remove_file(root.path().join("classes.txt")).unwrap();
    assert_eq!(load(&plan).unwrap().classes(), ["1", "cat"]);
    assert_eq!(
        refusal(&tar(&[("a.cls", b"1"), ("a.png", &png), ("b.cls", b"-1"), ("b.png", &png)])),
        "DATA/x.tar: has the label -1, which stands for an image without a label; leave such images out"
    );
}

#[test]
fn names_of_columns_are_not_looked_for_in_a_test_source_of_another_kind() {
    let (root, test) = written(&tar(&[("a.cls", b"b"), ("a.png", &png())]));
    super::images(root.path(), &["0.png", "1.png"]);
    let table = root.path().join("x.csv");
    fs::write(&table, "path,breed,label\n0.png,a,x\n1.png,b,x\n").unwrap();
    let columns = Columns { label: Some("breed".to_owned()), ..Columns::default() };
    let plan = DataPlan { test: TestSet::Source(test.source), columns, ..plan(Source::Csv(table)) };
    assert_eq!(load(&plan).unwrap().labels(), [0, 1, 1]);
}

#[test]
fn samples_that_lack_something_or_have_too_much_are_explained() {
    let png = &png()[..];
    let pair = |name: &str| [(format!("{name}.png"), png), (format!("{name}.cls"), &b"1"[..])];
    let say = |members: &[(&str, &[u8])]| refusal(&tar(members));
    assert!(say(&[("a.png", png)]).starts_with(
        "DATA/x.tar: has no label of a, but `.png`; beside each image stands a label in .cls"
    ));
    // A sample whose members stand apart.
    let apart =
        say(&[("a.png", png), ("a.cls", b"1"), ("b.png", png), ("b.cls", b"0"), ("a.txt", b"x")]);
    assert!(apart.contains("a label of a and no image beside it, but `.txt`"), "{apart}");
    let two = say(&[("a.png", png), ("a.jpg", png), ("a.cls", b"1")]);
    assert!(
        two.contains("several images of a, .png and .jpg; data.columns = { image = \"png\" }"),
        "{two}"
    );
    let wrong: [(&str, &[u8], &str); 8] = [
        ("a.cls", b" \n", "says no class"),
        ("a.txt", b"a dog\nthat barks", "is a caption, not a class"),
        ("a.txt", &[b'x'; 300], "is a caption, not a class"),
        ("a.txt", b"\xff", "a.txt is not UTF-8 text"),
        ("a.json", b"{\"label\": ", "a.json is not JSON"),
        ("a.json", b"[1]", "is no object with a label"),
        ("a.json", b"{\"label\": [1, 0]}", "has the label [1,0], which is neither"),
        ("a.json", b"{\"label\": 0.5}", "has the label 0.5, which is neither"),
    ];
    for (name, text, problem) in wrong {
        let said = say(&[("a.png", png), (name, text)]);
        assert!(said.starts_with("DATA/x.tar: ") && said.contains(problem), "{said}");
    }
    let twice = say(&[("a.png", png), ("a.cls", b"1"), ("a.cls", b"0")]);
    assert_eq!(twice, "DATA/x.tar: holds a.cls twice; a sample has one label");
    let twice = say(&[("a.png", png), ("a.png", png), ("a.cls", b"1")]);
    assert_eq!(twice, "DATA/x.tar: holds a.png twice; a sample has one image");
    // The best label counts, whatever stands beside it and before it.
    let best = tar(&[
        ("a.txt", b"a\ncaption"),
        ("a.json", b"[1]"),
        ("a.cls", b"1"),
        ("a.png", png),
        ("b.png", png),
        ("b.cls", b"0"),
    ]);
    assert_eq!(load(&written(&best).1).unwrap().labels(), [1, 0]);
    // What is no sample is passed over.
    let [a, b] = [pair("a"), pair("b/._c")];
    let more: Vec<(&str, &[u8])> =
        [("README", &b"x"[..]), ("LICENSE.md", &b"x"[..]), (".hidden.png", &b"x"[..])]
            .into_iter()
            .chain(a.iter().chain(&b).map(|(name, content)| (name.as_str(), *content)))
            .chain([("c.png", png), ("c.cls", &b"0"[..])])
            .collect();
    assert_eq!(counts(&written(&tar(&more)).1), (2, 0, 0));
}

#[test]
fn all_samples_say_their_class_in_one_place() {
    let png = &png()[..];
    let say = |label: (&str, &[u8])| {
        refusal(&tar(&[("a.png", png), ("a.cls", b"1"), ("b.png", png), label]))
    };
    assert_eq!(
        say(("b.txt", b"a dog")),
        "DATA/x.tar: says the class of b in .txt, and that of a in .cls; all samples say it in one place: \
         data.columns = { label = \"NAME\" } names it, or add what the others have"
    );
    assert!(
        say(("b.json", b"{\"label\": 0}")).contains("of b in `label` of .json, and that of a in")
    );
    let keys = refusal(&tar(&[
        ("a.png", png),
        ("a.json", b"{\"class\": 0, \"name\": 1}"),
        ("b.png", png),
        ("b.json", b"{\"class\": 0, \"label\": 1}"),
    ]));
    assert!(keys.contains("of b in `label` of .json, and that of a in `class` of .json"), "{keys}");
    // In several files too.
    let root = TempDir::new().unwrap();
    let plan = plan(Source::Tar(root.path().to_owned()));
    let [zero, one] = [("a.cls", &b"0"[..]), ("b.cls", b"1")];
    fs::write(root.path().join("0.tar"), tar(&[("a.png", png), zero, ("b.png", png), one]))
        .unwrap();
    fs::write(root.path().join("1.tar"), tar(&[("c.png", png), ("c.txt", b"0")])).unwrap();
    let said = complaint(&plan, root.path());
    assert!(
        said.starts_with("DATA/1.tar: says the class of c in .txt, and that of a in .cls"),
        "{said}"
    );
}

#[test]
fn no_image_is_passed_over_because_of_its_name() {
    let png = &png()[..];
    let sound: [(&str, &[u8]); 4] =
        [("a.png", png), ("a.cls", b"1"), ("b.PNG", png), ("b.cls", b"0")];
    let (_root, plan) = written(&tar(&sound));
    assert_eq!(load(&plan).unwrap().names(), ["x.tar/a.png", "x.tar/b.PNG"]);
    let say = |members: &[(&str, &[u8])]| refusal(&tar(&[&sound[..], members].concat()));
    for name in ["IMG_1.5x.png", "ILSVRC2012.val_1.JPEG", "c.heic", "d.5x.cls"] {
        let said = say(&[(name, png)]);
        let problem =
            format!("DATA/x.tar: holds {name}, which belongs to no sample: names are shared up to");
        assert!(said.starts_with(&problem), "{said}");
    }
    let columns = Columns { image: Some("left.png".to_owned()), ..Columns::default() };
    let (root, plan) = written(&tar(&[("a.left.png", png), ("a.cls", b"1"), ("b.png", png)]));
    let said = complaint(&DataPlan { columns, ..plan }, root.path());
    assert!(said.starts_with("DATA/x.tar: holds b.png, which belongs to no sample"), "{said}");
    for none in [&[][..], &[("README.md", &b"x"[..])]] {
        let said = refusal(&tar(none));
        assert!(said.starts_with("DATA/x.tar: holds no sample; a sample is an image"), "{said}");
    }
}

#[test]
fn an_image_that_cannot_be_decoded_is_named_and_can_be_left_out() {
    let png = png();
    let file = tar(&[
        ("a.png", b"no"),
        ("a.cls", b"1"),
        ("b.png", &png),
        ("b.cls", b"0"),
        ("c.png", &png),
        ("c.cls", b"1"),
    ]);
    let (_root, plan) = written(&file);
    let error = load(&plan).unwrap_err().to_string();
    assert!(error.contains("x.tar x.tar/a.png: text, not an image"), "{error}");
    let skipped = DataPlan { on_bad_image: OnBadImage::Skip, ..plan.clone() };
    assert_eq!(load(&skipped).unwrap().len(), 2);
}

#[test]
fn what_is_no_whole_tar_file_is_explained_with_the_way_out() {
    let png = png();
    let whole = tar(&[("a.png", &png), ("a.cls", b"1"), ("b.png", &png), ("b.cls", b"0")]);
    assert_eq!(refusal(b""), "DATA/x.tar: is empty; it holds no images");
    for (cut, problem) in [
        (550, "ends inside of a.png, which has"),
        (1300, "is a damaged tar file after 1024 bytes"),
        (1024, "ends after 1024 bytes without the two empty blocks"),
        (whole.len() - 1024, "without the two empty blocks"),
    ] {
        let said = refusal(&whole[..cut]);
        assert!(said.starts_with("DATA/x.tar: ") && said.contains(problem), "{cut}: {said}");
        assert!(said.contains("get it anew"), "{said}");
    }
    let joined = refusal(&[&whole[..], &whole[..]].concat());
    assert!(
        joined.contains("goes on after the end of a tar file at byte 4096; if it was joined"),
        "{joined}"
    );
    assert!(
        refusal(&[0x1f, 0x8b, 8, 0, 0])
            .contains("compressed with gzip, so that single images cannot")
    );
    assert_eq!(refusal(b"no tar file"), "DATA/x.tar: does not begin as a tar file does");
    let mut wrong_sum = whole.clone();
    wrong_sum[0] = b'z';
    assert!(refusal(&wrong_sum).contains("checksum mismatch"), "{}", refusal(&wrong_sum));
}

/// A tar file with one member of this type, which claims this size.
fn odd(kind: tar::EntryType, size: u64) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_path("a.png").unwrap();
    header.set_entry_type(kind);
    header.set_size(size);
    header.as_gnu_mut().unwrap().realsize = *b"00000000000\0";
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.resize(bytes.len() + 4096, 0);
    bytes
}

#[test]
fn links_sparse_files_and_absurd_sizes_are_refused() {
    use tar::EntryType::{Fifo, GNULongName, GNUSparse, Regular, Symlink, XHeader};
    let says = |file: Vec<u8>, problem: &str| {
        let said = refusal(&file);
        assert!(said.starts_with("DATA/x.tar: ") && said.contains(problem), "{said}");
    };
    says(
        odd(Symlink, 0),
        "holds a.png as a link and not as a file; pack what it leads to, with tar --dereference",
    );
    says(odd(Fifo, 0), "holds a.png, which is no file of images or labels");
    says(odd(GNUSparse, 0), "as a sparse file, in pieces; pack it without --sparse");
    says(odd(Regular, u64::MAX / 2), "which has 9223372036854775807 bytes; it is cut off");
    says(odd(Regular, u64::MAX), "damaged tar file after 0 bytes (size overflow)");
    says(odd(GNULongName, 1 << 40), "damaged tar file");
    says(odd(XHeader, 1 << 40), "damaged tar file");
    // A name that fills the file is not taken into memory.
    let mut long = odd(GNULongName, 3 << 20);
    long.resize(4 << 20, b'x');
    says(long, "has a member with a name or attributes of more than 1048576 bytes");
    let label = vec![b' '; (1 << 20) + 1];
    says(tar(&[("a.cls", &label)]), "holds a.cls of 1048577 bytes, which is no label");
}

#[test]
fn another_content_of_a_shard_is_noticed() {
    let png = png();
    let file = |label: &'static [u8]| {
        tar(&[("a.png", &png), ("a.cls", label), ("b.png", &png), ("b.cls", b"0")])
    };
    let (root, plan) = written(&file(b"1"));
    let then = Inventory::described(&plan).unwrap().hashed();
    // A new file in its place, which the system describes otherwise however coarse its clock is.
    fs::write(root.path().join("aside"), file(b"2")).unwrap();
    fs::rename(root.path().join("aside"), root.path().join("x.tar")).unwrap();
    let changes = then.changes(&mut Inventory::described(&plan).unwrap());
    assert_eq!(changes.changed, [root.path().join("x.tar").display().to_string()]);
}

#[test]
fn damaged_tar_files_never_cause_a_panic() {
    for (file, every) in [("long-pax.tar", 7), ("long-gnu.tar", 13), ("json.tar", 19)] {
        let whole = fs::read(made(file).source.path().unwrap()).unwrap();
        let (root, plan) = written(&whole);
        survive_damage_at_every(every, &root.path().join("x.tar"), &plan);
        assert!(survey(&plan).is_ok());
    }
}
