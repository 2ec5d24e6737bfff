//! The parsers' targets of cargo-fuzz over their corpora, so that what libFuzzer tries is tried in every test run.
//!
//! `ISN_WRITE_CORPUS=1` writes the corpora anew.

use std::{env, fs};

use isn_tests::fuzz::seeds::TARGETS;

#[test]
fn every_target_takes_its_corpus() {
    for target in &TARGETS {
        let inputs = target.inputs().expect("the corpus can be read");
        assert!(!inputs.is_empty(), "{} has no corpus", target.name);
        for (file, octets) in inputs {
            println!("{}", file.display());
            (target.run)(&octets);
        }
    }
}

#[test]
fn corpora_are_what_the_packet_builder_makes() {
    for target in &TARGETS {
        let corpus = target.corpus();
        let write = env::var_os("ISN_WRITE_CORPUS").is_some();
        for (name, octets) in (target.seeds)() {
            let file = corpus.join(name);
            if write {
                fs::create_dir_all(&corpus).expect("the corpus can be made");
                fs::write(&file, &octets).expect("the corpus can be written");
            }
            let kept =
                fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            assert_eq!(
                kept,
                octets,
                "{}: ISN_WRITE_CORPUS=1 renews it",
                file.display()
            );
        }
    }
}

#[test]
fn every_target_takes_cut_and_flipped_inputs() {
    for target in &TARGETS {
        for (_, octets) in (target.seeds)() {
            for at in 0..octets.len() {
                (target.run)(&octets[..at]);
                let mut flipped = octets.clone();
                for bit in 0..8 {
                    flipped[at] = octets[at] ^ 1 << bit;
                    (target.run)(&flipped);
                }
            }
        }
    }
}
