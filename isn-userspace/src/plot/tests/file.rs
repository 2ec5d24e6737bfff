//! Names, places and rights.

use std::{fs, os::unix::fs::MetadataExt as _};

use super::*;
use crate::plot::{picture, tests::samples};

fn draw(file: &Path) -> Result<(), Failure> {
    picture("10.0.0.1", &samples(0..20), None, file)
}

#[test]
fn the_extension_decides_in_either_case() {
    for (name, format) in [
        ("a.svg", Format::Svg),
        ("b.SVG", Format::Svg),
        ("c.d.png", Format::Png),
        ("/x/e.Png", Format::Png),
    ] {
        assert_eq!(Format::of(Path::new(name)).unwrap(), format);
    }
}

#[test]
fn other_extensions_are_refused_by_name_and_nothing_is_made() {
    let dir = tempfile::tempdir().unwrap();
    for (name, why) in [
        ("a.jpg", "`.jpg` are not made"),
        ("a", "no extension"),
        (".svg", "no extension"),
        ("a.svg.gz", "`.gz`"),
    ] {
        let failure = draw(&dir.path().join(name)).unwrap_err();
        assert!(failure.to_string().contains(why), "{failure}");
        assert!(failure.to_string().starts_with("cannot draw "), "{failure}");
        assert!(failure.remedy().contains(".svg or .png"));
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn where_nothing_can_be_written_nothing_is_left() {
    let dir = tempfile::tempdir().unwrap();
    for (name, why) in [
        ("a.svg", "Is a directory"),
        ("a.png", "Is a directory"),
        ("no/a.svg", "No such file"),
    ] {
        let file = dir.path().join(name);
        if !name.starts_with("no") {
            fs::create_dir(&file).unwrap();
        }
        let failure = draw(&file).unwrap_err();
        assert!(
            failure.to_string().contains(why) && failure.to_string().contains(name),
            "{failure}"
        );
        assert!(failure.remedy().contains("can be written"));
    }
    let mut left: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["a.png", "a.svg"]);
}

#[test]
fn a_picture_takes_the_place_of_the_one_before_and_has_the_rights_that_the_umask_leaves() {
    let dir = tempfile::tempdir().unwrap();
    let (file, other) = (dir.path().join("a.svg"), dir.path().join("other"));
    fs::write(&file, "before").unwrap();
    fs::write(&other, "").unwrap();
    draw(&file).unwrap();
    assert!(fs::read_to_string(&file).unwrap().contains("10.0.0.1"));
    assert_eq!(
        fs::metadata(&file).unwrap().mode(),
        fs::metadata(&other).unwrap().mode()
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}
