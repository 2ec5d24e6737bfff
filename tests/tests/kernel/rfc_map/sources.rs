//! The tests of the workspace, as their sources tell: functions, the cases of their tables, and the rules and packet cases that
//! those cite.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{Delimiter, Literal, TokenStream, TokenTree};

/// A test function.
pub struct Test {
    /// Its file without extension, relative to the workspace; `main`, `mod`, `lib` and `tests` at the end left away.
    pub file: String,
    /// Its name.
    pub function: String,
    /// Names of the cases of its tables.
    pub cases: Vec<String>,
    /// What its file says about itself.
    pub header: String,
}

impl Test {
    /// How the page names it: the shortest name that its file has, one of the laboratory's with its program, and the function.
    pub fn name(&self) -> String {
        let alone = || self.file.rsplit('/').next().unwrap_or_default();
        let file = self.file.strip_prefix("tests/tests/").unwrap_or_else(alone);
        format!("{file}::{}", self.function)
    }

    /// Whether `reference` means it: `FILE::FUNCTION`, or `FILE` for all tests in a file.
    pub fn is_meant_by(&self, reference: &str) -> bool {
        let (file, function) = match reference.split_once("::") {
            Some((file, function)) => (file, Some(function)),
            None => (reference, None),
        };
        let of_file = self.file == file || self.file.ends_with(&format!("/{file}"));
        of_file && function.is_none_or(|function| function == self.function)
    }

    /// The rules that its cases or its own name cite.
    pub fn rules(&self) -> BTreeSet<String> {
        let begins = self.function.split('_').next().unwrap_or_default();
        let mut rules = labels(&begins.to_uppercase());
        rules.extend(self.cases.iter().flat_map(|case| labels(case)));
        rules
    }

    /// The packet cases that its cases cite.
    pub fn packet_cases(&self) -> BTreeSet<u32> {
        self.cases.iter().flat_map(|case| numbers(case)).collect()
    }
}

/// Rules in a text: `S9`, `S9 to S11`, `PAWS`.
pub fn labels(text: &str) -> BTreeSet<String> {
    let words: Vec<&str> = text
        .split(|it: char| !it.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let number = |word: &str| word.strip_prefix('S')?.parse::<u32>().ok();
    let mut found = BTreeSet::new();
    for (at, word) in words.iter().enumerate() {
        if *word == "PAWS" {
            found.insert((*word).to_owned());
        }
        let Some(first) = number(word) else { continue };
        let last = match words.get(at + 1..at + 3) {
            Some(["to", last]) => number(last).unwrap_or(first),
            _ => first,
        };
        found.extend((first..=last).map(|number| format!("S{number}")));
    }
    found
}

/// Packet cases that a case names in brackets at its end: `(12, 40)`, `(S6, 84)`, `(66; RFC 2675)`.
fn numbers(case: &str) -> BTreeSet<u32> {
    let bracketed = case
        .strip_suffix(')')
        .and_then(|rest| rest.rsplit_once('('))
        .map_or("", |(_, inside)| inside);
    bracketed
        .split([',', ';'])
        .filter_map(|item| item.trim().parse().ok())
        .collect()
}

/// All tests in the sources under `root`.
pub fn tests(root: &Path) -> Vec<Test> {
    let mut files = Vec::new();
    for crate_name in ["isn-common", "isn-userspace", "tests"] {
        for part in ["src", "tests"] {
            rust_files(&root.join(crate_name).join(part), &mut files);
        }
    }
    files.sort();
    files.iter().flat_map(|path| of_file(root, path)).collect()
}

fn rust_files(directory: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for path in entries.map(|entry| entry.expect("a readable directory").path()) {
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn of_file(root: &Path, path: &Path) -> Vec<Test> {
    let text = fs::read_to_string(path).expect("a readable source");
    let tokens: TokenStream = text
        .parse()
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut functions = Vec::new();
    gather(tokens, &mut functions);
    let relative = path.strip_prefix(root).expect("under the root");
    let mut file = relative.with_extension("").display().to_string();
    for ending in ["/main", "/mod", "/lib", "/tests"] {
        file = file.strip_suffix(ending).unwrap_or(&file).to_owned();
    }
    let lines = text.lines().take_while(|line| line.starts_with("//!"));
    let header = lines.collect::<Vec<_>>().join(" ");
    let of_function = |(function, cases)| Test {
        file: file.clone(),
        function,
        cases,
        header: header.clone(),
    };
    functions.into_iter().map(of_function).collect()
}

/// Functions behind `#[test]` with the cases in their bodies, also within modules and macros.
fn gather(tokens: TokenStream, found: &mut Vec<(String, Vec<String>)>) {
    let (mut is_test, mut name, mut before) = (false, None, String::new());
    for token in tokens {
        match &token {
            TokenTree::Ident(ident) if before == "fn" && is_test => {
                name = Some(ident.to_string());
                is_test = false;
            }
            TokenTree::Group(group) => match (group.delimiter(), name.take()) {
                (Delimiter::Bracket, _)
                    if before == "#" && group.stream().to_string() == "test" =>
                {
                    is_test = true;
                }
                (Delimiter::Brace, Some(function)) => {
                    let mut cases = Vec::new();
                    gather_cases(group.stream(), &mut cases);
                    found.push((function, cases));
                }
                // Arguments, between the name and the body.
                (_, waiting @ Some(_)) => name = waiting,
                (_, None) => gather(group.stream(), found),
            },
            _ => {}
        }
        before = token.to_string();
    }
}

/// The first arguments of `case(…)`.
fn gather_cases(tokens: TokenStream, found: &mut Vec<String>) {
    let mut before = String::new();
    for token in tokens {
        if let TokenTree::Group(group) = &token {
            let first = group.stream().into_iter().next();
            if let (true, Some(TokenTree::Literal(name))) = (before == "case", first) {
                found.push(unquoted(&name));
            }
            gather_cases(group.stream(), found);
        }
        before = token.to_string();
    }
}

/// The text of a literal without escapes.
fn unquoted(literal: &Literal) -> String {
    let text = literal.to_string();
    let inside = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    let inside = inside.unwrap_or_else(|| panic!("a case is named by {text}"));
    assert!(
        !inside.contains('\\'),
        "an escape in the name of a case: {text}"
    );
    inside.to_owned()
}
