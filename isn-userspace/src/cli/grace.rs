//! Who looks at an instance again and again may look while it is being attached or detached: what fails then is no failure, unless
//! it goes on.

use std::time::{Duration, Instant};

use crate::failure::Failure;

/// How long a look may fail.
const LONGEST: Duration = Duration::from_secs(5);

/// Since when looks have failed.
#[derive(Debug, Default)]
pub struct Grace(Option<Instant>);

impl Grace {
    /// What a look gave; `None` where it failed, and had not for long.
    pub fn grant<T>(&mut self, looked: Result<T, Failure>) -> Result<Option<T>, Failure> {
        match looked {
            Ok(seen) => {
                self.0 = None;
                Ok(Some(seen))
            }
            Err(_) if self.0.get_or_insert_with(Instant::now).elapsed() < LONGEST => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Result<(), Failure> {
        Err(Failure::new("cannot look", "it is half there", "wait"))
    }

    #[test]
    fn what_fails_for_a_moment_is_forgiven_and_what_goes_on_failing_is_not() {
        let mut grace = Grace::default();
        assert_eq!(grace.grant(failed()).unwrap(), None);
        assert_eq!(grace.grant(Ok(())).unwrap(), Some(()));
        assert!(grace.0.is_none());
        assert_eq!(grace.grant(failed()).unwrap(), None);
        grace.0 = grace.0.and_then(|since| since.checked_sub(LONGEST));
        assert!(grace.grant(failed()).is_err());
    }
}
