//! `isnguard man`: the manual pages of section 8, made from the definition of the verbs. The paragraphs below a verb's options
//! become its examples, its notes and its exit status.

use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
};

use clap::{Args, Command, CommandFactory as _};
use clap_mangen::{
    Man,
    roff::{Roff, bold, italic, roman},
};

use super::{Cli, Outcome};
use crate::failure::{Explain as _, Failure};

const SECTION: &str = "8";
const EXAMPLES_BEGIN: &str = "Examples:";
const EXIT_BEGIN: &str = "Exit codes: ";

/// Arguments of `man`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct ManArgs {
    /// The verb; none for the page about isnguard itself
    #[arg(value_name = "VERB")]
    verb: Vec<String>,
    /// Write every page into this directory, which is made if need be
    #[arg(long, value_name = "DIR", conflicts_with = "verb")]
    out: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  isnguard man run | man -l -               read about a verb
  isnguard man key rotate | man -l -        and about what it does
  isnguard man --out /usr/local/share/man/man8

The Debian package has the pages in their place already: man isnguard-run.";

/// Files that isnguard itself knows of, and what they are.
const FILES: [(&str, &str); 5] = [
    (
        "/sys/fs/bpf/isnguard/INSTANCE",
        "the programs, links and maps of an instance. They outlive every process, but no reboot",
    ),
    (
        "/etc/isnguard/INSTANCE.key",
        "the key of keyed mode, for its owner alone",
    ),
    (
        "/etc/default/isnguard, /etc/default/isnguard@INSTANCE",
        "what the systemd units hand to isnguard run",
    ),
    (
        "/var/lib/isnguard/INSTANCE.flows",
        "the flows, saved when the machine stops",
    ),
    (
        "/run/isnguard/INSTANCE",
        "where isnguard run answers isnguard hosts",
    ),
];

/// One manual page.
struct Page {
    /// As in `isnguard-key-rotate`.
    name: String,
    roff: Vec<u8>,
}

/// Prints a page, or writes all of them.
pub fn man(args: &ManArgs) -> anyhow::Result<Outcome> {
    let pages = pages()?;
    match &args.out {
        Some(dir) => write_all(&pages, dir)?,
        None => io::stdout().write_all(&find(&pages, &args.verb)?.roff)?,
    }
    Ok(Outcome::Done)
}

fn find<'a>(pages: &'a [Page], verb: &[String]) -> Result<&'a Page, Failure> {
    let words = ["isnguard"]
        .into_iter()
        .chain(verb.iter().map(String::as_str));
    let name = words.collect::<Vec<_>>().join("-");
    pages.iter().find(|page| page.name == name).ok_or_else(|| {
        Failure::new(
            format!("cannot print the page about `{}`", verb.join(" ")),
            "there is no such verb",
            "see `isnguard help` for those that there are",
        )
    })
}

fn write_all(pages: &[Page], dir: &std::path::Path) -> Result<(), Failure> {
    let remedy = "name a directory that can be written to";
    fs::create_dir_all(dir).explain(format!("cannot make {}", dir.display()), remedy)?;
    for Page { name, roff } in pages {
        let file = dir.join(format!("{name}.{SECTION}"));
        fs::write(&file, roff).explain(format!("cannot write {}", file.display()), remedy)?;
    }
    Ok(())
}

/// Every page, isnguard's own first.
fn pages() -> io::Result<Vec<Page>> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let mut pages = Vec::new();
    add(&root, None, &mut pages)?;
    Ok(pages)
}

fn add(command: &Command, above: Option<&str>, pages: &mut Vec<Page>) -> io::Result<()> {
    let name = name_of(command);
    let roff = page(command, above)?;
    pages.push(Page {
        name: name.clone(),
        roff,
    });
    let verbs = command.get_subcommands().filter(|it| !it.is_hide_set());
    verbs
        .into_iter()
        .try_for_each(|verb| add(verb, Some(&name), pages))
}

fn name_of(command: &Command) -> String {
    let name = command.get_display_name();
    name.unwrap_or_else(|| command.get_name()).to_owned()
}

fn page(command: &Command, above: Option<&str>) -> io::Result<Vec<u8>> {
    // What `-h` leaves out belongs on the page, and would lose its help there.
    let shown = command.clone().mut_args(|arg| arg.hide_short_help(false));
    let man = Man::new(shown).section(SECTION);
    let mut roff = Vec::new();
    // Written here: an empty date is left out otherwise, and what comes after it taken for one.
    writeln!(
        roff,
        ".TH {} {SECTION} \"\" \"isnguard {}\" \"System Administration\"",
        name_of(command).to_uppercase(),
        env!("CARGO_PKG_VERSION")
    )?;
    man.render_name_section(&mut roff)?;
    man.render_synopsis_section(&mut roff)?;
    man.render_description_section(&mut roff)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut roff)?;
    }
    man.render_options_section(&mut roff)?;
    let mut rest = Roff::default();
    below(&mut rest, command);
    if above.is_none() {
        files(&mut rest);
    }
    see_also(&mut rest, command, above);
    rest.to_writer(&mut roff)?;
    Ok(roff)
}

/// The paragraphs below the options.
fn below(roff: &mut Roff, command: &Command) {
    let text = command.get_after_help().map(ToString::to_string);
    let text = text.unwrap_or_default();
    let mut notes = Vec::new();
    let mut exit = None;
    for paragraph in text.split("\n\n") {
        if let Some(lines) = paragraph.strip_prefix(EXAMPLES_BEGIN) {
            roff.control("SH", ["EXAMPLES"]);
            roff.control("nf", []);
            for line in lines.lines().filter(|line| !line.is_empty()) {
                roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
            }
            roff.control("fi", []);
        } else if let Some(codes) = paragraph.strip_prefix(EXIT_BEGIN) {
            exit = Some(codes);
        } else {
            notes.push(paragraph);
        }
    }
    if !notes.is_empty() {
        roff.control("SH", ["NOTES"]);
        paragraphs(roff, &notes);
    }
    if let Some(codes) = exit {
        roff.control("SH", ["EXIT STATUS"]);
        roff.text([roman(codes)]);
    }
}

fn paragraphs(roff: &mut Roff, all: &[&str]) {
    for (nth, paragraph) in all.iter().enumerate() {
        if nth > 0 {
            roff.control("PP", []);
        }
        roff.text([roman(paragraph.trim_end())]);
    }
}

fn files(roff: &mut Roff) {
    roff.control("SH", ["FILES"]);
    for (file, what) in FILES {
        roff.control("TP", []);
        roff.text([italic(file)]);
        roff.text([roman(what)]);
    }
    roff.control("SH", ["ENVIRONMENT"]);
    roff.control("TP", []);
    roff.text([bold("NO_COLOR")]);
    roff.text([roman("if it is set and not empty, nothing is coloured")]);
}

/// The page above, and those below.
fn see_also(roff: &mut Roff, command: &Command, above: Option<&str>) {
    let below = command.get_subcommands().filter(|it| !it.is_hide_set());
    let mut names: Vec<String> = above.into_iter().map(str::to_owned).collect();
    names.extend(below.map(name_of));
    if above.is_none() {
        names.extend(["bpftool", "ethtool", "ip"].map(str::to_owned));
    }
    if names.is_empty() {
        return;
    }
    roff.control("SH", ["SEE ALSO"]);
    let last = names.len() - 1;
    for (nth, name) in names.into_iter().enumerate() {
        let end = if nth == last { "" } else { "," };
        roff.text([bold(name), roman(format!("({SECTION}){end}"))]);
    }
}
