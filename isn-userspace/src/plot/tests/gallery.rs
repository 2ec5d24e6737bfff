//! A picture of every kind of host. `ISNGUARD_PICTURES=DIR` keeps them for whoever wants to look.

use std::{env, path::PathBuf};

use isn_common::siphash::Key;
use resvg::tiny_skia::Pixmap;

use super::kinds;
use crate::{grading::rewriting::keyed, plot::picture};

#[test]
fn every_kind_of_host_has_a_picture() {
    let temporary = tempfile::tempdir().unwrap();
    let dir =
        env::var_os("ISNGUARD_PICTURES").map_or_else(|| temporary.path().into(), PathBuf::from);
    for (name, before) in kinds(1_000) {
        let after = keyed(
            &before,
            "10.0.0.1".parse().unwrap(),
            Key([0x1234_5678_9abc_def0, 0x0fed_cba9_8765_4321]),
        );
        for extension in ["svg", "png"] {
            picture(
                &format!("10.0.0.1, {name}"),
                &before,
                Some(&after),
                &dir.join(name).with_extension(extension),
            )
            .unwrap();
        }
        check(
            name,
            &Pixmap::load_png(dir.join(name).with_extension("png")).unwrap(),
        );
    }
}

/// Mostly paper, and on it what nobody takes for paper: the title's letters, and points or lines of many colours.
fn check(name: &str, picture: &Pixmap) {
    let (width, height) = (picture.width(), picture.height());
    assert!(
        width > 2_000 && height > 1_500,
        "{name}: {width} by {height}"
    );
    let inked = |left: u32, top: u32, right: u32, bottom: u32, dark: u8| {
        let pixels = (top..bottom).flat_map(|y| (left..right).map(move |x| (x, y)));
        pixels
            .filter(|(x, y)| {
                picture
                    .pixel(*x, *y)
                    .is_some_and(|pixel| pixel.green() < dark)
            })
            .count()
    };
    let paper = picture
        .pixels()
        .iter()
        .filter(|pixel| pixel.red() == 255 && pixel.blue() == 255)
        .count();
    assert!(paper * 2 > picture.pixels().len(), "{name}: {paper}");
    assert!(inked(54, 50, 400, 110, 100) > 500, "{name}: the title");
    assert!(inked(54, 130, 130, 220, 160) > 1_500, "{name}: the grade");
    assert!(
        inked(0, 260, width / 2, height, 150) > 3_000,
        "{name}: the left side"
    );
    assert!(
        inked(width / 2, 260, width, height, 150) > 3_000,
        "{name}: the right side"
    );
}
