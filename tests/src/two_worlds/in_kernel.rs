//! One run in the kernel, with what it counted.

use anyhow::Result;
use isn_common::flow::Direction;

use crate::{
    expected_counters::{Counters, added},
    test_run::Kernel,
};

/// What became of a frame in the kernel.
pub struct InKernel {
    /// The frame afterwards.
    pub frame: Vec<u8>,
    /// Whether it goes on.
    pub passes: bool,
    /// What it added to each counter.
    pub counted: Counters,
}

impl InKernel {
    /// Runs the program of this direction; `None` if the kernel does not take such a frame.
    pub fn run(kernel: &Kernel, direction: Direction, wire: &[u8]) -> Result<Option<Self>> {
        let before = kernel.counters()?;
        let Some(ran) = kernel.attempt(direction, wire, None)? else {
            return Ok(None);
        };
        let counted = added(&before, &kernel.counters()?);
        Ok(Some(Self {
            frame: ran.frame,
            passes: ran.passes,
            counted,
        }))
    }
}
