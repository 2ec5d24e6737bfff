//! `docs/cli.md` is what the verbs say of themselves: it is made here, and held against them.

use std::{env, fs, path::Path};

use super::help::{every, typed};

const PAGE: &str = "../docs/cli.md";
const ANEW: &str = "ISN_WRITE_REFERENCE";

fn reference() -> String {
    let mut page = String::from(
        "# Command line\n\nWhat `isnguard help VERB` says on a terminal of 80 columns. Made from the definition of the verbs \
         (`isn-userspace/src/cli`) by a test, which fails if it disagrees; this makes it anew:\n\n\
         ```\nISN_WRITE_REFERENCE=1 cargo test -p isnguard --lib the_reference\n```\n",
    );
    for command in every() {
        let name = typed(&command);
        let mut command = command.term_width(80);
        let help = command.render_long_help().to_string();
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        let (begin, end) = ("\n## ", "\n```\n");
        let help = lines.join("\n");
        for part in [begin, &name, "\n\n```\n", help.trim_end(), end] {
            page.push_str(part);
        }
    }
    page
}

#[test]
fn the_reference_is_what_the_verbs_say() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let made = reference();
    if env::var_os(ANEW).is_some() {
        fs::write(&file, &made).unwrap();
    }
    let there = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        there == made,
        "docs/cli.md is not what the verbs say. Make it anew: {ANEW}=1 cargo test -p isnguard --lib the_reference"
    );
}
