//! A picture of every kind of host. `ISNGUARD_PICTURES=DIR` keeps them for whoever wants to look.

use std::{env, path::PathBuf};

use resvg::tiny_skia::Pixmap;

use super::kinds;
use crate::{
    grading::{Advice, Assessment, Class, Grade, Sample},
    plot::{
        drawing::{self, Side},
        file::{self, Format},
    },
};

fn assessment(samples: &[Sample], class: Class, grade: Grade, detail: &str) -> Assessment {
    Assessment {
        samples: samples.len(),
        same_tuple_samples: 0,
        regressions: 0,
        class,
        detail: detail.into(),
        sequence: None,
        grade,
        advice: Advice::Leave,
        reason: String::new(),
    }
}

#[test]
fn every_kind_of_host_has_a_picture_of_its_own() {
    let temporary = tempfile::tempdir().unwrap();
    let dir =
        env::var_os("ISNGUARD_PICTURES").map_or_else(|| temporary.path().into(), PathBuf::from);
    let all = kinds(1_000);
    let (.., strong) = all.last().unwrap();
    let after = assessment(strong, Class::Strong, Grade::A, "unpredictable");
    for (name, class, grade, detail, samples) in &all {
        let path = dir.join(format!("{name}.png"));
        let assessment = assessment(samples, *class, *grade, detail);
        let before = Side {
            samples,
            assessment: &assessment,
        };
        let after = Side {
            samples: strong,
            assessment: &after,
        };
        let svg = drawing::draw("198.51.100.7", &before, Some(&after)).to_string();
        file::write(&path.with_extension("svg"), svg.as_bytes()).unwrap();
        file::write(&path, &Format::Png.octets(&path, svg).unwrap()).unwrap();
        let picture = Pixmap::load_png(&path).unwrap();
        check(name, &picture);
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
