//! `--plot`: which hosts are drawn, and where the pictures are.

use std::{fs, path::Path};

use tempfile::TempDir;

use super::{
    captures::usual,
    program::{Run, audit_input},
    reports::constant,
};

fn drawn(directory: &TempDir, name: &str, arguments: &[&str]) -> Run {
    let file = directory.path().join(name);
    let mut all = vec!["--plot", file.to_str().unwrap(), "--json"];
    all.extend(arguments);
    let run = audit_input(&usual(&constant()), &all);
    assert_eq!(run.code, 0, "{}", run.err);
    run
}

fn names(directory: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(directory.path()).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn pictures(run: &Run) -> Vec<String> {
    let json = run.json();
    let listed = json["pictures"].as_array().unwrap().iter();
    let name = |path: &serde_json::Value| {
        let path = Path::new(path.as_str().unwrap());
        path.file_name().unwrap().to_str().unwrap().to_owned()
    };
    listed.map(name).collect()
}

#[test]
fn the_worst_host_is_drawn_and_named() {
    let directory = TempDir::new().unwrap();
    let run = drawn(&directory, "worst.svg", &[]);
    assert!(
        run.err.starts_with("drawn: ") && run.err.contains("worst.svg"),
        "{}",
        run.err
    );
    assert_eq!(
        (names(&directory), pictures(&run)),
        (vec!["worst.svg".into()], vec!["worst.svg".into()])
    );
    let svg = fs::read_to_string(directory.path().join("worst.svg")).unwrap();
    let worst = run.json()["hosts"][0]["host"].as_str().unwrap().to_owned();
    assert!(
        svg.contains("<svg") && svg.contains(&worst),
        "the picture names {worst}"
    );
}

#[test]
fn a_host_that_is_named_is_drawn_instead() {
    let directory = TempDir::new().unwrap();
    drawn(&directory, "peer.PNG", &["--host", "198.51.100.1"]);
    let png = fs::read(directory.path().join("peer.PNG")).unwrap();
    assert!(png.starts_with(b"\x89PNG\r\n"));
}

#[test]
fn each_of_several_that_are_named_has_its_file() {
    let directory = TempDir::new().unwrap();
    let run = drawn(
        &directory,
        "p.svg",
        &["--host", "192.0.2.0/24", "--host", "198.51.100.0/24"],
    );
    let both = ["p-192.0.2.1.svg", "p-198.51.100.1.svg"];
    assert_eq!(names(&directory), both);
    let mut listed = pictures(&run);
    listed.sort();
    assert_eq!(listed, both);
}

#[test]
fn a_picture_that_cannot_be_written_is_told_behind_the_report() {
    let directory = TempDir::new().unwrap();
    let taken = directory.path().join("taken.svg");
    fs::create_dir(&taken).unwrap();
    let run = audit_input(&usual(&constant()), &["--plot", taken.to_str().unwrap()]);
    assert_eq!(run.code, 1);
    assert_eq!(run.out.lines().count(), 3, "{}", run.out);
    let error = run
        .err
        .lines()
        .find(|line| line.starts_with("isnguard: cannot draw "));
    assert!(
        error.is_some_and(|line| line.contains("taken.svg")),
        "{}",
        run.err
    );
    assert!(run.err.contains("  what to do: "), "{}", run.err);
}

#[test]
fn a_picture_of_characters_stands_below_the_table() {
    let run = audit_input(&usual(&constant()), &["--plot", "-"]);
    assert_eq!(run.code, 0, "{}", run.err);
    for part in [
        "as it chooses its numbers:",
        "in keyed mode:",
        "Phase space",
    ] {
        assert!(run.out.contains(part), "no {part} in {}", run.out);
    }
    let is_braille = |it: char| ('\u{2801}'..='\u{28ff}').contains(&it);
    assert!(run.out.chars().any(is_braille) && !run.out.contains('\x1b'));
    assert!(
        run.out
            .lines()
            .skip_while(|line| !line.is_empty())
            .all(|line| line.chars().count() <= 80)
    );

    let run = audit_input(&usual(&constant()), &["--plot", "-", "--json"]);
    assert_eq!((run.code, run.out.as_str()), (2, ""), "{}", run.err);
    assert!(run.err.contains("leave --json away"), "{}", run.err);
}
