//! From what was found to a mark, an advice and one sentence why.

use super::{Advice, Class, Grade, Sequence, finding::Finding};

/// So many reopened connections without a regression are an argument: a generator without memory passes once in 16 times.
const REOPENED: usize = 4;
/// nmap's figure that 32 random bits reach is about 260; two bits less is no longer strong.
const STRONG: u32 = 240;
/// Below 80 a few numbers hold the next one; below 128 a standard deviation of it is a window of 64 KiB.
const KNOWN: u32 = 80;
const WINDOW: u32 = 128;

/// How often a 4-tuple was seen again, and how often the number did not lie ahead.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reopened {
    pub(super) all: usize,
    pub(super) regressions: usize,
}

/// Mark, advice and reason.
pub(super) fn verdict(
    finding: &Finding,
    sequence: Option<&Sequence>,
    reopened: Reopened,
) -> (Grade, Advice, String) {
    let difficulty = sequence.map_or(0, |it| it.difficulty);
    let regresses = reopened.regressions > 0;
    let weak = finding.predictable || finding.class == Class::Strong && difficulty < STRONG;
    let grade = match finding.class {
        _ if weak => mark(finding, difficulty),
        Class::Unknown => Grade::Unknown,
        _ if regresses || finding.class == Class::Regressing => Grade::C,
        _ if reopened.all < REOPENED => Grade::B,
        _ => Grade::A,
    };
    let advice = if weak {
        Advice::Keyed
    } else if regresses || finding.class == Class::Regressing {
        Advice::Monotonic
    } else {
        Advice::Leave
    };
    (grade, advice, reason(finding, weak, reopened))
}

/// The mark of a generator of which something can be predicted.
const fn mark(finding: &Finding, difficulty: u32) -> Grade {
    match finding.class {
        _ if finding.computable || difficulty < KNOWN => Grade::F,
        // Where the guess is wrong, that is by what the packets were late, and the attacker's are late too.
        Class::FixedStep | Class::Clock => Grade::E,
        _ if difficulty < WINDOW => Grade::E,
        _ => Grade::D,
    }
}

fn reason(finding: &Finding, weak: bool, reopened: Reopened) -> String {
    let Reopened { all, regressions } = reopened;
    let seen = format!(
        "{regressions} of {all} reopened connections began at or below the end of the one before"
    );
    if weak {
        let known = known(finding);
        return if regressions > 0 {
            format!("{known}; and {seen}, where the peer may refuse them.")
        } else {
            format!("{known}.")
        };
    }
    match finding.class {
        _ if regressions > 0 => format!("{}, where the peer may refuse them.", upper(&seen)),
        Class::Unknown => format!("{}.", upper(&finding.detail)),
        _ if all == 0 => "The numbers cannot be guessed; no 4-tuple was used twice, so whether they regress was not seen.".into(),
        _ if all < REOPENED => format!(
            "The numbers cannot be guessed; {all} reopened connection{} did not regress, which is too few to rely on.",
            if all == 1 { "" } else { "s" }
        ),
        _ => format!("The numbers cannot be guessed, and none of {all} reopened connections regressed."),
    }
}

/// What somebody who sees connections of his own knows about those of others.
const fn known(finding: &Finding) -> &'static str {
    match finding.class {
        Class::Constant => "Whoever has opened one connection knows the number of every other",
        Class::FixedStep => "Whoever has opened one connection can count out the next number",
        Class::Clock => "Whoever has opened one connection can compute the number of any moment",
        Class::Regressing if finding.computable => {
            "Whoever has opened three connections in a row can compute the next number"
        }
        Class::RandomIncrement | Class::Regressing => {
            "Whoever has opened one connection knows a range that holds the next number"
        }
        Class::Strong => "The numbers have less randomness than 32 bits could hold",
        Class::Unknown => "Numbers of a part of the connections follow from those shortly before",
    }
}

/// With a capital letter.
fn upper(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
