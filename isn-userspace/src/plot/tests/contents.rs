//! What is in a picture, read back from its XML and its points.

use resvg::usvg::roxmltree::{Document, Node};

use super::{kinds, samples};
use crate::{
    grading::{Sample, assess},
    plot::{
        drawing::{self, MOST, Side},
        file::Format,
    },
};

fn svg(title: &str, before: &[Sample], after: Option<&[Sample]>) -> String {
    let graded = after.map(assess);
    let after = after
        .zip(graded.as_ref())
        .map(|(samples, assessment)| Side {
            samples,
            assessment,
        });
    let before = Side {
        samples: before,
        assessment: &assess(before),
    };
    drawing::draw(title, &before, after.as_ref()).to_string()
}

/// The groups of a class.
fn groups<'a>(document: &'a Document<'a>, class: &'a str) -> Vec<Node<'a, 'a>> {
    document
        .descendants()
        .filter(|node| node.attribute("class") == Some(class))
        .collect()
}

/// The elements of the name in a group.
fn count(node: &Node<'_, '_>, name: &str) -> usize {
    node.descendants()
        .filter(|node| node.has_tag_name(name))
        .count()
}

/// Points of a cube, each as often as its title says.
fn points(group: &Node<'_, '_>) -> usize {
    group
        .children()
        .filter(|node| node.has_tag_name("circle"))
        .map(|circle| {
            let times = circle
                .descendants()
                .find(|node| node.has_tag_name("title"))
                .and_then(|title| title.text());
            times.map_or(1, |times| {
                times
                    .trim()
                    .split(' ')
                    .next()
                    .unwrap()
                    .replace(',', "")
                    .parse()
                    .unwrap()
            })
        })
        .sum()
}

fn texts(document: &Document<'_>) -> String {
    document
        .descendants()
        .filter(|node| node.has_tag_name("text"))
        .filter_map(|node| node.text())
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn every_sample_and_every_triple_is_there_on_its_side() {
    for (name, all) in &kinds(500) {
        let xml = svg(
            "198.51.100.7",
            all,
            Some(&samples((0..50).map(|n| n * 1_000))),
        );
        let document = Document::parse(&xml).unwrap();
        let regressions = all
            .iter()
            .filter(|sample| sample.ahead.is_some_and(|ahead| ahead <= 0))
            .count();
        let good = groups(&document, "good");
        assert_eq!(good.len(), 2);
        assert_eq!(count(&good[0], "circle"), 500 - regressions, "{name}");
        assert_eq!(count(&good[1], "circle"), 50);
        assert_eq!(count(&groups(&document, "bad")[0], "path"), regressions);
        assert_eq!(count(&groups(&document, "drops")[0], "line"), regressions);
        assert!(
            regressions > 0 || !["constant", "nt-regressing", "pure-random"].contains(name),
            "{name}"
        );
        let cubes = groups(&document, "points");
        let (before, after) = (
            &cubes[0],
            cubes
                .iter()
                .rev()
                .find(|cube| cube.parent().unwrap().attribute("class") == Some("phase")),
        );
        let outside = crate::plot::phase::Phase::of(all, MOST).outside;
        assert_eq!(points(before), 497 - outside, "{name}");
        assert_eq!(points(after.unwrap()), 47);
    }
}

#[test]
fn it_says_whose_how_many_how_good_and_in_which_units() {
    let (_, all) = kinds(1_000)
        .into_iter()
        .find(|(name, ..)| *name == "nt-regressing")
        .unwrap();
    let xml = svg("10.0.0.1 <&\"'> \u{0}\u{7}", &all, Some(&all));
    let document = Document::parse(&xml).unwrap();
    let texts = texts(&document);
    let assessment = assess(&all);
    for words in [
        "10.0.0.1 <&\"'> ",
        "Before: ",
        "After: ",
        "1,000 samples",
        assessment.class.name(),
        assessment.grade.name(),
        "s[n] − s[n−1]",
        "s[n−1] − s[n−2]",
        "s[n−2] − s[n−3]",
        "+200,000",
        "minutes since the first sample",
        "regressions: not above what the last connection had sent",
        "near",
    ] {
        assert!(texts.contains(words), "{words}\n{texts}");
    }
    assert!(!svg("10.0.0.1", &all, None).contains("After: "));
}

#[test]
fn too_few_samples_are_said_and_do_no_harm() {
    for few in 0..=4 {
        let all = samples((0..few).map(|n| n * 7));
        let xml = svg("10.0.0.1", &all, Some(&all));
        let document = Document::parse(&xml).unwrap();
        let texts = texts(&document);
        assert_eq!(
            texts.matches("too few samples: it takes 4").count(),
            if few < 4 { 2 } else { 0 },
            "{few}: {texts}"
        );
        assert_eq!(
            texts.matches("no samples").count(),
            if few == 0 { 2 } else { 0 },
            "{few}: {texts}"
        );
        assert!(
            Format::Png
                .octets("a.png".as_ref(), xml.clone())
                .unwrap()
                .len()
                > 1_000
        );
    }
}

#[test]
fn a_million_samples_are_thinned_out_always_alike_and_it_says_so() {
    let mut dice = fastrand::Rng::with_seed(7);
    let mut all = samples((0..1_000_000).map(|_| dice.u32(..)));
    for index in (0..all.len()).step_by(100) {
        all[index].ahead = Some(-1);
    }
    let xml = svg("10.0.0.1", &all, None);
    assert!(xml.len() < 3_000_000, "{}", xml.len());
    assert_eq!(xml, svg("10.0.0.1", &all, None));
    let document = Document::parse(&xml).unwrap();
    let (good, bad) = (groups(&document, "good"), groups(&document, "bad"));
    assert_eq!(count(&good[0], "circle") + count(&bad[0], "path"), MOST);
    assert_eq!(points(&groups(&document, "points")[0]), MOST);
    let texts = texts(&document);
    assert!(
        texts.contains("1,000,000 samples, thinned out to 4,000"),
        "{texts}"
    );
    assert!(
        texts.contains("999,997 points, thinned out to 4,000"),
        "{texts}"
    );
    assert!(texts.contains("10,000 regressions"), "{texts}");
}
