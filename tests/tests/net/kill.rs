//! Killed at any instant, upgraded at any time: no connection is lost, no packet, and never are two sets of programs attached (S19).
//!
//! `load` kills `run` at random instants and upgrades under load, with figures; `instants` kills every verb before each of its system
//! calls that leave something behind, in turn.

mod bench;
mod instants;
mod load;
