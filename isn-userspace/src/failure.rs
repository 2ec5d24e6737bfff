//! Errors as the operator reads them: what was tried on what, why it failed, what to do.

use std::fmt;

/// A failure that the operator can do something about.
#[derive(Debug)]
pub struct Failure {
    what: String,
    why: String,
    remedy: String,
}

impl Failure {
    /// `what` was tried ("cannot attach to `eth1`"), `why` it failed, and the `remedy`, all without
    /// a final full stop.
    pub fn new(what: impl Into<String>, why: impl fmt::Display, remedy: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            why: why.to_string(),
            remedy: remedy.into(),
        }
    }

    /// Why it failed.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.why
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &str {
        &self.remedy
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

impl std::error::Error for Failure {}

/// An error and all its causes on one line, each said once: libraries repeat their cause in their
/// own message.
#[must_use]
pub fn chained(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = String::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        let text = cause.to_string();
        if !line.contains(&text) {
            if !line.is_empty() {
                line.push_str(": ");
            }
            line.push_str(&text);
        }
        next = cause.source();
    }
    line
}

/// An error with what was tried, for the operator.
pub trait Explain<T> {
    /// Turns the error into a [`Failure`] whose reason is the error's own words.
    fn explain(self, what: impl Into<String>, remedy: impl Into<String>) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> Explain<T> for Result<T, E> {
    fn explain(self, what: impl Into<String>, remedy: impl Into<String>) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(what, chained(error.into().as_ref()), remedy))
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn says_what_and_why_on_one_line_and_keeps_the_remedy_apart() {
        let failure = Failure::new("cannot attach to `eth1`", "no such interface", "list them");
        assert_eq!(
            failure.to_string(),
            "cannot attach to `eth1`: no such interface"
        );
        assert_eq!(failure.remedy(), "list them");
    }

    #[test]
    fn a_cause_that_the_message_repeats_is_said_once() {
        let cause = std::io::Error::other("no memory");
        let error = Err::<(), _>(cause)
            .context("cannot load: no memory")
            .context("outer");
        assert_eq!(
            chained(error.unwrap_err().as_ref()),
            "outer: cannot load: no memory"
        );
    }
}
