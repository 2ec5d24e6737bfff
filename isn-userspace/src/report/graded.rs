//! Graded hosts, as `audit` and `hosts` report them alike.

use std::{
    io::{self, Write},
    net::IpAddr,
};

use serde::Serialize;

use super::{
    Style,
    listing::{Column, Listing},
};
use crate::grading::{Advice, Class, Grade, Graded};

/// One host. Difficulties are nmap's index of the sequence's predictability; `null` where too few samples were seen.
#[derive(Debug, Serialize)]
pub struct HostLine {
    /// Its address.
    pub host: IpAddr,
    samples: usize,
    grade: Grade,
    class: Class,
    detail: String,
    same_tuple_samples: usize,
    regressions: usize,
    difficulty_before: Option<u32>,
    difficulty_after: Option<u32>,
    grade_after: Grade,
    regressions_after: usize,
    gcd: Option<u32>,
    isr: Option<u32>,
    /// The mode that is advised.
    pub advice: Advice,
    reason: String,
}

/// Where the sentences begin, which stand below the table on a terminal.
const SENTENCES: usize = 10;
const CELLS: usize = SENTENCES + 2;

const COLUMNS: [Column; CELLS] = [
    Column::text("host"),
    Column::text("grade"),
    Column::text("class"),
    Column::number("samples").ranked(2),
    Column::number("difficulty_before").headed("difficulty"),
    Column::number("difficulty_after").headed("after"),
    Column::number("regressions").headed("regressed"),
    Column::number("same_tuple_samples").headed("of").ranked(3),
    Column::text("advice"),
    Column::text("grade_after").headed("then").ranked(4),
    Column::text("detail"),
    Column::text("reason"),
];

impl HostLine {
    pub(super) fn new(graded: Graded) -> Self {
        let Graded {
            host,
            before,
            after,
            is_after: _,
        } = graded;
        let sequence = before.sequence;
        Self {
            host,
            samples: before.samples,
            grade: before.grade,
            class: before.class,
            detail: before.detail,
            same_tuple_samples: before.same_tuple_samples,
            regressions: before.regressions,
            difficulty_before: sequence.map(|sequence| sequence.difficulty),
            difficulty_after: after.sequence.map(|sequence| sequence.difficulty),
            grade_after: after.grade,
            regressions_after: after.regressions,
            gcd: sequence.map(|sequence| sequence.gcd),
            isr: sequence.map(|sequence| sequence.isr),
            advice: before.advice,
            reason: before.reason,
        }
    }

    /// What it is, and what follows from it.
    fn sentence(&self) -> String {
        format!("{}. {}", self.detail, self.reason)
    }

    /// A cell for each column.
    fn cells(&self) -> [String; CELLS] {
        let number = |number: Option<u32>| number.map_or("-".into(), |number| number.to_string());
        [
            self.host.to_string(),
            self.grade.name().into(),
            self.class.name().into(),
            self.samples.to_string(),
            number(self.difficulty_before),
            number(self.difficulty_after),
            self.regressions.to_string(),
            self.same_tuple_samples.to_string(),
            self.advice.name().into(),
            self.grade_after.name().into(),
            self.detail.clone(),
            self.reason.clone(),
        ]
    }
}

/// A line with what one report alone has to say, in columns of its own.
pub(super) type Row<'a, const N: usize> = (&'a HostLine, [String; N]);

/// Writes hosts: for programs all in columns, for people the figures, and below them a sentence on each host that is better not
/// left alone.
pub(super) fn write<const N: usize>(
    out: &mut impl Write,
    style: Style,
    own: [Column; N],
    rows: &[Row<'_, N>],
) -> io::Result<()> {
    if style == Style::Plain {
        let mut listing = Listing::new(&[&COLUMNS[..], &own].concat());
        for (host, cells) in rows {
            listing.row(host.cells().into_iter().chain(cells.iter().cloned()));
        }
        return listing.write(out, style);
    }
    let mut figures = Listing::new(&[&COLUMNS[..SENTENCES], &own].concat());
    let mut sentences = Listing::new(&[
        Column::text("host"),
        Column::text("generator").headed("why"),
    ]);
    let mut any = false;
    for (host, cells) in rows {
        let row = host.cells().into_iter().take(SENTENCES);
        figures.row(row.chain(cells.iter().cloned()));
        if host.advice != Advice::Leave {
            any = true;
            sentences.row([host.host.to_string(), host.sentence()]);
        }
    }
    figures.write(out, style)?;
    writeln!(out)?;
    if any {
        sentences.write(out, style)?;
        writeln!(out)?;
    }
    Ok(())
}

/// Says to people how many hosts the limit left out.
pub(super) fn write_left_out(out: &mut impl Write, left: usize, all: usize) -> io::Result<()> {
    if left > 0 {
        writeln!(
            out,
            "... and {left} of {all} hosts more, none of them worse; --limit {all} shows all"
        )?;
    }
    Ok(())
}
