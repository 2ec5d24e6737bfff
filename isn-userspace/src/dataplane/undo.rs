//! A change that is made whole or not at all: every step leaves behind how to take it back.

use std::fmt;

type Step = Box<dyn FnOnce() -> anyhow::Result<()>>;

/// Steps that take a change back, last one first. Dropped without [`Undo::keep`], it takes them.
#[derive(Default)]
pub struct Undo {
    steps: Vec<(String, Step)>,
}

impl Undo {
    /// Adds how to take back what has just been done; `what` names it for the log.
    pub fn push(
        &mut self,
        what: impl fmt::Display,
        step: impl FnOnce() -> anyhow::Result<()> + 'static,
    ) {
        self.steps.push((what.to_string(), Box::new(step)));
    }

    /// The change is whole: nothing is taken back.
    pub fn keep(mut self) {
        self.steps.clear();
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        for (what, step) in self.steps.drain(..).rev() {
            match step() {
                Ok(()) => tracing::debug!("taken back: {what}"),
                Err(error) => tracing::error!("could not take back {what}: {error:#}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use super::*;

    fn with_steps(log: &Rc<RefCell<Vec<u32>>>) -> Undo {
        let mut undo = Undo::default();
        for step in 1..=3 {
            let log = Rc::clone(log);
            undo.push(step, move || {
                log.borrow_mut().push(step);
                anyhow::ensure!(step != 2, "step 2 cannot");
                Ok(())
            });
        }
        undo
    }

    #[test]
    fn a_dropped_change_is_taken_back_in_reverse_even_past_a_failure() {
        let log = Rc::default();
        drop(with_steps(&log));
        assert_eq!(*log.borrow(), [3, 2, 1]);
    }

    #[test]
    fn a_kept_change_stays() {
        let log = Rc::default();
        with_steps(&log).keep();
        assert!(log.borrow().is_empty());
    }
}
