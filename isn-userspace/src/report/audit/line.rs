//! A host's line in the report.

use std::net::IpAddr;

use serde::Serialize;

use crate::{
    audit::Graded,
    grading::{Advice, Class, Grade},
};

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

impl HostLine {
    pub(super) fn new(graded: Graded) -> Self {
        let Graded {
            host,
            before,
            after,
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
    pub(super) fn sentence(&self) -> String {
        format!("{}. {}", self.detail, self.reason)
    }

    /// A cell for each of the report's columns.
    pub(super) fn cells(&self) -> [String; 12] {
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
