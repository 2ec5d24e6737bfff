//! The output contract: shapes, exit codes, lines of `--watch`.

mod exit_codes;
mod schemas;
