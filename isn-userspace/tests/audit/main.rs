//! `isnguard audit` from outside: captures of every kind in, reports and refusals out.

mod captures;
mod formats;
mod generators;
mod pictures;
mod program;
mod refusals;
mod reports;
