//! Windows, lines and drops.

use std::time::Duration;

use super::*;
use crate::plot::tests::samples;

fn course(isns: impl IntoIterator<Item = u32>) -> Course {
    Course::of(&samples(isns), Class::Clock, 1_000)
}

#[test]
fn the_window_is_whole_for_none_one_and_numbers_all_over() {
    for isns in [
        vec![],
        vec![7],
        vec![7, 7, 7],
        vec![0, 1 << 30, 1 << 31, 3 << 30],
    ] {
        assert_eq!(course(isns).window, Window::WHOLE);
    }
}

#[test]
fn near_numbers_are_magnified_also_around_zero() {
    let near = course([u32::MAX - 999, 0, 1_000]);
    assert!(near.window.zoom() > 1e6);
    assert!(near.marks.iter().all(|mark| (0.0..=1.0).contains(&mark.up)));
    assert!(near.marks.windows(2).all(|pair| pair[0].up < pair[1].up));
    assert_eq!(near.lines.len(), 1, "no cut at zero");
}

#[test]
fn a_clock_is_a_sawtooth_that_leaves_at_the_top_and_comes_in_at_the_bottom() {
    let teeth = course((0..64).map(|n: u32| n.wrapping_mul(1 << 27)));
    assert_eq!(teeth.window, Window::WHOLE);
    assert_eq!(teeth.lines.len(), 2);
    let top = *teeth.lines[0].last().unwrap();
    let bottom = teeth.lines[1][0];
    assert!((top.1 - 1.0).abs() < 1e-9 && bottom.1.abs() < 1e-9 && (top.0 - bottom.0).abs() < 1e-9);
}

#[test]
fn a_fixed_step_is_a_stair() {
    let stair = Course::of(&samples([0, 64_000, 128_000]), Class::FixedStep, 1_000);
    let line = &stair.lines[0];
    assert_eq!(line.len(), 5);
    assert!(
        line.windows(2).all(
            |pair| (pair[0].0 - pair[1].0).abs() < 1e-9 || (pair[0].1 - pair[1].1).abs() < 1e-9
        ),
        "{line:?}"
    );
}

#[test]
fn what_jumps_about_is_not_joined() {
    assert!(
        course((0..500_u32).map(|n| n.wrapping_mul(2_654_435_769)))
            .lines
            .is_empty()
    );
}

#[test]
fn a_regression_falls_from_where_the_last_one_ended_and_the_line_breaks() {
    let mut all = samples([1_000_000, 1_200_000, 1_100_000, 1_300_000, 1_400_000]);
    all[1].ahead = Some(200_000);
    all[2].ahead = Some(-100_000);
    let course = Course::of(&all, Class::Regressing, 1_000);
    assert_eq!(course.regressions, 1);
    assert_eq!(course.marks[1].fallen_from, None);
    let from = course.marks[2].fallen_from.unwrap();
    assert!((from - course.marks[1].up).abs() < 1e-9);
    assert_eq!(course.lines.len(), 2);
    all[2].ahead = Some(i32::MIN);
    assert_eq!(
        Course::of(&all, Class::Regressing, 1_000).marks[2].fallen_from,
        Some(1.0)
    );
}

#[test]
fn of_many_the_wished_number_is_shown_and_seldom_regressions_all() {
    let mut all = samples(0..10_000);
    for index in [3, 5_000, 9_998] {
        all[index].ahead = Some(0);
    }
    let course = Course::of(&all, Class::Clock, 100);
    assert_eq!(
        (course.marks.len(), course.count, course.regressions),
        (100, 10_000, 3)
    );
    assert_eq!(
        course
            .marks
            .iter()
            .filter(|mark| mark.fallen_from.is_some())
            .count(),
        3
    );
    assert!(
        course
            .marks
            .windows(2)
            .all(|pair| pair[0].right < pair[1].right)
    );
    assert!(course.lines.is_empty());
}

#[test]
fn time_begins_at_the_first_sample_and_never_goes_out_of_the_picture() {
    let mut all = samples([1, 2, 3]);
    assert_eq!(Course::of(&all, Class::Clock, 9).unit.name, "seconds");
    for sample in &mut all {
        sample.at = Duration::from_secs(1_700_000_000);
    }
    assert!(
        Course::of(&all, Class::Clock, 9)
            .marks
            .iter()
            .all(|mark| (mark.right - 0.5).abs() < 1e-9)
    );
    all[1].at = Duration::ZERO;
    assert!(
        Course::of(&all, Class::Clock, 9)
            .marks
            .iter()
            .all(|mark| (0.0..=1.0).contains(&mark.right))
    );
}
