//! Tables of images in CSV.

use std::collections::BTreeSet;
use std::fs;

use candlewick::augment::BoxFormat;
use candlewick::data::{Part, load, split, survey};
use candlewick::plan::data::{BoxPlan, DataPlan, Group, OnBadImage, Source};
use image::Rgb;
use tempfile::TempDir;

use super::{complaint, counts, plan, survive_damage};

/// A table beside four images of 4×4 pixels whose red is 10 x + y.
fn table(text: &str) -> (TempDir, DataPlan) {
    let root = TempDir::new().unwrap();
    let ramp = image::RgbImage::from_fn(4, 4, |x, y| Rgb([(10 * x + y) as u8, 0, 0]));
    for name in ["a.png", "b.png", "c.png", "d.png"] {
        ramp.save(root.path().join(name)).unwrap();
    }
    let path = root.path().join("signs.csv");
    fs::write(&path, text).unwrap();
    let plan = plan(Source::Csv(path));
    (root, plan)
}

#[test]
fn a_table_gives_labels_parts_and_boxes() {
    let (_root, plan) = table(
        "\u{feff}Path, label ,split,x1,y1,x2,y2,author\n\
         a.png,stop,train,1,2,3,4,me\n\
         b.png,go,,,,,,\n\
         \"c.png\", go ,Validation,0,0,2,2,\n\
         d.png,stop,test,,,,,you\n",
    );
    assert_eq!(counts(&plan), (4, 1, 1));
    let boxes = BoxPlan { crop: true, ..plan.boxes };
    let dataset = load(&DataPlan { boxes, ..plan.clone() }).unwrap();
    assert_eq!(
        (dataset.classes(), dataset.labels()),
        (&["go", "stop"].map(String::from)[..], &[1, 0, 0, 1][..])
    );
    assert_eq!(dataset.parts(), [Part::Train, Part::Undeclared, Part::Validation, Part::Test]);
    // The box is cropped to: columns 1 and 2 of rows 2 and 3.
    let reds: Vec<u8> = dataset.image(0).unwrap().iter().step_by(3).copied().collect();
    assert_eq!(reds, [12, 22, 13, 23]);
    assert_eq!(dataset.bbox(0), None);
    // Without cropping, boxes go along; images become half as large, boxes too.
    let dataset = load(&plan).unwrap();
    let corners = |index| dataset.bbox(index).map(|b| [b.x_min, b.y_min, b.x_max, b.y_max]);
    assert_eq!(corners(0), Some([0.5, 1.0, 1.5, 2.0]));
    assert_eq!((corners(1), corners(2)), (None, Some([0.0, 0.0, 1.0, 1.0])));
}

#[test]
fn boxes_are_read_in_every_format() {
    for (format, columns, numbers) in [
        (BoxFormat::PascalVoc, "x1,y1,x2,y2", "1,2,3,4"),
        (BoxFormat::Albumentations, "x1,y1,x2,y2", "0.25,0.5,0.75,1"),
        (BoxFormat::Coco, "x,y,width,height", "1,2,2,2"),
        (BoxFormat::Yolo, "x_center,y_center,width,height", "0.5,0.75,0.5,0.5"),
    ] {
        let (_root, plan) =
            table(&format!("path,label,{columns}\na.png,1,{numbers}\nb.png,2,,,,\n"));
        let boxes = BoxPlan { format, crop: false };
        let dataset = load(&DataPlan { boxes, ..plan }).unwrap();
        let b = dataset.bbox(0).unwrap();
        assert_eq!([b.x_min, b.y_min, b.x_max, b.y_max], [0.5, 1.0, 1.5, 2.0], "{format:?}");
    }
}

#[test]
fn corners_have_several_names_and_columns_that_look_like_a_box_are_never_passed_over() {
    for names in
        ["x1,y1,x2,y2", "x_min,y_min,x_max,y_max", "xmin,ymin,xmax,ymax", "XMin,YMin,XMax,YMax"]
    {
        let (root, plan) = table(&format!("path,label,{names}\na.png,s,1,0,3,4\nb.png,t,,,,\n"));
        let dataset = load(&plan).unwrap();
        let corners = dataset.bbox(0).map(|b| [b.x_min, b.y_min, b.x_max, b.y_max]);
        assert_eq!(corners, Some([0.5, 0.0, 1.5, 2.0]), "{names}");
        drop(root);
    }
    for names in
        ["x_center,y_center,width,height", "cx,cy,w,h", "bbox", "bbox_x,bbox_y", "x_mn,x_max"]
    {
        let cells = names.replace(|c: char| c != ',', "");
        let (root, plan) =
            table(&format!("path,label,{names}\na.png,s,{cells}\nb.png,t,{cells}\n"));
        let said = complaint(&plan, root.path());
        assert!(
            said.contains("look like those of a box") || said.contains("needs all four"),
            "{said}"
        );
        assert!(said.contains("x1, y1, x2, y2") || said.contains("x_min, y_min"), "{said}");
    }
    // The size of an image is no box.
    let (_root, plan) = table("path,label,width,height\na.png,s,4,4\nb.png,t,4,4\n");
    assert!(load(&plan).unwrap().bbox(0).is_none());
}

#[test]
fn boxes_in_the_wrong_format_are_refused() {
    for (format, numbers, message) in [
        (BoxFormat::Yolo, "1,2,2,2", "the box 1,2,2,2 is not made of parts of the image"),
        (BoxFormat::Yolo, "0.5,0.5,0,0.5", "the box 0.5,0.5,0,0.5 has no width or no height"),
        (BoxFormat::Coco, "-1,2,2,2", "the box -1,2,2,2 has negative numbers"),
        (BoxFormat::Coco, "1,x,2,2", "the box 1,x,2,2 is not four numbers"),
    ] {
        let columns = format.columns().join(",");
        let (_root, plan) = table(&format!("path,label,{columns}\na.png,1,{numbers}\n"));
        let boxes = BoxPlan { format, crop: false };
        let error = load(&DataPlan { boxes, ..plan }).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn a_table_without_boxes_cannot_be_cropped_to_them() {
    let (root, plan) = table("path,label\na.png,1\nb.png,2\n");
    let boxes = BoxPlan { format: BoxFormat::Coco, crop: true };
    assert_eq!(
        complaint(&DataPlan { boxes, ..plan }, root.path()),
        "DATA/signs.csv: has no boxes to crop to; boxes need the columns x, y, width, height"
    );
}

#[test]
fn traffic_signs_are_read_in_both_layouts_with_their_regions() {
    let ramp = image::RgbImage::from_fn(8, 8, |x, y| Rgb([(10 * x + y) as u8, 0, 0]));
    let image = |root: &std::path::Path, path: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        ramp.save(path.with_extension("png")).unwrap();
        // The real ones are PPM.
        fs::rename(path.with_extension("png"), path).unwrap();
    };
    let official = TempDir::new().unwrap();
    let header = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\n";
    for class in ["00000", "00001"] {
        let folder = format!("Final_Training/Images/{class}");
        image(official.path(), &format!("{folder}/00000_00000.ppm"));
        let row = format!("00000_00000.ppm;8;8;2;2;6;8;{}\n", class.parse::<u32>().unwrap());
        let table = official.path().join(format!("{folder}/GT-{class}.csv"));
        fs::write(table, format!("{header}{row}")).unwrap();
    }
    image(official.path(), "Final_Test/Images/00000.ppm");
    fs::write(
        official.path().join("Final_Test/Images/GT-final_test.csv"),
        format!("{header}00000.ppm;8;8;0;0;4;4;1\n"),
    )
    .unwrap();
    let other = TempDir::new().unwrap();
    let header = "Width,Height,Roi.X1,Roi.Y1,Roi.X2,Roi.Y2,ClassId,Path\n";
    for (table, rows) in [
        ("Train.csv", "8,8,2,2,6,8,0,Train/0/a.png\n8,8,2,2,6,8,1,Train/1/a.png\n"),
        ("Test.csv", "8,8,0,0,4,4,1,Test/00000.png\n"),
    ] {
        fs::write(other.path().join(table), format!("{header}{rows}")).unwrap();
    }
    for path in ["Train/0/a.png", "Train/1/a.png", "Test/00000.png"] {
        image(other.path(), path);
    }
    for root in [&official, &other] {
        let plan = plan(Source::Gtsrb(root.path().to_owned()));
        assert_eq!(counts(&plan), (3, 0, 1));
        let dataset = load(&plan).unwrap();
        assert_eq!(dataset.classes(), ["0", "1"]);
        let train = (0..3).find(|index| dataset.parts()[*index as usize] == Part::Train).unwrap();
        let b = dataset.bbox(train).unwrap();
        assert_eq!([b.x_min, b.y_min, b.x_max, b.y_max], [0.5, 0.5, 1.5, 2.0]);
    }
    let empty = TempDir::new().unwrap();
    assert!(
        complaint(&plan(Source::Gtsrb(empty.path().to_owned())), empty.path())
            .starts_with("DATA: holds no annotations of training images")
    );
}

#[test]
fn labels_of_a_table_that_are_numbers_are_in_order_of_number() {
    let (_root, plan) = table("label,path\n10,a.png\n9,b.png\n0,c.png\n");
    let dataset = load(&plan).unwrap();
    assert_eq!(dataset.classes(), ["0", "9", "10"]);
    assert_eq!(dataset.names(), ["a.png", "b.png", "c.png"]);
}

#[test]
fn broken_tables_are_explained_with_their_lines() {
    for (text, message) in [
        (
            "picture,label\na.png,1\n",
            "DATA/signs.csv: has no column `path`; its first line names picture, label; `path` and `label` are needed; \
             data.columns = { path = \"file\" } names a column with another name",
        ),
        (
            "path,Breed\na.png,1\n",
            "DATA/signs.csv: has no column `label`; its first line names path, Breed; `path` and `label` are needed; \
             data.columns = { label = \"breed\" } names a column with another name",
        ),
        (
            "path,label\na.png,1\nb.png,2\na.png,2\n",
            "DATA/signs.csv:4: a.png has the label `2` here and `1` in line 2; an image has one class: remove the \
             wrong row",
        ),
        (
            "path,cat,dog\na.png,1,0\nb.png,1,1\n",
            "DATA/signs.csv:3: has a 1 in the columns cat, dog; an image has one class, unless data.task = \"multi-label\" \
             says that it may have several labels",
        ),
        (
            "path,cat,dog\na.png,1,0\nb.png,0,0\n",
            "DATA/signs.csv:3: has a 1 in the column of no class; an image has one class",
        ),
        (
            "path,label,spilt\na.png,1,test\n",
            "DATA/signs.csv: has a column `spilt`; did you mean `split`? (rename it)",
        ),
        (
            "path,label,x1,y1\na.png,1,0,0\n",
            "DATA/signs.csv: has some of the columns x1, y1, x2, y2; a box needs all four",
        ),
        (
            "path,label,split\na.png,1,train\nb.png,2,later\n",
            "DATA/signs.csv:3: the split `later` is not one of train, validation (val, dev) and test",
        ),
        (
            "path,label,x1,y1,x2,y2\na.png,1,3,0,3,4\n",
            "DATA/signs.csv:2: the box 3,0,3,4 has not x1 < x2 and y1 < y2",
        ),
        (
            "path,label\na.png,\n",
            "DATA/signs.csv:2: the label is empty; every row needs a path and a label",
        ),
        (
            "path,label\na.png,1,2\n",
            "DATA/signs.csv: line 2 has 3 cells where the first line names 2 columns",
        ),
        ("path,label\n", "DATA/signs.csv: lists no images; every row names one"),
        (
            "path,label\na.png,1\nb.png,1\n",
            "DATA/signs.csv has one class only, `1`; at least two classes are needed",
        ),
        (
            "path,label,split\na.png,1,train\nb.png,2,test\n",
            "DATA/signs.csv has no training image of `2`; add some, or remove the class",
        ),
    ] {
        let (root, plan) = table(text);
        assert_eq!(complaint(&plan, root.path()), message);
    }
}

#[test]
fn tables_of_other_tools_are_read_as_they_are() {
    let (root, plain) = table("path,label\nsub/a.png,cat\nb.png,dog\nc.png,cat\n");
    fs::create_dir(root.path().join("sub")).unwrap();
    fs::copy(root.path().join("a.png"), root.path().join("sub/a.png")).unwrap();
    let expected = load(&plain).unwrap();
    let mut named = plain.clone();
    named.columns.label = Some("Breed".to_owned());
    for (text, plan) in [
        ("path\tlabel\nsub/a.png\tcat\nb.png\tdog\nc.png\tcat\n", &plain),
        ("filename,class\nsub/a.png,cat\nb.png,dog\nc.png,cat\n", &plain),
        ("Image;Category\nsub/a.png;cat\nb.png;dog\nc.png;cat\n", &plain),
        ("path,label\nsub\\a.png,cat\nb.png,dog\nc.png,cat\n", &plain),
        ("path,cat,dog\nsub/a.png,1,0\nb.png,0,1\nc.png,1.0,0.0\n", &plain),
        ("path,breed,label\nsub/a.png,cat,x\nb.png,dog,y\nc.png,cat,z\n", &named),
    ] {
        fs::write(root.path().join("signs.csv"), text).unwrap();
        assert_eq!(load(plan).unwrap(), expected, "{text}");
    }
    named.columns.label = Some("race".to_owned());
    assert_eq!(
        complaint(&named, root.path()),
        "DATA/signs.csv: has no column `race`; its first line names path, breed, label; data.columns.label \
         chooses one of these"
    );
}

#[test]
fn columns_of_classes_can_be_named_and_what_else_a_table_has_is_passed_over() {
    let (root, mut plan) =
        table("image;MEL;NV;age\na.png;1.0;0.0;50\nb.png;0.0;1.0;1\nc.png;1.0;0.0;0\n");
    plan.columns.one_hot = vec!["mel".to_owned(), "NV".to_owned()];
    let dataset = load(&plan).unwrap();
    assert_eq!(
        (dataset.classes(), dataset.labels()),
        (&["MEL", "NV"].map(String::from)[..], &[0, 1, 0][..])
    );
    plan.columns.one_hot.push("age".to_owned());
    assert_eq!(
        complaint(&plan, root.path()),
        "DATA/signs.csv:2: has `50` in the column age; the column of a class holds 0 or 1"
    );
    plan.columns.one_hot = vec!["BCC".to_owned()];
    assert!(
        complaint(&plan, root.path()).contains("no column `BCC`; its first line names image, MEL")
    );
}

#[test]
fn cells_are_divided_by_what_stands_most_often_in_the_first_line() {
    let (_root, plan) = table("path;label;place, country\na.png;1;Rome, Italy\nb.png;2;\n");
    assert_eq!(load(&plan).unwrap().classes(), ["1", "2"]);
}

#[test]
fn files_that_a_table_names_and_that_are_not_there_are_told_before_anything_is_decoded() {
    let (root, plan) = table("path,label\na.png,1\nno.png,2\nb.png,2\n");
    assert_eq!(
        complaint(&plan, root.path()).lines().take(2).collect::<Vec<_>>(),
        [
            "1 of 3 images in DATA/signs.csv cannot be read:",
            "  DATA/no.png: there is no such file or folder",
        ]
    );
    let skipping = DataPlan { on_bad_image: OnBadImage::Skip, ..plan };
    assert_eq!((survey(&skipping).unwrap().images, load(&skipping).unwrap().len()), (2, 2));
}

#[test]
fn images_of_one_group_stay_on_one_side_and_a_group_has_a_column() {
    let rows: String = (0..24)
        .map(|index| {
            let file = ["a.png", "b.png", "c.png"][index % 3];
            let label = if index / 2 % 2 == 0 { "cat" } else { "dog" };
            // The same file under other names: what counts is the group.
            format!("{}{file},{label},p{}\n", "./".repeat(index), index / 2)
        })
        .collect();
    let (root, plan) = table(&format!("path,label,Patient\n{rows}"));
    let grouped =
        DataPlan { group: Group::By("patient".to_owned()), validation: 1.0 / 3.0, ..plan };
    let dataset = load(&grouped).unwrap();
    for seed in 0..10 {
        let split = split(&dataset, &grouped, seed).unwrap();
        let groups = |images: &[u32]| images.iter().map(|image| image / 2).collect::<BTreeSet<_>>();
        assert!(groups(&split.train).is_disjoint(&groups(&split.validation)), "{split:?}");
        assert_eq!(split.validation.len(), 8);
    }
    let wrong = DataPlan { group: Group::By("person".to_owned()), ..grouped };
    assert_eq!(
        complaint(&wrong, root.path()),
        "DATA/signs.csv: has no column `person`; its first line names path, label, Patient; data.group chooses \
         one of these"
    );
}

#[test]
fn a_missing_image_or_a_box_outside_of_it_is_a_bad_image() {
    let (root, plan) =
        table("path,label,x1,y1,x2,y2\na.png,1,0,0,5,4\nno.png,2,,,,\nb.png,2,,,,\n");
    let error = load(&plan).unwrap_err().to_string();
    assert_eq!(
        error
            .replace(&root.path().display().to_string(), "DATA")
            .lines()
            .take(3)
            .collect::<Vec<_>>(),
        [
            "2 of 3 images in DATA/signs.csv cannot be read:",
            "  DATA/a.png: the box 0,0,5,4 reaches beyond the image's 4×4 pixels",
            "  DATA/no.png: there is no such file or folder",
        ]
    );
}

#[test]
fn a_table_that_names_files_that_are_not_there_is_told_before_anything_is_decoded() {
    let (root, plan) = table("path,label\na.png,1\nno.png,2\nb.png,2\n.,1\n");
    let said = complaint(&plan, root.path());
    assert!(said.starts_with("2 of 4 images in DATA/signs.csv cannot be read:\n"), "{said}");
    assert!(said.contains("DATA/no.png: there is no such file or folder\n"), "{said}");
    assert!(said.contains("DATA/.: it is not a regular file\n"), "{said}");
    // Left out, they are in no count, and a class that has no others is told.
    let lenient = DataPlan { on_bad_image: OnBadImage::Skip, ..plan };
    assert_eq!(counts(&lenient).0, 2);
    fs::write(root.path().join("signs.csv"), "path,label\na.png,1\nno.png,2\n").unwrap();
    let said = complaint(&lenient, root.path());
    assert!(said.contains("no training image of `2`") && said.contains("left out"), "{said}");
}

#[test]
fn damaged_tables_never_cause_a_panic() {
    let (root, plan) = table("path,label,split,x1,y1,x2,y2\na.png,1,train,0,0,2,2\nb.png,2,,,,,\n");
    survive_damage(&root.path().join("signs.csv"), &plan);
}
