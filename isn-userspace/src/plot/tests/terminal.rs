//! Sizes, colours and what can be seen.

use super::*;
use crate::plot::tests::{kinds, samples};

fn fits(text: &str, width: u16, height: u16) {
    assert!(
        text.ends_with('\n') && text.lines().count() <= usize::from(height),
        "{height} lines:\n{text}"
    );
    for line in text.lines() {
        assert!(
            line.chars().count() <= usize::from(width),
            "{width} columns:\n{text}"
        );
    }
}

fn is_braille(letter: char) -> bool {
    ('\u{2801}'..='\u{28ff}').contains(&letter)
}

#[test]
fn it_fits_every_size_for_every_host() {
    for (name, all) in &kinds(300) {
        for (width, height) in [
            (20, 8),
            (40, 24),
            (79, 23),
            (80, 24),
            (132, 43),
            (60, 60),
            (200, 60),
            (200, 8),
        ] {
            let text = in_terminal(all, width, height, false);
            fits(&text, width, height);
            assert!(
                text.chars().filter(|letter| is_braille(*letter)).count() > 20,
                "{name}\n{text}"
            );
            if width >= 79 {
                assert!(text.contains("Phase space, x y z ±"), "{name}\n{text}");
                assert!(
                    (text.contains("Number over time") || text.contains(" regression"))
                        && text.contains("minutes"),
                    "{name}\n{text}"
                );
            }
        }
    }
}

#[test]
fn plain_text_has_no_escape_codes_and_colours_add_nothing_else() {
    let (_, all) = kinds(300)
        .into_iter()
        .find(|(name, _)| *name == "nt-regressing")
        .unwrap();
    let (plain, coloured) = (
        in_terminal(&all, 100, 30, false),
        in_terminal(&all, 100, 30, true),
    );
    assert!(!plain.contains('\x1b'));
    assert!(coloured.contains("\x1b[91m") && coloured.contains("\x1b[36m"));
    let mut stripped = coloured;
    for code in ["\x1b[0m", "\x1b[36m", "\x1b[90m", "\x1b[91m"] {
        stripped = stripped.replace(code, "");
    }
    assert_eq!(stripped, plain);
    assert!(
        plain.lines().next().unwrap().contains(" regressions"),
        "{plain}"
    );
    assert!(plain.matches('▼').count() > 5, "{plain}");
}

#[test]
fn no_samples_and_no_room_do_no_harm() {
    for count in 0..4 {
        let text = in_terminal(&samples(0..count), 80, 24, false);
        fits(&text, 80, 24);
        assert!(text.contains("too few samples"), "{text}");
    }
    let all = samples((0..500).map(|n| n * 64_000));
    for (width, height) in [(0, 0), (1, 1), (3, 2), (0, 9), (9, 0), (u16::MAX, u16::MAX)] {
        let text = in_terminal(&all, width, height, true);
        assert!(text.lines().count() <= usize::from(height.min(200)));
    }
}

#[test]
fn what_stays_in_one_place_is_large_enough_to_be_seen() {
    let (one, all) = (
        vec![7; 100],
        (0..100_u32)
            .map(|n| n.wrapping_mul(2_654_435_769))
            .collect(),
    );
    assert_eq!(
        in_terminal(&samples(one), 80, 24, false)
            .matches('●')
            .count(),
        1
    );
    let scattered: Vec<u32> = all;
    assert!(
        !in_terminal(
            &samples(scattered.into_iter().map(|n| n ^ n >> 7 ^ n << 9)),
            80,
            24,
            false
        )
        .contains('●')
    );
}

#[test]
fn a_stair_climbs_from_the_left_below_to_the_right_above() {
    let text = in_terminal(&samples((0..100).map(|n| n * 64_000)), 100, 30, false);
    let right = |line: &str| line.chars().skip(66).position(is_braille);
    let rows: Vec<_> = text.lines().skip(1).filter_map(right).collect();
    assert!(rows.len() > 20, "{text}");
    assert!(rows[1] > rows[20], "{text}");
}
